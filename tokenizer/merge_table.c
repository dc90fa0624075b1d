/* merge_table.c: byte-pair merging (Sennrich et al. 2016) by rank. Short words: a scan for the lowest rank over an array,
 * by vectors where it is long. Long ones: a heap of (rank, position) whose stale entries are recognised when they come up
 * (huggingface/tokenizers models/bpe/word.rs does the same), so that a megabyte of one letter ends in time. */
#include "tokenizer/merge_table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { FEW = 24, PLACE_BITS = 7, SHORT_WORD = 1 << PLACE_BITS, NO_PAIR = INT32_MAX };

attend_status attend_merge_table_init(attend_merge_table *table, size_t count)
{
	size_t cells = 16;
	while (cells < 2 * count) cells *= 2;
	table->cells = attend_alloc_array(cells, sizeof *table->cells);
	if (table->cells == NULL) return attend_fail_memory(cells * sizeof *table->cells, "merges");
	for (size_t i = 0; i < cells; i++) table->cells[i] = (attend_merge_cell){UINT64_MAX, 0, 0};
	table->mask = cells - 1;
	table->few = count < (size_t)1 << 24;
	table->bits = calloc(cells * ATTEND_MERGE_BITS / 64, sizeof *table->bits);
	return table->bits ? ATTEND_OK : attend_fail_memory(cells, "merges");
}

void attend_merge_table_free(attend_merge_table *table)
{
	free(table->cells);
	free(table->bits);
	*table = (attend_merge_table){0};
}

void attend_merge_table_put(attend_merge_table *table, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
	const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	const size_t hash = attend_merge_hash(pair), bit = hash & (table->mask * ATTEND_MERGE_BITS + ATTEND_MERGE_BITS - 1);
	size_t i = hash & table->mask;
	table->bits[bit / 64] |= UINT64_C(1) << bit % 64;
	while (table->cells[i].pair != UINT64_MAX && table->cells[i].pair != pair) i = (i + 1) & table->mask;
	table->cells[i] = (attend_merge_cell){pair, rank, id};
}

void attend_merge_scratch_free(attend_merge_scratch *scratch)
{
	free(scratch->symbols);
	free(scratch->queue);
	*scratch = (attend_merge_scratch){0};
}

/* ---- short words ---- */

/* A few symbols close together, and so are their pairs. */
static void merge_few(const attend_merge_table *table, attend_symbol *symbols, size_t *count)
{
	uint32_t ranks[FEW];
	int32_t ids[FEW];
	size_t n = *count;
	for (size_t i = 0; i + 1 < n; i++) {
		const attend_merge_cell *cell = attend_merge_table_find(table, symbols[i].id, symbols[i + 1].id);
		ranks[i] = cell != NULL ? cell->rank : UINT32_MAX;
		ids[i] = cell != NULL ? cell->id : 0;
	}
	while (n > 1) {
		size_t best = 0;
		for (size_t i = 1; i + 1 < n; i++)
			if (ranks[i] < ranks[best]) best = i;
		if (ranks[best] == UINT32_MAX) break;
		symbols[best].id = ids[best];
		symbols[best].size += symbols[best + 1].size;
		n--;
		for (size_t i = best + 1; i < n; i++) symbols[i] = symbols[i + 1];
		for (size_t i = best; i + 1 < n; i++) {
			ranks[i] = ranks[i + 1];
			ids[i] = ids[i + 1];
		}
		for (size_t i = best > 0 ? best - 1 : 0; i <= best && i + 1 < n; i++) {
			const attend_merge_cell *cell = attend_merge_table_find(table, symbols[i].id, symbols[i + 1].id);
			ranks[i] = cell != NULL ? cell->rank : UINT32_MAX;
			ids[i] = cell != NULL ? cell->id : 0;
		}
	}
	*count = n;
}

/* The lowest of `count` keys, a multiple of 8. */
#if defined(__SSE2__)
static inline __m128i lower(__m128i a, __m128i b)
{
	const __m128i above = _mm_cmpgt_epi32(a, b);
	return _mm_or_si128(_mm_and_si128(above, b), _mm_andnot_si128(above, a));
}

static inline int32_t lowest_key(const int32_t *keys, size_t count)
{
	const __m128i *const four = (const __m128i *)(const void *)keys;
	__m128i even = _mm_loadu_si128(four), odd = _mm_loadu_si128(four + 1);
	for (size_t i = 2; i < count / 4; i += 2) {
		even = lower(even, _mm_loadu_si128(four + i));
		odd = lower(odd, _mm_loadu_si128(four + i + 1));
	}
	even = lower(even, odd);
	even = lower(even, _mm_shuffle_epi32(even, 0x4e));
	even = lower(even, _mm_shuffle_epi32(even, 0xb1));
	return _mm_cvtsi128_si32(even);
}
#else
static inline int32_t lowest_key(const int32_t *keys, size_t count)
{
	int32_t lowest = keys[0];
	for (size_t i = 1; i < count; i++) lowest = keys[i] < lowest ? keys[i] : lowest;
	return lowest;
}
#endif

/* The pairs of a word: each under the place of its left symbol, which keeps its place when it grows. */
typedef struct pairs {
	int32_t keys[SHORT_WORD]; /* rank and place; NO_PAIR: the two do not merge, or the place is empty */
	int32_t ids[SHORT_WORD];  /* of the merged tokens */
	uint8_t prev[SHORT_WORD], next[SHORT_WORD];
} pairs;

