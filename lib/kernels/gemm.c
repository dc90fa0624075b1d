/* gemm.c: C = alpha op(A) op(B) + beta C for backward passes: both operands are packed into scratch, then the same blocks
 * and panels run as in linear.c. */
#include <string.h>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

size_t attend_gemm_scratch(size_t m, size_t n, size_t k)
{
	const struct attend_gemm_table *table = attend_gemm_kernels();
	return attend_sum_bytes(attend_left_bytes(table, ATTEND_PACK_F32, m, k), attend_pack_bytes(ATTEND_PACK_F32, n, k));
}

void attend_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                 const float *b, size_t ldb, float beta, float *c, size_t ldc, void *scratch)
{
	if (m == 0 || n == 0) return;
	if (beta == 0.0f) {
		for (size_t i = 0; i < m && (k == 0 || alpha == 0.0f); i++)
			memset(c + i * ldc, 0, n * sizeof *c);
	} else if (beta != 1.0f) {
		for (size_t i = 0; i < m; i++)
			attend_scale(c + i * ldc, beta, n);
	}
	if (k == 0 || alpha == 0.0f) return;
	const struct attend_gemm_table *table = attend_gemm_kernels();
	float *panels = (float *)(void *)((unsigned char *)scratch + attend_left_bytes(table, ATTEND_PACK_F32, m, k));
	attend_panels_fill(panels, b, transpose_b ? ldb : 1, transpose_b ? 1 : ldb, n, k, table->nr);
	const attend_product product = {
		.type = ATTEND_PACK_F32,
		.y = c,
		.ldy = ldc,
		.m = m,
		.n = n,
		.k = k,
		.left = attend_left_fill(scratch, table, ATTEND_PACK_F32, a, transpose_a ? 1 : lda, transpose_a ? lda : 1, m, k),
		.panels = (const unsigned char *)panels,
		.epilogue = {.scale = alpha, .residual = beta == 0.0f ? NULL : c, .ld_residual = ldc},
	};
	attend_product_run(&product);
}
