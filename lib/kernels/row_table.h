/* row_table.h: the inner loops of everything but the packed products: one row, or one range of elements, on one thread.
 * Each entry has a portable loop in its operation's file (norm.c, activation.c, ...) and vector twins in row_avx2.c,
 * row_avx512.c and row_neon.c. The public functions of kernels.h split the work over the team and call these.
 *
 * One answer: an entry reduces a row in lanes and an order that follow from its length alone; elements of a range are
 * independent of where the range begins. */
#ifndef ATTEND_KERNELS_ROW_TABLE_H
#define ATTEND_KERNELS_ROW_TABLE_H

#include "lib/kernels/dispatch.h"

enum {
	ATTEND_SUM_LANES = 16,  /* of a running sum in attention, at every level */
	ATTEND_QUERY_ROWS = 48, /* queries that attention takes at a time, at most */
	ATTEND_GROUP_ROWS = 32  /* the same with attend_attention_groups */
};

typedef struct attend_lane_range {
	size_t lo, hi; /* lo .. hi-1 */
} attend_lane_range;

typedef enum attend_product_start { ATTEND_FROM_ZERO, ATTEND_FROM_C, ATTEND_FROM_SCALED } attend_product_start;

/* Floats between two rows of sums: whole pairs of tiles. */
static inline size_t attend_group_columns(size_t dim)
{
	return (dim + 31) / 32 * 32;
}

/* Attention in BF16 on tile registers (Intel SDM vol. 1 chapter 18): blocks of up to ATTEND_GROUP_ROWS queries, their arrays
 * with room for all of them, of whose rows
 * begin .. end-1 see some of a tile. Words are taken in groups of 16, which begin at multiples of 16: each has chains of its
 * own, whose sum is added to the row's. On a thread between enter and leave; value_row anywhere. */
struct attend_attention_groups {
	void (*enter)(void);
	void (*leave)(void);
	/* s [rows][ATTEND_KV_TILE] = q [rows][words] * keys [words][ATTEND_KV_TILE] in at least the first `lanes`. The other rows
	 * of the block are left without meaning. */
	void (*scores)(float *s, const float *q, const float *keys, size_t begin, size_t end, size_t words, size_t lanes);
	/* sums [rows][attend_group_columns(dim)] = start + p v over each row's own lanes in rows begin .. end-1 (even: all rows of
	 * the block, over the same lanes); pairs [rows][ATTEND_KV_TILE/2], 0 in other lanes; v [ATTEND_KV_TILE/2][dim]. start:
	 * zero, or factors[r] * sums. What stands behind dim, and behind the last row, is left without meaning. */
	void (*values)(float *sums, const float *pairs, const float *v, size_t dim, size_t begin, size_t end,
	               const attend_lane_range *lanes, bool even, attend_product_start start, const float *factors);
	/* out [dim] the same for one row, without tile registers; rows of v lie ldv apart. */
	void (*value_row)(float *out, const float *pairs, attend_lane_range lanes, const float *v, size_t ldv, size_t dim,
	                  attend_product_start start, float factor);
};

struct attend_row_table {
	/* c [rows,n] = start + a b, start 0, c or factors[r] * c; a(r,k) at a[r*a_row + k*a_step], b [steps,n] with ldb. Each
	 * element is one chain over k = 0 .. steps-1, whatever rows and n are. */
	void (*product)(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
	                size_t rows, size_t steps, size_t n, attend_product_start start, const float *factors);
	/* The same on words of two bf16, 2*steps products: a word of a times a word of b adds both halves' products to an f32 sum
	 * (vdpbf16ps's order and rounding at each level that has it; with `groups`, theirs). */
	void (*product_pairs)(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
	                      size_t rows, size_t steps, size_t n, attend_product_start start, const float *factors);
	/* words [rows][ceil(count/2)] = factor*x rounded to bf16, two in a word, even ones low; an odd count ends with a 0. Rows of
	 * x lie ldx apart. */
	void (*round_pairs)(float *words, const float *x, size_t ldx, float factor, size_t rows, size_t count);
	/* words [count] = even[i] low, odd[i] high, rounded to bf16. */
	void (*weave_pairs)(float *words, const float *even, const float *odd, size_t count);

	/* What a level does that sums pairs by groups, or NULL. */
	const struct attend_attention_groups *groups;

	/* Rows of scores [rows <= ATTEND_QUERY_ROWS][ATTEND_KV_TILE] against one tile, in powers of two. In the lanes of a row's
	 * range (ranges NULL: all lanes of all rows), bias NULL or [rows] of which each may be NULL and is read in them only:
	 *   s = s + log2 e bias ; max' = max(max, s) ; factor = 2^(max - max') ; s = 2^(s - max') ;
	 *   sum = factor*sum + s, lane j % 16 collecting key j
	 * The other lanes of s are left without meaning. An empty range gives factor 1.
	 * pairs [rows][ATTEND_KV_TILE/2], or NULL: s rounded to bf16, 0 outside of the range; s itself is then left without
	 * meaning. */
	void (*attention_rows)(float *s, float *pairs, size_t rows, const attend_lane_range *ranges,
	                       const float *const *bias, float *max, float *factor, float (*sum)[ATTEND_SUM_LANES]);
	/* s = exp(scale*s + bias - log_sum) in lanes lo..hi-1, 0 in the others. */
	void (*attention_probabilities)(float *s, size_t lo, size_t hi, float scale, const float *bias, float log_sum);
	/* Rows of k or v, [count <= ATTEND_KV_TILE, head_dim] with ldx, as columns 0..count-1 of tile [head_dim][ATTEND_KV_TILE]. */
	void (*transpose)(float *tile, const float *x, size_t ldx, size_t count, size_t head_dim);

