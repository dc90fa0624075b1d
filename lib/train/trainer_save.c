/* trainer_save.c: nothing is lost: checkpoints written beside and renamed, resumed bit for bit; best model; output folder. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/train/event_log.h"
#include "lib/train/results.h"
#include "lib/train/text_task.h"
#include "lib/train/trainer.h"
#include "loaders/safetensors.h"
#include "loaders/safetensors_write.h"

/* ---- Folders -------------------------------------------------------------------------------------------------------------- */

static attend_status path_of(char **out, const char *dir, const char *format, size_t number)
{
	char name[64];
	snprintf(name, sizeof name, format, number);
	return attend_path_join(out, dir, name);
}

static void remove_folder(const char *path) /* files of one level: what a checkpoint is */
{
	DIR *dir = opendir(path);
	if (!dir) return;
	for (struct dirent *e; (e = readdir(dir));) {
		char *file = NULL;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
		if (attend_path_join(&file, path, e->d_name) == ATTEND_OK) unlink(file);
		free(file);
	}
	closedir(dir);
	rmdir(path);
}

/* Steps of the complete checkpoints in a folder, rising. malloc'ed. */
static attend_status list_checkpoints(size_t **out, size_t *count, const char *output_dir)
{
	*out = NULL;
	*count = 0;
	size_t capacity = 0;
	DIR *dir = opendir(output_dir);
	attend_status status = ATTEND_OK;
	for (struct dirent *e; dir && status == ATTEND_OK && (e = readdir(dir));) {
		char *end = NULL;
		if (strncmp(e->d_name, "checkpoint-", 11) != 0) continue;
		const size_t step = (size_t)strtoull(e->d_name + 11, &end, 10);
		if (end == e->d_name + 11 || *end) continue;
		status = attend_grow(out, &capacity, *count + 1, sizeof **out, "checkpoints");
		if (status != ATTEND_OK) break;
		size_t at = (*count)++;
		while (at > 0 && (*out)[at - 1] > step) {
			(*out)[at] = (*out)[at - 1];
			at--;
		}
		(*out)[at] = step;
	}
	if (dir) closedir(dir);
	return status;
}

attend_status attend_trainer_find_checkpoint(char **out, const char *output_dir, size_t *step)
{
	size_t *steps = NULL, count = 0;
	attend_status status = list_checkpoints(&steps, &count, output_dir);
	*out = NULL;
	if (status == ATTEND_OK && count == 0)
		status = attend_fail(ATTEND_ERR_NOTFOUND, "%s: no checkpoint to resume from", output_dir);
	if (status == ATTEND_OK) {
		*step = steps[count - 1];
		status = path_of(out, output_dir, "checkpoint-%zu", *step);
	}
	free(steps);
	return status;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	bool empty = true;
	for (struct dirent *e; dir && (e = readdir(dir));)
		empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	if (dir) closedir(dir);
	return empty;
}

attend_status attend_trainer_check_output(const attend_trainer *trainer)
{
	const attend_recipe *r = trainer->recipe;
	const char *dir = r->output_dir;
	if (attend_file_exists(dir))
		return attend_fail(ATTEND_ERR_ARG, "%s: a file stands where the output folder should be", dir);
	if (!attend_folder_exists(dir)) return ATTEND_OK;
	if (access(dir, W_OK) != 0) return attend_fail(ATTEND_ERR_IO, "%s: %s", dir, strerror(errno));
	if (!r->resume && !r->overwrite_output_dir && !is_empty(dir))
		return attend_fail(ATTEND_ERR_ARG, "%s: the output folder is not empty (resume, or overwrite_output_dir)", dir);
	return ATTEND_OK;
}

/* What a killed run left half written. */
static void remove_parts(const char *output_dir)
{
	DIR *dir = opendir(output_dir);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		const size_t n = strlen(e->d_name);
		char *path = NULL;
		if (strncmp(e->d_name, ".checkpoint-", 12) != 0 || n < 17 || strcmp(e->d_name + n - 5, ".part") != 0) continue;
		if (attend_path_join(&path, output_dir, e->d_name) == ATTEND_OK) remove_folder(path);
		free(path);
	}
	if (dir) closedir(dir);
}

attend_status attend_trainer_open_output(const attend_trainer *trainer)
{
	ATTEND_TRY(attend_folder_make(trainer->recipe->output_dir));
	remove_parts(trainer->recipe->output_dir);
	return ATTEND_OK;
}

