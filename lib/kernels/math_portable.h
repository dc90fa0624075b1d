/* math_portable.h: elementary functions on one float, and the constants that math_vector.h shares, so that every level runs
 * the same algorithms (AVX-512 has its own for GELU). Polynomials are minimax fits (Lawson's algorithm in f64,
 * coefficients rounded to f32). */
#ifndef ATTEND_KERNELS_MATH_PORTABLE_H
#define ATTEND_KERNELS_MATH_PORTABLE_H

#include <math.h>

#include "lib/core/half.h"
#include "lib/kernels/kernels.h"

/* e^x = 2^n e^r, n = round(x log2 e), |r| <= ln 2 / 2; e^r = 1 + r + r^2 (E2 + E3 r + ... + E6 r^4), relative error 3e-9.
 * Results below 2^-126 are 0: a subnormal would cost more than the rest of its row, and nothing here can tell it from 0. */
#define MATH_EXP_LOW  -87.33654f
#define MATH_EXP_HIGH 88.72283f
#define MATH_LOG2_E   1.44269504f
#define MATH_ROUND    12582912.0f /* 1.5 * 2^23: adding it rounds to an integer that stands in the low bits */
#define MATH_LN2_HIGH 0.693359375f
#define MATH_LN2_LOW  -2.12194440e-4f
#define MATH_E2       0.49999994f
#define MATH_E3       0.166665152f
#define MATH_E4       0.0416684560f
#define MATH_E5       0.00836941879f
#define MATH_E6       0.00138131448f

/* 2^x = 2^n 2^r, n = round(x), for x <= 126: in attention (scores times log2 e), sigmoid and gelu. 2^r = 1 + r (P1 + P2 r + ... + P5 r^4),
 * relative error 1e-7. Below 2^-126: 0. */
#define MATH_EXP2_LOW  -126.0f
#define MATH_EXP2_HIGH 126.0f
#define MATH_P1        0.693146944f
#define MATH_P2        0.240222335f
#define MATH_P3        0.0555074029f
#define MATH_P4        0.00967204571f
#define MATH_P5        0.0013264044f
#define MATH_LN_2      0.693147181f

/* tanh x = x + x z (T0 + T1 z + ... + T4 z^4), z = x^2, for |x| < 0.625, relative error 5e-9; 1 - 2/(e^2x + 1) above. */
#define MATH_TANH_SMALL 0.625f
#define MATH_T0         -0.333332807f
#define MATH_T1         0.133314416f
#define MATH_T2         -0.0537397005f
#define MATH_T3         0.0206390414f
#define MATH_T4         -0.00570493378f

/* The normal tail Phi(-t) = 2^(N0 + N1 t + ... + N10 t^10), t >= 0, fitted to 6.2 so that t Phi(-t) is right to 5e-8 and
 * Phi(-t) to 7e-6 of itself up to 6; from there on it falls faster than it should, from 1e-9 to 0. */
#define MATH_N0  -1.0f
#define MATH_N1  -1.15110588f
#define MATH_N2  -0.459205478f
#define MATH_N3  -0.0524935201f
#define MATH_N4  0.00703160977f
#define MATH_N5  -7.45197758e-05f
#define MATH_N6  -0.000241620364f
#define MATH_N7  6.48900022e-05f
#define MATH_N8  -8.90648789e-06f
#define MATH_N9  6.60586863e-07f
#define MATH_N10 -2.08945927e-08f

/* sin and cos: x = j pi/2 + r, |r| <= pi/4; sin r = r + r z (S1 + S2 z + S3 z^2), cos r = 1 - z/2 + z^2 (C1 + C2 z + C3 z^2),
 * z = r^2, relative error 4e-9. With fused multiplications the reduction is exact to 2^-31 up to MATH_ANGLE_END. */
#define MATH_ANGLE_END    131072.0f
#define MATH_TWO_OVER_PI  0.636619747f
#define MATH_HALF_PI_HIGH 1.57079637f
#define MATH_HALF_PI_LOW  -4.37113883e-8f
#define MATH_S1           -0.166666552f
#define MATH_S2           0.00833216868f
#define MATH_S3           -0.000195159955f
#define MATH_C1           0.0416666456f
#define MATH_C2           -0.00138873036f
#define MATH_C3           2.44316561e-05f

