/* gemm_avx512.c: f32 products on 512-bit vectors: panels of 32 columns, blocks of 14 rows (28 sums, 2 weights, 2 inputs in
 * 32 registers). */
#include <immintrin.h>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

#define VECTOR __m512
#define LANES ((size_t)16)
#define NV ((size_t)2)
#define MR 14
#define v_zero() _mm512_setzero_ps()
#define v_set(x) _mm512_set1_ps(x)
#define v_load(p) _mm512_loadu_ps(p)
#define v_store(p, v) _mm512_storeu_ps(p, v)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_mul(a, b) _mm512_mul_ps(a, b)
#define v_add(a, b) _mm512_add_ps(a, b)
#define v_mask(count) ((__mmask16)((1u << (count)) - 1u))
#define v_load_part(p, count) _mm512_maskz_loadu_ps(v_mask(count), p)
#define v_store_part(p, v, count) _mm512_mask_storeu_ps(p, v_mask(count), v)

#include "lib/kernels/gemm_f32.h"

const struct attend_gemm_table attend_gemm_avx512 = {
	.mr = MR,
	.nr = 32,
	.kc = 192,
	.f32 = f32_tile,
	.interleave = attend_interleave_avx512,
	.finish = finish,
};
