/* byte_run.h: how many of the next 16 bytes are of one kind: by SSE2 where there is one, else byte by byte. */
#ifndef ATTEND_TOKENIZER_BYTE_RUN_H
#define ATTEND_TOKENIZER_BYTE_RUN_H

#include <stddef.h>

#if defined(__SSE2__)
#include <emmintrin.h>

/* Leading bytes (with or_bit set) that lie in [low, high]; both are ASCII, so that signed comparison will do. */
static inline size_t attend_bytes16_in(const char *text, unsigned char or_bit, char low, char high)
{
	const __m128i bytes =
		_mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)text), _mm_set1_epi8((char)or_bit));
	const __m128i in = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)(low - 1))),
	                                 _mm_cmplt_epi8(bytes, _mm_set1_epi8((char)(high + 1))));
	return (size_t)__builtin_ctz(~(unsigned)_mm_movemask_epi8(in));
}

static inline size_t attend_alnums16(const char *text)
{
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
	const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
	const __m128i letters =
		_mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)), _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
	const __m128i digits =
		_mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)), _mm_cmplt_epi8(bytes, _mm_set1_epi8('9' + 1)));
	return (size_t)__builtin_ctz(~(unsigned)_mm_movemask_epi8(_mm_or_si128(letters, digits)));
}
#else
static inline size_t attend_bytes16_in(const char *text, unsigned char or_bit, char low, char high)
{
	size_t n = 0;
	while (n < 16 && (text[n] | (char)or_bit) >= low && (text[n] | (char)or_bit) <= high && (signed char)text[n] >= 0)
		n++;
	return n;
}

static inline size_t attend_alnums16(const char *text)
{
	size_t n = 0;
	while (n < 16 && ((text[n] >= '0' && text[n] <= '9') || ((text[n] | 0x20) >= 'a' && (text[n] | 0x20) <= 'z'))) n++;
	return n;
}
#endif

static inline size_t attend_letters16(const char *text)
{
	return attend_bytes16_in(text, 0x20, 'a', 'z');
}

/* Printable ASCII but the blank. */
static inline size_t attend_graphs16(const char *text)
{
	return attend_bytes16_in(text, 0, 0x21, 0x7e);
}

#endif
