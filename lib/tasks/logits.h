/* logits.h: what stands between the network's scores and the choice of a token:
 * HF's logits processors and warpers, in HF's order (huggingface.md 4.4). Pure
 * functions on one row of scores. */
#ifndef ATTEND_TASKS_LOGITS_H
#define ATTEND_TASKS_LOGITS_H

#include "lib/tasks/generation.h"

/* Where one sequence stands. */
typedef struct attend_logits_context {
	const attend_generation *generation;
	const int32_t *ids; /* the sequence so far: prompt and new tokens;
                         encoder-decoder: the decoder's */
	size_t length;
	size_t prompt_length;       /* of `ids` */
	const int32_t *encoder_ids; /* the encoder's input; decoder-only: the prompt */
	size_t encoder_length;
	int64_t max_length, min_length; /* in effect, counted as `length` counts;
                                     min_length 0: none */
	size_t min_keep;                /* tokens that a warper leaves at least */
} attend_logits_context;

/* Floats and indices that the warpers need for one row of v scores, 64-byte
 * aligned or not. */
size_t attend_logits_scratch(size_t v);

/* Processors 2 to 17 on scores [v], in place. Ids beyond v are ignored where HF
 * would index out of range. */
void attend_logits_process(float *scores, size_t v, const attend_logits_context *context, void *scratch);

/* Warpers 19 to 25 (temperature, top-k, top-p, min-p, typical-p, epsilon, eta),
 * in place; -inf removes. */
void attend_logits_warp(float *scores, size_t v, const attend_logits_context *context, void *scratch);

/* True when nothing above changes any score: the row can go straight to argmax.
 */
bool attend_logits_neutral(const attend_generation *generation, int64_t min_length);

#endif
