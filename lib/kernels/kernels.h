/* kernels.h: the mathematics, on raw pointers. No malloc (scratch is an argument), no errors, no globals but the table.
 *
 * Dimension letters, one legend for the whole project:
 *   N tokens in the batch   S sequences     T, Tq, Tk tokens of a sequence (query, key)
 *   D model (hidden) size   H heads         K head dimension    F intermediate size   V vocabulary   L layers
 * Matrices are row-major f32 unless said; `ld*` is the distance between rows in elements. Unless said, outputs may not
 * overlap inputs. Every kernel uses the team of lib/core/threads.h itself where that pays, and gives the same bits for a row
 * whatever the other rows, the number of rows or the number of threads are (DESIGN.md section 3).
 * Backward kernels accumulate into gradients (`d*` += ...), except where "=" is written; a NULL gradient is skipped. */
#ifndef ATTEND_KERNELS_H
#define ATTEND_KERNELS_H

#include "lib/core/attend_base.h"
#include "lib/core/tensor.h"

typedef enum attend_activation {
	ATTEND_ACT_NONE, /* linear */
	ATTEND_ACT_RELU,
	ATTEND_ACT_GELU,       /* 0.5x(1+erf(x/sqrt2)) */
	ATTEND_ACT_GELU_NEW,   /* 0.5x(1+tanh(sqrt(2/pi)(x+0.044715x^3))): gelu_accurate, gelu_pytorch_tanh too */
	ATTEND_ACT_GELU_FAST,  /* 0.5x(1+tanh(0.7978845608 x (1+0.044715 x^2))) */
	ATTEND_ACT_QUICK_GELU, /* x*sigmoid(1.702x) */
	ATTEND_ACT_GELU_10,    /* clip(gelu(x), -10, 10) */
	ATTEND_ACT_SILU,
	ATTEND_ACT_TANH,
	ATTEND_ACT_SIGMOID,
	ATTEND_ACT_RELU2,
	ATTEND_ACT_RELU6,
	ATTEND_ACT_LEAKY_RELU, /* slope 0.01 */
	ATTEND_ACT_MISH,
	ATTEND_ACT_COUNT
} attend_activation;

/* ---- Linear: y = epilogue(x W^T) on weights packed once ------------------------------------------------------------
 * A packed matrix holds `n` output columns by `k` inputs in panels of NR columns, [ceil(n/NR)][K][NR], zero-filled behind n
 * (bf16: pairs of k interleaved; int8: groups of four; int4: groups of 32 with their scales). NR belongs to the level. */
typedef enum attend_pack_type {
	ATTEND_PACK_F32,
	ATTEND_PACK_BF16,
	ATTEND_PACK_INT8,
	ATTEND_PACK_INT4,
	ATTEND_PACK_TYPES
} attend_pack_type;

typedef struct attend_packed {
	attend_pack_type type;
	size_t n, k;
	void *data; /* attend_pack_bytes(type, n, k), 64-byte aligned */
} attend_packed;

/* int8: k of at most this, so that sums of k products of a u8 and an s8 stay exact in 32 bits. */
enum { ATTEND_INT8_MAX_INPUTS = 65536 };

size_t attend_pack_bytes(attend_pack_type type, size_t n, size_t k);

/* Fill columns n0 .. n0+n-1 of `packed` from a source whose element (output j, input i) lies at
 * src[j*stride_out + i*stride_in] in elements of `dtype` (F32 F16 BF16 F64, may be unaligned). Linear [out,in]: stride_out =
 * in, stride_in = 1; Conv1D [in,out]: stride_out = 1, stride_in = out. Parts of one product (q, k, v) are filled by separate
 * calls, in rising order of n0; every column must be filled before use. */
void attend_pack(const attend_packed *packed, size_t n0, size_t n, const void *src, attend_dtype dtype,
                 size_t stride_out, size_t stride_in);

/* int8 and int4 matrices as files hold them (pack_codes.c): rows of codes with their scales, f32 one a row (int8) or bf16 one
 * for 32 inputs (int4). Bytes of codes and number of scales in a row of k inputs: */
size_t attend_code_row_bytes(attend_pack_type type, size_t k);
size_t attend_code_row_scales(attend_pack_type type, size_t k);
/* Columns n0 .. n0+n-1 of `packed` (INT8 or INT4) as rows codes [n][row bytes] and scales [n][row scales], and back: the
 * panels are then bit for bit those that attend_pack made. int8 codes are -127 .. 127, scales finite; may be unaligned. */
