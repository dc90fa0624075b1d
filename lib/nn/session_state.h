/* session_state.h: what a session is made of, and the functions that the files of lib/nn share. Inside lib/nn only.
 *
 * A *run* is one encode or decode. A stack has `runs` block executions (layers x inner_layers); with ALBERT's
 * sharing several of them use the same parameters. Names of buffers follow the equations of a sub-layer:
 *   pre-norm   z = norm(x);    y = x + f(z)
 *   post-norm  z = x + f(x);   y = norm(z)
 * Inference keeps nothing: x, y (and post-norm z) are one buffer, shared by all layers. Training keeps them per run. */
#ifndef ATTEND_NN_SESSION_STATE_H
#define ATTEND_NN_SESSION_STATE_H

#include "lib/core/arena.h"
#include "lib/nn/heads.h"
#include "lib/nn/kvcache.h"
#include "lib/nn/network_walk.h"
#include "lib/nn/profile.h"
#include "lib/nn/session.h"

typedef struct attend_sublayer {
	float *x;           /* [N,D] input: borrowed from the sub-layer before */
	float *z;           /* [N,D] */
	float *y;           /* [N,D] output */
	float *mean, *rstd; /* [N] of the norm; NULL where nothing is kept */
} attend_sublayer;

typedef struct attend_block_acts {
	attend_sublayer self, cross, ffn;
	float *qkv;      /* [N, 3*H*K], rotated where the stack is rotary */
	float *ctx;      /* [N, H*K] attention's output */
	float *log_sum;  /* [H*N], sequence s at H*offsets[s]; NULL: not kept */
	float *cross_q;  /* [N, H*K] */
	float *cross_kv; /* [M, 2*H*K], M encoder tokens */
	float *cross_ctx, *cross_log_sum;
	float *pre; /* [N,F] before the activation (gated: of the gate); NULL where nothing is kept */
	float *up;  /* [N,F] gated: the factor */
} attend_block_acts;

/* One stack's last run. */
typedef struct attend_stack_state {
	size_t width, runs;
	/* copied from the batch, because heads and backward come later */
	bool ran;
	size_t sequences, rows;
	size_t *offsets, *past; /* [S+1], [S] keys that stood in the cache before */
	int32_t *ids, *types;   /* [N] */
	int32_t *positions;     /* [N] rows of the position table, or rotary positions */
	int32_t *columns;       /* [N] */
	bool has_types, has_columns;
	const uint8_t *const *hidden_keys; /* borrowed during the run */
	/* embeddings */
	float *embedded;      /* [N,E] sum, before the norm (kept for backward only) */
	float *embedded_norm; /* [N,E] after norm and dropout: input of the projection, where E != D */
	float *embedded_mean, *embedded_rstd;
	/* blocks */
	attend_block_acts plain;                  /* for runs that keep nothing */
	attend_block_acts *acts;                  /* training: [runs]; recomputing: [1]; else NULL */
	float **inputs;                           /* recomputing: [runs] what entered each block */
	float *x;                                 /* [N,D] what enters the first block */
	float *final_z, *final_mean, *final_rstd; /* final norm's input (borrowed) and statistics */
	float *hidden_buffer;                     /* training: `hidden` apart from the blocks' buffers */
	float *hidden;                            /* [N,D] what heads read: borrowed */
	size_t hidden_rows;
	/* relative position bias, [tables][H][2*span+1], tables 1 or layers */
	float *distance_bias, *d_distance_bias;
	size_t distance_span, distance_tables;
	float *distance_rows; /* [buckets,H] f32 */
	uint64_t distance_version;
	/* training */
	bool kept;   /* the run kept what backward needs */
	bool learns; /* the gradient of `hidden` is wanted */
	bool dropout;
	ptrdiff_t planned_lowest; /* the session has room down to this run */
	bool planned_learns;      /* and for the gradient of `hidden` */
	ptrdiff_t lowest;         /* lowest run that backward reaches; -1: embeddings too */
	float *d_hidden;          /* [N,D] gradient of `hidden` */
} attend_stack_state;

