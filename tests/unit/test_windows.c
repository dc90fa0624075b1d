/* test_windows.c: long texts in windows: where they lie, and that pooled logits are those of the windows run by themselves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/attend.h"
#include "lib/train/examples.h"
#include "lib/train/pooled.h"

enum { LABELS = 4 };
static attend_model *model;
static attend_pipeline *pipeline;

static int open_model(void **state)
{
	(void)state;
	return attend_model_load(&model, ATTEND_SOURCE_DIR "/tests/golden/tasks/classify", NULL) != ATTEND_OK ||
	       attend_pipeline_new(&pipeline, model) != ATTEND_OK;
}

static int close_model(void **state)
{
	(void)state;
	attend_pipeline_free(pipeline);
	attend_model_free(model);
	return 0;
}

static void logits(float out[LABELS], const char *text, const char *pair, const attend_classify_options *options,
                   size_t *windows)
{
	attend_classify_options o = *options;
	attend_classification result;
	const attend_text input = {text, strlen(text), pair, pair ? strlen(pair) : 0};
	o.function = ATTEND_SCORE_NONE;
	assert_int_equal(attend_classify(&result, pipeline, &input, 1, &o), ATTEND_OK);
	assert_int_equal(result.count, LABELS);
	for (size_t i = 0; i < LABELS; i++) out[result.labels[i].index] = result.labels[i].score;
	*windows = result.windows;
	attend_classification_free(&result);
}

/* Letters are words of one token: the windows of ten letters can be written down. */
static void check_pooled(const char *text, const char *pair, const char *const *parts, size_t count,
                         bool parts_are_pairs, const attend_classify_options *options)
{
	const attend_classify_options plain = {0};
	float pooled[LABELS], wanted[LABELS] = {0};
	size_t windows = 0;
	logits(pooled, text, pair, options, &windows);
	assert_int_equal(windows, count);
	for (size_t i = 0; i < count; i++) {
		float part[LABELS];
		logits(part, parts_are_pairs ? text : parts[i], parts_are_pairs ? parts[i] : pair, &plain, &windows);
		assert_int_equal(windows, 1);
		for (size_t c = 0; c < LABELS; c++) {
			if (options->window_pooling == ATTEND_WINDOW_MEAN) wanted[c] += part[c];
			else if (i == 0 || part[c] > wanted[c]) wanted[c] = part[c];
		}
	}
	for (size_t c = 0; c < LABELS; c++) {
		if (options->window_pooling == ATTEND_WINDOW_MEAN) wanted[c] = (float)((double)wanted[c] / (double)count);
		assert_true(wanted[c] >= pooled[c] && wanted[c] <= pooled[c]); /* the same bits: sequences do not mix */
	}
}

static void test_classify(void **state)
{
	(void)state;
	static const char *const four[] = {"a b c d", "d e f g", "g h i j"}, *const three[] = {"f g", "g h", "h i"};
	attend_classify_options o = {.window = true, .window_length = 6, .window_stride = 1};
	check_pooled("a b c d e f g h i j", NULL, four, 3, false, &o);
	o.window_pooling = ATTEND_WINDOW_MAX;
	check_pooled("a b c d e f g h i j", NULL, four, 3, false, &o);
	check_pooled("a b c d", NULL, four, 1, false, &o); /* fits */
	check_pooled("f g h i", "a b", three, 3, false,
	             &(attend_classify_options){.window = true, .window_length = 7, .window_stride = 1});
	check_pooled("a b", "f g h i", three, 3, true,
	             &(attend_classify_options){.window = true, .window_length = 7, .window_stride = 1});
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		attend_classify_options options;
		const char *message;
	} cases[] = {
		{{.window = true, .window_length = 49}, "window 49: the model takes at most 48 tokens"},
		{{.window = true, .window_length = 3}, "leaves no room"},
		{{.window = true, .window_length = 7, .window_stride = 4}, "stride 4"},
		{{.window = true, .cut = ATTEND_CUT_LEFT}, "exclude each other"},
		{{.window_pooling = (attend_window_pooling)7}, "unknown pooling 7"},
	};
	const attend_text text = {"a b c", 5, NULL, 0};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		attend_classification result;
		assert_int_equal(attend_classify(&result, pipeline, &text, 1, &cases[i].options), ATTEND_ERR_ARG);
		if (!strstr(attend_error(), cases[i].message))
			fail_msg("expected \"%s\" in \"%s\"", cases[i].message, attend_error());
	}
	/* the shorter text of a pair leaves no room */
	const attend_text pair = {"a b c d e f", 11, "g h i j k l", 11};
	attend_classification result;
	const attend_classify_options o = {.window = true, .window_length = 8, .window_stride = 1};
	assert_int_equal(attend_classify(&result, pipeline, &pair, 1, &o), ATTEND_ERR_DATA);
}

static void test_default_overlap(void **state)
{
	(void)state;
	const attend_tokenizer *tokenizer = attend_model_tokenizer(model);
	attend_fitting f = {0};
	assert_int_equal(attend_fitting_windows(&f, 0, -1, 48, tokenizer), ATTEND_OK);
	assert_int_equal(f.window, 48);
	assert_int_equal(f.window_stride, 22); /* half of what three special tokens leave */
	assert_int_equal(attend_fitting_windows(&f, 1000, -1, SIZE_MAX, tokenizer), ATTEND_OK);
	assert_int_equal(f.window_stride, 128);
	assert_int_equal(attend_fitting_windows(&f, 10, 0, 48, tokenizer), ATTEND_OK);
	assert_int_equal(f.window_stride, 0);
}

static void test_row_losses(void **state)
{
	(void)state;
	const float row[] = {1, -2, 0.5f};
	const int32_t labels[] = {0, 2};
	const attend_example single = {.label = 1}, multi = {.labels = labels, .label_count = 2}, value = {.value = 3};
	/* numpy: log(exp(1) + exp(-2) + exp(.5)) + 2; mean of log1p(exp(-1)), log1p(exp(-2)), log1p(exp(-.5)); (1 - 3) ** 2 */
	assert_true(fabs(attend_row_loss(&single, ATTEND_LABELS_SINGLE, row, 3) - 3.504596902342) < 1e-9);
	assert_true(fabs(attend_row_loss(&multi, ATTEND_LABELS_MULTI, row, 3) - 0.304755560914) < 1e-9);
	assert_true(fabs(attend_row_loss(&value, ATTEND_LABELS_REGRESSION, row, 1) - 4) < 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_classify), cmocka_unit_test(test_refused),
	                                   cmocka_unit_test(test_default_overlap), cmocka_unit_test(test_row_losses)};
	return cmocka_run_group_tests(tests, open_model, close_model);
}
