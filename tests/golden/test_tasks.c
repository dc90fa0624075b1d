/* test_tasks.c: every task through the public API against what the reference's pipelines say (tests/golden/tasks, made by
 * make_tasks.py there). Scores within 1e-5 + 1e-4 relative: probabilities of f32 logits that agree within 1e-5; everything
 * else is equal. Each list of texts also runs one by one, which must give the same bits. */
#include "tests/support/check.h"

#include <math.h>

#include "lib/attend.h"
#include "lib/core/json.h"

enum { MOST = 64 };

/* One line of tasks.json at work. */
typedef struct golden {
	const attend_json *entry, *options;
	attend_pipeline *pipeline;
	attend_text texts[MOST];
	size_t count;
} golden;

static const char *string_of(const attend_json *value)
{
	const char *text = NULL;
	assert_ok(attend_json_as_string(&text, NULL, value));
	return text;
}

static double number_of(const attend_json *value)
{
	double number = 0;
	assert_ok(attend_json_as_double(&number, value));
	return number;
}

static double member(const attend_json *object, const char *key)
{
	assert_non_null(attend_json_get(object, key));
	return number_of(attend_json_get(object, key));
}

static size_t option(const golden *g, const char *key, size_t otherwise)
{
	int64_t value = (int64_t)otherwise;
	assert_ok(attend_json_get_int(&value, g->options, key, 0, 1 << 20));
	return (size_t)value;
}

static bool switched(const golden *g, const char *key, bool otherwise)
{
	assert_ok(attend_json_get_bool(&otherwise, g->options, key));
	return otherwise;
}

static void check_close(double expected, double found)
{
	if (!(fabs(expected - found) <= 1e-5 + 1e-4 * fabs(expected)))
		fail_msg("expected %.9g, found %.9g", expected, found);
}

static void check_member_string(const attend_json *object, const char *key, const char *found)
{
	assert_string_equal(string_of(attend_json_get(object, key)), found);
}

/* ---- the tasks: run texts first .. first+count-1, compare with the expected list ---- */

static void classify(const golden *g, size_t first, size_t count, const attend_json *expected)
{
	attend_classification results[MOST];
	assert_ok(attend_classify(results, g->pipeline, g->texts + first, count, NULL));
	for (size_t i = 0; i < count; i++, expected = attend_json_next(expected)) {
		assert_int_equal(attend_json_count(expected), results[i].count);
		const attend_json *label = attend_json_first(expected);
		for (size_t j = 0; j < results[i].count; j++, label = attend_json_next(label)) {
			check_member_string(label, "label", results[i].labels[j].label);
			check_close(member(label, "score"), (double)results[i].labels[j].score);
		}
		attend_classification_free(&results[i]);
	}
}

static void next_sentence(const golden *g, size_t first, size_t count, const attend_json *expected)
{
	float results[MOST];
	assert_ok(attend_next_sentence(results, g->pipeline, g->texts + first, count, ATTEND_CUT_NEVER));
	for (size_t i = 0; i < count; i++, expected = attend_json_next(expected))
		check_close(number_of(expected), (double)results[i]);
}

static size_t index_of(const char *word, const char *const *words)
{
	size_t i = 0;
	while (strcmp(words[i], word) != 0) i++;
	return i;
}

static void ner(const golden *g, size_t first, size_t count, const attend_json *expected)
{
	static const char *const strategies[] = {"none", "simple", "first", "average", "max"};
	attend_entities results[MOST];
	const attend_ner_options options = {.aggregation = (attend_aggregation)
	                                        index_of(string_of(attend_json_get(g->options, "aggregation")), strategies),
	                                    .stride = option(g, "stride", 0)};
	assert_ok(attend_ner(results, g->pipeline, g->texts + first, count, &options));
	for (size_t i = 0; i < count; i++, expected = attend_json_next(expected)) {
		assert_int_equal(attend_json_count(expected), results[i].count);
		const attend_json *e = attend_json_first(expected);
		for (size_t j = 0; j < results[i].count; j++, e = attend_json_next(e)) {
			const attend_entity *found = &results[i].items[j];
			check_member_string(e, options.aggregation == ATTEND_AGGREGATE_NONE ? "entity" : "entity_group",
			                    found->label);
			check_member_string(e, "word", found->word);
			check_close(member(e, "score"), (double)found->score);
			assert_int_equal(member(e, "start"), found->start);
			assert_int_equal(member(e, "end"), found->end);
			if (options.aggregation == ATTEND_AGGREGATE_NONE) assert_int_equal(member(e, "index"), found->index);
		}
		attend_entities_free(&results[i]);
	}
}

