/* pack.h: how operands are laid out for the kernels of gemm_table.h, and how a product is cut into tasks. Private to the
 * gemm group. */
#ifndef ATTEND_KERNELS_PACK_H
#define ATTEND_KERNELS_PACK_H

#include "lib/core/threads.h"
#include "lib/kernels/gemm_table.h"

/* m things in `count` runs of `size`; the first `larger` runs have one more, the last one ends at m. */
typedef struct attend_runs {
	size_t count, size, larger, m;
} attend_runs;

/* Of nearly equal length. */
static inline attend_runs attend_runs_in(size_t m, size_t count)
{
	return count ? (attend_runs){count, m / count, m % count, m} : (attend_runs){0, 0, 0, 0};
}

/* All of `size` but the last. */
static inline attend_runs attend_runs_whole(size_t m, size_t size)
{
	return (attend_runs){m / size + (m % size != 0), size, 0, m};
}

static inline attend_runs attend_runs_of(size_t m, size_t most)
{
	return attend_runs_in(m, m / most + (m % most != 0));
}

static inline size_t attend_run_start(const attend_runs *runs, size_t i)
{
	const size_t start = i * runs->size + (i < runs->larger ? i : runs->larger);
	return start < runs->m ? start : runs->m;
}

/* a*b*size rounded up to 64 bytes; SIZE_MAX when it overflows: no allocation of that succeeds. */
size_t attend_product_bytes(size_t a, size_t b, size_t size);
size_t attend_sum_bytes(size_t a, size_t b);

/* Sizes of a packed matrix at one level. */
size_t attend_type_depth(attend_pack_type type);
size_t attend_type_steps(const struct attend_gemm_table *table, attend_pack_type type, size_t k);
size_t attend_type_step_bytes(const struct attend_gemm_table *table, attend_pack_type type);
size_t attend_type_panel_bytes(const struct attend_gemm_table *table, attend_pack_type type, size_t k);

/* interleave, gather and pack_int4 of gemm_table.h on each level. */
void attend_interleave_portable(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
                                size_t ahead);
void attend_gather_portable(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k);
void attend_pack_int4_portable(unsigned char *step, size_t nr, size_t column, const float *w);
#if defined(__x86_64__)
void attend_interleave_avx2(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
                            size_t ahead);
void attend_gather_avx2(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k);
void attend_pack_int4_avx2(unsigned char *step, size_t nr, size_t column, const float *w);
void attend_interleave_avx512(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
                              size_t ahead);
void attend_gather_avx512(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k);
void attend_pack_int4_avx512(unsigned char *step, size_t nr, size_t column, const float *w);
#endif

/* Run the task over 0 .. tasks-1, on the team if the work (in elements) is worth it. */
void attend_run_tasks(size_t tasks, attend_task task, void *arg, size_t work);

/* Threads that a product called here runs on. */
static inline size_t attend_product_threads(void)
{
	return attend_in_parallel() ? 1 : (size_t)attend_threads();
}

/* Rows for each thread from which on a thread keeps to its rows and reads all weights, rather than to its columns: every
 * operation cuts rows alike, so they stay in the cache of its core. */
enum { ATTEND_SHARE_ROWS = 32 };

/* The left operand: m rows of k inputs, element (r, i) at x[r*stride_row + i*stride_k] (one of them is 1; stride_k other
 * than 1 for F32 and BF16 alone), and the blocks in scratch that it is laid out in, one after the other. How many rows a block has
 * follows from m and attend_product_threads alone. stride_row ATTEND_LAID: x is blocks already. */
typedef struct attend_left {
	const struct attend_gemm_table *table;
	const attend_kernel *kernel;
	const float *x;
	size_t stride_row, stride_k, k, steps;
	attend_runs runs; /* of rows: the blocks */
	float *blocks;
	float *x_scale; /* [m]: int8 and int4 forms */
	int32_t *zero;  /* [m] */
	bool in_place;  /* x is laid out: by the product before, or because one f32 row is its own block */
} attend_left;

size_t attend_left_bytes(const struct attend_gemm_table *table, attend_pack_type type, size_t m, size_t k);
attend_left attend_left_plan(void *scratch, const struct attend_gemm_table *table, attend_pack_type type,
                             const float *x, size_t stride_row, size_t stride_k, size_t m, size_t k);
/* Lay out blocks block0 .. block1-1. */
void attend_left_fill(const attend_left *left, size_t block0, size_t block1);
/* Encoded words of rows that lie `stride` apart, as a stretch of `steps` of a block. */
void attend_left_lay(const attend_left *left, float *block, const float *words, size_t stride, size_t rows,
                     size_t steps);
/* bf16 blocks: one from rows; some from columns (stride_k other than 1). */
void attend_left_round(const attend_left *left, float *block, const float *x, size_t rows);
void attend_left_pair(const attend_left *left, size_t block0, size_t block1);

/* F32 and BF16 panels of the n columns of op(B), element (i, j) at b[j*stride_column + i*stride_k]; one stride is 1. */
void attend_panels_fill(float *panels, const struct attend_gemm_table *table, const float *b, size_t stride_column,
                        size_t stride_k, size_t n, size_t k);
/* Rounded, the k inputs become the steps from `first` on, of `steps` that the panels have. */
void attend_panels_round(float *panels, const struct attend_gemm_table *table, const float *b, size_t stride_column,
                         size_t stride_k, size_t n, size_t k, size_t first, size_t steps);

/* C_i [m_i,n] = op(A_i) op(B) + beta_i C_i, as attend_gemm or attend_gemm_bf16 have each of them, in the scratch of the one with
 * most rows: B is laid out once. */
typedef struct attend_gemm_left {
	size_t m;
	const float *a;
	float beta;
	float *c;
} attend_gemm_left;
void attend_gemm_shared(bool bf16, bool transpose_a, bool transpose_b, const attend_gemm_left *lefts, size_t count,
                        size_t n, size_t k, size_t lda, const float *b, size_t ldb, size_t ldc, void *scratch);

/* Steps s0 .. s0+steps-1 of a panel as attend_pack would leave them. */
void attend_unpacked_lay(unsigned char *to, const attend_unpacked *w, size_t panel, size_t s0, size_t steps);

/* y [m,n] = epilogue(x times panels). */
typedef struct attend_product {
	attend_pack_type type;
	float *y;
	size_t ldy; /* or ATTEND_LAID */
	size_t m, n, k;
	const float *x; /* as attend_left's */
	size_t stride_row, stride_k;
	const unsigned char *panels;
	const attend_unpacked *unpacked; /* where `panels` is NULL */
	void *scratch;                   /* attend_left_bytes */
	attend_epilogue epilogue;        /* scale is not 0 */
} attend_product;
void attend_product_run(const attend_product *product);

#endif
