/* precompiled.c: the character map that SentencePiece compiles into a model (nmt_nfkc and friends).
 *
 * The blob: u32 size of a double array in bytes, the array (darts-clone: one u32 a unit), then a pool of NUL-terminated
 * replacements; a key's value is an index into the pool. Little-endian (huggingface.md section 3.6). */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/normalizer.h"

struct attend_charsmap {
	uint32_t *units;
	size_t unit_count;
	char *pool; /* ends in NUL */
	size_t pool_size;
	bool keeps_ascii;
};

static uint32_t unit_offset(uint32_t unit)
{
	return (unit >> 10) << ((unit & 0x200u) >> 6);
}

static uint32_t read_u32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A replacement in the pool; NULL when the index points outside (a broken blob: no replacement). */
static const char *replacement(const attend_charsmap *map, uint32_t value, size_t *size)
{
	if (value >= map->pool_size) return NULL;
	*size = strlen(map->pool + value);
	return map->pool + value;
}

/* Walk the keys that are prefixes of text; stop at the first or keep the last. *used gets the key's bytes. */
static const char *find(const attend_charsmap *map, const char *text, size_t size, bool longest, size_t *used,
                        size_t *out_size)
{
	const char *found = NULL;
	size_t at = unit_offset(map->units[0]);
	for (size_t i = 0; i < size && text[i] != 0; i++) {
		const unsigned char c = (unsigned char)text[i];
		at ^= c;
		if (at >= map->unit_count) break;
		const uint32_t unit = map->units[at];
		if ((unit & 0x800000ffu) != c) break;
		at ^= unit_offset(unit);
		if (at >= map->unit_count) break;
		if (unit >> 8 & 1) {
			size_t length = 0;
			const char *const hit = replacement(map, map->units[at] & 0x7fffffffu, &length);
			if (hit) {
				found = hit;
				*out_size = length;
				*used = i + 1;
			}
			if (!longest) break;
		}
	}
	return found;
}

static bool ascii_unchanged(const attend_charsmap *map)
{
	for (char c = 0x20; c < 0x7f; c++) {
		size_t used, size;
		const char *const hit = find(map, &c, 1, false, &used, &size);
		if (hit && (size != 1 || hit[0] != c)) return false;
		/* A longer key that starts in ASCII would join clusters such as "e" + accent: those hold non-ASCII bytes. */
	}
	return true;
}

attend_status attend_charsmap_new(attend_charsmap **out, const void *blob, size_t size)
{
	const unsigned char *const bytes = blob;
	if (size < 8) return attend_fail(ATTEND_ERR_FORMAT, "precompiled_charsmap of %zu bytes is cut short", size);
	const size_t array = read_u32(bytes);
	if (array % 4 != 0 || array < 4 || array > size - 4)
		return attend_fail(ATTEND_ERR_FORMAT, "precompiled_charsmap: double array of %zu bytes in a blob of %zu", array,
		                   size);
	attend_charsmap *map = calloc(1, sizeof *map);
	uint32_t *units = attend_alloc_array(array / 4, sizeof *units);
	char *pool = malloc(size - 4 - array + 1);
	if (!map || !units || !pool) {
		free(map);
		free(units);
		free(pool);
		return attend_fail_memory(size, "precompiled_charsmap");
	}
	for (size_t i = 0; i < array / 4; i++) units[i] = read_u32(bytes + 4 + 4 * i);
	map->pool_size = size - 4 - array;
	memcpy(pool, bytes + 4 + array, map->pool_size);
	pool[map->pool_size] = 0;
	map->units = units;
	map->unit_count = array / 4;
	map->pool = pool;
	if (attend_utf8_valid_prefix(pool, map->pool_size) != map->pool_size) {
		attend_charsmap_free(map);
		return attend_fail(ATTEND_ERR_FORMAT, "precompiled_charsmap: replacements are not UTF-8");
	}
	map->keeps_ascii = ascii_unchanged(map);
	*out = map;
	return ATTEND_OK;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z') return c - 'A';
	if (c >= 'a' && c <= 'z') return c - 'a' + 26;
	if (c >= '0' && c <= '9') return c - '0' + 52;
	if (c == '+') return 62;
	return c == '/' ? 63 : -1;
}

attend_status attend_charsmap_from_base64(attend_charsmap **out, const char *text, size_t size)
{
	unsigned char *const bytes = malloc(size / 4 * 3 + 3);
	if (!bytes) return attend_fail_memory(size, "precompiled_charsmap");
	size_t count = 0;
	uint32_t bits = 0;
	unsigned have = 0;
	while (size > 0 && text[size - 1] == '=') size--;
	for (size_t i = 0; i < size; i++) {
		const int v = base64_value(text[i]);
		if (v < 0) {
			free(bytes);
			return attend_fail(ATTEND_ERR_FORMAT, "base64: unexpected character at position %zu", i);
		}
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			bytes[count++] = (unsigned char)(bits >> have);
		}
	}
	const attend_status status = attend_charsmap_new(out, bytes, count);
	free(bytes);
	return status;
}

void attend_charsmap_free(attend_charsmap *map)
{
	if (!map) return;
	free(map->units);
	free(map->pool);
	free(map);
}

bool attend_charsmap_keeps_ascii(const attend_charsmap *map)
{
	return map->keeps_ascii;
}

