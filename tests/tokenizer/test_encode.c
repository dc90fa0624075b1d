/* test_encode.c: encodings as callers get them: templates, truncation, batches, threads, options and texts that are refused. */
#include "tests/tokenizer/tokenizer_of.h"

#include "tests/tokenizer/random_text.h"

#define TEMPLATE                                                                                                                        \
	"\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"[\",\"type_id\":0}},{\"Sequence\":"    \
	"{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"]\",\"type_id\":0}}],\"pair\":[{\"SpecialToken\":{\"id\":\"[\",\"type_"  \
	"id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\"," \
	"\"type_id\":1}}],\"special_tokens\":{\"[\":{\"id\":\"[\",\"ids\":[7],\"tokens\":[\"[\"]},\"]\":{\"id\":\"]\",\"ids\":[8],"         \
	"\"tokens\":[\"]\"]}}},"
#define MODEL \
	"\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"[\":7,\"]\":8},\"unk_token\":\"?\"}"

static attend_tokenizer *letters(void)
{
	return tokenizer_of("{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}," TEMPLATE MODEL "}");
}

static void test_templates(void **state)
{
	(void)state;
	attend_tokenizer *t = letters();
	const attend_encode_options bare = {.no_special_tokens = true};
	check_encoding(t, "a b", NULL, NULL, "[ a[0-1]/0 b[2-3]/1 ]");
	check_encoding(t, "a", "c d", NULL, "[ a[0-1]/0 ] c[0-1]/0 d[2-3]/1");
	check_encoding(t, "a", "c d", &bare, "a[0-1]/0 c[0-1]/0 d[2-3]/1");
	check_encoding(t, "", NULL, NULL, "[ ]");
	check_encoding(t, "", NULL, &bare, "");
	assert_int_equal(attend_tokenizer_added_count(t, false), 2);
	attend_encoding e;
	assert_ok(attend_tokenizer_encode_pair(&e, t, "a", 1, "c", 1, NULL));
	assert_int_equal(e.count, 4);
	assert_int_equal(e.type_ids[3], 1);
	assert_int_equal(e.special_tokens_mask[0], 1);
	assert_null(e.offsets);
	assert_null(e.tokens);
	attend_encoding_free(&e);
	attend_encoding_free(&e); /* a zeroed one is fine */
	attend_tokenizer_free(t);
}

static void test_truncation(void **state)
{
	(void)state;
	attend_tokenizer *t = letters();
	const attend_encode_options right = {.truncation = ATTEND_TRUNCATE_LONGEST_FIRST,
	                                     .max_length = 5,
	                                     .stride = 1,
	                                     .return_overflowing = true};
	check_encoding(t, "a b c d e", NULL, &right, "[ a[0-1]/0 b[2-3]/1 c[4-5]/2 ] | [ c[4-5]/2 d[6-7]/3 e[8-9]/4 ]");
	attend_encode_options left = right;
	left.truncate_left = true;
	check_encoding(t, "a b c d e f", NULL, &left,
	               "[ d[6-7]/3 e[8-9]/4 f[10-11]/5 ] | [ b[2-3]/1 c[4-5]/2 d[6-7]/3 ] | [ a[0-1]/0 b[2-3]/1 ]");
	const attend_encode_options pair = {.truncation = ATTEND_TRUNCATE_LONGEST_FIRST, .max_length = 5};
	check_encoding(t, "a b c", "d e f", &pair, "[ a[0-1]/0 ] d[0-1]/0 e[2-3]/1");
	const attend_encode_options second = {.truncation = ATTEND_TRUNCATE_ONLY_SECOND, .max_length = 6};
	check_encoding(t, "a b c", "d e f", &second, "[ a[0-1]/0 b[2-3]/1 c[4-5]/2 ] d[0-1]/0");
	const attend_encode_options none_left = {.truncation = ATTEND_TRUNCATE_LONGEST_FIRST,
	                                         .max_length = 2,
	                                         .return_overflowing = true};
	check_encoding(t, "a b", NULL, &none_left, "[ ] | [ a[0-1]/0 b[2-3]/1 ]");
	attend_tokenizer_free(t);
}

static void test_refused(void **state)
{
	(void)state;
	attend_tokenizer *t = letters();
	attend_encoding e;
	attend_encode_options o = {.truncation = ATTEND_TRUNCATE_LONGEST_FIRST, .max_length = 4, .stride = 2};
	assert_fails(ATTEND_ERR_ARG, "stride 2 must be less than", attend_tokenizer_encode(&e, t, "a b c", 5, &o));
	o = (attend_encode_options){.truncation = ATTEND_TRUNCATE_LONGEST_FIRST, .max_length = 1};
	assert_fails(ATTEND_ERR_ARG, "less than the 2 special tokens", attend_tokenizer_encode(&e, t, "a", 1, &o));
	o = (attend_encode_options){.truncation = ATTEND_TRUNCATE_ONLY_SECOND, .max_length = 3};
	assert_fails(ATTEND_ERR_ARG, "needs a pair", attend_tokenizer_encode(&e, t, "a b", 3, &o));
	assert_fails(ATTEND_ERR_DATA, "second text of 1 tokens is too short",
	             attend_tokenizer_encode_pair(&e, t, "a b c d", 7, "a", 1, &o));
	assert_fails(ATTEND_ERR_DATA, "byte 0xff at position 2", attend_tokenizer_encode(&e, t, "a \xff", 3, NULL));
	assert_fails(ATTEND_ERR_ARG, "NULL", attend_tokenizer_encode(&e, NULL, "a", 1, NULL));
	assert_fails(ATTEND_ERR_ARG, "NULL", attend_tokenizer_encode(&e, t, NULL, 1, NULL));
	assert_ok(attend_tokenizer_encode(&e, t, NULL, 0, NULL));
	attend_encoding_free(&e);
	const attend_text texts[] = {{"a", 1, NULL, 0}, {"\xc3", 1, NULL, 0}};
	attend_encoding two[2];
	attend_ids ids;
	assert_fails(ATTEND_ERR_DATA, "text 1: ", attend_tokenizer_encode_batch(two, t, texts, 2, NULL));
	assert_fails(ATTEND_ERR_DATA, "text 1: ", attend_tokenizer_encode_ids(&ids, t, texts, 2, NULL));
	attend_tokenizer_free(t);
}

static void test_nul_in_text(void **state)
{
	(void)state;
	attend_tokenizer *t = letters();
	attend_encoding e;
	const attend_encode_options o = {.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS};
	assert_ok(attend_tokenizer_encode(&e, t, "a \0b c", 6, &o));
	assert_int_equal(e.count, 5);
	assert_int_equal(e.ids[2], 0); /* "\0b" is one unknown word */
	assert_int_equal(e.byte_offsets[2].end, 4);
	attend_encoding_free(&e);
	attend_tokenizer_free(t);
}

/* A batch gives what its texts give alone, whatever the number of threads; ids alone are the same ids. */
static void check_batches(const attend_tokenizer *t)
{
	enum { COUNT = 300 };
	static char bytes[COUNT][2][400];
	static attend_text texts[COUNT];
	static attend_encoding batch[COUNT];
	attend_rng rng = {.seed = 17};
	for (size_t i = 0; i < COUNT; i++) {
		const bool pair = attend_rng_below(&rng, 4) == 0;
		texts[i] = (attend_text){bytes[i][0], random_text(&rng, bytes[i][0], attend_rng_below(&rng, 60)),
		                         pair ? bytes[i][1] : NULL, 0};
		if (pair) texts[i].pair_size = random_text(&rng, bytes[i][1], attend_rng_below(&rng, 60));
	}
	const attend_encode_options o = {.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS};
	for (int threads = 1; threads <= 4; threads += 3) {
		attend_ids ids;
		assert_ok(attend_set_threads(threads));
		assert_ok(attend_tokenizer_encode_batch(batch, t, texts, COUNT, &o));
		assert_ok(attend_tokenizer_encode_ids(&ids, t, texts, COUNT, NULL));
		for (size_t i = 0; i < COUNT; i++) {
			attend_encoding alone;
			if (texts[i].pair)
				assert_ok(attend_tokenizer_encode_pair(&alone, t, texts[i].text, texts[i].size, texts[i].pair,
				                                       texts[i].pair_size, &o));
			else assert_ok(attend_tokenizer_encode(&alone, t, texts[i].text, texts[i].size, &o));
			assert_int_equal(alone.count, batch[i].count);
			assert_int_equal(alone.count, ids.starts[i + 1] - ids.starts[i]);
			for (size_t k = 0; k < alone.count; k++) {
				assert_int_equal(alone.ids[k], batch[i].ids[k]);
				assert_int_equal(alone.ids[k], ids.ids[ids.starts[i] + k]);
				assert_memory_equal(&alone.offsets[k], &batch[i].offsets[k], sizeof alone.offsets[k]);
				assert_true(alone.byte_offsets[k].start <= alone.byte_offsets[k].end);
			}
			attend_encoding_free(&alone);
			attend_encoding_free(&batch[i]);
		}
		attend_ids_free(&ids);
	}
	assert_ok(attend_set_threads(0));
}

static void test_batches(void **state)
{
	(void)state;
	static const char *const folders[] = {"models/pretrained/bert-mini", "models/pretrained/gpt2-mini",
	                                      "models/pretrained/seq2seq-mini"};
	for (size_t i = 0; i < 3; i++) {
		attend_tokenizer *t;
		assert_ok(attend_tokenizer_load(&t, folders[i]));
		check_batches(t);
		attend_tokenizer_free(t);
	}
	attend_ids none;
	attend_tokenizer *t = letters();
	assert_ok(attend_tokenizer_encode_ids(&none, t, NULL, 0, NULL));
	assert_non_null(none.ids);
	assert_int_equal(none.starts[0], 0);
	attend_ids_free(&none);
	attend_tokenizer_free(t);
}

static void test_decode(void **state)
{
	(void)state;
	attend_tokenizer *t = letters();
	const int32_t ids[] = {7, 1, 999, 2, 8, -4};
	char *text;
	size_t size;
	assert_ok(attend_tokenizer_decode(&text, &size, t, ids, 6, true, ATTEND_CLEAN_UP_OFF));
	assert_string_equal(text, "[ a b ]"); /* no added tokens, so none is special; no decoder, so blanks between */
	assert_int_equal(size, 7);
	free(text);
	assert_ok(attend_tokenizer_decode(&text, &size, t, NULL, 0, true, ATTEND_CLEAN_UP_DEFAULT));
	assert_string_equal(text, "");
	free(text);
	attend_tokenizer_free(t);
}

static void test_parse_ids(void **state)
{
	(void)state;
	static const char *const good[] = {"1 22\t333\n", "[1, 22 ,333]", " [ 1,22,333 ] "};
	int32_t *ids;
	size_t count;
	for (size_t i = 0; i < 3; i++) {
		assert_ok(attend_ids_parse(&ids, &count, good[i], strlen(good[i])));
		assert_int_equal(count, 3);
		assert_true(ids[0] == 1 && ids[1] == 22 && ids[2] == 333);
		free(ids);
	}
	assert_ok(attend_ids_parse(&ids, &count, "[]", 2));
	assert_int_equal(count, 0);
	free(ids);
	static const char *const bad[] = {"[1", "1,2", "[1,]", "[1 2]", "-1", "1x", "99999999999", "[1]]", "\"1\""};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_fails(ATTEND_ERR_DATA, "token ids", attend_ids_parse(&ids, &count, bad[i], strlen(bad[i])));
}

static void test_bad_files(void **state)
{
	(void)state;
	static const struct {
		const char *json, *message;
		attend_status status;
	} cases[] = {
		{"[]", "expected an object", ATTEND_ERR_FORMAT},
		{"{}", "\"model\" is missing", ATTEND_ERR_FORMAT},
		{"{\"version\":\"2.0\"," MODEL "}", "$.version", ATTEND_ERR_FORMAT},
		{"{\"added_tokens\":5," MODEL "}", "$.added_tokens", ATTEND_ERR_FORMAT},
		{"{\"added_tokens\":[{\"id\":1}]," MODEL "}", "$.added_tokens[0]", ATTEND_ERR_FORMAT},
		{"{\"normalizer\":{\"type\":\"X\"}," MODEL "}", "$.normalizer: normalizer of unknown type \"X\"",
	     ATTEND_ERR_UNSUPPORTED},
		{"{\"pre_tokenizer\":{\"type\":\"X\"}," MODEL "}", "$.pre_tokenizer", ATTEND_ERR_UNSUPPORTED},
		{"{\"decoder\":{\"type\":\"X\"}," MODEL "}", "$.decoder", ATTEND_ERR_UNSUPPORTED},
		{"{\"post_processor\":{\"type\":\"X\"}," MODEL "}", "$.post_processor", ATTEND_ERR_UNSUPPORTED},
		{"{\"model\":{\"type\":\"X\"}}", "$.model", ATTEND_ERR_UNSUPPORTED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		attend_json *json;
		attend_tokenizer *t;
		assert_ok(attend_json_parse(&json, cases[i].json, strlen(cases[i].json), "tokenizer.json"));
		assert_fails(cases[i].status, cases[i].message, attend_tokenizer_from_json(&t, json));
		attend_json_free(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_templates), cmocka_unit_test(test_truncation),
	                                   cmocka_unit_test(test_refused),   cmocka_unit_test(test_nul_in_text),
	                                   cmocka_unit_test(test_batches),   cmocka_unit_test(test_decode),
	                                   cmocka_unit_test(test_parse_ids), cmocka_unit_test(test_bad_files)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
