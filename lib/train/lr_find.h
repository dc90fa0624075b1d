/* lr_find.h: what a sweep of learning rates says. */
#ifndef ATTEND_TRAIN_LR_FIND_H
#define ATTEND_TRAIN_LR_FIND_H

#include "lib/attend_train.h"

/* From rates and smoothed losses: steepest, minimum, suggestion. The first tenth of the sweep has no say: there the average is
 * still that of a few batches. */
void attend_lr_sweep_judge(attend_lr_sweep *sweep);

#endif
