/* checkpoint_files.h: the files of a folder beside its weights: config.json with another type, tokenizers copied. */
#ifndef ATTEND_LOADERS_CHECKPOINT_FILES_H
#define ATTEND_LOADERS_CHECKPOINT_FILES_H

#include "lib/core/json.h"
#include "lib/core/tensor.h"

/* json[key] = text, or null. */
attend_status attend_config_set_text(attend_json *json, const char *key, const char *text);

/* The type of the weights: F32, F16 or BF16; in both spellings, as transformers v4 and v5 read one each. */
attend_status attend_config_set_dtype(attend_json *json, attend_dtype dtype);

/* Write `dir`/config.json. IO. */
attend_status attend_config_write(const attend_json *json, const char *dir);

/* Copy one file as it is; nothing happens when there is none of this name. IO. */
attend_status attend_copy_file(const char *from, const char *to, const char *name);

/* Copy every tokenizer and generation file that `from` has. */
attend_status attend_checkpoint_copy_files(const char *from, const char *to);

#endif
