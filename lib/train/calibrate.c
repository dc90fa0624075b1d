/* calibrate.c: temperature scaling and the expected calibration error (Guo et al. 2017, arXiv:1706.04599, sections 2 and 4.2). */
#include "lib/train/calibrate.h"

#include <math.h>

#include "lib/train/pooled.h"

double attend_calibration_error(const float *logits, const int32_t *labels, size_t count, size_t classes,
                                double temperature)
{
	double confidence[ATTEND_CALIBRATION_BINS] = {0}, error = 0;
	size_t right[ATTEND_CALIBRATION_BINS] = {0};
	for (size_t i = 0; i < count; i++) {
		const float *row = logits + i * classes;
		size_t best = 0;
		for (size_t c = 1; c < classes; c++)
			if (row[c] > row[best]) best = c;
		const double p = exp((double)row[best] / temperature - attend_log_sum(row, classes, temperature));
		const double place = ceil(p * ATTEND_CALIBRATION_BINS) - 1;
		const size_t bin = place < 0                          ? 0
		                   : place >= ATTEND_CALIBRATION_BINS ? ATTEND_CALIBRATION_BINS - 1
		                                                      : (size_t)place;
		confidence[bin] += p;
		right[bin] += (int32_t)best == labels[i];
	}
	for (size_t b = 0; b < ATTEND_CALIBRATION_BINS; b++) error += fabs((double)right[b] - confidence[b]);
	return error / (double)count;
}

double attend_calibration_loss(const float *logits, const int32_t *labels, size_t count, size_t classes,
                               double temperature)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++) {
		const float *row = logits + i * classes;
		sum += attend_log_sum(row, classes, temperature) - (double)row[labels[i]] / temperature;
	}
	return sum / (double)count;
}

/* d/db of sum(log(sum(exp(b z))) - b z[label]): the mean logit under softmax(b z) less that of the label. It rises with b, the
 * loss is convex in b = 1 / temperature. */
static double slope(const float *logits, const int32_t *labels, size_t count, size_t classes, double b)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++) {
		const float *row = logits + i * classes;
		double max = -INFINITY, weights = 0, mean = 0;
		for (size_t c = 0; c < classes; c++) max = fmax(max, (double)row[c]);
		for (size_t c = 0; c < classes; c++) {
			const double w = exp(b * ((double)row[c] - max));
			weights += w;
			mean += w * ((double)row[c] - max);
		}
		sum += mean / weights - ((double)row[labels[i]] - max);
	}
	return sum;
}

/* Has every label the highest logit? Then the loss falls for ever as the temperature goes to 0. */
static bool all_right(const float *logits, const int32_t *labels, size_t count, size_t classes)
{
	for (size_t i = 0; i < count; i++)
		for (size_t c = 0; c < classes; c++)
			if (logits[i * classes + c] > logits[i * classes + (size_t)labels[i]]) return false;
	return true;
}

attend_status attend_calibration_fit(double *temperature, const float *logits, const int32_t *labels, size_t count,
                                     size_t classes)
{
	double low = 0, high = 1;
	if (slope(logits, labels, count, classes, 0) >= 0)
		return attend_fail(ATTEND_ERR_DATA,
		                   "no temperature can be fitted: the labels do not go with the model's logits");
	if (all_right(logits, labels, count, classes))
		return attend_fail(ATTEND_ERR_DATA,
		                   "no temperature can be fitted: the model is right on all %zu texts, take a file with errors",
		                   count);
	while (slope(logits, labels, count, classes, high) < 0) {
		low = high;
		high *= 2;
	}
	for (double middle; middle = 0.5 * (low + high), middle > low && middle < high;) {
		if (slope(logits, labels, count, classes, middle) < 0) low = middle;
		else high = middle;
	}
	*temperature = 1 / high;
	return ATTEND_OK;
}