/* Buffers that every layer uses again. */
typedef struct attend_scratch {
	float *h;      /* [N,F] */
	float *memory; /* [M,D] encoder states as cross-attention reads them, after the bridge */
	float *d_memory;
	float *tiles;                      /* keys and values of one layer of an uncached run */
	float **self_tiles, **cross_tiles; /* pointers, sequence after sequence */
	size_t *self_first, *cross_first;  /* [S+1] first pointer of a sequence */
	attend_attention *attention;       /* [S] */
	attend_kv_rows *kv_rows;           /* [S] */
	attend_attention_grad *attention_grad;
	void *kernel; /* linear, gemm and attention scratch */
	/* XLNet (relative_xlnet.c) */
	size_t xl_span; /* distances -span .. span */
	float *xl_pe;   /* [2*span+1, D] */
	bool xl_pe_ready;
	float *xl_r, *xl_d_r;         /* [2*span+1, H*K] */
	float *xl_bd;                 /* [N, 2*span+1] of one head */
	float *xl_q, *xl_t;           /* [N, H*K] */
	float *xl_dense, *xl_d_dense; /* [H, T, past+T] per sequence */
	attend_packed xl_packed;      /* one head of xl_r */
	float *g;                     /* [N,D] XLNet's query stream */
	/* What a run that keeps nothing works in; backward uses the same buffers for gradients. */
	float *g2;    /* [N,D] */
	float *d_qkv; /* [N,3HK] */
	float *d_ctx; /* [N,HK] */
	float *d_kv;  /* [M,2HK] */
	float *d_up;  /* [N,F] gated */
	/* backward only */
	float *g1, *g3;        /* [N,D]; g1 is the running gradient */
	float *d_h;            /* [N,F] */
	float *d_embedded;     /* [N,E] */
	float *d_embedded_sum; /* [N,E]; both only where embeddings are projected */
	/* opening slots */
	size_t *memory_sequences; /* [cache_slots] */
	int *memory_numbers;
	/* heads */
	float *head_x; /* [rows,D] gathered */
	float *head_pool_pre, *head_pooled;
	float *head_pre, *head_z;              /* dense before and after its activation */
	float *head_t, *head_mean, *head_rstd; /* after the norm */
	float *head_logits;                    /* [rows, outputs] */
	float *d_head_t, *d_head_x;
	size_t *row_list;    /* [max(N,S)] */
	int32_t *label_list; /* [max(N,S)] */
} attend_scratch;

/* Memory on demand, for what only observers and extra masks need: never part of a steady step. */
typedef struct attend_side {
	void *data;
	size_t bytes;
} attend_side;
attend_status attend_side_need(attend_side *side, size_t bytes, const char *what);

struct attend_session {
	attend_network *network;
	attend_session_options options;
	attend_arena arena;
	attend_stack_state stacks[2];
	attend_scratch scratch;
	attend_kv_type kv_type; /* of the cache and of tiles */
	attend_cache cache;
	attend_observer observer;
	attend_side probabilities, masks;
	bool evaluating;
	bool dropout;
	uint64_t seed, step;
};

/* One run, as the layers see it. */
typedef struct attend_pass {
	attend_session *session;
	const attend_stack_arch *arch;
	attend_stack_params *params;
	attend_stack_state *state;
	int stack;
	size_t rows, sequences;
	const int *slots; /* NULL: no cache */
	bool keep;
	bool silent;        /* backward runs a block again: the observer has seen it */
	const float *masks; /* extra masks as a bias, or NULL */
	/* cross-attention */
	const float *memory; /* [memory_rows, memory_width] encoder states; uncached runs only */
	float *d_memory;     /* its gradient, or NULL: not wanted */
	size_t memory_rows, memory_width;
	const size_t *memory_offsets; /* [S+1] */
	/* XLNet's query stream, or NULL (attend_batch) */
	const size_t *targets;
	const float *const *target_mapping;
	const uint8_t *const *query_hidden_keys;
	size_t target_rows;
	void *kernel; /* scratch of this pass' products; NULL: the session's */
	/* the layer at hand */
	size_t run, layer;
	attend_block_params *block;
	attend_block_acts *acts;
} attend_pass;

