/* math_avx2.h: vectors of 8 floats, the names of math_avx512.h on AVX2 and FMA. */
#ifndef ATTEND_KERNELS_MATH_AVX2_H
#define ATTEND_KERNELS_MATH_AVX2_H

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES = 8 };
typedef __m256 vf;
typedef __m256 vm; /* all bits of a lane, or none */
typedef __m256i vu, vw;
typedef struct vd {
	__m256d low, high;
} vd;

static inline __m256i lane_numbers(void)
{
	return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}

static inline vm vm_first(size_t count)
{
	return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane_numbers()));
}

static inline vm vm_range(size_t first, size_t lo, size_t hi)
{
	const __m256i at = _mm256_add_epi32(_mm256_set1_epi32((int)first), lane_numbers());
	const __m256i below_hi = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)hi), at);
	return _mm256_castsi256_ps(_mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)lo), at), below_hi));
}

static inline vf vf_set(float x)
{
	return _mm256_set1_ps(x);
}

static inline vf vf_zero(void)
{
	return _mm256_setzero_ps();
}

static inline vf vf_load(const float *p)
{
	return _mm256_loadu_ps(p);
}

static inline void vf_store(float *p, vf x)
{
	_mm256_storeu_ps(p, x);
}

static inline vf vf_load_where(vm m, const float *p)
{
	return _mm256_maskload_ps(p, _mm256_castps_si256(m));
}

static inline void vf_store_where(vm m, float *p, vf x)
{
	_mm256_maskstore_ps(p, _mm256_castps_si256(m), x);
}

static inline vf vf_add(vf a, vf b)
{
	return _mm256_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
	return _mm256_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
	return _mm256_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
	return _mm256_div_ps(a, b);
}

static inline vf vf_reciprocal(vf x)
{
	return _mm256_div_ps(_mm256_set1_ps(1.0f), x);
}

static inline vf vf_sqrt(vf a)
{
	return _mm256_sqrt_ps(a);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
	return _mm256_fmadd_ps(a, b, c);
}

static inline vf vf_fnma(vf a, vf b, vf c)
{
	return _mm256_fnmadd_ps(a, b, c);
}

static inline vf vf_max(vf a, vf b)
{
	return _mm256_max_ps(a, b);
}

static inline vf vf_min(vf a, vf b)
{
	return _mm256_min_ps(a, b);
}

static inline vf vf_abs(vf a)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

static inline vf vf_copysign(vf magnitude, vf sign)
{
	const __m256 bit = _mm256_set1_ps(-0.0f);
	return _mm256_or_ps(_mm256_andnot_ps(bit, magnitude), _mm256_and_ps(bit, sign));
}

static inline vm vf_less(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

static inline vm vf_less_equal(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_LE_OQ);
}

static inline vf vf_select(vm m, vf a, vf b)
{
	return _mm256_blendv_ps(b, a, m);
}

static inline vf vf_keep(vm m, vf a)
{
	return _mm256_and_ps(m, a);
}

static inline float vf_sum(vf a)
{
	__m128 q = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

static inline float vf_largest(vf a)
{
	__m128 q = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	q = _mm_max_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

static inline bool vf_all_finite(vf a)
{
	const __m256 finite = _mm256_cmp_ps(vf_abs(a), _mm256_set1_ps(INFINITY), _CMP_LT_OQ);
	return _mm256_movemask_ps(finite) == 0xff;
}

/* Right where math_vector.h uses the result: 2^-126 <= p 2^n < 2^128; a NaN is put back there. */
static inline vf vf_scale_exp(vf p, vf n, vf t)
{
	(void)n;
	const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
	const __m256 y = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
	return _mm256_or_ps(y, _mm256_cmp_ps(p, p, _CMP_UNORD_Q));
}

static inline vd vd_zero(void)
{
	return (vd){_mm256_setzero_pd(), _mm256_setzero_pd()};
}

static inline vd vd_widen(vf a)
{
	return (vd){_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1))};
}

static inline vd vd_add(vd a, vd b)
{
	return (vd){_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}

static inline vd vd_fma(vd a, vd b, vd c)
{
	return (vd){_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
}

static inline double vd_sum(vd a)
{
	const __m256d h = _mm256_add_pd(a.low, a.high);
	const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
	return _mm_cvtsd_f64(_mm_add_sd(q, _mm_unpackhi_pd(q, q)));
}

static inline vu vu_of(vf a)
{
	return _mm256_castps_si256(a);
}

static inline vf vf_of(vu a)
{
	return _mm256_castsi256_ps(a);
}

static inline vf vf_load_fours(const float *p, size_t stride)
{
	return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1);
}

static inline vu vu_set(uint32_t x)
{
	return _mm256_set1_epi32((int)x);
}

static inline vw vw_set(uint64_t x)
{
	return _mm256_set1_epi64x((int64_t)x);
}

static inline vw vw_load(const uint64_t *p)
{
	return _mm256_loadu_si256((const void *)p);
}

static inline vw vw_add(vw a, vw b)
{
	return _mm256_add_epi64(a, b);
}

static inline vw vw_multiply(vw a, vw b)
{
	return _mm256_mul_epu32(a, b);
}

static inline vw vw_high(vw a)
{
	return _mm256_srli_epi64(a, 32);
}

static inline vw vw_xor(vw a, vw b, vw c)
{
	return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

static inline vw vw_pair(vw a, vw b)
{
	return _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa);
}

static inline void vw_zip(vu r[2], vw a, vw b)
{
	r[0] = _mm256_unpacklo_epi64(a, b);
	r[1] = _mm256_unpackhi_epi64(a, b);
}

static inline vm vu_bits(vu a, uint32_t bit)
{
	return _mm256_castsi256_ps(
		_mm256_cmpeq_epi32(_mm256_and_si256(a, _mm256_set1_epi32((int)bit)), _mm256_set1_epi32((int)bit)));
}

static inline vm vu_at_least(vu a, vu b)
{
	return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a));
}

static inline void vu_transpose4(vu r[4], vu a, vu b, vu c, vu d)
{
	const __m256i ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
	const __m256i cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
	r[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
	r[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
	r[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
	r[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

#endif
