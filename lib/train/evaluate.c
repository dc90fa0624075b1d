/* evaluate.c: a trained classifier on a labelled file: metrics, confusion matrix, the worst errors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/nn/heads.h"
#include "lib/nn/network.h"
#include "lib/train/calibrate.h"
#include "lib/train/metrics.h"
#include "lib/train/pooled.h"
#include "lib/train/recipe.h"
#include "loaders/checkpoint.h"

/* Everything behind an attend_evaluation, and what is needed while it is made. */
typedef struct store {
	attend_checkpoint *checkpoint;
	attend_tokenizer *tokenizer;
	attend_dataset *data;
	attend_examples examples;
	attend_session *session;
	attend_label_report *labels;
	attend_class_metrics *per_class;
	uint64_t *confusion;
	float *logits;                /* [count, outputs] */
	int32_t *wanted;              /* [count] single label */
	uint8_t *truth, *predictions; /* multi-label */
	attend_mistake *mistakes;
	size_t head, outputs;
	bool regression, multi;
} store;

static void free_store(store *s)
{
	if (!s) return;
	attend_session_free(s->session);
	attend_examples_free(&s->examples);
	attend_dataset_free(s->data);
	attend_tokenizer_free(s->tokenizer);
	attend_checkpoint_free(s->checkpoint);
	void *const owned[] = {s->labels, s->per_class,   s->confusion, s->logits, s->wanted,
	                       s->truth,  s->predictions, s->mistakes,  s};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

void attend_evaluation_free(attend_evaluation *evaluation)
{
	if (!evaluation) return;
	free_store(evaluation->storage);
	*evaluation = (attend_evaluation){0};
}

/* ---- Model and data --------------------------------------------------------------------------------------------------------- */

static attend_status open_model(store *s, const char *model)
{
	ATTEND_TRY(attend_checkpoint_load(&s->checkpoint, model, NULL));
	const int head = attend_network_find_head(&s->checkpoint->network, ATTEND_HEAD_SEQUENCE);
	if (head < 0 || !s->checkpoint->network.heads[head].present)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: a %s checkpoint without the sequence head that this needs",
		                   model, s->checkpoint->config.model_type);
	s->head = (size_t)head;
	s->outputs = s->checkpoint->network.arch.heads[head].outputs;
	s->regression = s->checkpoint->config.problem == ATTEND_PROBLEM_REGRESSION || s->outputs == 1;
	s->multi = s->checkpoint->config.problem == ATTEND_PROBLEM_MULTI_LABEL;
	return attend_tokenizer_load(&s->tokenizer, s->checkpoint->dir);
}

static attend_status choose_type(store *s, const char *model, const attend_recipe *recipe)
{
	static const char *const names[] = {"f32", "bf16", "int8", "int4", "stored"};
	const attend_pack_type types[] = {ATTEND_PACK_F32, ATTEND_PACK_BF16, ATTEND_PACK_INT8, ATTEND_PACK_INT4,
	                                  s->checkpoint->network.stored_type};
	size_t i = 0;
	while (i < 4 && strcmp(recipe->dtype, names[i]) != 0) i++;
	const attend_status status = attend_network_set_type(&s->checkpoint->network, types[i]);
	return status == ATTEND_OK ? status : attend_fail_in(status, model);
}

static attend_status open_data(store *s, const attend_recipe *recipe)
{
	const attend_arch *arch = &s->checkpoint->network.arch;
	const attend_stack_arch *reads = arch->has_encoder ? &arch->encoder : &arch->decoder;
	attend_dataset_options options;
	ATTEND_TRY(attend_recipe_data(&options, recipe));
	options.labels = s->regression ? ATTEND_LABELS_REGRESSION : s->multi ? ATTEND_LABELS_MULTI : ATTEND_LABELS_SINGLE;
	options.label_names = s->regression ? NULL : (const char *const *)s->checkpoint->config.labels;
	options.label_count = s->checkpoint->config.label_count;
	ATTEND_TRY(attend_dataset_open(&s->data, recipe->validation_file, &options));
	attend_fitting fitting;
	ATTEND_TRY(attend_fitting_read(&fitting, recipe, reads->max_positions, s->tokenizer));
	return attend_examples_encode(&s->examples, s->data, s->tokenizer, &fitting, reads->vocab);
}

static attend_status reserve(store *s, size_t mistakes)
{
	const size_t n = s->data->count, cells = n * s->outputs;
	s->labels = calloc(s->outputs + 1, sizeof *s->labels);
	s->per_class = calloc(s->outputs + 1, sizeof *s->per_class);
	s->confusion = calloc(s->outputs * s->outputs + 1, sizeof *s->confusion);
	s->logits = attend_alloc_array(cells + 1, sizeof *s->logits);
	s->wanted = attend_alloc_array(n + 1, sizeof *s->wanted);
	s->truth = calloc(cells + 1, 1);
	s->predictions = calloc(cells + 1, 1);
	s->mistakes = attend_alloc_array((mistakes < n ? mistakes : n) + 1, sizeof *s->mistakes);
	if (s->labels && s->per_class && s->confusion && s->logits && s->wanted && s->truth && s->predictions &&
	    s->mistakes)
		return ATTEND_OK;
	return attend_fail_memory(cells * sizeof *s->logits, "evaluation");
}

