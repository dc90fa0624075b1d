/* classify.c: HF's text-classification pipeline (huggingface.md section 5.2), and next-sentence scores. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/tasks/pipeline.h"
#include "lib/tasks/rank.h"
#include "lib/train/examples.h"
#include "lib/train/pooled.h"

/* What a call of attend_classify or attend_next_sentence does with the logits [outputs] of one text. */
typedef attend_status (*take_logits)(void *payload, size_t text, const float *logits, size_t outputs);

/* Row that a pooled head reads for one text, where that is not a matter of the sequence alone: the right-most token that is
 * no padding, or the last eos (huggingface.md 2.7, 2.10). */
static size_t pooled_row(const attend_head_arch *head, const attend_arch *arch, const attend_sequence *sequence)
{
	const int32_t *ids = sequence->ids;
	size_t last = sequence->count == 0 ? 0 : sequence->count - 1;
	if (head->pooling == ATTEND_POOL_LAST_REAL && arch->pad_id >= 0)
		while (last > 0 && ids[last] == arch->pad_id) last--;
	if (head->pooling == ATTEND_POOL_LAST_EOS)
		while (last > 0 && ids[last] != arch->eos_id) last--;
	return last;
}

/* Run a head that gives one row per text. */
static attend_status run_pooled(attend_pipeline *p, size_t head_index, const attend_sequence *sequences, size_t count,
                                take_logits take, void *payload)
{
	const attend_arch *arch = &p->model->checkpoint->network.arch;
	const attend_head_arch *head = &arch->heads[head_index];
	const bool by_ids = head->pooling == ATTEND_POOL_LAST_REAL || head->pooling == ATTEND_POOL_LAST_EOS;
	size_t *rows = attend_alloc_array(count, sizeof *rows);
	attend_status status = rows != NULL ? ATTEND_OK : attend_fail_memory(count, "rows");
	for (size_t first = 0, n; status == ATTEND_OK && first < count; first += n) {
		n = attend_pipeline_group(sequences + first, count - first);
		status = attend_pipeline_run(p, sequences + first, n, attend_head_stack(arch, head), NULL);
		if (status == ATTEND_OK && by_ids)
			for (size_t i = 0; i < n; i++) rows[i] = p->offsets[i] + pooled_row(head, arch, &sequences[first + i]);
		if (status == ATTEND_OK) status = attend_pipeline_head(p, head_index, by_ids ? rows : NULL, n);
		for (size_t i = 0; i < n && status == ATTEND_OK; i++)
			status = take(payload, first + i, p->logits + i * head->outputs, head->outputs);
	}
	free(rows);
	return status;
}

/* One sequence of each text and, behind it, its further windows; owners (or NULL) says whose they are. */
static size_t list_sequences(attend_sequence *sequences, size_t *owners, const attend_encoded *encoded)
{
	size_t n = 0;
	for (size_t i = 0; i < encoded->count; i++)
		for (size_t w = 0; w <= encoded->items[i].overflowing_count; w++) {
			const attend_encoding *e = w == 0 ? &encoded->items[i] : &encoded->items[i].overflowing[w - 1];
			if (owners != NULL) owners[n] = i;
			if (sequences != NULL) sequences[n] = (attend_sequence){e->ids, e->type_ids, e->count};
			n++;
		}
	return n;
}

/* Pools what comes window by window, and hands each text on once. */
typedef struct pooled_take {
	const attend_encoded *encoded;
	const size_t *owners; /* of the sequences */
	size_t seen;          /* windows of the present text */
	float *row;
	attend_window_pooling pooling;
	take_logits take;
	void *payload;
} pooled_take;

static attend_status take_window(void *payload, size_t sequence, const float *logits, size_t outputs)
{
	pooled_take *p = payload;
	const size_t text = p->owners[sequence], windows = p->encoded->items[text].overflowing_count + 1;
	attend_pool_add(p->row, logits, outputs, p->seen++, p->pooling);
	if (p->seen < windows) return ATTEND_OK;
	attend_pool_end(p->row, outputs, windows, p->pooling);
	p->seen = 0;
	return p->take(p->payload, text, p->row, outputs);
}

