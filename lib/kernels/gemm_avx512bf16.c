/* gemm_avx512bf16.c: bf16 products with vdpbf16ps: inputs rounded to bf16, two products added to an f32 sum, in the
 * instruction's pair order. */
#include "lib/kernels/gemm_avx512.h"

#define SUM             __m512
#define sum_zero()      v_zero()
#define sum_load(p)     v_load(p)
#define sum_store(p, v) v_store(p, v)

#define BF16_MR 14

GEMM_UNROLLED void bf16_step(__m512 sum[BF16_MR][NV], const float *block, const unsigned char *panel, const size_t rows)
{
	__m512i w[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) w[v] = _mm512_loadu_si512(panel + v * 64);
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
		const __m512bh x = (__m512bh)word_set(block + r);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, (__m512bh)w[v]);
	}
}

#define TILE            bf16
#define TILE_MR         BF16_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 128
#include "lib/kernels/gemm_tile.h"

const struct attend_gemm_table attend_gemm_avx512bf16 = {
	GEMM_AVX512_COMMON,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_AVX512_F32,
			[ATTEND_PACK_BF16] =
				{.mr = BF16_MR, .form = ATTEND_BLOCK_BF16, .unit = 1, .rate = 220, .part = 192, .tile = bf16_tile},
			[ATTEND_PACK_INT8] = GEMM_AVX512VNNI_INT8,
			[ATTEND_PACK_INT4] = GEMM_AVX512VNNI_INT4,
		},
};
