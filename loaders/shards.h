/* shards.h: all tensors of a checkpoint folder under one roof: model.safetensors, or the shards that
 * model.safetensors.index.json lists (huggingface.md 1.5); the same of pytorch_model.bin. */
#ifndef ATTEND_LOADERS_SHARDS_H
#define ATTEND_LOADERS_SHARDS_H

#include "loaders/pytorch.h"
#include "loaders/safetensors.h"

typedef struct attend_weights attend_weights; /* immutable after opening */

/* Open what the folder holds, the first there is of: model.safetensors, attend.safetensors (`attend convert` writes it),
 * pytorch_model.bin; of each the whole file before the index (NAME.index.json), as in the reference. NOTFOUND: none; the message
 * tells what else is there. FORMAT: a broken file or index: shard missing, a tensor that is not in the shard that the index
 * names, a shard with a tensor that the index does not know or places elsewhere, a file name with a path in it. Free with
 * attend_weights_free. */
attend_status attend_weights_open(attend_weights **out, const char *dir);

/* One file of any name; in torch's format if it ends in ".bin". */
attend_status attend_weights_open_file(attend_weights **out, const char *path);
/* No tensors at all, for a model that is made anew. */
attend_status attend_weights_none(attend_weights **out);
void attend_weights_free(attend_weights *weights);
void attend_weights_release(const attend_weights *weights);     /* see attend_file_give_back */
void attend_weights_large_pages(const attend_weights *weights); /* see attend_file_large_pages */

/* Borrowed from the weights. `find` gives false when there is no tensor of this name. */
size_t attend_weights_count(const attend_weights *weights);
const char *attend_weights_name(const attend_weights *weights, size_t i);
const attend_tensor *attend_weights_tensor(const attend_weights *weights, size_t i);
const char *attend_weights_file(const attend_weights *weights, size_t i); /* path of the file that holds tensor i */
bool attend_weights_find(size_t *out, const attend_weights *weights, const char *name);
const char *attend_weights_metadata(const attend_weights *weights, const char *key);

/* All tensors lie in mapped files: their pages can be given back, and come again from the file. */
bool attend_weights_mapped(const attend_weights *weights);
size_t attend_weights_file_count(const attend_weights *weights);
size_t attend_weights_file_bytes(const attend_weights *weights); /* of all files */

#endif
