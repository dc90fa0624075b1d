/* recipe_args.h: how labelled files are read and what an update is, as options of every command that needs them, and options into
 * a recipe. */
#ifndef ATTEND_APPS_RECIPE_ARGS_H
#define ATTEND_APPS_RECIPE_ARGS_H

#include "apps/args.h"
#include "lib/attend_train.h"

/* --input-format, --delimiter, columns, --on-error */
extern const attend_option attend_options_data[];
/* --truncate, --window, --max-seq-length: what happens to texts that are too long */
extern const attend_option attend_options_fitting[];
/* --model, --train-file, --task ...: what learns what. */
extern const attend_option attend_options_task[];
/* Batches, optimiser, regularisation, what is frozen: all of an update but its rate. */
extern const attend_option attend_options_updates[];

/* Every option that was given and that a recipe knows by name, into `recipe`. ARG: the line says which value is wrong. */
attend_status attend_recipe_take(attend_recipe *recipe, const attend_args *args);

/* Of them only what decides about texts that are too long. */
attend_status attend_recipe_take_fitting(attend_recipe *recipe, const attend_args *args);

/* The whole recipe of a command with attend_options_task: --config FILE, the command line on top, the bundled bert-mini where no
 * model is given. Complains itself; returns an exit code. */
int attend_recipe_read(attend_recipe *recipe, const attend_args *args);

#endif
