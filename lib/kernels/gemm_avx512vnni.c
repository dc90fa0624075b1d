/* gemm_avx512vnni.c: int8 and int4 products with vpdpbusd, four products of u8 and s8 added to 32 bits, exactly. */
#include "lib/kernels/gemm_avx512.h"

#define SUM             __m512i
#define sum_zero()      _mm512_setzero_si512()
#define sum_load(p)     _mm512_loadu_si512(p)
#define sum_store(p, v) _mm512_storeu_si512(p, v)

#define INT8_MR 14

GEMM_UNROLLED void int8_step(__m512i sum[INT8_MR][NV], const float *block, const unsigned char *panel,
                             const size_t rows)
{
	__m512i w[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) w[v] = _mm512_loadu_si512(panel + v * 64);
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
		const __m512i x = word_set(block + r);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], x, w[v]);
	}
}

#define TILE            int8
#define TILE_MR         INT8_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 128
#include "lib/kernels/gemm_tile.h"

#define INT4_ROWS            6
#define int4_start(s)        _mm512_set1_epi32(s)
#define int4_step(sum, w, x) _mm512_dpbusd_epi32(sum, w, word_set(x))
#define int4_end(sum, s)     (sum)
#define int4_sixteenfold(p)  _mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi8((char)0xf0))
#define int4_join(low, high) _mm512_add_epi32(low, _mm512_srai_epi32(high, 4))

#include "lib/kernels/gemm_int4.h"

void attend_int8_tile_avx512vnni(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                                 bool add, attend_ahead ahead)
{
	int8_tile(tile, block, panel, rows, steps, add, ahead);
}

void attend_int4_tile_avx512vnni(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                                 bool add, attend_ahead ahead)
{
	int4_tile(tile, block, panel, rows, steps, add, ahead);
}

const struct attend_gemm_table attend_gemm_avx512vnni = {
	GEMM_AVX512_COMMON,
	GEMM_AVX512_ROUND,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_AVX512_F32,
			[ATTEND_PACK_BF16] = GEMM_AVX512_BF16,
			[ATTEND_PACK_INT8] = GEMM_AVX512VNNI_INT8,
			[ATTEND_PACK_INT4] = GEMM_AVX512VNNI_INT4,
		},
};
