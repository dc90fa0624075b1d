/* records.c: splitting data files into rows and fields: RFC 4180 quotes (with newlines inside), tabs, JSON lines, fastText. */
#include "lib/train/records.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/core/json.h"

static const char *const names[] = {"auto", "csv", "tsv", "jsonl", "fasttext", "plain", "space"};

attend_status attend_data_format_parse(attend_data_format *out, const char *name)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(name, names[i]) != 0) continue;
		*out = (attend_data_format)i;
		return ATTEND_OK;
	}
	return attend_fail(ATTEND_ERR_ARG,
	                   "no data format is called '%s': there are csv, tsv, jsonl, fasttext, plain, space", name);
}

const char *attend_data_format_name(attend_data_format format)
{
	return names[format];
}

static bool ends_with(const char *path, size_t size, const char *ending)
{
	const size_t n = strlen(ending);
	return size >= n && strncasecmp(path + size - n, ending, n) == 0;
}

attend_data_format attend_data_format_guess(const char *path, const char *text, size_t size)
{
	size_t n = strlen(path);
	if (ends_with(path, n, ".gz")) n -= 3;
	if (ends_with(path, n, ".csv")) return ATTEND_DATA_CSV;
	if (ends_with(path, n, ".tsv") || ends_with(path, n, ".tab")) return ATTEND_DATA_TSV;
	if (ends_with(path, n, ".jsonl") || ends_with(path, n, ".json") || ends_with(path, n, ".ndjson"))
		return ATTEND_DATA_JSONL;
	const char *end = memchr(text, '\n', size);
	const size_t first = end ? (size_t)(end - text) : size;
	if (first >= 9 && memcmp(text, "__label__", 9) == 0) return ATTEND_DATA_FASTTEXT;
	if (first > 0 && text[0] == '{') return ATTEND_DATA_JSONL;
	return memchr(text, '\t', first) ? ATTEND_DATA_TSV : ATTEND_DATA_PLAIN;
}

/* ---- Growing the result ----------------------------------------------------------------------------------------------------- */

/* Fields move while they are collected: records hold the index of their first one until the end. */
typedef struct collector {
	attend_records *out;
	size_t record_capacity, field_capacity, field_count;
	size_t *first; /* [records] */
	size_t first_capacity;
} collector;

static attend_status begin_record(collector *c, size_t line)
{
	ATTEND_TRY(
		attend_grow(&c->out->records, &c->record_capacity, c->out->count + 1, sizeof *c->out->records, "records"));
	ATTEND_TRY(attend_grow(&c->first, &c->first_capacity, c->out->count + 1, sizeof *c->first, "records"));
	c->first[c->out->count] = c->field_count;
	c->out->records[c->out->count++] = (attend_record){.line = line};
	return ATTEND_OK;
}

static attend_record *last_record(collector *c)
{
	return &c->out->records[c->out->count - 1];
}

static attend_status add_field(collector *c, const char *text, size_t size)
{
	ATTEND_TRY(attend_grow(&c->out->field_pool, &c->field_capacity, c->field_count + 1, sizeof *c->out->field_pool,
	                       "records"));
	c->out->field_pool[c->field_count++] = (attend_field){text, size};
	last_record(c)->count++;
	return ATTEND_OK;
}

/* ---- CSV ------------------------------------------------------------------------------------------------------------------------ */

/* The delimiter that the first line has most of, outside quotes. */
static char detect_delimiter(const char *text, size_t size)
{
	static const char candidates[] = ",;\t|";
	size_t counts[4] = {0};
	bool quoted = false;
	for (size_t i = 0; i < size && (quoted || text[i] != '\n'); i++) {
		if (text[i] == '"') quoted = !quoted;
		const char *at = quoted || text[i] == '\0' ? NULL : strchr(candidates, text[i]);
		if (at) counts[at - candidates]++;
	}
	size_t best = 0;
	for (size_t i = 1; i < 4; i++)
		if (counts[i] > counts[best]) best = i;
	return candidates[best];
}

