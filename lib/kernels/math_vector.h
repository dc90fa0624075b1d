/* math_vector.h: math_portable.h's functions on the vectors of the level whose math_<level>.h is included before, and how a
 * row is walked. Included by one row_<level>.c each. */
#ifndef ATTEND_KERNELS_MATH_VECTOR_H
#define ATTEND_KERNELS_MATH_VECTOR_H

#include "lib/kernels/math_portable.h"

/* Elements at i of a row of n: the statements for whole vectors, then for the rest, the same operations on `part` lanes. */
#define FOR_VECTORS(i, part, n, ...)           \
	do {                                       \
		size_t i = 0;                          \
		for (; i + LANES <= (n); i += LANES) { \
			const size_t part = LANES;         \
			__VA_ARGS__;                       \
		}                                      \
		if (i < (n)) {                         \
			const size_t part = (n)-i;         \
			__VA_ARGS__;                       \
		}                                      \
	} while (0)

static inline vf vf_get(const float *p, size_t part) /* lanes behind `part` are 0 */
{
	return part == LANES ? vf_load(p) : vf_load_where(vm_first(part), p);
}

static inline void vf_put(float *p, vf x, size_t part)
{
	if (part == LANES) vf_store(p, x);
	else vf_store_where(vm_first(part), p, x);
}

static inline vf vf_first(vf x, size_t part) /* lanes behind `part` become 0 */
{
	return part == LANES ? x : vf_keep(vm_first(part), x);
}

static inline vf vf_exp(vf x)
{
	/* The bound is the first argument: a NaN passes. */
	const vf bounded = vf_min(vf_set(128.0f), x);
	const vf t = vf_fma(bounded, vf_set(MATH_LOG2_E), vf_set(MATH_ROUND));
	const vf n = vf_sub(t, vf_set(MATH_ROUND));
	vf r = vf_fnma(n, vf_set(MATH_LN2_HIGH), bounded);
	r = vf_fnma(n, vf_set(MATH_LN2_LOW), r);
	vf p = vf_fma(vf_set(MATH_E6), r, vf_set(MATH_E5));
	p = vf_fma(p, r, vf_set(MATH_E4));
	p = vf_fma(p, r, vf_set(MATH_E3));
	p = vf_fma(p, r, vf_set(MATH_E2));
	p = vf_fma(p, r, vf_set(1.0f));
	p = vf_fma(p, r, vf_set(1.0f));
	const vf y = vf_select(vf_less(vf_set(MATH_EXP_HIGH), x), vf_set(INFINITY), vf_scale_exp(p, n, t));
	return vf_select(vf_less(x, vf_set(MATH_EXP_LOW)), vf_zero(), y);
}

static inline vf vf_exp2(vf x) /* x <= MATH_EXP2_HIGH, or NaN */
{
	const vf t = vf_add(x, vf_set(MATH_ROUND));
	const vf n = vf_sub(t, vf_set(MATH_ROUND));
	const vf r = vf_sub(x, n);
	vf p = vf_fma(vf_set(MATH_P5), r, vf_set(MATH_P4));
	p = vf_fma(p, r, vf_set(MATH_P3));
	p = vf_fma(p, r, vf_set(MATH_P2));
	p = vf_fma(p, r, vf_set(MATH_P1));
	p = vf_fma(p, r, vf_set(1.0f));
	return vf_select(vf_less(x, vf_set(MATH_EXP2_LOW)), vf_zero(), vf_scale_exp(p, n, t));
}

/* 1/(1 + 2^a). The bound is the first argument: a NaN passes. */
static inline vf vf_logistic(vf a)
{
	const vf e = vf_exp2(vf_min(vf_set(MATH_EXP2_HIGH), a));
	const vf y = vf_reciprocal(vf_add(vf_set(1.0f), e));
	return vf_select(vf_less(vf_set(MATH_EXP2_HIGH), a), vf_zero(), y);
}

static inline vf vf_sigmoid(vf x)
{
	return vf_logistic(vf_mul(vf_set(-MATH_LOG2_E), x));
}

