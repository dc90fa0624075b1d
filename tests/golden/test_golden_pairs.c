/* test_golden_pairs.c: masked words and sentence pairs learned together, update by update, against the reference
 * (tests/golden/pairs: README.md says how it was made). With --write the batches of the run are written there instead. */
#include <math.h>

#include "lib/core/file.h"
#include "loaders/safetensors.h"
#include "loaders/safetensors_write.h"
#include "tests/support/check.h"

#include "lib/train/trainer.h"

enum { STEPS = 12, PARTS = 5 };

static attend_trainer *start(const char *kind)
{
	char dir[64];
	attend_recipe *recipe;
	attend_trainer *trainer;
	snprintf(dir, sizeof dir, "tests/golden/pairs/%s", kind);
	const char *const settings[][2] = {{"model_name_or_path", dir},
	                                   {"task", "mlm"},
	                                   {"sentence_pairs", kind},
	                                   {"train_file", "tests/data/stories.txt"},
	                                   {"output_dir", "/tmp/attend-is-never-made"},
	                                   {"max_seq_length", "40"},
	                                   {"per_device_train_batch_size", "4"},
	                                   {"max_steps", "12"},
	                                   {"warmup_steps", "3"},
	                                   {"learning_rate", "2e-3"},
	                                   {"weight_decay", "0.1"}};
	assert_ok(attend_recipe_new(&recipe));
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		assert_ok(attend_recipe_set(recipe, settings[i][0], settings[i][1]));
	assert_ok(attend_trainer_new(&trainer, recipe, NULL));
	attend_recipe_free(recipe);
	return trainer;
}

/* The batch that has just run, as tensors. */
static void batch_items(attend_safetensors_item items[PARTS], char names[PARTS][32], const attend_trainer *t,
                        size_t step, int32_t *offsets)
{
	const size_t rows = t->batch.count, tokens = t->batch.offsets[rows];
	for (size_t i = 0; i <= rows; i++) offsets[i] = (int32_t)t->batch.offsets[i];
	const struct {
		const char *name;
		const int32_t *data;
		size_t count;
	} parts[PARTS] = {{"ids", t->batch.ids, tokens},
	                  {"types", t->batch.types, tokens},
	                  {"labels", t->labels, tokens},
	                  {"offsets", offsets, rows + 1},
	                  {"pairs", t->pair_labels, rows}};
	for (size_t i = 0; i < PARTS; i++) {
		snprintf(names[i], sizeof names[i], "step.%zu.%s", step, parts[i].name);
		items[i] = (attend_safetensors_item){
			.name = names[i],
			.tensor = {.dtype = ATTEND_DTYPE_I32, .rank = 1, .shape = {parts[i].count}, .data = parts[i].data},
			.data_dtype = ATTEND_DTYPE_I32};
	}
}

static void write_batches(const char *kind)
{
	static attend_safetensors_item items[STEPS * PARTS];
	static char names[STEPS * PARTS][32];
	static int32_t storage[STEPS * PARTS][256];
	char path[80];
	attend_trainer *t = start(kind);
	for (size_t step = 0; step < STEPS; step++) {
		attend_train_progress p;
		bool done;
		int32_t offsets[16];
		assert_ok(attend_trainer_step(t, &p, &done));
		batch_items(items + step * PARTS, names + step * PARTS, t, step, offsets);
		for (size_t i = step * PARTS; i < (step + 1) * PARTS; i++) {
			assert_true(items[i].tensor.shape[0] <= 256);
			memcpy(storage[i], items[i].tensor.data, items[i].tensor.shape[0] * sizeof(int32_t));
			items[i].tensor.data = storage[i];
		}
	}
	snprintf(path, sizeof path, "tests/golden/pairs/%s/batches.safetensors", kind);
	assert_ok(attend_safetensors_write(path, items, STEPS * PARTS));
	attend_trainer_free(t);
}

