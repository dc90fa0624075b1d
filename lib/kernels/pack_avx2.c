/* pack_avx2.c: rows into columns, 8 x 8 floats at a time in registers. */
#include "lib/kernels/gemm_avx2.h"
#include "lib/kernels/pack_int4.h"

static inline void transpose8(__m256 r[8])
{
	__m256 t[8];
#pragma GCC unroll 4
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 8; i += 4) {
		r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
		r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
#pragma GCC unroll 4
	for (int c = 0; c < 4; c++) {
		t[c] = _mm256_permute2f128_ps(r[c], r[4 + c], 0x20);
		t[c + 4] = _mm256_permute2f128_ps(r[c], r[4 + c], 0x31);
	}
#pragma GCC unroll 8
	for (int i = 0; i < 8; i++) r[i] = t[i];
}

void attend_interleave_avx2(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
                            size_t ahead)
{
	for (size_t j0 = 0; j0 < width; j0 += 8) {
		const size_t wide = width - j0 < 8 ? width - j0 : 8;
		const size_t rows = j0 >= columns ? 0 : columns - j0 < 8 ? columns - j0 : 8;
		const __m256i store = first_lanes(wide);
		for (size_t i0 = 0; i0 < k; i0 += 8) {
			const size_t steps = k - i0 < 8 ? k - i0 : 8;
			const __m256i load = first_lanes(steps);
			__m256 r[8];
#pragma GCC unroll 8
			for (size_t j = 0; j < 8; j++) {
				const float *from = j < rows ? src + (j0 + j) * stride + i0 : src;
				r[j] = j < rows ? _mm256_maskload_ps(from, load) : _mm256_setzero_ps();
				if (ahead && i0 % 16 == 0) __builtin_prefetch(from + ahead, 0, 2);
			}
			transpose8(r);
			float *out = dst + i0 * width + j0;
#pragma GCC unroll 8
			for (size_t i = 0; i < 8; i++) {
				if (i < steps) _mm256_maskstore_ps(out + i * width, store, r[i]);
			}
		}
	}
}

void attend_gather_avx2(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k)
{
	enum { AHEAD = 8 }; /* rows lie far apart: no hardware prefetcher sees them coming */
	for (size_t i = 0; i < k; i++, src += stride, dst += width) {
		if (i + AHEAD < k) {
			for (size_t j = 0; j < columns; j += 16) __builtin_prefetch(src + AHEAD * stride + j);
		}
		for (size_t b = 0; b < columns; b += width) {
			const size_t have = columns - b < width ? columns - b : width;
			float *to = dst + b * k;
			for (size_t j = 0; j < width; j += 8) {
				const size_t wide = width - j, full = have > j ? have - j : 0;
				const __m256 v = _mm256_maskload_ps(src + b + j, first_lanes(full < 8 ? full : 8));
				_mm256_maskstore_ps(to + j, first_lanes(wide < 8 ? wide : 8), v);
			}
		}
	}
}

void attend_pack_int4_avx2(unsigned char *step, size_t nr, size_t column, const float *w)
{
	pack_int4(step, nr, column, w);
}
