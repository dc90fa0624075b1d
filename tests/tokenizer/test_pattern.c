/* test_pattern.c: literal and regular patterns: matches, empty ones, Unicode 16 classes, errors. */
#include "tests/support/check.h"

#include "lib/core/buffer.h"
#include "tokenizer/regex_rewrite.h"
#include "tokenizer/tokenizer_internal.h"

static void check(bool regex, const char *pattern, const char *text, const char *spans)
{
	attend_pattern *p;
	attend_span_list list = {0};
	char shown[400] = "";
	size_t at = 0;
	if (regex) assert_ok(attend_pattern_from_regex(&p, pattern, strlen(pattern)));
	else assert_ok(attend_pattern_from_string(&p, pattern, strlen(pattern)));
	assert_ok(attend_pattern_find(p, text, strlen(text), &list));
	for (size_t i = 0; i < list.count; i++)
		at += (size_t)snprintf(shown + at, sizeof shown - at, "%s%u-%u", i ? " " : "", list.items[i].start,
		                       list.items[i].end);
	if (strcmp(shown, spans) != 0) fail_msg("/%s/ in \"%s\": %s, expected %s", pattern, text, shown, spans);
	attend_span_list_free(&list);
	attend_pattern_free(p);
}

static void test_strings(void **state)
{
	(void)state;
	check(false, "ab", "abxabab", "0-2 3-5 5-7");
	check(false, "aa", "aaa", "0-2");
	check(false, "", "\xc3\xa9x", "0-0 2-2 3-3");
	check(false, ".", "a.b", "1-2");
	check(false, "zz", "", "");
}

static void test_regexes(void **state)
{
	(void)state;
	check(true, "a*", "baac", "0-0 1-3 4-4");
	check(true, "(?=b)", "abb", "1-1 2-2");
	check(true, "\\s+(?!\\S)|\\s+", "a   b", "1-3 3-4");
	check(true, "\\p{L}+", "\xc3\xa9\xf0\x90\xb5\x8a.", "0-6"); /* U+10D4A is a letter since Unicode 16 */
	check(true, "[^\\p{L}]", "a\xf0\x90\xb5\x8a.", "5-6");
	check(true, "\\P{L}", "a1", "1-2");
	check(true, "\\p{^L}", "a1", "1-2");
	check(true, "[[:alpha:]]", "1a", "1-2");
	check(true, "[[:^alpha:]]", "1a", "0-1");
	check(true, "\\w", "\xc2\xb2-", "0-2"); /* Oniguruma's table of Latin-1 ... */
	check(true, "[\\w]", "\xc2\xb2-", "");  /* ... does not count in brackets */
	check(true, "\\D", "1a", "1-2");
	check(true, "[]a]", "]a", "0-1 1-2");
	check(true, "[\\p{L}&&[^a-z]]", "aB", "1-2");
	check(true, "\\p{Greek}|x", "x\xce\xb1", "0-1 1-3");
}

static void test_rewrite(void **state)
{
	(void)state;
	attend_buffer out = {0};
	static const char pattern[] = "\\p{Zl}[\\p{Zl}x]\\p{Han_none}\\\\p{L}";
	attend_regex_rewrite(&out, pattern, sizeof pattern - 1);
	assert_string_equal(out.data, "(?-i:[\\x{2028}])[\\x{2028}x]\\p{Han_none}\\\\p{L}");
	attend_buffer_free(&out);
}

static void test_errors(void **state)
{
	(void)state;
	attend_pattern *p;
	attend_span_list list = {0};
	assert_fails(ATTEND_ERR_FORMAT, "regular expression \"(a\"", attend_pattern_from_regex(&p, "(a", 2));
	assert_fails(ATTEND_ERR_FORMAT, "regular expression", attend_pattern_from_regex(&p, "\\p{Nonsense}", 12));
	/* A pattern that explodes is stopped. */
	assert_ok(attend_pattern_from_regex(&p, "(a|a)*[^a]\\z", 12));
	static char text[64];
	memset(text, 'a', 63);
	assert_fails(ATTEND_ERR_DATA, "regular expression", attend_pattern_find(p, text, 63, &list));
	attend_span_list_free(&list);
	attend_pattern_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings), cmocka_unit_test(test_regexes),
	                                   cmocka_unit_test(test_rewrite), cmocka_unit_test(test_errors)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
