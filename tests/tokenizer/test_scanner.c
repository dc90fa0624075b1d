/* test_scanner.c: the hand-written word scanners give the words that their regular expressions give. */
#include "tests/support/check.h"

#include "tests/tokenizer/random_text.h"
#include "tokenizer/scanner.h"

enum { CHARACTERS = 60, LONG = 200, TEXTS = 20000 };

static void compare(attend_scanner scanner, const attend_pattern *pattern, const char *text, size_t size)
{
	attend_span_list expected = {0}, got = {0};
	assert_ok(attend_pattern_find(pattern, text, size, &expected));
	assert_ok(attend_scan(scanner, text, 0, (uint32_t)size, &got));
	for (size_t i = 0; i < expected.count || i < got.count; i++) {
		if (i < expected.count && i < got.count && expected.items[i].start == got.items[i].start &&
		    expected.items[i].end == got.items[i].end)
			continue;
		fail_msg("scanner %d, word %zu of \"%.*s\": expected [%u, %u), found [%u, %u)", scanner, i, (int)size, text,
		         i < expected.count ? expected.items[i].start : 0, i < expected.count ? expected.items[i].end : 0,
		         i < got.count ? got.items[i].start : 0, i < got.count ? got.items[i].end : 0);
	}
	attend_span_list_free(&expected);
	attend_span_list_free(&got);
}

/* The words again, 64 bytes at once where that goes. */
static void compare_blocks(attend_scanner scanner, const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t next = at;
		for (uint64_t ends = attend_scan_block(scanner, text, size, at); ends; ends &= ends - 1) {
			const size_t expected = attend_scan_word(scanner, text, size, next),
						 end = at + (size_t)__builtin_ctzll(ends);
			if (end != expected)
				fail_msg("scanner %d, block at %zu of \"%.*s\": word [%zu, %zu), found [%zu, %zu)", scanner, at,
				         (int)size, text, next, expected, next, end);
			next = end;
		}
		at = next > at ? next : attend_scan_word(scanner, text, size, at);
	}
}

/* Letters, blanks, quotes, digits and NUL for most of the characters. */
static void make_plain(attend_rng *rng, char *text, size_t size)
{
	static const char plain[] = "etaoin  ''srevldm\n\t .,ETA01";
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] >= 0x80 || attend_rng_below(rng, 4) != 0)
			text[i] = plain[attend_rng_below(rng, sizeof plain)];
}

static void check_scanner(attend_scanner scanner)
{
	static const char *const texts[] = {"Hello world",
	                                    "don't I'LL we'Re '\xc5\xbf 's'",
	                                    "  two   three\n\n  x \r\n",
	                                    "a  ",
	                                    " \t\n ",
	                                    "12345 1,000.50",
	                                    "\xe3\x80\x80x",
	                                    "x\xc2\xa0\xc2\xa0y",
	                                    "...!? foo_bar\n\n\nbaz",
	                                    "'",
	                                    "''s",
	                                    "\n 'd"};
	attend_pattern *pattern;
	const char *const expression = attend_scanner_pattern(scanner);
	char text[LONG * 4];
	attend_rng rng = {.seed = 7, .stream = scanner};
	assert_ok(attend_pattern_from_regex(&pattern, expression, strlen(expression)));
	assert_int_equal(attend_scanner_find(pattern), scanner);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		compare(scanner, pattern, texts[i], strlen(texts[i]));
		compare_blocks(scanner, texts[i], strlen(texts[i]));
	}
	for (size_t i = 0; i < TEXTS; i++) {
		const size_t size = random_text(&rng, text, 1 + attend_rng_below(&rng, CHARACTERS));
		compare(scanner, pattern, text, size);
		compare_blocks(scanner, text, size);
	}
	for (size_t i = 0; i < TEXTS; i++) {
		const size_t size = random_text(&rng, text, 1 + attend_rng_below(&rng, LONG));
		if (i % 2 == 0) make_plain(&rng, text, size);
		compare_blocks(scanner, text, size);
	}
	attend_pattern_free(pattern);
}

static void test_gpt2(void **state)
{
	(void)state;
	check_scanner(ATTEND_SCAN_GPT2);
}

static void test_gpt4(void **state)
{
	(void)state;
	check_scanner(ATTEND_SCAN_GPT4);
}

static void test_qwen2(void **state)
{
	(void)state;
	check_scanner(ATTEND_SCAN_QWEN2);
}

/* Every single code point, alone and between letters. */
static void test_all_code_points(void **state)
{
	(void)state;
	attend_pattern *pattern;
	assert_ok(attend_pattern_from_regex(&pattern, attend_gpt2_pattern, strlen(attend_gpt2_pattern)));
	char text[4096];
	for (uint32_t c = 0; c < 0x110000;) {
		size_t size = 0;
		for (int i = 0; i < 400 && c < 0x110000; c++) {
			if (c >= 0xd800 && c < 0xe000) continue;
			size += attend_utf8_encode(text + size, c);
			text[size++] = 'a';
			text[size++] = ' ';
			i++;
		}
		compare(ATTEND_SCAN_GPT2, pattern, text, size);
	}
	attend_pattern_free(pattern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_gpt2), cmocka_unit_test(test_gpt4),
	                                   cmocka_unit_test(test_qwen2), cmocka_unit_test(test_all_code_points)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