static attend_status run_texts(attend_pipeline *p, attend_head_kind kind, const attend_encoded *encoded,
                               attend_window_pooling pooling, take_logits take, void *payload)
{
	size_t head;
	ATTEND_TRY(attend_model_need_head(&head, p->model, kind));
	const size_t count = list_sequences(NULL, NULL, encoded),
				 outputs = p->model->checkpoint->network.arch.heads[head].outputs;
	attend_sequence *sequences = attend_alloc_array(count, sizeof *sequences);
	size_t *owners = attend_alloc_array(count, sizeof *owners);
	pooled_take pooled = {.encoded = encoded,
	                      .owners = owners,
	                      .row = attend_alloc_array(outputs, sizeof(float)),
	                      .pooling = pooling,
	                      .take = take,
	                      .payload = payload};
	attend_status status = sequences != NULL && owners != NULL && pooled.row != NULL
	                           ? ATTEND_OK
	                           : attend_fail_memory(count * sizeof *sequences, "sequences");
	if (status == ATTEND_OK) {
		(void)list_sequences(sequences, owners, encoded);
		status = run_pooled(p, head, sequences, count, take_window, &pooled);
	}
	free(sequences);
	free(owners);
	free(pooled.row);
	return status;
}

/* ---- attend_classify ---- */

typedef struct classify_job {
	const attend_model *model;
	const attend_classify_options *options;
	const attend_encoded *encoded;
	attend_score_function function;
	attend_classification *results;
	float *scores;
	size_t *order;
} classify_job;

static attend_score_function choose_function(const attend_model *model, attend_score_function asked, size_t outputs)
{
	const attend_config *config = &model->checkpoint->config;
	if (asked != ATTEND_SCORE_DEFAULT) return asked;
	if (config->problem == ATTEND_PROBLEM_REGRESSION) return ATTEND_SCORE_NONE;
	if (config->problem == ATTEND_PROBLEM_MULTI_LABEL || outputs == 1) return ATTEND_SCORE_SIGMOID;
	return ATTEND_SCORE_SOFTMAX;
}

static attend_status take_classes(void *payload, size_t text, const float *logits, size_t outputs)
{
	classify_job *job = payload;
	const attend_classify_options *o = job->options;
	const double temperature = o != NULL && o->temperature != 0 ? o->temperature : 1;
	for (size_t i = 0; i < outputs; i++) job->scores[i] = (float)((double)logits[i] / temperature);
	const attend_score_function function =
		choose_function(job->model, o != NULL ? o->function : ATTEND_SCORE_DEFAULT, outputs);
	if (function == ATTEND_SCORE_SOFTMAX) attend_rank_softmax(job->scores, job->scores, outputs);
	if (function == ATTEND_SCORE_SIGMOID)
		for (size_t i = 0; i < outputs; i++) job->scores[i] = (float)(1 / (1 + exp(-(double)job->scores[i])));
	const size_t wanted = o != NULL && o->top_k != 0 ? o->top_k : outputs;
	const size_t n = attend_rank_top(job->order, wanted, job->scores, outputs);
	attend_label_score *labels = attend_alloc_array(n + 1, sizeof *labels);
	if (labels == NULL) return attend_fail_memory(n, "labels");
	attend_classification *result = &job->results[text];
	*result = (attend_classification){.labels = labels,
	                                  .truncated = job->encoded->truncated[text],
	                                  .windows = job->encoded->items[text].overflowing_count + 1};
	for (size_t i = 0; i < n; i++) {
		const size_t index = job->order[i];
		const char *name = attend_model_label(job->model, index);
		if (o != NULL && o->threshold != 0 && !((double)job->scores[index] >= o->threshold)) continue;
		labels[result->count++] = (attend_label_score){name != NULL ? name : "?", index, job->scores[index]};
	}
	return ATTEND_OK;
}

