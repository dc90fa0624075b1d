/* attention_vector.h: attention.c's inner loops in vectors, but for the products (product_vector.h). Where the level rounds to
 * bf16, row_<level>.c defines ROUND_PAIRS(first, second): two vectors as one of pairs, in order. */
#ifndef ATTEND_KERNELS_ATTENTION_VECTOR_H
#define ATTEND_KERNELS_ATTENTION_VECTOR_H

#include "lib/core/half.h"
#include "lib/kernels/math_vector.h"
#include "lib/kernels/row_table.h"

enum { TILE = ATTEND_KV_TILE, TILE_VECTORS = TILE / LANES };

/* ---- Softmax of a tile ------------------------------------------------------------------------------------------------- */
/* Biased, -inf outside of the range; returns the maximum. */
static inline float bias_row(float *s, attend_lane_range range, const float *bias)
{
	vf top[2] = {vf_set(-INFINITY), vf_set(-INFINITY)};
	if (range.lo == 0 && range.hi == TILE) {
#pragma GCC unroll 16
		for (size_t v = 0; v < TILE_VECTORS; v++) {
			vf x = vf_load(s + v * LANES);
			if (bias) {
				x = vf_fma(vf_set(MATH_LOG2_E), vf_load(bias + v * LANES), x);
				vf_store(s + v * LANES, x);
			}
			top[v % 2] = vf_max(x, top[v % 2]);
		}
	} else {
		for (size_t at = range.lo / LANES * LANES; at < range.hi; at += LANES) {
			const vm m = vm_range(at, range.lo, range.hi);
			vf x = vf_load(s + at);
			if (bias) x = vf_fma(vf_set(MATH_LOG2_E), vf_load_where(m, bias + at), x);
			x = vf_select(m, x, vf_set(-INFINITY));
			vf_store(s + at, x);
			top[0] = vf_max(x, top[0]);
		}
	}
	return vf_largest(vf_max(top[0], top[1]));
}

#ifdef ROUND_PAIRS
/* Vectors v .. v+1 of a row. */
static inline void put_pairs(float *pairs, size_t v, vf first, vf second)
{
	vf_store(pairs + v / 2 * LANES, ROUND_PAIRS(first, second));
}
#else
static inline void put_pairs(float *pairs, size_t v, vf first, vf second)
{
	float p[2 * LANES];
	vf_store(p, first);
	vf_store(p + LANES, second);
	for (size_t i = 0; i < LANES; i++)
		pairs[v / 2 * LANES + i] =
			attend_bits_f32((uint32_t)attend_f32_bf16(p[2 * i + 1]) << 16 | attend_f32_bf16(p[2 * i]));
}
#endif

/* s = 2^(s - shift), sum = factor*sum + s. */
static inline void exponential_row(float *s, float *pairs, attend_lane_range range, float shift, float factor,
                                   float *sum)
{
	enum { SUMS = ATTEND_SUM_LANES / LANES };
	vf lanes[SUMS];
#pragma GCC unroll 4
	for (size_t i = 0; i < SUMS; i++) lanes[i] = vf_mul(vf_load(sum + i * LANES), vf_set(factor));
	if (range.lo == 0 && range.hi == TILE) {
#pragma GCC unroll 16
		for (size_t v = 0; v < TILE_VECTORS; v += 2) {
			const vf p = vf_exp2(vf_sub(vf_load(s + v * LANES), vf_set(shift)));
			const vf q = vf_exp2(vf_sub(vf_load(s + (v + 1) * LANES), vf_set(shift)));
			if (pairs) {
				put_pairs(pairs, v, p, q);
			} else {
				vf_store(s + v * LANES, p);
				vf_store(s + (v + 1) * LANES, q);
			}
			lanes[v % SUMS] = vf_add(lanes[v % SUMS], p);
			lanes[(v + 1) % SUMS] = vf_add(lanes[(v + 1) % SUMS], q);
		}
#pragma GCC unroll 4
		for (size_t i = 0; i < SUMS; i++) vf_store(sum + i * LANES, lanes[i]);
		return;
	}
#pragma GCC unroll 4
	for (size_t i = 0; i < SUMS; i++) vf_store(sum + i * LANES, lanes[i]);
	for (size_t at = range.lo / LANES * LANES; at < range.hi; at += LANES) {
		const vf p = vf_exp2(vf_sub(vf_load(s + at), vf_set(shift)));
		float *lane = sum + at % ATTEND_SUM_LANES;
		vf_store(s + at, p);
		vf_store(lane, vf_add(vf_load(lane), p));
	}
	if (pairs == NULL) return;
	for (size_t v = 0; v < TILE_VECTORS; v++)
		if (v * LANES + LANES <= range.lo || v * LANES >= range.hi) vf_store(s + v * LANES, vf_zero());
	for (size_t v = 0; v < TILE_VECTORS; v += 2)
		put_pairs(pairs, v, vf_load(s + v * LANES), vf_load(s + (v + 1) * LANES));
}

