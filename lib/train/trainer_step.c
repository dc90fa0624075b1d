/* trainer_step.c: one update (forward, backward, clip, optimiser), evaluation, and the loop over both. */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/core/arena.h"
#include "lib/train/event_log.h"
#include "lib/train/text_task.h"
#include "lib/train/trainer.h"

double attend_train_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- What learns -------------------------------------------------------------------------------------------------------- */

static bool whole_number(const char *text, size_t *out)
{
	char *end = NULL;
	if (*text < '0' || *text > '9') return false;
	*out = (size_t)strtoul(text, &end, 10);
	return *end == '\0';
}

/* A pooler's or a head's. */
static bool on_the_base(const attend_param *p)
{
	return p->role == ATTEND_ROLE_POOLER_W || p->role == ATTEND_ROLE_POOLER_B ||
	       (p->role >= ATTEND_ROLE_HEAD_DENSE_W && p->role <= ATTEND_ROLE_HEAD_OUT_B);
}

/* --freeze: "embeddings", a number of lowest blocks (embeddings included), "base" (all but heads and pooler), or patterns on
 * names, joined by commas. */
static bool frozen(const attend_trainer *t, const attend_param *p)
{
	const char *what = t->recipe->freeze;
	const size_t depth = attend_param_depth(t->network, p),
				 layers = t->network->stacks[0].block_count + t->network->stacks[1].block_count;
	size_t blocks = 0;
	if (!*what) return false;
	if (strcmp(what, "embeddings") == 0) return depth == layers + 1;
	if (strcmp(what, "base") == 0) return !on_the_base(p);
	if (whole_number(what, &blocks)) return depth > layers - (blocks < layers ? blocks : layers);
	char pattern[256];
	while (*what) {
		const size_t size = strcspn(what, ",");
		if (size < sizeof pattern) {
			memcpy(pattern, what, size);
			pattern[size] = '\0';
			if (fnmatch(pattern, p->name, 0) == 0) return true;
		}
		what += size + (what[size] == ',');
	}
	return false;
}

static bool of_head(const attend_head_params *head, const attend_param *p)
{
	const attend_linear *const linears[2] = {&head->dense, &head->out};
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < linears[i]->part_count; k++)
			if (linears[i]->parts[k].param == p || linears[i]->bias_parts[k].param == p) return true;
	return head->norm.weight.param == p || head->norm.bias.param == p;
}

/* Tensors of heads that the checkpoint holds besides the trained one stay out of it. */
static bool of_another_head(const attend_trainer *t, const attend_param *p)
{
	return p->role >= ATTEND_ROLE_HEAD_DENSE_W && p->role <= ATTEND_ROLE_HEAD_OUT_B &&
	       !of_head(&t->network->heads[t->head], p) && !of_head(&t->network->heads[t->pair_head], p);
}

static bool learns(const attend_param *param, void *payload)
{
	const attend_trainer *t = payload;
	return !of_another_head(t, param) && !frozen(t, param) && attend_param_depth(t->network, param) <= t->live_depth;
}

/* Tokens of a batch that a masked language model is asked for: the mean and six standard deviations, in whole tiles; 0: any. */
static size_t labelled_rows(const attend_trainer *t)
{
	if (!t->text_task || t->text_task->words != ATTEND_HEAD_MLM) return 0;
	const double n = (double)t->max_tokens, p = t->recipe->mlm_probability;
	return ((size_t)(n * p + 6 * sqrt(n * p * (1 - p))) / 16 + 1) * 16;
}