static inline void ask_pair(const attend_merge_table *table, const attend_symbol *symbols, pairs *p, size_t left,
                            size_t right)
{
	const attend_merge_cell *const cell = attend_merge_table_find(table, symbols[left].id, symbols[right].id);
	p->keys[left] = cell ? (int32_t)(cell->rank << PLACE_BITS | left) : NO_PAIR;
	p->ids[left] = cell ? cell->id : 0;
}

static void merge_short(const attend_merge_table *table, attend_symbol *symbols, size_t *count)
{
	pairs p;
	const size_t n = *count, padded = (n + 7) / 8 * 8;
	for (size_t i = 0; i < padded; i++) p.keys[i] = NO_PAIR;
	for (size_t i = 0; i < n; i++) {
		p.prev[i] = (uint8_t)(i - 1);
		p.next[i] = (uint8_t)(i + 1);
		if (i + 1 < n) ask_pair(table, symbols, &p, i, i + 1);
	}
	for (int32_t key; (key = lowest_key(p.keys, padded)) != NO_PAIR;) {
		const size_t left = (size_t)key & (SHORT_WORD - 1), right = p.next[left], after = p.next[right];
		symbols[left].id = p.ids[left];
		symbols[left].size += symbols[right].size;
		p.keys[left] = p.keys[right] = NO_PAIR;
		p.next[left] = (uint8_t)after;
		if (after < n) {
			p.prev[after] = (uint8_t)left;
			ask_pair(table, symbols, &p, left, after);
		}
		if (left > 0) ask_pair(table, symbols, &p, p.prev[left], left);
	}
	size_t kept = 0;
	for (size_t i = 0; i < n; i = p.next[i]) symbols[kept++] = symbols[i];
	*count = kept;
}

/* ---- long words ---- */

static void sift_up(uint64_t *heap, size_t i)
{
	const uint64_t value = heap[i];
	while (i > 0 && heap[(i - 1) / 2] > value) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = value;
}

static void sift_down(uint64_t *heap, size_t count, size_t i)
{
	const uint64_t value = heap[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= count) break;
		if (child + 1 < count && heap[child + 1] < heap[child]) child++;
		if (heap[child] >= value) break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = value;
}

/* The queue never holds more than the pairs of the beginning and two for each merge. */
static void push_pair(const attend_merge_table *table, attend_merge_scratch *scratch, size_t *queued, uint32_t left)
{
	const attend_symbol *symbols = scratch->symbols;
	const attend_merge_cell *cell = attend_merge_table_find(table, symbols[left].id, symbols[symbols[left].next].id);
	if (cell == NULL) return;
	scratch->queue[*queued] = (uint64_t)cell->rank << 32 | left;
	sift_up(scratch->queue, (*queued)++);
}

static attend_status merge_long(const attend_merge_table *table, attend_merge_scratch *scratch, size_t *count)
{
	const uint32_t n = (uint32_t)*count, none = UINT32_MAX;
	attend_symbol *symbols = scratch->symbols;
	ATTEND_TRY(
		attend_grow(&scratch->queue, &scratch->queue_capacity, 3 * (size_t)n, sizeof *scratch->queue, "merging"));
	size_t queued = 0;
	for (uint32_t i = 0; i < n; i++) {
		symbols[i].prev = i > 0 ? i - 1 : none;
		symbols[i].next = i + 1 < n ? i + 1 : none;
	}
	for (uint32_t i = 0; i + 1 < n; i++) {
		const attend_merge_cell *cell = attend_merge_table_find(table, symbols[i].id, symbols[i + 1].id);
		if (cell != NULL) scratch->queue[queued++] = (uint64_t)cell->rank << 32 | i;
	}
	for (size_t i = queued / 2; i-- > 0;) sift_down(scratch->queue, queued, i);
	while (queued > 0) {
		const uint64_t top = scratch->queue[0];
		scratch->queue[0] = scratch->queue[--queued];
		if (queued > 0) sift_down(scratch->queue, queued, 0);
		const uint32_t left = (uint32_t)top, right = symbols[left].next;
		if (symbols[left].size == 0 || right == none) continue;
		const attend_merge_cell *cell = attend_merge_table_find(table, symbols[left].id, symbols[right].id);
		if (cell == NULL || cell->rank != top >> 32) continue; /* the pair has changed meanwhile */
		symbols[left].id = cell->id;
		symbols[left].size += symbols[right].size;
		symbols[right].size = 0;
		symbols[left].next = symbols[right].next;
		if (symbols[left].next != none) {
			symbols[symbols[left].next].prev = left;
			push_pair(table, scratch, &queued, left);
		}
		if (symbols[left].prev != none) push_pair(table, scratch, &queued, symbols[left].prev);
	}
	size_t kept = 0;
	for (uint32_t i = 0; i != none; i = symbols[i].next) symbols[kept++] = symbols[i];
	*count = kept;
	return ATTEND_OK;
}

attend_status attend_merge_symbols(const attend_merge_table *table, attend_merge_scratch *scratch, size_t *count)
{
	if (*count < 2) return ATTEND_OK;
	if (*count <= FEW) {
		merge_few(table, scratch->symbols, count);
		return ATTEND_OK;
	}
	if (*count > SHORT_WORD || !table->few) return merge_long(table, scratch, count);
	merge_short(table, scratch->symbols, count);
	return ATTEND_OK;
}
