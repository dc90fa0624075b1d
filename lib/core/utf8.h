/* utf8.h: strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef ATTEND_CORE_UTF8_H
#define ATTEND_CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decode one code point from the `size` bytes at `text`. Returns its length in bytes (1..4), or 0 when size is 0 or the
 * bytes there are not UTF-8. *code may be NULL. */
static inline size_t attend_utf8_decode(uint32_t *code, const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c;
	size_t length;
	if (size == 0) return 0;
	if (s[0] < 0x80) {
		c = s[0];
		length = 1;
	} else if (s[0] >= 0xc2 && s[0] < 0xe0) {
		if (size < 2 || (s[1] & 0xc0) != 0x80) return 0;
		c = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3fu);
		length = 2;
	} else if (s[0] >= 0xe0 && s[0] < 0xf0) {
		if (size < 3 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80) return 0;
		c = (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3fu);
		if (c < 0x800 || (c >= 0xd800 && c < 0xe000)) return 0;
		length = 3;
	} else if (s[0] >= 0xf0 && s[0] < 0xf5) {
		if (size < 4 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 || (s[3] & 0xc0) != 0x80) return 0;
		c = (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 | (uint32_t)(s[2] & 0x3f) << 6 |
		    (s[3] & 0x3fu);
		if (c < 0x10000 || c > 0x10ffff) return 0;
		length = 4;
	} else {
		return 0;
	}
	if (code) *code = c;
	return length;
}

/* Offset of the first byte that is not UTF-8; `size` when all is well. */
static inline size_t attend_utf8_check(const char *text, size_t size)
{
	size_t i = 0;
	while (i < size) {
		const size_t length = attend_utf8_decode(NULL, text + i, size - i);
		if (length == 0) return i;
		i += length;
	}
	return size;
}

#endif
