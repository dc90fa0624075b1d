/* cmd_evaluate.c: `attend evaluate`: how good a classifier is on a labelled file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"
#include "apps/console.h"
#include "apps/evaluation_html.h"
#include "apps/output.h"
#include "apps/recipe_args.h"
#include "lib/attend_train.h"

static const attend_option options[] = {
	{"file", 'f', ATTEND_OPTION_FILE, "FILE", "labelled texts: csv, tsv, jsonl, fastText lines, or gz", 0, 0, false,
     "input"},
	{"errors", 0, ATTEND_OPTION_INT, "N", "show the N worst errors [0]", 0, 1000000, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "print one JSON object", 0, 0, false, NULL},
	{"html", 0, ATTEND_OPTION_FILE, "FILE", "also write a page with confusion matrix, curves and errors", 0, 0, false,
     NULL},
	{"ece", 0, ATTEND_OPTION_FLAG, NULL, "show the expected calibration error over 15 bins", 0, 0, false, NULL},
	{"temperature", 0, ATTEND_OPTION_REAL, "T", "show it with logits divided by T too", 1e-6, 1e6, false, NULL},
	{"temperature-scale", 0, ATTEND_OPTION_FILE, "FILE", "the same with the T that fits a labelled file best", 0, 0,
     false, NULL},
	{"per-device-eval-batch-size", 0, ATTEND_OPTION_INT, "N", "examples of a batch [32]", 1, 65536, false, NULL},
	{0},
};

/* Calibration as it is, and with a temperature; count 0: not asked for. */
typedef struct calibrations {
	attend_calibration items[2];
	size_t count;
} calibrations;

/* Numbers that apply, in the order in which they are shown. */
static size_t list_metrics(const attend_train_metrics *m, const char *names[8], double values[8])
{
	const char *const all_names[] = {"loss",    "accuracy", "f1_macro", "f1_micro", "matthews",
	                                 "pearson", "spearman", "mse",      "mae"};
	const double all[] = {m->loss,    m->accuracy, m->f1_macro, m->f1_micro, m->matthews,
	                      m->pearson, m->spearman, m->mse,      m->mae};
	size_t n = 0;
	for (size_t i = 0; i < 9 && n < 8; i++) {
		if (isnan(all[i])) continue;
		names[n] = all_names[i];
		values[n++] = all[i];
	}
	return n;
}

static void print_calibrations_json(const calibrations *c)
{
	if (c->count) attend_output_text(", \"calibration\": [");
	for (size_t i = 0; i < c->count; i++) {
		attend_output_text(i ? ", {\"temperature\": " : "{\"temperature\": ");
		attend_output_json_f64(c->items[i].temperature);
		attend_output_text(", \"ece\": ");
		attend_output_json_f64(c->items[i].ece);
		attend_output_text(", \"nll\": ");
		attend_output_json_f64(c->items[i].nll);
		attend_output_text("}");
	}
	if (c->count) attend_output_text("]");
}

