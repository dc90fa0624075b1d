/* test_train_memory.c: the memory that a run announces before its first step is what its process takes at most, within 10 %:
 * classifier, its head alone, masked and causal language model, sentence pairs; kept and recomputed activations; every
 * optimiser; f32 and bf16; resumed. Each run is a process of its own, whose peak the kernel counts.
 * ctest-labels: full
 * ctest-timeout: 600
 * ctest-valgrind: no */
#include "tests/support/apart.h"
#include "tests/support/root.h"

#include "lib/attend_train.h"

#define BERT    "model_name_or_path", "models/pretrained/bert-mini"
#define GPT2    "model_name_or_path", "models/pretrained/gpt2-mini", "task", "lm"
#define REVIEWS "train_file", "tests/data/reviews.tsv", "per_device_train_batch_size", "80"
#define STORIES \
	"train_file", "tests/golden/pretraining/stories.txt", "max_seq_length", "128", "per_device_train_batch_size", "16"

enum { SETTINGS = 24, TOLERANCE = 10 };

typedef struct run {
	const char *name;
	const char *settings[SETTINGS]; /* name, value, name, value ... */
} run;

static attend_trainer *stopping;

static void stop_early(void *payload, const attend_train_progress *progress)
{
	(void)payload;
	if (stopping && progress->step == 2) attend_trainer_stop(stopping);
}

typedef struct report {
	size_t announced, peak;
} report;

static attend_status train(const run *r, bool stops, report *out)
{
	attend_recipe *recipe = NULL;
	attend_trainer *trainer = NULL;
	ATTEND_TRY(attend_recipe_new(&recipe));
	attend_status status = attend_recipe_set(recipe, "output_dir", in_root(r->name));
	if (status == ATTEND_OK) status = attend_recipe_set(recipe, "max_steps", "3");
	for (size_t i = 0; status == ATTEND_OK && r->settings[i]; i += 2)
		status = attend_recipe_set(recipe, r->settings[i], r->settings[i + 1]);
	const attend_train_hooks hooks = {.step = stop_early};
	if (status == ATTEND_OK) status = attend_trainer_new(&trainer, recipe, &hooks);
	if (status == ATTEND_OK) out->announced = attend_trainer_plan(trainer)->memory_bytes;
	if (stops) stopping = trainer;
	if (status == ATTEND_OK) status = attend_trainer_run(trainer);
	if (status == ATTEND_ERR_CANCELLED && stops) status = ATTEND_OK;
	attend_trainer_free(trainer);
	attend_recipe_free(recipe);
	out->peak = peak_bytes();
	return status;
}

typedef struct piece {
	const run *run;
	bool stops;
} piece;

static attend_status train_piece(const void *payload, void *out)
{
	const piece *p = payload;
	return train(p->run, p->stops, out);
}

static const run runs[] = {
	{"classifier", {BERT, REVIEWS}},
	{"evaluated",
     {BERT, REVIEWS, "validation_split", "0.3", "eval_strategy", "steps", "eval_steps", "2",
      "per_device_eval_batch_size", "100"}},
	{"classifier-recomputed", {BERT, REVIEWS, "gradient_checkpointing", "true"}},
	{"classifier-bf16", {BERT, REVIEWS, "bf16", "true"}},
	{"adafactor", {BERT, REVIEWS, "optim", "adafactor"}},
	{"lower-frozen-sgd", {BERT, REVIEWS, "optim", "sgd", "freeze", "2"}},
	{"base-frozen", {BERT, REVIEWS, "freeze", "base"}},
	{"mlm", {BERT, "task", "mlm", STORIES}},
	{"mlm-recomputed", {BERT, "task", "mlm", STORIES, "gradient_checkpointing", "true"}},
	{"mlm-bf16", {BERT, "task", "mlm", STORIES, "bf16", "true"}},
	{"pairs", {BERT, "task", "mlm", STORIES, "sentence_pairs", "nsp"}},
	{"lm", {GPT2, STORIES}},
	{"lm-bf16", {GPT2, STORIES, "bf16", "true"}},
};

/* Prints announced and measured memory of a run, which `stops` after its second step or goes on to the end; returns whether they are
 * further apart than allowed. */
static bool off(const run *r, bool stops)
{
	report found = {0};
	run_apart(r->name, train_piece, &(piece){r, stops}, &found, sizeof found);
	const double percent = 100 * ((double)found.announced / (double)found.peak - 1);
	print_message("%-24s announced %6.1f MB, peak %6.1f MB: %+.1f %%\n", r->name, (double)found.announced / 1e6,
	              (double)found.peak / 1e6, percent);
	return percent > TOLERANCE || percent < -TOLERANCE;
}

static void test_as_announced(void **state)
{
	(void)state;
#ifdef PEAK_COUNTS_OTHERWISE
	skip();
#endif
	size_t wrong = 0;
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) wrong += off(&runs[i], false);
	assert_int_equal(wrong, 0);
}

/* What a checkpoint is read from is gone again when the steps begin. */
static void test_resumed(void **state)
{
	(void)state;
#ifdef PEAK_COUNTS_OTHERWISE
	skip();
#endif
	const run stopped = {"resumed", {BERT, REVIEWS}}, goes_on = {"resumed", {BERT, REVIEWS, "resume", "true"}};
	assert_false(off(&stopped, true));
	assert_false(off(&goes_on, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_announced), cmocka_unit_test(test_resumed)};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
