/* quality.c: what a type of weights costs: the same texts through a model in f32 and in another type, the outputs side by side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/rng.h"
#include "lib/tasks/pipeline.h"
#include "lib/train/pooled.h"
#include "lib/train/recipe.h"

enum {
	GROUP = 64,
	ROWS = 64,
	WINDOW = 1024
};                                     /* texts and rows of logits at a time; tokens where the model has no limit */
static const double mask_share = 0.15; /* as in BERT's pre-training */

typedef struct comparison {
	attend_model *models[2]; /* f32 and the other type */
	attend_pipeline *pipelines[2];
	attend_quality_result *out;
	double loss[2], error; /* sums over rows, or over all numbers */
	size_t right[2], same, numbers;
	bool has_targets;              /* rows have one right answer */
	attend_generation *generation; /* how the first model answers; or NULL */
	float *copy;                   /* [copy_capacity] rows of the first model */
	size_t copy_capacity;
} comparison;

/* ---- Rows ------------------------------------------------------------------------------------------------------------------- */

static size_t best_of(const float *row, size_t n)
{
	size_t best = 0;
	for (size_t i = 1; i < n; i++)
		if (row[i] > row[best]) best = i;
	return best;
}

static void compare_numbers(comparison *c, const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const double error = fabs((double)a[i] - (double)b[i]);
		c->error += error;
		if (error > c->out->max_error) c->out->max_error = error;
	}
	c->numbers += n;
}

/* Logits [n] of one prediction by both models; target < 0: there is none. */
static void compare_row(comparison *c, const float *a, const float *b, size_t n, ptrdiff_t target)
{
	const float *const rows[2] = {a, b};
	const size_t best[2] = {best_of(a, n), best_of(b, n)};
	compare_numbers(c, a, b, n);
	c->same += best[0] == best[1];
	for (int i = 0; i < 2 && target >= 0; i++) {
		c->loss[i] += attend_log_sum(rows[i], n, 1) - (double)rows[i][target];
		c->right[i] += best[i] == (size_t)target;
	}
	c->out->rows++;
}

static attend_status keep_rows(comparison *c, const float *rows, size_t count)
{
	ATTEND_TRY(attend_grow(&c->copy, &c->copy_capacity, count, sizeof *c->copy, "logits"));
	memcpy(c->copy, rows, count * sizeof *rows);
	return ATTEND_OK;
}

/* ---- Labelled texts ----------------------------------------------------------------------------------------------------------- */

/* Logits of one text in the order of the labels. */
static void unrank(float *row, const attend_classification *result)
{
	for (size_t i = 0; i < result->count; i++) row[result->labels[i].index] = result->labels[i].score;
}

static attend_status compare_labelled(comparison *c, const attend_dataset *data, size_t first, size_t count,
                                      float *rows, size_t outputs)
{
	attend_text texts[GROUP];
	attend_classification results[2][GROUP] = {{{0}}};
	const attend_classify_options options = {.function = ATTEND_SCORE_NONE, .cut = ATTEND_CUT_RIGHT};
	attend_status status = ATTEND_OK;
	for (size_t i = 0; i < count; i++) {
		const attend_example *e = &data->examples[first + i];
		texts[i] = (attend_text){.text = e->text, .size = e->text_size, .pair = e->pair, .pair_size = e->pair_size};
	}
	for (int m = 0; m < 2 && status == ATTEND_OK; m++)
		status = attend_classify(results[m], c->pipelines[m], texts, count, &options);
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		const attend_example *e = &data->examples[first + i];
		const bool single = data->kind == ATTEND_LABELS_SINGLE;
		unrank(rows, &results[0][i]);
		unrank(rows + outputs, &results[1][i]);
		compare_row(c, rows, rows + outputs, outputs, single ? e->label : -1);
		for (int m = 0; m < 2 && !single; m++)
			c->loss[m] += attend_row_loss(e, data->kind, rows + (size_t)m * outputs, outputs);
		c->out->truncated += results[0][i].truncated != 0;
	}
	for (size_t i = 0; i < count; i++)
		for (int m = 0; m < 2; m++) attend_classification_free(&results[m][i]);
	return status;
}

