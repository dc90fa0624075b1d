/* generate.c: the generation loop (huggingface.md 4.2 to 4.6; transformers
 * generation/utils.py _sample, _beam_search).
 *
 * Prompts run in groups of at most GROUP sequences; a finished sequence leaves
 * the batch, so nothing is padded. Every prompt is read once: returned
 * sequences and beams fork its cache. */
#include "lib/tasks/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/core/arena.h"
#include "lib/core/rng.h"
#include "lib/tasks/beam.h"
#include "lib/tasks/logits.h"
#include "lib/tasks/permuted.h"

enum { GROUP = 32 };

/* One sequence of the plain (beamless) loop. */
typedef struct row {
	int32_t *ids; /* [max_length] */
	size_t length, prompt, steps;
	int slot;
	attend_rng rng;
	bool done, at_limit;
} row;

/* Of a whole run. */
typedef struct run {
	const attend_generate_job *job;
	const attend_generation *g;
	const attend_stack_arch *decoder;
	bool encodes;
	bool permutes;             /* XLNet: permuted.h */
	size_t head, vocab, forks; /* forks: sequences per prompt that share its
                                cache: beams, or returned sequences */
	int32_t start;             /* encoder-decoder: the first decoder id */
	attend_session *session;
	float *logits, *scores, *noise; /* [rows, V], [V], [V] */
	void *scratch;
	size_t *offsets, *sources, *picked; /* [rows + 1] each */
	int *slots;                         /* [rows] */
	int32_t *tokens;                    /* ids of one call: the longest of all groups */
	int32_t *previous;                  /* [rows] the token before: read again by permuted.h */
	attend_permuted permuted;
	attend_beam_candidate *candidates;
	bool *hits;
	double deadline;
	size_t *limits; /* [prompts]: where each ends at the latest, counted with its
                     prompt */
} run;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Lengths (huggingface.md 4.2)
 * ----------------------------------------------------------------------------------------
 */

static size_t decoder_prompt(const run *r, size_t prompt)
{
	return r->encodes ? 1 : r->job->lengths[prompt];
}

/* Where prompt `p` ends at the latest. Positions bind: the last token is not
 * read again, so one more than the table has. */
static attend_status max_length(size_t *out, const run *r, size_t p)
{
	const attend_generation *g = r->g;
	const size_t length = decoder_prompt(r, p), positions = r->decoder->max_positions;
	size_t limit = length + 20;
	if (positions && limit > positions) limit = positions > length ? positions : length + 1;
	if (g->max_new_tokens >= 0) limit = length + (size_t)g->max_new_tokens;
	else if (g->max_length_is_set) limit = (size_t)g->max_length;
	if (limit <= length)
		return attend_fail(ATTEND_ERR_DATA,
		                   "prompt %zu has %zu tokens, which leaves none to "
		                   "generate within max_length %zu",
		                   p + 1, length, limit);
	if (positions && length > positions)
		return attend_fail(ATTEND_ERR_DATA, "prompt %zu has %zu tokens, more than the %zu that the model takes", p + 1,
		                   length, positions);
	if (positions && limit > positions + 1) {
		attend_log(ATTEND_LOG_WARNING,
		           "generation ends at the model's %zu positions, before the %zu "
		           "tokens asked for",
		           positions, limit);
		limit = positions + 1;
	}
	*out = limit;
	return ATTEND_OK;
}

static int64_t min_length(const run *r, size_t prompt_length)
{
	const attend_generation *g = r->g;
	const int64_t by_new = g->min_new_tokens > 0 ? (int64_t)prompt_length + g->min_new_tokens : 0;
	return by_new > g->min_length ? by_new : g->min_length;
}

/* ---- Set-up
 * -----------------------------------------------------------------------------------------------------------------
 */

static void free_run(run *r)
{
	attend_session_free(r->session);
	free(r->logits);
	free(r->scores);
	free(r->scratch);
	free(r->offsets);
	free(r->sources);
	free(r->picked);
	free(r->slots);
	free(r->tokens);
	free(r->previous);
	attend_permuted_free(&r->permuted);
	free(r->candidates);
	free(r->noise);
	free(r->hits);
	free(r->limits);
}

static size_t group_size(const run *r)
{
	return r->forks >= GROUP ? 1 : GROUP / r->forks;
}

