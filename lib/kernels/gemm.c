/* gemm.c: C = alpha op(A) op(B) + beta C for backward passes: both operands are packed into scratch, then the same blocks
 * and panels run as in linear.c, which is as fast as OpenBLAS where a level has vector kernels. Where it has none, large
 * products go to OpenBLAS. */
#include <string.h>

#include "lib/core/blas.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

/* Multiply-adds from which loading and calling OpenBLAS is worth it on the portable level. */
enum { BLAS_WORK = 1 << 20 };

size_t attend_gemm_scratch(size_t m, size_t n, size_t k)
{
	const struct attend_gemm_table *table = attend_gemm_kernels();
	return attend_sum_bytes(attend_left_bytes(table, ATTEND_PACK_F32, m, k), attend_pack_bytes(ATTEND_PACK_F32, n, k));
}

void attend_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                 size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, void *scratch)
{
	if (m == 0 || n == 0) return;
	const struct attend_gemm_table *table = attend_gemm_kernels();
	if (table == &attend_gemm_portable && m * n > BLAS_WORK / (k + 1) &&
	    attend_blas_gemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) {
		return;
	}
	const bool empty = k == 0 || alpha == 0.0f;
	for (size_t i = 0; i < m; i++) {
		if (beta == 0.0f && empty) {
			memset(c + i * ldc, 0, n * sizeof *c);
		} else if (beta != 0.0f && beta != 1.0f) {
			attend_scale(c + i * ldc, beta, n);
		}
	}
	if (empty) return;
	float *panels = (float *)(void *)((unsigned char *)scratch + attend_left_bytes(table, ATTEND_PACK_F32, m, k));
	attend_panels_fill(panels, table, b, transpose_b ? ldb : 1, transpose_b ? 1 : ldb, n, k);
	const attend_product product = {
		.type = ATTEND_PACK_F32,
		.y = c,
		.ldy = ldc,
		.m = m,
		.n = n,
		.k = k,
		.x = a,
		.stride_row = transpose_a ? 1 : lda,
		.stride_k = transpose_a ? lda : 1,
		.panels = (const unsigned char *)panels,
		.scratch = scratch,
		.epilogue = {.scale = alpha, .residual = beta == 0.0f ? NULL : c, .ld_residual = ldc},
	};
	attend_product_run(&product);
}
