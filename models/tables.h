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
