/* beam.h: the bookkeeping of beam search for one prompt: running beams,
 * finished ones, when to stop (huggingface.md 4.6, transformers >= 4.50). No
 * network, no logits: candidates in, next beams out. */
#ifndef ATTEND_TASKS_BEAM_H
#define ATTEND_TASKS_BEAM_H

#include "lib/tasks/generation.h"

typedef struct attend_beam_candidate {
	float key;     /* what candidates are ranked by: total, or total + noise
                    (sampling) */
	float total;   /* running score of its beam + log-probability of the token */
	uint32_t beam; /* index of the running beam that it continues */
	int32_t token;
} attend_beam_candidate;

typedef struct attend_beam {
	int32_t *ids; /* [capacity] */
	size_t length;
	float score;   /* running: sum of log-probabilities; finished: divided by
                    length^length_penalty */
	bool finished; /* of a finished slot: it holds a sequence */
} attend_beam;

typedef struct attend_beams {
	size_t count;    /* beams B */
	size_t capacity; /* max_length */
	size_t prompt_length;
	double length_penalty;
	attend_early_stopping early_stopping;
	attend_beam *running, *next; /* [B] each: `next` is filled, then swapped */
	attend_beam *done, *merged;  /* [B] each, best first */
	bool *used;                  /* [candidates] work of one step */
	bool improvable;             /* the early-stopping heuristic; once false it stays false */
} attend_beams;

/* All beams start as the prompt; only the first counts (score 0, the others
 * -1e9). */
attend_status attend_beams_init(attend_beams *beams, const attend_generation *generation, const int32_t *prompt,
                                size_t prompt_length, size_t max_length);
void attend_beams_free(attend_beams *beams);

/* Number of candidates that a step looks at: max(2, 1 + eos ids) * B. */
size_t attend_beams_candidates(size_t beams, size_t eos_count);

/* One step. candidates [count], best first (or in the order in which they were
 * sampled); hits[i]: the extended sequence meets a stopping criterion (eos,
 * max_length, stop string). sources [B]: the beam that each next beam continues
 * (for the cache). Returns true while the search goes on. */
bool attend_beams_advance(attend_beams *beams, const attend_beam_candidate *candidates, const bool *hits, size_t count,
                          size_t *sources);

/* Keep the `keep` best of v tokens that continue `beam`, total = scores +
 * offset, ranked by total + noise (NULL: 0): a min-heap of *size entries in
 * `heap`, filled over several calls. */
void attend_beam_collect(attend_beam_candidate *heap, size_t *size, size_t keep, const float *scores,
                         const float *noise, size_t v, float offset, uint32_t beam);
/* Best key first; ties by beam, then token. */
void attend_beam_sort(attend_beam_candidate *candidates, size_t count);

#endif
