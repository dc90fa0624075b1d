/* test_fault_trainer.c: a steady training step allocates nothing: classifier, its head alone, masked and causal language model.
 * ctest-valgrind: no */
#include "tests/support/check.h"
#include "tests/support/fault.h"

#include "lib/attend_train.h"

static void steady(const char *const settings[][2])
{
	attend_recipe *recipe;
	attend_trainer *trainer;
	attend_train_progress progress;
	bool done;
	assert_ok(attend_recipe_new(&recipe));
	assert_ok(attend_recipe_set(recipe, "output_dir", "/tmp/attend-is-never-made"));
	assert_ok(attend_recipe_set(recipe, "per_device_train_batch_size", "2"));
	for (size_t i = 0; settings[i][0]; i++) assert_ok(attend_recipe_set(recipe, settings[i][0], settings[i][1]));
	assert_ok(attend_trainer_new(&trainer, recipe, NULL));
	for (int i = 0; i < 2; i++) assert_ok(attend_trainer_step(trainer, &progress, &done));
	fault_arm(FAULT_MEMORY, 0, false);
	for (int i = 0; i < 4; i++) assert_ok(attend_trainer_step(trainer, &progress, &done));
	assert_int_equal(fault_disarm(), 0);
	attend_trainer_free(trainer);
	attend_recipe_free(recipe);
}

#define REVIEWS                                \
	{                                          \
		"train_file", "tests/data/reviews.tsv" \
	}
#define STORIES                               \
	{"train_file", "tests/data/stories.txt"}, \
	{                                         \
		"max_seq_length", "32"                \
	}
#define BERT                                                \
	{                                                       \
		"model_name_or_path", "models/pretrained/bert-mini" \
	}

static void test_steady_steps(void **state)
{
	(void)state;
	steady((const char *const[][2]){BERT, REVIEWS, {NULL, NULL}});
	steady((const char *const[][2]){BERT, REVIEWS, {"freeze", "base"}, {NULL, NULL}});
	steady((const char *const[][2]){BERT, REVIEWS, {"gradient_checkpointing", "true"}, {NULL, NULL}});
	steady((const char *const[][2]){BERT, STORIES, {"task", "mlm"}, {NULL, NULL}});
	steady((const char *const[][2]){
		{"model_name_or_path", "models/pretrained/gpt2-mini"}, STORIES, {"task", "lm"}, {NULL, NULL}});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_steady_steps)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
