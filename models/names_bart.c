/* names_bart.c: tensor names of BART's body, which mBART, Marian and Pegasus share, and the keys they have in common
 * (huggingface.md 2.11 to 2.13). layernorm_embedding is BART's and mBART's, layer_norm (the final one) mBART's and Pegasus'. */
#include "models/tables.h"

const attend_family_name attend_names_bart[] = {
	WEIGHT(WORD_EMBEDDING, "shared|{s}.embed_tokens|encoder.embed_tokens|decoder.embed_tokens",
           .when = ATTEND_KEY_SHARE_EMBEDDING),
	WEIGHT(WORD_EMBEDDING, "{s}.embed_tokens|shared"),
	WEIGHT(POSITION_EMBEDDING, "{s}.embed_positions"),
	PAIR(EMBEDDING_NORM_W, "{s}.layernorm_embedding"),
	PAIR(Q_W, "{s}.layers.{b}.self_attn.q_proj"),
	PAIR(K_W, "{s}.layers.{b}.self_attn.k_proj"),
	PAIR(V_W, "{s}.layers.{b}.self_attn.v_proj"),
	PAIR(ATTENTION_OUT_W, "{s}.layers.{b}.self_attn.out_proj"),
	PAIR(ATTENTION_NORM_W, "{s}.layers.{b}.self_attn_layer_norm"),
	PAIR(CROSS_Q_W, "{s}.layers.{b}.encoder_attn.q_proj"),
	PAIR(CROSS_K_W, "{s}.layers.{b}.encoder_attn.k_proj"),
	PAIR(CROSS_V_W, "{s}.layers.{b}.encoder_attn.v_proj"),
	PAIR(CROSS_OUT_W, "{s}.layers.{b}.encoder_attn.out_proj"),
	PAIR(CROSS_NORM_W, "{s}.layers.{b}.encoder_attn_layer_norm"),
	PAIR(UP_W, "{s}.layers.{b}.fc1"),
	PAIR(DOWN_W, "{s}.layers.{b}.fc2"),
	PAIR(FFN_NORM_W, "{s}.layers.{b}.final_layer_norm"),
	PAIR(FINAL_NORM_W, "{s}.layer_norm"),
	END_NAMES,
};

const attend_family_key attend_keys_bart[] = {
	KEY(HIDDEN, "d_model|hidden_size", 1024),
	KEY(LAYERS, "encoder_layers|num_hidden_layers", 12),
	KEY(DECODER_LAYERS, "decoder_layers", 12),
	KEY(HEADS, "encoder_attention_heads|num_attention_heads", 16),
	KEY(DECODER_HEADS, "decoder_attention_heads", 16),
	KEY(INTERMEDIATE, "encoder_ffn_dim", 4096),
	KEY(DECODER_INTERMEDIATE, "decoder_ffn_dim", 4096),
	KEY(MAX_POSITIONS, "max_position_embeddings", 1024),
	CONSTANT(NORM_EPS, 1e-5), /* nn.LayerNorm's own */
	KEY(INIT_RANGE, "init_std", 0.02),
	KEY(ACTIVATION, "activation_function", ATTEND_ACT_GELU),
	KEY(DROPOUT_EMBEDDING, "dropout", 0.1),
	KEY(DROPOUT_HIDDEN, "dropout", 0.1),
	KEY(DROPOUT_ATTENTION, "attention_dropout", 0),
	KEY(DROPOUT_ACTIVATION, "activation_dropout", 0),
	KEY(DROPOUT_HEAD, "classifier_dropout", 0),
	KEY(SCALE_EMBEDDING, "scale_embedding", 0),
	KEY(ENCODER_DECODER, "is_encoder_decoder", 1),
	CONSTANT(SHARE_EMBEDDING, 1),
	END_KEYS,
};

const attend_family_head attend_heads_bart[] = {
	{.kind = ATTEND_HEAD_SEQ2SEQ,
     .outputs = ATTEND_OUTPUTS_VOCAB,
     .tied = true,
     .out = "lm_head",
     .out_bias = "final_logits_bias",
     .out_bias_constant = true,
     .out_bias_optional = true},
	{.kind = ATTEND_HEAD_LM, .outputs = ATTEND_OUTPUTS_VOCAB, .tied = true, .out = "lm_head"},
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
	HEAD_QA,
	END_HEADS,
};

const char *const attend_ignored_bart[] = {"*encoder.version", "*decoder.version", "*embed_positions.position_ids",
                                           NULL};
