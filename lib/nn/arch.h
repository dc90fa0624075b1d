/* arch.h: a Transformer as data. One attend_arch describes any of the supported models completely: structure as flags,
 * sizes as numbers, heads as a list. It is filled by loaders/config_json.c from config.json and the model's table in
 * models/; the network in lib/nn reads it and never asks for a model's name.
 *
 * Reading order: attend_stack_arch (one column of blocks), attend_head_arch (what is put on top), attend_arch. */
#ifndef ATTEND_NN_ARCH_H
#define ATTEND_NN_ARCH_H

#include "lib/kernels/kernels.h"

typedef enum attend_norm_kind {
	ATTEND_NORM_LAYER, /* mean and variance, weight, bias if the file has one */
	ATTEND_NORM_RMS    /* root mean square, weight */
} attend_norm_kind;

typedef enum attend_norm_place {
	ATTEND_NORM_POST, /* x = norm(x + f(x)) */
	ATTEND_NORM_PRE   /* x = x + f(norm(x)) */
} attend_norm_place;

typedef enum attend_position_kind {
	ATTEND_POSITION_NONE,
	ATTEND_POSITION_LEARNED,  /* table [max_positions + offset, E] in the file */
	ATTEND_POSITION_SINUSOID, /* table from the file where it has one, else computed (Marian, Pegasus) */
	ATTEND_POSITION_ROTARY    /* rotates q and k in every layer, theta by layer */
} attend_position_kind;

typedef enum attend_position_source {
	ATTEND_POSITION_FROM_COLUMN, /* the token's column, or position_ids as given */
	ATTEND_POSITION_FROM_IDS /* RoBERTa, MPNet: running count of tokens that are not pad, + pad id; pads get pad id */
} attend_position_source;

typedef enum attend_relative_kind {
	ATTEND_RELATIVE_NONE,
	ATTEND_RELATIVE_BUCKETS_STACK, /* T5, MPNet: one table [buckets,H] for all layers of the stack */
	ATTEND_RELATIVE_BUCKETS_LAYER, /* UMT5: a table in each layer */
	ATTEND_RELATIVE_XLNET          /* r, r_w_bias, r_r_bias, r_s_bias, seg_embed in each layer (huggingface.md 2.6) */
} attend_relative_kind;

/* What differs between the layers of one stack. */
typedef struct attend_layer_arch {
	bool windowed;                    /* GPT-Neo local, ModernBERT sliding */
	size_t window_left, window_right; /* visible: -left <= key - query <= right */
	float rotary_theta;               /* ATTEND_POSITION_ROTARY */
	float score_factor;               /* extra factor on q.k: 1, or 1/(layer+1) (scale_attn_by_inverse_layer_idx) */
	bool skip_attention_norm;         /* ModernBERT layer 0: the norm before attention is the identity */
} attend_layer_arch;

typedef struct attend_stack_arch {
	/* sizes */
	size_t layers;          /* times that a block runs */
	size_t hidden;          /* D */
	size_t heads, head_dim; /* heads*head_dim need not be D (T5) */
	size_t intermediate;    /* F */
	size_t vocab;           /* rows of the word embedding */
	size_t embedding;       /* E, width of the embeddings; != hidden: projected up (ALBERT, ELECTRA) */
	/* sharing (ALBERT): layer i runs group i*groups/layers, which is `inner_layers` blocks in order; others: groups ==
	 * layers, inner_layers 1. Blocks that hold parameters: groups*inner_layers. */
	size_t groups, inner_layers;
	/* embeddings */
	attend_position_kind positions;
	attend_position_source position_source;
	size_t max_positions;   /* usable positions: a longer text is an error; 0: no limit */
	size_t position_offset; /* added to the position before the look-up: BART, mBART 2 */
	int32_t pad_id;         /* for ATTEND_POSITION_FROM_IDS and padding_idx; -1: none */
	bool pad_row_frozen;    /* nn.Embedding(padding_idx): the look-up gives this row no gradient */
	size_t types;           /* rows of the token type table; 0: none */
	bool types_use_words;   /* GPT-1, GPT-2: token type ids are looked up in the word table, only when given */
	float embedding_scale;  /* 1, or sqrt(D) */
	bool embedding_norm;
	/* blocks */
	attend_norm_kind norm;
	attend_norm_place norm_place;
	float norm_eps;
	bool final_norm;
	bool causal; /* self-attention sees the past only */
	bool cross_attention;
	float score_scale; /* factor on q.k: 1/sqrt(head_dim), or 1 (T5, GPT-Neo) */
	attend_relative_kind relative;
	size_t relative_buckets, relative_max_distance;
	bool relative_bidirectional;
	size_t memory;     /* XLNet's mem_len: cached tokens that a decoder sees; 0: all */
	int64_t clamp_len; /* XLNet: > 0 clamps distances */
	attend_activation activation;
	bool gated;                     /* down(act(gate x) * (up x)) */
	const attend_layer_arch *layer; /* [layers], owned by the attend_arch */
	/* Training, HF's dropout places: on the embeddings (after their norm) · on attention and FFN outputs before the residual
	 * sum, unless one of the flags says no (DistilBERT: none after attention; ALBERT: none after the FFN) · on probabilities ·
	 * inside the FFN after the activation · on the stack's output, after the final norm (T5, XLNet). */
	float dropout_embedding, dropout_hidden, dropout_attention, dropout_activation, dropout_final;
	bool no_attention_output_dropout, no_ffn_output_dropout;
} attend_stack_arch;

