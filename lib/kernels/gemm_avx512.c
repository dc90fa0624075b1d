/* gemm_avx512.c: products on 512-bit vectors (F, BW): panels of 32 columns; f32 blocks of 14 rows are 28 sums, 2 weights and 2
 * inputs in 32 registers. bf16 weights are widened (a shift, or a mask) and meet f32 inputs. int8 without VNNI splits bytes
 * into even and odd ones, as 16-bit numbers whose products and pair sums are exact. */
#include "lib/kernels/gemm_avx512.h"

#include "lib/kernels/gemm_finish.h"
#include "lib/kernels/transpose_avx512.h"

#define SUM             __m512
#define sum_zero()      v_zero()
#define sum_load(p)     v_load(p)
#define sum_store(p, v) v_store(p, v)

#define F32_MR 14

GEMM_UNROLLED void f32_step(__m512 sum[F32_MR][NV], const float *block, const unsigned char *panel, const size_t rows)
{
	__m512 w[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) w[v] = _mm512_loadu_ps(panel + v * 64);
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
		const __m512 x = v_set(block[r]);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[r][v] = v_fma(x, w[v], sum[r][v]);
	}
}

#define TILE            f32
#define TILE_MR         F32_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 128
#include "lib/kernels/gemm_tile.h"

/* The even inputs of the pairs, then the odd ones: the order of k. */
GEMM_UNROLLED void bf16_step(__m512 sum[F32_MR][NV], const float *block, const unsigned char *panel, const size_t rows)
{
#pragma GCC unroll 2
	for (size_t odd = 0; odd < 2; odd++) {
		__m512 w[NV];
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) {
			const __m512i pair = _mm512_loadu_si512(panel + v * 64);
			w[v] = _mm512_castsi512_ps(odd ? _mm512_and_si512(pair, _mm512_set1_epi32((int)0xffff0000u))
			                               : _mm512_slli_epi32(pair, 16));
		}
#pragma GCC unroll 16
		for (size_t r = 0; r < rows; r++) {
			const __m512 x = v_set(block[odd * rows + r]);
#pragma GCC unroll 2
			for (size_t v = 0; v < NV; v++) sum[r][v] = v_fma(x, w[v], sum[r][v]);
		}
	}
}

#define TILE            bf16
#define TILE_MR         F32_MR
#define TILE_UNIT       2
#define TILE_STEP_BYTES 128
#include "lib/kernels/gemm_tile.h"

#undef SUM
#undef sum_zero
#undef sum_load
#undef sum_store
#define SUM             __m512i
#define sum_zero()      _mm512_setzero_si512()
#define sum_load(p)     _mm512_loadu_si512(p)
#define sum_store(p, v) _mm512_storeu_si512(p, v)

#define INT8_MR 12

GEMM_UNROLLED void int8_step(__m512i sum[INT8_MR][NV], const float *block, const unsigned char *panel,
                             const size_t rows)
{
	__m512i even[NV], odd[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) {
		const __m512i w = _mm512_loadu_si512(panel + v * 64);
		even[v] = _mm512_srai_epi16(_mm512_slli_epi16(w, 8), 8);
		odd[v] = _mm512_srai_epi16(w, 8);
	}
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
		const __m512i x = word_set(block + r);
		const __m512i x_even = _mm512_and_si512(x, _mm512_set1_epi16(255)), x_odd = _mm512_srli_epi16(x, 8);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) {
			const __m512i pairs =
				_mm512_add_epi32(_mm512_madd_epi16(x_even, even[v]), _mm512_madd_epi16(x_odd, odd[v]));
			sum[r][v] = _mm512_add_epi32(sum[r][v], pairs);
		}
	}
}

#define TILE            int8
#define TILE_MR         INT8_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 128
#include "lib/kernels/gemm_tile.h"

