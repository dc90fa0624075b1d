/* fill_joint.c: all masks of a text together: beam search over the masks from left to right,
 *   score(t1 .. tm) = product over i of p(t_i | text with t1 .. t_{i-1} filled in).
 * One run per mask; the beams of a step are one ragged batch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/tasks/fill.h"
#include "lib/tasks/rank.h"

/* A beam's tokens so far, and its log-probability. */
typedef struct beam {
	int32_t *tokens; /* [mask_count] */
	double score;
} beam;

typedef struct beam_search {
	const attend_fill_job *job;
	const attend_encoding *encoding;
	const size_t *masks;
	size_t mask_count;
	beam *beams, *next; /* [job->beams] each, best first */
	size_t beam_count;
	int32_t *ids; /* [beams, encoding->count]: the text with each beam's tokens filled in */
	attend_sequence *sequences;
	float *p, *scratch;
	size_t *top; /* [job->beams] */
} beam_search;

/* Put a candidate into `next` if it is among the best. */
static void offer(beam_search *s, size_t *next_count, const beam *parent, size_t step, int32_t token, double score)
{
	const size_t width = s->job->beams;
	if (*next_count == width && score <= s->next[width - 1].score) return;
	size_t at = *next_count < width ? (*next_count)++ : width - 1;
	int32_t *room = s->next[at].tokens; /* of the one that falls out */
	for (; at > 0 && s->next[at - 1].score < score; at--) s->next[at] = s->next[at - 1];
	memcpy(room, parent->tokens, step * sizeof *room);
	room[step] = token;
	s->next[at] = (beam){.tokens = room, .score = score};
}

/* The candidates that beam b has for mask `step`, from its row of logits. */
static void extend(beam_search *s, size_t *next_count, size_t b, size_t step, const float *logits)
{
	const size_t n = attend_fill_best(s->job, logits, s->job->beams, s->p, s->scratch, s->top);
	for (size_t i = 0; i < n; i++)
		offer(s, next_count, &s->beams[b], step, (int32_t)s->top[i], s->beams[b].score + log((double)s->p[s->top[i]]));
}

static void write_tokens(beam_search *s, size_t step)
{
	const size_t n = s->encoding->count;
	for (size_t b = 0; b < s->beam_count; b++) {
		memcpy(s->ids + b * n, s->encoding->ids, n * sizeof *s->ids);
		for (size_t i = 0; i < step; i++) s->ids[b * n + s->masks[i]] = s->beams[b].tokens[i];
		s->sequences[b] = (attend_sequence){s->ids + b * n, s->encoding->type_ids, n};
	}
}

static attend_status search_step(beam_search *s, size_t step)
{
	const attend_fill_job *job = s->job;
	size_t next_count = 0, rows[ATTEND_FILL_ROWS];
	write_tokens(s, step);
	for (size_t first = 0, n; first < s->beam_count; first += n) {
		n = attend_pipeline_group(s->sequences + first, s->beam_count - first);
		if (n > ATTEND_FILL_ROWS) n = ATTEND_FILL_ROWS;
		ATTEND_TRY(attend_pipeline_run(job->pipeline, s->sequences + first, n, job->stack, NULL));
		for (size_t i = 0; i < n; i++) rows[i] = job->pipeline->offsets[i] + s->masks[step];
		ATTEND_TRY(attend_pipeline_head(job->pipeline, job->head, rows, n));
		for (size_t i = 0; i < n; i++) extend(s, &next_count, first + i, step, job->pipeline->logits + i * job->vocab);
	}
	beam *swap = s->beams;
	s->beams = s->next;
	s->next = swap;
	s->beam_count = next_count;
	return ATTEND_OK;
}

static attend_status make_room(beam_search *s, attend_bag *bag)
{
	const size_t width = s->job->beams;
	s->beams = attend_bag_take(bag, width, sizeof *s->beams);
	s->next = attend_bag_take(bag, width, sizeof *s->next);
	s->sequences = attend_bag_take(bag, width, sizeof *s->sequences);
	s->ids = attend_bag_take(bag, width, s->encoding->count * sizeof *s->ids);
	s->p = attend_bag_take(bag, s->job->vocab, sizeof *s->p);
	s->scratch = attend_bag_take(bag, s->job->target_count + 1, sizeof *s->scratch);
	s->top = attend_bag_take(bag, width, sizeof *s->top);
	int32_t *tokens = attend_bag_take(bag, 2 * width, s->mask_count * sizeof *tokens);
	if (s->beams == NULL || s->next == NULL || s->sequences == NULL || s->ids == NULL || s->p == NULL ||
	    s->scratch == NULL || s->top == NULL || tokens == NULL)
		return ATTEND_ERR_NOMEM;
	for (size_t i = 0; i < width; i++) {
		s->beams[i].tokens = tokens + i * s->mask_count;
		s->next[i].tokens = tokens + (width + i) * s->mask_count;
	}
	s->beam_count = 1;
	return ATTEND_OK;
}

attend_status attend_fill_jointly(attend_fill_list *out, const attend_fill_job *job, attend_bag *bag,
                                  const attend_encoding *encoding, const size_t *masks, size_t mask_count)
{
	beam_search s = {.job = job, .encoding = encoding, .masks = masks, .mask_count = mask_count};
	attend_bag *own;
	ATTEND_TRY(attend_bag_new(&own));
	attend_status status = make_room(&s, own);
	for (size_t step = 0; step < mask_count && status == ATTEND_OK; step++) status = search_step(&s, step);
	const size_t n = s.beam_count < job->top_k ? s.beam_count : job->top_k;
	attend_fill *items = status == ATTEND_OK ? attend_bag_take(bag, n, sizeof *items) : NULL;
	if (status == ATTEND_OK && items == NULL) status = ATTEND_ERR_NOMEM;
	for (size_t i = 0; i < n && status == ATTEND_OK; i++)
		status = attend_fill_describe(&items[i], job, bag, encoding->ids, encoding->count, masks, s.beams[i].tokens,
		                              mask_count, true, exp(s.beams[i].score));
	if (status == ATTEND_OK) *out = (attend_fill_list){.items = items, .count = n};
	attend_bag_free(own);
	return status;
}
