/* examples.h: a dataset as token ids, and its order in an epoch. */
#ifndef ATTEND_TRAIN_EXAMPLES_H
#define ATTEND_TRAIN_EXAMPLES_H

#include "lib/core/file.h"
#include "lib/train/dataset.h"
#include "tokenizer/attend_tokenizer.h"

/* Sequences: one for every text of the dataset, or several windows for one that is too long. */
typedef struct attend_examples {
	size_t count;   /* sequences */
	size_t *starts; /* [count + 1] into ids and types */
	const int32_t *ids;
	const int32_t *types;                          /* NULL: all 0 */
	const uint8_t *marks;                          /* of plain text (masking.h); else NULL */
	size_t *owners;                                /* [count] the text of each sequence; NULL: sequence i is text i */
	size_t *firsts;                                /* [texts + 1] the first window of each text; NULL with owners */
	size_t too_long;                               /* texts that were cut */
	size_t windowed;                               /* texts that became several windows */
	size_t longest;                                /* tokens */
	attend_spill id_store, type_store, mark_store; /* behind ids, types and marks */
} attend_examples;

/* One more sequence; types and marks may be NULL if they always are. Then, when all are there, attend_examples_finish. `capacity`
 * belongs to the caller, from 0 on. */
attend_status attend_examples_add(attend_examples *examples, size_t *capacity, const int32_t *ids, const int32_t *types,
                                  const uint8_t *marks, size_t count);
attend_status attend_examples_finish(attend_examples *examples);

/* What happens to texts of more than `limit` tokens. */
typedef struct attend_fitting {
	size_t limit;
	int cut;              /* < 0: DATA names the line; 0: cut on the right; 1: on the left */
	size_t window;        /* > 0: windows of so many tokens (at most limit) instead */
	size_t window_stride; /* tokens that they overlap by */
} attend_fitting;

/* The fitting that a recipe asks for, with a model that takes `positions` tokens (0: any number). ARG: what cannot be. */
struct attend_recipe;
attend_status attend_fitting_read(attend_fitting *out, const struct attend_recipe *recipe, size_t positions,
                                  const attend_tokenizer *tokenizer);

/* How long windows are and how far they overlap when `window` and `stride` were asked for (0 and -1: not said), under `limit`. */
attend_status attend_fitting_windows(attend_fitting *fitting, size_t window, int64_t stride, size_t limit,
                                     const attend_tokenizer *tokenizer);

/* Tokenise every example (special tokens included). Ids at or above `vocab` are FORMAT. */
attend_status attend_examples_encode(attend_examples *out, const attend_dataset *dataset,
                                     const attend_tokenizer *tokenizer, const attend_fitting *fitting, size_t vocab);
void attend_examples_free(attend_examples *examples);

/* The text of sequence i. */
size_t attend_examples_text(const attend_examples *examples, size_t i);
/* Sequences first .. first + returned - 1 are the windows of text i. */
size_t attend_examples_windows(const attend_examples *examples, size_t text, size_t *first);

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