/* Sixteen-bit sums hold a whole group: 8 words of at most 2*15*127. */
#define INT4_ROWS            1
#define int4_start(s)        _mm512_setzero_si512()
#define int4_step(sum, w, x) _mm512_add_epi16(sum, _mm512_maddubs_epi16(w, word_set(x)))
#define int4_end(sum, s)     _mm512_add_epi32(_mm512_madd_epi16(sum, _mm512_set1_epi16(1)), _mm512_set1_epi32(s))

#include "lib/kernels/gemm_int4.h"

void attend_f32_tile_avx512(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                            bool add, attend_ahead ahead)
{
	f32_tile(tile, block, panel, rows, steps, add, ahead);
}

void attend_bf16_tile_avx512(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                             bool add, attend_ahead ahead)
{
	bf16_tile(tile, block, panel, rows, steps, add, ahead);
}

/* A step of pairs is two steps of f32. */
void attend_bf16_expand_avx512(unsigned char *to, const unsigned char *panel, size_t steps)
{
	for (size_t s = 0; s < steps; s++, panel += 128, to += 256) {
		for (size_t v = 0; v < NV; v++) {
			const __m512i pair = _mm512_loadu_si512(panel + v * 64);
			_mm512_storeu_si512(to + v * 64, _mm512_slli_epi32(pair, 16));
			_mm512_storeu_si512(to + 128 + v * 64, _mm512_and_si512(pair, _mm512_set1_epi32((int)0xffff0000u)));
		}
	}
}

/* Four sums of each kind: one would wait for itself. */
bool attend_range_avx512(const float *x, size_t k, float *least, float *greatest)
{
	__m512 low[4], high[4], broken[4];
	for (size_t j = 0; j < 4; j++) low[j] = high[j] = broken[j] = v_zero();
	size_t i = 0;
	for (; i + 4 * LANES <= k; i += 4 * LANES) {
#pragma GCC unroll 4
		for (size_t j = 0; j < 4; j++) {
			const __m512 v = v_load(x + i + j * LANES);
			low[j] = _mm512_min_ps(v, low[j]);
			high[j] = _mm512_max_ps(v, high[j]);
			broken[j] = v_fma(v, v_zero(), broken[j]); /* stays 0, or becomes NaN */
		}
	}
	for (; i < k; i += LANES) {
		const __m512 v = k - i >= LANES ? v_load(x + i) : v_load_part(x + i, k - i);
		low[0] = _mm512_min_ps(v, low[0]);
		high[0] = _mm512_max_ps(v, high[0]);
		broken[0] = v_fma(v, v_zero(), broken[0]);
	}
	*least = _mm512_reduce_min_ps(_mm512_min_ps(_mm512_min_ps(low[0], low[1]), _mm512_min_ps(low[2], low[3])));
	*greatest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(high[0], high[1]), _mm512_max_ps(high[2], high[3])));
	const __m512 all = v_add(v_add(broken[0], broken[1]), v_add(broken[2], broken[3]));
	return _mm512_cmp_ps_mask(all, all, _CMP_UNORD_Q) == 0;
}

/* Sixty-four bytes at a time by packing with saturation, which is the bound of 32-bit numbers and, after the offset, of 16-bit
 * ones: no scaled element is near theirs. */