static inline size_t attend_stack_runs(const attend_stack_arch *arch)
{
	return arch->layers * arch->inner_layers;
}
static inline size_t attend_run_layer(const attend_stack_arch *arch, size_t run)
{
	return run / arch->inner_layers;
}
static inline size_t attend_run_block(const attend_stack_arch *arch, size_t run)
{
	const size_t layer = run / arch->inner_layers;
	return layer * arch->groups / arch->layers * arch->inner_layers + run % arch->inner_layers;
}
void attend_pass_layer(attend_pass *pass, size_t run);

static inline attend_kv_shape attend_kv_of(const attend_session *session, const attend_stack_arch *arch)
{
	return (attend_kv_shape){arch->heads, arch->head_dim, session->kv_type};
}

/* ---- session_plan.c ------------------------------------------------------------------------------------------ */
attend_status attend_session_plan(attend_session *session, bool measure, size_t *bytes);

/* ---- For the profiler ---------------------------------------------------------------------------------------- */
static inline void attend_lap_plain(const attend_session *session, attend_lap_kind kind)
{
	const attend_profiler *p = session->network->profiler;
	if (p != NULL) p->lap(p->payload, &(attend_lap){.kind = kind});
}
static inline void attend_lap_linear(const attend_session *session, attend_lap_kind kind, const attend_linear *w,
                                     size_t rows)
{
	const attend_profiler *p = session->network->profiler;
	if (p != NULL) p->lap(p->payload, &(attend_lap){.kind = kind, .linear = w, .rows = rows});
}
void attend_lap_attention(const attend_pass *pass, attend_lap_kind kind, bool cross); /* of scratch.attention */

/* ---- kit.c: one operation and its mirror, on handles --------------------------------------------------------- */
/* y [rows,out] = epilogue(x W^T + bias); `epilogue` NULL: plain. The linear is prepared. */
void attend_linear_run(attend_session *session, const attend_linear *w, float *y, size_t ldy, const float *x,
                       size_t ldx, size_t rows, const attend_epilogue *epilogue);
/* The same for pass->rows rows, in the scratch of the pass. */
void attend_pass_linear(const attend_pass *pass, const attend_linear *w, float *y, size_t ldy, const float *x,
                        size_t ldx, const attend_epilogue *epilogue);
/* Bytes of scratch that it takes. */
size_t attend_linear_run_scratch(const attend_linear *w, size_t rows);
/* Rows that a thread multiplies by it while it reads it. */
size_t attend_linear_run_stretch(const attend_linear *w);
/* Whether x of `next` is what `w` makes of so many rows without being f32 in between: ATTEND_LAID then is ldy of the one and ldx
 * of the other. */
bool attend_linear_lays_for(const attend_linear *w, const attend_linear *next, size_t rows);
/* dx (NULL: not wanted; overwrite: =, else +=), gradients of the parts that learn. */
void attend_linear_run_backward(attend_session *session, attend_linear *w, float *dx, size_t lddx, bool overwrite,
                                const float *dy, size_t lddy, const float *x, size_t ldx, size_t rows);
/* Does anything in it learn? */
bool attend_linear_learns(const attend_linear *w);
void attend_norm_run(attend_norm_kind kind, float eps, const attend_norm *norm, float *y, const float *x, size_t rows,
                     size_t width, float *mean, float *rstd);
/* dx += (or = with overwrite); gradients of the norm's parameters. dx may be NULL only where nothing below learns. */
void attend_norm_run_backward(attend_norm_kind kind, const attend_norm *norm, float *dx, bool overwrite,
                              const float *dy, const float *x, size_t rows, size_t width, const float *mean,
                              const float *rstd);

