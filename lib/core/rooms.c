/* rooms.c: arenas that count their blocks. */
#include "lib/core/rooms.h"

#include <stdlib.h>

typedef struct attend_room {
	attend_arena arena;
	size_t blocks; /* that were not given back */
	struct attend_room *before;
} room;

static room *new_room(room *before, size_t size)
{
	room *r = malloc(sizeof *r);
	if (r == NULL) return NULL;
	*r = (room){.before = before};
	if (attend_arena_init(&r->arena, size) == ATTEND_OK) return r;
	free(r);
	return NULL;
}

void *attend_rooms_take(attend_rooms *rooms, size_t bytes, size_t expected)
{
	if (bytes == 0) bytes = 1; /* a place that is nobody else's */
	void *block = rooms->last ? attend_arena_take(&rooms->last->arena, bytes) : NULL;
	if (block == NULL) {
		const size_t cost = attend_arena_cost(bytes);
		room *r = expected > cost ? new_room(rooms->last, expected) : NULL;
		if (r == NULL) r = new_room(rooms->last, cost);
		if (r == NULL) return NULL;
		rooms->last = r;
		block = attend_arena_take(&r->arena, bytes);
	}
	rooms->last->blocks++;
	return block;
}

static bool holds(const room *r, const void *block)
{
	const uintptr_t at = (uintptr_t)block, base = (uintptr_t)r->arena.base;
	return at >= base && at - base < r->arena.size;
}

void attend_rooms_give(attend_rooms *rooms, void *block)
{
	room **link = &rooms->last;
	if (block == NULL) return;
	while (*link && !holds(*link, block)) link = &(*link)->before;
	room *r = *link;
	if (r == NULL || --r->blocks > 0) return;
	*link = r->before;
	attend_arena_free(&r->arena);
	free(r);
}
