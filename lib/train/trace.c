/* trace.c: given batches under a given recipe: what the golden traces of other trainers are compared with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/attend_train.h"
#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "lib/nn/padded.h"
#include "lib/train/optimizer.h"
#include "loaders/checkpoint.h"
#include "loaders/safetensors.h"

typedef struct trace {
	attend_checkpoint *checkpoint;
	attend_network *network;
	attend_safetensors *batches;
	attend_json *recipe;
	const attend_json *run;
	attend_optimizer *optimizer;
	attend_optimizer_options options;
	attend_schedule schedule;
	int64_t steps, micro_batches, unfreeze_every; /* unfreeze_every 0: everything learns from the start */
	bool by_items;
	double smoothing;
	size_t live; /* depths 0 .. live learn */
	attend_buffer log;
} trace;

/* ---- Inputs of one micro-batch ---------------------------------------------------------------------------------------------- */

typedef struct named_inputs {
	const attend_safetensors *file;
	char prefix[64];
} named_inputs;

static const attend_tensor *find_input(void *payload, const char *name)
{
	const named_inputs *inputs = payload;
	char full[160];
	size_t i;
	if (snprintf(full, sizeof full, "%s%s", inputs->prefix, name) >= (int)sizeof full) return NULL;
	return attend_safetensors_find(&i, inputs->file, full) ? attend_safetensors_tensor(inputs->file, i) : NULL;
}

static attend_status read_inputs(attend_padded *out, const trace *t, int64_t step, int64_t micro, named_inputs *inputs)
{
	inputs->file = t->batches;
	if (t->micro_batches > 1)
		snprintf(inputs->prefix, sizeof inputs->prefix, "step.%lld.micro.%lld.", (long long)step, (long long)micro);
	else snprintf(inputs->prefix, sizeof inputs->prefix, "step.%lld.", (long long)step);
	const attend_arch *arch = &t->network->arch;
	ATTEND_TRY(attend_padded_read(out, arch, arch->default_head, t->checkpoint->config.problem, find_input, inputs));
	if (!out->has_labels) return attend_fail(ATTEND_ERR_DATA, "%slabels is not among the batches", inputs->prefix);
	out->targets.smoothing = (float)t->smoothing;
	return ATTEND_OK;
}

/* Labels that count in the loss of one micro-batch. */
static size_t target_count(const attend_padded *p)
{
	const attend_batch *batch = &p->grids[p->stack].batch;
	const size_t rows = attend_head_rows(&p->arch->heads[p->head], batch);
	size_t count = 0;
	for (size_t i = 0; p->targets.labels && i < rows; i++) count += p->targets.labels[i] != -100;
	return count;
}

/* ---- Steps ---------------------------------------------------------------------------------------------------------------------- */

static attend_status micro_step(const trace *t, attend_padded *padded, double items, double *loss)
{
	attend_session_options plan = {.training = true};
	attend_padded_plan(padded, &plan);
	attend_session *session = NULL;
	attend_loss result;
	const float scale = items > 0 ? 1.0f : 1.0f / (float)t->micro_batches;
	padded->targets.items = items;
	ATTEND_TRY(attend_session_new(&session, t->network, &plan));
	attend_status status = attend_padded_run(padded, session);
	if (status == ATTEND_OK) status = attend_padded_loss(padded, session, scale, &result);
	if (status == ATTEND_OK) status = attend_session_backward(session);
	if (status == ATTEND_OK) *loss += result.loss * (items > 0 ? 1.0 : 1.0 / (double)t->micro_batches);
	attend_session_free(session);
	return status;
}

static bool is_live(const attend_param *param, void *payload)
{
	const trace *t = payload;
	return attend_param_depth(t->network, param) <= t->live;
}

static attend_status thaw(trace *t, int64_t step)
{
	const size_t live = t->unfreeze_every ? (size_t)(step / t->unfreeze_every) : SIZE_MAX;
	if (live == t->live && step > 0) return ATTEND_OK;
	t->live = live;
	attend_optimizer_set_live(t->optimizer, live);
	return attend_network_make_trainable(t->network, is_live, t);
}

static void log_step(trace *t, int64_t step, double loss, const attend_step_report *report)
{
	attend_buffer_printf(&t->log, "%s\n  {\"loss\": %.9g, \"lr\": [", step ? "," : "", loss);
	for (size_t i = 0; i < attend_optimizer_group_count(t->optimizer); i++)
		attend_buffer_printf(&t->log, "%s%.12g", i ? ", " : "", report->lr[i]);
	attend_buffer_printf(&t->log, "], \"grad_norm\": %.9g, \"momentum\": %.9g}", report->grad_norm, report->momentum);
}

