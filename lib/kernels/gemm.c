/* gemm.c: C = alpha op(A) op(B) + beta C for backward passes: both operands are packed into scratch, then the same blocks
 * and panels run as in linear.c, which is as fast as OpenBLAS where a level has vector kernels. Where it has none, large
 * products go to OpenBLAS. */
#include <string.h>

#include "lib/core/blas.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

/* Multiply-adds from which loading and calling OpenBLAS is worth it on the portable level. */
enum { BLAS_WORK = 1 << 20 };

static size_t scratch_of(attend_pack_type type, size_t m, size_t n, size_t k)
{
	return attend_sum_bytes(attend_left_bytes(attend_gemm_kernels(), type, m, k), attend_pack_bytes(type, n, k));
}

bool attend_bf16_pays(void)
{
	return attend_gemm_kernels()->kernel[ATTEND_PACK_BF16].form == ATTEND_BLOCK_BF16;
}

size_t attend_gemm_scratch(size_t m, size_t n, size_t k)
{
	const size_t f32 = scratch_of(ATTEND_PACK_F32, m, n, k), bf16 = scratch_of(ATTEND_PACK_BF16, m, n, k);
	return f32 > bf16 ? f32 : bf16; /* bf16 steps may be padded to sixteen */
}

static void multiply(attend_pack_type type, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                     float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                     size_t ldc, void *scratch)
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
	float *panels = (float *)(void *)((unsigned char *)scratch + attend_left_bytes(table, type, m, k));
	(type == ATTEND_PACK_F32 ? attend_panels_fill : attend_panels_round)(panels, table, b, transpose_b ? ldb : 1,
	                                                                     transpose_b ? 1 : ldb, n, k);
	const attend_product product = {
		.type = type,
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

void attend_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                 size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, void *scratch)
{
	multiply(ATTEND_PACK_F32, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, scratch);
}

void attend_gemm_bf16(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                      size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, void *scratch)
{
	const attend_pack_type type = attend_bf16_pays() ? ATTEND_PACK_BF16 : ATTEND_PACK_F32;
	multiply(type, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, scratch);
}