/* All maxima before all exponentials: a row alone waits for its maximum longer than its exponentials take. */
static void attention_rows(float *s, float *pairs, size_t rows, const attend_lane_range *ranges,
                           const float *const *bias, float *max, float *factor, float (*sum)[ATTEND_SUM_LANES])
{
	static const attend_lane_range whole = {0, TILE};
	float top[ATTEND_QUERY_ROWS], shift[ATTEND_QUERY_ROWS];
	for (size_t r = 0; r < rows; r++)
		top[r] = bias_row(s + r * TILE, ranges ? ranges[r] : whole, bias ? bias[r] : NULL);
	FOR_VECTORS(r, part, rows, {
		const vf before = vf_get(max + r, part), after = vf_max(vf_get(top + r, part), before);
		const vf finite = vf_select(vf_less_equal(after, vf_set(-INFINITY)), vf_zero(), after);
		vf_put(max + r, after, part);
		vf_put(shift + r, finite, part);
		vf_put(factor + r, vf_select(vf_less_equal(after, before), vf_set(1.0f), vf_exp2(vf_sub(before, finite))),
		       part);
	});
	if (pairs)
		for (size_t r = 0; r < rows; r++)
			exponential_row(s + r * TILE, pairs + r * (TILE / 2), ranges ? ranges[r] : whole, shift[r], factor[r],
			                sum[r]);
	else
		for (size_t r = 0; r < rows; r++)
			exponential_row(s + r * TILE, NULL, ranges ? ranges[r] : whole, shift[r], factor[r], sum[r]);
}

/* scale*s + bias in the lanes of m. */
static inline vf scaled_score(const float *s, size_t lane, vm m, float scale, const float *bias)
{
	const vf x = vf_load(s + lane);
	return bias ? vf_fma(vf_set(scale), x, vf_load_where(m, bias + lane)) : vf_mul(vf_set(scale), x);
}

static void attention_probabilities(float *s, size_t lo, size_t hi, float scale, const float *bias, float log_sum)
{
#pragma GCC unroll 16
	for (size_t v = 0; v < TILE_VECTORS; v++) {
		const vm m = vm_range(v * LANES, lo, hi);
		const vf p = vf_exp(vf_sub(scaled_score(s, v * LANES, m, scale, bias), vf_set(log_sum)));
		vf_store(s + v * LANES, vf_keep(m, p));
	}
}

/* ---- Rows to lanes ------------------------------------------------------------------------------------------------------- */
/* Four dimensions of LANES rows at a time: row 4g + i in the fours g of vector i, so that transposing the fours puts the rows
 * in order. */
static void transpose(float *tile, const float *x, size_t ldx, size_t count, size_t head_dim)
{
	const size_t whole_rows = count / LANES * LANES, whole_dims = head_dim / 4 * 4;
	for (size_t j = 0; j < whole_rows; j += LANES) {
		for (size_t d = 0; d < whole_dims; d += 4) {
			const float *from = x + j * ldx + d;
			vu lanes[4];
			vu_transpose4(lanes, vu_of(vf_load_fours(from, 4 * ldx)), vu_of(vf_load_fours(from + ldx, 4 * ldx)),
			              vu_of(vf_load_fours(from + 2 * ldx, 4 * ldx)), vu_of(vf_load_fours(from + 3 * ldx, 4 * ldx)));
			for (size_t i = 0; i < 4; i++) vf_store(tile + (d + i) * TILE + j, vf_of(lanes[i]));
		}
	}
	for (size_t d = 0; d < head_dim; d++)
		for (size_t j = d < whole_dims ? whole_rows : 0; j < count; j++) tile[d * TILE + j] = x[j * ldx + d];
}

static void attention_table(struct attend_row_table *table)
{
	table->attention_rows = attention_rows;
	table->attention_probabilities = attention_probabilities;
	table->transpose = transpose;
}

#endif
