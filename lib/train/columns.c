/* columns.c: the columns by name, by number, or found out: known header names first (those of GLUE and of the hub's data sets),
 * then the shape of the rows. Whatever is found is told to the user. */
#include "lib/train/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/core/buffer.h"
#include "lib/core/json.h"
#include "lib/core/map.h"

static const char *const text_names[] = {"text",    "sentence",     "sentence1", "question",  "premise",
                                         "content", "review",       "question1", "document",  "tweet",
                                         "comment", "comment_text", "title",     "utterance", NULL};
static const char *const pair_names[] = {"text_pair", "sentence2", "hypothesis", "question2",
                                         "text2",     "answer",    "passage",    NULL};
static const char *const label_names[] = {
	"label",  "labels", "class", "category",   "target",           "sentiment", "score", "stars",
	"rating", "intent", "topic", "gold_label", "similarity_score", "y",         NULL};

static size_t known_name(const attend_record *header, const char *const *names)
{
	for (size_t n = 0; names[n]; n++)
		for (size_t i = 0; i < header->count; i++)
			if (strcasecmp(header->fields[i].text, names[n]) == 0) return i;
	return SIZE_MAX;
}

static bool whole_number(const char *name, size_t *out)
{
	char *end = NULL;
	if (*name < '1' || *name > '9') return false;
	*out = (size_t)strtoul(name, &end, 10);
	return *end == '\0';
}

/* A column that the user named: by the header's name first, then by number. */
static attend_status named_column(size_t *out, const char *path, const attend_record *first, bool header,
                                  const char *name, const char *what)
{
	size_t number = 0;
	for (size_t i = 0; header && i < first->count; i++) {
		if (strcmp(first->fields[i].text, name) != 0) continue;
		*out = i;
		return ATTEND_OK;
	}
	if (whole_number(name, &number)) {
		if (number > first->count)
			return attend_fail(ATTEND_ERR_DATA, "%s: no column %zu for the %s: the first row has %zu", path, number,
			                   what, first->count);
		*out = number - 1;
		return ATTEND_OK;
	}
	attend_buffer there = {0};
	for (size_t i = 0; header && i < first->count; i++)
		attend_buffer_printf(&there, "%s%s", i ? ", " : "", first->fields[i].text);
	const attend_status status =
		attend_fail(ATTEND_ERR_DATA, "%s: no column '%s' for the %s%s%s", path, name, what,
	                header ? ": there are " : ": the file has no header", header && there.data ? there.data : "");
	attend_buffer_free(&there);
	return status;
}

/* Distinct values and mean length of one column over the first rows. */
static attend_status column_shape(size_t *distinct, double *length, const attend_records *r, size_t from, size_t column)
{
	attend_map *map = NULL;
	ATTEND_TRY(attend_map_new(&map, 64));
	attend_status status = ATTEND_OK;
	size_t rows = 0, bytes = 0;
	for (size_t i = from; i < r->count && rows < 2000 && status == ATTEND_OK; i++) {
		if (r->records[i].problem || column >= r->records[i].count) continue;
		const attend_field *f = &r->records[i].fields[column];
		status = attend_map_put(map, f->text, f->size, 0);
		bytes += f->size;
		rows++;
	}
	*distinct = attend_map_size(map);
	*length = rows ? (double)bytes / (double)rows : 0;
	attend_map_free(map);
	return status;
}

/* Without names: the label is the first or last column, whichever has fewer distinct values; the text the longest other. */
static attend_status guess(attend_columns *c, const attend_records *r, bool labelled)
{
	const size_t from = c->header ? 1 : 0;
	if (c->width == 1) {
		if (c->text == SIZE_MAX) c->text = 0;
		return ATTEND_OK;
	}
	size_t first = 0, last = 0;
	double first_length = 0, last_length = 0;
	ATTEND_TRY(column_shape(&first, &first_length, r, from, 0));
	ATTEND_TRY(column_shape(&last, &last_length, r, from, c->width - 1));
	if (labelled && c->label == SIZE_MAX) {
		const bool is_first = first < last || (first == last && first_length < last_length);
		c->label = is_first && c->text != 0 ? 0 : c->text != c->width - 1 ? c->width - 1 : 0;
	}
	if (c->text != SIZE_MAX) return ATTEND_OK;
	double best = -1;
	for (size_t i = 0; i < c->width; i++) {
		size_t distinct = 0;
		double length = 0;
		if (i == c->label || i == c->pair) continue;
		ATTEND_TRY(column_shape(&distinct, &length, r, from, i));
		if (length <= best) continue;
		best = length;
		c->text = i;
	}
	return ATTEND_OK;
}

static void describe(attend_buffer *note, const attend_columns *c, const attend_record *first, size_t column,
                     const char *what)
{
	if (column == SIZE_MAX) return;
	attend_buffer_printf(note, "%s%s: column %zu", note->size ? "; " : "", what, column + 1);
	if (c->header) attend_buffer_printf(note, " '%s'", first->fields[column].text);
}

