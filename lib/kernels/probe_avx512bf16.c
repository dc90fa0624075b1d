/* probe_avx512bf16.c: vdpbf16ps on 512 bits. */
#include <immintrin.h>

#include "lib/kernels/probe.h"

static inline __m512 step(__m512 sum, __m512i x, __m512i y)
{
	return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)y);
}

PROBE_LOOP(attend_probe_bf16_avx512bf16, __m512, _mm512_setzero_ps(), __m512i, _mm512_setzero_si512(), step, 32)