static void same_batch(const attend_safetensors *file, const attend_trainer *t, size_t step)
{
	attend_safetensors_item items[PARTS];
	char names[PARTS][32];
	int32_t offsets[16];
	size_t at;
	batch_items(items, names, t, step, offsets);
	for (size_t i = 0; i < PARTS; i++) {
		if (!attend_safetensors_find(&at, file, names[i])) fail_msg("%s is missing", names[i]);
		const attend_tensor *want = attend_safetensors_tensor(file, at);
		assert_int_equal(want->shape[0], items[i].tensor.shape[0]);
		assert_memory_equal(want->data, items[i].tensor.data, want->shape[0] * sizeof(int32_t));
	}
}

static void close_to(double found, double expected, double allowed, const char *what, size_t step)
{
	if (!(fabs(found - expected) <= allowed))
		fail_msg("%s of update %zu: expected %.9g, found %.9g, allowed %.2g", what, step, expected, found, allowed);
}

/* Numbers of a file, separated by anything that is none; tolerance.tsv has a name before each. */
static size_t numbers(double *out, size_t room, const char *kind, const char *file)
{
	char path[80], *text;
	size_t size, count = 0;
	snprintf(path, sizeof path, "tests/golden/pairs/%s/%s", kind, file);
	assert_ok(attend_file_read(&text, &size, path, 1 << 16));
	for (const char *at = strtok(text, "\t\n"); at; at = strtok(NULL, "\t\n")) {
		char *end;
		const double x = strtod(at, &end);
		if (end == at) continue;
		assert_true(count < room);
		out[count++] = x;
	}
	free(text);
	return count;
}

static void compare_weights(const attend_network *n, const char *kind, double allowed)
{
	char path[80];
	attend_safetensors *file;
	size_t compared = 0;
	snprintf(path, sizeof path, "tests/golden/pairs/%s/final.safetensors", kind);
	assert_ok(attend_safetensors_open(&file, path));
	for (size_t i = 0; i < n->param_count; i++) {
		const attend_param *p = &n->params[i];
		size_t at;
		if (!attend_safetensors_find(&at, file, p->name)) continue;
		const float *want = attend_safetensors_tensor(file, at)->data;
		compared++;
		for (size_t k = 0; k < p->count; k++)
			if (!(fabs((double)want[k] - (double)p->values[k]) <= allowed))
				fail_msg("%s: %s[%zu]: expected %.9g, found %.9g, allowed %.2g", kind, p->name, k, (double)want[k],
				         (double)p->values[k], allowed);
	}
	assert_int_equal(compared, attend_safetensors_count(file));
	attend_safetensors_free(file);
}

static void follow(const char *kind)
{
	char path[80];
	double trace[2 * STEPS], allowed[3];
	attend_safetensors *batches;
	attend_trainer *t = start(kind);
	snprintf(path, sizeof path, "tests/golden/pairs/%s/batches.safetensors", kind);
	assert_ok(attend_safetensors_open(&batches, path));
	assert_int_equal(numbers(trace, 2 * STEPS, kind, "trace.tsv"), 2 * STEPS);
	assert_int_equal(numbers(allowed, 3, kind, "tolerance.tsv"), 3);
	for (size_t i = 0; i < 3; i++) assert_true(allowed[i] > 0 && allowed[i] < 1e-3);
	for (size_t step = 0; step < STEPS; step++) {
		attend_train_progress p;
		bool done;
		assert_ok(attend_trainer_step(t, &p, &done));
		same_batch(batches, t, step);
		close_to(p.loss, trace[2 * step], allowed[0], "loss", step + 1);
		close_to(p.grad_norm, trace[2 * step + 1], allowed[1], "gradient norm", step + 1);
	}
	compare_weights(t->network, kind, allowed[2]);
	attend_safetensors_free(batches);
	attend_trainer_free(t);
}

static void test_next_sentence(void **state)
{
	(void)state;
	follow("nsp");
}

static void test_sentence_order(void **state)
{
	(void)state;
	follow("sop");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--write") == 0) {
		write_batches("nsp");
		write_batches("sop");
		return 0;
	}
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_next_sentence), cmocka_unit_test(test_sentence_order)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
