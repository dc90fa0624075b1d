/* tokenizer.c: a tokenizer's life and vocabulary, and decoding. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/stages.h"

attend_status attend_tokenizer_new(attend_tokenizer **out)
{
	attend_tokenizer *const t = calloc(1, sizeof *t);
	if (!t) return attend_fail_memory(sizeof *t, "tokenizer");
	for (int i = 0; i < ATTEND_SPECIAL_TOKEN_COUNT; i++) t->special_ids[i] = -1;
	t->max_length = SIZE_MAX;
	const attend_status status = attend_added_tokens_new(&t->added);
	if (status != ATTEND_OK) {
		free(t);
		return status;
	}
	*out = t;
	return ATTEND_OK;
}

void attend_tokenizer_free(attend_tokenizer *t)
{
	if (!t) return;
	attend_stages_free(t->stages);
	attend_normalizer_free(t->normalizer);
	attend_pretokenizer_free(t->pretokenizer);
	if (t->model) t->model->ops->free(t->model);
	attend_postprocessor_free(t->postprocessor);
	attend_decoder_free(t->decoder);
	attend_added_tokens_free(t->added);
	free(t);
}

attend_status attend_tokenizer_add_token(attend_tokenizer *tokenizer, attend_added_token *token)
{
	return attend_added_tokens_add(tokenizer->added, tokenizer->model, token);
}

attend_status attend_tokenizer_finish(attend_tokenizer *t)
{
	if (!t->model) return attend_fail(ATTEND_ERR_FORMAT, "tokenizer without a model");
	if (!t->postprocessor) ATTEND_TRY(attend_postprocessor_from_json(&t->postprocessor, NULL));
	ATTEND_TRY(attend_added_tokens_finish(t->added, t->normalizer));
	return attend_stages_new(&t->stages, t);
}

/* ---- vocabulary ---- */

size_t attend_tokenizer_vocab_size(const attend_tokenizer *t)
{
	const size_t model = t->model->ops->id_bound(t->model), added = attend_added_tokens_id_bound(t->added);
	return model > added ? model : added;
}

int32_t attend_tokenizer_token_to_id(const attend_tokenizer *t, const char *token, size_t size)
{
	const int32_t id = attend_added_tokens_find(t->added, token, size);
	return id >= 0 ? id : t->model->ops->token_to_id(t->model, token, size);
}

const char *attend_tokenizer_id_to_token(const attend_tokenizer *t, int32_t id, size_t *size)
{
	size_t unused;
	if (!size) size = &unused;
	const char *const added = attend_added_tokens_spelling(t->added, id, size);
	return added ? added : t->model->ops->id_to_token(t->model, id, size);
}

int32_t attend_tokenizer_special_id(const attend_tokenizer *t, attend_special_token which)
{
	return (int)which >= 0 && which < ATTEND_SPECIAL_TOKEN_COUNT ? t->special_ids[which] : -1;
}

bool attend_tokenizer_is_special(const attend_tokenizer *t, int32_t id)
{
	size_t size;
	const char *const token = attend_tokenizer_id_to_token(t, id, &size);
	return token && attend_added_tokens_is_special(t->added, token, size);
}

size_t attend_tokenizer_max_length(const attend_tokenizer *t)
{
	return t->max_length;
}

const char *attend_tokenizer_kind(const attend_tokenizer *t)
{
	return t->model->ops->type;
}

size_t attend_tokenizer_added_count(const attend_tokenizer *t, bool pair)
{
	return attend_postprocessor_added(t->postprocessor, pair);
}

/* ---- decoding ---- */

/* A number at text[*at], which moves behind it. */
static bool read_id(int32_t *id, const char *text, size_t size, size_t *at)
{
	int64_t value = 0;
	const size_t start = *at;
	for (; *at < size && text[*at] >= '0' && text[*at] <= '9'; ++*at)
		if ((value = value * 10 + (text[*at] - '0')) > INT32_MAX) return false;
	*id = (int32_t)value;
	return *at > start;
}

