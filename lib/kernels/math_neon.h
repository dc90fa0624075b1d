/* math_neon.h: vectors of 4 floats, the names of math_avx512.h on AArch64 Advanced SIMD. */
#ifndef ATTEND_KERNELS_MATH_NEON_H
#define ATTEND_KERNELS_MATH_NEON_H

#include <arm_neon.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES = 4 };
typedef float32x4_t vf;
typedef uint32x4_t vm; /* all bits of a lane, or none */
typedef uint32x4_t vu;
typedef uint64x2_t vw;
typedef struct vd {
	float64x2_t low, high;
} vd;

static inline vu lane_numbers(void)
{
	static const uint32_t numbers[4] = {0, 1, 2, 3};
	return vld1q_u32(numbers);
}

static inline vm vm_first(size_t count)
{
	return vcltq_u32(lane_numbers(), vdupq_n_u32((uint32_t)count));
}

static inline vm vm_range(size_t first, size_t lo, size_t hi)
{
	const vu at = vaddq_u32(vdupq_n_u32((uint32_t)first), lane_numbers());
	return vandq_u32(vcgeq_u32(at, vdupq_n_u32((uint32_t)lo)), vcltq_u32(at, vdupq_n_u32((uint32_t)hi)));
}

static inline vf vf_set(float x)
{
	return vdupq_n_f32(x);
}

static inline vf vf_zero(void)
{
	return vdupq_n_f32(0.0f);
}

static inline vf vf_load(const float *p)
{
	return vld1q_f32(p);
}

static inline void vf_store(float *p, vf x)
{
	vst1q_f32(p, x);
}

/* There are no masked accesses: lane by lane. */
static inline vf vf_load_where(vm m, const float *p)
{
	vf x = vdupq_n_f32(0.0f);
	if (vgetq_lane_u32(m, 0)) x = vld1q_lane_f32(p, x, 0);
	if (vgetq_lane_u32(m, 1)) x = vld1q_lane_f32(p + 1, x, 1);
	if (vgetq_lane_u32(m, 2)) x = vld1q_lane_f32(p + 2, x, 2);
	if (vgetq_lane_u32(m, 3)) x = vld1q_lane_f32(p + 3, x, 3);
	return x;
}

static inline void vf_store_where(vm m, float *p, vf x)
{
	if (vgetq_lane_u32(m, 0)) vst1q_lane_f32(p, x, 0);
	if (vgetq_lane_u32(m, 1)) vst1q_lane_f32(p + 1, x, 1);
	if (vgetq_lane_u32(m, 2)) vst1q_lane_f32(p + 2, x, 2);
	if (vgetq_lane_u32(m, 3)) vst1q_lane_f32(p + 3, x, 3);
}

