/* probe_avxvnni.c: vpdpbusd on 256 bits. */
#include <immintrin.h>

#include "lib/kernels/probe.h"

PROBE_LOOP(attend_probe_int8_avxvnni, __m256i, _mm256_setzero_si256(), __m256i, _mm256_setzero_si256(),
           _mm256_dpbusd_avx_epi32, 32)