/* To the end of the physical line. */
static size_t line_end(const char *text, size_t size, size_t at)
{
	const char *end = at < size ? memchr(text + at, '\n', size - at) : NULL;
	return end ? (size_t)(end - text) : size;
}

/* Where the quote that closes the one at text[at] stands; size: nowhere. */
static size_t closing_quote(const char *text, size_t size, size_t at)
{
	while (++at < size) {
		if (text[at] != '"') continue;
		if (at + 1 == size || text[at + 1] != '"') return at;
		at++;
	}
	return size;
}

/* One quoted field at text[*at] == '"': unquoted in place, *at moves behind it. Returns the problem, or NULL; after a problem nothing
 * has changed and the row ends with the line that the field began in, so that one stray quote does not swallow the rows below. */
static const char *quoted_field(char *text, size_t size, size_t *at, size_t *line, char delimiter, size_t *length)
{
	const size_t start = *at, end = closing_quote(text, size, start);
	const char after = end + 1 < size ? text[end + 1] : '\n';
	const bool closed = end < size;
	if (!closed || (after != delimiter && after != '\n' && after != '\r')) {
		*at = line_end(text, size, start);
		*length = 0;
		return closed ? "text after a closing quote" : "a quote is not closed";
	}
	size_t to = start;
	for (size_t from = start + 1; from < end; from++) {
		*line += text[from] == '\n';
		if (text[from] == '"') from++;
		text[to++] = text[from];
	}
	*length = to - start;
	*at = end + 1;
	return NULL;
}

/* One row from text[at] on; returns where the next begins. NULs are written behind fields once the byte there was read. */
static attend_status csv_row(collector *c, char *text, size_t size, size_t *position, size_t *line, char delimiter)
{
	size_t at = *position;
	ATTEND_TRY(begin_record(c, *line));
	for (;;) {
		const char *problem = NULL;
		size_t start = at, length = 0;
		if (at < size && text[at] == '"') {
			problem = quoted_field(text, size, &at, line, delimiter, &length);
			if (problem) last_record(c)->problem = problem;
		} else {
			while (at < size && text[at] != delimiter && text[at] != '\n') at++;
			length = at - start;
			if (at < size && text[at] == '\n' && length && text[at - 1] == '\r') length--;
			if (at == size && length && text[at - 1] == '\r') length--;
		}
		if (at < size && text[at] == '\r') at++;
		const char stop = at < size ? text[at] : '\n';
		if (!problem) {
			ATTEND_TRY(add_field(c, text + start, length));
			if (memchr(text + start, '\0', length)) last_record(c)->problem = "a NUL byte";
			text[start + length] = '\0';
		}
		if (at < size) text[at] = '\0';
		at++;
		if (stop == '\n') break;
	}
	*line += 1;
	*position = at < size ? at : size;
	return ATTEND_OK;
}

static attend_status split_csv(collector *c, char *text, size_t size)
{
	size_t line = 1;
	for (size_t at = 0; at < size;) {
		if (text[at] == '\n' || (text[at] == '\r' && at + 1 < size && text[at + 1] == '\n')) {
			at += text[at] == '\r' ? 2 : 1;
			line++;
			continue;
		}
		ATTEND_TRY(csv_row(c, text, size, &at, &line, c->out->delimiter));
	}
	return ATTEND_OK;
}

/* ---- Lines ---------------------------------------------------------------------------------------------------------------------- */

static attend_status tsv_line(collector *c, char *text, size_t size, char delimiter)
{
	size_t start = 0;
	for (size_t i = 0; i <= size; i++) {
		if (i < size && text[i] != delimiter) continue;
		text[i] = '\0';
		ATTEND_TRY(add_field(c, text + start, i - start));
		start = i + 1;
	}
	return ATTEND_OK;
}