static void qa(const golden *g, size_t first, size_t count, const attend_json *expected)
{
	attend_answers results[MOST];
	const attend_qa_options options = {.top_k = option(g, "top_k", 0),
	                                   .max_seq_len = option(g, "max_seq_len", 0),
	                                   .doc_stride = option(g, "doc_stride", 0),
	                                   .max_answer_len = option(g, "max_answer_len", 0),
	                                   .handle_impossible_answer = switched(g, "impossible", false),
	                                   .keep_token_bounds = !switched(g, "align", true)};
	assert_ok(attend_answer_question(results, g->pipeline, g->texts + first, count, &options));
	for (size_t i = 0; i < count; i++, expected = attend_json_next(expected)) {
		assert_int_equal(attend_json_count(expected), results[i].count);
		const attend_json *e = attend_json_first(expected);
		for (size_t j = 0; j < results[i].count; j++, e = attend_json_next(e)) {
			check_member_string(e, "answer", results[i].items[j].answer);
			check_close(member(e, "score"), results[i].items[j].score);
			assert_int_equal(member(e, "start"), results[i].items[j].start);
			assert_int_equal(member(e, "end"), results[i].items[j].end);
		}
		attend_answers_free(&results[i]);
	}
}

static void check_fills(const attend_json *e, const attend_fill_list *list, bool joint)
{
	assert_int_equal(attend_json_count(e), list->count);
	e = attend_json_first(e);
	for (size_t j = 0; j < list->count; j++, e = attend_json_next(e)) {
		const attend_fill *found = &list->items[j];
		check_close(member(e, "score"), found->score);
		check_member_string(e, "sequence", found->sequence);
		if (!joint) {
			assert_int_equal(member(e, "token"), found->tokens[0]);
			check_member_string(e, "token_str", found->token_str);
			continue;
		}
		const attend_json *token = attend_json_first(attend_json_get(e, "tokens"));
		for (size_t t = 0; t < found->token_count; t++, token = attend_json_next(token))
			assert_int_equal(number_of(token), found->tokens[t]);
		assert_null(token);
	}
}

static void fill(const golden *g, size_t first, size_t count, const attend_json *expected, bool joint)
{
	attend_fill_mask_result results[MOST];
	const char *targets[MOST];
	attend_fill_mask_options options = {.top_k = option(g, "top_k", 0), .joint = joint, .targets = targets};
	for (const attend_json *t = attend_json_first(attend_json_get(g->options, "targets")); t != NULL;
	     t = attend_json_next(t))
		targets[options.target_count++] = string_of(t);
	assert_ok(attend_fill_mask(results, g->pipeline, g->texts + first, count, &options));
	for (size_t i = 0; i < count; i++, expected = attend_json_next(expected)) {
		if (joint) check_fills(expected, &results[i].masks[0], true);
		else {
			const attend_json *mask = attend_json_first(expected);
			assert_int_equal(attend_json_count(expected), results[i].mask_count);
			for (size_t m = 0; m < results[i].mask_count; m++, mask = attend_json_next(mask))
				check_fills(mask, &results[i].masks[m], false);
		}
		attend_fill_mask_free(&results[i]);
	}
}

static void fill_mask(const golden *g, size_t first, size_t count, const attend_json *expected)
{
	fill(g, first, count, expected, false);
}

