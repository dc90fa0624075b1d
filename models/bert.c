/* bert.c: BERT (Devlin et al., 2018; huggingface.md 2.1). The relative that others are described against.
 *
 * Post-norm encoder, learned positions, token types, LayerNorm after the embeddings, tanh pooler on [CLS]. As a decoder
 * (is_decoder) it is causal, with optional cross-attention between self-attention and FFN.
 * Pitfalls: published files say LayerNorm.gamma/beta (bind.c renames); the MLM transform uses hidden_act; the output bias is
 * cls.predictions.bias or .decoder.bias (both: decoder's); position_embedding_type other than absolute has left the library. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 30522),
	KEY(HIDDEN, "hidden_size", 768),
	KEY(LAYERS, "num_hidden_layers", 12),
	KEY(HEADS, "num_attention_heads", 12),
	KEY(INTERMEDIATE, "intermediate_size", 3072),
	KEY(MAX_POSITIONS, "max_position_embeddings", 512),
	KEY(TYPES, "type_vocab_size", 2),
	KEY(NORM_EPS, "layer_norm_eps", 1e-12),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION, "hidden_act", ATTEND_ACT_GELU),
	KEY(DROPOUT_EMBEDDING, "hidden_dropout_prob", 0.1),
	KEY(DROPOUT_HIDDEN, "hidden_dropout_prob", 0.1),
	KEY(DROPOUT_ATTENTION, "attention_probs_dropout_prob", 0.1),
	KEY_OR(DROPOUT_HEAD, "classifier_dropout", DROPOUT_HIDDEN, 1),
	KEY(IS_DECODER, "is_decoder", 0),
	KEY(CROSS_ATTENTION, "add_cross_attention", 0),
	KEY(PAD, "pad_token_id", 0),
	END_KEYS,
};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_MLM,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation_key = ATTEND_KEY_ACTIVATION,
     .norm = true,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .dense = "cls.predictions.transform.dense",
     .norm_name = "cls.predictions.transform.LayerNorm",
     .out = "cls.predictions.decoder",
     .out_bias = "cls.predictions.decoder.bias|cls.predictions.bias",
     .out_bias_optional = true},
	{.kind = ATTEND_HEAD_LM,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation_key = ATTEND_KEY_ACTIVATION,
     .norm = true,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .shift_labels = true,
     .dense = "cls.predictions.transform.dense",
     .norm_name = "cls.predictions.transform.LayerNorm",
     .out = "cls.predictions.decoder",
     .out_bias = "cls.predictions.decoder.bias|cls.predictions.bias",
     .out_bias_optional = true},
	{.kind = ATTEND_HEAD_NSP,
     .pooling = ATTEND_POOL_FIRST,
     .after_pooler = true,
     .outputs = ATTEND_OUTPUTS_TWO,
     .out = "cls.seq_relationship",
     .out_bias = "cls.seq_relationship.bias"},
	HEAD_SEQUENCE_POOLED,
	HEAD_TOKEN,
	HEAD_QA,
	HEAD_CHOICE_POOLED(DROPOUT_HEAD),
	END_HEADS,
};

static const attend_family_class classes[] = {
	CLASS("BertModel", BASE),
	CLASS("BertForMaskedLM", MLM),
	CLASS("BertLMHeadModel", LM),
	CLASS("BertForPreTraining", PRETRAINING),
	CLASS("BertForNextSentencePrediction", NSP),
	CLASS("BertForSequenceClassification", SEQUENCE),
	CLASS("BertForTokenClassification", TOKEN),
	CLASS("BertForQuestionAnswering", QA),
	CLASS("BertForMultipleChoice", CHOICE),
	END_CLASSES,
};

const attend_family attend_family_bert = {
	.model_type = "bert",
	.base_prefix = "bert.",
	.shape = ATTEND_SHAPE_COLUMN,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .embedding_norm = true,
              .pad_row_frozen = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_POST},
	.keys = keys,
	.names = attend_names_bert,
	.shared_names = attend_names_bert_layer,
	.heads = heads,
	.classes = classes,
	.ignored = attend_ignored_bert,
};
