/* json_member.c: one member of one JSON object, for programs that read JSON lines. */
#include <stdlib.h>
#include <string.h>

#include "lib/attend.h"
#include "lib/core/json.h"

attend_status attend_json_member(char **value, size_t *value_size, const char *object, size_t size, const char *key,
                                 const char *name)
{
	if (value == NULL || value_size == NULL || object == NULL || key == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_json_member: arguments must not be NULL");
	attend_json *document;
	attend_status status = attend_json_parse(&document, object, size, name != NULL ? name : "JSON");
	if (status != ATTEND_OK) return status == ATTEND_ERR_FORMAT ? ATTEND_ERR_DATA : status;
	const attend_json *member = attend_json_get(document, key);
	if (attend_json_type(document) != ATTEND_JSON_OBJECT) {
		(void)attend_json_fail(document, "expected an object, found %s", attend_json_type_name(document));
		status = ATTEND_ERR_DATA;
	} else if (member == NULL || attend_json_type(member) == ATTEND_JSON_NULL) status = ATTEND_ERR_NOTFOUND;
	else if (attend_json_type(member) == ATTEND_JSON_STRING) {
		const char *text;
		size_t n;
		status = attend_json_as_string(&text, &n, member);
		char *copy = status == ATTEND_OK ? malloc(n + 1) : NULL;
		if (status == ATTEND_OK && copy == NULL) status = attend_fail_memory(n + 1, "JSON string");
		if (status == ATTEND_OK) {
			memcpy(copy, text, n);
			copy[n] = 0;
			*value = copy;
			*value_size = n;
		}
	} else {
		char *text;
		status = attend_json_print(&text, member, 0);
		if (status == ATTEND_OK) {
			*value = text;
			*value_size = strlen(text);
		}
	}
	attend_json_free(document);
	return status;
}
