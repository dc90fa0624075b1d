/* kvcache.c: the pool of key/value pages behind slots and encoder memories (kvcache.h), and the session's slot
 * calls. */
#include "lib/nn/kvcache.h"

#include <string.h>

#include "lib/nn/session_state.h"

void attend_cache_clear(attend_cache *cache)
{
	cache->free_count = cache->page_count;
	for (size_t i = 0; i < cache->page_count; i++) {
		cache->refs[i] = 0;
		cache->free_pages[i] = (int32_t)(cache->page_count - 1 - i);
	}
	for (size_t i = 0; i < cache->slot_count; i++) {
		cache->slots[i].open = cache->memories[i].open = false;
		cache->slots[i].memory = -1;
	}
}

static int32_t take_page(attend_cache *cache)
{
	if (cache->free_count == 0) return -1;
	const int32_t page = cache->free_pages[--cache->free_count];
	cache->refs[page] = 1;
	return page;
}

static void drop_page(attend_cache *cache, int32_t page)
{
	if (--cache->refs[page] == 0) cache->free_pages[cache->free_count++] = page;
}

static attend_status pool_full(const attend_cache *cache)
{
	return attend_fail(ATTEND_ERR_NOMEM, "the key/value cache of %zu tokens is full",
	                   cache->page_count * ATTEND_KV_TILE);
}

attend_status attend_cache_reserve(attend_cache *cache, int slot, size_t count)
{
	attend_cache_sequence *s = &cache->slots[slot];
	const size_t need = attend_kv_tiles(s->length + count);
	if (need > cache->slot_pages)
		return attend_fail(ATTEND_ERR_ARG, "cached sequence of %zu tokens: planned for %zu", s->length + count,
		                   cache->slot_pages * ATTEND_KV_TILE);
	if (count == 0) return ATTEND_OK;
	const size_t first = s->length / ATTEND_KV_TILE;
	for (size_t i = first; i < s->page_count; i++) {
		if (cache->refs[s->pages[i]] == 1) continue;
		const int32_t page = take_page(cache);
		if (page < 0) return pool_full(cache);
		if (i == first)
			attend_kv_copy(&cache->shape, attend_cache_tile(cache, page, 0), attend_cache_tile(cache, s->pages[i], 0),
			               cache->layers, s->length % ATTEND_KV_TILE);
		drop_page(cache, s->pages[i]);
		s->pages[i] = page;
	}
	while (s->page_count < need) {
		const int32_t page = take_page(cache);
		if (page < 0) return pool_full(cache);
		s->pages[s->page_count++] = page;
	}
	return ATTEND_OK;
}

static void drop_pages(attend_cache *cache, attend_cache_sequence *s, size_t keep)
{
	while (s->page_count > keep) drop_page(cache, s->pages[--s->page_count]);
}

attend_status attend_cache_memory_open(attend_cache *cache, size_t length, int *memory)
{
	size_t m = 0;
	while (m < cache->slot_count && cache->memories[m].open) m++;
	if (m == cache->slot_count) return attend_fail(ATTEND_ERR_NOMEM, "all %zu encoder memories are in use", m);
	attend_cache_sequence *s = &cache->memories[m];
	const size_t need = attend_kv_tiles(length);
	if (need > cache->memory_pages)
		return attend_fail(ATTEND_ERR_ARG, "encoder sequence of %zu tokens: planned for %zu", length,
		                   cache->memory_pages * ATTEND_KV_TILE);
	if (need > cache->free_count) return pool_full(cache);
	s->page_count = 0;
	while (s->page_count < need) s->pages[s->page_count++] = take_page(cache);
	s->open = true;
	s->length = length;
	s->refs = 0;
	*memory = (int)m;
	return ATTEND_OK;
}

void attend_cache_memory_release(attend_cache *cache, int memory)
{
	if (memory < 0) return;
	attend_cache_sequence *s = &cache->memories[memory];
	if (s->refs > 0) s->refs--;
	if (s->refs > 0) return;
	drop_pages(cache, s, 0);
	s->open = false;
}

