/* test_bpe.c: the BPE model: merging against a plain version, unknown characters, prefixes and suffixes, bytes, bad files. */
#include "tests/tokenizer/model_check.h"

#include <time.h>

#include "lib/core/rng.h"
#include "tokenizer/merge_table.h"

static void merges_by_rank(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5},"
	             "\"merges\":[\"b c\",[\"a\",\"b\"],\"ab c\"]}");
	model_gives(model, "abc", "a:0-1 bc:1-3"); /* b c is first */
	model_gives(model, "abab", "ab:0-2 ab:2-4");
	model_gives(model, "aab", "a:0-1 ab:1-3");
	model->ops->free(model);
	model = model_of("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1,\"aaa\":2},\"merges\":[\"a a\",\"aa a\"]}");
	model_gives(model, "aaaaa", "aa:0-2 aaa:2-5"); /* the leftmost of equals */
	model->ops->free(model);
}

#define LETTERS "\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"ab\":3}"

static void unknown_characters(void **state)
{
	(void)state;
	attend_token_model *model = model_of("{\"type\":\"BPE\"," LETTERS ",\"merges\":[\"a b\"]}");
	model_gives(model, "a\u00e9b", "ab:0-2"); /* without unk token they vanish, from the offsets too */
	model->ops->free(model);
	model = model_of("{\"type\":\"BPE\",\"unk_token\":\"<unk>\"," LETTERS ",\"merges\":[\"a b\"]}");
	model_gives(model, "a\u00e9zb", "a:0-1 <unk>:1-3 <unk>:3-4 b:4-5");
	model->ops->free(model);
	model = model_of("{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true," LETTERS ",\"merges\":[\"a b\"]}");
	model_gives(model, "\u00e9za\u00e9z", "<unk>:0-3 a:3-4 <unk>:4-7");
	model->ops->free(model);
	model = model_of("{\"type\":\"BPE\",\"unk_token\":\"gone\"," LETTERS ",\"merges\":[]}");
	attend_token_list list = {0};
	void *scratch;
	assert_ok(model->ops->scratch_new(&scratch, model));
	assert_fails(ATTEND_ERR_FORMAT, "unknown token", model->ops->tokenize(model, scratch, "z", 1, 0, &list));
	model->ops->scratch_free(scratch);
	model->ops->free(model);
}

static void byte_fallback(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"byte_fallback\":true,\"fuse_unk\":true,"
	             "\"vocab\":{\"<unk>\":0,\"a\":1,\"<0xC3>\":2,\"<0xA9>\":3},\"merges\":[]}");
	model_gives(model, "a\u00e9", "a:0-1 <0xC3>:1-2 <0xA9>:2-3");
	model_gives(model, "\u00e8a", "<unk>:0-2 a:2-3"); /* a byte lacks */
	model_gives(model, "z\u00e9",
	            "<0xC3>:0-1 <0xA9>:1-2 <unk>:2-3"); /* the reference's order: what waits to be fused is last */
	model->ops->free(model);
}

static void prefix_and_suffix(void **state)
{
	(void)state;
	attend_token_model *model = model_of(
		"{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"a</w>\":2,"
		"\"aa</w>\":3,\"b\":4},\"merges\":[\"a a</w>\"]}");
	model_gives(model, "aaa", "a:0-1 aa</w>:1-3");
	model_gives(model, "a", "a</w>:0-1");
	model_gives(model, "ab", "a:0-1 ?:1-2");
	model->ops->free(model);
	model = model_of(
		"{\"type\":\"BPE\",\"continuing_subword_prefix\":\"##\",\"vocab\":{\"a\":0,\"##a\":1,\"##b\":2,\"aa\":3,"
		"\"##ab\":4},\"merges\":[[\"##a\",\"##b\"],[\"a\",\"##a\"]]}");
	model_gives(model, "aab", "a:0-1 ##ab:1-3");
	model_gives(model, "aaa", "aa:0-2 ##a:2-3");
	model->ops->free(model);
}

static void ignore_merges(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"bb\":3,"
	             "\"aba\":4},\"merges\":[\"a b\"]}");
	model_gives(model, "aba", "aba:0-3");
	model_gives(model, "bb", "bb:0-2");
	model_gives(model, "bba", "b:0-1 b:1-2 a:2-3");
	model->ops->free(model);
}

