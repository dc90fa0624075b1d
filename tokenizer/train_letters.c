/* train_letters.c: the alphabet of counted words. */
#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/train.h"

enum { CODE_POINTS = 0x110000 };

static int compare_counts(const void *a, const void *b)
{
	const attend_letter *x = a, *y = b;
	if (x->count != y->count) return x->count < y->count ? 1 : -1;
	return (x->c > y->c) - (x->c < y->c);
}

static int compare_letters(const void *a, const void *b)
{
	const attend_letter *x = a, *y = b;
	return (x->c > y->c) - (x->c < y->c);
}

/* All characters that occur, by code point, compacted to the front of all[CODE_POINTS]; returns how many. */
static size_t count_letters(attend_letter *all, const attend_word_counts *words)
{
	for (size_t w = 0; w < words->count; w++) {
		const char *text = words->pool + words->words[w].start;
		for (size_t i = 0, n; i < words->words[w].size; i += n) {
			const uint32_t c = attend_utf8_decode(text + i, &n);
			attend_letter *letter = &all[c];
			if (letter->count == 0) *letter = (attend_letter){c, false, 0, w, (uint32_t)i, -1, -1};
			letter->count += words->words[w].count;
			letter->continues = letter->continues || i > 0;
		}
	}
	size_t distinct = 0;
	for (uint32_t c = 0; c < CODE_POINTS; c++)
		if (all[c].count > 0) all[distinct++] = all[c];
	return distinct;
}

attend_status attend_find_letters(attend_letter **out, size_t *count, const attend_word_counts *words, size_t limit)
{
	attend_letter *all = calloc(CODE_POINTS, sizeof *all);
	if (all == NULL) return attend_fail_memory(CODE_POINTS * sizeof *all, "alphabet");
	const size_t distinct = count_letters(all, words);
	if (distinct > limit) {
		qsort(all, distinct, sizeof *all, compare_counts);
		qsort(all, limit, sizeof *all, compare_letters);
	}
	*count = distinct < limit ? distinct : limit;
	*out = all;
	return ATTEND_OK;
}

const attend_letter *attend_letter_of(const attend_letter *letters, size_t count, uint32_t c)
{
	const attend_letter key = {.c = c};
	return bsearch(&key, letters, count, sizeof *letters, compare_letters);
}
