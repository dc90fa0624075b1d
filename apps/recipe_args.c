/* recipe_args.c: the options of labelled files; a command line as a recipe. */
#include "apps/recipe_args.h"

#include <string.h>

const attend_option attend_options_data[] = {
	{"input-format", 0, ATTEND_OPTION_WORD, "auto|csv|tsv|jsonl|fasttext|plain|space",
     "form of the files [by name and first line]", 0, 0, false, NULL},
	{"delimiter", 0, ATTEND_OPTION_TEXT, "C", "between columns: a character, tab or space [found out]", 0, 0, false,
     NULL},
	{"encoding", 0, ATTEND_OPTION_TEXT, "NAME", "utf-8, utf-16, latin-1, windows-1252 [utf-8, or by the mark]", 0, 0,
     false, NULL},
	{"header", 0, ATTEND_OPTION_WORD, "auto|yes|no", "is the first row a header? [found out]", 0, 0, false, NULL},
	{"text-column", 0, ATTEND_OPTION_TEXT, "NAME|N", "column of the text [found out]", 0, 0, false, NULL},
	{"text-pair-column", 0, ATTEND_OPTION_TEXT, "NAME|N", "column of the second text of a pair", 0, 0, false, NULL},
	{"label-column", 0, ATTEND_OPTION_TEXT, "NAME|N", "column of the label [found out]", 0, 0, false, NULL},
	{"label-separator", 0, ATTEND_OPTION_TEXT, "TEXT", "between the labels of one cell [,]", 0, 0, false, NULL},
	{"on-error", 0, ATTEND_OPTION_WORD, "stop|skip",
     "a bad row stops before training, or is left out and counted [stop]", 0, 0, false, NULL},
	{"truncate", 0, ATTEND_OPTION_WORD, "left|right", "cut texts that are too long instead of stopping", 0, 0, false,
     NULL},
	{"max-seq-length", 0, ATTEND_OPTION_JSON, "N", "tokens of a text at most [what the model takes]", 0, 0, false,
     NULL},
	{0},
};

attend_status attend_recipe_take(attend_recipe *recipe, const attend_args *args)
{
	const attend_option *option = NULL;
	const char *text = NULL;
	for (size_t i = 0; attend_args_each(args, i, &option, &text); i++) {
		const bool rows = strcmp(option->name, "on-error") == 0;
		const attend_status status =
			rows ? attend_recipe_set(recipe, "skip_bad_rows", strcmp(text, "skip") == 0 ? "true" : "false")
				 : attend_recipe_set(recipe, option->name, text);
		if (status != ATTEND_OK && status != ATTEND_ERR_NOTFOUND) return status; /* not found: the command's own */
	}
	return ATTEND_OK;
}
