/* test_scanner.c: the hand-written word scanners give the words that the regular expressions give. */
#include "tests/support/check.h"

#include "lib/core/buffer.h"
#include "tests/tokenizer/random_text.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/scanner.h"

enum { CHARACTERS = 60, LONG = 200, TEXTS = 4000 };

#define LIST    "'s|'t|'re|'ve|'m|'ll|'d"
#define LETTERS "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPER   "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER   "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define OTHERS  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define SLASHES " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
#define WHITE   "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WHITE2  "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
#define CASED   LETTERS UPPER "*" LOWER "+|" LETTERS UPPER "+" LOWER "*"
#define JOINED  LETTERS UPPER "*" LOWER "+(?i:" LIST ")?|" LETTERS UPPER "+" LOWER "*(?i:" LIST ")?"
#define GPT2    LIST "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static const struct pattern {
	const char *name;
	bool digits; /* Digits in front */
	const char *splits[3];
} patterns[] = {
	{"GPT-2", false, {GPT2}},
	{"GPT-2 as tiktoken spells it",
     false,
     {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"}},
	{"StarCoder", true, {GPT2}},
	{"Llama 3", false, {"(?i:" LIST ")|" LETTERS "\\p{L}+|\\p{N}{1,3}|" OTHERS "|" WHITE}},
	{"cl100k",
     false,
     {"'(?i:[sdmt]|ll|ve|re)|" LETTERS "+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|" WHITE2}},
	{"two digits",
     false,
     {"'(?i:[sdmt]|ll|ve|re)|" LETTERS "+\\p{L}++|\\p{N}{1,2}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|" WHITE2}},
	{"all digits", false, {LETTERS "\\p{L}+|\\p{N}+|" OTHERS "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s"}},
	{"Qwen2", false, {"(?i:" LIST ")|" LETTERS "\\p{L}+|\\p{N}|" OTHERS "|" WHITE}},
	{"Qwen3.5", false, {"(?i:" LIST ")|" LETTERS "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" WHITE}},
	{"o200k", false, {JOINED "|\\p{N}{1,3}|" SLASHES "|" WHITE}},
	{"tekken", false, {CASED "|\\p{N}|" SLASHES "|" WHITE}},
	{"cased, contractions in front", false, {"(?i:" LIST ")|" CASED "|\\p{N}{1,3}|" SLASHES "|" WHITE}},
	{"DeepSeek",
     false,
     {"\\p{N}{1,3}", "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+",
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
      "?[\\p{P}\\p{S}]+[\\r\\n]*|" WHITE}},
};

static void put_json(attend_buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\') attend_buffer_append(out, "\\", 1);
		attend_buffer_append(out, text, 1);
	}
}

/* The pre-tokenizer of a pattern. A group around each expression (`plain` false) makes it one that no scanner knows. */
static attend_pretokenizer *make(const struct pattern *p, bool plain)
{
	attend_buffer json = {0};
	attend_pretokenizer *made;
	attend_buffer_text(&json, "{\"type\":\"Sequence\",\"pretokenizers\":[");
	if (p->digits) attend_buffer_text(&json, "{\"type\":\"Digits\",\"individual_digits\":true},");
	for (size_t i = 0; i < 3 && p->splits[i] && !(plain && p->digits); i++) {
		attend_buffer_text(&json, "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"");
		attend_buffer_text(&json, plain ? "" : "(?:");
		put_json(&json, p->splits[i]);
		attend_buffer_text(&json, plain ? "\"}}," : ")\"}},");
	}
	attend_buffer_printf(&json, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":%s}]}",
	                     plain && p->digits ? "true" : "false");
	attend_buffer_append(&json, "", 1);
	assert_ok(attend_buffer_status(&json));
	assert_ok(attend_pretokenizer_from_text(&made, json.data));
	attend_buffer_free(&json);
	return made;
}

static void compare(const attend_scanner *scanner, const attend_pretokenizer *slow, const char *name, const char *text,
                    size_t size)
{
	attend_words words = {0};
	attend_span_list got = {0};
	assert_ok(attend_normalized_set(&words.n, text, size, 0, false));
	assert_ok(attend_pretokenizer_run(slow, &words, true));
	assert_ok(attend_scan(scanner, text, 0, (uint32_t)size, &got));
	const attend_span_list *const expected = &words.spans;
	for (size_t i = 0; i < expected->count || i < got.count; i++) {
		if (i < expected->count && i < got.count && expected->items[i].start == got.items[i].start &&
		    expected->items[i].end == got.items[i].end)
			continue;
		fail_msg("%s, word %zu of \"%.*s\": expected [%u, %u), found [%u, %u)", name, i, (int)size, text,
		         i < expected->count ? expected->items[i].start : 0, i < expected->count ? expected->items[i].end : 0,
		         i < got.count ? got.items[i].start : 0, i < got.count ? got.items[i].end : 0);
	}
	attend_span_list_free(&got);
	attend_words_free(&words);
}

/* The words again, 64 bytes at once where that goes. */
static void compare_blocks(const attend_scanner *scanner, const char *name, const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t next = at;
		for (uint64_t ends = attend_scan_block(scanner, text, size, at); ends; ends &= ends - 1) {
			const size_t expected = attend_scan_word(scanner, text, size, next),
						 end = at + (size_t)__builtin_ctzll(ends);
			if (end != expected)
				fail_msg("%s, block at %zu of \"%.*s\": word [%zu, %zu), found [%zu, %zu)", name, at, (int)size, text,
				         next, expected, next, end);
			next = end;
		}
		at = next > at ? next : attend_scan_word(scanner, text, size, at);
	}
}

/* Letters, blanks, quotes, digits and NUL for most of the characters; now and then a stretch of few of them. */
static void make_plain(attend_rng *rng, char *text, size_t size)
{
	static const char plain[] = "etaoin  ''sreLldm\n\t .,ETA01\r/\x7f\x01";
	size_t few = sizeof plain, from = 0;
	for (size_t i = 0; i < size; i++) {
		if (attend_rng_below(rng, 16) == 0) {
			few = attend_rng_below(rng, 2) ? sizeof plain : 1 + attend_rng_below(rng, 4);
			from = attend_rng_below(rng, sizeof plain - few + 1);
		}
		if ((unsigned char)text[i] >= 0x80 || attend_rng_below(rng, 4) != 0)
			text[i] = plain[from + attend_rng_below(rng, few)];
	}
}

static void check_pattern(const struct pattern *p, uint64_t stream)
{
	static const char *const texts[] = {
		"Hello world",
		"don't I'LL we'Re '\xc5\xbf 's' it'\xc5\xbf HTMLParser camelCase'S's X'll've",
		"  two   three\n\n  x \r\n",
		"a  ",
		" \t\n ",
		"12345 1,000.50 1234567  890",
		"\xe3\x80\x80x",
		"x\xc2\xa0\xc2\xa0y",
		"...!? foo_bar\n\n\nbaz http://a.b/\n/c/\r\n//",
		"'",
		"''s",
		"\n 'd",
		"\xe4\xb8\xad"
		"AB \xe4\xb8\xad"
		"Ab A\xcc\x81"
		"B\xcc\x81 \xcc\x81"
		"AB !\xcc\x81"
		"AB",
		"\xe3\x82\xa2\xe3\x83\xbb\n\xe3\x82\xa2  \xe4\xb8\xad 7\xe4\xb8\xad \001\002a\003 \xe2\x80\x8b"};
	char text[LONG * 4];
	bool prefix_space;
	attend_rng rng = {.seed = 7, .stream = stream};
	attend_pretokenizer *const fast = make(p, true), *const slow = make(p, false);
	const attend_scanner scanner = attend_pretokenizer_scanner(fast, &prefix_space);
	assert_int_equal(attend_pretokenizer_scanner(slow, &prefix_space).family, ATTEND_SCAN_NONE);
	if (scanner.family == ATTEND_SCAN_NONE) fail_msg("%s: no scanner", p->name);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		compare(&scanner, slow, p->name, texts[i], strlen(texts[i]));
		compare_blocks(&scanner, p->name, texts[i], strlen(texts[i]));
	}
	for (size_t i = 0; i < TEXTS; i++) {
		const size_t size = random_text(&rng, text, 1 + attend_rng_below(&rng, CHARACTERS));
		if (i % 2 == 0) make_plain(&rng, text, size);
		compare(&scanner, slow, p->name, text, size);
		compare_blocks(&scanner, p->name, text, size);
	}
	for (size_t i = 0; i < 5 * TEXTS; i++) {
		const size_t size = random_text(&rng, text, 1 + attend_rng_below(&rng, LONG));
		if (i % 2 == 0) make_plain(&rng, text, size);
		compare_blocks(&scanner, p->name, text, size);
	}
	attend_pretokenizer_free(fast);
	attend_pretokenizer_free(slow);
}