/* Checkpoints for which there must be room: those that will lie on disk at once, with the one that is being written, but for those that
 * a stopped run left there. */
static double checkpoints_to_come(const attend_trainer *t)
{
	const attend_recipe *r = t->recipe;
	const bool every_step = strcmp(r->save_strategy, "steps") == 0,
			   every_epoch = strcmp(r->save_strategy, "epoch") == 0;
	const double first = (double)t->state.step, last = (double)t->plan.steps, every = (double)r->save_steps;
	double saves = 2; /* of the best model: how often there is a better one is not known */
	if (!every_step && !every_epoch && !r->load_best_model_at_end) return 0;
	if (every_step) saves = ceil(last / every) - floor(first / every);
	if (every_epoch)
		saves = ceil(attend_trainer_epochs(t, t->plan.steps)) - floor(attend_trainer_epochs(t, t->state.step));
	if (!r->save_total_limit) return saves;
	size_t *steps = NULL, there = 0;
	if (r->resume && list_checkpoints(&steps, &there, r->output_dir) != ATTEND_OK) there = 0;
	free(steps);
	const double limit = (double)r->save_total_limit;
	return fmin(saves, limit + 1 - fmin((double)there, limit));
}

attend_status attend_trainer_check_disk(const attend_trainer *trainer)
{
	const attend_trainer *t = trainer;
	struct statvfs fs;
	char above[PATH_MAX];
	snprintf(above, sizeof above, "%s", t->recipe->output_dir);
	while (statvfs(above, &fs) != 0) { /* the folder is made later: ask for the nearest one above it */
		char *slash = strrchr(above, '/');
		if (errno != ENOENT) return ATTEND_OK; /* not every file system tells */
		if (!slash || slash == above) {
			if (statvfs(slash ? "/" : ".", &fs) != 0) return ATTEND_OK;
			break;
		}
		*slash = '\0';
	}
	const double weights = 4.0 * (double)t->plan.parameters;
	const double need = weights + checkpoints_to_come(t) * (weights + (double)t->state_bytes),
				 free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
	if (need <= free_bytes) return ATTEND_OK;
	return attend_fail(ATTEND_ERR_IO, "%s: %.0f MB are free, the run needs %.0f MB", t->recipe->output_dir,
	                   free_bytes / 1e6, need / 1e6);
}

/* ---- The optimiser's state ------------------------------------------------------------------------------------------------- */

/* "PREFIX.NAME", malloc'ed. */
static attend_status state_name(char **out, const char *prefix, const attend_param *p)
{
	attend_buffer name = {0};
	attend_buffer_printf(&name, "%s.%s", prefix, p->name);
	*out = name.data;
	return attend_buffer_status(&name);
}

static const char *const moment_names[2] = {"moment0", "moment1"};

/* Moments and step count of one parameter, as items behind *count. */
static attend_status add_state(const attend_trainer *t, const attend_param *p, int64_t *steps,
                               attend_safetensors_item *items, char **names, size_t *count)
{
	*steps = (int64_t)attend_optimizer_steps(t->optimizer, p);
	if (*steps == 0) return ATTEND_OK;
	ATTEND_TRY(state_name(&names[*count], "steps", p));
	items[*count] = (attend_safetensors_item){.name = names[*count],
	                                          .tensor = {.dtype = ATTEND_DTYPE_I64, .data = steps},
	                                          .data_dtype = ATTEND_DTYPE_I64};
	++*count;
	for (int m = 0; m < 2; m++) {
		if (!p->moments[m]) continue;
		ATTEND_TRY(state_name(&names[*count], moment_names[m], p));
		attend_safetensors_item *item = &items[(*count)++];
		*item = (attend_safetensors_item){.name = names[*count - 1], .data_dtype = ATTEND_DTYPE_F32};
		item->tensor = (attend_tensor){.dtype = ATTEND_DTYPE_F32, .rank = 1, .data = p->moments[m]};
		item->tensor.shape[0] = attend_optimizer_moment_floats(t->optimizer, p, m);
	}
	return ATTEND_OK;
}

static attend_status save_moments(const attend_trainer *t, const char *path)
{
	const size_t n = t->network->param_count;
	attend_safetensors_item *items = attend_alloc_array(3 * n + 1, sizeof *items);
	char **names = calloc(3 * n + 1, sizeof *names);
	int64_t *steps = attend_alloc_array(n + 1, sizeof *steps);
	attend_status status =
		items && names && steps ? ATTEND_OK : attend_fail_memory(n * sizeof *items, "optimiser state");
	size_t count = 0;
	for (size_t i = 0; i < n && status == ATTEND_OK; i++)
		status = add_state(t, &t->network->params[i], &steps[i], items, names, &count);
	if (status == ATTEND_OK) status = attend_safetensors_write(path, items, count);
	for (size_t i = 0; names && i < 3 * n; i++) free(names[i]);
	free(names);
	free(items);
	free(steps);
	return status;
}

