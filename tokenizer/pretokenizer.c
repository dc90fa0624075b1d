/* pretokenizer.c: the pre-tokenizers of tokenizer.json (huggingface.md section 3.3). */
#include "tokenizer/pretokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/scanner.h"
#include "tokenizer/splitter.h"

typedef enum kind {
	SEQUENCE,
	BERT,
	BYTE_LEVEL,
	METASPACE,
	WHITESPACE,
	WHITESPACE_SPLIT,
	PUNCTUATION,
	DIGITS,
	SPLIT,
	CHAR_DELIMITER,
	UNICODE_SCRIPTS,
	FIXED_LENGTH
} kind;

typedef enum prepend_scheme { ALWAYS, FIRST, NEVER } prepend_scheme;

struct attend_pretokenizer {
	kind kind;
	attend_pretokenizer **parts; /* SEQUENCE */
	size_t part_count;
	bool add_prefix_space, use_regex; /* BYTE_LEVEL */
	char replacement[5];              /* METASPACE, UTF-8 */
	prepend_scheme scheme;
	bool split;
	attend_split_behavior behavior; /* PUNCTUATION, SPLIT */
	bool invert, individual;        /* SPLIT; DIGITS */
	attend_pattern *pattern;
	attend_scanner scanner; /* SPLIT by a well-known pattern */
	uint32_t delimiter;
	size_t length; /* FIXED_LENGTH */
};

void attend_pretokenizer_free(attend_pretokenizer *p)
{
	if (!p) return;
	for (size_t i = 0; i < p->part_count; i++) attend_pretokenizer_free(p->parts[i]);
	free(p->parts);
	attend_pattern_free(p->pattern);
	free(p);
}

/* ---- from JSON ---- */

static attend_status read_sequence(attend_pretokenizer *p, const attend_json *json)
{
	const attend_json *const list = attend_json_get(json, "pretokenizers");
	if (!list || attend_json_type(list) != ATTEND_JSON_ARRAY)
		return attend_json_fail(json, "\"pretokenizers\" must be an array");
	p->parts = attend_alloc_array(attend_json_count(list) + 1, sizeof *p->parts);
	if (!p->parts) return attend_fail_memory(sizeof *p->parts, "pre-tokenizer");
	for (const attend_json *part = attend_json_first(list); part; part = attend_json_next(part)) {
		attend_pretokenizer *made;
		ATTEND_TRY(attend_pretokenizer_from_json(&made, part));
		if (!made) return attend_json_fail(part, "expected a pre-tokenizer, found null");
		p->parts[p->part_count++] = made;
	}
	return ATTEND_OK;
}

static attend_status read_byte_level(attend_pretokenizer *p, const attend_json *json)
{
	p->add_prefix_space = p->use_regex = true;
	ATTEND_TRY(attend_json_get_bool(&p->add_prefix_space, json, "add_prefix_space"));
	return attend_json_get_bool(&p->use_regex, json, "use_regex");
}

/* One character. */
static attend_status read_char(char out[5], const attend_json *json, const char *key)
{
	const attend_json *const value = attend_json_get(json, key);
	const char *text;
	size_t size;
	if (!value) return attend_json_fail(json, "\"%s\" is missing", key);
	ATTEND_TRY(attend_json_as_string(&text, &size, value));
	if (size == 0 || size > 4 || attend_utf8_size((unsigned char)text[0]) != size)
		return attend_json_fail(value, "expected one character");
	memcpy(out, text, size);
	out[size] = 0;
	return ATTEND_OK;
}

