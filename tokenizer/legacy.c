/* legacy.c: what the files beside a vocabulary say: keys of tokenizer_config.json, named special tokens, added tokens. */
#include "tokenizer/legacy.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"

/* ---- files and keys ---- */

attend_status attend_folder_path(char **out, const char *folder, const char *name)
{
	ATTEND_TRY(attend_path_join(out, folder, name));
	if (!attend_file_exists(*out)) {
		free(*out);
		*out = NULL;
	}
	return ATTEND_OK;
}

attend_status attend_folder_json(attend_json **out, const char *folder, const char *name)
{
	char *path;
	*out = NULL;
	ATTEND_TRY(attend_folder_path(&path, folder, name));
	if (path == NULL) return ATTEND_OK;
	attend_status status = attend_json_read(out, path);
	free(path);
	if (status == ATTEND_OK && attend_json_type(*out) != ATTEND_JSON_OBJECT) {
		status = attend_json_fail(*out, "expected an object, found %s", attend_json_type_name(*out));
		attend_json_free(*out);
		*out = NULL;
	}
	return status;
}

attend_status attend_folder_bool(bool *out, const attend_folder *folder, const char *key)
{
	return attend_json_get_bool(out, folder->config, key);
}

attend_status attend_folder_int(int64_t *out, const attend_folder *folder, const char *key, int64_t min, int64_t max)
{
	return attend_json_get_int(out, folder->config, key, min, max);
}

const attend_json *attend_folder_value(const attend_folder *folder, const char *key)
{
	const attend_json *value = attend_json_get(folder->special_map, key);
	return value != NULL ? value : attend_json_get(folder->config, key);
}

/* ---- special tokens ---- */

attend_status attend_read_token(attend_named_token *out, bool *is_token, const attend_json *value)
{
	*is_token = false;
	*out = (attend_named_token){0};
	if (value == NULL) return ATTEND_OK;
	const attend_json *content = value;
	if (attend_json_type(value) == ATTEND_JSON_OBJECT) {
		content = attend_json_get(value, "content");
		if (content == NULL) return ATTEND_OK;
		out->spelled = true;
		ATTEND_TRY(attend_json_get_bool(&out->lstrip, value, "lstrip"));
		ATTEND_TRY(attend_json_get_bool(&out->rstrip, value, "rstrip"));
		ATTEND_TRY(attend_json_get_bool(&out->single_word, value, "single_word"));
		out->normalized = true; /* AddedToken's default; special ones say false */
		bool special = false;
		ATTEND_TRY(attend_json_get_bool(&special, value, "special"));
		if (special) out->normalized = false;
		ATTEND_TRY(attend_json_get_bool(&out->normalized, value, "normalized"));
	}
	if (attend_json_type(content) != ATTEND_JSON_STRING) return ATTEND_OK;
	*is_token = true;
	return attend_json_as_string(&out->content, &out->size, content);
}

static const char *const token_keys[ATTEND_SPECIAL_TOKEN_COUNT] = {
	[ATTEND_TOKEN_UNK] = "unk_token", [ATTEND_TOKEN_CLS] = "cls_token",   [ATTEND_TOKEN_SEP] = "sep_token",
	[ATTEND_TOKEN_PAD] = "pad_token", [ATTEND_TOKEN_MASK] = "mask_token", [ATTEND_TOKEN_BOS] = "bos_token",
	[ATTEND_TOKEN_EOS] = "eos_token",
};

/* added_tokens_decoder knows the flags of a token that is only named elsewhere. */
static attend_status spell_from_decoder(attend_named_token *token, const attend_folder *folder)
{
	const attend_json *decoder = attend_json_get(folder->config, "added_tokens_decoder");
	for (const attend_json *item = decoder != NULL ? attend_json_first(decoder) : NULL; item != NULL;
	     item = attend_json_next(item)) {
		attend_named_token other;
		bool is_token;
		ATTEND_TRY(attend_read_token(&other, &is_token, item));
		if (!is_token || other.size != token->size || memcmp(other.content, token->content, token->size) != 0) continue;
		*token = other;
		return ATTEND_OK;
	}
	return ATTEND_OK;
}

