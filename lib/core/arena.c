/* arena.c: bump allocation in one block, and the overflow-checked heap calls of the whole library. */
#include "lib/core/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define ATTEND_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ATTEND_ASAN 1
#endif
#endif

#ifdef ATTEND_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP = 64 }; /* poisoned bytes behind every block */
#define POISON(address, size)   ASAN_POISON_MEMORY_REGION(address, size)
#define UNPOISON(address, size) ASAN_UNPOISON_MEMORY_REGION(address, size)
#else
enum { GAP = 0 };
#define POISON(address, size)   ((void)0)
#define UNPOISON(address, size) ((void)0)
#endif

enum { ALIGNMENT = 64, LARGE_PAGE = 2 << 20 };

void *attend_alloc_array(size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) return NULL;
	const size_t bytes = count * size;
	return malloc(bytes ? bytes : 1);
}

/* Large blocks are weights and activations, which are walked again and again: in pages of 2 MB they cost no address
 * look-ups (a product of 3072 inputs gains 5 %) and are faster to get. What does not fill such a page stays in small ones. */
static void *alloc_large(size_t bytes)
{
	const size_t whole = bytes / LARGE_PAGE * LARGE_PAGE;
	if (bytes > SIZE_MAX - LARGE_PAGE) return NULL;
	void *const block = aligned_alloc(LARGE_PAGE, (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE);
#ifdef MADV_HUGEPAGE
	if (block) (void)madvise(block, whole, MADV_HUGEPAGE); /* a hint: without it all works */
#else
	(void)whole;
#endif
	return block;
}

void *attend_alloc_aligned(size_t bytes)
{
	if (bytes > SIZE_MAX - ALIGNMENT) return NULL;
	if (bytes >= LARGE_PAGE) return alloc_large(bytes);
	const size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return aligned_alloc(ALIGNMENT, rounded ? rounded : ALIGNMENT);
}

attend_status attend_grow(void *array_pointer, size_t *capacity, size_t need, size_t size, const char *what)
{
	void **const array = array_pointer;
	if (need <= *capacity) return ATTEND_OK;
	size_t wanted = *capacity <= SIZE_MAX / 3 * 2 ? *capacity + *capacity / 2 : need;
	if (wanted < need) wanted = need;
	if (wanted < 16) wanted = 16;
	if (size != 0 && wanted > SIZE_MAX / size) return attend_fail_memory(SIZE_MAX, what);
	void *const grown = realloc(*array, wanted * size);
	if (!grown) return attend_fail_memory(wanted * size, what);
	*array = grown;
	*capacity = wanted;
	return ATTEND_OK;
}

attend_status attend_arena_init(attend_arena *arena, size_t size)
{
	*arena = (attend_arena){0};
	if (size == 0) return ATTEND_OK;
	arena->base = attend_alloc_aligned(size);
	if (!arena->base) return attend_fail_memory(size, "arena");
	arena->size = size;
	POISON(arena->base, size);
	return ATTEND_OK;
}

void attend_arena_free(attend_arena *arena)
{
	if (!arena) return;
	if (arena->base) UNPOISON(arena->base, arena->size);
	free(arena->base);
	*arena = (attend_arena){0};
}

size_t attend_arena_cost(size_t bytes)
{
	if (bytes > SIZE_MAX - ALIGNMENT - GAP) return SIZE_MAX;
	return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GAP;
}

void *attend_arena_take(attend_arena *arena, size_t bytes)
{
	const size_t cost = attend_arena_cost(bytes);
	if (!arena->base || cost > arena->size - arena->used) return NULL;
	unsigned char *const block = arena->base + arena->used;
	UNPOISON(block, bytes);
	arena->used += cost;
	if (arena->used > arena->peak) arena->peak = arena->used;
	return block;
}

size_t attend_arena_mark(const attend_arena *arena)
{
	return arena->used;
}

void attend_arena_rewind(attend_arena *arena, size_t mark)
{
	if (mark >= arena->used) return;
	POISON(arena->base + mark, arena->used - mark);
	arena->used = mark;
}