static void print_json(const attend_evaluation *e, const calibrations *c)
{
	const char *names[8];
	double values[8];
	const size_t n = list_metrics(&e->metrics, names, values);
	attend_output_printf("{\"examples\": %zu", e->metrics.examples);
	for (size_t i = 0; i < n; i++) {
		attend_output_printf(", \"%s\": ", names[i]);
		attend_output_json_f64(values[i]);
	}
	if (e->skipped) attend_output_printf(", \"skipped\": %zu", e->skipped);
	if (e->too_long) attend_output_printf(", \"truncated\": %zu", e->too_long);
	print_calibrations_json(c);
	if (e->windowed) attend_output_printf(", \"windowed\": %zu, \"windows\": %zu", e->windowed, e->windows);
	attend_output_text(", \"labels\": [");
	for (size_t i = 0; i < e->label_count; i++) {
		const attend_label_report *l = &e->labels[i];
		attend_output_text(i ? ", {\"label\": " : "{\"label\": ");
		attend_output_json_text(l->label);
		attend_output_text(", \"precision\": ");
		attend_output_json_f64(l->precision);
		attend_output_text(", \"recall\": ");
		attend_output_json_f64(l->recall);
		attend_output_text(", \"f1\": ");
		attend_output_json_f64(l->f1);
		attend_output_printf(", \"support\": %zu}", l->support);
	}
	attend_output_text("]");
	if (e->confusion) {
		attend_output_text(", \"confusion\": [");
		for (size_t i = 0; i < e->label_count; i++) {
			attend_output_text(i ? ", [" : "[");
			for (size_t j = 0; j < e->label_count; j++)
				attend_output_printf("%s%llu", j ? ", " : "", (unsigned long long)e->confusion[i * e->label_count + j]);
			attend_output_text("]");
		}
		attend_output_text("]");
	}
	if (e->mistake_count) attend_output_text(", \"errors\": [");
	for (size_t i = 0; i < e->mistake_count; i++) {
		const attend_mistake *m = &e->mistakes[i];
		attend_output_printf("%s{\"line\": %zu, \"text\": ", i ? ", " : "", m->line);
		attend_output_json_text(m->text);
		if (m->pair) {
			attend_output_text(", \"text_pair\": ");
			attend_output_json_text(m->pair);
		}
		if (m->label >= 0) {
			attend_output_text(", \"label\": ");
			attend_output_json_text(e->labels[m->label].label);
			attend_output_text(", \"predicted\": ");
			attend_output_json_text(e->labels[m->predicted].label);
		}
		if (!e->multi_label) {
			attend_output_text(e->regression ? ", \"expected\": " : ", \"label_probability\": ");
			attend_output_json_f64(m->expected);
			attend_output_text(e->regression ? ", \"found\": " : ", \"predicted_probability\": ");
			attend_output_json_f64(m->found);
		}
		attend_output_text("}");
	}
	attend_output_text(e->mistake_count ? "]}\n" : "}\n");
}

static void print_confusion(const attend_evaluation *e)
{
	if (!e->confusion || e->label_count > 20) return;
	attend_output_text("\nconfusion (rows: label, columns: prediction)\n");
	for (size_t i = 0; i < e->label_count; i++) {
		for (size_t j = 0; j < e->label_count; j++)
			attend_output_printf("%7llu", (unsigned long long)e->confusion[i * e->label_count + j]);
		attend_output_printf("  %s\n", e->labels[i].label);
	}
}

static void print_text(const attend_evaluation *e, const calibrations *c)
{
	const char *names[8];
	double values[8];
	const size_t n = list_metrics(&e->metrics, names, values);
	attend_output_printf("examples  %zu\n", e->metrics.examples);
	for (size_t i = 0; i < n; i++) attend_output_printf("%-9s %.4f\n", names[i], values[i]);
	if (c->count) attend_output_text("\ntemperature     ECE     NLL\n");
	for (size_t i = 0; i < c->count; i++)
		attend_output_printf("%11.4f  %.4f  %.4f\n", c->items[i].temperature, c->items[i].ece, c->items[i].nll);
	if (e->label_count) attend_output_text("\nprecision  recall      F1  support  label\n");
	for (size_t i = 0; i < e->label_count; i++) {
		const attend_label_report *l = &e->labels[i];
		attend_output_printf("   %.4f  %.4f  %.4f  %7zu  %s\n", l->precision, l->recall, l->f1, l->support, l->label);
	}
	print_confusion(e);
	if (e->mistake_count) attend_output_text("\nworst errors\n");
	for (size_t i = 0; i < e->mistake_count; i++) {
		const attend_mistake *m = &e->mistakes[i];
		attend_output_printf("line %zu: ", m->line);
		if (m->label >= 0)
			attend_output_printf("%s, taken for %s (%.3f against %.3f): ", e->labels[m->label].label,
			                     e->labels[m->predicted].label, m->found, m->expected);
		else if (e->regression) attend_output_printf("%g, found %.4g: ", m->expected, m->found);
		attend_output_text(m->text);
		attend_output_text("\n");
	}
}

static attend_status read_recipe(attend_recipe *recipe, const attend_args *args)
{
	attend_status status = attend_recipe_set(recipe, "validation_file", attend_args_text(args, "file", ""));
	if (status == ATTEND_OK) status = attend_recipe_set(recipe, "per_device_eval_batch_size", "32");
	return status == ATTEND_OK ? attend_recipe_take(recipe, args) : status;
}