attend_status attend_folder_named(attend_named_token *out, const attend_folder *folder, attend_special_token which)
{
	const attend_json *value = attend_folder_value(folder, token_keys[which]);
	bool is_token;
	ATTEND_TRY(attend_read_token(out, &is_token, value));
	if (value == NULL && folder->family != NULL) out->content = folder->family->tokens[which];
	if (value == NULL && out->content != NULL) out->size = strlen(out->content);
	if (value != NULL && !is_token && attend_json_type(value) != ATTEND_JSON_NULL)
		return attend_json_fail(value, "expected a token, found %s", attend_json_type_name(value));
	if (out->content == NULL || out->spelled) return ATTEND_OK;
	if (which == ATTEND_TOKEN_MASK && folder->family != NULL) out->lstrip = folder->family->mask_lstrip;
	return spell_from_decoder(out, folder);
}

attend_status attend_folder_content(const char **out, const attend_folder *folder, attend_special_token which,
                                    const char *other)
{
	attend_named_token token;
	ATTEND_TRY(attend_folder_named(&token, folder, which));
	*out = token.content != NULL ? token.content : other;
	return ATTEND_OK;
}

/* ---- adding tokens ---- */

static bool is_known(const attend_folder *folder, const char *content, size_t size)
{
	return attend_vocab_find(&folder->known, content, size) >= 0;
}

static attend_status add(attend_tokenizer *tokenizer, attend_folder *folder, const attend_named_token *token,
                         bool special)
{
	attend_added_token added = {
		token->content, token->size, token->single_word, token->lstrip, token->rstrip, token->normalized, special, -1};
	ATTEND_TRY(attend_tokenizer_add_token(tokenizer, &added));
	return attend_vocab_put(&folder->known, token->content, token->size, 0);
}

/* A token with the id that its file gives it: ids order the adding, the tokenizer gives them anew (as the library does). */
typedef struct numbered {
	attend_named_token token;
	int64_t id;
	bool special;
} numbered;

