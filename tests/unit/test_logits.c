/* test_logits.c: every logits processor and warper against transformers' own rows (tests/golden/processors/processors.json,
 * made by the reference; null there is -inf). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/core/json.h"
#include "lib/kernels/kernels.h"
#include "lib/tasks/logits.h"

enum { MAX = 64 };

static size_t read_floats(float *out, const attend_json *list)
{
	size_t n = 0;
	for (const attend_json *v = attend_json_first(list); v; v = attend_json_next(v)) {
		double x = -INFINITY;
		if (attend_json_type(v) != ATTEND_JSON_NULL) assert_int_equal(attend_json_as_double(&x, v), ATTEND_OK);
		out[n++] = (float)x;
	}
	return n;
}

static size_t read_ids(int32_t *out, const attend_json *list)
{
	size_t n = 0;
	for (const attend_json *v = attend_json_first(list); v; v = attend_json_next(v)) {
		int64_t id = 0;
		assert_int_equal(attend_json_as_int(&id, v, 0, INT32_MAX), ATTEND_OK);
		out[n++] = (int32_t)id;
	}
	return n;
}

static void check_item(const attend_json *given, const attend_json *item)
{
	float scores[MAX], expected[MAX];
	int32_t ids[MAX], encoder_ids[MAX];
	int64_t eos = 0, min_keep = 1, prompt_length = 6, begin_index = -1;
	const size_t v = read_floats(scores, attend_json_get(given, "logits"));
	assert_int_equal(read_floats(expected, attend_json_get(item, "processed")), v);
	attend_logits_context context = {.ids = ids, .encoder_ids = encoder_ids};
	context.length = read_ids(ids, attend_json_get(given, "current_ids"));
	context.encoder_length = read_ids(encoder_ids, attend_json_get(given, "encoder_input_ids"));
	attend_json_get_int(&eos, given, "eos_token_id", 0, 100);

	attend_generation *g = NULL;
	assert_int_equal(attend_generation_defaults(&g), ATTEND_OK);
	g->top_k = 0; /* the items name each processor alone */
	assert_int_equal(attend_generation_set(g, "eos_token_id", "3"), ATTEND_OK);
	assert_int_equal(eos, 3);
	const attend_json *kwargs = attend_json_get(item, "kwargs");
	for (const attend_json *a = attend_json_first(kwargs); a; a = attend_json_next(a)) {
		const char *name = attend_json_key(a, NULL);
		if (attend_generation_set_json(g, name, a) == ATTEND_OK) continue;
		if (strcmp(name, "min_tokens_to_keep") == 0) attend_json_as_int(&min_keep, a, 1, 100);
		else if (strcmp(name, "prompt_length") == 0) attend_json_as_int(&prompt_length, a, 0, 100);
		else if (strcmp(name, "begin_index") == 0) attend_json_as_int(&begin_index, a, 0, 100);
		else fail_msg("no parameter %s", name);
	}
	context.generation = g;
	context.prompt_length = (size_t)(begin_index >= 0 ? begin_index : prompt_length);
	context.min_keep = (size_t)min_keep;
	context.min_length = g->min_length;
	context.max_length = g->max_length;
	void *scratch = malloc(attend_logits_scratch(v));
	attend_logits_process(scores, v, &context, scratch);
	attend_logits_warp(scores, v, &context, scratch);
	if (g->renormalize_logits) attend_log_softmax_forward(scores, scores, 1, v);
	const char *name = "?";
	attend_json_get_string(&name, item, "name");
	for (size_t i = 0; i < v; i++) {
		if (isinf(expected[i]) ? scores[i] < 0 && isinf(scores[i])
		                       : fabsf(scores[i] - expected[i]) <= 2e-6f * (1 + fabsf(expected[i])))
			continue;
		fail_msg("%s: token %zu: expected %g, found %g", name, i, (double)expected[i], (double)scores[i]);
	}
	free(scratch);
	attend_generation_free(g);
}

static void test_reference_rows(void **state)
{
	(void)state;
	attend_json *document = NULL;
	if (attend_json_read(&document, ATTEND_SOURCE_DIR "/tests/golden/processors/processors.json") != ATTEND_OK)
		fail_msg("%s", attend_error());
	size_t items = 0;
	const attend_json *given = attend_json_get(document, "given");
	for (const attend_json *i = attend_json_first(attend_json_get(document, "items")); i;
	     i = attend_json_next(i), items++)
		check_item(given, i);
	assert_true(items >= 27);
	attend_json_free(document);
}

static void test_values_from_text(void **state)
{
	(void)state;
	attend_generation *g = NULL, *copy = NULL;
	assert_int_equal(attend_generation_defaults(&g), ATTEND_OK);
	assert_int_equal(attend_generation_set(g, "no-repeat-ngram-size", "3"), ATTEND_OK);
	assert_int_equal(g->no_repeat_ngram_size, 3);
	assert_int_equal(attend_generation_set(g, "early_stopping", "never"), ATTEND_OK);
	assert_int_equal(g->early_stopping, ATTEND_EARLY_STOPPING_NEVER);
	assert_int_equal(attend_generation_set(g, "bad_words_ids", "[[3,4],[5]]"), ATTEND_OK);
	assert_int_equal(g->bad_words_count, 2);
	assert_int_equal(attend_generation_set(g, "stop_strings", "THE END"), ATTEND_OK);
	assert_int_equal(attend_generation_set(g, "eos_token_id", "[3,40]"), ATTEND_OK);
	assert_int_equal(attend_generation_copy(&copy, g), ATTEND_OK);
	assert_string_equal(copy->stop_strings[0], "THE END");
	assert_int_equal(copy->bad_words_ids[0].sequence.ids[1], 4);
	assert_int_equal(attend_generation_set(g, "eos_token_id", "None"), ATTEND_OK);
	assert_int_equal(g->eos_token_id.count, 0);
	assert_int_equal(copy->eos_token_id.count, 2);
	attend_generation_free(copy);
	attend_generation_free(g);
}

static void test_bad_values(void **state)
{
	(void)state;
	static const char *const bad[][2] = {
		{"temperature", "0"},        {"temperature", "-1"},     {"top_p", "1.5"},
		{"num_beams", "0"},          {"num_beams", "many"},     {"early_stopping", "soon"},
		{"bad_words_ids", "[3]"},    {"bad_words_ids", "[[]]"}, {"sequence_bias", "[[3,1]]"},
		{"eos_token_id", "[-1]"},    {"eos_token_id", "[1"},    {"do_sample", "1"},
		{"max_new_tokens", "1e99"},  {"stop_strings", "[1]"},   {"exponential_decay_length_penalty", "[1]"},
		{"repetition_penalty", "0"}, {"max_new_tokens", "1.5"}};
	attend_generation *g = NULL;
	assert_int_equal(attend_generation_defaults(&g), ATTEND_OK);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (attend_generation_set(g, bad[i][0], bad[i][1]) != ATTEND_ERR_ARG)
			fail_msg("%s=%s was taken", bad[i][0], bad[i][1]);
		if (!strstr(attend_error(), bad[i][0])) fail_msg("message without the name: %s", attend_error());
	}
	assert_int_equal(attend_generation_set(g, "top_q", "1"), ATTEND_ERR_NOTFOUND);
	assert_int_equal(attend_generation_set(g, "num_return_sequences", "3"), ATTEND_OK);
	assert_int_equal(attend_generation_check(g), ATTEND_ERR_ARG);
	attend_generation_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference_rows),
		cmocka_unit_test(test_values_from_text),
		cmocka_unit_test(test_bad_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
