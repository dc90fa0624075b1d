/* run_record.c: output folders of runs that are over, read back: trainer_state.json and all_results.json, as attend and HF's
 * Trainer write them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "lib/train/svg.h"
#include "lib/train/trainer.h"

static attend_status add_point(attend_run_curve *curve, size_t capacity[2], double step, double value)
{
	ATTEND_TRY(attend_grow(&curve->steps, &capacity[0], curve->count + 1, sizeof *curve->steps, "curve"));
	ATTEND_TRY(attend_grow(&curve->values, &capacity[1], curve->count + 1, sizeof *curve->values, "curve"));
	curve->steps[curve->count] = step;
	curve->values[curve->count++] = value;
	return ATTEND_OK;
}

static attend_status add_number(attend_run *run, size_t capacity[2], const char *name, double value)
{
	const size_t n = run->number_count;
	char *copy = NULL;
	for (size_t i = 0; i < n; i++)
		if (strcmp(run->names[i], name) == 0) return ATTEND_OK;
	ATTEND_TRY(attend_grow(&run->names, &capacity[0], n + 1, sizeof *run->names, "numbers"));
	ATTEND_TRY(attend_grow(&run->values, &capacity[1], n + 1, sizeof *run->values, "numbers"));
	if (!(copy = strdup(name))) return attend_fail_memory(strlen(name), "numbers");
	run->names[n] = copy;
	run->values[n] = value;
	run->number_count++;
	return ATTEND_OK;
}

/* Numbers of an object, in its order; what is no number tells nothing here, nor does a log line's step. */
static attend_status add_numbers(attend_run *run, size_t capacity[2], const attend_json *object)
{
	for (const attend_json *m = attend_json_first(object); m; m = attend_json_next(m)) {
		double value = 0;
		if (attend_json_type(m) != ATTEND_JSON_NUMBER || strcmp(attend_json_key(m, NULL), "step") == 0) continue;
		ATTEND_TRY(attend_json_as_double(&value, m));
		ATTEND_TRY(add_number(run, capacity, attend_json_key(m, NULL), value));
	}
	return ATTEND_OK;
}

static attend_status read_log(attend_run *run, const attend_json *log, const attend_json **last_evaluation)
{
	size_t training[2] = {0, 0}, validation[2] = {0, 0};
	for (const attend_json *line = attend_json_first(log); line; line = attend_json_next(line)) {
		double step = NAN, loss = NAN, eval_loss = NAN;
		ATTEND_TRY(attend_json_get_double(&step, line, "step"));
		ATTEND_TRY(attend_json_get_double(&loss, line, "loss"));
		ATTEND_TRY(attend_json_get_double(&eval_loss, line, "eval_loss"));
		if (!isfinite(step)) return attend_json_fail(line, "a line of the log without its step");
		if (isfinite(loss)) ATTEND_TRY(add_point(&run->training_loss, training, step, loss));
		if (!isfinite(eval_loss)) continue;
		*last_evaluation = line;
		ATTEND_TRY(add_point(&run->validation_loss, validation, step, eval_loss));
	}
	return ATTEND_OK;
}

/* trainer_state.json of the folder or of its newest checkpoint. malloc'ed. */
static attend_status find_state(char **out, const char *dir)
{
	char *checkpoint = NULL;
	size_t step = 0;
	ATTEND_TRY(attend_path_join(out, dir, "trainer_state.json"));
	if (attend_file_exists(*out)) return ATTEND_OK;
	free(*out);
	*out = NULL;
	if (attend_trainer_find_checkpoint(&checkpoint, dir, &step) != ATTEND_OK)
		return attend_fail(ATTEND_ERR_NOTFOUND, "%s: no trainer_state.json: not the output folder of a training run",
		                   dir);
	const attend_status status = attend_path_join(out, checkpoint, "trainer_state.json");
	free(checkpoint);
	return status;
}

static attend_status read_run(attend_run *run, const attend_json *state, const attend_json *results)
{
	const attend_json *last_evaluation = NULL;
	size_t capacity[2] = {0, 0};
	double steps = NAN;
	ATTEND_TRY(read_log(run, attend_json_get(state, "log_history"), &last_evaluation));
	ATTEND_TRY(attend_json_get_double(&steps, state, "global_step"));
	if (!isfinite(steps)) return attend_json_fail(state, "no member `global_step`");
	ATTEND_TRY(add_number(run, capacity, "steps", steps));
	return add_numbers(run, capacity, results ? results : last_evaluation);
}

attend_status attend_run_read(attend_run *out, const char *dir)
{
	char *state_path = NULL, *results_path = NULL;
	attend_json *state = NULL, *results = NULL;
	if (!out || !dir) return attend_fail(ATTEND_ERR_ARG, "attend_run_read: a NULL argument");
	*out = (attend_run){0};
	if (!attend_folder_exists(dir)) return attend_fail(ATTEND_ERR_NOTFOUND, "%s: no such folder", dir);
	attend_status status = (out->storage = strdup(dir)) ? ATTEND_OK : attend_fail_memory(strlen(dir), "run");
	out->dir = out->storage;
	if (status == ATTEND_OK) status = find_state(&state_path, dir);
	if (status == ATTEND_OK) status = attend_json_read(&state, state_path);
	if (status == ATTEND_OK) status = attend_path_join(&results_path, dir, "all_results.json");
	if (status == ATTEND_OK && attend_file_exists(results_path)) status = attend_json_read(&results, results_path);
	if (status == ATTEND_OK) status = read_run(out, state, results);
	attend_json_free(state);
	attend_json_free(results);
	free(state_path);
	free(results_path);
	if (status != ATTEND_OK) attend_run_free(out);
	return status;
}

void attend_run_free(attend_run *run)
{
	for (size_t i = 0; i < run->number_count; i++) free(run->names[i]);
	void *const owned[] = {run->names,
	                       run->values,
	                       run->storage,
	                       run->training_loss.steps,
	                       run->training_loss.values,
	                       run->validation_loss.steps,
	                       run->validation_loss.values};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
	*run = (attend_run){0};
}

attend_status attend_runs_write_svg(const attend_run *runs, size_t count, const char *path)
{
	attend_curve *curves = attend_alloc_array(2 * count + 1, sizeof *curves);
	if (!curves) return attend_fail_memory(2 * count * sizeof *curves, "curves");
	attend_buffer names = {0}, text = {0};
	size_t n = 0, at = 0;
	for (size_t i = 0; i < 2 * count; i++)
		attend_buffer_printf(&names, "%s, %s%c", runs[i / 2].dir, i % 2 ? "validation" : "training", 0);
	attend_status status = attend_buffer_status(&names);
	for (size_t i = 0; i < 2 * count && status == ATTEND_OK; i++) {
		const attend_run_curve *c = i % 2 ? &runs[i / 2].validation_loss : &runs[i / 2].training_loss;
		if (c->count) curves[n++] = (attend_curve){names.data + at, c->steps, c->values, c->count};
		at += strlen(names.data + at) + 1;
	}
	if (status == ATTEND_OK)
		attend_curves_svg(&text, curves, n, &(attend_plot){.title = "Loss", .x_name = "step", .y_name = "loss"});
	if (status == ATTEND_OK) status = attend_buffer_status(&text);
	if (status == ATTEND_OK) status = attend_file_write(path, text.data, text.size);
	attend_buffer_free(&names);
	attend_buffer_free(&text);
	free(curves);
	return status;
}
