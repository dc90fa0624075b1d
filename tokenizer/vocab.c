/* vocab.c: the vocabulary tables of vocab.h. Spellings lie one after the other in a pool; the hash table holds entries. */
#include "tokenizer/vocab.h"

#include <stdlib.h>

#include "lib/core/arena.h"

static uint32_t *slot_of(const attend_vocab *vocab, const char *token, size_t size, uint32_t hash)
{
	const size_t mask = vocab->slot_count - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		uint32_t *slot = &vocab->slots[i];
		if (*slot == 0) return slot;
		const attend_vocab_entry *entry = &vocab->entries[*slot - 1];
		if (entry->hash == hash && entry->size == size &&
		    (size == 0 || memcmp(vocab->pool + entry->start, token, size) == 0))
			return slot;
	}
}

static attend_status grow_slots(attend_vocab *vocab)
{
	if (vocab->slot_count >= 2 * (vocab->count + 1)) return ATTEND_OK;
	const size_t count = vocab->slot_count > 0 ? 2 * vocab->slot_count : 256;
	uint32_t *slots = calloc(count, sizeof *slots);
	if (slots == NULL) return attend_fail_memory(count * sizeof *slots, "vocabulary");
	for (size_t i = 0; i < vocab->slot_count; i++) {
		if (vocab->slots[i] == 0) continue;
		size_t k = vocab->entries[vocab->slots[i] - 1].hash & (count - 1);
		while (slots[k] != 0) k = (k + 1) & (count - 1);
		slots[k] = vocab->slots[i];
	}
	free(vocab->slots);
	vocab->slots = slots;
	vocab->slot_count = count;
	return ATTEND_OK;
}

static attend_status grow_ids(attend_vocab *vocab, int32_t id)
{
	if (id < 0 || id >= ATTEND_TOKEN_ID_LIMIT)
		return attend_fail(ATTEND_ERR_FORMAT, "token id %d is out of range (0 to %d)", id, ATTEND_TOKEN_ID_LIMIT - 1);
	const size_t need = (size_t)id + 1;
	if (need <= vocab->id_bound) return ATTEND_OK;
	ATTEND_TRY(attend_grow(&vocab->by_id, &vocab->id_capacity, need, sizeof *vocab->by_id, "vocabulary"));
	for (size_t i = vocab->id_bound; i < need; i++) vocab->by_id[i] = -1;
	vocab->id_bound = need;
	return ATTEND_OK;
}

static attend_status put(attend_vocab *vocab, const char *token, size_t size, int32_t id, bool replace)
{
	if (size > (1u << 30) || vocab->pool_size + size + 1 > UINT32_MAX)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "the vocabulary's spellings take more than 4 GiB");
	ATTEND_TRY(grow_slots(vocab));
	ATTEND_TRY(grow_ids(vocab, id));
	ATTEND_TRY(attend_grow(&vocab->entries, &vocab->capacity, vocab->count + 1, sizeof *vocab->entries, "vocabulary"));
	const uint32_t hash = (uint32_t)attend_hash_bytes(token, size);
	uint32_t *slot = slot_of(vocab, token, size, hash);
	attend_vocab_entry entry = {(uint32_t)vocab->pool_size, (uint32_t)size, hash, id};
	if (*slot != 0) {
		const attend_vocab_entry *old = &vocab->entries[*slot - 1];
		entry.start = old->start; /* the same spelling */
		if (replace && vocab->by_id[old->id] == (int32_t)*slot - 1) vocab->by_id[old->id] = -1;
	} else {
		ATTEND_TRY(attend_grow(&vocab->pool, &vocab->pool_capacity, vocab->pool_size + size + 1, 1, "vocabulary"));
		if (size > 0) memcpy(vocab->pool + vocab->pool_size, token, size);
		vocab->pool[vocab->pool_size + size] = 0;
		vocab->pool_size += size + 1;
		vocab->live++;
	}
	vocab->entries[vocab->count++] = entry;
	*slot = (uint32_t)vocab->count;
	vocab->by_id[id] = (int32_t)vocab->count - 1;
	return ATTEND_OK;
}

attend_status attend_vocab_put(attend_vocab *vocab, const char *token, size_t size, int32_t id)
{
	return put(vocab, token, size, id, true);
}

attend_status attend_vocab_append(attend_vocab *vocab, const char *token, size_t size)
{
	return put(vocab, token, size, (int32_t)vocab->id_bound, false);
}

attend_status attend_vocab_from_json(attend_vocab *vocab, const attend_json *object)
{
	if (attend_json_type(object) != ATTEND_JSON_OBJECT)
		return attend_json_fail(object, "expected an object of token: id, found %s", attend_json_type_name(object));
	for (const attend_json *item = attend_json_first(object); item != NULL; item = attend_json_next(item)) {
		int64_t id;
		size_t size;
		const char *token = attend_json_key(item, &size);
		ATTEND_TRY(attend_json_as_int(&id, item, 0, ATTEND_TOKEN_ID_LIMIT - 1));
		ATTEND_TRY(attend_vocab_put(vocab, token, size, (int32_t)id));
	}
	return ATTEND_OK;
}

void attend_vocab_free(attend_vocab *vocab)
{
	free(vocab->pool);
	free(vocab->entries);
	free(vocab->slots);
	free(vocab->by_id);
	memset(vocab, 0, sizeof *vocab);
}

int32_t attend_vocab_find(const attend_vocab *vocab, const char *token, size_t size)
{
	if (vocab->slot_count == 0) return -1;
	const uint32_t *slot = slot_of(vocab, token, size, (uint32_t)attend_hash_bytes(token, size));
	return *slot != 0 ? vocab->entries[*slot - 1].id : -1;
}

const char *attend_vocab_token(const attend_vocab *vocab, int32_t id, size_t *size)
{
	if (id < 0 || (size_t)id >= vocab->id_bound || vocab->by_id[id] < 0) return NULL;
	const attend_vocab_entry *entry = &vocab->entries[vocab->by_id[id]];
	if (size != NULL) *size = entry->size;
	return vocab->pool + entry->start;
}

attend_status attend_vocab_trie(attend_trie *out, const attend_vocab *vocab)
{
	attend_trie_key *keys = attend_alloc_array(vocab->count + 1, sizeof *keys);
	if (keys == NULL) return attend_fail_memory(vocab->count * sizeof *keys, "trie");
	size_t count = 0;
	for (size_t i = 0; i < vocab->slot_count; i++) {
		if (vocab->slots[i] == 0) continue; /* every spelling once, with the id that it is found under */
		const attend_vocab_entry *entry = &vocab->entries[vocab->slots[i] - 1];
		keys[count++] = (attend_trie_key){vocab->pool + entry->start, entry->size, entry->id};
	}
	const attend_status status = attend_trie_build(out, keys, count);
	free(keys);
	return status;
}
