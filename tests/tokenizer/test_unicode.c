/* test_unicode.c: UTF-8, and the character classes of the reference's stages at the places where Unicode versions differ. */
#include "tests/support/check.h"

#include "lib/core/buffer.h"
#include "tokenizer/unicode.h"

static void test_utf8_validity(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t size, valid, bad;
	} cases[] = {
		{"", 0, 0, 0},
		{"abc", 3, 3, 0},
		{"a\0b", 3, 3, 0},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x91\x8d", 9, 9, 0},
		{"a\x80", 2, 1, 1},            /* a continuation alone */
		{"\xc0\xaf", 2, 0, 1},         /* overlong */
		{"\xe0\x80\xaf", 3, 0, 1},     /* overlong */
		{"\xed\xa0\x80", 3, 0, 1},     /* a surrogate */
		{"\xf4\x90\x80\x80", 4, 0, 1}, /* above U+10FFFF */
		{"ab\xe2\x82", 4, 2, 2},       /* cut short: one maximal subpart */
		{"12345678\xf0\x9f\x91x", 12, 8, 3},
		{"\xff", 1, 0, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(attend_utf8_valid_prefix(cases[i].text, cases[i].size), cases[i].valid);
		if (cases[i].bad)
			assert_int_equal(attend_utf8_bad_size(cases[i].text + cases[i].valid, cases[i].size - cases[i].valid),
			                 cases[i].bad);
	}
}

static void test_utf8_round_trip(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		if (c >= 0xd800 && c < 0xe000) continue;
		char text[4];
		size_t size;
		const size_t written = attend_utf8_encode(text, c);
		assert_int_equal(attend_utf8_decode(text, &size), c);
		assert_int_equal(size, written);
		assert_int_equal(attend_utf8_size((unsigned char)text[0]), written);
		assert_int_equal(attend_utf8_valid_prefix(text, written), written);
	}
}

static void test_lossy(void **state)
{
	(void)state;
	attend_buffer out = {0};
	attend_utf8_append_lossy(&out, "a\xe2\x82z\xff\xfe\xf0\x9f\x91\x8d\xc3", 11);
	assert_ok(attend_buffer_status(&out));
	assert_string_equal(out.data, "a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x91\x8d\xef\xbf\xbd");
	attend_buffer_free(&out);
}

/* Each at the edge of a Unicode version or of a definition (huggingface.md section 3.0). */
static void test_classes(void **state)
{
	(void)state;
	assert_true(attend_is_bert_control(0x85) && attend_is_bert_control(0xe000) && attend_is_bert_control(0x200b));
	assert_false(attend_is_bert_control('\n') || attend_is_bert_control(0x8e2) || attend_is_bert_control(0x13430));
	assert_false(attend_is_bert_control(0x378)); /* unassigned */
	assert_true(attend_is_bert_punctuation('$') && attend_is_bert_punctuation('`') &&
	            attend_is_bert_punctuation(0x166d));
	assert_false(attend_is_bert_punctuation(0x2e43) || attend_is_bert_punctuation('a') ||
	             attend_is_bert_punctuation(0xa3));
	assert_true(attend_is_bert_mark(0x301) && attend_is_bert_mark(0x1734));
	assert_false(attend_is_bert_mark(0x8d4) || attend_is_bert_mark(0x1dfb) || attend_is_bert_mark(0xa8c5) ||
	             attend_is_bert_mark(0x903));
	assert_true(attend_is_combining(0x903) && attend_is_combining(0x20dd) && attend_is_combining(0x301));
	assert_true(attend_is_word('_') && attend_is_word(0x24b6) && attend_is_word(0x1f130) && attend_is_word(0x200d) &&
	            attend_is_word(0x2160));
	assert_false(attend_is_word(0xb2) || attend_is_word(0x2460) || attend_is_word('-'));
	assert_true(attend_is_numeric(0xbd) && attend_is_numeric(0x2167) && attend_is_numeric('7'));
	assert_true(attend_is_numeric(0x11de0)); /* Unicode 17: digits for Digits, but not for Oniguruma */
	assert_false(attend_is_number(0x11de0));
	assert_true(attend_is_letter(0x10d4a)); /* Unicode 16 */
	assert_true(attend_is_whitespace(0x85) && attend_is_whitespace(0x3000) && attend_is_whitespace(0x2028));
	assert_false(attend_is_whitespace(0x200b) || attend_is_whitespace(0x180e));
	assert_true(attend_is_cjk(0x2b920) && attend_is_cjk(0x4e00) && attend_is_cjk(0xf900));
	assert_false(attend_is_cjk(0x2b91f) || attend_is_cjk(0x2b820) || attend_is_cjk(0x3042));
	assert_int_equal(attend_combining_class(0x301), 230);
	assert_int_equal(attend_combining_class(0x93c), 7);
	assert_int_equal(attend_combining_class('a'), 0);
	assert_int_equal(attend_script(0x30fc), attend_script(0x4eac));
	assert_int_equal(attend_script(0x3042), attend_script(0x4eac));
	assert_int_equal(attend_script(' '), 0);
	assert_int_not_equal(attend_script('1'), attend_script('a'));
}

static void test_lowercase(void **state)
{
	(void)state;
	uint32_t out[3];
	assert_int_equal(attend_lowercase(out, 0x130), 2);
	assert_true(out[0] == 'i' && out[1] == 0x307);
	assert_int_equal(attend_lowercase(out, 0x3a3), 1); /* no final sigma */
	assert_int_equal(out[0], 0x3c3);
	attend_lowercase(out, 0x1e9e);
	assert_int_equal(out[0], 0xdf);
	attend_lowercase(out, 'Z');
	assert_int_equal(out[0], 'z');
	attend_lowercase(out, 0x4e00);
	assert_int_equal(out[0], 0x4e00);
}

static void test_byte_table(void **state)
{
	(void)state;
	assert_int_equal(attend_byte_to_char(0x00), 0x100);
	assert_int_equal(attend_byte_to_char(' '), 0x120);
	assert_int_equal(attend_byte_to_char(0x7f), 0x121);
	assert_int_equal(attend_byte_to_char(0xa0), 0x142);
	assert_int_equal(attend_byte_to_char(0xad), 0x143);
	int mapped = 0;
	for (uint32_t c = 0; c < 0x200; c++) {
		const int byte = attend_char_to_byte(c);
		if (byte < 0) continue;
		mapped++;
		assert_int_equal(attend_byte_to_char((unsigned char)byte), c);
	}
	assert_int_equal(mapped, 256);
	assert_int_equal(attend_char_to_byte(0x2581), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_utf8_validity), cmocka_unit_test(test_utf8_round_trip),
	                                   cmocka_unit_test(test_lossy),         cmocka_unit_test(test_classes),
	                                   cmocka_unit_test(test_lowercase),     cmocka_unit_test(test_byte_table)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
