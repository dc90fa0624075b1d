/* word_list.h: options that are lists of words: "a,b", a JSON list of strings, or the option given several times. */
#ifndef ATTEND_APPS_WORD_LIST_H
#define ATTEND_APPS_WORD_LIST_H

#include "apps/args.h"

typedef struct attend_word_list {
	char **items;
	size_t count, capacity;
} attend_word_list;

/* All words of option `name`, in order. Returns -1, or an exit code when all is said: the option was given without a
 * word, or a list that is no JSON. Free with attend_word_list_free in both cases. */
int attend_word_list_read(attend_word_list *out, const attend_args *args, const char *name);
void attend_word_list_free(attend_word_list *words);

#endif
