/* normalizer.c: the normalizers of tokenizer.json (huggingface.md section 3.2). */
#include "tokenizer/normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/normal_forms.h"

typedef enum kind {
	SEQUENCE,
	BERT,
	FORM,
	LOWERCASE,
	STRIP_ACCENTS,
	STRIP,
	REPLACE,
	PREPEND,
	NMT,
	BYTE_LEVEL,
	PRECOMPILED,
	SPM
} kind;

struct attend_normalizer {
	kind kind;
	attend_normalizer **parts; /* SEQUENCE */
	size_t part_count;
	attend_bert_rules bert;
	attend_normal_form form;
	bool strip_left, strip_right;
	attend_pattern *pattern; /* REPLACE */
	char *content;           /* REPLACE, PREPEND */
	size_t content_size;
	attend_charsmap *charsmap; /* PRECOMPILED, SPM */
	attend_spm_rules spm;
};

void attend_normalizer_free(attend_normalizer *normalizer)
{
	if (!normalizer) return;
	for (size_t i = 0; i < normalizer->part_count; i++) attend_normalizer_free(normalizer->parts[i]);
	free(normalizer->parts);
	attend_pattern_free(normalizer->pattern);
	free(normalizer->content);
	attend_charsmap_free(normalizer->charsmap);
	free(normalizer);
}

const attend_bert_rules *attend_normalizer_bert_rules(const attend_normalizer *normalizer)
{
	return normalizer && normalizer->kind == BERT ? &normalizer->bert : NULL;
}

const attend_charsmap *attend_normalizer_charsmap(const attend_normalizer *normalizer)
{
	return normalizer && normalizer->kind == PRECOMPILED ? normalizer->charsmap : NULL;
}

bool attend_normalizer_is_form(const attend_normalizer *normalizer)
{
	return normalizer && normalizer->kind == FORM;
}

bool attend_normalizer_keeps(const attend_normalizer *normalizer, const char *text, size_t size)
{
	return !normalizer || (normalizer->kind == FORM && attend_has_form(text, size, normalizer->form));
}

/* ---- from JSON ---- */

static attend_status copy_content(attend_normalizer *n, const attend_json *json, const char *key)
{
	const attend_json *const value = attend_json_get(json, key);
	const char *text;
	size_t size;
	if (!value) return attend_json_fail(json, "\"%s\" is missing", key);
	ATTEND_TRY(attend_json_as_string(&text, &size, value));
	n->content = malloc(size + 1);
	if (!n->content) return attend_fail_memory(size, "normalizer");
	memcpy(n->content, text, size);
	n->content[size] = 0;
	n->content_size = size;
	return ATTEND_OK;
}

static attend_status read_sequence(attend_normalizer *n, const attend_json *json)
{
	const attend_json *const list = attend_json_get(json, "normalizers");
	if (!list || attend_json_type(list) != ATTEND_JSON_ARRAY)
		return attend_json_fail(json, "\"normalizers\" must be an array");
	n->parts = attend_alloc_array(attend_json_count(list) + 1, sizeof *n->parts);
	if (!n->parts) return attend_fail_memory(sizeof *n->parts, "normalizer");
	for (const attend_json *part = attend_json_first(list); part; part = attend_json_next(part)) {
		attend_normalizer *made;
		ATTEND_TRY(attend_normalizer_from_json(&made, part));
		if (!made) return attend_json_fail(part, "expected a normalizer, found null");
		n->parts[n->part_count++] = made;
	}
	return ATTEND_OK;
}

static attend_status read_bert(attend_normalizer *n, const attend_json *json)
{
	n->bert = (attend_bert_rules){true, true, true, true};
	ATTEND_TRY(attend_json_get_bool(&n->bert.clean_text, json, "clean_text"));
	ATTEND_TRY(attend_json_get_bool(&n->bert.handle_chinese_chars, json, "handle_chinese_chars"));
	ATTEND_TRY(attend_json_get_bool(&n->bert.lowercase, json, "lowercase"));
	n->bert.strip_accents = n->bert.lowercase;
	return attend_json_get_bool(&n->bert.strip_accents, json, "strip_accents");
}

