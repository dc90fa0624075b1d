/* test_buffer.c: growing text, JSON strings and the shortest f32. */
#include "lib/core/buffer.h"
#include "lib/core/half.h"
#include "lib/core/rng.h"
#include "tests/support/check.h"

#include <math.h>

static void test_append(void **state)
{
	(void)state;
	attend_buffer b = {0};
	attend_buffer_append(&b, NULL, 0);
	assert_string_equal(b.data, "");
	for (int i = 0; i < 1000; i++) attend_buffer_printf(&b, "%d,", i);
	assert_int_equal(b.size, 10 * 2 + 90 * 3 + 900 * 4);
	assert_memory_equal(b.data + b.size - 8, "998,999,", 9);
	attend_buffer_clear(&b);
	attend_buffer_text(&b, "x");
	assert_string_equal(b.data, "x");
	assert_ok(attend_buffer_status(&b));
	attend_buffer_append(&b, "y", SIZE_MAX - 1);
	assert_fails(ATTEND_ERR_NOMEM, "text buffer", attend_buffer_status(&b));
	attend_buffer_text(&b, "z");
	assert_string_equal(b.data, "x");
	attend_buffer_free(&b);
	attend_buffer_free(NULL);
}

static void test_json_string(void **state)
{
	(void)state;
	attend_buffer b = {0};
	attend_buffer_json_string(&b, "a\"\\\b\f\n\r\t\0\x1f\x7f/\xe2\x82\xac", 15);
	assert_string_equal(b.data, "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f/\xe2\x82\xac\"");
	attend_buffer_clear(&b);
	attend_buffer_json_string(&b, NULL, 0);
	assert_string_equal(b.data, "\"\"");
	attend_buffer_free(&b);
}

static void check_f32(float value, const char *expected)
{
	attend_buffer b = {0};
	attend_buffer_json_f32(&b, value);
	assert_string_equal(b.data, expected);
	attend_buffer_free(&b);
}

static void test_json_f32(void **state)
{
	(void)state;
	check_f32(0.1f, "0.1");
	check_f32(-0.0f, "-0");
	check_f32(1.0f, "1");
	check_f32(16777216.0f, "16777216");
	check_f32(1e-45f, "1e-45");
	check_f32(3.4028235e38f, "3.4028235e+38");
	check_f32(NAN, "null");
	check_f32(-INFINITY, "null");
	attend_rng rng = {1, 2, 0};
	attend_buffer b = {0};
	for (int i = 0; i < 20000; i++) {
		const float value = attend_bits_f32(attend_rng_u32(&rng));
		if (!isfinite(value)) continue;
		attend_buffer_clear(&b);
		attend_buffer_json_f32(&b, value);
		assert_true(strtof(b.data, NULL) == value);
	}
	attend_buffer_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_append), cmocka_unit_test(test_json_string),
	                                   cmocka_unit_test(test_json_f32)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
