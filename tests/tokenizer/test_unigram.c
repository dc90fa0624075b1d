/* test_unigram.c: the Unigram model: the best segmentation against all of them, ties, unknown characters, bytes. */
#include "tests/tokenizer/model_check.h"

#include <math.h>
#include <time.h>

#include "lib/core/rng.h"

static void best_sum(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",0.0],[\"b\",0.0],"
	             "[\"c\",0.0],[\"d\",0.0],[\"cd\",1.0],[\"ab\",2.0],[\"abc\",5.0],[\"abcd\",10.0]]}");
	model_gives(model, "abcd", "abcd:0-4");
	model_gives(model, "abcdacdxx", "abcd:0-4 a:4-5 cd:5-7 <unk>:7-9"); /* unknown ones in a row are one */
	assert_true(model->surface_unk);
	assert_int_equal(model->unk_id, 0);
	model->ops->free(model);
}

static void ties_keep_the_first_found(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"aa\",-2],"
	             "[\"aaa\",-3]]}");
	model_gives(model, "aaa", "aaa:0-3");
	model_gives(model, "aaaa", "a:0-1 aaa:1-4"); /* the longest last piece */
	model->ops->free(model);
}

static void pieces_with_equal_spelling(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"a\",-5]]}");
	assert_int_equal(model->ops->token_to_id(model, "a", 1), 2);
	assert_string_equal(model->ops->id_to_token(model, 1, NULL), "a");
	model->ops->free(model);
}

static void byte_fallback(void **state)
{
	(void)state;
	attend_token_model *model = model_of(
		"{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"<0xC3>\",-2],"
		"[\"<0xA9>\",-2]]}");
	model_gives(model, "a\u00e9", "a:0-1 <0xC3>:1-3 <0xA9>:1-3"); /* each byte covers the whole character */
	model_gives(model, "\u00e8", "<unk>:0-2");
	model->ops->free(model);
}

/* Two unknown characters (90 each) that together spell a piece (150) take its id. */
static void a_fused_run_that_is_a_piece(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",100],[\"a\",100],[\"xy\",150]]}");
	model_gives(model, "xy", "xy:0-2");
	model_gives(model, "xyz", "<unk>:0-3");
	model->ops->free(model);
}

static void without_unknown_token(void **state)
{
	(void)state;
	attend_token_model *model = model_of("{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]]}");
	attend_token_list list = {0};
	void *scratch;
	assert_ok(model->ops->scratch_new(&scratch, model));
	assert_ok(model->ops->tokenize(model, scratch, "aa", 2, 0, &list));
	assert_int_equal(list.count, 2);
	assert_fails(ATTEND_ERR_FORMAT, "unknown token", model->ops->tokenize(model, scratch, "ab", 2, 0, &list));
	model->ops->scratch_free(scratch);
	attend_token_list_free(&list);
	model->ops->free(model);
}

enum { PIECES = 12, LETTERS = 12 };

typedef struct piece {
	char text[8];
	double score;
} piece;

/* The best sum of scores over all segmentations, by trying each. */
static double best_of_all(const piece *pieces, const char *word)
{
	if (*word == 0) return 0;
	double best = -HUGE_VAL;
	for (size_t p = 0; p < PIECES; p++) {
		const size_t size = strlen(pieces[p].text);
		if (strncmp(word, pieces[p].text, size) != 0) continue;
		const double sum = pieces[p].score + best_of_all(pieces, word + size);
		if (sum > best) best = sum;
	}
	return best;
}

