/* test_pretokenizer.c: each pre-tokenizer on small texts, words shown between bars. */
#include "tests/support/check.h"

#include "lib/core/buffer.h"
#include "tokenizer/pretokenizer.h"

typedef struct word_case {
	const char *json, *in, *out;
} word_case;

#define SPLIT(pattern, behavior, invert) \
	"{\"type\":\"Split\",\"pattern\":" pattern ",\"behavior\":\"" behavior "\",\"invert\":" invert "}"
#define DASH "{\"String\":\"-\"}"
#define METASPACE(scheme, split) \
	"{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"" scheme "\",\"split\":" split "}"

static const word_case CASES[] = {
	{"{\"type\":\"BertPreTokenizer\"}", " Hey, you!\xe3\x80\x80ok ", "Hey|,|you|!|ok"},
	{"{\"type\":\"WhitespaceSplit\"}", " a,b  c\n", "a,b|c"},
	{"{\"type\":\"Whitespace\"}", "a-b  \xc2\xbd_c!!", "a|-|b|\xc2\xbd|_c|!!"},
	{"{\"type\":\"Punctuation\"}", "a!!b", "a|!|!|b"},
	{"{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}", "a!!b", "a|!!|b"},
	{"{\"type\":\"Digits\",\"individual_digits\":true}", "a12b", "a|1|2|b"},
	{"{\"type\":\"Digits\",\"individual_digits\":false}", "a12b", "a|12|b"},
	{"{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"-\"}", "-a--b-", "a|b"},
	{"{\"type\":\"FixedLength\",\"length\":2}",
     "ab\xc3\xa9"
     "de",
     "ab|\xc3\xa9"
     "d|e"},
	{"{\"type\":\"UnicodeScripts\"}", "  ab c\xd0\xba 1", "ab c|\xd0\xba |1"},
	{SPLIT(DASH, "Removed", "false"), "the-final--countdown", "the|final|countdown"},
	{SPLIT(DASH, "Isolated", "false"), "the-final--countdown", "the|-|final|-|-|countdown"},
	{SPLIT(DASH, "MergedWithPrevious", "false"), "the-final--countdown", "the-|final-|-|countdown"},
	{SPLIT(DASH, "MergedWithNext", "false"), "the-final--countdown", "the|-final|-|-countdown"},
	{SPLIT(DASH, "Contiguous", "false"), "the-final--countdown", "the|-|final|--|countdown"},
	{SPLIT(DASH, "Removed", "true"), "a-b--", "-|-|-"},
	{SPLIT("{\"Regex\":\"(?<=[a-z])(?=[A-Z])|\\\\s\"}", "Isolated", "false"), "aB cD", "a|B| |c|D"},
	{METASPACE("always", "true"), "a  b", "_a|_|_b"},
	{METASPACE("always", "true"), " a", "_a"},
	{METASPACE("never", "true"), "a b", "a|_b"},
	{METASPACE("first", "false"), "a b", "_a_b"},
	{"{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "it's 1\n",
     "\xc4\xa0it|'s|\xc4\xa0"
     "1|\xc4\x8a"},
	{"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}", "a b",
     "a\xc4\xa0"
     "b"},
	{"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":\"Punctuation\"}," METASPACE(
		 "always", "true") "]}",
     "hi! x", "_hi|_!|_x"},
	{"{\"type\":\"Sequence\",\"pretokenizers\":[]}", "a b", "a b"},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		attend_pretokenizer *p;
		attend_words words = {0};
		attend_buffer shown = {0};
		assert_ok(attend_pretokenizer_from_text(&p, CASES[i].json));
		assert_ok(attend_normalized_set(&words.n, CASES[i].in, strlen(CASES[i].in), 0, i & 1));
		assert_ok(attend_pretokenizer_run(p, &words, false));
		for (size_t k = 0; k < words.spans.count; k++) {
			const attend_span s = words.spans.items[k];
			attend_buffer_text(&shown, k ? "|" : "");
			attend_buffer_append(&shown, words.n.text + s.start, s.end - s.start);
		}
		if (strcmp(shown.data, CASES[i].out) != 0) fail_msg("%s of \"%s\": %s", CASES[i].json, CASES[i].in, shown.data);
		attend_buffer_free(&shown);
		attend_words_free(&words);
		attend_pretokenizer_free(p);
	}
}

static void test_skip_bytes(void **state)
{
	(void)state;
	attend_pretokenizer *p;
	attend_words words = {0};
	assert_ok(attend_pretokenizer_from_text(&p, "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"));
	assert_true(attend_pretokenizer_ends_in_bytes(p));
	assert_ok(attend_normalized_set(&words.n, "a b", 3, 0, true));
	assert_ok(attend_pretokenizer_run(p, &words, true));
	assert_int_equal(words.spans.count, 2);
	assert_memory_equal(words.n.text, " a b", 4);
	attend_words_free(&words);
	attend_pretokenizer_free(p);
}

static void test_bad_json(void **state)
{
	(void)state;
	attend_pretokenizer *p;
	assert_fails(ATTEND_ERR_UNSUPPORTED, "$.pretokenizers[0]: pre-tokenizer of unknown type \"Foo\"",
	             attend_pretokenizer_from_text(&p, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Foo\"}]}"));
	assert_fails(ATTEND_ERR_FORMAT, "$.behavior: unknown behavior",
	             attend_pretokenizer_from_text(&p, SPLIT(DASH, "Sideways", "false")));
	assert_fails(ATTEND_ERR_FORMAT, "expected one character",
	             attend_pretokenizer_from_text(&p, "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}"));
	assert_fails(
		ATTEND_ERR_FORMAT, "contradicts",
		attend_pretokenizer_from_text(
			&p,
			"{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"always\",\"add_prefix_space\":false}"));
	assert_fails(ATTEND_ERR_FORMAT, "$.length",
	             attend_pretokenizer_from_text(&p, "{\"type\":\"FixedLength\",\"length\":0}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_skip_bytes),
	                                   cmocka_unit_test(test_bad_json)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
