/* metrics.c: accuracy, precision, recall, F1, Matthews (scikit-learn's definitions), Pearson, Spearman (scipy's). */
#include "lib/train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

static double ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static attend_class_metrics measure(double hits, double predicted, double actual)
{
	return (attend_class_metrics){.precision = ratio(hits, predicted),
	                              .recall = ratio(hits, actual),
	                              .f1 = ratio(2 * hits, predicted + actual),
	                              .support = (size_t)actual};
}

void attend_confusion_add(uint64_t *confusion, size_t classes, const int32_t *labels, const int32_t *predictions,
                          size_t count)
{
	for (size_t i = 0; i < count; i++) confusion[(size_t)labels[i] * classes + (size_t)predictions[i]]++;
}

/* The averages over classes; micro comes from the sums. */
static void average(attend_classification_metrics *out, const attend_class_metrics *per_class, size_t classes,
                    double hits, double predicted, double actual)
{
	for (size_t c = 0; c < classes; c++) {
		const attend_class_metrics *m = &per_class[c];
		const double weight = ratio((double)m->support, actual);
		out->macro.precision += m->precision / (double)classes;
		out->macro.recall += m->recall / (double)classes;
		out->macro.f1 += m->f1 / (double)classes;
		out->weighted.precision += weight * m->precision;
		out->weighted.recall += weight * m->recall;
		out->weighted.f1 += weight * m->f1;
	}
	out->micro = measure(hits, predicted, actual);
	out->macro.support = out->weighted.support = out->micro.support;
}

void attend_classification_measure(attend_classification_metrics *out, attend_class_metrics *per_class,
                                   const uint64_t *confusion, size_t classes)
{
	double total = 0, hits = 0, cross = 0, predicted_squares = 0, actual_squares = 0;
	*out = (attend_classification_metrics){0};
	for (size_t c = 0; c < classes; c++) {
		double predicted = 0, actual = 0;
		for (size_t d = 0; d < classes; d++) {
			actual += (double)confusion[c * classes + d];
			predicted += (double)confusion[d * classes + c];
		}
		per_class[c] = measure((double)confusion[c * classes + c], predicted, actual);
		hits += (double)confusion[c * classes + c];
		total += actual;
		cross += predicted * actual;
		predicted_squares += predicted * predicted;
		actual_squares += actual * actual;
	}
	out->accuracy = ratio(hits, total);
	average(out, per_class, classes, hits, total, total);
	const double below = sqrt(total * total - predicted_squares) * sqrt(total * total - actual_squares);
	out->matthews = ratio(hits * total - cross, below);
}

void attend_multi_label_measure(attend_classification_metrics *out, attend_class_metrics *per_class,
                                const uint8_t *truth, const uint8_t *predictions, size_t count, size_t classes)
{
	double all_hits = 0, all_predicted = 0, all_actual = 0, exact = 0;
	*out = (attend_classification_metrics){.matthews = NAN};
	for (size_t c = 0; c < classes; c++) {
		double hits = 0, predicted = 0, actual = 0;
		for (size_t i = 0; i < count; i++) {
			const bool t = truth[i * classes + c] != 0, p = predictions[i * classes + c] != 0;
			hits += t && p;
			predicted += p;
			actual += t;
		}
		per_class[c] = measure(hits, predicted, actual);
		all_hits += hits;
		all_predicted += predicted;
		all_actual += actual;
	}
	for (size_t i = 0; i < count; i++) {
		bool same = true;
		for (size_t c = 0; c < classes; c++) same &= !truth[i * classes + c] == !predictions[i * classes + c];
		exact += same;
	}
	out->accuracy = ratio(exact, (double)count);
	average(out, per_class, classes, all_hits, all_predicted, all_actual);
}

static double correlation(const double *x, const double *y, size_t count)
{
	double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
	for (size_t i = 0; i < count; i++) {
		mx += x[i] / (double)count;
		my += y[i] / (double)count;
	}
	for (size_t i = 0; i < count; i++) {
		xx += (x[i] - mx) * (x[i] - mx);
		yy += (y[i] - my) * (y[i] - my);
		xy += (x[i] - mx) * (y[i] - my);
	}
	return xx > 0 && yy > 0 ? fmax(-1, fmin(1, xy / (sqrt(xx) * sqrt(yy)))) : NAN;
}

typedef struct ranked {
	double value;
	size_t at;
} ranked;

static int rising(const void *a, const void *b)
{
	const ranked *x = a, *y = b;
	return x->value < y->value ? -1 : x->value > y->value;
}

static void rank(double *ranks, const double *x, ranked *order, size_t count)
{
	for (size_t i = 0; i < count; i++) order[i] = (ranked){x[i], i};
	qsort(order, count, sizeof *order, rising);
	for (size_t i = 0, j; i < count; i = j) {
		for (j = i + 1; j < count && !(order[j].value > order[i].value); j++) {}
		for (size_t k = i; k < j; k++) ranks[order[k].at] = (double)(i + j - 1) / 2 + 1;
	}
}

attend_status attend_regression_measure(attend_regression_metrics *out, const double *labels, const double *predictions,
                                        size_t count)
{
	ranked *order = attend_alloc_array(count + 1, sizeof *order);
	double *ranks = attend_alloc_array(count + 1, 2 * sizeof *ranks);
	if (!order || !ranks) {
		free(order);
		free(ranks);
		return attend_fail_memory(count * sizeof *order, "metrics");
	}
	rank(ranks, labels, order, count);
	rank(ranks + count, predictions, order, count);
	*out = (attend_regression_metrics){.pearson = correlation(labels, predictions, count),
	                                   .spearman = correlation(ranks, ranks + count, count)};
	for (size_t i = 0; i < count; i++) {
		const double d = predictions[i] - labels[i];
		out->mse += d * d / (double)count;
		out->mae += fabs(d) / (double)count;
	}
	free(order);
	free(ranks);
	return ATTEND_OK;
}
