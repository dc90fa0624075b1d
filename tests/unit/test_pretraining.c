/* test_pretraining.c: masks (rates, determinism, special tokens, whole words), targets of causal models, packing of plain text. */
#include "tests/support/check.h"

#include <unistd.h>

#include "lib/train/masking.h"
#include "lib/train/text_blocks.h"

enum { N = 20000, MASK = 4, VOCAB = 1000, PLAIN = 77 };

static int32_t ids[N], labels[N], again_ids[N], again_labels[N];
static uint8_t marks[N];

/* Every tenth token special, words of two tokens between. */
static attend_masking lay_out(bool whole_words)
{
	for (size_t i = 0; i < N; i++) {
		const bool special = i % 10 == 0 || i % 10 == 9;
		ids[i] = special ? 2 : PLAIN;
		marks[i] = special ? ATTEND_MARK_SPECIAL : i % 2 == 0 ? ATTEND_MARK_CONTINUES : 0;
	}
	return (
		attend_masking){.probability = 0.15, .whole_words = whole_words, .mask_id = MASK, .vocab = VOCAB, .seed = 7};
}

static void check_rates(bool whole_words)
{
	const attend_masking m = lay_out(whole_words);
	size_t chosen = 0, masked = 0, kept = 0;
	attend_mask_tokens(ids, labels, marks, N, &m, 3, 5);
	for (size_t i = 0; i < N; i++) {
		if (labels[i] == ATTEND_LABEL_IGNORED) {
			assert_int_equal(ids[i], marks[i] & ATTEND_MARK_SPECIAL ? 2 : PLAIN);
			continue;
		}
		assert_false(marks[i] & ATTEND_MARK_SPECIAL);
		assert_int_equal(labels[i], PLAIN);
		assert_in_range(ids[i], 0, VOCAB - 1);
		chosen++;
		masked += ids[i] == MASK;
		kept += ids[i] == PLAIN;
	}
	/* 16000 plain tokens: five standard deviations of the shares (whole words: of half as many draws) */
	const double share = (double)chosen / 16000, of_masked = (double)masked / (double)chosen,
				 of_kept = (double)kept / (double)chosen;
	assert_true(share > 0.13 && share < 0.17);
	assert_true(of_masked > 0.76 && of_masked < 0.84);
	assert_true(of_kept > 0.07 && of_kept < 0.13);
	for (size_t i = 1; i < N && whole_words; i++)
		if (marks[i] & ATTEND_MARK_CONTINUES)
			assert_int_equal(labels[i] == ATTEND_LABEL_IGNORED, labels[i - 1] == ATTEND_LABEL_IGNORED);
}

static void test_rates(void **state)
{
	(void)state;
	check_rates(false);
	check_rates(true);
}

static void test_determinism(void **state)
{
	(void)state;
	attend_masking m = lay_out(false);
	attend_mask_tokens(ids, labels, marks, N, &m, 3, 5);
	memcpy(again_ids, ids, sizeof ids);
	memcpy(again_labels, labels, sizeof labels);
	for (int change = 0; change < 4; change++) {
		m = lay_out(false);
		m.seed += change == 1;
		attend_mask_tokens(ids, labels, marks, N, &m, change == 2 ? 4 : 3, change == 3 ? 6 : 5);
		assert_int_equal(memcmp(again_labels, labels, sizeof labels) == 0, change == 0);
		assert_int_equal(memcmp(again_ids, ids, sizeof ids) == 0, change == 0);
	}
}

static void test_always_one(void **state)
{
	(void)state;
	attend_masking m = lay_out(false);
	m.probability = 0;
	for (uint64_t example = 0; example < 50; example++) {
		size_t chosen = 0;
		lay_out(false);
		attend_mask_tokens(ids, labels, marks, 10, &m, 0, example);
		for (size_t i = 0; i < 10; i++) chosen += labels[i] != ATTEND_LABEL_IGNORED;
		assert_int_equal(chosen, 1);
	}
	attend_mask_tokens(ids, labels, marks, 1, &m, 0, 0); /* a special token alone */
	assert_int_equal(labels[0], ATTEND_LABEL_IGNORED);
}

