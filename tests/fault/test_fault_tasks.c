/* test_fault_tasks.c: a model is loaded and asked while memory, mappings and reads fail one after the other: a status and a
 * line come back, nothing leaks, and the next run is whole. ctest-valgrind: no */
#include "tests/support/check.h"
#include "tests/support/fault.h"

#include "lib/attend.h"

#define FOLDER ATTEND_SOURCE_DIR "/tests/golden/tasks/"

static const attend_text texts[] = {{.text = "The [MASK] sat on the [MASK].", .size = 29},
                                    {.text = "a [MASK]", .size = 8}};
static const attend_text plain = {.text = "Ann lives in Oslo.", .size = 18};
static const attend_text question = {.text = "who?", .size = 4, .pair = "Ann lives in Oslo.", .pair_size = 18};

static attend_status open_model(attend_model **model, attend_pipeline **pipeline, const char *folder)
{
	ATTEND_TRY(attend_model_load(model, folder, NULL));
	const attend_status status = attend_pipeline_new(pipeline, *model);
	if (status != ATTEND_OK) attend_model_free(*model);
	return status;
}

static attend_status load(void *arg)
{
	attend_model *model;
	ATTEND_TRY(attend_model_load(&model, arg, NULL));
	/* a tokenizer that could not be loaded is told when it is needed */
	const attend_status status = attend_model_tokenizer(model) != NULL ? ATTEND_OK : ATTEND_ERR_IO;
	attend_model_free(model);
	return status;
}

static attend_status fill(void *arg)
{
	attend_fill_mask_result results[2];
	const attend_fill_mask_options joint = {.joint = true, .beams = 3, .top_k = 2};
	attend_status status = attend_fill_mask(results, arg, texts, 2, NULL);
	for (int i = 0; i < 2 && status == ATTEND_OK; i++) attend_fill_mask_free(&results[i]);
	if (status == ATTEND_OK) status = attend_fill_mask(results, arg, texts, 1, &joint);
	if (status == ATTEND_OK) attend_fill_mask_free(results);
	return status;
}

static attend_status classify(void *arg)
{
	attend_classification result;
	ATTEND_TRY(attend_classify(&result, arg, &plain, 1, NULL));
	attend_classification_free(&result);
	return ATTEND_OK;
}

static attend_status ner(void *arg)
{
	attend_entities result;
	const attend_ner_options options = {.aggregation = ATTEND_AGGREGATE_AVERAGE};
	ATTEND_TRY(attend_ner(&result, arg, &plain, 1, &options));
	attend_entities_free(&result);
	return ATTEND_OK;
}

static attend_status answer(void *arg)
{
	attend_answers result;
	ATTEND_TRY(attend_answer_question(&result, arg, &question, 1, NULL));
	attend_answers_free(&result);
	return ATTEND_OK;
}

static attend_status embed(void *arg)
{
	float vector[7];
	return attend_embed(vector, arg, &plain, 1, NULL);
}

static attend_status perplexity(void *arg)
{
	attend_perplexity_result result;
	const attend_perplexity_options options = {.max_length = 8, .stride = 4};
	return attend_perplexity(&result, arg, plain.text, plain.size, &options);
}

typedef struct ask {
	const char *folder;
	fault_body body;
} ask;

/* A new pipeline for each run, so that its memory is asked for again. */
static attend_status run_fresh(void *arg)
{
	const ask *a = ((void **)arg)[0];
	attend_pipeline *pipeline;
	ATTEND_TRY(attend_pipeline_new(&pipeline, ((void **)arg)[1]));
	const attend_status status = a->body(pipeline);
	attend_pipeline_free(pipeline);
	return status;
}

static void test_loading(void **state)
{
	(void)state;
	fault_sweep(FAULT_MEMORY | FAULT_MAP | FAULT_READ, 40, load, (void *)(uintptr_t)(FOLDER "mlm"));
	fault_sweep(FAULT_MEMORY | FAULT_MAP | FAULT_READ, 40, load, (void *)(uintptr_t)(FOLDER "sentence"));
}

static void test_asking(void **state)
{
	static const ask asks[] = {{FOLDER "mlm", fill},  {FOLDER "classify", classify}, {FOLDER "ner", ner},
	                           {FOLDER "qa", answer}, {FOLDER "sentence", embed},    {FOLDER "gpt", perplexity}};
	(void)state;
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		attend_model *model;
		attend_pipeline *pipeline;
		assert_ok(open_model(&model, &pipeline, asks[i].folder));
		void *arg[] = {(void *)(uintptr_t)&asks[i], model};
		fault_sweep(FAULT_MEMORY, 40, run_fresh, arg);
		attend_pipeline_free(pipeline);
		attend_model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_loading), cmocka_unit_test(test_asking)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
