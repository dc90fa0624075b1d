/* example_batch.h: examples of a dataset as one ragged batch of a session. */
#ifndef ATTEND_TRAIN_EXAMPLE_BATCH_H
#define ATTEND_TRAIN_EXAMPLE_BATCH_H

#include "lib/nn/heads.h"
#include "lib/train/examples.h"

typedef struct attend_example_batch {
	size_t count;                       /* sequences of the present one */
	int32_t *ids, *types, *decoder_ids; /* [max_tokens] */
	size_t *offsets;                    /* [max_sequences + 1] */
} attend_example_batch;

/* NOMEM leaves what attend_example_batch_free can free. */
attend_status attend_example_batch_init(attend_example_batch *batch, size_t max_sequences, size_t max_tokens);
void attend_example_batch_free(attend_example_batch *batch);

/* Lay examples members[0 .. count-1] out; returns their tokens. `ids` may be changed before the batch runs. */
size_t attend_example_batch_fill(attend_example_batch *batch, const attend_examples *examples, const size_t *members,
                                 size_t count);

/* Through the stacks that head `head` reads; an encoder-decoder's decoder reads the ids shifted right, as HF's classifiers do. */
attend_status attend_example_batch_run(attend_example_batch *batch, attend_session *session, size_t head);

#endif
