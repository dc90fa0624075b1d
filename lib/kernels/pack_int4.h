/* pack_int4.h: 32 weights of a column as nibbles and one scale. The loops run over candidates and weights side by side in
 * the shape that compilers turn into vectors; each level compiles them for itself, with the same bits. */
#ifndef ATTEND_KERNELS_PACK_INT4_H
#define ATTEND_KERNELS_PACK_INT4_H

#include <math.h>
#include <string.h>

#include "lib/core/half.h"
#include "lib/kernels/pack.h"

enum { CANDIDATES = 8 };

/* One lane per candidate; compilers split it where the level's vectors are shorter. */
typedef float int4_lanes __attribute__((vector_size(CANDIDATES * sizeof(float))));
typedef int32_t int4_masks __attribute__((vector_size(CANDIDATES * sizeof(int32_t))));

#define SELECT(mask, a, b) ((int4_lanes)(((mask) & (int4_masks)(a)) | (~(mask) & (int4_masks)(b))))

/* Nearest integer, ties to even, for |v| far below 2^22: the sum has no bits left for fractions. */
static inline float nearest(float v)
{
	return (v + 0x1.8p23f) - 0x1.8p23f;
}

static inline float clamp_nibble(float q)
{
	q = q > -8.0f ? q : -8.0f;
	return q < 7.0f ? q : 7.0f;
}

/* The bf16 scale that rounds 32 weights to -8..7 with the least squared error of a few candidates: the extreme lands on
 * -6.5 .. -8.25, its sign takes the longer side and the scale's sign follows. 0: all too small. NaN: one is not finite. */
static uint16_t group_scale(const float *w)
{
	int4_lanes v[ATTEND_INT4_GROUP / CANDIDATES], broken = {0}, lowest = {0}, highest = {0};
	memcpy(v, w, sizeof v);
	for (size_t i = 0; i < ATTEND_INT4_GROUP / CANDIDATES; i++) {
		lowest = SELECT(v[i] < lowest, v[i], lowest);
		highest = SELECT(v[i] > highest, v[i], highest);
		broken += v[i] * 0.0f; /* stays 0, or becomes NaN */
	}
	float least = 0.0f, most = 0.0f, sick = 0.0f;
	for (int c = 0; c < CANDIDATES; c++) {
		least = lowest[c] < least ? lowest[c] : least;
		most = highest[c] > most ? highest[c] : most;
		sick += broken[c];
	}
	if (sick != 0.0f) return attend_f32_bf16(NAN);
	const float extreme = most > -least ? most : least;
	if (!(fabsf(extreme) >= 0x1p-100f)) return 0;
	uint16_t half[CANDIDATES];
	int4_lanes scale, inverse, even = {0}, odd = {0};
	for (int c = 0; c < CANDIDATES; c++) {
		half[c] = attend_f32_bf16(extreme / -(6.5f + 0.25f * (float)c));
		scale[c] = attend_bf16_f32(half[c]);
		inverse[c] = 1.0f / scale[c];
	}
	const int4_lanes shift = {0x1.8p23f, 0x1.8p23f, 0x1.8p23f, 0x1.8p23f, 0x1.8p23f, 0x1.8p23f, 0x1.8p23f, 0x1.8p23f};
	const int4_lanes low = {-8, -8, -8, -8, -8, -8, -8, -8}, high = {7, 7, 7, 7, 7, 7, 7, 7};
	for (size_t i = 0; i < ATTEND_INT4_GROUP; i += 2) {
		const int4_lanes p = (w[i] * inverse + shift) - shift, q = (w[i + 1] * inverse + shift) - shift; /* nearest() */
		const int4_lanes p_low = SELECT(p > low, p, low), q_low = SELECT(q > low, q, low);
		const int4_lanes d = w[i] - SELECT(p_low < high, p_low, high) * scale;
		const int4_lanes e = w[i + 1] - SELECT(q_low < high, q_low, high) * scale;
		even += d * d;
		odd += e * e;
	}
	const int4_lanes sum = even + odd;
	int best = 0;
	for (int c = 1; c < CANDIDATES; c++)
		if (sum[c] < sum[best]) best = c;
	return half[best];
}

static void pack_int4(unsigned char *step, size_t nr, size_t column, const float *w)
{
	const uint16_t half = group_scale(w);
	const float inverse = half ? 1.0f / attend_bf16_f32(half) : 0.0f;
	int32_t nibble[ATTEND_INT4_GROUP];
	for (size_t i = 0; i < ATTEND_INT4_GROUP; i++) nibble[i] = (int32_t)(clamp_nibble(nearest(w[i] * inverse)) + 8.0f);
	for (size_t pair = 0; pair < ATTEND_INT4_GROUP / 8; pair++) {
		const int32_t *low = nibble + pair * 8, *high = low + 4;
		unsigned char *to = step + (pair * nr + column) * 4;
		for (size_t i = 0; i < 4; i++) to[i] = (unsigned char)(low[i] | high[i] << 4);
	}
	memcpy(step + nr * (ATTEND_INT4_GROUP / 2) + column * sizeof half, &half, sizeof half);
}

#undef SELECT

#endif
