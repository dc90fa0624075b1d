/* test_activation.c: every activation and its slope at every level against double precision. */
#include "tests/kernels/kernel_check.h"

#include "lib/kernels/row_table.h"

static double sigmoid(double x)
{
	return x >= 0.0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x));
}

static double cdf(double x)
{
	return 0.5 * erfc(-x * 0.70710678118654752440);
}

/* sigmoid(2u) = 0.5(1 + tanh(u)), u the argument of the tanh forms */
static double tanh_form(double x, double root)
{
	return sigmoid(2.0 * root * (x + 0.044715 * x * x * x));
}

static double act_double(double x, attend_activation act)
{
	switch (act) {
	case ATTEND_ACT_RELU: return x > 0.0 ? x : 0.0;
	case ATTEND_ACT_GELU: return x * cdf(x);
	case ATTEND_ACT_GELU_NEW: return x * tanh_form(x, 0.79788456080286535588);
	case ATTEND_ACT_GELU_FAST: return x * tanh_form(x, 0.7978845608);
	case ATTEND_ACT_QUICK_GELU: return x * sigmoid(1.702 * x);
	case ATTEND_ACT_GELU_10: return fmin(fmax(x * cdf(x), -10.0), 10.0);
	case ATTEND_ACT_SILU: return x * sigmoid(x);
	case ATTEND_ACT_TANH: return tanh(x);
	case ATTEND_ACT_SIGMOID: return sigmoid(x);
	case ATTEND_ACT_RELU2: return x > 0.0 ? x * x : 0.0;
	case ATTEND_ACT_RELU6: return fmin(fmax(x, 0.0), 6.0);
	case ATTEND_ACT_LEAKY_RELU: return x > 0.0 ? x : 0.01 * x;
	case ATTEND_ACT_MISH: return x * tanh(x > 30.0 ? x : log1p(exp(x)));
	default: return x;
	}
}

static double slope_double(double x, attend_activation act)
{
	const double h = 1e-5;
	return (8.0 * (act_double(x + h, act) - act_double(x - h, act)) - act_double(x + 2 * h, act) +
	        act_double(x - 2 * h, act)) /
	       (12.0 * h);
}

/* Near a kink the difference quotient means nothing. */
static bool near_kink(double x, attend_activation act)
{
	switch (act) {
	case ATTEND_ACT_RELU:
	case ATTEND_ACT_RELU2:
	case ATTEND_ACT_LEAKY_RELU: return fabs(x) < 1e-3;
	case ATTEND_ACT_RELU6: return fabs(x) < 1e-3 || fabs(x - 6.0) < 1e-3;
	case ATTEND_ACT_GELU_10: return fabs(x - 10.0) < 1e-3;
	default: return false;
	}
}

/* Relative error that the function is meant to have: four ulp; where the left tail is e^-u, u's three roundings show times
 * u. GELU's left tail is good to 1e-5 of itself down to -5, where it is 1e-6 (the tanh form to 4e-5), and 0 for most purposes
 * beyond: there the absolute bound alone counts. */
static double tolerance(double x, attend_activation act)
{
	switch (act) {
	case ATTEND_ACT_GELU:
	case ATTEND_ACT_GELU_10: return x > -0.5 ? 5e-7 : x > -5.0 ? 1e-5 : 1.0;
	case ATTEND_ACT_GELU_NEW:
	case ATTEND_ACT_GELU_FAST:
		return x > -3.0 ? 5e-7 + 2.4e-7 * 1.6 * (fabs(x) + 0.044715 * fabs(x * x * x)) : x > -5.0 ? 4e-5 : 1.0;
	default: return 5e-7 + 2.4e-7 * fabs(x);
	}
}

static void values(void **state)
{
	(void)state;
	enum { COUNT = 40000 };
	guarded x = guarded_make(COUNT, 1), y = guarded_make(COUNT, 3);
	for (size_t i = 0; i < COUNT; i++)
		x.data[i] = i % 3 ? -14.0f + 28.0f * (float)i / COUNT : check_uniform(-3.0f, 3.0f);
	FOR_LEVELS(level)
	{
		for (attend_activation act = ATTEND_ACT_NONE; act < ATTEND_ACT_COUNT; act++) {
			attend_activation_forward(y.data, x.data, act, COUNT);
			for (size_t i = 0; i < COUNT; i++) {
				const double at = (double)x.data[i], want = act_double(at, act), error = fabs((double)y.data[i] - want);
				/* A factor below 2^-126 may be 0. */
				if (error > 1.2e-38 * (1.0 + fabs(at)) + tolerance(at, act) * fabs(want) ||
				    error > 6e-8 + 5e-7 * fabs(want))
					fail_msg("act %d at %.9g: %.9g, want %.9g (%s)", (int)act, at, (double)y.data[i], want,
					         attend_isa_level_name(level));
			}
		}
	}
	guarded_free(&x);
	guarded_free(&y);
}

