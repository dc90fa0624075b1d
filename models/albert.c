/* albert.c: ALBERT (Lan et al., 2019; huggingface.md 2.4).
 *
 * Against BERT: embeddings of size E, projected once to D; layers share parameters: layer i runs group i / (L / groups), each of
 * inner_group_num blocks; sentence order instead of next sentence; the pooler is the Linear itself (pooler.weight); no dropout
 * after the FFN.
 * Pitfalls: the MLM head works in E, not D; embedding_hidden_mapping_in is there even where E is D; v1 says gelu, v2 gelu_new. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 30000),
	KEY(EMBEDDING, "embedding_size", 128),
	KEY(HIDDEN, "hidden_size", 4096),
	KEY(LAYERS, "num_hidden_layers", 12),
	KEY(GROUPS, "num_hidden_groups", 1),
	KEY(INNER_LAYERS, "inner_group_num", 1),
	KEY(HEADS, "num_attention_heads", 64),
	KEY(INTERMEDIATE, "intermediate_size", 16384),
	KEY(MAX_POSITIONS, "max_position_embeddings", 512),
	KEY(TYPES, "type_vocab_size", 2),
	KEY(NORM_EPS, "layer_norm_eps", 1e-12),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION, "hidden_act", ATTEND_ACT_GELU_NEW),
	KEY(DROPOUT_EMBEDDING, "hidden_dropout_prob", 0),
	KEY(DROPOUT_HIDDEN, "hidden_dropout_prob", 0),
	KEY(DROPOUT_ATTENTION, "attention_probs_dropout_prob", 0),
	KEY(DROPOUT_HEAD, "classifier_dropout_prob", 0.1),
	KEY(PAD, "pad_token_id", 0),
	KEY(BOS, "bos_token_id", 2),
	KEY(EOS, "eos_token_id", 3),
	END_KEYS,
};

#define LAYER "encoder.albert_layer_groups.{g}.albert_layers.{k}."

static const attend_family_name names[] = {
	WEIGHT(WORD_EMBEDDING, "embeddings.word_embeddings"),
	WEIGHT(POSITION_EMBEDDING, "embeddings.position_embeddings"),
	WEIGHT(TYPE_EMBEDDING, "embeddings.token_type_embeddings"),
	PAIR(EMBEDDING_NORM_W, "embeddings.LayerNorm"),
	PAIR(EMBEDDING_PROJECTION_W, "encoder.embedding_hidden_mapping_in"),
	PAIR(Q_W, LAYER "attention.query"),
	PAIR(K_W, LAYER "attention.key"),
	PAIR(V_W, LAYER "attention.value"),
	PAIR(ATTENTION_OUT_W, LAYER "attention.dense"),
	PAIR(ATTENTION_NORM_W, LAYER "attention.LayerNorm"),
	PAIR(UP_W, LAYER "ffn"),
	PAIR(DOWN_W, LAYER "ffn_output"),
	PAIR(FFN_NORM_W, LAYER "full_layer_layer_norm"),
	PAIR(POOLER_W, "pooler"),
	END_NAMES,
};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_MLM,
     .dense_width = ATTEND_KEY_EMBEDDING,
     .activation_key = ATTEND_KEY_ACTIVATION,
     .norm = true,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .dense = "predictions.dense",
     .norm_name = "predictions.LayerNorm",
     .out = "predictions.decoder",
     .out_bias = "predictions.decoder.bias|predictions.bias",
     .out_bias_optional = true},
	{.kind = ATTEND_HEAD_NSP,
     .pooling = ATTEND_POOL_FIRST,
     .after_pooler = true,
     .outputs = ATTEND_OUTPUTS_TWO,
     .dropout = ATTEND_KEY_DROPOUT_HEAD,
     .sentence_order = true,
     .out = "sop_classifier.classifier",
     .out_bias = "sop_classifier.classifier.bias"},
	HEAD_SEQUENCE_POOLED,
	HEAD_TOKEN,
	HEAD_QA,
	HEAD_CHOICE_POOLED(DROPOUT_HEAD),
	END_HEADS,
};

static const attend_family_class classes[] = {
	CLASS("AlbertModel", BASE),
	CLASS("AlbertForMaskedLM", MLM),
	CLASS("AlbertForPreTraining", PRETRAINING),
	CLASS("AlbertForSequenceClassification", SEQUENCE),
	CLASS("AlbertForTokenClassification", TOKEN),
	CLASS("AlbertForQuestionAnswering", QA),
	CLASS("AlbertForMultipleChoice", CHOICE),
	END_CLASSES,
};

const attend_family attend_family_albert = {
	.model_type = "albert",
	.base_prefix = "albert.",
	.shape = ATTEND_SHAPE_COLUMN,
	.projects_always = true,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .embedding_norm = true,
              .pad_row_frozen = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_POST,
              .no_ffn_output_dropout = true},
	.keys = keys,
	.names = names,
	.heads = heads,
	.classes = classes,
	.ignored = attend_ignored_bert,
};
