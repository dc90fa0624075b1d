/* masking.h: which tokens a masked language model has to guess, and what a causal one has to say next. Pure functions. */
#ifndef ATTEND_TRAIN_MASKING_H
#define ATTEND_TRAIN_MASKING_H

#include "lib/core/status.h"

/* What is known of a token beside its id. */
enum {
	ATTEND_MARK_SPECIAL = 1,  /* added by the tokenizer's template: never masked, no target */
	ATTEND_MARK_CONTINUES = 2 /* of the same word as the token before it */
};
enum { ATTEND_LABEL_IGNORED = -100 };

typedef struct attend_masking {
	double probability; /* of each token, or of each word, 0 .. 1 */
	bool whole_words;
	int32_t mask_id;
	size_t vocab; /* random replacements are drawn from 0 .. vocab-1 */
	uint64_t seed;
} attend_masking;

/* Devlin et al. 2018, 3.1: of the chosen tokens 80 % become mask_id, 10 % a random id, 10 % stay; labels [n] are the ids that were
 * there, ATTEND_LABEL_IGNORED where nothing was chosen. ids [n] are changed in place; marks [n]. The choice is a function of (seed,
 * epoch, example) alone. A text in which chance chose nothing gives one token (or word), so that every one has a loss. */
void attend_mask_tokens(int32_t *ids, int32_t *labels, const uint8_t *marks, size_t n, const attend_masking *masking,
                        uint64_t epoch, uint64_t example);

/* labels[i] = ids[i + 1]; the last one is ignored. */
void attend_next_tokens(int32_t *labels, const int32_t *ids, size_t n);

#endif
