/* cmd_lr_find.c: `attend lr-find`: which learning rate suits a model and its data. */
#include <math.h>

#include "apps/args.h"
#include "apps/console.h"
#include "apps/output.h"
#include "apps/recipe_args.h"
#include "lib/attend_train.h"

static const attend_option options[] = {
	{"first-lr", 0, ATTEND_OPTION_REAL, "X", "rate of the first update [1e-7]", 1e-30, 1000, false, NULL},
	{"last-lr", 0, ATTEND_OPTION_REAL, "X", "rate of the last update [10]", 1e-30, 1000, false, NULL},
	{"steps", 0, ATTEND_OPTION_INT, "N", "updates from the first to the last rate [100]", 10, 1000000, false, NULL},
	{"csv", 0, ATTEND_OPTION_FILE, "FILE", "write rates and losses as a table", 0, 0, false, NULL},
	{"svg", 0, ATTEND_OPTION_FILE, "FILE", "write the curve as a picture", 0, 0, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "print one JSON object", 0, 0, false, NULL},
	{0},
};

static void on_step(void *payload, const attend_train_progress *p)
{
	attend_progress_step(payload, p->step);
}

static void print_numbers(const char *name, const double *values, size_t count)
{
	attend_output_printf(", \"%s\": [", name);
	for (size_t i = 0; i < count; i++) {
		if (i) attend_output_text(", ");
		attend_output_json_f64(values[i]);
	}
	attend_output_text("]");
}

static void print_json(const attend_lr_sweep *s)
{
	attend_output_text("{\"suggestion\": ");
	attend_output_json_f64(s->suggestion);
	attend_output_text(", \"steepest\": ");
	attend_output_json_f64(s->steepest);
	attend_output_text(", \"minimum\": ");
	attend_output_json_f64(s->minimum);
	attend_output_printf(", \"diverged\": %s", s->diverged ? "true" : "false");
	print_numbers("learning_rate", s->rates, s->count);
	print_numbers("loss", s->losses, s->count);
	print_numbers("smoothed_loss", s->smoothed, s->count);
	attend_output_text("}\n");
}

static void print_text(const attend_lr_sweep *s)
{
	attend_output_printf("updates         %zu%s\n", s->count, s->diverged ? ", then the loss diverged" : "");
	if (isnan(s->suggestion)) {
		attend_output_text("suggestion      none: the loss never fell\n");
		return;
	}
	attend_output_printf("steepest slope  %.2e\n", s->steepest);
	attend_output_printf("minimum / 10    %.2e\n", s->minimum / 10);
	attend_output_printf("suggestion      %.2e (%s)\n", s->suggestion,
	                     s->steepest <= s->minimum / 10 ? "steepest slope" : "minimum / 10");
}

static int sweep(const attend_args *args, const attend_recipe *recipe)
{
	const char *csv = attend_args_text(args, "csv", NULL), *svg = attend_args_text(args, "svg", NULL);
	attend_lr_find_options o = ATTEND_LR_FIND_OPTIONS_INIT;
	o.first = attend_args_real(args, "first-lr", o.first);
	o.last = attend_args_real(args, "last-lr", o.last);
	o.steps = (size_t)attend_args_int(args, "steps", (int64_t)o.steps);
	attend_progress progress;
	attend_progress_start(&progress, args, "updates", o.steps);
	const attend_train_hooks hooks = {.step = on_step, .payload = &progress};
	attend_lr_sweep s;
	attend_status status = attend_lr_find(&s, recipe, &o, &hooks);
	attend_progress_end(&progress);
	if (status != ATTEND_OK) return attend_report(status);
	if (csv) status = attend_lr_sweep_write_csv(&s, csv);
	if (svg && status == ATTEND_OK) status = attend_lr_sweep_write_svg(&s, svg);
	if (attend_args_flag(args, "json")) print_json(&s);
	else print_text(&s);
	attend_lr_sweep_free(&s);
	return status == ATTEND_OK ? ATTEND_EXIT_DONE : attend_report(status);
}

static int run(const attend_args *args)
{
	attend_recipe *recipe = NULL;
	const attend_status status = attend_recipe_new(&recipe);
	if (status != ATTEND_OK) return attend_report(status);
	int code = attend_recipe_read(recipe, args);
	if (code == ATTEND_EXIT_DONE) code = sweep(args, recipe);
	attend_recipe_free(recipe);
	return code;
}

const attend_command attend_command_lr_find = {
	.name = "lr-find",
	.summary = "find a learning rate: train a moment at rising rates",
	.details = "Smith's range test: the rate rises exponentially with every update, until the loss\n"
			   "diverges. Printed are the rate at which the loss falls fastest, a tenth of the rate at\n"
			   "its minimum, and the smaller of both as a suggestion. No model is written.",
	.example = "attend lr-find --train-file reviews.tsv --svg rates.svg",
	.groups = (const attend_option *const[]){attend_options_task, attend_options_data, attend_options_fitting,
                                             attend_options_updates, NULL},
	.options = options,
	.run = run,
};
