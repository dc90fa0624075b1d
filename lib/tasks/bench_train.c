/* bench_train.c: the task `train` of attend_bench: forward with dropout, backward, clipping to norm 1, AdamW (rate 2e-5, decay
 * 0.01 on matrices) of a sequence classifier; in f32, or in mixed precision (bf16). */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/rng.h"
#include "lib/tasks/bench.h"
#include "lib/train/optimizer.h"

struct attend_bench_training {
	attend_session *session;
	attend_optimizer *optimizer;
	attend_schedule schedule;
	size_t head;
	attend_batch batch;
	size_t *offsets;
	int32_t *ids, *labels;
	float *losses; /* before any step, then of every step */
	size_t loss_count, loss_capacity;
};

void attend_bench_training_free(attend_bench_training *t)
{
	if (t == NULL) return;
	attend_session_free(t->session);
	attend_optimizer_free(t->optimizer);
	free(t->offsets);
	free(t->ids);
	free(t->labels);
	free(t->losses);
	free(t);
}

/* The input's rows, one behind the other, with labels (drawn where the input has none). */
static attend_status lay_out(attend_bench_training *t, const attend_bench_input *in, size_t classes)
{
	t->offsets = attend_alloc_array(in->batch + 1, sizeof *t->offsets);
	t->ids = attend_alloc_array(in->total, sizeof *t->ids);
	t->labels = attend_alloc_array(in->batch, sizeof *t->labels);
	if (t->offsets == NULL || t->ids == NULL || t->labels == NULL)
		return attend_fail_memory(in->total * sizeof *t->ids, "batch");
	attend_rng rng = {.seed = 11};
	size_t n = 0;
	for (size_t b = 0; b < in->batch; b++) {
		t->offsets[b] = n;
		memcpy(t->ids + n, in->ids + b * in->width, in->lengths[b] * sizeof *t->ids);
		n += in->lengths[b];
		t->labels[b] = in->labels != NULL ? in->labels[b] : (int32_t)attend_rng_below(&rng, classes);
	}
	t->offsets[in->batch] = n;
	t->batch = (attend_batch){.sequences = in->batch, .offsets = t->offsets, .ids = t->ids};
	return ATTEND_OK;
}

static attend_status add_loss(attend_bench_training *t, double loss)
{
	ATTEND_TRY(attend_grow(&t->losses, &t->loss_capacity, t->loss_count + 1, sizeof *t->losses, "losses"));
	t->losses[t->loss_count++] = (float)loss;
	return ATTEND_OK;
}

static attend_status forward(attend_bench_training *t, float grad_scale, double *loss)
{
	const attend_targets targets = {.labels = t->labels};
	const float *hidden;
	attend_loss result;
	ATTEND_TRY(attend_session_encode(t->session, &t->batch, &hidden));
	ATTEND_TRY(attend_session_loss(t->session, t->head, &targets, grad_scale, &result));
	*loss = result.loss;
	return ATTEND_OK;
}

static attend_status start(attend_bench_training *t, const attend_bench_run *run)
{
	attend_network *network = &run->model->checkpoint->network;
	const attend_bench_input *in = &run->input;
	const attend_session_options session = {.max_tokens = in->total, .max_sequences = in->batch, .training = true};
	const attend_grouping grouping = {.rule = ATTEND_GROUPS_NO_DECAY, .lr = 2e-5, .weight_decay = 0.01};
	attend_optimizer_options options;
	double loss;
	if (attend_model_weights(run->model) > ATTEND_WEIGHTS_BF16)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "training runs in f32 or bf16");
	if (!network->arch.has_encoder || network->arch.has_decoder)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: training is timed on encoders only", run->model->path);
	ATTEND_TRY(attend_model_need_head(&t->head, run->model, ATTEND_HEAD_SEQUENCE));
	ATTEND_TRY(lay_out(t, in, network->arch.heads[t->head].outputs));
	ATTEND_TRY(attend_network_make_trainable(network, NULL, NULL));
	ATTEND_TRY(attend_session_new(&t->session, network, &session));
	attend_optimizer_defaults(&options, ATTEND_OPTIMIZER_ADAMW);
	options.max_grad_norm = 1;
	ATTEND_TRY(attend_optimizer_new(&t->optimizer, network, &options, &grouping));
	attend_schedule_init(&t->schedule, ATTEND_SCHEDULE_CONSTANT);
	attend_session_set_evaluating(t->session, true);
	ATTEND_TRY(forward(t, 0, &loss));
	attend_session_set_evaluating(t->session, false);
	return add_loss(t, loss);
}

attend_status attend_bench_training_new(attend_bench_training **out, const attend_bench_run *run)
{
	attend_bench_training *t = calloc(1, sizeof *t);
	if (t == NULL) return attend_fail_memory(sizeof *t, "training");
	const attend_status status = start(t, run);
	if (status == ATTEND_OK) *out = t;
	else attend_bench_training_free(t);
	return status;
}

attend_status attend_bench_train_step(attend_bench_run *run, double *ms, bool dump)
{
	attend_bench_training *t = run->training;
	attend_network *network = &run->model->checkpoint->network;
	attend_step_report report;
	double loss;
	attend_bench_profile_count(run->profile, true);
	const double begin = attend_bench_now();
	attend_network_zero_grad(network);
	attend_session_set_dropout(t->session, true, 1, t->loss_count);
	ATTEND_TRY(forward(t, 1, &loss));
	ATTEND_TRY(attend_session_backward(t->session));
	ATTEND_TRY(attend_optimizer_step(t->optimizer, &t->schedule, t->loss_count - 1, &report));
	attend_network_refresh(network);
	*ms = attend_bench_now() - begin;
	attend_bench_profile_count(run->profile, false);
	ATTEND_TRY(add_loss(t, loss));
	if (!dump) return ATTEND_OK;
	const attend_bench_tensor tensor = {.name = "loss", .values = t->losses, .rank = 1, .shape = {t->loss_count}};
	return attend_bench_write(run->options->dump_file, &tensor, 1);
}
