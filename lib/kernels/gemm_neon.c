/* gemm_neon.c: products on 128-bit Arm vectors: panels of 8 columns, f32 blocks of 12 rows (24 sums in 32 registers). bf16
 * weights are widened and meet f32 inputs; int8 goes through 16-bit products, whose pair sums are exact because inputs are
 * s8 (q - 128). */
#include "lib/kernels/gemm_neon.h"

#include "lib/core/half.h"
#include "lib/kernels/gemm_finish.h"

#define SUM             float32x4_t
#define sum_zero()      v_zero()
#define sum_load(p)     v_load(p)
#define sum_store(p, v) v_store(p, v)

#define F32_MR 12

GEMM_UNROLLED void f32_step(float32x4_t sum[F32_MR][NV], const float *block, const unsigned char *panel,
                            const size_t rows)
{
	const float32x4_t w[NV] = {vreinterpretq_f32_u8(vld1q_u8(panel)), vreinterpretq_f32_u8(vld1q_u8(panel + 16))};
#pragma GCC unroll 12
	for (size_t r = 0; r < rows; r++) {
		const float32x4_t x = vld1q_dup_f32(block + r);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[r][v] = v_fma(x, w[v], sum[r][v]);
	}
}

#define TILE            f32
#define TILE_MR         F32_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 32
#include "lib/kernels/gemm_tile.h"

/* The even inputs of the pairs, then the odd ones: the order of k. */
GEMM_UNROLLED void bf16_step(float32x4_t sum[F32_MR][NV], const float *block, const unsigned char *panel,
                             const size_t rows)
{
#pragma GCC unroll 2
	for (size_t odd = 0; odd < 2; odd++) {
		float32x4_t w[NV];
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) {
			const uint32x4_t pair = vreinterpretq_u32_u8(vld1q_u8(panel + v * 16));
			w[v] = vreinterpretq_f32_u32(odd ? vandq_u32(pair, vdupq_n_u32(0xffff0000u)) : vshlq_n_u32(pair, 16));
		}
#pragma GCC unroll 12
		for (size_t r = 0; r < rows; r++) {
			const float32x4_t x = vld1q_dup_f32(block + odd * rows + r);
#pragma GCC unroll 2
			for (size_t v = 0; v < NV; v++) sum[r][v] = v_fma(x, w[v], sum[r][v]);
		}
	}
}

#define TILE            bf16
#define TILE_MR         F32_MR
#define TILE_UNIT       2
#define TILE_STEP_BYTES 32
#include "lib/kernels/gemm_tile.h"

#undef SUM
#undef sum_zero
#undef sum_load
#undef sum_store
#define SUM             int32x4_t
#define sum_zero()      vdupq_n_s32(0)
#define sum_load(p)     i_load(p)
#define sum_store(p, v) vst1q_s32((int32_t *)(void *)(p), v)

#define INT8_MR 12

GEMM_UNROLLED void int8_step(int32x4_t sum[INT8_MR][NV], const float *block, const unsigned char *panel,
                             const size_t rows)
{
	int8x16_t w[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) w[v] = vreinterpretq_s8_u8(vld1q_u8(panel + v * 16));
#pragma GCC unroll 12
	for (size_t r = 0; r < rows; r++) {
		const int8x16_t x = word_set(block + r);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) {
			/* at most 2 * 128 * 127 in 16 bits */
			const int16x8_t pairs = vpaddq_s16(vmull_s8(vget_low_s8(w[v]), vget_low_s8(x)), vmull_high_s8(w[v], x));
			sum[r][v] = vpadalq_s16(sum[r][v], pairs);
		}
	}
}

#define TILE            int8
#define TILE_MR         INT8_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 32
#include "lib/kernels/gemm_tile.h"

/* Pairs of products as 16-bit sums hold a whole group: 8 words of at most 2*15*127. */
static inline int32x4_t add_pairs(int32x4_t sum, int8x16_t w, int8x16_t x)
{
	const int16x8_t pairs = vpaddq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)), vmull_high_s8(w, x));
	return vreinterpretq_s32_s16(vaddq_s16(vreinterpretq_s16_s32(sum), pairs));
}

#define INT4_ROWS            6
#define int4_start(s)        vdupq_n_s32(0)
#define int4_step(sum, w, x) add_pairs(sum, vreinterpretq_s8_s32(w), word_set(x))
#define int4_end(sum, s)     vpadalq_s16(vdupq_n_s32(s), vreinterpretq_s16_s32(sum))

#include "lib/kernels/gemm_int4.h"

void attend_f32_tile_neon(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                          bool add, attend_ahead ahead)
{
	f32_tile(tile, block, panel, rows, steps, add, ahead);
}

void attend_bf16_tile_neon(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps,
                           bool add, attend_ahead ahead)
{
	bf16_tile(tile, block, panel, rows, steps, add, ahead);
}

