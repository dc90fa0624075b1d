/* test_gemm.c: attend_gemm in all its forms and attend_linear_backward at every level against double precision; the same
 * bits on any team where the level has kernels of its own. `--bench`: speed in the shapes of training, beside OpenBLAS. */
#include "tests/kernels/kernel_check.h"

#include <sys/mman.h>

#include "lib/core/blas.h"
#include "lib/core/half.h"

static void gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                 const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	guarded scratch = guarded_make(attend_gemm_scratch(m, n, k) / sizeof(float), 0);
	memset(scratch.data, 0xff, scratch.count * sizeof(float));
	attend_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, scratch.data);
	guarded_free(&scratch);
}

static const size_t sizes[] = {0, 1, 2, 3, 5, 8, 13, 14, 15, 16, 17, 29, 31, 32, 33, 64, 65, 97, 200};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void against_double(void **state)
{
	(void)state;
	static const float factors[] = {1.0f, 0.0f, -0.5f, 2.0f};
	FOR_LEVELS(level)
	{
		for (int round = 0; round < 240; round++) {
			const bool ta = round & 1, tb = round & 2;
			const size_t m = sizes[check_below(SIZES)], n = sizes[check_below(SIZES)];
			const size_t k = round % 40 == 7 ? 1000 + check_below(100) : sizes[check_below(SIZES)];
			const float alpha = factors[check_below(4)], beta = factors[check_below(4)];
			const size_t lda = (ta ? m : k) + check_below(3), ldb = (tb ? k : n) + check_below(3),
						 ldc = n + check_below(3);
			guarded a = guarded_random((ta ? k : m) * lda, check_below(16), -1.0f, 1.0f);
			guarded b = guarded_random((tb ? n : k) * ldb, check_below(16), -1.0f, 1.0f);
			guarded c = guarded_random(m * ldc, check_below(16), -1.0f, 1.0f), before = guarded_copy(&c, 0);
			for (size_t i = 0; beta == 0.0f && i < m * ldc; i++) c.data[i] = NAN; /* not read */
			gemm(ta, tb, m, n, k, alpha, a.data, lda, b.data, ldb, beta, c.data, ldc);
			for (size_t i = 0; i < m; i++) {
				for (size_t j = 0; j < ldc; j++) {
					const float got = c.data[i * ldc + j], old = before.data[i * ldc + j];
					if (j >= n) {
						assert_true(beta == 0.0f ? isnan(got) : got == old);
						continue;
					}
					double sum = 0.0;
					for (size_t x = 0; x < k; x++)
						sum += (double)(ta ? a.data[x * lda + i] : a.data[i * lda + x]) *
						       (double)(tb ? b.data[j * ldb + x] : b.data[x * ldb + j]);
					assert_close(got, (double)alpha * sum + (beta == 0.0f ? 0.0 : (double)beta * (double)old),
					             3e-7 * (double)(k + 4), 1e-6);
				}
			}
			guarded_free(&a);
			guarded_free(&b);
			guarded_free(&c);
			guarded_free(&before);
		}
	}
}

