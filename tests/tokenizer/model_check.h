/* model_check.h: a model from the text of tokenizer.json's "model", and its tokens of a word as one line to compare. */
#ifndef ATTEND_TESTS_MODEL_CHECK_H
#define ATTEND_TESTS_MODEL_CHECK_H

#include "tests/support/check.h"

#include "tokenizer/tokenizer_internal.h"

static inline attend_status model_try(attend_token_model **out, const char *json)
{
	attend_json *document;
	ATTEND_TRY(attend_json_parse(&document, json, strlen(json), "tokenizer.json"));
	const attend_status status = attend_token_model_from_json(out, document);
	attend_json_free(document);
	return status;
}

static inline attend_token_model *model_of(const char *json)
{
	attend_token_model *model = NULL;
	assert_ok(model_try(&model, json));
	return model;
}

static inline void model_fails(attend_status expected, const char *part, const char *json)
{
	attend_token_model *model = NULL;
	assert_fails(expected, part, model_try(&model, json));
	assert_null(model);
}

/* "tok:0-3 en:3-5": spellings and spans. malloc'ed. */
static inline char *model_tokens(const attend_token_model *model, const char *word, size_t size)
{
	void *scratch = NULL;
	attend_token_list list = {.with_spans = true};
	if (model->ops->scratch_new) assert_ok(model->ops->scratch_new(&scratch, model));
	assert_ok(model->ops->tokenize(model, scratch, word, size, 0, &list));
	attend_buffer text = {0};
	attend_buffer_text(&text, "");
	for (size_t i = 0; i < list.count; i++) {
		const char *token = model->ops->id_to_token(model, list.ids[i], NULL);
		attend_buffer_printf(&text, "%s%s:%u-%u", i ? " " : "", token, list.spans[i].start, list.spans[i].end);
	}
	attend_token_list_free(&list);
	if (model->ops->scratch_free) model->ops->scratch_free(scratch);
	assert_ok(attend_buffer_status(&text));
	return text.data;
}

static inline void model_gives(const attend_token_model *model, const char *word, const char *expected)
{
	char *const got = model_tokens(model, word, strlen(word));
	assert_string_equal(got, expected);
	free(got);
}

#endif
