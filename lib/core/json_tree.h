/* json_tree.h: how json.c, json_check.c and json_edit.c see a document. Private to them. */
#ifndef ATTEND_CORE_JSON_TREE_H
#define ATTEND_CORE_JSON_TREE_H

#include "lib/core/json.h"

/* One value. Values of a parsed text lie in one array in file order, their bytes in one pool. */
struct attend_json {
	attend_json *parent; /* NULL: the root, which is the first member of its document */
	attend_json *next;
	const char *key; /* NUL-terminated; NULL outside objects */
	uint32_t key_size;
	uint8_t kind; /* attend_json_kind */
	bool truth;
	union {
		struct {
			attend_json *first, *last;
			uint32_t count;
		} list; /* arrays and objects */
		struct {
			const char *bytes; /* NUL-terminated: a string decoded, a number as it was written */
			double number;
			uint32_t size;
		} text;
	} u;
};

/* Memory of one parsed text; attend_json_set adds parts. */
typedef struct json_part {
	struct json_part *next;
	attend_json *nodes;
	char *pool;
} json_part;

typedef struct json_document {
	attend_json root;
	json_part *parts;
	char *name;
} json_document;

/* What the check of a text found, and the text made fit for cJSON: a number of more than 60 characters becomes 0 (cJSON cuts
 * at 63; values are read from the original digits anyway), \u0000 becomes the bytes C0 80 (cJSON's strings end at a NUL; those bytes are not UTF-8, so
 * they come from nowhere else). */
typedef struct json_checked {
	char *text; /* malloc'ed */
	size_t size;
	size_t values;
	size_t *numbers; /* malloc'ed: offset of each number in the original text, in order */
	size_t number_count, number_capacity;
	size_t string_bytes; /* an upper bound for the decoded keys and strings, the numbers and their NULs */
} json_checked;

enum { ATTEND_JSON_DEPTH = 128 };

/* FORMAT with "line L, column C: ..." (columns count characters), NOMEM. Free text and numbers in either case. */
attend_status attend_json_check(json_checked *out, const char *text, size_t size);

/* Length of the number at `text`, whose bytes have been checked. */
size_t attend_json_number_length(const char *text, size_t size);

json_document *attend_json_document(const attend_json *value);

/* Parse into *root, whose parent, key and next are kept; memory is hung on the document. */
attend_status attend_json_parse_into(json_document *document, attend_json *root, const char *text, size_t size);

#endif
