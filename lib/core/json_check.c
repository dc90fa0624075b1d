/* json_check.c: the strict grammar of RFC 8259 in strict UTF-8, checked before cJSON (which is lax) sees the text. */
#include "lib/core/json_tree.h"

#include "lib/core/arena.h"
#include "lib/core/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct checker {
	const char *text;
	size_t size, at;
	size_t copied; /* text before this offset is in the output */
	unsigned depth;
	json_checked *out;
} checker;

static attend_status fail_at(const checker *c, size_t at, const char *expected)
{
	size_t line = 1, column = 1;
	for (size_t i = 0; i < at;) {
		const size_t step = attend_utf8_decode(NULL, c->text + i, c->size - i);
		column++;
		if (c->text[i] == '\n') {
			line++;
			column = 1;
		}
		i += step ? step : 1;
	}
	char found[64];
	const size_t length = at < c->size ? attend_utf8_decode(NULL, c->text + at, c->size - at) : 0;
	if (at >= c->size) snprintf(found, sizeof found, "the end of the text");
	else if (length == 0) snprintf(found, sizeof found, "byte 0x%02x, which is not UTF-8", (unsigned char)c->text[at]);
	else snprintf(found, sizeof found, "'%.*s'", (int)length, c->text + at);
	return attend_fail(ATTEND_ERR_FORMAT, "line %zu, column %zu: expected %s, found %s", line, column, expected, found);
}

static attend_status fail_here(const checker *c, const char *expected)
{
	return fail_at(c, c->at, expected);
}

static int peek(const checker *c)
{
	return c->at < c->size ? (unsigned char)c->text[c->at] : -1;
}

static void skip_space(checker *c)
{
	while (c->at < c->size) {
		const char b = c->text[c->at];
		if (b != ' ' && b != '\n' && b != '\r' && b != '\t') return;
		c->at++;
	}
}

/* Put `replacement` for the text from `from` to the present place. */
static void replace(checker *c, size_t from, const char *replacement, size_t size)
{
	json_checked *const out = c->out;
	memcpy(out->text + out->size, c->text + c->copied, from - c->copied);
	out->size += from - c->copied;
	memcpy(out->text + out->size, replacement, size);
	out->size += size;
	c->copied = c->at;
}

static attend_status hex4(uint32_t *out, checker *c)
{
	uint32_t code = 0;
	for (int i = 0; i < 4; i++, c->at++) {
		const int b = peek(c);
		unsigned digit;
		if (b >= '0' && b <= '9') digit = (unsigned)(b - '0');
		else if (b >= 'a' && b <= 'f') digit = (unsigned)(b - 'a') + 10;
		else if (b >= 'A' && b <= 'F') digit = (unsigned)(b - 'A') + 10;
		else return fail_here(c, "four hexadecimal digits after \\u");
		code = code << 4 | digit;
	}
	*out = code;
	return ATTEND_OK;
}

static attend_status check_escape(checker *c)
{
	const size_t start = c->at++;
	const int b = peek(c);
	if (b < 0 || !strchr("\"\\/bfnrtu", b) || b == 0) return fail_here(c, "an escape: one of \" \\ / b f n r t u");
	c->at++;
	if (b != 'u') return ATTEND_OK;
	uint32_t code, low = 0;
	ATTEND_TRY(hex4(&code, c));
	if (code >= 0xdc00 && code <= 0xdfff) return fail_at(c, start, "no low surrogate without a high one");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (c->size - c->at < 2 || c->text[c->at] != '\\' || c->text[c->at + 1] != 'u')
			return fail_here(c, "the low surrogate of a pair");
		c->at += 2;
		ATTEND_TRY(hex4(&low, c));
		if (low < 0xdc00 || low > 0xdfff) return fail_at(c, c->at - 6, "the low surrogate of a pair");
	}
	if (code == 0) replace(c, start, "\xc0\x80", 2);
	return ATTEND_OK;
}

static attend_status check_string(checker *c)
{
	const size_t start = c->at++;
	for (;;) {
		const int b = peek(c);
		if (b < 0) return fail_here(c, "'\"' at the end of a string");
		if (b == '"') break;
		if (b < 0x20) return fail_here(c, "no bare control character in a string");
		if (b == '\\') {
			ATTEND_TRY(check_escape(c));
		} else if (b < 0x80) {
			c->at++;
		} else {
			const size_t length = attend_utf8_decode(NULL, c->text + c->at, c->size - c->at);
			if (length == 0) return fail_here(c, "UTF-8");
			c->at += length;
		}
	}
	c->at++;
	c->out->string_bytes += c->at - start;
	return ATTEND_OK;
}