static attend_status make_session(attend_trainer *t)
{
	const attend_session_options options = {.max_tokens = t->max_tokens,
	                                        .max_sequences = t->max_sequences,
	                                        .max_length = t->max_length,
	                                        .training = true,
	                                        .recompute = t->recipe->gradient_checkpointing,
	                                        .labelled_rows = labelled_rows(t),
	                                        .heads = 1u << t->head | 1u << t->pair_head};
	size_t activations = 0;
	attend_network_memory memory;
	ATTEND_TRY(attend_session_measure(&activations, t->network, &options));
	attend_network_measure(&memory, t->network);
	for (size_t i = 0; i < t->network->arch.head_count; i++) /* heads that do not run are never packed */
		if (!(options.heads >> i & 1)) memory.packed -= memory.packed_heads[i];
	t->plan.parameters = memory.parameters;
	t->plan.trainable_parameters = 0;
	t->state_bytes = 0;
	for (size_t i = 0; i < t->network->param_count; i++) {
		const attend_param *p = &t->network->params[i];
		if (!p->grad) continue;
		t->plan.trainable_parameters += p->count;
		for (int m = 0; m < 2; m++)
			t->state_bytes += attend_optimizer_moment_floats(t->optimizer, p, m) * sizeof(float);
	}
	t->plan.memory_bytes = t->data_bytes + activations + memory.training + memory.packed + t->state_bytes +
	                       attend_optimizer_scratch(t->optimizer);
	if (t->uses_features)
		t->plan.memory_bytes += attend_features_bytes(t->network, t->head, t->train_examples.count) +
		                        attend_features_bytes(t->network, t->head, t->validation_examples.count);
	attend_session_free(t->session);
	t->session = NULL;
	return attend_session_new(&t->session, t->network, &options);
}

attend_status attend_trainer_prepare(attend_trainer *trainer)
{
	attend_trainer *t = trainer;
	size_t within;
	const size_t epoch = attend_trainer_epoch(t, t->state.step, &within);
	const size_t depth = t->recipe->gradual_unfreeze ? epoch : SIZE_MAX;
	if (t->session && depth == t->live_depth) return ATTEND_OK;
	t->live_depth = depth;
	attend_optimizer_set_live(t->optimizer, depth);
	ATTEND_TRY(attend_network_make_trainable(t->network, learns, t));
	ATTEND_TRY(make_session(t));
	if (t->plan.trainable_parameters == 0)
		return attend_fail(ATTEND_ERR_ARG, "freeze \"%s\" leaves nothing that could learn", t->recipe->freeze);
	return ATTEND_OK;
}

/* ---- Batches -------------------------------------------------------------------------------------------------------------- */

attend_status attend_trainer_run_batch(attend_trainer *trainer, const attend_examples *x, const size_t *members,
                                       size_t count)
{
	attend_trainer *t = trainer;
	if (t->uses_features) {
		for (size_t i = 0; i < count; i++) t->run_tokens += attend_examples_length(x, members[i]);
		return attend_features_run(&t->features[x == &t->validation_examples], &t->batch, t->session, x, members,
		                           count);
	}
	t->run_tokens += attend_example_batch_fill(&t->batch, x, members, count);
	if (t->text_task) attend_text_task_targets(t, x, members, count);
	return attend_example_batch_run(&t->batch, t->session, t->head);
}

static attend_targets targets_of(attend_trainer *t, const attend_dataset *d, const attend_examples *x,
                                 const size_t *members, size_t count)
{
	if (t->text_task)
		return (attend_targets){.labels = t->labels, .smoothing = (float)t->recipe->label_smoothing_factor};
	for (size_t i = 0; i < count; i++) {
		const attend_example *e = &d->examples[attend_examples_text(x, members[i])];
		t->labels[i] = e->label;
		if (t->regression) t->values[i] = (float)e->value;
		for (size_t c = 0; t->multi && c < t->outputs; c++) t->values[i * t->outputs + c] = 0;
		for (size_t j = 0; t->multi && j < e->label_count; j++) t->values[i * t->outputs + (size_t)e->labels[j]] = 1;
	}
	const bool floats = t->regression || t->multi;
	return (attend_targets){.labels = floats ? NULL : t->labels,
	                        .values = floats ? t->values : NULL,
	                        .problem = t->checkpoint->config.problem,
	                        .smoothing = (float)t->recipe->label_smoothing_factor,
	                        .class_weights = t->class_weights};
}

/* ---- One update ------------------------------------------------------------------------------------------------------------- */

