/* test_elementwise.c: arrays, dropout, optimisers, rotary and embeddings at every level, any length and alignment. */
#include "tests/kernels/kernel_check.h"

#include "lib/core/half.h"
#include "lib/core/rng.h"
#include "lib/kernels/row_table.h"

static const size_t counts[] = {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 67, 129, 1021, 40009, 300007};
enum { COUNTS = sizeof counts / sizeof *counts };

static void arrays(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < COUNTS; k++) {
			const size_t n = counts[k];
			guarded a = guarded_random(n, k, -3.0f, 3.0f), b = guarded_random(n, k / 2, -3.0f, 3.0f),
					y = guarded_copy(&a, 1);
			attend_add(y.data, b.data, n);
			for (size_t i = 0; i < n; i++) assert_true(y.data[i] == a.data[i] + b.data[i]);
			attend_multiply(y.data, a.data, b.data, n);
			for (size_t i = 0; i < n; i++) assert_true(y.data[i] == a.data[i] * b.data[i]);
			attend_scale(y.data, 0.37f, n);
			for (size_t i = 0; i < n; i++) assert_true(y.data[i] == a.data[i] * b.data[i] * 0.37f);
			double sum = 0.0;
			for (size_t i = 0; i < n; i++) sum += (double)a.data[i] * (double)a.data[i];
			const double got = attend_sum_squares(a.data, n);
			assert_close(got, sum, 0.0, 1e-12);
			attend_set_threads(5);
			assert_true(attend_sum_squares(a.data, n) == got);
			attend_set_threads(0);
			assert_true(attend_all_finite(a.data, n));
			if (n) {
				static const float bad[] = {INFINITY, -INFINITY, NAN};
				a.data[check_below(n)] = bad[k % 3];
				assert_false(attend_all_finite(a.data, n));
			}
			guarded_free(&a);
			guarded_free(&b);
			guarded_free(&y);
		}
		float huge[3] = {3e38f, 3e38f, 1.0f}; /* squares beyond f32 */
		assert_close(attend_sum_squares(huge, 3), 2.0 * (double)3e38f * (double)3e38f, 0.0, 1e-12);
		uint32_t signalling = 0x7fa00001u;
		memcpy(huge, &signalling, sizeof signalling);
		assert_false(attend_all_finite(huge, 3));
	}
}

static void dropout(void **state)
{
	(void)state;
	static const float rates[] = {0.0f, 0.1f, 0.5f, 0.999f, 1.0f};
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < COUNTS; k++) {
			const size_t n = counts[k];
			const float p = rates[k % 5];
			guarded x = guarded_random(n, k, -3.0f, 3.0f), y = guarded_make(n, k / 2);
			attend_dropout_forward(y.data, x.data, p, 42u << 20 | k, (uint64_t)7 << 33, n);
			size_t kept = 0;
			for (size_t i = 0; i < n; i++) {
				uint32_t words[4];
				attend_rng_block(words, 42u << 20 | k, (uint64_t)7 << 33, i / 4);
				const bool keep = (double)words[i % 4] >= (double)p * 0x1p32;
				assert_true(y.data[i] == (keep ? x.data[i] * (1.0f / (1.0f - p)) : 0.0f));
				kept += keep;
			}
			if (n > 10000) assert_close((double)kept / (double)n, 1.0 - (double)p, 0.02, 0.0);
			guarded in_x = guarded_copy(&x, 1), residual = guarded_random(n, k / 3, -3.0f, 3.0f);
			attend_dropout_forward(x.data, x.data, p, 42u << 20 | k, (uint64_t)7 << 33, n);
			assert_same_bits(x.data, y.data, n);
			guarded spare = guarded_copy(&in_x, 2);
			attend_add(y.data, residual.data, n);
			attend_dropout_add(in_x.data, in_x.data, residual.data, p, 42u << 20 | k, (uint64_t)7 << 33, n);
			attend_dropout_add(residual.data, spare.data, residual.data, p, 42u << 20 | k, (uint64_t)7 << 33, n);
			assert_same_bits(in_x.data, y.data, n);
			assert_same_bits(residual.data, y.data, n);
			guarded *all[] = {&x, &y, &in_x, &residual, &spare};
			for (size_t i = 0; i < 5; i++) guarded_free(all[i]);
		}
		/* A range may begin anywhere, also where the counter's high word changes. */
		float ones[100], whole[100], part[100];
		for (size_t i = 0; i < 100; i++) ones[i] = 1.0f;
		const uint64_t first = ((uint64_t)1 << 34) - 31;
		attend_row_kernels_at(ATTEND_ISA_PORTABLE)->dropout(whole, ones, (uint64_t)1 << 31, 2.0f, 5, 6, first, 100);
		for (size_t cut = 0; cut <= 100; cut++) {
			attend_row_kernels()->dropout(part, ones, (uint64_t)1 << 31, 2.0f, 5, 6, first, cut);
			attend_row_kernels()->dropout(part + cut, ones, (uint64_t)1 << 31, 2.0f, 5, 6, first + cut, 100 - cut);
			assert_same_bits(part, whole, 100);
		}
	}
}

