/* gemm_avx512bf16.c: bf16 products with vdpbf16ps: inputs rounded to bf16, two products added to an f32 sum, in the
 * instruction's pair order. */
#include "lib/kernels/gemm_avx512.h"
#include "lib/kernels/transpose_avx512.h"

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

/* Subnormals become zeros, as the products take them to be. */
void attend_round_bf16_avx512bf16(uint16_t *y, const float *x, size_t k)
{
	size_t i = 0;
	for (; i + 2 * LANES <= k; i += 2 * LANES)
		_mm512_storeu_si512(y + i, (__m512i)_mm512_cvtne2ps_pbh(v_load(x + i + LANES), v_load(x + i)));
	for (; i < k; i += LANES) {
		const __mmask16 mask = (__mmask16)(k - i >= LANES ? 0xffff : v_mask(k - i));
		_mm256_mask_storeu_epi16(y + i, mask, (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x + i)));
	}
}

void attend_pair_bf16_avx512bf16(float *y, const float *even, const float *odd, size_t count)
{
	/* 0 16 1 17 .. 15 31 */
	const __m512i places =
		_mm512_add_epi32(_mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
	                                        _mm512_set1_epi32(0x10001)),
	                     _mm512_set1_epi32(0x100000));
	for (size_t j = 0; j < count; j += LANES) {
		const __mmask16 mask = (__mmask16)(count - j >= LANES ? 0xffff : v_mask(count - j));
		const __m512bh halves =
			_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(mask, odd + j), _mm512_maskz_loadu_ps(mask, even + j));
		_mm512_mask_storeu_epi32(y + j, mask, _mm512_permutexvar_epi16(places, (__m512i)halves));
	}
}

/* 32 inputs of a row, of which `left` are there. */
static inline __m512 round_pairs(const float *row, size_t left)
{
	const __mmask16 low = (__mmask16)(left >= LANES ? 0xffff : v_mask(left)),
					high = (__mmask16)(left >= 2 * LANES ? 0xffff
	                                   : left > LANES    ? v_mask(left - LANES)
	                                                     : 0);
	return (__m512)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, row + LANES), _mm512_maskz_loadu_ps(low, row));
}

void attend_panel_bf16_avx512bf16(float *panel, const float *x, size_t stride, size_t columns, size_t k, size_t ahead)
{
	enum { NR = NV * LANES };
	for (size_t j = 0; j < NR; j += LANES, x += LANES * stride) {
		const size_t have = columns > j ? columns - j : 0;
		for (size_t i = 0; i < k; i += 2 * LANES) {
			const size_t steps = k - i < 2 * LANES ? (k - i + 1) / 2 : LANES;
			__m512 word[16];
#pragma GCC unroll 16
			for (size_t c = 0; c < 16; c++) {
				word[c] = v_zero();
				if (c >= have) continue;
				const float *row = x + c * stride + i;
				word[c] = round_pairs(row, k - i);
				if (ahead) __builtin_prefetch(row + ahead, 0, 2);
				if (ahead) __builtin_prefetch(row + ahead + LANES, 0, 2);
			}
			transpose16(word);
			float *to = panel + i / 2 * NR + j;
#pragma GCC unroll 16
			for (size_t s = 0; s < 16; s++)
				if (s < steps) v_store(to + s * NR, word[s]);
		}
	}
}

static void lay_bf16(float *block, const float *x, size_t stride, size_t rows, size_t k)
{
	for (size_t i = 0; i < k; i += 2 * LANES, block += LANES * rows) {
		const size_t left = k - i < 2 * LANES ? k - i : 2 * LANES;
		__m512 word[16];
#pragma GCC unroll 16
		for (size_t r = 0; r < 16; r++) word[r] = r >= rows ? v_zero() : round_pairs(x + r * stride + i, left);
		transpose16(word);
		store_steps16(block, word, rows, (left + 1) / 2);
	}
}

const struct attend_gemm_table attend_gemm_avx512bf16 = {
	GEMM_AVX512_COMMON,
	GEMM_AVX512BF16_ROUND,
	.lay_bf16 = lay_bf16,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_AVX512_F32,
			[ATTEND_PACK_BF16] =
				{.mr = BF16_MR, .form = ATTEND_BLOCK_BF16, .unit = 1, .rate = 220, .part = 192, .tile = bf16_tile},
			[ATTEND_PACK_INT8] = GEMM_AVX512VNNI_INT8,
			[ATTEND_PACK_INT4] = GEMM_AVX512VNNI_INT4,
		},
};
