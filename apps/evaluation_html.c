/* evaluation_html.c: HTML 5 without scripts or anything from elsewhere: it can be mailed and opened anywhere. */
#include "apps/evaluation_html.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"
#include "apps/console.h"

static void put(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '<') fputs("&lt;", f);
		else if (*text == '>') fputs("&gt;", f);
		else if (*text == '&') fputs("&amp;", f);
		else fputc(*text, f);
	}
}

static const char style[] =
	"body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
	"table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .6rem;border:1px solid #ddd;text-align:right}"
	"th{background:#f5f5f5;font-weight:600}td.text{text-align:left}caption{text-align:left;font-weight:600}";

static void put_numbers(FILE *f, const attend_evaluation *e)
{
	const attend_train_metrics *m = &e->metrics;
	const char *const names[] = {"Accuracy", "F1 (macro)",         "F1 (micro)",          "Matthews", "Pearson",
	                             "Spearman", "Mean squared error", "Mean absolute error", "Loss"};
	const double values[] = {m->accuracy, m->f1_macro, m->f1_micro, m->matthews, m->pearson,
	                         m->spearman, m->mse,      m->mae,      m->loss};
	fprintf(f, "<table>\n<tr><th>Examples</th><td>%zu</td></tr>\n", m->examples);
	for (size_t i = 0; i < 9; i++)
		if (!isnan(values[i])) fprintf(f, "<tr><th>%s</th><td>%.4f</td></tr>\n", names[i], values[i]);
	fputs("</table>\n", f);
}

static void put_labels(FILE *f, const attend_evaluation *e)
{
	if (!e->label_count) return;
	fputs(
		"<table><caption>Labels</caption>\n<tr><th>Label</th><th>Precision</th><th>Recall</th><th>F1</th><th>Examples</th></tr>\n",
		f);
	for (size_t i = 0; i < e->label_count; i++) {
		fputs("<tr><td class=\"text\">", f);
		put(f, e->labels[i].label);
		fprintf(f, "</td><td>%.4f</td><td>%.4f</td><td>%.4f</td><td>%zu</td></tr>\n", e->labels[i].precision,
		        e->labels[i].recall, e->labels[i].f1, e->labels[i].support);
	}
	fputs("</table>\n", f);
}

/* Cells are shaded by their share of the row. */
static void put_confusion(FILE *f, const attend_evaluation *e)
{
	const size_t n = e->label_count;
	if (!e->confusion) return;
	fputs("<table><caption>Confusion matrix (rows: label, columns: prediction)</caption>\n<tr><th></th>", f);
	for (size_t i = 0; i < n; i++) {
		fputs("<th>", f);
		put(f, e->labels[i].label);
		fputs("</th>", f);
	}
	fputs("</tr>\n", f);
	for (size_t i = 0; i < n; i++) {
		fputs("<tr><th>", f);
		put(f, e->labels[i].label);
		fputs("</th>", f);
		for (size_t j = 0; j < n; j++) {
			const unsigned long long cell = e->confusion[i * n + j];
			const double share = e->labels[i].support ? (double)cell / (double)e->labels[i].support : 0;
			fprintf(f, "<td style=\"background:rgba(%s,%.2f)\">%llu</td>", i == j ? "42,157,74" : "217,84,30",
			        0.75 * share, cell);
		}
		fputs("</tr>\n", f);
	}
	fputs("</table>\n", f);
}

static void put_errors(FILE *f, const attend_evaluation *e)
{
	if (!e->mistake_count) return;
	fputs(
		"<table><caption>Worst errors</caption>\n<tr><th>Line</th><th>Expected</th><th>Found</th><th>Text</th></tr>\n",
		f);
	for (size_t i = 0; i < e->mistake_count; i++) {
		const attend_mistake *m = &e->mistakes[i];
		fprintf(f, "<tr><td>%zu</td><td>", m->line);
		if (m->label >= 0) put(f, e->labels[m->label].label);
		if (!e->multi_label) fprintf(f, " %.3g", m->expected);
		fputs("</td><td>", f);
		if (m->predicted >= 0) put(f, e->labels[m->predicted].label);
		if (!e->multi_label) fprintf(f, " %.3g", m->found);
		fputs("</td><td class=\"text\">", f);
		put(f, m->text);
		if (m->pair) {
			fputs("<br>", f);
			put(f, m->pair);
		}
		fputs("</td></tr>\n", f);
	}
	fputs("</table>\n", f);
}

/* loss.svg of a folder that attend trained, as it is. */
static void put_curves(FILE *f, const char *model)
{
	char path[4096];
	if (snprintf(path, sizeof path, "%s/loss.svg", model) >= (int)sizeof path) return;
	FILE *svg = fopen(path, "rb");
	if (!svg) return;
	char chunk[4096];
	for (size_t n; (n = fread(chunk, 1, sizeof chunk, svg)) > 0;) fwrite(chunk, 1, n, f);
	fclose(svg);
}

int attend_evaluation_html(const char *path, const char *model, const char *file, const attend_evaluation *e)
{
	FILE *f = fopen(path, "wb");
	if (!f) return attend_complain(ATTEND_EXIT_RESOURCE, "%s: %s", path, strerror(errno));
	fprintf(
		f,
		"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Evaluation</title><style>%s</style></head><body>\n<h1>",
		style);
	put(f, model);
	fputs("</h1>\n<p>on ", f);
	put(f, file);
	fputs("</p>\n", f);
	put_numbers(f, e);
	put_labels(f, e);
	put_confusion(f, e);
	put_curves(f, model);
	put_errors(f, e);
	fputs("</body></html>\n", f);
	const bool failed = ferror(f) != 0;
	if (fclose(f) == 0 && !failed) return ATTEND_EXIT_DONE;
	const int error = errno;
	remove(path);
	return attend_complain(ATTEND_EXIT_RESOURCE, "%s: %s", path, strerror(error));
}
