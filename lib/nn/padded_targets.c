/* padded_targets.c: labels under the reference's names to attend_targets (padded.h, heads.h): per token, per row, spans,
 * regression and multi-label values; next-token labels are shifted here, in columns. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/nn/padded.h"

typedef struct source {
	attend_find_tensor find;
	void *payload;
} source;

static const attend_tensor *input(const source *s, const char *name)
{
	return s->find(s->payload, name);
}

static attend_status take(void *out, size_t count, size_t size)
{
	void *data = attend_alloc_array(count ? count : 1, size);
	if (data == NULL) return attend_fail_memory(count * size, "labels");
	memcpy(out, &data, sizeof data);
	return ATTEND_OK;
}

static bool is_real(const attend_tensor *t)
{
	return t->dtype == ATTEND_DTYPE_F32 || t->dtype == ATTEND_DTYPE_F16 || t->dtype == ATTEND_DTYPE_BF16 ||
	       t->dtype == ATTEND_DTYPE_F64;
}

/* Labels [rows,columns] -> one per ragged token, moved by one column where the head predicts the next token. */
static attend_status token_labels(attend_padded *p, const attend_tensor *labels)
{
	const attend_grid *g = &p->grids[p->stack];
	const bool shift = p->arch->heads[p->head].shift_labels;
	const size_t columns = g->target_columns ? g->target_columns : g->columns;
	const size_t count = g->target_columns ? g->rows * columns : g->offsets[g->rows];
	int32_t *all;
	ATTEND_TRY(attend_read_ints(&all, labels, "labels", g->rows * columns));
	const attend_status status = take(&p->labels, count, sizeof *p->labels);
	for (size_t n = 0; status == ATTEND_OK && n < count; n++) {
		const size_t cell = g->target_columns ? n : g->cell_of[n];
		if (!shift) p->labels[n] = all[cell];
		else p->labels[n] = (cell + 1) % columns ? all[cell + 1] : -100;
	}
	free(all);
	p->targets.labels = p->labels;
	return status;
}

/* Spans [batch] of columns -> index among the row's tokens; a column that holds no token is ignored. */
static attend_status span(attend_padded *p, const attend_tensor *tensor, const char *name, int32_t **out)
{
	const attend_grid *g = &p->grids[p->stack];
	ATTEND_TRY(attend_read_ints(out, tensor, name, g->rows));
	for (size_t r = 0; r < g->rows; r++) {
		const int32_t column = (*out)[r] < 0 ? 0 : (*out)[r];
		const size_t token = (size_t)column < g->columns ? g->token_of[r * g->columns + (size_t)column] : SIZE_MAX;
		(*out)[r] = token == SIZE_MAX ? -1 : (int32_t)(token - g->offsets[r]);
	}
	return ATTEND_OK;
}

static attend_status sequence_labels(attend_padded *p, attend_problem problem, const attend_tensor *labels)
{
	const size_t rows = p->grids[p->stack].rows, outputs = p->arch->heads[p->head].outputs;
	if (problem == ATTEND_PROBLEM_AUTO) {
		if (outputs == 1) problem = ATTEND_PROBLEM_REGRESSION;
		else problem = is_real(labels) ? ATTEND_PROBLEM_MULTI_LABEL : ATTEND_PROBLEM_SINGLE_LABEL;
	}
	p->targets.problem = problem;
	if (problem == ATTEND_PROBLEM_SINGLE_LABEL) {
		ATTEND_TRY(attend_read_ints(&p->labels, labels, "labels", rows));
		p->targets.labels = p->labels;
	} else {
		ATTEND_TRY(attend_read_floats(&p->values, labels, "labels", rows * outputs));
		p->targets.values = p->values;
	}
	return ATTEND_OK;
}

static attend_status discriminator_labels(attend_padded *p, const attend_tensor *labels)
{
	const attend_grid *g = &p->grids[p->stack];
	ATTEND_TRY(attend_read_floats(&p->values, labels, "labels", g->rows * g->columns));
	for (size_t n = 0; n < g->offsets[g->rows]; n++) p->values[n] = p->values[g->cell_of[n]]; /* cell_of[n] >= n */
	p->targets.values = p->values;
	return ATTEND_OK;
}

/* Where a head pools at the last eos of input_ids. */
static attend_status eos_rows(attend_padded *p)
{
	const attend_grid *from = &p->grids[p->runs_encoder ? 0 : 1], *to = &p->grids[p->stack];
	ATTEND_TRY(take(&p->pool_rows, from->rows, sizeof *p->pool_rows));
	for (size_t r = 0; r < from->rows; r++) {
		size_t at = SIZE_MAX;
		for (size_t t = 0; t < from->columns && t < to->columns; t++)
			if (from->ids[r * from->columns + t] == p->arch->eos_id) at = to->token_of[r * to->columns + t];
		if (at == SIZE_MAX)
			return attend_fail(ATTEND_ERR_DATA, "row %zu of input_ids has no eos (id %ld), at which this head reads", r,
			                   (long)p->arch->eos_id);
		p->pool_rows[r] = at;
	}
	p->targets.rows = p->pool_rows;
	return ATTEND_OK;
}

