/* beam.c: beam search as transformers >= 4.50 does it (generation/utils.py
 * _beam_search; huggingface.md 4.6). */
#include "lib/tasks/beam.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/kernels/kernels.h"

static const float NEVER = -1.0e9f; /* HF's score of what does not count */
enum { BLOCK = 256 };               /* scores that are looked at by their maximum first */

static attend_status beam_array(attend_beam **out, size_t count, size_t capacity)
{
	attend_beam *array = calloc(count, sizeof *array);
	if (!array) return attend_fail_memory(count * sizeof *array, "beams");
	*out = array;
	for (size_t i = 0; i < count; i++)
		if (!(array[i].ids = attend_alloc_array(capacity, sizeof *array[i].ids)))
			return attend_fail_memory(capacity * sizeof *array[i].ids, "beams");
	return ATTEND_OK;
}

static void free_array(attend_beam *array, size_t count)
{
	for (size_t i = 0; array && i < count; i++) free(array[i].ids);
	free(array);
}

static void set_beam(attend_beam *to, const int32_t *ids, size_t length, float score)
{
	memcpy(to->ids, ids, length * sizeof *ids);
	to->length = length;
	to->score = score;
}

attend_status attend_beams_init(attend_beams *beams, const attend_generation *generation, const int32_t *prompt,
                                size_t prompt_length, size_t max_length)
{
	*beams = (attend_beams){.count = (size_t)generation->num_beams,
	                        .capacity = max_length > prompt_length ? max_length : prompt_length,
	                        .prompt_length = prompt_length,
	                        .length_penalty = generation->length_penalty,
	                        .early_stopping = generation->early_stopping,
	                        .improvable = true};
	attend_beam **arrays[] = {&beams->running, &beams->next, &beams->done, &beams->merged};
	for (size_t i = 0; i < 4; i++) {
		const attend_status status = beam_array(arrays[i], beams->count, beams->capacity);
		if (status != ATTEND_OK) {
			attend_beams_free(beams);
			return status;
		}
	}
	const size_t candidates = attend_beams_candidates(beams->count, generation->eos_token_id.count);
	if (!(beams->used = calloc(candidates, sizeof *beams->used))) {
		attend_beams_free(beams);
		return attend_fail_memory(candidates, "beams");
	}
	for (size_t b = 0; b < beams->count; b++) {
		set_beam(&beams->running[b], prompt, prompt_length, b == 0 ? 0 : NEVER);
		set_beam(&beams->done[b], prompt, prompt_length, NEVER);
	}
	return ATTEND_OK;
}

void attend_beams_free(attend_beams *beams)
{
	free_array(beams->running, beams->count);
	free_array(beams->next, beams->count);
	free_array(beams->done, beams->count);
	free_array(beams->merged, beams->count);
	free(beams->used);
	*beams = (attend_beams){0};
}

size_t attend_beams_candidates(size_t beams, size_t eos_count)
{
	return (eos_count + 1 > 2 ? eos_count + 1 : 2) * beams;
}

static float normalised(const attend_beams *beams, float total, size_t generated)
{
	return total / (float)pow((double)generated, beams->length_penalty);
}

/* The B best candidates by total, those that hit counting 1e9 less. (Sampled
 * candidates do not come sorted by total.) */
static void next_running(attend_beams *beams, const attend_beam_candidate *candidates, const bool *hits, size_t count,
                         size_t *sources)
{
	bool *used = beams->used;
	memset(used, 0, count * sizeof *used);
	for (size_t b = 0; b < beams->count; b++) {
		size_t best = count;
		float best_score = 0;
		for (size_t i = 0; i < count; i++) {
			const float score = candidates[i].total + (hits[i] ? NEVER : 0);
			if (!used[i] && (best == count || score > best_score)) best = i, best_score = score;
		}
		const attend_beam *from = &beams->running[candidates[best].beam];
		attend_beam *to = &beams->next[b];
		set_beam(to, from->ids, from->length, best_score);
		to->ids[to->length++] = candidates[best].token;
		sources[b] = candidates[best].beam;
		used[best] = true;
	}
}

/* Merge candidates among the B best that hit into the finished slots; the B
 * best of old and new stay, old ones first on ties. */