/* ---- Running ------------------------------------------------------------------------------------------------------------------ */

static attend_status run_all(store *s, const attend_recipe *recipe)
{
	const size_t batch_size = (size_t)recipe->per_device_eval_batch_size, tokens = batch_size * s->examples.longest;
	const attend_session_options plan = {.max_tokens = tokens, .max_sequences = batch_size};
	attend_example_batch batch = {0};
	attend_pooled_run run = {.batch = &batch,
	                         .max_sequences = batch_size,
	                         .max_tokens = tokens,
	                         .head = s->head,
	                         .outputs = s->outputs,
	                         .scratch = attend_alloc_array(batch_size * s->outputs, sizeof(float)),
	                         .pooling = attend_recipe_pooling(recipe)};
	attend_status status = run.scratch ? ATTEND_OK : attend_fail_memory(batch_size * sizeof(float), "batch");
	if (status == ATTEND_OK) status = attend_example_batch_init(&batch, batch_size, tokens);
	if (status == ATTEND_OK) status = attend_session_new(&s->session, &s->checkpoint->network, &plan);
	run.session = s->session;
	if (status == ATTEND_OK) status = attend_pooled_logits(s->logits, &run, &s->examples, NULL, s->data->count);
	attend_example_batch_free(&batch);
	free(run.scratch);
	return status;
}

/* ---- Counting ------------------------------------------------------------------------------------------------------------------ */

/* Keep the worst `room` mistakes, the worst first. */
static void keep_mistake(store *s, size_t *count, size_t room, const attend_mistake *m, double badness,
                         double *badnesses)
{
	size_t at = *count < room ? (*count)++ : room;
	if (at == room && (room == 0 || badnesses[room - 1] >= badness)) return;
	if (at == room) at--;
	while (at > 0 && badnesses[at - 1] < badness) {
		badnesses[at] = badnesses[at - 1];
		s->mistakes[at] = s->mistakes[at - 1];
		at--;
	}
	badnesses[at] = badness;
	s->mistakes[at] = *m;
}

static attend_mistake mistake_of(const attend_example *e)
{
	return (attend_mistake){.text = e->text, .pair = e->pair, .line = e->line, .label = -1, .predicted = -1};
}

/* Loss of one example; what is wrong with it, and how badly (<= 0: nothing). */
static double judge(store *s, size_t i, attend_mistake *m, double *badness)
{
	const attend_example *e = &s->data->examples[i];
	const float *row = s->logits + i * s->outputs;
	const double loss = attend_row_loss(e, s->data->kind, row, s->outputs);
	*m = mistake_of(e);
	if (s->regression) {
		m->expected = e->value;
		m->found = (double)row[0];
		*badness = loss;
		return loss;
	}
	if (s->multi) {
		bool wrong = false;
		for (size_t j = 0; j < e->label_count; j++) s->truth[i * s->outputs + (size_t)e->labels[j]] = 1;
		for (size_t c = 0; c < s->outputs; c++) {
			const bool truth = s->truth[i * s->outputs + c] != 0;
			s->predictions[i * s->outputs + c] = row[c] > 0;
			wrong |= truth != (row[c] > 0);
		}
		*badness = wrong ? loss : 0;
		return loss;
	}
	int best = 0;
	for (size_t c = 1; c < s->outputs; c++)
		if (row[c] > row[best]) best = (int)c;
	m->label = e->label;
	m->predicted = best;
	m->expected = exp(-loss);
	m->found = exp((double)row[best] - attend_log_sum(row, s->outputs, 1));
	s->confusion[(size_t)e->label * s->outputs + (size_t)best]++;
	*badness = best == e->label ? 0 : loss;
	return loss;
}

