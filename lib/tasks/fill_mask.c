/* fill_mask.c: HF's fill-mask pipeline (huggingface.md section 5.1): softmax over the vocabulary at each mask. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/tasks/fill.h"
#include "lib/tasks/rank.h"

size_t attend_fill_best(const attend_fill_job *job, const float *logits, size_t k, float *p, float *scratch,
                        size_t *top)
{
	attend_rank_softmax(p, logits, job->vocab);
	if (job->targets == NULL) return attend_rank_top(top, k, p, job->vocab);
	for (size_t i = 0; i < job->target_count; i++) scratch[i] = p[job->targets[i]];
	const size_t n = attend_rank_top(top, k, scratch, job->target_count);
	for (size_t i = 0; i < n; i++) top[i] = (size_t)job->targets[top[i]];
	return n;
}

/* Decoded ids, in the bag. */
static attend_status decode(const char **out, const attend_fill_job *job, attend_bag *bag, const int32_t *ids,
                            size_t count, bool skip_special)
{
	char *text;
	size_t size;
	ATTEND_TRY(
		attend_tokenizer_decode(&text, &size, job->tokenizer, ids, count, skip_special, ATTEND_CLEAN_UP_DEFAULT));
	*out = attend_bag_text(bag, text, size);
	free(text);
	return *out != NULL ? ATTEND_OK : ATTEND_ERR_NOMEM;
}

attend_status attend_fill_describe(attend_fill *out, const attend_fill_job *job, attend_bag *bag, const int32_t *ids,
                                   size_t count, const size_t *positions, const int32_t *tokens, size_t token_count,
                                   bool skip_special, double score)
{
	int32_t *whole = attend_bag_take(bag, count, sizeof *whole);
	int32_t *kept = attend_bag_take(bag, token_count, sizeof *kept);
	const char **strings = attend_bag_take(bag, token_count, sizeof *strings);
	if (whole == NULL || kept == NULL || strings == NULL) return ATTEND_ERR_NOMEM;
	memcpy(whole, ids, count * sizeof *whole);
	for (size_t i = 0; i < token_count; i++) {
		whole[positions[i]] = kept[i] = tokens[i];
		ATTEND_TRY(decode(&strings[i], job, bag, &tokens[i], 1, false));
	}
	const int32_t pad = attend_tokenizer_special_id(job->tokenizer, ATTEND_TOKEN_PAD);
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		if (whole[i] != pad) whole[n++] = whole[i];
	*out = (attend_fill){
		.score = score, .token_count = token_count, .tokens = kept, .token_strs = strings, .token_str = strings[0]};
	return decode(&out->sequence, job, bag, whole, n, skip_special);
}

/* Candidates of each mask of one text from its rows of logits. */
static attend_status fill_row(attend_fill_list *out, const attend_fill_job *job, attend_bag *bag,
                              const attend_encoding *encoding, size_t position, bool single, const float *logits,
                              float *p, float *scratch, size_t *top)
{
	const size_t n = attend_fill_best(job, logits, job->top_k, p, scratch, top);
	attend_fill *items = attend_bag_take(bag, n, sizeof *items);
	if (items == NULL) return ATTEND_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const int32_t token = (int32_t)top[i];
		ATTEND_TRY(attend_fill_describe(&items[i], job, bag, encoding->ids, encoding->count, &position, &token, 1,
		                                single, (double)p[top[i]]));
	}
	*out = (attend_fill_list){.items = items, .count = n};
	return ATTEND_OK;
}

/* One mask of the group that is running. */
typedef struct mask_place {
	size_t text, index, position; /* the text, which of its masks, where in it */
} mask_place;

/* Fill all masks of texts first .. first+n-1, which have just run. */
static attend_status fill_group(attend_fill_mask_result *out, const attend_fill_job *job, const attend_encoded *encoded,
                                size_t first, const mask_place *places, size_t count, float *p, float *scratch,
                                size_t *top)
{
	size_t rows[ATTEND_FILL_ROWS];
	for (size_t done = 0; done < count;) {
		const size_t n = count - done < ATTEND_FILL_ROWS ? count - done : ATTEND_FILL_ROWS;
		for (size_t i = 0; i < n; i++) {
			const mask_place *m = &places[done + i];
			rows[i] = job->pipeline->offsets[m->text - first] + m->position;
		}
		ATTEND_TRY(attend_pipeline_head(job->pipeline, job->head, rows, n));
		for (size_t i = 0; i < n; i++) {
			const mask_place *m = &places[done + i];
			attend_fill_mask_result *result = &out[m->text];
			attend_fill_list *lists = (attend_fill_list *)(uintptr_t)result->masks; /* ours until it is handed out */
			ATTEND_TRY(fill_row(&lists[m->index], job, result->storage, &encoded->items[m->text], m->position,
			                    result->mask_count == 1, job->pipeline->logits + i * job->vocab, p, scratch, top));
		}
		done += n;
	}
	return ATTEND_OK;
}

