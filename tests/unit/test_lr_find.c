/* test_lr_find.c: what a sweep of learning rates suggests, on curves made by hand; options that are refused. */
#include "tests/support/check.h"

#include <math.h>

#include "lib/train/lr_find.h"

enum { N = 81 };

static double rates[N], smoothed[N];

/* Rates from 1e-7 to 10, ten a decade; a loss of 2 that falls by `slope` a decade from 1e-4, twice as fast over the decade
 * from 1e-3, and rises from 1e-2. */
static attend_lr_sweep curve(double slope)
{
	for (int i = 0; i < N; i++) {
		const double x = -7 + i / 10.0;
		rates[i] = pow(10, x);
		smoothed[i] = x < -4   ? 2
		              : x < -3 ? 2 - slope * (x + 4)
		              : x < -2 ? 2 - slope - 2 * slope * (x + 3)
		                       : 4 - 3 * slope + x;
	}
	return (attend_lr_sweep){.count = N, .rates = rates, .smoothed = smoothed};
}

static void test_suggestion(void **state)
{
	(void)state;
	attend_lr_sweep s = curve(0.5);
	smoothed[45] -= 0.01; /* the steepest of all, inside the decade from 1e-3 */
	attend_lr_sweep_judge(&s);
	assert_true(fabs(s.minimum / 1e-2 - 1) < 0.3);
	assert_true(fabs(s.steepest / rates[45] - 1) < 1e-12);
	assert_true(fabs(s.suggestion / (s.minimum / 10) - 1) < 1e-12); /* 1e-3 < 10^-2.5 */
	smoothed[32] = 1; /* a drop at 10^-3.8, far below a tenth of the minimum */
	attend_lr_sweep_judge(&s);
	assert_true(fabs(s.suggestion / rates[32] - 1) < 1e-12);
}

static void test_nothing_to_suggest(void **state)
{
	(void)state;
	attend_lr_sweep s = curve(0.5);
	for (int i = 0; i < N; i++) smoothed[i] = 1 + i;
	attend_lr_sweep_judge(&s);
	assert_true(isnan(s.suggestion) && isnan(s.steepest) && isnan(s.minimum));
	smoothed[0] = 100; /* in the first tenth, which has no say */
	attend_lr_sweep_judge(&s);
	assert_true(isnan(s.suggestion));
	s.count = 0;
	attend_lr_sweep_judge(&s);
	assert_true(isnan(s.suggestion));
}

static void test_options(void **state)
{
	(void)state;
	static const attend_lr_find_options bad[] = {{0, 1, 100},    {-1, 1, 100},  {1, 1, 100},   {1, 0.1, 100},
	                                             {1, 2000, 100}, {NAN, 1, 100}, {1, NAN, 100}, {0.1, 1, 9}};
	attend_recipe *recipe;
	attend_lr_sweep sweep;
	assert_ok(attend_recipe_new(&recipe));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(attend_lr_find(&sweep, recipe, &bad[i], NULL), ATTEND_ERR_ARG);
	attend_recipe_free(recipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_suggestion), cmocka_unit_test(test_nothing_to_suggest),
	                                   cmocka_unit_test(test_options)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