static attend_status plan(run *r)
{
	const attend_generate_job *job = r->job;
	const size_t group = group_size(r), rows = (job->prompts < group ? job->prompts : group) * r->forks;
	size_t most_tokens = rows, longest = 1, cache = 1;
	if (!(r->limits = attend_alloc_array(job->prompts + 1, sizeof *r->limits)))
		return attend_fail_memory(job->prompts * sizeof *r->limits, "generation");
	for (size_t p = 0; p < job->prompts; p += group) {
		size_t tokens = 0;
		for (size_t i = p; i < job->prompts && i < p + group; i++) {
			ATTEND_TRY(max_length(&r->limits[i], r, i));
			tokens += job->lengths[i];
			longest = job->lengths[i] > longest ? job->lengths[i] : longest;
			cache = r->limits[i] > cache ? r->limits[i] : cache;
		}
		most_tokens = tokens > most_tokens ? tokens : most_tokens;
	}
	attend_session_options options = {.max_tokens = most_tokens,
	                                  .max_sequences = rows,
	                                  .max_length = longest,
	                                  .cache_slots = rows,
	                                  .cache_length = cache,
	                                  .memory_tokens = most_tokens};
	if (r->permutes) {
		if (most_tokens < 2 * rows) most_tokens = 2 * rows;
		if (longest < 2) longest = 2;
		ATTEND_TRY(attend_permuted_init(&r->permuted, job->network, rows, most_tokens, longest, cache));
		options.max_tokens = most_tokens + rows;
		options.max_length = longest + 1;
		options.cache_length = cache + 1;
		options.query_stream = true;
	}
	ATTEND_TRY(attend_session_new(&r->session, job->network, &options));
	const size_t candidates = attend_beams_candidates((size_t)r->g->num_beams, r->g->eos_token_id.count);
	r->logits = attend_alloc_array(rows, r->vocab * sizeof(float));
	r->scores = attend_alloc_array(r->vocab, sizeof(float));
	r->scratch = malloc(attend_logits_scratch(r->vocab));
	r->offsets = attend_alloc_array(rows + 1, sizeof *r->offsets);
	r->sources = attend_alloc_array(rows + 1, sizeof *r->sources);
	r->picked = attend_alloc_array(rows + 1, sizeof *r->picked);
	r->slots = attend_alloc_array(rows, sizeof *r->slots);
	r->tokens = attend_alloc_array(most_tokens, sizeof *r->tokens);
	r->previous = attend_alloc_array(rows, sizeof *r->previous);
	r->candidates = attend_alloc_array(candidates, sizeof *r->candidates);
	r->noise = attend_alloc_array(r->vocab, sizeof(float));
	r->hits = attend_alloc_array(candidates, sizeof *r->hits);
	if (!r->logits || !r->scores || !r->scratch || !r->offsets || !r->sources || !r->picked || !r->slots ||
	    !r->tokens || !r->previous || !r->candidates || !r->noise || !r->hits)
		return attend_fail_memory(rows * r->vocab * sizeof(float), "generation");
	return ATTEND_OK;
}

/* The output layer on the last token of each of `count` sequences of the batch
 * that was just decoded. */
static attend_status last_logits(run *r, size_t count)
{
	for (size_t i = 0; i < count; i++) r->picked[i] = r->permutes ? i : r->offsets[i + 1] - 1;
	return attend_session_head(r->session, r->head, r->picked, count, r->logits);
}

static attend_status decode(run *r, const attend_batch *batch)
{
	const float *hidden = NULL;
	if (!r->permutes) return attend_session_decode(r->session, batch, r->slots, &hidden);
	return attend_permuted_decode(&r->permuted, r->session, batch->ids, batch->offsets, batch->sequences, r->slots,
	                              &hidden);
}

/* Read `count` prompts from `first` on; slots[i] then caches prompt i and
 * logits row i holds the scores of its next token. */
static attend_status read_prompts(run *r, size_t first, size_t count)
{
	size_t n = 0;
	const float *hidden = NULL;
	for (size_t i = 0; i < count; i++) {
		const size_t length = r->job->lengths[first + i];
		r->offsets[i] = n;
		if (length) memcpy(r->tokens + n, r->job->ids[first + i], length * sizeof *r->tokens);
		n += length;
	}
	r->offsets[count] = n;
	attend_batch batch = {.sequences = count, .offsets = r->offsets, .ids = r->tokens};
	if (r->encodes) {
		ATTEND_TRY(attend_session_encode(r->session, &batch, &hidden));
		ATTEND_TRY(attend_session_slots_open(r->session, count, NULL, r->slots));
		for (size_t i = 0; i < count; i++) {
			r->offsets[i + 1] = i + 1;
			r->tokens[i] = r->start;
		}
	} else {
		ATTEND_TRY(attend_session_slots_open(r->session, count, NULL, r->slots));
	}
	ATTEND_TRY(decode(r, &batch));
	return last_logits(r, count);
}

