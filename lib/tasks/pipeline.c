/* pipeline.c: the steps that all tasks share: texts to ids, ids through the network in ragged groups. */
#include "lib/tasks/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/tasks/blame.h"

enum { GROUP_TOKENS = 2048, GROUP_SEQUENCES = 256 };

attend_status attend_pipeline_new(attend_pipeline **out, const attend_model *model)
{
	if (out == NULL || model == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_pipeline_new: out and model must not be NULL");
	attend_pipeline *pipeline = calloc(1, sizeof *pipeline);
	if (pipeline == NULL) return attend_fail_memory(sizeof *pipeline, "pipeline");
	pipeline->model = model;
	*out = pipeline;
	return ATTEND_OK;
}

void attend_pipeline_free(attend_pipeline *pipeline)
{
	if (pipeline == NULL) return;
	attend_session_free(pipeline->session);
	free(pipeline->ids);
	free(pipeline->types);
	free(pipeline->decoder_ids);
	free(pipeline->offsets);
	free(pipeline->logits);
	free(pipeline);
}

const attend_model *attend_pipeline_model(const attend_pipeline *pipeline)
{
	return pipeline->model;
}

/* ---- tokenising ---- */

attend_status attend_fail_at(attend_status status, size_t index, size_t count)
{
	if (count <= 1 || status == ATTEND_OK) return status;
	char prefix[40];
	(void)snprintf(prefix, sizeof prefix, "text %zu", index + 1);
	return attend_fail_in(status, prefix);
}

static attend_status check_ids(const attend_encoding *encoding, const attend_model *model)
{
	const size_t rows = attend_model_vocab_size(model);
	for (size_t i = 0; i < encoding->count; i++) {
		if ((size_t)encoding->ids[i] < rows) continue;
		const char *token = attend_tokenizer_id_to_token(model->tokenizer, encoding->ids[i], NULL);
		return attend_fail(ATTEND_ERR_FORMAT, "%s: token \"%s\" has id %d, but the word embedding has %zu rows",
		                   model->path, token != NULL ? token : "?", encoding->ids[i], rows);
	}
	return ATTEND_OK;
}

static attend_status encode_one(attend_encoding *out, const attend_tokenizer *tokenizer, const attend_text *text,
                                const attend_encode_options *options)
{
	if (text->pair == NULL) return attend_tokenizer_encode(out, tokenizer, text->text, text->size, options);
	return attend_tokenizer_encode_pair(out, tokenizer, text->text, text->size, text->pair, text->pair_size, options);
}

/* Hold one encoding against the limit; cut the text again from its beginning when it may be cut. */
static attend_status fit(attend_encoding *encoding, size_t *truncated, const attend_tokenizer *tokenizer,
                         const attend_text *text, attend_cut cut, size_t limit, unsigned fields)
{
	*truncated = 0;
	if (encoding->count <= limit) return ATTEND_OK;
	if (cut == ATTEND_CUT_NEVER)
		return attend_fail(ATTEND_ERR_DATA, "the text has %zu tokens, the model takes at most %zu", encoding->count,
		                   limit);
	const size_t whole = encoding->count;
	const attend_encode_options options = {.truncation = ATTEND_TRUNCATE_LONGEST_FIRST,
	                                       .truncate_left = cut == ATTEND_CUT_LEFT,
	                                       .max_length = limit,
	                                       .fields = fields};
	attend_encoding shorter = {0};
	ATTEND_TRY(encode_one(&shorter, tokenizer, text, &options));
	attend_encoding_free(encoding);
	*encoding = shorter;
	*truncated = whole - shorter.count;
	return ATTEND_OK;
}

static attend_status encode_all(attend_encoded *encoded, const attend_model *model, const attend_text *texts,
                                size_t count, attend_cut cut, size_t limit, unsigned fields)
{
	const attend_tokenizer *tokenizer;
	ATTEND_TRY(attend_model_need_tokenizer(&tokenizer, model));
	const attend_encode_options options = {.fields = fields};
	if (count == 1) ATTEND_TRY(encode_one(&encoded->items[0], tokenizer, &texts[0], &options));
	else ATTEND_TRY(attend_tokenizer_encode_batch(encoded->items, tokenizer, texts, count, &options));
	encoded->count = count;
	for (size_t i = 0; i < count; i++) {
		attend_status status =
			fit(&encoded->items[i], &encoded->truncated[i], tokenizer, &texts[i], cut, limit, fields);
		if (status == ATTEND_OK) status = check_ids(&encoded->items[i], model);
		if (status != ATTEND_OK) return attend_fail_at(status, i, count);
	}
	return ATTEND_OK;
}

attend_status attend_pipeline_encode(attend_encoded *out, const attend_model *model, const attend_text *texts,
                                     size_t count, attend_cut cut, size_t limit, unsigned fields)
{
	attend_encoded encoded = {.items = calloc(count + 1, sizeof *encoded.items),
	                          .truncated = calloc(count + 1, sizeof(size_t))};
	attend_text *copies = attend_alloc_array(count, sizeof *copies);
	attend_status status = encoded.items == NULL || encoded.truncated == NULL || copies == NULL
	                           ? attend_fail_memory(count * sizeof *encoded.items, "encodings")
	                           : ATTEND_OK;
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		copies[i] = texts[i];
		if (texts[i].pair_size == 0) copies[i].pair = NULL; /* as in the reference, an empty pair is none */
	}
	if (status == ATTEND_OK && count != 0) status = encode_all(&encoded, model, copies, count, cut, limit, fields);
	if (status == ATTEND_OK) *out = encoded;
	else attend_encoded_free(&encoded);
	free(copies);
	return status;
}

