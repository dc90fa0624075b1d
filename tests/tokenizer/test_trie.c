/* test_trie.c: tokenizer/trie.c and vocab.c against plain searches. */
#include "tests/support/check.h"

#include "lib/core/rng.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocab.h"

static void finds_what_was_put(void **state)
{
	(void)state;
	attend_trie trie;
	attend_trie_key keys[] = {{"abc", 3, 0}, {"ab", 2, 1},   {"b", 1, 2},    {"", 0, 3},
	                          {"ab", 2, 7},  {"a\0b", 3, 4}, {"\xff", 1, 5}, {"abcdefgh", 8, 6}};
	assert_ok(attend_trie_build(&trie, keys, sizeof keys / sizeof *keys));
	assert_int_equal(attend_trie_find(&trie, "abc", 3), 0);
	assert_int_equal(attend_trie_find(&trie, "ab", 2), 7); /* the larger value of equal keys */
	assert_int_equal(attend_trie_find(&trie, "b", 1), 2);
	assert_int_equal(attend_trie_find(&trie, "a", 1), -1);
	assert_int_equal(attend_trie_find(&trie, "", 0), -1);
	assert_int_equal(attend_trie_find(&trie, "a\0b", 3), 4);
	assert_int_equal(attend_trie_find(&trie, "\xff", 1), 5);
	assert_int_equal(attend_trie_find(&trie, "abcdefg", 7), -1);
	assert_int_equal(attend_trie_find(&trie, "abcdefgh", 8), 6);
	assert_int_equal(attend_trie_find(&trie, "abcdefghi", 9), -1);
	assert_int_equal(attend_trie_walk(&trie, trie.root, "abcdefgh", 8), ATTEND_TRIE_DEAD); /* no children */
	assert_int_not_equal(attend_trie_walk(&trie, trie.root, "abcd", 4), ATTEND_TRIE_DEAD);
	attend_trie_free(&trie);
}

static void empty_trie(void **state)
{
	(void)state;
	attend_trie trie;
	assert_ok(attend_trie_build(&trie, NULL, 0));
	for (int c = 0; c < 256; c++) {
		const char byte = (char)c;
		assert_int_equal(attend_trie_find(&trie, &byte, 1), -1);
	}
	attend_trie_free(&trie);
}

static void refuses_values_out_of_range(void **state)
{
	(void)state;
	attend_trie trie;
	attend_trie_key negative = {"a", 1, -1}, large = {"a", 1, ATTEND_TRIE_VALUE_LIMIT};
	assert_fails(ATTEND_ERR_UNSUPPORTED, "out of range", attend_trie_build(&trie, &negative, 1));
	assert_fails(ATTEND_ERR_UNSUPPORTED, "out of range", attend_trie_build(&trie, &large, 1));
}

enum { MANY = 20000 };

/* Random keys over few and over many bytes: every key is found, every other string is not. */
static void agrees_with_a_map(void **state)
{
	(void)state;
	static char text[MANY][12];
	static attend_trie_key keys[MANY];
	for (unsigned alphabet = 2; alphabet <= 256; alphabet *= 128) {
		attend_vocab vocab = {0};
		attend_trie trie;
		attend_rng rng = {alphabet, 1, 0};
		for (int i = 0; i < MANY; i++) {
			const uint32_t size = (uint32_t)attend_rng_below(&rng, 12);
			for (uint32_t k = 0; k < size; k++) text[i][k] = (char)attend_rng_below(&rng, alphabet);
			keys[i] = (attend_trie_key){text[i], size, i};
			assert_ok(attend_vocab_put(&vocab, text[i], size, i));
		}
		assert_ok(attend_trie_build(&trie, keys, MANY));
		for (int i = 0; i < MANY; i++) {
			const int32_t expected = keys[i].size > 0 ? attend_vocab_find(&vocab, keys[i].text, keys[i].size) : -1;
			assert_int_equal(attend_trie_find(&trie, keys[i].text, keys[i].size), expected);
		}
		for (int i = 0; i < MANY; i++) {
			char probe[12];
			const uint32_t size = 1 + (uint32_t)attend_rng_below(&rng, 11);
			for (uint32_t k = 0; k < size; k++) probe[k] = (char)attend_rng_below(&rng, alphabet);
			assert_int_equal(attend_trie_find(&trie, probe, size), attend_vocab_find(&vocab, probe, size));
		}
		attend_trie_free(&trie);
		attend_vocab_free(&vocab);
	}
}