/* One more token for each of `count` slots (r->slots, r->tokens). */
static attend_status step(run *r, size_t count)
{
	const size_t each = r->permutes ? 2 : 1;
	for (size_t i = 0; i <= count; i++) r->offsets[i] = each * i;
	for (size_t i = count; r->permutes && i > 0; i--) {
		r->tokens[2 * i - 1] = r->tokens[i - 1];
		r->tokens[2 * i - 2] = r->previous[i - 1];
	}
	const attend_batch batch = {.sequences = count, .offsets = r->offsets, .ids = r->tokens};
	ATTEND_TRY(decode(r, &batch));
	return last_logits(r, count);
}

static bool is_eos(const run *r, int32_t id)
{
	for (size_t i = 0; i < r->g->eos_token_id.count; i++)
		if (r->g->eos_token_id.ids[i] == id) return true;
	return false;
}

static bool ends(const run *r, const int32_t *ids, size_t length, size_t prompt, size_t limit)
{
	const attend_generate_hooks *hooks = &r->job->hooks;
	return length >= limit || is_eos(r, ids[length - 1]) || (r->deadline > 0 && now() >= r->deadline) ||
	       (hooks->stops && hooks->stops(hooks->payload, ids, length, prompt));
}

static attend_logits_context context_of(const run *r, size_t prompt_index, const int32_t *ids, size_t length,
                                        size_t prompt, size_t limit)
{
	const bool beams = r->g->num_beams > 1;
	return (attend_logits_context){.generation = r->g,
	                               .ids = ids,
	                               .length = length,
	                               .prompt_length = prompt,
	                               .encoder_ids = r->encodes ? r->job->ids[prompt_index] : ids,
	                               .encoder_length = r->encodes ? r->job->lengths[prompt_index] : prompt,
	                               .max_length = (int64_t)limit,
	                               .min_length = min_length(r, prompt),
	                               .min_keep = !beams                     ? 1
	                                           : r->g->eos_token_id.count ? r->g->eos_token_id.count + 1
	                                                                      : 2};
}

/* ---- Greedy and sampling
 * --------------------------------------------------------------------------------------------------------
 */

static int32_t argmax(const float *scores, size_t v)
{
	return (int32_t)attend_row_argmax(scores, v);
}

/* Draw from softmax(scores) by inversion. */
static int32_t draw(const float *scores, size_t v, attend_rng *rng)
{
	const float max = scores[argmax(scores, v)];
	double sum = 0;
	for (size_t i = 0; i < v; i++) sum += (double)expf(scores[i] - max);
	double at = attend_rng_uniform(rng) * sum;
	int32_t last = argmax(scores, v);
	for (size_t i = 0; i < v; i++) {
		const double p = (double)expf(scores[i] - max);
		if (!(p > 0)) continue;
		last = (int32_t)i;
		at -= p;
		if (at < 0) break;
	}
	return last;
}

/* Choose the next token of one row from its logits, which are changed unless other rows share them. */
static int32_t choose(run *r, row *at, float *logits, bool shared, size_t prompt_index, size_t sequence, size_t limit)
{
	const attend_generate_hooks *hooks = &r->job->hooks;
	if (!hooks->scores && attend_logits_neutral(r->g, min_length(r, at->prompt))) return argmax(logits, r->vocab);
	float *scores = shared ? memcpy(r->scores, logits, r->vocab * sizeof *logits) : logits;
	const attend_logits_context context = context_of(r, prompt_index, at->ids, at->length, at->prompt, limit);
	attend_logits_process(scores, r->vocab, &context, r->scratch);
	if (r->g->do_sample) attend_logits_warp(scores, r->vocab, &context, r->scratch);
	if (r->g->renormalize_logits) attend_log_softmax_forward(scores, scores, 1, r->vocab);
	if (hooks->scores) hooks->scores(hooks->payload, sequence, at->steps, scores, r->vocab);
	return r->g->do_sample ? draw(scores, r->vocab, &at->rng) : argmax(scores, r->vocab);
}

