/* gemm_avx2.c: products on 256-bit vectors with FMA: panels of 16 columns, f32 blocks of 6 rows (12 sums in 16 registers).
 * bf16 and int8 as in gemm_avx512.c. */
#include "lib/kernels/gemm_avx2.h"

#include <string.h>

#include "lib/core/half.h"
#include "lib/kernels/gemm_finish.h"

#define SUM             __m256
#define sum_zero()      v_zero()
#define sum_load(p)     v_load(p)
#define sum_store(p, v) v_store(p, v)

#define F32_MR 6

GEMM_UNROLLED void f32_step(__m256 sum[F32_MR][NV], const float *block, const unsigned char *panel, const size_t rows)
{
	__m256 w[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) w[v] = _mm256_castsi256_ps(load_integers(panel + v * 32));
#pragma GCC unroll 6
	for (size_t r = 0; r < rows; r++) {
		const __m256 x = v_set(block[r]);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[r][v] = v_fma(x, w[v], sum[r][v]);
	}
}

#define TILE            f32
#define TILE_MR         F32_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 64
#include "lib/kernels/gemm_tile.h"

/* The even inputs of the pairs, then the odd ones: the order of k. */
GEMM_UNROLLED void bf16_step(__m256 sum[F32_MR][NV], const float *block, const unsigned char *panel, const size_t rows)
{
#pragma GCC unroll 2
	for (size_t odd = 0; odd < 2; odd++) {
		__m256 w[NV];
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) {
			const __m256i pair = load_integers(panel + v * 32);
			w[v] = _mm256_castsi256_ps(odd ? _mm256_and_si256(pair, _mm256_set1_epi32((int)0xffff0000u))
			                               : _mm256_slli_epi32(pair, 16));
		}
#pragma GCC unroll 6
		for (size_t r = 0; r < rows; r++) {
			const __m256 x = v_set(block[odd * rows + r]);
#pragma GCC unroll 2
			for (size_t v = 0; v < NV; v++) sum[r][v] = v_fma(x, w[v], sum[r][v]);
		}
	}
}

#define TILE            bf16
#define TILE_MR         F32_MR
#define TILE_UNIT       2
#define TILE_STEP_BYTES 64
#include "lib/kernels/gemm_tile.h"

#undef SUM
#undef sum_zero
#undef sum_load
#undef sum_store
#define SUM             __m256i
#define sum_zero()      _mm256_setzero_si256()
#define sum_load(p)     load_integers(p)
#define sum_store(p, v) store_integers(p, v)

#define INT8_MR 4

GEMM_UNROLLED void int8_step(__m256i sum[INT8_MR][NV], const float *block, const unsigned char *panel,
                             const size_t rows)
{
	__m256i even[NV], odd[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) {
		const __m256i w = load_integers(panel + v * 32);
		even[v] = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
		odd[v] = _mm256_srai_epi16(w, 8);
	}
#pragma GCC unroll 4
	for (size_t r = 0; r < rows; r++) {
		const __m256i x = word_set(block + r);
		const __m256i x_even = _mm256_and_si256(x, _mm256_set1_epi16(255)), x_odd = _mm256_srli_epi16(x, 8);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) {
			const __m256i pairs =
				_mm256_add_epi32(_mm256_madd_epi16(x_even, even[v]), _mm256_madd_epi16(x_odd, odd[v]));
			sum[r][v] = _mm256_add_epi32(sum[r][v], pairs);
		}
	}
}

#define TILE            int8
#define TILE_MR         INT8_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 64
#include "lib/kernels/gemm_tile.h"

/* Sixteen-bit sums hold a whole group: 8 words of at most 2*15*127. */
#define INT4_ROWS            1
#define int4_start(s)        _mm256_setzero_si256()
#define int4_step(sum, w, x) _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, word_set(x)))
#define int4_end(sum, s)     _mm256_add_epi32(_mm256_madd_epi16(sum, _mm256_set1_epi16(1)), _mm256_set1_epi32(s))

