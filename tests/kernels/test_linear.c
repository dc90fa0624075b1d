/* test_linear.c: attend_pack and attend_linear_forward in every pack type at every level: against double precision on the
 * numbers that the type really multiplies, all epilogues, odd shapes, odd sources, one answer. `--bench`: speed. */
#include "tests/kernels/packed_matrix.h"

#include <sys/mman.h>

#include "lib/core/half.h"
#include "lib/kernels/gemm_table.h"

static const char *const type_name[ATTEND_PACK_TYPES] = {"f32", "bf16", "int8", "int4"};

#define FOR_TYPES(type) for (attend_pack_type type = ATTEND_PACK_F32; type < ATTEND_PACK_TYPES; type++)

/* ---- The numbers that a type multiplies, from its definition in kernels.h ------------------------------------------------ */
static bool rounds_x(void)
{
	return attend_gemm_kernels()->kernel[ATTEND_PACK_BF16].form == ATTEND_BLOCK_BF16;
}

static float bf16_of(float v)
{
	return attend_bf16_f32(attend_f32_bf16(v));
}

/* int8: unsigned range with a zero point, or symmetric. */
static void effective_x(double *to, const float *x, size_t k, attend_pack_type type)
{
	float low = 0.0f, high = 0.0f;
	for (size_t i = 0; i < k; i++) {
		low = fminf(low, x[i]);
		high = fmaxf(high, x[i]);
	}
	const float scale = type == ATTEND_PACK_INT8 ? high / 255.0f - low / 255.0f : fmaxf(high, -low) / 127.0f;
	const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f,
				zero = type == ATTEND_PACK_INT8 ? fminf(rintf(-low * inverse), 255.0f) : 0.0f;
	const float least = type == ATTEND_PACK_INT8 ? 0.0f : -127.0f, most = type == ATTEND_PACK_INT8 ? 255.0f : 127.0f;
	for (size_t i = 0; i < k; i++) {
		if (type == ATTEND_PACK_F32) {
			to[i] = (double)x[i];
		} else if (type == ATTEND_PACK_BF16) {
			to[i] = (double)(rounds_x() ? bf16_of(x[i]) : x[i]);
		} else {
			to[i] = (double)scale * (double)(fmaxf(fminf(rintf(x[i] * inverse) + zero, most), least) - zero);
		}
	}
}

/* One column of weights, [k]. int4 is asked of the kernel itself, one input at a time: a single input has no rounding error
 * but that of 127 * (1/127). */
static void effective_w(double *to, const float *w, size_t k, const matrix *packed, size_t column)
{
	float high = 0.0f;
	for (size_t i = 0; i < k; i++) high = fmaxf(high, fabsf(w[i]));
	const float scale = high / 127.0f;
	float *x = calloc(k, sizeof *x), *y = malloc(packed->packed.n * sizeof *y);
	assert_true(x && y);
	for (size_t i = 0; i < k; i++) {
		switch (packed->packed.type) {
		case ATTEND_PACK_F32: to[i] = (double)w[i]; break;
		case ATTEND_PACK_BF16: to[i] = (double)bf16_of(w[i]); break;
		case ATTEND_PACK_INT8: to[i] = (double)scale * (double)rintf(w[i] * (1.0f / scale)); break;
		default:
			x[i] = 1.0f;
			forward(y, packed->packed.n, x, k, 1, packed, NULL);
			to[i] = (double)y[column];
			x[i] = 0.0f;
		}
	}
	free(x);
	free(y);
}

/* |error| of a sum of k products in f32, for inputs of magnitude about one. */
static double tolerance(size_t k)
{
	return 2e-7 * (double)(k + 4);
}

