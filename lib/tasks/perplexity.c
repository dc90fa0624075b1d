/* perplexity.c: perplexity of a long text by a sliding window, as transformers' documentation does it ("Perplexity of
 * fixed-length models"): windows of max_length tokens that move by `stride`; in each only the tokens that the windows before it
 * did not score count. The documentation weights a window's mean by its new tokens less one; `mean` keeps to that, so that
 * numbers compare; `nll` is the exact sum. */
#include <math.h>
#include <stdlib.h>

#include "lib/core/arena.h"
#include "lib/tasks/pipeline.h"

enum { ROWS = 64 }; /* rows of logits that exist at a time */

typedef struct window {
	size_t begin, end, fresh; /* tokens [begin, end) of the text; the last `fresh` of them are new */
} window;

/* -log softmax(logits)[label] */
static double negative_log_likelihood(const float *logits, size_t n, int32_t label)
{
	float max = -INFINITY;
	double sum = 0;
	for (size_t i = 0; i < n; i++) max = logits[i] > max ? logits[i] : max;
	for (size_t i = 0; i < n; i++) sum += exp((double)logits[i] - (double)max);
	return log(sum) + (double)max - (double)logits[label];
}

/* Sum over the new tokens of a window that has just run as sequence `s` of its group. *count: how many. */
static attend_status score_window(double *nll, size_t *count, attend_pipeline *p, size_t head, size_t s,
                                  const window *w, const int32_t *ids)
{
	const size_t vocab = p->model->checkpoint->network.arch.heads[head].outputs, length = w->end - w->begin;
	size_t first = length - w->fresh; /* first target; token 0 of a window has no prediction */
	if (first == 0) first = 1;
	*nll = 0;
	*count = length - first;
	for (size_t target = first, n; target < length; target += n) {
		size_t rows[ROWS];
		n = length - target < ROWS ? length - target : ROWS;
		for (size_t i = 0; i < n; i++) rows[i] = p->offsets[s] + target + i - 1;
		ATTEND_TRY(attend_pipeline_head(p, head, rows, n));
		for (size_t i = 0; i < n; i++)
			*nll += negative_log_likelihood(p->logits + i * vocab, vocab, ids[w->begin + target + i]);
	}
	return ATTEND_OK;
}

static attend_status run_windows(attend_perplexity_result *out, attend_pipeline *p, size_t head, const window *windows,
                                 size_t count, const attend_encoding *encoding,
                                 const attend_perplexity_options *options)
{
	double weighted = 0, weights = 0;
	attend_sequence *sequences = attend_alloc_array(count, sizeof *sequences);
	if (sequences == NULL) return attend_fail_memory(count * sizeof *sequences, "windows");
	for (size_t i = 0; i < count; i++)
		sequences[i] = (attend_sequence){encoding->ids + windows[i].begin, NULL, windows[i].end - windows[i].begin};
	attend_status status = ATTEND_OK;
	for (size_t first = 0, n; status == ATTEND_OK && first < count; first += n) {
		n = attend_pipeline_group(sequences + first, count - first);
		status = attend_pipeline_run(p, sequences + first, n, 1, NULL);
		for (size_t i = 0; i < n && status == ATTEND_OK; i++) {
			const window *w = &windows[first + i];
			double nll;
			size_t scored;
			status = score_window(&nll, &scored, p, head, i, w, encoding->ids);
			if (status != ATTEND_OK || scored == 0) continue;
			out->nll += nll;
			out->predicted += scored;
			weighted += nll / (double)scored * (double)(w->fresh - 1);
			weights += (double)(w->fresh - 1);
		}
		if (status == ATTEND_OK && options != NULL && options->progress != NULL &&
		    !options->progress(options->payload, windows[first + n - 1].end, encoding->count))
			status = attend_fail(ATTEND_ERR_CANCELLED, "cancelled after %zu of %zu tokens", windows[first + n - 1].end,
			                     encoding->count);
	}
	free(sequences);
	out->mean = weights > 0 ? weighted / weights : out->nll / (double)out->predicted;
	out->perplexity = exp(out->mean);
	return status;
}

static attend_status make_windows(window **out, size_t *count, size_t tokens, size_t length, size_t stride)
{
	size_t capacity = 0, done = 0;
	for (size_t begin = 0;; begin += stride) {
		const size_t end = tokens - begin < length ? tokens : begin + length;
		ATTEND_TRY(attend_grow(out, &capacity, *count + 1, sizeof **out, "windows"));
		(*out)[(*count)++] = (window){begin, end, end - done};
		done = end;
		if (end == tokens) return ATTEND_OK;
	}
}

static attend_status choose_sizes(size_t *length, size_t *stride, const attend_model *model,
                                  const attend_perplexity_options *options)
{
	const size_t limit = attend_model_max_length(model);
	*length = options != NULL && options->max_length != 0 ? options->max_length : limit != SIZE_MAX ? limit : 1024;
	if (*length > limit)
		return attend_fail(ATTEND_ERR_ARG, "windows of %zu tokens: the model takes at most %zu", *length, limit);
	if (*length < 2) return attend_fail(ATTEND_ERR_ARG, "windows of %zu tokens: at least 2 are needed", *length);
	*stride = options != NULL && options->stride != 0 ? options->stride : *length < 512 ? *length : 512;
	if (*stride > *length)
		return attend_fail(ATTEND_ERR_ARG, "a stride of %zu tokens would jump over some: windows have %zu", *stride,
		                   *length);
	return ATTEND_OK;
}

attend_status attend_perplexity(attend_perplexity_result *out, attend_pipeline *pipeline, const char *text, size_t size,
                                const attend_perplexity_options *options)
{
	if (out == NULL || pipeline == NULL || text == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_perplexity: out, pipeline and text must not be NULL");
	size_t head, length = 0, stride = 0, count = 0;
	window *windows = NULL;
	attend_encoded encoded;
	const attend_text whole = {.text = text, .size = size};
	ATTEND_TRY(attend_model_need_head(&head, pipeline->model, ATTEND_HEAD_LM));
	ATTEND_TRY(choose_sizes(&length, &stride, pipeline->model, options));
	ATTEND_TRY(attend_pipeline_encode(&encoded, pipeline->model, &whole, 1, ATTEND_CUT_NEVER, SIZE_MAX, 0));
	attend_perplexity_result result = {.tokens = encoded.items[0].count};
	attend_status status = ATTEND_OK;
	if (result.tokens < 2)
		status = attend_fail(ATTEND_ERR_DATA, "the text has %zu tokens; perplexity needs at least 2", result.tokens);
	if (status == ATTEND_OK) status = make_windows(&windows, &count, result.tokens, length, stride);
	result.windows = count;
	if (status == ATTEND_OK) status = run_windows(&result, pipeline, head, windows, count, &encoded.items[0], options);
	if (status == ATTEND_OK) *out = result;
	free(windows);
	attend_encoded_free(&encoded);
	return status;
}
