/* model.h: what a model family is, as data. One attend_family table (models/<family>.c) says which keys its config.json has, how
 * its blocks are built, how its tensors are called, which heads exist and which class name means which head. The readers in
 * loaders/ (config_json.c, bind.c) turn it into an attend_arch and an attend_network; no code asks for a family's name.
 *
 * Adding a family: copy the nearest relative's file, change what differs, add one line to registry.c. */
#ifndef ATTEND_MODELS_MODEL_H
#define ATTEND_MODELS_MODEL_H

#include "lib/nn/params.h"

/* ---- config.json ---------------------------------------------------------------------------------------------------- */

/* What a number in config.json means. A model's table maps these to its own spelling. */
typedef enum attend_key {
	ATTEND_KEY_NONE,
	/* sizes; where encoder and decoder differ the DECODER_ form falls back to the plain one */
	ATTEND_KEY_VOCAB,
	ATTEND_KEY_DECODER_VOCAB,
	ATTEND_KEY_HIDDEN,
	ATTEND_KEY_EMBEDDING, /* E; falls back to HIDDEN */
	ATTEND_KEY_LAYERS,
	ATTEND_KEY_DECODER_LAYERS,
	ATTEND_KEY_HEADS,
	ATTEND_KEY_DECODER_HEADS,
	ATTEND_KEY_HEAD_DIM, /* falls back to HIDDEN / HEADS */
	ATTEND_KEY_INTERMEDIATE,
	ATTEND_KEY_DECODER_INTERMEDIATE,
	ATTEND_KEY_GROUPS,
	ATTEND_KEY_INNER_LAYERS,
	ATTEND_KEY_MAX_POSITIONS,
	ATTEND_KEY_TYPES,
	ATTEND_KEY_BUCKETS,
	ATTEND_KEY_MAX_DISTANCE,
	ATTEND_KEY_LABELS, /* num_labels, where there is no id2label */
	ATTEND_KEY_CLAMP_LEN,
	ATTEND_KEY_MEMORY,
	ATTEND_KEY_WINDOW,
	ATTEND_KEY_FULL_EVERY, /* ModernBERT: layer i is full when i % n == 0 */
	/* numbers */
	ATTEND_KEY_NORM_EPS,
	ATTEND_KEY_INIT_RANGE,
	ATTEND_KEY_ROTARY_THETA,       /* full attention */
	ATTEND_KEY_ROTARY_THETA_LOCAL, /* windowed attention */
	ATTEND_KEY_DROPOUT_EMBEDDING,
	ATTEND_KEY_DROPOUT_HIDDEN,
	ATTEND_KEY_DROPOUT_ATTENTION,
	ATTEND_KEY_DROPOUT_ACTIVATION,
	ATTEND_KEY_DROPOUT_FINAL,
	ATTEND_KEY_DROPOUT_HEAD,
	ATTEND_KEY_DROPOUT_QA,
	ATTEND_KEY_DROPOUT_CHOICE,
	/* words */
	ATTEND_KEY_ACTIVATION,      /* a name of huggingface.md 2.0.4 */
	ATTEND_KEY_ACTIVATION_GPT1, /* GPT-1's own table, where gelu is gelu_new; sets ACTIVATION */
	ATTEND_KEY_ACTIVATION_T5,   /* feed_forward_proj; sets ACTIVATION and GATED */
	ATTEND_KEY_HEAD_ACTIVATION,
	ATTEND_KEY_ATTENTION_DIRECTION, /* "bi" or "uni"; sets CAUSAL */
	ATTEND_KEY_HEAD_POOLING,        /* "cls", "mean" (ModernBERT), "first", "last" (summary_type): an attend_pooling */
	/* flags */
	ATTEND_KEY_GATED,
	ATTEND_KEY_CAUSAL,
	ATTEND_KEY_HEAD_DENSE, /* summary_use_proj */
	ATTEND_KEY_IS_DECODER,
	ATTEND_KEY_CROSS_ATTENTION,
	ATTEND_KEY_ENCODER_DECODER,
	ATTEND_KEY_TIE,             /* tie_word_embeddings */
	ATTEND_KEY_TIE_STACKS,      /* tie_encoder_decoder */
	ATTEND_KEY_SHARE_EMBEDDING, /* one word table for encoder and decoder */
	ATTEND_KEY_SCALE_EMBEDDING,
	ATTEND_KEY_SCALE_SCORES,
	ATTEND_KEY_SCALE_BY_LAYER, /* scale_attn_by_inverse_layer_idx */
	ATTEND_KEY_SCALE_LOGITS,   /* x D^-0.5 before the output matrix; falls back to TIE */
	ATTEND_KEY_ATTENTION_BIAS,
	ATTEND_KEY_FFN_BIAS,
	ATTEND_KEY_NORM_BIAS,
	ATTEND_KEY_HEAD_BIAS,
	ATTEND_KEY_OUTPUT_BIAS,
	/* ids; -1: none */
	ATTEND_KEY_PAD,
	ATTEND_KEY_BOS,
	ATTEND_KEY_EOS,
	ATTEND_KEY_SEP,
	ATTEND_KEY_CLS,
	ATTEND_KEY_DECODER_START,
	ATTEND_KEY_COUNT
} attend_key;

/* How a model spells a key and what counts when it is absent or null: `times` * the value of the key `otherwise`, or `value`
 * when there is none. */
typedef struct attend_family_key {
	attend_key key;
	const char *names; /* "n_embd|hidden_size": the first present one counts; NULL: not in config.json, a constant */
	double value;
	attend_key otherwise;
	double times;
} attend_family_key;

/* ---- Tensor names ----------------------------------------------------------------------------------------------------- */

