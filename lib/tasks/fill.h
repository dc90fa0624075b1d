/* fill.h: what the two ways of filling masks share (fill_mask.c each mask alone, fill_joint.c all together). */
#ifndef ATTEND_TASKS_FILL_H
#define ATTEND_TASKS_FILL_H

#include "lib/tasks/pipeline.h"

enum { ATTEND_FILL_ROWS = 64 }; /* rows of logits that exist at a time */

/* One call of attend_fill_mask. */
typedef struct attend_fill_job {
	attend_pipeline *pipeline;
	const attend_tokenizer *tokenizer;
	size_t head, vocab;
	int stack; /* that the head reads */
	int32_t mask_id;
	size_t top_k;
	size_t beams;     /* joint only */
	int32_t *targets; /* ids that compete, rising; NULL: all */
	size_t target_count;
} attend_fill_job;

/* Probabilities of one row of logits and its best `k` among the job's targets: top [min(k, candidates)] token ids. `p`
 * [vocab] gets the probabilities; `scratch` [target_count] is used with targets. Returns how many. */
size_t attend_fill_best(const attend_fill_job *job, const float *logits, size_t k, float *p, float *scratch,
                        size_t *top);

/* Complete one candidate: tokens are put at `positions` of ids[count], then all is decoded. */
attend_status attend_fill_describe(attend_fill *out, const attend_fill_job *job, attend_bag *bag, const int32_t *ids,
                                   size_t count, const size_t *positions, const int32_t *tokens, size_t token_count,
                                   bool skip_special, double score);

/* Candidates for all masks of one text together. masks[mask_count] are positions in the encoding. */
attend_status attend_fill_jointly(attend_fill_list *out, const attend_fill_job *job, attend_bag *bag,
                                  const attend_encoding *encoding, const size_t *masks, size_t mask_count);

#endif