static attend_status space_line(collector *c, char *text, size_t size)
{
	char *space = memchr(text, c->out->delimiter, size);
	if (!space) {
		last_record(c)->problem = "no space between label and text";
		return ATTEND_OK;
	}
	*space = '\0';
	ATTEND_TRY(add_field(c, text, (size_t)(space - text)));
	return add_field(c, space + 1, size - (size_t)(space + 1 - text));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Labels, wherever they stand (as fastText reads them), joined by '\x1f'; then the text without them. */
static attend_status fasttext_line(collector *c, char *text, size_t size)
{
	size_t labels = 0, kept = 0;
	bool found = false;
	char *rest = malloc(size + 1);
	if (!rest) return attend_fail_memory(size + 1, "records");
	for (size_t at = 0; at < size;) {
		size_t end = at;
		while (end < size && !is_blank(text[end])) end++;
		const bool label = end - at >= 9 && memcmp(text + at, "__label__", 9) == 0;
		size_t next = end;
		while (next < size && is_blank(text[next])) next++;
		if (label) { /* a name and its separator are shorter than "__label__" and name: never over bytes that are to come */
			if (memchr(text + at, '\x1f', end - at)) last_record(c)->problem = "a control character in a label";
			if (found) text[labels++] = '\x1f';
			memmove(text + labels, text + at + 9, end - at - 9);
			labels += end - at - 9;
			found = true;
		} else {
			memcpy(rest + kept, text + at, next - at);
			kept += next - at;
		}
		at = next;
	}
	while (kept && is_blank(rest[kept - 1])) kept--;
	attend_status status = ATTEND_OK;
	if (found) {
		text[labels] = '\0';
		memcpy(text + labels + 1, rest, kept); /* both together are shorter than the line was */
		text[labels + 1 + kept] = '\0';
		status = add_field(c, text, labels);
		if (status == ATTEND_OK) status = add_field(c, text + labels + 1, kept);
	} else {
		last_record(c)->problem = "no __label__";
	}
	free(rest);
	return status;
}

/* ---- JSON lines ------------------------------------------------------------------------------------------------------------------- */

/* A member as text at the end of `storage`; its place is kept as an offset until storage stands still. */
static attend_status json_text(attend_buffer *storage, const attend_json *value, const char **problem)
{
	if (attend_json_type(value) == ATTEND_JSON_STRING) {
		const char *text = NULL;
		size_t size = 0;
		ATTEND_TRY(attend_json_as_string(&text, &size, value));
		if (memchr(text, '\0', size)) *problem = "a NUL character";
		attend_buffer_append(storage, text, size);
		return ATTEND_OK;
	}
	if (attend_json_type(value) == ATTEND_JSON_ARRAY) {
		for (const attend_json *v = attend_json_first(value); v; v = attend_json_next(v)) {
			if (v != attend_json_first(value)) attend_buffer_append(storage, "\x1f", 1);
			if (attend_json_type(v) == ATTEND_JSON_ARRAY || attend_json_type(v) == ATTEND_JSON_OBJECT) {
				*problem = "lists inside a list";
				return ATTEND_OK;
			}
			const size_t start = storage->size;
			ATTEND_TRY(json_text(storage, v, problem));
			if (storage->size > start && memchr(storage->data + start, '\x1f', storage->size - start))
				*problem = "a control character in a list";
		}
		return ATTEND_OK;
	}
	if (attend_json_type(value) == ATTEND_JSON_OBJECT) {
		*problem = "an object where a text or label was expected";
		return ATTEND_OK;
	}
	char *text = NULL;
	ATTEND_TRY(attend_json_print(&text, value, 0));
	attend_buffer_text(storage, text);
	free(text);
	return ATTEND_OK;
}

enum { LABEL_MEMBER = 2 }; /* of text, pair, label */

static attend_status json_line(collector *c, attend_buffer *storage, const char *text, size_t size,
                               const char *const *members, size_t count)
{
	attend_json *document = NULL;
	if (attend_json_parse(&document, text, size, "row") != ATTEND_OK ||
	    attend_json_type(document) != ATTEND_JSON_OBJECT) {
		attend_json_free(document);
		last_record(c)->problem = "no JSON object";
		return ATTEND_OK;
	}
	attend_status status = ATTEND_OK;
	const char *problem = NULL;
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		const attend_json *value = attend_json_get(document, members[i]);
		const size_t start = storage->size;
		const bool absent = !value || attend_json_type(value) == ATTEND_JSON_NULL;
		if (!absent) status = json_text(storage, value, &problem);
		if (!absent && i == LABEL_MEMBER && attend_json_type(value) == ATTEND_JSON_STRING && storage->size > start &&
		    memchr(storage->data + start, '\x1f', storage->size - start))
			problem = "a control character in a label"; /* it would pass for two labels */
		const size_t length = storage->size - start;
		attend_buffer_append(storage, "", 1);
		/* an offset for now; SIZE_MAX length marks what the object lacks */
		if (status == ATTEND_OK) status = add_field(c, (const char *)(uintptr_t)start, absent ? SIZE_MAX : length);
	}
	if (problem) last_record(c)->problem = problem;
	attend_json_free(document);
	return status;
}

