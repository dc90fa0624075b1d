/* regex.c: the patterns of Split and Replace: literal strings, and Oniguruma expressions with Unicode 16 classes. */
#define _GNU_SOURCE /* memmem */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <oniguruma.h>

#include "lib/core/arena.h"
#include "tokenizer/regex_rewrite.h"
#include "tokenizer/tokenizer_internal.h"

struct attend_pattern {
	regex_t *regex; /* NULL: the literal `string` */
	char *string;   /* literal, or the expression as the file has it */
	size_t size;
};

attend_status attend_span_list_push(attend_span_list *list, uint32_t start, uint32_t end)
{
	if (list->count == list->capacity)
		ATTEND_TRY(attend_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "spans"));
	list->items[list->count++] = (attend_span){start, end};
	return ATTEND_OK;
}

void attend_span_list_free(attend_span_list *list)
{
	free(list->items);
	memset(list, 0, sizeof *list);
}

static attend_status pattern_new(attend_pattern **out, const char *string, size_t size)
{
	attend_pattern *p = calloc(1, sizeof *p);
	char *copy = malloc(size + 1);
	if (!p || !copy) {
		free(p);
		free(copy);
		return attend_fail_memory(size, "pattern");
	}
	memcpy(copy, string, size);
	copy[size] = 0;
	p->string = copy;
	p->size = size;
	*out = p;
	return ATTEND_OK;
}

attend_status attend_pattern_from_string(attend_pattern **out, const char *string, size_t size)
{
	return pattern_new(out, string, size);
}

static void initialize_library(void)
{
	OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
	onig_initialize(encodings, 1);
}

attend_status attend_pattern_from_regex(attend_pattern **out, const char *regex, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, initialize_library);
	attend_pattern *p;
	ATTEND_TRY(pattern_new(&p, regex, size));
	attend_buffer text = {0};
	attend_regex_rewrite(&text, regex, size);
	attend_status status = attend_buffer_status(&text);
	if (status == ATTEND_OK) {
		static const unsigned char empty[1];
		const unsigned char *const pattern = text.data ? (const unsigned char *)text.data : empty;
		OnigErrorInfo info;
		const int r = onig_new(&p->regex, pattern, pattern + text.size, ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
		                       ONIG_SYNTAX_ONIGURUMA, &info);
		if (r != ONIG_NORMAL) {
			char message[ONIG_MAX_ERROR_MESSAGE_LEN + 1];
			const int n = onig_error_code_to_str((unsigned char *)message, r, &info);
			p->regex = NULL;
			status = attend_fail(ATTEND_ERR_FORMAT, "regular expression \"%.200s\": %.*s", p->string, n > 0 ? n : 0,
			                     message);
		}
	}
	attend_buffer_free(&text);
	if (status != ATTEND_OK) {
		attend_pattern_free(p);
		return status;
	}
	*out = p;
	return ATTEND_OK;
}

attend_status attend_pattern_from_json(attend_pattern **out, const attend_json *json)
{
	const attend_json *const string = attend_json_get(json, "String");
	const attend_json *const regex = attend_json_get(json, "Regex");
	const char *text;
	size_t size;
	if (attend_json_count(json) != 1 || (!string && !regex))
		return attend_json_fail(json, "expected {\"String\": ...} or {\"Regex\": ...}");
	ATTEND_TRY(attend_json_as_string(&text, &size, string ? string : regex));
	if (string) return attend_pattern_from_string(out, text, size);
	if (attend_pattern_from_regex(out, text, size) == ATTEND_OK) return ATTEND_OK;
	char reason[512];
	strncpy(reason, attend_error(), sizeof reason - 1);
	reason[sizeof reason - 1] = 0;
	return attend_json_fail(regex, "%s", reason);
}

void attend_pattern_free(attend_pattern *pattern)
{
	if (!pattern) return;
	if (pattern->regex) onig_free(pattern->regex);
	free(pattern->string);
	free(pattern);
}

const char *attend_pattern_regex(const attend_pattern *pattern)
{
	return pattern->regex ? pattern->string : NULL;
}

static attend_status find_string(const attend_pattern *p, const char *text, size_t size, attend_span_list *out)
{
	if (p->size == 0) {
		for (size_t i = 0; i <= size; i += i < size ? attend_utf8_size((unsigned char)text[i]) : 1)
			ATTEND_TRY(attend_span_list_push(out, (uint32_t)i, (uint32_t)i));
		return ATTEND_OK;
	}
	const char *at = text, *const end = text + size;
	while ((size_t)(end - at) >= p->size) {
		const char *const hit = memmem(at, (size_t)(end - at), p->string, p->size);
		if (!hit) break;
		at = hit + p->size;
		ATTEND_TRY(attend_span_list_push(out, (uint32_t)(hit - text), (uint32_t)(at - text)));
	}
	return ATTEND_OK;
}

static attend_status find_regex(const attend_pattern *p, const char *text, size_t size, OnigRegion *region,
                                attend_span_list *out)
{
	const unsigned char *const begin = (const unsigned char *)text, *const end = begin + size;
	size_t from = 0, last_end = SIZE_MAX;
	while (from <= size) {
		const int r = onig_search(p->regex, begin, end, begin + from, end, region, ONIG_OPTION_NONE);
		if (r == ONIG_MISMATCH) break;
		if (r < 0) {
			char message[ONIG_MAX_ERROR_MESSAGE_LEN + 1];
			const int n = onig_error_code_to_str((unsigned char *)message, r);
			return attend_fail(r == ONIGERR_MEMORY ? ATTEND_ERR_NOMEM : ATTEND_ERR_DATA,
			                   "regular expression \"%.200s\": %.*s", p->string, n > 0 ? n : 0, message);
		}
		const size_t start = (size_t)region->beg[0], stop = (size_t)region->end[0];
		if (start == stop && stop == last_end) { /* an empty match right behind the last one: look further on */
			from += from < size ? attend_utf8_size((unsigned char)text[from]) : 1;
			continue;
		}
		ATTEND_TRY(attend_span_list_push(out, (uint32_t)start, (uint32_t)stop));
		from = last_end = stop;
	}
	return ATTEND_OK;
}

attend_status attend_pattern_find(const attend_pattern *pattern, const char *text, size_t size, attend_span_list *out)
{
	out->count = 0;
	if (size == 0) return ATTEND_OK;
	if (!pattern->regex) return find_string(pattern, text, size, out);
	OnigRegion *region = onig_region_new();
	if (!region) return attend_fail_memory(sizeof *region, "regular expression");
	const attend_status status = find_regex(pattern, text, size, region, out);
	onig_region_free(region, 1);
	return status;
}