static void fill_joint(const golden *g, size_t first, size_t count, const attend_json *expected)
{
	fill(g, first, count, expected, true);
}

static void embed(const golden *g, size_t first, size_t count, const attend_json *expected)
{
	static const char *const poolings[] = {"modules", "mean", "cls", "last", "max", "mean_sqrt", "weighted"};
	size_t width, truncated[MOST];
	const attend_embed_options options = {.pooling = (attend_embed_pooling)
	                                          index_of(string_of(attend_json_get(g->options, "pooling")), poolings),
	                                      .truncated = truncated};
	assert_ok(attend_embed_width(&width, g->pipeline, &options));
	float *vectors = calloc(count * width, sizeof *vectors);
	assert_non_null(vectors);
	assert_ok(attend_embed(vectors, g->pipeline, g->texts + first, count, &options));
	for (size_t i = 0; i < count; i++, expected = attend_json_next(expected)) {
		assert_int_equal(attend_json_count(expected), width);
		const attend_json *e = attend_json_first(expected);
		for (size_t j = 0; j < width; j++, e = attend_json_next(e))
			check_close(number_of(e), (double)vectors[i * width + j]);
	}
	free(vectors);
}

static void perplexity(const golden *g, size_t first, size_t count, const attend_json *expected)
{
	const attend_perplexity_options options = {.max_length = option(g, "max_length", 0),
	                                           .stride = option(g, "stride", 0)};
	for (size_t i = 0; i < count; i++, expected = attend_json_next(expected)) {
		attend_perplexity_result result;
		assert_ok(
			attend_perplexity(&result, g->pipeline, g->texts[first + i].text, g->texts[first + i].size, &options));
		check_close(number_of(expected), result.perplexity);
	}
}

typedef struct task {
	const char *name;
	void (*run)(const golden *g, size_t first, size_t count, const attend_json *expected);
} task;

static const task tasks[] = {
	{"classify", classify},   {"next_sentence", next_sentence}, {"ner", ner},     {"qa", qa},
	{"fill_mask", fill_mask}, {"fill_joint", fill_joint},       {"embed", embed}, {"perplexity", perplexity}};

static void read_texts(golden *g)
{
	for (const attend_json *t = attend_json_first(attend_json_get(g->entry, "inputs")); t != NULL;
	     t = attend_json_next(t)) {
		attend_text *text = &g->texts[g->count++];
		assert_in_range(g->count, 1, MOST);
		*text = (attend_text){0};
		const attend_json *first = attend_json_type(t) == ATTEND_JSON_ARRAY ? attend_json_first(t) : t;
		assert_ok(attend_json_as_string(&text->text, &text->size, first));
		if (first != t) assert_ok(attend_json_as_string(&text->pair, &text->pair_size, attend_json_next(first)));
	}
}

static void run_entry(const attend_json *entry)
{
	golden g = {.entry = entry, .options = attend_json_get(entry, "options")};
	attend_model *model;
	char path[256];
	(void)snprintf(path, sizeof path, ATTEND_SOURCE_DIR "/tests/golden/tasks/%s",
	               string_of(attend_json_get(entry, "folder")));
	assert_ok(attend_model_load(&model, path, NULL));
	assert_ok(attend_pipeline_new(&g.pipeline, model));
	read_texts(&g);
	const char *name = string_of(attend_json_get(entry, "task"));
	size_t t = 0;
	while (t < sizeof tasks / sizeof *tasks && strcmp(tasks[t].name, name) != 0) t++;
	assert_in_range(t, 0, sizeof tasks / sizeof *tasks - 1);
	const attend_json *expected = attend_json_first(attend_json_get(entry, "expected"));
	tasks[t].run(&g, 0, g.count, expected);
	for (size_t i = 0; i < g.count; i++, expected = attend_json_next(expected)) tasks[t].run(&g, i, 1, expected);
	attend_pipeline_free(g.pipeline);
	attend_model_free(model);
}