/* Characters on their way to the text; the last one is held back, because old characters that vanish are put to its account. */
typedef struct writer {
	attend_normalized *n;
	char bytes[4];
	size_t size; /* 0: nothing is held back */
	int change;
} writer;

static attend_status write_last(writer *w)
{
	return w->size ? attend_change_put(w->n, w->bytes, w->size, w->change) : ATTEND_OK;
}

static attend_status write_char(writer *w, const char *text, size_t size, int change)
{
	ATTEND_TRY(write_last(w));
	memcpy(w->bytes, text, size);
	w->size = size;
	w->change = change;
	return ATTEND_OK;
}

/* Replace old_count characters: the new ones take their places one by one, more new ones share the last place, more old ones
 * vanish. (Where nothing stands before them they stay to the account of nobody, and all that follows lies too far left: so does
 * the reference.) */
static attend_status write_replacement(writer *w, const char *text, size_t size, size_t old_count)
{
	size_t count = 0;
	for (size_t at = 0; at < size; count++) {
		const size_t length = attend_utf8_size((unsigned char)text[at]);
		ATTEND_TRY(write_char(w, text + at, length, count >= old_count));
		at += length;
	}
	if (old_count > count) w->change -= (int)(old_count - count);
	return ATTEND_OK;
}

/* End of the grapheme cluster at `start`. */
static size_t cluster_end(const attend_normalized *n, size_t start)
{
	size_t size;
	uint32_t before = attend_utf8_decode(n->text + start, &size);
	size_t end = start + size;
	int state = 0;
	while (end < n->size) {
		const unsigned char byte = (unsigned char)n->text[end];
		if (byte < 0x80 && byte != '\n' && before < 0x300) break; /* the usual case, without asking */
		const uint32_t after = attend_utf8_decode(n->text + end, &size);
		if (attend_grapheme_break(before, after, &state)) break;
		before = after;
		end += size;
	}
	return end;
}

static bool is_plain_ascii(const attend_normalized *n)
{
	for (size_t i = 0; i < n->size; i++)
		if ((unsigned char)n->text[i] < 0x20 || (unsigned char)n->text[i] > 0x7e) return false;
	return true;
}

static attend_status normalize_clusters(const attend_charsmap *map, attend_normalized *n, bool *modified)
{
	writer w = {.n = n};
	size_t used, size;
	for (size_t i = 0; i < n->size;) {
		const size_t end = cluster_end(n, i);
		const char *hit = end - i < 6 ? find(map, n->text + i, end - i, false, &used, &size) : NULL;
		if (hit) {
			*modified = true;
			ATTEND_TRY(write_replacement(&w, hit, size, attend_utf8_count(n->text + i, end - i)));
			i = end;
			continue;
		}
		while (i < end) {
			const size_t length = attend_utf8_size((unsigned char)n->text[i]);
			hit = find(map, n->text + i, length, false, &used, &size);
			if (hit) {
				*modified = true;
				ATTEND_TRY(write_replacement(&w, hit, size, 1));
			} else {
				ATTEND_TRY(write_char(&w, n->text + i, length, 0));
			}
			i += length;
		}
	}
	return write_last(&w);
}

attend_status attend_charsmap_normalize(const attend_charsmap *map, attend_normalized *n)
{
	if (n->size == 0 || (map->keeps_ascii && is_plain_ascii(n))) return ATTEND_OK;
	bool modified = false;
	ATTEND_TRY(attend_change_begin(n, 0, n->size + 16));
	ATTEND_TRY(normalize_clusters(map, n, &modified));
	if (modified) attend_change_commit(n);
	return ATTEND_OK;
}

attend_status attend_spm_normalize(const attend_charsmap *map, attend_spm_rules rules, attend_normalized *n)
{
	const char *const space = rules.escape_whitespaces ? "\xe2\x96\x81" : " ";
	const size_t space_size = rules.escape_whitespaces ? 3 : 1;
	bool pending = rules.add_dummy_prefix; /* a space is due before the next character */
	bool blank = true;                     /* nothing but spaces so far */
	ATTEND_TRY(attend_change_begin(n, 0, n->size + 16));
	if (!rules.remove_extra_whitespaces && pending && n->size > 0) {
		ATTEND_TRY(attend_change_put(n, space, space_size, 1));
		pending = false;
	}
	for (size_t i = 0; i < n->size;) {
		size_t used = attend_utf8_size((unsigned char)n->text[i]), size = used;
		const char *piece = map ? find(map, n->text + i, n->size - i, true, &used, &size) : NULL;
		if (!piece) {
			piece = n->text + i;
			size = used;
		}
		for (size_t j = 0; j < size;) {
			const size_t length = attend_utf8_size((unsigned char)piece[j]);
			if (piece[j] == ' ' && rules.remove_extra_whitespaces) {
				pending = !blank || rules.add_dummy_prefix;
			} else if (piece[j] == ' ') {
				ATTEND_TRY(attend_change_put(n, space, space_size, 1));
			} else {
				if (pending) ATTEND_TRY(attend_change_put(n, space, space_size, 1));
				ATTEND_TRY(attend_change_put(n, piece + j, length, 1));
				pending = false;
				blank = false;
			}
			j += length;
		}
		attend_change_drop(n, used);
		i += used;
	}
	attend_change_commit(n);
	return ATTEND_OK;
}
