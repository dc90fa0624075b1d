/* safetensors_write.h: writing a .safetensors file as the reference does (huggingface.md 1.4): tensors by dtype from wide to
 * narrow, then by name; compact header with __metadata__ {"format":"pt"} first, padded with spaces to 8 bytes; written beside
 * and renamed. Streaming: values go from the caller's memory to the file, no second copy of the model. */
#ifndef ATTEND_LOADERS_SAFETENSORS_WRITE_H
#define ATTEND_LOADERS_SAFETENSORS_WRITE_H

#include "lib/core/tensor.h"

/* One tensor to write. `tensor.dtype` and shape are what the file says. data_dtype is the type of the numbers behind
 * tensor.data: the same, or another of F32, F16, BF16, F64, rounded or widened by way of f32. */
typedef struct attend_safetensors_item {
	const char *name; /* UTF-8 */
	attend_tensor tensor;
	attend_dtype data_dtype;
} attend_safetensors_item;

/* Write `count` items (any order; names distinct). ARG: a name twice, "__metadata__" as a name, or types that cannot be
 * converted; DATA: a finite number beyond F16's largest is to become F16; IO; NOMEM. On failure the old file, if any, is untouched. */
attend_status attend_safetensors_write(const char *path, const attend_safetensors_item *items, size_t count);

/* The same with these __metadata__ pairs, key, value, ..., NULL (NULL: {"format":"pt"}). */
attend_status attend_safetensors_write_with(const char *path, const attend_safetensors_item *items, size_t count,
                                            const char *const *metadata);

#endif
