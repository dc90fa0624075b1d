/* gemm_table.h: the inner loops of every matrix product, one table per level. linear.c and gemm.c split the work and call
 * these. Each sums an output element over k = 0 .. K-1 in one chain, so its bits depend on nothing else (DESIGN.md 3).
 *
 * Left operand: blocks of R <= mr rows, interleaved as [K][R] ("block"). Right operand: panels [K][nr]. Sums: tiles
 * [rows][nr] f32, contiguous, in the caller's cache. */
#ifndef ATTEND_KERNELS_GEMM_TABLE_H
#define ATTEND_KERNELS_GEMM_TABLE_H

#include "lib/kernels/kernels.h"

enum {
	ATTEND_GEMM_MAX_NR = 32,
	ATTEND_GEMM_MAX_MR = 14
};

/* A tile of sums on its way to y: rows x columns (columns <= nr) of the output; pointers stand at the tile's corner. */
typedef struct attend_tile_out {
	const float *tile; /* [rows][nr] */
	size_t rows, columns;
	float scale; /* not 0 */
	const float *bias;
	const float *multiply;
	size_t ld_multiply;
	const float *residual;
	size_t ld_residual;
	float *y;
	size_t ldy;
} attend_tile_out;

/* Memory to ask for while a tile is computed: `lines` cache lines from `at` on in every four steps of k. Wherever it points,
 * nothing is read. */
typedef struct attend_ahead {
	const unsigned char *at;
	size_t lines;
} attend_ahead;

struct attend_gemm_table {
	size_t mr, nr; /* rows of a block at most, columns of a panel */
	size_t kc;     /* steps of k whose panel part stays in the L1 cache */

	/* tile [rows][nr] = (add: +=) block [k][rows] x panel [k][nr]; 1 <= rows <= mr. */
	void (*f32)(float *tile, const float *block, const float *panel, size_t rows, size_t k, bool add, attend_ahead ahead);

	/* dst [k][width]: dst[i*width + j] = j < columns ? src[j*stride + i] : 0. */
	void (*interleave)(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k);

	/* y = scale*tile + bias, times multiply, plus residual: fused multiply-adds on every level but the portable one. */
	void (*finish)(const attend_tile_out *out);
};

#endif
