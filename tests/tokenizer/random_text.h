/* random_text.h: Unicode text drawn from a seed, rich in what tokenizers trip over. */
#ifndef ATTEND_TESTS_RANDOM_TEXT_H
#define ATTEND_TESTS_RANDOM_TEXT_H

#include "lib/core/rng.h"
#include "tokenizer/unicode.h"

/* A code point out of ranges that matter, now and then out of all. */
static inline uint32_t random_code_point(attend_rng *rng)
{
	static const uint32_t ranges[][2] = {{0x20, 0x7e},     {0x61, 0x7a},      {0x41, 0x5a},     {0x30, 0x39},
	                                     {0x09, 0x0d},     {0x20, 0x20},      {0x27, 0x27},     {0x0a, 0x0d},
	                                     {0x80, 0x24f},    {0x300, 0x36f},    {0x370, 0x3ff},   {0x400, 0x4ff},
	                                     {0x590, 0x6ff},   {0x900, 0x97f},    {0x1100, 0x11ff}, {0x1e00, 0x1fff},
	                                     {0x2000, 0x206f}, {0x2150, 0x218f},  {0x2460, 0x24ff}, {0x3000, 0x30ff},
	                                     {0x4e00, 0x4eff}, {0xac00, 0xac7f},  {0xf900, 0xfaff}, {0xff00, 0xff9f},
	                                     {0x17f, 0x17f},   {0x1f1e6, 0x1f64f}};
	const size_t count = sizeof ranges / sizeof ranges[0];
	const uint64_t pick = attend_rng_below(rng, count + 1);
	if (pick < count) return ranges[pick][0] + (uint32_t)attend_rng_below(rng, ranges[pick][1] - ranges[pick][0] + 1);
	const uint32_t c = (uint32_t)attend_rng_below(rng, 0x110000 - 0x800);
	return c < 0xd800 ? c : c + 0x800;
}

/* `count` code points into text[4 * count]; returns the bytes. Some are repeated, so that runs occur. */
static inline size_t random_text(attend_rng *rng, char *text, size_t count)
{
	size_t size = 0;
	uint32_t c = ' ';
	for (size_t i = 0; i < count; i++) {
		if (attend_rng_below(rng, 3) > 0) c = random_code_point(rng);
		size += attend_utf8_encode(text + size, c);
	}
	return size;
}

#endif
