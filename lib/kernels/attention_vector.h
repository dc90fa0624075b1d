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
	bool accumulate;
	size_t part; /* columns in the last vector */
} product_block;

/* rows x vectors of one block; both are constants where it is called, so that the loops unroll. `whole`: part is LANES. */
static inline __attribute__((always_inline)) void product_tile(const product_block *p, size_t rows, size_t vectors, bool whole)
{
	vf sum[PRODUCT_ROWS][PRODUCT_COLUMNS];
	const vm last = vm_first(p->part);
#pragma GCC unroll 8
	for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 8
		for (size_t v = 0; v < vectors; v++) {
			const float *c = p->c + r * p->ldc + v * LANES;
			if (!p->accumulate)
				sum[r][v] = vf_zero();
			else
				sum[r][v] = whole || v + 1 < vectors ? vf_load(c) : vf_load_where(last, c);
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
			if (whole || v + 1 < vectors)
				vf_store(c, sum[r][v]);
			else
				vf_store_where(last, c, sum[r][v]);
		}
}

static inline __attribute__((always_inline)) void product_rows(const product_block *p, size_t rows, size_t vectors, bool whole)
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

static void product(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb, size_t rows,
                    size_t steps, size_t n, bool accumulate)
{
	if (rows == 0) return;
	const size_t blocks = (rows + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
	for (size_t j = 0; j < n; j += PRODUCT_COLUMNS * LANES) {
		const size_t width = n - j < PRODUCT_COLUMNS * LANES ? n - j : PRODUCT_COLUMNS * LANES;
		const size_t vectors = (width + LANES - 1) / LANES;
		for (size_t block = 0, r = 0; block < blocks; block++) {
			const size_t count = (rows - r + blocks - block - 1) / (blocks - block); /* even blocks */
			const product_block p = {c + r * ldc + j, ldc,   a + r * a_row, a_row, a_step, b + j, ldb,
			                         steps,           accumulate, width - (vectors - 1) * LANES};
			product_columns(&p, count, vectors);
			r += count;
		}
	}
}

/* ---- Softmax of a tile ------------------------------------------------------------------------------------------------- */
/* scale*s + bias in lanes lo..hi-1. */
static inline vf scaled_score(const float *s, size_t lane, vm m, float scale, const float *bias)
{
	const vf x = vf_load(s + lane);
	return bias ? vf_fma(vf_set(scale), x, vf_load_where(m, bias + lane)) : vf_mul(vf_set(scale), x);
}

static float attention_row(float *s, size_t lo, size_t hi, float scale, const float *bias, float *max, float *sum)
{
	vf score[TILE_VECTORS];
	vf top = vf_set(-INFINITY);
#pragma GCC unroll 16
	for (size_t v = 0; v < TILE_VECTORS; v++) {
		const vm m = vm_range(v * LANES, lo, hi);
		score[v] = vf_select(m, scaled_score(s, v * LANES, m, scale, bias), vf_set(-INFINITY));
		top = vf_max(score[v], top);
	}
	const float tile_max = vf_largest(top);
	float correction = 1.0f;
	if (tile_max > *max) {
		correction = *max == -INFINITY ? 0.0f : vf_largest(vf_exp(vf_set(*max - tile_max)));
		*max = tile_max;
	}
	const vf shift = vf_set(*max == -INFINITY ? 0.0f : *max);
	vf lanes[ATTEND_SUM_LANES / LANES];
#pragma GCC unroll 4
	for (size_t i = 0; i < ATTEND_SUM_LANES / LANES; i++) lanes[i] = vf_mul(vf_load(sum + i * LANES), vf_set(correction));
#pragma GCC unroll 16
	for (size_t v = 0; v < TILE_VECTORS; v++) {
		const vf p = vf_exp(vf_sub(score[v], shift));
		vf_store(s + v * LANES, p);
		lanes[v % (ATTEND_SUM_LANES / LANES)] = vf_add(lanes[v % (ATTEND_SUM_LANES / LANES)], p);
	}
#pragma GCC unroll 4
	for (size_t i = 0; i < ATTEND_SUM_LANES / LANES; i++) vf_store(sum + i * LANES, lanes[i]);
	return correction;
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
/* Blocks of 4 rows x LANES: groups of four lanes are transposed, then their fours lie together. */
static void transpose(float *tile, const float *x, size_t ldx, size_t count, size_t head_dim)
{
	for (size_t d = 0; d < head_dim; d++)
		for (size_t j = 0; j < count; j++) tile[d * TILE + j] = x[j * ldx + d];
}

static void attention_table(struct attend_row_table *table)
{
	table->product = product;
	table->attention_row = attention_row;
	table->attention_probabilities = attention_probabilities;
	table->transpose = transpose;
}

#endif
