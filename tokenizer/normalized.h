/* normalized.h: a text while it is changed, and from which bytes of the original each of its bytes came.
 *
 * The rules are those of the reference's NormalizedString: a change is told character by character, as `change` 0 (it
 * replaces the next old character), +n (it is new and shares the place of the one before) or -n (it replaces the next old
 * one, and n old ones after that are gone). */
#ifndef ATTEND_TOKENIZER_NORMALIZED_H
#define ATTEND_TOKENIZER_NORMALIZED_H

#include "tokenizer/tokenizer_internal.h"

enum { ATTEND_MAX_TEXT = 1 << 30 }; /* bytes of a text, original or normalised */

/* Zero-initialise; attend_normalized_free. */
typedef struct attend_normalized {
	char *text;
	size_t size;
	attend_span
		*origin;   /* per byte: where its character came from, in the original; only while `tracked && !identity` */
	uint32_t base; /* offset in the original of the text that this began with */
	bool tracked;  /* offsets are wanted */
	bool identity; /* unchanged so far: text[i] is the original's byte base + i */
	size_t capacity, origin_capacity;
	/* The other half of a change: what is being written. */
	char *new_text;
	size_t new_size, new_capacity;
	attend_span *new_origin;
	size_t new_origin_capacity;
	size_t old; /* next byte of `text` that a character with change <= 0 replaces */
} attend_normalized;

void attend_normalized_free(attend_normalized *n);
/* Take a copy of text[size], which lies at byte `base` of the original. DATA: longer than ATTEND_MAX_TEXT. */
attend_status attend_normalized_set(attend_normalized *n, const char *text, size_t size, uint32_t base, bool tracked);
/* Become a copy of [start, end) of `from`, places included. */
attend_status attend_normalized_slice(attend_normalized *n, const attend_normalized *from, uint32_t start,
                                      uint32_t end);
/* Bytes of the original that [start, end) of the text came from. Not tracked: known as long as nothing changed. */
attend_span attend_normalized_origin(const attend_normalized *n, uint32_t start, uint32_t end);

/* A change of the whole text: begin, then every character of the new text in order, then commit. begin skips `removed`
 * bytes of the old text that the first character does not replace; `expected` is a guess of the new size. */
attend_status attend_change_begin(attend_normalized *n, size_t removed, size_t expected);
attend_status attend_change_grow(attend_normalized *n, size_t more);
void attend_change_commit(attend_normalized *n);

/* Where old byte `i` came from. */
static inline attend_span attend_old_origin(const attend_normalized *n, size_t i)
{
	if (!n->identity)
		return i < n->size ? n->origin[i] : (n->size ? n->origin[n->size - 1] : (attend_span){n->base, n->base});
	size_t start = i < n->size ? i : n->size;
	while (start > 0 && (start == n->size || !attend_utf8_is_start(n->text[start]))) start--;
	const size_t end = start < n->size ? start + attend_utf8_size((unsigned char)n->text[start]) : start;
	return (attend_span){n->base + (uint32_t)start, n->base + (uint32_t)end};
}

/* Append the bytes of one character (or several that share one place). */
static inline attend_status attend_change_put(attend_normalized *n, const char *bytes, size_t size, int change)
{
	if (n->new_capacity - n->new_size < size || (n->tracked && n->new_origin_capacity - n->new_size < size))
		ATTEND_TRY(attend_change_grow(n, size));
	for (size_t i = 0; i < size; i++) n->new_text[n->new_size + i] = bytes[i];
	if (n->tracked) {
		attend_span from = {n->base, n->base};
		if (change <= 0) from = attend_old_origin(n, n->old);
		else if (n->old > 0) from = attend_old_origin(n, n->old - 1);
		for (size_t i = 0; i < size; i++) n->new_origin[n->new_size + i] = from;
		for (int skip = change; skip <= 0 && n->old < n->size; skip++)
			n->old += attend_utf8_size((unsigned char)n->text[n->old]);
	}
	n->new_size += size;
	return ATTEND_OK;
}

static inline attend_status attend_change_put_char(attend_normalized *n, uint32_t c, int change)
{
	char bytes[4];
	const size_t size = attend_utf8_encode(bytes, c);
	return attend_change_put(n, bytes, size, change);
}

/* Copy `size` old bytes (whole characters) unchanged; `old` must stand before them when tracked. */
attend_status attend_change_keep(attend_normalized *n, const char *bytes, size_t size);
/* Old bytes are gone: the next put with change <= 0 replaces what follows them. */
static inline void attend_change_drop(attend_normalized *n, size_t size)
{
	n->old += size;
}

/* Put `content` in front of the text (not of an empty one); it shares the place of the first character. */
attend_status attend_normalized_prepend(attend_normalized *n, const char *content, size_t size);

#endif
