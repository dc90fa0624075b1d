/* test_json.c: the grammar, typed access, messages with places, editing and printing. */
#include "lib/core/json.h"
#include "tests/support/check.h"

#include <locale.h>
#include <math.h>
#include <time.h>

static attend_json *parse(const char *text)
{
	attend_json *document = NULL;
	assert_ok(attend_json_parse(&document, text, strlen(text), "t.json"));
	return document;
}

static void check_bytes(const char *text, size_t size, const char *message)
{
	attend_json *document = NULL;
	assert_fails(ATTEND_ERR_FORMAT, message, attend_json_parse(&document, text, size, "t.json"));
	assert_null(document);
}

static void check_bad(const char *text, const char *message)
{
	check_bytes(text, strlen(text), message);
}

static void test_grammar(void **state)
{
	(void)state;
	check_bad("", "t.json: line 1, column 1: expected a JSON value, found the end of the text");
	check_bad("{\"a\": 1,\n \"b\" 2}", "line 2, column 6: expected ':' after a key, found '2'");
	check_bad("{\"a\": [1, 2", "column 12: expected ',' or ']', found the end");
	check_bad("[1,]", "expected a JSON value, found ']'");
	check_bad("{\"a\":1,}", "expected a key in quotes");
	check_bad("{a:1}", "expected a key in quotes");
	check_bad("[1] x", "expected nothing after");
	check_bad("\xef\xbb\xbf[1]", "line 1, column 1: expected a JSON value");
	check_bad("[01]", "leading zero");
	check_bad("[-]", "a digit");
	check_bad("[1.]", "decimal point");
	check_bad("[1e+]", "exponent");
	check_bad("[.5]", "a JSON value");
	check_bad("[+1]", "a JSON value");
	check_bad("[NaN]", "a JSON value");
	check_bad("[Infinity]", "a JSON value");
	check_bad("[nul]", "a JSON value");
	check_bad("['a']", "a JSON value");
	check_bad("[\"a\nb\"]", "no bare control character");
	check_bad("[\"\\x\"]", "an escape");
	check_bad("[\"\\u12g4\"]", "four hexadecimal digits");
	check_bad("[\"\\ud800\"]", "low surrogate of a pair");
	check_bad("[\"\\ud800\\u0041\"]", "low surrogate of a pair");
	check_bad("[\"\\udc00\"]", "without a high one");
	check_bad("[\"\xe2\x82\xac\xff\"]", "line 1, column 4: expected UTF-8, found byte 0xff");
	check_bad("[\"\xc0\x80\"]", "byte 0xc0");
	check_bad("[\"\xed\xa0\x80\"]", "byte 0xed");
	check_bad("[\"abc", "'\"' at the end of a string");
	check_bytes("[1]\0", 4, "expected nothing after");
	check_bytes("[\"a\0\"]", 6, "no bare control character");
	check_bytes("\"\\", 2, "an escape");
	check_bytes("{\"a\":1}", 3, "'\"' at the end");
}

static void test_depth(void **state)
{
	(void)state;
	char text[20001];
	memset(text, '[', 128);
	memset(text + 128, ']', 128);
	text[256] = 0;
	attend_json_free(parse(text));
	memset(text, '[', 20000);
	text[20000] = 0;
	check_bad(text, "column 129: expected nesting at most 128 deep");
	for (int i = 0; i < 20000; i += 5) memcpy(text + i, "{\"a\":", 5);
	check_bad(text, "nesting at most 128 deep");
}

static void test_strings(void **state)
{
	(void)state;
	attend_json *const document = parse(
		" [\"\", \"a\\u0000b\", \"\\ud83d\\ude00\\u20ac\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\\u0000\", \"\xc3\x80\"] ");
	static const struct {
		const char *text;
		size_t size;
	} expected[] = {
		{"", 0}, {"a\0b", 3}, {"\xf0\x9f\x98\x80\xe2\x82\xac\"\\/\b\f\n\r\t", 15}, {"\0", 1}, {"\xc3\x80", 2}};
	size_t i = 0;
	for (const attend_json *v = attend_json_first(document); v; v = attend_json_next(v), i++) {
		const char *text;
		size_t size;
		assert_ok(attend_json_as_string(&text, &size, v));
		assert_int_equal(size, expected[i].size);
		assert_memory_equal(text, expected[i].text, size + 1);
	}
	assert_int_equal(i, 5);
	assert_int_equal(attend_json_count(document), 5);
	attend_json_free(document);
}

