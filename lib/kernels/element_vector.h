/* element_vector.h: activation.c, elementwise.c, softmax.c, rotary.c, dropout.c and optimizer.c in vectors. */
#ifndef ATTEND_KERNELS_ELEMENT_VECTOR_H
#define ATTEND_KERNELS_ELEMENT_VECTOR_H

#include "lib/core/rng.h"
#include "lib/kernels/math_vector.h"
#include "lib/kernels/row_table.h"

/* ---- Activations ----------------------------------------------------------------------------------------------------- */
/* Rows of whole vectors have a loop without ends: two vectors a row come from a product's tile. */
static void activation(float *y, size_t ldy, const float *x, size_t ldx, attend_activation act, size_t rows,
                       size_t width)
{
	const size_t whole = width / LANES * LANES;
	switch (act) {
#define LOOP(name)                                                                                                     \
	case name:                                                                                                         \
		for (size_t r = 0; r < rows; r++)                                                                              \
			for (size_t i = 0; i < whole; i += LANES)                                                                  \
				vf_store(y + r * ldy + i, vf_activate(vf_load(x + r * ldx + i), name));                                \
		for (size_t r = 0; whole < width && r < rows; r++)                                                             \
			vf_put(y + r * ldy + whole, vf_activate(vf_get(x + r * ldx + whole, width - whole), name), width - whole); \
		break;
		ATTEND_EACH_ACTIVATION(LOOP)
#undef LOOP
	case ATTEND_ACT_COUNT: break;
	}
}

static void activation_dx(float *dx, const float *dy, const float *x, attend_activation act, size_t count)
{
	switch (act) {
#define LOOP(name)                                                                                            \
	case name:                                                                                                \
		FOR_VECTORS(i, part, count,                                                                           \
		            vf_put(dx + i, vf_mul(vf_get(dy + i, part), vf_slope(vf_get(x + i, part), name)), part)); \
		break;
		ATTEND_EACH_ACTIVATION(LOOP)
#undef LOOP
	case ATTEND_ACT_COUNT: break;
	}
}

/* ---- Arrays ------------------------------------------------------------------------------------------------------------- */
static void add(float *y, const float *x, size_t count)
{
	FOR_VECTORS(i, part, count, vf_put(y + i, vf_add(vf_get(y + i, part), vf_get(x + i, part)), part));
}

static void add_scaled(float *y, const float *x, float factor, size_t count)
{
	const vf f = vf_set(factor);
	FOR_VECTORS(i, part, count, vf_put(y + i, vf_fma(f, vf_get(x + i, part), vf_get(y + i, part)), part));
}

/* Rows lie far apart: no hardware prefetcher sees them coming. */
static void add_rows(float *y, const float *x, size_t ld, size_t n, size_t width)
{
	enum { AHEAD = 8 };
	size_t c = 0;
	for (; c + 4 * LANES <= width; c += 4 * LANES) {
		vf sum[4];
		for (size_t j = 0; j < 4; j++) sum[j] = vf_load(y + c + j * LANES);
		for (size_t r = 0; r < n; r++) {
			const float *row = x + r * ld + c;
			for (size_t j = 0; r + AHEAD < n && j < 4 * LANES; j += 16) __builtin_prefetch(row + AHEAD * ld + j);
			for (size_t j = 0; j < 4; j++) sum[j] = vf_add(sum[j], vf_load(row + j * LANES));
		}
		for (size_t j = 0; j < 4; j++) vf_store(y + c + j * LANES, sum[j]);
	}
	FOR_VECTORS(k, part, width - c, {
		vf sum = vf_get(y + c + k, part);
		for (size_t r = 0; r < n; r++) sum = vf_add(sum, vf_get(x + r * ld + c + k, part));
		vf_put(y + c + k, sum, part);
	});
}

static void scale(float *y, const float *x, float factor, size_t count)
{
	const vf f = vf_set(factor);
	FOR_VECTORS(i, part, count, vf_put(y + i, vf_mul(f, vf_get(x + i, part)), part));
}

static void scale_rows(float *y, size_t ldy, const float *x, size_t ldx, const float *factors, size_t rows,
                       size_t width)
{
	for (size_t r = 0; r < rows; r++, y += ldy, x += ldx) {
		const vf factor = vf_set(factors[r]);
		FOR_VECTORS(i, part, width, { vf_put(y + i, vf_mul(factor, vf_get(x + i, part)), part); });
	}
}

static void multiply(float *y, const float *a, const float *b, size_t count)
{
	FOR_VECTORS(i, part, count, vf_put(y + i, vf_mul(vf_get(a + i, part), vf_get(b + i, part)), part));
}

static double sum_squares(const float *x, size_t count)
{
	vd sum[2] = {vd_zero(), vd_zero()};
	size_t turn = 0;
	FOR_VECTORS(i, part, count, {
		const vd wide = vd_widen(vf_get(x + i, part));
		sum[turn] = vd_fma(wide, wide, sum[turn]);
		turn ^= 1;
	});
	return vd_sum(vd_add(sum[0], sum[1]));
}