static void against_double(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 13, 15, 16, 17, 29, 31, 32, 33, 48, 63, 64, 65, 97, 127, 129};
	enum { SIZES = sizeof sizes / sizeof *sizes };
	FOR_LEVELS(level)
	{
		FOR_TYPES(type)
		{
			for (int round = 0; round < 24; round++) {
				const size_t m = sizes[check_below(round < 16 ? 12 : SIZES)], n = sizes[check_below(SIZES)];
				const size_t k = round % 6 == 5 ? 700 + check_below(400) : sizes[check_below(SIZES)];
				const size_t ldx = k + check_below(3), ldy = n + check_below(3);
				guarded x = guarded_random(m * ldx, check_below(16), -1.0f, 2.0f),
						w = guarded_random(n * k, check_below(16), -1.0f, 1.0f);
				guarded y = guarded_make(m * ldy, check_below(16)), before = guarded_copy(&y, 0);
				matrix packed = matrix_of(type, n, k, w.data);
				double *ew = malloc(k * sizeof *ew), *ex = malloc(m * k * sizeof *ex);
				assert_true(ew && ex);
				memcpy(before.data, y.data, y.count * sizeof(float));
				forward(y.data, ldy, x.data, ldx, m, &packed, NULL);
				for (size_t i = 0; i < m; i++) effective_x(ex + i * k, x.data + i * ldx, k, type);
				for (size_t j = 0; j < n; j += type == ATTEND_PACK_INT4 ? 1 + n / 3 : 1) {
					effective_w(ew, w.data + j * k, k, &packed, j);
					for (size_t i = 0; i < m; i++) {
						double sum = 0.0;
						for (size_t c = 0; c < k; c++) sum += ex[i * k + c] * ew[c];
						if (!check_close(y.data[i * ldy + j], sum, tolerance(k), 1e-6))
							fail_msg("%s %s %zux%zux%zu [%zu,%zu]: %.9g, want %.9g", attend_isa_level_name(level),
							         type_name[type], m, n, k, i, j, (double)y.data[i * ldy + j], sum);
					}
				}
				for (size_t i = 0; i < m; i++) /* between the rows nothing is written */
					assert_memory_equal(y.data + i * ldy + n, before.data + i * ldy + n,
					                    (i + 1 < m ? ldy - n : 0) * sizeof(float));
				free(ew);
				free(ex);
				matrix_free(&packed);
				guarded_free(&x);
				guarded_free(&w);
				guarded_free(&y);
				guarded_free(&before);
			}
		}
	}
}

/* int4 keeps a weight within half a step of its group's grid of sixteen, but for the end that the sign leaves short. */
static void int4_error(void **state)
{
	(void)state;
	enum { N = 19, K = 70 };
	guarded w = guarded_random(N * K, 1, -0.05f, 0.05f);
	for (size_t i = 0; i < 32; i++)
		w.data[i] = i == 5 ? -3e-9f : 1e-9f * (float)(i % 3); /* a group of tiny numbers keeps its relative precision */
	FOR_LEVELS(level)
	{
		matrix packed = matrix_of(ATTEND_PACK_INT4, N, K, w.data);
		for (size_t j = 0; j < N; j++) {
			double got[K], square = 0.0, error = 0.0;
			effective_w(got, w.data + j * K, K, &packed, j);
			for (size_t i = 0; i < K; i++) {
				float most = 0.0f;
				for (size_t c = i / 32 * 32; c < K && c < i / 32 * 32 + 32; c++)
					most = fmaxf(most, fabsf(w.data[j * K + c]));
				assert_true(fabs(got[i] - (double)w.data[j * K + i]) <= (double)most * 0.16);
				error += pow(got[i] - (double)w.data[j * K + i], 2.0);
				square += pow((double)w.data[j * K + i], 2.0);
			}
			assert_true(error <
			            square * 0.008); /* uniform numbers on 15.5 steps: (1/15.5)^2 / 4 ... = 0.0042 of the square */
		}
		matrix_free(&packed);
	}
	guarded_free(&w);
}

