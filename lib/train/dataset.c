/* dataset.c: from a data file to numbered labels and texts; the held-out split. */
#include "lib/train/dataset.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/core/map.h"
#include "lib/core/rng.h"
#include "lib/train/columns.h"
#include "lib/train/textfile.h"

/* What reading one file needs besides the dataset. */
typedef struct reader {
	attend_dataset *d;
	const attend_dataset_options *options;
	attend_columns columns;
	attend_map *labels; /* name -> order of first appearance (or id of options->label_names) */
	size_t multi_count, multi_capacity;
	size_t *multi_start; /* [examples] index of an example's first id in d->multi */
	size_t start_capacity, example_capacity;
} reader;

/* ---- One row ------------------------------------------------------------------------------------------------------------------ */

static const char *separator(const reader *r)
{
	const bool inner = r->d->records.format == ATTEND_DATA_FASTTEXT || r->d->records.format == ATTEND_DATA_JSONL;
	return r->options->label_separator ? r->options->label_separator : inner ? "\x1f" : ",";
}

/* Number of a label's name; `why` gets the problem. */
static attend_status label_number(reader *r, const char *name, size_t size, int32_t *out, char why[256])
{
	while (size && *name == ' ') name++, size--;
	while (size && name[size - 1] == ' ') size--;
	*out = attend_map_find(r->labels, name, size);
	if (*out >= 0) return ATTEND_OK;
	if (size == 0) {
		snprintf(why, 256, "no label");
	} else if (r->options->label_names) {
		snprintf(why, 256, "label '%.*s' is not among the %zu that the model knows", size > 60 ? 60 : (int)size, name,
		         r->options->label_count);
	} else {
		*out = (int32_t)attend_map_size(r->labels);
		return attend_map_put(r->labels, name, size, *out);
	}
	return ATTEND_OK;
}

static attend_status read_multi(reader *r, const attend_field *cell, attend_example *e, char why[256])
{
	const char *by = separator(r), *at = cell->text, *end = cell->text + cell->size;
	const size_t n = strlen(by);
	while (at < end && !*why) {
		const char *stop = strstr(at, by);
		if (!stop) stop = end;
		int32_t id = -1;
		ATTEND_TRY(label_number(r, at, (size_t)(stop - at), &id, why));
		bool known = false;
		for (size_t i = 0; i < e->label_count; i++) known |= r->d->multi[r->multi_count - 1 - i] == id;
		if (id >= 0 && !known) {
			ATTEND_TRY(
				attend_grow(&r->d->multi, &r->multi_capacity, r->multi_count + 1, sizeof *r->d->multi, "labels"));
			r->d->multi[r->multi_count++] = id;
			e->label_count++;
		}
		if (stop == end) break;
		at = stop + n;
	}
	return ATTEND_OK; /* no label at all is a label set too */
}

static void read_value(const attend_field *cell, attend_example *e, char why[256])
{
	char *end = NULL;
	e->value = strtod(cell->text, &end);
	while (*end == ' ') end++;
	if (cell->size == 0) snprintf(why, 256, "no label");
	else if (*end || !isfinite(e->value))
		snprintf(why, 256, "'%.60s' is no number: a regression needs numbers as labels", cell->text);
}

static attend_status read_label(reader *r, const attend_field *cell, attend_example *e, char why[256])
{
	if (!cell->text) {
		snprintf(why, 256, "no label");
		return ATTEND_OK;
	}
	switch (r->d->kind) {
	case ATTEND_LABELS_MULTI: return read_multi(r, cell, e, why);
	case ATTEND_LABELS_REGRESSION: read_value(cell, e, why); return ATTEND_OK;
	default: break;
	}
	return label_number(r, cell->text, cell->size, &e->label, why);
}

