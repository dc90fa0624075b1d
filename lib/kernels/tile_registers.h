/* tile_registers.h: the tile registers as the products on them have them (Intel SDM vol. 1 chapter 18): eight tiles of 16 rows of
 * 64 bytes; sums in 0 1 / 2 3, rows in 4 5, columns in 6 7. For files that are compiled for AMX. */
#ifndef ATTEND_KERNELS_TILE_REGISTERS_H
#define ATTEND_KERNELS_TILE_REGISTERS_H

#include <immintrin.h>
#include <stdint.h>

/* What _tile_loadconfig reads. */
typedef struct tile_config {
	uint8_t palette, start_row, reserved[14];
	uint16_t row_bytes[16];
	uint8_t rows[16];
} tile_config;

static inline void tiles_enter(void)
{
	static const tile_config config = {
		.palette = 1,
		.row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
		.rows = {16, 16, 16, 16, 16, 16, 16, 16},
	};
	_tile_loadconfig(&config);
}

/* Tile registers in use would be saved at every switch of threads. */
static inline void tiles_leave(void)
{
	_tile_release();
}

#endif
