/* warpers.c: what sampling removes from a row of scores (huggingface.md 4.4,
 * numbers 19 to 25): temperature; top-k (Fan et al. 2018); top-p (Holtzman et
 * al. 2020); min-p (Nguyen et al. 2024); typical (Meister et al. 2022); epsilon
 * and eta (Hewitt et al. 2022). Each keeps at least min_keep tokens. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tasks/logits.h"

typedef struct ranked {
	float key;
	uint32_t id;
} ranked;

typedef struct work {
	float *p;      /* [v] probabilities or log-probabilities */
	ranked *order; /* [v] */
} work;

size_t attend_logits_scratch(size_t v)
{
	return v * (sizeof(float) + sizeof(ranked)) + 16;
}

static int rising(const void *a, const void *b)
{
	const ranked *x = a, *y = b;
	if (x->key < y->key) return -1;
	if (x->key > y->key) return 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void softmax(float *p, const float *scores, size_t v)
{
	float max = -INFINITY;
	for (size_t i = 0; i < v; i++) max = scores[i] > max ? scores[i] : max;
	double sum = 0;
	for (size_t i = 0; i < v; i++) sum += p[i] = expf(scores[i] - max);
	for (size_t i = 0; i < v; i++) p[i] = (float)(p[i] / sum);
}

/* The k-th largest score: what a rule that looks at probabilities alone may not
 * remove. */
static float kth_largest(const float *scores, size_t v, size_t k, ranked *order)
{
	if (k == 1) {
		float max = -INFINITY;
		for (size_t i = 0; i < v; i++) max = scores[i] > max ? scores[i] : max;
		return max;
	}
	for (size_t i = 0; i < v; i++) order[i] = (ranked){scores[i], (uint32_t)i};
	qsort(order, v, sizeof *order, rising);
	return order[v - k].key;
}

/* Keep the k largest; what ties with the k-th stays too. A heap of the k best
 * avoids sorting a vocabulary for 50 tokens. */
static void top_k(float *scores, size_t v, size_t k, ranked *heap)
{
	if (k >= v) return;
	size_t size = 0;
	for (size_t i = 0; i < v; i++) {
		if (size == k && !(scores[i] > heap[0].key)) continue;
		size_t at;
		if (size < k) {
			at = size++;
			while (at > 0 && heap[(at - 1) / 2].key > scores[i]) heap[at] = heap[(at - 1) / 2], at = (at - 1) / 2;
		} else {
			at = 0;
			for (;;) {
				size_t child = 2 * at + 1;
				if (child + 1 < size && heap[child + 1].key < heap[child].key) child++;
				if (child >= size || heap[child].key >= scores[i]) break;
				heap[at] = heap[child];
				at = child;
			}
		}
		heap[at].key = scores[i];
	}
	const float threshold = heap[0].key;
	for (size_t i = 0; i < v; i++)
		if (scores[i] < threshold) scores[i] = -INFINITY;
}

static void top_p(float *scores, size_t v, double mass, size_t keep, work w)
{
	softmax(w.p, scores, v);
	size_t n = 0; /* what is gone already neither carries mass nor needs sorting */
	for (size_t i = 0; i < v; i++)
		if (scores[i] > -INFINITY) w.order[n++] = (ranked){scores[i], (uint32_t)i};
	qsort(w.order, n, sizeof *w.order, rising);
	double cumulative = 0;
	for (size_t i = 0; i + keep < n; i++) {
		cumulative += w.p[w.order[i].id];
		if (!(cumulative <= 1.0 - mass)) break;
		scores[w.order[i].id] = -INFINITY;
	}
}

static void min_p(float *scores, size_t v, double factor, size_t keep, work w)
{
	softmax(w.p, scores, v);
	float best = 0;
	for (size_t i = 0; i < v; i++) best = w.p[i] > best ? w.p[i] : best;
	const float floor = (float)factor * best, kept = kth_largest(scores, v, keep, w.order);
	for (size_t i = 0; i < v; i++)
		if (w.p[i] < floor && scores[i] < kept) scores[i] = -INFINITY;
}

/* Leaves log-probabilities in w.p; returns the entropy in nats. */
static double entropy(const float *scores, size_t v, work w)
{
	float max = -INFINITY;
	for (size_t i = 0; i < v; i++) max = scores[i] > max ? scores[i] : max;
	double sum = 0, h = 0;
	for (size_t i = 0; i < v; i++) sum += exp((double)scores[i] - max);
	for (size_t i = 0; i < v; i++) {
		const double logp = (double)scores[i] - max - log(sum);
		w.p[i] = (float)logp;
		if (logp > -INFINITY) h -= logp * exp(logp);
	}
	return h;
}

static void typical_p(float *scores, size_t v, double mass, size_t keep, work w)
{
	const double h = entropy(scores, v, w);
	for (size_t i = 0; i < v; i++) w.order[i] = (ranked){fabsf(-w.p[i] - (float)h), (uint32_t)i};
	qsort(w.order, v, sizeof *w.order, rising);
	double cumulative = 0;
	size_t last = 0;
	for (size_t i = 0; i < v; i++) {
		cumulative += exp(w.p[w.order[i].id]);
		if (cumulative < mass) last = i + 1;
	}
	if (last >= v) last = v - 1;
	const float limit = w.order[last].key;
	for (size_t i = keep; i < v; i++)
		if (w.order[i].key > limit) scores[w.order[i].id] = -INFINITY;
}

static void cutoff(float *scores, size_t v, double floor, size_t keep, work w)
{
	softmax(w.p, scores, v);
	const float kept = kth_largest(scores, v, keep, w.order);
	for (size_t i = 0; i < v; i++)
		if (w.p[i] < (float)floor && scores[i] < kept) scores[i] = -INFINITY;
}

void attend_logits_warp(float *scores, size_t v, const attend_logits_context *context, void *scratch)
{
	const attend_generation *g = context->generation;
	if (v == 0) return;
	const size_t keep = context->min_keep < 1 ? 1 : context->min_keep > v ? v : context->min_keep;
	const work w = {scratch, (ranked *)((char *)scratch + (v * sizeof(float) + 7) / 8 * 8)};
	if (g->temperature > 1 || g->temperature < 1)
		for (size_t i = 0; i < v; i++) scores[i] /= (float)g->temperature;
	if (g->top_k > 0) top_k(scores, v, (size_t)g->top_k > keep ? (size_t)g->top_k : keep, w.order);
	if (g->top_p < 1) top_p(scores, v, g->top_p, keep, w);
	if (g->min_p > 0) min_p(scores, v, g->min_p, keep, w);
	if (g->typical_p < 1) typical_p(scores, v, g->typical_p, keep, w);
	if (g->epsilon_cutoff > 0) cutoff(scores, v, g->epsilon_cutoff, keep, w);
	if (g->eta_cutoff > 0) {
		const double floor = sqrt(g->eta_cutoff) * exp(-entropy(scores, v, w));
		cutoff(scores, v, floor < g->eta_cutoff ? floor : g->eta_cutoff, keep, w);
	}
}
