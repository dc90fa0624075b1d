/* probe_avx512vnni.c: vpdpbusd on 512 bits. */
#include <immintrin.h>

#include "lib/kernels/probe.h"

PROBE_LOOP(attend_probe_int8_avx512vnni, __m512i, _mm512_setzero_si512(), __m512i, _mm512_setzero_si512(),
           _mm512_dpbusd_epi32, 64)
