/* train_unigram.c: learning a Unigram vocabulary (Kudo 2018, section 3.2) as SentencePiece does: from many seed pieces, two
 * rounds of expectation-maximisation and then a cut to three quarters, until little more than the wanted number is left. Cut
 * are the pieces whose absence costs the least likelihood. Single characters always stay. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/train.h"
#include "tokenizer/trie.h"

enum { ROUNDS = 2, LONGEST_WORD = 1024 };
static const double keep_factor = 0.75, surplus = 1.1, least_expected = 0.5;

typedef struct edge {
	uint32_t start, end;
	int32_t piece;
} edge;

typedef struct learner {
	const attend_word_counts *words;
	const attend_unigram_training *training;
	attend_seed *pieces; /* the letters first */
	size_t count, letters;
	attend_trie trie;
	attend_trie_key *keys; /* scratch of the trie */
	double *expected;      /* per piece */
	edge *edges;           /* of one word */
	size_t edge_count, edge_capacity;
	double *forward, *backward; /* per byte of a word, LONGEST_WORD + 1 */
	edge *best;                 /* last edge of the best path to a byte */
} learner;

static void free_learner(learner *l)
{
	attend_trie_free(&l->trie);
	free(l->keys);
	free(l->expected);
	free(l->edges);
	free(l->forward);
	free(l->backward);
	free(l->best);
}

static const char *text_of(const learner *l, size_t piece)
{
	return l->words->pool + l->pieces[piece].start;
}

static attend_status build_trie(learner *l)
{
	attend_trie_free(&l->trie);
	for (size_t i = 0; i < l->count; i++) l->keys[i] = (attend_trie_key){text_of(l, i), l->pieces[i].size, (int32_t)i};
	return attend_trie_build(&l->trie, l->keys, l->count);
}

/* All pieces in a text, by their start. */
static attend_status find_edges(learner *l, const char *text, uint32_t size)
{
	l->edge_count = 0;
	for (uint32_t start = 0; start < size; start += (uint32_t)attend_utf8_size((unsigned char)text[start])) {
		uint32_t base = l->trie.root;
		int32_t piece;
		for (uint32_t i = start; i < size && attend_trie_step(&l->trie, &base, (unsigned char)text[i], &piece); i++) {
			if (piece < 0) continue;
			ATTEND_TRY(attend_grow(&l->edges, &l->edge_capacity, l->edge_count + 1, sizeof *l->edges, "lattice"));
			l->edges[l->edge_count++] = (edge){start, i + 1, piece};
		}
	}
	return ATTEND_OK;
}

static double log_add(double a, double b)
{
	if (a < b) {
		const double swap = a;
		a = b;
		b = swap;
	}
	return b == -HUGE_VAL ? a : a + log1p(exp(b - a));
}

/* ---- expectation ---- */

/* Add how often each piece is expected in a word that occurs `times` times. A word that no path covers adds nothing. */
static attend_status expect_word(learner *l, const char *text, uint32_t size, double times)
{
	ATTEND_TRY(find_edges(l, text, size));
	for (uint32_t i = 0; i <= size; i++) l->forward[i] = l->backward[i] = -HUGE_VAL;
	l->forward[0] = l->backward[size] = 0;
	for (size_t e = 0; e < l->edge_count; e++) {
		const edge *x = &l->edges[e];
		l->forward[x->end] = log_add(l->forward[x->end], l->forward[x->start] + l->pieces[x->piece].score);
	}
	const double total = l->forward[size];
	if (total == -HUGE_VAL) return ATTEND_OK;
	for (size_t e = l->edge_count; e-- > 0;) {
		const edge *x = &l->edges[e];
		const double rest = l->pieces[x->piece].score + l->backward[x->end];
		l->backward[x->start] = log_add(l->backward[x->start], rest);
		if (l->forward[x->start] == -HUGE_VAL || rest == -HUGE_VAL) continue;
		l->expected[x->piece] += times * exp(l->forward[x->start] + rest - total);
	}
	return ATTEND_OK;
}

static attend_status expectation(learner *l)
{
	memset(l->expected, 0, l->count * sizeof *l->expected);
	ATTEND_TRY(build_trie(l));
	for (size_t w = 0; w < l->words->count; w++) {
		const attend_counted_word *word = &l->words->words[w];
		if (word->size <= LONGEST_WORD)
			ATTEND_TRY(expect_word(l, l->words->pool + word->start, word->size, (double)word->count));
	}
	return ATTEND_OK;
}