static attend_status read_metaspace(attend_pretokenizer *p, const attend_json *json)
{
	const char *scheme = NULL;
	const attend_json *const old = attend_json_get(json, "add_prefix_space");
	bool add_prefix_space = true;
	ATTEND_TRY(read_char(p->replacement, json, "replacement"));
	ATTEND_TRY(attend_json_get_string(&scheme, json, "prepend_scheme"));
	ATTEND_TRY(attend_json_get_bool(&add_prefix_space, json, "add_prefix_space"));
	if (!scheme || strcmp(scheme, "always") == 0) p->scheme = ALWAYS;
	else if (strcmp(scheme, "first") == 0) p->scheme = FIRST;
	else if (strcmp(scheme, "never") == 0) p->scheme = NEVER;
	else
		return attend_json_fail(attend_json_get(json, "prepend_scheme"), "expected \"always\", \"first\" or \"never\"");
	if (old && !add_prefix_space) {
		if (scheme && p->scheme != NEVER) return attend_json_fail(json, "add_prefix_space contradicts prepend_scheme");
		p->scheme = NEVER;
	}
	p->split = true;
	return attend_json_get_bool(&p->split, json, "split");
}

static attend_status read_behavior(attend_pretokenizer *p, const attend_json *json)
{
	static const char *const names[] = {[ATTEND_SPLIT_REMOVED] = "Removed",
	                                    [ATTEND_SPLIT_ISOLATED] = "Isolated",
	                                    [ATTEND_SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
	                                    [ATTEND_SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
	                                    [ATTEND_SPLIT_CONTIGUOUS] = "Contiguous"};
	const char *name = NULL;
	ATTEND_TRY(attend_json_get_string(&name, json, "behavior"));
	if (!name) {
		if (p->kind == SPLIT) return attend_json_fail(json, "\"behavior\" is missing");
		p->behavior = ATTEND_SPLIT_ISOLATED;
		return ATTEND_OK;
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(name, names[i]) != 0) continue;
		p->behavior = (attend_split_behavior)i;
		return ATTEND_OK;
	}
	return attend_json_fail(attend_json_get(json, "behavior"), "unknown behavior \"%s\"", name);
}

/* Matches become words, and so does what lies between them; a pattern whose matches cover the text has nothing there that
 * `invert` or Removed could mean. */
static bool isolates(const attend_pretokenizer *p)
{
	return p->behavior == ATTEND_SPLIT_ISOLATED || (p->behavior == ATTEND_SPLIT_REMOVED && p->invert);
}

static attend_status read_split(attend_pretokenizer *p, const attend_json *json)
{
	const attend_json *const pattern = attend_json_get(json, "pattern");
	if (!pattern) return attend_json_fail(json, "\"pattern\" is missing");
	ATTEND_TRY(attend_pattern_from_json(&p->pattern, pattern));
	ATTEND_TRY(read_behavior(p, json));
	ATTEND_TRY(attend_json_get_bool(&p->invert, json, "invert"));
	if (isolates(p)) p->scanner = attend_scanner_find(p->pattern);
	return ATTEND_OK;
}

static attend_status read_digits(attend_pretokenizer *p, const attend_json *json)
{
	return attend_json_get_bool(&p->individual, json, "individual_digits");
}

static attend_status read_delimiter(attend_pretokenizer *p, const attend_json *json)
{
	char text[5];
	size_t size;
	ATTEND_TRY(read_char(text, json, "delimiter"));
	p->delimiter = attend_utf8_decode(text, &size);
	return ATTEND_OK;
}

static attend_status read_fixed_length(attend_pretokenizer *p, const attend_json *json)
{
	int64_t length = 5;
	ATTEND_TRY(attend_json_get_int(&length, json, "length", 1, INT32_MAX));
	p->length = (size_t)length;
	return ATTEND_OK;
}

static attend_status read_nothing(attend_pretokenizer *p, const attend_json *json)
{
	(void)p;
	(void)json;
	return ATTEND_OK;
}

static const struct {
	const char *type;
	kind kind;
	attend_status (*read)(attend_pretokenizer *p, const attend_json *json);
} TYPES[] = {
	{"Sequence", SEQUENCE, read_sequence},
	{"BertPreTokenizer", BERT, read_nothing},
	{"ByteLevel", BYTE_LEVEL, read_byte_level},
	{"Metaspace", METASPACE, read_metaspace},
	{"Whitespace", WHITESPACE, read_nothing},
	{"WhitespaceSplit", WHITESPACE_SPLIT, read_nothing},
	{"Punctuation", PUNCTUATION, read_behavior},
	{"Digits", DIGITS, read_digits},
	{"Split", SPLIT, read_split},
	{"CharDelimiterSplit", CHAR_DELIMITER, read_delimiter},
	{"UnicodeScripts", UNICODE_SCRIPTS, read_nothing},
	{"FixedLength", FIXED_LENGTH, read_fixed_length},
};

attend_status attend_pretokenizer_from_json(attend_pretokenizer **out, const attend_json *json)
{
	if (!json || attend_json_type(json) == ATTEND_JSON_NULL) {
		*out = NULL;
		return ATTEND_OK;
	}
	const char *type = NULL;
	ATTEND_TRY(attend_json_get_string(&type, json, "type"));
	if (!type) return attend_json_fail(json, "a pre-tokenizer needs a \"type\"");
	for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
		if (strcmp(type, TYPES[i].type) != 0) continue;
		attend_pretokenizer *const p = calloc(1, sizeof *p);
		if (!p) return attend_fail_memory(sizeof *p, "pre-tokenizer");
		p->kind = TYPES[i].kind;
		const attend_status status = TYPES[i].read(p, json);
		if (status != ATTEND_OK) {
			attend_pretokenizer_free(p);
			return status;
		}
		*out = p;
		return ATTEND_OK;
	}
	attend_json_fail(json, "pre-tokenizer of unknown type \"%s\"", type);
	return ATTEND_ERR_UNSUPPORTED;
}