static void test_reference(void **state)
{
	(void)state;
	attend_json *list;
	size_t count = 0;
	assert_ok(attend_json_read(&list, ATTEND_SOURCE_DIR "/tests/golden/tasks/tasks.json"));
	for (const attend_json *entry = attend_json_first(list); entry != NULL; entry = attend_json_next(entry), count++)
		run_entry(entry);
	assert_int_equal(count, 30);
	attend_json_free(list);
}

/* Alone and among others: the same bits. */
static void test_one_answer(void **state)
{
	(void)state;
	static const char *const words[] = {"The cat sat.", "", "Ann lives in Oslo, not in New York and not at the sea!",
	                                    "dog"};
	attend_model *model;
	attend_pipeline *pipeline;
	attend_text texts[4];
	float together[4 * 7], alone[7];
	assert_ok(attend_model_load(&model, ATTEND_SOURCE_DIR "/tests/golden/tasks/sentence", NULL));
	assert_ok(attend_pipeline_new(&pipeline, model));
	for (size_t i = 0; i < 4; i++) texts[i] = (attend_text){.text = words[i], .size = strlen(words[i])};
	assert_ok(attend_embed(together, pipeline, texts, 4, NULL));
	for (size_t i = 0; i < 4; i++) {
		assert_ok(attend_embed(alone, pipeline, &texts[i], 1, NULL));
		assert_memory_equal(alone, together + 7 * i, sizeof alone);
	}
	attend_pipeline_free(pipeline);
	attend_model_free(model);
}

/* What is wrong is said in one line, with the text's number. */
static void test_failures(void **state)
{
	(void)state;
	attend_model *model;
	attend_pipeline *pipeline;
	attend_fill_mask_result results[2] = {0};
	attend_classification classification;
	char longer[400];
	memset(longer, '!', sizeof longer);
	const attend_text texts[] = {{.text = "a [MASK]", .size = 8}, {.text = "a cat", .size = 5}};
	const attend_text too_long[] = {texts[0], {.text = longer, .size = sizeof longer}};
	const attend_text bad = {.text = "[MASK]\xff", .size = 7};
	assert_ok(attend_model_load(&model, ATTEND_SOURCE_DIR "/tests/golden/tasks/mlm", NULL));
	assert_ok(attend_pipeline_new(&pipeline, model));
	assert_fails(ATTEND_ERR_DATA, "text 2: the text has no [MASK]",
	             attend_fill_mask(results, pipeline, texts, 2, NULL));
	assert_fails(ATTEND_ERR_DATA, "text 2: the text has 402 tokens, the model takes at most 48",
	             attend_fill_mask(results, pipeline, too_long, 2, NULL));
	assert_fails(ATTEND_ERR_DATA, "UTF-8", attend_fill_mask(results, pipeline, &bad, 1, NULL));
	assert_null(results[0].storage);
	assert_fails(ATTEND_ERR_UNSUPPORTED, "without the sequence head",
	             attend_classify(&classification, pipeline, texts, 1, NULL));
	assert_false(attend_model_has_head(model, "sequence"));
	assert_true(attend_model_has_head(model, "mlm"));
	assert_false(attend_model_has_head(model, "lm"));
	const attend_fill_mask_options cut = {.cut = ATTEND_CUT_LEFT};
	char text[500];
	(void)snprintf(text, sizeof text, "%.400s [MASK]", longer);
	const attend_text masked = {.text = text, .size = strlen(text)};
	assert_ok(attend_fill_mask(results, pipeline, &masked, 1, &cut));
	assert_int_equal(results[0].truncated, 403 - 48);
	attend_fill_mask_free(results);
	attend_pipeline_free(pipeline);
	attend_model_free(model);
	assert_fails(ATTEND_ERR_NOTFOUND, "nowhere", attend_model_load(&model, "nowhere", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference), cmocka_unit_test(test_one_answer),
	                                   cmocka_unit_test(test_failures)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