static attend_status fill_separately(attend_fill_mask_result *out, const attend_fill_job *job,
                                     const attend_encoded *encoded, const attend_sequence *sequences,
                                     const mask_place *places)
{
	float *p = attend_alloc_array(job->vocab, sizeof *p);
	float *scratch = attend_alloc_array(job->target_count + 1, sizeof *scratch);
	size_t *top = attend_alloc_array(job->top_k, sizeof *top);
	attend_status status =
		p != NULL && scratch != NULL && top != NULL ? ATTEND_OK : attend_fail_memory(job->vocab, "probabilities");
	size_t place = 0;
	for (size_t first = 0, n; status == ATTEND_OK && first < encoded->count; first += n) {
		n = attend_pipeline_group(sequences + first, encoded->count - first);
		status = attend_pipeline_run(job->pipeline, sequences + first, n, job->stack, NULL);
		size_t count = 0;
		for (size_t i = 0; i < n; i++) count += out[first + i].mask_count;
		if (status == ATTEND_OK) status = fill_group(out, job, encoded, first, places + place, count, p, scratch, top);
		place += count;
	}
	free(p);
	free(scratch);
	free(top);
	return status;
}

/* Texts of results: find the masks, make room. *places_out [total masks] in order, malloc'ed. */
static attend_status prepare(attend_fill_mask_result *out, mask_place **places_out, const attend_fill_job *job,
                             const attend_encoded *encoded, bool joint)
{
	mask_place *places = NULL;
	size_t count = 0, capacity = 0;
	attend_status status = ATTEND_OK;
	for (size_t t = 0; t < encoded->count && status == ATTEND_OK; t++) {
		const attend_encoding *encoding = &encoded->items[t];
		const size_t before = count;
		for (size_t i = 0; i < encoding->count && status == ATTEND_OK; i++) {
			if (encoding->ids[i] != job->mask_id) continue;
			status = attend_grow(&places, &capacity, count + 1, sizeof *places, "masks");
			if (status != ATTEND_OK) break;
			places[count] = (mask_place){.text = t, .index = count - before, .position = i};
			count++;
		}
		if (status == ATTEND_OK && count == before) {
			const char *mask = attend_tokenizer_id_to_token(job->tokenizer, job->mask_id, NULL);
			status = attend_fail_at(encoded->truncated[t] != 0
			                            ? attend_fail(ATTEND_ERR_DATA, "no %s is left after %zu tokens were cut off",
			                                          mask, encoded->truncated[t])
			                            : attend_fail(ATTEND_ERR_DATA, "the text has no %s", mask),
			                        t, encoded->count);
		}
		attend_bag *bag = NULL;
		if (status == ATTEND_OK) status = attend_bag_new(&bag);
		if (status != ATTEND_OK) break;
		const size_t lists = joint ? 1 : count - before;
		out[t] = (attend_fill_mask_result){.mask_count = lists,
		                                   .joint = joint,
		                                   .truncated = encoded->truncated[t],
		                                   .storage = bag};
		out[t].masks = attend_bag_take(bag, lists, sizeof *out[t].masks);
		if (out[t].masks == NULL) status = ATTEND_ERR_NOMEM;
	}
	if (status == ATTEND_OK) *places_out = places;
	else free(places);
	return status;
}

static attend_status fill_together(attend_fill_mask_result *out, const attend_fill_job *job,
                                   const attend_encoded *encoded, const mask_place *places)
{
	size_t *positions = NULL, capacity = 0;
	attend_status status = ATTEND_OK;
	for (size_t t = 0; t < encoded->count && status == ATTEND_OK; t++) {
		size_t n = 0;
		for (size_t i = 0; i < encoded->items[t].count; i++) n += encoded->items[t].ids[i] == job->mask_id;
		status = attend_grow(&positions, &capacity, n, sizeof *positions, "masks");
		if (status != ATTEND_OK) break;
		for (size_t i = 0; i < n; i++) positions[i] = places++->position;
		attend_fill_list *list = (attend_fill_list *)(uintptr_t)out[t].masks;
		status = attend_fill_jointly(list, job, out[t].storage, &encoded->items[t], positions, n);
		if (status != ATTEND_OK) status = attend_fail_at(status, t, encoded->count);
	}
	free(positions);
	return status;
}

/* A target is a token of the vocabulary, or counts as the first token of its text (HF's get_target_ids). */
static attend_status find_target(int32_t *out, const attend_fill_job *job, const char *target)
{
	*out = attend_tokenizer_token_to_id(job->tokenizer, target, strlen(target));
	if (*out >= 0) return ATTEND_OK;
	attend_encoding encoding;
	const attend_encode_options options = {.no_special_tokens = true};
	ATTEND_TRY(attend_tokenizer_encode(&encoding, job->tokenizer, target, strlen(target), &options));
	if (encoding.count != 0) *out = encoding.ids[0];
	attend_encoding_free(&encoding);
	if (*out < 0) attend_log(ATTEND_LOG_WARNING, "target \"%s\" has no token and is left out", target);
	else
		attend_log(ATTEND_LOG_WARNING, "target \"%s\" is no token; \"%s\" is taken instead", target,
		           attend_tokenizer_id_to_token(job->tokenizer, *out, NULL));
	return ATTEND_OK;
}

