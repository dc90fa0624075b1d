/* gemm_table.h: the inner loops of every matrix product, one table per level. linear.c and gemm.c split the work and call
 * these. Each sums an output element over k = 0 .. K-1 in one chain, so its bits depend on nothing else (DESIGN.md 3).
 *
 * All pack types share one shape. k runs in steps of `depth` inputs. The right operand is cut into panels of nr columns, a
 * step of a panel being `step_bytes`; the left operand into blocks of R <= mr rows, a step of a block being R times `unit`
 * 32-bit words. Sums wait in tiles [rows][nr] of 32 bits, contiguous, in the caller's cache.
 *
 *   type  depth  step of a panel                       step of a row in a block                    sum
 *   F32     1    nr f32                                f32                                         f32
 *   BF16    2    nr pairs of bf16                      two f32, [2][R]; or a pair of bf16          f32
 *   INT8    4    nr fours of s8                        four u8 (or u8-128 as s8)                   s32, exact
 *   INT4   32    nr columns of 32 nibbles, nr bf16     s32 -8*sum, 32 s8                           f32 of group sums
 *
 * Behind the steps of an INT8 panel stand nr f32 scales and nr s32 sums of the column. Steps behind k are zeros. */
#ifndef ATTEND_KERNELS_GEMM_TABLE_H
#define ATTEND_KERNELS_GEMM_TABLE_H

#include "lib/kernels/kernels.h"

enum { ATTEND_GEMM_MAX_NR = 32, ATTEND_GEMM_MAX_MR = 32, ATTEND_INT4_GROUP = 32 };

/* A tile of sums on its way to y: rows x columns (columns <= nr) of the output; pointers stand at the tile's corner.
 *   v = sum                                                       F32, BF16 (x_scale NULL)
 *   v = (s32 sum - zero[r]*column_sum[j]) * (x_scale[r]*w_scale[j])   INT8
 *   v = sum * x_scale[r]                                          INT4 (w_scale NULL)
 *   y = ((v*scale + bias[j]) * multiply) + residual, as fused multiply-adds on every level but the portable one */
typedef struct attend_tile_out {
	const float *tile; /* [rows][nr] */
	size_t rows, columns;
	const float *x_scale;
	const int32_t *zero;
	const float *w_scale;
	const int32_t *column_sum;
	float scale; /* not 0 */
	const float *bias;
	const float *multiply;
	size_t ld_multiply;
	const float *residual;
	size_t ld_residual;
	float *y; /* may be the tile, with ldy nr */
	size_t ldy;
} attend_tile_out;

/* Memory to ask for while a tile is computed: in every four steps, `lines` cache lines of each of `streams` that start
 * `apart` bytes from one another, the first at `at`. Wherever they point, nothing is read. */
typedef struct attend_ahead {
	const unsigned char *at;
	uint16_t lines, streams;
	uint32_t apart;
} attend_ahead; /* sixteen bytes: two registers of a call */

static inline void attend_ask_ahead(attend_ahead *ahead, size_t lines)
{
	for (size_t l = 0; l < lines; l++, ahead->at += 64) {
		for (size_t s = 0; s < ahead->streams; s++) __builtin_prefetch(ahead->at + s * ahead->apart, 0, 2);
	}
}

/* How a kernel wants the rows of x. */
typedef enum attend_block_form {
	ATTEND_BLOCK_F32,    /* as they are */
	ATTEND_BLOCK_BF16,   /* rounded to bf16 */
	ATTEND_BLOCK_INT8,   /* x = scale (q - zero), q u8 */
	ATTEND_BLOCK_INT8_S, /* the same with q - 128, zero - 128 */
	ATTEND_BLOCK_INT4    /* x = scale q, q s8, in groups with their sums */
} attend_block_form;

/* Loops that are unrolled into registers. Checks of every index in them would make millions of instructions. */
#define GEMM_UNROLLED static inline __attribute__((always_inline, no_sanitize("address", "undefined")))

