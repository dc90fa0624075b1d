/* probe_avx512.c: vfmadd231ps; vpmaddubsw, vpmaddwd and vpaddd, on 512 bits. */
#include <immintrin.h>

#include "lib/kernels/probe.h"

static inline __m512 step_f32(__m512 sum, __m512 x, __m512 y)
{
	return _mm512_fmadd_ps(x, y, sum);
}

static inline __m512i step_int8(__m512i sum, __m512i x, __m512i y)
{
	__m512i pairs = _mm512_maddubs_epi16(x, y);
	PROBE_HOLD(pairs);
	return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, x));
}

PROBE_LOOP(attend_probe_f32_avx512, __m512, _mm512_setzero_ps(), __m512, _mm512_setzero_ps(), step_f32, 16)
PROBE_LOOP(attend_probe_int8_avx512, __m512i, _mm512_setzero_si512(), __m512i, _mm512_setzero_si512(), step_int8, 64)
