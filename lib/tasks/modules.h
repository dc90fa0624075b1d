/* modules.h: what a sentence-transformers folder does with hidden states (huggingface.md section 5.7): modules.json
 * lists a Transformer, a Pooling, and any of Dense and Normalize. */
#ifndef ATTEND_TASKS_MODULES_H
#define ATTEND_TASKS_MODULES_H

#include "lib/kernels/kernels.h"

typedef enum attend_module_kind {
	ATTEND_MODULE_POOLING,
	ATTEND_MODULE_DENSE,
	ATTEND_MODULE_NORMALIZE
} attend_module_kind;

/* Pooling modes, in the order in which several are joined. */
enum {
	ATTEND_MODE_CLS,
	ATTEND_MODE_MAX,
	ATTEND_MODE_MEAN,
	ATTEND_MODE_MEAN_SQRT,
	ATTEND_MODE_WEIGHTED,
	ATTEND_MODE_LAST,
	ATTEND_MODE_COUNT
};

typedef struct attend_module {
	attend_module_kind kind;
	unsigned modes;       /* POOLING: bit per ATTEND_MODE_... */
	size_t in, out;       /* DENSE */
	float *weight, *bias; /* [out,in], [out] or NULL */
	attend_activation activation;
} attend_module;

typedef struct attend_modules {
	attend_module *items; /* behind the Transformer, in order */
	size_t count;
	size_t max_length; /* max_seq_length; 0: not given */
	bool lower_case;
	attend_status status; /* not OK: the folder has modules that attend cannot run; then: */
	char *error;
} attend_modules;

/* Read `dir`/modules.json. Without that file *out and *folder are NULL. *folder: where the Transformer lies if that is
 * not `dir` itself, malloc'ed. What is wrong with later modules is kept in status and error: the checkpoint itself
 * still runs. */
attend_status attend_modules_read(attend_modules **out, char **folder, const char *dir);
void attend_modules_free(attend_modules *modules);

#endif
