/* bag.h: memory of one result: many small pieces, freed together. */
#ifndef ATTEND_TASKS_BAG_H
#define ATTEND_TASKS_BAG_H

#include "lib/core/status.h"

typedef struct attend_bag attend_bag;

attend_status attend_bag_new(attend_bag **out);
void attend_bag_free(attend_bag *bag); /* NULL is fine */

/* count * size zeroed bytes, aligned for any type, borrowed from the bag; NULL when memory is out or the product overflows
 * (the error line is set). */
void *attend_bag_take(attend_bag *bag, size_t count, size_t size);
/* A copy with a NUL behind it. */
char *attend_bag_text(attend_bag *bag, const char *text, size_t size);

#endif
