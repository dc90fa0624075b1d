/* open_model.c: -m and --dtype. */
#include "apps/open_model.h"

#include <stdlib.h>

#include "apps/console.h"

attend_weight_type attend_weights_of(const attend_args *args)
{
	static const attend_weight_type types[] = {ATTEND_WEIGHTS_F32, ATTEND_WEIGHTS_BF16, ATTEND_WEIGHTS_INT8,
	                                           ATTEND_WEIGHTS_INT4};
	return attend_args_given(args, "dtype") ? types[attend_args_word(args, "dtype", 0)] : ATTEND_WEIGHTS_STORED;
}

int attend_open_model(attend_opened *out, const attend_args *args, const char *bundled)
{
	const attend_model_options options = {.weights = attend_weights_of(args)};
	const char *path = attend_args_text(args, "model", NULL);
	char *found = NULL;
	attend_status status = ATTEND_OK;
	if (path == NULL && bundled == NULL)
		return attend_usage(attend_args_command(args), "no model: give a checkpoint folder with -m");
	if (path == NULL) status = attend_bundled_model(&found, bundled);
	if (status == ATTEND_OK) status = attend_model_load(&out->model, path != NULL ? path : found, &options);
	if (status == ATTEND_OK) status = attend_pipeline_new(&out->pipeline, out->model);
	free(found);
	if (status == ATTEND_OK) return -1;
	const int code = attend_report(status);
	attend_opened_free(out);
	return code;
}

void attend_opened_free(attend_opened *opened)
{
	attend_pipeline_free(opened->pipeline);
	attend_model_free(opened->model);
	*opened = (attend_opened){0};
}

attend_cut attend_cut_of(const attend_args *args)
{
	static const attend_cut cuts[] = {ATTEND_CUT_LEFT, ATTEND_CUT_RIGHT};
	return attend_args_given(args, "truncate") ? cuts[attend_args_word(args, "truncate", 0)] : ATTEND_CUT_NEVER;
}

void attend_tell_truncated(const attend_args *args, size_t number, size_t tokens)
{
	if (tokens != 0)
		attend_warn(args, "text %zu: %zu token%s cut off", number, tokens, tokens == 1 ? " was" : "s were");
}
