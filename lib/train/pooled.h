/* pooled.h: one row of logits a text, also where the text ran in several windows; and what such a row costs. */
#ifndef ATTEND_TRAIN_POOLED_H
#define ATTEND_TRAIN_POOLED_H

#include "lib/attend.h"
#include "lib/train/example_batch.h"

/* Take window number `nth` (from 0) of a text into row [outputs]; after the last one, attend_pool_end with their count. `logits` may
 * be `row` only where nth is 0. */
void attend_pool_add(float *row, const float *logits, size_t outputs, size_t nth, attend_window_pooling pooling);
void attend_pool_end(float *row, size_t outputs, size_t windows, attend_window_pooling pooling);

/* What sequences run through. */
typedef struct attend_pooled_run {
	attend_example_batch *batch; /* room for: */
	size_t max_sequences, max_tokens;
	attend_session *session;
	size_t head, outputs;
	float *scratch; /* [max_sequences, outputs] */
	attend_window_pooling pooling;
} attend_pooled_run;

/* rows [count, outputs]: pooled logits of texts[0 .. count-1] (NULL: texts 0 .. count-1). */
attend_status attend_pooled_logits(float *rows, const attend_pooled_run *run, const attend_examples *examples,
                                   const size_t *texts, size_t count);

/* Loss of a row of logits: cross-entropy; several labels: the mean over them of the binary one; regression: the squared error. */
double attend_row_loss(const attend_example *example, attend_label_kind kind, const float *row, size_t outputs);
/* log(sum(exp(row / temperature))). */
double attend_log_sum(const float *row, size_t outputs, double temperature);
/* log(1 + exp(x)). */
double attend_softplus(double x);

#endif
