/* gpt2.c: GPT-2, DistilGPT-2, DialoGPT (Radford et al., 2019; huggingface.md 2.7).
 *
 * Against BERT: causal decoder, pre-norm with a final norm, no token types of its own (token_type_ids look into the word table,
 * only when given), fused q/k/v, and Conv1D: matrices are stored [in, out] while heads are ordinary Linears.
 * Pitfalls: square matrices give the transposition away by nothing, so it is never guessed; h.N.attn.bias is a causal mask, not
 * a bias; n_inner null means 4 n_embd; score has no bias; the published file has no prefix and no lm_head. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 50257),
	KEY(HIDDEN, "n_embd|hidden_size", 768),
	KEY(LAYERS, "n_layer|num_hidden_layers", 12),
	KEY(HEADS, "n_head|num_attention_heads", 12),
	KEY_OR(INTERMEDIATE, "n_inner", HIDDEN, 4),
	KEY(MAX_POSITIONS, "n_positions|max_position_embeddings", 1024),
	KEY(NORM_EPS, "layer_norm_epsilon", 1e-5),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION, "activation_function", ATTEND_ACT_GELU_NEW),
	KEY(DROPOUT_EMBEDDING, "embd_pdrop", 0.1),
	KEY(DROPOUT_HIDDEN, "resid_pdrop", 0.1),
	KEY(DROPOUT_ATTENTION, "attn_pdrop", 0.1),
	KEY(DROPOUT_HEAD, "classifier_dropout|hidden_dropout", 0.1),
	KEY(CROSS_ATTENTION, "add_cross_attention", 0),
	KEY(SCALE_SCORES, "scale_attn_weights", 1),
	KEY(SCALE_BY_LAYER, "scale_attn_by_inverse_layer_idx", 0),
	KEY(BOS, "bos_token_id", 50256),
	KEY(EOS, "eos_token_id", 50256),
	END_KEYS,
};

static const attend_family_name names[] = {
	WEIGHT(WORD_EMBEDDING, "wte"),
	WEIGHT(POSITION_EMBEDDING, "wpe"),
	PAIR(ATTENTION_NORM_W, "h.{b}.ln_1"),
	PAIR(QKV_W, "h.{b}.attn.c_attn", .in_out = true),
	PAIR(ATTENTION_OUT_W, "h.{b}.attn.c_proj", .in_out = true),
	PAIR(CROSS_NORM_W, "h.{b}.ln_cross_attn"),
	PAIR(CROSS_Q_W, "h.{b}.crossattention.q_attn", .in_out = true),
	PAIR(CROSS_KV_W, "h.{b}.crossattention.c_attn", .in_out = true),
	PAIR(CROSS_OUT_W, "h.{b}.crossattention.c_proj", .in_out = true),
	PAIR(FFN_NORM_W, "h.{b}.ln_2"),
	PAIR(UP_W, "h.{b}.mlp.c_fc", .in_out = true),
	PAIR(DOWN_W, "h.{b}.mlp.c_proj", .in_out = true),
	PAIR(FINAL_NORM_W, "ln_f"),
	END_NAMES,
};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_LM, .outputs = ATTEND_OUTPUTS_VOCAB, .tied = true, .shift_labels = true, .out = "lm_head"},
	HEAD_SEQUENCE_LAST,
	HEAD_TOKEN,
	HEAD_QA,
	END_HEADS,
};

static const attend_family_class classes[] = {
	CLASS("GPT2Model", BASE),
	CLASS("GPT2LMHeadModel", LM),
	CLASS("GPT2DoubleHeadsModel", LM),
	CLASS("GPT2ForSequenceClassification", SEQUENCE),
	CLASS("GPT2ForTokenClassification", TOKEN),
	CLASS("GPT2ForQuestionAnswering", QA),
	END_CLASSES,
};

const char *const attend_ignored_gpt[] = {"*.attn.bias",           "*.attn.masked_bias",
                                          "*.attn.attention.bias", "*.attn.attention.masked_bias",
                                          "*position_ids",         NULL};

const attend_family attend_family_gpt2 = {
	.model_type = "gpt2",
	.base_prefix = "transformer.",
	.shape = ATTEND_SHAPE_DECODER,
	.layers = ATTEND_LAYERS_GPT2,
	.scales_residuals = true,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .types_use_words = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_PRE,
              .final_norm = true},
	.keys = keys,
	.names = names,
	.heads = heads,
	.classes = classes,
	.ignored = attend_ignored_gpt,
};