void attend_quantize_avx512(uint8_t *q, const float *x, size_t k, float inverse, int32_t offset, int32_t low,
                            int32_t high)
{
	const __m512 factor = v_set(inverse);
	const __m512i add = _mm512_set1_epi32(offset), least = _mm512_set1_epi32(low), most = _mm512_set1_epi32(high);
	const __m512i add16 = _mm512_set1_epi16((int16_t)offset), least16 = _mm512_set1_epi16((int16_t)low),
				  most16 = _mm512_set1_epi16((int16_t)high);
	/* Four bytes of each vector in turn stand in each quarter: back into four quarters. */
	const __m512i places = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
	size_t i = 0;
	for (; i + 4 * LANES <= k; i += 4 * LANES) {
		__m512i v[4];
#pragma GCC unroll 4
		for (size_t j = 0; j < 4; j++) v[j] = _mm512_cvtps_epi32(v_mul(v_load(x + i + j * LANES), factor));
		__m512i front = _mm512_adds_epi16(_mm512_packs_epi32(v[0], v[1]), add16),
				back = _mm512_adds_epi16(_mm512_packs_epi32(v[2], v[3]), add16);
		front = _mm512_min_epi16(_mm512_max_epi16(front, least16), most16);
		back = _mm512_min_epi16(_mm512_max_epi16(back, least16), most16);
		const __m512i bytes = low < 0 ? _mm512_packs_epi16(front, back) : _mm512_packus_epi16(front, back);
		_mm512_storeu_si512(q + i, _mm512_permutexvar_epi32(places, bytes));
	}
	for (; i < k; i += LANES) {
		const __mmask16 mask = (__mmask16)(k - i >= LANES ? 0xffff : v_mask(k - i));
		__m512i v = _mm512_cvtps_epi32(v_mul(_mm512_maskz_loadu_ps(mask, x + i), factor));
		v = _mm512_min_epi32(_mm512_max_epi32(_mm512_add_epi32(v, add), least), most);
		_mm512_mask_cvtepi32_storeu_epi8(q + i, mask, v);
	}
}

/* Packing leaves four bytes of each vector in turn in each quarter: word 4q+j holds inputs 16j+4q .. 16j+4q+3. */
void attend_lay_int8_avx512(float *block, const float *x, size_t stride, size_t rows, size_t k, const float *inverse,
                            const int32_t *zero)
{
	for (size_t i = 0; i < k; i += 4 * LANES, block += LANES * rows) {
		const size_t left = k - i < 4 * LANES ? k - i : 4 * LANES;
		__mmask16 mask[4];
#pragma GCC unroll 4
		for (size_t j = 0; j < 4; j++) {
			const size_t rest = left > j * LANES ? left - j * LANES : 0;
			mask[j] = (__mmask16)(rest >= LANES ? 0xffff : v_mask(rest));
		}
		__m512 word[16], step[16];
#pragma GCC unroll 16
		for (size_t r = 0; r < 16; r++) {
			if (r >= rows) {
				word[r] = v_zero();
				continue;
			}
			const float *from = x + r * stride + i;
			const __m512 factor = v_set(inverse[r]);
			const __m512i add = _mm512_set1_epi16((int16_t)zero[r]);
			__m512i v[4];
#pragma GCC unroll 4
			for (size_t j = 0; j < 4; j++)
				v[j] = _mm512_cvtps_epi32(v_mul(_mm512_maskz_loadu_ps(mask[j], from + j * LANES), factor));
			const __m512i front = _mm512_adds_epi16(_mm512_packs_epi32(v[0], v[1]), add),
						  back = _mm512_adds_epi16(_mm512_packs_epi32(v[2], v[3]), add);
			word[r] = _mm512_castsi512_ps(_mm512_packus_epi16(front, back));
		}
		transpose16(word);
#pragma GCC unroll 16
		for (size_t s = 0; s < 16; s++) step[s] = word[s % 4 * 4 + s / 4];
		store_steps16(block, step, rows, (left + 3) / 4);
	}
}