void attend_unpack_codes(void *codes, void *scales, const attend_packed *packed, size_t n0, size_t n);
void attend_pack_codes(const attend_packed *packed, size_t n0, size_t n, const void *codes, const void *scales);

/* What happens to the tile while it is in cache, in this order:
 *   v = scale * sum (scale 0 counts as 1) ; v += bias[j] ; v = act(v) ; v *= multiply[i,j] ; v += residual[i,j] ; y[i,j] = v */
typedef struct attend_epilogue {
	float scale;
	const float *bias; /* [n] or NULL */
	attend_activation act;
	const float *multiply; /* [m,n] with ld_multiply, or NULL: the gate of a gated FFN */
	size_t ld_multiply;
	const float *residual; /* [m,n] with ld_residual, or NULL; may be y itself */
	size_t ld_residual;
	float *pre_activation; /* [m,n] with ld n: v before act, kept for backward, or NULL */
	/* The columns fall into so many equal parts, and what comes next takes the same stretch of each part at a time (a head's
	 * queries, keys and values): a thread computes such stretches, for all rows. Sharing out work only; 0 and 1: one part. */
	size_t parts;
} attend_epilogue;

/* y [m,n] = epilogue(x [m,k] W^T). `epilogue` NULL: the plain product. scratch: attend_linear_scratch bytes, 64-byte aligned
 * (int8/int4/bf16 quantise x there). m 0, n 0 and k 0 (sum 0) are fine. */
size_t attend_linear_scratch(const attend_packed *w, size_t m);
/* Rows between two products need not be f32: as ldy, y is written the way that a product with weights of w's type and n inputs
 * lays x out for itself, in its attend_linear_scratch bytes; that one takes it as x with this ldx and the same m, called with as
 * many threads and, like the first, in a task of the team or outside. Only where attend_linear_lays(w's type, n, m). */
#define ATTEND_LAID SIZE_MAX
bool attend_linear_lays(attend_pack_type type, size_t n, size_t m);
/* Rows that a core multiplies by weights of this type while it reads them. */
size_t attend_linear_stretch(attend_pack_type type);
void attend_linear_forward(float *y, size_t ldy, const float *x, size_t ldx, size_t m, const attend_packed *w,
                           const attend_epilogue *epilogue, void *scratch);

/* A matrix where a checkpoint keeps it: parts stacked over outputs, as attend_pack's sources. */
typedef struct attend_unpacked {
	attend_pack_type type; /* the form that attend_pack would give it: F32 or BF16 */
	size_t n, k;
	struct attend_unpacked_part {
		size_t n;
		const void *src;
		attend_dtype dtype;
		size_t stride_out, stride_in;
	} parts[3];
	size_t part_count;
	_Atomic(bool) *broken; /* becomes true when an element is NaN or infinite; or a sum, for other reasons */
} attend_unpacked;

/* The product without packing, for weights that are used once: panels are laid out some kilobytes at a time, in the cache,
 * just before they are multiplied. Same kernels, same bits, same scratch as attend_linear_forward with that matrix packed. Only
 * where attend_unpacked_fits: the type is F32 or BF16, and no panel holds columns of two parts. */
bool attend_unpacked_fits(const attend_unpacked *w);
void attend_linear_forward_unpacked(float *y, size_t ldy, const float *x, size_t ldx, size_t m,
                                    const attend_unpacked *w, const attend_epilogue *epilogue, void *scratch);

/* General product for backward and attention's large forms: C [m,n] = alpha op(A) op(B) + beta C; op transposes the stored
 * matrix when its flag is set. The one place where cblas runs (large products, levels without an own kernel). beta 0 does
 * not read C. scratch: attend_gemm_scratch bytes. */
size_t attend_gemm_scratch(size_t m, size_t n, size_t k);
void attend_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                 size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, void *scratch);

/* The same with A and B rounded to bf16 and f32 sums, for mixed-precision training, where the level multiplies bf16 faster
 * than f32 (attend_bf16_pays); elsewhere attend_gemm itself. Same scratch. */
bool attend_bf16_pays(void);
void attend_gemm_bf16(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                      size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, void *scratch);

/* Backward of y = x W^T + b, W in parts [n,k] row-major (stride_in 1) or [k,n] (Conv1D), stacked over outputs:
 * dx [m,k] += dy W (or = with overwrite); dw += dy^T x (or =) in W's own layout; db [n] += column sums of dy, part by part. */
