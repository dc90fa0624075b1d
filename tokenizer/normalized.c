/* normalized.c: changing a text and keeping track of where it came from. */
#include "tokenizer/normalized.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

void attend_normalized_free(attend_normalized *n)
{
	free(n->text);
	free(n->origin);
	free(n->new_text);
	free(n->new_origin);
	memset(n, 0, sizeof *n);
}

attend_status attend_normalized_set(attend_normalized *n, const char *text, size_t size, uint32_t base, bool tracked)
{
	if (size > ATTEND_MAX_TEXT)
		return attend_fail(ATTEND_ERR_DATA, "text of %zu bytes: at most %d are allowed", size, ATTEND_MAX_TEXT);
	if (size > n->capacity) ATTEND_TRY(attend_grow(&n->text, &n->capacity, size, 1, "text"));
	if (size) memcpy(n->text, text, size);
	n->size = size;
	n->base = base;
	n->tracked = tracked;
	n->identity = true;
	return ATTEND_OK;
}

attend_status attend_normalized_slice(attend_normalized *n, const attend_normalized *from, uint32_t start, uint32_t end)
{
	ATTEND_TRY(attend_normalized_set(n, from->text + start, end - start, from->base + start, from->tracked));
	if (from->identity || !from->tracked) return ATTEND_OK;
	if (n->size > n->origin_capacity)
		ATTEND_TRY(attend_grow(&n->origin, &n->origin_capacity, n->size, sizeof *n->origin, "offsets"));
	memcpy(n->origin, from->origin + start, n->size * sizeof *n->origin);
	n->identity = false;
	return ATTEND_OK;
}

attend_span attend_normalized_origin(const attend_normalized *n, uint32_t start, uint32_t end)
{
	if ((!n->tracked && !n->identity) || start >= end) return (attend_span){n->base, n->base};
	return (attend_span){attend_old_origin(n, start).start, attend_old_origin(n, end - 1).end};
}

attend_status attend_change_grow(attend_normalized *n, size_t more)
{
	const size_t need = n->new_size + more;
	if (need > ATTEND_MAX_TEXT)
		return attend_fail(ATTEND_ERR_DATA, "normalised text grows over %d bytes", ATTEND_MAX_TEXT);
	if (need > n->new_capacity) ATTEND_TRY(attend_grow(&n->new_text, &n->new_capacity, need, 1, "normalised text"));
	if (n->tracked && need > n->new_origin_capacity)
		ATTEND_TRY(attend_grow(&n->new_origin, &n->new_origin_capacity, need, sizeof *n->new_origin, "offsets"));
	return ATTEND_OK;
}

attend_status attend_change_begin(attend_normalized *n, size_t removed, size_t expected)
{
	n->new_size = 0;
	n->old = removed;
	return attend_change_grow(n, expected);
}

void attend_change_commit(attend_normalized *n)
{
	char *const text = n->text;
	const size_t capacity = n->capacity;
	n->text = n->new_text;
	n->capacity = n->new_capacity;
	n->size = n->new_size;
	n->new_text = text;
	n->new_capacity = capacity;
	if (n->tracked) {
		attend_span *const origin = n->origin;
		const size_t origin_capacity = n->origin_capacity;
		n->origin = n->new_origin;
		n->origin_capacity = n->new_origin_capacity;
		n->new_origin = origin;
		n->new_origin_capacity = origin_capacity;
	}
	n->identity = false;
}

attend_status attend_change_keep(attend_normalized *n, const char *bytes, size_t size)
{
	if (n->new_capacity - n->new_size < size || (n->tracked && n->new_origin_capacity - n->new_size < size))
		ATTEND_TRY(attend_change_grow(n, size));
	if (size) memcpy(n->new_text + n->new_size, bytes, size);
	if (n->tracked) {
		if (n->identity) {
			for (size_t i = 0; i < size;) {
				const uint32_t start = n->base + (uint32_t)(n->old + i);
				const size_t length = attend_utf8_size((unsigned char)bytes[i]);
				for (size_t j = 0; j < length; j++)
					n->new_origin[n->new_size + i + j] = (attend_span){start, start + (uint32_t)length};
				i += length;
			}
		} else if (size) {
			memcpy(n->new_origin + n->new_size, n->origin + n->old, size * sizeof *n->origin);
		}
		n->old += size;
	}
	n->new_size += size;
	return ATTEND_OK;
}

attend_status attend_normalized_prepend(attend_normalized *n, const char *content, size_t size)
{
	if (n->size == 0 || size == 0) return ATTEND_OK;
	ATTEND_TRY(attend_change_begin(n, 0, n->size + size));
	ATTEND_TRY(attend_change_grow(n, size));
	memcpy(n->new_text, content, size);
	if (n->tracked) {
		const attend_span first = attend_old_origin(n, 0);
		for (size_t i = 0; i < size; i++) n->new_origin[i] = first;
	}
	n->new_size = size;
	ATTEND_TRY(attend_change_keep(n, n->text, n->size));
	attend_change_commit(n);
	return ATTEND_OK;
}