#include "lib/kernels/gemm_int4.h"

void attend_f32_tile_avx2(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                          bool add, attend_ahead ahead)
{
	f32_tile(tile, block, panel, rows, steps, add, ahead);
}

void attend_bf16_tile_avx2(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                           bool add, attend_ahead ahead)
{
	bf16_tile(tile, block, panel, rows, steps, add, ahead);
}

/* A step of pairs is two steps of f32. */
void attend_bf16_expand_avx2(unsigned char *to, const unsigned char *panel, size_t steps)
{
	for (size_t s = 0; s < steps; s++, panel += 64, to += 128) {
		for (size_t v = 0; v < NV; v++) {
			const __m256i pair = load_integers(panel + v * 32);
			store_integers(to + v * 32, _mm256_slli_epi32(pair, 16));
			store_integers(to + 64 + v * 32, _mm256_and_si256(pair, _mm256_set1_epi32((int)0xffff0000u)));
		}
	}
}

bool attend_range_avx2(const float *x, size_t k, float *least, float *greatest)
{
	__m256 low = v_zero(), high = v_zero(), broken = v_zero();
	for (size_t i = 0; i < k; i += LANES) {
		const __m256 v = k - i >= LANES ? v_load(x + i) : v_load_part(x + i, k - i);
		low = _mm256_min_ps(v, low);
		high = _mm256_max_ps(v, high);
		broken = v_fma(v, v_zero(), broken); /* stays 0, or becomes NaN */
	}
	float lows[8], highs[8];
	v_store(lows, low);
	v_store(highs, high);
	for (size_t i = 1; i < LANES; i++) {
		lows[0] = lows[i] < lows[0] ? lows[i] : lows[0];
		highs[0] = highs[i] > highs[0] ? highs[i] : highs[0];
	}
	*least = lows[0];
	*greatest = highs[0];
	return _mm256_movemask_ps(_mm256_cmp_ps(broken, broken, _CMP_UNORD_Q)) == 0;
}

void attend_quantize_avx2(uint8_t *q, const float *x, size_t k, float inverse, int32_t offset, int32_t low,
                          int32_t high)
{
	const __m256 factor = v_set(inverse);
	const __m256i add = _mm256_set1_epi32(offset), least = _mm256_set1_epi32(low), most = _mm256_set1_epi32(high);
	const __m256i low_bytes = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12,
	                                           -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	for (size_t i = 0; i < k; i += LANES) {
		const size_t count = k - i < LANES ? k - i : LANES;
		const __m256 values = count == LANES ? v_load(x + i) : v_load_part(x + i, count);
		__m256i v = _mm256_add_epi32(_mm256_cvtps_epi32(v_mul(values, factor)), add);
		v = _mm256_shuffle_epi8(_mm256_min_epi32(_mm256_max_epi32(v, least), most), low_bytes);
		const __m128i bytes = _mm_unpacklo_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
		const int64_t eight = _mm_cvtsi128_si64(bytes);
		memcpy(q + i, &eight, count);
	}
}

void attend_round_bf16_avx2(uint16_t *y, const float *x, size_t k)
{
	for (size_t i = 0; i < k; i++) y[i] = attend_f32_bf16(x[i]);
}

void attend_finish_avx2(const attend_tile_out *out)
{
	finish(out);
}

const struct attend_gemm_table attend_gemm_avx2 = {
	GEMM_AVX2_COMMON,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_AVX2_F32,
			[ATTEND_PACK_BF16] = GEMM_AVX2_BF16,
			[ATTEND_PACK_INT8] =
				{.mr = INT8_MR, .form = ATTEND_BLOCK_INT8, .unit = 1, .rate = 90, .part = 256, .tile = int8_tile},
			[ATTEND_PACK_INT4] =
				{.mr = 64, .form = ATTEND_BLOCK_INT4, .unit = 9, .rate = 90, .part = 64, .tile = int4_tile},
		},
};
