/* attend_train.h: fine-tuning.
 *
 * The rules of attend.h hold here too. */
#ifndef ATTEND_TRAIN_H
#define ATTEND_TRAIN_H

#include "lib/attend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For tests against other trainers: run exactly the batches of a safetensors file (step.N.INPUT, or step.N.micro.M.INPUT) under
 * the recipe in a JSON file's `run` (optimizer, scheduler, grouping, accumulation, clipping, label smoothing, unfreezing), dropout
 * off. Writes out_dir: the checkpoint in f32, and trace.json with the parameter groups, and each step's loss, learning rates and
 * gradient norm. DATA, FORMAT name the place; ARG: a recipe that cannot run. */
ATTEND_API attend_status attend_train_trace(const char *model, const char *batches, const char *recipe,
                                            const char *out_dir);

#ifdef __cplusplus
}
#endif
#endif