static attend_status read_strip(attend_normalizer *n, const attend_json *json)
{
	n->strip_left = n->strip_right = true;
	ATTEND_TRY(attend_json_get_bool(&n->strip_left, json, "strip_left"));
	return attend_json_get_bool(&n->strip_right, json, "strip_right");
}

static attend_status read_replace(attend_normalizer *n, const attend_json *json)
{
	const attend_json *const pattern = attend_json_get(json, "pattern");
	if (!pattern) return attend_json_fail(json, "\"pattern\" is missing");
	ATTEND_TRY(attend_pattern_from_json(&n->pattern, pattern));
	return copy_content(n, json, "content");
}

static attend_status read_prepend(attend_normalizer *n, const attend_json *json)
{
	return copy_content(n, json, "prepend");
}

static attend_status read_precompiled(attend_normalizer *n, const attend_json *json)
{
	const attend_json *const map = attend_json_get(json, "precompiled_charsmap");
	const char *text;
	size_t size;
	if (!map) return attend_json_fail(json, "\"precompiled_charsmap\" is missing");
	ATTEND_TRY(attend_json_as_string(&text, &size, map));
	if (attend_charsmap_from_base64(&n->charsmap, text, size) == ATTEND_OK) return ATTEND_OK;
	char reason[256];
	strncpy(reason, attend_error(), sizeof reason - 1);
	reason[sizeof reason - 1] = 0;
	return attend_json_fail(map, "%s", reason);
}

static attend_status read_nothing(attend_normalizer *n, const attend_json *json)
{
	(void)n;
	(void)json;
	return ATTEND_OK;
}

static const struct {
	const char *type;
	kind kind;
	attend_normal_form form;
	attend_status (*read)(attend_normalizer *n, const attend_json *json);
} TYPES[] = {
	{"Sequence", SEQUENCE, 0, read_sequence},
	{"BertNormalizer", BERT, 0, read_bert},
	{"NFC", FORM, ATTEND_NFC, read_nothing},
	{"NFD", FORM, ATTEND_NFD, read_nothing},
	{"NFKC", FORM, ATTEND_NFKC, read_nothing},
	{"NFKD", FORM, ATTEND_NFKD, read_nothing},
	{"Lowercase", LOWERCASE, 0, read_nothing},
	{"StripAccents", STRIP_ACCENTS, 0, read_nothing},
	{"Strip", STRIP, 0, read_strip},
	{"Replace", REPLACE, 0, read_replace},
	{"Prepend", PREPEND, 0, read_prepend},
	{"Nmt", NMT, 0, read_nothing},
	{"ByteLevel", BYTE_LEVEL, 0, read_nothing},
	{"Precompiled", PRECOMPILED, 0, read_precompiled},
};

attend_status attend_normalizer_from_json(attend_normalizer **out, const attend_json *json)
{
	if (!json || attend_json_type(json) == ATTEND_JSON_NULL) {
		*out = NULL;
		return ATTEND_OK;
	}
	const char *type = NULL;
	ATTEND_TRY(attend_json_get_string(&type, json, "type"));
	if (!type) return attend_json_fail(json, "a normalizer needs a \"type\"");
	for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
		if (strcmp(type, TYPES[i].type) != 0) continue;
		attend_normalizer *const n = calloc(1, sizeof *n);
		if (!n) return attend_fail_memory(sizeof *n, "normalizer");
		n->kind = TYPES[i].kind;
		n->form = TYPES[i].form;
		const attend_status status = TYPES[i].read(n, json);
		if (status != ATTEND_OK) {
			attend_normalizer_free(n);
			return status;
		}
		*out = n;
		return ATTEND_OK;
	}
	attend_json_fail(json, "normalizer of unknown type \"%s\"", type);
	return ATTEND_ERR_UNSUPPORTED;
}

