/* kvcache.h: keys and values of cached sequences, in pages shared by reference. Inside lib/nn.
 *
 * A page holds ATTEND_KV_TILE positions of all decoder layers: [layers][tile]. A slot is a sequence: a list of
 * pages, the last one partly filled. Forks share pages; who writes to a shared page copies it first. A *memory* is
 * one encoder sequence's cross-attention keys and values in pages of the same pool, shared by all slots that read
 * it. */
#ifndef ATTEND_NN_KVCACHE_H
#define ATTEND_NN_KVCACHE_H

#include "lib/kernels/kernels.h"

typedef struct attend_cache_sequence {
	bool open;
	size_t length, page_count;
	int32_t *pages; /* page numbers, capacity fixed at planning */
	int memory;     /* slots: index into memories, or -1 */
	size_t refs;    /* memories: slots that read it */
} attend_cache_sequence;

typedef struct attend_cache {
	attend_kv_shape shape;
	size_t layers, tile_floats, page_count, free_count;
	size_t slot_count, slot_pages, memory_pages; /* capacities of the page lists */
	float *data;                                 /* [page_count][layers][tile_floats] */
	uint32_t *refs;                              /* [page_count] */
	int32_t *free_pages;                         /* stack */
	attend_cache_sequence *slots, *memories;     /* [slot_count] each */
	attend_cache_sequence *copies;               /* [slot_count] for reorder */
} attend_cache;

static inline float *attend_cache_tile(const attend_cache *cache, int32_t page, size_t layer)
{
	return cache->data + ((size_t)page * cache->layers + layer) * cache->tile_floats;
}

/* After the arrays are placed: all pages free, nothing open. */
void attend_cache_clear(attend_cache *cache);

/* Room for `count` more tokens in the slot; the page that will be written first becomes its own. NOMEM: pool full,
 * slot as before (but for pages that it keeps for later). ARG: longer than planned. */
attend_status attend_cache_reserve(attend_cache *cache, int slot, size_t count);
/* Room for an encoder sequence of `length`. */
attend_status attend_cache_memory_open(attend_cache *cache, size_t length, int *memory);
void attend_cache_memory_release(attend_cache *cache, int memory);

#endif
