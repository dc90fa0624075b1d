/* gemm_int4.h: the int4 product kernel once for all vector levels. Before it stand the macros of gemm_finish.h and
 *   int4_low(p) int4_high(p)     the low or high nibbles of LANES words at p, as bytes
 *   int4_scales(p)               LANES bf16 at p as f32
 *   int4_dot(w, x, start)        s32: start + sum over 8 words of the four products of bytes of w[i] (u8 < 16) and the word
 *                                x[i] (s8), x being unaligned bytes
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

__attribute__((no_sanitize("address", "undefined"))) static void int4_tile(float *tile, const float *block,
                                                                           const unsigned char *panel, size_t rows,
                                                                           size_t steps, bool add, attend_ahead ahead)
{
	const size_t lines = (ahead.lines + 3) / 4;
	if (!add) memset(tile, 0, rows * NV * LANES * sizeof *tile);
	for (size_t s = 0; s < steps; s++, panel += INT4_STEP_BYTES) {
		for (size_t l = 0; l < lines; l++, ahead.at += 64) __builtin_prefetch(ahead.at, 0, 2);
#pragma GCC unroll 4
		for (size_t v = 0; v < NV; v++) {
			INTEGERS w[8];
#pragma GCC unroll 4
			for (size_t pair = 0; pair < 4; pair++) {
				const unsigned char *p = panel + (pair * NV + v) * LANES * 4;
				w[pair * 2] = int4_low(p);
				w[pair * 2 + 1] = int4_high(p);
			}
			const VECTOR scale = int4_scales(panel + INT4_NIBBLES + v * LANES * 2);
			float *sum = tile + v * LANES;
			const unsigned char *x = (const unsigned char *)(block + s * rows * INT4_WORDS);
			for (size_t r = 0; r < rows; r++, x += INT4_WORDS * 4, sum += NV * LANES) {
				int32_t start;
				memcpy(&start, x, sizeof start);
				v_store(sum, v_fma(i_to_float(int4_dot(w, x + 4, start)), scale, v_load(sum)));
			}
		}
	}
}

#endif
