/* math_avx512.h: vectors of 16 floats for the row operations. vf: floats, vm: a mask, vd: two halves of doubles, vu, vw: words
 * of 32 and 64 bits. The same names, on other widths, are in math_avx2.h and math_neon.h; what is built from them in *_vector.h. */
#ifndef ATTEND_KERNELS_MATH_AVX512_H
#define ATTEND_KERNELS_MATH_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES = 16 };
typedef __m512 vf;
typedef __mmask16 vm;
typedef __m512i vu, vw;
typedef struct vd {
	__m512d low, high;
} vd;

static inline vm vm_first(size_t count) /* lanes 0 .. count-1, count <= LANES */
{
	return (vm)((1u << count) - 1u);
}

/* Lanes i with lo <= first + i < hi; first + LANES, lo, hi <= 64. */
static inline vm vm_range(size_t first, size_t lo, size_t hi)
{
	const uint64_t below_hi = hi >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << hi) - 1;
	const uint64_t from_lo = lo >= 64 ? 0 : ~(uint64_t)0 << lo;
	return (vm)((below_hi & from_lo) >> first);
}

static inline vf vf_set(float x)
{
	return _mm512_set1_ps(x);
}

static inline vf vf_zero(void)
{
	return _mm512_setzero_ps();
}

static inline vf vf_load(const float *p)
{
	return _mm512_loadu_ps(p);
}

static inline void vf_store(float *p, vf x)
{
	_mm512_storeu_ps(p, x);
}

/* Lanes of m, 0 elsewhere; memory of the other lanes is not touched. */
static inline vf vf_load_where(vm m, const float *p)
{
	return _mm512_maskz_loadu_ps(m, p);
}

static inline void vf_store_where(vm m, float *p, vf x)
{
	_mm512_mask_storeu_ps(p, m, x);
}

static inline vf vf_add(vf a, vf b)
{
	return _mm512_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
	return _mm512_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
	return _mm512_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
	return _mm512_div_ps(a, b);
}

/* 1/x within an ulp, for 1 <= x < 2^126 (or NaN): an estimate of 14 bits and a Newton step take less than a division. */
static inline vf vf_reciprocal(vf x)
{
	const vf y = _mm512_rcp14_ps(x);
	return _mm512_fmadd_ps(y, _mm512_fnmadd_ps(x, y, _mm512_set1_ps(1.0f)), y);
}

static inline vf vf_sqrt(vf a)
{
	return _mm512_sqrt_ps(a);
}

static inline vf vf_fma(vf a, vf b, vf c) /* a*b + c */
{
	return _mm512_fmadd_ps(a, b, c);
}

static inline vf vf_fnma(vf a, vf b, vf c) /* c - a*b */
{
	return _mm512_fnmadd_ps(a, b, c);
}

static inline vf vf_max(vf a, vf b) /* a > b ? a : b */
{
	return _mm512_max_ps(a, b);
}

static inline vf vf_min(vf a, vf b) /* a < b ? a : b */
{
	return _mm512_min_ps(a, b);
}

static inline vf vf_abs(vf a)
{
	return _mm512_abs_ps(a);
}

static inline vf vf_copysign(vf magnitude, vf sign)
{
	return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32(INT32_MIN), _mm512_castps_si512(sign),
	                                                     _mm512_castps_si512(magnitude), 0xca));
}

