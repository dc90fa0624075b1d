/* examples.h: a dataset as token ids, and its order in an epoch. */
#ifndef ATTEND_TRAIN_EXAMPLES_H
#define ATTEND_TRAIN_EXAMPLES_H

#include "lib/train/dataset.h"
#include "tokenizer/attend_tokenizer.h"

typedef struct attend_examples {
	size_t count;
	size_t *starts; /* [count + 1] into ids and types */
	int32_t *ids, *types;
	uint8_t *marks;  /* of plain text (masking.h); else NULL */
	size_t too_long; /* examples that were cut */
	size_t longest;  /* tokens */
} attend_examples;

/* Tokenise every example (special tokens included). An example of more than `limit` tokens: cut < 0: DATA names the line; 0: cut
 * on the right; 1: on the left. Ids at or above `vocab` are FORMAT. */
attend_status attend_examples_encode(attend_examples *out, const attend_dataset *dataset,
                                     const attend_tokenizer *tokenizer, size_t limit, int cut, size_t vocab);
void attend_examples_free(attend_examples *examples);

/* Tokens of example i. */
size_t attend_examples_length(const attend_examples *examples, size_t i);

/* How examples fall into batches. */
typedef struct attend_batching {
	size_t batch_size; /* examples */
	size_t max_tokens; /* > 0: a batch also ends before it has more tokens (one example always fits) */
	bool by_length;    /* examples of like length together, batches in random order (HF's group_by_length) */
	uint64_t seed;
} attend_batching;

/* The order of one epoch: a pure function of (seed, epoch). order [n]: example indices (of `members` [n]); ends [n]: ends[b] is
 * where batch b ends in `order`. Returns the number of batches. */
size_t attend_batches_plan(size_t *order, size_t *ends, const attend_examples *examples, const size_t *members,
                           size_t n, const attend_batching *batching, uint64_t epoch);

#endif