typedef struct attend_linear_grad {
	size_t m, k;
	const float *dy; /* [m, all n] */
	size_t lddy;
	const float *x;
	size_t ldx;
	float *dx; /* NULL: not wanted, as dw and db */
	size_t lddx;
	bool overwrite_dx;
	bool bf16; /* dx and dw by attend_gemm_bf16 */
	struct attend_linear_grad_part {
		size_t n;
		const float *w; /* f32 */
		bool in_out;    /* W is [k,n] */
		float *dw;
		bool overwrite_dw;
		float *db;
	} parts[3];
	size_t part_count;
} attend_linear_grad;
/* n: of all parts. */
size_t attend_linear_backward_scratch(size_t m, size_t n, size_t k);
void attend_linear_backward(const attend_linear_grad *g, void *scratch);

/* ---- Attention ---------------------------------------------------------------------------------------------------
 * Keys and values live in tiles of ATTEND_KV_TILE key positions, so that a cache, a chunk and a full prefill are one path
 * with the same bits, and beams share tiles by reference. A tile holds all heads of one layer, in 32-bit words:
 *   F32    keys [H][K][TILE] (lanes are keys), then values [H][TILE][K]
 *   BF16   keys [H][ceil(K/2)][TILE], pairs of dimensions; then values [H][TILE/2][K], pairs of positions; even ones low
 * BF16 rounds the queries (scaled) and the probabilities, too: both products take bf16 and sum in f32; scores, softmax and its
 * sums are f32. */
enum { ATTEND_KV_TILE = 64 };
typedef enum attend_kv_type { ATTEND_KV_F32, ATTEND_KV_BF16 } attend_kv_type;
typedef struct attend_kv_shape {
	size_t heads, head_dim; /* H, K */
	attend_kv_type type;
} attend_kv_shape;
size_t attend_kv_tile_floats(const attend_kv_shape *shape);
static inline size_t attend_kv_tiles(size_t positions)
{
	return positions / ATTEND_KV_TILE + (positions % ATTEND_KV_TILE != 0);
}

/* Store t rows of k and v (row i: heads side by side, [H*K]) as key positions first .. first+t-1. tiles[p / TILE] holds p.
 * For `count` sequences at once, and for one. */
typedef struct attend_kv_rows {
	float *const *tiles;
	size_t first, t;
	const float *k, *v;
} attend_kv_rows;
void attend_kv_store_all(const attend_kv_shape *shape, const attend_kv_rows *sequences, size_t count, size_t ldk,
                         size_t ldv);
void attend_kv_store(const attend_kv_shape *shape, float *const *tiles, size_t first, size_t t, const float *k,
                     size_t ldk, const float *v, size_t ldv);
/* to = the first `filled` <= TILE positions of `from`, both `tiles` tiles one behind the other; what follows is left without
 * meaning. */
void attend_kv_copy(const attend_kv_shape *shape, float *to, const float *from, size_t tiles, size_t filled);

/* One sequence (or one row of a decoding batch):
 *   s(h,i,j) = scale * q(i,h).k(j,h) + distance_bias[h][clamp(pk(j)-pq(i))] + dense_bias(h,i,j), -inf where j is not visible
 *   out(i,h) = sum_j dropout(softmax_j s)(h,i,j) v(j,h)
 * Visible: j < tk; causal: j <= first_query + i; window_left/right: -window_left <= pk(j)-pq(i) <= window_right when `windowed`.
 * A row that sees no key gives zeros. */
typedef struct attend_attention {
	attend_kv_shape kv;
	size_t tq, tk;
	size_t first_query; /* key index of query 0 (causal, and positions where q_positions is NULL) */
	bool causal;
	bool windowed;
	size_t window_left, window_right;
	float scale;
	const float *q;
	size_t ldq;          /* [tq, H*K] */
	float *const *tiles; /* ceil(tk/TILE) tiles */
	/* [H*K] each, where tq is 1: stored on the way as key first_query, which saves an attend_kv_store; or NULL. */
	const float *new_key, *new_value;
	float *out;
	size_t ldo;                 /* [tq, H*K] */
	const float *distance_bias; /* [H][2*distance_span+1], centre at distance 0, or NULL */
	size_t distance_span;
	const int32_t *q_positions, *k_positions; /* [tq], [tk] or NULL: query i at first_query + i, key j at j */
	const float *dense_bias; /* element (h,i,j) at h*dense_ldh + i*dense_ldi + j; -inf hides; or NULL */
	size_t dense_ldh, dense_ldi;
	float *probabilities; /* out, [H][tq][tk] before dropout, or NULL */
	float *log_sum;       /* out, [H][tq]: log sum exp of s, for backward, or NULL */
	float dropout;        /* 0: none; kept elements are scaled by 1/(1-p). kv of type F32 alone */
	uint64_t dropout_seed,
		dropout_stream; /* element (h,i,j) draws counter (h*tq + i)*tk + j; see attend_dropout_forward */
} attend_attention;

