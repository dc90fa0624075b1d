/* pooled.c: texts through a classifier, the logits of a long text's windows put together (the sliding windows of Sun et al. 2019,
 * "How to Fine-Tune BERT for Text Classification?", 5.3, over logits). */
#include "lib/train/pooled.h"

#include <math.h>
#include <string.h>

void attend_pool_add(float *row, const float *logits, size_t outputs, size_t nth, attend_window_pooling pooling)
{
	for (size_t i = 0; i < outputs; i++) {
		if (nth == 0) row[i] = logits[i];
		else if (pooling == ATTEND_WINDOW_MEAN) row[i] += logits[i];
		else if (logits[i] > row[i]) row[i] = logits[i];
	}
}

void attend_pool_end(float *row, size_t outputs, size_t windows, attend_window_pooling pooling)
{
	if (windows < 2 || pooling != ATTEND_WINDOW_MEAN) return; /* of one window its own bits */
	for (size_t i = 0; i < outputs; i++) row[i] = (float)((double)row[i] / (double)windows);
}

typedef struct cursor {
	const attend_examples *x;
	const size_t *texts;
	size_t count, text, window; /* next window of texts[text] */
} cursor;

static size_t text_at(const cursor *c)
{
	return c->texts ? c->texts[c->text] : c->text;
}

/* The next sequence; false past the end. */
static bool peek(const cursor *c, size_t *sequence)
{
	size_t first;
	if (c->text >= c->count) return false;
	(void)attend_examples_windows(c->x, text_at(c), &first);
	*sequence = first + c->window;
	return true;
}

static void advance(cursor *c)
{
	size_t first;
	if (++c->window < attend_examples_windows(c->x, text_at(c), &first)) return;
	c->window = 0;
	c->text++;
}

static size_t gather(size_t *members, cursor *c, const attend_pooled_run *run, size_t room)
{
	size_t n = 0, tokens = 0, sequence;
	while (n < room && peek(c, &sequence)) {
		tokens += attend_examples_length(c->x, sequence);
		if (n && tokens > run->max_tokens) break;
		members[n++] = sequence;
		advance(c);
	}
	return n;
}

attend_status attend_pooled_logits(float *rows, const attend_pooled_run *run, const attend_examples *examples,
                                   const size_t *texts, size_t count)
{
	enum { CHUNK = 256 };
	size_t members[CHUNK];
	cursor read = {examples, texts, count, 0, 0}, written = read;
	const size_t room = run->max_sequences < CHUNK ? run->max_sequences : CHUNK;
	for (size_t n; (n = gather(members, &read, run, room)) > 0;) {
		attend_example_batch_fill(run->batch, examples, members, n);
		ATTEND_TRY(attend_example_batch_run(run->batch, run->session, run->head));
		ATTEND_TRY(attend_session_head(run->session, run->head, NULL, n, run->scratch));
		for (size_t i = 0; i < n; i++) {
			float *row = rows + written.text * run->outputs;
			size_t first;
			const size_t windows = attend_examples_windows(examples, text_at(&written), &first);
			attend_pool_add(row, run->scratch + i * run->outputs, run->outputs, written.window, run->pooling);
			if (written.window + 1 == windows) attend_pool_end(row, run->outputs, windows, run->pooling);
			advance(&written);
		}
	}
	return ATTEND_OK;
}

/* ---- Losses ----------------------------------------------------------------------------------------------------------------- */

double attend_log_sum(const float *row, size_t outputs, double temperature)
{
	double max = -INFINITY, sum = 0;
	for (size_t i = 0; i < outputs; i++) max = fmax(max, (double)row[i] / temperature);
	for (size_t i = 0; i < outputs; i++) sum += exp((double)row[i] / temperature - max);
	return max + log(sum);
}

double attend_softplus(double x)
{
	return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

double attend_row_loss(const attend_example *example, attend_label_kind kind, const float *row, size_t outputs)
{
	if (kind == ATTEND_LABELS_REGRESSION) {
		const double d = (double)row[0] - example->value;
		return d * d;
	}
	if (kind == ATTEND_LABELS_SINGLE) return attend_log_sum(row, outputs, 1) - (double)row[example->label];
	double loss = 0;
	for (size_t c = 0, next = 0; c < outputs; c++) { /* labels rise */
		const bool truth = next < example->label_count && example->labels[next] == (int32_t)c;
		next += truth;
		loss += attend_softplus(truth ? -(double)row[c] : (double)row[c]) / (double)outputs;
	}
	return loss;
}
