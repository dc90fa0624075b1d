/* forward.c: the forward pass under the reference's names: logits, loss, hidden states, attention maps, gradients; rows of
 * ragged batches are put back where they stood in the padded rectangle. */
#include "lib/tasks/forward.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/tasks/pipeline.h"
#include "loaders/safetensors_write.h"

/* ---- Named outputs ----------------------------------------------------------------------------------------------------- */
attend_status attend_outputs_add(attend_outputs *outputs, float **values, unsigned rank, const size_t *shape,
                                 const char *name, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, name);
	vsnprintf(text, sizeof text, name, arguments);
	va_end(arguments);
	ATTEND_TRY(attend_grow(&outputs->items, &outputs->capacity, outputs->count + 1, sizeof *outputs->items, "outputs"));
	attend_output *item = &outputs->items[outputs->count];
	*item = (attend_output){.tensor = {.dtype = ATTEND_DTYPE_F32, .rank = rank}};
	size_t count = 1;
	for (unsigned i = 0; i < rank; i++) {
		item->tensor.shape[i] = shape[i];
		if (__builtin_mul_overflow(count, shape[i], &count)) return attend_fail_memory(SIZE_MAX, text);
	}
	item->name = strdup(text);
	item->values = calloc(count ? count : 1, sizeof *item->values);
	if (item->name == NULL || item->values == NULL) {
		free(item->name);
		free(item->values);
		return attend_fail_memory(count * sizeof *item->values, text);
	}
	item->tensor.data = item->values;
	outputs->count++;
	*values = item->values;
	return ATTEND_OK;
}

void attend_outputs_free(attend_outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		free(outputs->items[i].name);
		free(outputs->items[i].values);
	}
	free(outputs->items);
	*outputs = (attend_outputs){0};
}

/* ---- Rows back to columns -------------------------------------------------------------------------------------------------- */
typedef struct watcher {
	attend_outputs *out;
	const attend_padded *padded;
	const attend_forward_options *options;
	bool both;    /* encoder and decoder: names carry the stack */
	bool streams; /* XLNet's two streams */
	attend_status status;
	size_t maps[2][2]; /* attention maps so far, [stack][cross] */
	float *map;        /* the map that is being filled, sequence by sequence */
} watcher;

static const char *prefix_of(const watcher *w, int stack)
{
	return !w->both ? "" : stack == 0 ? "encoder_" : "decoder_";
}

/* x [N,width] -> [rows, columns, width] */
static attend_status put_tokens(attend_outputs *out, const attend_grid *g, const float *x, size_t width,
                                const char *name)
{
	float *values;
	const size_t shape[3] = {g->rows, g->columns, width};
	ATTEND_TRY(attend_outputs_add(out, &values, 3, shape, "%s", name));
	for (size_t n = 0; n < g->offsets[g->rows]; n++)
		memcpy(values + g->cell_of[n] * width, x + n * width, width * sizeof *x);
	return ATTEND_OK;
}

static attend_status put_targets(attend_outputs *out, const attend_grid *g, const float *x, size_t width,
                                 const char *name)
{
	float *values;
	const size_t shape[3] = {g->rows, g->target_columns, width};
	ATTEND_TRY(attend_outputs_add(out, &values, 3, shape, "%s", name));
	memcpy(values, x, g->rows * g->target_columns * width * sizeof *x);
	return ATTEND_OK;
}

static attend_status put_hidden(const watcher *w, int stack, int stream, const float *x, size_t width, const char *name)
{
	const attend_grid *g = &w->padded->grids[stack];
	return stream == 1 ? put_targets(w->out, g, x, width, name) : put_tokens(w->out, g, x, width, name);
}

static bool watch_hidden(void *payload, int stack, int stream, size_t layer, const float *x, size_t rows, size_t width)
{
	watcher *w = payload;
	char name[64];
	(void)rows;
	const size_t index = w->streams ? 2 * layer + (size_t)stream : layer;
	snprintf(name, sizeof name, "%shidden_states.%zu", prefix_of(w, stack), index);
	w->status = put_hidden(w, stack, stream, x, width, name);
	return w->status == ATTEND_OK;
}