/* What a head reads. */
typedef enum attend_pooling {
	ATTEND_POOL_ALL,       /* every token gets an output */
	ATTEND_POOL_FIRST,     /* token 0 */
	ATTEND_POOL_LAST,      /* last token of the row (XLNet) */
	ATTEND_POOL_LAST_REAL, /* right-most token that is not pad (GPT-1, GPT-2, GPT-Neo classification) */
	ATTEND_POOL_LAST_EOS,  /* decoder state at the last eos of input_ids (T5, BART classification) */
	ATTEND_POOL_MEAN       /* mean over the tokens, before the dense layer (ModernBERT) */
} attend_pooling;

/* The task, which fixes labels, loss and the names of outputs. */
typedef enum attend_head_kind {
	ATTEND_HEAD_BASE,          /* last_hidden_state (+ pooler_output) */
	ATTEND_HEAD_MLM,           /* logits [N,V]; CE, -100 ignored */
	ATTEND_HEAD_LM,            /* logits [N,V]; CE on the next token */
	ATTEND_HEAD_SEQ2SEQ,       /* logits [N,V]; CE on decoder positions */
	ATTEND_HEAD_NSP,           /* [S,2]; also ALBERT's sentence order */
	ATTEND_HEAD_PRETRAINING,   /* MLM and NSP together */
	ATTEND_HEAD_SEQUENCE,      /* [S,C]: CE, MSE or BCE by problem_type */
	ATTEND_HEAD_TOKEN,         /* [N,C] */
	ATTEND_HEAD_QA,            /* [N,2]: start and end */
	ATTEND_HEAD_CHOICE,        /* [S,1] regrouped [S/choices, choices] */
	ATTEND_HEAD_DISCRIMINATOR, /* [N]: BCE (ELECTRA) */
	ATTEND_HEAD_KINDS
} attend_head_kind;
const char *attend_head_kind_name(
	attend_head_kind kind); /* the command's words: "mlm", "sequence", "multiple-choice" ... */
attend_status attend_head_kind_parse(attend_head_kind *out, const char *name);

/* out( scale * norm( act( dense( pool(x) ) ) ) ) + bias; each part is optional. */
typedef struct attend_head_arch {
	attend_head_kind kind;
	attend_pooling pooling;
	bool sentence_order; /* NSP: the second sentence comes first, or not (ALBERT): its output is called sop_logits */
	bool on_encoder;     /* reads the encoder although there is a decoder (T5 token classification) */
	bool after_pooler;   /* reads the pooler's output (BERT sequence, NSP, choice) */
	size_t dense;        /* output width of the dense layer; 0: none */
	attend_activation activation;
	bool norm; /* with the stack's kind */
	float norm_eps;
	size_t outputs;            /* C or V; 0: the vector so far is the output */
	bool tied;                 /* the output matrix is the word embedding of the stack that is read */
	float scale;               /* 1, or D^-0.5 (T5 tied) */
	bool shift_labels;         /* LM: labels[t+1] belongs to position t */
	float dropout;             /* before the output layer */
	bool dropout_before_dense; /* and before the dense layer too */
} attend_head_arch;

/* How decoder_input_ids come from labels or input_ids (huggingface.md 2.10, 2.11, 2.13). */
typedef enum attend_shift_rule {
	ATTEND_SHIFT_START,   /* decoder_start_token_id in front, -100 -> pad */
	ATTEND_SHIFT_LANGUAGE /* mBART: the last non-pad label goes to the front */
} attend_shift_rule;

enum { ATTEND_MAX_HEADS = 8 };

typedef struct attend_arch {
	bool has_encoder, has_decoder;      /* encoder only, decoder only, both */
	attend_stack_arch encoder, decoder; /* a decoder-only model uses `decoder`, an encoder-only one `encoder` */
	bool shared_embedding;              /* encoder and decoder use one word table */
	bool tie_word_embeddings;           /* config.json's flag, after the rules of huggingface.md 2.0.3 */
	bool bridge;             /* enc_to_dec_proj: a Linear from encoder to decoder width (EncoderDecoderModel) */
	attend_head_arch pooler; /* first token, dense, tanh; outputs 0. dense 0: the model has no pooler */
	attend_head_arch
		heads[ATTEND_MAX_HEADS]; /* every head that this architecture can carry, found in the file or not */
	size_t head_count;
	attend_head_kind default_head; /* by config.json's architectures[0] */
	attend_shift_rule shift;
	bool shifted_pads_hidden; /* EncoderDecoderModel: pads among shifted labels are no keys of the decoder */
	int32_t pad_id, bos_id, decoder_start_id; /* -1: none */
	int32_t eos_id;                           /* first of the list, -1: none; for ATTEND_POOL_LAST_EOS */
	attend_layer_arch *layers;                /* heap block behind encoder.layer and decoder.layer */
} attend_arch;

/* Stack 0 (encoder) or 1 (decoder). */
static inline const attend_stack_arch *attend_arch_stack(const attend_arch *arch, int stack)
{
	return stack == 0 ? &arch->encoder : &arch->decoder;
}

void attend_arch_free(attend_arch *arch); /* frees what it points to, not the struct */

#endif
