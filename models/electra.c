/* electra.c: ELECTRA, generator and discriminator (Clark et al., 2020; huggingface.md 2.5).
 *
 * Against BERT: embeddings of size E with a projection to D where they differ, no pooler, a per-token discriminator, a
 * generator head that works in E.
 * Pitfalls: the generator's and the classifier's activation is erf-gelu whatever hidden_act says, the discriminator's is
 * hidden_act; multiple choice pools with sequence_summary.summary and gelu; ElectraForPreTraining is the discriminator. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 30522),
	KEY(EMBEDDING, "embedding_size", 128),
	KEY(HIDDEN, "hidden_size", 256),
	KEY(LAYERS, "num_hidden_layers", 12),
	KEY(HEADS, "num_attention_heads", 4),
	KEY(INTERMEDIATE, "intermediate_size", 1024),
	KEY(MAX_POSITIONS, "max_position_embeddings", 512),
	KEY(TYPES, "type_vocab_size", 2),
	KEY(NORM_EPS, "layer_norm_eps", 1e-12),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION, "hidden_act", ATTEND_ACT_GELU),
	KEY(HEAD_ACTIVATION, "summary_activation", ATTEND_ACT_GELU),
	KEY(DROPOUT_EMBEDDING, "hidden_dropout_prob", 0.1),
	KEY(DROPOUT_HIDDEN, "hidden_dropout_prob", 0.1),
	KEY(DROPOUT_ATTENTION, "attention_probs_dropout_prob", 0.1),
	KEY_OR(DROPOUT_HEAD, "classifier_dropout", DROPOUT_HIDDEN, 1),
	KEY(DROPOUT_CHOICE, "summary_last_dropout", 0.1),
	KEY(PAD, "pad_token_id", 0),
	END_KEYS,
};

static const attend_family_name names[] = {
	WEIGHT(WORD_EMBEDDING, "embeddings.word_embeddings"),
	WEIGHT(POSITION_EMBEDDING, "embeddings.position_embeddings"),
	WEIGHT(TYPE_EMBEDDING, "embeddings.token_type_embeddings"),
	PAIR(EMBEDDING_NORM_W, "embeddings.LayerNorm"),
	PAIR(EMBEDDING_PROJECTION_W, "embeddings_project"),
	END_NAMES,
};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_MLM,
     .dense_width = ATTEND_KEY_EMBEDDING,
     .activation = ATTEND_ACT_GELU,
     .norm = true,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .dense = "generator_predictions.dense",
     .norm_name = "generator_predictions.LayerNorm",
     .out = "generator_lm_head",
     .out_bias = "generator_lm_head.bias",
     .out_bias_optional = true},
	{.kind = ATTEND_HEAD_DISCRIMINATOR,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation_key = ATTEND_KEY_ACTIVATION,
     .outputs = ATTEND_OUTPUTS_ONE,
     .dense = "discriminator_predictions.dense",
     .out = "discriminator_predictions.dense_prediction",
     .out_bias = "discriminator_predictions.dense_prediction.bias"},
	{.kind = ATTEND_HEAD_SEQUENCE,
     .pooling = ATTEND_POOL_FIRST,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation = ATTEND_ACT_GELU,
     .outputs = ATTEND_OUTPUTS_LABELS,
     .dropout = ATTEND_KEY_DROPOUT_HEAD,
     .dropout_before_dense = true,
     .dense = "classifier.dense",
     .out = "classifier.out_proj",
     .out_bias = "classifier.out_proj.bias"},
	{.kind = ATTEND_HEAD_TOKEN,
     .outputs = ATTEND_OUTPUTS_LABELS,
     .dropout = ATTEND_KEY_DROPOUT_HEAD,
     .out = "classifier",
     .out_bias = "classifier.bias"},
	{.kind = ATTEND_HEAD_QA, .outputs = ATTEND_OUTPUTS_TWO, .out = "qa_outputs", .out_bias = "qa_outputs.bias"},
	{.kind = ATTEND_HEAD_CHOICE,
     .pooling = ATTEND_POOL_FIRST,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation_key = ATTEND_KEY_HEAD_ACTIVATION,
     .outputs = ATTEND_OUTPUTS_ONE,
     .dropout = ATTEND_KEY_DROPOUT_CHOICE,
     .dense = "sequence_summary.summary",
     .out = "classifier",
     .out_bias = "classifier.bias"},
	END_HEADS,
};

static const attend_family_class classes[] = {
	CLASS("ElectraModel", BASE),
	CLASS("ElectraForMaskedLM", MLM),
	CLASS("ElectraForPreTraining", DISCRIMINATOR),
	CLASS("ElectraForSequenceClassification", SEQUENCE),
	CLASS("ElectraForTokenClassification", TOKEN),
	CLASS("ElectraForQuestionAnswering", QA),
	CLASS("ElectraForMultipleChoice", CHOICE),
	END_CLASSES,
};

const attend_family attend_family_electra = {
	.model_type = "electra",
	.base_prefix = "electra.",
	.shape = ATTEND_SHAPE_COLUMN,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .embedding_norm = true,
              .pad_row_frozen = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_POST},
	.keys = keys,
	.names = names,
	.shared_names = attend_names_bert_layer,
	.heads = heads,
	.classes = classes,
	.ignored = attend_ignored_bert,
};
