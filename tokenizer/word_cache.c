/* word_cache.c: open addressing from a word's bytes to its tokens. */
#include "tokenizer/word_cache.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

enum { SLOTS = 1 << 16, MOST_WORDS = SLOTS / 2, BYTES = MOST_WORDS * 16, TOKENS = MOST_WORDS * 4 };

attend_status attend_word_cache_init(attend_word_cache *cache)
{
	memset(cache, 0, sizeof *cache);
	cache->slots = calloc(SLOTS, sizeof *cache->slots);
	cache->bytes = malloc(BYTES);
	cache->ids = attend_alloc_array(TOKENS, sizeof *cache->ids);
	cache->spans = attend_alloc_array(TOKENS, sizeof *cache->spans);
	if (!cache->slots || !cache->bytes || !cache->ids || !cache->spans) {
		attend_word_cache_free(cache);
		return attend_fail_memory(SLOTS * sizeof *cache->slots, "word cache");
	}
	cache->slot_count = SLOTS;
	cache->byte_capacity = BYTES;
	cache->token_capacity = TOKENS;
	return ATTEND_OK;
}

void attend_word_cache_free(attend_word_cache *cache)
{
	free(cache->slots);
	free(cache->bytes);
	free(cache->ids);
	free(cache->spans);
	memset(cache, 0, sizeof *cache);
}

attend_cached_word *attend_word_cache_find(const attend_word_cache *cache, const char *word, size_t size, uint64_t hash)
{
	for (size_t i = hash & (cache->slot_count - 1);; i = (i + 1) & (cache->slot_count - 1)) {
		attend_cached_word *const slot = &cache->slots[i];
		if (slot->size == 0) return slot;
		if (slot->hash == hash && slot->size == size && memcmp(cache->bytes + slot->key, word, size) == 0) return slot;
	}
}

void attend_word_cache_put(attend_word_cache *cache, const char *word, size_t size, uint64_t hash, const int32_t *ids,
                           const attend_span *spans, size_t count, uint32_t base)
{
	if (size > ATTEND_CACHED_WORD || count > ATTEND_CACHED_TOKENS) return;
	if (cache->used == MOST_WORDS || cache->byte_capacity - cache->byte_count < size ||
	    cache->token_capacity - cache->token_count < count) {
		memset(cache->slots, 0, cache->slot_count * sizeof *cache->slots);
		cache->used = cache->byte_count = cache->token_count = 0;
	}
	attend_cached_word *const slot = attend_word_cache_find(cache, word, size, hash);
	*slot = (attend_cached_word){
		hash,         (uint32_t)cache->byte_count, (uint32_t)cache->token_count, (uint16_t)size, (uint16_t)count,
		spans != NULL};
	memcpy(cache->bytes + cache->byte_count, word, size);
	if (count) memcpy(cache->ids + cache->token_count, ids, count * sizeof *ids);
	for (size_t i = 0; spans && i < count; i++) {
		cache->spans[cache->token_count + i][0] = (uint8_t)(spans[i].start - base);
		cache->spans[cache->token_count + i][1] = (uint8_t)(spans[i].end - base);
	}
	cache->byte_count += size;
	cache->token_count += count;
	cache->used++;
}
