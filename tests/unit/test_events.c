/* test_events.c: event files: CRC-32C against its published check values and a bit-by-bit one, the bytes of records, reading
 * back, records that are cut or damaged. */
#include "tests/support/check.h"

#include "lib/train/events.h"

/* The definition: reflected, one bit at a time. */
static uint32_t slow_crc(const unsigned char *bytes, size_t size)
{
	uint32_t crc = 0xffffffffu;
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int b = 0; b < 8; b++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc ^ 0xffffffffu;
}

static void test_crc(void **state)
{
	(void)state;
	unsigned char bytes[300] = {0};
	assert_int_equal(attend_crc32c("123456789", 9), 0xe3069283u); /* the check value of the polynomial */
	assert_int_equal(attend_crc32c(bytes, 32), 0x8a9136aau);      /* RFC 3720, B.4 */
	memset(bytes, 0xff, 32);
	assert_int_equal(attend_crc32c(bytes, 32), 0x62a8ab43u);
	for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * i + 7 * i);
	for (size_t n = 0; n <= sizeof bytes; n++) assert_int_equal(attend_crc32c(bytes, n), slow_crc(bytes, n));
	assert_int_equal(attend_crc32c_masked("123456789", 9), 0xc78ab0e5u);
}

/* One record by hand: an event of step 300 (a varint of two bytes) with one scalar. */
static void test_bytes(void **state)
{
	(void)state;
	static const unsigned char payload[] = {0x09, 0,    0,    0,    0,    0, 0,   0xf8, 0x3f, /* wall_time 1.5 */
	                                        0x10, 0xac, 0x02,                                 /* step 300 */
	                                        0x2a, 10,   0x0a, 8,    0x0a, 1, 'x',             /* summary, value, tag */
	                                        0x15, 0,    0,    0x80, 0x3e};                    /* simple_value 0.25 */
	const attend_scalar scalar = {"x", 0.25f};
	attend_buffer out = {0};
	attend_events_put_scalars(&out, 1.5, 300, &scalar, 1);
	assert_ok(attend_buffer_status(&out));
	assert_int_equal(out.size, 12 + sizeof payload + 4);
	static const unsigned char length[8] = {sizeof payload};
	assert_memory_equal(out.data, length, 8);
	assert_memory_equal(out.data + 12, payload, sizeof payload);
	const uint32_t crcs[2] = {slow_crc(length, 8), slow_crc(payload, sizeof payload)};
	const unsigned char *stored[2] = {(unsigned char *)out.data + 8, (unsigned char *)out.data + 12 + sizeof payload};
	for (int i = 0; i < 2; i++) {
		const uint32_t masked = (crcs[i] >> 15 | crcs[i] << 17) + 0xa282ead8u;
		for (int b = 0; b < 4; b++) assert_int_equal(stored[i][b], masked >> 8 * b & 255);
	}
	attend_buffer_free(&out);
}

static void test_reading(void **state)
{
	(void)state;
	static const attend_scalar scalars[2] = {{"train/loss", 1}, {"train/learning_rate", 2}};
	attend_buffer out = {0};
	double time;
	int64_t step;
	size_t at = 0, ends[12] = {0};
	attend_events_put_version(&out, 0.5);
	ends[0] = out.size;
	for (int i = 1; i < 12; i++) {
		attend_events_put_scalars(&out, i + 0.25, i * 1000000007ll, scalars, (size_t)i % 3);
		ends[i] = out.size;
	}
	for (int i = 0; i < 12; i++) {
		assert_true(attend_events_next(&time, &step, out.data, out.size, &at));
		assert_int_equal(at, ends[i]);
		assert_int_equal(step, i * 1000000007ll);
		assert_true(time > i + 0.2 && time < i + 0.6);
	}
	assert_false(attend_events_next(&time, &step, out.data, out.size, &at));
	for (size_t cut = 0; cut < ends[0]; cut++) {
		at = 0;
		assert_false(attend_events_next(&time, &step, out.data, cut, &at));
		assert_int_equal(at, 0);
	}
	for (size_t i = 0; i < ends[0]; i++) { /* every byte is guarded */
		at = 0;
		out.data[i] = (char)(out.data[i] ^ 16);
		assert_false(attend_events_next(&time, &step, out.data, out.size, &at));
		out.data[i] = (char)(out.data[i] ^ 16);
	}
	attend_buffer_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc), cmocka_unit_test(test_bytes),
	                                   cmocka_unit_test(test_reading)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
