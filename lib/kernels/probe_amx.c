/* probe_amx.c: tdpbf16ps, tdpbusd and tdpbssd of four tiles of sums, as the products use them. */
#include "lib/kernels/probe.h"
#include "lib/kernels/tile_registers.h"

static void enter(void)
{
	tiles_enter();
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	_tile_zero(4);
	_tile_zero(5);
	_tile_zero(6);
	_tile_zero(7);
}

#define TILE_PROBE(name, multiply, steps)                            \
	double name(size_t rounds)                                       \
	{                                                                \
		enter();                                                     \
		for (size_t r = 0; r < rounds; r++) {                        \
			multiply(0, 4, 6);                                       \
			multiply(1, 4, 7);                                       \
			multiply(2, 5, 6);                                       \
			multiply(3, 5, 7);                                       \
		}                                                            \
		tiles_leave();                                               \
		return 2.0 * 4 * 16 * 16 * (double)(steps) * (double)rounds; \
	}

TILE_PROBE(attend_probe_bf16_amx, _tile_dpbf16ps, 32)
TILE_PROBE(attend_probe_int8_amx, _tile_dpbusd, 64)
TILE_PROBE(attend_probe_int4_amx, _tile_dpbssd, 32) /* a group is half the depth, and takes as long */
