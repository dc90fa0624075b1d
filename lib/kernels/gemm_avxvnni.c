/* gemm_avxvnni.c: int8 and int4 products with 256-bit vpdpbusd, four products of u8 and s8 added to 32 bits, exactly. */
#include "lib/kernels/gemm_avx2.h"

#define SUM             __m256i
#define sum_zero()      _mm256_setzero_si256()
#define sum_load(p)     load_integers(p)
#define sum_store(p, v) store_integers(p, v)

#define INT8_MR 6

GEMM_UNROLLED void int8_step(__m256i sum[INT8_MR][NV], const float *block, const unsigned char *panel,
                             const size_t rows)
{
	__m256i w[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) w[v] = load_integers(panel + v * 32);
#pragma GCC unroll 6
	for (size_t r = 0; r < rows; r++) {
		const __m256i x = word_set(block + r);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[r][v] = _mm256_dpbusd_avx_epi32(sum[r][v], x, w[v]);
	}
}

#define TILE            int8
#define TILE_MR         INT8_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 64
#include "lib/kernels/gemm_tile.h"

#define INT4_ROWS            6
#define int4_start(s)        _mm256_set1_epi32(s)
#define int4_step(sum, w, x) _mm256_dpbusd_avx_epi32(sum, w, word_set(x))
#define int4_end(sum, s)     (sum)
#define int4_sixteenfold(p)  _mm256_and_si256(load_integers(p), _mm256_set1_epi8((char)0xf0))
#define int4_join(low, high) _mm256_add_epi32(low, _mm256_srai_epi32(high, 4))

#include "lib/kernels/gemm_int4.h"

const struct attend_gemm_table attend_gemm_avxvnni = {
	GEMM_AVX2_COMMON,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_AVX2_F32,
			[ATTEND_PACK_BF16] = GEMM_AVX2_BF16,
			[ATTEND_PACK_INT8] =
				{.mr = INT8_MR, .form = ATTEND_BLOCK_INT8, .unit = 1, .rate = 220, .part = 256, .tile = int8_tile},
			[ATTEND_PACK_INT4] =
				{.mr = 64, .form = ATTEND_BLOCK_INT4, .unit = 9, .rate = 80, .part = 64, .tile = int4_tile},
		},
};