static attend_status run_labelled(comparison *c, const attend_recipe *recipe)
{
	const attend_config *config = &c->models[0]->checkpoint->config;
	size_t head;
	ATTEND_TRY(attend_model_need_head(&head, c->models[0], ATTEND_HEAD_SEQUENCE));
	const size_t outputs = c->models[0]->checkpoint->network.arch.heads[head].outputs;
	const bool regression = config->problem == ATTEND_PROBLEM_REGRESSION || outputs == 1;
	attend_dataset_options options;
	attend_dataset *data;
	ATTEND_TRY(attend_recipe_data(&options, recipe));
	options.labels = regression                                      ? ATTEND_LABELS_REGRESSION
	                 : config->problem == ATTEND_PROBLEM_MULTI_LABEL ? ATTEND_LABELS_MULTI
	                                                                 : ATTEND_LABELS_SINGLE;
	options.label_names = regression ? NULL : (const char *const *)config->labels;
	options.label_count = config->label_count;
	ATTEND_TRY(attend_dataset_open(&data, recipe->validation_file, &options));
	float *rows = attend_alloc_array(2 * outputs, sizeof *rows);
	attend_status status = rows != NULL ? ATTEND_OK : attend_fail_memory(outputs, "logits");
	c->out->kind = ATTEND_QUALITY_LABELS;
	c->has_targets = data->kind == ATTEND_LABELS_SINGLE;
	for (size_t first = 0; first < data->count && status == ATTEND_OK; first += GROUP)
		status =
			compare_labelled(c, data, first, data->count - first < GROUP ? data->count - first : GROUP, rows, outputs);
	free(rows);
	attend_dataset_free(data);
	return status;
}

/* ---- Plain text ----------------------------------------------------------------------------------------------------------------- */

/* Of what both models have just read, the rows of tokens rows[i] (NULL: i), for which targets[i] is right. */
static attend_status compare_rows(comparison *c, size_t head, const size_t *rows, const int32_t *targets, size_t count)
{
	const size_t vocab = c->models[0]->checkpoint->network.arch.heads[head].outputs;
	for (size_t done = 0, n; done < count; done += n) {
		size_t some[ROWS];
		n = count - done < ROWS ? count - done : ROWS;
		for (size_t i = 0; i < n; i++) some[i] = rows != NULL ? rows[done + i] : done + i;
		ATTEND_TRY(attend_pipeline_head(c->pipelines[0], head, some, n));
		ATTEND_TRY(keep_rows(c, c->pipelines[0]->logits, n * vocab));
		ATTEND_TRY(attend_pipeline_head(c->pipelines[1], head, some, n));
		for (size_t i = 0; i < n; i++)
			compare_row(c, c->copy + i * vocab, c->pipelines[1]->logits + i * vocab, vocab, targets[done + i]);
	}
	return ATTEND_OK;
}

/* Both models read `sequence` first. */
static attend_status compare_sequence(comparison *c, const attend_sequence *sequence, int stack, size_t head,
                                      const size_t *rows, const int32_t *targets, size_t count)
{
	for (int m = 0; m < 2; m++) ATTEND_TRY(attend_pipeline_run(c->pipelines[m], sequence, 1, stack, NULL));
	return compare_rows(c, head, rows, targets, count);
}

/* Causal: the whole text in windows side by side; every token but a window's first is predicted. */
static attend_status run_causal(comparison *c, size_t head, const attend_text *text)
{
	attend_encoded encoded;
	const size_t limit = attend_model_max_length(c->models[0]), length = limit < WINDOW ? limit : WINDOW;
	ATTEND_TRY(attend_pipeline_encode(&encoded, c->models[0], text, 1, ATTEND_CUT_NEVER, SIZE_MAX, 0));
	const attend_encoding *e = &encoded.items[0];
	attend_status status = ATTEND_OK;
	for (size_t first = 0; first + 1 < e->count && status == ATTEND_OK; first += length) {
		const size_t n = e->count - first < length ? e->count - first : length;
		const attend_sequence sequence = {.ids = e->ids + first, .count = n};
		status = compare_sequence(c, &sequence, 1, head, NULL, e->ids + first + 1, n - 1);
	}
	attend_encoded_free(&encoded);
	return status;
}