/* ---- Epilogues --------------------------------------------------------------------------------------------------------- */
static void epilogues(void **state)
{
	(void)state;
	enum { M = 17, N = 45, K = 37 };
	guarded x = guarded_random(M * K, 1, -1.0f, 1.0f), w = guarded_random(N * K, 2, -1.0f, 1.0f),
			bias = guarded_random(N, 3, -1.0f, 1.0f);
	guarded gate = guarded_random(M * (N + 1), 5, -1.0f, 1.0f), residual = guarded_random(M * (N + 2), 7, -1.0f, 1.0f);
	guarded plain = guarded_make(M * N, 0), y = guarded_make(M * N, 1), pre = guarded_make(M * N, 3),
			act = guarded_make(M * N, 0);
	FOR_LEVELS(level)
	{
		FOR_TYPES(type)
		{
			matrix packed = matrix_of(type, N, K, w.data);
			forward(plain.data, N, x.data, K, M, &packed, NULL);
			for (unsigned parts = 0; parts < 32; parts++) {
				for (attend_activation a = ATTEND_ACT_NONE; a < ATTEND_ACT_COUNT; a++) {
					const attend_epilogue e = {
						.scale = parts & 1 ? -0.75f : 0.0f,
						.bias = parts & 2 ? bias.data : NULL,
						.act = a,
						.multiply = parts & 4 ? gate.data : NULL,
						.ld_multiply = N + 1,
						.residual = parts & 8 ? residual.data : NULL,
						.ld_residual = N + 2,
						.pre_activation = parts & 16 ? pre.data : NULL,
					};
					forward(y.data, N, x.data, K, M, &packed, &e);
					for (size_t i = 0; i < M; i++)
						for (size_t j = 0; j < N; j++)
							act.data[i * N + j] =
								fmaf(plain.data[i * N + j], parts & 1 ? -0.75f : 1.0f, parts & 2 ? bias.data[j] : 0.0f);
					for (size_t i = 0; parts & 16 && i < M * N; i++) assert_close(pre.data[i], act.data[i], 3e-7, 3e-7);
					attend_activation_forward(act.data, act.data, a, M * N);
					for (size_t i = 0; i < M; i++) {
						for (size_t j = 0; j < N; j++) {
							double v = (double)act.data[i * N + j];
							if (parts & 4) v *= (double)gate.data[i * (N + 1) + j];
							if (parts & 8) v += (double)residual.data[i * (N + 2) + j];
							assert_close(y.data[i * N + j], v, 2e-6, 2e-6);
						}
					}
				}
			}
			/* The residual may be y itself. */
			const attend_epilogue other = {.residual = residual.data, .ld_residual = N + 2},
								  same = {.residual = y.data, .ld_residual = N};
			forward(act.data, N, x.data, K, M, &packed, &other);
			for (size_t i = 0; i < M; i++) memcpy(y.data + i * N, residual.data + i * (N + 2), N * sizeof(float));
			forward(y.data, N, x.data, K, M, &packed, &same);
			assert_same_bits(y.data, act.data, M * N);
			matrix_free(&packed);
		}
	}
	guarded *all[] = {&x, &w, &bias, &gate, &residual, &plain, &y, &pre, &act};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
}

/* Rows that one product lays out for the next give what f32 rows in between give. */
static void laid_rows(void **state)
{
	(void)state;
	enum { N = 96, K = 37, LAST = 45, MOST = 300 };
	static const size_t rows[] = {32, 33, 64, 77, 150, 299, MOST};
	guarded x = guarded_random(MOST * K, 1, -1.0f, 1.0f), first = guarded_random(N * K, 2, -1.0f, 1.0f),
			second = guarded_random(LAST * N, 3, -1.0f, 1.0f), bias = guarded_random(N, 3, -1.0f, 1.0f),
			gate = guarded_random(MOST * N, 5, -1.0f, 1.0f);
	guarded h = guarded_make(MOST * N, 0), y = guarded_make(MOST * LAST, 1), want = guarded_make(MOST * LAST, 2);
	FOR_LEVELS(level)
	{
		FOR_TYPES(type)
		{
			matrix up = matrix_of(type, N, K, first.data), down = matrix_of(type, LAST, N, second.data);
			for (size_t i = 0; i < 4 * sizeof rows / sizeof *rows; i++) {
				const size_t m = rows[i / 4];
				if (!attend_linear_lays(type, N, m)) continue;
				const attend_epilogue e = {.bias = bias.data,
				                           .act = i & 1 ? ATTEND_ACT_GELU : ATTEND_ACT_NONE,
				                           .multiply = i & 2 ? gate.data : NULL,
				                           .ld_multiply = N};
				guarded laid = guarded_make(attend_linear_scratch(&down.packed, m) / sizeof(float), 0);
				attend_set_threads(1 + (int)(i % 3));
				forward(h.data, N, x.data, K, m, &up, &e);
				forward(want.data, LAST, h.data, N, m, &down, NULL);
				forward(laid.data, ATTEND_LAID, x.data, K, m, &up, &e);
				forward(y.data, LAST, laid.data, ATTEND_LAID, m, &down, NULL);
				assert_same_bits(y.data, want.data, m * LAST);
				guarded_free(&laid);
			}
			matrix_free(&up);
			matrix_free(&down);
		}
	}
	attend_set_threads(0);
	guarded *all[] = {&x, &first, &second, &bias, &gate, &h, &y, &want};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
}

