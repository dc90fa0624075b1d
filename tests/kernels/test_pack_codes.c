/* test_pack_codes.c: int8 and int4 matrices out of panels and back: the same panels on every level, in any split of the columns;
 * the same codes whatever level made them; codes and scales as kernels.h defines them. */
#include "tests/kernels/kernel_check.h"

#include "lib/core/half.h"

static const size_t sizes[][2] = {{1, 1},   {3, 5},    {16, 32},   {31, 33}, {32, 64}, {33, 100},
                                  {64, 31}, {65, 128}, {100, 129}, {7, 257}, {0, 8},   {8, 0}};
enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 65 * 1024 };

typedef struct codes {
	unsigned char codes[MOST], scales[MOST];
	size_t code_bytes, scale_bytes;
} codes;

static attend_packed packed_of(attend_pack_type type, size_t n, size_t k)
{
	attend_packed p = {type, n, k, aligned_alloc(64, attend_pack_bytes(type, n, k) + 64)};
	assert_non_null(p.data);
	memset(p.data, 0xff, attend_pack_bytes(type, n, k));
	return p;
}

static void measure(codes *c, attend_pack_type type, size_t n, size_t k)
{
	c->code_bytes = n * attend_code_row_bytes(type, k);
	c->scale_bytes = n * attend_code_row_scales(type, k) * (type == ATTEND_PACK_INT8 ? 4 : 2);
	assert_true(c->code_bytes < MOST && c->scale_bytes < MOST);
	memset(c->codes, 0xa5, MOST);
	memset(c->scales, 0xa5, MOST);
}

/* What stands behind the end was not touched. */
static void assert_ends(const codes *c)
{
	for (size_t i = c->code_bytes; i < MOST; i++) assert_int_equal(c->codes[i], 0xa5);
	for (size_t i = c->scale_bytes; i < MOST; i++) assert_int_equal(c->scales[i], 0xa5);
}

/* codes and scales give back every weight within half a step (int4: clamped ones within the group's search, 0.8 steps). */
static void assert_near(const codes *c, attend_pack_type type, const float *w, size_t n, size_t k)
{
	const size_t row = attend_code_row_bytes(type, k), count = attend_code_row_scales(type, k);
	for (size_t j = 0; j < n; j++)
		for (size_t i = 0; i < k; i++) {
			float scale, value;
			if (type == ATTEND_PACK_INT8) {
				memcpy(&scale, c->scales + j * sizeof scale, sizeof scale);
				value = scale * (float)(int8_t)c->codes[j * row + i];
			} else {
				uint16_t half;
				const unsigned char byte = c->codes[j * row + i / 32 * 16 + i % 32 / 8 * 4 + i % 4];
				memcpy(&half, c->scales + (j * count + i / 32) * sizeof half, sizeof half);
				scale = attend_bf16_f32(half);
				value = scale * (float)((i % 8 < 4 ? byte & 15 : byte >> 4) - 8);
			}
			/* the longest number may be clamped from 8.25 to 8, or from 7.1 to 7 */
			const float steps = type == ATTEND_PACK_INT8 ? 0.501f : 1.3f;
			assert_true(fabsf(value - w[j * k + i]) <= steps * fabsf(scale));
		}
}

static void test_round_trip(void **state)
{
	(void)state;
	static codes first, again;
	static float w[MOST];
	for (attend_pack_type type = ATTEND_PACK_INT8; type <= ATTEND_PACK_INT4; type++)
		for (size_t s = 0; s < SIZES; s++) {
			const size_t n = sizes[s][0], k = sizes[s][1];
			bool have = false;
			for (size_t i = 0; i < n * k; i++) w[i] = check_uniform(-1.0f, 1.0f);
			if (n * k > 40) memset(w, 0, 40 * sizeof *w); /* a group of zeros */
			FOR_LEVELS(level)
			{
				attend_packed made = packed_of(type, n, k), back = packed_of(type, n, k);
				attend_pack(&made, 0, n, w, ATTEND_DTYPE_F32, k, 1);
				measure(&again, type, n, k);
				attend_unpack_codes(again.codes, again.scales, &made, 0, n);
				assert_ends(&again);
				if (!have) {
					first = again;
					assert_near(&first, type, w, n, k);
				}
				have = true;
				assert_memory_equal(first.codes, again.codes, MOST);
				assert_memory_equal(first.scales, again.scales, MOST);
				const size_t split = n / 3; /* in two calls, the second from unaligned memory */
				const size_t row = attend_code_row_bytes(type, k), scale = n ? again.scale_bytes / n : 0;
				memmove(again.codes + split * row + 1, first.codes + split * row, (n - split) * row);
				attend_pack_codes(&back, 0, split, first.codes, first.scales);
				attend_pack_codes(&back, split, n - split, again.codes + split * row + 1, first.scales + split * scale);
				assert_memory_equal(made.data, back.data, attend_pack_bytes(type, n, k));
				free(made.data);
				free(back.data);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
