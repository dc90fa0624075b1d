/* test_relative.c: T5's buckets against the tables of the reference (shared/spec/huggingface.md section 2.10), and the bias. */
#include "tests/kernels/kernel_check.h"

/* First distance of each bucket; the reference's, verified in f32 and f64. */
static void encoder_table(void **state)
{
	(void)state;
	static const int first[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
	for (int n = 0; n < 3000; n++) {
		size_t bucket = 0;
		while (bucket + 1 < 16 && n >= first[bucket + 1]) bucket++;
		assert_int_equal(attend_relative_bucket(-n, true, 32, 128), bucket);
		assert_int_equal(attend_relative_bucket(n, true, 32, 128), n ? 16 + bucket : 0);
	}
}

static void decoder_table(void **state)
{
	(void)state;
	static const int first[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
	                            16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113};
	for (int n = 0; n < 3000; n++) {
		size_t bucket = 0;
		while (bucket + 1 < 32 && n >= first[bucket + 1]) bucket++;
		assert_int_equal(attend_relative_bucket(-n, false, 32, 128), bucket);
		assert_int_equal(attend_relative_bucket(n, false, 32, 128), 0);
	}
}

static void extremes(void **state)
{
	(void)state;
	for (size_t buckets = 0; buckets < 20; buckets++)
		for (size_t most = 0; most < 20; most++) {
			static const int64_t distances[] = {INT64_MIN, -1000000, -3, 0, 3, 1000000, INT64_MAX};
			for (size_t i = 0; i < 7; i++) {
				assert_true(attend_relative_bucket(distances[i], true, buckets, most) < (buckets ? buckets : 1));
				assert_true(attend_relative_bucket(distances[i], false, buckets, most) < (buckets ? buckets : 1));
			}
		}
}

static void bias(void **state)
{
	(void)state;
	enum { HEADS = 3, SPAN = 200, WIDTH = 2 * SPAN + 1 };
	float table[32 * HEADS], out[HEADS * WIDTH], dtable[32 * HEADS] = {0};
	double want[32 * HEADS] = {0};
	for (size_t i = 0; i < 32 * HEADS; i++) table[i] = check_uniform(-1.0f, 1.0f);
	attend_relative_bias_forward(out, SPAN, table, HEADS, true, 32, 128);
	for (size_t h = 0; h < HEADS; h++)
		for (size_t i = 0; i < WIDTH; i++) {
			const size_t at = attend_relative_bucket((int64_t)i - SPAN, true, 32, 128) * HEADS + h;
			assert_true(out[h * WIDTH + i] == table[at]);
			out[h * WIDTH + i] = check_uniform(-1.0f, 1.0f);
			want[at] += (double)out[h * WIDTH + i];
		}
	attend_relative_bias_backward(dtable, out, SPAN, HEADS, true, 32, 128);
	for (size_t i = 0; i < 32 * HEADS; i++) assert_close(dtable[i], want[i], 2e-5, 1e-5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encoder_table),
		cmocka_unit_test(decoder_table),
		cmocka_unit_test(extremes),
		cmocka_unit_test(bias),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
