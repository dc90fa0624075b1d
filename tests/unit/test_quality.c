/* test_quality.c: attend_quality against its own parts: perplexity of the causal model as attend_perplexity has it, that of an
 * encoder-decoder's answers as their scores have it, accuracy of a classifier as attend_evaluate has it. ctest-valgrind: no (minutes) */
#include <math.h>
#include <unistd.h>

#include "lib/attend.h"
#include "lib/attend_train.h"
#include "lib/core/file.h"
#include "tests/support/check.h"

#define MODELS "models/pretrained/"

static const char text[] = "Once upon a time there was a little girl. She went to the market with her mother.\n"
						   "The dog and the cat were good friends, and they played all day long in the garden.\n";

static double perplexity(attend_weight_type weights)
{
	const attend_model_options options = {.weights = weights};
	const attend_perplexity_options windows = {.stride = 0};
	attend_model *model;
	attend_pipeline *pipeline;
	attend_perplexity_result result;
	assert_ok(attend_model_load(&model, MODELS "gpt2-mini", &options));
	assert_ok(attend_pipeline_new(&pipeline, model));
	assert_ok(attend_perplexity(&result, pipeline, text, sizeof text - 1, &windows));
	assert_int_equal(result.windows, 1);
	attend_pipeline_free(pipeline);
	attend_model_free(model);
	return exp(result.nll / (double)result.predicted);
}

static void test_causal(void **state)
{
	(void)state;
	char path[] = "/tmp/attend_quality_XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_ok(attend_file_write(path, text, sizeof text - 1));
	attend_quality_result r;
	assert_ok(attend_quality(&r, MODELS "gpt2-mini", ATTEND_WEIGHTS_INT4, path, NULL));
	assert_int_equal(r.kind, ATTEND_QUALITY_CAUSAL);
	assert_true(fabs(r.perplexity[0] / perplexity(ATTEND_WEIGHTS_F32) - 1) < 1e-9);
	assert_true(fabs(r.perplexity[1] / perplexity(ATTEND_WEIGHTS_INT4) - 1) < 1e-9);
	assert_true(r.mean_error > 0 && r.mean_error < r.max_error);
	assert_true(r.agreement > 0.5 && r.agreement <= 1);
	assert_true(isnan(r.mean_cosine));
	attend_quality_result again;
	assert_ok(attend_quality(&again, MODELS "bert-mini", ATTEND_WEIGHTS_INT8, path, NULL));
	assert_int_equal(again.kind, ATTEND_QUALITY_MASKED);
	assert_ok(attend_quality(&r, MODELS "bert-mini", ATTEND_WEIGHTS_INT4, path, NULL));
	assert_int_equal(r.rows, again.rows); /* the same tokens are masked */
	assert_true(r.loss[0] == again.loss[0] && r.mean_error > again.mean_error);
	assert_int_equal(unlink(path), 0);
}

static void add_loss(void *payload, size_t sequence, size_t step, const float *scores, size_t vocab)
{
	(void)sequence;
	(void)step;
	double sum = 0;
	size_t best = 0;
	for (size_t i = 0; i < vocab; i++) {
		sum += exp((double)scores[i]);
		if (scores[i] > scores[best]) best = i;
	}
	*(double *)payload += log(sum) - (double)scores[best];
}

