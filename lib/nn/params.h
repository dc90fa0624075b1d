/* params.h: the parameters of a network: named tensors, and the handles through which the forward pass reads them.
 *
 * A *param* is one tensor of the checkpoint under its own name. A *handle* (linear, vector, table) is how a block uses
 * params: a linear may be made of several (q, k, v in one product), a param may serve several handles (tied embeddings).
 * Loading fills `stored` (a view into the mapped file). Kernels read packed or f32 forms that are made when first used.
 * Training owns f32 `values` and `grad`. dtype differs behind the handle and nowhere else. */
#ifndef ATTEND_NN_PARAMS_H
#define ATTEND_NN_PARAMS_H

#include <pthread.h>

#include "lib/core/rooms.h"
#include "lib/nn/arch.h"

/* The place of a parameter in the architecture: role x stack x block is what a model's table maps to a tensor name. */
typedef enum attend_role {
	ATTEND_ROLE_NONE,
	/* once per stack */
	ATTEND_ROLE_WORD_EMBEDDING,     /* [V,E] */
	ATTEND_ROLE_POSITION_EMBEDDING, /* [P,E] */
	ATTEND_ROLE_TYPE_EMBEDDING,     /* [types,E] */
	ATTEND_ROLE_EMBEDDING_NORM_W,
	ATTEND_ROLE_EMBEDDING_NORM_B,
	ATTEND_ROLE_EMBEDDING_PROJECTION_W, /* [D,E] */
	ATTEND_ROLE_EMBEDDING_PROJECTION_B,
	ATTEND_ROLE_RELATIVE_BIAS, /* [buckets,H]; once per stack, or per block */
	ATTEND_ROLE_FINAL_NORM_W,
	ATTEND_ROLE_FINAL_NORM_B,
	/* once per block; H*K is the inner width */
	ATTEND_ROLE_QKV_W, /* fused: GPT-2 c_attn, ModernBERT Wqkv */
	ATTEND_ROLE_QKV_B,
	ATTEND_ROLE_Q_W,
	ATTEND_ROLE_Q_B,
	ATTEND_ROLE_K_W,
	ATTEND_ROLE_K_B,
	ATTEND_ROLE_V_W,
	ATTEND_ROLE_V_B,
	ATTEND_ROLE_ATTENTION_OUT_W,
	ATTEND_ROLE_ATTENTION_OUT_B,
	ATTEND_ROLE_ATTENTION_NORM_W,
	ATTEND_ROLE_ATTENTION_NORM_B,
	ATTEND_ROLE_CROSS_Q_W,
	ATTEND_ROLE_CROSS_Q_B,
	ATTEND_ROLE_CROSS_KV_W, /* fused: GPT-2 crossattention.c_attn */
	ATTEND_ROLE_CROSS_KV_B,
	ATTEND_ROLE_CROSS_K_W,
	ATTEND_ROLE_CROSS_K_B,
	ATTEND_ROLE_CROSS_V_W,
	ATTEND_ROLE_CROSS_V_B,
	ATTEND_ROLE_CROSS_OUT_W,
	ATTEND_ROLE_CROSS_OUT_B,
	ATTEND_ROLE_CROSS_NORM_W,
	ATTEND_ROLE_CROSS_NORM_B,
	ATTEND_ROLE_GATE_UP_W, /* fused, gate rows first: ModernBERT Wi */
	ATTEND_ROLE_GATE_UP_B,
	ATTEND_ROLE_GATE_W, /* T5 wi_0 */
	ATTEND_ROLE_GATE_B,
	ATTEND_ROLE_UP_W, /* BERT intermediate; T5 wi, wi_1 */
	ATTEND_ROLE_UP_B,
	ATTEND_ROLE_DOWN_W,
	ATTEND_ROLE_DOWN_B,
	ATTEND_ROLE_FFN_NORM_W,
	ATTEND_ROLE_FFN_NORM_B,
	ATTEND_ROLE_XLNET_R,
	ATTEND_ROLE_XLNET_R_W_BIAS,
	ATTEND_ROLE_XLNET_R_R_BIAS,
	ATTEND_ROLE_XLNET_R_S_BIAS,
	ATTEND_ROLE_XLNET_SEG_EMBED,
	/* once per network */
	ATTEND_ROLE_BRIDGE_W,
	ATTEND_ROLE_BRIDGE_B,
	ATTEND_ROLE_POOLER_W,
	ATTEND_ROLE_POOLER_B,
	ATTEND_ROLE_XLNET_MASK_EMB,
	/* once per head kind */
	ATTEND_ROLE_HEAD_DENSE_W,
	ATTEND_ROLE_HEAD_DENSE_B,
	ATTEND_ROLE_HEAD_NORM_W,
	ATTEND_ROLE_HEAD_NORM_B,
	ATTEND_ROLE_HEAD_OUT_W,
	ATTEND_ROLE_HEAD_OUT_B,
	ATTEND_ROLE_COUNT
} attend_role;

typedef struct attend_param {
	char *name;           /* as the file calls it, owned */
	attend_tensor stored; /* view into the mapped file, or into `values`; shape as in the file */
	attend_role role;
	int stack;    /* 0 encoder, 1 decoder, -1 neither */
	int block;    /* block index in its stack, -1: not in a block */
	size_t count; /* elements */
	/* Codes instead of numbers: `stored` is I8 [out,in] or U8 [out, bytes] of a linear, whatever the order was in the file
	 * that it was made from (kernels.h, attend_pack_codes), with these scales. NULL: numbers. A view like `stored`. */
	const void *scales;
	float *widened; /* f32 copy behind vectors where the file's tensor is no aligned f32; owned, usually NULL */
	bool constant;  /* a buffer of the reference (final_logits_bias, sinusoids in the file): never learns */
	/* training */
	bool trainable;
	float *values;     /* f32, owned by the trainable network; NULL: read-only model */
	float *grad;       /* NULL: frozen */
	float *moments[2]; /* the optimiser's; NULL until its first step */
	uint8_t *row_used; /* [shape[0]] tables: rows whose gradient may differ from zero; NULL: not a table */
	bool stale_grad;   /* what stands in grad counts as zero (attend_network_zero_grad) */
	bool dense_grad;   /* the whole gradient may differ from zero (a tied head went backward) */
} attend_param;