static bool digits(checker *c)
{
	const size_t start = c->at;
	while (peek(c) >= '0' && peek(c) <= '9') c->at++;
	return c->at > start;
}

static attend_status check_number(checker *c)
{
	json_checked *const out = c->out;
	const size_t start = c->at;
	if (peek(c) == '-') c->at++;
	if (peek(c) == '0') {
		c->at++;
		if (peek(c) >= '0' && peek(c) <= '9') return fail_here(c, "no digit after a leading zero");
	} else if (!digits(c)) {
		return fail_here(c, "a digit");
	}
	if (peek(c) == '.') {
		c->at++;
		if (!digits(c)) return fail_here(c, "a digit after the decimal point");
	}
	if (peek(c) == 'e' || peek(c) == 'E') {
		c->at++;
		if (peek(c) == '+' || peek(c) == '-') c->at++;
		if (!digits(c)) return fail_here(c, "a digit in the exponent");
	}
	ATTEND_TRY(
		attend_grow(&out->numbers, &out->number_capacity, out->number_count + 1, sizeof *out->numbers, "JSON numbers"));
	out->numbers[out->number_count++] = start;
	out->string_bytes += c->at - start + 1;
	/* Its value is read from the original text; for cJSON any number does. */
	if (c->at - start > 60) replace(c, start, "0", 1);
	return ATTEND_OK;
}

static attend_status check_word(checker *c, const char *word)
{
	const size_t length = strlen(word);
	if (c->size - c->at < length || memcmp(c->text + c->at, word, length) != 0) return fail_here(c, "a JSON value");
	c->at += length;
	return ATTEND_OK;
}

static attend_status check_value(checker *c);

static attend_status check_list(checker *c, bool object)
{
	const char close = object ? '}' : ']';
	if (c->depth == ATTEND_JSON_DEPTH) return fail_here(c, "nesting at most 128 deep");
	c->depth++;
	c->at++;
	skip_space(c);
	if (peek(c) == close) {
		c->at++;
		c->depth--;
		return ATTEND_OK;
	}
	for (;;) {
		if (object) {
			skip_space(c);
			if (peek(c) != '"') return fail_here(c, "a key in quotes");
			ATTEND_TRY(check_string(c));
			skip_space(c);
			if (peek(c) != ':') return fail_here(c, "':' after a key");
			c->at++;
		}
		ATTEND_TRY(check_value(c));
		skip_space(c);
		if (peek(c) == close) break;
		if (peek(c) != ',') return fail_here(c, object ? "',' or '}'" : "',' or ']'");
		c->at++;
	}
	c->at++;
	c->depth--;
	return ATTEND_OK;
}

static attend_status check_value(checker *c)
{
	skip_space(c);
	c->out->values++;
	switch (peek(c)) {
	case '{': return check_list(c, true);
	case '[': return check_list(c, false);
	case '"': return check_string(c);
	case 't': return check_word(c, "true");
	case 'f': return check_word(c, "false");
	case 'n': return check_word(c, "null");
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9': return check_number(c);
	default: return fail_here(c, "a JSON value");
	}
}

size_t attend_json_number_length(const char *text, size_t size)
{
	size_t i = 0;
	while (i < size && text[i] && strchr("+-.eE0123456789", text[i])) i++;
	return i;
}

attend_status attend_json_check(json_checked *out, const char *text, size_t size)
{
	*out = (json_checked){0};
	if (size >= UINT32_MAX) return attend_fail(ATTEND_ERR_FORMAT, "a JSON text of %zu bytes is too large", size);
	out->text = malloc(size + 1);
	if (!out->text) return attend_fail_memory(size + 1, "JSON text");
	checker c = {.text = text, .size = size, .out = out};
	ATTEND_TRY(check_value(&c));
	skip_space(&c);
	if (c.at < c.size) return fail_here(&c, "nothing after the JSON value");
	replace(&c, c.size, "", 0);
	out->text[out->size] = 0;
	return ATTEND_OK;
}
