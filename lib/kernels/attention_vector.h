/* attention_vector.h: attention.c's inner loops in vectors. PRODUCT_COLUMNS, from row_<level>.c, is how many vectors of
 * columns the product holds for each of up to six rows. */
#ifndef ATTEND_KERNELS_ATTENTION_VECTOR_H
#define ATTEND_KERNELS_ATTENTION_VECTOR_H

#include "lib/kernels/math_vector.h"
#include "lib/kernels/row_table.h"

enum { TILE = ATTEND_KV_TILE, TILE_VECTORS = TILE / LANES, PRODUCT_ROWS = 6 };

/* ---- c (+)= a b, sums in registers ------------------------------------------------------------------------------------- */
typedef struct product_block {
	float *c;
	size_t ldc;
	const float *a;
	size_t a_row, a_step;
	const float *b;
	size_t ldb, steps;
	attend_product_start start;
	const float *factors;
	size_t part; /* columns in the last vector */
} product_block;

/* rows x vectors of one block; both are constants where it is called, so that the loops unroll. `whole`: part is LANES. */
static inline __attribute__((always_inline)) void product_tile(const product_block *p, size_t rows, size_t vectors,
                                                               bool whole)
{
	vf sum[PRODUCT_ROWS][PRODUCT_COLUMNS];
	const vm last = vm_first(p->part);
#pragma GCC unroll 8
	for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 8
		for (size_t v = 0; v < vectors; v++) {
			const float *c = p->c + r * p->ldc + v * LANES;
			if (p->start == ATTEND_FROM_ZERO) sum[r][v] = vf_zero();
			else sum[r][v] = whole || v + 1 < vectors ? vf_load(c) : vf_load_where(last, c);
			if (p->start == ATTEND_FROM_SCALED) sum[r][v] = vf_mul(vf_set(p->factors[r]), sum[r][v]);
		}
	const float *a = p->a, *b = p->b;
	for (size_t k = 0; k < p->steps; k++, a += p->a_step, b += p->ldb) {
		vf column[PRODUCT_COLUMNS];
#pragma GCC unroll 8
		for (size_t v = 0; v < vectors; v++)
			column[v] = whole || v + 1 < vectors ? vf_load(b + v * LANES) : vf_load_where(last, b + v * LANES);
#pragma GCC unroll 8
		for (size_t r = 0; r < rows; r++) {
			const vf factor = vf_set(a[r * p->a_row]);
#pragma GCC unroll 8
			for (size_t v = 0; v < vectors; v++) sum[r][v] = vf_fma(factor, column[v], sum[r][v]);
		}
	}
#pragma GCC unroll 8
	for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 8
		for (size_t v = 0; v < vectors; v++) {
			float *c = p->c + r * p->ldc + v * LANES;
			if (whole || v + 1 < vectors) vf_store(c, sum[r][v]);
			else vf_store_where(last, c, sum[r][v]);
		}
}

static inline __attribute__((always_inline)) void product_rows(const product_block *p, size_t rows, size_t vectors,
                                                               bool whole)
{
	switch (rows) {
	case 1: product_tile(p, 1, vectors, whole); break;
	case 2: product_tile(p, 2, vectors, whole); break;
	case 3: product_tile(p, 3, vectors, whole); break;
	case 4: product_tile(p, 4, vectors, whole); break;
	case 5: product_tile(p, 5, vectors, whole); break;
	default: product_tile(p, 6, vectors, whole); break;
	}
}

static void product_columns(const product_block *p, size_t rows, size_t vectors)
{
	if (p->part == LANES) {
		switch (vectors) {
		case 1: product_rows(p, rows, 1, true); break;
		case 2: product_rows(p, rows, 2, true); break;
#if PRODUCT_COLUMNS > 2
		case 3: product_rows(p, rows, 3, true); break;
		case 4: product_rows(p, rows, 4, true); break;
#endif
		}
	} else {
		switch (vectors) {
		case 1: product_rows(p, rows, 1, false); break;
		case 2: product_rows(p, rows, 2, false); break;
#if PRODUCT_COLUMNS > 2
		case 3: product_rows(p, rows, 3, false); break;
		case 4: product_rows(p, rows, 4, false); break;
#endif
		}
	}
}

static void product(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
                    size_t rows, size_t steps, size_t n, attend_product_start start, const float *factors)
{
	if (rows == 0) return;
	const size_t blocks = (rows + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
	for (size_t j = 0; j < n; j += PRODUCT_COLUMNS * LANES) {
		const size_t width = n - j < PRODUCT_COLUMNS * LANES ? n - j : PRODUCT_COLUMNS * LANES;
		const size_t vectors = (width + LANES - 1) / LANES;
		for (size_t block = 0, r = 0; block < blocks; block++) {
			const size_t count = (rows - r + blocks - block - 1) / (blocks - block); /* even blocks */
			const product_block p = {
				.c = c + r * ldc + j,
				.ldc = ldc,
				.a = a + r * a_row,
				.a_row = a_row,
				.a_step = a_step,
				.b = b + j,
				.ldb = ldb,
				.steps = steps,
				.start = start,
				.factors = factors ? factors + r : NULL,
				.part = width - (vectors - 1) * LANES,
			};
			product_columns(&p, count, vectors);
			r += count;
		}
	}
}

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

/* s = 2^(s - shift), sum = factor*sum + s. */
static inline void exponential_row(float *s, attend_lane_range range, float shift, float factor, float *sum)
{
	enum { SUMS = ATTEND_SUM_LANES / LANES };
	vf lanes[SUMS];
#pragma GCC unroll 4
	for (size_t i = 0; i < SUMS; i++) lanes[i] = vf_mul(vf_load(sum + i * LANES), vf_set(factor));
	if (range.lo == 0 && range.hi == TILE) {
#pragma GCC unroll 16
		for (size_t v = 0; v < TILE_VECTORS; v++) {
			const vf p = vf_exp2(vf_sub(vf_load(s + v * LANES), vf_set(shift)));
			vf_store(s + v * LANES, p);
			lanes[v % SUMS] = vf_add(lanes[v % SUMS], p);
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
}

/* All maxima before all exponentials: a row alone waits for its maximum longer than its exponentials take. */
static void attention_rows(float *s, size_t rows, const attend_lane_range *ranges, const float *const *bias, float *max,
                           float *factor, float (*sum)[ATTEND_SUM_LANES])
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
	for (size_t r = 0; r < rows; r++)
		exponential_row(s + r * TILE, ranges ? ranges[r] : whole, shift[r], factor[r], sum[r]);
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
	table->product = product;
	table->attention_rows = attention_rows;
	table->attention_probabilities = attention_probabilities;
	table->transpose = transpose;
}

#endif
