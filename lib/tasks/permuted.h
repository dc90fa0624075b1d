/* permuted.h: next-token prediction of a permutation language model (XLNet, huggingface.md 2.6) with its memory. */
#ifndef ATTEND_TASKS_PERMUTED_H
#define ATTEND_TASKS_PERMUTED_H

#include "lib/nn/session.h"

/* Buffers for batches of up to `rows` sequences with `tokens` tokens together. */
typedef struct attend_permuted {
	size_t rows, tokens, longest, memory;
	size_t *offsets, *targets; /* [rows+1], [rows] */
	int32_t *ids;              /* [tokens + rows] */
	const uint8_t **hidden;    /* [rows] */
	uint8_t *masks;            /* one after the other */
	size_t mask_bytes;
	const float **mappings; /* [rows] */
	float *last;            /* [longest+1] 0 ... 0 1 */
} attend_permuted;

/* `longest`: tokens of one sequence in one call; `reach`: of a cached sequence. NOMEM. Free also after failure. */
attend_status attend_permuted_init(attend_permuted *out, const attend_network *network, size_t rows, size_t tokens,
                                   size_t longest, size_t reach);
void attend_permuted_free(attend_permuted *permuted);

/* Read the tokens of `count` sequences behind what their slots hold: a dummy that nobody sees is put behind each, and the query
 * stream predicts it; *hidden (which the head reads: row i for sequence i) is that stream. As in the reference's generate()
 * the dummy and the last token are then forgotten: the next call begins with that last token again. */
attend_status attend_permuted_decode(attend_permuted *permuted, attend_session *session, const int32_t *ids,
                                     const size_t *offsets, size_t count, const int *slots, const float **hidden);

#endif