static void adamw(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < COUNTS; k++) {
			const size_t n = counts[k];
			guarded w = guarded_random(n, 1, -1.0f, 1.0f), m = guarded_random(n, 2, -1.0f, 1.0f),
					v = guarded_random(n, 3, 0.0f, 1.0f);
			guarded g = guarded_random(n, 4, -1.0f, 1.0f), w0 = guarded_copy(&w, 0), m0 = guarded_copy(&m, 0),
					v0 = guarded_copy(&v, 0);
			const attend_adamw o = {1e-3, 0.9, 0.999, 1e-8, 0.01, 0.5, 1.0 - 0.9 * 0.9, 1.0 - 0.999 * 0.999};
			attend_adamw_update(w.data, m.data, v.data, g.data, n, &o);
			for (size_t i = 0; i < n; i++) {
				const double gradient = (double)g.data[i] * 0.5;
				const double first = 0.9 * (double)m0.data[i] + 0.1 * gradient;
				const double second = 0.999 * (double)v0.data[i] + 0.001 * gradient * gradient;
				const double weight = (double)w0.data[i] * (1.0 - 1e-5) -
				                      1e-3 * first / o.bias_correction1 / (sqrt(second / o.bias_correction2) + 1e-8);
				assert_close(m.data[i], first, 1e-7, 1e-6);
				assert_close(v.data[i], second, 1e-10, 1e-6);
				assert_close(w.data[i], weight, 1e-6, 1e-6);
			}
			guarded *all[] = {&w, &m, &v, &g, &w0, &m0, &v0};
			for (size_t i = 0; i < 7; i++) guarded_free(all[i]);
		}
	}
}

/* Rows that never had a gradient: the same bits as by the whole update. */
static void adamw_rows(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t round = 0; round < 24; round++) {
			const size_t rows = 1 + check_below(300), width = 1 + check_below(90), n = rows * width;
			guarded w = guarded_random(n, 1, -1.0f, 1.0f), m = guarded_random(n, 2, -1.0f, 1.0f),
					v = guarded_random(n, 3, 0.0f, 1.0f), g = guarded_random(n, 4, -1.0f, 1.0f);
			uint8_t moved[300];
			for (size_t r = 0; r < rows; r++) {
				moved[r] = check_below(4) == 0;
				float *const zeros[] = {m.data, v.data, g.data};
				for (size_t i = 0; i < 3 && !moved[r]; i++) memset(zeros[i] + r * width, 0, width * sizeof(float));
			}
			guarded w2 = guarded_copy(&w, 0), m2 = guarded_copy(&m, 0), v2 = guarded_copy(&v, 0);
			const attend_adamw o = {
				1e-3, 0.9, 0.999, 1e-8, round % 2 ? 0.01 : 0.0, 0.5, 1.0 - 0.9 * 0.9, 1.0 - 0.999 * 0.999};
			attend_adamw_update(w.data, m.data, v.data, g.data, n, &o);
			attend_adamw_update_rows(w2.data, m2.data, v2.data, g.data, moved, rows, width, &o);
			assert_same_bits(w.data, w2.data, n);
			assert_same_bits(m.data, m2.data, n);
			assert_same_bits(v.data, v2.data, n);
			guarded *all[] = {&w, &m, &v, &g, &w2, &m2, &v2};
			for (size_t i = 0; i < 7; i++) guarded_free(all[i]);
		}
	}
}

static void sgd(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < COUNTS; k++) {
			const size_t n = counts[k];
			for (size_t variant = 0; variant < 8; variant++) {
				guarded w = guarded_random(n, 1, -1.0f, 1.0f), m = guarded_random(n, 2, -1.0f, 1.0f);
				guarded g = guarded_random(n, 4, -1.0f, 1.0f), w0 = guarded_copy(&w, 0), m0 = guarded_copy(&m, 0);
				const attend_sgd o = {0.1, 0.9, 0.2, 0.05, 2.0, variant & 1, variant & 2};
				attend_sgd_update(w.data, variant & 4 ? m.data : NULL, g.data, n, &o);
				for (size_t i = 0; i < n; i++) {
					double d = (double)g.data[i] * 2.0 + 0.05 * (double)w0.data[i];
					if (variant & 4) {
						const double buffer = o.first ? d : 0.9 * (double)m0.data[i] + 0.8 * d;
						assert_close(m.data[i], buffer, 1e-6, 1e-6);
						d = o.nesterov ? d + 0.9 * buffer : buffer;
					}
					assert_close(w.data[i], (double)w0.data[i] - 0.1 * d, 1e-6, 1e-6);
				}
				guarded *all[] = {&w, &m, &g, &w0, &m0};
				for (size_t i = 0; i < 5; i++) guarded_free(all[i]);
			}
		}
	}
}

