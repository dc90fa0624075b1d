/* checkpoint.h: a HuggingFace folder -> configuration and network; and back. */
#ifndef ATTEND_LOADERS_CHECKPOINT_H
#define ATTEND_LOADERS_CHECKPOINT_H

#include "loaders/bind.h"

typedef struct attend_checkpoint {
	char *dir;            /* the folder, after looking in the hub's cache */
	attend_config config; /* config.arch is empty: the architecture is network.arch */
	attend_network network;
	attend_weights *weights;
	attend_bind_report report;
} attend_checkpoint;

/* Load a folder, or a hub name ("bert-base-uncased", "google/flan-t5-small") that is in the hub's cache. NOTFOUND: no such
 * folder, or no config.json or no safetensors in it. Else the codes of attend_config_read, attend_weights_open, attend_bind.
 * options NULL: the class that config.json names. Free with attend_checkpoint_free. The tokenizer is not touched. */
attend_status attend_checkpoint_load(attend_checkpoint **out, const char *dir, const attend_bind_options *options);
void attend_checkpoint_free(attend_checkpoint *checkpoint);

/* Where a model name lies: the folder itself when it exists; else the snapshot in $HF_HUB_CACHE, $HF_HOME/hub or
 * ~/.cache/huggingface/hub. malloc'ed. NOTFOUND tells where it looked. */
attend_status attend_checkpoint_locate(char **out, const char *name);

typedef struct attend_save_options {
	const char *architecture; /* class name for architectures[0]; NULL: that of the head below, or as it was */
	bool has_head;
	attend_head_kind head; /* only this head's tensors are saved beside the base; else every bound tensor */
	bool keep_dtype;       /* as in the source file; else F32 */
} attend_save_options;

/* Write `dir` (made if absent): config.json (labels, problem type, class), model.safetensors under the tensors' own names (the
 * trained f32 values where there are any), and every tokenizer and generation file of the source folder as it is. Each file
 * appears whole or not at all; model.safetensors comes last. */
attend_status attend_checkpoint_save(const attend_checkpoint *checkpoint, const char *dir,
                                     const attend_save_options *options);

#endif