static attend_status one_step(trace *t, int64_t step)
{
	double items = 0, loss = 0;
	named_inputs inputs;
	attend_padded padded;
	ATTEND_TRY(thaw(t, step));
	attend_network_zero_grad(t->network);
	for (int pass = t->by_items ? 0 : 1; pass < 2; pass++) { /* the targets of all micro-batches are counted first */
		for (int64_t m = 0; m < t->micro_batches; m++) {
			attend_status status = read_inputs(&padded, t, step, m, &inputs);
			if (status == ATTEND_OK && pass == 0) items += (double)target_count(&padded);
			if (status == ATTEND_OK && pass == 1) status = micro_step(t, &padded, items, &loss);
			attend_padded_free(&padded);
			ATTEND_TRY(status);
		}
	}
	attend_step_report report;
	ATTEND_TRY(attend_optimizer_step(t->optimizer, &t->schedule, (uint64_t)step, &report));
	attend_network_refresh(t->network);
	log_step(t, step, loss, &report);
	return ATTEND_OK;
}

static void log_groups(trace *t)
{
	attend_buffer_text(&t->log, "{\"groups\": [");
	for (size_t i = 0; i < attend_optimizer_group_count(t->optimizer); i++) {
		const attend_param_group *group = attend_optimizer_group(t->optimizer, i);
		attend_buffer_printf(&t->log, "%s\n  {\"lr\": %.12g, \"weight_decay\": %.12g, \"parameters\": [", i ? "," : "",
		                     group->lr, group->weight_decay);
		for (size_t j = 0; j < group->count; j++) {
			attend_buffer_text(&t->log, j ? ", " : "");
			attend_buffer_json_string(&t->log, group->params[j]->name, strlen(group->params[j]->name));
		}
		attend_buffer_text(&t->log, "]}");
	}
	attend_buffer_text(&t->log, "],\n\"steps\": [");
}

/* ---- The whole --------------------------------------------------------------------------------------------------------------------- */

static attend_status read_recipe(trace *t)
{
	const char *accumulation = "mean";
	attend_grouping grouping;
	t->run = attend_json_get(t->recipe, "run");
	if (!t->run || attend_json_type(t->run) != ATTEND_JSON_OBJECT)
		return attend_json_fail(t->recipe, "expected a member `run`");
	t->micro_batches = 1;
	ATTEND_TRY(attend_json_get_int(&t->steps, t->run, "steps", 1, 1000000));
	ATTEND_TRY(attend_json_get_int(&t->micro_batches, t->run, "gradient_accumulation", 1, 1000000));
	ATTEND_TRY(attend_json_get_string(&accumulation, t->run, "accumulation"));
	ATTEND_TRY(attend_json_get_double(&t->smoothing, t->run, "label_smoothing"));
	t->by_items = strcmp(accumulation, "items") == 0;
	const attend_json *unfreeze = attend_json_get(t->run, "unfreeze");
	if (unfreeze) ATTEND_TRY(attend_json_get_int(&t->unfreeze_every, unfreeze, "steps_per_epoch", 1, 1000000));
	ATTEND_TRY(attend_optimizer_read(&t->options, attend_json_get(t->run, "optimizer")));
	ATTEND_TRY(attend_json_get_double(&t->options.max_grad_norm, t->run, "max_grad_norm"));
	ATTEND_TRY(attend_grouping_read(&grouping, attend_json_get(t->run, "grouping")));
	ATTEND_TRY(attend_schedule_read(&t->schedule, attend_json_get(t->run, "scheduler")));
	ATTEND_TRY(attend_schedule_check(&t->schedule));
	ATTEND_TRY(attend_network_make_trainable(t->network, NULL, NULL));
	return attend_optimizer_new(&t->optimizer, t->network, &t->options, &grouping);
}

static attend_status run_trace(trace *t, const char *out_dir)
{
	ATTEND_TRY(read_recipe(t));
	log_groups(t);
	for (int64_t step = 0; step < t->steps; step++) ATTEND_TRY(one_step(t, step));
	attend_buffer_text(&t->log, "]}\n");
	ATTEND_TRY(attend_buffer_status(&t->log));
	const attend_save_options whole = {0};
	ATTEND_TRY(attend_checkpoint_save(t->checkpoint, out_dir, &whole));
	char *path = NULL;
	ATTEND_TRY(attend_path_join(&path, out_dir, "trace.json"));
	const attend_status status = attend_file_write(path, t->log.data, t->log.size);
	free(path);
	return status;
}

attend_status attend_train_trace(const char *model, const char *batches, const char *recipe, const char *out_dir)
{
	trace t = {0};
	attend_status status = attend_checkpoint_load(&t.checkpoint, model, NULL);
	if (status == ATTEND_OK) status = attend_safetensors_open(&t.batches, batches);
	if (status == ATTEND_OK) status = attend_json_read(&t.recipe, recipe);
	if (status == ATTEND_OK) {
		t.network = &t.checkpoint->network;
		status = run_trace(&t, out_dir);
	}
	attend_optimizer_free(t.optimizer);
	attend_json_free(t.recipe);
	attend_safetensors_free(t.batches);
	attend_checkpoint_free(t.checkpoint);
	attend_buffer_free(&t.log);
	return status;
}