/* An encoder-decoder predicts its own answers: the loss is that of the scores which chose them. */
static void test_answers(void **state)
{
	(void)state;
	static const char *const lines[] = {"words: 305", "digits: seven thousand and forty two"};
	char path[] = "/tmp/attend_quality_XXXXXX", file[128];
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	const int size = snprintf(file, sizeof file, "%s\n\n%s\n", lines[0], lines[1]);
	assert_ok(attend_file_write(path, file, (size_t)size));
	attend_model *model;
	attend_pipeline *pipeline;
	double loss = 0;
	size_t tokens = 0;
	assert_ok(attend_model_load(&model, MODELS "seq2seq-mini", NULL));
	assert_ok(attend_pipeline_new(&pipeline, model));
	for (size_t i = 0; i < 2; i++) {
		const attend_text line = {.text = lines[i], .size = strlen(lines[i])};
		const attend_generate_options options = {.on_scores = add_loss, .payload = &loss};
		attend_generate_result result;
		assert_ok(attend_generate(&result, pipeline, &line, 1, NULL, &options));
		tokens += result.items[0].count - 1;
		attend_generate_result_free(&result);
	}
	attend_pipeline_free(pipeline);
	attend_model_free(model);
	attend_quality_result r;
	assert_ok(attend_quality(&r, MODELS "seq2seq-mini", ATTEND_WEIGHTS_INT8, path, NULL));
	assert_int_equal(r.kind, ATTEND_QUALITY_ANSWER);
	assert_int_equal(r.rows, tokens);
	assert_true(r.accuracy[0] == 1);
	assert_true(fabs(r.loss[0] - loss / (double)tokens) < 1e-6);
	assert_true(r.loss[1] != r.loss[0] && r.mean_error > 0 && r.agreement > 0.5);
	assert_int_equal(unlink(path), 0);
}

static void test_labels(void **state)
{
	(void)state;
	attend_recipe *train;
	attend_trainer *trainer;
	char dir[] = "/tmp/attend_quality_XXXXXX", command[96];
	assert_non_null(mkdtemp(dir));
	assert_ok(attend_recipe_new(&train));
	assert_ok(attend_recipe_set(train, "model_name_or_path", MODELS "bert-mini"));
	assert_ok(attend_recipe_set(train, "train_file", "tests/data/reviews.tsv"));
	assert_ok(attend_recipe_set(train, "output_dir", dir));
	assert_ok(attend_recipe_set(train, "max_steps", "6"));
	assert_ok(attend_recipe_set(train, "learning_rate", "3e-4"));
	assert_ok(attend_trainer_new(&trainer, train, NULL));
	assert_ok(attend_trainer_run(trainer));
	attend_trainer_free(trainer);
	attend_recipe *recipe;
	attend_evaluation e;
	attend_quality_result r;
	assert_ok(attend_recipe_new(&recipe));
	assert_ok(attend_recipe_set(recipe, "validation_file", "tests/data/reviews.tsv"));
	assert_ok(attend_evaluate(&e, dir, recipe, 0));
	assert_ok(attend_quality(&r, dir, ATTEND_WEIGHTS_INT8, NULL, recipe));
	assert_int_equal(r.kind, ATTEND_QUALITY_LABELS);
	assert_int_equal(r.rows, e.metrics.examples);
	assert_true(fabs(r.accuracy[0] - e.metrics.accuracy) < 1e-12);
	assert_true(fabs(r.loss[0] - e.metrics.loss) < 1e-9);
	assert_true(fabs(r.accuracy[1] - r.accuracy[0]) <= 1 - r.agreement + 1e-12);
	assert_true(isnan(r.perplexity[0]));
	assert_fails(ATTEND_ERR_UNSUPPORTED, "head that this needs",
	             attend_quality(&r, MODELS "bert-mini", ATTEND_WEIGHTS_INT8, NULL, recipe));
	assert_fails(ATTEND_ERR_ARG, "attend_quality", attend_quality(&r, dir, ATTEND_WEIGHTS_F32, NULL, recipe));
	attend_evaluation_free(&e);
	assert_ok(attend_recipe_set(recipe, "dtype", "int8"));
	assert_ok(attend_evaluate(&e, dir, recipe, 0)); /* evaluation in the type alone */
	assert_true(fabs(r.accuracy[1] - e.metrics.accuracy) < 1e-12);
	assert_true(fabs(r.loss[1] - e.metrics.loss) < 1e-9);
	attend_evaluation_free(&e);
	assert_ok(attend_recipe_set(train, "dtype", "int4"));
	assert_ok(attend_recipe_set(train, "overwrite_output_dir", "true"));
	assert_fails(ATTEND_ERR_ARG, "dtype: int4 is for evaluation", attend_trainer_new(&trainer, train, NULL));
	attend_recipe_free(recipe);
	attend_recipe_free(train);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_causal), cmocka_unit_test(test_answers),
	                                   cmocka_unit_test(test_labels)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