static inline vm vf_less(vf a, vf b) /* false for NaN */
{
	return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static inline vm vf_less_equal(vf a, vf b) /* false for NaN */
{
	return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}

static inline vf vf_select(vm m, vf a, vf b) /* m ? a : b */
{
	return _mm512_mask_blend_ps(m, b, a);
}

static inline vf vf_keep(vm m, vf a) /* m ? a : 0 */
{
	return _mm512_maskz_mov_ps(m, a);
}

static inline float vf_sum(vf a)
{
	const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
	__m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

static inline float vf_largest(vf a)
{
	const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
	__m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
	q = _mm_max_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

static inline bool vf_all_finite(vf a)
{
	return _mm512_fpclass_ps_mask(a, 0x99) == 0; /* quiet or signalling NaN, +-inf */
}

/* p * 2^n for math_vector.h's exponential, n integral; t = n + MATH_ROUND holds n in its low bits. */
static inline vf vf_scale_exp(vf p, vf n, vf t)
{
	(void)t;
	return _mm512_scalef_ps(p, n);
}

static inline vd vd_zero(void)
{
	return (vd){_mm512_setzero_pd(), _mm512_setzero_pd()};
}

static inline vd vd_widen(vf a)
{
	return (vd){_mm512_cvtps_pd(_mm512_castps512_ps256(a)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1))};
}

static inline vd vd_add(vd a, vd b)
{
	return (vd){_mm512_add_pd(a.low, b.low), _mm512_add_pd(a.high, b.high)};
}

static inline vd vd_fma(vd a, vd b, vd c)
{
	return (vd){_mm512_fmadd_pd(a.low, b.low, c.low), _mm512_fmadd_pd(a.high, b.high, c.high)};
}

static inline double vd_sum(vd a)
{
	const __m512d s = _mm512_add_pd(a.low, a.high);
	const __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(s), _mm512_extractf64x4_pd(s, 1));
	const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
	return _mm_cvtsd_f64(_mm_add_sd(q, _mm_unpackhi_pd(q, q)));
}

static inline vu vu_of(vf a) /* the same bits */
{
	return _mm512_castps_si512(a);
}

static inline vf vf_of(vu a)
{
	return _mm512_castsi512_ps(a);
}

/* Group g of four lanes from p + g*stride. */
static inline vf vf_load_fours(const float *p, size_t stride)
{
	const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1);
	const __m256 high =
		_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 2 * stride)), _mm_loadu_ps(p + 3 * stride), 1);
	return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

static inline vu vu_set(uint32_t x)
{
	return _mm512_set1_epi32((int)x);
}

/* vw: 64-bit words, LANES / 2. */
static inline vw vw_set(uint64_t x)
{
	return _mm512_set1_epi64((int64_t)x);
}

static inline vw vw_load(const uint64_t *p)
{
	return _mm512_loadu_si512(p);
}

static inline vw vw_add(vw a, vw b)
{
	return _mm512_add_epi64(a, b);
}

static inline vw vw_multiply(vw a, vw b) /* of the low halves */
{
	return _mm512_mul_epu32(a, b);
}

static inline vw vw_high(vw a) /* the high half */
{
	return _mm512_srli_epi64(a, 32);
}

static inline vw vw_xor(vw a, vw b, vw c)
{
	return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

/* In each word the low halves of a (below) and b (above). */
static inline vw vw_pair(vw a, vw b)
{
	return _mm512_mask_blend_epi32(0xaaaa, a, _mm512_slli_epi64(b, 32));
}

/* Even and odd words of a and b side by side: r[0] = a0 b0 a2 b2 ..., r[1] = a1 b1 a3 b3 ... */
static inline void vw_zip(vu r[2], vw a, vw b)
{
	r[0] = _mm512_unpacklo_epi64(a, b);
	r[1] = _mm512_unpackhi_epi64(a, b);
}

static inline vm vu_bits(vu a, uint32_t bit) /* lanes whose bit is set */
{
	return _mm512_test_epi32_mask(a, _mm512_set1_epi32((int)bit));
}

static inline vm vu_at_least(vu a, vu b) /* a >= b, unsigned */
{
	return _mm512_cmp_epu32_mask(a, b, _MM_CMPINT_NLT);
}

/* Within each group of four lanes: word v of the result r is word lane%4 = v of a, b, c, d in turn. */
static inline void vu_transpose4(vu r[4], vu a, vu b, vu c, vu d)
{
	const __m512i ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
	const __m512i cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
	r[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
	r[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
	r[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
	r[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

#endif
