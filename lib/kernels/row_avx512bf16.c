/* row_avx512bf16.c: attention's products of bf16 pairs with vdpbf16ps. */
#if defined(__x86_64__)
#include "lib/kernels/math_avx512.h"

#define PRODUCT_COLUMNS                  4
#define PRODUCT_ADD(factor, column, sum) _mm512_dpbf16_ps(sum, words_of(factor), words_of(column))

static inline __m512bh words_of(vf x)
{
	return (__m512bh)_mm512_castps_si512(x);
}

static inline vf pairs_of(vf first, vf second)
{
	return _mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(second, first));
}

#include "lib/kernels/gemm_table.h"
#include "lib/kernels/product_vector.h"

#define ROUND_PAIRS(first, second) pairs_of(first, second)
#include "lib/kernels/attention_vector.h"

static void round_pairs(float *words, const float *x, size_t ldx, float factor, size_t rows, size_t count)
{
	const size_t each = (count + 1) / 2;
	for (size_t r = 0; r < rows; r++, x += ldx, words += each) {
		size_t i = 0;
		for (; i + 2 * LANES <= count; i += 2 * LANES)
			vf_store(words + i / 2,
			         pairs_of(vf_mul(vf_set(factor), vf_load(x + i)), vf_mul(vf_set(factor), vf_load(x + i + LANES))));
		if (i == count) continue;
		const size_t rest = count - i, first = rest < LANES ? rest : LANES;
		const vf low = vf_mul(vf_set(factor), vf_load_where(vm_first(first), x + i));
		const vf high = vf_mul(vf_set(factor), vf_load_where(vm_first(rest - first), x + i + first));
		vf_store_where(vm_first((rest + 1) / 2), words + i / 2, pairs_of(low, high));
	}
}

void attend_row_avx512bf16(struct attend_row_table *table)
{
	attention_table(table);
	table->product_pairs = product;
	table->round_pairs = round_pairs;
	table->weave_pairs = attend_gemm_avx512bf16.pair_bf16;
}
#endif
