/* transpose_avx512.h: 16 x 16 words in registers, and on their way to a block. */
#ifndef ATTEND_KERNELS_TRANSPOSE_AVX512_H
#define ATTEND_KERNELS_TRANSPOSE_AVX512_H

#include <immintrin.h>
#include <stddef.h>

/* Transpose of 16 rows of 16 floats: pairs of floats, of doubles, then of 128-bit lanes. */
static inline void transpose16(__m512 r[16])
{
	__m512 t[16];
#pragma GCC unroll 8
	for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 16; i += 4) {
		r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
		r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
		r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
		r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
	}
	/* r[4q+c]: columns c, c+4, c+8, c+12 of rows 4q .. 4q+3 in its four lanes */
#pragma GCC unroll 4
	for (int c = 0; c < 4; c++) {
		const __m512 a = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88),
					 b = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
		const __m512 d = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xdd),
					 e = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xdd);
		t[c] = _mm512_shuffle_f32x4(a, b, 0x88);
		t[c + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
		t[c + 4] = _mm512_shuffle_f32x4(d, e, 0x88);
		t[c + 12] = _mm512_shuffle_f32x4(d, e, 0xdd);
	}
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++) r[i] = t[i];
}

/* step[s] lane r to block[s*rows + r], rows <= 16. A store runs into the place of the next step, which is written after it; only
 * where none follows are the lanes behind the rows left alone: others may be writing there. */
static inline void store_steps16(float *block, const __m512 step[16], size_t rows, size_t steps)
{
	const __mmask16 lanes = (__mmask16)((1u << rows) - 1u);
#pragma GCC unroll 16
	for (size_t s = 0; s < 16; s++) {
		if (s * rows + 16 <= steps * rows) _mm512_storeu_ps(block + s * rows, step[s]);
		else if (s < steps) _mm512_mask_storeu_ps(block + s * rows, lanes, step[s]);
	}
}

#endif
