/* decoder.c: decoders of tokenizer.json (huggingface/tokenizers decoders/) as a list of steps: a Sequence is its parts in a
 * row. Each step makes strings of strings; the last ones are put together. */
#include "tokenizer/decoder.h"

#include <stdlib.h>

#include "lib/core/arena.h"

/* ---- lists of strings ---- */

attend_status attend_string_list_push(attend_string_list *list, const char *text, size_t size)
{
	ATTEND_TRY(attend_grow(&list->ends, &list->capacity, list->count + 1, sizeof *list->ends, "tokens"));
	attend_buffer_append(&list->text, text, size);
	if (list->text.failed) return attend_buffer_status(&list->text);
	list->ends[list->count++] = list->text.size;
	return ATTEND_OK;
}

void attend_string_list_clear(attend_string_list *list)
{
	attend_buffer_clear(&list->text);
	list->count = 0;
}

void attend_string_list_free(attend_string_list *list)
{
	attend_buffer_free(&list->text);
	free(list->ends);
	*list = (attend_string_list){0};
}

/* ---- reading ---- */

static attend_status take_string(char **out, size_t *size, const attend_json *json, const char *key, const char *other)
{
	const attend_json *value = attend_json_get(json, key);
	const char *text = other;
	size_t length = strlen(other);
	if (value != NULL) ATTEND_TRY(attend_json_as_string(&text, &length, value));
	*out = malloc(length + 1);
	if (*out == NULL) return attend_fail_memory(length, "decoder");
	memcpy(*out, text, length);
	(*out)[length] = 0;
	*size = length;
	return ATTEND_OK;
}

static attend_status take_character(uint32_t *out, const attend_json *json, const char *key, const char *other)
{
	const attend_json *value = attend_json_get(json, key);
	const char *text = other;
	size_t size = strlen(other);
	if (value != NULL) ATTEND_TRY(attend_json_as_string(&text, &size, value));
	size_t length = 0;
	if (size > 0) *out = attend_utf8_decode(text, &length);
	if (size == 0 || length != size) return attend_json_fail(value, "expected one character, found \"%s\"", text);
	return ATTEND_OK;
}

/* prepend_scheme, or its elder add_prefix_space: false means "never" and may not contradict it. */
static attend_status read_metaspace(attend_decoder_step *step, const attend_json *json)
{
	step->kind = ATTEND_DECODER_METASPACE;
	ATTEND_TRY(take_character(&step->character, json, "replacement", "\u2581"));
	const char *scheme = "always";
	bool prefix = true;
	ATTEND_TRY(attend_json_get_string(&scheme, json, "prepend_scheme"));
	ATTEND_TRY(attend_json_get_bool(&prefix, json, "add_prefix_space"));
	const attend_json *value = attend_json_get(json, "prepend_scheme");
	if (strcmp(scheme, "always") != 0 && strcmp(scheme, "first") != 0 && strcmp(scheme, "never") != 0)
		return attend_json_fail(value, "expected always, first or never, found \"%s\"", scheme);
	if (!prefix && strcmp(scheme, "first") == 0)
		return attend_json_fail(value, "\"first\" contradicts add_prefix_space false");
	step->drop_first = prefix && strcmp(scheme, "never") != 0;
	return ATTEND_OK;
}

static attend_status read_ctc(attend_decoder_step *step, const attend_json *json)
{
	step->kind = ATTEND_DECODER_CTC;
	step->cleanup = true;
	ATTEND_TRY(attend_json_get_bool(&step->cleanup, json, "cleanup"));
	ATTEND_TRY(take_string(&step->text, &step->text_size, json, "pad_token", "<pad>"));
	return take_string(&step->delimiter, &step->delimiter_size, json, "word_delimiter_token", "|");
}

static attend_status read_strip(attend_decoder_step *step, const attend_json *json)
{
	int64_t start = 0, stop = 0;
	step->kind = ATTEND_DECODER_STRIP;
	ATTEND_TRY(take_character(&step->character, json, "content", " "));
	ATTEND_TRY(attend_json_get_int(&start, json, "start", 0, INT32_MAX));
	ATTEND_TRY(attend_json_get_int(&stop, json, "stop", 0, INT32_MAX));
	step->start = (size_t)start;
	step->stop = (size_t)stop;
	return ATTEND_OK;
}

static attend_status read_replace(attend_decoder_step *step, const attend_json *json)
{
	step->kind = ATTEND_DECODER_REPLACE;
	const attend_json *pattern = attend_json_get(json, "pattern");
	if (pattern == NULL) return attend_json_fail(json, "expected the member \"pattern\", found none");
	ATTEND_TRY(attend_pattern_from_json(&step->pattern, pattern));
	return take_string(&step->text, &step->text_size, json, "content", "");
}

