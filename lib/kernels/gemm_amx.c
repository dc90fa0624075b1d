/* gemm_amx.c: bf16 and int8 products on tile registers (Intel SDM vol. 1 chapter 18): two tiles of 16 rows of x and two of
 * 16 columns of a panel make four tiles of sums. A tile row is 16 words: the words of 16 steps. All tiles have 16 rows;
 * what stands behind the last row of x is multiplied too and never looked at, because telling the CPU of fewer rows takes
 * longer than a whole block. f32 is AVX-512's; int4 stands in gemm_int4_amx.c.
 *
 * tdpbf16ps rounds to nearest, flushes subnormals, and adds the even and odd products of 32 inputs in an order of its own:
 * the same for every row. */
#include "lib/kernels/gemm_avx512.h"
#include "lib/kernels/tile_registers.h"

enum { TILE_ROWS = 16, STEPS = 16, BLOCK_ROWS = 32, STEP_BYTES = 128, TILE_BYTES = TILE_ROWS * STEPS * 4 };

#define TILE_KERNEL(name, multiply)                                                                                    \
	static void name(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps, bool add, \
	                 attend_ahead ahead)                                                                               \
	{                                                                                                                  \
		const bool two = rows > TILE_ROWS;                                                                             \
		const unsigned char *x = (const unsigned char *)block;                                                         \
		const size_t x_bytes = rows * STEPS * 4;                                                                       \
		float *low = tile + (two ? TILE_ROWS * 32 : 0);                                                                \
		if (add) {                                                                                                     \
			_tile_loadd(0, tile, STEP_BYTES);                                                                          \
			_tile_loadd(1, tile + 16, STEP_BYTES);                                                                     \
			_tile_loadd(2, low, STEP_BYTES);                                                                           \
			_tile_loadd(3, low + 16, STEP_BYTES);                                                                      \
		} else {                                                                                                       \
			_tile_zero(0);                                                                                             \
			_tile_zero(1);                                                                                             \
			_tile_zero(2);                                                                                             \
			_tile_zero(3);                                                                                             \
		}                                                                                                              \
		for (size_t s = 0; s < steps; s += STEPS, x += x_bytes, panel += STEPS * STEP_BYTES) {                         \
			attend_ask_ahead(&ahead, ahead.lines *(STEPS / 8));                                                        \
			_tile_loadd(6, panel, STEP_BYTES);                                                                         \
			_tile_loadd(4, x, STEPS * 4);                                                                              \
			attend_ask_ahead(&ahead, ahead.lines *(STEPS / 8));                                                        \
			multiply(0, 4, 6);                                                                                         \
			_tile_loadd(7, panel + 64, STEP_BYTES);                                                                    \
			multiply(1, 4, 7);                                                                                         \
			if (two) {                                                                                                 \
				_tile_loadd(5, x + TILE_BYTES, STEPS * 4);                                                             \
				multiply(2, 5, 6);                                                                                     \
				multiply(3, 5, 7);                                                                                     \
			}                                                                                                          \
		}                                                                                                              \
		_tile_stored(0, tile, STEP_BYTES);                                                                             \
		_tile_stored(1, tile + 16, STEP_BYTES);                                                                        \
		if (two) {                                                                                                     \
			_tile_stored(2, low, STEP_BYTES);                                                                          \
			_tile_stored(3, low + 16, STEP_BYTES);                                                                     \
		}                                                                                                              \
	}

TILE_KERNEL(bf16_tile, _tile_dpbf16ps)
TILE_KERNEL(int8_tile, _tile_dpbusd)

/* A few rows are read from memory a third faster by vector loads, which the CPU sees coming, than by loads of tiles. These are
 * the sums of tdpbf16ps (Intel SDM vol. 2): over sixteen steps the even products and the odd ones in a chain of fused
 * multiply-adds each, then both chains added to each other and to the sum; subnormals count as zeros. */
enum { FEW_ROWS = 3 };

GEMM_UNROLLED void bf16_rows(float *tile, const float *block, const unsigned char *panel, const size_t rows,
                             size_t steps, bool add, attend_ahead ahead)
{
	const __m512i high = _mm512_set1_epi32((int)0xffff0000u);
	__m512 sum[FEW_ROWS][NV];
#pragma GCC unroll 4
	for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[r][v] = add ? v_load(tile + (r * NV + v) * LANES) : v_zero();
	}
	for (size_t s0 = 0; s0 < steps; s0 += STEPS) {
		__m512 even[FEW_ROWS][NV], odd[FEW_ROWS][NV];
#pragma GCC unroll 4
		for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
			for (size_t v = 0; v < NV; v++) even[r][v] = odd[r][v] = v_zero();
		}
		for (size_t s = 0; s < STEPS; s += 4) {
			attend_ask_ahead(&ahead, ahead.lines);
#pragma GCC unroll 4
			for (size_t u = 0; u < 4; u++, panel += STEP_BYTES, block += rows) {
#pragma GCC unroll 2
				for (size_t v = 0; v < NV; v++) {
					const __m512i w = _mm512_loadu_si512(panel + v * 64);
					const __m512 w_even = _mm512_castsi512_ps(_mm512_slli_epi32(w, 16)),
								 w_odd = _mm512_castsi512_ps(_mm512_and_si512(w, high));
#pragma GCC unroll 4
					for (size_t r = 0; r < rows; r++) {
						const __m512i x = word_set(block + r);
						even[r][v] = v_fma(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), w_even, even[r][v]);
						odd[r][v] = v_fma(_mm512_castsi512_ps(_mm512_and_si512(x, high)), w_odd, odd[r][v]);
					}
				}
			}
		}
