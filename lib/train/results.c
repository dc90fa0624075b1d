/* results.c: the run's own record, in HF's form, and what a reader of the output folder wants to see. */
#include "lib/train/results.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/train/svg.h"
#include "lib/train/text_task.h"

/* Members of metrics by name. */
static const struct named_metric {
	const char *name, *tag; /* in HF's logs, in TensorBoard */
	size_t offset;
} named[] = {
	{"eval_loss", "eval/loss", offsetof(attend_train_metrics, loss)},
	{"eval_accuracy", "eval/accuracy", offsetof(attend_train_metrics, accuracy)},
	{"eval_f1_macro", "eval/f1_macro", offsetof(attend_train_metrics, f1_macro)},
	{"eval_f1_micro", "eval/f1_micro", offsetof(attend_train_metrics, f1_micro)},
	{"eval_matthews", "eval/matthews", offsetof(attend_train_metrics, matthews)},
	{"eval_pearson", "eval/pearson", offsetof(attend_train_metrics, pearson)},
	{"eval_spearman", "eval/spearman", offsetof(attend_train_metrics, spearman)},
	{"eval_mse", "eval/mse", offsetof(attend_train_metrics, mse)},
	{"eval_mae", "eval/mae", offsetof(attend_train_metrics, mae)},
	{"eval_perplexity", "eval/perplexity", offsetof(attend_train_metrics, perplexity)},
};
enum { NAMED = sizeof named / sizeof *named };

/* 17 digits bring every double back. */
static void put_number(attend_buffer *out, const char *before, double x)
{
	attend_buffer_text(out, before);
	if (isfinite(x)) attend_buffer_printf(out, "%.17g", x);
	else attend_buffer_text(out, "null");
}

static void put_metrics(attend_buffer *out, const attend_train_metrics *m)
{
	for (size_t i = 0; i < NAMED; i++) {
		const double x = *(const double *)((const char *)m + named[i].offset);
		if (!isfinite(x)) continue;
		attend_buffer_printf(out, ", \"%s\": ", named[i].name);
		put_number(out, "", x);
	}
}

static void put_entry(attend_buffer *out, const attend_log_entry *e)
{
	put_number(out, "{\"epoch\": ", e->epoch);
	attend_buffer_printf(out, ", \"step\": %zu", e->step);
	if (e->evaluated) {
		put_metrics(out, &e->metrics);
		attend_buffer_printf(out, ", \"eval_examples\": %zu", e->metrics.examples);
	} else {
		put_number(out, ", \"loss\": ", e->loss);
		put_number(out, ", \"grad_norm\": ", e->grad_norm);
		put_number(out, ", \"learning_rate\": ", e->learning_rate);
	}
	attend_buffer_text(out, "}");
}

size_t attend_results_scalars(attend_scalar scalars[ATTEND_LOG_SCALARS], const attend_log_entry *entry)
{
	static const char *const tags[] = {"train/loss", "train/grad_norm", "train/learning_rate", "train/epoch"};
	const double training[] = {entry->loss, entry->grad_norm, entry->learning_rate, entry->epoch};
	size_t count = 0;
	_Static_assert((int)NAMED <= (int)ATTEND_LOG_SCALARS, "every metric has room");
	for (size_t i = 0; i < (entry->evaluated ? NAMED : 4); i++) {
		const double x =
			entry->evaluated ? *(const double *)((const char *)&entry->metrics + named[i].offset) : training[i];
		if (isfinite(x)) scalars[count++] = (attend_scalar){entry->evaluated ? named[i].tag : tags[i], (float)x};
	}
	return count;
}

static attend_status write_text(const char *dir, const char *name, attend_buffer *text)
{
	char *path = NULL;
	attend_status status = attend_buffer_status(text);
	if (status == ATTEND_OK) status = attend_path_join(&path, dir, name);
	if (status == ATTEND_OK) status = attend_file_write(path, text->data, text->size);
	free(path);
	attend_buffer_free(text);
	return status;
}

