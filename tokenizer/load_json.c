/* load_json.c: tokenizer.json (huggingface.md section 3.1). `truncation` and `padding` are what a call asks for, so the file's are
 * not applied, as in transformers. */
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

static attend_status read_added_token(attend_tokenizer *t, const attend_json *json)
{
	const attend_json *const content = attend_json_get(json, "content");
	attend_added_token token = {.normalized = true};
	if (!content) return attend_json_fail(json, "an added token needs a \"content\"");
	ATTEND_TRY(attend_json_as_string(&token.content, &token.size, content));
	ATTEND_TRY(attend_json_get_bool(&token.single_word, json, "single_word"));
	ATTEND_TRY(attend_json_get_bool(&token.lstrip, json, "lstrip"));
	ATTEND_TRY(attend_json_get_bool(&token.rstrip, json, "rstrip"));
	ATTEND_TRY(attend_json_get_bool(&token.special, json, "special"));
	ATTEND_TRY(attend_json_get_bool(&token.normalized, json, "normalized"));
	int64_t id = -1;
	ATTEND_TRY(attend_json_get_int(&id, json, "id", 0, INT32_MAX));
	ATTEND_TRY(attend_tokenizer_add_token(t, &token));
	if (id >= 0 && token.id >= 0 && id != token.id)
		attend_log(ATTEND_LOG_WARNING, "added token \"%.60s\": id %d, the file says %d", token.content, (int)token.id,
		           (int)id);
	return ATTEND_OK;
}

static attend_status read_all(attend_tokenizer *t, const attend_json *document)
{
	const char *version = "1.0";
	ATTEND_TRY(attend_json_get_string(&version, document, "version"));
	if (strcmp(version, "1.0") != 0)
		return attend_json_fail(attend_json_get(document, "version"), "expected \"1.0\", found \"%s\"", version);
	const attend_json *const model = attend_json_get(document, "model");
	if (!model) return attend_json_fail(document, "\"model\" is missing");
	ATTEND_TRY(attend_normalizer_from_json(&t->normalizer, attend_json_get(document, "normalizer")));
	ATTEND_TRY(attend_pretokenizer_from_json(&t->pretokenizer, attend_json_get(document, "pre_tokenizer")));
	ATTEND_TRY(attend_token_model_from_json(&t->model, model));
	ATTEND_TRY(attend_postprocessor_from_json(&t->postprocessor, attend_json_get(document, "post_processor")));
	ATTEND_TRY(attend_decoder_from_json(&t->decoder, attend_json_get(document, "decoder")));
	const attend_json *const added = attend_json_get(document, "added_tokens");
	if (!added || attend_json_type(added) == ATTEND_JSON_NULL) return ATTEND_OK;
	if (attend_json_type(added) != ATTEND_JSON_ARRAY)
		return attend_json_fail(added, "expected an array, found %s", attend_json_type_name(added));
	for (const attend_json *token = attend_json_first(added); token; token = attend_json_next(token))
		ATTEND_TRY(read_added_token(t, token));
	return ATTEND_OK;
}

attend_status attend_tokenizer_from_json(attend_tokenizer **out, const attend_json *document)
{
	attend_tokenizer *t;
	if (attend_json_type(document) != ATTEND_JSON_OBJECT)
		return attend_json_fail(document, "expected an object, found %s", attend_json_type_name(document));
	ATTEND_TRY(attend_tokenizer_new(&t));
	const attend_status status = read_all(t, document);
	if (status != ATTEND_OK) {
		attend_tokenizer_free(t);
		return status;
	}
	*out = t;
	return ATTEND_OK;
}
