/* roberta.c: RoBERTa, XLM-RoBERTa, CamemBERT (Liu et al., 2019; huggingface.md 2.2).
 *
 * Against BERT: positions are counted from the ids (a token that is not pad gets pad_token_id + 1, + 2 ...; pads get
 * pad_token_id), so 514 positions carry 512 tokens; no NSP; the language model head is lm_head.* and always erf-gelu; a
 * classifier is dense, tanh, out_proj on <s> without the pooler (multiple choice uses the pooler).
 * Pitfalls: published files have type_vocab_size 1 and eps 1e-5, which the class defaults are not; XLM-RoBERTa and CamemBERT
 * keep the prefix "roberta."; the MLM norm is called layer_norm. */
#include "models/tables.h"

static const attend_family_key shared_keys[] = {
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
	KEY(PAD, "pad_token_id", 1),
	KEY(BOS, "bos_token_id", 0),
	KEY(EOS, "eos_token_id", 2),
	END_KEYS,
};

static const attend_family_key keys_roberta[] = {KEY(VOCAB, "vocab_size", 50265), END_KEYS};
static const attend_family_key keys_xlm[] = {KEY(VOCAB, "vocab_size", 30522), END_KEYS};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_MLM,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation = ATTEND_ACT_GELU,
     .norm = true,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .dense = "lm_head.dense",
     .norm_name = "lm_head.layer_norm",
     .out = "lm_head.decoder",
     .out_bias = "lm_head.decoder.bias|lm_head.bias",
     .out_bias_optional = true},
	{.kind = ATTEND_HEAD_LM,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation = ATTEND_ACT_GELU,
     .norm = true,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .shift_labels = true,
     .dense = "lm_head.dense",
     .norm_name = "lm_head.layer_norm",
     .out = "lm_head.decoder",
     .out_bias = "lm_head.decoder.bias|lm_head.bias",
     .out_bias_optional = true},
	HEAD_SEQUENCE_DENSE(TANH),
	HEAD_TOKEN,
	HEAD_QA,
	HEAD_CHOICE_POOLED(DROPOUT_HIDDEN),
	END_HEADS,
};

static const attend_family_class classes_roberta[] = {
	CLASS("RobertaModel", BASE),
	CLASS("RobertaForMaskedLM", MLM),
	CLASS("RobertaForCausalLM", LM),
	CLASS("RobertaForSequenceClassification", SEQUENCE),
	CLASS("RobertaForTokenClassification", TOKEN),
	CLASS("RobertaForQuestionAnswering", QA),
	CLASS("RobertaForMultipleChoice", CHOICE),
	END_CLASSES,
};

static const attend_family_class classes_xlm[] = {
	CLASS("XLMRobertaModel", BASE),
	CLASS("XLMRobertaForMaskedLM", MLM),
	CLASS("XLMRobertaForCausalLM", LM),
	CLASS("XLMRobertaForSequenceClassification", SEQUENCE),
	CLASS("XLMRobertaForTokenClassification", TOKEN),
	CLASS("XLMRobertaForQuestionAnswering", QA),
	CLASS("XLMRobertaForMultipleChoice", CHOICE),
	END_CLASSES,
};

static const attend_family_class classes_camembert[] = {
	CLASS("CamembertModel", BASE),
	CLASS("CamembertForMaskedLM", MLM),
	CLASS("CamembertForCausalLM", LM),
	CLASS("CamembertForSequenceClassification", SEQUENCE),
	CLASS("CamembertForTokenClassification", TOKEN),
	CLASS("CamembertForQuestionAnswering", QA),
	CLASS("CamembertForMultipleChoice", CHOICE),
	END_CLASSES,
};

#define STACK                                                                                                      \
	{                                                                                                              \
		.positions = ATTEND_POSITION_LEARNED, .position_source = ATTEND_POSITION_FROM_IDS, .embedding_norm = true, \
		.pad_row_frozen = true, .norm = ATTEND_NORM_LAYER, .norm_place = ATTEND_NORM_POST                          \
	}

const attend_family attend_family_roberta = {
	.model_type = "roberta",
	.base_prefix = "roberta.",
	.shape = ATTEND_SHAPE_COLUMN,
	.stack = STACK,
	.keys = keys_roberta,
	.shared_keys = shared_keys,
	.names = attend_names_bert,
	.shared_names = attend_names_bert_layer,
	.heads = heads,
	.classes = classes_roberta,
	.ignored = attend_ignored_bert,
};

const attend_family attend_family_xlm_roberta = {
	.model_type = "xlm-roberta",
	.base_prefix = "roberta.",
	.shape = ATTEND_SHAPE_COLUMN,
	.stack = STACK,
	.keys = keys_xlm,
	.shared_keys = shared_keys,
	.names = attend_names_bert,
	.shared_names = attend_names_bert_layer,
	.heads = heads,
	.classes = classes_xlm,
	.ignored = attend_ignored_bert,
};

const attend_family attend_family_camembert = {
	.model_type = "camembert",
	.base_prefix = "roberta.",
	.shape = ATTEND_SHAPE_COLUMN,
	.stack = STACK,
	.keys = keys_xlm,
	.shared_keys = shared_keys,
	.names = attend_names_bert,
	.shared_names = attend_names_bert_layer,
	.heads = heads,
	.classes = classes_camembert,
	.ignored = attend_ignored_bert,
};