static attend_status find_targets(attend_fill_job *job, const attend_fill_mask_options *options)
{
	if (options == NULL || options->target_count == 0) return ATTEND_OK;
	job->targets = attend_alloc_array(options->target_count, sizeof *job->targets);
	if (job->targets == NULL) return attend_fail_memory(options->target_count, "targets");
	for (size_t i = 0; i < options->target_count; i++) {
		int32_t id;
		ATTEND_TRY(find_target(&id, job, options->targets[i]));
		if (id < 0 || (size_t)id >= job->vocab) continue;
		size_t at = 0; /* rising, each once */
		while (at < job->target_count && job->targets[at] < id) at++;
		if (at < job->target_count && job->targets[at] == id) continue;
		memmove(job->targets + at + 1, job->targets + at, (job->target_count - at) * sizeof *job->targets);
		job->targets[at] = id;
		job->target_count++;
	}
	if (job->target_count == 0) return attend_fail(ATTEND_ERR_ARG, "none of the targets is a token");
	return ATTEND_OK;
}

static attend_status plan(attend_fill_job *job, attend_pipeline *pipeline, const attend_fill_mask_options *options)
{
	const attend_model *model = pipeline->model;
	const attend_network *network = &model->checkpoint->network;
	const bool seq2seq = network->arch.has_encoder && network->arch.has_decoder;
	job->pipeline = pipeline;
	ATTEND_TRY(attend_model_need_tokenizer(&job->tokenizer, model));
	ATTEND_TRY(attend_model_need_head(&job->head, model, seq2seq ? ATTEND_HEAD_SEQ2SEQ : ATTEND_HEAD_MLM));
	job->mask_id = attend_tokenizer_special_id(job->tokenizer, ATTEND_TOKEN_MASK);
	if (job->mask_id < 0)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: the tokenizer has no mask token", model->path);
	job->vocab = network->arch.heads[job->head].outputs;
	job->stack = attend_head_stack(&network->arch, &network->arch.heads[job->head]);
	job->top_k = options != NULL && options->top_k != 0 ? options->top_k : 5;
	ATTEND_TRY(find_targets(job, options));
	const size_t candidates = job->targets != NULL ? job->target_count : job->vocab;
	if (job->top_k > candidates) job->top_k = candidates;
	job->beams = options != NULL && options->beams != 0 ? options->beams : job->top_k < 5 ? 20 : 4 * job->top_k;
	return ATTEND_OK;
}

static attend_status fill(attend_fill_mask_result *out, const attend_fill_job *job, const attend_encoded *encoded,
                          bool joint)
{
	mask_place *places = NULL;
	attend_sequence *sequences = attend_alloc_array(encoded->count, sizeof *sequences);
	attend_status status = sequences != NULL ? ATTEND_OK : attend_fail_memory(encoded->count, "sequences");
	for (size_t i = 0; status == ATTEND_OK && i < encoded->count; i++)
		sequences[i] = (attend_sequence){encoded->items[i].ids, encoded->items[i].type_ids, encoded->items[i].count};
	if (status == ATTEND_OK) status = prepare(out, &places, job, encoded, joint);
	if (status == ATTEND_OK)
		status =
			joint ? fill_together(out, job, encoded, places) : fill_separately(out, job, encoded, sequences, places);
	free(places);
	free(sequences);
	return status;
}

attend_status attend_fill_mask(attend_fill_mask_result *out, attend_pipeline *pipeline, const attend_text *texts,
                               size_t count, const attend_fill_mask_options *options)
{
	if (out == NULL || pipeline == NULL || (texts == NULL && count != 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_fill_mask: out, pipeline and texts must not be NULL");
	if (count == 0) return ATTEND_OK;
	attend_fill_job job = {0};
	attend_encoded encoded = {0};
	attend_fill_mask_result *results = calloc(count, sizeof *results);
	attend_status status = results != NULL ? ATTEND_OK : attend_fail_memory(count * sizeof *results, "results");
	if (status == ATTEND_OK) status = plan(&job, pipeline, options);
	if (status == ATTEND_OK)
		status = attend_pipeline_encode(&encoded, pipeline->model, texts, count,
		                                options != NULL ? options->cut : ATTEND_CUT_NEVER,
		                                attend_model_max_length(pipeline->model), 0);
	if (status == ATTEND_OK) status = fill(results, &job, &encoded, options != NULL && options->joint);
	if (status == ATTEND_OK) memcpy(out, results, count * sizeof *results);
	else
		for (size_t i = 0; results != NULL && i < count; i++) attend_fill_mask_free(&results[i]);
	attend_encoded_free(&encoded);
	free(job.targets);
	free(results);
	return status;
}

void attend_fill_mask_free(attend_fill_mask_result *result)
{
	if (result == NULL) return;
	attend_bag_free(result->storage);
	*result = (attend_fill_mask_result){0};
}
