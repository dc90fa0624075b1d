/* norm_vector.h: norm.c's rows in vectors. Four running sums hide the latency of an addition; which element goes to which
 * sum and lane follows from d alone. */
#ifndef ATTEND_KERNELS_NORM_VECTOR_H
#define ATTEND_KERNELS_NORM_VECTOR_H

#include "lib/kernels/math_vector.h"
#include "lib/kernels/row_table.h"

static inline float sum_of_four(const vf s[4])
{
	return vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
}

static inline float row_mean(const float *x, size_t d)
{
	vf s[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
	size_t i = 0;
	for (; i + 4 * LANES <= d; i += 4 * LANES)
		for (size_t j = 0; j < 4; j++) s[j] = vf_add(s[j], vf_load(x + i + j * LANES));
	FOR_VECTORS(k, part, d - i, s[0] = vf_add(s[0], vf_get(x + i + k, part)));
	return sum_of_four(s) / (float)d;
}

/* mean((x - mean)^2) */
static inline float row_variance(const float *x, float mean, size_t d)
{
	vf s[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
	const vf m = vf_set(mean);
	size_t i = 0;
	for (; i + 4 * LANES <= d; i += 4 * LANES)
		for (size_t j = 0; j < 4; j++) {
			const vf c = vf_sub(vf_load(x + i + j * LANES), m);
			s[j] = vf_fma(c, c, s[j]);
		}
	FOR_VECTORS(k, part, d - i, {
		const vf c = vf_first(vf_sub(vf_get(x + i + k, part), m), part);
		s[0] = vf_fma(c, c, s[0]);
	});
	return sum_of_four(s) / (float)d;
}

static void layernorm(float *y, const float *x, const float *w, const float *b, float eps, size_t d, float *mean,
                      float *rstd)
{
	*mean = row_mean(x, d);
	*rstd = 1.0f / sqrtf(row_variance(x, *mean, d) + eps);
	const vf m = vf_set(*mean), r = vf_set(*rstd);
	FOR_VECTORS(i, part, d, {
		const vf hat = vf_mul(vf_sub(vf_get(x + i, part), m), r);
		vf_put(y + i, vf_fma(hat, vf_get(w + i, part), b ? vf_get(b + i, part) : vf_zero()), part);
	});
}

static void rmsnorm(float *y, const float *x, const float *w, float eps, size_t d, float *rstd)
{
	*rstd = 1.0f / sqrtf(row_variance(x, 0.0f, d) + eps);
	const vf r = vf_set(*rstd);
	FOR_VECTORS(i, part, d, vf_put(y + i, vf_mul(vf_mul(vf_get(x + i, part), r), vf_get(w + i, part)), part));
}

/* Both norms: dx += rstd * (g - mean(g) - xhat mean(g xhat)); RMSNorm has mean = 0 and no mean(g). */
static inline void norm_dx(float *dx, const float *dy, const float *x, const float *w, float mean, float rstd, size_t d,
                           bool centred)
{
	const vf m = vf_set(mean), r = vf_set(rstd);
	vf sum[2] = {vf_zero(), vf_zero()}, product[2] = {vf_zero(), vf_zero()};
	size_t turn = 0;
	FOR_VECTORS(i, part, d, {
		const vf g = vf_mul(vf_get(dy + i, part), vf_get(w + i, part));
		const vf hat = vf_first(vf_mul(vf_sub(vf_get(x + i, part), m), r), part);
		sum[turn] = vf_add(sum[turn], g);
		product[turn] = vf_fma(g, hat, product[turn]);
		turn ^= 1;
	});
	const vf a = vf_set(centred ? vf_sum(vf_add(sum[0], sum[1])) / (float)d : 0.0f);
	const vf c = vf_set(vf_sum(vf_add(product[0], product[1])) / (float)d);
	FOR_VECTORS(i, part, d, {
		const vf g = vf_mul(vf_get(dy + i, part), vf_get(w + i, part));
		const vf hat = vf_mul(vf_sub(vf_get(x + i, part), m), r);
		const vf inner = vf_fnma(hat, c, vf_sub(g, a));
		vf_put(dx + i, vf_fma(r, inner, vf_get(dx + i, part)), part);
	});
}

static void layernorm_dx(float *dx, const float *dy, const float *x, const float *w, float mean, float rstd, size_t d)
{
	norm_dx(dx, dy, x, w, mean, rstd, d, true);
}

static void rmsnorm_dx(float *dx, const float *dy, const float *x, const float *w, float rstd, size_t d)
{
	norm_dx(dx, dy, x, w, 0.0f, rstd, d, false);
}

/* Up to four vectors of columns at a time stay in registers while all rows pass. */
static void norm_dw(float *dw, float *db, const float *dy, const float *x, size_t ld, const float *mean,
                    const float *rstd, size_t n, size_t width)
{
	size_t c = 0;
	for (; c + 4 * LANES <= width; c += 4 * LANES) {
		vf sw[4], sb[4];
		for (size_t j = 0; j < 4; j++) {
			sw[j] = dw ? vf_load(dw + c + j * LANES) : vf_zero();
			sb[j] = db ? vf_load(db + c + j * LANES) : vf_zero();
		}
		for (size_t r = 0; r < n; r++) {
			const vf m = vf_set(mean ? mean[r] : 0.0f), s = vf_set(rstd[r]);
			for (size_t j = 0; j < 4; j++) {
				const vf g = vf_load(dy + r * ld + c + j * LANES);
				sw[j] = vf_fma(g, vf_mul(vf_sub(vf_load(x + r * ld + c + j * LANES), m), s), sw[j]);
				sb[j] = vf_add(sb[j], g);
			}
		}
		for (size_t j = 0; j < 4; j++) {
			if (dw) vf_store(dw + c + j * LANES, sw[j]);
			if (db) vf_store(db + c + j * LANES, sb[j]);
		}
	}
	FOR_VECTORS(k, part, width - c, {
		const size_t at = c + k;
		vf sw = dw ? vf_get(dw + at, part) : vf_zero(), sb = db ? vf_get(db + at, part) : vf_zero();
		for (size_t r = 0; r < n; r++) {
			const vf g = vf_get(dy + r * ld + at, part);
			const vf hat =
				vf_mul(vf_sub(vf_get(x + r * ld + at, part), vf_set(mean ? mean[r] : 0.0f)), vf_set(rstd[r]));
			sw = vf_fma(g, hat, sw);
			sb = vf_add(sb, g);
		}
		if (dw) vf_put(dw + at, sw, part);
		if (db) vf_put(db + at, sb, part);
	});
}

static void norm_table(struct attend_row_table *table)
{
	table->layernorm = layernorm;
	table->layernorm_dx = layernorm_dx;
	table->norm_dw = norm_dw;
	table->rmsnorm = rmsnorm;
	table->rmsnorm_dx = rmsnorm_dx;
}

#endif
