/* inspect.h: what a checkpoint folder holds, gathered once and printed in two forms. */
#ifndef ATTEND_TASKS_INSPECT_H
#define ATTEND_TASKS_INSPECT_H

#include "lib/core/buffer.h"
#include "lib/nn/session.h"
#include "loaders/checkpoint.h"
#include "tokenizer/attend_tokenizer.h"

typedef struct attend_inspection {
	const char *path; /* as given */
	char *dir;        /* where it lies */
	bool has_config;  /* config.json is one that attend knows; else: */
	char *problem;    /* why the folder cannot run, NULL: it can */
	char *model_type; /* also of an unknown model; NULL: none is named */
	attend_config config;
	attend_network network;  /* bound as far as it goes */
	attend_weights *weights; /* NULL: none */
	attend_bind_report report;
	bool bound;
	attend_network_memory memory;
	size_t session_bytes;  /* one text of session_tokens tokens */
	size_t session_tokens; /* 0: unknown */
	attend_tokenizer *tokenizer;
	char *tokenizer_problem; /* NULL: it loads */
	bool has_generation_config, has_modules;
} attend_inspection;

/* Use of a tensor: "used", "unused", "ignored". */
const char *attend_inspection_use(const attend_inspection *inspection, const char *name);

void attend_inspection_json(attend_buffer *out, const attend_inspection *inspection);
void attend_inspection_text(attend_buffer *out, const attend_inspection *inspection);

#endif