attend_status attend_columns_find(attend_columns *out, char **note, const char *path, const attend_records *records,
                                  const attend_dataset_options *options)
{
	attend_columns c = {SIZE_MAX, SIZE_MAX, SIZE_MAX, 0, false};
	const attend_record *first = &records->records[0];
	const bool labelled = options->labels != ATTEND_LABELS_NONE;
	attend_buffer text = {0};
	if (records->format == ATTEND_DATA_JSONL) { /* asked for as text, pair, label */
		c.text = 0;
		c.pair = options->pair_column ? 1 : SIZE_MAX;
		c.label = labelled ? 2 : SIZE_MAX;
	} else if (records->format == ATTEND_DATA_FASTTEXT || records->format == ATTEND_DATA_SPACE) {
		c = (attend_columns){1, SIZE_MAX, labelled ? 0 : SIZE_MAX, 2, false};
	} else if (records->format == ATTEND_DATA_PLAIN) {
		c = (attend_columns){0, SIZE_MAX, SIZE_MAX, 1, false};
	} else {
		if (first->problem) return attend_fail(ATTEND_ERR_DATA, "%s:%zu: %s", path, first->line, first->problem);
		c.width = first->count;
		const size_t known_text = known_name(first, text_names), known_label = known_name(first, label_names);
		size_t ignored = 0;
		c.header = options->header > 0;
		if (options->header == 0) {
			const char *const asked[] = {options->text_column, options->pair_column, options->label_column};
			c.header = known_text != SIZE_MAX || known_label != SIZE_MAX;
			for (size_t i = 0; i < 3; i++)
				for (size_t f = 0; asked[i] && !whole_number(asked[i], &ignored) && f < first->count; f++)
					c.header |= strcmp(first->fields[f].text, asked[i]) == 0;
		}
		if (options->text_column)
			ATTEND_TRY(named_column(&c.text, path, first, c.header, options->text_column, "text"));
		if (options->pair_column)
			ATTEND_TRY(named_column(&c.pair, path, first, c.header, options->pair_column, "second text"));
		if (labelled && options->label_column)
			ATTEND_TRY(named_column(&c.label, path, first, c.header, options->label_column, "label"));
		if (c.header && c.text == SIZE_MAX) c.text = known_text;
		if (c.header && c.pair == SIZE_MAX && !options->text_column) c.pair = known_name(first, pair_names);
		if (c.header && labelled && c.label == SIZE_MAX) c.label = known_label;
		if (c.text == SIZE_MAX || (labelled && c.label == SIZE_MAX)) ATTEND_TRY(guess(&c, records, labelled));
		if (c.text == SIZE_MAX)
			return attend_fail(ATTEND_ERR_DATA, "%s: no text column found among %zu (see --text-column)", path,
			                   c.width);
		if (labelled && (c.label == SIZE_MAX || c.label == c.text))
			return attend_fail(ATTEND_ERR_DATA, "%s: no label column found among %zu (see --label-column)", path,
			                   c.width);
		describe(&text, &c, first, c.text, "text");
		describe(&text, &c, first, c.pair, "second text");
		describe(&text, &c, first, c.label, "label");
	}
	if (!text.data) attend_buffer_printf(&text, "format: %s", attend_data_format_name(records->format));
	ATTEND_TRY(attend_buffer_status(&text));
	*note = text.data;
	*out = c;
	return ATTEND_OK;
}

attend_status attend_columns_json(const char *names[3], const char *path, const char *text, size_t size,
                                  const attend_dataset_options *options, char storage[3][64])
{
	static const char *const *const known[] = {text_names, pair_names, label_names};
	const char *const asked[] = {options->text_column, options->pair_column, options->label_column};
	const char *end = memchr(text, '\n', size);
	attend_json *document = NULL;
	if (attend_json_parse(&document, text, end ? (size_t)(end - text) : size, path) != ATTEND_OK) {
		attend_fail_in(ATTEND_ERR_DATA, "first line");
		return ATTEND_ERR_DATA;
	}
	for (size_t i = 0; i < 3; i++) {
		names[i] = asked[i];
		for (size_t n = 0; !names[i] && known[i][n]; n++) {
			if (!attend_json_get(document, known[i][n])) continue;
			snprintf(storage[i], sizeof storage[i], "%s", known[i][n]);
			names[i] = storage[i];
		}
	}
	attend_json_free(document);
	if (!names[0])
		return attend_fail(ATTEND_ERR_DATA, "%s: no member for the text in the first object (see --text-column)", path);
	if (options->labels != ATTEND_LABELS_NONE && !names[2])
		return attend_fail(ATTEND_ERR_DATA, "%s: no member for the label in the first object (see --label-column)",
		                   path);
	return ATTEND_OK;
}
