/* gpt_neo.c: GPT-Neo (Black et al., 2021; huggingface.md 2.9).
 *
 * Against GPT-2: ordinary Linears ([out, in]) with q, k, v apart and without bias, scores not scaled at all, layers that are
 * global or see the last window_size tokens (attention_layers, or attention_types to be expanded).
 * Pitfalls: intermediate_size null means 4 hidden_size; score has no bias. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 50257),
	KEY(HIDDEN, "hidden_size", 2048),
	KEY(LAYERS, "num_layers|num_hidden_layers", 24),
	KEY(HEADS, "num_heads|num_attention_heads", 16),
	KEY_OR(INTERMEDIATE, "intermediate_size", HIDDEN, 4),
	KEY(MAX_POSITIONS, "max_position_embeddings", 2048),
	KEY(WINDOW, "window_size", 256),
	KEY(NORM_EPS, "layer_norm_epsilon", 1e-5),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION, "activation_function", ATTEND_ACT_GELU_NEW),
	CONSTANT(SCALE_SCORES, 0),
	KEY(DROPOUT_EMBEDDING, "embed_dropout", 0),
	KEY(DROPOUT_HIDDEN, "resid_dropout", 0),
	KEY(DROPOUT_ATTENTION, "attention_dropout", 0),
	KEY(DROPOUT_HEAD, "classifier_dropout", 0.1),
	KEY(BOS, "bos_token_id", 50256),
	KEY(EOS, "eos_token_id", 50256),
	END_KEYS,
};

static const attend_family_name names[] = {
	WEIGHT(WORD_EMBEDDING, "wte"),
	WEIGHT(POSITION_EMBEDDING, "wpe"),
	PAIR(ATTENTION_NORM_W, "h.{b}.ln_1"),
	WEIGHT(Q_W, "h.{b}.attn.attention.q_proj"),
	WEIGHT(K_W, "h.{b}.attn.attention.k_proj"),
	WEIGHT(V_W, "h.{b}.attn.attention.v_proj"),
	PAIR(ATTENTION_OUT_W, "h.{b}.attn.attention.out_proj"),
	PAIR(FFN_NORM_W, "h.{b}.ln_2"),
	PAIR(UP_W, "h.{b}.mlp.c_fc"),
	PAIR(DOWN_W, "h.{b}.mlp.c_proj"),
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
	CLASS("GPTNeoModel", BASE),
	CLASS("GPTNeoForCausalLM", LM),
	CLASS("GPTNeoForSequenceClassification", SEQUENCE),
	CLASS("GPTNeoForTokenClassification", TOKEN),
	CLASS("GPTNeoForQuestionAnswering", QA),
	END_CLASSES,
};

const attend_family attend_family_gpt_neo = {
	.model_type = "gpt_neo",
	.base_prefix = "transformer.",
	.shape = ATTEND_SHAPE_DECODER,
	.layers = ATTEND_LAYERS_GPT_NEO,
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
