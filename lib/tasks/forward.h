/* forward.h: tensors in, tensors out, under the reference's names: what `attend forward` computes. */
#ifndef ATTEND_TASKS_FORWARD_H
#define ATTEND_TASKS_FORWARD_H

#include "lib/attend.h"
#include "lib/nn/padded.h"
#include "loaders/checkpoint.h"

/* Named f32 tensors that own their numbers. */
typedef struct attend_output {
	char *name;
	attend_tensor tensor;
	float *values;
} attend_output;

typedef struct attend_outputs {
	attend_output *items;
	size_t count, capacity;
} attend_outputs;

/* A zeroed tensor of this shape; *values is borrowed. The name is printed as printf does. */
attend_status attend_outputs_add(attend_outputs *outputs, float **values, unsigned rank, const size_t *shape,
                                 const char *name, ...) __attribute__((format(printf, 5, 6)));
void attend_outputs_free(attend_outputs *outputs);

/* Run `inputs` through the checkpoint's head `kind` and put every output under its name. The padded positions of an output
 * are zero. gradients: the network is made trainable (parameters whose name begins with one of the comma-separated prefixes
 * in `frozen` stay as they are, NULL: none) and grad.NAME is added for every parameter that learns. */
attend_status attend_forward_run(attend_outputs *out, attend_checkpoint *checkpoint, attend_head_kind kind,
                                 attend_find_tensor find, void *payload, const attend_forward_options *options,
                                 const char *frozen);

#endif
