/* arena.h: one block of memory, planned once, carved in order. */
#ifndef ATTEND_CORE_ARENA_H
#define ATTEND_CORE_ARENA_H

#include "lib/core/status.h"

/* Bump allocator over one 64-byte aligned block. Between blocks lie poisoned gaps under AddressSanitizer. */
typedef struct attend_arena {
	unsigned char *base;
	size_t size, used, peak;
} attend_arena;

/* Reserve `size` bytes (zero is fine). NOMEM leaves the arena empty. Free with attend_arena_free. */
attend_status attend_arena_init(attend_arena *arena, size_t size);
void attend_arena_free(attend_arena *arena);

/* 64-byte aligned bytes, not cleared; NULL when the plan was too small (a caller's bug: sizes are planned). */
void *attend_arena_take(attend_arena *arena, size_t bytes);

/* Everything taken after `mark` is given back at once. */
size_t attend_arena_mark(const attend_arena *arena);
void attend_arena_rewind(attend_arena *arena, size_t mark);

/* Bytes that attend_arena_take(bytes) uses: for planning. */
size_t attend_arena_cost(size_t bytes);

/* Overflow-checked heap: NULL when count * size overflows or memory is out. malloc'ed: free with free(). */
void *attend_alloc_array(size_t count, size_t size);
/* Grow *array to hold `need` elements, by halves; *capacity is updated. The array is intact on NOMEM. */
attend_status attend_grow(void *array_pointer, size_t *capacity, size_t need, size_t size, const char *what);
/* 64-byte aligned; free with free(). */
void *attend_alloc_aligned(size_t bytes);

#endif