attend_status attend_pretokenizer_from_text(attend_pretokenizer **out, const char *json_text)
{
	attend_json *json;
	ATTEND_TRY(attend_json_parse(&json, json_text, strlen(json_text), "pre-tokenizer"));
	const attend_status status = attend_pretokenizer_from_json(out, json);
	attend_json_free(json);
	return status;
}

bool attend_pretokenizer_ends_in_bytes(const attend_pretokenizer *p)
{
	if (!p) return false;
	if (p->kind == SEQUENCE) return p->part_count > 0 && attend_pretokenizer_ends_in_bytes(p->parts[p->part_count - 1]);
	return p->kind == BYTE_LEVEL;
}

static bool rewrites(const attend_pretokenizer *p)
{
	for (size_t i = 0; i < p->part_count; i++)
		if (rewrites(p->parts[i])) return true;
	return p->kind == METASPACE || p->kind == BYTE_LEVEL;
}

bool attend_pretokenizer_needs_origin(const attend_pretokenizer *p, bool changed)
{
	if (!p) return false;
	for (size_t i = 0; i < p->part_count; i++) {
		if (attend_pretokenizer_needs_origin(p->parts[i], changed)) return true;
		changed = changed || rewrites(p->parts[i]);
	}
	return p->kind == METASPACE && p->scheme == FIRST && changed;
}

/* ---- which of the usual ones it is ---- */

attend_scanner attend_pretokenizer_scanner(const attend_pretokenizer *p, bool *prefix_space)
{
	const attend_scanner none = {.family = ATTEND_SCAN_NONE};
	*prefix_space = false;
	if (!p) return none;
	if (p->kind == BYTE_LEVEL && p->use_regex) {
		*prefix_space = p->add_prefix_space;
		return attend_scanner_gpt2;
	}
	if (p->kind != SEQUENCE || p->part_count < 2) return none;
	attend_pretokenizer *const *const parts = p->parts;
	const attend_pretokenizer *const last = parts[p->part_count - 1];
	if (last->kind != BYTE_LEVEL || last->add_prefix_space) return none;
	if (last->use_regex) {
		attend_scanner s = attend_scanner_gpt2;
		s.cuts = ATTEND_CUTS_DIGITS;
		return p->part_count == 2 && parts[0]->kind == DIGITS && parts[0]->individual ? s : none;
	}
	/* Removed and inverted is the same as isolated only where a pattern covers all of a text, as a single one here does. */
	for (size_t i = 0; i + 1 < p->part_count; i++)
		if (parts[i]->kind != SPLIT || !isolates(parts[i]) ||
		    (p->part_count > 2 && parts[i]->behavior != ATTEND_SPLIT_ISOLATED))
			return none;
	if (p->part_count == 4) return attend_scanner_of_splits(parts[0]->pattern, parts[1]->pattern, parts[2]->pattern);
	return p->part_count == 2 ? attend_scanner_find(parts[0]->pattern) : none;
}

