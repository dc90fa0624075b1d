/* test_softmax.c: softmax, log-softmax and cross-entropy at every level against double precision. */
#include "tests/kernels/kernel_check.h"

static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 67, 128, 129, 1000, 30522};
enum { SIZES = sizeof sizes / sizeof *sizes };

static double log_sum(const float *x, size_t v)
{
	double max = -INFINITY, sum = 0.0;
	for (size_t i = 0; i < v; i++) max = fmax(max, (double)x[i]);
	for (size_t i = 0; i < v; i++) sum += exp((double)x[i] - max);
	return max + log(sum);
}

static void rows(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < SIZES; k++) {
			const size_t n = 3, v = sizes[k];
			guarded x = guarded_random(n * v, k, -30.0f, 30.0f), y = guarded_make(n * v, k + 1);
			if (v > 3) x.data[v - 1] = -INFINITY;
			attend_softmax_forward(y.data, x.data, n, v);
			for (size_t r = 0; r < n; r++) {
				const double all = log_sum(x.data + r * v, v);
				for (size_t i = 0; i < v; i++)
					assert_close(y.data[r * v + i], exp((double)x.data[r * v + i] - all), 1e-37, 1e-5);
			}
			guarded same = guarded_copy(&x, 3);
			attend_softmax_forward(same.data, same.data, n, v);
			assert_same_bits(same.data, y.data, n * v);
			attend_softmax_forward(same.data, x.data + v, 1, v); /* alone */
			assert_same_bits(same.data, y.data + v, v);
			attend_log_softmax_forward(y.data, x.data, n, v);
			for (size_t r = 0; r < n; r++) {
				const double all = log_sum(x.data + r * v, v);
				for (size_t i = 0; i < v; i++)
					assert_close(y.data[r * v + i], (double)x.data[r * v + i] - all, 5e-6, 3e-7);
			}
			memcpy(same.data, x.data, n * v * sizeof(float));
			attend_log_softmax_forward(same.data, same.data, n, v);
			assert_same_bits(same.data, y.data, n * v);
			guarded_free(&same);
			guarded_free(&x);
			guarded_free(&y);
		}
	}
}

static void odd_rows(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		float x[20], y[20];
		for (size_t i = 0; i < 20; i++) x[i] = -INFINITY;
		attend_softmax_forward(y, x, 1, 20);
		for (size_t i = 0; i < 20; i++) assert_true(y[i] == 0.0f);
		x[7] = 3e38f;
		x[9] = -3e38f;
		attend_softmax_forward(y, x, 1, 20);
		for (size_t i = 0; i < 20; i++) assert_true(y[i] == (i == 7 ? 1.0f : 0.0f));
		x[18] = NAN;
		attend_softmax_forward(y, x, 1, 20);
		for (size_t i = 0; i < 20; i++) assert_true(isnan(y[i]));
		attend_log_softmax_forward(y, x, 1, 20);
		assert_true(isnan(y[0]) && isnan(y[18]));
		attend_softmax_forward(y, x, 0, 20);
		attend_softmax_forward(y, x, 20, 0);
	}
}

static void largest(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < SIZES; k++) {
			const size_t v = sizes[k];
			guarded x = guarded_random(v, 7 * k, -30.0f, 30.0f);
			for (size_t turn = 0; turn < 6; turn++) {
				if (turn == 2) x.data[v / 2] = x.data[v - 1] = x.data[v / 3] = 31.0f; /* ties: the first */
				if (turn == 3 && v > 1) x.data[1] = NAN;
				if (turn == 4) x.data[0] = NAN;
				if (turn == 5)
					for (size_t i = 0; i < v; i++) x.data[i] = -INFINITY;
				size_t best = 0;
				float max = -INFINITY;
				for (size_t i = 1; i < v; i++)
					if (x.data[i] > x.data[best]) best = i;
				for (size_t i = 0; i < v; i++)
					if (x.data[i] > max) max = x.data[i];
				assert_int_equal(attend_row_argmax(x.data, v), best);
				assert_true(attend_row_max(x.data, v) == max);
			}
			guarded_free(&x);
		}
		assert_int_equal(attend_row_argmax(NULL, 0), 0);
		assert_true(attend_row_max(NULL, 0) == -INFINITY);
	}
}

