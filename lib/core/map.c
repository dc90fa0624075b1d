/* map.c: byte string -> i32. Open addressing with linear probing over indices into an array of entries in order of
 * insertion. The hash folds 64 x 64 bit products (the idea of wyhash) and is seeded per map, so that a hostile vocabulary
 * cannot be made to collide; nothing visible depends on the seed. */
#include "lib/core/map.h"

#include "lib/core/arena.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct entry {
	size_t offset; /* of the key in `bytes` */
	uint32_t size;
	int32_t value;
} entry;

typedef struct slot {
	uint32_t tag;   /* upper half of the hash */
	uint32_t index; /* entry + 1; 0: free */
} slot;

struct attend_map {
	slot *slots;
	size_t slot_count; /* a power of two */
	entry *entries;
	size_t size, capacity;
	char *bytes;
	size_t used, room;
	uint64_t seed;
};

static uint64_t fold(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const char *p, size_t size)
{
	uint64_t word = 0;
	memcpy(&word, p, size);
	return word;
}

static uint64_t hash(uint64_t seed, const char *key, size_t size)
{
	const uint64_t a = 0xa0761d6478bd642fu, b = 0xe7037ed1a0b428dbu;
	uint64_t state = seed ^ fold(size ^ a, b);
	for (; size > 16; key += 16, size -= 16) state = fold(load(key, 8) ^ a, load(key + 8, 8) ^ state);
	const size_t first = size < 8 ? size : 8;
	state = fold(load(key, first) ^ b, load(key + first, size - first) ^ state);
	return fold(state, a);
}

static slot *probe(const attend_map *map, uint64_t h, const char *key, size_t size)
{
	const size_t mask = map->slot_count - 1;
	const uint32_t tag = (uint32_t)(h >> 32);
	for (size_t i = (size_t)h & mask;; i = (i + 1) & mask) {
		slot *const s = &map->slots[i];
		if (s->index == 0) return s;
		if (s->tag != tag) continue;
		const entry *const e = &map->entries[s->index - 1];
		if (e->size == size && memcmp(map->bytes + e->offset, key, size) == 0) return s;
	}
}

static attend_status rehash(attend_map *map, size_t slot_count)
{
	slot *const slots = calloc(slot_count, sizeof *slots);
	if (!slots) return attend_fail_memory(slot_count * sizeof *slots, "map");
	for (size_t i = 0; i < map->size; i++) {
		const entry *const e = &map->entries[i];
		const uint64_t h = hash(map->seed, map->bytes + e->offset, e->size);
		size_t at = (size_t)h & (slot_count - 1);
		while (slots[at].index) at = (at + 1) & (slot_count - 1);
		slots[at] = (slot){(uint32_t)(h >> 32), (uint32_t)(i + 1)};
	}
	free(map->slots);
	map->slots = slots;
	map->slot_count = slot_count;
	return ATTEND_OK;
}

attend_status attend_map_new(attend_map **out, size_t expected)
{
	if (expected > UINT32_MAX / 4) return attend_fail_memory(expected, "map");
	attend_map *const map = calloc(1, sizeof *map);
	if (!map) return attend_fail_memory(sizeof *map, "map");
	struct timespec now = {0, 0};
	clock_gettime(CLOCK_MONOTONIC, &now);
	map->seed = fold((uint64_t)(uintptr_t)map ^ 0x8ebc6af09c88c6e3u, (uint64_t)now.tv_nsec ^ 0x589965cc75374cc3u);
	size_t slot_count = 16;
	while (slot_count * 3 / 4 < expected) slot_count *= 2;
	const attend_status status = rehash(map, slot_count);
	if (status != ATTEND_OK) {
		free(map);
		return status;
	}
	*out = map;
	return ATTEND_OK;
}

void attend_map_free(attend_map *map)
{
	if (!map) return;
	free(map->slots);
	free(map->entries);
	free(map->bytes);
	free(map);
}

attend_status attend_map_put(attend_map *map, const char *key, size_t size, int32_t value)
{
	const uint64_t h = hash(map->seed, key, size);
	slot *s = probe(map, h, key, size);
	if (s->index) {
		map->entries[s->index - 1].value = value;
		return ATTEND_OK;
	}
	if (size > UINT32_MAX || map->size >= UINT32_MAX / 2) return attend_fail_memory(size, "map");
	ATTEND_TRY(attend_grow(&map->entries, &map->capacity, map->size + 1, sizeof *map->entries, "map"));
	ATTEND_TRY(attend_grow(&map->bytes, &map->room, map->used + size + 1, 1, "map keys"));
	if (map->size + 1 > map->slot_count / 4 * 3) {
		ATTEND_TRY(rehash(map, map->slot_count * 2));
		s = probe(map, h, key, size);
	}
	if (size) memcpy(map->bytes + map->used, key, size);
	map->bytes[map->used + size] = 0;
	map->entries[map->size] = (entry){map->used, (uint32_t)size, value};
	map->used += size + 1;
	*s = (slot){(uint32_t)(h >> 32), (uint32_t)++map->size};
	return ATTEND_OK;
}

int32_t attend_map_find(const attend_map *map, const char *key, size_t size)
{
	const slot *const s = probe(map, hash(map->seed, key, size), key, size);
	return s->index ? map->entries[s->index - 1].value : -1;
}

size_t attend_map_size(const attend_map *map)
{
	return map->size;
}

const char *attend_map_key(const attend_map *map, size_t i, size_t *size, int32_t *value)
{
	const entry *const e = &map->entries[i];
	if (size) *size = e->size;
	if (value) *value = e->value;
	return map->bytes + e->offset;
}
