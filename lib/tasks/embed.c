/* embed.c: one vector per text: hidden states pooled, then what modules.json lists (huggingface.md section 5.7).
 * Sums run in f64 in the order of the tokens. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/tasks/blame.h"
#include "lib/tasks/modules.h"
#include "lib/tasks/pipeline.h"
#include "tokenizer/unicode.h"

/* What one call does, with the folder's modules and the options taken together. */
typedef struct embed_plan {
	unsigned modes;             /* pooling */
	const attend_module *after; /* [after_count] modules behind the pooling */
	size_t after_count;
	bool normalize;         /* at the end, beside what the modules do */
	bool keep_unnormalized; /* Normalize modules are skipped */
	size_t hidden, pooled, width;
	size_t limit; /* tokens */
	attend_cut cut;
	bool strip, lower;
} embed_plan;

static const unsigned pooling_modes[] = {
	[ATTEND_EMBED_DEFAULT] = 1u << ATTEND_MODE_MEAN,      [ATTEND_EMBED_MEAN] = 1u << ATTEND_MODE_MEAN,
	[ATTEND_EMBED_CLS] = 1u << ATTEND_MODE_CLS,           [ATTEND_EMBED_LAST] = 1u << ATTEND_MODE_LAST,
	[ATTEND_EMBED_MAX] = 1u << ATTEND_MODE_MAX,           [ATTEND_EMBED_MEAN_SQRT] = 1u << ATTEND_MODE_MEAN_SQRT,
	[ATTEND_EMBED_WEIGHTED] = 1u << ATTEND_MODE_WEIGHTED,
};

static attend_status plan_modules(embed_plan *plan, const attend_model *model, attend_embed_pooling pooling,
                                  attend_normalize normalize)
{
	const attend_modules *modules = model->modules;
	if (modules->status != ATTEND_OK) return attend_fail(modules->status, "%s", modules->error);
	plan->strip = true;
	plan->lower = modules->lower_case;
	if (modules->max_length != 0 && modules->max_length < plan->limit) plan->limit = modules->max_length;
	if (plan->cut == ATTEND_CUT_NEVER) plan->cut = ATTEND_CUT_RIGHT;
	const bool own = pooling == ATTEND_EMBED_DEFAULT && modules->count > 0;
	if (own) plan->modes = modules->items[0].modes;
	for (size_t i = 1; i < modules->count; i++) {
		if (own) {
			plan->after = modules->items + 1;
			plan->after_count = modules->count - 1;
		} else if (modules->items[i].kind == ATTEND_MODULE_NORMALIZE && normalize == ATTEND_NORMALIZE_DEFAULT) {
			plan->normalize = true;
		}
	}
	return ATTEND_OK;
}

static attend_status make_plan(embed_plan *plan, const attend_model *model, const attend_embed_options *options)
{
	const attend_embed_pooling pooling = options != NULL ? options->pooling : ATTEND_EMBED_DEFAULT;
	const attend_normalize normalize = options != NULL ? options->normalize : ATTEND_NORMALIZE_DEFAULT;
	if ((unsigned)pooling >= sizeof pooling_modes / sizeof *pooling_modes)
		return attend_fail(ATTEND_ERR_ARG, "attend_embed: unknown pooling %d", (int)pooling);
	*plan = (embed_plan){.modes = pooling_modes[pooling],
	                     .normalize = normalize == ATTEND_NORMALIZE_L2,
	                     .keep_unnormalized = normalize == ATTEND_NORMALIZE_OFF,
	                     .hidden = attend_model_hidden_size(model),
	                     .limit = attend_model_max_length(model),
	                     .cut = options != NULL ? options->cut : ATTEND_CUT_NEVER};
	if (model->modules != NULL) ATTEND_TRY(plan_modules(plan, model, pooling, normalize));
	for (int mode = 0; mode < ATTEND_MODE_COUNT; mode++)
		if (plan->modes >> mode & 1) plan->pooled += plan->hidden;
	plan->width = plan->pooled;
	for (size_t i = 0; i < plan->after_count; i++) {
		const attend_module *module = &plan->after[i];
		if (module->kind != ATTEND_MODULE_DENSE) continue;
		if (module->in != plan->width)
			return attend_fail(ATTEND_ERR_FORMAT, "%s: a Dense module reads %zu numbers, the one before it gives %zu",
			                   model->path, module->in, plan->width);
		plan->width = module->out;
	}
	return ATTEND_OK;
}

