/* config_json.h: config.json -> attend_config: the architecture in numbers, and the names around it. Driven by the model's
 * table (models/model.h); defaults and aliases as in the reference (huggingface.md 2.0.1). */
#ifndef ATTEND_LOADERS_CONFIG_JSON_H
#define ATTEND_LOADERS_CONFIG_JSON_H

#include "lib/core/json.h"
#include "lib/nn/heads.h"
#include "models/model.h"

/* What the table's keys are in this config. A flag is 0 or 1, an id -1 when absent. */
typedef struct attend_key_values {
	double number[ATTEND_KEY_COUNT];
	bool given[ATTEND_KEY_COUNT]; /* config.json has it */
} attend_key_values;

enum { ATTEND_MAX_EOS = 16 };

typedef struct attend_config {
	attend_arch arch;
	/* model[i], values[i], prefix[i]: of stack i (0 encoder, 1 decoder). The same table twice but for EncoderDecoderModel. */
	const attend_family *model[2];
	attend_key_values values[2];
	const char *prefix[2];       /* "" , or "encoder." and "decoder." */
	const attend_family *family; /* table of the outer model_type */
	bool tie_stacks;             /* tie_encoder_decoder */
	char *model_type;
	char *architecture;      /* architectures[0]; NULL: none */
	bool architecture_known; /* ... and it is in the family's list */
	char **labels;           /* [label_count] by id */
	size_t label_count;
	bool labels_named;      /* id2label is in the file and is not LABEL_0, LABEL_1 ... */
	attend_problem problem; /* problem_type; AUTO: null */
	int32_t eos[ATTEND_MAX_EOS];
	size_t eos_count;
	int32_t sep_id, cls_id; /* -1: none; others are in arch */
	double init_range;      /* standard deviation of new weights */
	char *dtype;            /* "float32", or NULL */
	char *tokenizer_class;  /* or NULL */
	attend_json *json;      /* the whole document: generation keys of old files, task_specific_params ... */
} attend_config;

/* Read and check. NOTFOUND: no file. FORMAT: not JSON, or a value that cannot be ("config.json: $.key: expected ..., found ...").
 * UNSUPPORTED: a model_type, activation or position type that attend does not run. On failure *out is untouched; else free with
 * attend_config_free. */
attend_status attend_config_read(attend_config *out, const char *path);
attend_status attend_config_parse(attend_config *out, const char *text, size_t size, const char *name);
void attend_config_free(attend_config *config); /* not the struct itself */

/* config.json's name for an activation: "gelu_new". Static text. */
const char *attend_config_activation_name(attend_activation activation);

/* The index of a label, or -1. */
int attend_config_find_label(const attend_config *config, const char *label);

/* Replace the labels (training on other classes): every head that counts labels gets the new width. */
attend_status attend_config_set_labels(attend_config *config, const char *const *labels, size_t count);

#endif