/* A copy of a parameter's moment (malloc'ed), NULL when the file has none. */
static attend_status find_moment(float **out, const attend_trainer *t, const attend_safetensors *file,
                                 const attend_param *p, int moment)
{
	char *name = NULL;
	size_t at;
	*out = NULL;
	attend_status status = state_name(&name, moment_names[moment], p);
	if (status == ATTEND_OK && attend_safetensors_find(&at, file, name)) {
		const attend_tensor *tensor = attend_safetensors_tensor(file, at);
		const size_t count = attend_optimizer_moment_floats(t->optimizer, p, moment);
		if (tensor->dtype != ATTEND_DTYPE_F32 || tensor->rank != 1 || tensor->shape[0] != count)
			status = attend_fail(ATTEND_ERR_FORMAT, "'%s' does not fit this optimiser: expected F32[%zu]", name, count);
		else if (!(*out = attend_alloc_array(count + 1, sizeof **out)))
			status = attend_fail_memory(count * sizeof **out, "optimiser state");
		else memcpy(*out, tensor->data, count * sizeof **out);
	}
	free(name);
	return status;
}

static attend_status load_state(attend_trainer *t, const attend_safetensors *file, attend_param *p)
{
	char *name = NULL;
	size_t at;
	float *moments[2] = {NULL, NULL};
	ATTEND_TRY(state_name(&name, "steps", p));
	const attend_tensor *steps = attend_safetensors_find(&at, file, name) ? attend_safetensors_tensor(file, at) : NULL;
	attend_status status = ATTEND_OK;
	int64_t count = 0;
	if (steps && (steps->dtype != ATTEND_DTYPE_I64 || steps->rank != 0))
		status = attend_fail(ATTEND_ERR_FORMAT, "'%s' is not a single I64", name);
	else if (steps) memcpy(&count, steps->data, sizeof count);
	for (int m = 0; m < 2 && status == ATTEND_OK && count > 0; m++) status = find_moment(&moments[m], t, file, p, m);
	if (status == ATTEND_OK && count > 0)
		status = attend_optimizer_restore(t->optimizer, p, (uint64_t)count, moments[0], moments[1]);
	free(moments[0]);
	free(moments[1]);
	free(name);
	return status;
}

static attend_status load_moments(attend_trainer *t, const char *path)
{
	attend_safetensors *file = NULL;
	ATTEND_TRY(attend_safetensors_open(&file, path));
	attend_status status = ATTEND_OK;
	for (size_t i = 0; i < t->network->param_count && status == ATTEND_OK; i++)
		status = load_state(t, file, &t->network->params[i]);
	attend_safetensors_free(file);
	return status == ATTEND_OK ? status : attend_fail_in(status, path);
}

/* ---- Checkpoints -------------------------------------------------------------------------------------------------------------- */

static attend_status save_model(const attend_trainer *t, const char *dir)
{
	const attend_save_options options = {.has_head = true,
	                                     .head = t->text_task ? t->text_task->head : ATTEND_HEAD_SEQUENCE};
	return attend_checkpoint_save(t->checkpoint, dir, &options);
}

attend_status attend_trainer_save(attend_trainer *trainer, const char *dir)
{
	return save_model(trainer, dir);
}

static attend_status write_checkpoint(attend_trainer *t, const char *dir)
{
	char *path = NULL;
	ATTEND_TRY(save_model(t, dir));
	ATTEND_TRY(attend_path_join(&path, dir, "optimizer.safetensors"));
	attend_status status = save_moments(t, path);
	free(path);
	ATTEND_TRY(status);
	ATTEND_TRY(attend_results_write_state(t, dir));
	return attend_folder_sync(dir);
}