static inline vf vf_tanh(vf x)
{
	const vf a = vf_abs(x), z = vf_mul(x, x);
	vf p = vf_fma(vf_set(MATH_T4), z, vf_set(MATH_T3));
	p = vf_fma(p, z, vf_set(MATH_T2));
	p = vf_fma(p, z, vf_set(MATH_T1));
	p = vf_fma(p, z, vf_set(MATH_T0));
	const vf small = vf_fma(vf_mul(p, z), x, x);
	const vf e = vf_exp(vf_add(a, a));
	const vf large = vf_sub(vf_set(1.0f), vf_div(vf_set(2.0f), vf_add(e, vf_set(1.0f)))); /* e may be infinite */
	return vf_select(vf_less(a, vf_set(MATH_TANH_SMALL)), small, vf_copysign(large, x));
}

/* d sigmoid: s (1 - s) */
static inline vf vf_bell(vf s)
{
	return vf_fnma(s, s, s);
}

#ifndef VF_GELU
static inline vf vf_normal_tail(vf x)
{
	const vf t = vf_abs(x);
	vf p = vf_fma(vf_set(MATH_N10), t, vf_set(MATH_N9));
	p = vf_fma(p, t, vf_set(MATH_N8));
	p = vf_fma(p, t, vf_set(MATH_N7));
	p = vf_fma(p, t, vf_set(MATH_N6));
	p = vf_fma(p, t, vf_set(MATH_N5));
	p = vf_fma(p, t, vf_set(MATH_N4));
	p = vf_fma(p, t, vf_set(MATH_N3));
	p = vf_fma(p, t, vf_set(MATH_N2));
	p = vf_fma(p, t, vf_set(MATH_N1));
	return vf_exp2(vf_fma(p, t, vf_set(MATH_N0)));
}

static inline vf vf_normal_cdf(vf x)
{
	const vf tail = vf_normal_tail(x);
	return vf_select(vf_less(x, vf_zero()), tail, vf_sub(vf_set(1.0f), tail));
}

static inline vf vf_gelu_sigmoid(vf x)
{
	return vf_logistic(vf_mul(x, vf_fma(vf_set(MATH_GELU_B), vf_mul(x, x), vf_set(MATH_GELU_A))));
}

static inline vf vf_gelu(vf x)
{
	return vf_mul(x, vf_normal_cdf(x));
}

static inline vf vf_gelu_tanh(vf x)
{
	return vf_mul(x, vf_gelu_sigmoid(x));
}

static inline vf vf_gelu_slope(vf x)
{
	const vf density = vf_mul(vf_set(MATH_DENSITY), vf_exp2(vf_mul(vf_mul(vf_set(-0.5f * MATH_LOG2_E), x), x)));
	return vf_fma(x, density, vf_normal_cdf(x));
}

static inline vf vf_gelu_tanh_slope(vf x)
{
	const vf s = vf_gelu_sigmoid(x);
	const vf inner = vf_fma(vf_mul(vf_set(3.0f * MATH_GELU_CUBE), x), x, vf_set(1.0f));
	return vf_fma(vf_mul(x, vf_bell(s)), vf_mul(vf_set(MATH_GELU_TANH), inner), s);
}
#endif

static inline vf vf_mish_exp(vf x)
{
	return vf_exp(vf_min(vf_set(20.0f), x));
}

static inline vf vf_mish_tanh(vf u)
{
	const vf n = vf_mul(u, vf_add(u, vf_set(2.0f)));
	return vf_div(n, vf_add(n, vf_set(2.0f)));
}

/* |x| <= MATH_ANGLE_END */
static inline void vf_sincos(vf *sine, vf *cosine, vf x)
{
	const vf t = vf_fma(x, vf_set(MATH_TWO_OVER_PI), vf_set(MATH_ROUND)); /* the quadrant stands in its low bits */
	const vf j = vf_sub(t, vf_set(MATH_ROUND));
	const vf r = vf_fnma(j, vf_set(MATH_HALF_PI_LOW), vf_fnma(j, vf_set(MATH_HALF_PI_HIGH), x));
	const vf z = vf_mul(r, r);
	const vf ps = vf_fma(vf_fma(vf_set(MATH_S3), z, vf_set(MATH_S2)), z, vf_set(MATH_S1));
	const vf pc = vf_fma(vf_fma(vf_set(MATH_C3), z, vf_set(MATH_C2)), z, vf_set(MATH_C1));
	const vf s = vf_fma(vf_mul(ps, z), r, r);
	const vf c = vf_fma(vf_mul(pc, z), z, vf_fma(vf_set(-0.5f), z, vf_set(1.0f)));
	const vm swap = vu_bits(vu_of(t), 1);
	const vf a = vf_select(swap, c, s), b = vf_select(swap, s, c);
	*sine = vf_select(vu_bits(vu_of(t), 2), vf_sub(vf_zero(), a), a);
	*cosine = vf_select(vu_bits(vu_of(vf_add(t, vf_set(1.0f))), 2), vf_sub(vf_zero(), b), b);
}