static void test_keys(void **state)
{
	(void)state;
	attend_json *const document = parse("{\"a\\u0000\": 1, \"a\": 2, \"A\": 3, \"a\": 4}");
	int64_t number = 0;
	size_t size;
	assert_memory_equal(attend_json_key(attend_json_first(document), &size), "a\0", 3);
	assert_int_equal(size, 2);
	assert_ok(attend_json_get_int(&number, document, "a", 0, 9));
	assert_int_equal(number, 4);
	assert_ok(attend_json_get_int(&number, document, "A", 0, 9));
	assert_int_equal(number, 3);
	assert_null(attend_json_get(document, "b"));
	assert_null(attend_json_get(NULL, "b"));
	assert_null(attend_json_get(attend_json_first(document), "b"));
	assert_null(attend_json_key(document, NULL));
	assert_null(attend_json_next(document));
	assert_null(attend_json_first(attend_json_first(document)));
	attend_json_free(document);
}

static void check_double(const char *text, double expected)
{
	attend_json *const document = parse(text);
	double value = 0;
	assert_ok(attend_json_as_double(&value, document));
	assert_true(value == expected && signbit(value) == signbit(expected));
	attend_json_free(document);
}

static void test_numbers(void **state)
{
	(void)state;
	check_double("-0", -0.0);
	check_double("-11.513126373291016", -11.513126373291016);
	check_double("2.2250738585072011e-308", 2.2250738585072011e-308);
	check_double("1000000000000000019884624838656", 1e30);
	/* Longer than the 63 characters that cJSON looks at; the last digits decide the rounding. */
	check_double("0.500000000000000166533453693773481063544750213623046875", 0.5000000000000002220446049250313);
	check_double("1.00000000000000011102230246251565404236316680908203124999999999999999999999999999", 1.0);
	check_double("1.00000000000000011102230246251565404236316680908203125000000000000000000000000001", 1 + 0x1p-52);
	check_double("1000000000000000000000000000000000000000000000000000000000000000000000000000000e-70", 1e8);
	check_double("999999999999999", 999999999999999); /* digits that a double holds are read without strtod */
	check_double("1234567890123456", 1234567890123456);
	if (setlocale(LC_ALL, "de_DE.UTF-8")) check_double("1.5", 1.5);
	setlocale(LC_ALL, "C");
	attend_json *const huge = parse("[1e999]");
	double value;
	assert_fails(ATTEND_ERR_FORMAT, "$[0]: expected a number within the range of double, found 1e999",
	             attend_json_as_double(&value, attend_json_first(huge)));
	attend_json_free(huge);
}