static attend_status encode_texts(attend_encoded *out, const attend_model *model, const attend_text *texts,
                                  size_t count, const attend_classify_options *o)
{
	const size_t limit = attend_model_max_length(model);
	if (o == NULL || !o->window)
		return attend_pipeline_encode(out, model, texts, count, o != NULL ? o->cut : ATTEND_CUT_NEVER, limit, 0);
	const attend_tokenizer *tokenizer;
	attend_fitting fitting = {0};
	if (o->cut != ATTEND_CUT_NEVER)
		return attend_fail(ATTEND_ERR_ARG, "attend_classify: windows and cutting exclude each other");
	ATTEND_TRY(attend_model_need_tokenizer(&tokenizer, model));
	ATTEND_TRY(attend_fitting_windows(&fitting, o->window_length, o->window_stride, limit, tokenizer));
	return attend_pipeline_encode_windows(out, model, texts, count, fitting.window, fitting.window_stride);
}

attend_status attend_classify(attend_classification *out, attend_pipeline *pipeline, const attend_text *texts,
                              size_t count, const attend_classify_options *options)
{
	if (out == NULL || pipeline == NULL || (texts == NULL && count != 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_classify: out, pipeline and texts must not be NULL");
	if (options != NULL && (unsigned)options->window_pooling > ATTEND_WINDOW_MAX)
		return attend_fail(ATTEND_ERR_ARG, "attend_classify: unknown pooling %d", (int)options->window_pooling);
	if (options != NULL && (options->temperature < 0 || !isfinite(options->temperature)))
		return attend_fail(ATTEND_ERR_ARG, "attend_classify: temperature %g is not above 0", options->temperature);
	size_t head;
	ATTEND_TRY(attend_model_need_head(&head, pipeline->model, ATTEND_HEAD_SEQUENCE));
	if (count == 0) return ATTEND_OK;
	const size_t outputs = pipeline->model->checkpoint->network.arch.heads[head].outputs;
	attend_encoded encoded = {0};
	classify_job job = {.model = pipeline->model, .options = options, .encoded = &encoded};
	job.results = calloc(count, sizeof *job.results);
	job.scores = attend_alloc_array(outputs, sizeof *job.scores);
	job.order = attend_alloc_array(outputs, sizeof *job.order);
	attend_status status = job.results != NULL && job.scores != NULL && job.order != NULL
	                           ? ATTEND_OK
	                           : attend_fail_memory(count * sizeof *job.results, "results");
	if (status == ATTEND_OK) status = encode_texts(&encoded, pipeline->model, texts, count, options);
	if (status == ATTEND_OK)
		status = run_texts(pipeline, ATTEND_HEAD_SEQUENCE, &encoded,
		                   options != NULL ? options->window_pooling : ATTEND_WINDOW_MEAN, take_classes, &job);
	if (status == ATTEND_OK) memcpy(out, job.results, count * sizeof *job.results);
	else
		for (size_t i = 0; job.results != NULL && i < count; i++) attend_classification_free(&job.results[i]);
	attend_encoded_free(&encoded);
	free(job.results);
	free(job.scores);
	free(job.order);
	return status;
}

void attend_classification_free(attend_classification *result)
{
	if (result == NULL) return;
	free(result->labels);
	*result = (attend_classification){0};
}

/* ---- attend_next_sentence ---- */

static attend_status take_next(void *payload, size_t text, const float *logits, size_t outputs)
{
	float p[2];
	if (outputs != 2)
		return attend_fail(ATTEND_ERR_FORMAT, "the next-sentence head has %zu outputs, expected 2", outputs);
	attend_rank_softmax(p, logits, 2);
	((float *)payload)[text] = p[0];
	return ATTEND_OK;
}

attend_status attend_next_sentence(float *out, attend_pipeline *pipeline, const attend_text *texts, size_t count,
                                   attend_cut cut)
{
	if (out == NULL || pipeline == NULL || (texts == NULL && count != 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_next_sentence: out, pipeline and texts must not be NULL");
	for (size_t i = 0; i < count; i++)
		if (texts[i].pair == NULL) return attend_fail_at(attend_fail(ATTEND_ERR_ARG, "the text has no pair"), i, count);
	attend_encoded encoded = {0};
	ATTEND_TRY(attend_pipeline_encode(&encoded, pipeline->model, texts, count, cut,
	                                  attend_model_max_length(pipeline->model), 0));
	const attend_status status = run_texts(pipeline, ATTEND_HEAD_NSP, &encoded, ATTEND_WINDOW_MEAN, take_next, out);
	attend_encoded_free(&encoded);
	return status;
}