/* What must be the same for a resumed run. */
static void put_identity(attend_buffer *out, const attend_trainer *t)
{
	attend_buffer_printf(out, "\"data_hash\": \"%016" PRIx64 "\", \"validation_hash\": \"%016" PRIx64 "\"",
	                     t->train->hash, t->validation ? t->validation->hash : 0);
	attend_recipe_print_run(out, t->recipe);
	attend_buffer_printf(out, ", \"steps\": %zu", t->plan.steps);
	if (t->text_task) attend_buffer_printf(out, ", \"block\": %zu", t->train_examples.longest);
}

attend_status attend_results_write_state(const attend_trainer *trainer, const char *dir)
{
	const attend_trainer *t = trainer;
	const attend_train_state *s = &t->state;
	attend_buffer text = {0};
	attend_buffer_text(&text, "{\n  \"best_global_step\": ");
	if (s->best_step) attend_buffer_printf(&text, "%zu", s->best_step);
	else attend_buffer_text(&text, "null");
	put_number(&text, ",\n  \"best_metric\": ", s->best_metric);
	put_number(&text, ",\n  \"epoch\": ", attend_trainer_epochs(t, s->step));
	attend_buffer_printf(&text, ",\n  \"eval_steps\": %" PRId64 ",\n  \"global_step\": %zu,\n  \"log_history\": [",
	                     t->recipe->eval_steps, s->step);
	for (size_t i = 0; i < s->log_count; i++) {
		attend_buffer_text(&text, i ? ",\n    " : "\n    ");
		put_entry(&text, &s->log[i]);
	}
	attend_buffer_printf(&text, "\n  ],\n  \"logging_steps\": %" PRId64 ",\n  \"max_steps\": %zu",
	                     t->recipe->logging_steps, t->plan.steps);
	put_number(&text, ",\n  \"num_train_epochs\": ", t->recipe->num_train_epochs);
	attend_buffer_printf(&text, ",\n  \"save_steps\": %" PRId64 ",\n  \"train_batch_size\": %" PRId64,
	                     t->recipe->save_steps, t->recipe->per_device_train_batch_size);
	put_number(&text, ",\n  \"attend\": {\"loss_sum\": ", s->loss_sum);
	attend_buffer_printf(&text, ", \"loss_count\": %zu, \"bad_evaluations\": %zu, \"run\": {", s->loss_count,
	                     s->bad_evaluations);
	put_identity(&text, t);
	attend_buffer_text(&text, "}}\n}\n");
	return write_text(dir, "trainer_state.json", &text);
}

static attend_status read_entry(attend_log_entry *e, const attend_json *line)
{
	int64_t step = 0, examples = 0;
	*e = (attend_log_entry){.loss = NAN, .grad_norm = NAN, .learning_rate = NAN};
	for (size_t i = 0; i < NAMED; i++) *(double *)((char *)&e->metrics + named[i].offset) = NAN;
	ATTEND_TRY(attend_json_get_int(&step, line, "step", 0, INT64_MAX / 2));
	ATTEND_TRY(attend_json_get_double(&e->epoch, line, "epoch"));
	ATTEND_TRY(attend_json_get_double(&e->loss, line, "loss"));
	ATTEND_TRY(attend_json_get_double(&e->grad_norm, line, "grad_norm"));
	ATTEND_TRY(attend_json_get_double(&e->learning_rate, line, "learning_rate"));
	e->step = (size_t)step;
	e->evaluated = attend_json_get(line, "eval_examples") != NULL;
	ATTEND_TRY(attend_json_get_int(&examples, line, "eval_examples", 0, INT64_MAX / 2));
	e->metrics.examples = (size_t)examples;
	for (size_t i = 0; i < NAMED; i++)
		ATTEND_TRY(attend_json_get_double((double *)((char *)&e->metrics + named[i].offset), line, named[i].name));
	return ATTEND_OK;
}