static void test_integers(void **state)
{
	(void)state;
	attend_json *const document =
		parse("{\"max\": 9223372036854775807, \"min\": -9223372036854775808, \"over\": 9223372036854775808,"
	          "\"three\": 3.0, \"kilo\": 1e3, \"half\": 0.5, \"big\": 1e30, \"s\": \"big\", \"t\": true,"
	          "\"null\": null, \"list\": [], \"zero\": 0, \"odd\": 9007199254740993, \"even\": -9007199254740992}");
	int64_t n = 0;
	assert_ok(attend_json_get_int(&n, document, "odd", INT64_MIN, INT64_MAX)); /* lies between two doubles */
	assert_true(n == 9007199254740993);
	assert_ok(attend_json_get_int(&n, document, "even", INT64_MIN, INT64_MAX));
	assert_true(n == -9007199254740992);
	assert_ok(attend_json_get_int(&n, document, "max", INT64_MIN, INT64_MAX));
	assert_true(n == INT64_MAX);
	assert_ok(attend_json_get_int(&n, document, "min", INT64_MIN, INT64_MAX));
	assert_true(n == INT64_MIN);
	assert_ok(attend_json_get_int(&n, document, "three", 1, 3));
	assert_int_equal(n, 3);
	assert_ok(attend_json_get_int(&n, document, "kilo", 1, 1000));
	assert_int_equal(n, 1000);
	assert_ok(attend_json_get_int(&n, document, "null", 5, 5));
	assert_ok(attend_json_get_int(&n, document, "absent", 5, 5));
	assert_int_equal(n, 1000);
	static const char *const bad[] = {"over", "half", "big", "s", "t", "list"};
	for (size_t i = 0; i < 6; i++)
		assert_fails(ATTEND_ERR_FORMAT, "expected an integer",
		             attend_json_get_int(&n, document, bad[i], INT64_MIN, INT64_MAX));
	assert_fails(ATTEND_ERR_FORMAT, "t.json: $.s: expected an integer >= 1, found \"big\"",
	             attend_json_get_int(&n, document, "s", 1, INT64_MAX));
	assert_fails(ATTEND_ERR_FORMAT, "$.zero: expected an integer from 1 to 9, found 0",
	             attend_json_get_int(&n, document, "zero", 1, 9));
	assert_fails(ATTEND_ERR_FORMAT, "$.list: expected an integer, found an array",
	             attend_json_get_int(&n, document, "list", INT64_MIN, INT64_MAX));
	assert_int_equal(n, 1000);
	bool flag = false;
	assert_ok(attend_json_get_bool(&flag, document, "t"));
	assert_true(flag);
	assert_fails(ATTEND_ERR_FORMAT, "$.zero: expected true or false, found 0",
	             attend_json_get_bool(&flag, document, "zero"));
	const char *text = "default";
	assert_ok(attend_json_get_string(&text, document, "null"));
	assert_string_equal(text, "default");
	assert_fails(ATTEND_ERR_FORMAT, "$.t: expected a string, found true", attend_json_get_string(&text, document, "t"));
	double d = 7;
	assert_fails(ATTEND_ERR_FORMAT, "$.t: expected a number", attend_json_get_double(&d, document, "t"));
	assert_ok(attend_json_get_double(&d, document, "half"));
	assert_true(d == 0.5);
	attend_json_free(document);
}

static void test_path(void **state)
{
	(void)state;
	attend_json *const document = parse("{\"model\": {\"vocab\": [0, 1, {\"a b\": [true]}]}}");
	const attend_json *value = attend_json_get(attend_json_get(document, "model"), "vocab");
	char path[64];
	assert_string_equal(attend_json_path(path, sizeof path, document), "$");
	value = attend_json_next(attend_json_next(attend_json_first(value)));
	assert_string_equal(attend_json_path(path, sizeof path, value), "$.model.vocab[2]");
	value = attend_json_first(attend_json_first(value));
	assert_string_equal(attend_json_path(path, sizeof path, value), "$.model.vocab[2][\"a b\"][0]");
	assert_string_equal(attend_json_path(path, 9, value), "$.model.");
	assert_fails(ATTEND_ERR_FORMAT, "t.json: $.model.vocab[2][\"a b\"][0]: odd 3",
	             attend_json_fail(value, "odd %d", 3));
	attend_json_free(document);
}

static void check_print(const attend_json *value, int indent, const char *expected)
{
	char *text;
	assert_ok(attend_json_print(&text, value, indent));
	assert_string_equal(text, expected);
	free(text);
}