typedef enum attend_site {
	ATTEND_SITE_EMBEDDING,
	ATTEND_SITE_SELF_PROBABILITIES,
	ATTEND_SITE_SELF_OUTPUT,
	ATTEND_SITE_CROSS_PROBABILITIES,
	ATTEND_SITE_CROSS_OUTPUT,
	ATTEND_SITE_ACTIVATION,
	ATTEND_SITE_FFN_OUTPUT,
	ATTEND_SITE_FINAL,
	ATTEND_SITE_HEAD_DENSE,
	ATTEND_SITE_HEAD_OUT
} attend_site;
/* Seed of a dropout site of this step: a pure function of (seed, step, stack, run, site). */
uint64_t attend_site_seed(const attend_session *session, int stack, size_t run, attend_site site);
/* x = dropout(x) in place where the last run of the stack drops. Its own mirror. */
void attend_site_dropout(const attend_session *session, int stack, size_t run, attend_site site, float p, float *x,
                         size_t count);

/* y = residual + dropout(x W^T + b), rows of D; y may be residual. */
void attend_residual_run(attend_pass *pass, const attend_linear *w, float *y, const float *x, size_t ldx,
                         const float *residual, attend_site site, float p);

/* The mirror of a sub-layer's frame. `inner` takes df, the gradient of f's output, and gives dn (+)= the gradient of
 * what f read (n: norm(x) or x); it has read df before it writes dn, for they may be one buffer. */
typedef struct attend_sublayer_backward {
	attend_norm *norm;
	const attend_sublayer *acts;
	void (*inner)(attend_pass *pass, float *dn, bool overwrite, const float *df, const float *n);
	attend_site site;
	float dropout;
	bool skip_norm; /* pre-norm without its norm */
} attend_sublayer_backward;
/* g1 = dy becomes g1 = dx (undefined unless want_dx). */
void attend_sublayer_run_backward(attend_pass *pass, const attend_sublayer_backward *mirror, bool want_dx);

/* ---- embeddings.c -------------------------------------------------------------------------------------------- */
attend_status attend_embeddings_check(attend_session *session, int stack, const attend_batch *batch, const int *slots);
void attend_embeddings_forward(attend_pass *pass);
void attend_embeddings_backward(attend_pass *pass, float *dx);

/* ---- relative_bias.c, relative_xlnet.c ----------------------------------------------------------------------- */
void attend_distance_bias_prepare(attend_pass *pass);
void attend_distance_bias_backward(attend_pass *pass);
/* scratch.xl_q = q + r_w_bias and scratch.xl_dense = the relative terms (and -inf at hidden keys) of this block.
 * `content`: a token always sees itself. */
void attend_xlnet_bias_forward(attend_pass *pass, const float *q, size_t ldq, const uint8_t *const *hidden_keys,
                               bool content);
void attend_xlnet_describe(const attend_pass *pass, size_t s, attend_attention *a);
void attend_xlnet_describe_backward(const attend_pass *pass, size_t s, attend_attention_grad *g);
void attend_xlnet_bias_backward(attend_pass *pass);

/* ---- attention_layer.c, ffn.c, block.c: forward and backward of a block. dy comes in g1, dx leaves in g1. ---- */
attend_status attend_attention_begin(attend_pass *pass); /* once per run: key/value tiles, masks */
attend_attention attend_describe_self(const attend_pass *pass, size_t s, const float *q, size_t ldq, float *ctx,
                                      float *log_sum);
attend_status attend_attention_run(attend_pass *pass, bool cross, int stream); /* scratch.attention[0..S-1] */
attend_status attend_self_forward(attend_pass *pass);
void attend_self_backward(attend_pass *pass, bool want_dx);
attend_status attend_cross_forward(attend_pass *pass);
void attend_cross_backward(attend_pass *pass, bool want_dx);
void attend_ffn_forward(attend_pass *pass);
void attend_ffn_backward(attend_pass *pass, bool want_dx);
attend_status attend_block_forward(attend_pass *pass, float *x);
void attend_block_backward(attend_pass *pass, bool want_dx);

/* ---- transformer.c ------------------------------------------------------------------------------------------- */
/* Encoder states [hidden_rows, *width] as cross-attention reads them: through the bridge where there is one. */
const float *attend_memory_states(attend_session *session, size_t *width);

#endif