static bool all_finite(const float *x, size_t count)
{
	FOR_VECTORS(i, part, count, if (!vf_all_finite(vf_get(x + i, part))) return false);
	return true;
}

/* ---- Softmax ------------------------------------------------------------------------------------------------------------ */
static float row_max(const float *x, size_t v)
{
	vf max[4];
	for (size_t j = 0; j < 4; j++) max[j] = vf_set(-INFINITY);
	size_t i = 0;
	for (; i + 4 * LANES <= v; i += 4 * LANES)
		for (size_t j = 0; j < 4; j++) max[j] = vf_max(vf_load(x + i + j * LANES), max[j]);
	FOR_VECTORS(k, part, v - i, {
		const vm m = vm_first(part);
		max[0] = vf_max(vf_select(m, vf_load_where(m, x + i + k), max[0]), max[0]);
	});
	return vf_largest(vf_max(vf_max(max[0], max[1]), vf_max(max[2], max[3])));
}

static double row_sum_exp(const float *x, float max, size_t v)
{
	const vf m = vf_set(max);
	vd sum[2] = {vd_zero(), vd_zero()};
	size_t turn = 0;
	FOR_VECTORS(i, part, v, {
		const vf e = vf_first(vf_exp(vf_sub(vf_get(x + i, part), m)), part);
		sum[turn] = vd_add(sum[turn], vd_widen(e));
		turn ^= 1;
	});
	return vd_sum(vd_add(sum[0], sum[1]));
}

static double row_sum(const float *x, size_t v)
{
	vd sum[2] = {vd_zero(), vd_zero()};
	size_t turn = 0;
	FOR_VECTORS(i, part, v, {
		sum[turn] = vd_add(sum[turn], vd_widen(vf_get(x + i, part)));
		turn ^= 1;
	});
	return vd_sum(vd_add(sum[0], sum[1]));
}

static void row_exp(float *y, const float *x, float shift, float factor, size_t v)
{
	const vf s = vf_set(shift), f = vf_set(factor);
	FOR_VECTORS(i, part, v, vf_put(y + i, vf_mul(vf_exp(vf_sub(vf_get(x + i, part), s)), f), part));
}

static void row_shift(float *y, const float *x, float shift, size_t v)
{
	const vf s = vf_set(shift);
	FOR_VECTORS(i, part, v, vf_put(y + i, vf_sub(vf_get(x + i, part), s), part));
}

/* ---- Rotary ------------------------------------------------------------------------------------------------------------- */
static void angles(float *cosine, float *sine, float position, const float *frequency, float sign, size_t count)
{
	FOR_VECTORS(t, part, count, {
		vf s, c;
		vf_sincos(&s, &c, vf_mul(vf_set(position), vf_get(frequency + t, part)));
		vf_put(cosine + t, c, part);
		vf_put(sine + t, vf_mul(vf_set(sign), s), part);
	});
}

static void rotate(float *x1, float *x2, const float *cosine, const float *sine, size_t count)
{
	FOR_VECTORS(t, part, count, {
		const vf a = vf_get(x1 + t, part), b = vf_get(x2 + t, part);
		const vf c = vf_get(cosine + t, part), s = vf_get(sine + t, part);
		vf_put(x1 + t, vf_fnma(b, s, vf_mul(a, c)), part);
		vf_put(x2 + t, vf_fma(a, s, vf_mul(b, c)), part);
	});
}

/* ---- Dropout: four times LANES / 2 Philox blocks at a time, each in a 64-bit lane --------------------------------------- */
enum { BLOCKS = LANES / 2, CHAINS = 4 };

/* Words of the blocks first .. first + CHAINS*BLOCKS - 1 in the order of their elements. In a vector the first BLOCKS/2
 * blocks lie in the even lanes, the others in the odd ones, so that zipping puts them in order. High halves carry rubbish
 * along. The chains run in step, as one round waits for the last. */
static inline void philox(vu words[2 * CHAINS], uint64_t seed, uint64_t stream, uint64_t first)
{
	uint64_t order[BLOCKS];
	for (uint64_t lane = 0; lane < BLOCKS; lane++) order[lane] = lane % 2 * (BLOCKS / 2) + lane / 2;
	vw c0[CHAINS], c1[CHAINS], c2[CHAINS], c3[CHAINS];
	for (uint64_t i = 0; i < CHAINS; i++) {
		c0[i] = vw_add(vw_load(order), vw_set(first + i * BLOCKS));
		c1[i] = vw_high(c0[i]);
		c2[i] = vw_set(stream);
		c3[i] = vw_high(c2[i]);
	}
	uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
	for (int round = 0; round < 10; round++) {
		const vw key0 = vw_set(k0), key1 = vw_set(k1);
		for (uint64_t i = 0; i < CHAINS; i++) {
			const vw p0 = vw_multiply(c0[i], vw_set(0xd2511f53u)), p1 = vw_multiply(c2[i], vw_set(0xcd9e8d57u));
			c0[i] = vw_xor(vw_high(p1), c1[i], key0);
			c1[i] = p1;
			c2[i] = vw_xor(vw_high(p0), c3[i], key1);
			c3[i] = p0;
		}
		k0 += 0x9e3779b9u;
		k1 += 0xbb67ae85u;
	}
	for (uint64_t i = 0; i < CHAINS; i++) vw_zip(words + 2 * i, vw_pair(c0[i], c1[i]), vw_pair(c2[i], c3[i]));
}