/* Two groups of a row at a time. Their sums are those of bytes without a sign, less 128 each. */
void attend_lay_int4_avx512(float *block, const float *x, size_t stride, size_t rows, size_t apart, size_t k,
                            const float *inverse)
{
	enum { WORDS = 9, GROUP = ATTEND_INT4_GROUP };
	const __m512i places = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
	for (size_t i = 0; i < k; i += 2 * GROUP, block += 2 * apart) {
		__mmask16 mask[4];
#pragma GCC unroll 4
		for (size_t j = 0; j < 4; j++) {
			const size_t rest = k - i > j * LANES ? k - i - j * LANES : 0;
			mask[j] = (__mmask16)(rest >= LANES ? 0xffff : v_mask(rest));
		}
		for (size_t r = 0; r < rows; r++) {
			const float *from = x + r * stride + i;
			const __m512 factor = v_set(inverse[r]);
			__m512i v[4];
#pragma GCC unroll 4
			for (size_t j = 0; j < 4; j++)
				v[j] = _mm512_cvtps_epi32(v_mul(_mm512_maskz_loadu_ps(mask[j], from + j * LANES), factor));
			__m512i q = _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
			q = _mm512_permutexvar_epi32(places, _mm512_max_epi8(q, _mm512_set1_epi8(-127)));
			__m512i sum = _mm512_sad_epu8(_mm512_xor_si512(q, _mm512_set1_epi8((char)0x80)), _mm512_setzero_si512());
			sum = _mm512_add_epi64(sum, _mm512_shuffle_epi32(sum, _MM_PERM_BADC));
			sum = _mm512_add_epi64(sum, _mm512_permutex_epi64(sum, 0x4e));
			sum = _mm512_slli_epi64(_mm512_sub_epi64(_mm512_set1_epi64(128 * GROUP), sum), 3);
			float *to = block + r * WORDS;
			_mm_storeu_si32(to, _mm512_castsi512_si128(sum));
			_mm256_storeu_si256((__m256i *)(void *)(to + 1), _mm512_castsi512_si256(q));
			if (k - i <= GROUP) continue;
			to += apart;
			_mm_storeu_si32(to, _mm512_extracti32x4_epi32(sum, 2));
			_mm256_storeu_si256((__m256i *)(void *)(to + 1), _mm512_extracti64x4_epi64(q, 1));
		}
	}
}

/* Nearest bf16 of all lanes in the low halves: ties to even, NaN stays NaN. */
static inline __m512i bf16_bits(__m512 v)
{
	const __m512i bits = _mm512_castps_si512(v), high = _mm512_srli_epi32(bits, 16);
	const __m512i tie = _mm512_add_epi32(_mm512_and_si512(high, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7fff));
	const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, tie), 16);
	const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
	return _mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40));
}

void attend_round_bf16_avx512(uint16_t *y, const float *x, size_t k)
{
	for (size_t i = 0; i < k; i += LANES) {
		const __mmask16 mask = (__mmask16)(k - i >= LANES ? 0xffff : v_mask(k - i));
		_mm512_mask_cvtepi32_storeu_epi16(y + i, mask, bf16_bits(_mm512_maskz_loadu_ps(mask, x + i)));
	}
}

void attend_pair_bf16_avx512(float *y, const float *even, const float *odd, size_t count)
{
	for (size_t j = 0; j < count; j += LANES) {
		const __mmask16 mask = (__mmask16)(count - j >= LANES ? 0xffff : v_mask(count - j));
		const __m512i low = bf16_bits(_mm512_maskz_loadu_ps(mask, even + j));
		const __m512i high = bf16_bits(_mm512_maskz_loadu_ps(mask, odd + j));
		_mm512_mask_storeu_epi32(y + j, mask, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
	}
}

void attend_finish_avx512(const attend_tile_out *out)
{
	finish(out);
}

const struct attend_gemm_table attend_gemm_avx512 = {
	GEMM_AVX512_COMMON,
	GEMM_AVX512_ROUND,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_AVX512_F32,
			[ATTEND_PACK_BF16] = GEMM_AVX512_BF16,
			[ATTEND_PACK_INT8] =
				{.mr = INT8_MR, .form = ATTEND_BLOCK_INT8, .unit = 1, .rate = 180, .part = 192, .tile = int8_tile},
			[ATTEND_PACK_INT4] =
				{.mr = 64, .form = ATTEND_BLOCK_INT4, .unit = 9, .rate = 120, .part = 32, .tile = int4_tile},
		},
};
