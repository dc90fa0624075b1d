/* postprocessor.c: post-processors (huggingface/tokenizers processors/): special tokens around the texts, their type ids,
 * trimmed offsets. Each type is run once, while loading, on the symbols A and B, and what comes out is the template that
 * encoding follows. Without special tokens encoding skips the SPECIAL pieces, which gives what the reference gives. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/tokenizer_internal.h"

enum {
	PIECE_LIMIT = 4096
}; /* pieces of a template, and tokens of a piece: far above any use, and hostile files stay small */

/* ---- templates ---- */

static void clear_piece(attend_template_piece *piece)
{
	for (size_t i = 0; piece->tokens != NULL && i < piece->count; i++) free(piece->tokens[i]);
	free(piece->tokens);
	free(piece->ids);
	*piece = (attend_template_piece){0};
}

static void clear_template(attend_template *template)
{
	for (size_t i = 0; i < template->count; i++) clear_piece(&template->pieces[i]);
	free(template->pieces);
	*template = (attend_template){0};
}

/* A special piece of no tokens yet, or a copy of one. */
static attend_status copy_piece(attend_template_piece *out, const attend_template_piece *from)
{
	attend_template_piece piece = {from->kind, from->type_id, NULL, NULL, 0};
	if (from->count > 0) {
		piece.ids = attend_alloc_array(from->count, sizeof *piece.ids);
		piece.tokens = calloc(from->count, sizeof *piece.tokens);
		bool whole = piece.ids != NULL && piece.tokens != NULL;
		for (size_t i = 0; whole && i < from->count; i++) {
			piece.ids[i] = from->ids[i];
			piece.tokens[i] = strdup(from->tokens[i]);
			piece.count = i + 1;
			whole = piece.tokens[i] != NULL;
		}
		if (!whole) {
			clear_piece(&piece);
			return attend_fail_memory(from->count * sizeof *piece.ids, "post-processor");
		}
	}
	*out = piece;
	return ATTEND_OK;
}

static attend_status append(attend_template *to, const attend_template_piece *piece)
{
	attend_template_piece *pieces = realloc(to->pieces, (to->count + 1) * sizeof *pieces);
	if (pieces == NULL) return attend_fail_memory((to->count + 1) * sizeof *pieces, "post-processor");
	to->pieces = pieces;
	ATTEND_TRY(copy_piece(&to->pieces[to->count], piece));
	to->count++;
	return ATTEND_OK;
}

/* All pieces of `from`; type_id < 0 keeps theirs. */
static attend_status append_all(attend_template *to, const attend_template *from, int32_t type_id)
{
	for (size_t i = 0; i < from->count; i++) {
		ATTEND_TRY(append(to, &from->pieces[i]));
		if (type_id >= 0) to->pieces[to->count - 1].type_id = type_id;
	}
	return ATTEND_OK;
}

/* ---- one processor applied to encodings, of which the reference keeps a list ---- */

typedef struct encodings {
	attend_template *items;
	size_t count;
} encodings;

static void clear_encodings(encodings *list)
{
	for (size_t i = 0; i < list->count; i++) clear_template(&list->items[i]);
	free(list->items);
	*list = (encodings){0};
}

static attend_status resize(encodings *list, size_t count)
{
	list->items = calloc(count > 0 ? count : 1, sizeof *list->items);
	if (list->items == NULL) return attend_fail_memory(count * sizeof *list->items, "post-processor");
	list->count = count;
	return ATTEND_OK;
}

/* ["[SEP]", 102], kept as a piece; clear it. */
static attend_status read_token(attend_template_piece *out, const attend_json *json, const char *key)
{
	const attend_json *value = attend_json_get(json, key);
	if (value == NULL) return attend_json_fail(json, "expected the member \"%s\", found none", key);
	const attend_json *token = attend_json_first(value), *id = token != NULL ? attend_json_next(token) : NULL;
	if (attend_json_type(value) != ATTEND_JSON_ARRAY || id == NULL || attend_json_next(id) != NULL)
		return attend_json_fail(value, "expected [token, id]");
	const char *text;
	int64_t number;
	ATTEND_TRY(attend_json_as_string(&text, NULL, token));
	ATTEND_TRY(attend_json_as_int(&number, id, 0, INT32_MAX));
	int32_t ids[1] = {(int32_t)number};
	char *tokens[1] = {(char *)(uintptr_t)text}; /* only read */
	const attend_template_piece piece = {ATTEND_PIECE_SPECIAL, 0, ids, tokens, 1};
	return copy_piece(out, &piece);
}

