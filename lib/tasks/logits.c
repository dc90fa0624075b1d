/* logits.c: HF's logits processors (huggingface.md 4.4, numbers 2 to 17;
 * transformers generation/logits_process.py). */
#include "lib/tasks/logits.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool equal_ids(const int32_t *a, const int32_t *b, size_t n)
{
	return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

/* Add each entry's bias to its last token where its other tokens end the
 * sequence. An entry longer than the sequence is passed over; a single token
 * always applies. */
static void sequence_bias(float *scores, size_t v, const attend_bias_entry *entries, size_t count,
                          const attend_logits_context *c, bool skip_eos)
{
	const attend_id_list *eos = &c->generation->eos_token_id;
	for (size_t i = 0; i < count; i++) {
		const attend_id_list *s = &entries[i].sequence;
		const size_t prefix = s->count - 1;
		const int32_t last = s->ids[prefix];
		bool is_eos = false;
		for (size_t e = 0; skip_eos && prefix == 0 && e < eos->count; e++) is_eos |= eos->ids[e] == last;
		if (is_eos || (size_t)last >= v) continue;
		if (prefix > 0 && s->count > c->length) continue;
		if (!equal_ids(s->ids, c->ids + c->length - prefix, prefix)) continue;
		scores[last] += entries[i].bias;
	}
}

/* Each distinct id counts once, however often it stands in `ids`: what was
 * penalised is marked in `seen` [v] bytes. */
static void penalise(float *scores, size_t v, const int32_t *ids, size_t count, float penalty, unsigned char *seen)
{
	memset(seen, 0, v);
	for (size_t i = 0; i < count; i++) {
		const size_t id = (size_t)(uint32_t)ids[i];
		if (id >= v || seen[id]) continue;
		seen[id] = 1;
		scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
	}
}

/* Ban what would complete an n-gram of `source` at the end of the sequence. */
static void ban_ngrams(float *scores, size_t v, size_t n, const int32_t *source, size_t source_length,
                       const int32_t *ids, size_t length)
{
	if (length + 1 < n || source_length < n) return;
	const int32_t *tail = ids + length - (n - 1);
	for (size_t i = 0; i + n <= source_length; i++) {
		const int32_t last = source[i + n - 1];
		if ((size_t)last < v && equal_ids(source + i, tail, n - 1)) scores[last] = -INFINITY;
	}
}

static void suppress(float *scores, size_t v, const attend_id_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if ((size_t)list->ids[i] < v) scores[list->ids[i]] = -INFINITY;
}

static void force(float *scores, size_t v, const int32_t *ids, size_t count)
{
	for (size_t i = 0; i < v; i++) scores[i] = -INFINITY;
	for (size_t i = 0; i < count; i++)
		if ((size_t)ids[i] < v) scores[ids[i]] = 0;
}

static void remove_invalid(float *scores, size_t v)
{
	for (size_t i = 0; i < v; i++) {
		if (isnan(scores[i])) scores[i] = 0;
		if (isinf(scores[i])) scores[i] = scores[i] > 0 ? FLT_MAX : -FLT_MAX;
	}
}

/* exponential_decay_length_penalty: the longer the text, the dearer it is not
 * to end. */
static void decay(float *scores, size_t v, const attend_logits_context *c)
{
	const attend_generation *g = c->generation;
	const int64_t past = (int64_t)c->length - (int64_t)c->prompt_length - g->decay_start;
	if (past <= 0) return;
	const float factor = (float)(pow(g->decay_factor, (double)past) - 1.0);
	for (size_t e = 0; e < g->eos_token_id.count; e++) {
		const size_t id = (size_t)g->eos_token_id.ids[e];
		if (id < v) scores[id] += fabsf(scores[id]) * factor;
	}
}

void attend_logits_process(float *scores, size_t v, const attend_logits_context *context, void *scratch)
{
	const attend_logits_context *c = context;
	const attend_generation *g = c->generation;
	sequence_bias(scores, v, g->sequence_bias, g->sequence_bias_count, c, false);
	if (g->encoder_repetition_penalty > 1 || g->encoder_repetition_penalty < 1)
		penalise(scores, v, c->encoder_ids, c->encoder_length, (float)(1.0 / g->encoder_repetition_penalty), scratch);
	if (g->repetition_penalty > 1 || g->repetition_penalty < 1)
		penalise(scores, v, c->ids, c->length, (float)g->repetition_penalty, scratch);
	if (g->no_repeat_ngram_size > 0)
		ban_ngrams(scores, v, (size_t)g->no_repeat_ngram_size, c->ids, c->length, c->ids, c->length);
	if (g->encoder_no_repeat_ngram_size > 0)
		ban_ngrams(scores, v, (size_t)g->encoder_no_repeat_ngram_size, c->encoder_ids, c->encoder_length, c->ids,
		           c->length);
	sequence_bias(scores, v, g->bad_words_ids, g->bad_words_count, c, true);
	const int64_t generated = (int64_t)(c->length - c->prompt_length);
	if ((int64_t)c->length < c->min_length || generated < g->min_new_tokens) suppress(scores, v, &g->eos_token_id);
	if (g->forced_bos_token_id >= 0 && c->length == 1) {
		const int32_t bos = (int32_t)g->forced_bos_token_id;
		force(scores, v, &bos, 1);
	}
	if (g->forced_eos_token_id.count && (int64_t)c->length == c->max_length - 1)
		force(scores, v, g->forced_eos_token_id.ids, g->forced_eos_token_id.count);
	if (g->remove_invalid_values) remove_invalid(scores, v);
	if (g->has_decay) decay(scores, v, c);
	suppress(scores, v, &g->suppress_tokens);
	const bool after_forced_bos = c->prompt_length <= 1 && g->forced_bos_token_id >= 0;
	if (c->length == c->prompt_length + (after_forced_bos ? 1 : 0)) suppress(scores, v, &g->begin_suppress_tokens);
}

bool attend_logits_neutral(const attend_generation *generation, int64_t min_length)
{
	const attend_generation *g = generation;
	const double changes[] = {g->encoder_repetition_penalty - 1, g->repetition_penalty - 1};
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		if (changes[i] > 0 || changes[i] < 0) return false;
	return !g->sequence_bias_count && !g->bad_words_count && g->no_repeat_ngram_size <= 0 &&
	       g->encoder_no_repeat_ngram_size <= 0 && min_length <= 0 && g->min_new_tokens <= 0 &&
	       g->forced_bos_token_id < 0 && !g->forced_eos_token_id.count && !g->remove_invalid_values && !g->has_decay &&
	       !g->suppress_tokens.count && !g->begin_suppress_tokens.count && !g->renormalize_logits && !g->do_sample;
}
