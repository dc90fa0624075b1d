/* losses.c: the losses of the heads, as the reference computes them (huggingface.md 6), and the start of backward.
 *
 *   cross-entropy  sum w[y] ((1-e) nll + e mean_v(-logp)) / sum w[y]      MLM, LM, token, sequence, NSP, choice
 *   QA             (CE over a sequence's tokens for the start + the same for the end) / 2
 *   MSE, BCE       means over all elements                                regression; multi-label, discriminator
 *
 * The divisor is known before the first logit (labels and weights alone decide it), so a block of rows goes forward
 * and backward at once and its logits are forgotten. */
#include <math.h>
#include <string.h>

#include "lib/nn/head_pass.h"

enum { IGNORE = -100 };

/* ---- Rows with a label --------------------------------------------------------------------------------------- */
static attend_status check_label(const attend_head_pass *pass, int32_t label, size_t classes, size_t row)
{
	if (label == IGNORE || (label >= 0 && (size_t)label < classes)) return ATTEND_OK;
	return attend_fail(ATTEND_ERR_DATA, "label %ld of row %zu is not in 0 .. %zu of head '%s'", (long)label, row,
	                   classes - 1, attend_head_kind_name(pass->arch->kind));
}

/* Divisor of a cross-entropy: weights of the labels that count. */
static attend_status label_weight(const attend_head_pass *pass, const attend_targets *t, size_t classes, size_t rows,
                                  double *weight)
{
	*weight = 0.0;
	for (size_t i = 0; i < rows; i++) {
		ATTEND_TRY(check_label(pass, t->labels[i], classes, i));
		if (t->labels[i] != IGNORE) *weight += t->class_weights ? (double)t->class_weights[t->labels[i]] : 1.0;
	}
	return ATTEND_OK;
}

static void finish_loss(attend_loss *out, const attend_targets *t, double sum, double count)
{
	out->sum = sum;
	out->count = t->items > 0.0 ? t->items : count;
	out->loss = count > 0.0 ? sum / out->count : NAN;
}

static bool backward_wanted(const attend_head_pass *pass)
{
	return pass->session->options.training && !pass->session->evaluating && pass->state->kept;
}

/* Cross-entropy of labelled rows: rows[i] of the head has labels[i]. */
static void cross_entropy_rows(attend_head_pass *pass, const attend_targets *t, const size_t *rows,
                               const int32_t *labels, size_t count, double divisor, float grad_scale, double *sum)
{
	attend_scratch *scratch = &pass->session->scratch;
	for (size_t first = 0; first < count; first += pass->count) {
		pass->count = count - first < pass->block_rows ? count - first : pass->block_rows;
		pass->rows = rows + first;
		const float *vectors = attend_head_vectors(pass);
		attend_head_logits(pass, vectors, scratch->head_logits, pass->outputs);
		attend_cross_entropy ce = {
			.logits = scratch->head_logits,
			.n = pass->count,
			.v = pass->outputs,
			.labels = labels + first,
			.ignore = IGNORE,
			.smoothing = t->smoothing,
			.class_weights = t->class_weights,
		};
		attend_cross_entropy_forward(&ce);
		*sum += ce.loss_sum;
		if (backward_wanted(pass)) {
			attend_cross_entropy_backward(scratch->head_logits, &ce, (float)((double)grad_scale / divisor));
			attend_head_backward(pass, scratch->head_logits);
		}
		pass->block++;
	}
}

static attend_status token_loss(attend_head_pass *pass, const attend_targets *t, float grad_scale, attend_loss *out)
{
	attend_scratch *scratch = &pass->session->scratch;
	const size_t rows = pass->state->hidden_rows;
	double weight, sum = 0.0;
	ATTEND_TRY(label_weight(pass, t, pass->outputs, rows, &weight));
	size_t count = 0;
	for (size_t i = 0; i < rows; i++) {
		if (t->labels[i] == IGNORE) continue;
		scratch->row_list[count] = i;
		scratch->label_list[count++] = t->labels[i];
	}
	const double divisor = t->items > 0.0 ? t->items : weight;
	cross_entropy_rows(pass, t, scratch->row_list, scratch->label_list, count, divisor, grad_scale, &sum);
	finish_loss(out, t, sum, weight);
	return ATTEND_OK;
}

static attend_status pooled_loss(attend_head_pass *pass, const attend_targets *t, float grad_scale, attend_loss *out)
{
	attend_scratch *scratch = &pass->session->scratch;
	const size_t rows = pass->state->sequences;
	double weight, sum = 0.0;
	ATTEND_TRY(label_weight(pass, t, pass->outputs, rows, &weight));
	ATTEND_TRY(attend_head_pool(pass, t->rows, rows, scratch->row_list));
	const double divisor = t->items > 0.0 ? t->items : weight;
	if (weight > 0.0) cross_entropy_rows(pass, t, scratch->row_list, t->labels, rows, divisor, grad_scale, &sum);
	finish_loss(out, t, sum, weight);
	return ATTEND_OK;
}

