/* calibrate.h: how far confidence is from accuracy, and the temperature that mends it. Pure functions of logits [count, classes] and
 * labels [count] in 0 .. classes-1. */
#ifndef ATTEND_TRAIN_CALIBRATE_H
#define ATTEND_TRAIN_CALIBRATE_H

#include "lib/core/status.h"

enum { ATTEND_CALIBRATION_BINS = 15 };

/* Expected calibration error of softmax(logits / temperature): sum over bins ((m-1)/15, m/15] of confidence, the highest probability,
 * of |bin| / count * |accuracy - mean confidence|. count > 0. */
double attend_calibration_error(const float *logits, const int32_t *labels, size_t count, size_t classes,
                                double temperature);
/* Mean of -log softmax(logits / temperature)[label]. */
double attend_calibration_loss(const float *logits, const int32_t *labels, size_t count, size_t classes,
                               double temperature);

/* The temperature with the least such loss, to double precision. DATA: there is none above 0, because every label has the highest
 * logit, or none that is finite, because labels do not go with logits. */
attend_status attend_calibration_fit(double *temperature, const float *logits, const int32_t *labels, size_t count,
                                     size_t classes);

#endif