static inline vf vf_add(vf a, vf b)
{
	return vaddq_f32(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
	return vsubq_f32(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
	return vmulq_f32(a, b);
}

static inline vf vf_div(vf a, vf b)
{
	return vdivq_f32(a, b);
}

static inline vf vf_reciprocal(vf x)
{
	return vdivq_f32(vdupq_n_f32(1.0f), x);
}

static inline vf vf_sqrt(vf a)
{
	return vsqrtq_f32(a);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
	return vfmaq_f32(c, a, b);
}

static inline vf vf_fnma(vf a, vf b, vf c)
{
	return vfmsq_f32(c, a, b);
}

static inline vf vf_max(vf a, vf b)
{
	return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline vf vf_min(vf a, vf b)
{
	return vbslq_f32(vcltq_f32(a, b), a, b);
}

static inline vf vf_abs(vf a)
{
	return vabsq_f32(a);
}

static inline vf vf_copysign(vf magnitude, vf sign)
{
	return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude);
}

static inline vm vf_less(vf a, vf b)
{
	return vcltq_f32(a, b);
}

static inline vm vf_less_equal(vf a, vf b)
{
	return vcleq_f32(a, b);
}

static inline vf vf_select(vm m, vf a, vf b)
{
	return vbslq_f32(m, a, b);
}

static inline vf vf_keep(vm m, vf a)
{
	return vreinterpretq_f32_u32(vandq_u32(m, vreinterpretq_u32_f32(a)));
}

static inline float vf_sum(vf a)
{
	return vaddvq_f32(a);
}

static inline float vf_largest(vf a)
{
	float x[4], max;
	vst1q_f32(x, a);
	max = x[0] > x[1] ? x[0] : x[1];
	max = max > x[2] ? max : x[2];
	return max > x[3] ? max : x[3];
}

static inline bool vf_all_finite(vf a)
{
	return vminvq_u32(vcltq_f32(vabsq_f32(a), vdupq_n_f32(INFINITY))) != 0;
}

static inline vf vf_scale_exp(vf p, vf n, vf t)
{
	(void)n;
	const vu y = vaddq_u32(vreinterpretq_u32_f32(p), vshlq_n_u32(vreinterpretq_u32_f32(t), 23));
	return vreinterpretq_f32_u32(vornq_u32(y, vceqq_f32(p, p)));
}

static inline vd vd_zero(void)
{
	return (vd){vdupq_n_f64(0.0), vdupq_n_f64(0.0)};
}

static inline vd vd_widen(vf a)
{
	return (vd){vcvt_f64_f32(vget_low_f32(a)), vcvt_high_f64_f32(a)};
}

static inline vd vd_add(vd a, vd b)
{
	return (vd){vaddq_f64(a.low, b.low), vaddq_f64(a.high, b.high)};
}

static inline vd vd_fma(vd a, vd b, vd c)
{
	return (vd){vfmaq_f64(c.low, a.low, b.low), vfmaq_f64(c.high, a.high, b.high)};
}

static inline double vd_sum(vd a)
{
	return vaddvq_f64(vaddq_f64(a.low, a.high));
}

static inline vu vu_of(vf a)
{
	return vreinterpretq_u32_f32(a);
}

static inline vf vf_of(vu a)
{
	return vreinterpretq_f32_u32(a);
}

static inline vf vf_load_fours(const float *p, size_t stride)
{
	(void)stride;
	return vld1q_f32(p);
}

static inline vu vu_set(uint32_t x)
{
	return vdupq_n_u32(x);
}

static inline vw vw_set(uint64_t x)
{
	return vdupq_n_u64(x);
}

static inline vw vw_load(const uint64_t *p)
{
	return vld1q_u64(p);
}

static inline vw vw_add(vw a, vw b)
{
	return vaddq_u64(a, b);
}

static inline vw vw_multiply(vw a, vw b)
{
	return vmull_u32(vmovn_u64(a), vmovn_u64(b));
}

static inline vw vw_high(vw a)
{
	return vshrq_n_u64(a, 32);
}

static inline vw vw_xor(vw a, vw b, vw c)
{
	return veorq_u64(veorq_u64(a, b), c);
}

static inline vw vw_pair(vw a, vw b)
{
	return vsliq_n_u64(a, b, 32);
}

static inline void vw_zip(vu r[2], vw a, vw b)
{
	r[0] = vreinterpretq_u32_u64(vzip1q_u64(a, b));
	r[1] = vreinterpretq_u32_u64(vzip2q_u64(a, b));
}

static inline vm vu_bits(vu a, uint32_t bit)
{
	return vtstq_u32(a, vdupq_n_u32(bit));
}

static inline vm vu_at_least(vu a, vu b)
{
	return vcgeq_u32(a, b);
}

static inline void vu_transpose4(vu r[4], vu a, vu b, vu c, vu d)
{
	const uint32x4x2_t ab = vzipq_u32(a, b), cd = vzipq_u32(c, d);
	r[0] = vreinterpretq_u32_u64(vzip1q_u64(vreinterpretq_u64_u32(ab.val[0]), vreinterpretq_u64_u32(cd.val[0])));
	r[1] = vreinterpretq_u32_u64(vzip2q_u64(vreinterpretq_u64_u32(ab.val[0]), vreinterpretq_u64_u32(cd.val[0])));
	r[2] = vreinterpretq_u32_u64(vzip1q_u64(vreinterpretq_u64_u32(ab.val[1]), vreinterpretq_u64_u32(cd.val[1])));
	r[3] = vreinterpretq_u32_u64(vzip2q_u64(vreinterpretq_u64_u32(ab.val[1]), vreinterpretq_u64_u32(cd.val[1])));
}

#endif
