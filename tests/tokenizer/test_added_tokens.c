/* test_added_tokens.c: tokens beside the vocabulary: flags, both searches, ids, spellings. */
#include "tests/tokenizer/tokenizer_of.h"

#define MODEL                 "\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"foo\":3},\"unk_token\":\"?\"}"
#define LOWER                 "\"normalizer\":{\"type\":\"Lowercase\"},"
#define WORDS                 "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
#define TOKEN(content, flags) "{\"id\":9,\"content\":\"" content "\"" flags "}"

static void check_one(const char *normalizer, const char *token, const char *text, const char *expected)
{
	char json[2000];
	snprintf(json, sizeof json, "{%s" WORDS "\"added_tokens\":[%s]," MODEL "}", normalizer, token);
	attend_tokenizer *t = tokenizer_of(json);
	check_encoding(t, text, NULL, NULL, expected);
	attend_tokenizer_free(t);
}

static void test_flags(void **state)
{
	(void)state;
	check_one("", TOKEN("<m>", ""), "a<m>b", "a[0-1]/0 <m>[1-4]/1 b[4-5]/2");
	check_one("", TOKEN("<m>", ",\"lstrip\":true"), "a <m> b", "a[0-1]/0  <m>[1-5]/1 b[6-7]/2");
	check_one("", TOKEN("<m>", ",\"rstrip\":true"),
	          "a <m>\xe3\x80\x80"
	          "b",
	          "a[0-1]/0 <m>\xe3\x80\x80[2-8]/1 b[8-9]/2");
	check_one("", TOKEN("x", ",\"single_word\":true"), "x ax xb x", "x[0-1]/0 ?[2-4]/1 ?[5-7]/2 x[8-9]/3");
	check_one("", TOKEN("x", ",\"single_word\":true"), "\xcc\x81x", "?[0-3]/0"); /* a mark is part of a word */
	check_one("", TOKEN("x", ",\"single_word\":true"), "\xc2\xb2x", "?[0-2]/0 x[2-3]/1");
	check_one(LOWER, TOKEN("Bar", ",\"normalized\":true"), "a BAR", "a[0-1]/0 bar[2-5]/1");
	check_one(LOWER, TOKEN("Bar", ",\"normalized\":false"), "bar Bar", "?[0-3]/0 Bar[4-7]/1");
	check_one("", TOKEN("", ""), "a b", "a[0-1]/0 b[2-3]/1");
}

static void test_longest(void **state)
{
	(void)state;
	attend_tokenizer *t = tokenizer_of(
		"{" WORDS "\"added_tokens\":[" TOKEN("ab", "") "," TOKEN("abcd", "") "," TOKEN("bc", "") "]," MODEL "}");
	check_encoding(t, "abcd abc bcd", NULL, NULL, "abcd[0-4]/0 ab[5-7]/1 ?[7-8]/2 bc[9-11]/3 ?[11-12]/4");
	attend_tokenizer_free(t);
}

/* Two tokens side by side want the same blanks: the first one gets them. */
static void test_shared_blanks(void **state)
{
	(void)state;
	attend_tokenizer *t =
		tokenizer_of("{" WORDS "\"added_tokens\":[" TOKEN("<m>", ",\"lstrip\":true,\"rstrip\":true") "]," MODEL "}");
	check_encoding(t, "a <m>  <m> b", NULL, NULL, "a[0-1]/0  <m>  [1-7]/1 <m> [7-11]/2 b[11-12]/3");
	attend_tokenizer_free(t);
}

static void test_ids_and_spellings(void **state)
{
	(void)state;
	size_t size;
	attend_tokenizer *t = tokenizer_of("{" LOWER WORDS "\"added_tokens\":[" TOKEN(
		"foo", ",\"special\":true,\"normalized\":false") "," TOKEN("New York", "") "," TOKEN("new york", "") "]," MODEL
	                                                                                                         "}");
	assert_int_equal(attend_tokenizer_token_to_id(t, "foo", 3), 3); /* the model's id, whatever the file says */
	assert_int_equal(attend_tokenizer_token_to_id(t, "New York", 8), 4);
	assert_int_equal(attend_tokenizer_token_to_id(t, "new york", 8), 5);
	assert_string_equal(attend_tokenizer_id_to_token(t, 4, &size), "new york"); /* normalised, as in the reference */
	assert_int_equal(size, 8);
	assert_null(attend_tokenizer_id_to_token(t, 6, NULL));
	assert_null(attend_tokenizer_id_to_token(t, -1, NULL));
	assert_int_equal(attend_tokenizer_vocab_size(t), 6);
	assert_true(attend_tokenizer_is_special(t, 3));
	assert_false(attend_tokenizer_is_special(t, 4));
	attend_added_token late = {.content = "z", .size = 1};
	assert_ok(attend_tokenizer_add_token(t, &late));
	assert_int_equal(late.id, 6);
	attend_tokenizer_free(t);
}

static void test_split_special_tokens(void **state)
{
	(void)state;
	const attend_encode_options plain = {.split_special_tokens = true};
	attend_tokenizer *t = tokenizer_of(
		"{" WORDS
		"\"added_tokens\":[" TOKEN("<s>", ",\"special\":true,\"normalized\":false") "," TOKEN("<c>", "") "]," MODEL
																										 "}");
	check_encoding(t, "a<s>b", NULL, NULL, "a[0-1]/0 <s>[1-4]/1 b[4-5]/2");
	check_encoding(t, "a<s>b", NULL, &plain, "?[0-5]/0");
	check_encoding(t, "a<c>b", NULL, &plain, "a[0-1]/0 <c>[1-4]/1 b[4-5]/2");
	attend_tokenizer_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_flags), cmocka_unit_test(test_longest),
	                                   cmocka_unit_test(test_shared_blanks), cmocka_unit_test(test_ids_and_spellings),
	                                   cmocka_unit_test(test_split_special_tokens)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
