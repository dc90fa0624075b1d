/* tokenizer_of.h: small tokenizers made of JSON text, and their output as text. */
#ifndef ATTEND_TESTS_TOKENIZER_OF_H
#define ATTEND_TESTS_TOKENIZER_OF_H

#include "tests/support/check.h"

#include "lib/core/buffer.h"
#include "tokenizer/tokenizer_internal.h"

static inline attend_tokenizer *tokenizer_of(const char *json_text)
{
	attend_json *json;
	attend_tokenizer *t;
	assert_ok(attend_json_parse(&json, json_text, strlen(json_text), "tokenizer.json"));
	assert_ok(attend_tokenizer_from_json(&t, json));
	attend_json_free(json);
	assert_ok(attend_tokenizer_finish(t));
	return t;
}

/* "token[start-end]/word" of all tokens, blanks between; special tokens without place. */
static inline void show_encoding(attend_buffer *out, const attend_encoding *e)
{
	for (size_t i = 0; i < e->count; i++) {
		attend_buffer_text(out, i ? " " : "");
		attend_buffer_append(out, e->tokens[i], e->token_sizes[i]);
		if (e->word_ids[i] >= 0)
			attend_buffer_printf(out, "[%u-%u]/%d", e->byte_offsets[i].start, e->byte_offsets[i].end, e->word_ids[i]);
	}
	for (size_t i = 0; i < e->overflowing_count; i++) {
		attend_buffer_text(out, " | ");
		show_encoding(out, &e->overflowing[i]);
	}
}

static inline void check_encoding(const attend_tokenizer *t, const char *text, const char *pair,
                                  const attend_encode_options *options, const char *expected)
{
	attend_encode_options o = options ? *options : (attend_encode_options){0};
	attend_encoding e;
	attend_buffer shown = {0};
	o.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS;
	if (pair) assert_ok(attend_tokenizer_encode_pair(&e, t, text, strlen(text), pair, strlen(pair), &o));
	else assert_ok(attend_tokenizer_encode(&e, t, text, strlen(text), &o));
	attend_buffer_text(&shown, "");
	show_encoding(&shown, &e);
	if (strcmp(shown.data, expected) != 0) fail_msg("\"%s\": \"%s\", expected \"%s\"", text, shown.data, expected);
	attend_buffer_free(&shown);
	attend_encoding_free(&e);
}

#endif