/* All rows of a head with few outputs into head_logits. */
static attend_status all_logits(attend_head_pass *pass, const size_t *rows, size_t count)
{
	attend_scratch *scratch = &pass->session->scratch;
	if (count > pass->block_rows)
		return attend_fail(ATTEND_ERR_ARG, "%zu rows of head '%s' at once: at most %zu", count,
		                   attend_head_kind_name(pass->arch->kind), pass->block_rows);
	pass->rows = rows;
	pass->count = count;
	attend_head_logits(pass, attend_head_vectors(pass), scratch->head_logits, pass->outputs);
	return ATTEND_OK;
}

/* ---- Multiple choice ----------------------------------------------------------------------------------------- */
static attend_status choice_loss(attend_head_pass *pass, const attend_targets *t, float grad_scale, attend_loss *out)
{
	attend_scratch *scratch = &pass->session->scratch;
	const size_t sequences = pass->state->sequences, choices = t->choices;
	if (choices == 0 || sequences % choices)
		return attend_fail(ATTEND_ERR_ARG, "%zu sequences do not make questions of %zu choices", sequences, choices);
	double weight;
	ATTEND_TRY(label_weight(pass, t, choices, sequences / choices, &weight));
	ATTEND_TRY(attend_head_pool(pass, t->rows, sequences, scratch->row_list));
	ATTEND_TRY(all_logits(pass, scratch->row_list, sequences));
	attend_cross_entropy ce = {
		.logits = scratch->head_logits,
		.n = sequences / choices,
		.v = choices,
		.labels = t->labels,
		.ignore = IGNORE,
		.smoothing = t->smoothing,
		.class_weights = t->class_weights,
	};
	attend_cross_entropy_forward(&ce);
	const double divisor = t->items > 0.0 ? t->items : weight;
	if (backward_wanted(pass) && weight > 0.0) {
		attend_cross_entropy_backward(scratch->head_logits, &ce, (float)((double)grad_scale / divisor));
		attend_head_backward(pass, scratch->head_logits);
	}
	finish_loss(out, t, ce.loss_sum, weight);
	return ATTEND_OK;
}

/* ---- Question answering -------------------------------------------------------------------------------------- */
/* Column `column` of logits [T,2]: -log softmax at `position`; the gradient times `factor` replaces the column. */
static double span_loss(float *logits, size_t column, size_t tokens, size_t position, double factor)
{
	double top = -INFINITY, sum = 0.0;
	for (size_t i = 0; i < tokens; i++) top = fmax(top, (double)logits[2 * i + column]);
	for (size_t i = 0; i < tokens; i++) sum += exp((double)logits[2 * i + column] - top);
	const double loss = log(sum) + top - (double)logits[2 * position + column];
	for (size_t i = 0; i < tokens; i++) {
		const double p = exp((double)logits[2 * i + column] - top) / sum;
		logits[2 * i + column] = (float)(factor * (p - (i == position)));
	}
	return loss;
}

static bool in_span(const attend_stack_state *state, size_t s, int32_t position)
{
	return position >= 0 && (size_t)position < state->offsets[s + 1] - state->offsets[s];
}

static attend_status qa_loss(attend_head_pass *pass, const attend_targets *t, float grad_scale, attend_loss *out)
{
	attend_scratch *scratch = &pass->session->scratch;
	const attend_stack_state *state = pass->state;
	if (t->starts == NULL || t->ends == NULL || pass->outputs != 2)
		return attend_fail(ATTEND_ERR_ARG,
		                   "question answering needs start and end positions and "
		                   "two outputs, found %zu outputs",
		                   pass->outputs);
	const int32_t *const positions[2] = {t->starts, t->ends};
	size_t kept[2] = {0, 0};
	for (size_t s = 0; s < state->sequences; s++)
		for (size_t c = 0; c < 2; c++) kept[c] += in_span(state, s, positions[c][s]);
	for (size_t i = 0; i < state->hidden_rows; i++) scratch->row_list[i] = i;
	ATTEND_TRY(all_logits(pass, scratch->row_list, state->hidden_rows));
	double sums[2] = {0.0, 0.0};
	for (size_t s = 0; s < state->sequences; s++) {
		const size_t first = state->offsets[s], tokens = state->offsets[s + 1] - first;
		float *logits = scratch->head_logits + 2 * first;
		for (size_t c = 0; c < 2; c++) {
			if (in_span(state, s, positions[c][s])) {
				sums[c] +=
					span_loss(logits, c, tokens, (size_t)positions[c][s], (double)grad_scale / 2.0 / (double)kept[c]);
			} else {
				for (size_t i = 0; i < tokens; i++) logits[2 * i + c] = 0.0f;
			}
		}
	}
	const bool defined = kept[0] && kept[1];
	if (backward_wanted(pass) && defined) attend_head_backward(pass, scratch->head_logits);
	out->loss = defined ? (sums[0] / (double)kept[0] + sums[1] / (double)kept[1]) / 2.0 : NAN;
	out->count = (double)kept[0];
	out->sum = out->loss * out->count;
	return ATTEND_OK;
}