/* ---- One answer: a row's bits do not depend on the others, on their number, on its place or on the threads --------------- */
static void one_answer(void **state)
{
	(void)state;
	enum { M = 150 };
	static const size_t shapes[][2] = {{96, 64}, {100, 77}, {33, 1030}, {1, 5}};
	for (size_t shape = 0; shape < 4; shape++) {
		const size_t n = shapes[shape][0], k = shapes[shape][1];
		guarded x = guarded_random(M * k, 1, -1.0f, 2.0f), w = guarded_random(n * k, 3, -1.0f, 1.0f),
				bias = guarded_random(n, 5, -1.0f, 1.0f);
		guarded all = guarded_make(M * n, 0), some = guarded_make(M * n, 7),
				residual = guarded_random(M * n, 1, -1.0f, 1.0f);
		FOR_LEVELS(level)
		{
			FOR_TYPES(type)
			{
				matrix packed = matrix_of(type, n, k, w.data);
				attend_epilogue e = {.bias = bias.data,
				                     .act = ATTEND_ACT_GELU,
				                     .residual = residual.data,
				                     .ld_residual = n};
				attend_set_threads(1);
				forward(all.data, n, x.data, k, M, &packed, &e);
				for (size_t m = 1; m < M; m += m < 18 ? 1 : 43) {
					const size_t first = check_below(M - m + 1);
					attend_set_threads(1 + (int)(m % 3));
					e.residual = residual.data + first * n;
					forward(some.data, n, x.data + first * k, k, m, &packed, &e);
					assert_same_bits(some.data, all.data + first * n, m * n);
				}
				e.residual = residual.data;
				for (int threads = 2; threads < 6; threads += 3) {
					attend_set_threads(threads);
					forward(some.data, n, x.data, k, M, &packed, &e);
					assert_same_bits(some.data, all.data, M * n);
				}
				/* Packing by another team size gives the same matrix. */
				matrix again = matrix_of(type, n, k, w.data);
				assert_memory_equal(again.memory.data, packed.memory.data, packed.memory.count * sizeof(float));
				matrix_free(&again);
				matrix_free(&packed);
			}
		}
		attend_set_threads(0);
		guarded *arrays[] = {&x, &w, &bias, &all, &some, &residual};
		for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) guarded_free(arrays[i]);
	}
}

static float tiny(int exponent)
{
	return ldexpf(check_uniform(-1.0f, 1.0f), -exponent - (int)check_below(8));
}

/* Rows alone give the bits that they get among others where products and sums are subnormal, too: kernels for few rows flush
 * what kernels for many flush. */
static void one_answer_for_subnormals(void **state)
{
	(void)state;
	enum { M = 20, N = 70, K = 333 };
	guarded x = guarded_random(M * K, 0, -1.0f, 1.0f), w = guarded_random(N * K, 0, -1.0f, 1.0f);
	guarded all = guarded_make(M * N, 0), some = guarded_make(M * N, 0);
	for (int small = 50; small <= 74; small += 4) {
		for (size_t i = 0; i < x.count; i++) x.data[i] = tiny(small);
		for (size_t i = 0; i < w.count; i++) w.data[i] = tiny(small);
		FOR_LEVELS(level)
		{
			FOR_TYPES(type)
			{
				matrix packed = matrix_of(type, N, K, w.data);
				forward(all.data, N, x.data, K, M, &packed, NULL);
				for (size_t m = 1; m < M; m++) {
					const size_t first = check_below(M - m + 1);
					forward(some.data, N, x.data + first * K, K, m, &packed, NULL);
					assert_same_bits(some.data, all.data + first * N, m * N);
				}
				matrix_free(&packed);
			}
		}
	}
	guarded *arrays[] = {&x, &w, &all, &some};
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) guarded_free(arrays[i]);
}