static void cross_entropy(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t variant = 0; variant < 8; variant++) {
			for (size_t k = 0; k < SIZES - 1; k++) {
				const size_t n = 1 + check_below(200), v = sizes[k];
				guarded x = guarded_random(n * v, k, -9.0f, 9.0f), w = guarded_random(v, 1, 0.1f, 2.0f),
						d = guarded_make(n * v, 2);
				int32_t labels[201];
				for (size_t i = 0; i < n; i++) labels[i] = check_below(4) == 0 ? -100 : (int32_t)check_below(v);
				attend_cross_entropy ce = {.logits = x.data, .n = n, .v = v, .labels = labels, .ignore = -100};
				ce.smoothing = variant & 1 ? 0.1f : 0.0f;
				ce.class_weights = variant & 2 ? w.data : NULL;
				attend_set_threads(variant & 4 ? 3 : 1);
				attend_cross_entropy_forward(&ce);
				attend_cross_entropy_backward(d.data, &ce, 0.7f);
				double loss = 0.0, weight = 0.0, class_sum = 0.0;
				size_t kept = 0;
				const double e = (double)ce.smoothing;
				for (size_t c = 0; c < v; c++) class_sum += ce.class_weights ? (double)w.data[c] : 1.0;
				for (size_t r = 0; r < n; r++) {
					if (labels[r] == -100) {
						for (size_t c = 0; c < v; c++) assert_true(d.data[r * v + c] == 0.0f);
						continue;
					}
					const double all = log_sum(x.data + r * v, v);
					const double wl = ce.class_weights ? (double)w.data[labels[r]] : 1.0;
					loss += (1.0 - e) * wl * (all - (double)x.data[r * v + (size_t)labels[r]]);
					weight += wl;
					kept++;
					for (size_t c = 0; c < v; c++) {
						const double wc = ce.class_weights ? (double)w.data[c] : 1.0;
						const double p = exp((double)x.data[r * v + c] - all);
						loss += e / (double)v * wc * (all - (double)x.data[r * v + c]);
						const double want = ((1.0 - e) * wl + e / (double)v * class_sum) * p - e / (double)v * wc -
						                    ((size_t)labels[r] == c ? (1.0 - e) * wl : 0.0);
						assert_close(d.data[r * v + c], 0.7 * want, 1e-6, 2e-6);
					}
				}
				assert_close(ce.loss_sum, loss, 1e-6, 1e-6);
				assert_close(ce.weight_sum, weight, 1e-9, 1e-9);
				assert_int_equal(ce.kept, kept);
				guarded same = guarded_copy(&x, 5); /* dlogits may be the logits; the sum is the same on another team */
				attend_cross_entropy again = ce;
				again.logits = same.data;
				attend_set_threads(variant & 4 ? 1 : 4);
				attend_cross_entropy_forward(&again);
				assert_true(again.loss_sum == ce.loss_sum && again.weight_sum == ce.weight_sum);
				attend_cross_entropy_backward(same.data, &again, 0.7f);
				assert_same_bits(same.data, d.data, n * v);
				guarded_free(&same);
				guarded_free(&x);
				guarded_free(&w);
				guarded_free(&d);
			}
		}
	}
	attend_set_threads(0);
}

static void bench(void)
{
	enum { V = 50257 };
	guarded x = guarded_random(V, 0, -9.0f, 9.0f), y = guarded_make(V, 0);
	FOR_LEVELS(level)
	{
		BENCH_BEST(soft, attend_softmax_forward(y.data, x.data, 1, V));
		BENCH_BEST(logs, attend_log_softmax_forward(y.data, x.data, 1, V));
		printf("%-10s row of 50257: softmax %.1f us, log-softmax %.1f us\n", attend_isa_level_name(level), soft * 1e6,
		       logs * 1e6);
	}
	guarded_free(&x);
	guarded_free(&y);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),    cmocka_unit_test(odd_rows),      cmocka_unit_test(largest),
		cmocka_unit_test(largest), cmocka_unit_test(cross_entropy),
	};
	if (bench_asked(argc, argv)) {
		bench();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