/* A step of pairs is two steps of f32. */
void attend_bf16_expand_neon(unsigned char *to, const unsigned char *panel, size_t steps)
{
	for (size_t s = 0; s < steps; s++, panel += 32, to += 64) {
		for (size_t v = 0; v < NV; v++) {
			const uint32x4_t pair = vreinterpretq_u32_u8(vld1q_u8(panel + v * 16));
			vst1q_u8(to + v * 16, vreinterpretq_u8_u32(vshlq_n_u32(pair, 16)));
			vst1q_u8(to + 32 + v * 16, vreinterpretq_u8_u32(vandq_u32(pair, vdupq_n_u32(0xffff0000u))));
		}
	}
}

/* Four rows of four into columns at a time; what is left over goes word by word. */
void attend_interleave_neon(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
                            size_t ahead)
{
	const size_t j4 = columns / 4 * 4, i4 = k / 4 * 4;
	for (size_t j = 0; j < j4; j += 4) {
		const float *from = src + j * stride;
		float *to = dst + j;
		for (size_t i = 0; i < i4; i += 4, to += 4 * width) {
			for (size_t c = 0; ahead && c < 4 && i % 16 == 0; c++)
				__builtin_prefetch(from + c * stride + i + ahead, 0, 2);
			const float32x4_t a = vld1q_f32(from + i), b = vld1q_f32(from + stride + i);
			const float32x4_t c = vld1q_f32(from + 2 * stride + i), d = vld1q_f32(from + 3 * stride + i);
			const float32x4_t ab0 = vtrn1q_f32(a, b), ab1 = vtrn2q_f32(a, b), cd0 = vtrn1q_f32(c, d),
							  cd1 = vtrn2q_f32(c, d);
			vst1q_f32(to, vcombine_f32(vget_low_f32(ab0), vget_low_f32(cd0)));
			vst1q_f32(to + width, vcombine_f32(vget_low_f32(ab1), vget_low_f32(cd1)));
			vst1q_f32(to + 2 * width, vcombine_f32(vget_high_f32(ab0), vget_high_f32(cd0)));
			vst1q_f32(to + 3 * width, vcombine_f32(vget_high_f32(ab1), vget_high_f32(cd1)));
		}
	}
	for (size_t i = 0; i < k; i++) {
		for (size_t j = i < i4 ? j4 : 0; j < width; j++) {
			if (j < columns) memcpy(dst + i * width + j, src + j * stride + i, sizeof *dst);
			else dst[i * width + j] = 0.0f;
		}
	}
}

bool attend_range_neon(const float *x, size_t k, float *least, float *greatest)
{
	float32x4_t low = v_zero(), high = v_zero(), broken = v_zero();
	for (size_t i = 0; i < k; i += LANES) {
		const float32x4_t v = k - i >= LANES ? v_load(x + i) : v_load_part(x + i, k - i);
		low = vminq_f32(v, low);
		high = vmaxq_f32(v, high);
		broken = v_fma(v, v_zero(), broken); /* stays 0, or becomes NaN */
	}
	*least = vminvq_f32(low);
	*greatest = vmaxvq_f32(high);
	return vminvq_u32(vceqq_f32(broken, broken)) != 0;
}

void attend_quantize_neon(uint8_t *q, const float *x, size_t k, float inverse, int32_t offset, int32_t low,
                          int32_t high)
{
	const int32x4_t add = i_set(offset), least = i_set(low), most = i_set(high);
	for (size_t i = 0; i < k; i += LANES) {
		const size_t count = k - i < LANES ? k - i : LANES;
		const float32x4_t values = count == LANES ? v_load(x + i) : v_load_part(x + i, count);
		const int32x4_t rounded = vaddq_s32(vcvtnq_s32_f32(vmulq_n_f32(values, inverse)), add);
		const int16x4_t v = vmovn_s32(vminq_s32(vmaxq_s32(rounded, least), most));
		uint8_t bytes[8];
		vst1_u8(bytes, vreinterpret_u8_s8(vmovn_s16(vcombine_s16(v, v))));
		memcpy(q + i, bytes, count);
	}
}

void attend_round_bf16_neon(uint16_t *y, const float *x, size_t k)
{
	for (size_t i = 0; i < k; i++) y[i] = attend_f32_bf16(x[i]);
}

void attend_finish_neon(const attend_tile_out *out)
{
	finish(out);
}

const struct attend_gemm_table attend_gemm_neon = {
	GEMM_NEON_COMMON,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_NEON_F32,
			[ATTEND_PACK_BF16] = GEMM_NEON_BF16,
			[ATTEND_PACK_INT8] =
				{.mr = INT8_MR, .form = ATTEND_BLOCK_INT8_S, .unit = 1, .rate = 40, .part = 512, .tile = int8_tile},
			[ATTEND_PACK_INT4] =
				{.mr = 64, .form = ATTEND_BLOCK_INT4, .unit = 9, .rate = 30, .part = 128, .tile = int4_tile},
		},
};