typedef struct attend_kernel {
	size_t mr; /* rows of a block at most */
	attend_block_form form;
	size_t unit;     /* 32-bit words of a row in a step of a block */
	size_t multiple; /* steps are padded to a multiple of this (0: 1) */
	size_t rate;     /* bytes of panel times rows that one core multiplies in a nanosecond, roughly */
	size_t part;     /* steps of a panel that fit the L1 cache beside the blocks */
	bool tiled;      /* for tile registers: blocks are [steps/16][R][16] words, not [steps][R] (int4's are); all have mr
	                  * rows but the last, behind which a kernel may read and write up to 15 rows more */
	/* tile [rows][nr] = (add: +=) block x panel over `steps`; 1 <= rows <= mr. */
	void (*tile)(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps, bool add,
	             attend_ahead ahead);
	/* From `expand_from` blocks on (0: never) a part of the panel is first written out with `factor` steps for one, which
	 * `expanded` takes: same blocks, same bits. */
	size_t expand_from, factor;
	void (*expand)(unsigned char *to, const unsigned char *panel, size_t steps);
	void (*expanded)(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps, bool add,
	                 attend_ahead ahead);
	/* What multiplies products of up to few_rows rows instead, with the same bits, unit and steps; or NULL. */
	const struct attend_kernel *few;
	size_t few_rows;
	/* Before and after a task's calls, on its thread; or NULL. */
	void (*enter)(void);
	void (*leave)(void);
} attend_kernel;

struct attend_gemm_table {
	size_t nr; /* columns of a panel */
	attend_kernel kernel[ATTEND_PACK_TYPES];

	/* Any 32-bit words; columns behind `columns` become 0.
	 * interleave: dst [k][width], dst[i*width + j] = src[j*stride + i], columns <= width. Columns lie too far apart for the
	 * hardware to see the next one coming: it asks for the words that lie `ahead` behind those that it reads (0: for none).
	 * gather: dst [ceil(columns/width)][k][width], dst[b*k*width + i*width + j] = src[i*stride + b*width + j]. */
	void (*interleave)(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
	                   size_t ahead);
	void (*gather)(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k);

	/* One group of weights w [32] into its place in a step of an INT4 panel: for each pair of fours of inputs, nr columns of
	 * four bytes, the low nibble from the first four, the high nibble from the second (q + 8); then nr scales. */
	void (*pack_int4)(unsigned char *step, size_t nr, size_t column, const float *w);

	/* Least and greatest of 0 and x[0..k-1]; false when one of them is not finite. */
	bool (*range)(const float *x, size_t k, float *least, float *greatest);
	/* q = clamp(round(x*inverse) + offset, low, high), ties to even, stored as a byte. */
	void (*quantize)(uint8_t *q, const float *x, size_t k, float inverse, int32_t offset, int32_t low, int32_t high);
	/* A u8 block from f32 rows, x[r*stride]: block[s*rows + r] = q of inputs 4s .. 4s+3 with inverse[r], zero[r], 0, 255; what stands
	 * behind k has no meaning. Where a kernel takes u8 blocks that are not tiled; else NULL. */
	void (*lay_int8)(float *block, const float *x, size_t stride, size_t rows, size_t k, const float *inverse,
	                 const int32_t *zero);
	/* An INT4 block, or `rows` rows that stand in one `apart` words a step: in each step the 9 words of row r at block[r*9], a row's
	 * inverse of its scale in inverse[r]. May be NULL. */
	void (*lay_int4)(float *block, const float *x, size_t stride, size_t rows, size_t apart, size_t k,
	                 const float *inverse);
	/* Nearest bf16, ties to even, NaN stays NaN. */
	void (*round_bf16)(uint16_t *y, const float *x, size_t k);
	/* A block of the BF16 kernel (not of its `few`) from f32 rows, x[r*stride]: the word of step s and row r is x[r*stride + 2s]
	 * low, x[r*stride + 2s+1] high, rounded; 0 behind k. Where that kernel takes bf16 blocks; else NULL, as the next two. */
	void (*lay_bf16)(float *block, const float *x, size_t stride, size_t rows, size_t k);
	/* The same words as steps of a panel: those of column j, read from x[j*stride], at panel[s*nr + j]; columns behind `columns`
	 * become 0. Asks for the inputs that lie `ahead` behind those that it reads (0: for none). */
	void (*panel_bf16)(float *panel, const float *x, size_t stride, size_t columns, size_t k, size_t ahead);
	/* Words of two bf16: y[j] = even[j] low, odd[j] high. */
	void (*pair_bf16)(float *y, const float *even, const float *odd, size_t count);
	void (*finish)(const attend_tile_out *out);
};

#endif
