/* cmd_compare.c: `attend compare`: several training runs side by side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"
#include "apps/console.h"
#include "apps/output.h"
#include "lib/attend_train.h"

enum { SHOWN = 10 }; /* steps of a curve in the text */

static const attend_option options[] = {
	{"svg", 0, ATTEND_OPTION_FILE, "FILE", "write the loss curves as a picture", 0, 0, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "print one JSON object with numbers and whole curves", 0, 0, false, NULL},
	{0},
};

/* ---- JSON ----------------------------------------------------------------------------------------------------------------- */

static void print_array(const char *name, const double *values, size_t count)
{
	attend_output_printf("\"%s\": [", name);
	for (size_t i = 0; i < count; i++) {
		if (i) attend_output_text(", ");
		attend_output_json_f64(values[i]);
	}
	attend_output_text("]");
}

static void print_curve(const char *name, const attend_run_curve *c)
{
	attend_output_printf(", \"%s\": {", name);
	print_array("step", c->steps, c->count);
	attend_output_text(", ");
	print_array("value", c->values, c->count);
	attend_output_text("}");
}

static void print_json(const attend_run *runs, size_t count)
{
	attend_output_text("{\"runs\": [");
	for (size_t r = 0; r < count; r++) {
		attend_output_text(r ? ", {\"dir\": " : "{\"dir\": ");
		attend_output_json_text(runs[r].dir);
		attend_output_text(", \"numbers\": {");
		for (size_t i = 0; i < runs[r].number_count; i++) {
			if (i) attend_output_text(", ");
			attend_output_json_text(runs[r].names[i]);
			attend_output_text(": ");
			attend_output_json_f64(runs[r].values[i]);
		}
		attend_output_text("}");
		print_curve("training_loss", &runs[r].training_loss);
		print_curve("validation_loss", &runs[r].validation_loss);
		attend_output_text("}");
	}
	attend_output_text("]}\n");
}

/* ---- Text: a row per number, a column per run --------------------------------------------------------------------------------- */

static int width_of(const attend_run *run)
{
	const size_t n = strlen(run->dir);
	return n < 10 ? 10 : (int)n;
}

static void print_cell(const attend_run *run, double value)
{
	if (isnan(value)) attend_output_printf("  %*s", width_of(run), "-");
	else if (fabs(value) < 1e15 && !(value < floor(value)) && !(value > floor(value)))
		attend_output_printf("  %*.0f", width_of(run), value);
	else attend_output_printf("  %*.6g", width_of(run), value);
}

static void print_head(const char *what, const attend_run *runs, size_t count)
{
	attend_output_printf("%-24s", what);
	for (size_t r = 0; r < count; r++) attend_output_printf("  %*s", width_of(&runs[r]), runs[r].dir);
	attend_output_text("\n");
}

static double number_of(const attend_run *run, const char *name)
{
	for (size_t i = 0; i < run->number_count; i++)
		if (strcmp(run->names[i], name) == 0) return run->values[i];
	return NAN;
}

static void print_numbers(const attend_run *runs, size_t count)
{
	print_head("", runs, count);
	for (size_t r = 0; r < count; r++)
		for (size_t i = 0; i < runs[r].number_count; i++) {
			const char *name = runs[r].names[i];
			bool shown = false;
			for (size_t before = 0; before < r; before++) shown |= !isnan(number_of(&runs[before], name));
			if (shown) continue;
			attend_output_printf("%-24s", name);
			for (size_t c = 0; c < count; c++) print_cell(&runs[c], number_of(&runs[c], name));
			attend_output_text("\n");
		}
}

static const attend_run_curve *curve_of(const attend_run *run, bool validation)
{
	return validation ? &run->validation_loss : &run->training_loss;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* All steps at which any run has a point, rising, each once; malloc'ed, NULL: no memory. */
static double *all_steps(size_t *n, const attend_run *runs, size_t count, bool validation)
{
	size_t total = 0;
	*n = 0;
	for (size_t r = 0; r < count; r++) total += curve_of(&runs[r], validation)->count;
	double *steps = malloc((total + 1) * sizeof *steps);
	if (!steps) return NULL;
	for (size_t r = 0, at = 0; r < count; r++) {
		const attend_run_curve *c = curve_of(&runs[r], validation);
		for (size_t i = 0; i < c->count; i++) steps[at++] = c->steps[i];
	}
	qsort(steps, total, sizeof *steps, by_value);
	for (size_t i = 0; i < total; i++)
		if (*n == 0 || steps[i] > steps[*n - 1]) steps[(*n)++] = steps[i];
	return steps;
}

static void print_row(const attend_run *runs, size_t count, bool validation, double step)
{
	attend_output_printf("step %-19.0f", step);
	for (size_t r = 0; r < count; r++) {
		const attend_run_curve *c = curve_of(&runs[r], validation);
		double value = NAN;
		for (size_t i = 0; i < c->count; i++)
			if (!(c->steps[i] < step) && !(c->steps[i] > step)) value = c->values[i];
		print_cell(&runs[r], value);
	}
	attend_output_text("\n");
}

static int print_curves(const attend_run *runs, size_t count, bool validation)
{
	size_t n = 0;
	double *steps = all_steps(&n, runs, count, validation);
	if (!steps) return attend_complain(ATTEND_EXIT_RESOURCE, "out of memory");
	const size_t rows = n < SHOWN ? n : SHOWN;
	if (n) attend_output_text("\n");
	if (n) print_head(validation ? "validation loss" : "training loss", runs, count);
	for (size_t i = 0; i < rows; i++)
		print_row(runs, count, validation, steps[rows > 1 ? i * (n - 1) / (rows - 1) : 0]);
	if (rows < n) attend_output_printf("(%zu of %zu steps; --json and --svg have them all)\n", rows, n);
	free(steps);
	return ATTEND_EXIT_DONE;
}

static int print_text(const attend_run *runs, size_t count)
{
	print_numbers(runs, count);
	const int code = print_curves(runs, count, false);
	return code == ATTEND_EXIT_DONE ? print_curves(runs, count, true) : code;
}

static int run(const attend_args *args)
{
	const size_t count = attend_args_operand_count(args);
	const char *svg = attend_args_text(args, "svg", NULL);
	if (count == 0) return attend_usage(attend_args_command(args), "at least one folder is needed");
	attend_run *runs = calloc(count, sizeof *runs);
	if (!runs) return attend_complain(ATTEND_EXIT_RESOURCE, "out of memory");
	attend_status status = ATTEND_OK;
	for (size_t r = 0; r < count && status == ATTEND_OK; r++)
		status = attend_run_read(&runs[r], attend_args_operand(args, r));
	if (status == ATTEND_OK && svg) status = attend_runs_write_svg(runs, count, svg);
	int code = ATTEND_EXIT_DONE;
	if (status != ATTEND_OK) code = attend_report(status);
	else if (attend_args_flag(args, "json")) print_json(runs, count);
	else code = print_text(runs, count);
	for (size_t r = 0; r < count; r++) attend_run_free(&runs[r]);
	free(runs);
	return code;
}

const attend_command attend_command_compare = {
	.name = "compare",
	.summary = "show training runs side by side",
	.operands = "DIR ...",
	.details = "DIR is the output folder of attend finetune or of HF's Trainer: the numbers of\n"
			   "all_results.json and the loss curves of trainer_state.json (of a run that has not\n"
			   "ended: of its newest checkpoint).",
	.example = "attend compare run-1 run-2 --svg runs.svg",
	.options = options,
	.run = run,
};