/* Masked: each line; 15 % of its tokens are masked together, the same ones in every run. */
static attend_status compare_masked(comparison *c, size_t head, const attend_encoding *e, attend_rng *rng)
{
	const attend_tokenizer *tokenizer = c->models[0]->tokenizer;
	const int32_t mask = attend_tokenizer_special_id(tokenizer, ATTEND_TOKEN_MASK);
	size_t *rows = attend_alloc_array(e->count, sizeof *rows), count = 0;
	int32_t *ids = attend_alloc_array(e->count, sizeof *ids), *targets = attend_alloc_array(e->count, sizeof *targets);
	attend_status status = ATTEND_OK;
	if (mask < 0) status = attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: its tokenizer has no mask", c->models[0]->path);
	if (rows == NULL || ids == NULL || targets == NULL) status = attend_fail_memory(e->count, "masked tokens");
	for (size_t i = 0; i < e->count && status == ATTEND_OK; i++) {
		ids[i] = e->ids[i];
		if (e->special_tokens_mask[i]) continue;
		if (attend_rng_uniform(rng) >= mask_share) continue;
		rows[count] = i;
		targets[count++] = e->ids[i];
		ids[i] = mask;
	}
	const attend_sequence sequence = {ids, e->type_ids, e->count};
	if (status == ATTEND_OK && count > 0)
		status = compare_sequence(c, &sequence, attend_model_text_stack(c->models[0]), head, rows, targets, count);
	free(rows);
	free(ids);
	free(targets);
	return status;
}

/* Vectors of each line: the cosine between the two models'. */
static attend_status compare_embedding(comparison *c, const attend_text *text)
{
	size_t width;
	ATTEND_TRY(attend_embed_width(&width, c->pipelines[0], NULL));
	ATTEND_TRY(attend_grow(&c->copy, &c->copy_capacity, 2 * width, sizeof *c->copy, "vectors"));
	const attend_embed_options options = {.cut = ATTEND_CUT_RIGHT};
	float *a = c->copy, *b = c->copy + width;
	ATTEND_TRY(attend_embed(a, c->pipelines[0], text, 1, &options));
	ATTEND_TRY(attend_embed(b, c->pipelines[1], text, 1, &options));
	double ab = 0, aa = 0, bb = 0;
	for (size_t i = 0; i < width; i++) {
		ab += (double)a[i] * (double)b[i];
		aa += (double)a[i] * (double)a[i];
		bb += (double)b[i] * (double)b[i];
	}
	const double cosine = aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : aa == bb;
	compare_numbers(c, a, b, width);
	c->out->mean_cosine += cosine; /* a sum until the end */
	if (c->out->rows == 0 || cosine < c->out->min_cosine) c->out->min_cosine = cosine;
	c->out->rows++;
	return ATTEND_OK;
}

/* What the first model makes of each line; both then predict that, token by token. */
static attend_status compare_answer(comparison *c, size_t head, const attend_encoding *e)
{
	const int32_t *const ids = e->ids;
	const size_t length = e->count;
	attend_generate_result result;
	ATTEND_TRY(attend_generate_ids(&result, c->pipelines[0], &ids, &length, 1, c->generation, NULL));
	const attend_generated_text *answer = &result.items[0];
	const attend_sequence sequence = {e->ids, e->type_ids, e->count};
	attend_status status = ATTEND_OK;
	for (int m = 0; m < 2 && status == ATTEND_OK && answer->count > 1; m++)
		status = attend_pipeline_run_answer(c->pipelines[m], &sequence, answer->ids, answer->count - 1);
	if (status == ATTEND_OK && answer->count > 1)
		status = compare_rows(c, head, NULL, answer->ids + 1, answer->count - 1);
	attend_generate_result_free(&result);
	return status;
}

static attend_status run_line(comparison *c, size_t head, const attend_text *line, attend_rng *rng)
{
	if (c->out->kind == ATTEND_QUALITY_EMBEDDING) return compare_embedding(c, line);
	attend_encoded encoded;
	const size_t limit = attend_model_max_length(c->models[0]);
	ATTEND_TRY(
		attend_pipeline_encode(&encoded, c->models[0], line, 1, ATTEND_CUT_RIGHT, limit < WINDOW ? limit : WINDOW, 0));
	c->out->truncated += encoded.truncated[0] != 0;
	const attend_encoding *e = &encoded.items[0];
	const attend_status status =
		c->out->kind == ATTEND_QUALITY_ANSWER ? compare_answer(c, head, e) : compare_masked(c, head, e, rng);
	attend_encoded_free(&encoded);
	return status;
}

static bool is_blank(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
	return true;
}