static void plan_epoch(attend_trainer *t, uint64_t epoch)
{
	if (t->epoch_planned && t->epoch == epoch) return;
	t->batch_count =
		attend_batches_plan(t->order, t->ends, &t->train_examples, t->members, t->member_count, &t->batching, epoch);
	t->epoch = epoch;
	t->epoch_planned = true;
}

static attend_status bad_step(const attend_trainer *t, const char *what, size_t first, size_t last)
{
	const size_t from = first ? t->ends[first - 1] : 0;
	attend_buffer rows = {0};
	for (size_t i = from; i < t->ends[last - 1] && i < from + 16; i++)
		attend_buffer_printf(&rows, "%s%zu", i > from ? ", " : "",
		                     t->train->examples[attend_examples_text(&t->train_examples, t->order[i])].line);
	const attend_status status =
		attend_fail(ATTEND_ERR_DATA, "step %zu: the %s is not finite (%s: lines %s%s)", t->state.step + 1, what,
	                t->train->path, rows.data ? rows.data : "", t->ends[last - 1] > from + 16 ? " ..." : "");
	attend_buffer_free(&rows);
	return status;
}

static attend_status one_update(attend_trainer *t, attend_train_progress *progress)
{
	const size_t group = (size_t)t->recipe->gradient_accumulation_steps;
	size_t within;
	plan_epoch(t, attend_trainer_epoch(t, t->state.step, &within));
	const size_t first = within * group, last = first + group < t->batch_count ? first + group : t->batch_count;
	double loss = 0;
	attend_network_zero_grad(t->network);
	for (size_t b = first; b < last; b++) {
		const size_t start = b ? t->ends[b - 1] : 0, count = t->ends[b] - start;
		attend_loss result;
		t->mask_epoch = t->epoch;
		attend_session_set_dropout(t->session, true, (uint64_t)t->recipe->seed,
		                           (uint64_t)t->state.step * group + (b - first));
		ATTEND_TRY(attend_trainer_run_batch(t, &t->train_examples, t->order + start, count));
		const attend_targets targets = targets_of(t, t->train, &t->train_examples, t->order + start, count);
		ATTEND_TRY(attend_session_loss(t->session, t->head, &targets, 1.0f / (float)(last - first), &result));
		loss += result.loss / (double)(last - first);
		if (attend_text_task_paired(t)) {
			ATTEND_TRY(attend_text_task_pair_loss(t, t->train, t->order + start, count, 1.0f / (float)(last - first),
			                                      &result));
			loss += result.loss / (double)(last - first);
		}
		ATTEND_TRY(attend_session_backward(t->session));
	}
	attend_step_report report = {0};
	const bool skips = strcmp(t->recipe->on_nan, "skip") == 0;
	if (!isfinite(loss) && !skips) return bad_step(t, "loss", first, last);
	ATTEND_TRY(attend_optimizer_step(t->optimizer, &t->schedule, t->state.step, &report));
	if (!isfinite(report.grad_norm)) {
		if (!skips) return bad_step(t, "gradient", first, last);
		attend_log(ATTEND_LOG_WARNING, "step %zu was skipped: its gradient is not finite", t->state.step + 1);
	}
	attend_network_refresh(t->network);
	t->state.step++;
	if (isfinite(loss)) { /* a skipped step has no part in the mean */
		t->state.loss_sum += loss;
		t->state.loss_count++;
	}
	*progress = (attend_train_progress){.step = t->state.step,
	                                    .steps = t->plan.steps,
	                                    .epoch = attend_trainer_epochs(t, t->state.step),
	                                    .loss = loss,
	                                    .grad_norm = report.grad_norm,
	                                    .learning_rate = report.lr[0],
	                                    .seconds = attend_train_clock() - t->started,
	                                    .tokens = t->run_tokens};
	return ATTEND_OK;
}

