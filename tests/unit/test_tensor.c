/* test_tensor.c: dtype names, overflow-checked sizes, conversions to f32 against the definition of each format. */
#include "lib/core/half.h"
#include "lib/core/tensor.h"
#include "tests/support/check.h"

#include <math.h>

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < ATTEND_DTYPE_COUNT; i++) {
		attend_dtype parsed;
		assert_ok(attend_dtype_parse(&parsed, attend_dtype_name((attend_dtype)i)));
		assert_int_equal(parsed, i);
		assert_true(attend_dtype_bits((attend_dtype)i) > 0);
	}
	attend_dtype parsed;
	assert_fails(ATTEND_ERR_FORMAT, "\"f32\"", attend_dtype_parse(&parsed, "f32"));
	assert_int_equal(attend_dtype_bits(ATTEND_DTYPE_BF16), 16);
	assert_int_equal(attend_dtype_bits((attend_dtype)99), 0);
	assert_string_equal(attend_dtype_name((attend_dtype)-1), "unknown");
}

static void test_sizes(void **state)
{
	(void)state;
	size_t n = 1;
	attend_tensor t = {ATTEND_DTYPE_F32, 0, {0}, NULL};
	assert_true(attend_tensor_numel(&n, &t));
	assert_int_equal(n, 1);
	t = (attend_tensor){ATTEND_DTYPE_F32, 2, {3, 5}, NULL};
	assert_true(attend_tensor_bytes(&n, &t));
	assert_int_equal(n, 60);
	t = (attend_tensor){ATTEND_DTYPE_F32, 3, {SIZE_MAX, 2, 0}, NULL};
	assert_true(attend_tensor_numel(&n, &t));
	assert_int_equal(n, 0);
	t.shape[2] = 1;
	assert_false(attend_tensor_numel(&n, &t));
	t = (attend_tensor){ATTEND_DTYPE_F32, 1, {SIZE_MAX / 2}, NULL};
	assert_true(attend_tensor_numel(&n, &t));
	assert_false(attend_tensor_bytes(&n, &t));
	t = (attend_tensor){ATTEND_DTYPE_F6_E2M3, 1, {4}, NULL};
	assert_true(attend_tensor_bytes(&n, &t));
	assert_int_equal(n, 3);
	t.shape[0] = 3; /* 18 bits are no bytes */
	assert_false(attend_tensor_bytes(&n, &t));
}

static void test_describe(void **state)
{
	(void)state;
	char text[32];
	const attend_tensor t = {ATTEND_DTYPE_BF16, 2, {768, 3072}, NULL};
	assert_string_equal(attend_tensor_describe(text, sizeof text, &t), "BF16[768,3072]");
	const attend_tensor scalar = {ATTEND_DTYPE_F32, 0, {0}, NULL};
	assert_string_equal(attend_tensor_describe(text, sizeof text, &scalar), "F32[]");
	for (size_t size = 1; size < 15; size++) {
		attend_tensor_describe(text, size, &t);
		assert_int_equal(strlen(text), size - 1);
	}
}

static double f16_value(unsigned h)
{
	const unsigned exponent = h >> 10 & 31, mantissa = h & 1023;
	double value = exponent ? ldexp(1024 + mantissa, (int)exponent - 25) : ldexp(mantissa, -24);
	if (exponent == 31) value = mantissa ? NAN : INFINITY;
	return h & 0x8000 ? -value : value;
}

static void test_halves(void **state)
{
	(void)state;
	for (unsigned h = 0; h < 65536; h++) {
		const float f = attend_f16_f32((uint16_t)h), b = attend_bf16_f32((uint16_t)h);
		const double exact = f16_value(h);
		if (isnan(exact)) {
			assert_true(isnan(f) && isnan(attend_f16_f32(attend_f32_f16(f))));
		} else {
			assert_true((double)f == exact && !signbit(f) == !signbit(exact));
			assert_int_equal(attend_f32_f16(f), h);
		}
		if (isnan(b)) assert_true(isnan(attend_bf16_f32(attend_f32_bf16(b))));
		else assert_int_equal(attend_f32_bf16(b), h);
	}
}

/* Every midpoint between neighbours goes to the even one, a hair to either side goes there. */
static void test_rounding(void **state)
{
	(void)state;
	for (unsigned h = 0; h < 0x7bff; h++) {
		const float low = attend_f16_f32((uint16_t)h), high = attend_f16_f32((uint16_t)(h + 1));
		const float middle = (float)(((double)low + (double)high) / 2);
		assert_int_equal(attend_f32_f16(middle), h + (h & 1));
		assert_int_equal(attend_f32_f16(nextafterf(middle, 0)), h);
		assert_int_equal(attend_f32_f16(-nextafterf(middle, 1e9f)), (h + 1) | 0x8000);
	}
	assert_int_equal(attend_f32_f16(65519.99f), 0x7bff);
	assert_int_equal(attend_f32_f16(65520.0f), 0x7c00);
	assert_int_equal(attend_f32_f16(-1e30f), 0xfc00);
	assert_int_equal(attend_f32_bf16(attend_bits_f32(0x3f808000)), 0x3f80);
	assert_int_equal(attend_f32_bf16(attend_bits_f32(0x3f818000)), 0x3f82);
	assert_int_equal(attend_f32_bf16(3.4e38f), 0x7f80);
}

static void test_to_f32(void **state)
{
	(void)state;
	unsigned char bytes[1 + 3 * 8]; /* unaligned */
	float out[3];
	const double doubles[3] = {0.1, -1e300, 0x1p-149};
	memcpy(bytes + 1, doubles, sizeof doubles);
	attend_to_f32(out, bytes + 1, ATTEND_DTYPE_F64, 3);
	assert_true(out[0] == 0.1f && out[1] == -INFINITY && out[2] == 0x1p-149f);
	const uint16_t halves[3] = {0x3c00, 0x8001, 0x7c00};
	memcpy(bytes + 1, halves, sizeof halves);
	attend_to_f32(out, bytes + 1, ATTEND_DTYPE_F16, 3);
	assert_true(out[0] == 1 && out[1] == -0x1p-24f && out[2] == INFINITY);
	attend_to_f32(out, bytes + 1, ATTEND_DTYPE_BF16, 1);
	assert_true(out[0] == attend_bits_f32(0x3c000000));
	const float floats[3] = {1, 2, 3};
	memcpy(bytes + 1, floats, sizeof floats);
	attend_to_f32(out, bytes + 1, ATTEND_DTYPE_F32, 3);
	assert_memory_equal(out, floats, sizeof floats);
	attend_to_f32(NULL, NULL, ATTEND_DTYPE_F32, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),    cmocka_unit_test(test_sizes),
	                                   cmocka_unit_test(test_describe), cmocka_unit_test(test_halves),
	                                   cmocka_unit_test(test_rounding), cmocka_unit_test(test_to_f32)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
