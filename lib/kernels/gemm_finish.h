/* gemm_finish.h: what stands behind the sums, once for all vector levels. A level's file defines, then includes this:
 *   VECTOR, LANES, NV (vectors of a panel row)
 *   v_zero() v_set(float) v_load(p) v_store(p,v) v_fma(a,b,c)=a*b+c v_mul(a,b) v_add(a,b)
 *   v_load_part(p,count) v_store_part(p,v,count): `count` < LANES lanes, the others 0 / untouched in memory
 *   INTEGERS i_set(int32) i_load(p) i_sub(a,b) i_mul(a,b) i_to_float(v): 32-bit lanes. */
#ifndef ATTEND_KERNELS_GEMM_FINISH_H
#define ATTEND_KERNELS_GEMM_FINISH_H

#include "lib/kernels/gemm_table.h"

/* One vector of the sums of row r, columns from j on, as v of attend_tile_out. */
static inline __attribute__((always_inline)) VECTOR finish_sum(const attend_tile_out *out, size_t r, size_t j)
{
	const float *sum = out->tile + r * NV * LANES + j;
	if (!out->x_scale) return v_load(sum);
	if (!out->w_scale) return v_mul(v_load(sum), v_set(out->x_scale[r]));
	const INTEGERS shift = i_mul(i_set(out->zero[r]), i_load(out->column_sum + j));
	return v_mul(i_to_float(i_sub(i_load(sum), shift)), v_mul(v_set(out->x_scale[r]), v_load(out->w_scale + j)));
}

static void finish(const attend_tile_out *out)
{
	const VECTOR scale = v_set(out->scale);
	const bool scaled = out->scale != 1.0f;
	for (size_t r = 0; r < out->rows; r++) {
		float *y = out->y + r * out->ldy;
		const float *multiply = out->multiply ? out->multiply + r * out->ld_multiply : NULL;
		const float *residual = out->residual ? out->residual + r * out->ld_residual : NULL;
		size_t j = 0;
		for (; j + LANES <= out->columns; j += LANES) {
			VECTOR v = finish_sum(out, r, j);
			if (out->bias) {
				v = v_fma(v, scale, v_load(out->bias + j));
			} else if (scaled) {
				v = v_mul(v, scale);
			}
			if (multiply && residual) {
				v = v_fma(v, v_load(multiply + j), v_load(residual + j));
			} else if (multiply) {
				v = v_mul(v, v_load(multiply + j));
			} else if (residual) {
				v = v_add(v, v_load(residual + j));
			}
			v_store(y + j, v);
		}
		if (j == out->columns) continue;
		const size_t count = out->columns - j;
		VECTOR v = finish_sum(out, r, j);
		if (out->bias) {
			v = v_fma(v, scale, v_load_part(out->bias + j, count));
		} else if (scaled) {
			v = v_mul(v, scale);
		}
		if (multiply && residual) {
			v = v_fma(v, v_load_part(multiply + j, count), v_load_part(residual + j, count));
		} else if (multiply) {
			v = v_mul(v, v_load_part(multiply + j, count));
		} else if (residual) {
			v = v_add(v, v_load_part(residual + j, count));
		}
		v_store_part(y + j, v, count);
	}
}

#endif