/* Old ones go only now that the new one is on disk; the best stays. */
static attend_status rotate(const attend_trainer *t)
{
	size_t *steps = NULL, count = 0;
	if (t->recipe->save_total_limit == 0) return ATTEND_OK;
	ATTEND_TRY(list_checkpoints(&steps, &count, t->recipe->output_dir));
	size_t surplus = count > (size_t)t->recipe->save_total_limit ? count - (size_t)t->recipe->save_total_limit : 0;
	attend_status status = ATTEND_OK;
	for (size_t i = 0; i + 1 < count && surplus && status == ATTEND_OK; i++) {
		if (t->recipe->load_best_model_at_end && steps[i] == t->state.best_step) continue;
		char *path = NULL;
		status = path_of(&path, t->recipe->output_dir, "checkpoint-%zu", steps[i]);
		if (status == ATTEND_OK) remove_folder(path);
		free(path);
		surplus--;
	}
	free(steps);
	return status;
}

/* After a checkpoint could not be written: what there still is. */
static void tell_last(const attend_trainer *t)
{
	size_t *steps = NULL, count = 0;
	if (list_checkpoints(&steps, &count, t->recipe->output_dir) == ATTEND_OK && count)
		attend_log(ATTEND_LOG_WARNING,
		           "%s: no checkpoint of step %zu; checkpoint-%zu is whole: resume goes on from there",
		           t->recipe->output_dir, t->state.step, steps[count - 1]);
	free(steps);
}

attend_status attend_trainer_checkpoint(attend_trainer *trainer)
{
	attend_trainer *t = trainer;
	char *beside = NULL, *final = NULL;
	attend_status status = path_of(&beside, t->recipe->output_dir, ".checkpoint-%zu.part", t->state.step);
	if (status == ATTEND_OK) status = path_of(&final, t->recipe->output_dir, "checkpoint-%zu", t->state.step);
	if (status == ATTEND_OK) {
		remove_folder(beside);
		status = write_checkpoint(t, beside);
		if (status == ATTEND_OK) {
			remove_folder(final); /* of an earlier run that was resumed from before it */
			if (rename(beside, final) != 0) status = attend_fail(ATTEND_ERR_IO, "%s: %s", final, strerror(errno));
		}
		if (status == ATTEND_OK) status = attend_folder_sync(t->recipe->output_dir);
		if (status != ATTEND_OK) {
			remove_folder(beside);
			tell_last(t);
		}
	}
	if (status == ATTEND_OK && t->hooks.saved) t->hooks.saved(t->hooks.payload, final);
	free(beside);
	free(final);
	return status == ATTEND_OK ? rotate(t) : status;
}

attend_status attend_trainer_resume(attend_trainer *trainer, const char *dir)
{
	char *path = NULL;
	ATTEND_TRY(attend_results_read_state(trainer, dir));
	ATTEND_TRY(attend_path_join(&path, dir, "optimizer.safetensors"));
	const attend_status status = load_moments(trainer, path);
	free(path);
	trainer->plan.first_step = trainer->state.step;
	return status;
}

attend_status attend_trainer_load_best(attend_trainer *trainer)
{
	attend_trainer *t = trainer;
	char *dir = NULL, *path = NULL;
	attend_safetensors *file = NULL;
	if (t->state.best_step == 0 || t->state.best_step == t->state.step) return ATTEND_OK;
	attend_status status = path_of(&dir, t->recipe->output_dir, "checkpoint-%zu", t->state.best_step);
	if (status == ATTEND_OK) status = attend_path_join(&path, dir, "model.safetensors");
	if (status == ATTEND_OK) status = attend_safetensors_open(&file, path);
	for (size_t i = 0; i < t->network->param_count && status == ATTEND_OK; i++) {
		attend_param *p = &t->network->params[i];
		size_t at, count = 0;
		if (!p->values || !attend_safetensors_find(&at, file, p->name)) continue;
		const attend_tensor *tensor = attend_safetensors_tensor(file, at);
		if (tensor->dtype != ATTEND_DTYPE_F32 || !attend_tensor_numel(&count, tensor) || count != p->count)
			status = attend_fail(ATTEND_ERR_FORMAT, "%s: '%s' is not as it was saved", path, p->name);
		else memcpy(p->values, tensor->data, count * sizeof *p->values);
	}
	attend_network_refresh(t->network);
	attend_safetensors_free(file);
	free(path);
	free(dir);
	return status;
}

attend_status attend_trainer_finish(attend_trainer *trainer)
{
	const char *dir = trainer->recipe->output_dir;
	ATTEND_TRY(save_model(trainer, dir));
	ATTEND_TRY(attend_results_write_state(trainer, dir));
	ATTEND_TRY(attend_event_log_close(trainer));
	ATTEND_TRY(attend_results_write_all(trainer, dir));
	if (trainer->hooks.saved) trainer->hooks.saved(trainer->hooks.payload, dir);
	return ATTEND_OK;
}
