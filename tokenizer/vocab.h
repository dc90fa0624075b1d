/* vocab.h: the vocabulary of a model: spelling -> id by hashing, id -> spelling by table. */
#ifndef ATTEND_TOKENIZER_VOCAB_H
#define ATTEND_TOKENIZER_VOCAB_H

#include <string.h>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "tokenizer/trie.h"

enum {
	ATTEND_TOKEN_ID_LIMIT = 1 << 23
}; /* ids are below: far above every published vocabulary, and tables stay small */

typedef struct attend_vocab_entry {
	uint32_t start, size; /* in the pool; a NUL follows */
	uint32_t hash;
	int32_t id;
} attend_vocab_entry;

/* Zero-initialise; attend_vocab_free. Read-only use is safe from many threads. */
typedef struct attend_vocab {
	char *pool;
	size_t pool_size, pool_capacity;
	attend_vocab_entry *entries;
	size_t count, capacity;
	uint32_t *slots; /* entry + 1; 0: free */
	size_t slot_count;
	int32_t *by_id; /* entry; -1: no such id */
	size_t id_bound, id_capacity;
	size_t live; /* distinct spellings */
} attend_vocab;

/* Put a spelling with its id: a spelling that is there gets the new id, an id that is there the new spelling. */
attend_status attend_vocab_put(attend_vocab *vocab, const char *token, size_t size, int32_t id);
/* Put a spelling with the next id (id_bound). A spelling that is there is found under the new id from now on, the old id
 * keeps its spelling: a Unigram vocabulary is a list. */
attend_status attend_vocab_append(attend_vocab *vocab, const char *token, size_t size);
/* {"token": id, ...}; bad ids are errors with their JSON path. */
attend_status attend_vocab_from_json(attend_vocab *vocab, const attend_json *object);
void attend_vocab_free(attend_vocab *vocab);

int32_t attend_vocab_find(const attend_vocab *vocab, const char *token, size_t size); /* -1: none */
const char *attend_vocab_token(const attend_vocab *vocab, int32_t id, size_t *size);  /* NULL: none; size may be NULL */

/* A trie of all spellings, each with the id that it is found under. */
attend_status attend_vocab_trie(attend_trie *out, const attend_vocab *vocab);

/* A hash of bytes for tables in memory: eight bytes a step, folded multiplication. */
static inline uint64_t attend_hash_bytes(const char *bytes, size_t size)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ size, word;
	for (; size >= 8; size -= 8, bytes += 8) {
		memcpy(&word, bytes, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, bytes, size);
	h = (h ^ word) * 0xff51afd7ed558ccdu;
	h = (h ^ (h >> 29)) * 0xc4ceb9fe1a85ec53u;
	return h ^ (h >> 32);
}

#endif