	/* mean and rstd come back always. */
	void (*layernorm)(float *y, const float *x, const float *w, const float *b, float eps, size_t d, float *mean,
	                  float *rstd);
	void (*layernorm_dx)(float *dx, const float *dy, const float *x, const float *w, float mean, float rstd, size_t d);
	/* Columns 0..width-1 of n rows that lie ld apart: dw += sum dy*(x-mean)*rstd, db += sum dy. mean, dw or db NULL: left out. */
	void (*norm_dw)(float *dw, float *db, const float *dy, const float *x, size_t ld, const float *mean,
	                const float *rstd, size_t n, size_t width);
	void (*rmsnorm)(float *y, const float *x, const float *w, float eps, size_t d, float *rstd);
	void (*rmsnorm_dx)(float *dx, const float *dy, const float *x, const float *w, float rstd, size_t d);

	/* Of rows that lie ldy and ldx apart. */
	void (*activation)(float *y, size_t ldy, const float *x, size_t ldx, attend_activation act, size_t rows,
	                   size_t width);
	void (*activation_dx)(float *dx, const float *dy, const float *x, attend_activation act, size_t count);
	void (*add)(float *y, const float *x, size_t count);
	void (*add_scaled)(float *y, const float *x, float factor, size_t count); /* y += factor*x */
	/* y [width] += columns of n rows that lie ld apart, rows rising. */
	void (*add_rows)(float *y, const float *x, size_t ld, size_t n, size_t width);
	void (*scale)(float *y, const float *x, float factor, size_t count); /* y = factor*x */
	/* y = factors[r]*x of rows of `width` that lie ldy and ldx apart. */
	void (*scale_rows)(float *y, size_t ldy, const float *x, size_t ldx, const float *factors, size_t rows,
	                   size_t width);
	void (*multiply)(float *y, const float *a, const float *b, size_t count);
	double (*sum_squares)(const float *x, size_t count);
	bool (*all_finite)(const float *x, size_t count);
	/* Elements first .. first+count-1 of the stream; keep iff word >= threshold, times `factor`; y and x start at `first`. */
	void (*dropout)(float *y, const float *x, uint64_t threshold, float factor, uint64_t seed, uint64_t stream,
	                uint64_t first, size_t count);

	float (*row_max)(const float *x, size_t v);                 /* -inf when v is 0; NaN may be lost */
	double (*row_sum_exp)(const float *x, float max, size_t v); /* sum exp(x - max) */
	double (*row_sum)(const float *x, size_t v);
	void (*row_exp)(float *y, const float *x, float shift, float factor, size_t v); /* y = exp(x - shift)*factor */
	void (*row_shift)(float *y, const float *x, float shift, size_t v);             /* y = x - shift */

	/* cos and sign*sin of position*frequency; its absolute value is at most MATH_ANGLE_END. */
	void (*angles)(float *cosine, float *sine, float position, const float *frequency, float sign, size_t count);
	/* x1' = x1*cosine - x2*sine, x2' = x2*cosine + x1*sine */
	void (*rotate)(float *x1, float *x2, const float *cosine, const float *sine, size_t count);

	void (*adamw)(float *w, float *m, float *v, const float *g, size_t count, const attend_adamw *o);
	void (*sgd)(float *w, float *momentum, const float *g, size_t count, const attend_sgd *o);
};

/* Each operation's file fills its portable entries. */
void attend_attention_portable(struct attend_row_table *table);
void attend_norm_portable(struct attend_row_table *table);
void attend_activation_portable(struct attend_row_table *table);
void attend_elementwise_portable(struct attend_row_table *table);
void attend_dropout_portable(struct attend_row_table *table);
void attend_softmax_portable(struct attend_row_table *table);
void attend_rotary_portable(struct attend_row_table *table);
void attend_optimizer_portable(struct attend_row_table *table);

/* row_<level>.c: what that level does faster. */
void attend_row_avx2(struct attend_row_table *table);
void attend_row_avx512(struct attend_row_table *table);
void attend_row_avx512bf16(struct attend_row_table *table);
void attend_row_amx(struct attend_row_table *table);
void attend_row_neon(struct attend_row_table *table);

/* An element is kept iff its 32-bit word is at least p * 2^32 (p <= 0 keeps all, p >= 1 none) and is then multiplied. */
static inline uint64_t attend_dropout_threshold(float p)
{
	return p <= 0.0f ? 0 : p >= 1.0f ? (uint64_t)1 << 32 : (uint64_t)((double)p * 0x1p32);
}

static inline float attend_dropout_factor(float p)
{
	return p < 1.0f ? 1.0f / (1.0f - p) : 0.0f;
}

/* Split 0..count-1 over the team into ranges of at least some ten microseconds of work: `cost` is the work of one index in
 * simple float operations. The ranges are run in any order; small work runs on the caller alone. */
typedef void (*attend_range)(void *arg, size_t begin, size_t end);
void attend_split(size_t count, size_t cost, attend_range range, void *arg);

#endif