static attend_status start_row(run *r, row *at, attend_generated *out, size_t prompt_index, size_t sequence)
{
	const size_t limit = r->limits[prompt_index];
	at->prompt = at->length = decoder_prompt(r, prompt_index);
	at->ids = out->ids = attend_alloc_array(limit, sizeof *at->ids); /* the result owns it from here on */
	if (!at->ids) return attend_fail_memory(limit * sizeof *at->ids, "generated tokens");
	memcpy(at->ids, r->encodes ? &r->start : r->job->ids[prompt_index], at->length * sizeof *at->ids);
	at->rng = (attend_rng){.seed = r->g->seed > 0 ? (uint64_t)r->g->seed : 0, .stream = sequence};
	return ATTEND_OK;
}

/* Prompts first .. first+count-1, `forks` sequences each. rows [count * forks].
 */
static attend_status run_plain(run *r, size_t first, size_t count, row *rows, attend_generated *out)
{
	const size_t total = count * r->forks;
	memset(rows, 0, total * sizeof *rows);
	for (size_t i = 0; i < total; i++)
		ATTEND_TRY(start_row(r, &rows[i], &out[i], first + i / r->forks, first * r->forks + i));
	ATTEND_TRY(read_prompts(r, first, count));
	for (size_t i = 0; i < total; i++) {
		rows[i].slot = r->slots[i / r->forks];
		if (i % r->forks) ATTEND_TRY(attend_session_slot_fork(r->session, rows[i].slot, &rows[i].slot));
		r->sources[i] = i / r->forks; /* row of logits */
	}
	for (bool prefilled = true;; prefilled = false) {
		size_t live = 0, batch = 0;
		for (size_t i = 0; i < total; i++) {
			row *at = &rows[i];
			if (at->done) continue;
			const size_t p = first + i / r->forks, sequence = first * r->forks + i, limit = r->limits[p];
			float *logits = r->logits + (prefilled ? r->sources[i] : live) * r->vocab;
			live++;
			const int32_t id = choose(r, at, logits, prefilled && r->forks > 1, p, sequence, limit);
			at->ids[at->length++] = id;
			at->steps++;
			if (r->job->hooks.token && !r->job->hooks.token(r->job->hooks.payload, sequence, id))
				return attend_fail(ATTEND_ERR_CANCELLED, "generation was cancelled");
			at->done = ends(r, at->ids, at->length, at->prompt, limit);
			at->at_limit = at->done && at->length >= limit && !is_eos(r, id);
		}
		for (size_t i = 0; i < total; i++) {
			row *at = &rows[i];
			if (at->done && at->slot >= 0) {
				attend_session_slot_free(r->session, at->slot);
				at->slot = -1;
			} else if (!at->done) {
				r->slots[batch] = at->slot;
				r->previous[batch] = at->length > 1 ? at->ids[at->length - 2] : 0;
				r->tokens[batch++] = at->ids[at->length - 1];
			}
		}
		if (!batch) break;
		ATTEND_TRY(step(r, batch));
	}
	for (size_t i = 0; i < total; i++) {
		out[i].length = rows[i].length;
		out[i].prompt_length = rows[i].prompt;
		out[i].at_limit = rows[i].at_limit;
	}
	return ATTEND_OK;
}

/* ---- Beams
 * -----------------------------------------------------------------------------------------------------------------------
 */

/* One prompt's search within a group. */
typedef struct search {
	attend_beams beams;
	int *slots; /* [B], into the group's block */
	attend_rng rng;
	size_t limit;
	bool active;
} search;

/* Sampling draws K candidates without replacement by the Gumbel trick: the K
 * largest of total + Gumbel noise. */
static const float *gumbel(run *r, attend_rng *rng)
{
	for (size_t i = 0; i < r->vocab; i++) {
		const double u = attend_rng_uniform(rng);
		r->noise[i] = (float)-log(-log(u > 0 ? u : 0x1p-60));
	}
	return r->noise;
}

/* Candidates of one search, best first, into r->candidates; beam b's logits are
 * row b, or all beams' the one row. The logits are used up. */