/* ---- merging ---- */

/* All occurrences of the best pair, again and again, over the array: the definition. */
static size_t merge_plainly(const attend_merge_table *table, attend_symbol *symbols, size_t n)
{
	for (;;) {
		size_t best = SIZE_MAX;
		const attend_merge_cell *found = NULL;
		for (size_t i = 0; i + 1 < n; i++) {
			const attend_merge_cell *cell = attend_merge_table_find(table, symbols[i].id, symbols[i + 1].id);
			if (cell && (!found || cell->rank < found->rank)) {
				found = cell;
				best = i;
			}
		}
		if (!found) return n;
		symbols[best].id = found->id;
		symbols[best].size += symbols[best + 1].size;
		for (size_t i = best + 1; i + 1 < n; i++) symbols[i] = symbols[i + 1];
		n--;
	}
}

/* Random merge tables over a small alphabet, words short and long: both ways of merging agree with the plain one. */
static void merging_agrees_with_the_definition(void **state)
{
	(void)state;
	attend_rng rng = {7, 1, 0};
	attend_merge_scratch scratch = {0};
	for (int round = 0; round < 300; round++) {
		const uint32_t merges = 1 + (uint32_t)attend_rng_below(&rng, 60);
		attend_merge_table table;
		assert_ok(attend_merge_table_init(&table, merges));
		for (uint32_t m = 0; m < merges; m++) /* left and right are letters or earlier results */
			attend_merge_table_put(&table, (int32_t)attend_rng_below(&rng, 3 + m),
			                       (int32_t)attend_rng_below(&rng, 3 + m), m, (int32_t)(3 + m));
		static const uint32_t sizes[] = {1, 2, 3, 10, 24, 25, 26, 33, 50, 90, 127, 128, 129, 300};
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
			attend_symbol plain[300];
			size_t count = sizes[s];
			scratch.symbols = realloc(scratch.symbols, sizeof plain);
			scratch.symbol_capacity = 300;
			for (size_t i = 0; i < count; i++)
				plain[i] = scratch.symbols[i] = (attend_symbol){(int32_t)attend_rng_below(&rng, 3), 1, 0, 0};
			const size_t expected = merge_plainly(&table, plain, count);
			assert_ok(attend_merge_symbols(&table, &scratch, &count));
			assert_int_equal(count, expected);
			for (size_t i = 0; i < count; i++) {
				assert_int_equal(scratch.symbols[i].id, plain[i].id);
				assert_int_equal(scratch.symbols[i].size, plain[i].size);
			}
		}
		attend_merge_table_free(&table);
	}
	attend_merge_scratch_free(&scratch);
}

static void a_later_merge_of_a_pair_counts(void **state)
{
	(void)state;
	attend_token_model *model = model_of("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4},"
	                                     "\"merges\":[\"a b\",\"b c\",\"a b\"]}");
	model_gives(model, "abc", "a:0-1 bc:1-3");
	model->ops->free(model);
}

/* ---- bytes ---- */

/* A byte-level vocabulary: 256 characters and a merge of the two bytes of U+00E9. */
static char *byte_level_model(bool ignore)
{
	attend_buffer text = {0};
	attend_buffer_printf(&text, "{\"type\":\"BPE\",\"ignore_merges\":%s,\"vocab\":{", ignore ? "true" : "false");
	for (int byte = 0; byte < 256; byte++) {
		char spelling[4];
		const size_t size = attend_utf8_encode(spelling, attend_byte_to_char((unsigned char)byte));
		attend_buffer_json_string(&text, spelling, size);
		attend_buffer_printf(&text, ":%d,", byte);
	}
	attend_buffer_text(
		&text, "\"\u00c3\u00a9\":256,\"\u0120a\":257,\"xyz\":258},\"merges\":[\"\u00c3 \u00a9\",\"\u0120 a\"]}");
	return text.data;
}

