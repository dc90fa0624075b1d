/* product_vector.h: row_table.h's product, c (+)= a b with the sums in registers, on the vectors of the level whose
 * math_<level>.h is included before. Before it stand
 *   PRODUCT_COLUMNS                     vectors of columns held for each of up to six rows
 *   PRODUCT_ADD(factor, column, sum)    one step of a chain, on vectors of words; other functions only move words */
#ifndef ATTEND_KERNELS_PRODUCT_VECTOR_H
#define ATTEND_KERNELS_PRODUCT_VECTOR_H

#include "lib/kernels/row_table.h"

enum { PRODUCT_ROWS = 6 };

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
			for (size_t v = 0; v < vectors; v++) sum[r][v] = PRODUCT_ADD(factor, column[v], sum[r][v]);
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

#endif
