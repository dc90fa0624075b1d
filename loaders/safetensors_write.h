/* safetensors_write.h: writing a .safetensors file as the reference does (huggingface.md 1.4): tensors by dtype from wide to
 * narrow, then by name; compact header with __metadata__ {"format":"pt"} first, padded with spaces to 8 bytes; written beside
 * and renamed. Streaming: values go from the caller's memory to the file, no second copy of the model. */
#ifndef ATTEND_LOADERS_SAFETENSORS_WRITE_H
#define ATTEND_LOADERS_SAFETENSORS_WRITE_H

#include "lib/core/tensor.h"

/* One tensor to write. `tensor.dtype` and shape are what the file says. data_dtype is the type of the numbers behind
 * tensor.data: the same, or F32 to be narrowed to F16, BF16 or widened to F64 on the way. */
typedef struct attend_safetensors_item {
	const char *name; /* UTF-8 */
	attend_tensor tensor;
	attend_dtype data_dtype;
} attend_safetensors_item;

/* Write `count` items (any order; names distinct). ARG: a name twice, "__metadata__" as a name, or types that cannot be
 * converted; IO; NOMEM. On failure the old file, if any, is untouched. */
attend_status attend_safetensors_write(const char *path, const attend_safetensors_item *items, size_t count);

#endif