static bool watch_attention(void *payload, int stack, int stream, size_t layer, bool cross, size_t sequence,
                            const float *p, size_t heads, size_t tq, size_t tk)
{
	watcher *w = payload;
	const attend_grid *q = &w->padded->grids[stack], *k = cross ? &w->padded->grids[0] : q;
	if (sequence == 0) {
		const size_t shape[4] = {q->rows, heads, q->columns, k->columns};
		const char *prefix = cross ? "cross_" : prefix_of(w, stack);
		w->status = w->streams
		                ? attend_outputs_add(w->out, &w->map, 4, shape, "%sattentions.%zu.%d", prefix, layer, stream)
		                : attend_outputs_add(w->out, &w->map, 4, shape, "%sattentions.%zu", prefix, layer);
		if (w->status != ATTEND_OK) return false;
	}
	for (size_t h = 0; h < heads; h++) {
		for (size_t i = 0; i < tq; i++) {
			const size_t row = q->cell_of[q->offsets[sequence] + i] % q->columns;
			float *to = w->map + ((sequence * heads + h) * q->columns + row) * k->columns;
			for (size_t j = 0; j < tk; j++)
				to[k->cell_of[k->offsets[sequence] + j] % k->columns] = p[(h * tq + i) * tk + j];
		}
	}
	return true;
}

/* ---- Heads ---------------------------------------------------------------------------------------------------------------- */
/* Logits of head `index` as [rows, columns, outputs] or [rows, outputs]; malloc'ed and ragged in *ragged. */
static attend_status head_rows(float **ragged, attend_session *session, const attend_padded *p, int index,
                               size_t *count)
{
	const attend_head_arch *head = &p->arch->heads[index];
	const attend_grid *g = &p->grids[p->stack];
	*count = head->pooling != ATTEND_POOL_ALL ? g->rows
	         : g->target_columns              ? g->rows * g->target_columns
	                                          : g->offsets[g->rows];
	*ragged = attend_alloc_array(*count ? *count * head->outputs : 1, sizeof **ragged);
	if (*ragged == NULL) return attend_fail_memory(*count * head->outputs * sizeof **ragged, "logits");
	const attend_status status = attend_session_head(session, (size_t)index, p->targets.rows, *count, *ragged);
	if (status != ATTEND_OK) free(*ragged);
	return status;
}

static attend_status put_span(attend_outputs *out, const attend_grid *g, const float *logits, size_t column,
                              const char *name)
{
	float *values;
	const size_t shape[2] = {g->rows, g->columns};
	ATTEND_TRY(attend_outputs_add(out, &values, 2, shape, "%s", name));
	for (size_t n = 0; n < g->offsets[g->rows]; n++) values[g->cell_of[n]] = logits[2 * n + column];
	return ATTEND_OK;
}

static attend_status put_logits(attend_outputs *out, const attend_padded *p, int index, const float *logits,
                                const char *name)
{
	const attend_head_arch *head = &p->arch->heads[index];
	const attend_grid *g = &p->grids[p->stack];
	if (head->kind == ATTEND_HEAD_QA) {
		ATTEND_TRY(put_span(out, g, logits, 0, "start_logits"));
		return put_span(out, g, logits, 1, "end_logits");
	}
	if (head->pooling == ATTEND_POOL_ALL) {
		if (g->target_columns) return put_targets(out, g, logits, head->outputs, name);
		ATTEND_TRY(put_tokens(out, g, logits, head->outputs, name));
		if (head->kind == ATTEND_HEAD_DISCRIMINATOR) out->items[out->count - 1].tensor.rank = 2; /* [rows, columns] */
		return ATTEND_OK;
	}
	float *values;
	const bool choice = head->kind == ATTEND_HEAD_CHOICE;
	const size_t shape[2] = {choice ? p->batch : g->rows, choice ? p->choices : head->outputs};
	ATTEND_TRY(attend_outputs_add(out, &values, 2, shape, "%s", name));
	memcpy(values, logits, g->rows * head->outputs * sizeof *values);
	return ATTEND_OK;
}

static attend_status one_head(attend_outputs *out, attend_session *session, const attend_padded *p, int index,
                              const char *name)
{
	float *ragged;
	size_t count;
	ATTEND_TRY(head_rows(&ragged, session, p, index, &count));
	const attend_status status = put_logits(out, p, index, ragged, name);
	free(ragged);
	return status;
}

