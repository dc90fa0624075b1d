/* train_merges.c: learning byte-pair merges (Sennrich et al. 2016) from counted words: again and again the pair that occurs
 * most often becomes a token, equal counts in the order of the two ids. Of every pair the count and the words that hold it are
 * kept; a heap offers the best pair, its entries are brought up to date when they come up (huggingface/tokenizers
 * models/bpe/trainer.rs does the same, and learns the same merges). */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/train.h"

attend_status attend_symbol_words_push(attend_symbol_words *words, int32_t symbol)
{
	ATTEND_TRY(attend_grow(&words->symbols, &words->symbol_capacity, words->symbol_count + 1, sizeof *words->symbols,
	                       "training words"));
	words->symbols[words->symbol_count++] = symbol;
	return ATTEND_OK;
}

attend_status attend_symbol_words_end(attend_symbol_words *words, uint64_t times)
{
	ATTEND_TRY(
		attend_grow(&words->starts, &words->start_capacity, words->count + 2, sizeof *words->starts, "training words"));
	ATTEND_TRY(
		attend_grow(&words->counts, &words->count_capacity, words->count + 1, sizeof *words->counts, "training words"));
	if (words->count == 0) words->starts[0] = 0;
	words->counts[words->count++] = times;
	words->starts[words->count] = words->symbol_count;
	return ATTEND_OK;
}

void attend_symbol_words_free(attend_symbol_words *words)
{
	free(words->symbols);
	free(words->starts);
	free(words->counts);
	*words = (attend_symbol_words){0};
}

/* ---- pairs ---- */

typedef struct pair {
	int32_t left, right;
	int64_t count;
	uint32_t *words; /* that hold the pair, or held it */
	size_t word_count, word_capacity;
} pair;

typedef struct candidate {
	int64_t count;
	int32_t left, right;
	uint32_t pair;
} candidate;

typedef struct trainer {
	attend_vocab *vocab;
	attend_symbol_words *words;
	const attend_merge_training *options;
	uint32_t *lengths; /* symbols of each word that are left */
	uint32_t *chars;   /* of each token, in characters */
	size_t char_capacity;
	pair *pairs;
	size_t pair_count, pair_capacity;
	uint32_t *slots; /* pair + 1; 0: free */
	size_t slot_count;
	candidate *heap;
	size_t heap_count, heap_capacity;
	uint32_t *fresh; /* pairs that grew in this step */
	size_t fresh_count, fresh_capacity;
	char *spelling;
	size_t spelling_capacity;
} trainer;

static void free_trainer(trainer *t)
{
	for (size_t i = 0; i < t->pair_count; i++) free(t->pairs[i].words);
	free(t->pairs);
	free(t->slots);
	free(t->heap);
	free(t->fresh);
	free(t->lengths);
	free(t->chars);
	free(t->spelling);
}

static size_t hash_pair(int32_t left, int32_t right)
{
	uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
	return (size_t)(h ^ h >> 32);
}

static attend_status grow_slots(trainer *t)
{
	const size_t count = t->slot_count > 0 ? 2 * t->slot_count : 1024;
	uint32_t *slots = calloc(count, sizeof *slots);
	if (slots == NULL) return attend_fail_memory(count * sizeof *slots, "training pairs");
	for (size_t p = 0; p < t->pair_count; p++) {
		size_t i = hash_pair(t->pairs[p].left, t->pairs[p].right) & (count - 1);
		while (slots[i] != 0) i = (i + 1) & (count - 1);
		slots[i] = (uint32_t)p + 1;
	}
	free(t->slots);
	t->slots = slots;
	t->slot_count = count;
	return ATTEND_OK;
}

/* The pair's index; a new one has count 0. */
static attend_status find_pair(uint32_t *out, trainer *t, int32_t left, int32_t right)
{
	if (t->slot_count < 2 * (t->pair_count + 1)) ATTEND_TRY(grow_slots(t));
	size_t i = hash_pair(left, right) & (t->slot_count - 1);
	for (; t->slots[i] != 0; i = (i + 1) & (t->slot_count - 1)) {
		const pair *p = &t->pairs[t->slots[i] - 1];
		if (p->left != left || p->right != right) continue;
		*out = t->slots[i] - 1;
		return ATTEND_OK;
	}
	if (t->pair_count >= UINT32_MAX - 1) return attend_fail(ATTEND_ERR_UNSUPPORTED, "more than 2^32 pairs to train on");
	ATTEND_TRY(attend_grow(&t->pairs, &t->pair_capacity, t->pair_count + 1, sizeof *t->pairs, "training pairs"));
	*out = (uint32_t)t->pair_count;
	t->pairs[t->pair_count++] = (pair){.left = left, .right = right};
	t->slots[i] = *out + 1;
	return ATTEND_OK;
}