static void dropout_scalar(float *y, const float *x, uint64_t threshold, float factor, uint64_t seed, uint64_t stream,
                           uint64_t first, size_t count)
{
	uint32_t words[4];
	for (size_t i = 0; i < count; i++) {
		const uint64_t element = first + i;
		if (i == 0 || element % 4 == 0) attend_rng_block(words, seed, stream, element / 4);
		y[i] = words[element % 4] >= threshold ? x[i] * factor : 0.0f;
	}
}

static void dropout(float *y, const float *x, uint64_t threshold, float factor, uint64_t seed, uint64_t stream,
                    uint64_t first, size_t count)
{
	if (threshold > UINT32_MAX) {
		FOR_VECTORS(i, part, count, vf_put(y + i, vf_zero(), part));
		return;
	}
	const size_t ahead = (size_t)((4 - first % 4) % 4) < count ? (size_t)((4 - first % 4) % 4) : count;
	dropout_scalar(y, x, threshold, factor, seed, stream, first, ahead);
	const vu bound = vu_set((uint32_t)threshold);
	const vf f = vf_set(factor);
	for (size_t i = ahead; i < count; i += 2 * CHAINS * LANES) {
		vu words[2 * CHAINS];
		philox(words, seed, stream, (first + i) / 4);
		for (size_t j = 0; j < 2 * CHAINS && i + j * LANES < count; j++) {
			const size_t at = i + j * LANES, part = count - at < LANES ? count - at : LANES;
			vf_put(y + at, vf_keep(vu_at_least(words[j], bound), vf_mul(vf_get(x + at, part), f)), part);
		}
	}
}

/* ---- Optimisers ------------------------------------------------------------------------------------------------------- */
static void adamw(float *w, float *m, float *v, const float *g, size_t count, const attend_adamw *o)
{
	const vf grad_scale = vf_set((float)o->grad_scale), eps = vf_set((float)o->eps);
	const vf beta1 = vf_set((float)o->beta1), rest1 = vf_set((float)(1.0 - o->beta1));
	const vf beta2 = vf_set((float)o->beta2), rest2 = vf_set((float)(1.0 - o->beta2));
	const vf decay = vf_set((float)(1.0 - o->lr * o->weight_decay));
	const vf step = vf_set((float)(o->lr / o->bias_correction1));
	const vf root = vf_set((float)(1.0 / sqrt(o->bias_correction2)));
	FOR_VECTORS(i, part, count, {
		const vf gradient = vf_mul(vf_get(g + i, part), grad_scale);
		const vf first = vf_fma(beta1, vf_get(m + i, part), vf_mul(rest1, gradient));
		const vf second = vf_fma(beta2, vf_get(v + i, part), vf_mul(vf_mul(rest2, gradient), gradient));
		const vf direction = vf_div(first, vf_fma(vf_sqrt(second), root, eps));
		vf_put(m + i, first, part);
		vf_put(v + i, second, part);
		vf_put(w + i, vf_fnma(step, direction, vf_mul(vf_get(w + i, part), decay)), part);
	});
}

static void sgd(float *w, float *momentum, const float *g, size_t count, const attend_sgd *o)
{
	const vf grad_scale = vf_set((float)o->grad_scale), decay = vf_set((float)o->weight_decay),
			 lr = vf_set((float)o->lr);
	const vf keep = vf_set((float)o->momentum), rest = vf_set((float)(1.0 - o->dampening));
	FOR_VECTORS(i, part, count, {
		const vf weight = vf_get(w + i, part);
		vf gradient = vf_fma(decay, weight, vf_mul(vf_get(g + i, part), grad_scale));
		if (momentum) {
			const vf buffer = o->first ? gradient : vf_fma(keep, vf_get(momentum + i, part), vf_mul(rest, gradient));
			vf_put(momentum + i, buffer, part);
			gradient = o->nesterov ? vf_fma(keep, buffer, gradient) : buffer;
		}
		vf_put(w + i, vf_fnma(lr, gradient, weight), part);
	});
}

static void element_table(struct attend_row_table *table)
{
	table->activation = activation;
	table->activation_dx = activation_dx;
	table->add = add;
	table->add_scaled = add_scaled;
	table->add_rows = add_rows;
	table->scale = scale;
	table->scale_rows = scale_rows;
	table->multiply = multiply;
	table->sum_squares = sum_squares;
	table->all_finite = all_finite;
	table->row_max = row_max;
	table->row_sum_exp = row_sum_exp;
	table->row_sum = row_sum;
	table->row_exp = row_exp;
	table->row_shift = row_shift;
	table->angles = angles;
	table->rotate = rotate;
	table->dropout = dropout;
	table->adamw = adamw;
	table->sgd = sgd;
}

#endif
