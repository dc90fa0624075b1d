/* gemm_tile.h: the loop of every product kernel that keeps its sums in registers. Included once per kernel; before it stand
 *   TILE                 first word of the names: TILE_tile is what the table takes
 *   TILE_MR TILE_UNIT    rows of a block at most (6, 12, 14 ...), words of a row in a step
 *   TILE_STEP_BYTES      of a panel
 *   SUM NV LANES         type of a vector of sums, vectors and lanes of a panel row
 *   sum_zero() sum_load(p) sum_store(p, v)
 *   TILE_step(sum, block, panel, rows): one step, a static inline function of that name; `rows` is a constant there
 * and behind it everything but SUM, NV, LANES and the sum_ macros is undefined again. */
#include "lib/kernels/gemm_table.h"

#define TILE_JOIN(a, b) a##_##b
#define TILE_NAME(a, b) TILE_JOIN(a, b)

GEMM_UNROLLED void TILE_NAME(TILE, rows)(float *tile, const float *block, const unsigned char *panel, const size_t rows,
                                         size_t steps, bool add, attend_ahead ahead)
{
	SUM sum[TILE_MR][NV];
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 4
		for (size_t v = 0; v < NV; v++) sum[r][v] = add ? sum_load(tile + (r * NV + v) * LANES) : sum_zero();
	}
	size_t s = 0;
	for (; s + 4 <= steps; s += 4) {
		attend_ask_ahead(&ahead, ahead.lines);
#pragma GCC unroll 4
		for (size_t u = 0; u < 4; u++)
			TILE_NAME(TILE, step)(sum, block + (s + u) * rows * TILE_UNIT, panel + (s + u) * TILE_STEP_BYTES, rows);
	}
	for (; s < steps; s++) TILE_NAME(TILE, step)(sum, block + s * rows * TILE_UNIT, panel + s * TILE_STEP_BYTES, rows);
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 4
		for (size_t v = 0; v < NV; v++) sum_store(tile + (r * NV + v) * LANES, sum[r][v]);
	}
}

__attribute__((no_sanitize("address", "undefined"))) static void TILE_NAME(TILE, tile)(float *tile, const float *block,
                                                                                       const unsigned char *panel,
                                                                                       size_t rows, size_t steps,
                                                                                       bool add, attend_ahead ahead)
{
	switch (rows) {
#define TILE_CASE(n) \
	case n: TILE_NAME(TILE, rows)(tile, block, panel, n, steps, add, ahead); break;
		TILE_CASE(1)
		TILE_CASE(2)
		TILE_CASE(3)
		TILE_CASE(4)
#if TILE_MR > 4
		TILE_CASE(5)
		TILE_CASE(6)
#endif
#if TILE_MR > 6
		TILE_CASE(7)
		TILE_CASE(8)
		TILE_CASE(9)
		TILE_CASE(10)
		TILE_CASE(11)
		TILE_CASE(12)
#endif
#if TILE_MR > 12
		TILE_CASE(13)
		TILE_CASE(14)
#endif
#undef TILE_CASE
	default: break;
	}
}

#undef TILE
#undef TILE_MR
#undef TILE_UNIT
#undef TILE_STEP_BYTES
#undef TILE_NAME
#undef TILE_JOIN