bool attend_pretokenizer_is_bert(const attend_pretokenizer *p)
{
	return p && p->kind == BERT;
}

bool attend_pretokenizer_marks_words(const attend_pretokenizer *p, char mark[5])
{
	if (!p || p->kind != SEQUENCE || p->part_count != 2 || p->parts[0]->kind != WHITESPACE_SPLIT) return false;
	const attend_pretokenizer *const metaspace = p->parts[1];
	if (metaspace->kind != METASPACE || metaspace->scheme != ALWAYS || (signed char)metaspace->replacement[0] >= 0)
		return false;
	memcpy(mark, metaspace->replacement, 5);
	return true;
}

/* ---- running ---- */

void attend_words_free(attend_words *words)
{
	attend_normalized_free(&words->n);
	attend_span_list_free(&words->spans);
	attend_span_list_free(&words->spare);
	attend_span_list_free(&words->matches);
}

/* New text of one word: does it get a blank (or replacement) in front? */
static bool wants_prefix(const attend_pretokenizer *p, const attend_normalized *n, attend_span word)
{
	const char *const text = n->text + word.start;
	const size_t size = word.end - word.start;
	if (p->kind == BYTE_LEVEL) return p->add_prefix_space && text[0] != ' ';
	const size_t length = strlen(p->replacement);
	if (p->scheme == NEVER || text[0] == ' ') return false;
	if (size >= length && memcmp(text, p->replacement, length) == 0) return false;
	return p->scheme == ALWAYS || attend_normalized_origin(n, word.start, word.end).start == 0;
}

/* In front of a word; it takes the place of the word's first character. */
static attend_status put_prefix(attend_normalized *n, const char *prefix, size_t size, uint32_t at)
{
	ATTEND_TRY(attend_change_grow(n, size));
	memcpy(n->new_text + n->new_size, prefix, size);
	if (n->tracked) {
		const attend_span first = attend_old_origin(n, at);
		for (size_t i = 0; i < size; i++) n->new_origin[n->new_size + i] = first;
	}
	n->new_size += size;
	return ATTEND_OK;
}

/* Rewrite every word into a new text: a prefix where it is wanted, then the word through `put_word`. */
static attend_status rewrite(const attend_pretokenizer *p, attend_words *words, const char *prefix,
                             attend_status (*put_word)(const attend_pretokenizer *p, attend_normalized *n,
                                                       attend_span word))
{
	attend_normalized *const n = &words->n;
	ATTEND_TRY(attend_change_begin(n, 0, n->size + n->size / 4 + 16));
	for (size_t i = 0; i < words->spans.count; i++) {
		const attend_span word = words->spans.items[i];
		const uint32_t start = (uint32_t)n->new_size;
		if (prefix && wants_prefix(p, n, word)) ATTEND_TRY(put_prefix(n, prefix, strlen(prefix), word.start));
		n->old = word.start;
		ATTEND_TRY(put_word(p, n, word));
		words->spans.items[i] = (attend_span){start, (uint32_t)n->new_size};
	}
	attend_change_commit(n);
	return ATTEND_OK;
}

static attend_status put_same(const attend_pretokenizer *p, attend_normalized *n, attend_span word)
{
	(void)p;
	return attend_change_keep(n, n->text + word.start, word.end - word.start);
}

static attend_status put_as_bytes(const attend_pretokenizer *p, attend_normalized *n, attend_span word)
{
	(void)p;
	for (size_t i = word.start; i < word.end; i++)
		ATTEND_TRY(attend_change_put_char(n, attend_byte_to_char((unsigned char)n->text[i]),
		                                  !attend_utf8_is_start(n->text[i])));
	return ATTEND_OK;
}