static size_t skip_blanks(const char *text, size_t size, size_t at)
{
	while (at < size && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) at++;
	return at;
}

/* Ids into out[]; false: text[*at] is not what should stand there. */
static bool read_ids(int32_t *out, size_t *count, const char *text, size_t size, size_t *at)
{
	*at = skip_blanks(text, size, 0);
	*count = 0;
	const bool array = *at < size && text[*at] == '[';
	if (array) *at = skip_blanks(text, size, *at + 1);
	for (bool first = true; *at < size && text[*at] != ']'; first = false) {
		if (array && !first) {
			if (text[*at] != ',') return false;
			*at = skip_blanks(text, size, *at + 1);
		}
		if (!read_id(&out[*count], text, size, at)) return false;
		++*count;
		const size_t next = skip_blanks(text, size, *at);
		if (!array && next == *at && next < size) return false;
		*at = next;
	}
	if (array && *at < size && text[*at] == ']') *at = skip_blanks(text, size, *at + 1);
	else if (array) return false;
	return *at == size;
}

attend_status attend_ids_parse(int32_t **out, size_t *count, const char *text, size_t size)
{
	if (!out || !count || (!text && size > 0)) return attend_fail(ATTEND_ERR_ARG, "attend_ids_parse: NULL argument");
	int32_t *const ids = attend_alloc_array(size / 2 + 2, sizeof *ids);
	size_t at = 0;
	if (!ids) return attend_fail_memory(size, "ids");
	if (!read_ids(ids, count, text, size, &at)) {
		free(ids);
		const int shown = (int)(size - at < 20 ? size - at : 20);
		return attend_fail(ATTEND_ERR_DATA, "token ids: expected numbers, found \"%.*s\" at position %zu", shown,
		                   text + at, at);
	}
	*out = ids;
	return ATTEND_OK;
}

/* Spellings of the ids that have one, and which of them are special. */
static attend_status spell(const attend_tokenizer *t, const int32_t *ids, size_t count, bool skip,
                           attend_string_list *list, bool *special)
{
	for (size_t i = 0; i < count; i++) {
		size_t size;
		const char *const token = attend_tokenizer_id_to_token(t, ids[i], &size);
		if (!token) continue;
		const bool is_special = attend_added_tokens_is_special(t->added, token, size);
		if (skip && is_special) continue;
		special[list->count] = is_special;
		ATTEND_TRY(attend_string_list_push(list, token, size));
	}
	return ATTEND_OK;
}

attend_status attend_tokenizer_decode(char **out, size_t *size, const attend_tokenizer *t, const int32_t *ids,
                                      size_t count, bool skip_special_tokens, attend_clean_up clean_up)
{
	if (!out || !size || !t || (!ids && count > 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_tokenizer_decode: NULL argument");
	attend_string_list list = {0};
	attend_buffer text = {0};
	bool *const special = attend_alloc_array(count + 1, sizeof *special);
	if (!special) return attend_fail_memory(count, "decoding");
	attend_status status = spell(t, ids, count, skip_special_tokens, &list, special);
	if (status == ATTEND_OK) status = attend_decoder_run(t->decoder, &list, special, &text);
	const bool clean = clean_up == ATTEND_CLEAN_UP_DEFAULT ? t->clean_up : clean_up == ATTEND_CLEAN_UP_ON;
	if (status == ATTEND_OK && clean) attend_clean_up_text(&text);
	attend_buffer_append(&text, "", 0); /* an empty text is a buffer too */
	if (status == ATTEND_OK) status = attend_buffer_status(&text);
	free(special);
	attend_string_list_free(&list);
	if (status != ATTEND_OK) {
		attend_buffer_free(&text);
		return status;
	}
	*out = text.data;
	*size = text.size;
	return ATTEND_OK;
}