attend_status attend_normalizer_from_text(attend_normalizer **out, const char *json_text)
{
	attend_json *json;
	ATTEND_TRY(attend_json_parse(&json, json_text, strlen(json_text), "normalizer"));
	const attend_status status = attend_normalizer_from_json(out, json);
	attend_json_free(json);
	return status;
}

attend_status attend_normalizer_precompiled(attend_normalizer **out, const void *charsmap, size_t size)
{
	attend_normalizer *const n = calloc(1, sizeof *n);
	if (!n) return attend_fail_memory(sizeof *n, "normalizer");
	n->kind = PRECOMPILED;
	const attend_status status = attend_charsmap_new(&n->charsmap, charsmap, size);
	if (status != ATTEND_OK) {
		free(n);
		return status;
	}
	*out = n;
	return ATTEND_OK;
}

attend_status attend_normalizer_spm(attend_normalizer **out, const void *charsmap, size_t size, attend_spm_rules rules)
{
	attend_normalizer *n;
	if (size > 0) {
		ATTEND_TRY(attend_normalizer_precompiled(&n, charsmap, size));
	} else {
		n = calloc(1, sizeof *n);
		if (!n) return attend_fail_memory(sizeof *n, "normalizer");
	}
	n->kind = SPM;
	n->spm = rules;
	*out = n;
	return ATTEND_OK;
}

attend_status attend_normalizer_sequence(attend_normalizer **out, attend_normalizer **parts, size_t count)
{
	attend_normalizer *const n = calloc(1, sizeof *n);
	if (n) n->parts = attend_alloc_array(count + 1, sizeof *n->parts);
	if (!n || !n->parts) {
		for (size_t i = 0; i < count; i++) attend_normalizer_free(parts[i]);
		free(n);
		return attend_fail_memory(sizeof *n, "normalizer");
	}
	n->kind = SEQUENCE;
	for (size_t i = 0; i < count; i++)
		if (parts[i]) n->parts[n->part_count++] = parts[i];
	*out = n;
	return ATTEND_OK;
}

/* ---- running ---- */

static attend_status run_lowercase(attend_normalized *n)
{
	ATTEND_TRY(attend_change_begin(n, 0, n->size));
	for (size_t i = 0; i < n->size;) {
		size_t size;
		uint32_t lower[3];
		const size_t count = attend_lowercase(lower, attend_utf8_decode(n->text + i, &size));
		for (size_t j = 0; j < count; j++) ATTEND_TRY(attend_change_put_char(n, lower[j], j > 0));
		i += size;
	}
	attend_change_commit(n);
	return ATTEND_OK;
}

static attend_status run_strip_accents(attend_normalized *n)
{
	ATTEND_TRY(attend_change_begin(n, 0, n->size));
	for (size_t i = 0; i < n->size;) {
		size_t size;
		if (attend_is_combining(attend_utf8_decode(n->text + i, &size))) attend_change_drop(n, size);
		else ATTEND_TRY(attend_change_keep(n, n->text + i, size));
		i += size;
	}
	attend_change_commit(n);
	return ATTEND_OK;
}

static attend_status run_strip(attend_normalized *n, bool left, bool right)
{
	size_t start = 0, end = n->size, size;
	while (left && start < end && attend_is_whitespace(attend_utf8_decode(n->text + start, &size))) start += size;
	while (right && end > start) {
		size_t last = end - 1;
		while (!attend_utf8_is_start(n->text[last])) last--;
		if (!attend_is_whitespace(attend_utf8_decode(n->text + last, &size))) break;
		end = last;
	}
	if (start == 0 && end == n->size) return ATTEND_OK;
	ATTEND_TRY(attend_change_begin(n, start, end - start));
	ATTEND_TRY(attend_change_keep(n, n->text + start, end - start));
	attend_change_commit(n);
	return ATTEND_OK;
}

