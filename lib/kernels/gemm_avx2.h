/* gemm_avx2.h: what the 256-bit levels share: vectors, and the functions of gemm_avx2.c that AVX-VNNI's table takes over. */
#ifndef ATTEND_KERNELS_GEMM_AVX2_H
#define ATTEND_KERNELS_GEMM_AVX2_H

#include <immintrin.h>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

static inline __m256i load_integers(const void *p)
{
	return _mm256_loadu_si256((const __m256i *)p);
}

static inline void store_integers(void *p, __m256i v)
{
	_mm256_storeu_si256((__m256i *)p, v);
}

/* Four bytes at p in all words. */
static inline __m256i word_set(const void *p)
{
	int32_t word;
	__builtin_memcpy(&word, p, sizeof word);
	return _mm256_set1_epi32(word);
}

/* All ones in the first `count` <= 8 lanes: a window over eight ones and eight zeros. */
static inline __m256i first_lanes(size_t count)
{
	static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
	return load_integers(ones + 8 - count);
}

#define VECTOR                    __m256
#define INTEGERS                  __m256i
#define LANES                     ((size_t)8)
#define NV                        ((size_t)2)
#define v_zero()                  _mm256_setzero_ps()
#define v_set(x)                  _mm256_set1_ps(x)
#define v_load(p)                 _mm256_loadu_ps(p)
#define v_store(p, v)             _mm256_storeu_ps(p, v)
#define v_fma(a, b, c)            _mm256_fmadd_ps(a, b, c)
#define v_mul(a, b)               _mm256_mul_ps(a, b)
#define v_add(a, b)               _mm256_add_ps(a, b)
#define v_load_part(p, count)     _mm256_maskload_ps(p, first_lanes(count))
#define v_store_part(p, v, count) _mm256_maskstore_ps(p, first_lanes(count), v)

#define INT4_TOGETHER ((size_t)1)
#define int4_low(p)   _mm256_and_si256(load_integers(p), _mm256_set1_epi8(15))
#define int4_high(p)  _mm256_and_si256(_mm256_srli_epi16(load_integers(p), 4), _mm256_set1_epi8(15))
#define int4_scales(p)   \
	_mm256_castsi256_ps( \
		_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p))), 16))
#define i_set(x)      _mm256_set1_epi32(x)
#define i_load(p)     load_integers(p)
#define i_sub(a, b)   _mm256_sub_epi32(a, b)
#define i_mul(a, b)   _mm256_mullo_epi32(a, b)
#define i_to_float(v) _mm256_cvtepi32_ps(v)

void attend_f32_tile_avx2(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                          bool add, attend_ahead ahead);
void attend_bf16_tile_avx2(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                           bool add, attend_ahead ahead);
void attend_bf16_expand_avx2(unsigned char *to, const unsigned char *panel, size_t steps);
bool attend_range_avx2(const float *x, size_t k, float *least, float *greatest);
void attend_quantize_avx2(uint8_t *q, const float *x, size_t k, float inverse, int32_t offset, int32_t low,
                          int32_t high);
void attend_round_bf16_avx2(uint16_t *y, const float *x, size_t k);
void attend_finish_avx2(const attend_tile_out *out);

/* The entries of a table that both 256-bit levels have alike. */
#define GEMM_AVX2_COMMON                                                                                              \
	.nr = 16, .interleave = attend_interleave_avx2, .gather = attend_gather_avx2, .pack_int4 = attend_pack_int4_avx2, \
	.range = attend_range_avx2, .quantize = attend_quantize_avx2, .round_bf16 = attend_round_bf16_avx2,               \
	.finish = attend_finish_avx2
#define GEMM_AVX2_F32                                                                                        \
	{                                                                                                        \
		.mr = 6, .form = ATTEND_BLOCK_F32, .unit = 1, .rate = 220, .part = 256, .tile = attend_f32_tile_avx2 \
	}
#define GEMM_AVX2_BF16                                                                                         \
	{                                                                                                          \
		.mr = 6, .form = ATTEND_BLOCK_F32, .unit = 2, .rate = 110, .part = 192, .tile = attend_bf16_tile_avx2, \
		.expand_from = 3, .factor = 2, .expand = attend_bf16_expand_avx2, .expanded = attend_f32_tile_avx2     \
	}

#endif