static size_t collect(run *r, search *s, size_t prompt_index, float *logits, bool one_row)
{
	const size_t keep = attend_beams_candidates(s->beams.count, r->g->eos_token_id.count);
	size_t size = 0;
	attend_log_softmax_forward(logits, logits, one_row ? 1 : s->beams.count, r->vocab);
	for (size_t b = 0; b < s->beams.count; b++) {
		const attend_beam *beam = &s->beams.running[b];
		float *scores = one_row ? memcpy(r->scores, logits, r->vocab * sizeof *logits) : logits + b * r->vocab;
		const attend_logits_context context =
			context_of(r, prompt_index, beam->ids, beam->length, s->beams.prompt_length, s->limit);
		attend_logits_process(scores, r->vocab, &context, r->scratch);
		if (r->g->do_sample) attend_logits_warp(scores, r->vocab, &context, r->scratch);
		if (r->g->renormalize_logits) attend_log_softmax_forward(scores, scores, 1, r->vocab);
		const float *noise = r->g->do_sample ? gumbel(r, &s->rng) : NULL;
		attend_beam_collect(r->candidates, &size, keep, scores, noise, r->vocab, beam->score, (uint32_t)b);
	}
	attend_beam_sort(r->candidates, size);
	return size;
}

/* Would candidate c end its sequence? The beam's buffer has room for the token
 * behind its length. */
static bool candidate_ends(run *r, search *s, const attend_beam_candidate *c)
{
	attend_beam *beam = &s->beams.running[c->beam];
	beam->ids[beam->length] = c->token;
	return ends(r, beam->ids, beam->length + 1, s->beams.prompt_length, s->limit);
}

/* One step of one search; its cache slots follow the beams that live on. */
static attend_status advance(run *r, search *s, size_t prompt_index, float *logits, bool one_row)
{
	const size_t count = collect(r, s, prompt_index, logits, one_row);
	for (size_t i = 0; i < count; i++) r->hits[i] = candidate_ends(r, s, &r->candidates[i]);
	s->active = attend_beams_advance(&s->beams, r->candidates, r->hits, count, r->sources);
	if (s->active) return attend_session_slots_reorder(r->session, s->beams.count, s->slots, r->sources);
	for (size_t b = 0; b < s->beams.count; b++) attend_session_slot_free(r->session, s->slots[b]);
	return ATTEND_OK;
}

static attend_status start_search(run *r, search *s, size_t prompt_index)
{
	s->limit = r->limits[prompt_index];
	s->active = true;
	s->rng = (attend_rng){.seed = r->g->seed > 0 ? (uint64_t)r->g->seed : 0, .stream = prompt_index};
	return attend_beams_init(&s->beams, r->g, r->encodes ? &r->start : r->job->ids[prompt_index],
	                         decoder_prompt(r, prompt_index), s->limit);
}

static attend_status keep_best(run *r, const search *s, attend_generated *out)
{
	for (size_t i = 0; i < (size_t)r->g->num_return_sequences; i++) {
		const attend_beam *beam = &s->beams.done[i];
		out[i].ids = attend_alloc_array(beam->length, sizeof *out[i].ids);
		if (!out[i].ids) return attend_fail_memory(beam->length * sizeof *out[i].ids, "generated tokens");
		memcpy(out[i].ids, beam->ids, beam->length * sizeof *out[i].ids);
		out[i].length = beam->length;
		out[i].prompt_length = s->beams.prompt_length;
		out[i].score = beam->score;
		out[i].at_limit = beam->length >= s->limit && !is_eos(r, beam->ids[beam->length - 1]);
	}
	return ATTEND_OK;
}

/* Prompts first .. first+count-1; searches [count], whose slots are set and
 * beams zeroed. */
static attend_status run_beams(run *r, size_t first, size_t count, search *searches, attend_generated *out)
{
	const size_t beams = r->forks;
	for (size_t p = 0; p < count; p++) ATTEND_TRY(start_search(r, &searches[p], first + p));
	ATTEND_TRY(read_prompts(r, first, count));
	for (size_t p = 0; p < count; p++) {
		searches[p].slots[0] = r->slots[p];
		for (size_t b = 1; b < beams; b++)
			ATTEND_TRY(attend_session_slot_fork(r->session, r->slots[p], &searches[p].slots[b]));
	}
	for (bool prefilled = true;; prefilled = false) {
		size_t row = 0, batch = 0;
		for (size_t p = 0; p < count; p++) {
			if (!searches[p].active) continue;
			ATTEND_TRY(advance(r, &searches[p], first + p, r->logits + row * r->vocab, prefilled));
			row += prefilled ? 1 : beams;
		}
		for (size_t p = 0; p < count; p++) {
			for (size_t b = 0; searches[p].active && b < beams; b++) {
				const attend_beam *beam = &searches[p].beams.running[b];
				r->slots[batch] = searches[p].slots[b];
				r->previous[batch] = beam->length > 1 ? beam->ids[beam->length - 2] : 0;
				r->tokens[batch++] = beam->ids[beam->length - 1];
			}
		}
		if (!batch) break;
		ATTEND_TRY(step(r, batch));
	}
	for (size_t p = 0; p < count; p++)
		ATTEND_TRY(keep_best(r, &searches[p], out + p * (size_t)r->g->num_return_sequences));
	return ATTEND_OK;
}