/* The pair occurs `times` more often in a word; tokens that would be too long never become a pair. */
static attend_status gain(trainer *t, int32_t left, int32_t right, int64_t times, uint32_t word)
{
	uint32_t index;
	if ((size_t)t->chars[left] + t->chars[right] > t->options->max_token_length) return ATTEND_OK;
	ATTEND_TRY(find_pair(&index, t, left, right));
	pair *p = &t->pairs[index];
	p->count += times;
	if (p->word_count == 0 || p->words[p->word_count - 1] != word) {
		ATTEND_TRY(attend_grow(&p->words, &p->word_capacity, p->word_count + 1, sizeof *p->words, "training pairs"));
		p->words[p->word_count++] = word;
	}
	ATTEND_TRY(attend_grow(&t->fresh, &t->fresh_capacity, t->fresh_count + 1, sizeof *t->fresh, "training pairs"));
	t->fresh[t->fresh_count++] = index;
	return ATTEND_OK;
}

static attend_status lose(trainer *t, int32_t left, int32_t right, int64_t times)
{
	uint32_t index;
	if ((size_t)t->chars[left] + t->chars[right] > t->options->max_token_length) return ATTEND_OK;
	ATTEND_TRY(find_pair(&index, t, left, right));
	t->pairs[index].count -= times;
	return ATTEND_OK;
}

/* ---- the heap: highest count first, then smaller ids ---- */

static bool before(const candidate *a, const candidate *b)
{
	if (a->count != b->count) return a->count > b->count;
	return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static attend_status push(trainer *t, uint32_t index)
{
	const pair *p = &t->pairs[index];
	if (p->count <= 0) return ATTEND_OK;
	ATTEND_TRY(attend_grow(&t->heap, &t->heap_capacity, t->heap_count + 1, sizeof *t->heap, "training pairs"));
	const candidate c = {p->count, p->left, p->right, index};
	size_t i = t->heap_count++;
	for (; i > 0 && before(&c, &t->heap[(i - 1) / 2]); i = (i - 1) / 2) t->heap[i] = t->heap[(i - 1) / 2];
	t->heap[i] = c;
	return ATTEND_OK;
}

static candidate pop(trainer *t)
{
	const candidate top = t->heap[0], last = t->heap[--t->heap_count];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < t->heap_count; i = child) {
		if (child + 1 < t->heap_count && before(&t->heap[child + 1], &t->heap[child])) child++;
		if (!before(&t->heap[child], &last)) break;
		t->heap[i] = t->heap[child];
	}
	t->heap[i] = last;
	return top;
}

