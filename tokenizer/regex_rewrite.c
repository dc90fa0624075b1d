/* regex_rewrite.c: the reference's Oniguruma has Unicode 16; a distribution's may be years older. Character properties are
 * therefore written out as ranges before the pattern is compiled. */
#include "tokenizer/regex_rewrite.h"

#include <ctype.h>
#include <string.h>

#include "tokenizer/unicode_tables.h"

/* The set of a property name as Oniguruma looks it up: case, blanks, '-' and '_' do not count. */
static const attend_unicode_set *find_set(const char *name, size_t size)
{
	char key[32];
	size_t n = 0;
	for (size_t i = 0; i < size; i++) {
		if (name[i] == ' ' || name[i] == '-' || name[i] == '_') continue;
		if (n + 1 >= sizeof key) return NULL;
		key[n++] = (char)tolower((unsigned char)name[i]);
	}
	key[n] = 0;
	for (size_t i = 0; i < attend_unicode_set_count; i++)
		if (strcmp(attend_unicode_sets[i].name, key) == 0) return &attend_unicode_sets[i];
	return NULL;
}

static void put_ranges(attend_buffer *out, const attend_unicode_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		attend_buffer_printf(out, "\\x{%x}", set->ranges[i].start);
		if (set->ranges[i].end > set->ranges[i].start) attend_buffer_printf(out, "-\\x{%x}", set->ranges[i].end);
	}
}

/* Outside of brackets a property is not touched by (?i), inside it is. */
static void put_set(attend_buffer *out, const attend_unicode_set *set, bool negated, bool in_class)
{
	if (in_class && !negated) {
		put_ranges(out, set);
		return;
	}
	attend_buffer_text(out, in_class ? (negated ? "[^" : "[") : (negated ? "(?-i:[^" : "(?-i:["));
	put_ranges(out, set);
	attend_buffer_text(out, in_class ? "]" : "])");
}

/* An escape at pattern[0] == '\\' that stands for one of our sets: its size, 0 if it is none. */
static size_t read_property(const char *pattern, size_t size, const attend_unicode_set **set, bool *negated)
{
	if (size < 2) return 0;
	const char kind = pattern[1];
	*negated = kind == 'P' || kind == 'W' || kind == 'D';
	if (kind == 'w' || kind == 'W') *set = find_set("word", 4);
	else if (kind == 'd' || kind == 'D') *set = find_set("nd", 2);
	if (kind == 'w' || kind == 'W' || kind == 'd' || kind == 'D') return 2;
	if ((kind != 'p' && kind != 'P') || size < 4 || pattern[2] != '{') return 0;
	const char *const end = memchr(pattern, '}', size);
	if (!end) return 0;
	const char *name = pattern + 3;
	if (*name == '^') {
		*negated = !*negated;
		name++;
	}
	*set = find_set(name, (size_t)(end - name));
	return *set ? (size_t)(end - pattern) + 1 : 0;
}

void attend_regex_rewrite(attend_buffer *out, const char *pattern, size_t size)
{
	int depth = 0; /* of brackets */
	for (size_t i = 0; i < size;) {
		if (pattern[i] == '\\') {
			const attend_unicode_set *set = NULL;
			bool negated = false;
			const size_t property = read_property(pattern + i, size - i, &set, &negated);
			if (property) {
				put_set(out, set, negated, depth > 0);
				i += property;
			} else {
				const size_t length = i + 1 < size ? 2 : 1;
				attend_buffer_append(out, pattern + i, length);
				i += length;
			}
			continue;
		}
		if (pattern[i] == '[') {
			const char *posix = depth > 0 && i + 1 < size && pattern[i + 1] == ':' ? memchr(pattern + i, ']', size - i) : NULL;
			if (posix && posix[-1] == ':') {
				attend_buffer_append(out, pattern + i, (size_t)(posix - pattern) + 1 - i);
				i = (size_t)(posix - pattern) + 1;
				continue;
			}
			depth++;
			attend_buffer_append(out, "[", 1);
			i++;
			if (i < size && pattern[i] == '^') attend_buffer_append(out, &pattern[i++], 1);
			if (i < size && pattern[i] == ']') attend_buffer_append(out, &pattern[i++], 1);
			continue;
		}
		if (pattern[i] == ']' && depth > 0) depth--;
		attend_buffer_append(out, &pattern[i++], 1);
	}
}