attend_status attend_trainer_step(attend_trainer *trainer, attend_train_progress *progress, bool *done)
{
	if (trainer->state.step >= trainer->plan.steps)
		return attend_fail(ATTEND_ERR_ARG, "the run has ended: no step is left");
	if (!(trainer->started > 0)) trainer->started = attend_train_clock();
	ATTEND_TRY(attend_trainer_prepare(trainer));
	ATTEND_TRY(one_update(trainer, progress));
	*done = trainer->state.step >= trainer->plan.steps;
	return ATTEND_OK;
}

/* ---- Evaluation ------------------------------------------------------------------------------------------------------------- */

typedef struct tally {
	uint64_t *confusion;
	attend_class_metrics *per_class;
	uint8_t *truth, *predicted;
	double *labels, *predictions;
	double loss;
} tally;

static void count_rows(attend_trainer *t, tally *y, const attend_dataset *d, const float *rows, const size_t *texts,
                       size_t at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const float *row = rows + i * t->outputs;
		const attend_example *e = &d->examples[texts[i]];
		if (t->regression) {
			y->labels[at + i] = e->value;
			y->predictions[at + i] = (double)row[0];
		} else if (t->multi) {
			uint8_t *truth = y->truth + (at + i) * t->outputs;
			memset(truth, 0, t->outputs);
			for (size_t j = 0; j < e->label_count; j++) truth[e->labels[j]] = 1;
			for (size_t c = 0; c < t->outputs; c++) y->predicted[(at + i) * t->outputs + c] = row[c] > 0;
		} else {
			int32_t best = 0;
			for (size_t c = 1; c < t->outputs; c++)
				if (row[c] > row[best]) best = (int32_t)c;
			attend_confusion_add(y->confusion, t->outputs, &e->label, &best, 1);
		}
	}
}

/* Long texts: the loss is that of the pooled logits. */
static attend_status evaluate_windows(attend_trainer *t, tally *y, const attend_dataset *d, const attend_examples *x)
{
	const size_t n = t->held_count, batch = (size_t)t->recipe->per_device_eval_batch_size;
	const attend_pooled_run run = {.batch = &t->batch,
	                               .max_sequences = batch,
	                               .max_tokens = t->max_tokens,
	                               .session = t->session,
	                               .head = t->head,
	                               .outputs = t->outputs,
	                               .scratch = t->logits,
	                               .pooling = attend_recipe_pooling(t->recipe)};
	float *rows = attend_alloc_array(n * t->outputs, sizeof *rows);
	if (!rows) return attend_fail_memory(n * t->outputs * sizeof *rows, "evaluation");
	const attend_status status = attend_pooled_logits(rows, &run, x, t->held, n);
	for (size_t i = 0; i < n && status == ATTEND_OK; i++)
		y->loss += attend_row_loss(&d->examples[t->held[i]], d->kind, rows + i * t->outputs, t->outputs);
	if (status == ATTEND_OK) count_rows(t, y, d, rows, t->held, 0, n);
	free(rows);
	return status;
}

static attend_status evaluate_all(attend_trainer *t, tally *y)
{
	const attend_dataset *d = t->validation ? t->validation : t->train;
	const attend_examples *x = t->validation ? &t->validation_examples : &t->train_examples;
	if (x->firsts) return evaluate_windows(t, y, d, x);
	for (size_t at = 0, count; at < t->held_count; at += count) {
		size_t tokens = 0;
		for (count = 0; at + count < t->held_count && count < (size_t)t->recipe->per_device_eval_batch_size; count++) {
			const size_t length = attend_examples_length(x, t->held[at + count]);
			if (count && tokens + length > t->max_tokens) break;
			tokens += length;
		}
		attend_loss loss;
		ATTEND_TRY(attend_trainer_run_batch(t, x, t->held + at, count));
		attend_targets targets = targets_of(t, d, x, t->held + at, count);
		targets.smoothing = 0;
		targets.class_weights = NULL;
		ATTEND_TRY(attend_session_loss(t->session, t->head, &targets, 0, &loss));
		ATTEND_TRY(attend_session_head(t->session, t->head, NULL, count, t->logits));
		y->loss += loss.loss * (double)count;
		count_rows(t, y, d, t->logits, t->held + at, at, count);
	}
	return ATTEND_OK;
}

