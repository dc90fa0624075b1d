/* pack_avx512.c: rows into columns, 16 x 16 floats at a time in registers. */
#include <immintrin.h>

#include "lib/kernels/pack.h"
#include "lib/kernels/pack_int4.h"
#include "lib/kernels/transpose_avx512.h"

__attribute__((always_inline)) static inline void interleave(float *dst, const float *src, size_t stride,
                                                             size_t columns, size_t width, size_t k, size_t ahead,
                                                             bool asks)
{
	for (size_t j0 = 0; j0 < width; j0 += 16) {
		const size_t wide = width - j0 < 16 ? width - j0 : 16;
		const size_t rows = j0 >= columns ? 0 : columns - j0 < 16 ? columns - j0 : 16;
		const __mmask16 store = (__mmask16)((1u << wide) - 1u);
		for (size_t i0 = 0; i0 < k; i0 += 16) {
			const size_t steps = k - i0 < 16 ? k - i0 : 16;
			const __mmask16 load = (__mmask16)((1u << steps) - 1u);
			__m512 r[16];
#pragma GCC unroll 16
			for (size_t j = 0; j < 16; j++) {
				const float *from = j < rows ? src + (j0 + j) * stride + i0 : src;
				r[j] = _mm512_maskz_loadu_ps(j < rows ? load : 0, from);
				if (asks) __builtin_prefetch(from + ahead, 0, 2);
			}
			transpose16(r);
			float *out = dst + i0 * width + j0;
#pragma GCC unroll 16
			for (size_t i = 0; i < 16; i++) {
				if (i < steps) _mm512_mask_storeu_ps(out + i * width, store, r[i]);
			}
		}
	}
}

void attend_interleave_avx512(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
                              size_t ahead)
{
	if (ahead) interleave(dst, src, stride, columns, width, k, ahead, true);
	else interleave(dst, src, stride, columns, width, k, 0, false);
}

/* `count` blocks of `width` columns, none short. */
static void gather_whole(float *dst, const float *src, size_t stride, size_t count, size_t width, size_t k)
{
	enum { AHEAD = 8 }; /* rows lie far apart: no hardware prefetcher sees them coming */
	const __mmask16 low = (__mmask16)(width >= 16 ? 0xffffu : (1u << width) - 1u);
	const __mmask16 high = (__mmask16)(width > 16 ? (1u << (width - 16)) - 1u : 0u);
	for (size_t i = 0; i < k; i++, src += stride, dst += width) {
		if (i + AHEAD < k) {
			for (size_t j = 0; j < count * width; j += 16) __builtin_prefetch(src + AHEAD * stride + j);
		}
		for (size_t b = 0; b < count; b++) {
			const float *from = src + b * width;
			float *to = dst + b * k * width;
			_mm512_mask_storeu_ps(to, low, _mm512_maskz_loadu_ps(low, from));
			if (high) _mm512_mask_storeu_ps(to + 16, high, _mm512_maskz_loadu_ps(high, from + 16));
		}
	}
}

void attend_gather_avx512(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k)
{
	const size_t whole = columns / width, rest = columns % width;
	gather_whole(dst, src, stride, whole, width, k);
	dst += whole * k * width;
	src += whole * width;
	for (size_t i = 0; i < k && rest; i++, src += stride, dst += width) {
		for (size_t j = 0; j < width; j += 16) {
			const size_t have = rest > j ? rest - j : 0, wide = width - j;
			const __mmask16 load = (__mmask16)(have >= 16 ? 0xffffu : (1u << have) - 1u);
			const __mmask16 store = (__mmask16)(wide >= 16 ? 0xffffu : (1u << wide) - 1u);
			_mm512_mask_storeu_ps(dst + j, store, _mm512_maskz_loadu_ps(load, src + j));
		}
	}
}

void attend_pack_int4_avx512(unsigned char *step, size_t nr, size_t column, const float *w)
{
	pack_int4(step, nr, column, w);
}