static attend_status split_lines(collector *c, char *text, size_t size, const char *const *members, size_t count,
                                 attend_buffer *storage)
{
	size_t line = 1;
	for (size_t at = 0; at < size; line++) {
		const size_t end = line_end(text, size, at);
		char *row = text + at;
		size_t length = end - at;
		at = end + 1;
		if (length && row[length - 1] == '\r') length--;
		row[length] = '\0';
		if (length == 0) continue;
		ATTEND_TRY(begin_record(c, line));
		if (memchr(row, '\0', length)) {
			last_record(c)->problem = "a NUL byte";
			continue;
		}
		switch (c->out->format) {
		case ATTEND_DATA_TSV: ATTEND_TRY(tsv_line(c, row, length, c->out->delimiter)); break;
		case ATTEND_DATA_SPACE: ATTEND_TRY(space_line(c, row, length)); break;
		case ATTEND_DATA_FASTTEXT: ATTEND_TRY(fasttext_line(c, row, length)); break;
		case ATTEND_DATA_JSONL: ATTEND_TRY(json_line(c, storage, row, length, members, count)); break;
		default: ATTEND_TRY(add_field(c, row, length)); break;
		}
	}
	return attend_buffer_status(storage);
}

attend_status attend_records_split(attend_records *out, char *text, size_t size, attend_data_format format,
                                   char delimiter, const char *const *json_names, size_t json_count)
{
	attend_records result = {.format = format, .delimiter = delimiter};
	if (!delimiter && format == ATTEND_DATA_CSV) result.delimiter = detect_delimiter(text, size);
	if (!delimiter && format == ATTEND_DATA_TSV) result.delimiter = '\t';
	if (!delimiter && format == ATTEND_DATA_SPACE) result.delimiter = ' ';
	collector c = {.out = &result};
	attend_buffer storage = {0};
	const attend_status status = format == ATTEND_DATA_CSV
	                                 ? split_csv(&c, text, size)
	                                 : split_lines(&c, text, size, json_names, json_count, &storage);
	result.storage = storage.data;
	for (size_t i = 0; status == ATTEND_OK && i < result.count; i++)
		result.records[i].fields = result.field_pool + c.first[i];
	for (size_t i = 0; status == ATTEND_OK && format == ATTEND_DATA_JSONL && i < c.field_count; i++) {
		attend_field *field = &result.field_pool[i];
		const bool absent = field->size == SIZE_MAX;
		*field = (attend_field){absent ? NULL : result.storage + (uintptr_t)field->text, absent ? 0 : field->size};
	}
	free(c.first);
	if (status != ATTEND_OK) {
		attend_records_free(&result);
		return status;
	}
	*out = result;
	return ATTEND_OK;
}

void attend_records_free(attend_records *records)
{
	free(records->records);
	free(records->field_pool);
	free(records->storage);
	*records = (attend_records){0};
}