/* A vector of f32 [n] (bias, norm weight). Loading sets param, offset and n; attend_network_finish sets data: a view into the
 * file where it is aligned f32, else into the param's widened copy. */
typedef struct attend_vector {
	attend_param *param; /* NULL: absent */
	size_t offset;       /* first element within the param */
	size_t n;
	const float *data; /* NULL: absent */
} attend_vector;

/* A table of rows to look up (embeddings), any float dtype: rows x width. Loading sets all but data; finish sets data (and
 * computes the sinusoids where the stack has them and param is NULL; rows and width are set then too). */
typedef struct attend_table {
	attend_param *param; /* NULL: absent (or computed: then `data` is f32) */
	size_t rows, width;
	attend_dtype dtype;
	const void *data; /* NULL: absent */
	float *owned;     /* behind data when it was computed */
} attend_table;

/* `rows` outputs of a linear, from one param: outputs row0 .. row0+rows-1 of it. */
typedef struct attend_linear_part {
	attend_param *param;
	size_t row0, rows;
	bool in_out; /* Conv1D: the param is [in, out] */
} attend_linear_part;

/* y = x W^T + b: the parts stacked over outputs (a Conv1D part is a whole param). Loading sets out, in, parts and bias_parts
 * (param, offset, n; param NULL: that part has no bias). Packed once, when it is used again, by whichever thread comes first; at its
 * first use it runs where it lies, if it can. */
typedef struct attend_linear {
	size_t out, in; /* out 0: absent */
	attend_linear_part parts[3];
	size_t part_count;
	attend_vector bias_parts[3]; /* same order; param NULL: absent (zeros) */
	const float *bias;           /* [out], joined when packed; NULL: none */
	float *bias_owned;           /* behind `bias` when it had to be joined */
	attend_packed packed;
	_Atomic(bool) ready;      /* packed */
	attend_unpacked unpacked; /* the parts where they lie */
	bool placed;              /* unpacked is filled; guarded by the network's lock until a run has begun */
} attend_linear;

typedef struct attend_norm {
	attend_vector weight, bias;
} attend_norm;

typedef struct attend_block_params {
	attend_linear qkv, attention_out; /* qkv: [3*H*K, D] */
	attend_norm attention_norm;
	attend_linear cross_q, cross_kv, cross_out; /* cross_kv: [2*H*K, encoder's D] */
	attend_norm cross_norm;
	attend_linear gate, up, down;
	attend_norm ffn_norm;
	attend_table relative_bias; /* ATTEND_RELATIVE_BUCKETS_LAYER */
	attend_linear xlnet_r;      /* [H*K, D] */
	attend_vector xlnet_r_w_bias, xlnet_r_r_bias, xlnet_r_s_bias, xlnet_seg_embed;
} attend_block_params;

typedef struct attend_stack_params {
	attend_table word, position, type;
	attend_norm embedding_norm, final_norm;
	attend_linear embedding_projection;
	attend_table relative_bias;  /* ATTEND_RELATIVE_BUCKETS_STACK */
	attend_block_params *blocks; /* [groups*inner_layers] */
	size_t block_count;
} attend_stack_params;

typedef struct attend_head_params {
	attend_linear dense, out; /* tied: out's part is the word embedding's param */
	attend_norm norm;
	bool present; /* all its required tensors were in the file (or it is tied) */
} attend_head_params;

/* Everything of one checkpoint. Immutable after loading but for the lazy packing (locked) and, when trainable, by its
 * one trainer. */
typedef struct attend_network {
	attend_arch arch;
	attend_pack_type
		pack_type; /* of all linears but those that must stay f32. Trainable: F32, or BF16 for mixed precision */
	attend_pack_type stored_type;  /* INT8 or INT4: params hold codes; F32: numbers */
	attend_stack_params stacks[2]; /* 0 encoder, 1 decoder */
	attend_linear bridge;
	attend_head_params pooler; /* dense only */
	attend_vector xlnet_mask_emb;
	attend_head_params heads[ATTEND_MAX_HEADS]; /* as arch.heads */
	attend_param *params;                       /* every bound tensor once, in the order of binding; fixed address */
	size_t param_count;
	attend_rooms packed; /* what linears are packed into; guarded by the lock */
	pthread_mutex_t pack_lock;
	bool mapped;          /* what params store lies in read-only mappings of files: pages can be given back */
	_Atomic(bool) broken; /* a product of a matrix that is not packed was NaN or infinite */
	uint64_t version;     /* counts attend_network_refresh: what sessions derive from parameters is stale after it */
	bool trainable;       /* attend_network_make_trainable was called */
	bool finished;        /* attend_network_finish was called: the lock exists */
	const struct attend_profiler *profiler; /* profile.h; NULL: nobody asks. Borrowed; one session at a time then */
} attend_network;

/* Frees what the network points to: params, blocks, packed forms, copies, arch; not the struct (which is zeroed), not the mapped
 * files, which the checkpoint owns. Fine on a zeroed network. */
void attend_network_free(attend_network *network);

#endif
