/* metrics.h: how good predictions are: scikit-learn's and scipy's numbers. 0/0 counts as 0 for precision, recall and F1;
 * a correlation with a constant is NaN. Pure functions; memory is the caller's. */
#ifndef ATTEND_TRAIN_METRICS_H
#define ATTEND_TRAIN_METRICS_H

#include "lib/core/status.h"

typedef struct attend_class_metrics {
	double precision, recall, f1;
	size_t support; /* labels of this class */
} attend_class_metrics;

typedef struct attend_classification_metrics {
	double accuracy;
	attend_class_metrics macro, micro, weighted; /* over all classes, those that never occur too; support: all */
	double matthews; /* Gorodkin 2004's R_K, Matthews 1975 for two classes; 0 when undefined */
} attend_classification_metrics;

/* confusion [classes, classes] (label, prediction) += ; labels and predictions in 0 .. classes-1. */
void attend_confusion_add(uint64_t *confusion, size_t classes, const int32_t *labels, const int32_t *predictions,
                          size_t count);
/* per_class [classes]. */
void attend_classification_measure(attend_classification_metrics *out, attend_class_metrics *per_class,
                                   const uint64_t *confusion, size_t classes);

/* Several labels at once: truth and prediction [count, classes] of 0 and 1. accuracy: rows that are right in every label;
 * matthews: NaN. per_class [classes]. */
void attend_multi_label_measure(attend_classification_metrics *out, attend_class_metrics *per_class,
                                const uint8_t *truth, const uint8_t *predictions, size_t count, size_t classes);

typedef struct attend_regression_metrics {
	double pearson, spearman, mse, mae;
} attend_regression_metrics;

/* Spearman on ranks with ties averaged. NOMEM for the ranks. */
attend_status attend_regression_measure(attend_regression_metrics *out, const double *labels, const double *predictions,
                                        size_t count);

#endif
