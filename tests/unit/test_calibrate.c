/* test_calibrate.c: calibration error by hand, and the temperature against its optimality condition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/core/rng.h"
#include "lib/train/calibrate.h"

static void test_error(void **state)
{
	(void)state;
	/* p = 1 / (1 + exp(-x)): confidences 0.5, 0.731059 and 0.952574 (twice), of which right: yes, no, yes and no */
	const float logits[] = {0, 0, 1, 0, 0, 3, 3, 0};
	const int32_t labels[] = {0, 1, 1, 1};
	const double wanted = ((1 - 0.5) + 0.7310585786 + fabs(1 - 2 * 0.9525741268)) / 4;
	assert_true(fabs(attend_calibration_error(logits, labels, 4, 2, 1) - wanted) < 1e-9);
	/* divided by 3: 0.5, 0.582570, 0.731059 twice */
	const double cooler = ((1 - 0.5) + 0.5825702064 + fabs(1 - 2 * 0.7310585786)) / 4;
	assert_true(fabs(attend_calibration_error(logits, labels, 4, 2, 3) - cooler) < 1e-9);
}

static void test_fit(void **state)
{
	(void)state;
	/* Two classes, logit difference 2, three of four right: 1 / (1 + exp(-2 / T)) = 3/4, so T = 2 / log(3). */
	const float logits[] = {2, 0, 0, 2, 2, 0, 5, 3};
	const int32_t labels[] = {0, 1, 0, 1};
	double t = 0;
	assert_int_equal(attend_calibration_fit(&t, logits, labels, 4, 2), ATTEND_OK);
	assert_true(fabs(t - 2 / log(3)) < 1e-12);
	/* calibrated on the spot: one bin, of confidence 3/4 */
	assert_true(attend_calibration_error(logits, labels, 4, 2, t) < 1e-12);
}

static void test_fit_is_least(void **state)
{
	(void)state;
	enum { N = 200, C = 5 };
	float logits[N * C];
	int32_t labels[N];
	attend_rng rng = {.seed = 3, .stream = 1};
	for (size_t i = 0; i < N; i++) {
		labels[i] = (int32_t)attend_rng_below(&rng, C);
		for (size_t c = 0; c < C; c++)
			logits[i * C + c] = (float)(8 * attend_rng_uniform(&rng) + (labels[i] == (int32_t)c ? 4.0 : 0.0));
	}
	double t = 0;
	assert_int_equal(attend_calibration_fit(&t, logits, labels, N, C), ATTEND_OK);
	const double least = attend_calibration_loss(logits, labels, N, C, t);
	for (double factor = 0.5; factor < 2; factor += 0.05)
		assert_true(attend_calibration_loss(logits, labels, N, C, t * factor) >= least - 1e-13);
	assert_true(least < attend_calibration_loss(logits, labels, N, C, 1));
}

static void test_no_fit(void **state)
{
	(void)state;
	const float logits[] = {2, 0, 0, 2};
	const int32_t right[] = {0, 1}, wrong[] = {1, 0};
	double t = 7;
	assert_int_equal(attend_calibration_fit(&t, logits, right, 2, 2), ATTEND_ERR_DATA);
	assert_int_equal(attend_calibration_fit(&t, logits, wrong, 2, 2), ATTEND_ERR_DATA);
	assert_true(t > 6 && t < 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_error), cmocka_unit_test(test_fit),
	                                   cmocka_unit_test(test_fit_is_least), cmocka_unit_test(test_no_fit)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
