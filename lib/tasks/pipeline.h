/* pipeline.h: what stands behind attend_model and attend_pipeline, and the steps that all tasks share: tokenise, check
 * lengths, run texts in ragged groups. */
#ifndef ATTEND_TASKS_PIPELINE_H
#define ATTEND_TASKS_PIPELINE_H

#include "lib/attend.h"
#include "lib/nn/heads.h"
#include "lib/nn/session.h"
#include "lib/tasks/bag.h"
#include "loaders/checkpoint.h"

struct attend_modules; /* modules.h */

struct attend_model {
	char *path; /* as given */
	attend_checkpoint *checkpoint;
	attend_tokenizer *tokenizer; /* NULL: the folder has none that can be used; then: */
	attend_status tokenizer_status;
	char *tokenizer_error;
	struct attend_modules *modules; /* sentence-transformers' modules; NULL: not such a folder */
};

struct attend_pipeline {
	const attend_model *model;
	attend_session *session; /* NULL until something ran */
	attend_session_options planned;
	/* the last batch, and room for the next */
	int32_t *ids, *types, *decoder_ids;
	size_t *offsets; /* [S+1] */
	size_t token_capacity, sequence_capacity;
	float *logits;
	size_t logit_capacity;
};

/* Run a network's matrix products in this type. UNSUPPORTED: it is stored in int8 or int4, and this is another type. */
attend_status attend_choose_weights(attend_network *network, attend_weight_type weights);

/* The tokenizer, or the failure to load it. */
attend_status attend_model_need_tokenizer(const attend_tokenizer **out, const attend_model *model);
/* Index of a head that is in the checkpoint; UNSUPPORTED names the head and what there is instead. */
attend_status attend_model_need_head(size_t *out, const attend_model *model, attend_head_kind kind);
/* The stack that texts go through: 0 encoder if there is one, else 1. And its description. */
int attend_model_text_stack(const attend_model *model);
const attend_stack_arch *attend_model_stack(const attend_model *model, int stack);

/* ---- tokenising --------------------------------------------------------------------------------------------------------- */

/* The texts of one call, tokenised. */
typedef struct attend_encoded {
	attend_encoding *items; /* [count] */
	size_t *truncated;      /* [count] tokens that were cut off */
	size_t count;
} attend_encoded;

/* Tokenise with special tokens; `fields` as in attend_encode_options. A text of more than `limit` tokens is cut as
 * `cut` says or fails with DATA; ids that the embedding lacks fail with FORMAT. Free with attend_encoded_free. */
attend_status attend_pipeline_encode(attend_encoded *out, const attend_model *model, const attend_text *texts,
                                     size_t count, attend_cut cut, size_t limit, unsigned fields);
/* The same with a text of more than `length` tokens in windows that overlap by `stride`: see attend_tokenizer_encode_windows. */
attend_status attend_pipeline_encode_windows(attend_encoded *out, const attend_model *model, const attend_text *texts,
                                             size_t count, size_t length, size_t stride);
void attend_encoded_free(attend_encoded *encoded);

/* Put "text I: " in front of the error line when there is more than one text. Returns `status`. */
attend_status attend_fail_at(attend_status status, size_t index, size_t count);

/* ---- running -------------------------------------------------------------------------------------------------------------- */

/* One sequence to run; types may be NULL. */
typedef struct attend_sequence {
	const int32_t *ids, *types;
	size_t count;
} attend_sequence;

/* How many of the first sequences run together: about 2048 tokens. At least 1 (0 when count is 0). */
size_t attend_pipeline_group(const attend_sequence *sequences, size_t count);

/* Run sequences as one ragged batch through stack 0 or 1 (1 of an encoder-decoder: both; the decoder reads the shifted
 * ids, as HF's classifiers do). pipeline->offsets then says where each sequence lies in *hidden [N, D], which is
 * borrowed until the next run (NULL: not wanted; heads read it from the session). */
attend_status attend_pipeline_run(attend_pipeline *pipeline, const attend_sequence *sequences, size_t count, int stack,
                                  const float **hidden);

/* Encoder-decoders: one sequence through the encoder, `answer` [count] through the decoder as it is (the start token first).
 * Heads read the answer's rows. */
attend_status attend_pipeline_run_answer(attend_pipeline *pipeline, const attend_sequence *sequence,
                                         const int32_t *answer, size_t count);

/* Decoder-only models: read sequences into the cache; slots [count] are opened here, the caller frees them. The session
 * must have been planned with a cache: pipeline->planned.cache_slots and cache_length are set before the first run. */
attend_status attend_pipeline_prefill(attend_pipeline *pipeline, const attend_sequence *sequences, size_t count,
                                      int *slots);

/* Room for [rows, width] floats in pipeline->logits. */
attend_status attend_pipeline_logits(attend_pipeline *pipeline, size_t rows, size_t width);

/* Run `head` on the last run: rows (or NULL) as in attend_session_head, `count` of them. The result is pipeline->logits
 * [count, outputs]. FORMAT: a result that is no number, see blame.h. */
attend_status attend_pipeline_head(attend_pipeline *pipeline, size_t head, const size_t *rows, size_t count);

#endif