static void test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) check_pattern(&patterns[i], i);
}

/* What is not spelled as a scanner has it stays a regular expression. */
static void test_unknown(void **state)
{
	(void)state;
	static const char *const regexes[] = {
		"",
		"\\s+",
		GPT2 "|x",
		"(?i:" LIST ")|" LETTERS "\\p{L}+|\\p{N}{1,4}|" OTHERS "|" WHITE,
		"(?i:" LIST ")|" LETTERS "\\p{L}+|\\p{N}{1,3}+|" OTHERS "|" WHITE,
		"(?i:" LIST ")|" LETTERS
		"\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" WHITE, /* marks are in no word */
		LETTERS "\\p{L}+|\\p{N}|" OTHERS "|" WHITE "|",
		LETTERS UPPER "*" LOWER "+|\\p{N}|" OTHERS "|" WHITE,
		"\\p{N}|" LETTERS "\\p{L}+|" OTHERS "|" WHITE,
	};
	for (size_t i = 0; i < sizeof regexes / sizeof regexes[0]; i++)
		if (attend_scanner_of_regex(regexes[i]).family != ATTEND_SCAN_NONE)
			fail_msg("\"%s\" has a scanner", regexes[i]);
}

/* Every single code point between letters and a blank. */
static void test_all_code_points(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		char text[4096];
		bool prefix_space;
		attend_pretokenizer *const fast = make(&patterns[i], true), *const slow = make(&patterns[i], false);
		const attend_scanner scanner = attend_pretokenizer_scanner(fast, &prefix_space);
		for (uint32_t c = 0; c < 0x110000;) {
			size_t size = 0;
			for (int k = 0; k < 400 && c < 0x110000; c++) {
				if (c >= 0xd800 && c < 0xe000) continue;
				if (c >= 0x20000 && c < 0xe0000 && c % 61) continue; /* Han, and what is not assigned */
				if (c >= 0xe0200 && c % 61) continue;
				size += attend_utf8_encode(text + size, c);
				text[size++] = 'a';
				text[size++] = ' ';
				k++;
			}
			compare(&scanner, slow, patterns[i].name, text, size);
		}
		attend_pretokenizer_free(fast);
		attend_pretokenizer_free(slow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_patterns), cmocka_unit_test(test_unknown),
	                                   cmocka_unit_test(test_all_code_points)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