static attend_status check_identity(const attend_trainer *t, const attend_json *run)
{
	attend_buffer now = {0};
	attend_json *mine = NULL;
	attend_buffer_text(&now, "{");
	put_identity(&now, t);
	attend_buffer_text(&now, "}");
	attend_status status = attend_buffer_status(&now);
	if (status == ATTEND_OK) status = attend_json_parse(&mine, now.data, now.size, "run");
	for (const attend_json *m = attend_json_first(mine); m && status == ATTEND_OK; m = attend_json_next(m)) {
		const char *key = attend_json_key(m, NULL);
		const attend_json *before = attend_json_get(run, key);
		char *a = NULL, *b = NULL;
		if (!before) status = attend_json_fail(run, "'%s' is missing: not a checkpoint of this kind", key);
		if (status == ATTEND_OK) status = attend_json_print(&a, before, 0);
		if (status == ATTEND_OK) status = attend_json_print(&b, m, 0);
		if (status == ATTEND_OK && strcmp(a, b) != 0)
			status = attend_fail(ATTEND_ERR_DATA, "cannot resume: %s is %s, the run began with %s",
			                     strcmp(key, "data_hash") == 0         ? "the training data's hash"
			                     : strcmp(key, "validation_hash") == 0 ? "the validation data's hash"
			                                                           : key,
			                     b, a);
		free(a);
		free(b);
	}
	attend_json_free(mine);
	attend_buffer_free(&now);
	return status;
}

static attend_status read_state(attend_trainer *t, const attend_json *document)
{
	attend_train_state *s = &t->state;
	int64_t step = 0, best = 0, count = 0, bad = 0;
	const attend_json *own = attend_json_get(document, "attend");
	if (!own) return attend_json_fail(document, "no member `attend`: written by another trainer");
	ATTEND_TRY(check_identity(t, attend_json_get(own, "run")));
	ATTEND_TRY(attend_json_get_int(&step, document, "global_step", 0, INT64_MAX / 2));
	ATTEND_TRY(attend_json_get_int(&best, document, "best_global_step", 0, INT64_MAX / 2));
	ATTEND_TRY(attend_json_get_double(&s->best_metric, document, "best_metric"));
	ATTEND_TRY(attend_json_get_double(&s->loss_sum, own, "loss_sum"));
	ATTEND_TRY(attend_json_get_int(&count, own, "loss_count", 0, INT64_MAX / 2));
	ATTEND_TRY(attend_json_get_int(&bad, own, "bad_evaluations", 0, INT64_MAX / 2));
	s->step = (size_t)step;
	s->best_step = (size_t)best;
	s->loss_count = (size_t)count;
	s->bad_evaluations = (size_t)bad;
	for (const attend_json *line = attend_json_first(attend_json_get(document, "log_history")); line;
	     line = attend_json_next(line)) {
		attend_log_entry e;
		ATTEND_TRY(read_entry(&e, line));
		ATTEND_TRY(attend_trainer_log(t, &e));
	}
	return ATTEND_OK;
}

attend_status attend_results_read_state(attend_trainer *trainer, const char *dir)
{
	char *path = NULL;
	attend_json *document = NULL;
	ATTEND_TRY(attend_path_join(&path, dir, "trainer_state.json"));
	attend_status status = attend_json_read(&document, path);
	free(path);
	if (status == ATTEND_OK) status = read_state(trainer, document);
	attend_json_free(document);
	return status;
}

/* ---- Results --------------------------------------------------------------------------------------------------------------- */

static const attend_log_entry *last_evaluation(const attend_trainer *t)
{
	const attend_train_state *s = &t->state;
	for (size_t i = s->log_count; i-- > 0;) {
		if (!s->log[i].evaluated) continue;
		if (!t->recipe->load_best_model_at_end || s->log[i].step == s->best_step) return &s->log[i];
	}
	return NULL;
}

static double mean_loss(const attend_trainer *t)
{
	double sum = 0;
	size_t count = 0;
	for (size_t i = 0; i < t->state.log_count; i++)
		if (!t->state.log[i].evaluated && isfinite(t->state.log[i].loss)) sum += t->state.log[i].loss, count++;
	return count ? sum / (double)count : NAN;
}

