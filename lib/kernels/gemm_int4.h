/* gemm_int4.h: the int4 product kernel once for all vector levels. Before it stand the macros of gemm_finish.h and
 *   int4_low(p) int4_high(p)     the low or high nibbles of LANES words at p, as bytes
 *   int4_scales(p)               LANES bf16 at p as f32
 *   int4_start(s32)              the running sum of a group of 32 before its first word
 *   int4_step(sum, w, x)         plus the four products of bytes of w (u8 < 16) and of the word at x (s8, unaligned bytes)
 *   int4_end(sum, s32)           the sum as s32 lanes, the start included
 *   INT4_TOGETHER                vectors of a row at a time: as many as keep their 8 weights each in registers
 *   INT4_ROWS                    <= 6 rows at a time
 * and, where int4_step takes any u8, for what is faster with one row:
 *   int4_sixteenfold(p)          sixteen times the high nibbles of LANES words at p, as bytes
 *   int4_join(low, sixteenfold)  the sum of both's products
 * Sums go through the tile in memory: w takes the registers, and any number of rows shares it. */
#ifndef ATTEND_KERNELS_GEMM_INT4_H
#define ATTEND_KERNELS_GEMM_INT4_H

#include <string.h>

#include "lib/kernels/gemm_table.h"

enum {
	INT4_WORDS = 1 + ATTEND_INT4_GROUP / 4,
	INT4_NIBBLES = (int)(NV * LANES) * ATTEND_INT4_GROUP / 2,
	INT4_STEP_BYTES = INT4_NIBBLES + (int)(NV * LANES) * 2
};

/* Some rows, a constant: their chains of products run side by side. */
GEMM_UNROLLED void int4_rows(float *sum, const unsigned char *x, INTEGERS w[INT4_TOGETHER][8], const VECTOR *scale,
                             const size_t rows)
{
	INTEGERS dot[INT4_ROWS][INT4_TOGETHER];
#pragma GCC unroll 8
	for (size_t r = 0; r < rows; r++) {
		int32_t start;
		memcpy(&start, x + r * INT4_WORDS * 4, sizeof start);
#pragma GCC unroll 2
		for (size_t t = 0; t < INT4_TOGETHER; t++) dot[r][t] = int4_start(start);
	}
#pragma GCC unroll 8
	for (size_t i = 0; i < 8; i++) {
#pragma GCC unroll 8
		for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
			for (size_t t = 0; t < INT4_TOGETHER; t++)
				dot[r][t] = int4_step(dot[r][t], w[t][i], x + (r * INT4_WORDS + 1 + i) * 4);
		}
	}
#pragma GCC unroll 8
	for (size_t r = 0; r < rows; r++) {
		int32_t start;
		memcpy(&start, x + r * INT4_WORDS * 4, sizeof start);
#pragma GCC unroll 2
		for (size_t t = 0; t < INT4_TOGETHER; t++) {
			float *to = sum + (r * NV + t) * LANES;
			v_store(to, v_fma(i_to_float(int4_end(dot[r][t], start)), scale[t], v_load(to)));
		}
	}
}

#ifdef int4_sixteenfold
/* One row has no use for the weights but one: their high nibbles stay where they are, and its sums stay in registers. */
GEMM_UNROLLED void int4_row(float *tile, const unsigned char *x, const unsigned char *panel, size_t steps,
                            attend_ahead *ahead, size_t lines)
{
	VECTOR sum[NV];
#pragma GCC unroll 8
	for (size_t v = 0; v < NV; v++) sum[v] = v_load(tile + v * LANES);
	for (size_t s = 0; s < steps; s++, panel += INT4_STEP_BYTES, x += INT4_WORDS * 4) {
		int32_t start;
		memcpy(&start, x, sizeof start);
		attend_ask_ahead(ahead, lines);
#pragma GCC unroll 8
		for (size_t v = 0; v < NV; v++) {
			INTEGERS low = int4_start(start), high = i_set(0);
#pragma GCC unroll 4
			for (size_t pair = 0; pair < 4; pair++) {
				const unsigned char *p = panel + (pair * NV + v) * LANES * 4;
				low = int4_step(low, int4_low(p), x + (1 + 2 * pair) * 4);
				high = int4_step(high, int4_sixteenfold(p), x + (2 + 2 * pair) * 4);
			}
			const VECTOR scale = int4_scales(panel + INT4_NIBBLES + v * LANES * 2);
			sum[v] = v_fma(i_to_float(int4_end(int4_join(low, high), start)), scale, sum[v]);
		}
	}
#pragma GCC unroll 8
	for (size_t v = 0; v < NV; v++) v_store(tile + v * LANES, sum[v]);
}
#endif

__attribute__((no_sanitize("address", "undefined"))) static void int4_tile(float *tile, const float *block,
                                                                           const unsigned char *panel, size_t rows,
                                                                           size_t steps, bool add, attend_ahead ahead)
{
	const size_t lines = (ahead.lines + 3u) / 4;
	if (!add) memset(tile, 0, rows * NV * LANES * sizeof *tile);
#ifdef int4_sixteenfold
	if (rows == 1) {
		int4_row(tile, (const unsigned char *)block, panel, steps, &ahead, lines);
		return;
	}
#endif
	for (size_t s = 0; s < steps; s++, panel += INT4_STEP_BYTES) {
		attend_ask_ahead(&ahead, lines);
		for (size_t v = 0; v < NV; v += INT4_TOGETHER) {
			INTEGERS w[INT4_TOGETHER][8];
			VECTOR scale[INT4_TOGETHER];
#pragma GCC unroll 2
			for (size_t t = 0; t < INT4_TOGETHER; t++) {
#pragma GCC unroll 4
				for (size_t pair = 0; pair < 4; pair++) {
					const unsigned char *p = panel + (pair * NV + v + t) * LANES * 4;
					w[t][pair * 2] = int4_low(p);
					w[t][pair * 2 + 1] = int4_high(p);
				}
				scale[t] = int4_scales(panel + INT4_NIBBLES + (v + t) * LANES * 2);
			}
			float *sum = tile + v * LANES;
			const unsigned char *x = (const unsigned char *)(block + s * rows * INT4_WORDS);
			size_t left = rows;
			for (; left >= INT4_ROWS; left -= INT4_ROWS, x += INT4_ROWS * INT4_WORDS * 4, sum += INT4_ROWS * NV * LANES)
				int4_rows(sum, x, w, scale, INT4_ROWS);
			switch (left) {
			case 5: int4_rows(sum, x, w, scale, 5); break;
			case 4: int4_rows(sum, x, w, scale, 4); break;
			case 3: int4_rows(sum, x, w, scale, 3); break;
			case 2: int4_rows(sum, x, w, scale, 2); break;
			case 1: int4_rows(sum, x, w, scale, 1); break;
			default: break;
			}
		}
	}
}

#endif