/* The temperature that was asked for; 0: none. */
static attend_status find_temperature(double *out, const attend_args *args, const char *model)
{
	const char *file = attend_args_text(args, "temperature-scale", NULL);
	*out = attend_args_real(args, "temperature", 0);
	if (file == NULL) return ATTEND_OK;
	attend_recipe *recipe = NULL;
	attend_evaluation e = {0};
	attend_status status = attend_recipe_new(&recipe);
	if (status == ATTEND_OK) status = read_recipe(recipe, args);
	if (status == ATTEND_OK) status = attend_recipe_set(recipe, "validation_file", file);
	if (status == ATTEND_OK) status = attend_evaluate(&e, model, recipe, 0);
	if (status == ATTEND_OK) status = attend_evaluation_fit_temperature(out, &e);
	attend_evaluation_free(&e);
	attend_recipe_free(recipe);
	return status;
}

static attend_status calibrate(calibrations *out, const attend_args *args, const char *model,
                               const attend_evaluation *e)
{
	double temperature = 0;
	attend_status status = find_temperature(&temperature, args, model);
	if (status != ATTEND_OK) return status;
	if (attend_args_flag(args, "ece") || temperature > 0)
		status = attend_evaluation_calibration(&out->items[out->count++], e, 1);
	if (status == ATTEND_OK && temperature > 0)
		status = attend_evaluation_calibration(&out->items[out->count++], e, temperature);
	return status;
}

static int run(const attend_args *args)
{
	const char *model = attend_args_text(args, "model", NULL), *html = attend_args_text(args, "html", NULL);
	if (!model || !attend_args_given(args, "file"))
		return attend_usage(attend_args_command(args), "-m DIR and --file FILE are needed");
	if (attend_args_given(args, "temperature") && attend_args_given(args, "temperature-scale"))
		return attend_usage(attend_args_command(args), "--temperature and --temperature-scale exclude each other");
	attend_recipe *recipe = NULL;
	attend_evaluation e = {0};
	calibrations scaled = {0};
	attend_status status = attend_recipe_new(&recipe);
	if (status == ATTEND_OK) status = read_recipe(recipe, args);
	const size_t mistakes = (size_t)attend_args_int(args, "errors", html ? 20 : 0);
	if (status == ATTEND_OK) status = attend_evaluate(&e, model, recipe, mistakes);
	if (status == ATTEND_OK) status = calibrate(&scaled, args, model, &e);
	int code = status == ATTEND_OK ? ATTEND_EXIT_DONE : attend_report(status);
	if (code == ATTEND_EXIT_DONE) {
		attend_note(args, "%s", e.columns);
		if (e.skipped) attend_warn(args, "%zu bad rows were left out", e.skipped);
		if (e.too_long) attend_warn(args, "%zu texts were too long and were cut", e.too_long);
		if (e.windowed)
			attend_warn(args, "%zu long texts ran in windows, logits pooled by %s: %zu windows of %zu texts",
			            e.windowed, attend_args_word(args, "window-pooling", 0) == 1 ? "maximum" : "mean", e.windows,
			            e.metrics.examples);
		if (attend_args_flag(args, "json")) print_json(&e, &scaled);
		else print_text(&e, &scaled);
		if (html) code = attend_evaluation_html(html, model, attend_args_text(args, "file", ""), &e);
	}
	attend_evaluation_free(&e);
	attend_recipe_free(recipe);
	return code;
}

const attend_command attend_command_evaluate = {
	.name = "evaluate",
	.summary = "measure a classifier on labelled texts",
	.details = "Accuracy, F1 (macro, micro, per label), Matthews' coefficient and the confusion\n"
			   "matrix; for regression Pearson, Spearman and errors. Labels must be the model's.",
	.example = "attend evaluate -m reviews-model --file test.tsv --errors 5 --html report.html",
	.groups = (const attend_option *const[]){attend_options_model, attend_options_data, attend_options_fitting, NULL},
	.options = options,
	.run = run,
};
