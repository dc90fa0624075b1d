/* test_rng.c: known answers of Philox4x32-10 (Random123's kat_vectors), ranges and moments. */
#include "lib/core/rng.h"
#include "tests/support/check.h"

#include <math.h>

static void test_known_answers(void **state)
{
	(void)state;
	static const struct {
		uint64_t seed, stream, counter;
		uint32_t out[4];
	} cases[] = {
		{0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{~0ull, ~0ull, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};
	for (size_t i = 0; i < 3; i++) {
		uint32_t out[4];
		attend_rng_block(out, cases[i].seed, cases[i].stream, cases[i].counter);
		assert_memory_equal(out, cases[i].out, sizeof out);
	}
	uint32_t block[4];
	attend_rng rng = {5, 6, 4 * 7 + 2};
	attend_rng_block(block, 5, 6, 7);
	assert_int_equal(attend_rng_u32(&rng), block[2]);
	assert_int_equal(attend_rng_u32(&rng), block[3]);
	assert_int_equal(rng.counter, 4 * 8);
}

static void test_ranges(void **state)
{
	(void)state;
	attend_rng rng = {1, 1, 0};
	enum { DRAWS = 100000 };
	double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
	size_t counts[7] = {0};
	for (int i = 0; i < DRAWS; i++) {
		const double u = attend_rng_uniform(&rng), z = attend_rng_normal(&rng);
		assert_true(u >= 0 && u < 1 && isfinite(z));
		sum += u;
		squares += u * u;
		normal_sum += z;
		normal_squares += z * z;
		counts[attend_rng_below(&rng, 7)]++;
	}
	/* Six standard errors: a good generator fails once in 10^8 seeds. */
	const double error = 6 / sqrt(DRAWS);
	assert_true(fabs(sum / DRAWS - 0.5) < error * sqrt(1 / 12.0));
	assert_true(fabs(squares / DRAWS - 1 / 3.0) < error * sqrt(4 / 45.0));
	assert_true(fabs(normal_sum / DRAWS) < error);
	assert_true(fabs(normal_squares / DRAWS - 1) < error * sqrt(2));
	for (int i = 0; i < 7; i++) assert_true(fabs((double)counts[i] / DRAWS - 1 / 7.0) < error * sqrt(6 / 49.0));
	assert_int_equal(attend_rng_below(&rng, 1), 0);
	for (int i = 0; i < 1000; i++) assert_true(attend_rng_below(&rng, (1ull << 63) + 1) <= 1ull << 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_answers), cmocka_unit_test(test_ranges)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
