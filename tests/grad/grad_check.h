/* grad_check.h: hand-written gradients against central differences of the same function written in double. */
#ifndef ATTEND_TESTS_GRAD_CHECK_H
#define ATTEND_TESTS_GRAD_CHECK_H

#include "tests/kernels/kernel_check.h"

typedef double (*grad_loss)(void *arg);

/* d loss / d x[i] by differences of fourth order; x is put back. */
static inline double grad_difference(grad_loss loss, void *arg, double *x, double step)
{
	const double at = *x;
	double f[4];
	for (int i = 0; i < 4; i++) {
		*x = at + step * (i < 2 ? i - 2 : i - 1);
		f[i] = loss(arg);
	}
	*x = at;
	return (8.0 * (f[2] - f[1]) - (f[3] - f[0])) / (12.0 * step);
}

/* gradient[i] - before[i] is d loss / d x[i] for all i; absolute tolerance in units of the largest, or of 1. */
static inline void grad_check(const char *name, grad_loss loss, void *arg, double *x, const float *gradient,
                              const float *before, size_t count, double tolerance)
{
	double *want = malloc((count + 1) * sizeof *want), largest = 1.0; /* what is accumulated to is about 1 */
	assert_non_null(want);
	for (size_t i = 0; i < count; i++) {
		want[i] = grad_difference(loss, arg, x + i, 1e-3);
		if (fabs(want[i]) > largest) largest = fabs(want[i]);
	}
	for (size_t i = 0; i < count; i++) {
		const double got = (double)gradient[i] - (double)before[i];
		if (!(fabs(got - want[i]) <= tolerance * largest))
			fail_msg("d%s[%zu]: %.9g, by differences %.9g (%s)", name, i, got, want[i],
			         attend_isa_level_name(attend_kernels_level()));
	}
	free(want);
}

static inline double *grad_widen(const float *x, size_t count)
{
	double *wide = malloc((count + 1) * sizeof *wide);
	assert_non_null(wide);
	for (size_t i = 0; i < count; i++) wide[i] = (double)x[i];
	return wide;
}

#endif
