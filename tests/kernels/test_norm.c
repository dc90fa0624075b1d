/* test_norm.c: LayerNorm and RMSNorm at every level, forward against double precision, backward against the portable loops
 * (tests/grad checks those by differences), and one answer. */
#include "tests/kernels/kernel_check.h"

#include "lib/kernels/row_table.h"

static const size_t sizes[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 200, 257, 768, 1024, 1031};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void forward(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < SIZES; k++) {
			const size_t n = 1 + check_below(5), d = sizes[k];
			guarded x = guarded_random(n * d, 1, -1.0f, 3.0f), w = guarded_random(d, 2, -2.0f, 2.0f);
			guarded b = guarded_random(d, 3, -2.0f, 2.0f), y = guarded_make(n * d, 5), mean = guarded_make(n, 1),
					rstd = guarded_make(n, 1);
			for (int rms = 0; rms < 2; rms++) {
				const bool bias = !rms && k % 3;
				if (rms) attend_rmsnorm_forward(y.data, x.data, w.data, 1e-6f, n, d, rstd.data);
				else
					attend_layernorm_forward(y.data, x.data, w.data, bias ? b.data : NULL, 1e-12f, n, d, mean.data,
					                         rstd.data);
				for (size_t r = 0; r < n; r++) {
					double m = 0.0, s = 0.0;
					if (!rms)
						for (size_t i = 0; i < d; i++) m += (double)x.data[r * d + i] / (double)d;
					for (size_t i = 0; i < d; i++)
						s += ((double)x.data[r * d + i] - m) * ((double)x.data[r * d + i] - m) / (double)d;
					const double scale = 1.0 / sqrt(s + (double)(rms ? 1e-6f : 1e-12f));
					if (d > 2) assert_close(rstd.data[r], scale, 0.0, 3e-6);
					if (!rms) assert_close(mean.data[r], m, 1e-6, 1e-6);
					if (d == 1 && !rms) continue; /* 0/0 but for eps: rounding decides */
					for (size_t i = 0; i < d; i++)
						assert_close(y.data[r * d + i],
						             ((double)x.data[r * d + i] - m) * scale * (double)w.data[i] +
						                 (bias ? (double)b.data[i] : 0.0),
						             d > 2 ? 1e-5 : 1e-4, d > 2 ? 1e-5 : 1e-4);
				}
				guarded same = guarded_copy(&x, 7); /* y may be x, mean and rstd NULL */
				if (rms) attend_rmsnorm_forward(same.data, same.data, w.data, 1e-6f, n, d, NULL);
				else
					attend_layernorm_forward(same.data, same.data, w.data, bias ? b.data : NULL, 1e-12f, n, d, NULL,
					                         NULL);
				assert_same_bits(same.data, y.data, n * d);
				guarded_free(&same);
			}
			guarded_free(&x);
			guarded_free(&w);
			guarded_free(&b);
			guarded_free(&y);
			guarded_free(&mean);
			guarded_free(&rstd);
		}
	}
}

/* A large mean must not eat the variance; a constant row is eps alone. */
static void cancellation(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		float x[100], y[100], w[100];
		for (size_t i = 0; i < 100; i++) {
			x[i] = 1000.0f + (float)(i % 2);
			w[i] = 1.0f;
		}
		attend_layernorm_forward(y, x, w, NULL, 1e-12f, 1, 100, NULL, NULL);
		for (size_t i = 0; i < 100; i++) assert_close(y[i], i % 2 ? 1.0 : -1.0, 1e-3, 0.0);
		for (size_t i = 0; i < 100; i++) x[i] = 7.0f;
		attend_layernorm_forward(y, x, w, NULL, 1e-5f, 1, 100, NULL, NULL);
		for (size_t i = 0; i < 100; i++) assert_close(y[i], 0.0, 1e-3, 0.0);
		x[3] = NAN;
		attend_layernorm_forward(y, x, w, NULL, 1e-5f, 1, 100, NULL, NULL);
		for (size_t i = 0; i < 100; i++) assert_true(isnan(y[i]));
	}
}

