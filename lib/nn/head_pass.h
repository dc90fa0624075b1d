/* head_pass.h: a block of rows through a head, forward and backward; what heads.c and losses.c share. Inside lib/nn.
 * */
#ifndef ATTEND_NN_HEAD_PASS_H
#define ATTEND_NN_HEAD_PASS_H

#include "lib/nn/session_state.h"

typedef struct attend_head_pass {
	attend_session *session;
	const attend_head_arch *arch;
	attend_head_params *params;
	attend_stack_state *state;
	int stack;
	bool pooled; /* goes through the pooler's dense layer first */
	size_t width, outputs;
	size_t block_rows; /* rows that a block may have */
	/* the block at hand */
	const size_t *rows; /* [count] rows of hidden, or sequences for ATTEND_POOL_MEAN; SIZE_MAX: nothing there, zeros */
	size_t count, block;
} attend_head_pass;

/* May this head run in this session? */
bool attend_head_runs(const attend_session *session, size_t head);

/* Rows of a block of this head: what 32 MiB of logits hold, and no more than a batch has. */
size_t attend_head_block_rows(const attend_session *session, const attend_head_arch *head);

/* Checks that the head exists, is loaded and its stack has run; packs its linears. */
attend_status attend_head_begin(attend_head_pass *out, attend_session *session, size_t head);

/* Rows of the pooled head, one per sequence, into rows [S]. `given` (or NULL) as in attend_session_head. */
attend_status attend_head_pool(const attend_head_pass *pass, const size_t *given, size_t count, size_t *rows);

/* Vectors that the output layer reads, [count, width], in the session's scratch; at most block_rows. */
const float *attend_head_vectors(attend_head_pass *pass);
/* logits [count, outputs] with row distance ld. */
void attend_head_logits(attend_head_pass *pass, const float *vectors, float *logits, size_t ld);
/* From dlogits [count, outputs] (destroyed) into the parameters' gradients and state->d_hidden. */
void attend_head_backward(attend_head_pass *pass, float *dlogits);

#endif