/* ---- Sources: element types, layouts, alignment, parts ------------------------------------------------------------------ */
static void sources(void **state)
{
	(void)state;
	static const struct {
		attend_dtype dtype;
		size_t size;
	} kinds[] = {{ATTEND_DTYPE_F32, 4}, {ATTEND_DTYPE_F16, 2}, {ATTEND_DTYPE_BF16, 2}, {ATTEND_DTYPE_F64, 8}};
	static const size_t shapes[][2] = {{67, 45}, {32, 300}, {5, 1}, {130, 129}};
	for (size_t shape = 0; shape < 4; shape++) {
		const size_t n = shapes[shape][0], k = shapes[shape][1];
		guarded w = guarded_make(n * k, 0);
		for (size_t i = 0; i < n * k; i++)
			w.data[i] = attend_bf16_f32(attend_f32_bf16(check_uniform(0.25f, 1.0f))); /* exact in all four */
		unsigned char *bytes = malloc(n * k * 8 + 64);
		assert_non_null(bytes);
		FOR_LEVELS(level)
		{
			FOR_TYPES(type)
			{
				matrix want = matrix_of(type, n, k, w.data);
				for (size_t kind = 0; kind < 4; kind++) {
					for (int in_out = 0; in_out < 2; in_out++) {
						const size_t size = kinds[kind].size;
						unsigned char *src = bytes + check_below(2 * size); /* not even aligned to the element */
						for (size_t j = 0; j < n; j++) {
							for (size_t i = 0; i < k; i++) {
								const float v = w.data[j * k + i];
								const uint16_t half =
									kinds[kind].dtype == ATTEND_DTYPE_F16 ? attend_f32_f16(v) : attend_f32_bf16(v);
								const double wide = (double)v;
								const void *from = size == 2   ? (const void *)&half
								                   : size == 4 ? (const void *)&v
								                               : (const void *)&wide;
								memcpy(src + (in_out ? i * n + j : j * k + i) * size, from, size);
							}
						}
						const size_t stride_out = in_out ? 1 : k, stride_in = in_out ? n : 1;
						matrix got = matrix_make(type, n, k);
						for (size_t n0 = 0, part; n0 < n; n0 += part) { /* in parts that fit no panel */
							part = 1 + check_below(n);
							if (part > n - n0) part = n - n0;
							attend_pack(&got.packed, n0, part, src + n0 * stride_out * size, kinds[kind].dtype,
							            stride_out, stride_in);
						}
						assert_memory_equal(got.memory.data, want.memory.data, want.memory.count * sizeof(float));
						matrix_free(&got);
					}
				}
				matrix_free(&want);
			}
		}
		free(bytes);
		guarded_free(&w);
	}
}

/* ---- Nothing, and numbers that are none ---------------------------------------------------------------------------------- */
static void empty(void **state)
{
	(void)state;
	guarded x = guarded_random(64, 0, -1.0f, 1.0f), bias = guarded_random(40, 0, -1.0f, 1.0f),
			y = guarded_make(3 * 40, 0);
	FOR_LEVELS(level)
	{
		FOR_TYPES(type)
		{
			const attend_epilogue e = {.bias = bias.data};
			matrix none = matrix_of(type, 40, 0, x.data), narrow = matrix_of(type, 0, 8, x.data),
				   some = matrix_of(type, 4, 8, x.data);
			forward(y.data, 40, x.data, 0, 3, &none, &e); /* k 0: the sum is 0 */
			for (size_t i = 0; i < 3 * 40; i++) assert_true(y.data[i] == bias.data[i % 40]);
			forward(y.data, 0, x.data, 8, 3, &narrow, &e);
			forward(y.data, 4, x.data, 8, 0, &some, &e);
			for (size_t i = 0; i < 3 * 40; i++) assert_true(y.data[i] == bias.data[i % 40]);
			/* Inputs that are all zero. */
			memset(y.data, 0xff, y.count * sizeof(float));
			const float zeros[16] = {0};
			forward(y.data, 4, zeros, 8, 2, &some, NULL);
			for (size_t i = 0; i < 8; i++) assert_true(y.data[i] == 0.0f);
			matrix_free(&none);
			matrix_free(&narrow);
			matrix_free(&some);
		}
	}
	assert_true(attend_pack_bytes(ATTEND_PACK_F32, SIZE_MAX / 2, 1000) == SIZE_MAX);
	assert_true(attend_pack_bytes(ATTEND_PACK_INT4, 1000, SIZE_MAX / 2) == SIZE_MAX);
	guarded_free(&x);
	guarded_free(&bias);
	guarded_free(&y);
}

/* A NaN or an infinity reaches exactly the outputs that it enters: the row of x, the column of W. int4 quantises group by
 * group, int8 row by row: an infinite input makes its row NaN there. */