/* Fill `e` from a record; a bad one leaves its reason in `why`. */
static attend_status read_record(reader *r, const attend_record *record, attend_example *e, char why[256])
{
	const attend_columns *c = &r->columns;
	*why = '\0';
	*e = (attend_example){.line = record->line, .label = -1};
	if (record->problem) {
		snprintf(why, 256, "%s", record->problem);
		return ATTEND_OK;
	}
	if (c->width && record->count != c->width) {
		snprintf(why, 256, "%zu columns where the first row has %zu", record->count, c->width);
		return ATTEND_OK;
	}
	const attend_field *text = &record->fields[c->text];
	e->text = text->text;
	e->text_size = text->size;
	if (c->pair != SIZE_MAX) {
		e->pair = record->fields[c->pair].text;
		e->pair_size = record->fields[c->pair].size;
	}
	if (!e->text || (c->pair != SIZE_MAX && !e->pair)) snprintf(why, 256, "no text");
	else if (e->text_size == 0) snprintf(why, 256, "an empty text");
	return *why || c->label == SIZE_MAX ? ATTEND_OK : read_label(r, &record->fields[c->label], e, why);
}

static attend_status refuse(reader *r, size_t line, const char *why)
{
	attend_dataset *d = r->d;
	if (!r->options->skip_bad)
		return attend_fail(ATTEND_ERR_DATA, "%s:%zu: %s (--on-error skip leaves such rows out)", d->path, line, why);
	if (!d->first_problem) {
		attend_buffer text = {0};
		attend_buffer_printf(&text, "%s:%zu: %s", d->path, line, why);
		ATTEND_TRY(attend_buffer_status(&text));
		d->first_problem = text.data;
	}
	d->skipped++;
	return ATTEND_OK;
}

static attend_status read_all(reader *r)
{
	attend_dataset *d = r->d;
	for (size_t i = r->columns.header ? 1 : 0; i < d->records.count; i++) {
		attend_example e;
		char why[256];
		const size_t labels = r->multi_count;
		ATTEND_TRY(read_record(r, &d->records.records[i], &e, why));
		if (*why) {
			r->multi_count = labels;
			ATTEND_TRY(refuse(r, d->records.records[i].line, why));
			continue;
		}
		ATTEND_TRY(attend_grow(&d->examples, &r->example_capacity, d->count + 1, sizeof *d->examples, "examples"));
		ATTEND_TRY(attend_grow(&r->multi_start, &r->start_capacity, d->count + 1, sizeof *r->multi_start, "examples"));
		r->multi_start[d->count] = labels;
		d->examples[d->count++] = e;
	}
	if (d->count) return ATTEND_OK;
	if (d->skipped)
		return attend_fail(ATTEND_ERR_DATA, "%s: all %zu rows are bad, the first: %s", d->path, d->skipped,
		                   d->first_problem);
	return attend_fail(ATTEND_ERR_DATA, r->columns.header ? "%s: a header and no rows" : "%s: no rows", d->path);
}

/* ---- Labels --------------------------------------------------------------------------------------------------------------------- */

typedef struct named {
	char *name;
	size_t size;
	int32_t number; /* of first appearance */
	double value;
} named;

