/* model.c: which model a tokenizer.json holds, and the token list that models fill. */
#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/models.h"

attend_status attend_token_list_reserve(attend_token_list *list, size_t more)
{
	if (more > SIZE_MAX - list->count) return attend_fail_memory(SIZE_MAX, "tokens");
	ATTEND_TRY(attend_grow(&list->ids, &list->id_capacity, list->count + more, sizeof *list->ids, "tokens"));
	if (list->with_spans)
		ATTEND_TRY(attend_grow(&list->spans, &list->span_capacity, list->count + more, sizeof *list->spans, "tokens"));
	return ATTEND_OK;
}

void attend_token_list_free(attend_token_list *list)
{
	free(list->ids);
	free(list->spans);
	*list = (attend_token_list){0};
}

/* Files before tokenizers 0.8 have no "type": the reference tries BPE, WordPiece, WordLevel, Unigram in this order, and
 * takes the first whose fields are there. */
static const char *guess_type(const attend_json *model)
{
	const attend_json *vocab = attend_json_get(model, "vocab");
	if (vocab == NULL) return NULL;
	if (attend_json_type(vocab) == ATTEND_JSON_ARRAY) return "Unigram";
	if (attend_json_get(model, "merges") != NULL) return "BPE";
	if (attend_json_get(model, "continuing_subword_prefix") != NULL ||
	    attend_json_get(model, "max_input_chars_per_word") != NULL)
		return "WordPiece";
	return "WordLevel";
}

attend_status attend_token_model_from_json(attend_token_model **out, const attend_json *model)
{
	static const struct {
		const char *type;
		attend_status (*read)(attend_token_model **out, const attend_json *model);
	} types[] = {
		{"BPE", attend_bpe_from_json},
		{"WordPiece", attend_wordpiece_from_json},
		{"WordLevel", attend_wordlevel_from_json},
		{"Unigram", attend_unigram_from_json},
	};
	if (attend_json_type(model) != ATTEND_JSON_OBJECT)
		return attend_json_fail(model, "expected an object, found %s", attend_json_type_name(model));
	const char *type = NULL;
	ATTEND_TRY(attend_json_get_string(&type, model, "type"));
	if (type == NULL) type = guess_type(model);
	if (type == NULL) return attend_json_fail(model, "expected a model with \"type\" or \"vocab\", found neither");
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(type, types[i].type) == 0) return types[i].read(out, model);
	attend_json_fail(attend_json_get(model, "type"), "unknown model \"%s\"", type);
	return ATTEND_ERR_UNSUPPORTED;
}