static void viterbi_agrees_with_all_segmentations(void **state)
{
	(void)state;
	attend_rng rng = {3, 1, 0};
	for (int round = 0; round < 200; round++) {
		piece pieces[PIECES] = {{"a", -1}, {"b", -1.5}};
		attend_buffer json = {0};
		attend_buffer_text(&json,
		                   "{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",-50],[\"a\",-1],[\"b\",-1.5]");
		for (size_t p = 2; p < PIECES; p++) {
			const size_t size = 2 + attend_rng_below(&rng, 4);
			for (size_t i = 0; i < size; i++) pieces[p].text[i] = attend_rng_below(&rng, 2) ? 'a' : 'b';
			for (size_t q = 0; q < p; q++) /* equal spellings would hide one another */
				if (strcmp(pieces[p].text, pieces[q].text) == 0) pieces[p].text[0] = 'c';
			pieces[p].score = -0.25 * (double)attend_rng_below(&rng, 32);
			attend_buffer_printf(&json, ",[\"%s\",%.2f]", pieces[p].text, pieces[p].score);
		}
		attend_buffer_text(&json, "]}");
		attend_token_model *model = model_of(json.data);
		char word[LETTERS + 1] = {0};
		for (size_t i = 0; i < LETTERS; i++) word[i] = attend_rng_below(&rng, 2) ? 'a' : 'b';
		void *scratch;
		attend_token_list list = {.with_spans = true};
		assert_ok(model->ops->scratch_new(&scratch, model));
		assert_ok(model->ops->tokenize(model, scratch, word, LETTERS, 0, &list));
		double sum = 0;
		uint32_t at = 0;
		for (size_t i = 0; i < list.count; i++) {
			assert_int_equal(list.spans[i].start, at);
			at = list.spans[i].end;
			size_t size;
			const char *token = model->ops->id_to_token(model, list.ids[i], &size);
			assert_memory_equal(token, word + list.spans[i].start, size);
			for (size_t p = 0; p < PIECES; p++)
				if (strcmp(pieces[p].text, token) == 0) sum += pieces[p].score;
		}
		assert_int_equal(at, LETTERS);
		assert_true(sum == best_of_all(pieces, word)); /* quarters: exact */
		model->ops->scratch_free(scratch);
		attend_token_list_free(&list);
		model->ops->free(model);
		attend_buffer_free(&json);
	}
}

static void a_megabyte_of_one_letter(void **state)
{
	(void)state;
	attend_token_model *model =
		model_of("{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-2],[\"aaaa\",-3]]}");
	const size_t size = (size_t)1 << 20;
	char *word = malloc(size);
	assert_non_null(word);
	memset(word, 'a', size);
	void *scratch;
	attend_token_list list = {0};
	assert_ok(model->ops->scratch_new(&scratch, model));
	const clock_t start = clock();
	assert_ok(model->ops->tokenize(model, scratch, word, size, 0, &list));
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20);
	assert_int_equal(list.count, size / 4);
	model->ops->scratch_free(scratch);
	attend_token_list_free(&list);
	free(word);
	model->ops->free(model);
}

static void bad_files(void **state)
{
	(void)state;
	model_fails(ATTEND_ERR_FORMAT, "vocab", "{\"type\":\"Unigram\"}");
	model_fails(ATTEND_ERR_FORMAT, "$.vocab", "{\"type\":\"Unigram\",\"vocab\":{\"a\":1}}");
	model_fails(ATTEND_ERR_FORMAT, "$.vocab[1]", "{\"type\":\"Unigram\",\"vocab\":[[\"a\",1],[\"b\"]]}");
	model_fails(ATTEND_ERR_FORMAT, "$.vocab[0][1]", "{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"b\"]]}");
	model_fails(ATTEND_ERR_FORMAT, "$.unk_id", "{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",1]]}");
	model_fails(ATTEND_ERR_FORMAT, "$.unk_id", "{\"type\":\"Unigram\",\"unk_id\":-1,\"vocab\":[[\"a\",1]]}");
	model_fails(ATTEND_ERR_FORMAT, "", "{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(best_sum),
		cmocka_unit_test(ties_keep_the_first_found),
		cmocka_unit_test(pieces_with_equal_spelling),
		cmocka_unit_test(byte_fallback),
		cmocka_unit_test(a_fused_run_that_is_a_piece),
		cmocka_unit_test(without_unknown_token),
		cmocka_unit_test(viterbi_agrees_with_all_segmentations),
		cmocka_unit_test(a_megabyte_of_one_letter),
		cmocka_unit_test(bad_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
