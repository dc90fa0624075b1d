/* heads.h: what stands on a stack's hidden states: pooler, MLM, LM, classifiers, and their losses. */
#ifndef ATTEND_NN_HEADS_H
#define ATTEND_NN_HEADS_H

#include "lib/nn/session.h"

/* Stack that a head reads: 0 encoder, 1 decoder. */
int attend_head_stack(const attend_arch *arch, const attend_head_arch *head);

/* Rows per batch that a head gives when it is not asked for certain ones: N, or S for a pooled head. */
size_t attend_head_rows(const attend_head_arch *head, const attend_batch *batch);

/* Run head `head` (index into arch.heads) on the last encode / decode.
 * rows [count]: rows of the hidden states; only these are computed (MLM: the masked ones; LM: the last of each sequence;
 * LAST_REAL, LAST_EOS: the rows that the caller found, one per sequence). NULL: every row for POOL_ALL; one row per sequence
 * by the head's pooling else (LAST_REAL: the last id of the batch that is not pad; LAST_EOS: the last token, which is right
 * where the input ids end with eos and the decoder reads them shifted).
 * POOL_MEAN and the pooler work on whole sequences: rows are then sequence indices.
 * logits [count, outputs], the caller's; outputs 0 (pooler-like): the width of the vector. An empty sequence gives zeros. */
attend_status attend_session_head(attend_session *session, size_t head, const size_t *rows, size_t count,
                                  float *logits);

/* What head `head` reads of the last encode / decode: a row of the hidden states for each sequence (POOL_MEAN: their mean), as
 * attend_session_set_hidden takes them. out [S, D]. ARG: POOL_ALL. */
attend_status attend_session_pooled(attend_session *session, size_t head, float *out);

/* The pooler's output [S, dense] of the last encode. ARG: the network has none. */
attend_status attend_session_pooler(attend_session *session, float *out);

typedef enum attend_problem {
	ATTEND_PROBLEM_AUTO, /* MSE for one output with float values; BCE for several with float values; else cross-entropy */
	ATTEND_PROBLEM_REGRESSION,
	ATTEND_PROBLEM_SINGLE_LABEL,
	ATTEND_PROBLEM_MULTI_LABEL
} attend_problem;

/* What the head should have said. Labels stand where the logits stand: shifting for a causal LM is the caller's. */
typedef struct attend_targets {
	const int32_t *labels; /* [rows] as attend_head_rows counts; QA: NULL; choice: [S / choices]. -100: ignored */
	const float *values;   /* regression, multi-label [S, C]; discriminator [N] (0 or 1) */
	const int32_t *starts, *ends; /* QA: [S], index in the sequence; < 0 or >= its length: ignored */
	size_t choices;               /* multiple choice: candidates per question */
	const size_t *rows;           /* pooled heads: rows as in attend_session_head, or NULL */
	const uint8_t *counted;       /* [N] discriminator: 0 = not in the loss; or NULL: all */
	attend_problem problem;
	float smoothing;            /* label smoothing epsilon */
	const float *class_weights; /* [outputs] or NULL */
	double items;               /* > 0: divide the sum by this instead of by the batch's own count */
} attend_targets;

typedef struct attend_loss {
	double loss;  /* what HF calls loss: sum / count */
	double sum;   /* numerator */
	double count; /* divisor that was used (kept rows, or their weights, or `items`) */
} attend_loss;

/* Loss of one head on the last encode / decode. In a training session (not evaluating) it also runs the head backward:
 * head gradients += and the gradient of the hidden states += grad_scale * d loss; several losses add up (MLM + NSP). Logits
 * of large vocabularies exist for a block of rows at a time, and only for rows with a label. All rows ignored: loss NaN as
 * in the reference, no gradient. DATA: a label out of range. */
attend_status attend_session_loss(attend_session *session, size_t head, const attend_targets *targets, float grad_scale,
                                  attend_loss *out);

#endif