static int by_name(const void *a, const void *b)
{
	return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static int by_value(const void *a, const void *b)
{
	const named *x = a, *y = b;
	return x->value < y->value ? -1 : x->value > y->value ? 1 : by_name(a, b);
}

/* Names in order (all numbers: by value), and each example's number of first appearance becomes an id. */
static attend_status number_labels(reader *r)
{
	attend_dataset *d = r->d;
	const size_t count = attend_map_size(r->labels);
	named *list = calloc(count + 1, sizeof *list);
	int32_t *ids = attend_alloc_array(count + 1, sizeof *ids);
	d->label_names = calloc(count + 1, sizeof *d->label_names);
	attend_status status =
		list && ids && d->label_names ? ATTEND_OK : attend_fail_memory(count * sizeof *list, "labels");
	bool numbers = true;
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		size_t size = 0;
		const char *name = attend_map_key(r->labels, i, &size, &list[i].number);
		if (!(list[i].name = strndup(name, size))) status = attend_fail_memory(size, "labels");
		char *end = NULL;
		if (status == ATTEND_OK) list[i].value = strtod(list[i].name, &end);
		numbers &= end && end != list[i].name && !*end && isfinite(list[i].value);
	}
	if (status == ATTEND_OK) {
		if (!r->options->label_names) qsort(list, count, sizeof *list, numbers ? by_value : by_name);
		for (size_t i = 0; i < count; i++) {
			ids[list[i].number] = (int32_t)i;
			d->label_names[i] = list[i].name;
			list[i].name = NULL;
		}
		d->label_count = count;
		for (size_t i = 0; i < d->count; i++)
			if (d->examples[i].label >= 0) d->examples[i].label = ids[d->examples[i].label];
		for (size_t i = 0; i < r->multi_count; i++) d->multi[i] = ids[d->multi[i]];
	}
	for (size_t i = 0; list && i < count; i++) free(list[i].name);
	free(list);
	free(ids);
	return status;
}

static int rising(const void *a, const void *b)
{
	const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return x < y ? -1 : x > y;
}

static void point_to_labels(reader *r)
{
	for (size_t i = 0; i < r->d->count; i++) {
		attend_example *e = &r->d->examples[i];
		if (e->label_count == 0) continue;
		int32_t *labels = r->d->multi + r->multi_start[i];
		qsort(labels, e->label_count, sizeof *labels, rising);
		e->labels = labels;
	}
}

/* AUTO: several labels in one row make it multi-label; a comma inside a CSV cell does not. */
static attend_label_kind decide_kind(const attend_dataset *d, const attend_columns *c, attend_label_kind asked)
{
	if (c->label == SIZE_MAX) return ATTEND_LABELS_NONE;
	if (asked != ATTEND_LABELS_AUTO) return asked;
	if (d->records.format != ATTEND_DATA_FASTTEXT && d->records.format != ATTEND_DATA_JSONL)
		return ATTEND_LABELS_SINGLE;
	for (size_t i = 0; i < d->records.count; i++) {
		const attend_record *record = &d->records.records[i];
		if (record->problem || c->label >= record->count) continue;
		const attend_field *f = &record->fields[c->label];
		if (f->text && strchr(f->text, '\x1f')) return ATTEND_LABELS_MULTI;
	}
	return ATTEND_LABELS_SINGLE;
}

/* FNV-1a over what training sees. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t size)
{
	const unsigned char *b = bytes;
	for (size_t i = 0; i < size; i++) h = (h ^ b[i]) * 0x100000001B3u;
	return h;
}

static uint64_t hash_dataset(const attend_dataset *d)
{
	uint64_t h = 0xCBF29CE484222325u;
	for (size_t i = 0; i < d->count; i++) {
		const attend_example *e = &d->examples[i];
		h = hash_bytes(h, e->text, e->text_size + 1);
		if (e->pair) h = hash_bytes(h, e->pair, e->pair_size + 1);
		h = hash_bytes(h, &e->label, sizeof e->label);
		h = hash_bytes(h, &e->value, sizeof e->value);
		h = hash_bytes(h, e->labels, e->label_count * sizeof *e->labels);
	}
	return h;
}

/* ---- The whole --------------------------------------------------------------------------------------------------------------------- */

static attend_status seed_labels(reader *r)
{
	ATTEND_TRY(attend_map_new(&r->labels, 64));
	for (size_t i = 0; r->options->label_names && i < r->options->label_count; i++) {
		const char *name = r->options->label_names[i];
		if (attend_map_find(r->labels, name, strlen(name)) >= 0)
			return attend_fail(ATTEND_ERR_DATA, "the model's label '%s' stands twice in its list", name);
		ATTEND_TRY(attend_map_put(r->labels, name, strlen(name), (int32_t)i));
	}
	return ATTEND_OK;
}

