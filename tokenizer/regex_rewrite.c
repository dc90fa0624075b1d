/* regex_rewrite.c: the reference's Oniguruma has Unicode 16; a distribution's may be years older. Character properties are
 * therefore written out as ranges before the pattern is compiled. */
#include "tokenizer/regex_rewrite.h"

#include <ctype.h>
#include <string.h>

#include "tokenizer/unicode_tables.h"

/* The set of a property name as Oniguruma looks it up: case, blanks, '-' and '_' do not count. */
static const attend_unicode_set *find_set(const char *name, size_t size, bool in_class)
{
	char key[32];
	size_t n = 0;
	for (size_t i = 0; i < size; i++) {
		if (name[i] == ' ' || name[i] == '-' || name[i] == '_') continue;
		if (n + 1 >= sizeof key) return NULL;
		key[n++] = (char)tolower((unsigned char)name[i]);
	}
	key[n] = 0;
	if (!in_class && strcmp(key, "word") == 0) strcpy(key, "bareword");
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
static size_t read_property(const char *pattern, size_t size, bool in_class, const attend_unicode_set **set,
                            bool *negated)
{
	if (size < 2) return 0;
	const char kind = pattern[1];
	*negated = kind == 'P' || kind == 'W' || kind == 'D';
	if (kind == 'w' || kind == 'W') *set = find_set("word", 4, in_class);
	else if (kind == 'd' || kind == 'D') *set = find_set("nd", 2, in_class);
	if (kind == 'w' || kind == 'W' || kind == 'd' || kind == 'D') return 2;
	if ((kind != 'p' && kind != 'P') || size < 4 || pattern[2] != '{') return 0;
	const char *const end = memchr(pattern, '}', size);
	if (!end) return 0;
	const char *name = pattern + 3;
	if (*name == '^') {
		*negated = !*negated;
		name++;
	}
	*set = find_set(name, (size_t)(end - name), in_class);
	return *set ? (size_t)(end - pattern) + 1 : 0;
}

/* [:name:] or [:^name:] at pattern[0]: written out, or copied if the name has no table. Returns its size; 0: it is none. */
static size_t rewrite_posix(attend_buffer *out, const char *pattern, size_t size)
{
	if (size < 4 || pattern[1] != ':') return 0;
	const char *const end = memchr(pattern, ']', size);
	if (!end || end - pattern < 4 || end[-1] != ':') return 0;
	const bool negated = pattern[2] == '^';
	const char *const name = pattern + 2 + negated;
	const size_t length = (size_t)(end - 1 - name), total = (size_t)(end - pattern) + 1;
	const attend_unicode_set *set = NULL;
	if (length == 5 && memcmp(name, "punct", 5) == 0) set = find_set("posixpunct", 10, true);
	else if (length > 2) set = find_set(name, length, true);
	if (set) put_set(out, set, negated, true);
	else attend_buffer_append(out, pattern, total);
	return total;
}

void attend_regex_rewrite(attend_buffer *out, const char *pattern, size_t size)
{
	int depth = 0; /* of brackets */
	for (size_t i = 0; i < size;) {
		if (pattern[i] == '\\') {
			const attend_unicode_set *set = NULL;
			bool negated = false;
			const size_t property = read_property(pattern + i, size - i, depth > 0, &set, &negated);
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
			const size_t posix = depth > 0 ? rewrite_posix(out, pattern + i, size - i) : 0;
			i += posix;
			if (posix) continue;
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