static void vocabulary_replaces(void **state)
{
	(void)state;
	attend_vocab vocab = {0};
	size_t size;
	assert_int_equal(attend_vocab_find(&vocab, "a", 1), -1);
	assert_null(attend_vocab_token(&vocab, 0, NULL));
	assert_ok(attend_vocab_put(&vocab, "a", 1, 5));
	assert_ok(attend_vocab_put(&vocab, "b", 1, 5)); /* two spellings of an id: the later is shown */
	assert_string_equal(attend_vocab_token(&vocab, 5, &size), "b");
	assert_int_equal(size, 1);
	assert_ok(attend_vocab_put(&vocab, "a", 1, 2)); /* a spelling with a new id */
	assert_int_equal(attend_vocab_find(&vocab, "a", 1), 2);
	assert_string_equal(attend_vocab_token(&vocab, 2, NULL), "a");
	assert_string_equal(attend_vocab_token(&vocab, 5, NULL), "b");
	assert_ok(attend_vocab_put(&vocab, "b", 1, 3)); /* its old id is free now */
	assert_null(attend_vocab_token(&vocab, 5, NULL));
	assert_int_equal(vocab.live, 2);
	assert_int_equal(vocab.id_bound, 6);
	assert_null(attend_vocab_token(&vocab, -1, NULL));
	assert_null(attend_vocab_token(&vocab, 6, NULL));
	assert_fails(ATTEND_ERR_FORMAT, "out of range", attend_vocab_put(&vocab, "c", 1, -1));
	assert_fails(ATTEND_ERR_FORMAT, "out of range", attend_vocab_put(&vocab, "c", 1, ATTEND_TOKEN_ID_LIMIT));
	attend_vocab_free(&vocab);
}

static void vocabulary_appends(void **state)
{
	(void)state;
	attend_vocab vocab = {0};
	assert_ok(attend_vocab_append(&vocab, "x", 1));
	assert_ok(attend_vocab_append(&vocab, "", 0));
	assert_ok(attend_vocab_append(&vocab, "x", 1)); /* found under its last id, both ids are spelled */
	assert_int_equal(attend_vocab_find(&vocab, "x", 1), 2);
	assert_int_equal(attend_vocab_find(&vocab, "", 0), 1);
	assert_string_equal(attend_vocab_token(&vocab, 0, NULL), "x");
	assert_string_equal(attend_vocab_token(&vocab, 2, NULL), "x");
	attend_vocab_free(&vocab);
}

static void reads_json(const char *text, attend_status expected, const char *part)
{
	attend_json *document;
	attend_vocab vocab = {0};
	assert_ok(attend_json_parse(&document, text, strlen(text), "vocab.json"));
	assert_fails(expected, part, attend_vocab_from_json(&vocab, document));
	attend_json_free(document);
	attend_vocab_free(&vocab);
}

static void names_bad_ids(void **state)
{
	(void)state;
	reads_json("{\"a\": 0, \"b\": -1}", ATTEND_ERR_FORMAT, "$.b");
	reads_json("{\"a\": 99999999999}", ATTEND_ERR_FORMAT, "$.a");
	reads_json("{\"a\": 2147483648}", ATTEND_ERR_FORMAT, "$.a");
	reads_json("{\"a\": 1.5}", ATTEND_ERR_FORMAT, "$.a");
	reads_json("{\"a\": \"1\"}", ATTEND_ERR_FORMAT, "$.a");
	reads_json("[1]", ATTEND_ERR_FORMAT, "an object");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put),  cmocka_unit_test(empty_trie),
		cmocka_unit_test(agrees_with_a_map),   cmocka_unit_test(refuses_values_out_of_range),
		cmocka_unit_test(vocabulary_replaces), cmocka_unit_test(vocabulary_appends),
		cmocka_unit_test(names_bad_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
