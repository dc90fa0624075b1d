/* blame.h: results that are no numbers: found where they come out, blamed on the weight that they come from. */
#ifndef ATTEND_TASKS_BLAME_H
#define ATTEND_TASKS_BLAME_H

#include "lib/tasks/pipeline.h"

/* OK when no value is NaN or +inf (-inf is a score that forbids). Else FORMAT: the first tensor of the checkpoint that
 * holds such a value is named, or that the numbers overflowed. */
attend_status attend_check_finite(const float *values, size_t count, const attend_model *model);

#endif
