/* qa.c: HF's extractive question-answering pipeline (huggingface.md section 5.4; transformers 4.57
 * pipelines/question_answering.py): windows of the context, softmax of starts and of ends within each window,
 * score(s, e) = start[s] * end[e] for s <= e < s + max_answer_len. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/tasks/pipeline.h"
#include "lib/tasks/rank.h"
#include "tokenizer/unicode.h"

typedef struct candidate {
	double score;
	size_t start, end; /* tokens, inclusive */
} candidate;

typedef struct qa_job {
	attend_pipeline *pipeline;
	const attend_tokenizer *tokenizer;
	size_t head;
	size_t top_k, stride, max_answer, max_sequence, before; /* before: candidates taken from each window */
	bool impossible, whole_words;
	double null_score; /* least over the windows */
} qa_job;

typedef struct answer_list {
	attend_answer *items;
	attend_span *bytes; /* of the context, parallel to items */
	size_t count, capacity, bytes_capacity;
} answer_list;

/* Probabilities of one side over the tokens that may be in an answer, the rest 0 as good as: their logits count as -10000. */
static void side_probabilities(float *p, const float *logits, size_t side, const uint8_t *desired, size_t n)
{
	for (size_t i = 0; i < n; i++) p[i] = desired[i] ? logits[2 * i + side] : -10000.0f;
	attend_rank_softmax(p, p, n);
}

/* The best spans of one window, best first (ties: earlier start, then earlier end). */
static size_t best_spans(candidate *best, const qa_job *job, const float *start, const float *end,
                         const uint8_t *desired, size_t n)
{
	size_t count = 0;
	for (size_t s = 0; s < n; s++) {
		if (!desired[s] || start[s] == 0) continue;
		for (size_t e = s; e < n && e - s < job->max_answer; e++) {
			const double score = (double)start[s] * (double)end[e];
			if (!desired[e] || score == 0 || (count == job->before && score <= best[count - 1].score)) continue;
			size_t at = count < job->before ? count++ : count - 1;
			for (; at > 0 && best[at - 1].score < score; at--) best[at] = best[at - 1];
			best[at] = (candidate){score, s, e};
		}
	}
	return count;
}

/* Bytes and characters of the words that hold tokens s and e, or of the tokens themselves. */
static void answer_span(attend_span *bytes, attend_span *chars, const attend_encoding *w, size_t s, size_t e,
                        bool whole_words)
{
	if (whole_words && w->word_ids[s] >= 0 && w->word_ids[e] >= 0) {
		while (s > 0 && w->word_ids[s - 1] == w->word_ids[s] && w->sequence_ids[s - 1] == w->sequence_ids[s]) s--;
		while (e + 1 < w->count && w->word_ids[e + 1] == w->word_ids[e] && w->sequence_ids[e + 1] == w->sequence_ids[e])
			e++;
	}
	*bytes = (attend_span){w->byte_offsets[s].start, w->byte_offsets[e].end};
	*chars = (attend_span){w->offsets[s].start, w->offsets[e].end};
}

/* Python's a.lower() == b.lower() (by Rust's lower case, which differs on a final sigma only). */
static bool same_letters(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t i = 0, j = 0;
	while (i < a_size && j < b_size) {
		size_t m, n;
		uint32_t x[3] = {0}, y[3] = {0};
		(void)attend_lowercase(x, attend_utf8_decode(a + i, &m));
		(void)attend_lowercase(y, attend_utf8_decode(b + j, &n));
		if (memcmp(x, y, sizeof x) != 0) return false;
		i += m;
		j += n;
	}
	return i == a_size && j == b_size;
}

/* An answer that was found before (in other letters' case too) gets the score on top; else it is appended. */
static attend_status add_answer(answer_list *list, const attend_text *text, attend_span bytes, attend_span chars,
                                double score)
{
	for (size_t i = 0; i < list->count; i++) {
		const attend_span known = list->bytes[i];
		if (!same_letters(text->pair + known.start, known.end - known.start, text->pair + bytes.start,
		                  bytes.end - bytes.start))
			continue;
		list->items[i].score += score;
		return ATTEND_OK;
	}
	ATTEND_TRY(attend_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "answers"));
	ATTEND_TRY(attend_grow(&list->bytes, &list->bytes_capacity, list->count + 1, sizeof *list->bytes, "answers"));
	list->bytes[list->count] = bytes;
	list->items[list->count++] = (attend_answer){.score = score, .start = chars.start, .end = chars.end};
	return ATTEND_OK;
}

