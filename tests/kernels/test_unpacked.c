/* test_unpacked.c: attend_linear_forward_unpacked: the same bits where the file keeps the weights as on packed panels, at every
 * level; numbers that are none are noticed. */
#include "tests/kernels/packed_matrix.h"

#include "lib/core/half.h"
#include "lib/kernels/gemm_table.h"

enum { PARTS = 3 };

/* Part p of a source whose element type, layout and alignment vary with `kind`; `bytes` has room for 8 n k + 8. */
static struct attend_unpacked_part store_part(unsigned char *bytes, unsigned kind, const float *w, size_t n, size_t k)
{
	static const attend_dtype dtypes[] = {ATTEND_DTYPE_F32, ATTEND_DTYPE_BF16, ATTEND_DTYPE_F16};
	const attend_dtype dtype = dtypes[kind % 3];
	const size_t size = attend_dtype_bits(dtype) / 8;
	const bool in_out = kind / 3 % 2 == 1, odd = kind / 6 % 2 == 1;
	unsigned char *src = bytes + odd;
	for (size_t j = 0; j < n; j++) {
		for (size_t i = 0; i < k; i++) {
			const float v = w[j * k + i];
			const uint16_t half = dtype == ATTEND_DTYPE_F16 ? attend_f32_f16(v) : attend_f32_bf16(v);
			memcpy(src + (in_out ? i * n + j : j * k + i) * size, size == 2 ? (const void *)&half : (const void *)&v,
			       size);
		}
	}
	return (struct attend_unpacked_part){n, src, dtype, in_out ? 1 : k, in_out ? n : 1};
}

static void unpacked(void **state)
{
	(void)state;
	enum { M = 33 };
	static const size_t inputs[] = {0, 1, 31, 200, 515};
	FOR_LEVELS(level)
	{
		const size_t nr = attend_gemm_kernels()->nr, widths[PARTS] = {2 * nr, nr, 3 * nr + 5};
		const size_t n = widths[0] + widths[1] + widths[2];
		for (size_t shape = 0; shape < sizeof inputs / sizeof *inputs; shape++) {
			const size_t k = inputs[shape];
			guarded w = guarded_make(n * k, 0), x = guarded_random(M * k, 0, -1.0f, 1.0f),
					bias = guarded_random(n, 0, -1.0f, 1.0f), want = guarded_make(M * n, 0),
					got = guarded_make(M * n, 0);
			for (size_t i = 0; i < n * k; i++)
				w.data[i] = attend_bf16_f32(attend_f32_bf16(check_uniform(0.25f, 1.0f))); /* exact in all */
			unsigned char *bytes = malloc(n * k * 8 + PARTS * 8);
			assert_non_null(bytes);
			for (attend_pack_type type = ATTEND_PACK_F32; type <= ATTEND_PACK_BF16; type++) {
				matrix packed = matrix_of(type, n, k, w.data);
				const attend_epilogue e = {.bias = bias.data, .act = ATTEND_ACT_GELU};
				for (unsigned kind = 0; kind < 12; kind++) {
					_Atomic(bool) broken = false;
					attend_unpacked u = {.type = type, .n = n, .k = k, .part_count = PARTS, .broken = &broken};
					for (size_t p = 0, first = 0; p < PARTS; first += widths[p++])
						u.parts[p] = store_part(bytes + first * k * 8 + p * 8, kind, w.data + first * k, widths[p], k);
					assert_true(attend_unpacked_fits(&u));
					for (size_t m = 1; m <= M; m += 16) {
						forward(want.data, n, x.data, k, m, &packed, &e);
						memset(got.data, 0xff, got.count * sizeof(float));
						guarded scratch = guarded_make(attend_linear_scratch(&packed.packed, m) / sizeof(float), 0);
						attend_linear_forward_unpacked(got.data, n, x.data, k, m, &u, &e, scratch.data);
						assert_memory_equal(got.data, want.data, m * n * sizeof(float));
						guarded_free(&scratch);
					}
					assert_false(broken);
				}
				matrix_free(&packed);
			}
			free(bytes);
			guarded_free(&w);
			guarded_free(&x);
			guarded_free(&bias);
			guarded_free(&want);
			guarded_free(&got);
		}
	}
}

/* Every element is looked at; what does not fit is refused. */
static void unpacked_broken(void **state)
{
	(void)state;
	enum { N = 70, K = 45, M = 3 };
	guarded w = guarded_random(N * K, 0, -1.0f, 1.0f), x = guarded_random(M * K, 0, -1.0f, 1.0f),
			y = guarded_make(M * N, 0);
	FOR_LEVELS(level)
	{
		for (int i = 0; i < 40; i++) {
			float *const at = &w.data[i == 0 ? 0 : i == 1 ? N * K - 1 : check_below(N * K)], old = *at;
			_Atomic(bool) broken = false;
			const attend_unpacked u = {
				.n = N, .k = K, .parts = {{N, w.data, ATTEND_DTYPE_F32, K, 1}}, .part_count = 1, .broken = &broken};
			const attend_packed shape = {ATTEND_PACK_F32, N, K, NULL};
			guarded scratch = guarded_make(attend_linear_scratch(&shape, M) / sizeof(float), 0);
			attend_linear_forward_unpacked(y.data, N, x.data, K, M, &u, NULL, scratch.data);
			assert_false(broken);
			*at = i % 2 ? NAN : -INFINITY;
			attend_linear_forward_unpacked(y.data, N, x.data, K, M, &u, NULL, scratch.data);
			assert_true(broken);
			*at = old;
			guarded_free(&scratch);
		}
		const size_t nr = attend_gemm_kernels()->nr;
		attend_unpacked u = {.n = 2 * nr,
		                     .k = K,
		                     .parts = {{nr + 1, NULL, 0, 0, 0}, {nr - 1, NULL, 0, 0, 0}},
		                     .part_count = 2};
		assert_false(attend_unpacked_fits(&u)); /* a panel of two parts */
		u.parts[0].n = u.parts[1].n = nr;
		assert_true(attend_unpacked_fits(&u));
		u.type = ATTEND_PACK_INT8;
		assert_false(attend_unpacked_fits(&u));
	}
	guarded_free(&w);
	guarded_free(&x);
	guarded_free(&y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unpacked),
		cmocka_unit_test(unpacked_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