static void backward(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < SIZES; k++) {
			const size_t n = 1 + check_below(7), d = sizes[k];
			guarded x = guarded_random(n * d, 1, -1.0f, 3.0f), w = guarded_random(d, 2, -2.0f, 2.0f);
			guarded dy = guarded_random(n * d, 3, -2.0f, 2.0f), y = guarded_make(n * d, 5), mean = guarded_make(n, 1),
					rstd = guarded_make(n, 1);
			for (int rms = 0; rms < 2; rms++) {
				guarded dx = guarded_random(n * d, 1, -1.0f, 1.0f), dw = guarded_random(d, 2, -1.0f, 1.0f),
						db = guarded_random(d, 3, -1.0f, 1.0f);
				guarded dx2 = guarded_copy(&dx, 4), dw2 = guarded_copy(&dw, 5), db2 = guarded_copy(&db, 6);
				attend_layernorm_forward(y.data, x.data, w.data, NULL, 1e-2f, n, d, mean.data, rstd.data);
				if (rms) attend_rmsnorm_forward(y.data, x.data, w.data, 1e-2f, n, d, rstd.data);
				for (int pass = 0; pass < 2; pass++) {
					attend_kernels_force(pass ? level : ATTEND_ISA_PORTABLE);
					attend_set_threads(pass ? 3 : 1);
					float *a = pass ? dx.data : dx2.data, *c = pass ? dw.data : dw2.data,
						  *e = pass ? db.data : db2.data;
					if (rms) attend_rmsnorm_backward(a, false, c, dy.data, x.data, w.data, rstd.data, n, d);
					else attend_layernorm_backward(a, false, c, e, dy.data, x.data, w.data, mean.data, rstd.data, n, d);
				}
				for (size_t i = 0; i < n * d; i++) assert_close(dx.data[i], dx2.data[i], 1e-4, 1e-5);
				for (size_t i = 0; i < d; i++) assert_close(dw.data[i], dw2.data[i], 1e-4, 1e-5);
				for (size_t i = 0; i < d; i++) assert_close(db.data[i], db2.data[i], 1e-5, 1e-5);
				attend_set_threads(1); /* the same bits on another team; NULL is left out */
				guarded dx3 = guarded_copy(&dx, 1), dw3 = guarded_copy(&dw, 1), db3 = guarded_copy(&db, 1);
				memset(dw3.data, 0, d * sizeof(float));
				memset(db3.data, 0, d * sizeof(float));
				memset(dx3.data, 0, n * d * sizeof(float));
				guarded dx4 = guarded_copy(&dx3, 2), dw4 = guarded_copy(&dw3, 3), db4 = guarded_copy(&db3, 5);
				attend_layernorm_backward(dx3.data, false, NULL, NULL, dy.data, x.data, w.data, mean.data, rstd.data, n,
				                          d);
				attend_layernorm_backward(NULL, false, dw3.data, NULL, dy.data, x.data, w.data, mean.data, rstd.data, n,
				                          d);
				attend_layernorm_backward(NULL, false, NULL, db3.data, dy.data, x.data, w.data, mean.data, rstd.data, n,
				                          d);
				attend_set_threads(4);
				memset(dx4.data, 0xff, n * d * sizeof(float));
				attend_layernorm_backward(dx4.data, true, dw4.data, db4.data, dy.data, x.data, w.data, mean.data,
				                          rstd.data, n, d);
				assert_same_bits(dx3.data, dx4.data, n * d);
				assert_same_bits(dw3.data, dw4.data, d);
				assert_same_bits(db3.data, db4.data, d);
				attend_set_threads(0);
				guarded *all[] = {&dx, &dw, &db, &dx2, &dw2, &db2, &dx3, &dw3, &db3, &dx4, &dw4, &db4};
				for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
			}
			guarded *all[] = {&x, &w, &dy, &y, &mean, &rstd};
			for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
		}
	}
}

/* A row alone and among others, over threads. */
static void one_answer(void **state)
{
	(void)state;
	const size_t n = 300, d = 391;
	guarded x = guarded_random(n * d, 1, -1.0f, 3.0f), w = guarded_random(d, 2, -2.0f, 2.0f),
			y = guarded_make(n * d, 3), one = guarded_make(d, 5);
	FOR_LEVELS(level)
	{
		for (int threads = 1; threads < 5; threads++) {
			attend_set_threads(threads);
			attend_layernorm_forward(y.data, x.data, w.data, w.data, 1e-5f, n, d, NULL, NULL);
			for (size_t r = 0; r < n; r += 29) {
				attend_layernorm_forward(one.data, x.data + r * d, w.data, w.data, 1e-5f, 1, d, NULL, NULL);
				assert_same_bits(one.data, y.data + r * d, d);
			}
			attend_rmsnorm_forward(y.data, x.data, w.data, 1e-5f, n, d, NULL);
			for (size_t r = 0; r < n; r += 29) {
				attend_rmsnorm_forward(one.data, x.data + r * d, w.data, 1e-5f, 1, d, NULL);
				assert_same_bits(one.data, y.data + r * d, d);
			}
		}
	}
	attend_set_threads(0);
	guarded_free(&x);
	guarded_free(&w);
	guarded_free(&y);
	guarded_free(&one);
}

static void bench(void)
{
	enum { N = 512, D = 768 };
	guarded x = guarded_random(N * D, 0, -1.0f, 1.0f), w = guarded_random(D, 0, -1.0f, 1.0f),
			y = guarded_make(N * D, 0);
	guarded dw = guarded_random(D, 0, 0.0f, 1.0f), db = guarded_random(D, 0, 0.0f, 1.0f), mean = guarded_make(N, 0),
			rstd = guarded_make(N, 0);
	attend_set_threads(1);
	FOR_LEVELS(level)
	{
		BENCH_BEST(forward,
		           attend_layernorm_forward(y.data, x.data, w.data, w.data, 1e-5f, N, D, mean.data, rstd.data));
		BENCH_BEST(rms, attend_rmsnorm_forward(y.data, x.data, w.data, 1e-5f, N, D, NULL));
		BENCH_BEST(back, attend_layernorm_backward(y.data, false, NULL, NULL, x.data, x.data, w.data, mean.data,
		                                           rstd.data, N, D));
		BENCH_BEST(weights, attend_layernorm_backward(NULL, false, dw.data, db.data, x.data, x.data, w.data, mean.data,
		                                              rstd.data, N, D));
		printf("%-10s 512 x 768: layernorm %.1f us, rmsnorm %.1f us, dx %.1f us, dw %.1f us\n",
		       attend_isa_level_name(level), forward * 1e6, rms * 1e6, back * 1e6, weights * 1e6);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward),
		cmocka_unit_test(cancellation),
		cmocka_unit_test(backward),
		cmocka_unit_test(one_answer),
	};
	if (bench_asked(argc, argv)) {
		bench();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
