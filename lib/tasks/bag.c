/* bag.c: a chain of blocks, each at least twice as large as the one before (up to 64 KiB). */
#include "lib/tasks/bag.h"

#include <stdlib.h>
#include <string.h>

typedef struct block {
	struct block *next;
	size_t used, size;
	_Alignas(16) unsigned char bytes[];
} block;

struct attend_bag {
	block *first;
};

attend_status attend_bag_new(attend_bag **out)
{
	attend_bag *bag = calloc(1, sizeof *bag);
	if (bag == NULL) return attend_fail_memory(sizeof *bag, "result");
	*out = bag;
	return ATTEND_OK;
}

void attend_bag_free(attend_bag *bag)
{
	if (bag == NULL) return;
	for (block *b = bag->first; b != NULL;) {
		block *next = b->next;
		free(b);
		b = next;
	}
	free(bag);
}

void *attend_bag_take(attend_bag *bag, size_t count, size_t size)
{
	if (size != 0 && count > (SIZE_MAX / 2 - 4096) / size) {
		(void)attend_fail_memory(SIZE_MAX, "result");
		return NULL;
	}
	const size_t bytes = (count * size + 15) & ~(size_t)15;
	block *b = bag->first;
	if (b == NULL || b->size - b->used < bytes) {
		size_t room = b == NULL ? 1024 : b->size < 32768 ? b->size * 2 : 65536;
		if (room < bytes) room = bytes;
		b = malloc(sizeof *b + room);
		if (b == NULL) {
			(void)attend_fail_memory(room, "result");
			return NULL;
		}
		*b = (block){.next = bag->first, .size = room};
		bag->first = b;
	}
	void *piece = b->bytes + b->used;
	b->used += bytes;
	memset(piece, 0, bytes);
	return piece;
}

char *attend_bag_text(attend_bag *bag, const char *text, size_t size)
{
	char *copy = attend_bag_take(bag, size + 1, 1);
	if (copy != NULL && size != 0) memcpy(copy, text, size);
	return copy;
}