/* `count` sequences at once (the team splits sequences, heads and blocks of queries). scratch: as many bytes as the function
 * below says for `count` and the largest sequence. */
size_t attend_attention_scratch(const attend_attention *sequences, size_t count);
void attend_attention_forward(const attend_attention *sequences, size_t count, void *scratch);

/* Backward of one attend_attention each; k, v are the raw rows [tk, H*K]. dq/dk/dv += (or = with overwrite);
 * d_distance_bias [H][2*span+1] += ; d_dense_bias (strides of dense_bias) +=. Any may be NULL. Recomputes the probabilities
 * from log_sum. */
typedef struct attend_attention_grad {
	attend_attention forward; /* with out and log_sum filled */
	const float *k;
	size_t ldk;
	const float *v;
	size_t ldv;
	const float *dout;
	size_t lddo;
	float *dq;
	size_t lddq;
	float *dk;
	size_t lddk;
	float *dv;
	size_t lddv;
	bool overwrite;
	float *d_distance_bias;
	float *d_dense_bias;
} attend_attention_grad;
size_t attend_attention_backward_scratch(const attend_attention_grad *sequences, size_t count);
void attend_attention_backward(const attend_attention_grad *sequences, size_t count, void *scratch);

/* Rotary position embedding in place on n rows of [H*K] (halves: x1 cos - x2 sin, x2 cos + x1 sin; RoFormer, HF ModernBERT):
 * angle = position * theta^(-2t/K). backward: the inverse rotation. */
void attend_rotary_forward(float *x, size_t ldx, size_t n, size_t heads, size_t head_dim, const int32_t *positions,
                           float theta);
void attend_rotary_backward(float *dx, size_t lddx, size_t n, size_t heads, size_t head_dim, const int32_t *positions,
                            float theta);

/* ---- Norms (rows of D) ----------------------------------------------------------------------------------------------
 * layernorm: y = (x-mean)/sqrt(var+eps)*w + b, biased variance (Ba et al. 2016); b may be NULL. y may be x.
 * rmsnorm:   y = x / sqrt(mean(x^2)+eps) * w (Zhang & Sennrich 2019). y may be x.
 * mean, rstd [n] are kept for backward, or NULL.
 * backward: dx += (or = with overwrite); dw, db +=. Each may be NULL. */
void attend_layernorm_forward(float *y, const float *x, const float *w, const float *b, float eps, size_t n, size_t d,
                              float *mean, float *rstd);
void attend_layernorm_backward(float *dx, bool overwrite, float *dw, float *db, const float *dy, const float *x,
                               const float *w, const float *mean, const float *rstd, size_t n, size_t d);
void attend_rmsnorm_forward(float *y, const float *x, const float *w, float eps, size_t n, size_t d, float *rstd);
void attend_rmsnorm_backward(float *dx, bool overwrite, float *dw, const float *dy, const float *x, const float *w,
                             const float *rstd, size_t n, size_t d);

/* ---- Element-wise ---------------------------------------------------------------------------------------------------
 * forward: y = act(x), y may be x. backward: dx = dy * act'(x) (=, dx may be dy), x the value before activation. */
void attend_activation_forward(float *y, const float *x, attend_activation act, size_t count);
void attend_activation_backward(float *dx, const float *dy, const float *x, attend_activation act, size_t count);
void attend_add(float *y, const float *x, size_t count);                      /* y += x */
void attend_scale(float *y, float factor, size_t count);                      /* y *= factor */
void attend_multiply(float *y, const float *a, const float *b, size_t count); /* y = a*b; y may be a or b */
double attend_sum_squares(const float *x, size_t count); /* in double, fixed order whatever the team */
bool attend_all_finite(const float *x, size_t count);

/* Inverted dropout: y = x * keep/(1-p), element i keeps iff u32(seed, stream, i) >= p*2^32 (Philox, lib/core/rng.h: block i/4,
 * word i%4). y may be x. backward is the same function on dy. */
void attend_dropout_forward(float *y, const float *x, float p, uint64_t seed, uint64_t stream, size_t count);
/* In one pass x = dropout(x), then y = x + residual; y is x or residual. */
void attend_dropout_add(float *y, float *x, const float *residual, float p, uint64_t seed, uint64_t stream,
                        size_t count);

