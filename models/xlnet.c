/* xlnet.c: XLNet (Yang et al., 2019; huggingface.md 2.6).
 *
 * Against BERT: no position table but relative sinusoids through a matrix of every layer, with biases r_w, r_r, r_s; segments enter
 * the score, not the embedding, and only when token_type_ids are given; a second stream for permuted prediction.
 * Pitfalls: q, k, v, r are raw parameters [D, H, K], used as [in, out]; o has the same shape but is [out, in]; classification
 * pools the last position (padding is on the left); the LM loss is not shifted; no dropout_hidden key: one `dropout` for all. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size|n_token", 32000),
	KEY(HIDDEN, "d_model|hidden_size", 1024),
	KEY(LAYERS, "n_layer|num_hidden_layers", 24),
	KEY(HEADS, "n_head|num_attention_heads", 16),
	KEY(HEAD_DIM, "d_head", 0),
	KEY(INTERMEDIATE, "d_inner", 4096),
	KEY(CLAMP_LEN, "clamp_len", -1),
	KEY(MEMORY, "mem_len", 0),
	KEY(NORM_EPS, "layer_norm_eps", 1e-12),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION, "ff_activation", ATTEND_ACT_GELU),
	KEY(HEAD_ACTIVATION, "summary_activation", ATTEND_ACT_TANH),
	KEY(HEAD_POOLING, "summary_type", ATTEND_POOL_LAST),
	KEY(HEAD_DENSE, "summary_use_proj", 1),
	KEY(ATTENTION_DIRECTION, "attn_type", 0),
	KEY(DROPOUT_EMBEDDING, "dropout", 0.1),
	KEY(DROPOUT_HIDDEN, "dropout", 0.1),
	KEY(DROPOUT_ATTENTION, "dropout", 0.1),
	KEY(DROPOUT_ACTIVATION, "dropout", 0.1),
	KEY(DROPOUT_FINAL, "dropout", 0.1),
	KEY(DROPOUT_HEAD, "summary_last_dropout", 0.1),
	KEY(PAD, "pad_token_id", 5),
	KEY(BOS, "bos_token_id", 1),
	KEY(EOS, "eos_token_id", 2),
	END_KEYS,
};

static const attend_family_name names[] = {
	WEIGHT(WORD_EMBEDDING, "word_embedding"),
	RAW(XLNET_MASK_EMB, "mask_emb", .loose = true),
	RAW(Q_W, "layer.{b}.rel_attn.q", .in_out = true, .loose = true),
	RAW(K_W, "layer.{b}.rel_attn.k", .in_out = true, .loose = true),
	RAW(V_W, "layer.{b}.rel_attn.v", .in_out = true, .loose = true),
	RAW(XLNET_R, "layer.{b}.rel_attn.r", .in_out = true, .loose = true),
	RAW(ATTENTION_OUT_W, "layer.{b}.rel_attn.o", .loose = true),
	RAW(XLNET_R_W_BIAS, "layer.{b}.rel_attn.r_w_bias", .loose = true),
	RAW(XLNET_R_R_BIAS, "layer.{b}.rel_attn.r_r_bias", .loose = true),
	RAW(XLNET_R_S_BIAS, "layer.{b}.rel_attn.r_s_bias", .loose = true),
	RAW(XLNET_SEG_EMBED, "layer.{b}.rel_attn.seg_embed", .loose = true),
	PAIR(ATTENTION_NORM_W, "layer.{b}.rel_attn.layer_norm"),
	PAIR(UP_W, "layer.{b}.ff.layer_1"),
	PAIR(DOWN_W, "layer.{b}.ff.layer_2"),
	PAIR(FFN_NORM_W, "layer.{b}.ff.layer_norm"),
	END_NAMES,
};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_LM,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .out = "lm_loss",
     .out_bias = "lm_loss.bias",
     .out_bias_optional = true},
	{.kind = ATTEND_HEAD_SEQUENCE,
     .pooling_by_config = true,
     .dense_when = ATTEND_KEY_HEAD_DENSE,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation_key = ATTEND_KEY_HEAD_ACTIVATION,
     .outputs = ATTEND_OUTPUTS_LABELS,
     .dropout = ATTEND_KEY_DROPOUT_HEAD,
     .dense = "sequence_summary.summary",
     .out = "logits_proj",
     .out_bias = "logits_proj.bias"},
	{.kind = ATTEND_HEAD_TOKEN, .outputs = ATTEND_OUTPUTS_LABELS, .out = "classifier", .out_bias = "classifier.bias"},
	HEAD_QA,
	{.kind = ATTEND_HEAD_CHOICE,
     .pooling_by_config = true,
     .dense_when = ATTEND_KEY_HEAD_DENSE,
     .dense_width = ATTEND_KEY_HIDDEN,
     .activation_key = ATTEND_KEY_HEAD_ACTIVATION,
     .outputs = ATTEND_OUTPUTS_ONE,
     .dropout = ATTEND_KEY_DROPOUT_HEAD,
     .dense = "sequence_summary.summary",
     .out = "logits_proj",
     .out_bias = "logits_proj.bias"},
	END_HEADS,
};

static const attend_family_class classes[] = {
	CLASS("XLNetModel", BASE),
	{"XLNetLMHeadModel", ATTEND_HEAD_LM, ATTEND_SHAPE_DECODER}, /* generates, with memory */
	CLASS("XLNetForSequenceClassification", SEQUENCE),
	CLASS("XLNetForTokenClassification", TOKEN),
	CLASS("XLNetForQuestionAnsweringSimple", QA),
	CLASS("XLNetForMultipleChoice", CHOICE),
	END_CLASSES,
};

const attend_family attend_family_xlnet = {
	.model_type = "xlnet",
	.base_prefix = "transformer.",
	.shape = ATTEND_SHAPE_COLUMN,
	.sees_ahead = true,
	.stack = {.positions = ATTEND_POSITION_NONE,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_POST,
              .relative = ATTEND_RELATIVE_XLNET,
              .relative_bidirectional = true},
	.keys = keys,
	.names = names,
	.heads = heads,
	.classes = classes,
};
