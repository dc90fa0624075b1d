/* tables.h: tables that several model files share, and the list that registry.c puts together. */
#ifndef ATTEND_MODELS_TABLES_H
#define ATTEND_MODELS_TABLES_H

#include "models/model.h"

/* Lines of the tables, without their prefixes. */
#define KEY(KEY_, NAMES, VALUE)                                  \
	{                                                            \
		.key = ATTEND_KEY_##KEY_, .names = NAMES, .value = VALUE \
	}
#define KEY_OR(KEY_, NAMES, OTHERWISE, TIMES)                                                         \
	{                                                                                                 \
		.key = ATTEND_KEY_##KEY_, .names = NAMES, .otherwise = ATTEND_KEY_##OTHERWISE, .times = TIMES \
	}
#define CONSTANT(KEY_, VALUE)                    \
	{                                            \
		.key = ATTEND_KEY_##KEY_, .value = VALUE \
	}
#define END_KEYS               \
	{                          \
		.key = ATTEND_KEY_NONE \
	}
/* Further fields of a name go behind, as designators. */
#define PAIR(ROLE, ...)                                                              \
	{                                                                                \
		.role = ATTEND_ROLE_##ROLE, .form = ATTEND_NAME_PAIR, .pattern = __VA_ARGS__ \
	}
#define WEIGHT(ROLE, ...)                                                              \
	{                                                                                  \
		.role = ATTEND_ROLE_##ROLE, .form = ATTEND_NAME_WEIGHT, .pattern = __VA_ARGS__ \
	}
#define RAW(ROLE, ...)                                                              \
	{                                                                               \
		.role = ATTEND_ROLE_##ROLE, .form = ATTEND_NAME_RAW, .pattern = __VA_ARGS__ \
	}
#define END_NAMES                \
	{                            \
		.role = ATTEND_ROLE_NONE \
	}
#define CLASS(NAME, HEAD)                        \
	{                                            \
		.name = NAME, .head = ATTEND_HEAD_##HEAD \
	}
#define CLASS_AS(NAME, HEAD, SHAPE)                                             \
	{                                                                           \
		.name = NAME, .head = ATTEND_HEAD_##HEAD, .shape = ATTEND_SHAPE_##SHAPE \
	}
#define END_CLASSES  \
	{                \
		.name = NULL \
	}
/* Heads that several families have to the letter. */
#define HEAD_TOKEN                                                                                       \
	{                                                                                                    \
		.kind = ATTEND_HEAD_TOKEN, .outputs = ATTEND_OUTPUTS_LABELS, .dropout = ATTEND_KEY_DROPOUT_HEAD, \
		.out = "classifier", .out_bias = "classifier.bias"                                               \
	}
#define HEAD_QA                                                                                                   \
	{                                                                                                             \
		.kind = ATTEND_HEAD_QA, .outputs = ATTEND_OUTPUTS_TWO, .out = "qa_outputs", .out_bias = "qa_outputs.bias" \
	}
#define HEAD_SEQUENCE_POOLED                                                                       \
	{                                                                                              \
		.kind = ATTEND_HEAD_SEQUENCE, .pooling = ATTEND_POOL_FIRST, .after_pooler = true,          \
		.outputs = ATTEND_OUTPUTS_LABELS, .dropout = ATTEND_KEY_DROPOUT_HEAD, .out = "classifier", \
		.out_bias = "classifier.bias"                                                              \
	}
/* RoBERTa's: dropout, dense, activation, dropout, out_proj on the first token, without the pooler. */
#define HEAD_SEQUENCE_DENSE(ACTIVATION)                                                                              \
	{                                                                                                                \
		.kind = ATTEND_HEAD_SEQUENCE, .pooling = ATTEND_POOL_FIRST, .dense_width = ATTEND_KEY_HIDDEN,                \
		.activation = ATTEND_ACT_##ACTIVATION, .outputs = ATTEND_OUTPUTS_LABELS, .dropout = ATTEND_KEY_DROPOUT_HEAD, \
		.dropout_before_dense = true, .dense = "classifier.dense", .out = "classifier.out_proj",                     \
		.out_bias = "classifier.out_proj.bias"                                                                       \
	}
/* The decoders': the last token that is not padding, no bias. */
#define HEAD_SEQUENCE_LAST                                                                                \
	{                                                                                                     \
		.kind = ATTEND_HEAD_SEQUENCE, .pooling = ATTEND_POOL_LAST_REAL, .outputs = ATTEND_OUTPUTS_LABELS, \
		.out = "score"                                                                                    \
	}
#define HEAD_CHOICE_POOLED(DROPOUT)                                                                                    \
	{                                                                                                                  \
		.kind = ATTEND_HEAD_CHOICE, .pooling = ATTEND_POOL_FIRST, .after_pooler = true, .outputs = ATTEND_OUTPUTS_ONE, \
		.dropout = ATTEND_KEY_##DROPOUT, .out = "classifier", .out_bias = "classifier.bias"                            \
	}
#define END_HEADS                \
	{                            \
		.kind = ATTEND_HEAD_BASE \
	}

extern const attend_family_name attend_names_bert[];       /* embeddings and pooler: BERT, RoBERTa and its kin */
extern const attend_family_name attend_names_bert_layer[]; /* layers: these and ELECTRA */
extern const char *const attend_ignored_bert[];
extern const char *const attend_ignored_gpt[];
extern const attend_family_name attend_names_bart[]; /* BART, mBART, Marian, Pegasus */
extern const attend_family_key attend_keys_bart[];
extern const attend_family_head attend_heads_bart[];
extern const char *const attend_ignored_bart[];

extern const attend_family attend_family_bert, attend_family_roberta, attend_family_xlm_roberta,
	attend_family_camembert, attend_family_distilbert, attend_family_albert, attend_family_electra, attend_family_mpnet,
	attend_family_xlnet, attend_family_modernbert, attend_family_openai_gpt, attend_family_gpt2, attend_family_gpt_neo,
	attend_family_t5, attend_family_mt5, attend_family_umt5, attend_family_bart, attend_family_mbart,
	attend_family_marian, attend_family_pegasus, attend_family_encoder_decoder;

#endif
