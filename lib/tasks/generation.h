/* generation.h: how text is generated: HF's generation parameters
 * (huggingface.md section 4), by name. */
#ifndef ATTEND_TASKS_GENERATION_H
#define ATTEND_TASKS_GENERATION_H

#include "lib/attend.h"
#include "lib/core/json.h"
#include "lib/core/status.h"

typedef struct attend_id_list {
	int32_t *ids;
	size_t count;
} attend_id_list;

typedef struct attend_bias_entry {
	attend_id_list sequence;
	float bias;
} attend_bias_entry;

typedef enum attend_early_stopping {
	ATTEND_EARLY_STOPPING_FALSE, /* stop when no running beam is likely to beat
                                  the finished ones */
	ATTEND_EARLY_STOPPING_TRUE,  /* stop when num_beams sequences are finished */
	ATTEND_EARLY_STOPPING_NEVER  /* stop when none can beat them */
} attend_early_stopping;

/* Field names are HF's. -1 in an integer, or an empty list, is HF's None. */
struct attend_generation {
	int64_t max_length, max_new_tokens, min_length, min_new_tokens;
	double max_time; /* seconds; 0: none */
	bool do_sample;
	int64_t num_beams, num_return_sequences;
	attend_early_stopping early_stopping;
	double length_penalty;
	double temperature;
	int64_t top_k;
	double top_p, min_p, typical_p, epsilon_cutoff, eta_cutoff;
	double repetition_penalty, encoder_repetition_penalty;
	int64_t no_repeat_ngram_size, encoder_no_repeat_ngram_size;
	bool renormalize_logits, remove_invalid_values;
	bool has_decay; /* exponential_decay_length_penalty: (decay_start,
                     decay_factor) */
	int64_t decay_start;
	double decay_factor;
	int64_t pad_token_id, bos_token_id, decoder_start_token_id, forced_bos_token_id;
	attend_id_list eos_token_id, forced_eos_token_id, suppress_tokens, begin_suppress_tokens;
	attend_bias_entry *bad_words_ids, *sequence_bias;
	size_t bad_words_count, sequence_bias_count;
	char **stop_strings;
	size_t stop_strings_count;
	int64_t seed;           /* of sampling; -1: 0 */
	bool max_length_is_set; /* max_length came from a file or a flag:
                             huggingface.md 4.2 */
};

/* The class defaults of HF. Free with attend_generation_free. */
attend_status attend_generation_defaults(attend_generation **out);

/* attend_generation_set from a parsed value (FORMAT names its place). Unknown names are
 * NOTFOUND with no message set. */
attend_status attend_generation_set_json(attend_generation *generation, const char *name, const attend_json *value);

/* Everything that an object (generation_config.json, or an old config.json with
 * generation keys) says; names that are no parameter are passed over, as HF
 * does. Names of features that attend lacks (num_beam_groups > 1,
 * penalty_alpha, guidance_scale, constraints ...) with a value that would
 * change the result: UNSUPPORTED. */
attend_status attend_generation_load(attend_generation *generation, const attend_json *object);

/* Deep copy. */
attend_status attend_generation_copy(attend_generation **out, const attend_generation *generation);

/* Do the values go together (num_return_sequences <= num_beams, greedy with
 * several returns, ...)? ARG names the two. */
attend_status attend_generation_check(const attend_generation *generation);

#endif
