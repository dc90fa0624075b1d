/* gemm_avx512.h: what the 512-bit levels share: vectors, and the functions of gemm_avx512.c that their tables take over. */
#ifndef ATTEND_KERNELS_GEMM_AVX512_H
#define ATTEND_KERNELS_GEMM_AVX512_H

#include <immintrin.h>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

#define VECTOR                    __m512
#define INTEGERS                  __m512i
#define LANES                     ((size_t)16)
#define NV                        ((size_t)2)
#define v_zero()                  _mm512_setzero_ps()
#define v_set(x)                  _mm512_set1_ps(x)
#define v_load(p)                 _mm512_loadu_ps(p)
#define v_store(p, v)             _mm512_storeu_ps(p, v)
#define v_fma(a, b, c)            _mm512_fmadd_ps(a, b, c)
#define v_mul(a, b)               _mm512_mul_ps(a, b)
#define v_add(a, b)               _mm512_add_ps(a, b)
#define v_mask(count)             ((__mmask16)((1u << (count)) - 1u))
#define v_load_part(p, count)     _mm512_maskz_loadu_ps(v_mask(count), p)
#define v_store_part(p, v, count) _mm512_mask_storeu_ps(p, v_mask(count), v)

#define INT4_TOGETHER ((size_t)2)
#define int4_low(p)   _mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(15))
#define int4_high(p)  _mm512_and_si512(_mm512_srli_epi16(_mm512_loadu_si512(p), 4), _mm512_set1_epi8(15))
#define int4_scales(p)   \
	_mm512_castsi512_ps( \
		_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(p))), 16))
#define i_set(x)      _mm512_set1_epi32(x)
#define i_load(p)     _mm512_loadu_si512(p)
#define i_sub(a, b)   _mm512_sub_epi32(a, b)
#define i_mul(a, b)   _mm512_mullo_epi32(a, b)
#define i_to_float(v) _mm512_cvtepi32_ps(v)

/* Four bytes at p in all words. */
static inline __m512i word_set(const void *p)
{
	int32_t word;
	__builtin_memcpy(&word, p, sizeof word);
	return _mm512_set1_epi32(word);
}

void attend_f32_tile_avx512(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                            bool add, attend_ahead ahead);
void attend_bf16_tile_avx512(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                             bool add, attend_ahead ahead);
void attend_int8_tile_avx512vnni(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                                 bool add, attend_ahead ahead);
void attend_int4_tile_avx512vnni(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                                 bool add, attend_ahead ahead);
void attend_int4_tile_amx(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                          bool add, attend_ahead ahead);
void attend_int4_tiles_enter(void);
void attend_bf16_expand_avx512(unsigned char *to, const unsigned char *panel, size_t steps);
bool attend_range_avx512(const float *x, size_t k, float *least, float *greatest);
void attend_quantize_avx512(uint8_t *q, const float *x, size_t k, float inverse, int32_t offset, int32_t low,
                            int32_t high);
void attend_lay_int8_avx512(float *block, const float *x, size_t stride, size_t rows, size_t k, const float *inverse,
                            const int32_t *zero);
void attend_lay_int4_avx512(float *block, const float *x, size_t stride, size_t rows, size_t apart, size_t k,
                            const float *inverse);
void attend_round_bf16_avx512(uint16_t *y, const float *x, size_t k);
void attend_pair_bf16_avx512(float *y, const float *even, const float *odd, size_t count);
void attend_round_bf16_avx512bf16(uint16_t *y, const float *x, size_t k);
void attend_pair_bf16_avx512bf16(float *y, const float *even, const float *odd, size_t count);
void attend_panel_bf16_avx512bf16(float *panel, const float *x, size_t stride, size_t columns, size_t k, size_t ahead);
void attend_finish_avx512(const attend_tile_out *out);

/* The entries of a table that all 512-bit levels have alike. */
#define GEMM_AVX512_COMMON                                                                                  \
	.nr = 32, .interleave = attend_interleave_avx512, .gather = attend_gather_avx512,                       \
	.pack_int4 = attend_pack_int4_avx512, .range = attend_range_avx512, .quantize = attend_quantize_avx512, \
	.lay_int8 = attend_lay_int8_avx512, .lay_int4 = attend_lay_int4_avx512, .finish = attend_finish_avx512
/* Rounding to bf16, without and with instructions for it. */
#define GEMM_AVX512_ROUND .round_bf16 = attend_round_bf16_avx512, .pair_bf16 = attend_pair_bf16_avx512
#define GEMM_AVX512BF16_ROUND                                                             \
	.round_bf16 = attend_round_bf16_avx512bf16, .pair_bf16 = attend_pair_bf16_avx512bf16, \
	.panel_bf16 = attend_panel_bf16_avx512bf16
#define GEMM_AVX512_F32                                                                                         \
	{                                                                                                           \
		.mr = 14, .form = ATTEND_BLOCK_F32, .unit = 1, .rate = 440, .part = 192, .tile = attend_f32_tile_avx512 \
	}
#define GEMM_AVX512_BF16                                                                                         \
	{                                                                                                            \
		.mr = 14, .form = ATTEND_BLOCK_F32, .unit = 2, .rate = 220, .part = 96, .tile = attend_bf16_tile_avx512, \
		.expand_from = 3, .factor = 2, .expand = attend_bf16_expand_avx512, .expanded = attend_f32_tile_avx512   \
	}
#define GEMM_AVX512VNNI_INT8                                                                                          \
	{                                                                                                                 \
		.mr = 14, .form = ATTEND_BLOCK_INT8, .unit = 1, .rate = 440, .part = 192, .tile = attend_int8_tile_avx512vnni \
	}
#define GEMM_AVX512VNNI_INT4                                                                                         \
	{                                                                                                                \
		.mr = 64, .form = ATTEND_BLOCK_INT4, .unit = 9, .rate = 120, .part = 32, .tile = attend_int4_tile_avx512vnni \
	}

#endif