#define MATH_GELU_TANH 1.5957691216f  /* 2 sqrt(2/pi) */
#define MATH_GELU_A    -2.302208199f  /* -2 sqrt(2/pi) log2 e */
#define MATH_GELU_B    -0.1029432397f /* 0.044715 times that */
#define MATH_GELU_CUBE 0.044715f
#define MATH_DENSITY   0.39894228f /* 1/sqrt(2 pi) */
#define MATH_QUICK     1.702f
#define MATH_LEAK      0.01f

static inline float math_exp(float x)
{
	const float t = x * MATH_LOG2_E + MATH_ROUND;
	const float n = t - MATH_ROUND;
	const float r = (x - n * MATH_LN2_HIGH) - n * MATH_LN2_LOW;
	const float p = (((MATH_E6 * r + MATH_E5) * r + MATH_E4) * r + MATH_E3) * r + MATH_E2;
	const float y = attend_bits_f32(attend_f32_bits((p * r * r + r) + 1.0f) + (attend_f32_bits(t) << 23));
	return x != x ? x : x < MATH_EXP_LOW ? 0.0f : x > MATH_EXP_HIGH ? INFINITY : y;
}

static inline float math_exp2(float x) /* x <= MATH_EXP2_HIGH, or NaN */
{
	const float t = x + MATH_ROUND;
	const float r = x - (t - MATH_ROUND);
	const float p = (((MATH_P5 * r + MATH_P4) * r + MATH_P3) * r + MATH_P2) * r + MATH_P1;
	const float y = attend_bits_f32(attend_f32_bits(p * r + 1.0f) + (attend_f32_bits(t) << 23));
	return x != x ? x : x < MATH_EXP2_LOW ? 0.0f : y;
}

/* 1/(1 + 2^a) */
static inline float math_logistic(float a)
{
	return a > MATH_EXP2_HIGH ? 0.0f : 1.0f / (1.0f + math_exp2(a));
}

static inline float math_sigmoid(float x)
{
	return math_logistic(-MATH_LOG2_E * x);
}

static inline float math_tanh(float x)
{
	const float a = fabsf(x), z = x * x;
	const float p = (((MATH_T4 * z + MATH_T3) * z + MATH_T2) * z + MATH_T1) * z + MATH_T0;
	return a < MATH_TANH_SMALL ? p * z * x + x : copysignf(1.0f - 2.0f / (math_exp(2.0f * a) + 1.0f), x);
}

/* Phi(-|x|) */
static inline float math_normal_tail(float x)
{
	const float t = fabsf(x);
	float p = MATH_N10 * t + MATH_N9;
	p = p * t + MATH_N8;
	p = p * t + MATH_N7;
	p = p * t + MATH_N6;
	p = p * t + MATH_N5;
	p = p * t + MATH_N4;
	p = p * t + MATH_N3;
	p = p * t + MATH_N2;
	p = p * t + MATH_N1;
	return math_exp2(p * t + MATH_N0);
}

/* Phi(x): near 0 and in the left tail without the cancellation of 0.5(1 + erf). */
static inline float math_normal_cdf(float x)
{
	const float tail = math_normal_tail(x);
	return x < 0.0f ? tail : 1.0f - tail;
}

/* The tanh forms of gelu by 0.5(1 + tanh(u)) = sigmoid(2u), which does not cancel for u << 0. */
static inline float math_gelu_sigmoid(float x)
{
	return math_logistic(x * (MATH_GELU_A + MATH_GELU_B * (x * x)));
}

/* tanh(log(1+u)) = u(u+2)/(u(u+2)+2), u = e^x; from x = 20 on it rounds to 1. */
static inline float math_mish_tanh(float u)
{
	const float n = u * (u + 2.0f);
	return n / (n + 2.0f);
}

static inline float math_mish_exp(float x)
{
	return math_exp(x > 20.0f ? 20.0f : x);
}

