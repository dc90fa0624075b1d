/* row_avx512bf16.c: attention's products of bf16 pairs with vdpbf16ps. */
#if defined(__x86_64__)
#include <string.h>

#include "lib/kernels/math_avx512.h"

#define PRODUCT_COLUMNS                  4
#define PRODUCT_ADD(factor, column, sum) _mm512_dpbf16_ps(sum, words_of(factor), words_of(column))

static inline __m512bh words_of(vf x)
{
	return (__m512bh)_mm512_castps_si512(x);
}

#include "lib/kernels/gemm_table.h"
#include "lib/kernels/product_vector.h"

static void round_pairs(float *words, const float *x, size_t count)
{
	attend_gemm_avx512bf16.round_bf16((uint16_t *)(void *)words, x, count);
	if (count % 2) memset((unsigned char *)words + 2 * count, 0, 2);
}

void attend_row_avx512bf16(struct attend_row_table *table)
{
	table->product_pairs = product;
	table->round_pairs = round_pairs;
	table->weave_pairs = attend_gemm_avx512bf16.pair_bf16;
}
#endif
