/* gemm_f32.h: the f32 product kernels once for all vector levels. A level's file defines, then includes this:
 *   VECTOR, LANES, NV (vectors of a panel row), MR (rows of a block at most), and
 *   v_zero() v_set(float) v_load(p) v_store(p,v) v_fma(a,b,c)=a*b+c v_mul(a,b) v_add(a,b)
 *   v_load_part(p,count) v_store_part(p,v,count): `count` < LANES lanes, the others 0 / untouched in memory. */
#ifndef ATTEND_KERNELS_GEMM_F32_H
#define ATTEND_KERNELS_GEMM_F32_H

#include "lib/kernels/gemm_table.h"

#define GEMM_INLINE static inline __attribute__((always_inline))

GEMM_INLINE void f32_step(VECTOR sum[MR][NV], const float *block, const float *panel, const size_t rows)
{
	VECTOR w[NV];
#pragma GCC unroll 4
	for (size_t v = 0; v < NV; v++)
		w[v] = v_load(panel + v * LANES);
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
		const VECTOR x = v_set(block[r]);
#pragma GCC unroll 4
		for (size_t v = 0; v < NV; v++)
			sum[r][v] = v_fma(x, w[v], sum[r][v]);
	}
}

/* `rows` is a constant where this is inlined, so that all sums live in registers. */
GEMM_INLINE void f32_rows(float *tile, const float *block, const float *panel, const size_t rows, size_t k, bool add,
                          attend_ahead ahead)
{
	VECTOR sum[MR][NV];
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 4
		for (size_t v = 0; v < NV; v++)
			sum[r][v] = add ? v_load(tile + (r * NV + v) * LANES) : v_zero();
	}
	size_t i = 0;
	for (; i + 4 <= k; i += 4) {
		for (size_t l = 0; l < ahead.lines; l++, ahead.at += 64)
			__builtin_prefetch(ahead.at, 0, 2);
#pragma GCC unroll 4
		for (size_t u = 0; u < 4; u++)
			f32_step(sum, block + (i + u) * rows, panel + (i + u) * NV * LANES, rows);
	}
	for (; i < k; i++)
		f32_step(sum, block + i * rows, panel + i * NV * LANES, rows);
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 4
		for (size_t v = 0; v < NV; v++)
			v_store(tile + (r * NV + v) * LANES, sum[r][v]);
	}
}

static void f32_tile(float *tile, const float *block, const float *panel, size_t rows, size_t k, bool add, attend_ahead ahead)
{
	switch (rows) {
#define F32_CASE(n)                                               \
	case n: f32_rows(tile, block, panel, n, k, add, ahead); break;
		F32_CASE(1)
		F32_CASE(2)
		F32_CASE(3)
		F32_CASE(4)
		F32_CASE(5)
		F32_CASE(6)
#if MR > 6
		F32_CASE(7)
		F32_CASE(8)
		F32_CASE(9)
		F32_CASE(10)
		F32_CASE(11)
		F32_CASE(12)
#endif
#if MR > 12
		F32_CASE(13)
		F32_CASE(14)
#endif
#undef F32_CASE
	default: break;
	}
}

GEMM_INLINE VECTOR finish_vector(VECTOR v, const attend_tile_out *out, bool scaled, VECTOR scale, VECTOR bias)
{
	if (out->bias) return v_fma(v, scale, bias);
	return scaled ? v_mul(v, scale) : v;
}

static void finish(const attend_tile_out *out)
{
	const VECTOR scale = v_set(out->scale);
	const bool scaled = out->scale != 1.0f;
	for (size_t j = 0; j < out->columns; j += LANES) {
		const size_t count = out->columns - j;
		const bool whole = count >= LANES;
		const VECTOR bias = !out->bias ? v_zero() : whole ? v_load(out->bias + j) : v_load_part(out->bias + j, count);
		for (size_t r = 0; r < out->rows; r++) {
			VECTOR v = finish_vector(v_load(out->tile + r * NV * LANES + j), out, scaled, scale, bias);
			float *y = out->y + r * out->ldy + j;
			const float *multiply = out->multiply ? out->multiply + r * out->ld_multiply + j : NULL;
			const float *residual = out->residual ? out->residual + r * out->ld_residual + j : NULL;
			if (whole) {
				if (multiply && residual) {
					v = v_fma(v, v_load(multiply), v_load(residual));
				} else if (multiply) {
					v = v_mul(v, v_load(multiply));
				} else if (residual) {
					v = v_add(v, v_load(residual));
				}
				v_store(y, v);
			} else {
				if (multiply && residual) {
					v = v_fma(v, v_load_part(multiply, count), v_load_part(residual, count));
				} else if (multiply) {
					v = v_mul(v, v_load_part(multiply, count));
				} else if (residual) {
					v = v_add(v, v_load_part(residual, count));
				}
				v_store_part(y, v, count);
			}
		}
	}
}

#endif