/* bf16 operands: exact products of rounded numbers, f32 sums; whatever the form, the shape and the team. */
static void mixed(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (int round = 0; round < 160; round++) {
			const bool ta = round & 1, tb = round & 2, pays = attend_bf16_pays();
			const size_t m = round % 20 == 3 ? 700 : sizes[check_below(SIZES)], n = sizes[check_below(SIZES)];
			const size_t k = round % 40 == 7 ? 1000 + check_below(100) : sizes[check_below(SIZES)];
			const size_t lda = (ta ? m : k) + check_below(3), ldb = (tb ? k : n) + check_below(3),
						 ldc = n + check_below(3);
			guarded a = guarded_random((ta ? k : m) * lda, check_below(16), -1.0f, 1.0f);
			guarded b = guarded_random((tb ? n : k) * ldb, check_below(16), -1.0f, 1.0f);
			guarded c = guarded_random(m * ldc, 1, -1.0f, 1.0f), before = guarded_copy(&c, 0),
					again = guarded_copy(&c, 2);
			guarded scratch = guarded_make(attend_gemm_scratch(m, n, k) / sizeof(float), 0);
			memset(scratch.data, 0xff, scratch.count * sizeof(float));
			attend_set_threads(1);
			attend_gemm_bf16(ta, tb, m, n, k, 2.0f, a.data, lda, b.data, ldb, -0.5f, c.data, ldc, scratch.data);
			attend_set_threads(3);
			attend_gemm_bf16(ta, tb, m, n, k, 2.0f, a.data, lda, b.data, ldb, -0.5f, again.data, ldc, scratch.data);
			if (level != ATTEND_ISA_PORTABLE) assert_same_bits(c.data, again.data, m * ldc);
			for (size_t i = 0; i < m; i++) {
				for (size_t j = 0; j < n; j++) {
					double sum = 0.0;
					for (size_t x = 0; x < k; x++) {
						const float va = ta ? a.data[x * lda + i] : a.data[i * lda + x];
						const float vb = tb ? b.data[j * ldb + x] : b.data[x * ldb + j];
						sum += pays ? (double)attend_bf16_f32(attend_f32_bf16(va)) *
						                  (double)attend_bf16_f32(attend_f32_bf16(vb))
						            : (double)va * (double)vb;
					}
					assert_close(c.data[i * ldc + j], 2.0 * sum - 0.5 * (double)before.data[i * ldc + j],
					             5e-7 * (double)(k + 4), 1e-6);
				}
			}
			guarded *all[] = {&a, &b, &c, &before, &again, &scratch};
			for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
		}
	}
	attend_set_threads(0);
}

/* Large enough that tasks fill their own blocks (and that the portable level asks OpenBLAS), and any team. */
static void large(void **state)
{
	(void)state;
	enum { M = 1000, N = 70, K = 90 };
	guarded a = guarded_random(M * K, 1, -1.0f, 1.0f), b = guarded_random(K * N, 2, -1.0f, 1.0f);
	guarded c = guarded_random(M * N, 3, -1.0f, 1.0f), first = guarded_make(M * N, 0), other = guarded_make(M * N, 5);
	FOR_LEVELS(level)
	{
		for (unsigned form = 0; form < 4; form++) {
			const bool ta = form & 1, tb = form & 2;
			for (int threads = 1; threads <= 3; threads++) {
				guarded *to = threads == 1 ? &first : &other;
				attend_set_threads(threads);
				memcpy(to->data, c.data, c.count * sizeof(float));
				gemm(ta, tb, M, N, K, 1.0f, a.data, ta ? M : K, b.data, tb ? K : N, 1.0f, to->data, N);
				if (threads > 1 && level != ATTEND_ISA_PORTABLE) assert_same_bits(first.data, other.data, M * N);
			}
			for (size_t i = 0; i < M; i++) {
				for (size_t j = 0; j < N; j++) {
					double sum = (double)c.data[i * N + j];
					for (size_t x = 0; x < K; x++)
						sum += (double)a.data[ta ? x * M + i : i * K + x] * (double)b.data[tb ? j * K + x : x * N + j];
					assert_close(first.data[i * N + j], sum, 3e-5, 1e-6);
					assert_close(other.data[i * N + j], sum, 3e-5, 1e-6);
				}
			}
		}
	}
	attend_set_threads(0);
	guarded *all[] = {&a, &b, &c, &first, &other};
	for (size_t i = 0; i < 5; i++) guarded_free(all[i]);
}