static attend_status read_weights(attend_padded *p, const source *s)
{
	const attend_tensor *smoothing = input(s, "label_smoothing"), *items = input(s, "num_items_in_batch");
	const attend_tensor *weights = input(s, "class_weights");
	if (smoothing) {
		float *value;
		ATTEND_TRY(attend_read_floats(&value, smoothing, "label_smoothing", 1));
		p->targets.smoothing = p->second_targets.smoothing = *value;
		free(value);
		if (!(p->targets.smoothing >= 0.0f && p->targets.smoothing < 1.0f))
			return attend_fail(ATTEND_ERR_DATA, "input 'label_smoothing': expected 0 <= e < 1");
	}
	if (items) {
		int32_t *value;
		ATTEND_TRY(attend_read_ints(&value, items, "num_items_in_batch", 1));
		p->targets.items = *value;
		free(value);
		if (p->targets.items < 1.0)
			return attend_fail(ATTEND_ERR_DATA, "input 'num_items_in_batch': expected at least 1");
	}
	if (weights) {
		ATTEND_TRY(attend_read_floats(&p->class_weights, weights, "class_weights", p->arch->heads[p->head].outputs));
		p->targets.class_weights = p->class_weights;
	}
	return ATTEND_OK;
}

static attend_status sentence_labels(attend_padded *p, const source *s, attend_targets *targets, int32_t **out)
{
	static const char *const names[] = {"next_sentence_label", "sentence_order_label", "labels"};
	const size_t count = p->kind == ATTEND_HEAD_PRETRAINING ? 2 : 3; /* there, labels are the masked words */
	for (size_t i = 0; i < count; i++) {
		const attend_tensor *labels = input(s, names[i]);
		if (labels == NULL) continue;
		ATTEND_TRY(attend_read_ints(out, labels, names[i], p->grids[p->stack].rows));
		targets->labels = *out;
		return ATTEND_OK;
	}
	return ATTEND_OK;
}

static attend_status qa_labels(attend_padded *p, const source *s)
{
	const attend_tensor *start = input(s, "start_positions"), *end = input(s, "end_positions");
	if (start == NULL || end == NULL) return ATTEND_OK;
	ATTEND_TRY(span(p, start, "start_positions", &p->labels));
	ATTEND_TRY(span(p, end, "end_positions", &p->second_labels));
	p->targets.starts = p->labels;
	p->targets.ends = p->second_labels;
	p->has_labels = true;
	return ATTEND_OK;
}

attend_status attend_padded_targets(attend_padded *p, attend_problem problem, attend_find_tensor find, void *payload)
{
	const source s = {find, payload};
	const attend_tensor *labels = input(&s, "labels");
	if (p->head < 0) return ATTEND_OK;
	ATTEND_TRY(read_weights(p, &s));
	if (p->arch->heads[p->head].pooling == ATTEND_POOL_LAST_EOS) ATTEND_TRY(eos_rows(p));
	p->has_labels = labels != NULL;
	switch (p->kind) {
	case ATTEND_HEAD_MLM:
	case ATTEND_HEAD_LM:
	case ATTEND_HEAD_SEQ2SEQ:
	case ATTEND_HEAD_TOKEN: return labels ? token_labels(p, labels) : ATTEND_OK;
	case ATTEND_HEAD_SEQUENCE: return labels ? sequence_labels(p, problem, labels) : ATTEND_OK;
	case ATTEND_HEAD_DISCRIMINATOR: return labels ? discriminator_labels(p, labels) : ATTEND_OK;
	case ATTEND_HEAD_QA: return qa_labels(p, &s);
	case ATTEND_HEAD_CHOICE:
		p->targets.choices = p->choices;
		if (labels == NULL) return ATTEND_OK;
		ATTEND_TRY(attend_read_ints(&p->labels, labels, "labels", p->batch));
		p->targets.labels = p->labels;
		return ATTEND_OK;
	case ATTEND_HEAD_NSP:
		ATTEND_TRY(sentence_labels(p, &s, &p->targets, &p->labels));
		p->has_labels = p->targets.labels != NULL;
		return ATTEND_OK;
	case ATTEND_HEAD_PRETRAINING:
		if (labels) ATTEND_TRY(token_labels(p, labels));
		ATTEND_TRY(sentence_labels(p, &s, &p->second_targets, &p->second_labels));
		p->has_labels = labels && p->second_targets.labels;
		return ATTEND_OK;
	case ATTEND_HEAD_BASE:
	case ATTEND_HEAD_KINDS: break;
	}
	return ATTEND_OK;
}

attend_status attend_padded_loss(const attend_padded *p, attend_session *session, float grad_scale, attend_loss *out)
{
	if (!p->has_labels) return attend_fail(ATTEND_ERR_ARG, "no labels for a loss");
	ATTEND_TRY(attend_session_loss(session, (size_t)p->head, &p->targets, grad_scale, out));
	if (p->second < 0) return ATTEND_OK;
	attend_loss second;
	ATTEND_TRY(attend_session_loss(session, (size_t)p->second, &p->second_targets, grad_scale, &second));
	out->loss += second.loss;
	return ATTEND_OK;
}