static attend_status put_pooler(attend_outputs *out, attend_session *session, const attend_padded *p)
{
	const attend_network *network = attend_session_network(session);
	float *values;
	if (p->stack != 0 || network->pooler.dense.out == 0) return ATTEND_OK;
	const size_t shape[2] = {p->grids[0].rows, network->pooler.dense.out};
	ATTEND_TRY(attend_outputs_add(out, &values, 2, shape, "pooler_output"));
	return attend_session_pooler(session, values);
}

static attend_status put_heads(attend_outputs *out, attend_session *session, const attend_padded *p)
{
	if (p->head < 0) return put_pooler(out, session, p);
	if (p->second < 0) return one_head(out, session, p, p->head, "logits");
	ATTEND_TRY(one_head(out, session, p, p->head, "prediction_logits"));
	const bool order = p->arch->heads[p->second].sentence_order;
	return one_head(out, session, p, p->second, order ? "sop_logits" : "seq_relationship_logits");
}

/* ---- Gradients -------------------------------------------------------------------------------------------------------------- */
static bool learns(const attend_param *param, void *payload)
{
	const char *prefix = payload;
	while (prefix && *prefix) {
		const size_t size = strcspn(prefix, ",");
		if (size && strncmp(param->name, prefix, size) == 0) return false;
		prefix += size + (prefix[size] == ',');
	}
	return true;
}

static attend_status put_gradients(attend_outputs *out, const attend_network *network)
{
	for (size_t i = 0; i < network->param_count; i++) {
		const attend_param *param = &network->params[i];
		float *values;
		if (param->grad == NULL) continue;
		ATTEND_TRY(attend_outputs_add(out, &values, param->stored.rank, param->stored.shape, "grad.%s", param->name));
		memcpy(values, param->grad, param->count * sizeof *values);
	}
	return ATTEND_OK;
}

static attend_status put_loss(attend_outputs *out, attend_session *session, const attend_padded *p)
{
	attend_loss loss;
	float *value;
	ATTEND_TRY(attend_padded_loss(p, session, 1.0f, &loss));
	ATTEND_TRY(attend_outputs_add(out, &value, 0, NULL, "loss"));
	*value = (float)loss.loss;
	return ATTEND_OK;
}

/* ---- The whole ----------------------------------------------------------------------------------------------------------------- */
/* Last hidden states: borrowed from the session by way of the observer's last call. */
typedef struct last_states {
	const float *x[2];
	int stream;
	size_t width[2];
	watcher *next;
} last_states;

static bool keep_last(void *payload, int stack, int stream, size_t layer, const float *x, size_t rows, size_t width)
{
	last_states *last = payload;
	last->x[stack] = x;
	last->width[stack] = width;
	last->stream = stream;
	return !last->next->options->hidden_states || watch_hidden(last->next, stack, stream, layer, x, rows, width);
}

static bool pass_attention(void *payload, int stack, int stream, size_t layer, bool cross, size_t sequence,
                           const float *p, size_t heads, size_t tq, size_t tk)
{
	return watch_attention(((last_states *)payload)->next, stack, stream, layer, cross, sequence, p, heads, tq, tk);
}

static attend_status run_watched(attend_outputs *out, attend_session *session, const attend_padded *p,
                                 const attend_forward_options *options)
{
	watcher w = {.out = out, .padded = p, .options = options, .both = p->runs_encoder && p->runs_decoder};
	w.streams = p->grids[p->stack].target_columns != 0;
	last_states last = {.next = &w};
	const attend_observer observer = {keep_last, options->attentions ? pass_attention : NULL, &last};
	attend_session_set_observer(session, &observer);
	const attend_status status = attend_padded_run(p, session);
	attend_session_set_observer(session, NULL);
	if (w.status != ATTEND_OK) return w.status;
	ATTEND_TRY(status);
	if (w.both) ATTEND_TRY(put_hidden(&w, 0, 0, last.x[0], last.width[0], "encoder_last_hidden_state"));
	if (p->head >= 0) return ATTEND_OK;
	return put_hidden(&w, p->stack, last.stream, last.x[p->stack], last.width[p->stack], "last_hidden_state");
}

