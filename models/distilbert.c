/* distilbert.c: DistilBERT (Sanh et al., 2019; huggingface.md 2.3).
 *
 * Against BERT: no token types, no pooler, its own names for everything, eps fixed at 1e-12; a classifier is dense, ReLU, output
 * on [CLS]; no dropout between attention and its residual.
 * Pitfalls: sinusoidal_pos_embds changes the initial values only: the file's table is used; the MLM transform uses `activation`. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 30522),
	KEY(HIDDEN, "dim|hidden_size", 768),
	KEY(LAYERS, "n_layers|num_hidden_layers", 6),
	KEY(HEADS, "n_heads|num_attention_heads", 12),
	KEY(INTERMEDIATE, "hidden_dim", 3072),
	KEY(MAX_POSITIONS, "max_position_embeddings", 512),
	CONSTANT(NORM_EPS, 1e-12),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION, "activation", ATTEND_ACT_GELU),
	KEY(DROPOUT_EMBEDDING, "dropout", 0.1),
	KEY(DROPOUT_HIDDEN, "dropout", 0.1),
	KEY(DROPOUT_ATTENTION, "attention_dropout", 0.1),
	KEY(DROPOUT_HEAD, "dropout", 0.1),
	KEY(DROPOUT_QA, "qa_dropout", 0.1),
	KEY(DROPOUT_CHOICE, "seq_classif_dropout", 0.2),
	KEY(PAD, "pad_token_id", 0),
	END_KEYS,
};

static const attend_family_name names[] = {
	WEIGHT(WORD_EMBEDDING, "embeddings.word_embeddings"),
	WEIGHT(POSITION_EMBEDDING, "embeddings.position_embeddings"),
	PAIR(EMBEDDING_NORM_W, "embeddings.LayerNorm"),
	PAIR(Q_W, "transformer.layer.{b}.attention.q_lin"),
	PAIR(K_W, "transformer.layer.{b}.attention.k_lin"),
	PAIR(V_W, "transformer.layer.{b}.attention.v_lin"),
	PAIR(ATTENTION_OUT_W, "transformer.layer.{b}.attention.out_lin"),
	PAIR(ATTENTION_NORM_W, "transformer.layer.{b}.sa_layer_norm"),
	PAIR(UP_W, "transformer.layer.{b}.ffn.lin1"),
	PAIR(DOWN_W, "transformer.layer.{b}.ffn.lin2"),
	PAIR(FFN_NORM_W, "transformer.layer.{b}.output_layer_norm"),
	END_NAMES,
};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_MLM,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation_key = ATTEND_KEY_ACTIVATION,
     .norm = true,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .dense = "vocab_transform",
     .norm_name = "vocab_layer_norm",
     .out = "vocab_projector",
     .out_bias = "vocab_projector.bias",
     .out_bias_optional = true},
	{.kind = ATTEND_HEAD_SEQUENCE,
     .pooling = ATTEND_POOL_FIRST,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation = ATTEND_ACT_RELU,
     .outputs = ATTEND_OUTPUTS_LABELS,
     .dropout = ATTEND_KEY_DROPOUT_CHOICE,
     .dense = "pre_classifier",
     .out = "classifier",
     .out_bias = "classifier.bias"},
	HEAD_TOKEN,
	{.kind = ATTEND_HEAD_QA,
     .outputs = ATTEND_OUTPUTS_TWO,
     .dropout = ATTEND_KEY_DROPOUT_QA,
     .out = "qa_outputs",
     .out_bias = "qa_outputs.bias"},
	{.kind = ATTEND_HEAD_CHOICE,
     .pooling = ATTEND_POOL_FIRST,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation = ATTEND_ACT_RELU,
     .outputs = ATTEND_OUTPUTS_ONE,
     .dropout = ATTEND_KEY_DROPOUT_CHOICE,
     .dense = "pre_classifier",
     .out = "classifier",
     .out_bias = "classifier.bias"},
	END_HEADS,
};

static const attend_family_class classes[] = {
	CLASS("DistilBertModel", BASE),
	CLASS("DistilBertForMaskedLM", MLM),
	CLASS("DistilBertForSequenceClassification", SEQUENCE),
	CLASS("DistilBertForTokenClassification", TOKEN),
	CLASS("DistilBertForQuestionAnswering", QA),
	CLASS("DistilBertForMultipleChoice", CHOICE),
	END_CLASSES,
};

const attend_family attend_family_distilbert = {
	.model_type = "distilbert",
	.base_prefix = "distilbert.",
	.shape = ATTEND_SHAPE_COLUMN,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .embedding_norm = true,
              .pad_row_frozen = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_POST,
              .no_attention_output_dropout = true},
	.keys = keys,
	.names = names,
	.heads = heads,
	.classes = classes,
	.ignored = attend_ignored_bert,
};
