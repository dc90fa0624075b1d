/* mpnet.c: MPNet (Song et al., 2020; huggingface.md 2.15).
 *
 * Against RoBERTa: no token types; one table of bucketed relative positions for all layers, added after the scaling (T5's
 * encoder buckets, 32 and 128 whatever the config says of distances); attention.attn.{q,k,v,o}.
 * Pitfalls: positions count from 1 whatever pad_token_id is; classifiers do not use the pooler, multiple choice does. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 30527),
	KEY(HIDDEN, "hidden_size", 768),
	KEY(LAYERS, "num_hidden_layers", 12),
	KEY(HEADS, "num_attention_heads", 12),
	KEY(INTERMEDIATE, "intermediate_size", 3072),
	KEY(MAX_POSITIONS, "max_position_embeddings", 512),
	KEY(BUCKETS, "relative_attention_num_buckets", 32),
	CONSTANT(MAX_DISTANCE, 128),
	KEY(NORM_EPS, "layer_norm_eps", 1e-12),
	KEY(INIT_RANGE, "initializer_range", 0.02),
	KEY(ACTIVATION, "hidden_act", ATTEND_ACT_GELU),
	KEY(DROPOUT_EMBEDDING, "hidden_dropout_prob", 0.1),
	KEY(DROPOUT_HIDDEN, "hidden_dropout_prob", 0.1),
	KEY(DROPOUT_ATTENTION, "attention_probs_dropout_prob", 0.1),
	KEY_OR(DROPOUT_HEAD, NULL, DROPOUT_HIDDEN, 1),
	KEY(PAD, "pad_token_id", 1),
	KEY(BOS, "bos_token_id", 0),
	KEY(EOS, "eos_token_id", 2),
	END_KEYS,
};

static const attend_family_name names[] = {
	WEIGHT(WORD_EMBEDDING, "embeddings.word_embeddings"),
	WEIGHT(POSITION_EMBEDDING, "embeddings.position_embeddings"),
	PAIR(EMBEDDING_NORM_W, "embeddings.LayerNorm"),
	WEIGHT(RELATIVE_BIAS, "encoder.relative_attention_bias"),
	PAIR(Q_W, "encoder.layer.{b}.attention.attn.q"),
	PAIR(K_W, "encoder.layer.{b}.attention.attn.k"),
	PAIR(V_W, "encoder.layer.{b}.attention.attn.v"),
	PAIR(ATTENTION_OUT_W, "encoder.layer.{b}.attention.attn.o"),
	PAIR(ATTENTION_NORM_W, "encoder.layer.{b}.attention.LayerNorm"),
	PAIR(UP_W, "encoder.layer.{b}.intermediate.dense"),
	PAIR(DOWN_W, "encoder.layer.{b}.output.dense"),
	PAIR(FFN_NORM_W, "encoder.layer.{b}.output.LayerNorm"),
	PAIR(POOLER_W, "pooler.dense"),
	END_NAMES,
};

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
	HEAD_SEQUENCE_DENSE(TANH),
	HEAD_TOKEN,
	HEAD_QA,
	HEAD_CHOICE_POOLED(DROPOUT_HEAD),
	END_HEADS,
};

static const attend_family_class classes[] = {
	CLASS("MPNetModel", BASE),
	CLASS("MPNetForMaskedLM", MLM),
	CLASS("MPNetForSequenceClassification", SEQUENCE),
	CLASS("MPNetForTokenClassification", TOKEN),
	CLASS("MPNetForQuestionAnswering", QA),
	CLASS("MPNetForMultipleChoice", CHOICE),
	END_CLASSES,
};

const attend_family attend_family_mpnet = {
	.model_type = "mpnet",
	.base_prefix = "mpnet.",
	.shape = ATTEND_SHAPE_COLUMN,
	.pad_is_one = true,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .position_source = ATTEND_POSITION_FROM_IDS,
              .embedding_norm = true,
              .pad_row_frozen = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_POST,
              .relative = ATTEND_RELATIVE_BUCKETS_STACK,
              .relative_bidirectional = true},
	.keys = keys,
	.names = names,
	.heads = heads,
	.classes = classes,
	.ignored = attend_ignored_bert,
};