/* ---- one text's vector ---- */

static void pool_mode(float *out, int mode, const float *h, size_t n, size_t d)
{
	if (n == 0) { /* no token at all (an empty text of a model without special tokens) */
		memset(out, 0, d * sizeof *out);
		return;
	}
	for (size_t j = 0; j < d; j++) {
		double sum = 0, weights = 0;
		float max = h[j];
		switch (mode) {
		case ATTEND_MODE_CLS: out[j] = h[j]; break;
		case ATTEND_MODE_LAST: out[j] = h[(n - 1) * d + j]; break;
		case ATTEND_MODE_MAX:
			for (size_t i = 1; i < n; i++) max = h[i * d + j] > max ? h[i * d + j] : max;
			out[j] = max;
			break;
		case ATTEND_MODE_WEIGHTED:
			for (size_t i = 0; i < n; i++) {
				sum += (double)(i + 1) * (double)h[i * d + j];
				weights += (double)(i + 1);
			}
			out[j] = (float)(sum / weights);
			break;
		default:
			for (size_t i = 0; i < n; i++) sum += (double)h[i * d + j];
			out[j] = (float)(sum / (mode == ATTEND_MODE_MEAN ? (double)n : sqrt((double)n)));
		}
	}
}

static void normalize_vector(float *v, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) sum += (double)v[i] * (double)v[i];
	const double norm = sqrt(sum) > 1e-12 ? sqrt(sum) : 1e-12;
	for (size_t i = 0; i < n; i++) v[i] = (float)((double)v[i] / norm);
}

static double activate(double x, attend_activation activation)
{
	switch (activation) {
	case ATTEND_ACT_TANH: return tanh(x);
	case ATTEND_ACT_RELU: return x > 0 ? x : 0;
	case ATTEND_ACT_GELU: return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
	case ATTEND_ACT_SIGMOID: return 1 / (1 + exp(-x));
	default: return x;
	}
}

static void dense(float *out, const float *x, const attend_module *module)
{
	for (size_t i = 0; i < module->out; i++) {
		double sum = module->bias != NULL ? (double)module->bias[i] : 0;
		for (size_t j = 0; j < module->in; j++) sum += (double)module->weight[i * module->in + j] * (double)x[j];
		out[i] = (float)activate(sum, module->activation);
	}
}

/* h [n,hidden] -> out [width]. a, b: room for the widest vector on the way. */
static void embed_one(float *out, const embed_plan *plan, const float *h, size_t n, float *a, float *b)
{
	size_t width = 0;
	for (int mode = 0; mode < ATTEND_MODE_COUNT; mode++) {
		if (!(plan->modes >> mode & 1)) continue;
		pool_mode(a + width, mode, h, n, plan->hidden);
		width += plan->hidden;
	}
	for (size_t i = 0; i < plan->after_count; i++) {
		const attend_module *module = &plan->after[i];
		if (module->kind == ATTEND_MODULE_NORMALIZE && !plan->keep_unnormalized) normalize_vector(a, width);
		if (module->kind != ATTEND_MODULE_DENSE) continue;
		dense(b, a, module);
		width = module->out;
		float *swap = a;
		a = b;
		b = swap;
	}
	if (plan->normalize) normalize_vector(a, width);
	memcpy(out, a, width * sizeof *out);
}

/* ---- texts ---- */

/* sentence-transformers' str(text).strip().lower(). out->text points into `room` or into the text itself. */
static void prepare_text(attend_text *out, const attend_text *text, const embed_plan *plan, attend_buffer *room)
{
	const char *t = text->text;
	size_t n = text->size, size;
	*out = *text;
	if (!plan->strip || attend_utf8_valid_prefix(t, n) != n) return; /* the tokenizer will tell */
	while (n > 0 && attend_is_whitespace(attend_utf8_decode(t, &size))) {
		t += size;
		n -= size;
	}
	while (n > 0) {
		size_t start = n - 1;
		while (start > 0 && !attend_utf8_is_start(t[start])) start--;
		if (!attend_is_whitespace(attend_utf8_decode(t + start, &size))) break;
		n = start;
	}
	out->text = t;
	out->size = n;
	if (!plan->lower) return;
	const size_t begin = room->size;
	for (size_t i = 0; i < n; i += size) {
		uint32_t lower[3];
		char bytes[4];
		const size_t count = attend_lowercase(lower, attend_utf8_decode(t + i, &size));
		for (size_t j = 0; j < count; j++) attend_buffer_append(room, bytes, attend_utf8_encode(bytes, lower[j]));
	}
	out->text = NULL; /* the buffer may still move: resolved by the caller */
	out->size = room->size - begin;
}

