/* json.c: parsing. The text is checked by json_check.c, parsed by cJSON, and copied out of cJSON's tree into one array of
 * nodes with parent links (for the path in messages), lengths (strings may hold U+0000) and the numbers as they were
 * written (integers stay exact, a rewritten file keeps them). */
#include "lib/core/json_tree.h"

#include "lib/core/arena.h"
#include "lib/core/file.h"

#include <cjson/cJSON.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* cJSON_ParseWithLength writes a process-global error pointer, which nobody here reads. */
static pthread_mutex_t cjson_lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct copier {
	attend_json *nodes; /* next free one */
	char *pool;         /* next free byte */
	const json_checked *checked;
	const char *text; /* the original */
	size_t size, number;
} copier;

/* Copy a C string of cJSON, turning C0 80 back into a NUL byte. */
static const char *copy_string(copier *c, const char *from, uint32_t *size)
{
	char *const start = c->pool;
	size_t length = strlen(from);
	memcpy(start, from, length + 1);
	if (memchr(start, 0xc0, length)) {
		size_t kept = 0;
		for (size_t i = 0; i < length; i++) {
			const bool nul = (unsigned char)start[i] == 0xc0;
			start[kept++] = nul ? 0 : start[i];
			if (nul) i++;
		}
		length = kept;
		start[length] = 0;
	}
	c->pool += length + 1;
	*size = (uint32_t)length;
	return start;
}

/* Digits alone, so few that a double holds them all: what vocabularies consist of. */
static bool plain_number(double *out, const char *text, size_t size)
{
	enum { EXACT_DIGITS = 15 };
	uint64_t value = 0;
	if (size > EXACT_DIGITS) return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9') return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*out = (double)value;
	return true;
}

static void copy_number(copier *c, attend_json *node)
{
	const size_t start = c->checked->numbers[c->number++];
	const size_t length = attend_json_number_length(c->text + start, c->size - start);
	memcpy(c->pool, c->text + start, length);
	c->pool[length] = 0;
	node->u.text.bytes = c->pool;
	node->u.text.size = (uint32_t)length;
	if (!plain_number(&node->u.text.number, c->pool, length))
		node->u.text.number = strtod(c->pool, NULL); /* correctly rounded; under the C locale */
	c->pool += length + 1;
}

/* Depth is bounded by the check. */
static void copy_value(copier *c, attend_json *node, const cJSON *from)
{
	if (cJSON_IsString(from)) {
		node->kind = ATTEND_JSON_STRING;
		node->u.text.bytes = copy_string(c, from->valuestring, &node->u.text.size);
	} else if (cJSON_IsNumber(from)) {
		node->kind = ATTEND_JSON_NUMBER;
		copy_number(c, node);
	} else if (cJSON_IsBool(from)) {
		node->kind = ATTEND_JSON_BOOL;
		node->truth = cJSON_IsTrue(from);
	} else if (cJSON_IsNull(from)) {
		node->kind = ATTEND_JSON_NULL;
	} else {
		node->kind = cJSON_IsObject(from) ? ATTEND_JSON_OBJECT : ATTEND_JSON_ARRAY;
		for (const cJSON *item = from->child; item; item = item->next) {
			attend_json *const child = c->nodes++;
			child->parent = node;
			if (item->string) child->key = copy_string(c, item->string, &child->key_size);
			if (node->u.list.last) node->u.list.last->next = child;
			else node->u.list.first = child;
			node->u.list.last = child;
			node->u.list.count++;
			copy_value(c, child, item);
		}
	}
}

static attend_status copy_document(json_document *document, attend_json *root, const json_checked *checked,
                                   const cJSON *parsed, const char *text, size_t size)
{
	json_part *const part = calloc(1, sizeof *part);
	if (!part) return attend_fail_memory(sizeof *part, "JSON document");
	part->nodes = calloc(checked->values, sizeof *part->nodes);
	part->pool = malloc(checked->string_bytes + 1);
	if (!part->nodes || !part->pool) {
		free(part->nodes);
		free(part->pool);
		free(part);
		return attend_fail_memory(checked->values * sizeof *part->nodes + checked->string_bytes, "JSON document");
	}
	part->next = document->parts;
	document->parts = part;
	copier c = {.nodes = part->nodes, .pool = part->pool, .checked = checked, .text = text, .size = size};
	const locale_t neutral = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	const locale_t old = neutral ? uselocale(neutral) : (locale_t)0;
	memset(&root->u, 0, sizeof root->u);
	copy_value(&c, root, parsed);
	if (neutral) {
		uselocale(old);
		freelocale(neutral);
	}
	return ATTEND_OK;
}

attend_status attend_json_parse_into(json_document *document, attend_json *root, const char *text, size_t size)
{
	json_checked checked;
	attend_status status = attend_json_check(&checked, text, size);
	if (status == ATTEND_OK) {
		pthread_mutex_lock(&cjson_lock);
		cJSON *const parsed = cJSON_ParseWithLength(checked.text, checked.size + 1);
		pthread_mutex_unlock(&cjson_lock);
		if (!parsed) status = attend_fail_memory(size, "JSON text"); /* the text is good: nothing else is left */
		else status = copy_document(document, root, &checked, parsed, text, size);
		cJSON_Delete(parsed);
	}
	free(checked.text);
	free(checked.numbers);
	return status;
}

attend_status attend_json_parse(attend_json **out, const char *text, size_t size, const char *name)
{
	json_document *const document = calloc(1, sizeof *document);
	if (!document) return attend_fail_memory(sizeof *document, "JSON document");
	document->name = strdup(name);
	attend_status status = ATTEND_OK;
	if (!document->name) status = attend_fail_memory(strlen(name), "JSON document");
	else status = attend_json_parse_into(document, &document->root, text, size);
	if (status != ATTEND_OK) {
		attend_json_free(&document->root);
		return attend_fail_in(status, name);
	}
	*out = &document->root;
	return ATTEND_OK;
}

attend_status attend_json_read(attend_json **out, const char *path)
{
	char *text;
	size_t size;
	ATTEND_TRY(attend_file_read(&text, &size, path, (size_t)256 << 20));
	const attend_status status = attend_json_parse(out, text, size, path);
	free(text);
	return status;
}

json_document *attend_json_document(const attend_json *value)
{
	while (value->parent) value = value->parent;
	return (json_document *)(uintptr_t)value; /* the root is the first member; the document is never const itself */
}

void attend_json_free(attend_json *root)
{
	if (!root) return;
	json_document *const document = attend_json_document(root);
	for (json_part *part = document->parts; part;) {
		json_part *const next = part->next;
		free(part->nodes);
		free(part->pool);
		free(part);
		part = next;
	}
	free(document->name);
	free(document);
}