#pragma GCC unroll 4
		for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
			for (size_t v = 0; v < NV; v++) sum[r][v] = v_add(sum[r][v], v_add(even[r][v], odd[r][v]));
		}
	}
#pragma GCC unroll 4
	for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) v_store(tile + (r * NV + v) * LANES, sum[r][v]);
	}
}

/* Not inlined: nothing of it moves across the switch of the rounding of subnormals. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static void bf16_few_rows(float *tile,
                                                                                         const float *block,
                                                                                         const unsigned char *panel,
                                                                                         size_t rows, size_t steps,
                                                                                         bool add, attend_ahead ahead)
{
	switch (rows) {
	case 1: bf16_rows(tile, block, panel, 1, steps, add, ahead); break;
	case 2: bf16_rows(tile, block, panel, 2, steps, add, ahead); break;
	case 3: bf16_rows(tile, block, panel, 3, steps, add, ahead); break;
	default: break;
	}
}

static void bf16_few(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps, bool add,
                     attend_ahead ahead)
{
	enum { SUBNORMALS_ARE_ZEROS = 0x8040 };
	const unsigned control = _mm_getcsr();
	_mm_setcsr(control | SUBNORMALS_ARE_ZEROS);
	bf16_few_rows(tile, block, panel, rows, steps, add, ahead);
	_mm_setcsr(control);
}

static const attend_kernel bf16_few_kernel = {.mr = FEW_ROWS,
                                              .form = ATTEND_BLOCK_BF16,
                                              .unit = 1,
                                              .multiple = STEPS,
                                              .rate = 300,
                                              .part = 192,
                                              .tile = bf16_few};
static const attend_kernel int8_few_kernel = {.mr = 14,
                                              .form = ATTEND_BLOCK_INT8,
                                              .unit = 1,
                                              .multiple = STEPS,
                                              .rate = 440,
                                              .part = 192,
                                              .tile = attend_int8_tile_avx512vnni};

static void lay_bf16(float *block, const float *x, size_t stride, size_t rows, size_t k)
{
	/* Tiles of one row lie 2 KB apart, which is two sets of the L1 cache: a few at a time, for all rows. */
	enum { INPUTS = 2 * STEPS, PART = 8 * INPUTS };
	const size_t whole = k / INPUTS * INPUTS, left = k - whole;
	const __mmask16 low = (__mmask16)(left >= STEPS ? 0xffff : v_mask(left)),
					high = (__mmask16)(left > STEPS ? v_mask(left - STEPS) : 0);
	for (size_t i0 = 0; i0 < whole; i0 += PART) {
		const size_t i1 = whole - i0 < PART ? whole : i0 + PART;
		for (size_t r = 0; r < rows; r++) {
			const float *row = x + r * stride, *next = r + 1 < rows ? row + stride : row;
			float *to = block + (i0 / INPUTS * rows + r) * STEPS;
			for (size_t i = i0; i < i1; i += INPUTS, to += rows * STEPS) {
				__builtin_prefetch(next + i);
				__builtin_prefetch(next + i + STEPS);
				_mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(v_load(row + i + STEPS), v_load(row + i)));
			}
		}
	}
	for (size_t r = 0; r < rows && left; r++) {
		const float *row = x + r * stride + whole;
		_mm512_storeu_si512(block + (whole / INPUTS * rows + r) * STEPS,
		                    (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, row + STEPS),
		                                                 _mm512_maskz_loadu_ps(low, row)));
	}
}

/* Up to eight rows take vectors as long as sixteen take tiles. */
static const attend_kernel int4_few_kernel = GEMM_AVX512VNNI_INT4;

const struct attend_gemm_table attend_gemm_amx = {
	GEMM_AVX512_COMMON,
	GEMM_AVX512BF16_ROUND,
	.lay_bf16 = lay_bf16,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_AVX512_F32,
			[ATTEND_PACK_BF16] = {.mr = BLOCK_ROWS,
                                  .form = ATTEND_BLOCK_BF16,
                                  .unit = 1,
                                  .multiple = STEPS,
                                  .rate = 1500,
                                  .part = 128,
                                  .tiled = true,
                                  .tile = bf16_tile,
                                  .few = &bf16_few_kernel,
                                  .few_rows = FEW_ROWS,
                                  .enter = tiles_enter,
                                  .leave = tiles_leave},
			[ATTEND_PACK_INT8] = {.mr = BLOCK_ROWS,
                                  .form = ATTEND_BLOCK_INT8,
                                  .unit = 1,
                                  .multiple = STEPS,
                                  .rate = 1500,
                                  .part = 96,
                                  .tiled = true,
                                  .tile = int8_tile,
                                  .few = &int8_few_kernel,
                                  .few_rows = 14,
                                  .enter = tiles_enter,
                                  .leave = tiles_leave},
			[ATTEND_PACK_INT4] = {.mr = 64,
                                  .form = ATTEND_BLOCK_INT4,
                                  .unit = 9,
                                  .rate = 240,
                                  .part = 32,
                                  .tiled = true,
                                  .tile = attend_int4_tile_amx,
                                  .few = &int4_few_kernel,
                                  .few_rows = 8,
                                  .enter = attend_int4_tiles_enter,
                                  .leave = tiles_leave},
		},
};