typedef enum attend_name_form {
	ATTEND_NAME_PAIR,   /* `role` at PATTERN.weight and `role`+1 at PATTERN.bias */
	ATTEND_NAME_WEIGHT, /* PATTERN.weight only */
	ATTEND_NAME_RAW     /* PATTERN as it stands */
} attend_name_form;

enum { ATTEND_STACK_BOTH = 0, ATTEND_STACK_ENCODER = 1, ATTEND_STACK_DECODER = 2 };

/* The tensor of a role. In the pattern: {s} encoder or decoder, {b} the block, {g} its group and {k} its place in the group. Several
 * spellings are separated by '|', the preferred first. */
typedef struct attend_family_name {
	attend_role role; /* the first line of a role whose conditions hold counts */
	const char *pattern;
	attend_name_form form;
	unsigned stacks;      /* ATTEND_STACK_...: where this line holds */
	bool in_out;          /* Conv1D: stored [in, out] */
	bool loose;           /* any rank whose elements, read in order, are the expected vector or matrix */
	attend_key when;      /* only if this flag is true */
	attend_key bias_when; /* the .bias of a PAIR only if this flag is true */
} attend_family_name;

/* ---- Heads ------------------------------------------------------------------------------------------------------------- */

typedef enum attend_head_outputs {
	ATTEND_OUTPUTS_LABELS, /* num_labels */
	ATTEND_OUTPUTS_VOCAB,
	ATTEND_OUTPUTS_ONE,
	ATTEND_OUTPUTS_TWO
} attend_head_outputs;

typedef struct attend_family_head {
	attend_head_kind kind;
	attend_pooling pooling;
	bool pooling_by_config; /* ATTEND_KEY_HEAD_POOLING instead */
	bool on_encoder;        /* reads the encoder although there is a decoder */
	bool after_pooler;
	attend_key dense_width; /* ATTEND_KEY_HIDDEN or _EMBEDDING; NONE: no dense layer */
	attend_activation activation;
	attend_key activation_key; /* ATTEND_KEY_ACTIVATION or _HEAD_ACTIVATION instead of `activation` */
	bool norm;
	float norm_eps; /* 0: the stack's */
	attend_head_outputs outputs;
	bool tied;
	bool shift_labels;
	attend_key dropout; /* before the output; NONE: 0 */
	bool dropout_before_dense;
	const char *dense, *norm_name; /* PATTERN of .weight and .bias */
	const char *out;               /* PATTERN of .weight; '|' as above */
	const char *out_bias;          /* whole names; NULL: none */
	bool out_bias_constant;        /* a buffer of the reference: never learns */
	bool sentence_order;           /* NSP: about order, not continuation (ALBERT) */
	bool out_bias_optional;        /* absent means zeros (output biases of language models) */
	attend_key dense_when;         /* the dense layer only if this flag is true; NONE: always */
	attend_key dense_bias_when, norm_bias_when, out_bias_when; /* only if this flag is true; NONE: always */
} attend_family_head;

/* ---- The table ------------------------------------------------------------------------------------------------------------ */

typedef enum attend_family_shape {
	ATTEND_SHAPE_COLUMN, /* one column: an encoder, or a decoder when is_decoder is true */
	ATTEND_SHAPE_DECODER,
	ATTEND_SHAPE_ENCODER_DECODER,
	ATTEND_SHAPE_ENCODER,  /* for classes: the encoder of an encoder-decoder alone */
	ATTEND_SHAPE_COMPOSITE /* two sub-configs with their own model_type */
} attend_family_shape;

/* A name of config.json's architectures[]. shape 0 (COLUMN): the model's own. */
typedef struct attend_family_class {
	const char *name;
	attend_head_kind head;
	attend_family_shape shape;
} attend_family_class;

/* What differs between layers. */
typedef enum attend_layer_rule {
	ATTEND_LAYERS_EQUAL,
	ATTEND_LAYERS_GPT2,      /* SCALE_BY_LAYER */
	ATTEND_LAYERS_GPT_NEO,   /* attention_layers, or attention_types expanded */
	ATTEND_LAYERS_MODERNBERT /* layer_types, or every n-th layer is full; rotary theta by type */
} attend_layer_rule;

typedef struct attend_family {
	const char *model_type;
	const char *base_prefix; /* "bert.": optional in front of every tensor that is not a head's */
	unsigned bare_heads;     /* bits of head kinds whose class is saved without the prefix, beside ATTEND_HEAD_BASE */
	attend_family_shape shape;
	attend_layer_rule layers;
	attend_shift_rule shift;
	bool unties_stacks;   /* tie_word_embeddings false also parts the encoder's and the decoder's embedding (BART) */
	bool projects_always; /* ALBERT: the projection from E to D is there even where E is D */
	bool
		scales_residuals; /* new weights of what is added to the residual: N(0, initializer_range / sqrt(2 layers)) (GPT-2) */
	bool sees_ahead; /* XLNet: a decoder is causal only where ATTEND_KEY_CAUSAL says so */
	bool pad_is_one; /* MPNet: positions count from 1 whatever pad_token_id says */
	attend_stack_arch
		stack; /* the flags that are the same for all members; sizes are filled in. Decoders get causal and
	                            cross_attention by shape, and one-directional buckets. */
	/* The model's own lines, then those that it shares with relatives (NULL: none); the first line for a key or role counts.
	 * Up to ATTEND_KEY_NONE and ATTEND_ROLE_NONE. */
	const attend_family_key *keys, *shared_keys;
	const attend_family_name *names, *shared_names;
	const attend_family_head *heads;    /* up to kind ATTEND_HEAD_BASE, which has no tensors */
	const attend_family_class *classes; /* up to name NULL */
	const char *const
		*ignored; /* "*.position_ids": patterns ('*': anything) of buffers that are no weights; up to NULL */
} attend_family;

#endif