static attend_status read_window(answer_list *list, qa_job *job, const attend_encoding *w, const attend_text *text,
                                 float *p, uint8_t *desired, candidate *best)
{
	const size_t n = w->count;
	const int32_t cls = attend_tokenizer_special_id(job->tokenizer, ATTEND_TOKEN_CLS);
	float *start = p, *end = p + n;
	for (size_t i = 0; i < n; i++) desired[i] = w->sequence_ids[i] == 1 || (cls >= 0 && w->ids[i] == cls);
	side_probabilities(start, job->pipeline->logits, 0, desired, n);
	side_probabilities(end, job->pipeline->logits, 1, desired, n);
	if (n != 0) {
		const double null_score = (double)start[0] * (double)end[0];
		if (null_score < job->null_score) job->null_score = null_score;
		start[0] = end[0] = 0;
	}
	const size_t count = best_spans(best, job, start, end, desired, n);
	for (size_t i = 0; i < count; i++) {
		attend_span bytes, chars;
		answer_span(&bytes, &chars, w, best[i].start, best[i].end, job->whole_words);
		if (bytes.start > bytes.end || bytes.end > text->pair_size) continue;
		ATTEND_TRY(add_answer(list, text, bytes, chars, best[i].score));
	}
	return ATTEND_OK;
}

static attend_status run_window(answer_list *list, qa_job *job, const attend_encoding *w, const attend_text *text)
{
	const attend_arch *arch = &job->pipeline->model->checkpoint->network.arch;
	const attend_sequence sequence = {w->ids, w->type_ids, w->count};
	ATTEND_TRY(
		attend_pipeline_run(job->pipeline, &sequence, 1, attend_head_stack(arch, &arch->heads[job->head]), NULL));
	ATTEND_TRY(attend_pipeline_head(job->pipeline, job->head, NULL, w->count));
	float *p = attend_alloc_array(2 * w->count, sizeof *p);
	uint8_t *desired = attend_alloc_array(w->count, 1);
	candidate *best = attend_alloc_array(job->before, sizeof *best);
	attend_status status =
		p != NULL && desired != NULL && best != NULL ? ATTEND_OK : attend_fail_memory(w->count * 9, "answers");
	if (status == ATTEND_OK) status = read_window(list, job, w, text, p, desired, best);
	free(p);
	free(desired);
	free(best);
	return status;
}

static attend_status run_windows(answer_list *list, qa_job *job, const attend_text *text)
{
	const attend_encode_options options = {.truncation = ATTEND_TRUNCATE_ONLY_SECOND,
	                                       .max_length = job->max_sequence,
	                                       .stride = job->stride,
	                                       .return_overflowing = true,
	                                       .fields = ATTEND_ENCODE_OFFSETS};
	attend_encoding e;
	ATTEND_TRY(attend_tokenizer_encode_pair(&e, job->tokenizer, text->text, text->size, text->pair, text->pair_size,
	                                        &options));
	attend_status status = run_window(list, job, &e, text);
	for (size_t i = 0; i < e.overflowing_count && status == ATTEND_OK; i++)
		status = run_window(list, job, &e.overflowing[i], text);
	attend_encoding_free(&e);
	return status;
}

