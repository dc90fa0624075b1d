/* openai_gpt.c: GPT (Radford et al., 2018; huggingface.md 2.8).
 *
 * Against GPT-2: post-norm (n = ln_1(x + attention); x = ln_2(n + mlp)), no final norm, the FFN always 4 n_embd.
 * Pitfalls: `afn` has its own table of names, where gelu means gelu_new; the published file has no prefix. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 40478),
	KEY(HIDDEN, "n_embd|hidden_size", 768),
	KEY(LAYERS, "n_layer|num_hidden_layers", 12),
	KEY(HEADS, "n_head|num_attention_heads", 12),
	KEY_OR(INTERMEDIATE, NULL, HIDDEN, 4),
	KEY(MAX_POSITIONS, "n_positions|max_position_embeddings", 512),
	KEY(NORM_EPS, "layer_norm_epsilon", 1e-5),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION_GPT1, "afn", ATTEND_ACT_GELU_NEW),
	KEY(DROPOUT_EMBEDDING, "embd_pdrop", 0.1),
	KEY(DROPOUT_HIDDEN, "resid_pdrop", 0.1),
	KEY(DROPOUT_ATTENTION, "attn_pdrop", 0.1),
	END_KEYS,
};

static const attend_family_name names[] = {
	WEIGHT(WORD_EMBEDDING, "tokens_embed"),
	WEIGHT(POSITION_EMBEDDING, "positions_embed"),
	PAIR(QKV_W, "h.{b}.attn.c_attn", .in_out = true),
	PAIR(ATTENTION_OUT_W, "h.{b}.attn.c_proj", .in_out = true),
	PAIR(ATTENTION_NORM_W, "h.{b}.ln_1"),
	PAIR(UP_W, "h.{b}.mlp.c_fc", .in_out = true),
	PAIR(DOWN_W, "h.{b}.mlp.c_proj", .in_out = true),
	PAIR(FFN_NORM_W, "h.{b}.ln_2"),
	END_NAMES,
};

static const attend_family_head heads[] = {
	{.kind = ATTEND_HEAD_LM, .outputs = ATTEND_OUTPUTS_VOCAB, .tied = true, .shift_labels = true, .out = "lm_head"},
	HEAD_SEQUENCE_LAST,
	END_HEADS,
};

static const attend_family_class classes[] = {
	CLASS("OpenAIGPTModel", BASE),
	CLASS("OpenAIGPTLMHeadModel", LM),
	CLASS("OpenAIGPTDoubleHeadsModel", LM),
	CLASS("OpenAIGPTForSequenceClassification", SEQUENCE),
	END_CLASSES,
};

const attend_family attend_family_openai_gpt = {
	.model_type = "openai-gpt",
	.base_prefix = "transformer.",
	.shape = ATTEND_SHAPE_DECODER,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .types_use_words = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_POST},
	.keys = keys,
	.names = names,
	.heads = heads,
	.classes = classes,
	.ignored = attend_ignored_gpt,
};