static attend_status run_session(attend_outputs *out, attend_network *network, const attend_padded *p,
                                 const attend_forward_options *options)
{
	attend_session_options plan = {.training = options->gradients};
	attend_padded_plan(p, &plan);
	attend_session *session;
	ATTEND_TRY(attend_session_new(&session, network, &plan));
	attend_status status = run_watched(out, session, p, options);
	if (status == ATTEND_OK) status = put_heads(out, session, p);
	if (status == ATTEND_OK && p->has_labels) status = put_loss(out, session, p);
	if (status == ATTEND_OK && options->gradients) status = attend_session_backward(session);
	if (status == ATTEND_OK && options->gradients) status = put_gradients(out, network);
	attend_session_free(session);
	return status;
}

attend_status attend_forward_run(attend_outputs *out, attend_checkpoint *checkpoint, attend_head_kind kind,
                                 attend_find_tensor find, void *payload, const attend_forward_options *options,
                                 const char *frozen)
{
	attend_network *network = &checkpoint->network;
	attend_padded padded;
	attend_status status = attend_padded_read(&padded, &network->arch, kind, checkpoint->config.problem, find, payload);
	if (status == ATTEND_OK && options->gradients) {
		if (!padded.has_labels) status = attend_fail(ATTEND_ERR_DATA, "gradients need labels among the inputs");
		else status = attend_network_make_trainable(network, learns, (void *)(uintptr_t)frozen);
	}
	if (status == ATTEND_OK) status = run_session(out, network, &padded, options);
	attend_padded_free(&padded);
	return status;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------------ */
static const attend_tensor *find_in_file(void *payload, const char *name)
{
	const attend_safetensors *file = payload;
	size_t i;
	return attend_safetensors_find(&i, file, name) ? attend_safetensors_tensor(file, i) : NULL;
}

static attend_status write_outputs(const attend_outputs *out, const char *path)
{
	attend_safetensors_item *items = attend_alloc_array(out->count ? out->count : 1, sizeof *items);
	if (items == NULL) return attend_fail_memory(out->count * sizeof *items, "outputs");
	for (size_t i = 0; i < out->count; i++)
		items[i] = (attend_safetensors_item){out->items[i].name, out->items[i].tensor, ATTEND_DTYPE_F32};
	const attend_status status = attend_safetensors_write(path, items, out->count);
	free(items);
	return status;
}

static attend_status forward_files(attend_checkpoint *checkpoint, attend_head_kind kind, const char *in,
                                   const char *out, const attend_forward_options *options)
{
	attend_safetensors *file;
	attend_status status = attend_safetensors_open(&file, in);
	if (status != ATTEND_OK)
		return status == ATTEND_ERR_FORMAT ? ATTEND_ERR_DATA : status; /* the user's file, not the model */
	attend_outputs outputs = {0};
	status = attend_forward_run(&outputs, checkpoint, kind, find_in_file, file, options,
	                            attend_safetensors_metadata(file, "freeze"));
	attend_safetensors_free(file);
	if (status == ATTEND_ERR_DATA) (void)attend_fail_in(status, in);
	if (status == ATTEND_OK) status = write_outputs(&outputs, out);
	attend_outputs_free(&outputs);
	return status;
}

attend_status attend_forward_file(const char *path, const char *in, const char *out,
                                  const attend_forward_options *options)
{
	static const attend_forward_options defaults = {0};
	if (options == NULL) options = &defaults;
	attend_bind_options bind = {.has_head = options->head != NULL};
	if (options->head) ATTEND_TRY(attend_head_kind_parse(&bind.head, options->head));
	attend_checkpoint *checkpoint;
	ATTEND_TRY(attend_checkpoint_load(&checkpoint, path, &bind));
	const attend_head_kind kind = options->head ? bind.head : checkpoint->network.arch.default_head;
	attend_status status = attend_choose_weights(&checkpoint->network, options->weights);
	if (status != ATTEND_OK) (void)attend_fail_in(status, path);
	else status = forward_files(checkpoint, kind, in, out, options);
	attend_checkpoint_free(checkpoint);
	return status;
}