static attend_status summarise(attend_trainer *t, tally *y, attend_train_metrics *out)
{
	*out = (attend_train_metrics){
		y->loss / (double)t->held_count, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, t->held_count};
	if (t->regression) {
		attend_regression_metrics m;
		ATTEND_TRY(attend_regression_measure(&m, y->labels, y->predictions, t->held_count));
		out->pearson = m.pearson;
		out->spearman = m.spearman;
		out->mse = m.mse;
		out->mae = m.mae;
		return ATTEND_OK;
	}
	attend_classification_metrics m;
	if (t->multi) attend_multi_label_measure(&m, y->per_class, y->truth, y->predicted, t->held_count, t->outputs);
	else attend_classification_measure(&m, y->per_class, y->confusion, t->outputs);
	out->accuracy = m.accuracy;
	out->f1_macro = m.macro.f1;
	out->f1_micro = m.micro.f1;
	out->matthews = m.matthews;
	return ATTEND_OK;
}

attend_status attend_trainer_evaluate(attend_trainer *trainer, attend_train_metrics *out)
{
	attend_trainer *t = trainer;
	if (t->held_count == 0) return attend_fail(ATTEND_ERR_ARG, "there is no validation data");
	const size_t n = t->held_count, cells = n * t->outputs;
	tally y = {.confusion = calloc(t->outputs * t->outputs, sizeof(uint64_t)),
	           .per_class = calloc(t->outputs, sizeof(attend_class_metrics)),
	           .truth = malloc(cells + 1),
	           .predicted = malloc(cells + 1),
	           .labels = attend_alloc_array(n, sizeof(double)),
	           .predictions = attend_alloc_array(n, sizeof(double))};
	attend_status status = y.confusion && y.per_class && y.truth && y.predicted && y.labels && y.predictions
	                           ? ATTEND_OK
	                           : attend_fail_memory(cells, "evaluation");
	const size_t tokens = t->run_tokens;
	attend_session_set_dropout(t->session, false, 0, 0);
	attend_session_set_evaluating(t->session, true);
	if (status == ATTEND_OK && t->text_task) {
		status = attend_text_task_evaluate(t, out);
	} else {
		if (status == ATTEND_OK) status = evaluate_all(t, &y);
		if (status == ATTEND_OK) status = summarise(t, &y, out);
	}
	attend_session_set_evaluating(t->session, false);
	t->run_tokens = tokens; /* speed is that of training */
	void *const owned[] = {y.confusion, y.per_class, y.truth, y.predicted, y.labels, y.predictions};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
	return status;
}

static const struct metric {
	const char *name;
	size_t offset;
	bool rises;
} metrics[] = {
	{"loss", offsetof(attend_train_metrics, loss), false},
	{"accuracy", offsetof(attend_train_metrics, accuracy), true},
	{"f1_macro", offsetof(attend_train_metrics, f1_macro), true},
	{"f1_micro", offsetof(attend_train_metrics, f1_micro), true},
	{"matthews", offsetof(attend_train_metrics, matthews), true},
	{"pearson", offsetof(attend_train_metrics, pearson), true},
	{"spearman", offsetof(attend_train_metrics, spearman), true},
	{"mse", offsetof(attend_train_metrics, mse), false},
	{"mae", offsetof(attend_train_metrics, mae), false},
};

static const struct metric *find_metric(const char *name)
{
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
		if (strcmp(metrics[i].name, name) == 0) return &metrics[i];
	return &metrics[0];
}

double attend_train_metric(const attend_train_metrics *m, const char *name)
{
	return *(const double *)((const char *)m + find_metric(name)->offset);
}

bool attend_train_metric_rises(const char *name)
{
	return find_metric(name)->rises;
}

/* ---- The loop ----------------------------------------------------------------------------------------------------------------- */

attend_status attend_trainer_log(attend_trainer *trainer, const attend_log_entry *entry)
{
	attend_train_state *s = &trainer->state;
	ATTEND_TRY(attend_grow(&s->log, &s->log_capacity, s->log_count + 1, sizeof *s->log, "training log"));
	s->log[s->log_count++] = *entry;
	return ATTEND_OK;
}

