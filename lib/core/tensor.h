/* tensor.h: element types and a view of numbers in memory. */
#ifndef ATTEND_CORE_TENSOR_H
#define ATTEND_CORE_TENSOR_H

#include "lib/core/status.h"

/* safetensors' names are the canonical ones (format section 1.3 of the safetensors README). Order is the writer's. */
typedef enum attend_dtype {
	ATTEND_DTYPE_BOOL,
	ATTEND_DTYPE_F4,
	ATTEND_DTYPE_F6_E2M3,
	ATTEND_DTYPE_F6_E3M2,
	ATTEND_DTYPE_U8,
	ATTEND_DTYPE_I8,
	ATTEND_DTYPE_F8_E5M2,
	ATTEND_DTYPE_F8_E4M3,
	ATTEND_DTYPE_F8_E8M0,
	ATTEND_DTYPE_F8_E4M3FNUZ,
	ATTEND_DTYPE_F8_E5M2FNUZ,
	ATTEND_DTYPE_I16,
	ATTEND_DTYPE_U16,
	ATTEND_DTYPE_F16,
	ATTEND_DTYPE_BF16,
	ATTEND_DTYPE_I32,
	ATTEND_DTYPE_U32,
	ATTEND_DTYPE_F32,
	ATTEND_DTYPE_C64,
	ATTEND_DTYPE_F64,
	ATTEND_DTYPE_I64,
	ATTEND_DTYPE_U64,
	ATTEND_DTYPE_COUNT
} attend_dtype;

const char *attend_dtype_name(attend_dtype dtype);                     /* "F32"; static */
unsigned attend_dtype_bits(attend_dtype dtype);                        /* 32 */
attend_status attend_dtype_parse(attend_dtype *out, const char *name); /* ATTEND_ERR_FORMAT: unknown name */

enum { ATTEND_MAX_RANK = 8 };

/* A view: owns nothing. `data` may be unaligned (files promise no alignment). Row-major. */
typedef struct attend_tensor {
	attend_dtype dtype;
	unsigned rank; /* 0: a scalar, one element */
	size_t shape[ATTEND_MAX_RANK];
	const void *data;
} attend_tensor;

/* Product of the shape; false when it overflows size_t (or the byte count does). */
bool attend_tensor_numel(size_t *out, const attend_tensor *tensor);
bool attend_tensor_bytes(size_t *out, const attend_tensor *tensor);

/* "F32[768,768]" into buffer (always terminated); returns buffer. For messages. */
const char *attend_tensor_describe(char *buffer, size_t size, const attend_tensor *tensor);

/* Widen or narrow `count` elements to f32. dtype must be F32, F16, BF16 or F64; src may be unaligned. f64 is rounded to
 * nearest as a C cast does. */
void attend_to_f32(float *dst, const void *src, attend_dtype dtype, size_t count);

#endif
