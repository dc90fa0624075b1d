/* safetensors.h: reading .safetensors files: mapped, checked whole before anything is used, looked up by name.
 *
 * Format: u64 little-endian header size N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the data. Every check of
 * the reference reader is made, in its order (huggingface.md 1.2); a message names the file, the tensor, what was expected and
 * what was found. Values are not looked at: a NaN is found where a weight is first used. */
#ifndef ATTEND_LOADERS_SAFETENSORS_H
#define ATTEND_LOADERS_SAFETENSORS_H

#include "lib/core/tensor.h"

typedef struct attend_safetensors attend_safetensors; /* immutable after opening */

/* Map and check a file. NOTFOUND, IO; FORMAT: the file breaks the format; UNSUPPORTED: a tensor of rank > ATTEND_MAX_RANK.
 * Free with attend_safetensors_free, which unmaps: tensors are views. */
attend_status attend_safetensors_open(attend_safetensors **out, const char *path);

/* The same on bytes that the caller owns and keeps; `name` stands in front of messages. */
attend_status attend_safetensors_parse(attend_safetensors **out, const unsigned char *bytes, size_t size,
                                       const char *name);

void attend_safetensors_free(attend_safetensors *file);
void attend_safetensors_release(const attend_safetensors *file);     /* see attend_file_give_back */
void attend_safetensors_large_pages(const attend_safetensors *file); /* see attend_file_large_pages */

/* Tensors in the order of their data. All borrowed from the file. */
size_t attend_safetensors_count(const attend_safetensors *file);
const char *attend_safetensors_name(const attend_safetensors *file, size_t i);
const attend_tensor *attend_safetensors_tensor(const attend_safetensors *file, size_t i);

/* Index of a tensor; false when there is none. */
bool attend_safetensors_find(size_t *out, const attend_safetensors *file, const char *name);

/* Value of a __metadata__ key, NULL when absent. safetensors.torch.save_model leaves metadata[dropped] = kept there. */
const char *attend_safetensors_metadata(const attend_safetensors *file, const char *key);

size_t attend_safetensors_file_bytes(const attend_safetensors *file);

#endif
