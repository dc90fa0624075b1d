/* rooms.h: blocks that live about equally long, in few large pieces of memory: matrices that would not fill a page of 2 MB
 * share such pages. (In pages of 4 KB, reading a matrix once from memory is slower by a third: hardware prefetchers stop at
 * each page, and so does the look-up of its address.) */
#ifndef ATTEND_CORE_ROOMS_H
#define ATTEND_CORE_ROOMS_H

#include "lib/core/arena.h"

struct attend_room;

/* Zeroed: none yet. Not locked. */
typedef struct attend_rooms {
	struct attend_room *last; /* the only one that is still filled */
} attend_rooms;

/* 64-byte aligned bytes, not cleared; NULL: out of memory. `expected`: attend_arena_cost of all blocks that are likely to be
 * taken from now on, this one included, which decides the size of a new room. What is not taken is never touched. */
void *attend_rooms_take(attend_rooms *rooms, size_t bytes, size_t expected);
/* Give a block back (NULL: nothing happens): its room is freed with its last one. */
void attend_rooms_give(attend_rooms *rooms, void *block);

#endif