static void update_done(attend_beams *beams, const attend_beam_candidate *candidates, const bool *hits, size_t count)
{
	size_t full = 0;
	for (size_t b = 0; b < beams->count; b++) full += beams->done[b].finished;
	if (!beams->improvable) return;
	if (full == beams->count && beams->early_stopping == ATTEND_EARLY_STOPPING_TRUE) return;
	const size_t generated = beams->running[0].length + 1 - beams->prompt_length;
	size_t old = 0;
	bool *used = beams->used;
	memset(used, 0, count * sizeof *used);
	for (size_t b = 0; b < beams->count; b++) {
		size_t best = count;
		float best_score = NEVER;
		for (size_t i = 0; i < count && i < beams->count; i++) {
			if (!hits[i] || used[i]) continue;
			const float score = normalised(beams, candidates[i].total, generated);
			if (best == count || score > best_score) best = i, best_score = score;
		}
		attend_beam *to = &beams->merged[b];
		if (best == count || beams->done[old].score >= best_score) {
			set_beam(to, beams->done[old].ids, beams->done[old].length, beams->done[old].score);
			to->finished = beams->done[old++].finished;
		} else {
			const attend_beam *from = &beams->running[candidates[best].beam];
			set_beam(to, from->ids, from->length, best_score);
			to->ids[to->length++] = candidates[best].token;
			to->finished = true;
			used[best] = true;
		}
	}
	attend_beam *swap = beams->done;
	beams->done = beams->merged;
	beams->merged = swap;
}

/* Can the best running beam still beat the worst finished one? An empty slot
 * counts as -1e9, so it always can. */
static bool can_improve(const attend_beams *beams)
{
	const size_t length = beams->running[0].length;
	const bool full_length = beams->early_stopping == ATTEND_EARLY_STOPPING_NEVER && beams->length_penalty > 0;
	const float best =
		normalised(beams, beams->running[0].score, (full_length ? beams->capacity : length) - beams->prompt_length);
	float worst = INFINITY;
	bool all = true;
	for (size_t b = 0; b < beams->count; b++) {
		worst = beams->done[b].score < worst ? beams->done[b].score : worst;
		all &= beams->done[b].finished;
	}
	return best > worst || (!all && best > NEVER);
}

bool attend_beams_advance(attend_beams *beams, const attend_beam_candidate *candidates, const bool *hits, size_t count,
                          size_t *sources)
{
	bool all_hit = true;
	for (size_t i = 0; i < count; i++) all_hit &= hits[i];
	next_running(beams, candidates, hits, count, sources);
	update_done(beams, candidates, hits, count);
	attend_beam *swap = beams->running;
	beams->running = beams->next;
	beams->next = swap;
	beams->improvable = beams->improvable && can_improve(beams);
	bool all_done = true;
	for (size_t b = 0; b < beams->count; b++) all_done &= beams->done[b].finished;
	return beams->improvable && !(all_done && beams->early_stopping == ATTEND_EARLY_STOPPING_TRUE) && !all_hit;
}

/* a is a worse candidate than b: lower key, or the same and later in the
 * vocabulary. */
static bool worse(attend_beam_candidate a, attend_beam_candidate b)
{
	if (a.key < b.key) return true;
	if (a.key > b.key) return false;
	return a.beam != b.beam ? a.beam > b.beam : a.token > b.token;
}

static void sift_down(attend_beam_candidate *heap, size_t size, attend_beam_candidate value)
{
	size_t at = 0;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child + 1 < size && worse(heap[child + 1], heap[child])) child++;
		if (child >= size || worse(value, heap[child])) break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = value;
}

void attend_beam_collect(attend_beam_candidate *heap, size_t *size, size_t keep, const float *scores,
                         const float *noise, size_t v, float offset, uint32_t beam)
{
	for (size_t i = 0; i < v; i++) {
		/* Full, and of this block none would come in: on a tie the earlier beam and token stay. */
		if (i % BLOCK == 0 && !noise && *size == keep &&
		    attend_row_max(scores + i, v - i < BLOCK ? v - i : BLOCK) + offset <= heap[0].key) {
			i += BLOCK - 1;
			continue;
		}
		const float total = scores[i] + offset;
		const attend_beam_candidate candidate = {noise ? total + noise[i] : total, total, beam, (int32_t)i};
		if (*size < keep) {
			size_t at = (*size)++;
			while (at > 0 && worse(candidate, heap[(at - 1) / 2])) heap[at] = heap[(at - 1) / 2], at = (at - 1) / 2;
			heap[at] = candidate;
		} else if (worse(heap[0], candidate)) {
			sift_down(heap, *size, candidate);
		}
	}
}

static int best_first(const void *a, const void *b)
{
	const attend_beam_candidate *x = a, *y = b;
	return worse(*x, *y) ? 1 : worse(*y, *x) ? -1 : 0;
}

void attend_beam_sort(attend_beam_candidate *candidates, size_t count)
{
	qsort(candidates, count, sizeof *candidates, best_first);
}