/* ---- The session's slots ------------------------------------------------------------------------------------- */
static attend_cache_sequence *slot_of(attend_session *session, int slot)
{
	attend_cache *cache = &session->cache;
	if (slot < 0 || (size_t)slot >= cache->slot_count || !cache->slots[slot].open) return NULL;
	return &cache->slots[slot];
}

static attend_status not_open(int slot)
{
	return attend_fail(ATTEND_ERR_ARG, "cache slot %d is not open", slot);
}

/* The first closed slot, or -1. */
static int free_slot(const attend_cache *cache)
{
	for (size_t i = 0; i < cache->slot_count; i++)
		if (!cache->slots[i].open) return (int)i;
	return -1;
}

static attend_status slots_full(const attend_cache *cache)
{
	return attend_fail(ATTEND_ERR_NOMEM, "all %zu cache slots are open", cache->slot_count);
}

void attend_session_slot_free(attend_session *session, int slot)
{
	attend_cache_sequence *s = slot_of(session, slot);
	if (s == NULL) return;
	drop_pages(&session->cache, s, 0);
	attend_cache_memory_release(&session->cache, s->memory);
	s->memory = -1;
	s->open = false;
}

/* Keys and values of sequences memories[0..count-1] = (encoder sequence, memory), every layer: one product over the
 * tokens of the whole encode, stored where they are wanted. */
static void fill_memories(attend_session *session, size_t count, const size_t *sequences, const int *memories)
{
	attend_cache *cache = &session->cache;
	const attend_stack_arch *arch = &session->network->arch.decoder;
	const attend_stack_state *encoder = &session->stacks[0];
	const size_t inner = arch->heads * arch->head_dim, ld = 2 * inner, runs = attend_stack_runs(arch);
	size_t encoder_width;
	const float *memory = attend_memory_states(session, &encoder_width);
	for (size_t run = 0; run < runs; run++) {
		const attend_linear *w = &session->network->stacks[1].blocks[attend_run_block(arch, run)].cross_kv;
		float *kv = session->scratch.d_kv;
		attend_linear_run(session, w, kv, ld, memory, encoder_width, encoder->hidden_rows, NULL);
		for (size_t i = 0; i < count; i++) {
			const size_t s = sequences[i], off = encoder->offsets[s];
			const attend_cache_sequence *m = &cache->memories[memories[i]];
			float **tiles = session->scratch.cross_tiles;
			for (size_t p = 0; p < m->page_count; p++) tiles[p] = attend_cache_tile(cache, m->pages[p], run);
			attend_kv_store(&cache->shape, tiles, 0, m->length, kv + off * ld, ld, kv + off * ld + inner, ld);
		}
	}
}

static attend_status open_memories(attend_session *session, size_t count, const size_t *encoder_sequences, int *slots)
{
	attend_cache *cache = &session->cache;
	const attend_stack_state *encoder = &session->stacks[0];
	size_t fresh = 0;
	size_t *sequences = session->scratch.memory_sequences;
	int *memories = session->scratch.memory_numbers;
	attend_status status = ATTEND_OK;
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		const size_t s = encoder_sequences ? encoder_sequences[i] : i;
		if (s >= encoder->sequences) {
			status = attend_fail(ATTEND_ERR_ARG, "encoder sequence %zu of %zu", s, encoder->sequences);
			break;
		}
		size_t at = 0;
		while (at < fresh && sequences[at] != s) at++;
		if (at == fresh) {
			status = attend_cache_memory_open(cache, encoder->offsets[s + 1] - encoder->offsets[s], &memories[at]);
			if (status != ATTEND_OK) break;
			sequences[fresh++] = s;
		}
		cache->slots[slots[i]].memory = memories[at];
		cache->memories[memories[at]].refs++;
	}
	if (status == ATTEND_OK) status = attend_stack_prepare(session->network, 1, false);
	if (status == ATTEND_OK) fill_memories(session, fresh, sequences, memories);
	return status;
}

