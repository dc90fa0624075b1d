/* test_wordpiece.c: the WordPiece and WordLevel models; expectations from huggingface/tokenizers 0.23. */
#include "tests/tokenizer/model_check.h"

#define BERT                                                                                                            \
	"{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"un\":1,\"##aff\":2,\"##able\":3,\"a\":4," \
	"\"##a\":5,\"##b\":6,\"\u00e9\":7,\"##\u00e9t\u00e9\":8,\"##able##\":9}"

static void longest_match_first(void **state)
{
	(void)state;
	attend_token_model *model = model_of(BERT "}");
	model_gives(model, "unaffable", "un:0-2 ##aff:2-5 ##able:5-9");
	model_gives(model, "ab", "a:0-1 ##b:1-2");
	model_gives(model, "unaffablez", "[UNK]:0-10"); /* the whole word */
	model_gives(model, "z", "[UNK]:0-1");
	model_gives(model, "\u00e9\u00e9t\u00e9", "\u00e9:0-2 ##\u00e9t\u00e9:2-7");
	model_gives(model, "a\u00e9", "[UNK]:0-3"); /* U+00E9 only starts words */
	model_gives(model, "##a", "##a:0-3");       /* a word may be spelled like a continuation */
	assert_int_equal(model->ops->token_to_id(model, "##able", 6), 3);
	assert_int_equal(model->ops->token_to_id(model, "able", 4), -1);
	assert_int_equal(model->ops->vocab_size(model), 10);
	assert_string_equal(model->ops->type, "WordPiece");
	model->ops->free(model);
}

static void counts_characters_not_bytes(void **state)
{
	(void)state;
	attend_token_model *model = model_of(BERT ",\"max_input_chars_per_word\":4}");
	model_gives(model, "aaaa", "a:0-1 ##a:1-2 ##a:2-3 ##a:3-4");
	model_gives(model, "aaaaa", "[UNK]:0-5");
	model_gives(model, "\u00e9\u00e9t\u00e9", "\u00e9:0-2 ##\u00e9t\u00e9:2-7");
	model->ops->free(model);
	model = model_of(BERT ",\"max_input_chars_per_word\":0}");
	model_gives(model, "a", "[UNK]:0-1");
	model->ops->free(model);
}

static void other_prefixes(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"continuing_subword_prefix\":\"\","
	             "\"vocab\":{\"?\":0,\"a\":1,\"ab\":2}}");
	model_gives(model, "abaab", "ab:0-2 a:2-3 ab:3-5");
	model->ops->free(model);
	model = model_of("{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"continuing_subword_prefix\":\"@@\","
	                 "\"vocab\":{\"?\":0,\"a\":1,\"ab\":2}}"); /* nothing continues */
	model_gives(model, "ab", "ab:0-2");
	model_gives(model, "aba", "?:0-3");
	model->ops->free(model);
}

static void no_unknown_token(void **state)
{
	(void)state;
	attend_token_model *model = model_of("{\"type\":\"WordPiece\",\"vocab\":{\"a\":1}}");
	attend_token_list list = {0};
	model_gives(model, "a", "a:0-1");
	assert_fails(ATTEND_ERR_FORMAT, "unknown token", model->ops->tokenize(model, NULL, "b", 1, 0, &list));
	assert_int_equal(list.count, 0);
	attend_token_list_free(&list);
	model->ops->free(model);
}

/* A megabyte in one word, with the limit out of the way. */
static void long_words_end_in_time(void **state)
{
	(void)state;
	attend_token_model *model = model_of(BERT ",\"max_input_chars_per_word\":1000000000}");
	const size_t size = (size_t)1 << 20;
	char *word = malloc(size);
	assert_non_null(word);
	memset(word, 'a', size);
	attend_token_list list = {0};
	assert_ok(model->ops->tokenize(model, NULL, word, size, 0, &list));
	assert_int_equal(list.count, size);
	word[size - 1] = 'z';
	list.count = 0;
	assert_ok(model->ops->tokenize(model, NULL, word, size, 0, &list));
	assert_int_equal(list.count, 1);
	attend_token_list_free(&list);
	free(word);
	model->ops->free(model);
}

static void bad_files(void **state)
{
	(void)state;
	model_fails(ATTEND_ERR_FORMAT, "vocab", "{\"type\":\"WordPiece\"}");
	model_fails(ATTEND_ERR_FORMAT, "$.vocab.a", "{\"type\":\"WordPiece\",\"vocab\":{\"a\":-3}}");
	model_fails(ATTEND_ERR_FORMAT, "$.vocab", "{\"type\":\"WordPiece\",\"vocab\":[\"a\"]}");
	model_fails(ATTEND_ERR_FORMAT, "max_input",
	            "{\"type\":\"WordPiece\",\"vocab\":{},\"max_input_chars_per_word\":-1}");
	model_fails(ATTEND_ERR_UNSUPPORTED, "unknown model \"Nope\"", "{\"type\":\"Nope\",\"vocab\":{}}");
	model_fails(ATTEND_ERR_FORMAT, "found neither", "{}");
	model_fails(ATTEND_ERR_FORMAT, "an object", "[]");
	model_fails(ATTEND_ERR_FORMAT, "$.type", "{\"type\":7}");
}

static void types_by_fields(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"{\"vocab\":{\"a\":0},\"merges\":[]}", "BPE"},
		{"{\"vocab\":{\"a\":0},\"max_input_chars_per_word\":9}", "WordPiece"},
		{"{\"vocab\":{\"a\":0},\"unk_token\":\"a\"}", "WordLevel"},
		{"{\"vocab\":[[\"a\",0]],\"unk_id\":0}", "Unigram"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		attend_token_model *model = model_of(cases[i][0]);
		assert_string_equal(model->ops->type, cases[i][1]);
		model->ops->free(model);
	}
}

static void whole_words(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"WordLevel\",\"unk_token\":\"<?>\",\"vocab\":{\"<?>\":4,\"hello\":2}}");
	model_gives(model, "hello", "hello:0-5");
	model_gives(model, "hell", "<?>:0-4");
	assert_int_equal(model->ops->vocab_size(model), 2);
	assert_int_equal(model->ops->id_bound(model), 5);
	assert_null(model->ops->id_to_token(model, 3, NULL));
	model->ops->free(model);
	model = model_of("{\"type\":\"WordLevel\",\"unk_token\":\"<?>\",\"vocab\":{\"hello\":2}}");
	attend_token_list list = {0};
	assert_fails(ATTEND_ERR_FORMAT, "unknown token", model->ops->tokenize(model, NULL, "b", 1, 0, &list));
	model->ops->free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_match_first), cmocka_unit_test(counts_characters_not_bytes),
		cmocka_unit_test(other_prefixes),      cmocka_unit_test(no_unknown_token),
		cmocka_unit_test(types_by_fields),     cmocka_unit_test(long_words_end_in_time),
		cmocka_unit_test(bad_files),           cmocka_unit_test(whole_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
