/* gemm_portable.c: the slow twin of every product kernel, in plain C. f32 and bf16 take a multiplication and an addition per
 * step, each rounded (-ffp-contract=off), k rising: the defined order of this level. */
#include <math.h>
#include <string.h>

#include "lib/core/half.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

enum { MR = 4, NR = 16 };

static void f32_tile(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps, bool add,
                     attend_ahead ahead)
{
	(void)ahead;
	for (size_t r = 0; r < rows; r++) {
		float sum[NR];
		for (size_t j = 0; j < NR; j++) sum[j] = add ? tile[r * NR + j] : 0.0f;
		for (size_t s = 0; s < steps; s++) {
			const float x = block[s * rows + r];
			float w[NR]; /* a copy, which compilers make a vector */
			memcpy(w, panel + s * sizeof w, sizeof w);
			for (size_t j = 0; j < NR; j++) sum[j] += x * w[j];
		}
		memcpy(tile + r * NR, sum, sizeof sum);
	}
}

static void bf16_tile(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps, bool add,
                      attend_ahead ahead)
{
	(void)ahead;
	for (size_t r = 0; r < rows; r++) {
		float sum[NR];
		for (size_t j = 0; j < NR; j++) sum[j] = add ? tile[r * NR + j] : 0.0f;
		for (size_t s = 0; s < steps; s++) {
			const float x0 = block[s * 2 * rows + r], x1 = block[(s * 2 + 1) * rows + r];
			uint32_t pair[NR];
			memcpy(pair, panel + s * sizeof pair, sizeof pair);
			for (size_t j = 0; j < NR; j++) {
				sum[j] += x0 * attend_bits_f32(pair[j] << 16);
				sum[j] += x1 * attend_bits_f32(pair[j] & 0xffff0000u);
			}
		}
		memcpy(tile + r * NR, sum, sizeof sum);
	}
}

static void int8_tile(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps, bool add,
                      attend_ahead ahead)
{
	(void)ahead;
	for (size_t r = 0; r < rows; r++) {
		int32_t sum[NR] = {0};
		if (add) memcpy(sum, tile + r * NR, sizeof sum);
		for (size_t s = 0; s < steps; s++) {
			uint8_t x[4];
			memcpy(x, block + s * rows + r, sizeof x);
			for (size_t i = 0; i < 4; i++) {
				int16_t w[NR]; /* sixteen bits: compilers have vectors for their products */
				const int16_t factor = x[i];
				for (size_t j = 0; j < NR; j++) w[j] = ((const int8_t *)panel)[(s * NR + j) * 4 + i];
				for (size_t j = 0; j < NR; j++) sum[j] += w[j] * factor;
			}
		}
		memcpy(tile + r * NR, sum, sizeof sum);
	}
}

static void int4_tile(float *tile, const float *block, const unsigned char *panel, size_t rows, size_t steps, bool add,
                      attend_ahead ahead)
{
	enum { WORDS = 1 + ATTEND_INT4_GROUP / 4, NIBBLES = NR * ATTEND_INT4_GROUP / 2, STEP_BYTES = NIBBLES + NR * 2 };
	(void)ahead;
	if (!add) memset(tile, 0, rows * NR * sizeof *tile);
	for (size_t s = 0; s < steps; s++) {
		const unsigned char *step = panel + s * STEP_BYTES;
		uint16_t scale[NR];
		int16_t w[ATTEND_INT4_GROUP][NR];
		memcpy(scale, step + NIBBLES, sizeof scale);
		for (size_t i = 0; i < ATTEND_INT4_GROUP; i++) {
			for (size_t j = 0; j < NR; j++) w[i][j] = step[(i / 8 * NR + j) * 4 + i % 4] >> (i % 8 < 4 ? 0 : 4) & 15;
		}
		for (size_t r = 0; r < rows; r++) {
			int32_t start;
			int8_t x[ATTEND_INT4_GROUP];
			int16_t sum[2][NR] = {{0}}; /* of 16 products of at most 15*127 */
			memcpy(&start, block + (s * rows + r) * WORDS, sizeof start);
			memcpy(x, block + (s * rows + r) * WORDS + 1, sizeof x);
			for (size_t i = 0; i < ATTEND_INT4_GROUP; i++) {
				for (size_t j = 0; j < NR; j++) sum[i / 16][j] = (int16_t)(sum[i / 16][j] + w[i][j] * x[i]);
			}
			for (size_t j = 0; j < NR; j++)
				tile[r * NR + j] += (float)(start + sum[0][j] + sum[1][j]) * attend_bf16_f32(scale[j]);
		}
	}
}

static bool range(const float *x, size_t k, float *least, float *greatest)
{
	float low = 0.0f, high = 0.0f, broken = 0.0f;
	for (size_t i = 0; i < k; i++) {
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
		broken += x[i] * 0.0f; /* stays 0, or becomes NaN */
	}
	*least = low;
	*greatest = high;
	return broken == 0.0f;
}

static void quantize(uint8_t *q, const float *x, size_t k, float inverse, int32_t offset, int32_t low, int32_t high)
{
	for (size_t i = 0; i < k; i++) {
		const float v = rintf(x[i] * inverse) + (float)offset;
		q[i] = (uint8_t)(v >= (float)low ? (v < (float)high ? (int32_t)v : high) : low);
	}
}

static void round_bf16(uint16_t *y, const float *x, size_t k)
{
	for (size_t i = 0; i < k; i++) y[i] = attend_f32_bf16(x[i]);
}

static float value(const attend_tile_out *out, size_t r, size_t j)
{
	const float *at = &out->tile[r * NR + j];
	int32_t sum;
	if (!out->x_scale) return *at;
	if (!out->w_scale) return *at * out->x_scale[r];
	memcpy(&sum, at, sizeof sum);
	return (float)(sum - out->zero[r] * out->column_sum[j]) * (out->x_scale[r] * out->w_scale[j]);
}

static void finish(const attend_tile_out *out)
{
	for (size_t r = 0; r < out->rows; r++) {
		for (size_t j = 0; j < out->columns; j++) {
			float v = value(out, r, j) * out->scale;
			if (out->bias) v += out->bias[j];
			if (out->multiply) v *= out->multiply[r * out->ld_multiply + j];
			if (out->residual) v += out->residual[r * out->ld_residual + j];
			out->y[r * out->ldy + j] = v;
		}
	}
}

const struct attend_gemm_table attend_gemm_portable = {
	.nr = NR,
	.kernel =
		{
			[ATTEND_PACK_F32] =
				{.mr = MR, .form = ATTEND_BLOCK_F32, .unit = 1, .rate = 40, .part = 256, .tile = f32_tile},
			[ATTEND_PACK_BF16] =
				{.mr = MR, .form = ATTEND_BLOCK_F32, .unit = 2, .rate = 20, .part = 256, .tile = bf16_tile},
			[ATTEND_PACK_INT8] =
				{.mr = MR, .form = ATTEND_BLOCK_INT8, .unit = 1, .rate = 4, .part = 256, .tile = int8_tile},
			[ATTEND_PACK_INT4] =
				{.mr = MR, .form = ATTEND_BLOCK_INT4, .unit = 9, .rate = 4, .part = 32, .tile = int4_tile},
		},
	.interleave = attend_interleave_portable,
	.gather = attend_gather_portable,
	.pack_int4 = attend_pack_int4_portable,
	.range = range,
	.quantize = quantize,
	.round_bf16 = round_bf16,
	.finish = finish,
};