/* The new text of one match; it takes the place of the byte before it ends. */
static attend_status put_content(attend_normalized *n, const char *content, size_t size, bool empty_match)
{
	ATTEND_TRY(attend_change_grow(n, size));
	if (n->tracked) {
		attend_span from = {n->base, n->base};
		if (empty_match) from = n->new_size > 0 ? n->new_origin[n->new_size - 1] : from;
		else from = attend_old_origin(n, n->old - 1);
		for (size_t i = 0; i < size; i++) n->new_origin[n->new_size + i] = from;
	}
	memcpy(n->new_text + n->new_size, content, size);
	n->new_size += size;
	return ATTEND_OK;
}

static attend_status run_replace(const attend_normalizer *r, attend_normalized *n)
{
	attend_span_list matches = {0};
	attend_status status = attend_pattern_find(r->pattern, n->text, n->size, &matches);
	if (status == ATTEND_OK && matches.count > 0) {
		size_t at = 0;
		status = attend_change_begin(n, 0, n->size);
		for (size_t i = 0; i < matches.count && status == ATTEND_OK; i++) {
			const attend_span m = matches.items[i];
			status = attend_change_keep(n, n->text + at, m.start - at);
			attend_change_drop(n, m.end - m.start);
			if (status == ATTEND_OK) status = put_content(n, r->content, r->content_size, m.start == m.end);
			at = m.end;
		}
		if (status == ATTEND_OK) status = attend_change_keep(n, n->text + at, n->size - at);
		if (status == ATTEND_OK) attend_change_commit(n);
	}
	attend_span_list_free(&matches);
	return status;
}

/* SentencePiece's nmt rules without the NFKC part. UINT32_MAX: removed. */
static uint32_t nmt(uint32_t c)
{
	if ((c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f)
		return UINT32_MAX;
	const bool blank = c == 0x9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
	                   c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
	return blank ? ' ' : c;
}

static attend_status run_nmt(attend_normalized *n)
{
	ATTEND_TRY(attend_change_begin(n, 0, n->size));
	for (size_t i = 0; i < n->size;) {
		size_t size;
		const uint32_t c = nmt(attend_utf8_decode(n->text + i, &size));
		if (c == UINT32_MAX) attend_change_drop(n, size);
		else ATTEND_TRY(attend_change_put_char(n, c, 0));
		i += size;
	}
	attend_change_commit(n);
	return ATTEND_OK;
}

static attend_status run_byte_level(attend_normalized *n)
{
	ATTEND_TRY(attend_change_begin(n, 0, n->size + n->size / 2));
	for (size_t i = 0; i < n->size; i++)
		ATTEND_TRY(attend_change_put_char(n, attend_byte_to_char((unsigned char)n->text[i]),
		                                  !attend_utf8_is_start(n->text[i])));
	attend_change_commit(n);
	return ATTEND_OK;
}

attend_status attend_normalizer_run(const attend_normalizer *normalizer, attend_normalized *n)
{
	if (!normalizer) return ATTEND_OK;
	switch (normalizer->kind) {
	case SEQUENCE:
		for (size_t i = 0; i < normalizer->part_count; i++) ATTEND_TRY(attend_normalizer_run(normalizer->parts[i], n));
		return ATTEND_OK;
	case BERT: return attend_bert_normalize(&normalizer->bert, n);
	case FORM: return attend_normalize_form(n, normalizer->form);
	case LOWERCASE: return run_lowercase(n);
	case STRIP_ACCENTS: return run_strip_accents(n);
	case STRIP: return run_strip(n, normalizer->strip_left, normalizer->strip_right);
	case REPLACE: return run_replace(normalizer, n);
	case PREPEND: return attend_normalized_prepend(n, normalizer->content, normalizer->content_size);
	case NMT: return run_nmt(n);
	case BYTE_LEVEL: return run_byte_level(n);
	case PRECOMPILED: return attend_charsmap_normalize(normalizer->charsmap, n);
	case SPM: return attend_spm_normalize(normalizer->charsmap, normalizer->spm, n);
	}
	return ATTEND_OK;
}