static attend_status encode_windows(attend_encoded *encoded, const attend_model *model, const attend_text *texts,
                                    size_t count, size_t length, size_t stride)
{
	const attend_tokenizer *tokenizer;
	ATTEND_TRY(attend_model_need_tokenizer(&tokenizer, model));
	for (size_t i = 0; i < count; i++) {
		attend_text text = texts[i];
		if (text.pair_size == 0) text.pair = NULL;
		attend_status status = attend_tokenizer_encode_windows(&encoded->items[i], tokenizer, &text, length, stride);
		if (status == ATTEND_OK) encoded->count = i + 1;
		if (status == ATTEND_OK) status = check_ids(&encoded->items[i], model);
		for (size_t w = 0; status == ATTEND_OK && w < encoded->items[i].overflowing_count; w++)
			status = check_ids(&encoded->items[i].overflowing[w], model);
		if (status != ATTEND_OK) return attend_fail_at(status, i, count);
	}
	return ATTEND_OK;
}

attend_status attend_pipeline_encode_windows(attend_encoded *out, const attend_model *model, const attend_text *texts,
                                             size_t count, size_t length, size_t stride)
{
	attend_encoded encoded = {.items = calloc(count + 1, sizeof *encoded.items),
	                          .truncated = calloc(count + 1, sizeof(size_t))};
	attend_status status = encoded.items == NULL || encoded.truncated == NULL
	                           ? attend_fail_memory(count * sizeof *encoded.items, "encodings")
	                           : encode_windows(&encoded, model, texts, count, length, stride);
	if (status == ATTEND_OK) *out = encoded;
	else attend_encoded_free(&encoded);
	return status;
}

void attend_encoded_free(attend_encoded *encoded)
{
	for (size_t i = 0; i < encoded->count; i++) attend_encoding_free(&encoded->items[i]);
	free(encoded->items);
	free(encoded->truncated);
	*encoded = (attend_encoded){0};
}

/* ---- running ---- */

size_t attend_pipeline_group(const attend_sequence *sequences, size_t count)
{
	size_t tokens = 0, n = 0;
	while (n < count && n < GROUP_SEQUENCES && (n == 0 || tokens + sequences[n].count <= GROUP_TOKENS))
		tokens += sequences[n++].count;
	return n;
}

static size_t power_of_two(size_t n, size_t least)
{
	size_t p = least;
	while (p < n && p < SIZE_MAX / 2) p *= 2;
	return p < n ? n : p;
}

/* A session that takes a batch of this size. */
static attend_status need_session(attend_pipeline *p, size_t tokens, size_t sequences)
{
	if (p->session != NULL && tokens <= p->planned.max_tokens && sequences <= p->planned.max_sequences)
		return ATTEND_OK;
	attend_session_options options = p->planned;
	if (tokens > options.max_tokens) options.max_tokens = power_of_two(tokens, 64);
	if (sequences > options.max_sequences) options.max_sequences = power_of_two(sequences, 8);
	attend_session *session;
	attend_session_free(p->session);
	p->session = NULL;
	ATTEND_TRY(attend_session_new(&session, &p->model->checkpoint->network, &options));
	p->session = session;
	p->planned = options;
	return ATTEND_OK;
}

/* HF's shift_tokens_right on the input ids, one sequence: what the decoder of a classifier reads. */
static void shift_right(int32_t *out, const int32_t *ids, size_t n, const attend_arch *arch)
{
	if (n == 0) return;
	memmove(out + 1, ids, (n - 1) * sizeof *ids);
	if (arch->shift == ATTEND_SHIFT_START) out[0] = arch->decoder_start_id;
	else { /* the last token that is no padding moves to the front */ size_t last = n - 1;
		while (last > 0 && ids[last] == arch->pad_id) last--;
		out[0] = ids[last];
	}
}