/* ---- maximisation ---- */

/* Derivative of lgamma: asymptotic series above 7, recurrence below. */
static double digamma(double x)
{
	double result = 0;
	for (; x < 7; x++) result -= 1 / x;
	x -= 0.5;
	const double xx = 1 / x, xx2 = xx * xx, xx4 = xx2 * xx2;
	return result + log(x) + xx2 / 24 - 7.0 / 960 * xx4 + 31.0 / 8064 * xx4 * xx2 - 127.0 / 30720 * xx4 * xx4;
}

/* Scores of the expected counts; what is hardly expected goes. The digamma favours sparse vocabularies (Bayesian EM). */
static void maximisation(learner *l)
{
	size_t kept = 0;
	double sum = 0;
	for (size_t i = 0; i < l->count; i++) {
		double expected = l->expected[i];
		if (expected < least_expected) {
			if (i >= l->letters) continue;
			expected = least_expected;
		}
		l->pieces[kept] = l->pieces[i];
		l->pieces[kept++].score = expected;
		sum += expected;
	}
	l->count = kept;
	const double log_sum = digamma(sum);
	for (size_t i = 0; i < kept; i++) l->pieces[i].score = digamma(l->pieces[i].score) - log_sum;
}

/* ---- the cut ---- */

/* The best path of a text without the piece `without`; its edges in l->best, by their end. -HUGE_VAL: there is none. */
static attend_status best_path(double *out, learner *l, const char *text, uint32_t size, int32_t without)
{
	ATTEND_TRY(find_edges(l, text, size));
	for (uint32_t i = 0; i <= size; i++) l->forward[i] = -HUGE_VAL;
	l->forward[0] = 0;
	for (size_t e = 0; e < l->edge_count; e++) {
		const edge *x = &l->edges[e];
		const double score = l->forward[x->start] + l->pieces[x->piece].score;
		if (x->piece == without || score <= l->forward[x->end]) continue;
		l->forward[x->end] = score;
		l->best[x->end] = *x;
	}
	*out = l->forward[size];
	return ATTEND_OK;
}

typedef struct loss {
	double value;
	int32_t piece;
} loss;

static int compare_losses(const void *a, const void *b)
{
	const loss *x = a, *y = b;
	if (x->value != y->value) return x->value < y->value ? 1 : -1;
	return (x->piece > y->piece) - (x->piece < y->piece);
}

/* How often each piece stands in the best paths of all words; l->expected takes it. */
static attend_status count_best(learner *l, double *sum)
{
	memset(l->expected, 0, l->count * sizeof *l->expected);
	*sum = 0;
	ATTEND_TRY(build_trie(l));
	for (size_t w = 0; w < l->words->count; w++) {
		const attend_counted_word *word = &l->words->words[w];
		double score;
		if (word->size > LONGEST_WORD) continue;
		ATTEND_TRY(best_path(&score, l, l->words->pool + word->start, word->size, -1));
		if (score == -HUGE_VAL) continue;
		for (uint32_t end = word->size; end > 0; end = l->best[end].start) {
			l->expected[l->best[end].piece] += (double)word->count;
			*sum += (double)word->count;
		}
	}
	return ATTEND_OK;
}

/* What the likelihood loses when the piece is written with others; negative: nothing, it is never best. */
static attend_status loss_of(double *out, learner *l, size_t piece, double sum)
{
	const double frequency = l->expected[piece];
	double score;
	*out = -1;
	if (frequency == 0) return ATTEND_OK;
	ATTEND_TRY(best_path(&score, l, text_of(l, piece), l->pieces[piece].size, (int32_t)piece));
	if (score == -HUGE_VAL || score > l->pieces[piece].score) return ATTEND_OK;
	size_t parts = 0;
	double other = 0;
	for (uint32_t end = l->pieces[piece].size; end > 0; end = l->best[end].start, parts++)
		other += log(l->expected[l->best[end].piece] + frequency);
	other -= (double)parts * log(sum + frequency * (double)(parts - 1));
	*out = fmax(0, frequency / sum * (log(frequency) - log(sum) - other));
	return ATTEND_OK;
}