/* Rows so long that a task has one block of them (dx through a vocabulary): blocks that do not divide among the team. */
static void long_rows(void **state)
{
	(void)state;
	enum { M = 170, N = 40, K = 60000 };
	guarded a = guarded_random(M * K, 1, -1.0f, 1.0f), b = guarded_random(K * N, 2, -1.0f, 1.0f);
	guarded first = guarded_make(M * N, 0), other = guarded_make(M * N, 5);
	FOR_LEVELS(level)
	{
		for (size_t m = 84; m <= M; m += 14) {
			for (int threads = 1; threads <= 4; threads++) {
				guarded *to = threads == 1 ? &first : &other;
				attend_set_threads(threads);
				gemm(false, false, m, N, K, 1.0f, a.data, K, b.data, N, 0.0f, to->data, N);
				if (threads > 1 && level != ATTEND_ISA_PORTABLE) assert_same_bits(first.data, other.data, m * N);
			}
		}
	}
	attend_set_threads(0);
	guarded *all[] = {&a, &b, &first, &other};
	for (size_t i = 0; i < 4; i++) guarded_free(all[i]);
}

static void backward(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (int round = 0; round < 48; round++) {
			enum { MOST = 3 };
			const size_t parts = round % 3 == 0 ? 1 + check_below(MOST) : 1;
			const size_t m = sizes[check_below(SIZES)], k = sizes[1 + check_below(SIZES - 1)];
			size_t n[MOST], start[MOST + 1] = {0};
			for (size_t p = 0; p < parts; p++) {
				n[p] = round % 2 ? sizes[1 + check_below(SIZES - 1)] : 32 * (1 + check_below(2));
				start[p + 1] = start[p] + n[p];
			}
			const size_t all_n = start[parts];
			const size_t lddy = all_n + check_below(3), ldx = k + check_below(3), lddx = k + check_below(3);
			const bool in_out = round % 4 == 1, overwrite = round & 2;
			guarded dy = guarded_random(m * lddy, 1, -1.0f, 1.0f), x = guarded_random(m * ldx, 2, -1.0f, 1.0f);
			guarded w = guarded_random(all_n * k, 3, -1.0f, 1.0f), dx = guarded_random(m * lddx, 4, -1.0f, 1.0f);
			guarded dw = guarded_random(all_n * k, 5, -1.0f, 1.0f), db = guarded_random(all_n, 6, -1.0f, 1.0f);
			guarded dx0 = guarded_copy(&dx, 0), dw0 = guarded_copy(&dw, 0), db0 = guarded_copy(&db, 0);
			guarded scratch = guarded_make(attend_linear_backward_scratch(m, all_n, k) / sizeof(float), 0);
			attend_linear_grad g = {.m = m,
			                        .k = k,
			                        .dy = dy.data,
			                        .lddy = lddy,
			                        .x = x.data,
			                        .ldx = ldx,
			                        .dx = round % 5 == 1 ? NULL : dx.data,
			                        .lddx = lddx,
			                        .overwrite_dx = overwrite,
			                        .bf16 = round % 8 >= 5,
			                        .part_count = parts};
			for (size_t p = 0; p < parts; p++)
				g.parts[p] =
					(struct attend_linear_grad_part){.n = n[p],
				                                     .w = w.data + start[p] * k,
				                                     .in_out = in_out,
				                                     .dw = round % 5 == 2 && p != 1 ? NULL : dw.data + start[p] * k,
				                                     .overwrite_dw = (round + (int)p) % 4 == 1,
				                                     .db = round % 5 == 3 ? NULL : db.data + start[p]};
			/* each factor of at most 1 is rounded by at most 2^-9 */
			const double rounding = g.bf16 && attend_bf16_pays() ? 0x1p-8 : 0.0;
			attend_linear_backward(&g, scratch.data);
			for (size_t i = 0; i < m; i++) {
				for (size_t c = 0; c < lddx; c++) {
					double sum = overwrite ? 0.0 : (double)dx0.data[i * lddx + c];
					if (c >= k || !g.dx) {
						assert_true(dx.data[i * lddx + c] == dx0.data[i * lddx + c]);
						continue;
					}
					for (size_t p = 0; p < parts; p++)
						for (size_t j = 0; j < n[p]; j++)
							sum += (double)dy.data[i * lddy + start[p] + j] *
							       (double)g.parts[p].w[in_out ? c * n[p] + j : j * k + c];
					assert_close(dx.data[i * lddx + c], sum, 1e-4 + rounding * (double)all_n, 1e-6);
				}
			}
			for (size_t p = 0; p < parts; p++) {
				const struct attend_linear_grad_part *part = &g.parts[p];
				for (size_t j = 0; j < n[p]; j++) {
					const float *dy_j = dy.data + start[p] + j;
					double bias = (double)db0.data[start[p] + j];
					for (size_t i = 0; i < m && part->db; i++) bias += (double)dy_j[i * lddy];
					assert_close(db.data[start[p] + j], bias, 1e-4, 1e-6);
					for (size_t c = 0; c < k; c++) {
						const size_t at = start[p] * k + (in_out ? c * n[p] + j : j * k + c);
						double sum = part->dw && part->overwrite_dw ? 0.0 : (double)dw0.data[at];
						for (size_t i = 0; i < m && part->dw; i++)
							sum += (double)dy_j[i * lddy] * (double)x.data[i * ldx + c];
						assert_close(dw.data[at], sum, 1e-4 + rounding * (double)m, 1e-6);
					}
				}
			}
			guarded *all[] = {&dy, &x, &w, &dx, &dw, &db, &dx0, &dw0, &db0, &scratch};
			for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
		}
	}
}

