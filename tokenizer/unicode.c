/* unicode.c: UTF-8 checking, character classes and GPT-2's byte table. */
#include "tokenizer/unicode.h"

#include <string.h>
#include <utf8proc.h>

#include "lib/core/buffer.h"
#include "tokenizer/unicode_tables.h"

/* Unicode 15, table 3-7: well-formed byte sequences. Size of the well-formed sequence at text[0], or minus the size of the
 * maximal subpart of an ill-formed one. */
static int sequence_size(const unsigned char *text, size_t size)
{
	const unsigned char lead = text[0];
	unsigned char low = 0x80, high = 0xbf;
	int need;
	if (lead < 0x80) return 1;
	if (lead >= 0xc2 && lead <= 0xdf) {
		need = 2;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		need = 3;
		if (lead == 0xe0) low = 0xa0;
		if (lead == 0xed) high = 0x9f;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		need = 4;
		if (lead == 0xf0) low = 0x90;
		if (lead == 0xf4) high = 0x8f;
	} else {
		return -1;
	}
	for (int i = 1; i < need; i++) {
		if ((size_t)i >= size || text[i] < low || text[i] > high) return -i;
		low = 0x80;
		high = 0xbf;
	}
	return need;
}

size_t attend_ascii_prefix(const char *text, size_t size)
{
	const uint64_t tops = UINT64_C(0x8080808080808080);
	uint64_t words[4];
	size_t i = 0;
	for (; i + sizeof words <= size; i += sizeof words) {
		memcpy(words, text + i, sizeof words);
		if ((words[0] | words[1] | words[2] | words[3]) & tops) break;
	}
	for (; i + sizeof *words <= size; i += sizeof *words) {
		memcpy(words, text + i, sizeof *words);
		if (words[0] & tops) break;
	}
	while (i < size && (signed char)text[i] >= 0) i++;
	return i;
}

size_t attend_utf8_valid_prefix(const char *text, size_t size)
{
	size_t i = 0;
	while ((i += attend_ascii_prefix(text + i, size - i)) < size) {
		while (i < size && (signed char)text[i] < 0) {
			const int n = sequence_size((const unsigned char *)text + i, size - i);
			if (n < 0) return i;
			i += (size_t)n;
		}
	}
	return size;
}

size_t attend_utf8_count(const char *text, size_t size)
{
	size_t count = size, i = 0;
	for (uint64_t word; i + sizeof word <= size; i += sizeof word) { /* minus the continuation bytes, eight at a time */
		memcpy(&word, text + i, sizeof word);
		count -=
			(size_t)((word >> 7 & ~(word >> 6) & UINT64_C(0x0101010101010101)) * UINT64_C(0x0101010101010101) >> 56);
	}
	for (; i < size; i++) count -= !attend_utf8_is_start(text[i]);
	return count;
}

size_t attend_utf8_bad_size(const char *text, size_t size)
{
	const int n = sequence_size((const unsigned char *)text, size);
	return (size_t)(n < 0 ? -n : n);
}

void attend_utf8_append_lossy(attend_buffer *out, const char *text, size_t size)
{
	while (size > 0) {
		const size_t good = attend_utf8_valid_prefix(text, size);
		attend_buffer_append(out, text, good);
		text += good;
		size -= good;
		if (size == 0) return;
		attend_buffer_append(out, "\xef\xbf\xbd", 3);
		const size_t bad = attend_utf8_bad_size(text, size);
		text += bad;
		size -= bad;
	}
}

bool attend_is_whitespace(uint32_t c)
{
	return attend_class_of(c) & ATTEND_CLASS_WHITE;
}

bool attend_is_bert_control(uint32_t c)
{
	return attend_class_of(c) & ATTEND_CLASS_BERT_CONTROL;
}

bool attend_is_bert_punctuation(uint32_t c)
{
	return attend_class_of(c) & ATTEND_CLASS_BERT_PUNCTUATION;
}

bool attend_is_bert_mark(uint32_t c)
{
	return attend_class_of(c) & ATTEND_CLASS_BERT_MARK;
}

bool attend_is_combining(uint32_t c)
{
	return attend_class_of(c) & ATTEND_CLASS_COMBINING;
}

bool attend_is_word(uint32_t c)
{
	return attend_class_of(c) & ATTEND_CLASS_WORD;
}

bool attend_is_numeric(uint32_t c)
{
	return attend_class_of(c) & ATTEND_CLASS_NUMERIC;
}

bool attend_is_letter(uint32_t c)
{
	return attend_class_of(c) & ATTEND_CLASS_LETTER;
}

bool attend_is_number(uint32_t c)
{
	return attend_shape_of(c) & ATTEND_SHAPE_NUMBER;
}

bool attend_is_cjk(uint32_t c)
{
	if (c < 0x3400) return false;
	return (c >= 0x4e00 && c <= 0x9fff) || c <= 0x4dbf || (c >= 0xf900 && c <= 0xfaff) ||
	       (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) ||
	       (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0x2f800 && c <= 0x2fa1f);
}

size_t attend_lowercase(uint32_t out[3], uint32_t c)
{
	out[0] = c;
	if (c < 0x80) {
		if (c >= 'A' && c <= 'Z') out[0] = c + 32;
		return 1;
	}
	if (!(attend_shape_of(c) & ATTEND_SHAPE_LOWER)) return 1;
	if (c == 0x130) {
		out[0] = 'i';
		out[1] = 0x307;
		return 2;
	}
	size_t low = 0, high = attend_unicode_lowercase_count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (attend_unicode_lowercase[middle].from < c) low = middle + 1;
		else high = middle;
	}
	out[0] = attend_unicode_lowercase[low].to;
	return 1;
}

/* Value of the range that holds c, 0 if none does. */
static uint8_t range_value(const attend_unicode_value *ranges, size_t count, uint32_t c)
{
	size_t low = 0, high = count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (ranges[middle].end < c) low = middle + 1;
		else high = middle;
	}
	return low < count && ranges[low].start <= c ? ranges[low].value : 0;
}

uint8_t attend_combining_class(uint32_t c)
{
	if (!(attend_shape_of(c) & ATTEND_SHAPE_CCC)) return 0;
	return range_value(attend_unicode_combining_classes, attend_unicode_combining_class_count, c);
}

uint8_t attend_script(uint32_t c)
{
	return range_value(attend_unicode_scripts, attend_unicode_script_count, c);
}

bool attend_grapheme_break(uint32_t before, uint32_t after, int *state)
{
	utf8proc_int32_t s = *state;
	const bool cut = utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)after, &s);
	*state = s;
	return cut;
}

/* Printable Latin-1 stands for itself; the other 68 bytes, in order, for U+0100 and following. */
static bool is_plain_byte(uint32_t byte)
{
	return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

uint32_t attend_byte_to_char(unsigned char byte)
{
	if (is_plain_byte(byte)) return byte;
	if (byte <= 0x20) return 0x100u + byte;
	if (byte <= 0xa0) return 0x100u + 33u + (byte - 0x7fu);
	return 0x143;
}

int attend_char_to_byte(uint32_t c)
{
	if (c < 0x100) return is_plain_byte(c) ? (int)c : -1;
	if (c <= 0x120) return (int)(c - 0x100);
	if (c <= 0x142) return (int)(c - 0x121 + 0x7f);
	return c == 0x143 ? 0xad : -1;
}
