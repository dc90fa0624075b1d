/* packed_matrix.h: a packed matrix between guards, and a call with everything around it checked. */
#ifndef ATTEND_TESTS_PACKED_MATRIX_H
#define ATTEND_TESTS_PACKED_MATRIX_H

#include "tests/kernels/kernel_check.h"

typedef struct matrix {
	attend_packed packed;
	guarded memory;
} matrix;

static inline matrix matrix_make(attend_pack_type type, size_t n, size_t k)
{
	const size_t bytes = attend_pack_bytes(type, n, k);
	matrix w = {{type, n, k, NULL}, guarded_make(bytes / sizeof(float), 0)};
	assert_int_equal(bytes % 64, 0);
	memset(w.memory.data, 0xff, bytes); /* NaN: what is not filled shows */
	w.packed.data = w.memory.data;
	return w;
}

/* From [n,k] f32. */
static inline matrix matrix_of(attend_pack_type type, size_t n, size_t k, const float *src)
{
	const matrix w = matrix_make(type, n, k);
	attend_pack(&w.packed, 0, n, src, ATTEND_DTYPE_F32, k, 1);
	return w;
}

static inline void matrix_free(matrix *w)
{
	guarded_free(&w->memory);
}

static inline void forward(float *y, size_t ldy, const float *x, size_t ldx, size_t m, const matrix *w,
                           const attend_epilogue *e)
{
	guarded scratch = guarded_make(attend_linear_scratch(&w->packed, m) / sizeof(float), 0);
	memset(scratch.data, 0xff, scratch.count * sizeof(float));
	attend_linear_forward(y, ldy, x, ldx, m, &w->packed, e, scratch.data);
	guarded_free(&scratch);
}

#endif