static attend_status cut(learner *l, size_t goal)
{
	double sum;
	ATTEND_TRY(count_best(l, &sum));
	size_t keep = (size_t)(keep_factor * (double)l->count), candidates = 0, kept = l->letters;
	if (keep < goal) keep = goal;
	loss *losses = attend_alloc_array(l->count, sizeof *losses);
	if (losses == NULL) return attend_fail_memory(l->count * sizeof *losses, "pieces");
	attend_status status = ATTEND_OK;
	for (size_t i = l->letters; status == ATTEND_OK && i < l->count; i++) {
		double value;
		status = loss_of(&value, l, i, sum);
		if (status == ATTEND_OK && value >= 0) losses[candidates++] = (loss){value, (int32_t)i};
	}
	qsort(losses, candidates, sizeof *losses, compare_losses);
	const size_t room = keep > l->letters ? keep - l->letters : 0;
	if (candidates > room) candidates = room;
	for (size_t i = 0; i < l->count; i++) l->expected[i] = 0;
	for (size_t i = 0; i < candidates; i++) l->expected[losses[i].piece] = 1;
	for (size_t i = l->letters; i < l->count; i++)
		if (l->expected[i] > 0) l->pieces[kept++] = l->pieces[i];
	l->count = kept;
	free(losses);
	return status;
}

/* ---- all of it ---- */

static attend_status prepare(learner *l)
{
	l->keys = attend_alloc_array(l->count, sizeof *l->keys);
	l->expected = attend_alloc_array(l->count, sizeof *l->expected);
	l->forward = attend_alloc_array(LONGEST_WORD + 1, sizeof *l->forward);
	l->backward = attend_alloc_array(LONGEST_WORD + 1, sizeof *l->backward);
	l->best = attend_alloc_array(LONGEST_WORD + 1, sizeof *l->best);
	if (l->keys == NULL || l->expected == NULL || l->forward == NULL || l->backward == NULL || l->best == NULL)
		return attend_fail_memory(l->count * sizeof *l->keys, "Unigram training");
	double sum = 0;
	for (size_t i = 0; i < l->count; i++) sum += l->pieces[i].score;
	for (size_t i = 0; i < l->count; i++) l->pieces[i].score = log(l->pieces[i].score) - log(sum);
	return ATTEND_OK;
}

static attend_status learn(learner *l)
{
	const attend_unigram_training *training = l->training;
	const size_t wanted = training->piece_count, goal = (size_t)(surplus * (double)wanted), first = l->count;
	ATTEND_TRY(prepare(l));
	for (;;) {
		for (int round = 0; round < ROUNDS; round++) {
			ATTEND_TRY(expectation(l));
			maximisation(l);
		}
		if (training->progress != NULL &&
		    !training->progress(training->payload, "training", first - l->count, first > wanted ? first - wanted : 0))
			return attend_fail(ATTEND_ERR_CANCELLED, "training was cancelled");
		if (l->count <= goal) return ATTEND_OK;
		const size_t before = l->count;
		ATTEND_TRY(cut(l, goal));
		if (l->count == before) return ATTEND_OK;
	}
}

static int compare_pieces(const void *a, const void *b)
{
	const attend_seed *x = a, *y = b;
	if (x->score != y->score) return x->score < y->score ? 1 : -1;
	if (x->start != y->start) return x->start < y->start ? -1 : 1;
	return (x->size > y->size) - (x->size < y->size);
}

attend_status attend_train_unigram(attend_seed **out, size_t *count, const attend_word_counts *words,
                                   const attend_unigram_training *training)
{
	learner l = {.words = words, .training = training};
	ATTEND_TRY(attend_find_seeds(&l.pieces, &l.count, &l.letters, words, training));
	attend_status status = ATTEND_OK;
	if (l.letters > training->piece_count)
		status = attend_fail(ATTEND_ERR_ARG, "a vocabulary of %zu pieces has no room for the %zu single characters",
		                     training->piece_count, l.letters);
	else status = learn(&l);
	free_learner(&l);
	if (status != ATTEND_OK) {
		free(l.pieces);
		return status;
	}
	/* the letters and the best of the others, best first */
	qsort(l.pieces + l.letters, l.count - l.letters, sizeof *l.pieces, compare_pieces);
	*count = l.count < training->piece_count ? l.count : training->piece_count;
	qsort(l.pieces, *count, sizeof *l.pieces, compare_pieces);
	*out = l.pieces;
	return ATTEND_OK;
}
