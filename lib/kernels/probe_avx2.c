/* probe_avx2.c: vfmadd231ps; vpmaddubsw, vpmaddwd and vpaddd. */
#include <immintrin.h>

#include "lib/kernels/probe.h"

static inline __m256 step_f32(__m256 sum, __m256 x, __m256 y)
{
	return _mm256_fmadd_ps(x, y, sum);
}

static inline __m256i step_int8(__m256i sum, __m256i x, __m256i y)
{
	__m256i pairs = _mm256_maddubs_epi16(x, y);
	PROBE_HOLD(pairs);
	return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, x));
}

PROBE_LOOP(attend_probe_f32_avx2, __m256, _mm256_setzero_ps(), __m256, _mm256_setzero_ps(), step_f32, 8)
PROBE_LOOP(attend_probe_int8_avx2, __m256i, _mm256_setzero_si256(), __m256i, _mm256_setzero_si256(), step_int8, 32)
