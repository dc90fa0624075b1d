/* train_seed.c: the pieces that Unigram training begins with: the substrings of the words that occur most. All suffixes of
 * all words are sorted; what neighbours share are the repeated substrings, found with a stack as in a suffix tree, so that
 * of substrings that always occur together only the longest is a seed (SentencePiece does so by a suffix array). */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/train.h"

enum { MOST_SEEDS = 1000000, LONGEST_WORD = 1024 };

/* A suffix of a word, cut at the longest piece. */
typedef struct suffix {
	const char *text;
	uint32_t size;
	uint64_t count;
} suffix;

static int compare_suffixes(const void *a, const void *b)
{
	const suffix *x = a, *y = b;
	const uint32_t size = x->size < y->size ? x->size : y->size;
	const int order = memcmp(x->text, y->text, size);
	if (order != 0) return order;
	if (x->size != y->size) return x->size < y->size ? -1 : 1;
	return (x->text > y->text) - (x->text < y->text); /* of one pool */
}

static bool has_only(const attend_letter *letters, size_t letter_count, const char *text, size_t size)
{
	for (size_t i = 0, n; i < size; i += n)
		if (attend_letter_of(letters, letter_count, attend_utf8_decode(text + i, &n)) == NULL) return false;
	return true;
}

typedef struct suffixes {
	suffix *items;
	size_t count, capacity;
} suffixes;

static attend_status add_word(suffixes *list, const char *text, uint32_t size, uint64_t count, size_t max_chars)
{
	uint32_t end = 0;
	size_t chars = 0; /* from the suffix's start to `end` */
	for (uint32_t start = 0; start < size; start += (uint32_t)attend_utf8_size((unsigned char)text[start]), chars--) {
		while (end < size && chars < max_chars) {
			end += (uint32_t)attend_utf8_size((unsigned char)text[end]);
			chars++;
		}
		ATTEND_TRY(attend_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "suffixes"));
		list->items[list->count++] = (suffix){text + start, end - start, count};
	}
	return ATTEND_OK;
}

/* Bytes that two texts share, cut between characters. */
static uint32_t shared(const suffix *a, const suffix *b)
{
	uint32_t n = 0;
	while (n < a->size && n < b->size && a->text[n] == b->text[n]) n++;
	while (n > 0 &&
	       ((n < a->size && !attend_utf8_is_start(a->text[n])) || (n < b->size && !attend_utf8_is_start(b->text[n]))))
		n--;
	return n;
}

typedef struct seeds {
	attend_seed *items;
	size_t count, capacity;
	const char *pool;
} seeds;

static attend_status add_seed(seeds *list, const char *text, uint32_t size, uint64_t count)
{
	const size_t chars = attend_utf8_count(text, size);
	if (chars < 2 || count < 2) return ATTEND_OK;
	ATTEND_TRY(attend_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "seed pieces"));
	list->items[list->count++] = (attend_seed){(size_t)(text - list->pool), size, count, (double)count * (double)chars};
	return ATTEND_OK;
}

/* A prefix of the present suffix that earlier ones had too. */
typedef struct open_prefix {
	uint32_t size;
	uint64_t count;
} open_prefix;

/* Every prefix that is where suffixes part, or where one ends, with the sum of the counts of all that have it. */
static attend_status find_repeats(seeds *out, const suffixes *list)
{
	open_prefix *stack = NULL;
	size_t depth = 0, capacity = 0;
	attend_status status = ATTEND_OK;
	for (size_t i = 0; status == ATTEND_OK && i < list->count; i++) {
		const suffix *s = &list->items[i];
		status = attend_grow(&stack, &capacity, depth + 2, sizeof *stack, "seed pieces");
		if (status != ATTEND_OK) break;
		if (depth > 0 && stack[depth - 1].size == s->size && shared(s, s - 1) == s->size)
			stack[depth - 1].count += s->count; /* equal to the one before */
		else stack[depth++] = (open_prefix){s->size, s->count};
		const uint32_t next = i + 1 < list->count ? shared(s, s + 1) : 0;
		while (status == ATTEND_OK && depth > 0 &&
		       stack[depth - 1].size > next) { /* closed: what follows is different */
			const open_prefix done = stack[--depth];
			status = add_seed(out, s->text, done.size, done.count);
			if (depth > 0 && stack[depth - 1].size >= next) stack[depth - 1].count += done.count;
			else if (next > 0) stack[depth++] = (open_prefix){next, done.count};
		}
	}
	free(stack);
	return status;
}

/* Best first; equals by their place in the pool, which is sorted. */
static int compare_seeds(const void *a, const void *b)
{
	const attend_seed *x = a, *y = b;
	if (x->score != y->score) return x->score < y->score ? 1 : -1;
	if (x->start != y->start) return x->start < y->start ? -1 : 1;
	return (x->size > y->size) - (x->size < y->size);
}

static attend_status add_letters(seeds *out, const attend_letter *letters, size_t count,
                                 const attend_word_counts *words)
{
	for (size_t i = 0; i < count; i++) {
		const size_t start = words->words[letters[i].word].start + letters[i].at;
		ATTEND_TRY(attend_grow(&out->items, &out->capacity, out->count + 1, sizeof *out->items, "seed pieces"));
		const uint32_t size = (uint32_t)attend_utf8_size((unsigned char)words->pool[start]);
		out->items[out->count++] = (attend_seed){start, size, letters[i].count, (double)letters[i].count};
	}
	return ATTEND_OK;
}

attend_status attend_find_seeds(attend_seed **out, size_t *count, size_t *letter_count, const attend_word_counts *words,
                                const attend_unigram_training *training)
{
	attend_letter *letters;
	ATTEND_TRY(attend_find_letters(&letters, letter_count, words, training->limit_alphabet));
	suffixes list = {0};
	seeds found = {.pool = words->pool};
	attend_status status = add_letters(&found, letters, *letter_count, words);
	for (size_t w = 0; status == ATTEND_OK && w < words->count; w++) {
		const attend_counted_word *word = &words->words[w];
		const char *text = words->pool + word->start;
		if (word->size <= LONGEST_WORD && has_only(letters, *letter_count, text, word->size))
			status = add_word(&list, text, word->size, word->count, training->max_piece_chars);
	}
	free(letters);
	if (status == ATTEND_OK && list.count > 0) qsort(list.items, list.count, sizeof *list.items, compare_suffixes);
	if (status == ATTEND_OK) status = find_repeats(&found, &list);
	free(list.items);
	if (status != ATTEND_OK) {
		free(found.items);
		return status;
	}
	qsort(found.items + *letter_count, found.count - *letter_count, sizeof *found.items, compare_seeds);
	*out = found.items;
	*count = found.count - *letter_count < MOST_SEEDS ? found.count : *letter_count + MOST_SEEDS;
	return ATTEND_OK;
}
