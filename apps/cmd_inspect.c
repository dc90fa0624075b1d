/* cmd_inspect.c: `attend inspect`. */
#include <stdlib.h>

#include "apps/console.h"
#include "apps/output.h"

static const attend_option options[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "the folder, or its name in the hub's cache", 0, 0, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "print one JSON object", 0, 0, false, NULL},
	{0},
};

static int run(const attend_args *args)
{
	const char *path = attend_args_text(args, "model", attend_args_operand(args, 0));
	const size_t extra = attend_args_operand_count(args) + (attend_args_given(args, "model") ? 1 : 0);
	if (path == NULL || extra > 1) return attend_usage(attend_args_command(args), "expected one folder");
	char *text;
	const attend_status status = attend_inspect(&text, path, attend_args_flag(args, "json"));
	if (status != ATTEND_OK) return attend_report(status);
	attend_output_text(text);
	free(text);
	return ATTEND_EXIT_DONE;
}

const attend_command attend_command_inspect = {
	.name = "inspect",
	.summary = "tell what a checkpoint folder holds and whether it runs",
	.operands = "DIR",
	.details = "Architecture, heads, tokenizer, size on disk and in memory, and a table of all tensors\n"
			   "with what is missing, unused, or ignored. A model that attend cannot run is told so,\n"
			   "with the reason; a folder whose files are broken is an error.",
	.example = "attend inspect --json models/pretrained/bert-mini",
	.options = options,
	.run = run,
};