attend_status attend_session_slots_open(attend_session *session, size_t count, const size_t *encoder_sequences,
                                        int *slots)
{
	attend_cache *cache = &session->cache;
	const attend_arch *arch = &session->network->arch;
	const bool cross = arch->has_encoder && arch->decoder.cross_attention;
	if (cache->slot_count == 0) return attend_fail(ATTEND_ERR_ARG, "the session was made without a cache");
	if (cross && !session->stacks[0].ran) return attend_fail(ATTEND_ERR_ARG, "opening cache slots before encode");
	attend_status status = ATTEND_OK;
	size_t opened = 0;
	for (; opened < count && status == ATTEND_OK; opened++) {
		slots[opened] = free_slot(cache);
		if (slots[opened] < 0) {
			status = slots_full(cache);
			break;
		}
		attend_cache_sequence *s = &cache->slots[slots[opened]];
		s->open = true;
		s->length = s->page_count = 0;
		s->memory = -1;
	}
	if (status == ATTEND_OK && cross) status = open_memories(session, count, encoder_sequences, slots);
	if (status != ATTEND_OK)
		for (size_t i = 0; i < opened; i++) attend_session_slot_free(session, slots[i]);
	return status;
}

static void share(attend_cache *cache, attend_cache_sequence *to, const attend_cache_sequence *from)
{
	to->open = true;
	to->length = from->length;
	to->memory = from->memory;
	to->page_count = attend_kv_tiles(from->length);
	for (size_t i = 0; i < to->page_count; i++) {
		to->pages[i] = from->pages[i];
		cache->refs[to->pages[i]]++;
	}
	if (to->memory >= 0) cache->memories[to->memory].refs++;
}

attend_status attend_session_slot_fork(attend_session *session, int slot, int *out)
{
	const attend_cache_sequence *from = slot_of(session, slot);
	if (from == NULL) return not_open(slot);
	const int to = free_slot(&session->cache);
	if (to < 0) return slots_full(&session->cache);
	share(&session->cache, &session->cache.slots[to], from);
	*out = to;
	return ATTEND_OK;
}

attend_status attend_session_slots_reorder(attend_session *session, size_t count, const int *slots,
                                           const size_t *sources)
{
	attend_cache *cache = &session->cache;
	if (count > cache->slot_count)
		return attend_fail(ATTEND_ERR_ARG, "%zu slots to reorder of %zu", count, cache->slot_count);
	for (size_t i = 0; i < count; i++) {
		if (slot_of(session, slots[i]) == NULL) return not_open(slots[i]);
		if (sources[i] >= count) return attend_fail(ATTEND_ERR_ARG, "source %zu of %zu", sources[i], count);
	}
	for (size_t i = 0; i < count; i++) share(cache, &cache->copies[i], &cache->slots[slots[sources[i]]]);
	for (size_t i = 0; i < count; i++) attend_session_slot_free(session, slots[i]);
	for (size_t i = 0; i < count; i++) { /* page lists change owners, references stay */
		attend_cache_sequence *to = &cache->slots[slots[i]], swap = *to;
		*to = cache->copies[i];
		cache->copies[i] = swap;
		cache->copies[i].open = false;
	}
	return ATTEND_OK;
}

void attend_session_slot_truncate(attend_session *session, int slot, size_t length)
{
	attend_cache_sequence *s = slot_of(session, slot);
	if (s == NULL || length >= s->length) return;
	s->length = length;
	drop_pages(&session->cache, s, attend_kv_tiles(length));
}

size_t attend_session_slot_length(const attend_session *session, int slot)
{
	const attend_cache *cache = &session->cache;
	if (slot < 0 || (size_t)slot >= cache->slot_count || !cache->slots[slot].open) return 0;
	return cache->slots[slot].length;
}