static void test_edit(void **state)
{
	(void)state;
	attend_json *const document = parse("{\"a\":1.0,\"b\":[1e-12,{}],\"c\":{\"d\":[]},\"e\":\"\\u20ac\\n\\u0000\"}");
	check_print(document, 0, "{\"a\": 1.0, \"b\": [1e-12, {}], \"c\": {\"d\": []}, \"e\": \"\xe2\x82\xac\\n\\u0000\"}");
	check_print(document, 2,
	            "{\n  \"a\": 1.0,\n  \"b\": [\n    1e-12,\n    {}\n  ],\n  \"c\": {\n    \"d\": []\n  },\n"
	            "  \"e\": \"\xe2\x82\xac\\n\\u0000\"\n}");
	assert_ok(attend_json_set(document, "a", "[1,\n2]"));
	assert_ok(attend_json_set(document, "new", "{\"x\": \"y\"}"));
	assert_ok(attend_json_set(document, "new", "{\"x\": \"z\"}"));
	assert_ok(attend_json_remove(document, "b"));
	assert_ok(attend_json_remove(document, "e"));
	assert_ok(attend_json_remove(document, "absent"));
	assert_ok(attend_json_set(document, "tail", "null"));
	check_print(document, 0, "{\"a\": [1, 2], \"c\": {\"d\": []}, \"new\": {\"x\": \"z\"}, \"tail\": null}");
	assert_int_equal(attend_json_count(document), 4);
	char path[32];
	assert_string_equal(attend_json_path(path, sizeof path, attend_json_first(attend_json_get(document, "new"))),
	                    "$.new.x");
	assert_fails(ATTEND_ERR_FORMAT, "t.json: line 1, column 2", attend_json_set(document, "a", "[}"));
	attend_json *const array = parse("[]");
	assert_fails(ATTEND_ERR_FORMAT, "expected an object", attend_json_set(array, "a", "1"));
	attend_json_free(array);
	attend_json_free(document);
	attend_json_free(NULL);
}

/* A vocabulary of 250,000 entries with scores, 8 MB, as large Unigram models have. Once in order, and in time. */
static void test_large(void **state)
{
	(void)state;
	enum { ENTRIES = 250000 };
	char *const text = malloc(ENTRIES * 48), *end = text;
	*end++ = '[';
	for (int i = 0; i < ENTRIES; i++)
		end += sprintf(end, "%s[\"\xe2\x96\x81token%d\",-%d.%d]", i ? "," : "", i, i % 17, i);
	*end++ = ']';
	attend_json *document;
	const clock_t start = clock();
	assert_ok(attend_json_parse(&document, text, (size_t)(end - text), "large"));
	const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	print_message("%.1f MB in %.3f s\n", (double)(end - text) / 1e6, seconds);
	int i = 0;
	for (const attend_json *pair = attend_json_first(document); pair; pair = attend_json_next(pair), i++) {
		char expected[32];
		double score;
		assert_ok(attend_json_as_double(&score, attend_json_next(attend_json_first(pair))));
		snprintf(expected, sizeof expected, "-%d.%d", i % 17, i);
		assert_true(score == strtod(expected, NULL));
	}
	assert_int_equal(i, ENTRIES);
	assert_true(seconds < 20); /* linear: a quadratic path takes minutes, sanitizers and valgrind some seconds */
	attend_json_free(document);
	free(text);
}

/* What serde_json 1 makes of numbers: up to a unit in the last place beside the nearest double. */
static void test_serde_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		double expected;
	} cases[] = {{"-2.0122928619384766", -0x1.0192d00000001p+1},
	             {"-7.4370903968811035", -0x1.dbf94a0000001p+2},
	             {"0.5", 0.5},
	             {"-12", -12},
	             {"-0.0", -0.0},
	             {"25e-1", 2.5},
	             {"1.5E+3", 1500},
	             {"0.0e999", 0},
	             {"1e-300", 1e-300},
	             {"0.1e-99999999999999999999", 0}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		attend_json *document;
		double value;
		assert_ok(attend_json_parse(&document, cases[i].text, strlen(cases[i].text), "x"));
		assert_ok(attend_json_as_serde_double(&value, document));
		if (value != cases[i].expected) fail_msg("%s: %a, expected %a", cases[i].text, value, cases[i].expected);
		attend_json_free(document);
	}
	static const char *const large[] = {"-17976931348623157999999e286", "1.5e99999999999999999999"};
	for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
		attend_json *document;
		double value;
		assert_ok(attend_json_parse(&document, large[i], strlen(large[i]), "x"));
		assert_int_equal(attend_json_as_serde_double(&value, document), ATTEND_ERR_FORMAT);
		attend_json_free(document);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_grammar),  cmocka_unit_test(test_depth),
	                                   cmocka_unit_test(test_strings),  cmocka_unit_test(test_keys),
	                                   cmocka_unit_test(test_numbers),  cmocka_unit_test(test_serde_numbers),
	                                   cmocka_unit_test(test_integers), cmocka_unit_test(test_path),
	                                   cmocka_unit_test(test_edit),     cmocka_unit_test(test_large)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