static void slopes(void **state)
{
	(void)state;
	enum { COUNT = 5000 };
	guarded x = guarded_random(COUNT, 1, -12.0f, 12.0f), dy = guarded_random(COUNT, 2, -2.0f, 2.0f),
			dx = guarded_make(COUNT, 3);
	FOR_LEVELS(level)
	{
		for (attend_activation act = ATTEND_ACT_NONE; act < ATTEND_ACT_COUNT; act++) {
			attend_activation_backward(dx.data, dy.data, x.data, act, COUNT);
			for (size_t i = 0; i < COUNT; i++)
				if (!near_kink((double)x.data[i], act))
					assert_close(dx.data[i], (double)dy.data[i] * slope_double((double)x.data[i], act), 2e-6, 2e-6);
			guarded same = guarded_copy(&dy, 5); /* dx may be dy */
			attend_activation_backward(same.data, same.data, x.data, act, COUNT);
			assert_same_bits(same.data, dx.data, COUNT);
			guarded_free(&same);
		}
	}
	guarded_free(&x);
	guarded_free(&dy);
	guarded_free(&dx);
}

/* Infinities, NaN, zeros, subnormals and huge values give what the portable loop gives. */
static void special_values(void **state)
{
	(void)state;
	static const float special[] = {0.0f,   -0.0f,  INFINITY, -INFINITY, NAN,    1e-40f, -1e-40f,
	                                1e30f,  -1e30f, 3.4e38f,  -3.4e38f,  87.0f,  -87.0f, 88.8f,
	                                -88.8f, 104.0f, -104.0f,  14.0f,     -14.0f, 20.0f};
	enum { COUNT = sizeof special / sizeof *special };
	const struct attend_row_table *slow = attend_row_kernels_at(ATTEND_ISA_PORTABLE);
	FOR_LEVELS(level)
	{
		for (attend_activation act = ATTEND_ACT_NONE; act < ATTEND_ACT_COUNT; act++) {
			float fast[COUNT], want[COUNT], ones[COUNT];
			attend_row_kernels()->activation(fast, 0, special, 0, act, 1, COUNT);
			slow->activation(want, 0, special, 0, act, 1, COUNT);
			for (size_t i = 0; i < COUNT; i++) {
				assert_close(fast[i], want[i], 1e-38, 1e-6);
				ones[i] = 1.0f;
			}
			attend_row_kernels()->activation_dx(fast, ones, special, act, COUNT);
			slow->activation_dx(want, ones, special, act, COUNT);
			for (size_t i = 0; i < COUNT; i++) {
				/* the cube of a huge number overflows on the way, which a level may avoid */
				if (isnan(want[i]) && isfinite(special[i]) && !isnan(fast[i]))
					want[i] = special[i] > 0.0f ? 1.0f : 0.0f;
				assert_close(fast[i], want[i], 1e-38, 1e-5);
			}
		}
		float limits[2] = {INFINITY, -INFINITY}, y[2];
		attend_activation_forward(y, limits, ATTEND_ACT_TANH, 2);
		assert_true(y[0] == 1.0f && y[1] == -1.0f);
		attend_activation_forward(y, limits, ATTEND_ACT_SIGMOID, 2);
		assert_true(y[0] == 1.0f && y[1] == 0.0f);
	}
}

/* Any length and alignment, in place, any number of threads: the bits of one element alone. */
static void lengths(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (attend_activation act = ATTEND_ACT_NONE; act < ATTEND_ACT_COUNT; act++) {
			for (size_t count = 0; count < 70; count += 1 + count / 20) {
				guarded x = guarded_random(count, count, -5.0f, 5.0f), y = guarded_make(count, count / 2);
				attend_activation_forward(y.data, x.data, act, count);
				for (size_t i = 0; i < count; i++) {
					float one;
					attend_activation_forward(&one, x.data + i, act, 1);
					assert_same_bits(&one, y.data + i, 1);
				}
				attend_activation_forward(x.data, x.data, act, count);
				assert_same_bits(x.data, y.data, count);
				guarded_free(&x);
				guarded_free(&y);
			}
		}
	}
	FOR_LEVELS(level)
	{
		guarded x = guarded_random(100003, 1, -5.0f, 5.0f), y = guarded_make(100003, 2), z = guarded_make(100003, 3);
		attend_set_threads(1);
		attend_activation_forward(y.data, x.data, ATTEND_ACT_GELU, x.count);
		attend_set_threads(3);
		attend_activation_forward(z.data, x.data, ATTEND_ACT_GELU, x.count);
		attend_set_threads(0);
		assert_same_bits(y.data, z.data, x.count);
		guarded_free(&x);
		guarded_free(&y);
		guarded_free(&z);
	}
}

static void bench(void)
{
	enum { COUNT = 128 * 3072 };
	guarded x = guarded_random(COUNT, 0, -3.0f, 3.0f), y = guarded_make(COUNT, 0);
	attend_set_threads(1);
	FOR_LEVELS(level)
	{
		for (attend_activation act = ATTEND_ACT_RELU; act < ATTEND_ACT_COUNT; act++) {
			BENCH_BEST(forward, attend_activation_forward(y.data, x.data, act, COUNT));
			BENCH_BEST(backward, attend_activation_backward(y.data, y.data, x.data, act, COUNT));
			printf("%-10s act %2d: forward %.3f, backward %.3f ns an element\n", attend_isa_level_name(level), (int)act,
			       forward * 1e9 / COUNT, backward * 1e9 / COUNT);
		}
	}
	guarded_free(&x);
	guarded_free(&y);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(slopes),
		cmocka_unit_test(special_values),
		cmocka_unit_test(lengths),
	};
	if (bench_asked(argc, argv)) {
		bench();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
