/* gemm_neondot.c: int8 and int4 products with sdot, four products of s8 added to 32 bits, exactly. */
#include "lib/kernels/gemm_neon.h"

#define SUM             int32x4_t
#define sum_zero()      vdupq_n_s32(0)
#define sum_load(p)     i_load(p)
#define sum_store(p, v) vst1q_s32((int32_t *)(void *)(p), v)

#define INT8_MR 12

GEMM_UNROLLED void int8_step(int32x4_t sum[INT8_MR][NV], const float *block, const unsigned char *panel,
                             const size_t rows)
{
	int8x16_t w[NV];
#pragma GCC unroll 2
	for (size_t v = 0; v < NV; v++) w[v] = vreinterpretq_s8_u8(vld1q_u8(panel + v * 16));
#pragma GCC unroll 12
	for (size_t r = 0; r < rows; r++) {
		const int8x16_t x = word_set(block + r);
#pragma GCC unroll 2
		for (size_t v = 0; v < NV; v++) sum[r][v] = vdotq_s32(sum[r][v], w[v], x);
	}
}

#define TILE            int8
#define TILE_MR         INT8_MR
#define TILE_UNIT       1
#define TILE_STEP_BYTES 32
#include "lib/kernels/gemm_tile.h"

#define INT4_ROWS            6
#define int4_start(s)        vdupq_n_s32(s)
#define int4_step(sum, w, x) vdotq_s32(sum, vreinterpretq_s8_s32(w), word_set(x))
#define int4_end(sum, s)     (sum)

#include "lib/kernels/gemm_int4.h"

const struct attend_gemm_table attend_gemm_neondot = {
	GEMM_NEON_COMMON,
	.kernel =
		{
			[ATTEND_PACK_F32] = GEMM_NEON_F32,
			[ATTEND_PACK_BF16] = GEMM_NEON_BF16,
			[ATTEND_PACK_INT8] =
				{.mr = INT8_MR, .form = ATTEND_BLOCK_INT8_S, .unit = 1, .rate = 120, .part = 512, .tile = int8_tile},
			[ATTEND_PACK_INT4] =
				{.mr = 64, .form = ATTEND_BLOCK_INT4, .unit = 9, .rate = 40, .part = 128, .tile = int4_tile},
		},
};