static attend_status open_with(reader *r)
{
	attend_dataset *d = r->d;
	attend_dataset_options options = *r->options;
	size_t size = 0;
	const char *names[3] = {NULL, NULL, NULL};
	char storage[3][64];
	ATTEND_TRY(attend_textfile_read(&d->text, &size, d->path, options.encoding));
	size_t blank = 0;
	while (blank < size && strchr(" \t\r\n", d->text[blank]) && d->text[blank]) blank++;
	if (blank == size) return attend_fail(ATTEND_ERR_DATA, "%s: the file is empty", d->path);
	const char *const carriage = memchr(d->text, '\n', size) ? NULL : memchr(d->text + blank, '\r', size - blank);
	if (carriage && carriage[strspn(carriage, "\r")])
		return attend_fail(ATTEND_ERR_DATA, "%s: lines end with carriage returns alone, newlines are expected",
		                   d->path);
	if (options.format == ATTEND_DATA_AUTO) options.format = attend_data_format_guess(d->path, d->text, size);
	if (options.delimiter == '\t' && options.format == ATTEND_DATA_PLAIN) options.format = ATTEND_DATA_TSV;
	if (options.delimiter == ' ' && options.format == ATTEND_DATA_PLAIN) options.format = ATTEND_DATA_SPACE;
	if (options.delimiter && options.format == ATTEND_DATA_PLAIN) options.format = ATTEND_DATA_CSV;
	if (options.format == ATTEND_DATA_JSONL) {
		ATTEND_TRY(attend_columns_json(names, d->path, d->text + blank, size - blank, &options, storage));
		options.pair_column = names[1];
	}
	const char *const members[3] = {names[0] ? names[0] : "", names[1] ? names[1] : "", names[2] ? names[2] : ""};
	ATTEND_TRY(attend_records_split(&d->records, d->text, size, options.format, options.delimiter, members, 3));
	if (d->records.count == 0) return attend_fail(ATTEND_ERR_DATA, "%s: no rows", d->path);
	if (options.format == ATTEND_DATA_PLAIN && options.labels != ATTEND_LABELS_NONE)
		return attend_fail(ATTEND_ERR_DATA, "%s: one column and no label (see --input-format, --delimiter)", d->path);
	ATTEND_TRY(attend_columns_find(&r->columns, &d->columns, d->path, &d->records, &options));
	d->kind = decide_kind(d, &r->columns, options.labels);
	ATTEND_TRY(seed_labels(r));
	ATTEND_TRY(read_all(r));
	if (d->kind == ATTEND_LABELS_SINGLE || d->kind == ATTEND_LABELS_MULTI) ATTEND_TRY(number_labels(r));
	point_to_labels(r);
	d->hash = hash_dataset(d);
	return ATTEND_OK;
}

attend_status attend_dataset_open(attend_dataset **out, const char *path, const attend_dataset_options *options)
{
	static const attend_dataset_options defaults = {0};
	reader r = {.d = calloc(1, sizeof *r.d), .options = options ? options : &defaults};
	if (!r.d || !(r.d->path = strdup(path))) {
		free(r.d);
		return attend_fail_memory(sizeof *r.d, "dataset");
	}
	const attend_status status = open_with(&r);
	attend_map_free(r.labels);
	free(r.multi_start);
	if (status != ATTEND_OK) {
		attend_dataset_free(r.d);
		return status;
	}
	*out = r.d;
	return ATTEND_OK;
}

void attend_dataset_free(attend_dataset *dataset)
{
	if (!dataset) return;
	for (size_t i = 0; i < dataset->label_count; i++) free(dataset->label_names[i]);
	free(dataset->label_names);
	free(dataset->path);
	free(dataset->examples);
	free(dataset->first_problem);
	free(dataset->columns);
	free(dataset->text);
	free(dataset->multi);
	attend_records_free(&dataset->records);
	free(dataset);
}

