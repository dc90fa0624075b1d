/* gemm_finish.h: what stands behind the sums, once for all vector levels. A level's file defines, then includes this:
 *   VECTOR, LANES, NV (vectors of a panel row)
 *   v_zero() v_set(float) v_load(p) v_store(p,v) v_fma(a,b,c)=a*b+c v_mul(a,b) v_add(a,b)
 *   v_load_part(p,count) v_store_part(p,v,count): `count` < LANES lanes, the others 0 / untouched in memory
 *   INTEGERS i_set(int32) i_load(p) i_sub(a,b) i_mul(a,b) i_to_float(v): 32-bit lanes. */
#ifndef ATTEND_KERNELS_GEMM_FINISH_H
#define ATTEND_KERNELS_GEMM_FINISH_H

#include "lib/kernels/gemm_table.h"

typedef enum finish_kind { FINISH_F32, FINISH_INT8, FINISH_INT4 } finish_kind;

/* What belongs to LANES columns, whatever the row. */
typedef struct finish_columns {
	VECTOR w_scale, bias;
	INTEGERS column_sum;
} finish_columns;

/* y before multiply and residual. `kind`, `has_bias` and `scaled` are constants where this is inlined. */
static inline __attribute__((always_inline)) VECTOR finish_value(const attend_tile_out *o, size_t r, size_t j,
                                                                 const finish_columns *c, const finish_kind kind,
                                                                 const bool has_bias, const bool scaled)
{
	const float *sum = o->tile + r * NV * LANES + j;
	VECTOR v;
	if (kind == FINISH_INT8) {
		const INTEGERS shift = i_mul(i_set(o->zero[r]), c->column_sum);
		v = v_mul(i_to_float(i_sub(i_load(sum), shift)), v_mul(v_set(o->x_scale[r]), c->w_scale));
	} else {
		v = kind == FINISH_INT4 ? v_mul(v_load(sum), v_set(o->x_scale[r])) : v_load(sum);
	}
	if (has_bias) return v_fma(v, v_set(o->scale), c->bias);
	return scaled ? v_mul(v, v_set(o->scale)) : v;
}

static inline __attribute__((always_inline)) void finish_rows(const attend_tile_out *o, const finish_kind kind,
                                                              const bool has_bias, const bool scaled)
{
	const size_t whole = o->columns / LANES, rest = o->columns % LANES;
	finish_columns c[NV];
	for (size_t v = 0; v < NV; v++) {
		const size_t j = v * LANES, count = v < whole ? LANES : v == whole ? rest : 0;
		if (kind == FINISH_INT8) {
			c[v].w_scale = v_load(o->w_scale + j);
			c[v].column_sum = i_load(o->column_sum + j);
		}
		if (has_bias)
			c[v].bias = count == LANES ? v_load(o->bias + j) : count ? v_load_part(o->bias + j, count) : v_zero();
	}
	for (size_t r = 0; r < o->rows; r++) {
		float *y = o->y + r * o->ldy;
		const float *multiply = o->multiply ? o->multiply + r * o->ld_multiply : NULL;
		const float *residual = o->residual ? o->residual + r * o->ld_residual : NULL;
#pragma GCC unroll 4
		for (size_t i = 0; i < NV; i++) {
			const size_t j = i * LANES;
			VECTOR v = finish_value(o, r, j, &c[i], kind, has_bias, scaled);
			if (i < whole) {
				if (multiply) {
					v = residual ? v_fma(v, v_load(multiply + j), v_load(residual + j))
					             : v_mul(v, v_load(multiply + j));
				} else if (residual) {
					v = v_add(v, v_load(residual + j));
				}
				v_store(y + j, v);
			} else if (i == whole && rest) {
				if (multiply) {
					const VECTOR factor = v_load_part(multiply + j, rest);
					v = residual ? v_fma(v, factor, v_load_part(residual + j, rest)) : v_mul(v, factor);
				} else if (residual) {
					v = v_add(v, v_load_part(residual + j, rest));
				}
				v_store_part(y + j, v, rest);
			}
		}
	}
}

/* Whole vectors and nothing to multiply by, as most tiles are: no questions asked in the loop. */
static inline __attribute__((always_inline)) void finish_whole(const attend_tile_out *o, const finish_kind kind,
                                                               const bool has_bias, const bool scaled,
                                                               const bool has_residual)
{
	finish_columns c[NV];
	float *y = o->y;
	const float *residual = o->residual;
#pragma GCC unroll 4
	for (size_t i = 0; i < NV; i++) {
		if (kind == FINISH_INT8) {
			c[i].w_scale = v_load(o->w_scale + i * LANES);
			c[i].column_sum = i_load(o->column_sum + i * LANES);
		}
		if (has_bias) c[i].bias = v_load(o->bias + i * LANES);
	}
	for (size_t r = 0; r < o->rows; r++, y += o->ldy) {
#pragma GCC unroll 4
		for (size_t i = 0; i < NV; i++) {
			VECTOR v = finish_value(o, r, i * LANES, &c[i], kind, has_bias, scaled);
			if (has_residual) v = v_add(v, v_load(residual + i * LANES));
			v_store(y + i * LANES, v);
		}
		if (has_residual) residual += o->ld_residual;
	}
}

static inline __attribute__((always_inline)) void finish_kinds(const attend_tile_out *o, const finish_kind kind,
                                                               const bool has_bias, const bool scaled)
{
	if (o->columns < NV * LANES || o->multiply) finish_rows(o, kind, has_bias, scaled);
	else if (o->residual) finish_whole(o, kind, has_bias, scaled, true);
	else finish_whole(o, kind, has_bias, scaled, false);
}

static void finish(const attend_tile_out *out)
{
	const attend_tile_out o = *out; /* a copy: stores to y cannot change it */
	const bool scaled = o.scale != 1.0f;
	if (!o.x_scale) {
		if (o.bias) finish_kinds(&o, FINISH_F32, true, true);
		else finish_kinds(&o, FINISH_F32, false, scaled);
	} else if (o.w_scale) {
		if (o.bias) finish_kinds(&o, FINISH_INT8, true, true);
		else finish_kinds(&o, FINISH_INT8, false, scaled);
	} else {
		if (o.bias) finish_kinds(&o, FINISH_INT4, true, true);
		else finish_kinds(&o, FINISH_INT4, false, scaled);
	}
}

#endif
