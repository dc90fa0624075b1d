/* pack.h: how operands are laid out for the kernels of gemm_table.h, and how a product is cut into tasks. Private to the
 * gemm group. */
#ifndef ATTEND_KERNELS_PACK_H
#define ATTEND_KERNELS_PACK_H

#include "lib/kernels/gemm_table.h"

/* dst [k][width]: dst[i*width + j] = j < columns ? src[j*stride_out + i*stride_in] : 0. */
void attend_interleave(float *dst, const float *src, size_t stride_out, size_t stride_in, size_t columns, size_t width, size_t k);

/* The same for stride_in 1 on one level; attend_interleave calls the table's. */
void attend_interleave_portable(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k);
#if defined(__x86_64__)
void attend_interleave_avx2(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k);
void attend_interleave_avx512(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k);
#endif

/* m rows in blocks of nearly equal size, none above `most`. */
typedef struct attend_blocks {
	size_t count, size, larger; /* the first `larger` blocks have size+1 rows */
} attend_blocks;

static inline attend_blocks attend_cut(size_t m, size_t count)
{
	return count ? (attend_blocks){count, m / count, m % count} : (attend_blocks){0, 0, 0};
}

static inline attend_blocks attend_blocks_of(size_t m, size_t most)
{
	return attend_cut(m, (m + most - 1) / most);
}

static inline size_t attend_block_start(const attend_blocks *b, size_t i)
{
	return i * b->size + (i < b->larger ? i : b->larger);
}

/* blocks = the m rows of op(A), element (r, i) at a[r*stride_row + i*stride_k], interleaved one block after the other. */
void attend_pack_blocks(float *blocks, const float *a, size_t stride_row, size_t stride_k, size_t m, size_t k, size_t most);

/* panels = the n columns of op(B), element (i, j) at b[j*stride_column + i*stride_k]. */
void attend_pack_panels(float *panels, const float *b, size_t stride_column, size_t stride_k, size_t n, size_t k, size_t nr);

/* y [m,n] = epilogue(blocks x panels), all of k; `blocks` laid out by attend_pack_blocks(most = mr). */
typedef struct attend_product {
	float *y;
	size_t ldy;
	size_t m, n, k;
	const float *blocks;
	const float *panels;
	attend_epilogue epilogue; /* scale is not 0 */
} attend_product;
void attend_product_run(const attend_product *product);

#endif
