/* gemm_finish.h: what stands behind the sums, once for all vector levels. A level's file defines, then includes this:
 *   VECTOR, LANES, NV (vectors of a panel row)
 *   v_zero() v_set(float) v_load(p) v_store(p,v) v_fma(a,b,c)=a*b+c v_mul(a,b) v_add(a,b)
 *   v_load_part(p,count) v_store_part(p,v,count): `count` < LANES lanes, the others 0 / untouched in memory. */
#ifndef ATTEND_KERNELS_GEMM_FINISH_H
#define ATTEND_KERNELS_GEMM_FINISH_H

#include "lib/kernels/gemm_table.h"

static inline VECTOR finish_vector(VECTOR v, const attend_tile_out *out, bool scaled, VECTOR scale, VECTOR bias)
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