/* BertProcessing: [CLS] A [SEP] and B [SEP]; Roberta's: <s> A </s> and </s> B </s>, all of type 0. */
static attend_status apply_class(encodings *to, const encodings *from, const attend_json *json, bool roberta)
{
	attend_template_piece cls = {0}, sep = {0};
	attend_status status = read_token(&sep, json, "sep");
	if (status == ATTEND_OK) status = read_token(&cls, json, "cls");
	if (status == ATTEND_OK) status = resize(to, from->count);
	for (size_t i = 0; status == ATTEND_OK && i < from->count; i++) {
		attend_template *item = &to->items[i];
		if (i == 0) status = append(item, &cls);
		if (i > 0 && roberta) status = append(item, &sep);
		if (status == ATTEND_OK) status = append_all(item, &from->items[i], roberta ? 0 : -1);
		sep.type_id = i > 0 && !roberta ? 1 : 0;
		if (status == ATTEND_OK) status = append(item, &sep);
	}
	clear_piece(&cls);
	clear_piece(&sep);
	return status;
}

/* special_tokens[name] of TemplateProcessing: {"id", "ids": [...], "tokens": [...]}. */
static attend_status read_special(attend_template_piece *out, const attend_json *json, const attend_json *name_value,
                                  int32_t type_id)
{
	const char *name;
	ATTEND_TRY(attend_json_as_string(&name, NULL, name_value));
	const attend_json *special = attend_json_get(attend_json_get(json, "special_tokens"), name);
	if (special == NULL) return attend_json_fail(name_value, "\"%s\" is not among the template's special_tokens", name);
	const attend_json *ids = attend_json_get(special, "ids"), *tokens = attend_json_get(special, "tokens");
	if (ids == NULL || tokens == NULL || attend_json_count(ids) != attend_json_count(tokens))
		return attend_json_fail(special, "expected \"ids\" and \"tokens\" of equal length");
	const size_t count = attend_json_count(ids);
	if (count > PIECE_LIMIT) return attend_json_fail(ids, "more than %d ids", PIECE_LIMIT);
	attend_template_piece piece = {ATTEND_PIECE_SPECIAL, type_id, NULL, NULL, 0};
	piece.ids = attend_alloc_array(count + 1, sizeof *piece.ids);
	piece.tokens = calloc(count + 1, sizeof *piece.tokens);
	attend_status status = ATTEND_OK;
	if (piece.ids == NULL || piece.tokens == NULL)
		status = attend_fail_memory(count * sizeof *piece.ids, "post-processor");
	const attend_json *id = attend_json_first(ids), *token = attend_json_first(tokens);
	while (status == ATTEND_OK && id != NULL && token != NULL) {
		const char *text = "";
		int64_t number = 0;
		status = attend_json_as_int(&number, id, 0, INT32_MAX);
		if (status == ATTEND_OK) status = attend_json_as_string(&text, NULL, token);
		if (status != ATTEND_OK) break;
		piece.ids[piece.count] = (int32_t)number;
		piece.tokens[piece.count] = strdup(text);
		if (piece.tokens[piece.count++] == NULL) status = attend_fail_memory(1, "post-processor");
		id = attend_json_next(id);
		token = attend_json_next(token);
	}
	if (status != ATTEND_OK) clear_piece(&piece);
	else *out = piece;
	return status;
}