static attend_status run_text(comparison *c, const char *path)
{
	char *text;
	size_t size, head = 0, line = 1;
	attend_rng rng = {.seed = 0};
	const bool causal = attend_model_has_head(c->models[0], "lm"), masked = attend_model_has_head(c->models[0], "mlm");
	const bool answers = attend_model_has_head(c->models[0], "seq2seq");
	c->out->kind = answers  ? ATTEND_QUALITY_ANSWER
	               : causal ? ATTEND_QUALITY_CAUSAL
	               : masked ? ATTEND_QUALITY_MASKED
	                        : ATTEND_QUALITY_EMBEDDING;
	c->has_targets = causal || masked || answers;
	if (c->has_targets)
		ATTEND_TRY(attend_model_need_head(&head, c->models[0],
		                                  answers  ? ATTEND_HEAD_SEQ2SEQ
		                                  : causal ? ATTEND_HEAD_LM
		                                           : ATTEND_HEAD_MLM));
	if (answers) ATTEND_TRY(attend_generation_new(&c->generation, c->models[0]));
	if (answers) ATTEND_TRY(attend_generation_set(c->generation, "do_sample", "false"));
	ATTEND_TRY(attend_file_read(&text, &size, path, 0));
	attend_status status = ATTEND_OK;
	if (causal) status = run_causal(c, head, &(attend_text){.text = text, .size = size});
	for (const char *p = text; !causal && p < text + size && status == ATTEND_OK; line++) {
		const char *end = memchr(p, '\n', (size_t)(text + size - p));
		const size_t length = (size_t)((end != NULL ? end : text + size) - p);
		if (!is_blank(p, length)) status = run_line(c, head, &(attend_text){.text = p, .size = length}, &rng);
		if (status != ATTEND_OK) break;
		p += length + 1;
	}
	free(text);
	if (status == ATTEND_OK || causal) return status == ATTEND_OK ? status : attend_fail_in(status, path);
	char place[32];
	snprintf(place, sizeof place, "line %zu", line);
	(void)attend_fail_in(status, place);
	return attend_fail_in(status, path);
}

/* ---- The whole -------------------------------------------------------------------------------------------------------------------- */

static attend_status open_models(comparison *c, const char *model, attend_weight_type weights)
{
	for (int m = 0; m < 2; m++) {
		const attend_model_options options = {.weights = m == 0 ? ATTEND_WEIGHTS_STORED : weights};
		ATTEND_TRY(attend_model_load(&c->models[m], model, &options));
		if (m == 0 && attend_model_weights(c->models[0]) != ATTEND_WEIGHTS_F32)
			return attend_fail(ATTEND_ERR_UNSUPPORTED,
			                   "%s: stored in int8 or int4: compare the folder that it was made from with --dtype",
			                   model);
		ATTEND_TRY(attend_pipeline_new(&c->pipelines[m], c->models[m]));
	}
	return ATTEND_OK;
}

static void finish(comparison *c)
{
	attend_quality_result *out = c->out;
	const double rows = (double)out->rows;
	const bool labels = out->kind == ATTEND_QUALITY_LABELS, embedding = out->kind == ATTEND_QUALITY_EMBEDDING;
	out->mean_error = c->numbers > 0 ? c->error / (double)c->numbers : NAN;
	for (int m = 0; m < 2; m++) {
		out->loss[m] = embedding ? NAN : c->loss[m] / rows;
		out->perplexity[m] = labels || embedding ? NAN : exp(c->loss[m] / rows);
		out->accuracy[m] = c->has_targets ? (double)c->right[m] / rows : NAN;
	}
	out->agreement = c->has_targets ? (double)c->same / rows : NAN;
	if (embedding) out->mean_cosine /= rows;
	else out->mean_cosine = out->min_cosine = NAN;
}

attend_status attend_quality(attend_quality_result *out, const char *model, attend_weight_type weights,
                             const char *text_file, const attend_recipe *recipe)
{
	if (out == NULL || model == NULL || (text_file == NULL) == (recipe == NULL) || weights <= ATTEND_WEIGHTS_F32)
		return attend_fail(ATTEND_ERR_ARG, "attend_quality: a model, a type other than f32, and a text or a recipe");
	attend_quality_result result = {0};
	comparison c = {.out = &result};
	attend_status status = open_models(&c, model, weights);
	if (status == ATTEND_OK) status = text_file != NULL ? run_text(&c, text_file) : run_labelled(&c, recipe);
	if (status == ATTEND_OK && result.rows == 0)
		status = attend_fail(ATTEND_ERR_DATA, "%s: nothing to predict in it",
		                     text_file != NULL ? text_file : recipe->validation_file);
	if (status == ATTEND_OK) {
		finish(&c);
		*out = result;
	}
	for (int m = 0; m < 2; m++) {
		attend_pipeline_free(c.pipelines[m]);
		attend_model_free(c.models[m]);
	}
	attend_generation_free(c.generation);
	free(c.copy);
	return status;
}
