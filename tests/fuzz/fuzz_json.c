/* fuzz_json.c: any bytes through the parser; what parses is walked, printed and parsed again to the same text. */
#include "lib/core/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const attend_json *value)
{
	char path[64];
	const char *text;
	size_t length;
	int64_t integer;
	double number;
	bool truth;
	attend_json_path(path, sizeof path, value);
	(void)attend_json_as_string(&text, &length, value);
	(void)attend_json_as_int(&integer, value, -5, 1000);
	(void)attend_json_as_double(&number, value);
	(void)attend_json_as_bool(&truth, value);
	for (const attend_json *child = attend_json_first(value); child; child = attend_json_next(child)) walk(child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	attend_json *document, *again;
	char *first, *second;
	if (attend_json_parse(&document, (const char *)data, size, "fuzz") != ATTEND_OK) return 0;
	walk(document);
	if (attend_json_print(&first, document, 2) != ATTEND_OK) abort();
	if (attend_json_parse(&again, first, strlen(first), "again") != ATTEND_OK) abort();
	if (attend_json_print(&second, again, 2) != ATTEND_OK || strcmp(first, second) != 0) abort();
	free(first);
	free(second);
	attend_json_free(again);
	attend_json_free(document);
	return 0;
}
