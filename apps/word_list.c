/* word_list.c: lists of words on the command line. */
#include "apps/word_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/console.h"
#include "lib/attend.h"

static int no_memory(void)
{
	return attend_complain(ATTEND_EXIT_RESOURCE, "no memory for the words");
}

static int add(attend_word_list *words, const char *text, size_t size)
{
	if (words->count == words->capacity) {
		const size_t capacity = words->capacity * 2 + 8;
		char **grown = realloc(words->items, capacity * sizeof *grown);
		if (grown == NULL) return no_memory();
		words->items = grown;
		words->capacity = capacity;
	}
	char *word = strndup(text, size);
	if (word == NULL) return no_memory();
	words->items[words->count++] = word;
	return -1;
}

/* A JSON string (with its quotes) decoded by the library. */
static int add_string(attend_word_list *words, const char *quoted, size_t size)
{
	char *object = malloc(size + 8), *value;
	size_t value_size;
	if (object == NULL) return no_memory();
	const int n = snprintf(object, size + 8, "{\"w\":%.*s}", (int)size, quoted);
	const attend_status status = attend_json_member(&value, &value_size, object, (size_t)n, "w", "list");
	free(object);
	if (status != ATTEND_OK) return attend_report(status);
	const int code = add(words, value, value_size);
	free(value);
	return code;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t\r\n");
}

/* ["a", "b"]; code -2: it is none. */
static int add_list(attend_word_list *words, const char *text)
{
	text = skip_blanks(text + 1);
	while (*text == '"') {
		const char *end = text + 1;
		while (*end != 0 && *end != '"') end += *end == '\\' && end[1] != 0 ? 2 : 1;
		if (*end == 0) return -2;
		const int code = add_string(words, text, (size_t)(end + 1 - text));
		if (code >= 0) return code;
		text = skip_blanks(end + 1);
		if (*text != ',') break;
		text = skip_blanks(text + 1);
		if (*text != '"') return -2;
	}
	return *text == ']' && *skip_blanks(text + 1) == 0 ? -1 : -2;
}

static int add_commas(attend_word_list *words, const char *text)
{
	for (int code;; text++) {
		const size_t size = strcspn(text, ",");
		if (size != 0 && (code = add(words, text, size)) >= 0) return code;
		text += size;
		if (*text == 0) return -1;
	}
}

int attend_word_list_read(attend_word_list *out, const attend_args *args, const char *name)
{
	const char *text;
	*out = (attend_word_list){0};
	for (size_t i = 0; (text = attend_args_nth(args, name, i)) != NULL; i++) {
		const int code = *text == '[' ? add_list(out, text) : add_commas(out, text);
		if (code == -2)
			return attend_usage(attend_args_command(args), "--%s: expected [\"WORD\", ...], found %s", name, text);
		if (code >= 0) return code;
	}
	if (out->count == 0 && attend_args_given(args, name))
		return attend_usage(attend_args_command(args), "--%s: no word given", name);
	return -1;
}

void attend_word_list_free(attend_word_list *words)
{
	for (size_t i = 0; i < words->count; i++) free(words->items[i]);
	free(words->items);
	*words = (attend_word_list){0};
}
