/* gemm_int4_amx.c: int4 products of many rows on tile registers. A group of 32 inputs is half the depth of a tile; its sums,
 * sixteen rows by sixteen columns, are exact, and go through memory to be scaled and added in the order of the groups, as on
 * vectors: the same bits as attend_int4_tile_avx512vnni's. What stands behind the last row of x is multiplied too and never
 * looked at. */
#include <string.h>

#include "lib/kernels/gemm_avx512.h"
#include "lib/kernels/tile_registers.h"

/* Steps of a panel that are multiplied before their sums are scaled: these come back only from the cache. */
enum { STEPS = 8, TILE_ROWS = 16, STEP_NIBBLES = 512, STEP_BYTES = STEP_NIBBLES + 64, ROW_BYTES = 36, WORDS = 8 };

typedef struct workplace {
	_Alignas(64) int8_t weights[STEPS][NV][WORDS][64];
	int32_t sums[STEPS][TILE_ROWS][NV][LANES];
	float scales[STEPS][NV][LANES];
} workplace;

/* Sums in 0 1 and 2 3, rows in 4, columns in 6 7. */
void attend_int4_tiles_enter(void)
{
	static const tile_config config = {
		.palette = 1,
		.row_bytes = {64, 64, 64, 64, 32, 32, 64, 64},
		.rows = {TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, WORDS, WORDS},
	};
	_tile_loadconfig(&config);
}

/* Nibbles as bytes of -8 .. 7: the words of each vector of columns one behind the other. */
static void unpack(workplace *w, const unsigned char *panel, size_t steps, attend_ahead *ahead)
{
	const size_t lines = (ahead->lines + 3u) / 4;
	const __m512i eight = _mm512_set1_epi8(8);
	for (size_t s = 0; s < steps; s++, panel += STEP_BYTES) {
		attend_ask_ahead(ahead, lines);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) {
#pragma GCC unroll 4
			for (size_t pair = 0; pair < 4; pair++) {
				const unsigned char *p = panel + (pair * NV + v) * 64;
				_mm512_store_si512(w->weights[s][v][2 * pair], _mm512_sub_epi8(int4_low(p), eight));
				_mm512_store_si512(w->weights[s][v][2 * pair + 1], _mm512_sub_epi8(int4_high(p), eight));
			}
			_mm512_store_ps(w->scales[s][v], int4_scales(panel + STEP_NIBBLES + v * 32));
		}
	}
}

/* Sums of sixteen rows; a step of x is `stride` bytes from the next. */
static void multiply(workplace *w, const unsigned char *x, size_t stride, size_t steps)
{
	for (size_t s = 0; s < steps; s++, x += stride) {
		_tile_zero(0);
		_tile_zero(1);
		_tile_loadd(4, x, ROW_BYTES);
		_tile_loadd(6, w->weights[s][0], 64);
		_tile_dpbssd(0, 4, 6);
		_tile_loadd(7, w->weights[s][1], 64);
		_tile_dpbssd(1, 4, 7);
		_tile_stored(0, w->sums[s][0][0], NV * 64);
		_tile_stored(1, w->sums[s][0][1], NV * 64);
	}
}

/* Steps are a constant where it is called with all of them. */
GEMM_UNROLLED void scale(float *tile, const workplace *w, size_t rows, const size_t steps)
{
	for (size_t r = 0; r < rows; r++, tile += NV * LANES) {
		__m512 sum[NV];
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[v] = v_load(tile + v * LANES);
#pragma GCC unroll 8
		for (size_t s = 0; s < steps; s++) {
#pragma GCC unroll 2
			for (size_t v = 0; v < NV; v++)
				sum[v] = v_fma(i_to_float(i_load(w->sums[s][r][v])), v_load(w->scales[s][v]), sum[v]);
		}
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) v_store(tile + v * LANES, sum[v]);
	}
}

__attribute__((no_sanitize("address", "undefined"))) void attend_int4_tile_amx(float *tile, const float *block,
                                                                               const unsigned char *panel, size_t rows,
                                                                               size_t steps, bool add,
                                                                               attend_ahead ahead)
{
	workplace w;
	if (!add) memset(tile, 0, rows * NV * LANES * sizeof *tile);
	for (size_t s0 = 0; s0 < steps; s0 += STEPS, panel += STEPS * STEP_BYTES) {
		const size_t count = steps - s0 < STEPS ? steps - s0 : STEPS;
		unpack(&w, panel, count, &ahead);
		for (size_t r0 = 0; r0 < rows; r0 += TILE_ROWS) {
			const unsigned char *x = (const unsigned char *)block + (s0 * rows + r0) * ROW_BYTES + 4;
			const size_t some = rows - r0 < TILE_ROWS ? rows - r0 : TILE_ROWS;
			multiply(&w, x, rows * ROW_BYTES, count);
			if (count == STEPS) scale(tile + r0 * NV * LANES, &w, some, STEPS);
			else scale(tile + r0 * NV * LANES, &w, some, count);
		}
	}
}