static void rotary(void **state)
{
	(void)state;
	static const size_t dims[] = {2, 3, 4, 6, 10, 32, 34, 64, 128, 300};
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < sizeof dims / sizeof *dims; k++) {
			const size_t n = 13, heads = 3, dim = dims[k], ld = heads * dim + k % 3, half = dim / 2;
			guarded x = guarded_random((n - 1) * ld + heads * dim, k, -2.0f, 2.0f), y = guarded_copy(&x, 1);
			int32_t positions[13];
			for (size_t i = 0; i < n; i++) positions[i] = (int32_t)(i * i * 40);
			attend_rotary_forward(y.data, ld, n, heads, dim, positions, 10000.0f);
			for (size_t i = 0; i < n; i++)
				for (size_t h = 0; h < heads; h++)
					for (size_t t = 0; t < half; t++) {
						const float frequency = 1.0f / (float)pow(10000.0, (double)((float)(2 * t) / (float)dim));
						const double angle = (double)((float)positions[i] * frequency);
						const double a = x.data[i * ld + h * dim + t], b = x.data[i * ld + h * dim + half + t];
						assert_close(y.data[i * ld + h * dim + t], a * cos(angle) - b * sin(angle), 1e-6, 1e-6);
						assert_close(y.data[i * ld + h * dim + half + t], b * cos(angle) + a * sin(angle), 1e-6, 1e-6);
					}
			attend_rotary_backward(y.data, ld, n, heads, dim, positions, 10000.0f); /* the inverse */
			for (size_t i = 0; i < x.count; i++) assert_close(y.data[i], x.data[i], 2e-6, 1e-6);
			guarded_free(&x);
			guarded_free(&y);
		}
	}
}

/* Angles up to where the reduction ends, beyond it, and without end. */
static void far_positions(void **state)
{
	(void)state;
	static const int32_t positions[] = {0,      1,      -1,     511,      8191,      -8191,    99999,
	                                    131071, 131072, 131073, -1000000, INT32_MAX, INT32_MIN};
	enum { COUNT = sizeof positions / sizeof *positions, DIM = 40 };
	FOR_LEVELS(level)
	{
		float x[COUNT * DIM];
		for (size_t i = 0; i < COUNT * DIM; i++) x[i] = i % DIM < DIM / 2 ? 1.0f : 0.0f;
		attend_rotary_forward(x, DIM, COUNT, 1, DIM, positions, 500.0f);
		for (size_t i = 0; i < COUNT; i++)
			for (size_t t = 0; t < DIM / 2; t++) {
				const float frequency = 1.0f / (float)pow(500.0, (double)((float)(2 * t) / (float)DIM));
				const double angle = (double)((float)positions[i] * frequency);
				assert_close(x[i * DIM + t], cos(angle), 2e-7, 2e-7);
				assert_close(x[i * DIM + DIM / 2 + t], sin(angle), 2e-7, 2e-7);
			}
		attend_rotary_forward(x, DIM, COUNT, 1, DIM, positions, 0.0f); /* no frequency at all */
		assert_true(isnan(x[DIM + DIM / 2 - 1]));
	}
}

