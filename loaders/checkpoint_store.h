/* checkpoint_store.h: a checkpoint in another type of numbers, as a new folder. */
#ifndef ATTEND_LOADERS_CHECKPOINT_STORE_H
#define ATTEND_LOADERS_CHECKPOINT_STORE_H

#include "loaders/checkpoint.h"

typedef struct attend_store_options {
	/* F32: `dtype` for every floating-point tensor. INT8, INT4: matrices of linears as codes (docs/quantisation.md), all
	 * else as it is. */
	attend_pack_type codes;
	attend_dtype dtype;     /* F32, F16 or BF16; COUNT: as they are */
	size_t max_shard_bytes; /* of tensors in one file; 0: one file */
} attend_store_options;

/* Write every tensor of a checkpoint that was loaded with all its heads into the empty folder `dir`, under the names of its
 * files, with config.json and the files of the tokenizer and of generation. Buffers that are no weights stay behind, and so
 * do second names of one tensor in shared memory where the architecture ties them. UNSUPPORTED: the checkpoint holds codes
 * itself; DATA: a number that F16 cannot hold; FORMAT: NaN or infinity in a matrix that is to be quantised; IO; NOMEM. What
 * was written before a failure stays: the caller removes the folder. */
attend_status attend_checkpoint_store(const attend_checkpoint *checkpoint, const char *dir,
                                      const attend_store_options *options);

#endif
