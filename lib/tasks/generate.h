/* generate.h: the generation loop on token ids: greedy, sampling, beams;
 * decoder-only and encoder-decoder alike. */
#ifndef ATTEND_TASKS_GENERATE_H
#define ATTEND_TASKS_GENERATE_H

#include "lib/nn/heads.h"
#include "lib/tasks/generation.h"

/* Callbacks of a run; any may be NULL. `sequence` counts num_return_sequences
 * per prompt, prompts in order. */
typedef struct attend_generate_hooks {
	/* A token was chosen (not with beams). False cancels the whole run. */
	bool (*token)(void *payload, size_t sequence, int32_t id);
	/* The processed and warped scores [v] that the token of `step` is chosen from
   * (not with beams). */
	void (*scores)(void *payload, size_t sequence, size_t step, const float *scores, size_t v);
	/* Does a stop string end here? ids [length], the last one new. */
	bool (*stops)(void *payload, const int32_t *ids, size_t length, size_t prompt_length);
	void *payload;
} attend_generate_hooks;

typedef struct attend_generate_job {
	attend_network *network;
	const attend_generation *generation;
	size_t prompts;
	const int32_t *const *ids; /* decoder-only: the prompts; encoder-decoder: what
                                the encoder reads */
	const size_t *lengths;
	attend_generate_hooks hooks;
} attend_generate_job;

typedef struct attend_generated {
	int32_t *ids; /* prompt (encoder-decoder: start token) and generated tokens,
                   the eos that ended it included */
	size_t length, prompt_length;
	float score;   /* beams: the length-normalised sum of log-probabilities; else 0 */
	bool at_limit; /* ended because max_length (or the model's positions) was
                    reached */
} attend_generated;

/* out [prompts * num_return_sequences], filled in order; free with
 * attend_generated_free (on failure nothing is left). What a prompt gets does
 * not depend on the others. DATA: a prompt too long, an id out of range; ARG:
 * options that do not go together, no head that generates; CANCELLED: by the
 * token hook. */
attend_status attend_generate_run(attend_generated *out, const attend_generate_job *job);
void attend_generated_free(attend_generated *sequences, size_t count);

#endif