static attend_status put_metaspace(const attend_pretokenizer *p, attend_normalized *n, attend_span word)
{
	const size_t length = strlen(p->replacement);
	for (size_t i = word.start; i < word.end;) {
		const char *const space = memchr(n->text + i, ' ', word.end - i);
		const size_t stop = space ? (size_t)(space - n->text) : word.end;
		ATTEND_TRY(attend_change_keep(n, n->text + i, stop - i));
		if (space) ATTEND_TRY(attend_change_put(n, p->replacement, length, 0));
		i = space ? stop + 1 : stop;
	}
	return ATTEND_OK;
}

static bool any_prefix(const attend_pretokenizer *p, const attend_words *words)
{
	for (size_t i = 0; i < words->spans.count; i++)
		if (wants_prefix(p, &words->n, words->spans.items[i])) return true;
	return false;
}

static attend_status run_byte_level(const attend_pretokenizer *p, attend_words *words, bool skip_bytes)
{
	if (any_prefix(p, words)) ATTEND_TRY(rewrite(p, words, " ", put_same));
	if (p->use_regex) {
		words->spare.count = 0;
		for (size_t i = 0; i < words->spans.count; i++)
			ATTEND_TRY(attend_scan(&attend_scanner_gpt2, words->n.text, words->spans.items[i].start,
			                       words->spans.items[i].end, &words->spare));
		attend_words_swap(words);
	}
	return skip_bytes ? ATTEND_OK : rewrite(p, words, NULL, put_as_bytes);
}

static attend_status run_metaspace(const attend_pretokenizer *p, attend_words *words)
{
	ATTEND_TRY(rewrite(p, words, p->replacement, put_metaspace));
	return p->split ? attend_split_before(words, p->replacement) : ATTEND_OK;
}

static attend_status run_split(const attend_pretokenizer *p, attend_words *words)
{
	if (p->scanner.family == ATTEND_SCAN_NONE) return attend_split_pattern(words, p->pattern, p->behavior, p->invert);
	words->spare.count = 0;
	for (size_t i = 0; i < words->spans.count; i++)
		ATTEND_TRY(attend_scan(&p->scanner, words->n.text, words->spans.items[i].start, words->spans.items[i].end,
		                       &words->spare));
	attend_words_swap(words);
	return ATTEND_OK;
}

static attend_status run_step(const attend_pretokenizer *p, attend_words *words, bool skip_bytes)
{
	switch (p->kind) {
	case SEQUENCE:
		for (size_t i = 0; i < p->part_count; i++)
			ATTEND_TRY(run_step(p->parts[i], words, skip_bytes && i + 1 == p->part_count));
		return ATTEND_OK;
	case BERT: return attend_split_bert(words);
	case BYTE_LEVEL: return run_byte_level(p, words, skip_bytes);
	case METASPACE: return run_metaspace(p, words);
	case WHITESPACE: return attend_split_words(words);
	case WHITESPACE_SPLIT: return attend_split_chars(words, attend_is_whitespace, ATTEND_SPLIT_REMOVED);
	case PUNCTUATION: return attend_split_chars(words, attend_is_bert_punctuation, p->behavior);
	case DIGITS:
		return attend_split_chars(words, attend_is_numeric,
		                          p->individual ? ATTEND_SPLIT_ISOLATED : ATTEND_SPLIT_CONTIGUOUS);
	case SPLIT: return run_split(p, words);
	case CHAR_DELIMITER: return attend_split_delimiter(words, p->delimiter);
	case UNICODE_SCRIPTS: return attend_split_scripts(words);
	case FIXED_LENGTH: return attend_split_fixed(words, p->length);
	}
	return ATTEND_OK;
}

attend_status attend_pretokenizer_run(const attend_pretokenizer *p, attend_words *words, bool skip_bytes)
{
	words->spans.count = 0;
	if (words->n.size == 0) return ATTEND_OK;
	ATTEND_TRY(attend_span_list_push(&words->spans, 0, (uint32_t)words->n.size));
	return p ? run_step(p, words, skip_bytes) : ATTEND_OK;
}