static void test_next(void **state)
{
	(void)state;
	const int32_t text[3] = {5, 6, 7};
	int32_t next[3];
	attend_next_tokens(next, text, 3);
	assert_int_equal(next[0], 6);
	assert_int_equal(next[1], 7);
	assert_int_equal(next[2], ATTEND_LABEL_IGNORED);
}

/* ---- Packing ---------------------------------------------------------------------------------------------------------------- */

static char path[] = "/tmp/attend-blocks-XXXXXX";

static void write_text(const char *text)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void check_blocks(const char *model, const char *text, bool line_breaks, const char *const *lines, size_t count)
{
	attend_tokenizer *tokenizer = NULL;
	attend_dataset *dataset = NULL;
	attend_examples x = {0};
	size_t at = 0;
	assert_ok(attend_tokenizer_load(&tokenizer, model));
	write_text(text);
	assert_ok(attend_text_blocks_read(&dataset, &x, path, NULL, tokenizer, 8, 8000, line_breaks));
	for (size_t i = 0; i < count; i++) { /* the blocks one after the other are the lines one after the other */
		attend_encoding e = {0};
		assert_ok(attend_tokenizer_encode(&e, tokenizer, lines[i], strlen(lines[i]), NULL));
		for (size_t k = 0; k < e.count; k++, at++) {
			assert_int_equal(x.ids[at], e.ids[k]);
			assert_int_equal((x.marks[at] & ATTEND_MARK_SPECIAL) != 0, e.special_tokens_mask[k]);
		}
		attend_encoding_free(&e);
	}
	assert_int_equal(x.starts[x.count], at);
	assert_int_equal(dataset->count, x.count);
	for (size_t i = 0; i + 1 < x.count; i++) assert_int_equal(attend_examples_length(&x, i), 8);
	assert_in_range(attend_examples_length(&x, x.count - 1), 2, 8);
	attend_dataset_free(dataset);
	attend_examples_free(&x);
	attend_tokenizer_free(tokenizer);
}

static void test_packing(void **state)
{
	(void)state;
	static const char text[] = "The cat sat on the mat.\n\nUnbelievable stories were told.\r\nThe end was near us all";
	static const char *const bare[] = {"The cat sat on the mat.", "Unbelievable stories were told.",
	                                   "The end was near us all"};
	static const char *const broken[] = {"The cat sat on the mat.\n", "\n", "Unbelievable stories were told.\r\n",
	                                     "The end was near us all"};
	check_blocks(ATTEND_SOURCE_DIR "/models/pretrained/bert-mini", text, false, bare, 3);
	check_blocks(ATTEND_SOURCE_DIR "/models/pretrained/gpt2-mini", text, true, broken, 4);
}

static void test_nothing_to_learn(void **state)
{
	(void)state;
	attend_tokenizer *tokenizer = NULL;
	attend_dataset *dataset = NULL;
	attend_examples x = {0};
	assert_ok(attend_tokenizer_load(&tokenizer, ATTEND_SOURCE_DIR "/models/pretrained/bert-mini"));
	write_text("\n \n");
	assert_fails(ATTEND_ERR_DATA, "no text to learn from",
	             attend_text_blocks_read(&dataset, &x, path, NULL, tokenizer, 8, 8000, false));
	write_text("some words\n");
	assert_fails(ATTEND_ERR_FORMAT, ":1: the tokenizer gives id",
	             attend_text_blocks_read(&dataset, &x, path, NULL, tokenizer, 8, 3, false));
	attend_tokenizer_free(tokenizer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates), cmocka_unit_test(test_determinism), cmocka_unit_test(test_always_one),
		cmocka_unit_test(test_next),  cmocka_unit_test(test_packing),     cmocka_unit_test(test_nothing_to_learn),
	};
	const int fd = mkstemp(path);
	if (fd < 0) return 1;
	close(fd);
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
