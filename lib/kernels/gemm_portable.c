/* gemm_portable.c: the slow twin of every product kernel, in plain C. A multiplication and an addition per step, each rounded
 * (-ffp-contract=off), k rising: the defined order of this level. */
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"
#include "lib/kernels/gemm_table.h"

enum { MR = 4, NR = 16 };

static void f32_tile(float *tile, const float *block, const float *panel, size_t rows, size_t k, bool add,
                     attend_ahead ahead)
{
	(void)ahead;
	for (size_t r = 0; r < rows; r++) {
		float sum[NR];
		for (size_t j = 0; j < NR; j++)
			sum[j] = add ? tile[r * NR + j] : 0.0f;
		for (size_t i = 0; i < k; i++) {
			const float x = block[i * rows + r];
			for (size_t j = 0; j < NR; j++)
				sum[j] += x * panel[i * NR + j];
		}
		for (size_t j = 0; j < NR; j++)
			tile[r * NR + j] = sum[j];
	}
}

static void finish(const attend_tile_out *out)
{
	for (size_t r = 0; r < out->rows; r++) {
		for (size_t j = 0; j < out->columns; j++) {
			float v = out->tile[r * NR + j] * out->scale;
			if (out->bias) v += out->bias[j];
			if (out->multiply) v *= out->multiply[r * out->ld_multiply + j];
			if (out->residual) v += out->residual[r * out->ld_residual + j];
			out->y[r * out->ldy + j] = v;
		}
	}
}

const struct attend_gemm_table attend_gemm_portable = {
	.mr = MR,
	.nr = NR,
	.kc = 256,
	.f32 = f32_tile,
	.interleave = attend_interleave_portable,
	.finish = finish,
};
