/* json.h: typed access to JSON that names the place: "config.json: $.hidden_size: expected an integer >= 1, found \"big\"".
 *
 * Strict RFC 8259 in UTF-8; nesting at most 128 deep; strings may hold U+0000 (lengths are given). cJSON is seen by json.c
 * alone. Duplicate keys: the last one counts, as in Python and serde; iteration shows all of them. Numbers are kept as they
 * were written: integers are exact, and printing repeats them. */
#ifndef ATTEND_CORE_JSON_H
#define ATTEND_CORE_JSON_H

#include "lib/core/status.h"

typedef struct attend_json attend_json; /* a document or a value in it */

/* Parse `size` bytes. `name` (a file name, "stdin:12") stands in front of every message about this document; copied.
 * FORMAT names line and column. Free the document with attend_json_free; values in it are borrowed. */
attend_status attend_json_parse(attend_json **out, const char *text, size_t size, const char *name);
attend_status attend_json_read(attend_json **out, const char *path); /* a file; limit 256 MiB */
void attend_json_free(attend_json *document);

typedef enum attend_json_kind {
	ATTEND_JSON_NULL,
	ATTEND_JSON_BOOL,
	ATTEND_JSON_NUMBER,
	ATTEND_JSON_STRING,
	ATTEND_JSON_ARRAY,
	ATTEND_JSON_OBJECT
} attend_json_kind;

attend_json_kind attend_json_type(const attend_json *value);
const char *attend_json_type_name(const attend_json *value); /* "an object" */

/* Member of an object, NULL when absent (or when `object` is NULL or no object). Linear: iterate large objects. */
const attend_json *attend_json_get(const attend_json *object, const char *key);
/* Children of arrays and objects in file order; NULL at the end. */
const attend_json *attend_json_first(const attend_json *value);
const attend_json *attend_json_next(const attend_json *value);
const char *attend_json_key(const attend_json *value, size_t *size); /* of an object's member; size may be NULL */
size_t attend_json_count(const attend_json *value);

/* Values as C types; FORMAT with the JSON path when the type or range is off. */
attend_status attend_json_as_string(const char **out, size_t *size,
                                    const attend_json *value); /* borrowed, NUL-terminated */
attend_status attend_json_as_bool(bool *out, const attend_json *value);
attend_status attend_json_as_int(int64_t *out, const attend_json *value, int64_t min,
                                 int64_t max); /* 3.0 counts as 3 */
attend_status attend_json_as_double(double *out, const attend_json *value);
/* As Rust's serde_json reads it by default: the digits as an integer, divided by or multiplied with a power of ten, which may be
 * one unit in the last place off. For sums of scores that must tie, or not, where the reference's do. */
attend_status attend_json_as_serde_double(double *out, const attend_json *value);

/* The same for a member; absent or null leaves *out as it was (the caller's default) and is OK. */
attend_status attend_json_get_string(const char **out, const attend_json *object, const char *key);
attend_status attend_json_get_bool(bool *out, const attend_json *object, const char *key);
attend_status attend_json_get_int(int64_t *out, const attend_json *object, const char *key, int64_t min, int64_t max);
attend_status attend_json_get_double(double *out, const attend_json *object, const char *key);

/* Fail with FORMAT at this value: "NAME: $.path: <formatted text>". */
attend_status attend_json_fail(const attend_json *value, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "$.model.vocab[3]" into buffer; returns it. */
const char *attend_json_path(char *buffer, size_t size, const attend_json *value);

/* Editing and writing, for config.json and friends. Setting replaces in place or appends; removing what is not there is OK.
 * `json_text` is any JSON value. Values borrowed from below a replaced member are stale. Memory of what is replaced or
 * removed lives as long as the document. */
attend_status attend_json_set(attend_json *object, const char *key, const char *json_text);
attend_status attend_json_remove(attend_json *object, const char *key);
/* Indented by two spaces as Python's json.dumps(indent=2, ensure_ascii=False); indent 0: one line.
 * malloc'ed, NUL-terminated. */
attend_status attend_json_print(char **out, const attend_json *value, int indent);

#endif
