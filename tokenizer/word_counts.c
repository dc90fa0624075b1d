/* word_counts.c: distinct words and how often they occurred. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/train.h"

static uint32_t *slot_of(const attend_word_counts *counts, const char *word, size_t size, uint32_t hash)
{
	for (size_t i = hash & (counts->slot_count - 1);; i = (i + 1) & (counts->slot_count - 1)) {
		uint32_t *slot = &counts->slots[i];
		if (*slot == 0) return slot;
		const attend_counted_word *w = &counts->words[*slot - 1];
		if (w->hash == hash && w->size == size && memcmp(counts->pool + w->start, word, size) == 0) return slot;
	}
}

/* A table of `count` slots (a power of two) for the words that are there. */
static attend_status set_slots(attend_word_counts *counts, size_t count)
{
	uint32_t *slots = calloc(count, sizeof *slots);
	if (slots == NULL) return attend_fail_memory(count * sizeof *slots, "word counts");
	for (size_t w = 0; w < counts->count; w++) {
		size_t i = counts->words[w].hash & (count - 1);
		while (slots[i] != 0) i = (i + 1) & (count - 1);
		slots[i] = (uint32_t)w + 1;
	}
	free(counts->slots);
	counts->slots = slots;
	counts->slot_count = count;
	return ATTEND_OK;
}

attend_status attend_word_counts_add(attend_word_counts *counts, const char *word, size_t size, uint64_t times)
{
	if (counts->slot_count < 2 * (counts->count + 1))
		ATTEND_TRY(set_slots(counts, counts->slot_count > 0 ? 2 * counts->slot_count : 4096));
	const uint32_t hash = (uint32_t)attend_hash_bytes(word, size);
	uint32_t *slot = slot_of(counts, word, size, hash);
	if (*slot != 0) {
		counts->words[*slot - 1].count += times;
		return ATTEND_OK;
	}
	if (counts->count >= UINT32_MAX - 1) return attend_fail(ATTEND_ERR_UNSUPPORTED, "more than 2^32 distinct words");
	ATTEND_TRY(attend_grow(&counts->words, &counts->capacity, counts->count + 1, sizeof *counts->words, "word counts"));
	ATTEND_TRY(attend_grow(&counts->pool, &counts->pool_capacity, counts->pool_size + size, 1, "word counts"));
	memcpy(counts->pool + counts->pool_size, word, size);
	counts->words[counts->count++] = (attend_counted_word){counts->pool_size, (uint32_t)size, hash, times};
	counts->pool_size += size;
	*slot = (uint32_t)counts->count;
	return ATTEND_OK;
}

attend_status attend_word_counts_prune(attend_word_counts *counts, uint64_t least)
{
	size_t kept = 0, used = 0;
	for (size_t w = 0; w < counts->count; w++) {
		attend_counted_word word = counts->words[w];
		if (word.count < least) continue;
		memmove(counts->pool + used, counts->pool + word.start, word.size);
		word.start = used;
		used += word.size;
		counts->words[kept++] = word;
	}
	counts->count = kept;
	counts->pool_size = used;
	return set_slots(counts, counts->slot_count);
}

typedef struct ordered {
	const char *text;
	attend_counted_word word;
} ordered;

static int compare_words(const void *a, const void *b)
{
	const ordered *x = a, *y = b;
	const size_t size = x->word.size < y->word.size ? x->word.size : y->word.size;
	const int order = memcmp(x->text, y->text, size);
	if (order != 0) return order;
	return (x->word.size > y->word.size) - (x->word.size < y->word.size);
}

attend_status attend_word_counts_sort(attend_word_counts *counts)
{
	ordered *list = attend_alloc_array(counts->count + 1, sizeof *list);
	char *pool = malloc(counts->pool_size + 1);
	if (list == NULL || pool == NULL) {
		free(list);
		free(pool);
		return attend_fail_memory(counts->count * sizeof *list, "word counts");
	}
	for (size_t w = 0; w < counts->count; w++)
		list[w] = (ordered){counts->pool + counts->words[w].start, counts->words[w]};
	qsort(list, counts->count, sizeof *list, compare_words);
	size_t used = 0;
	for (size_t w = 0; w < counts->count; w++) {
		memcpy(pool + used, list[w].text, list[w].word.size);
		list[w].word.start = used;
		used += list[w].word.size;
		counts->words[w] = list[w].word;
	}
	free(list);
	free(counts->pool);
	counts->pool = pool;
	counts->pool_capacity = counts->pool_size + 1;
	return counts->count > 0 ? set_slots(counts, counts->slot_count) : ATTEND_OK;
}

void attend_word_counts_free(attend_word_counts *counts)
{
	free(counts->pool);
	free(counts->words);
	free(counts->slots);
	*counts = (attend_word_counts){0};
}