static inline float math_activate(float x, attend_activation act)
{
	switch (act) {
	case ATTEND_ACT_RELU: return x < 0.0f ? 0.0f : x;
	case ATTEND_ACT_GELU: return x * math_normal_cdf(x);
	case ATTEND_ACT_GELU_NEW:
	case ATTEND_ACT_GELU_FAST: return x * math_gelu_sigmoid(x);
	case ATTEND_ACT_QUICK_GELU: return x * math_sigmoid(MATH_QUICK * x);
	case ATTEND_ACT_GELU_10: {
		const float y = x * math_normal_cdf(x);
		return y > 10.0f ? 10.0f : y; /* never below -0.17 */
	}
	case ATTEND_ACT_SILU: return x * math_sigmoid(x);
	case ATTEND_ACT_TANH: return math_tanh(x);
	case ATTEND_ACT_SIGMOID: return math_sigmoid(x);
	case ATTEND_ACT_RELU2: return x < 0.0f ? 0.0f : x * x;
	case ATTEND_ACT_RELU6: return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
	case ATTEND_ACT_LEAKY_RELU: return x < 0.0f ? MATH_LEAK * x : x;
	case ATTEND_ACT_MISH: return x * math_mish_tanh(math_mish_exp(x));
	case ATTEND_ACT_NONE:
	case ATTEND_ACT_COUNT: break;
	}
	return x;
}

/* d act(x) / dx; at a kink the left one, as PyTorch has it. */
static inline float math_slope(float x, attend_activation act)
{
	switch (act) {
	case ATTEND_ACT_RELU: return x <= 0.0f ? 0.0f : 1.0f;
	case ATTEND_ACT_GELU: return math_normal_cdf(x) + x * (MATH_DENSITY * math_exp2(-0.5f * MATH_LOG2_E * x * x));
	case ATTEND_ACT_GELU_10: return x * math_normal_cdf(x) > 10.0f ? 0.0f : math_slope(x, ATTEND_ACT_GELU);
	case ATTEND_ACT_GELU_NEW:
	case ATTEND_ACT_GELU_FAST: {
		const float s = math_gelu_sigmoid(x);
		return s + x * (s * (1.0f - s)) * (MATH_GELU_TANH * (1.0f + 3.0f * MATH_GELU_CUBE * x * x));
	}
	case ATTEND_ACT_QUICK_GELU: {
		const float s = math_sigmoid(MATH_QUICK * x);
		return s + MATH_QUICK * x * (s * (1.0f - s));
	}
	case ATTEND_ACT_SILU: {
		const float s = math_sigmoid(x);
		return s + x * (s * (1.0f - s));
	}
	case ATTEND_ACT_TANH: {
		const float t = math_tanh(x);
		return 1.0f - t * t;
	}
	case ATTEND_ACT_SIGMOID: {
		const float s = math_sigmoid(x);
		return s * (1.0f - s);
	}
	case ATTEND_ACT_RELU2: return x <= 0.0f ? 0.0f : 2.0f * x;
	case ATTEND_ACT_RELU6: return x <= 0.0f || x >= 6.0f ? 0.0f : 1.0f;
	case ATTEND_ACT_LEAKY_RELU: return x <= 0.0f ? MATH_LEAK : 1.0f;
	case ATTEND_ACT_MISH: {
		const float u = math_mish_exp(x), t = math_mish_tanh(u);
		return t + x * (1.0f - t * t) * (u / (1.0f + u));
	}
	case ATTEND_ACT_NONE:
	case ATTEND_ACT_COUNT: break;
	}
	return 1.0f;
}

/* Every activation, so that a loop can be written once for each with a constant: M(name).
 * clang-format does not settle on this list. */
/* clang-format off */
#define ATTEND_EACH_ACTIVATION(M) \
	M(ATTEND_ACT_NONE) \
	M(ATTEND_ACT_RELU) \
	M(ATTEND_ACT_GELU) \
	M(ATTEND_ACT_GELU_NEW) \
	M(ATTEND_ACT_GELU_FAST) \
	M(ATTEND_ACT_QUICK_GELU) \
	M(ATTEND_ACT_GELU_10) \
	M(ATTEND_ACT_SILU) \
	M(ATTEND_ACT_TANH) \
	M(ATTEND_ACT_SIGMOID) \
	M(ATTEND_ACT_RELU2) \
	M(ATTEND_ACT_RELU6) \
	M(ATTEND_ACT_LEAKY_RELU) \
	M(ATTEND_ACT_MISH)
/* clang-format on */

#endif