static void embeddings(void **state)
{
	(void)state;
	enum { ROWS = 50, N = 77 };
	static const size_t dims[] = {1, 5, 64, 300, 771};
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < 5; k++) {
			const size_t d = dims[k];
			guarded table = guarded_random(ROWS * d, k, -2.0f, 2.0f), dy = guarded_random(N * d, 1, -1.0f, 1.0f);
			unsigned char *half = malloc(ROWS * d * 2 + 1), *brain = malloc(ROWS * d * 2 + 1);
			int32_t ids[N];
			assert_non_null(half);
			assert_non_null(brain);
			for (size_t i = 0; i < ROWS * d; i++) {
				const uint16_t h = attend_f32_f16(table.data[i]), b = attend_f32_bf16(table.data[i]);
				memcpy(half + 1 + 2 * i, &h, 2);
				memcpy(brain + 1 + 2 * i, &b, 2);
			}
			for (size_t i = 0; i < N; i++) ids[i] = (int32_t)check_below(ROWS);
			guarded y = guarded_make(N * d, 3), base = guarded_random(N * d, 3, -1.0f, 1.0f),
					z = guarded_copy(&base, 5);
			attend_embedding_forward(y.data, table.data, ATTEND_DTYPE_F32, ids, N, d, 1.0f, false);
			for (size_t i = 0; i < N * d; i++) assert_true(y.data[i] == table.data[(size_t)ids[i / d] * d + i % d]);
			attend_embedding_forward(z.data, table.data, ATTEND_DTYPE_F32, ids, N, d, 1.5f, true);
			for (size_t i = 0; i < N * d; i++)
				assert_close(z.data[i], (double)base.data[i] + 1.5 * (double)y.data[i], 1e-6, 1e-6);
			attend_embedding_forward(z.data, half + 1, ATTEND_DTYPE_F16, ids, N, d, 1.0f, false);
			for (size_t i = 0; i < N * d; i++) assert_true(z.data[i] == attend_f16_f32(attend_f32_f16(y.data[i])));
			attend_embedding_forward(z.data, brain + 1, ATTEND_DTYPE_BF16, ids, N, d, 1.0f, false);
			for (size_t i = 0; i < N * d; i++) assert_true(z.data[i] == attend_bf16_f32(attend_f32_bf16(y.data[i])));

			guarded grad = guarded_random(ROWS * d, 2, -1.0f, 1.0f), grad2 = guarded_copy(&grad, 3);
			attend_set_threads(1);
			attend_embedding_backward(grad2.data, dy.data, ids, N, d, 0.5f, 7);
			for (size_t row = 0; row < ROWS; row++)
				for (size_t c = 0; c < d; c++) {
					double want = (double)grad.data[row * d + c];
					for (size_t i = 0; i < N; i++)
						if ((size_t)ids[i] == row && row != 7) want += 0.5 * (double)dy.data[i * d + c];
					assert_close(grad2.data[row * d + c], want, 2e-6, 2e-6);
				}
			attend_set_threads(4);
			attend_embedding_backward(grad.data, dy.data, ids, N, d, 0.5f, 7);
			assert_same_bits(grad.data, grad2.data, ROWS * d);
			attend_set_threads(0);
			guarded *all[] = {&table, &dy, &y, &base, &z, &grad, &grad2};
			for (size_t i = 0; i < 7; i++) guarded_free(all[i]);
			free(half);
			free(brain);
		}
	}
}

static void sinusoids(void **state)
{
	(void)state;
	float table[7 * 5];
	attend_sinusoid_table(table, 7, 5);
	for (size_t p = 0; p < 7; p++)
		for (size_t i = 0; i < 5; i++) {
			const size_t j = i < 3 ? i : i - 3;
			const double angle = (double)p / pow(10000.0, 2.0 * (double)j / 5.0);
			assert_close(table[p * 5 + i], i < 3 ? sin(angle) : cos(angle), 1e-7, 0.0);
		}
}

static void bench(void)
{
	enum { COUNT = 8 << 20 };
	guarded w = guarded_random(COUNT, 0, -1.0f, 1.0f), m = guarded_random(COUNT, 0, -1.0f, 1.0f),
			v = guarded_random(COUNT, 0, 0.0f, 1.0f), g = guarded_random(COUNT, 0, -1.0f, 1.0f);
	const attend_adamw o = {1e-3, 0.9, 0.999, 1e-8, 0.01, 0.5, 1.0 - 0.9 * 0.9, 1.0 - 0.999 * 0.999};
	for (int threads = 1; threads <= 2; threads++) {
		attend_set_threads(threads);
		FOR_LEVELS(level)
		{
			BENCH_BEST(update, attend_adamw_update(w.data, m.data, v.data, g.data, COUNT, &o));
			BENCH_BEST(drop, attend_dropout_forward(w.data, w.data, 0.1f, 1, 2, COUNT / 16));
			BENCH_BEST(squares, attend_sum_squares(g.data, COUNT));
			printf("%-10s %d threads: adamw %.1f GB/s, dropout %.2f ns an element, sum of squares %.1f GB/s\n",
			       attend_isa_level_name(level), threads, 28e-9 * COUNT / update, drop * 16e9 / COUNT,
			       4e-9 * COUNT / squares);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays),        cmocka_unit_test(dropout),    cmocka_unit_test(adamw),
		cmocka_unit_test(adamw_rows),    cmocka_unit_test(sgd),        cmocka_unit_test(rotary),
		cmocka_unit_test(far_positions), cmocka_unit_test(embeddings), cmocka_unit_test(sinusoids),
	};
	if (bench_asked(argc, argv)) {
		bench();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
