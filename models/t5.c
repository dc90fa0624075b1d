/* t5.c: T5, T5 v1.1, Flan-T5, mT5, UMT5 (Raffel et al., 2019; huggingface.md 2.10).
 *
 * Against BERT: encoder-decoder, RMS norms without bias, pre-norm with a final norm, no positions but a bucketed bias that
 * layer 0 holds for its whole stack (UMT5: every layer its own), scores not divided by sqrt(d), no bias anywhere in the body.
 * Pitfalls: heads * d_kv need not be d_model; "gated-gelu" means gelu_new; a tied model scales the last hidden state by
 * d_model^-0.5 before the output matrix, an untied one does not: scale_decoder_outputs says so where it is written (v5 writes
 * tie_word_embeddings true for all), else the tie flag (mT5 never scales); the decoder's FFN is layer.2, the encoder's layer.1. */
#include "models/tables.h"

static const attend_family_key shared_keys[] = {
	KEY(HIDDEN, "d_model|hidden_size", 512),
	KEY(HEAD_DIM, "d_kv|head_dim", 64),
	KEY_OR(DECODER_LAYERS, "num_decoder_layers", LAYERS, 1),
	KEY(BUCKETS, "relative_attention_num_buckets", 32),
	KEY(MAX_DISTANCE, "relative_attention_max_distance", 128),
	KEY(NORM_EPS, "layer_norm_epsilon", 1e-6),
	KEY(DROPOUT_EMBEDDING, "dropout_rate", 0.1),
	KEY(DROPOUT_HIDDEN, "dropout_rate", 0.1),
	KEY(DROPOUT_ATTENTION, "dropout_rate", 0.1),
	KEY(DROPOUT_ACTIVATION, "dropout_rate", 0.1),
	KEY(DROPOUT_FINAL, "dropout_rate", 0.1),
	KEY(DROPOUT_HEAD, "classifier_dropout", 0),
	KEY(ENCODER_DECODER, "is_encoder_decoder", 1),
	KEY(PAD, "pad_token_id", 0),
	KEY(EOS, "eos_token_id", 1),
	CONSTANT(SCALE_SCORES, 0),
	CONSTANT(SHARE_EMBEDDING, 1),
	CONSTANT(INIT_RANGE, 0.05), /* initializer_factor scales several laws; this one is for new classifiers */
	END_KEYS,
};

static const attend_family_key keys_t5[] = {
	KEY(VOCAB, "vocab_size", 32128),
	KEY(LAYERS, "num_layers|num_hidden_layers", 6),
	KEY(HEADS, "num_heads|num_attention_heads", 8),
	KEY(INTERMEDIATE, "d_ff", 2048),
	KEY(ACTIVATION_T5, "feed_forward_proj", ATTEND_ACT_RELU),
	KEY_OR(SCALE_LOGITS, "scale_decoder_outputs", TIE, 1),
	END_KEYS,
};

static const attend_family_key keys_mt5[] = {
	KEY(VOCAB, "vocab_size", 250112),
	KEY(LAYERS, "num_layers|num_hidden_layers", 8),
	KEY(HEADS, "num_heads|num_attention_heads", 6),
	KEY(INTERMEDIATE, "d_ff", 1024),
	CONSTANT(GATED, 1),
	KEY(ACTIVATION_T5, "feed_forward_proj", ATTEND_ACT_GELU_NEW),
	KEY(TIE, "tie_word_embeddings", 0),
	CONSTANT(SCALE_LOGITS, 0),
	KEY(DECODER_START, "decoder_start_token_id", 0),
	END_KEYS,
};

static const attend_family_key keys_umt5[] = {
	KEY(VOCAB, "vocab_size", 250112),
	KEY(LAYERS, "num_layers|num_hidden_layers", 8),
	KEY(HEADS, "num_heads|num_attention_heads", 6),
	KEY(INTERMEDIATE, "d_ff", 1024),
	CONSTANT(GATED, 1),
	KEY(ACTIVATION_T5, "feed_forward_proj", ATTEND_ACT_GELU_NEW),
	KEY(TIE, "tie_word_embeddings", 0),
	KEY_OR(SCALE_LOGITS, "scale_decoder_outputs", TIE, 1),
	KEY(DECODER_START, "decoder_start_token_id", 0),
	END_KEYS,
};