static attend_status lay_out(attend_pipeline *p, const attend_sequence *sequences, size_t count, bool with_types,
                             bool shifted)
{
	size_t tokens = 0, capacity = p->token_capacity;
	for (size_t s = 0; s < count; s++) tokens += sequences[s].count;
	ATTEND_TRY(need_session(p, tokens != 0 ? tokens : 1, count));
	ATTEND_TRY(attend_grow(&p->offsets, &p->sequence_capacity, count + 1, sizeof *p->offsets, "offsets"));
	ATTEND_TRY(attend_grow(&p->ids, &capacity, tokens, sizeof *p->ids, "ids"));
	capacity = p->token_capacity;
	ATTEND_TRY(attend_grow(&p->types, &capacity, tokens, sizeof *p->types, "token types"));
	capacity = p->token_capacity;
	ATTEND_TRY(attend_grow(&p->decoder_ids, &capacity, tokens, sizeof *p->decoder_ids, "decoder ids"));
	p->token_capacity = capacity;
	size_t at = 0;
	for (size_t s = 0; s < count; s++) {
		const attend_sequence *sequence = &sequences[s];
		p->offsets[s] = at;
		if (sequence->count != 0) memcpy(p->ids + at, sequence->ids, sequence->count * sizeof *p->ids);
		if (with_types && sequence->types != NULL)
			memcpy(p->types + at, sequence->types, sequence->count * sizeof *p->types);
		else if (with_types) memset(p->types + at, 0, sequence->count * sizeof *p->types);
		if (shifted)
			shift_right(p->decoder_ids + at, sequence->ids, sequence->count, &p->model->checkpoint->network.arch);
		at += sequence->count;
	}
	p->offsets[count] = at;
	return ATTEND_OK;
}

attend_status attend_pipeline_run(attend_pipeline *p, const attend_sequence *sequences, size_t count, int stack,
                                  const float **hidden)
{
	const attend_arch *arch = &p->model->checkpoint->network.arch;
	const attend_stack_arch *reads = arch->has_encoder ? &arch->encoder : &arch->decoder;
	const bool with_types = (reads->types > 1 && !reads->types_use_words) || reads->relative == ATTEND_RELATIVE_XLNET;
	const bool both = arch->has_encoder && arch->has_decoder && stack == 1;
	const float *result;
	if (both && arch->shift == ATTEND_SHIFT_START && arch->decoder_start_id < 0)
		return attend_fail(ATTEND_ERR_FORMAT, "%s: config.json has no decoder_start_token_id", p->model->path);
	ATTEND_TRY(lay_out(p, sequences, count, with_types, both));
	attend_batch batch = {.sequences = count,
	                      .offsets = p->offsets,
	                      .ids = p->ids,
	                      .types = with_types ? p->types : NULL};
	if (arch->has_encoder) ATTEND_TRY(attend_session_encode(p->session, &batch, &result));
	else ATTEND_TRY(attend_session_decode(p->session, &batch, NULL, &result));
	if (both) {
		batch = (attend_batch){.sequences = count, .offsets = p->offsets, .ids = p->decoder_ids};
		ATTEND_TRY(attend_session_decode(p->session, &batch, NULL, &result));
	}
	if (hidden != NULL) *hidden = result;
	return ATTEND_OK;
}

attend_status attend_pipeline_run_answer(attend_pipeline *p, const attend_sequence *sequence, const int32_t *answer,
                                         size_t count)
{
	const size_t lengths[2][2] = {{0, sequence->count}, {0, count}};
	const size_t longest = sequence->count > count ? sequence->count : count;
	const float *hidden;
	ATTEND_TRY(need_session(p, longest != 0 ? longest : 1, 1));
	attend_batch batch = {.sequences = 1, .offsets = lengths[0], .ids = sequence->ids, .types = sequence->types};
	ATTEND_TRY(attend_session_encode(p->session, &batch, &hidden));
	batch = (attend_batch){.sequences = 1, .offsets = lengths[1], .ids = answer};
	return attend_session_decode(p->session, &batch, NULL, &hidden);
}

attend_status attend_pipeline_prefill(attend_pipeline *p, const attend_sequence *sequences, size_t count, int *slots)
{
	const float *hidden;
	if (p->model->checkpoint->network.arch.has_encoder)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: a %s checkpoint has an encoder", p->model->path,
		                   attend_model_type(p->model));
	ATTEND_TRY(lay_out(p, sequences, count, false, false));
	ATTEND_TRY(attend_session_slots_open(p->session, count, NULL, slots));
	const attend_batch batch = {.sequences = count, .offsets = p->offsets, .ids = p->ids};
	const attend_status status = attend_session_decode(p->session, &batch, slots, &hidden);
	for (size_t i = 0; i < count && status != ATTEND_OK; i++) attend_session_slot_free(p->session, slots[i]);
	return status;
}

attend_status attend_pipeline_logits(attend_pipeline *p, size_t rows, size_t width)
{
	if (width != 0 && rows > SIZE_MAX / sizeof(float) / width) return attend_fail_memory(SIZE_MAX, "logits");
	return attend_grow(&p->logits, &p->logit_capacity, rows * width, sizeof *p->logits, "logits");
}

attend_status attend_pipeline_head(attend_pipeline *p, size_t head, const size_t *rows, size_t count)
{
	ATTEND_TRY(attend_pipeline_logits(p, count, p->model->checkpoint->network.arch.heads[head].outputs));
	ATTEND_TRY(attend_session_head(p->session, head, rows, count, p->logits));
	return attend_check_finite(p->logits, count * p->model->checkpoint->network.arch.heads[head].outputs, p->model);
}
