/* gemm_neon.h: what the two Arm levels share: vectors, and the functions of gemm_neon.c that NEON-dot's table takes over. */
#ifndef ATTEND_KERNELS_GEMM_NEON_H
#define ATTEND_KERNELS_GEMM_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

#define VECTOR         float32x4_t
#define INTEGERS       int32x4_t
#define LANES          ((size_t)4)
#define NV             ((size_t)2)
#define v_zero()       vdupq_n_f32(0.0f)
#define v_set(x)       vdupq_n_f32(x)
#define v_load(p)      vld1q_f32(p)
#define v_store(p, v)  vst1q_f32(p, v)
#define v_fma(a, b, c) vfmaq_f32(c, a, b)
#define v_mul(a, b)    vmulq_f32(a, b)
#define v_add(a, b)    vaddq_f32(a, b)

static inline float32x4_t v_load_part(const float *p, size_t count)
{
	float lanes[4] = {0};
	memcpy(lanes, p, count * sizeof *p);
	return vld1q_f32(lanes);
}

static inline void v_store_part(float *p, float32x4_t v, size_t count)
{
	float lanes[4];
	vst1q_f32(lanes, v);
	memcpy(p, lanes, count * sizeof *p);
}

#define i_set(x)      vdupq_n_s32(x)
#define i_load(p)     vld1q_s32((const int32_t *)(const void *)(p))
#define i_sub(a, b)   vsubq_s32(a, b)
#define i_mul(a, b)   vmulq_s32(a, b)
#define i_to_float(v) vcvtq_f32_s32(v)

#define INT4_TOGETHER  ((size_t)2)
#define int4_low(p)    vreinterpretq_s32_u8(vandq_u8(vld1q_u8(p), vdupq_n_u8(15)))
#define int4_high(p)   vreinterpretq_s32_u8(vshrq_n_u8(vld1q_u8(p), 4))
#define int4_scales(p) vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16))

/* Four bytes at p in all words. */
static inline int8x16_t word_set(const void *p)
{
	int32_t word;
	memcpy(&word, p, sizeof word);
	return vreinterpretq_s8_s32(vdupq_n_s32(word));
}

void attend_f32_tile_neon(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                          bool add, attend_ahead ahead);
void attend_bf16_tile_neon(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                           bool add, attend_ahead ahead);
void attend_interleave_neon(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
                            size_t ahead);
void attend_bf16_expand_neon(unsigned char *to, const unsigned char *panel, size_t steps);
bool attend_range_neon(const float *x, size_t k, float *least, float *greatest);
void attend_quantize_neon(uint8_t *q, const float *x, size_t k, float inverse, int32_t offset, int32_t low,
                          int32_t high);
void attend_round_bf16_neon(uint16_t *y, const float *x, size_t k);
void attend_finish_neon(const attend_tile_out *out);

/* The entries of a table that both levels have alike. */
#define GEMM_NEON_COMMON                                                                                  \
	.nr = 8, .interleave = attend_interleave_neon, .gather = attend_gather_portable,                      \
	.pack_int4 = attend_pack_int4_portable, .range = attend_range_neon, .quantize = attend_quantize_neon, \
	.round_bf16 = attend_round_bf16_neon, .finish = attend_finish_neon
#define GEMM_NEON_F32                                                                                        \
	{                                                                                                        \
		.mr = 12, .form = ATTEND_BLOCK_F32, .unit = 1, .rate = 80, .part = 512, .tile = attend_f32_tile_neon \
	}
#define GEMM_NEON_BF16                                                                                         \
	{                                                                                                          \
		.mr = 12, .form = ATTEND_BLOCK_F32, .unit = 2, .rate = 40, .part = 384, .tile = attend_bf16_tile_neon, \
		.expand_from = 3, .factor = 2, .expand = attend_bf16_expand_neon, .expanded = attend_f32_tile_neon     \
	}

#endif
