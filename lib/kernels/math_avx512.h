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

/* The normal tail Phi(-|x|) by polynomials of degree 5 around the multiples of a fifth up to 6.2, of which the nearest is looked
 * up: right to 3e-6 of itself, 0 from 6.3 on. (math_vector.h's 2^polynomial would take twice as long.) */
#define VF_NORMAL_TAIL
static inline vf vf_normal_tail(vf x)
{
	static const _Alignas(64) float factor[6][2 * LANES] = {
		{0.5f,
	     0.420740277f,
	     0.344578266f,
	     0.2742531f,
	     0.211855397f,
	     0.158655256f,
	     0.115069665f,
	     0.0807566568f,
	     0.0547992885f,
	     0.0359303169f,
	     0.0227501299f,
	     0.0139034465f,
	     0.00819753483f,
	     0.00466118753f,
	     0.00255513005f,
	     0.00134989782f,
	     0.000687137828f,
	     0.000336929195f,
	     0.00015910856f,
	     7.23480334e-05f,
	     3.16712358e-05f,
	     1.3345747e-05f,
	     5.41254303e-06f,
	     2.11245447e-06f,
	     7.93328127e-07f,
	     2.86651584e-07f,
	     9.96442751e-08f,
	     3.3320454e-08f,
	     1.07175939e-08f,
	     3.31574768e-09f,
	     9.86588367e-10f,
	     2.82316087e-10f},
		{-0.398942292f,    -0.39104268f,     -0.368270129f,    -0.333224595f,    -0.289691538f,    -0.241970718f,
	     -0.194186047f,    -0.149727464f,    -0.110920832f,    -0.0789501518f,   -0.0539909638f,   -0.035474591f,
	     -0.0223945286f,   -0.0135829682f,   -0.00791545026f,  -0.00443184795f,  -0.00238408777f,  -0.00123221881f,
	     -0.000611901749f, -0.000291946781f, -0.000133830152f, -5.89430201e-05f, -2.49424447e-05f, -1.01408386e-05f,
	     -3.96129235e-06f, -1.4867162e-06f,  -5.36101993e-07f, -1.85735516e-07f, -6.18259293e-08f, -1.97730863e-08f,
	     -6.07584116e-09f, -1.79376891e-09f},
		{-1.56668811e-08f, 0.0391041823f,   0.0736538768f,   0.099967204f,    0.115876459f,    0.120985247f,
	     0.116511583f,     0.10480924f,     0.0887367204f,   0.0710552186f,   0.0539910384f,   0.0390221104f,
	     0.0268734731f,    0.0176578779f,   0.0110816341f,   0.00664776564f,  0.00381453056f,  0.0020947617f,
	     0.00110141432f,   0.000554692408f, 0.000267655909f, 0.000123777616f, 5.48718053e-05f, 2.33230767e-05f,
	     9.50666708e-06f,  3.71658189e-06f, 1.39377039e-06f, 5.01445015e-07f, 1.73095856e-07f, 5.73354342e-08f,
	     1.82251085e-08f,  5.55983126e-09f},
		{0.0664909929f,    0.0625666156f,    0.051557567f,     0.03554371f,      0.0173812993f,    -1.01802534e-07f,
	     -0.014240304f,    -0.0239562895f,   -0.0288392436f,   -0.0294745248f,   -0.0269952975f,   -0.0227035955f,
	     -0.0177662391f,   -0.0130396159f,   -0.00902362168f,  -0.00590916304f,  -0.00367153832f,  -0.00216874783f,
	     -0.00121976004f,  -0.000653987983f, -0.000334594108f, -0.000163480625f, -7.63310236e-05f, -3.40772094e-05f,
	     -1.45532504e-05f, -5.94791118e-06f, -2.32717525e-06f, -8.71938539e-07f, -3.12932372e-07f, -1.07603135e-07f,
	     -3.54568037e-08f, -1.11983764e-08f},
		{-1.03980674e-05f, -0.00962199084f, -0.0173903462f,  -0.0219449066f,  -0.0227456633f,  -0.0201340374f,
	     -0.0151335401f,   -0.00908671506f, -0.00326854689f, 0.00140077691f,  0.00447910558f,  0.00596724683f,
	     0.00617039111f,   0.00552773662f,  0.00446869247f,  0.00332552195f,  0.00230418099f,  0.00149712083f,
	     0.00091660145f,   0.000530619291f, 0.000291187491f, 0.000151774104f, 7.52529741e-05f, 3.55372977e-05f,
	     1.59998381e-05f,  6.87350393e-06f, 2.81951975e-06f, 1.10500332e-06f, 4.13965381e-07f, 1.48308828e-07f,
	     5.08321705e-08f,  1.667342e-08f},
		{-0.00990500022f,  -0.00897134002f,  -0.00631256308f,  -0.00267212023f,  0.00104972126f,   0.00403284095f,
	     0.00576180313f,   0.00612110784f,   0.00534879882f,   0.0038923698f,    0.00223599211f,   0.000764059892f,
	     -0.000305926893f, -0.000921322091f, -0.00114714145f,  -0.00110445824f,  -0.000918489066f, -0.000687512453f,
	     -0.000472666346f, -0.000301949418f, -0.000180556453f, -0.000101569538f, -5.39438988e-05f, -2.71212957e-05f,
	     -1.29348482e-05f, -5.86138776e-06f, -2.52694963e-06f, -1.03756759e-06f, -4.06114594e-07f, -1.51642524e-07f,
	     -5.40521903e-08f, -1.84020514e-08f},
	};
	const vf t = vf_abs(x);
	const vf place = vf_fma(t, vf_set(5.0f), vf_set(12582912.0f)); /* the integer stands in the low bits */
	const vf r = vf_fnma(vf_sub(place, vf_set(12582912.0f)), vf_set(0.2f), t);
	const __m512i index = _mm512_castps_si512(place);
	vf p = _mm512_permutex2var_ps(vf_load(factor[5]), index, vf_load(factor[5] + LANES));
#pragma GCC unroll 5
	for (int i = 4; i >= 0; i--)
		p = vf_fma(p, r, _mm512_permutex2var_ps(vf_load(factor[i]), index, vf_load(factor[i] + LANES)));
	return _mm512_mask_mov_ps(p, vf_less_equal(vf_set(6.3f), t), vf_zero());
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
