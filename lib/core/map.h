/* map.h: byte string -> i32, open addressing; keys are copied. */
#ifndef ATTEND_CORE_MAP_H
#define ATTEND_CORE_MAP_H

#include "lib/core/status.h"

typedef struct attend_map attend_map;

attend_status attend_map_new(attend_map **out, size_t expected);
void attend_map_free(attend_map *map);
attend_status attend_map_put(attend_map *map, const char *key, size_t size, int32_t value); /* replaces */
/* -1 when absent (values are >= 0 by contract). Safe from many threads once nobody puts. */
int32_t attend_map_find(const attend_map *map, const char *key, size_t size);
size_t attend_map_size(const attend_map *map);
/* The i-th inserted key (i < size); borrowed. */
const char *attend_map_key(const attend_map *map, size_t i, size_t *size, int32_t *value);

#endif
