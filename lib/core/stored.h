/* stored.h: looking for NaN and infinity in numbers as they are stored. */
#ifndef ATTEND_CORE_STORED_H
#define ATTEND_CORE_STORED_H

#include "lib/core/tensor.h"

/* Are all `count` elements of `src` (F32, F16, BF16 or F64; may be unaligned) finite? If not, *index is the first that is not. */
bool attend_stored_finite(const void *src, attend_dtype dtype, size_t count, size_t *index);

#endif