/* Called with a constant `act`, so that one case is left. */
static inline vf vf_activate(vf x, attend_activation act)
{
	const vm negative = vf_less(x, vf_zero());
	switch (act) {
	case ATTEND_ACT_RELU: return vf_select(negative, vf_zero(), x);
	case ATTEND_ACT_GELU: return vf_gelu(x);
	case ATTEND_ACT_GELU_NEW:
	case ATTEND_ACT_GELU_FAST: return vf_gelu_tanh(x);
	case ATTEND_ACT_QUICK_GELU: return vf_mul(x, vf_sigmoid(vf_mul(vf_set(MATH_QUICK), x)));
	case ATTEND_ACT_GELU_10: return vf_min(vf_set(10.0f), vf_gelu(x));
	case ATTEND_ACT_SILU: return vf_mul(x, vf_sigmoid(x));
	case ATTEND_ACT_TANH: return vf_tanh(x);
	case ATTEND_ACT_SIGMOID: return vf_sigmoid(x);
	case ATTEND_ACT_RELU2: return vf_select(negative, vf_zero(), vf_mul(x, x));
	case ATTEND_ACT_RELU6: return vf_min(vf_set(6.0f), vf_select(negative, vf_zero(), x));
	case ATTEND_ACT_LEAKY_RELU: return vf_select(negative, vf_mul(vf_set(MATH_LEAK), x), x);
	case ATTEND_ACT_MISH: return vf_mul(x, vf_mish_tanh(vf_mish_exp(x)));
	case ATTEND_ACT_NONE:
	case ATTEND_ACT_COUNT: break;
	}
	return x;
}

static inline vf vf_slope(vf x, attend_activation act)
{
	const vf zero = vf_zero(), one = vf_set(1.0f);
	const vm left = vf_less_equal(x, zero);
	switch (act) {
	case ATTEND_ACT_RELU: return vf_select(left, zero, one);
	case ATTEND_ACT_GELU: return vf_gelu_slope(x);
	case ATTEND_ACT_GELU_10: return vf_select(vf_less(vf_set(10.0f), vf_gelu(x)), zero, vf_gelu_slope(x));
	case ATTEND_ACT_GELU_NEW:
	case ATTEND_ACT_GELU_FAST: return vf_gelu_tanh_slope(x);
	case ATTEND_ACT_QUICK_GELU: {
		const vf s = vf_sigmoid(vf_mul(vf_set(MATH_QUICK), x));
		return vf_fma(vf_mul(vf_set(MATH_QUICK), x), vf_bell(s), s);
	}
	case ATTEND_ACT_SILU: {
		const vf s = vf_sigmoid(x);
		return vf_fma(x, vf_bell(s), s);
	}
	case ATTEND_ACT_TANH: {
		const vf t = vf_tanh(x);
		return vf_fnma(t, t, one);
	}
	case ATTEND_ACT_SIGMOID: return vf_bell(vf_sigmoid(x));
	case ATTEND_ACT_RELU2: return vf_select(left, zero, vf_add(x, x));
	case ATTEND_ACT_RELU6: return vf_select(vf_less_equal(vf_set(6.0f), x), zero, vf_select(left, zero, one));
	case ATTEND_ACT_LEAKY_RELU: return vf_select(left, vf_set(MATH_LEAK), one);
	case ATTEND_ACT_MISH: {
		const vf u = vf_mish_exp(x), t = vf_mish_tanh(u);
		return vf_fma(vf_mul(x, vf_fnma(t, t, one)), vf_div(u, vf_add(one, u)), t);
	}
	case ATTEND_ACT_NONE:
	case ATTEND_ACT_COUNT: break;
	}
	return one;
}

#endif
