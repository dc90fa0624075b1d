/* gemm_avx2.c: f32 products on 256-bit vectors with FMA: panels of 16 columns, blocks of 6 rows (12 sums in 16 registers). */
#include <immintrin.h>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

/* Sliding window over eight ones and eight zeros: a mask of the first `count` lanes. */
static const int32_t mask_table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

#define VECTOR __m256
#define LANES ((size_t)8)
#define NV ((size_t)2)
#define MR 6
#define v_zero() _mm256_setzero_ps()
#define v_set(x) _mm256_set1_ps(x)
#define v_load(p) _mm256_loadu_ps(p)
#define v_store(p, v) _mm256_storeu_ps(p, v)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_mul(a, b) _mm256_mul_ps(a, b)
#define v_add(a, b) _mm256_add_ps(a, b)
#define v_mask(count) _mm256_loadu_si256((const __m256i *)(const void *)(mask_table + 8 - (count)))
#define v_load_part(p, count) _mm256_maskload_ps(p, v_mask(count))
#define v_store_part(p, v, count) _mm256_maskstore_ps(p, v_mask(count), v)

#include "lib/kernels/gemm_f32.h"

const struct attend_gemm_table attend_gemm_avx2 = {
	.mr = MR,
	.nr = 16,
	.kc = 256,
	.f32 = f32_tile,
	.interleave = attend_interleave_avx2,
	.finish = finish,
};