/* ---- Softmax and losses ---------------------------------------------------------------------------------------------
 * Rows of v: y = softmax(x) or log_softmax(x); y may be x. A row of -inf alone gives zeros (softmax). */
void attend_softmax_forward(float *y, const float *x, size_t n, size_t v);
void attend_log_softmax_forward(float *y, const float *x, size_t n, size_t v);

/* Of one row, on the caller's thread: the largest element (-inf when v is 0; NaN does not count), and the first index of it
 * (0 where nothing is larger than x[0], as when that is NaN). */
float attend_row_max(const float *x, size_t v);
size_t attend_row_argmax(const float *x, size_t v);

/* Cross-entropy of rows: labels [n], `ignore` (-100) skips a row. For kept rows with weight w(c) (class_weights NULL: 1):
 *   nll = -logp[label]; smooth = mean_v(-logp); loss_sum += (1-e) w(label) nll + e smooth_w; weight_sum += w(label)
 * loss_sum and weight_sum come back in double. dlogits [n,v] (may be NULL, may be logits) = dloss * (d loss_sum / d logits);
 * rows ignored get 0. */
typedef struct attend_cross_entropy {
	const float *logits; /* [n,v] */
	size_t n, v;
	const int32_t *labels;
	int32_t ignore;
	float smoothing;
	const float *class_weights;  /* [v] or NULL */
	double loss_sum, weight_sum; /* out */
	size_t kept;                 /* out: rows that count */
} attend_cross_entropy;
void attend_cross_entropy_forward(attend_cross_entropy *ce);
void attend_cross_entropy_backward(float *dlogits, const attend_cross_entropy *ce, float dloss);

/* ---- Embeddings ------------------------------------------------------------------------------------------------------
 * y [n,d] (+)= scale * table[id] ; table of any float dtype, row r at r*d elements. accumulate: += else =. ids are checked by
 * the caller. backward: dtable[id] += scale * dy (rows used only; same order whatever the team); skip_id >= 0 gets none. */
void attend_embedding_forward(float *y, const void *table, attend_dtype dtype, const int32_t *ids, size_t n, size_t d,
                              float scale, bool accumulate);
void attend_embedding_backward(float *dtable, const float *dy, const int32_t *ids, size_t n, size_t d, float scale,
                               int32_t skip_id);

/* Sinusoids of Vaswani et al. 2017 as Marian and Pegasus lay them out: first half sines, second half cosines; computed in
 * f64. table [rows,d]. */
void attend_sinusoid_table(float *table, size_t rows, size_t d);

/* ---- Relative positions -------------------------------------------------------------------------------------------------
 * T5's bucket of distance = key - query (Raffel et al. 2020; huggingface.md 2.10). */
size_t attend_relative_bucket(int64_t distance, bool bidirectional, size_t buckets, size_t max_distance);
/* distance_bias [H][2*span+1] = table[bucket(d)][h], table [buckets,H] f32; and its backward. */
void attend_relative_bias_forward(float *distance_bias, size_t span, const float *table, size_t heads,
                                  bool bidirectional, size_t buckets, size_t max_distance);
void attend_relative_bias_backward(float *dtable, const float *d_distance_bias, size_t span, size_t heads,
                                   bool bidirectional, size_t buckets, size_t max_distance);

/* ---- Optimisers, one fused pass over a parameter (lib/train decides the numbers) ------------------------------------------ */
typedef struct attend_adamw { /* double: 1 - beta is formed from it */
	double lr, beta1, beta2, eps, weight_decay,
		grad_scale;                            /* decoupled decay, Loshchilov & Hutter 2019; g *= grad_scale first */
	double bias_correction1, bias_correction2; /* 1 - beta^t */
} attend_adamw;
void attend_adamw_update(float *w, float *m, float *v, const float *g, size_t count, const attend_adamw *o);
/* The same bits for [rows, width], where m, v and g are zeros in the rows that are not `moved`: of those only w is touched, and
 * only by a decay. eps is not 0. */
void attend_adamw_update_rows(float *w, float *m, float *v, const float *g, const uint8_t *moved, size_t rows,
                              size_t width, const attend_adamw *o);
typedef struct attend_sgd {
	double lr, momentum, dampening, weight_decay, grad_scale;
	bool nesterov, first; /* first: the momentum buffer starts as the gradient */
} attend_sgd;
void attend_sgd_update(float *w, float *momentum, const float *g, size_t count, const attend_sgd *o);

#endif
