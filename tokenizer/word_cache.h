/* word_cache.h: words that were tokenised before. One per scratch, so no locks; bounded, and emptied when full. */
#ifndef ATTEND_TOKENIZER_WORD_CACHE_H
#define ATTEND_TOKENIZER_WORD_CACHE_H

#include "tokenizer/tokenizer_internal.h"

enum {
	ATTEND_CACHED_WORD = 64,  /* longer words are not kept */
	ATTEND_CACHED_TOKENS = 64 /* nor are words of more tokens */
};

typedef struct attend_cached_word {
	uint64_t hash;
	uint32_t key;    /* in bytes */
	uint32_t tokens; /* in ids and spans */
	uint16_t size, count;
	bool placed; /* spans are kept */
} attend_cached_word;

typedef struct attend_word_cache {
	attend_cached_word *slots; /* size 0: free */
	size_t slot_count, used;
	char *bytes;
	size_t byte_count, byte_capacity;
	int32_t *ids;
	uint8_t (*spans)[2]; /* start and end within the word */
	size_t token_count, token_capacity;
} attend_word_cache;

attend_status attend_word_cache_init(attend_word_cache *cache);
void attend_word_cache_free(attend_word_cache *cache);

/* The word's slot: filled (size > 0), or the free one where attend_word_cache_put may place it. */
attend_cached_word *attend_word_cache_find(const attend_word_cache *cache, const char *word, size_t size,
                                           uint64_t hash);
/* Keep the tokens of a word; spans (NULL: none) are relative to `base`. Words that are too long are passed over. */
void attend_word_cache_put(attend_word_cache *cache, const char *word, size_t size, uint64_t hash, const int32_t *ids,
                           const attend_span *spans, size_t count, uint32_t base);

#endif