static attend_status prepare_texts(attend_text *out, const attend_text *texts, size_t count, const embed_plan *plan,
                                   attend_buffer *room)
{
	for (size_t i = 0; i < count; i++) prepare_text(&out[i], &texts[i], plan, room);
	attend_buffer_text(room, "");
	ATTEND_TRY(attend_buffer_status(room));
	for (size_t i = 0, at = 0; i < count; i++) {
		if (out[i].text != NULL) continue;
		out[i].text = room->data + at;
		at += out[i].size;
	}
	return ATTEND_OK;
}

static attend_status run_all(float *out, attend_pipeline *p, const embed_plan *plan, const attend_encoded *encoded)
{
	size_t widest = plan->pooled;
	for (size_t i = 0; i < plan->after_count; i++)
		if (plan->after[i].kind == ATTEND_MODULE_DENSE && plan->after[i].out > widest) widest = plan->after[i].out;
	float *room = attend_alloc_array(2 * widest, sizeof *room);
	attend_sequence *sequences = attend_alloc_array(encoded->count, sizeof *sequences);
	attend_status status =
		room != NULL && sequences != NULL ? ATTEND_OK : attend_fail_memory(2 * widest * sizeof *room, "embedding");
	for (size_t i = 0; status == ATTEND_OK && i < encoded->count; i++)
		sequences[i] = (attend_sequence){encoded->items[i].ids, encoded->items[i].type_ids, encoded->items[i].count};
	for (size_t first = 0, n; status == ATTEND_OK && first < encoded->count; first += n) {
		const float *hidden;
		n = attend_pipeline_group(sequences + first, encoded->count - first);
		status = attend_pipeline_run(p, sequences + first, n, attend_model_text_stack(p->model), &hidden);
		for (size_t i = 0; i < n && status == ATTEND_OK; i++)
			embed_one(out + (first + i) * plan->width, plan, hidden + p->offsets[i] * plan->hidden,
			          p->offsets[i + 1] - p->offsets[i], room, room + widest);
	}
	free(room);
	free(sequences);
	return status == ATTEND_OK ? attend_check_finite(out, encoded->count * plan->width, p->model) : status;
}

attend_status attend_embed_width(size_t *out, const attend_pipeline *pipeline, const attend_embed_options *options)
{
	if (out == NULL || pipeline == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_embed_width: out and pipeline must not be NULL");
	embed_plan plan;
	ATTEND_TRY(make_plan(&plan, pipeline->model, options));
	*out = plan.width;
	return ATTEND_OK;
}

attend_status attend_embed(float *out, attend_pipeline *pipeline, const attend_text *texts, size_t count,
                           const attend_embed_options *options)
{
	if (out == NULL || pipeline == NULL || (texts == NULL && count != 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_embed: out, pipeline and texts must not be NULL");
	embed_plan plan;
	ATTEND_TRY(make_plan(&plan, pipeline->model, options));
	if (count == 0) return ATTEND_OK;
	attend_buffer room = {0};
	attend_encoded encoded = {0};
	attend_text *prepared = attend_alloc_array(count, sizeof *prepared);
	attend_status status = prepared != NULL ? ATTEND_OK : attend_fail_memory(count, "texts");
	if (status == ATTEND_OK) status = prepare_texts(prepared, texts, count, &plan, &room);
	if (status == ATTEND_OK)
		status = attend_pipeline_encode(&encoded, pipeline->model, prepared, count, plan.cut, plan.limit, 0);
	if (status == ATTEND_OK) status = run_all(out, pipeline, &plan, &encoded);
	if (status == ATTEND_OK && options != NULL && options->truncated != NULL)
		memcpy(options->truncated, encoded.truncated, count * sizeof *encoded.truncated);
	attend_encoded_free(&encoded);
	attend_buffer_free(&room);
	free(prepared);
	return status;
}