static const attend_family_name shared_names[] = {
	WEIGHT(WORD_EMBEDDING, "shared|{s}.embed_tokens|encoder.embed_tokens|decoder.embed_tokens"),
	WEIGHT(ATTENTION_NORM_W, "{s}.block.{b}.layer.0.layer_norm"),
	WEIGHT(Q_W, "{s}.block.{b}.layer.0.SelfAttention.q"),
	WEIGHT(K_W, "{s}.block.{b}.layer.0.SelfAttention.k"),
	WEIGHT(V_W, "{s}.block.{b}.layer.0.SelfAttention.v"),
	WEIGHT(ATTENTION_OUT_W, "{s}.block.{b}.layer.0.SelfAttention.o"),
	WEIGHT(CROSS_NORM_W, "decoder.block.{b}.layer.1.layer_norm"),
	WEIGHT(CROSS_Q_W, "decoder.block.{b}.layer.1.EncDecAttention.q"),
	WEIGHT(CROSS_K_W, "decoder.block.{b}.layer.1.EncDecAttention.k"),
	WEIGHT(CROSS_V_W, "decoder.block.{b}.layer.1.EncDecAttention.v"),
	WEIGHT(CROSS_OUT_W, "decoder.block.{b}.layer.1.EncDecAttention.o"),
	WEIGHT(FFN_NORM_W, "encoder.block.{b}.layer.1.layer_norm", .stacks = ATTEND_STACK_ENCODER),
	WEIGHT(GATE_W, "encoder.block.{b}.layer.1.DenseReluDense.wi_0", .stacks = ATTEND_STACK_ENCODER),
	WEIGHT(UP_W, "encoder.block.{b}.layer.1.DenseReluDense.wi_1", .stacks = ATTEND_STACK_ENCODER,
           .when = ATTEND_KEY_GATED),
	WEIGHT(UP_W, "encoder.block.{b}.layer.1.DenseReluDense.wi", .stacks = ATTEND_STACK_ENCODER),
	WEIGHT(DOWN_W, "encoder.block.{b}.layer.1.DenseReluDense.wo", .stacks = ATTEND_STACK_ENCODER),
	WEIGHT(FFN_NORM_W, "decoder.block.{b}.layer.2.layer_norm", .stacks = ATTEND_STACK_DECODER),
	WEIGHT(GATE_W, "decoder.block.{b}.layer.2.DenseReluDense.wi_0", .stacks = ATTEND_STACK_DECODER),
	WEIGHT(UP_W, "decoder.block.{b}.layer.2.DenseReluDense.wi_1", .stacks = ATTEND_STACK_DECODER,
           .when = ATTEND_KEY_GATED),
	WEIGHT(UP_W, "decoder.block.{b}.layer.2.DenseReluDense.wi", .stacks = ATTEND_STACK_DECODER),
	WEIGHT(DOWN_W, "decoder.block.{b}.layer.2.DenseReluDense.wo", .stacks = ATTEND_STACK_DECODER),
	WEIGHT(FINAL_NORM_W, "{s}.final_layer_norm"),
	END_NAMES,
};

static const attend_family_name names_t5[] = {
	WEIGHT(RELATIVE_BIAS, "{s}.block.0.layer.0.SelfAttention.relative_attention_bias"),
	END_NAMES,
};

static const attend_family_name names_umt5[] = {
	WEIGHT(RELATIVE_BIAS, "{s}.block.{b}.layer.0.SelfAttention.relative_attention_bias"),
	END_NAMES,
};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_SEQ2SEQ, .outputs = ATTEND_OUTPUTS_VOCAB, .tied = true, .out = "lm_head"},
	{.kind = ATTEND_HEAD_SEQUENCE,
     .pooling = ATTEND_POOL_LAST_EOS,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation = ATTEND_ACT_TANH,
     .outputs = ATTEND_OUTPUTS_LABELS,
     .dropout = ATTEND_KEY_DROPOUT_HEAD,
     .dropout_before_dense = true,
     .dense = "classification_head.dense",
     .out = "classification_head.out_proj",
     .out_bias = "classification_head.out_proj.bias"},
	{.kind = ATTEND_HEAD_TOKEN,
     .on_encoder = true,
     .outputs = ATTEND_OUTPUTS_LABELS,
     .dropout = ATTEND_KEY_DROPOUT_HEAD,
     .out = "classifier",
     .out_bias = "classifier.bias"},
	HEAD_QA,
	END_HEADS,
};