static attend_status read_step(attend_decoder_step *step, const attend_json *json, const char *type)
{
	if (strcmp(type, "ByteLevel") == 0) {
		step->kind = ATTEND_DECODER_BYTE_LEVEL;
	} else if (strcmp(type, "WordPiece") == 0) {
		step->kind = ATTEND_DECODER_WORDPIECE;
		step->cleanup = true;
		ATTEND_TRY(attend_json_get_bool(&step->cleanup, json, "cleanup"));
		return take_string(&step->text, &step->text_size, json, "prefix", "##");
	} else if (strcmp(type, "BPEDecoder") == 0) {
		step->kind = ATTEND_DECODER_BPE;
		return take_string(&step->text, &step->text_size, json, "suffix", "</w>");
	} else if (strcmp(type, "Metaspace") == 0) {
		return read_metaspace(step, json);
	} else if (strcmp(type, "CTC") == 0) {
		return read_ctc(step, json);
	} else if (strcmp(type, "Replace") == 0) {
		return read_replace(step, json);
	} else if (strcmp(type, "Strip") == 0) {
		return read_strip(step, json);
	} else if (strcmp(type, "Fuse") == 0) {
		step->kind = ATTEND_DECODER_FUSE;
	} else if (strcmp(type, "ByteFallback") == 0) {
		step->kind = ATTEND_DECODER_BYTE_FALLBACK;
	} else {
		attend_json_fail(attend_json_get(json, "type"), "unknown decoder \"%s\"", type);
		return ATTEND_ERR_UNSUPPORTED;
	}
	return ATTEND_OK;
}

static attend_status read_decoder(attend_decoder *decoder, const attend_json *json)
{
	const char *type = NULL;
	ATTEND_TRY(attend_json_get_string(&type, json, "type"));
	if (type == NULL) return attend_json_fail(json, "expected a decoder with \"type\"");
	if (strcmp(type, "Sequence") == 0) {
		const attend_json *list = attend_json_get(json, "decoders");
		if (list == NULL || attend_json_type(list) != ATTEND_JSON_ARRAY)
			return attend_json_fail(json, "expected the array \"decoders\"");
		for (const attend_json *item = attend_json_first(list); item != NULL; item = attend_json_next(item))
			ATTEND_TRY(read_decoder(decoder, item)); /* the JSON reader bounds the depth */
		return ATTEND_OK;
	}
	ATTEND_TRY(attend_grow(&decoder->steps, &decoder->capacity, decoder->count + 1, sizeof *decoder->steps, "decoder"));
	attend_decoder_step *step = &decoder->steps[decoder->count++];
	*step = (attend_decoder_step){0};
	return read_step(step, json, type);
}

attend_status attend_decoder_from_json(attend_decoder **out, const attend_json *json)
{
	if (json == NULL || attend_json_type(json) == ATTEND_JSON_NULL) {
		*out = NULL;
		return ATTEND_OK;
	}
	attend_decoder *decoder = calloc(1, sizeof *decoder);
	if (decoder == NULL) return attend_fail_memory(sizeof *decoder, "decoder");
	const attend_status status = read_decoder(decoder, json);
	if (status != ATTEND_OK) {
		attend_decoder_free(decoder);
		return status;
	}
	*out = decoder;
	return ATTEND_OK;
}

attend_status attend_decoder_from_text(attend_decoder **out, const char *json_text)
{
	attend_json *document;
	ATTEND_TRY(attend_json_parse(&document, json_text, strlen(json_text), "decoder"));
	const attend_status status = attend_decoder_from_json(out, document);
	attend_json_free(document);
	return status;
}

attend_status attend_decoder_marian(attend_decoder **out, attend_vocab *pieces)
{
	attend_decoder *decoder = calloc(1, sizeof *decoder);
	attend_decoder_step *step = calloc(1, sizeof *step);
	if (decoder == NULL || step == NULL) {
		free(decoder);
		free(step);
		attend_vocab_free(pieces);
		return attend_fail_memory(sizeof *step, "decoder");
	}
	step->kind = ATTEND_DECODER_MARIAN;
	step->pieces = *pieces;
	*pieces = (attend_vocab){0};
	*decoder = (attend_decoder){step, 1, 1};
	*out = decoder;
	return ATTEND_OK;
}

void attend_decoder_free(attend_decoder *decoder)
{
	if (decoder == NULL) return;
	for (size_t i = 0; i < decoder->count; i++) {
		free(decoder->steps[i].text);
		free(decoder->steps[i].delimiter);
		attend_pattern_free(decoder->steps[i].pattern);
		attend_vocab_free(&decoder->steps[i].pieces);
	}
	free(decoder->steps);
	free(decoder);
}

/* ---- running ---- */

attend_status attend_decoder_run(const attend_decoder *decoder, attend_string_list *tokens, const bool *special,
                                 attend_buffer *out)
{
	if (decoder == NULL) {
		for (size_t i = 0; i < tokens->count; i++) {
			size_t size;
			const char *token = attend_string_at(tokens, i, &size);
			if (i > 0) attend_buffer_append(out, " ", 1);
			attend_buffer_append(out, token, size);
		}
		return attend_buffer_status(out);
	}
	attend_string_list other = {0}, *in = tokens, *next = &other;
	attend_status status = ATTEND_OK;
	for (size_t i = 0; status == ATTEND_OK && i < decoder->count; i++) {
		status = attend_decoder_step_run(&decoder->steps[i], in, special, next);
		attend_string_list *swap = in;
		in = next;
		next = swap;
	}
	if (status == ATTEND_OK && in->count > 0) attend_buffer_append(out, in->text.data, in->text.size);
	attend_string_list_free(&other);
	return status == ATTEND_OK ? attend_buffer_status(out) : status;
}
