/* pytorch.h: reading pytorch_model.bin, as torch.save writes a state dictionary: a zip archive (torch >= 1.6) or the older form.
 * Weights stay where they are in the mapped file; nothing in it is executed (pickle.h). The same view as safetensors.h's. */
#ifndef ATTEND_LOADERS_PYTORCH_H
#define ATTEND_LOADERS_PYTORCH_H

#include "lib/core/tensor.h"

typedef struct attend_pytorch attend_pytorch; /* immutable after opening */

/* Map and check a file. NOTFOUND, IO; FORMAT: the file breaks the format, a tensor leaves its storage; UNSUPPORTED: what is no
 * state dictionary of tensors, a name that is not torch's, big-endian numbers, elements that share memory. Free with
 * attend_pytorch_free, which unmaps: tensors are views (those that lie crosswise in their storage are copied). */
attend_status attend_pytorch_open(attend_pytorch **out, const char *path);

/* The same on bytes that the caller owns and keeps; `name` stands in front of messages. */
attend_status attend_pytorch_parse(attend_pytorch **out, const unsigned char *bytes, size_t size, const char *name);
void attend_pytorch_free(attend_pytorch *file);

/* Tensors in the order of the dictionary. All borrowed from the file. */
size_t attend_pytorch_count(const attend_pytorch *file);
const char *attend_pytorch_name(const attend_pytorch *file, size_t i);
const attend_tensor *attend_pytorch_tensor(const attend_pytorch *file, size_t i);
bool attend_pytorch_find(size_t *out, const attend_pytorch *file, const char *name);
size_t attend_pytorch_file_bytes(const attend_pytorch *file);
bool attend_pytorch_mapped(const attend_pytorch *file); /* every tensor is a view of the file: none was copied */

#endif