static void raw_bytes(void **state)
{
	(void)state;
	for (int ignore = 0; ignore < 2; ignore++) {
		char *json = byte_level_model(ignore != 0);
		attend_token_model *model = model_of(json);
		assert_true(model->ops->use_bytes(model));
		model_gives(model, " a\u00e9", "\u0120a:0-2 \u00c3\u00a9:2-4");
		model_gives(model, "\xff\x80", "\u00ff:0-1 \u0122:1-2"); /* any bytes */
		model_gives(model, "xyz", ignore ? "xyz:0-3" : "x:0-1 y:1-2 z:2-3");
		model->ops->free(model);
		free(json);
	}
	attend_token_model *model = model_of("{\"type\":\"BPE\"," LETTERS ",\"merges\":[]}");
	assert_false(model->ops->use_bytes(model)); /* bytes lack: words stay text */
	model_gives(model, "ab", "a:0-1 b:1-2");
	model->ops->free(model);
}

static void a_megabyte_of_one_letter(void **state)
{
	(void)state;
	attend_token_model *model = model_of("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1,\"aaaa\":2,\"aaaaaaaa\":3},"
	                                     "\"merges\":[\"a a\",\"aa aa\",\"aaaa aaaa\"]}");
	const size_t size = (size_t)1 << 20;
	char *word = malloc(size);
	assert_non_null(word);
	memset(word, 'a', size);
	void *scratch;
	attend_token_list list = {0};
	assert_ok(model->ops->scratch_new(&scratch, model));
	const clock_t start = clock();
	assert_ok(model->ops->tokenize(model, scratch, word, size, 0, &list));
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20); /* quadratic would take hours */
	assert_int_equal(list.count, size / 8);
	model->ops->scratch_free(scratch);
	attend_token_list_free(&list);
	free(word);
	model->ops->free(model);
}

static void bad_files(void **state)
{
	(void)state;
	model_fails(ATTEND_ERR_FORMAT, "merges", "{\"type\":\"BPE\",\"vocab\":{}}");
	model_fails(ATTEND_ERR_FORMAT, "vocab", "{\"type\":\"BPE\",\"merges\":[]}");
	model_fails(ATTEND_ERR_FORMAT, "$.merges[1]", "{\"type\":\"BPE\"," LETTERS ",\"merges\":[\"a b\",\"a z\"]}");
	model_fails(ATTEND_ERR_FORMAT, "merged token \"ba\"", "{\"type\":\"BPE\"," LETTERS ",\"merges\":[[\"b\",\"a\"]]}");
	model_fails(ATTEND_ERR_FORMAT, "$.merges[0]", "{\"type\":\"BPE\"," LETTERS ",\"merges\":[\"ab\"]}");
	model_fails(ATTEND_ERR_FORMAT, "$.merges[0]", "{\"type\":\"BPE\"," LETTERS ",\"merges\":[\"a b c\"]}");
	model_fails(ATTEND_ERR_FORMAT, "$.merges[0]", "{\"type\":\"BPE\"," LETTERS ",\"merges\":[[\"a\"]]}");
	model_fails(ATTEND_ERR_FORMAT, "$.merges[0][1]", "{\"type\":\"BPE\"," LETTERS ",\"merges\":[[\"a\",1]]}");
	model_fails(ATTEND_ERR_FORMAT, "$.merges", "{\"type\":\"BPE\"," LETTERS ",\"merges\":{\"a\":1}}");
	model_fails(ATTEND_ERR_FORMAT, "probability", "{\"type\":\"BPE\",\"dropout\":2," LETTERS ",\"merges\":[]}");
	model_fails(ATTEND_ERR_FORMAT, "prefix",
	            "{\"type\":\"BPE\",\"continuing_subword_prefix\":\"####\"," LETTERS ",\"merges\":[\"a b\"]}");
}

static void dropout_has_no_effect(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"BPE\",\"dropout\":0.9," LETTERS ",\"merges\":[\"#version: 0.2\",\"a b\"]}");
	for (int i = 0; i < 20; i++) model_gives(model, "ab", "ab:0-2");
	model->ops->free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merges_by_rank),
		cmocka_unit_test(unknown_characters),
		cmocka_unit_test(byte_fallback),
		cmocka_unit_test(prefix_and_suffix),
		cmocka_unit_test(ignore_merges),
		cmocka_unit_test(merging_agrees_with_the_definition),
		cmocka_unit_test(a_later_merge_of_a_pair_counts),
		cmocka_unit_test(raw_bytes),
		cmocka_unit_test(a_megabyte_of_one_letter),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(dropout_has_no_effect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
