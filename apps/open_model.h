/* open_model.h: the model that a command works with, from its options. */
#ifndef ATTEND_APPS_OPEN_MODEL_H
#define ATTEND_APPS_OPEN_MODEL_H

#include "apps/args.h"
#include "lib/attend.h"

typedef struct attend_opened {
	attend_model *model;
	attend_pipeline *pipeline;
} attend_opened;

/* Load -m with --dtype; without -m the bundled checkpoint of this name (NULL: -m is needed). Returns -1, or an exit
 * code when all is said. Free with attend_opened_free, also a zeroed one. */
int attend_open_model(attend_opened *out, const attend_args *args, const char *bundled);
void attend_opened_free(attend_opened *opened);

/* --dtype; without it the type that the folder is stored in. */
attend_weight_type attend_weights_of(const attend_args *args);

/* --truncate as the library's enum, and the option itself for the tables of commands. */
attend_cut attend_cut_of(const attend_args *args);
#define ATTEND_OPTION_TRUNCATE                                                                                        \
	{                                                                                                                 \
		"truncate", 0, ATTEND_OPTION_WORD, "left|right", "cut a text that is too long on this side [an error]", 0, 0, \
			false, NULL                                                                                               \
	}

/* Reading all of a text that is too long: for the tables of classify, evaluate and finetune. */
#define ATTEND_OPTIONS_WINDOW                                                                                     \
	{"window",                                                                                                    \
	 0,                                                                                                           \
	 ATTEND_OPTION_MAYBE,                                                                                         \
	 "[N]",                                                                                                       \
	 "read long texts in windows of N tokens, pool their logits [what the model takes]",                          \
	 0,                                                                                                           \
	 1 << 24,                                                                                                     \
	 false,                                                                                                       \
	 NULL},                                                                                                       \
		{"stride",                                                                                                \
	     0,                                                                                                       \
	     ATTEND_OPTION_INT,                                                                                       \
	     "N",                                                                                                     \
	     "tokens that windows overlap by [half a window, at most 128]",                                           \
	     0,                                                                                                       \
	     1 << 24,                                                                                                 \
	     false,                                                                                                   \
	     NULL},                                                                                                   \
	{                                                                                                             \
		"window-pooling", 0, ATTEND_OPTION_WORD, "mean|max", "how the logits of windows become one [mean]", 0, 0, \
			false, NULL                                                                                           \
	}

/* Say on stderr that tokens of a text were cut off, unless `tokens` is 0. */
void attend_tell_truncated(const attend_args *args, size_t number, size_t tokens);

#endif