/* ---- Whole runs
 * --------------------------------------------------------------------------------------------------------------------
 */

static attend_status all_beams(run *r, attend_generated *out)
{
	const size_t group = group_size(r);
	search *searches = calloc(group, sizeof *searches);
	int *slots = attend_alloc_array(group * r->forks, sizeof *slots);
	attend_status status = searches && slots ? ATTEND_OK : attend_fail_memory(group * sizeof *searches, "beam search");
	for (size_t p = 0; status == ATTEND_OK && p < r->job->prompts; p += group) {
		const size_t count = r->job->prompts - p < group ? r->job->prompts - p : group;
		for (size_t i = 0; i < count; i++) searches[i].slots = slots + i * r->forks;
		status = run_beams(r, p, count, searches, out + p * (size_t)r->g->num_return_sequences);
		for (size_t i = 0; i < count; i++) attend_beams_free(&searches[i].beams);
	}
	free(searches);
	free(slots);
	return status;
}

static attend_status all_plain(run *r, attend_generated *out)
{
	const size_t group = group_size(r);
	row *rows = attend_alloc_array(group * r->forks, sizeof *rows);
	if (!rows) return attend_fail_memory(group * sizeof *rows, "generation");
	attend_status status = ATTEND_OK;
	for (size_t p = 0; status == ATTEND_OK && p < r->job->prompts; p += group) {
		const size_t count = r->job->prompts - p < group ? r->job->prompts - p : group;
		status = run_plain(r, p, count, rows, out + p * r->forks);
	}
	free(rows);
	return status;
}

/* The head that says the next token, and where an encoder-decoder starts. */
static attend_status find_start(run *r)
{
	attend_network *network = r->job->network;
	const attend_arch *arch = &network->arch;
	if (!arch->has_decoder) return attend_fail(ATTEND_ERR_ARG, "this model has no decoder: it cannot generate");
	const int head = attend_network_find_head(network, arch->has_encoder ? ATTEND_HEAD_SEQ2SEQ : ATTEND_HEAD_LM);
	if (head < 0 || !network->heads[head].present)
		return attend_fail(ATTEND_ERR_ARG, "this checkpoint has no language-model head: it cannot generate");
	r->head = (size_t)head;
	r->vocab = arch->heads[head].outputs;
	r->decoder = &arch->decoder;
	r->encodes = arch->has_encoder;
	r->permutes = arch->decoder.relative == ATTEND_RELATIVE_XLNET;
	const attend_generation *g = r->g;
	const int64_t start = g->decoder_start_token_id >= 0 ? g->decoder_start_token_id
	                      : arch->decoder_start_id >= 0  ? arch->decoder_start_id
	                      : g->bos_token_id >= 0         ? g->bos_token_id
	                                                     : arch->bos_id;
	if (r->encodes && start < 0)
		return attend_fail(ATTEND_ERR_ARG, "no decoder_start_token_id and no bos_token_id: "
		                                   "generation has no first token");
	r->start = (int32_t)start;
	return ATTEND_OK;
}

attend_status attend_generate_run(attend_generated *out, const attend_generate_job *job)
{
	run r = {.job = job, .g = job->generation};
	ATTEND_TRY(attend_generation_check(r.g));
	ATTEND_TRY(find_start(&r));
	for (size_t p = 0; p < job->prompts; p++)
		if (job->lengths[p] == 0) return attend_fail(ATTEND_ERR_DATA, "prompt %zu is empty", p + 1);
	const size_t returned = job->prompts * (size_t)r.g->num_return_sequences;
	r.forks = (size_t)(r.g->num_beams > 1 ? r.g->num_beams : r.g->num_return_sequences);
	if (r.g->max_time > 0) r.deadline = now() + r.g->max_time;
	memset(out, 0, returned * sizeof *out);
	attend_status status = plan(&r);
	if (status == ATTEND_OK) status = r.g->num_beams > 1 ? all_beams(&r, out) : all_plain(&r, out);
	free_run(&r);
	if (status != ATTEND_OK) attend_generated_free(out, returned);
	return status;
}

void attend_generated_free(attend_generated *sequences, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(sequences[i].ids);
		sequences[i] = (attend_generated){0};
	}
}
