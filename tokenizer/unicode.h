/* unicode.h: UTF-8 and the character classes that the reference's stages use, each with its own Unicode version (see
 * unicode_tables.c). utf8proc is seen by unicode.c alone. */
#ifndef ATTEND_TOKENIZER_UNICODE_H
#define ATTEND_TOKENIZER_UNICODE_H

#include "lib/core/status.h"

/* Size of the sequence that starts with `lead` in valid UTF-8 (1 for a continuation byte, which cannot start one). */
static inline size_t attend_utf8_size(unsigned char lead)
{
	if (lead < 0xc0) return 1;
	if (lead < 0xe0) return 2;
	return lead < 0xf0 ? 3 : 4;
}

static inline bool attend_utf8_is_start(char byte)
{
	return ((unsigned char)byte & 0xc0u) != 0x80u;
}

/* Code point at `text` in valid UTF-8; *size gets its bytes. */
static inline uint32_t attend_utf8_decode(const char *text, size_t *size)
{
	const unsigned char *t = (const unsigned char *)text;
	if (t[0] < 0x80) {
		*size = 1;
		return t[0];
	}
	if (t[0] < 0xe0) {
		*size = 2;
		return ((t[0] & 0x1fu) << 6) | (t[1] & 0x3fu);
	}
	if (t[0] < 0xf0) {
		*size = 3;
		return ((t[0] & 0x0fu) << 12) | ((t[1] & 0x3fu) << 6) | (t[2] & 0x3fu);
	}
	*size = 4;
	return ((t[0] & 0x07u) << 18) | ((t[1] & 0x3fu) << 12) | ((t[2] & 0x3fu) << 6) | (t[3] & 0x3fu);
}

/* Write a scalar value as 1 to 4 bytes; returns how many. */
static inline size_t attend_utf8_encode(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | (c >> 6));
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | (c >> 12));
		out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | (c >> 18));
	out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
	out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Bytes of the longest prefix that is valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF); == size: all valid. */
size_t attend_utf8_valid_prefix(const char *text, size_t size);
/* Bytes of the longest prefix that is ASCII. */
size_t attend_ascii_prefix(const char *text, size_t size);
/* Code points in valid UTF-8. */
size_t attend_utf8_count(const char *text, size_t size);
/* Bytes of the maximal subpart of an ill-formed sequence at text[0] (>= 1): what one U+FFFD stands for (Unicode, 3.9). */
size_t attend_utf8_bad_size(const char *text, size_t size);
/* Append `text` with each ill-formed maximal subpart replaced by U+FFFD, as Rust's from_utf8_lossy. */
struct attend_buffer;
void attend_utf8_append_lossy(struct attend_buffer *out, const char *text, size_t size);

/* ---- classes (huggingface.md section 3.0) ---- */

bool attend_is_whitespace(uint32_t c);       /* White_Space, also Oniguruma's \s */
bool attend_is_bert_control(uint32_t c);     /* Cc Cf Co of Unicode 8.0, but \t \n \r */
bool attend_is_bert_punctuation(uint32_t c); /* ASCII punctuation or P* of Unicode 8.0 */
bool attend_is_bert_mark(uint32_t c);        /* Mn of Unicode 8.0 */
bool attend_is_combining(uint32_t c);        /* M*: what StripAccents removes */
bool attend_is_word(uint32_t c);             /* \w of Rust's regex, Unicode 16 */
bool attend_is_numeric(uint32_t c);          /* Nd Nl No, Unicode 17: Rust's char::is_numeric */
bool attend_is_letter(uint32_t c);           /* L*, Unicode 16: Oniguruma's \p{L} */
bool attend_is_number(uint32_t c);           /* N*, Unicode 16: Oniguruma's \p{N} */
bool attend_is_cjk(uint32_t c);              /* BertNormalizer's Chinese characters */
uint8_t attend_combining_class(uint32_t c);  /* canonical combining class of the normal forms' Unicode version */
uint8_t attend_script(
	uint32_t c); /* script of UnicodeScripts (Kana counts as Han) under a number of our own; 0: any, as a blank */
/* Is there a grapheme cluster boundary between two neighbours? *state is 0 at the beginning of a text. */
bool attend_grapheme_break(uint32_t before, uint32_t after, int *state);

/* Rust's char::to_lowercase: 1 to 3 code points; returns how many. */
size_t attend_lowercase(uint32_t out[3], uint32_t c);

/* The 256 characters of GPT-2's byte table: code point of a byte, and back (-1: none). */
uint32_t attend_byte_to_char(unsigned char byte);
int attend_char_to_byte(uint32_t c);

#endif
