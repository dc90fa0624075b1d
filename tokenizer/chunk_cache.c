/* chunk_cache.c: the cache of chunks: lines of two, and beside them the tokens of those that have many. */
#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/chunks.h"

enum {
	SMALL_BITS = 10, /* of the number of lines: most texts do with so few, which cost next to nothing */
	LARGE_BITS = 16,
	WAYS = ATTEND_CHUNK_WAYS,
	REACH = 4,             /* lines where a chunk may lie: its own one and those behind it */
	MOST_TOKENS = 64,      /* of a chunk */
	MOST_SPILLED = 1 << 20 /* tokens; then the cache starts anew */
};

static size_t slots_of(unsigned line_bits)
{
	return (((size_t)1 << line_bits) + REACH - 1) * WAYS;
}

static attend_status allocate(attend_chunk **out, unsigned line_bits)
{
	const size_t bytes = slots_of(line_bits) * sizeof **out;
	*out = attend_alloc_aligned(bytes);
	if (!*out) return attend_fail_memory(bytes, "word cache");
	memset(*out, 0, bytes);
	return ATTEND_OK;
}

attend_status attend_chunk_cache_init(attend_chunk_cache *cache)
{
	if (cache->chunks) return ATTEND_OK;
	cache->line_bits = SMALL_BITS;
	return allocate(&cache->chunks, SMALL_BITS);
}

void attend_chunk_cache_free(attend_chunk_cache *cache)
{
	free(cache->chunks);
	free(cache->spilled_ids);
	free(cache->spilled_places);
	memset(cache, 0, sizeof *cache);
}

attend_chunk *attend_chunk_find(attend_chunk_cache *cache, const attend_chunk_waiting *w)
{
	attend_chunk *const first = &cache->chunks[(size_t)w->line * WAYS];
	for (attend_chunk *slot = first; slot < first + REACH * WAYS; slot++)
		if (slot->high == 0 || attend_chunk_matches(slot, w)) return slot;
	return first + cache->turn++ % WAYS;
}

attend_status attend_chunk_cache_enlarge(attend_chunk_cache *cache)
{
	if (cache->line_bits == LARGE_BITS || cache->used <= (size_t)1 << cache->line_bits) return ATTEND_OK;
	attend_chunk *const small = cache->chunks;
	const size_t slots = slots_of(cache->line_bits);
	const attend_status status = allocate(&cache->chunks, LARGE_BITS);
	if (status != ATTEND_OK) {
		cache->chunks = small;
		return status;
	}
	cache->line_bits = LARGE_BITS;
	cache->used = 0;
	for (const attend_chunk *chunk = small; chunk < small + slots; chunk++) {
		if (chunk->high == 0) continue;
		const attend_chunk_waiting w = {.low = chunk->low,
		                                .high = chunk->high,
		                                .line = (uint32_t)(attend_chunk_hash(chunk->low, chunk->high) >>
		                                                   (64 - LARGE_BITS))};
		attend_chunk *const slot = attend_chunk_find(cache, &w);
		cache->used += slot->high == 0;
		*slot = *chunk;
	}
	free(small);
	return ATTEND_OK;
}

static uint8_t place_of(attend_span span, uint32_t base)
{
	return (uint8_t)((span.start - base) | (span.end - base) << 4);
}

/* The tokens beside the lines. */
static attend_status spill(attend_chunk_cache *cache, attend_chunk *slot, const int32_t *ids, const attend_span *spans,
                           size_t count, uint32_t base)
{
	const size_t from = cache->spilled, need = from + count;
	if (need > cache->id_capacity)
		ATTEND_TRY(attend_grow(&cache->spilled_ids, &cache->id_capacity, need, sizeof *ids, "word cache"));
	if (need > cache->place_capacity)
		ATTEND_TRY(attend_grow(&cache->spilled_places, &cache->place_capacity, need, 1, "word cache"));
	memcpy(cache->spilled_ids + from, ids, count * sizeof *ids);
	for (size_t i = 0; i < count; i++) cache->spilled_places[from + i] = place_of(spans[i], base);
	slot->ids[0] = (int32_t)from;
	slot->ids[1] = (int32_t)count;
	cache->spilled = need;
	return ATTEND_OK;
}

attend_status attend_chunk_keep(attend_chunk_cache *cache, attend_chunk *slot, const attend_chunk_waiting *w,
                                const int32_t *ids, const attend_span *spans, size_t count, uint32_t base)
{
	if (cache->spilled > MOST_SPILLED) {
		memset(cache->chunks, 0, slots_of(cache->line_bits) * sizeof *cache->chunks);
		cache->used = cache->spilled = 0;
	}
	attend_chunk chunk = {.low = w->low, .high = w->high, .ids = {0, -1}, .count = ATTEND_CHUNK_SPILLED};
	if (spans && count <= ATTEND_CHUNK_TOKENS) {
		chunk.count = (uint8_t)count;
		for (size_t i = 0; i < count; i++) {
			chunk.ids[i] = ids[i];
			chunk.places[i] = place_of(spans[i], base);
		}
	} else if (spans && count <= MOST_TOKENS) {
		ATTEND_TRY(spill(cache, &chunk, ids, spans, count, base));
	}
	cache->used += slot->high == 0;
	*slot = chunk;
	return ATTEND_OK;
}
