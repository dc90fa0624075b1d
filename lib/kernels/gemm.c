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

/* For each of the left operands, which lie in rows of lda and bring m rows of their own: one layout of B does for all. */
static void multiply(attend_pack_type type, bool transpose_a, bool transpose_b, const attend_gemm_left *lefts,
                     size_t count, size_t n, size_t k, float alpha, size_t lda, const float *b, size_t ldb, size_t ldc,
                     void *scratch)
{
	const struct attend_gemm_table *table = attend_gemm_kernels();
	const bool empty = k == 0 || alpha == 0.0f;
	float *panels = NULL;
	size_t most = 0;
	for (size_t i = 0; i < count; i++) most = most > lefts[i].m ? most : lefts[i].m;
	for (size_t i = 0; i < count; i++) {
		const attend_gemm_left *left = &lefts[i];
		const size_t m = left->m;
		if (m == 0 || n == 0) continue;
		if (table == &attend_gemm_portable && m * n > BLAS_WORK / (k + 1) &&
		    attend_blas_gemm(transpose_a, transpose_b, m, n, k, alpha, left->a, lda, b, ldb, left->beta, left->c,
		                     ldc)) {
			continue;
		}
		for (size_t r = 0; r < m; r++) {
			if (left->beta == 0.0f && empty) {
				memset(left->c + r * ldc, 0, n * sizeof *left->c);
			} else if (left->beta != 0.0f && left->beta != 1.0f) {
				attend_scale(left->c + r * ldc, left->beta, n);
			}
		}
		if (empty) continue;
		if (panels == NULL) {
			const size_t stride_column = transpose_b ? ldb : 1, stride_k = transpose_b ? 1 : ldb;
			panels = (float *)(void *)((unsigned char *)scratch + attend_left_bytes(table, type, most, k));
			if (type == ATTEND_PACK_F32) attend_panels_fill(panels, table, b, stride_column, stride_k, n, k);
			else
				attend_panels_round(panels, table, b, stride_column, stride_k, n, k, 0,
				                    attend_type_steps(table, type, k));
		}
		const attend_product product = {
			.type = type,
			.y = left->c,
			.ldy = ldc,
			.m = m,
			.n = n,
			.k = k,
			.x = left->a,
			.stride_row = transpose_a ? 1 : lda,
			.stride_k = transpose_a ? lda : 1,
			.panels = (const unsigned char *)panels,
			.scratch = scratch,
			.epilogue = {.scale = alpha, .residual = left->beta == 0.0f ? NULL : left->c, .ld_residual = ldc},
		};
		attend_product_run(&product);
	}
}

static attend_pack_type type_of(bool bf16)
{
	return bf16 && attend_bf16_pays() ? ATTEND_PACK_BF16 : ATTEND_PACK_F32;
}

void attend_gemm_shared(bool bf16, bool transpose_a, bool transpose_b, const attend_gemm_left *lefts, size_t count,
                        size_t n, size_t k, size_t lda, const float *b, size_t ldb, size_t ldc, void *scratch)
{
	multiply(type_of(bf16), transpose_a, transpose_b, lefts, count, n, k, 1.0f, lda, b, ldb, ldc, scratch);
}

void attend_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                 size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, void *scratch)
{
	const attend_gemm_left left = {m, a, beta, c};
	multiply(ATTEND_PACK_F32, transpose_a, transpose_b, &left, 1, n, k, alpha, lda, b, ldb, ldc, scratch);
}

void attend_gemm_bf16(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                      size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, void *scratch)
{
	const attend_gemm_left left = {m, a, beta, c};
	multiply(type_of(true), transpose_a, transpose_b, &left, 1, n, k, alpha, lda, b, ldb, ldc, scratch);
}