static int compare_indices(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* Offer the pairs that grew, each once. */
static attend_status push_fresh(trainer *t)
{
	qsort(t->fresh, t->fresh_count, sizeof *t->fresh, compare_indices);
	for (size_t i = 0; i < t->fresh_count; i++)
		if (i == 0 || t->fresh[i] != t->fresh[i - 1]) ATTEND_TRY(push(t, t->fresh[i]));
	t->fresh_count = 0;
	return ATTEND_OK;
}

/* ---- steps ---- */

static attend_status count_pairs(trainer *t)
{
	const attend_symbol_words *words = t->words;
	for (size_t w = 0; w < words->count; w++) {
		const size_t length = words->starts[w + 1] - words->starts[w];
		const int32_t *symbols = words->symbols + words->starts[w];
		t->lengths[w] = (uint32_t)length;
		for (size_t i = 0; i + 1 < length; i++)
			ATTEND_TRY(gain(t, symbols[i], symbols[i + 1], (int64_t)words->counts[w], (uint32_t)w));
		t->fresh_count = 0; /* every pair is offered once, at the end */
	}
	for (size_t p = 0; p < t->pair_count; p++) ATTEND_TRY(push(t, (uint32_t)p));
	return ATTEND_OK;
}

/* Join all occurrences of the pair in a word, left to right. */
static attend_status merge_word(trainer *t, uint32_t w, const attend_merge_pair *merge)
{
	int32_t *symbols = t->words->symbols + t->words->starts[w];
	const int64_t times = (int64_t)t->words->counts[w];
	uint32_t length = t->lengths[w], to = 0;
	for (uint32_t from = 0; from < length; from++, to++) {
		if (symbols[from] != merge->left || from + 1 == length || symbols[from + 1] != merge->right) {
			symbols[to] = symbols[from];
			continue;
		}
		if (to > 0) {
			ATTEND_TRY(lose(t, symbols[to - 1], merge->left, times));
			ATTEND_TRY(gain(t, symbols[to - 1], merge->id, times, w));
		}
		if (from + 2 < length) {
			ATTEND_TRY(lose(t, merge->right, symbols[from + 2], times));
			ATTEND_TRY(gain(t, merge->id, symbols[from + 2], times, w));
		}
		symbols[to] = merge->id;
		from++;
	}
	t->lengths[w] = to;
	return ATTEND_OK;
}

/* The id of the joined token, which may be there already by another way. */
static attend_status make_token(int32_t *out, trainer *t, int32_t left, int32_t right)
{
	size_t left_size, right_size;
	const char *a = attend_vocab_token(t->vocab, left, &left_size),
			   *b = attend_vocab_token(t->vocab, right, &right_size);
	const size_t rest = right_size - t->options->prefix_size, size = left_size + rest;
	ATTEND_TRY(attend_grow(&t->spelling, &t->spelling_capacity, size, 1, "training"));
	memcpy(t->spelling, a, left_size);
	memcpy(t->spelling + left_size, b + t->options->prefix_size, rest);
	*out = attend_vocab_find(t->vocab, t->spelling, size);
	if (*out >= 0) return ATTEND_OK;
	*out = (int32_t)t->vocab->id_bound;
	ATTEND_TRY(attend_grow(&t->chars, &t->char_capacity, (size_t)*out + 1, sizeof *t->chars, "training"));
	t->chars[*out] = t->chars[left] + t->chars[right];
	return attend_vocab_put(t->vocab, t->spelling, size, *out);
}

static attend_status step(trainer *t, const candidate *best, attend_merge_pair *merge)
{
	*merge = (attend_merge_pair){best->left, best->right, 0};
	ATTEND_TRY(make_token(&merge->id, t, best->left, best->right));
	pair *p = &t->pairs[best->pair];
	uint32_t *words = p->words; /* the list is used up; pairs may move while it is walked */
	const size_t count = p->word_count;
	p->words = NULL;
	p->word_count = p->word_capacity = 0;
	p->count = 0;
	qsort(words, count, sizeof *words, compare_indices);
	attend_status status = ATTEND_OK;
	for (size_t i = 0; status == ATTEND_OK && i < count; i++)
		if (i == 0 || words[i] != words[i - 1]) status = merge_word(t, words[i], merge);
	free(words);
	t->pairs[best->pair].count = 0; /* what overlapping occurrences took off it */
	return status == ATTEND_OK ? push_fresh(t) : status;
}

static attend_status run(trainer *t, attend_merge_pair **merges, size_t *count)
{
	size_t capacity = 0;
	ATTEND_TRY(count_pairs(t));
	const size_t first = t->vocab->id_bound, goal = t->options->vocab_size;
	while (t->vocab->id_bound < goal && t->heap_count > 0) {
		candidate best = pop(t);
		const pair *p = &t->pairs[best.pair];
		if (best.count != p->count) { /* it has changed since it was offered */
			ATTEND_TRY(push(t, best.pair));
			continue;
		}
		if ((uint64_t)best.count < t->options->min_frequency) break;
		ATTEND_TRY(attend_grow(merges, &capacity, *count + 1, sizeof **merges, "merges"));
		ATTEND_TRY(step(t, &best, &(*merges)[*count]));
		++*count;
		if (t->options->progress != NULL && *count % 64 == 0 &&
		    !t->options->progress(t->options->payload, "training", t->vocab->id_bound - first, goal - first))
			return attend_fail(ATTEND_ERR_CANCELLED, "training was cancelled");
	}
	return ATTEND_OK;
}

attend_status attend_train_merges(attend_merge_pair **merges, size_t *merge_count, attend_vocab *vocab,
                                  attend_symbol_words *words, const attend_merge_training *training)
{
	trainer t = {.vocab = vocab, .words = words, .options = training};
	*merges = NULL;
	*merge_count = 0;
	t.lengths = attend_alloc_array(words->count + 1, sizeof *t.lengths);
	attend_status status =
		t.lengths != NULL ? ATTEND_OK : attend_fail_memory(words->count * sizeof *t.lengths, "training");
	if (status == ATTEND_OK && words->count >= UINT32_MAX)
		status = attend_fail(ATTEND_ERR_UNSUPPORTED, "more than 2^32 distinct words to train on");
	if (status == ATTEND_OK)
		status = attend_grow(&t.chars, &t.char_capacity, vocab->id_bound + 1, sizeof *t.chars, "training");
	if (status == ATTEND_OK) {
		for (size_t i = 0; i < vocab->id_bound; i++) t.chars[i] = 1;
		status = run(&t, merges, merge_count);
	}
	free_trainer(&t);
	if (status != ATTEND_OK) {
		free(*merges);
		*merges = NULL;
		*merge_count = 0;
	}
	return status;
}