/* One of {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[CLS]", "type_id": 0}}. */
static attend_status apply_piece(attend_template *to, const encodings *from, const attend_json *json,
                                 const attend_json *item)
{
	const attend_json *sequence = attend_json_get(item, "Sequence"), *special = attend_json_get(item, "SpecialToken");
	const attend_json *value = sequence != NULL ? sequence : special;
	const attend_json *id = value != NULL ? attend_json_get(value, "id") : NULL;
	if (id == NULL) return attend_json_fail(item, "expected a Sequence or SpecialToken with an id");
	int64_t type_id = 0;
	ATTEND_TRY(attend_json_get_int(&type_id, value, "type_id", 0, INT32_MAX));
	if (sequence != NULL) {
		const char *name;
		ATTEND_TRY(attend_json_as_string(&name, NULL, id));
		if (strcmp(name, "A") != 0 && strcmp(name, "B") != 0)
			return attend_json_fail(id, "expected \"A\" or \"B\", found \"%s\"", name);
		const size_t index = *name == 'A' ? 0 : 1;
		if (index >= from->count) return attend_json_fail(id, "the template for a single text uses B");
		return append_all(to, &from->items[index], (int32_t)type_id);
	}
	attend_template_piece piece;
	ATTEND_TRY(read_special(&piece, json, id, (int32_t)type_id));
	const attend_status status = append(to, &piece);
	clear_piece(&piece);
	return status;
}

/* In the reference every piece of a template is an encoding of its own afterwards. */
static attend_status apply_template(encodings *to, const encodings *from, const attend_json *json, bool pair)
{
	const char *key = pair ? "pair" : "single";
	const attend_json *template = attend_json_get(json, key);
	if (template == NULL || attend_json_type(template) != ATTEND_JSON_ARRAY)
		return attend_json_fail(json, "expected the array \"%s\"", key);
	if (from->count != (pair ? 2u : 1u)) {
		attend_json_fail(json, "a template behind another one is not supported");
		return ATTEND_ERR_UNSUPPORTED;
	}
	if (attend_json_count(template) > PIECE_LIMIT)
		return attend_json_fail(template, "more than %d pieces", PIECE_LIMIT);
	ATTEND_TRY(resize(to, attend_json_count(template)));
	size_t i = 0;
	for (const attend_json *item = attend_json_first(template); item != NULL; item = attend_json_next(item), i++)
		ATTEND_TRY(apply_piece(&to->items[i], from, json, item));
	return ATTEND_OK;
}

/* ---- all of them ---- */

typedef struct walk {
	attend_postprocessor *out;
	encodings texts;
	bool pair;
} walk;

static attend_status apply(walk *w, const attend_json *json);

static attend_status apply_sequence(walk *w, const attend_json *json)
{
	const attend_json *list = attend_json_get(json, "processors");
	if (list == NULL || attend_json_type(list) != ATTEND_JSON_ARRAY)
		return attend_json_fail(json, "expected the array \"processors\"");
	for (const attend_json *item = attend_json_first(list); item != NULL; item = attend_json_next(item))
		ATTEND_TRY(apply(w, item)); /* the JSON reader bounds the depth */
	return ATTEND_OK;
}

static attend_status read_trim(attend_postprocessor *out, const attend_json *json)
{
	bool trim = true, prefix = true;
	ATTEND_TRY(attend_json_get_bool(&trim, json, "trim_offsets"));
	ATTEND_TRY(attend_json_get_bool(&prefix, json, "add_prefix_space"));
	if (trim) {
		out->trim_offsets = true;
		out->trim_prefix_space = prefix;
	}
	return ATTEND_OK;
}

static attend_status apply(walk *w, const attend_json *json)
{
	const char *type = NULL;
	ATTEND_TRY(attend_json_get_string(&type, json, "type"));
	if (type == NULL) return attend_json_fail(json, "expected a post-processor with \"type\"");
	if (strcmp(type, "Sequence") == 0) return apply_sequence(w, json);
	if (strcmp(type, "ByteLevel") == 0) return read_trim(w->out, json);
	encodings next = {0};
	attend_status status;
	if (strcmp(type, "TemplateProcessing") == 0) {
		status = apply_template(&next, &w->texts, json, w->pair);
	} else if (strcmp(type, "BertProcessing") == 0) {
		status = apply_class(&next, &w->texts, json, false);
	} else if (strcmp(type, "RobertaProcessing") == 0) {
		w->out->retypes_overflow = true;
		status = read_trim(w->out, json);
		if (status == ATTEND_OK) status = apply_class(&next, &w->texts, json, true);
	} else {
		attend_json_fail(attend_json_get(json, "type"), "unknown post-processor \"%s\"", type);
		status = ATTEND_ERR_UNSUPPORTED;
	}
	if (status != ATTEND_OK) {
		clear_encodings(&next);
		return status;
	}
	clear_encodings(&w->texts);
	w->texts = next;
	return ATTEND_OK;
}