static attend_status log_training(attend_trainer *t, const attend_train_progress *p)
{
	attend_train_state *s = &t->state;
	const attend_log_entry entry = {.step = p->step,
	                                .epoch = p->epoch,
	                                .loss = s->loss_count ? s->loss_sum / (double)s->loss_count : NAN,
	                                .grad_norm = p->grad_norm,
	                                .learning_rate = p->learning_rate};
	s->loss_sum = 0;
	s->loss_count = 0;
	ATTEND_TRY(attend_trainer_log(t, &entry));
	return attend_event_log_add(t);
}

/* Evaluate, remember the best; *finish: early stopping says that it is enough. */
static attend_status evaluate_now(attend_trainer *t, const attend_train_progress *p, bool *improved, bool *finish)
{
	attend_train_metrics m;
	attend_train_state *s = &t->state;
	ATTEND_TRY(attend_trainer_evaluate(t, &m));
	const attend_log_entry entry = {.step = p->step, .epoch = p->epoch, .loss = NAN, .evaluated = true, .metrics = m};
	ATTEND_TRY(attend_trainer_log(t, &entry));
	ATTEND_TRY(attend_event_log_add(t));
	const char *name = t->recipe->metric_for_best_model;
	const double value = attend_train_metric(&m, name),
				 gain = attend_train_metric_rises(name) ? value - s->best_metric : s->best_metric - value;
	*improved = s->best_step == 0 || gain > 0;
	if (s->best_step && !(gain > t->recipe->early_stopping_threshold)) s->bad_evaluations++;
	else s->bad_evaluations = 0;
	if (*improved) {
		s->best_metric = value;
		s->best_step = p->step;
	}
	*finish =
		t->recipe->early_stopping_patience > 0 && s->bad_evaluations >= (size_t)t->recipe->early_stopping_patience;
	if (t->hooks.evaluated) t->hooks.evaluated(t->hooks.payload, p, &m);
	return ATTEND_OK;
}

static bool due(const attend_trainer *t, const char *strategy, int64_t every, size_t step, bool last)
{
	size_t within;
	if (strcmp(strategy, "epoch") == 0) return last || (attend_trainer_epoch(t, step, &within), within == 0);
	return strcmp(strategy, "steps") == 0 && (step % (size_t)every == 0 || last);
}

attend_status attend_trainer_run(attend_trainer *trainer)
{
	attend_trainer *t = trainer;
	bool done = t->state.step >= t->plan.steps;
	ATTEND_TRY(attend_trainer_open_output(t));
	ATTEND_TRY(attend_event_log_open(t));
	while (!done) {
		attend_train_progress p;
		ATTEND_TRY(attend_trainer_step(t, &p, &done));
		if (p.step % (size_t)t->recipe->logging_steps == 0 || done) ATTEND_TRY(log_training(t, &p));
		if (t->hooks.step) t->hooks.step(t->hooks.payload, &p);
		bool improved = false, finish = false;
		if (t->held_count && due(t, t->recipe->eval_strategy, t->recipe->eval_steps, p.step, done))
			ATTEND_TRY(evaluate_now(t, &p, &improved, &finish));
		const bool saves = due(t, t->recipe->save_strategy, t->recipe->save_steps, p.step, done);
		const bool stopped = atomic_load(&t->stop) != 0 && !done;
		if (saves || stopped || (improved && t->recipe->load_best_model_at_end))
			ATTEND_TRY(attend_trainer_checkpoint(t));
		if (stopped)
			return attend_fail(ATTEND_ERR_CANCELLED, "stopped after step %zu of %zu: resume goes on from there", p.step,
			                   t->plan.steps);
		if (finish && t->state.loss_count) ATTEND_TRY(log_training(t, &p));
		done |= finish;
	}
	if (t->recipe->load_best_model_at_end) ATTEND_TRY(attend_trainer_load_best(t));
	return attend_trainer_finish(t);
}
