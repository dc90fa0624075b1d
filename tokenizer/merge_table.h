/* merge_table.h: BPE's merges: a pair of ids -> its rank and the id of the merged token; and the merging itself. */
#ifndef ATTEND_TOKENIZER_MERGE_TABLE_H
#define ATTEND_TOKENIZER_MERGE_TABLE_H

#include "lib/core/status.h"

typedef struct attend_merge_cell {
	uint64_t pair; /* left id << 32 | right id; UINT64_MAX: free */
	uint32_t rank; /* smaller merges first */
	int32_t id;
} attend_merge_cell;

/* Most pairs that are asked for do not merge: a bit a hash, of which few are set, says so without a look at the cells. */
typedef struct attend_merge_table {
	attend_merge_cell *cells; /* open addressing, a power of two, at most half full */
	size_t mask;
	uint64_t *bits; /* ATTEND_MERGE_BITS for each cell */
	bool few;       /* ranks are below 2^24 */
} attend_merge_table;

enum { ATTEND_MERGE_BITS = 8 };

/* Room for `count` merges. */
attend_status attend_merge_table_init(attend_merge_table *table, size_t count);
void attend_merge_table_free(attend_merge_table *table);
/* A pair that is there takes the new rank, as the reference's map does. */
void attend_merge_table_put(attend_merge_table *table, int32_t left, int32_t right, uint32_t rank, int32_t id);

static inline size_t attend_merge_hash(uint64_t pair)
{
	pair *= 0x9e3779b97f4a7c15u;
	return (size_t)(pair ^ (pair >> 32));
}

/* The pair's cell; NULL: the two do not merge. */
static inline const attend_merge_cell *attend_merge_table_find(const attend_merge_table *table, int32_t left,
                                                               int32_t right)
{
	const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	const size_t hash = attend_merge_hash(pair), bit = hash & (table->mask * ATTEND_MERGE_BITS + ATTEND_MERGE_BITS - 1);
	if (!(table->bits[bit / 64] >> bit % 64 & 1)) return NULL;
	for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
		if (table->cells[i].pair == pair) return &table->cells[i];
		if (table->cells[i].pair == UINT64_MAX) return NULL;
	}
}

/* A token of a word while it is merged. */
typedef struct attend_symbol {
	int32_t id;
	uint32_t size;       /* bytes that it covers; 0: merged into the symbol before it */
	uint32_t prev, next; /* used for long words */
} attend_symbol;

/* Memory for merging, one a thread; grows to the longest word. Zero-initialise. */
typedef struct attend_merge_scratch {
	attend_symbol *symbols;
	uint64_t *queue; /* rank << 32 | position */
	size_t symbol_capacity, queue_capacity;
} attend_merge_scratch;

void attend_merge_scratch_free(attend_merge_scratch *scratch);

/* Merge scratch->symbols[0 .. *count - 1]: again and again the pair of lowest rank, the leftmost of equals, until none is
 * left. Symbols stand close together afterwards; *count is their number. n symbols cost O(n log n). */
attend_status attend_merge_symbols(const attend_merge_table *table, attend_merge_scratch *scratch, size_t *count);

#endif
