/* recipe_args.h: how labelled files are read, as options of every command that reads one, and options into a recipe. */
#ifndef ATTEND_APPS_RECIPE_ARGS_H
#define ATTEND_APPS_RECIPE_ARGS_H

#include "apps/args.h"
#include "lib/attend_train.h"

/* --input-format, --delimiter, columns, --on-error, --truncate ... */
extern const attend_option attend_options_data[];

/* Every option that was given and that a recipe knows by name, into `recipe`. ARG: the line says which value is wrong. */
attend_status attend_recipe_take(attend_recipe *recipe, const attend_args *args);

#endif