static attend_status run(attend_template *out, attend_postprocessor *postprocessor, const attend_json *json, bool pair)
{
	walk w = {postprocessor, {0}, pair};
	attend_status status = resize(&w.texts, pair ? 2 : 1);
	for (size_t i = 0; status == ATTEND_OK && i < w.texts.count; i++) {
		const attend_template_piece text = {i == 0 ? ATTEND_PIECE_A : ATTEND_PIECE_B, (int32_t)i, NULL, NULL, 0};
		status = append(&w.texts.items[i], &text);
	}
	if (status == ATTEND_OK && json != NULL && attend_json_type(json) != ATTEND_JSON_NULL) status = apply(&w, json);
	for (size_t i = 0; status == ATTEND_OK && i < w.texts.count; i++) status = append_all(out, &w.texts.items[i], -1);
	clear_encodings(&w.texts);
	bool has_text = false;
	for (size_t i = 0; i < out->count; i++) has_text = has_text || out->pieces[i].kind == ATTEND_PIECE_A;
	if (status == ATTEND_OK && !has_text)
		status = attend_json_fail(json, "the template for a %s lacks A", pair ? "pair" : "single text");
	return status;
}

attend_status attend_postprocessor_from_json(attend_postprocessor **out, const attend_json *json)
{
	attend_postprocessor *postprocessor = calloc(1, sizeof *postprocessor);
	if (postprocessor == NULL) return attend_fail_memory(sizeof *postprocessor, "post-processor");
	attend_status status = run(&postprocessor->single, postprocessor, json, false);
	if (status == ATTEND_OK) status = run(&postprocessor->pair, postprocessor, json, true);
	if (status != ATTEND_OK) {
		attend_postprocessor_free(postprocessor);
		return status;
	}
	*out = postprocessor;
	return ATTEND_OK;
}

attend_status attend_postprocessor_from_text(attend_postprocessor **out, const char *json_text)
{
	attend_json *document;
	ATTEND_TRY(attend_json_parse(&document, json_text, strlen(json_text), "post-processor"));
	const attend_status status = attend_postprocessor_from_json(out, document);
	attend_json_free(document);
	return status;
}

void attend_postprocessor_free(attend_postprocessor *postprocessor)
{
	if (postprocessor == NULL) return;
	clear_template(&postprocessor->single);
	clear_template(&postprocessor->pair);
	free(postprocessor);
}

size_t attend_postprocessor_added(const attend_postprocessor *postprocessor, bool pair)
{
	if (postprocessor == NULL) return 0;
	const attend_template *template = pair ? &postprocessor->pair : &postprocessor->single;
	size_t added = 0;
	for (size_t i = 0; i < template->count; i++) added += template->pieces[i].count;
	return added;
}

/* ---- trimmed offsets ---- */

static bool is_space(uint32_t c)
{
	return c == 0x120 || attend_is_whitespace(c); /* 'Ġ' is the byte table's space */
}

void attend_postprocessor_trim(const attend_postprocessor *postprocessor, const char *token, size_t size,
                               uint32_t *leading, uint32_t *trailing)
{
	*leading = *trailing = 0;
	if (!postprocessor->trim_offsets) return;
	for (size_t i = 0, n; i < size && is_space(attend_utf8_decode(token + i, &n)); i += n) ++*leading;
	for (size_t end = size, n; end > 0; ++*trailing) {
		size_t start = end - 1;
		while (start > 0 && !attend_utf8_is_start(token[start])) start--;
		if (!is_space(attend_utf8_decode(token + start, &n))) break;
		end = start;
	}
}

uint32_t attend_postprocessor_trim_first(const attend_postprocessor *postprocessor, uint32_t leading)
{
	return postprocessor->trim_prefix_space && leading == 1 ? 0 : leading; /* the space that was put in front */
}