static attend_status measure(store *s, attend_evaluation *out)
{
	attend_train_metrics *m = &out->metrics;
	const size_t n = s->data->count;
	m->accuracy = m->f1_macro = m->f1_micro = m->matthews = m->pearson = m->spearman = m->mse = m->mae = m->perplexity =
		NAN;
	m->examples = n;
	if (s->regression) {
		double *pairs = attend_alloc_array(2 * n, sizeof *pairs);
		attend_regression_metrics r;
		if (!pairs) return attend_fail_memory(2 * n * sizeof *pairs, "evaluation");
		for (size_t i = 0; i < n; i++) {
			pairs[i] = s->data->examples[i].value;
			pairs[n + i] = (double)s->logits[i];
		}
		const attend_status status = attend_regression_measure(&r, pairs, pairs + n, n);
		free(pairs);
		m->pearson = r.pearson;
		m->spearman = r.spearman;
		m->mse = r.mse;
		m->mae = r.mae;
		return status;
	}
	attend_classification_metrics c;
	if (s->multi) attend_multi_label_measure(&c, s->per_class, s->truth, s->predictions, n, s->outputs);
	else attend_classification_measure(&c, s->per_class, s->confusion, s->outputs);
	m->accuracy = c.accuracy;
	m->f1_macro = c.macro.f1;
	m->f1_micro = c.micro.f1;
	m->matthews = c.matthews;
	for (size_t i = 0; i < s->outputs; i++) {
		const attend_class_metrics *p = &s->per_class[i];
		s->labels[i] =
			(attend_label_report){s->checkpoint->config.labels[i], p->precision, p->recall, p->f1, p->support};
	}
	return ATTEND_OK;
}

static attend_status evaluate(store *s, attend_evaluation *out, const char *model, const attend_recipe *recipe,
                              size_t mistakes)
{
	ATTEND_TRY(open_model(s, model));
	ATTEND_TRY(choose_type(s, model, recipe));
	ATTEND_TRY(open_data(s, recipe));
	ATTEND_TRY(reserve(s, mistakes));
	ATTEND_TRY(run_all(s, recipe));
	const size_t room = mistakes < s->data->count ? mistakes : s->data->count;
	double *badnesses = attend_alloc_array(room + 1, sizeof *badnesses), loss = 0;
	if (!badnesses) return attend_fail_memory(room * sizeof *badnesses, "evaluation");
	size_t kept = 0;
	for (size_t i = 0; i < s->data->count; i++) {
		attend_mistake m;
		double badness = 0;
		s->wanted[i] = s->data->examples[i].label;
		loss += judge(s, i, &m, &badness);
		if (badness > 0) keep_mistake(s, &kept, room, &m, badness, badnesses);
	}
	free(badnesses);
	*out = (attend_evaluation){.regression = s->regression,
	                           .multi_label = s->multi,
	                           .label_count = s->regression ? 0 : s->outputs,
	                           .labels = s->labels,
	                           .confusion = s->regression || s->multi ? NULL : s->confusion,
	                           .mistakes = s->mistakes,
	                           .mistake_count = kept,
	                           .skipped = s->data->skipped,
	                           .too_long = s->examples.too_long,
	                           .windowed = s->examples.windowed,
	                           .windows = s->examples.windowed ? s->examples.count : 0,
	                           .columns = s->data->columns,
	                           .storage = s};
	out->metrics.loss = loss / (double)s->data->count;
	return measure(s, out);
}

attend_status attend_evaluate(attend_evaluation *out, const char *model, const attend_recipe *recipe, size_t mistakes)
{
	if (!out || !model || !recipe) return attend_fail(ATTEND_ERR_ARG, "attend_evaluate: a NULL argument");
	if (!*recipe->validation_file) return attend_fail(ATTEND_ERR_ARG, "no file to evaluate on (validation_file)");
	store *s = calloc(1, sizeof *s);
	attend_evaluation result = {0};
	if (!s) return attend_fail_memory(sizeof *s, "evaluation");
	const attend_status status = evaluate(s, &result, model, recipe, mistakes);
	if (status == ATTEND_OK) *out = result;
	else free_store(s);
	return status;
}

/* ---- Calibration --------------------------------------------------------------------------------------------------------------- */

static attend_status need_single(const attend_evaluation *e)
{
	if (!e || !e->storage) return attend_fail(ATTEND_ERR_ARG, "calibration: no evaluation");
	if (!e->regression && !e->multi_label) return ATTEND_OK;
	return attend_fail(ATTEND_ERR_UNSUPPORTED,
	                   "calibration needs a model that gives one label a text, this one gives %s",
	                   e->regression ? "a number" : "several");
}

attend_status attend_evaluation_calibration(attend_calibration *out, const attend_evaluation *evaluation,
                                            double temperature)
{
	ATTEND_TRY(need_single(evaluation));
	if (!(temperature > 0) || !isfinite(temperature))
		return attend_fail(ATTEND_ERR_ARG, "calibration: temperature %g is not above 0", temperature);
	const store *s = evaluation->storage;
	const size_t n = s->data->count;
	*out = (attend_calibration){temperature, attend_calibration_error(s->logits, s->wanted, n, s->outputs, temperature),
	                            attend_calibration_loss(s->logits, s->wanted, n, s->outputs, temperature)};
	return ATTEND_OK;
}

attend_status attend_evaluation_fit_temperature(double *out, const attend_evaluation *evaluation)
{
	ATTEND_TRY(need_single(evaluation));
	const store *s = evaluation->storage;
	const attend_status status = attend_calibration_fit(out, s->logits, s->wanted, s->data->count, s->outputs);
	return status == ATTEND_OK ? status : attend_fail_in(status, s->data->path);
}
