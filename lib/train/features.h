/* features.h: tuning a head on a frozen base: what the base gives for a text is computed once. */
#ifndef ATTEND_TRAIN_FEATURES_H
#define ATTEND_TRAIN_FEATURES_H

#include "lib/nn/heads.h"
#include "lib/train/example_batch.h"

typedef struct attend_features {
	size_t head, width;
	int stack;       /* that the head reads */
	float *rows;     /* [count, width] of all sequences of a set */
	uint8_t *known;  /* [count] */
	float *batch;    /* [max_sequences, width] */
	size_t *missing; /* [max_sequences] */
} attend_features;

/* Bytes that the features of `count` sequences take. */
size_t attend_features_bytes(const attend_network *network, size_t head, size_t count);
/* For `count` sequences in batches of at most `max_sequences`. NOMEM leaves what attend_features_free can free. */
attend_status attend_features_init(attend_features *features, const attend_network *network, size_t head, size_t count,
                                   size_t max_sequences);
void attend_features_free(attend_features *features);

/* As filling and running `batch` with these members would, for head and losses: sequences that were not met before go through the
 * stacks, all others are taken from the store. The same bits, for what a sequence gets does not depend on its neighbours. */
attend_status attend_features_run(attend_features *features, attend_example_batch *batch, attend_session *session,
                                  const attend_examples *examples, const size_t *members, size_t count);

#endif
