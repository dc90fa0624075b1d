/* json_edit.c: changing a document and writing it as Python's json module does. */
#include "lib/core/json_tree.h"

#include "lib/core/buffer.h"

#include <stdlib.h>
#include <string.h>

attend_status attend_json_set(attend_json *object, const char *key, const char *json_text)
{
	if (object->kind != ATTEND_JSON_OBJECT) return attend_json_fail(object, "expected an object to set \"%s\" in", key);
	json_document *const document = attend_json_document(object);
	attend_json scratch = {0};
	attend_status status = attend_json_parse_into(document, &scratch, json_text, strlen(json_text));
	if (status != ATTEND_OK) return attend_fail_in(status, document->name);

	attend_json *target = (attend_json *)(uintptr_t)attend_json_get(object, key);
	if (!target) { /* a part of one node, and the key as its pool */
		json_part *const part = calloc(1, sizeof *part);
		if (part) {
			part->next = document->parts;
			document->parts = part;
			part->nodes = calloc(1, sizeof *part->nodes);
			part->pool = strdup(key);
		}
		if (!part || !part->nodes || !part->pool) return attend_fail_memory(sizeof *part, "JSON document");
		target = part->nodes;
		target->parent = object;
		target->key = part->pool;
		target->key_size = (uint32_t)strlen(key);
		if (object->u.list.last) object->u.list.last->next = target;
		else object->u.list.first = target;
		object->u.list.last = target;
		object->u.list.count++;
	}
	target->kind = scratch.kind;
	target->truth = scratch.truth;
	target->u = scratch.u;
	if (target->kind == ATTEND_JSON_ARRAY || target->kind == ATTEND_JSON_OBJECT)
		for (attend_json *child = target->u.list.first; child; child = child->next) child->parent = target;
	return ATTEND_OK;
}

attend_status attend_json_remove(attend_json *object, const char *key)
{
	if (object->kind != ATTEND_JSON_OBJECT)
		return attend_json_fail(object, "expected an object to remove \"%s\" from", key);
	const size_t size = strlen(key);
	attend_json *last = NULL;
	for (attend_json **link = &object->u.list.first; *link;) {
		attend_json *const child = *link;
		if (child->key_size == size && memcmp(child->key, key, size) == 0) {
			*link = child->next; /* every one of equal keys; the memory stays with the document */
			object->u.list.count--;
		} else {
			last = child;
			link = &child->next;
		}
	}
	object->u.list.last = last;
	return ATTEND_OK;
}

static void new_line(attend_buffer *out, int indent, int depth)
{
	if (indent <= 0) return;
	attend_buffer_text(out, "\n");
	for (int i = 0; i < indent * depth; i++) attend_buffer_append(out, " ", 1);
}

static void print_value(attend_buffer *out, const attend_json *value, int indent, int depth)
{
	switch ((attend_json_kind)value->kind) {
	case ATTEND_JSON_NULL: attend_buffer_text(out, "null"); return;
	case ATTEND_JSON_BOOL: attend_buffer_text(out, value->truth ? "true" : "false"); return;
	case ATTEND_JSON_NUMBER: attend_buffer_append(out, value->u.text.bytes, value->u.text.size); return;
	case ATTEND_JSON_STRING: attend_buffer_json_string(out, value->u.text.bytes, value->u.text.size); return;
	case ATTEND_JSON_ARRAY:
	case ATTEND_JSON_OBJECT: break;
	}
	const bool object = value->kind == ATTEND_JSON_OBJECT;
	attend_buffer_text(out, object ? "{" : "[");
	for (const attend_json *child = value->u.list.first; child; child = child->next) {
		new_line(out, indent, depth + 1);
		if (object) {
			attend_buffer_json_string(out, child->key, child->key_size);
			attend_buffer_text(out, ": ");
		}
		print_value(out, child, indent, depth + 1);
		if (child->next) attend_buffer_text(out, indent > 0 ? "," : ", ");
	}
	if (value->u.list.count) new_line(out, indent, depth);
	attend_buffer_text(out, object ? "}" : "]");
}

attend_status attend_json_print(char **out, const attend_json *value, int indent)
{
	attend_buffer buffer = {0};
	print_value(&buffer, value, indent, 0);
	const attend_status status = attend_buffer_status(&buffer);
	if (status != ATTEND_OK) {
		attend_buffer_free(&buffer);
		return status;
	}
	*out = buffer.data;
	return ATTEND_OK;
}