static attend_status write_results(const attend_trainer *t, const char *dir)
{
	attend_buffer text = {0};
	const double seconds = attend_train_clock() - t->started;
	put_number(&text, "{\"epoch\": ", attend_trainer_epochs(t, t->state.step));
	put_number(&text, ", \"train_loss\": ", mean_loss(t));
	attend_buffer_printf(&text, ", \"train_samples\": %zu", t->member_count);
	if (t->started > 0) {
		put_number(&text, ", \"train_runtime\": ", seconds);
		put_number(&text, ", \"train_tokens_per_second\": ", (double)t->run_tokens / seconds);
	}
	const attend_log_entry *e = last_evaluation(t);
	if (e) put_metrics(&text, &e->metrics);
	attend_buffer_text(&text, "}\n");
	return write_text(dir, "all_results.json", &text);
}

static attend_status write_log(const attend_trainer *t, const char *dir)
{
	attend_buffer text = {0};
	attend_buffer_text(&text, "");
	for (size_t i = 0; i < t->state.log_count; i++) {
		put_entry(&text, &t->state.log[i]);
		attend_buffer_text(&text, "\n");
	}
	return write_text(dir, "log.jsonl", &text);
}

static attend_status write_curves(const attend_trainer *t, const char *dir)
{
	const size_t n = t->state.log_count;
	double *points = attend_alloc_array(4 * n + 1, sizeof *points);
	if (!points) return attend_fail_memory(4 * n * sizeof *points, "curves");
	attend_curve curves[2] = {{"training loss", points, points + n, 0},
	                          {"validation loss", points + 2 * n, points + 3 * n, 0}};
	for (size_t i = 0; i < n; i++) {
		const attend_log_entry *e = &t->state.log[i];
		attend_curve *c = &curves[e->evaluated];
		const double y = e->evaluated ? e->metrics.loss : e->loss;
		if (!isfinite(y)) continue;
		points[(e->evaluated ? 2 * n : 0) + c->count] = (double)e->step;
		points[(e->evaluated ? 3 * n : n) + c->count++] = y;
	}
	attend_buffer text = {0};
	attend_curves_svg(&text, curves, curves[1].count ? 2 : 1,
	                  &(attend_plot){.title = "Loss", .x_name = "step", .y_name = "loss"});
	free(points);
	return write_text(dir, "loss.svg", &text);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static attend_status write_card(const attend_trainer *t, const char *dir)
{
	attend_buffer text = {0};
	const attend_log_entry *e = last_evaluation(t);
	attend_buffer_printf(
		&text, "---\nlibrary_name: transformers\npipeline_tag: %s\ntags: [attend]\n---\n\n# %s, fine-tuned\n\n",
		t->text_task ? t->text_task->pipeline : "text-classification", base_name(t->recipe->model_name_or_path));
	if (t->text_task)
		attend_buffer_printf(&text, "A %s, trained with attend %s on %zu blocks of text (hash %016" PRIx64 ").\n\n",
		                     t->text_task->title, attend_version(), t->member_count, t->train->hash);
	else
		attend_buffer_printf(&text,
		                     "A %s of %zu labels, trained with attend %s on %zu examples (hash %016" PRIx64 ").\n\n",
		                     t->regression ? "regression"
		                     : t->multi    ? "multi-label classifier"
		                                   : "classifier",
		                     t->outputs, attend_version(), t->member_count, t->train->hash);
	if (e) {
		attend_buffer_printf(&text, "| validation (%zu examples) | |\n|---|---|\n", e->metrics.examples);
		for (size_t i = 0; i < NAMED; i++) {
			const double x = *(const double *)((const char *)&e->metrics + named[i].offset);
			if (isfinite(x)) attend_buffer_printf(&text, "| %s | %.4f |\n", named[i].name + 5, x);
		}
	}
	attend_buffer_text(&text,
	                   "\nRecipe (what differs from the defaults), for `attend finetune --config`:\n\n```json\n");
	attend_recipe_print(&text, t->recipe, true);
	attend_buffer_text(&text, "```\n");
	return write_text(dir, "README.md", &text);
}

attend_status attend_results_write_all(const attend_trainer *trainer, const char *dir)
{
	ATTEND_TRY(write_log(trainer, dir));
	ATTEND_TRY(write_results(trainer, dir));
	ATTEND_TRY(write_curves(trainer, dir));
	return write_card(trainer, dir);
}