/* ---- Regression, multi-label, discriminator ------------------------------------------------------------------ */
/* Element losses against values; `counted` (or NULL) by row. logits become gradients. */
static attend_status value_loss(attend_head_pass *pass, const attend_targets *t, const size_t *rows, size_t count,
                                bool binary, const uint8_t *counted, float grad_scale, attend_loss *out)
{
	attend_scratch *scratch = &pass->session->scratch;
	const size_t outputs = pass->outputs;
	if (t->values == NULL)
		return attend_fail(ATTEND_ERR_ARG, "head '%s' needs values, found class labels",
		                   attend_head_kind_name(pass->arch->kind));
	ATTEND_TRY(all_logits(pass, rows, count));
	size_t elements = 0;
	for (size_t i = 0; i < count; i++) elements += !counted || counted[i] ? outputs : 0;
	const double divisor = t->items > 0.0 ? t->items : (double)elements;
	double sum = 0.0;
	for (size_t i = 0; i < count; i++) {
		for (size_t c = 0; c < outputs; c++) {
			float *logit = scratch->head_logits + i * outputs + c;
			const double x = (double)*logit, y = (double)t->values[i * outputs + c];
			*logit = 0.0f;
			if (counted && !counted[i]) continue;
			double slope;
			if (binary) {
				sum += fmax(x, 0.0) - x * y + log1p(exp(-fabs(x)));
				slope = 1.0 / (1.0 + exp(-x)) - y;
			} else {
				sum += (x - y) * (x - y);
				slope = 2.0 * (x - y);
			}
			*logit = (float)((double)grad_scale * slope / divisor);
		}
	}
	if (backward_wanted(pass) && elements) attend_head_backward(pass, scratch->head_logits);
	finish_loss(out, t, sum, (double)elements);
	return ATTEND_OK;
}

static attend_status discriminator_loss(attend_head_pass *pass, const attend_targets *t, float grad_scale,
                                        attend_loss *out)
{
	attend_scratch *scratch = &pass->session->scratch;
	for (size_t i = 0; i < pass->state->hidden_rows; i++) scratch->row_list[i] = i;
	return value_loss(pass, t, scratch->row_list, pass->state->hidden_rows, true, t->counted, grad_scale, out);
}

static attend_status sequence_loss(attend_head_pass *pass, const attend_targets *t, float grad_scale, attend_loss *out)
{
	attend_problem problem = t->problem;
	if (problem == ATTEND_PROBLEM_AUTO) {
		problem = ATTEND_PROBLEM_SINGLE_LABEL;
		if (t->values) problem = pass->outputs == 1 ? ATTEND_PROBLEM_REGRESSION : ATTEND_PROBLEM_MULTI_LABEL;
	}
	if (problem == ATTEND_PROBLEM_SINGLE_LABEL) {
		if (t->labels) return pooled_loss(pass, t, grad_scale, out);
		return attend_fail(ATTEND_ERR_ARG, "single-label classification needs class labels, found values");
	}
	attend_scratch *scratch = &pass->session->scratch;
	ATTEND_TRY(attend_head_pool(pass, t->rows, pass->state->sequences, scratch->row_list));
	return value_loss(pass, t, scratch->row_list, pass->state->sequences, problem == ATTEND_PROBLEM_MULTI_LABEL, NULL,
	                  grad_scale, out);
}

attend_status attend_session_loss(attend_session *session, size_t head, const attend_targets *targets, float grad_scale,
                                  attend_loss *out)
{
	attend_head_pass pass;
	ATTEND_TRY(attend_head_begin(&pass, session, head));
	const attend_head_kind kind = pass.arch->kind;
	switch (kind) {
	case ATTEND_HEAD_MLM:
	case ATTEND_HEAD_LM:
	case ATTEND_HEAD_SEQ2SEQ:
	case ATTEND_HEAD_TOKEN:
		if (targets->labels == NULL) break;
		return token_loss(&pass, targets, grad_scale, out);
	case ATTEND_HEAD_NSP:
		if (targets->labels == NULL) break;
		return pooled_loss(&pass, targets, grad_scale, out);
	case ATTEND_HEAD_CHOICE:
		if (targets->labels == NULL) break;
		return choice_loss(&pass, targets, grad_scale, out);
	case ATTEND_HEAD_SEQUENCE: return sequence_loss(&pass, targets, grad_scale, out);
	case ATTEND_HEAD_QA: return qa_loss(&pass, targets, grad_scale, out);
	case ATTEND_HEAD_DISCRIMINATOR: return discriminator_loss(&pass, targets, grad_scale, out);
	case ATTEND_HEAD_BASE:
	case ATTEND_HEAD_PRETRAINING:
	case ATTEND_HEAD_KINDS:
		return attend_fail(ATTEND_ERR_ARG, "head '%s' has no loss of its own", attend_head_kind_name(kind));
	}
	return attend_fail(ATTEND_ERR_ARG, "head '%s' needs class labels", attend_head_kind_name(kind));
}