int32_t attend_dataset_label(const attend_dataset *dataset, const char *name, size_t size)
{
	for (size_t i = 0; i < dataset->label_count; i++)
		if (strlen(dataset->label_names[i]) == size && memcmp(dataset->label_names[i], name, size) == 0)
			return (int32_t)i;
	return -1;
}

/* ids[i]: the number that `names` gives the dataset's label i. */
static attend_status find_labels(int32_t *ids, char **copies, const attend_dataset *d, const char *const *names,
                                 size_t count)
{
	for (size_t i = 0; i < d->label_count; i++) ids[i] = -1;
	for (size_t i = 0; i < count; i++) {
		const int32_t old = attend_dataset_label(d, names[i], strlen(names[i]));
		if (old >= 0 && ids[old] >= 0)
			return attend_fail(ATTEND_ERR_DATA, "the model's label '%s' stands twice in its list", names[i]);
		if (old >= 0) ids[old] = (int32_t)i;
		if (!(copies[i] = strdup(names[i]))) return attend_fail_memory(strlen(names[i]), "labels");
	}
	for (size_t i = 0; i < d->label_count; i++)
		if (ids[i] < 0) return attend_fail(ATTEND_ERR_ARG, "%s: label '%s' has no number", d->path, d->label_names[i]);
	return ATTEND_OK;
}

attend_status attend_dataset_renumber(attend_dataset *dataset, const char *const *names, size_t count)
{
	attend_dataset *d = dataset;
	int32_t *ids = attend_alloc_array(d->label_count + 1, sizeof *ids);
	char **copies = calloc(count + 1, sizeof *copies);
	attend_status status = ids && copies ? find_labels(ids, copies, d, names, count)
	                                     : attend_fail_memory(count * sizeof *copies, "labels");
	if (status == ATTEND_OK) {
		for (size_t i = 0; i < d->count; i++) {
			attend_example *e = &d->examples[i];
			int32_t *labels = e->label_count ? d->multi + (e->labels - d->multi) : NULL;
			if (e->label >= 0) e->label = ids[e->label];
			for (size_t j = 0; j < e->label_count; j++) labels[j] = ids[labels[j]];
			if (labels) qsort(labels, e->label_count, sizeof *labels, rising);
		}
		char **const old = d->label_names;
		const size_t old_count = d->label_count;
		d->label_names = copies;
		d->label_count = count;
		d->hash = hash_dataset(d);
		copies = old;
		count = old_count;
	}
	for (size_t i = 0; copies && i < count; i++) free(copies[i]);
	free(copies);
	free(ids);
	return status;
}

/* ---- Split -------------------------------------------------------------------------------------------------------------------------- */

size_t attend_dataset_split(const attend_dataset *dataset, double share, uint64_t seed, uint8_t *held)
{
	const bool stratified = dataset->kind == ATTEND_LABELS_SINGLE;
	const size_t strata = stratified ? dataset->label_count : 1;
	size_t total = 0;
	memset(held, 0, dataset->count);
	for (size_t s = 0; s < strata; s++) {
		size_t members = 0, wanted, left;
		for (size_t i = 0; i < dataset->count; i++) members += !stratified || dataset->examples[i].label == (int32_t)s;
		wanted = (size_t)floor(share * (double)members + 0.5);
		if (wanted >= members) wanted = members ? members - 1 : 0;
		left = members;
		attend_rng rng = {.seed = seed, .stream = 0x53504C49 + s};
		for (size_t i = 0; i < dataset->count && wanted; i++) { /* selection sampling, Knuth 3.4.2 S */
			if (stratified && dataset->examples[i].label != (int32_t)s) continue;
			if (attend_rng_below(&rng, left--) >= wanted) continue;
			held[i] = 1;
			wanted--;
			total++;
		}
	}
	return total;
}