static float *huge(size_t count)
{
	const size_t page = 2u << 20;
	float *p = aligned_alloc(page, (count * sizeof *p + page) / page * page);
	assert_non_null(p);
	madvise(p, count * sizeof *p, MADV_HUGEPAGE);
	for (size_t i = 0; i < count; i++) p[i] = check_uniform(-1.0f, 1.0f);
	return p;
}

static void bench(int argc, char **argv)
{
	static const size_t shapes[][3] = {
		{1024, 768, 768}, {1024, 3072, 768}, {1024, 768, 3072}, {3072, 768, 1024}, {768, 3072, 1024}};
	attend_isa_level level = attend_cpu_isa();
	if (argc > 2 && attend_isa_level_parse(&level, argv[2]) != ATTEND_OK) return;
	attend_kernels_force(level);
	if (argc > 3) attend_set_threads(atoi(argv[3]));
	printf("level %s, %d threads, %s\n", attend_isa_level_name(level), attend_threads(), attend_blas_info());
	for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
		const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
		float *a = huge(m * k), *b = huge(n * k), *c = huge(m * n),
			  *scratch = huge(attend_gemm_scratch(m, n, k) / sizeof(float));
		for (unsigned form = 0; form < 4; form++) {
			const bool ta = form & 1, tb = form & 2;
			const size_t lda = ta ? m : k, ldb = tb ? k : n;
			BENCH_BEST(own, attend_gemm(ta, tb, m, n, k, 1.0f, a, lda, b, ldb, 1.0f, c, n, scratch));
			BENCH_BEST(blas, attend_blas_gemm(ta, tb, m, n, k, 1.0f, a, lda, b, ldb, 1.0f, c, n));
			BENCH_BEST(bf16, attend_gemm_bf16(ta, tb, m, n, k, 1.0f, a, lda, b, ldb, 1.0f, c, n, scratch));
			const double work = 2e-9 * (double)(m * n * k);
			printf("%4zu x %4zu x %4zu %c%c | f32 %6.1f GF/s | bf16 %6.1f GF/s | OpenBLAS %6.1f GF/s\n", m, n, k,
			       ta ? 'T' : 'N', tb ? 'T' : 'N', work / own, work / bf16, work / blas);
		}
		free(a);
		free(b);
		free(c);
		free(scratch);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_double), cmocka_unit_test(mixed),    cmocka_unit_test(large),
		cmocka_unit_test(long_rows),      cmocka_unit_test(backward),
	};
	if (bench_asked(argc, argv)) {
		bench(argc, argv);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