static const attend_family_class classes_t5[] = {
	CLASS("T5Model", BASE),
	CLASS_AS("T5EncoderModel", BASE, ENCODER),
	CLASS("T5ForConditionalGeneration", SEQ2SEQ),
	CLASS("T5WithLMHeadModel", SEQ2SEQ),
	CLASS("T5ForSequenceClassification", SEQUENCE),
	CLASS_AS("T5ForTokenClassification", TOKEN, ENCODER),
	CLASS("T5ForQuestionAnswering", QA),
	END_CLASSES,
};

static const attend_family_class classes_mt5[] = {
	CLASS("MT5Model", BASE),
	CLASS_AS("MT5EncoderModel", BASE, ENCODER),
	CLASS("MT5ForConditionalGeneration", SEQ2SEQ),
	CLASS("MT5ForSequenceClassification", SEQUENCE),
	CLASS_AS("MT5ForTokenClassification", TOKEN, ENCODER),
	CLASS("MT5ForQuestionAnswering", QA),
	/* many mT5 folders name T5's classes */
	CLASS("T5ForConditionalGeneration", SEQ2SEQ),
	CLASS_AS("T5EncoderModel", BASE, ENCODER),
	END_CLASSES,
};

static const attend_family_class classes_umt5[] = {
	CLASS("UMT5Model", BASE),
	CLASS_AS("UMT5EncoderModel", BASE, ENCODER),
	CLASS("UMT5ForConditionalGeneration", SEQ2SEQ),
	CLASS("UMT5ForSequenceClassification", SEQUENCE),
	CLASS_AS("UMT5ForTokenClassification", TOKEN, ENCODER),
	CLASS("UMT5ForQuestionAnswering", QA),
	END_CLASSES,
};

static const char *const ignored[] = {"*decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", NULL};

#define STACK(RELATIVE)                                                                                                \
	{                                                                                                                  \
		.positions = ATTEND_POSITION_NONE, .norm = ATTEND_NORM_RMS, .norm_place = ATTEND_NORM_PRE, .final_norm = true, \
		.relative = RELATIVE, .relative_bidirectional = true                                                           \
	}

const attend_family attend_family_t5 = {
	.model_type = "t5",
	.base_prefix = "transformer.",
	.bare_heads = 1u << ATTEND_HEAD_SEQ2SEQ | 1u << ATTEND_HEAD_QA,
	.shape = ATTEND_SHAPE_ENCODER_DECODER,
	.stack = STACK(ATTEND_RELATIVE_BUCKETS_STACK),
	.keys = keys_t5,
	.shared_keys = shared_keys,
	.names = names_t5,
	.shared_names = shared_names,
	.heads = heads,
	.classes = classes_t5,
	.ignored = ignored,
};

const attend_family attend_family_mt5 = {
	.model_type = "mt5",
	.base_prefix = "transformer.",
	.bare_heads = 1u << ATTEND_HEAD_SEQ2SEQ | 1u << ATTEND_HEAD_QA,
	.shape = ATTEND_SHAPE_ENCODER_DECODER,
	.stack = STACK(ATTEND_RELATIVE_BUCKETS_STACK),
	.keys = keys_mt5,
	.shared_keys = shared_keys,
	.names = names_t5,
	.shared_names = shared_names,
	.heads = heads,
	.classes = classes_mt5,
	.ignored = ignored,
};

const attend_family attend_family_umt5 = {
	.model_type = "umt5",
	.base_prefix = "transformer.",
	.bare_heads = 1u << ATTEND_HEAD_SEQ2SEQ | 1u << ATTEND_HEAD_QA,
	.shape = ATTEND_SHAPE_ENCODER_DECODER,
	.stack = STACK(ATTEND_RELATIVE_BUCKETS_LAYER),
	.keys = keys_umt5,
	.shared_keys = shared_keys,
	.names = names_umt5,
	.shared_names = shared_names,
	.heads = heads,
	.classes = classes_umt5,
	.ignored = ignored,
};
