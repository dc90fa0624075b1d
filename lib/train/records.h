/* records.h: rows of a data file: CSV (RFC 4180), TSV, JSON lines, fastText lines, plain lines. */
#ifndef ATTEND_TRAIN_RECORDS_H
#define ATTEND_TRAIN_RECORDS_H

#include "lib/core/status.h"

typedef enum attend_data_format {
	ATTEND_DATA_AUTO, /* by the file's name (.csv .tsv .jsonl .json .txt, .gz behind it), else by its first lines */
	ATTEND_DATA_CSV,
	ATTEND_DATA_TSV,      /* tabs; no quotes, as the field's data sets have it */
	ATTEND_DATA_JSONL,    /* an object a line; fields by name */
	ATTEND_DATA_FASTTEXT, /* __label__A __label__B text */
	ATTEND_DATA_PLAIN,    /* a text a line */
	ATTEND_DATA_SPACE     /* label, a space, text (TREC, SST-5) */
} attend_data_format;
attend_status attend_data_format_parse(attend_data_format *out,
                                       const char *name); /* "csv", "tsv", "jsonl", "fasttext", ... */
const char *attend_data_format_name(attend_data_format format);

typedef struct attend_field {
	const char *text; /* NUL-terminated too */
	size_t size;
} attend_field;

typedef struct attend_record {
	size_t line; /* where it begins, from 1 */
	attend_field *fields;
	size_t count;
	const char *problem; /* why it is bad, or NULL; then fields are not to be used */
} attend_record;

/* All records of one file. JSONL: fields stand in the order of `names`. */
typedef struct attend_records {
	attend_data_format format;
	char delimiter; /* CSV, TSV, SPACE */
	attend_record *records;
	size_t count;
	attend_field *field_pool; /* behind records[].fields */
	char *storage;            /* decoded JSON strings */
} attend_records;

/* Split `text` [size], which is changed in place (quotes are taken off, NULs written) and must outlive the result. Empty lines
 * are passed over (not inside quotes). delimiter 0: detected among , ; | and tab. json_names [json_count]: the members to take
 * of JSONL objects; numbers and booleans become their JSON text, lists of strings become one field joined by '\x1f'. Bad rows
 * get a `problem`: they are no failure here. */
attend_status attend_records_split(attend_records *out, char *text, size_t size, attend_data_format format,
                                   char delimiter, const char *const *json_names, size_t json_count);
void attend_records_free(attend_records *records);

/* Decide AUTO. */
attend_data_format attend_data_format_guess(const char *path, const char *text, size_t size);

#endif