static void not_finite(void **state)
{
	(void)state;
	enum { M = 5, N = 50, K = 70 };
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	FOR_LEVELS(level)
	{
		FOR_TYPES(type)
		{
			for (size_t b = 0; b < 3; b++) {
				for (int in_w = 0; in_w < 2; in_w++) {
					guarded x = guarded_random(M * K, 1, 0.5f, 1.0f), w = guarded_random(N * K, 2, 0.5f, 1.0f),
							y = guarded_make(M * N, 3);
					const size_t row = check_below(M), column = check_below(N), at = check_below(K);
					*(in_w ? &w.data[column * K + at] : &x.data[row * K + at]) = bad[b];
					matrix packed = matrix_of(type, N, K, w.data);
					forward(y.data, N, x.data, K, M, &packed, NULL);
					for (size_t i = 0; i < M; i++) {
						for (size_t j = 0; j < N; j++) {
							const float v = y.data[i * N + j];
							const bool touched = in_w ? j == column : i == row;
							if (!touched) {
								assert_true(isfinite(v));
							} else if (type >= ATTEND_PACK_INT8) {
								assert_true(isnan(v));
							} else {
								assert_true(isnan(bad[b]) ? isnan(v) : v == bad[b]);
							}
						}
					}
					matrix_free(&packed);
					guarded_free(&x);
					guarded_free(&w);
					guarded_free(&y);
				}
			}
		}
	}
}

/* ---- --bench: GFLOP/s, GB/s of weights, each beside what the machine does at most (../shared/bench/limits) --------------- */
static void *huge(size_t bytes)
{
	const size_t page = 2u << 20;
	void *p = aligned_alloc(page, (bytes + page) / page * page);
	assert_non_null(p);
	madvise(p, bytes, MADV_HUGEPAGE);
	memset(p, 0, bytes);
	return p;
}

static void bench(int argc, char **argv)
{
	static const size_t shapes[][3] = {{1, 768, 768},    {1, 3072, 768},   {1, 768, 3072},   {4, 768, 768},
	                                   {8, 768, 768},    {16, 768, 768},   {16, 3072, 768},  {16, 768, 3072},
	                                   {32, 768, 768},   {64, 768, 768},   {128, 384, 384},  {128, 768, 768},
	                                   {128, 2304, 768}, {128, 3072, 768}, {128, 768, 3072}, {512, 768, 768},
	                                   {512, 3072, 768}, {512, 768, 3072}, {1024, 768, 768}, {1, 50257, 768}};
	attend_isa_level level = attend_cpu_isa();
	if (argc > 2 && attend_isa_level_parse(&level, argv[2]) != ATTEND_OK) return;
	attend_kernels_force(level);
	if (argc > 3) attend_set_threads(atoi(argv[3]));
	printf("level %s, %d threads; weights of 128 MB and more in turn for m <= 16\n", attend_isa_level_name(level),
	       attend_threads());
	for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
		const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
		float *x = huge(m * k * 4), *y = huge(m * n * 4), *source = huge(n * k * 4);
		for (size_t i = 0; i < m * k; i++) x[i] = check_uniform(-1.0f, 1.0f);
		for (size_t i = 0; i < n * k; i++) source[i] = check_uniform(-0.05f, 0.05f);
		printf("%4zu x %5zu x %4zu", m, n, k);
		FOR_TYPES(type)
		{
			const size_t bytes = attend_pack_bytes(type, n, k), copies = m <= 16 ? (128u << 20) / bytes + 1 : 4;
			unsigned char *memory = huge(bytes * copies);
			attend_packed w = {type, n, k, memory};
			for (size_t c = 0; c < copies; c++, w.data = memory + (c < copies ? c : 0) * bytes)
				attend_pack(&w, 0, n, source, ATTEND_DTYPE_F32, k, 1);
			void *scratch = huge(attend_linear_scratch(&w, m) + 64);
			BENCH_BEST(best, {
				for (size_t c = 0; c < copies; c++) {
					w.data = memory + c * bytes;
					attend_linear_forward(y, n, x, k, m, &w, NULL, scratch);
				}
			});
			best /= (double)copies;
			printf(" | %s %7.1f GF/s %5.1f GB/s", type_name[type], 2e-9 * (double)(m * n * k) / best,
			       1e-9 * (double)bytes / best);
			free(memory);
			free(scratch);
		}
		printf("\n");
		free(x);
		free(y);
		free(source);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_double), cmocka_unit_test(int4_error), cmocka_unit_test(epilogues),
		cmocka_unit_test(laid_rows),      cmocka_unit_test(one_answer), cmocka_unit_test(one_answer_for_subnormals),
		cmocka_unit_test(sources),        cmocka_unit_test(empty),      cmocka_unit_test(not_finite),
	};
	if (bench_asked(argc, argv)) {
		bench(argc, argv);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
