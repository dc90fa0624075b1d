/* cmd_train_trace.c: `attend train-trace`: given batches under a given recipe, for comparison with other trainers. */
#include "apps/args.h"
#include "apps/console.h"
#include "lib/attend_train.h"

static const attend_option options[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "checkpoint folder as HuggingFace writes it", 0, 0, false, NULL},
	{"batches", 0, ATTEND_OPTION_FILE, "FILE", "safetensors file with step.N.INPUT or step.N.micro.M.INPUT", 0, 0,
     false, NULL},
	{"trace", 0, ATTEND_OPTION_FILE, "FILE", "JSON file whose `run` is the recipe", 0, 0, false, NULL},
	{"out", 0, ATTEND_OPTION_DIR, "DIR", "folder for the trained checkpoint and trace.json", 0, 0, false, NULL},
	{0},
};

static int run(const attend_args *args)
{
	const char *model = attend_args_text(args, "model", NULL), *batches = attend_args_text(args, "batches", NULL);
	const char *trace = attend_args_text(args, "trace", NULL), *out = attend_args_text(args, "out", NULL);
	if (!model || !batches || !trace || !out)
		return attend_usage(attend_args_command(args), "-m, --batches, --trace and --out are all needed");
	const attend_status status = attend_train_trace(model, batches, trace, out);
	return status == ATTEND_OK ? ATTEND_EXIT_DONE : attend_report(status);
}

const attend_command attend_command_train_trace = {
	.name = "train-trace",
	.summary = "run given batches under a given recipe (to compare trainers)",
	.example = "attend train-trace -m DIR --batches batches.safetensors --trace trace.json --out OUT",
	.groups = (const attend_option *const[]){NULL},
	.options = options,
	.run = run,
};