/* The top_k best answers into the result; `order` is stable for equal scores. */
static attend_status finish(attend_answers *out, const qa_job *job, const answer_list *list, const attend_text *text)
{
	attend_bag *bag;
	ATTEND_TRY(attend_bag_new(&bag));
	const size_t total = list->count + (job->impossible ? 1 : 0), n = total < job->top_k ? total : job->top_k;
	attend_answer *items = attend_bag_take(bag, n + 1, sizeof *items);
	size_t count = 0;
	attend_status status = items != NULL ? ATTEND_OK : ATTEND_ERR_NOMEM;
	for (size_t i = 0; i < total && status == ATTEND_OK; i++) {
		attend_answer answer = {.score = job->null_score, .answer = ""};
		if (i < list->count) {
			answer = list->items[i];
			answer.answer =
				attend_bag_text(bag, text->pair + list->bytes[i].start, list->bytes[i].end - list->bytes[i].start);
			if (answer.answer == NULL) status = ATTEND_ERR_NOMEM;
		}
		if (count == n && (n == 0 || answer.score <= items[n - 1].score)) continue;
		size_t at = count < n ? count++ : n - 1;
		for (; at > 0 && items[at - 1].score < answer.score; at--) items[at] = items[at - 1];
		items[at] = answer;
	}
	if (status == ATTEND_OK) *out = (attend_answers){.items = items, .count = count, .storage = bag};
	else attend_bag_free(bag);
	return status;
}

static attend_status answer_text(attend_answers *out, qa_job *job, const attend_text *text)
{
	if (text->pair == NULL) return attend_fail(ATTEND_ERR_ARG, "a question needs a context");
	answer_list list = {0};
	job->null_score = 1000000;
	attend_status status = run_windows(&list, job, text);
	if (status == ATTEND_OK) status = finish(out, job, &list, text);
	free(list.items);
	free(list.bytes);
	return status;
}

static attend_status plan(qa_job *job, attend_pipeline *pipeline, const attend_qa_options *options)
{
	const attend_qa_options o = options != NULL ? *options : (attend_qa_options){0};
	const size_t limit = attend_model_max_length(pipeline->model);
	job->pipeline = pipeline;
	ATTEND_TRY(attend_model_need_tokenizer(&job->tokenizer, pipeline->model));
	ATTEND_TRY(attend_model_need_head(&job->head, pipeline->model, ATTEND_HEAD_QA));
	job->top_k = o.top_k != 0 ? o.top_k : 1;
	job->max_answer = o.max_answer_len != 0 ? o.max_answer_len : 15;
	job->max_sequence = o.max_seq_len != 0 ? o.max_seq_len : limit < 384 ? limit : 384;
	if (job->max_sequence > limit)
		return attend_fail(ATTEND_ERR_ARG, "windows of %zu tokens: the model takes at most %zu", job->max_sequence,
		                   limit);
	job->stride = o.doc_stride != 0 ? o.doc_stride : job->max_sequence / 2 < 128 ? job->max_sequence / 2 : 128;
	if (job->stride > job->max_sequence)
		return attend_fail(ATTEND_ERR_ARG, "a stride of %zu tokens is longer than a window of %zu", job->stride,
		                   job->max_sequence);
	job->whole_words = !o.keep_token_bounds;
	if (job->top_k > SIZE_MAX / 4) return attend_fail(ATTEND_ERR_ARG, "top_k %zu is out of range", job->top_k);
	job->before = job->whole_words ? 2 * job->top_k + 10 : job->top_k; /* some fall together when widened to words */
	const size_t spans =
		job->max_sequence < SIZE_MAX / job->max_answer ? job->max_sequence * job->max_answer : SIZE_MAX;
	if (job->before > spans) job->before = spans;
	job->impossible = o.handle_impossible_answer;
	return ATTEND_OK;
}

attend_status attend_answer_question(attend_answers *out, attend_pipeline *pipeline, const attend_text *texts,
                                     size_t count, const attend_qa_options *options)
{
	if (out == NULL || pipeline == NULL || (texts == NULL && count != 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_answer_question: out, pipeline and texts must not be NULL");
	qa_job job = {0};
	ATTEND_TRY(plan(&job, pipeline, options));
	for (size_t i = 0; i < count; i++) {
		const attend_status status = answer_text(&out[i], &job, &texts[i]);
		if (status == ATTEND_OK) continue;
		for (size_t j = 0; j < i; j++) attend_answers_free(&out[j]);
		return attend_fail_at(status, i, count);
	}
	return ATTEND_OK;
}

void attend_answers_free(attend_answers *result)
{
	if (result == NULL) return;
	attend_bag_free(result->storage);
	*result = (attend_answers){0};
}
