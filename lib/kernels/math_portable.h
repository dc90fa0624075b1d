/* math_portable.h: elementary functions on one float. */
#ifndef ATTEND_KERNELS_MATH_PORTABLE_H
#define ATTEND_KERNELS_MATH_PORTABLE_H

#include <math.h>

#include "lib/kernels/kernels.h"

static inline float math_exp(float x)
{
	return expf(x);
}

static inline float math_tanh(float x)
{
	return tanhf(x);
}

static inline float math_sigmoid(float x)
{
	return 1.0f / (1.0f + math_exp(-x));
}

/* Phi(-|x|), the normal distribution's tail. */
static inline float math_normal_tail(float x)
{
	return 0.5f * erfcf(fabsf(x) * 0.70710678f);
}

static inline float math_gelu(float x)
{
	const float tail = math_normal_tail(x);
	return x * (x < 0.0f ? tail : 1.0f - tail);
}

/* tanh forms of gelu through the identity 0.5(1 + tanh(u)) = sigmoid(2u), which does not cancel for u << 0. */
static inline float math_gelu_tanh_argument(float x)
{
	return 1.5957691216f * (x + 0.044715f * x * x * x);
}

static inline float math_mish(float x)
{
	/* tanh(log(1+u)) = u(u+2)/(u(u+2)+2), u = e^x; from x = 20 on it rounds to 1. */
	const float u = math_exp(x < 20.0f ? x : 20.0f);
	const float n = u * (u + 2.0f);
	return x * (n / (n + 2.0f));
}

static inline float math_activate(float x, attend_activation act)
{
	switch (act) {
	case ATTEND_ACT_RELU: return x < 0.0f ? 0.0f : x;
	case ATTEND_ACT_GELU: return math_gelu(x);
	case ATTEND_ACT_GELU_NEW:
	case ATTEND_ACT_GELU_FAST: return x * math_sigmoid(math_gelu_tanh_argument(x));
	case ATTEND_ACT_QUICK_GELU: return x * math_sigmoid(1.702f * x);
	case ATTEND_ACT_GELU_10: {
		const float y = math_gelu(x);
		return y > 10.0f ? 10.0f : y < -10.0f ? -10.0f : y;
	}
	case ATTEND_ACT_SILU: return x * math_sigmoid(x);
	case ATTEND_ACT_TANH: return math_tanh(x);
	case ATTEND_ACT_SIGMOID: return math_sigmoid(x);
	case ATTEND_ACT_RELU2: return x < 0.0f ? 0.0f : x * x;
	case ATTEND_ACT_RELU6: return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
	case ATTEND_ACT_LEAKY_RELU: return x < 0.0f ? 0.01f * x : x;
	case ATTEND_ACT_MISH: return math_mish(x);
	case ATTEND_ACT_NONE:
	case ATTEND_ACT_COUNT: break;
	}
	return x;
}

/* d act(x) / dx */
static inline float math_slope(float x, attend_activation act)
{
	switch (act) {
	case ATTEND_ACT_RELU: return x > 0.0f ? 1.0f : x == x ? 0.0f : x;
	case ATTEND_ACT_GELU:
	case ATTEND_ACT_GELU_10: {
		const float tail = math_normal_tail(x);
		const float cdf = x < 0.0f ? tail : 1.0f - tail;
		if (act == ATTEND_ACT_GELU_10 && x * cdf > 10.0f) return 0.0f;
		return cdf + x * (0.39894228f * math_exp(-0.5f * x * x));
	}
	case ATTEND_ACT_GELU_NEW:
	case ATTEND_ACT_GELU_FAST: {
		const float s = math_sigmoid(math_gelu_tanh_argument(x));
		return s + x * (s * (1.0f - s)) * (1.5957691216f * (1.0f + 0.134145f * x * x));
	}
	case ATTEND_ACT_QUICK_GELU: {
		const float s = math_sigmoid(1.702f * x);
		return s + 1.702f * x * (s * (1.0f - s));
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
	case ATTEND_ACT_RELU2: return x < 0.0f ? 0.0f : 2.0f * x;
	case ATTEND_ACT_RELU6: return x != x ? x : x > 0.0f && x < 6.0f ? 1.0f : 0.0f;
	case ATTEND_ACT_LEAKY_RELU: return x > 0.0f ? 1.0f : x == x ? 0.01f : x;
	case ATTEND_ACT_MISH: {
		const float u = math_exp(x < 20.0f ? x : 20.0f);
		const float n = u * (u + 2.0f);
		const float t = n / (n + 2.0f);
		return t + x * (1.0f - t * t) * (u / (1.0f + u));
	}
	case ATTEND_ACT_NONE:
	case ATTEND_ACT_COUNT: break;
	}
	return 1.0f;
}

#endif
