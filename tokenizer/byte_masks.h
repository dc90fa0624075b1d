/* byte_masks.h: of which kind each of 64 bytes is, one bit a byte: by SSE2 or NEON where there is one, else byte by byte. */
#ifndef ATTEND_TOKENIZER_BYTE_MASKS_H
#define ATTEND_TOKENIZER_BYTE_MASKS_H

#include <stdint.h>

/* ASCII kinds; `high`: not ASCII. What is in none of letters, digits, white and high is something else. */
typedef struct attend_byte_masks {
	uint64_t letters, digits, white, blanks, quotes, high;
} attend_byte_masks;

#if defined(__SSE2__)
#include <emmintrin.h>

static inline uint64_t attend_bits16(__m128i in, int part)
{
	return (uint64_t)(uint16_t)_mm_movemask_epi8(in) << 16 * part;
}

/* Bytes in [low, high], both ASCII: signed comparison will do. */
static inline __m128i attend_in16(__m128i bytes, char low, char high)
{
	return _mm_andnot_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(high)),
	                        _mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)(low - 1))));
}

static inline attend_byte_masks attend_byte_masks64(const char *text)
{
	attend_byte_masks m = {0, 0, 0, 0, 0, 0};
	for (int i = 0; i < 4; i++) {
		const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + 16 * i));
		const __m128i blank = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '));
		m.letters |= attend_bits16(attend_in16(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z'), i);
		m.digits |= attend_bits16(attend_in16(bytes, '0', '9'), i);
		m.white |= attend_bits16(_mm_or_si128(attend_in16(bytes, '\t', '\r'), blank), i);
		m.blanks |= attend_bits16(blank, i);
		m.quotes |= attend_bits16(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\'')), i);
		m.high |= attend_bits16(bytes, i);
	}
	return m;
}

/* Bytes in [low, high], both ASCII. */
static inline uint64_t attend_bytes64_in(const char *text, char low, char high)
{
	uint64_t bits = 0;
	for (int i = 0; i < 4; i++)
		bits |=
			attend_bits16(attend_in16(_mm_loadu_si128((const __m128i *)(const void *)(text + 16 * i)), low, high), i);
	return bits;
}
#elif defined(__aarch64__)
#include <arm_neon.h>

/* The top bits of 64 bytes that are 0 or 255. */
static inline uint64_t attend_bits64(const uint8x16_t in[4])
{
	const uint8x16_t weights = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
	const uint8x16_t low = vpaddq_u8(vandq_u8(in[0], weights), vandq_u8(in[1], weights));
	const uint8x16_t high = vpaddq_u8(vandq_u8(in[2], weights), vandq_u8(in[3], weights));
	const uint8x16_t both = vpaddq_u8(low, high);
	return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(both, both)), 0);
}

static inline uint8x16_t attend_in16(uint8x16_t bytes, uint8_t low, uint8_t high)
{
	return vcleq_u8(vsubq_u8(bytes, vdupq_n_u8(low)), vdupq_n_u8((uint8_t)(high - low)));
}

static inline attend_byte_masks attend_byte_masks64(const char *text)
{
	uint8x16_t letters[4], digits[4], white[4], blanks[4], quotes[4], high[4];
	for (int i = 0; i < 4; i++) {
		const uint8x16_t bytes = vld1q_u8((const uint8_t *)text + 16 * i);
		letters[i] = attend_in16(vorrq_u8(bytes, vdupq_n_u8(0x20)), 'a', 'z');
		digits[i] = attend_in16(bytes, '0', '9');
		blanks[i] = vceqq_u8(bytes, vdupq_n_u8(' '));
		white[i] = vorrq_u8(attend_in16(bytes, '\t', '\r'), blanks[i]);
		quotes[i] = vceqq_u8(bytes, vdupq_n_u8('\''));
		high[i] = vcgeq_u8(bytes, vdupq_n_u8(0x80));
	}
	return (attend_byte_masks){attend_bits64(letters), attend_bits64(digits), attend_bits64(white),
	                           attend_bits64(blanks),  attend_bits64(quotes), attend_bits64(high)};
}

static inline uint64_t attend_bytes64_in(const char *text, char low, char high)
{
	uint8x16_t in[4];
	for (int i = 0; i < 4; i++)
		in[i] = attend_in16(vld1q_u8((const uint8_t *)text + 16 * i), (uint8_t)low, (uint8_t)high);
	return attend_bits64(in);
}
#else
static inline attend_byte_masks attend_byte_masks64(const char *text)
{
	attend_byte_masks m = {0, 0, 0, 0, 0, 0};
	for (int i = 0; i < 64; i++) {
		const unsigned char c = (unsigned char)text[i], lower = c | 0x20;
		m.letters |= (uint64_t)(lower >= 'a' && lower <= 'z') << i;
		m.digits |= (uint64_t)(c >= '0' && c <= '9') << i;
		m.white |= (uint64_t)(c == ' ' || (c >= '\t' && c <= '\r')) << i;
		m.blanks |= (uint64_t)(c == ' ') << i;
		m.quotes |= (uint64_t)(c == '\'') << i;
		m.high |= (uint64_t)(c >= 0x80) << i;
	}
	return m;
}

static inline uint64_t attend_bytes64_in(const char *text, char low, char high)
{
	uint64_t bits = 0;
	for (int i = 0; i < 64; i++)
		bits |= (uint64_t)(text[i] >= low && text[i] <= high && (signed char)text[i] >= 0) << i;
	return bits;
}
#endif

#endif
