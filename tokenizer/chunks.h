/* chunks.h: the tokens of short stretches of raw text, kept under their bytes.
 *
 * A lane (lanes.h) cuts the text into chunks and hands them over one by one. They wait in a batch, so that the cache's lines
 * are fetched while more of them are cut; then each is looked up, and only what is not known goes through the model. */
#ifndef ATTEND_TOKENIZER_CHUNKS_H
#define ATTEND_TOKENIZER_CHUNKS_H

#include <string.h>

#include "tokenizer/lanes.h"

/* Tokens of a chunk of at most 15 bytes. */
enum { ATTEND_CHUNK_BYTES = 15, ATTEND_CHUNK_TOKENS = 3, ATTEND_CHUNK_SPILLED = 255 };
typedef struct attend_chunk {
	uint64_t low, high; /* the bytes, zero behind them; the size in the last one. 0, 0: free */
	int32_t ids[ATTEND_CHUNK_TOKENS];
	/* ATTEND_CHUNK_SPILLED: more than fit here: ids are where they lie in the cache's spill and how many, -1 if that is not
	 * kept either */
	uint8_t count;
	uint8_t places[ATTEND_CHUNK_TOKENS]; /* of each token in the chunk: start, end << 4 */
} attend_chunk;

enum {
	ATTEND_CHUNK_WAYS = 2, /* chunks in a cache line */
	ATTEND_CHUNK_BATCH = 128,
	ATTEND_CHUNK_FULL = 64 /* chunks that wait when a batch is looked up; as many more fit */
};

/* A chunk on its way: found in the text, not yet in the cache. */
typedef struct attend_chunk_waiting {
	uint64_t low, high;
	uint32_t at, size;
	uint32_t line; /* of the cache */
	uint32_t odd;  /* not plain: all stages have to see it */
} attend_chunk_waiting;

typedef struct attend_chunk_batch {
	const attend_run *run;
	const char *text;
	size_t size;
	const attend_chunk *chunks;
	unsigned shift; /* of a hash, so that a line's index is left */
	size_t count;
	char tail[32]; /* the text's last 16 bytes (at the end of 16 if it has fewer) and 16 zeros */
	attend_chunk_waiting items[ATTEND_CHUNK_BATCH];
} attend_chunk_batch;

/* ---- chunk_cache.c ---- */

/* Makes the cache if it is not there: a small one. */
attend_status attend_chunk_cache_init(attend_chunk_cache *cache);
void attend_chunk_cache_free(attend_chunk_cache *cache);
/* Makes it a large one, with all that is kept, if it has got many chunks: lines change. */
attend_status attend_chunk_cache_enlarge(attend_chunk_cache *cache);
/* The chunk's slot, or the one that it may take: the first free one in reach, else one of its own line. */
attend_chunk *attend_chunk_find(attend_chunk_cache *cache, const attend_chunk_waiting *w);
/* Keep a chunk's tokens, which are one word, in its slot; places are spans - base. spans NULL: that it cannot be kept. */
attend_status attend_chunk_keep(attend_chunk_cache *cache, attend_chunk *slot, const attend_chunk_waiting *w,
                                const int32_t *ids, const attend_span *spans, size_t count, uint32_t base);

static inline bool attend_chunk_matches(const attend_chunk *chunk, const attend_chunk_waiting *w)
{
	return ((chunk->low ^ w->low) | (chunk->high ^ w->high)) == 0;
}

static inline bool attend_chunk_kept(const attend_chunk *chunk)
{
	return chunk->count != ATTEND_CHUNK_SPILLED || chunk->ids[1] >= 0;
}

/* ---- chunks.c ---- */

void attend_chunks_begin(attend_chunk_batch *batch, const attend_run *run);
/* Append the tokens of all that wait to the run's sequence. */
attend_status attend_chunks_flush(attend_chunk_batch *batch);

extern const unsigned char attend_chunk_masks[32]; /* 16 of 255, 16 of 0 */

static inline uint64_t attend_chunk_hash(uint64_t low, uint64_t high)
{
	return low * UINT64_C(0x9e3779b97f4a7c15) + high * UINT64_C(0x9fb21c651e98df25);
}

/* One word of plain bytes, at most ATTEND_CACHED_WORD; or a stretch of any size that is not plain (`odd`). There must be room
 * in the batch. */
static inline void attend_chunks_put(attend_chunk_batch *b, size_t at, size_t size, bool odd)
{
	attend_chunk_waiting *const w = &b->items[b->count++];
	w->at = (uint32_t)at;
	w->size = (uint32_t)size;
	w->odd = odd;
	if (size > ATTEND_CHUNK_BYTES) { /* no chunk in the cache has this key */
		w->low = 0;
		w->high = UINT64_C(255) << 56;
		w->line = 0;
		return;
	}
	const char *const bytes = b->size - at >= 16 ? b->text + at : b->tail + (at + 16 - b->size);
	uint64_t low, high, mask_low, mask_high;
	memcpy(&low, bytes, 8);
	memcpy(&high, bytes + 8, 8);
	memcpy(&mask_low, attend_chunk_masks + 16 - size, 8);
	memcpy(&mask_high, attend_chunk_masks + 24 - size, 8);
	low &= mask_low;
	high &= mask_high;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	high |= size;
#else
	high |= (uint64_t)size << 56;
#endif
	w->low = low;
	w->high = high;
	w->line = (uint32_t)(attend_chunk_hash(low, high) >> b->shift);
	__builtin_prefetch(&b->chunks[w->line * ATTEND_CHUNK_WAYS]);
}

static inline attend_status attend_chunks_add(attend_chunk_batch *b, size_t at, size_t size, bool odd)
{
	attend_chunks_put(b, at, size, odd);
	return b->count >= ATTEND_CHUNK_FULL ? attend_chunks_flush(b) : ATTEND_OK;
}

#endif