static int compare_numbered(const void *a, const void *b)
{
	const numbered *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

/* Is it one of the named or the additional special tokens? added_tokens.json does not say. (transformers 5 overlooks the
 * additional_special_tokens of special_tokens_map.json here.) */
static attend_status names_special(bool *out, const attend_folder *folder, const attend_named_token *token)
{
	*out = false;
	for (int which = 0; which < ATTEND_SPECIAL_TOKEN_COUNT; which++) {
		attend_named_token named;
		ATTEND_TRY(attend_folder_named(&named, folder, (attend_special_token)which));
		if (named.content != NULL && named.size == token->size &&
		    memcmp(named.content, token->content, token->size) == 0)
			*out = true;
	}
	const attend_json *const lists[] = {attend_folder_value(folder, "extra_special_tokens"),
	                                    attend_json_get(folder->config, "additional_special_tokens")};
	for (size_t k = 0; k < 2; k++) {
		const attend_json *list = lists[k];
		for (const attend_json *item = list != NULL ? attend_json_first(list) : NULL; item != NULL;
		     item = attend_json_next(item)) {
			attend_named_token other;
			bool is_token;
			ATTEND_TRY(attend_read_token(&other, &is_token, item));
			if (is_token && other.size == token->size && memcmp(other.content, token->content, token->size) == 0)
				*out = true;
		}
	}
	return ATTEND_OK;
}

/* {"30522": {"content": ...}} of added_tokens_decoder. */
static attend_status read_decoder_item(numbered *out, const attend_json *item)
{
	const char *key = attend_json_key(item, NULL);
	char *end;
	bool is_token;
	out->id = strtoll(key, &end, 10);
	if (end == key || *end != 0 || out->id < 0)
		return attend_json_fail(item, "expected a token id as key, found \"%s\"", key);
	ATTEND_TRY(attend_read_token(&out->token, &is_token, item));
	if (!is_token) return attend_json_fail(item, "expected a token with \"content\"");
	return attend_json_get_bool(&out->special, item, "special");
}

/* {"[ENT]": 30522} of added_tokens.json. */
static attend_status read_added_item(numbered *out, const attend_json *item, const attend_folder *folder)
{
	out->token = (attend_named_token){0};
	out->token.content = attend_json_key(item, &out->token.size);
	ATTEND_TRY(attend_json_as_int(&out->id, item, 0, INT32_MAX));
	ATTEND_TRY(names_special(&out->special, folder, &out->token));
	out->token.normalized = !out->special;
	return ATTEND_OK;
}

static attend_status add_numbered(attend_tokenizer *tokenizer, attend_folder *folder)
{
	const attend_json *decoder = attend_json_get(folder->config, "added_tokens_decoder");
	const attend_json *source = decoder != NULL ? decoder : folder->added;
	if (source == NULL) return ATTEND_OK;
	const size_t room = attend_json_count(source) + 1;
	numbered *tokens = calloc(room, sizeof *tokens);
	if (tokens == NULL) return attend_fail_memory(room * sizeof *tokens, "added tokens");
	size_t count = 0;
	attend_status status = ATTEND_OK;
	for (const attend_json *item = attend_json_first(source); status == ATTEND_OK && item != NULL;
	     item = attend_json_next(item)) {
		numbered *token = &tokens[count++];
		status = decoder != NULL ? read_decoder_item(token, item) : read_added_item(token, item, folder);
	}
	if (status == ATTEND_OK) qsort(tokens, count, sizeof *tokens, compare_numbered);
	for (size_t i = 0; status == ATTEND_OK && i < count; i++)
		status = add(tokenizer, folder, &tokens[i].token, tokens[i].special);
	free(tokens);
	return status;
}

static attend_status add_named(attend_tokenizer *tokenizer, attend_folder *folder)
{
	static const attend_special_token order[] = {ATTEND_TOKEN_BOS, ATTEND_TOKEN_EOS, ATTEND_TOKEN_UNK, ATTEND_TOKEN_SEP,
	                                             ATTEND_TOKEN_PAD, ATTEND_TOKEN_CLS, ATTEND_TOKEN_MASK};
	for (size_t i = 0; i < ATTEND_SPECIAL_TOKEN_COUNT; i++) {
		attend_named_token token;
		ATTEND_TRY(attend_folder_named(&token, folder, order[i]));
		if (token.content == NULL || token.size == 0) continue;
		if (!is_known(folder, token.content, token.size)) ATTEND_TRY(add(tokenizer, folder, &token, true));
		tokenizer->special_ids[order[i]] = attend_tokenizer_token_to_id(tokenizer, token.content, token.size);
	}
	return ATTEND_OK;
}

static attend_status add_value(attend_tokenizer *tokenizer, attend_folder *folder, const attend_json *value)
{
	attend_named_token token;
	bool is_token;
	ATTEND_TRY(attend_read_token(&token, &is_token, value));
	if (!is_token || token.size == 0 || is_known(folder, token.content, token.size)) return ATTEND_OK;
	return add(tokenizer, folder, &token, true);
}

/* Keys like "image_token" name special tokens too. */
static attend_status add_other_named(attend_tokenizer *tokenizer, attend_folder *folder)
{
	for (const attend_json *item = folder->config != NULL ? attend_json_first(folder->config) : NULL; item != NULL;
	     item = attend_json_next(item)) {
		size_t size;
		const char *key = attend_json_key(item, &size);
		bool standard = false;
		for (int which = 0; which < ATTEND_SPECIAL_TOKEN_COUNT; which++)
			standard = standard || strcmp(key, token_keys[which]) == 0;
		if (!standard && size > 6 && strcmp(key + size - 6, "_token") == 0)
			ATTEND_TRY(add_value(tokenizer, folder, item));
	}
	return ATTEND_OK;
}

/* Control pieces are special, user-defined ones are not; both are cut out of the raw text. */
static attend_status add_pieces(attend_tokenizer *tokenizer, attend_folder *folder)
{
	for (size_t i = 0; i < folder->spm.count; i++) {
		const attend_spm_piece *piece = &folder->spm.pieces[i];
		if (piece->type != ATTEND_SPM_CONTROL && piece->type != ATTEND_SPM_USER_DEFINED) continue;
		if (piece->size == 0 || is_known(folder, piece->text, piece->size)) continue;
		const attend_named_token token = {.content = piece->text, .size = piece->size};
		ATTEND_TRY(add(tokenizer, folder, &token, piece->type == ATTEND_SPM_CONTROL));
	}
	for (size_t i = 0; i < folder->extra_ids; i++) {
		char content[40];
		const int size = snprintf(content, sizeof content, "<extra_id_%zu>", i);
		const attend_named_token token = {.content = content, .size = (size_t)size};
		if (!is_known(folder, content, token.size)) ATTEND_TRY(add(tokenizer, folder, &token, true));
	}
	return ATTEND_OK;
}

attend_status attend_folder_add_tokens(attend_tokenizer *tokenizer, attend_folder *folder)
{
	ATTEND_TRY(add_numbered(tokenizer, folder));
	ATTEND_TRY(add_named(tokenizer, folder));
	ATTEND_TRY(add_other_named(tokenizer, folder));
	const attend_json *list = attend_folder_value(folder, "extra_special_tokens");
	if (list == NULL || attend_json_count(list) == 0) {
		const attend_json *older = attend_folder_value(folder, "additional_special_tokens");
		if (older != NULL) list = older;
	}
	if (list == NULL) return add_pieces(tokenizer, folder);
	for (const attend_json *item = attend_json_first(list); item != NULL; item = attend_json_next(item))
		ATTEND_TRY(add_value(tokenizer, folder, item)); /* of an object: its members */
	return ATTEND_OK;
}

/* ---- templates ---- */

static attend_status append_pieces(attend_buffer *out, const char *words, const char *const *tokens, size_t count)
{
	attend_buffer_text(out, "[");
	for (const char *word = words; *word != 0;) {
		const char *colon = strchr(word, ':');
		const long type_id = strtol(colon + 1, NULL, 10);
		if (word > words) attend_buffer_text(out, ",");
		if (*word == 'A' || *word == 'B') {
			attend_buffer_printf(out, "{\"Sequence\":{\"id\":\"%c\",\"type_id\":%ld}}", *word, type_id);
		} else {
			const size_t index = (size_t)(*word - '0');
			if (index >= count) return attend_fail(ATTEND_ERR_ARG, "template \"%s\" names no token", words);
			attend_buffer_text(out, "{\"SpecialToken\":{\"id\":");
			attend_buffer_json_string(out, tokens[index], strlen(tokens[index]));
			attend_buffer_printf(out, ",\"type_id\":%ld}}", type_id);
		}
		word = colon + strcspn(colon, " ");
		word += strspn(word, " ");
	}
	attend_buffer_text(out, "]");
	return ATTEND_OK;
}

attend_status attend_set_template(attend_tokenizer *tokenizer, const char *single, const char *pair,
                                  const char *const *tokens, size_t count)
{
	attend_buffer text = {0};
	attend_status status = ATTEND_OK;
	attend_buffer_text(&text, "{\"type\":\"TemplateProcessing\",\"special_tokens\":{");
	for (size_t i = 0; status == ATTEND_OK && i < count; i++) {
		const int32_t id = attend_tokenizer_token_to_id(tokenizer, tokens[i], strlen(tokens[i]));
		if (id < 0) status = attend_fail(ATTEND_ERR_FORMAT, "the special token \"%s\" has no id", tokens[i]);
		if (i > 0) attend_buffer_text(&text, ",");
		attend_buffer_json_string(&text, tokens[i], strlen(tokens[i]));
		attend_buffer_printf(&text, ":{\"ids\":[%d],\"tokens\":[", id);
		attend_buffer_json_string(&text, tokens[i], strlen(tokens[i]));
		attend_buffer_text(&text, "]}");
	}
	attend_buffer_text(&text, "},\"single\":");
	if (status == ATTEND_OK) status = append_pieces(&text, single, tokens, count);
	attend_buffer_text(&text, ",\"pair\":");
	if (status == ATTEND_OK) status = append_pieces(&text, pair, tokens, count);
	attend_buffer_text(&text, "}");
	if (status == ATTEND_OK) status = attend_buffer_status(&text);
	attend_postprocessor_free(tokenizer->postprocessor);
	tokenizer->postprocessor = NULL;
	if (status == ATTEND_OK) status = attend_postprocessor_from_text(&tokenizer->postprocessor, text.data);
	attend_buffer_free(&text);
	return status;
}
