/* scanner.c: hand-written scanners of GPT-2's and GPT-4's word patterns.
 *
 * GPT-2:  's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * GPT-4:  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * Every character is white space, a letter, a number or something else, and some alternative takes each of them, so the
 * words cover the text and one forward scan with a look at the next character finds them. */
#include "tokenizer/scanner.h"

#include <string.h>

#include "tokenizer/byte_masks.h"
#include "tokenizer/unicode_tables.h"

const char attend_gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

#define GPT4_HEAD "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define GPT4_TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const char *attend_scanner_pattern(attend_scanner scanner)
{
	switch (scanner) {
	case ATTEND_SCAN_GPT2: return attend_gpt2_pattern;
	case ATTEND_SCAN_GPT4: return GPT4_HEAD "\\p{N}{1,3}" GPT4_TAIL;
	case ATTEND_SCAN_QWEN2: return GPT4_HEAD "\\p{N}" GPT4_TAIL;
	case ATTEND_SCAN_NONE: break;
	}
	return NULL;
}

attend_scanner attend_scanner_find(const attend_pattern *pattern)
{
	for (attend_scanner s = ATTEND_SCAN_GPT2; s <= ATTEND_SCAN_QWEN2; s++)
		if (attend_pattern_is_regex(pattern, attend_scanner_pattern(s))) return s;
	return ATTEND_SCAN_NONE;
}

typedef enum class { SPACE, LETTER, NUMBER, OTHER } class;

/* Class of ASCII; the rest is looked up. */
#define S SPACE
#define L LETTER
#define N NUMBER
#define O OTHER
static const uint8_t ASCII[128] = {
	O, O, O, O, O, O, O, O, O, S, S, S, S, S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, N, N, N, N, N, N, N, N, N, N, O, O, O, O, O, O,
	O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
	O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
};
#undef S
#undef L
#undef N
#undef O

static class class_of(uint32_t c)
{
	const uint8_t bits = attend_class_of(c);
	if (bits & ATTEND_CLASS_LETTER) return LETTER;
	if (bits & ATTEND_CLASS_WHITE) return SPACE;
	return attend_shape_of(c) & ATTEND_SHAPE_NUMBER ? NUMBER : OTHER;
}

static class class_at(const char *text, size_t at, size_t *length)
{
	const unsigned char byte = (unsigned char)text[at];
	if (byte < 0x80) {
		*length = 1;
		return ASCII[byte];
	}
	return class_of(attend_utf8_decode(text + at, length));
}

/* End of the run of one class that starts at `at`. */
static size_t skip(const char *text, size_t size, size_t at, class wanted)
{
	size_t length;
	while (at < size && class_at(text, at, &length) == wanted) at += length;
	return at;
}

/* Bytes of a contraction at text[at] == '\'', 0: none. */
static size_t contraction(const char *text, size_t size, size_t at)
{
	if (size - at < 2) return 0;
	const char a = text[at + 1];
	if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
	if (size - at < 3) return 0;
	const char b = text[at + 2];
	return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/* A run of white space from `at` to `end` is cut before its last character if something follows it. */
static size_t cut_spaces(const char *text, size_t size, size_t at, size_t end)
{
	if (end == size) return end;
	size_t last = end - 1;
	while (!attend_utf8_is_start(text[last])) last--;
	return last > at ? last : end;
}

size_t attend_scan_gpt2(const char *text, size_t size, size_t at)
{
	size_t length;
	if (text[at] == '\'') {
		const size_t n = contraction(text, size, at);
		if (n) return at + n;
	}
	class first = class_at(text, at, &length);
	if (first != SPACE) return skip(text, size, at + length, first);
	if (text[at] == ' ' && at + 1 < size) {
		first = class_at(text, at + 1, &length);
		if (first != SPACE) return skip(text, size, at + 1 + length, first);
	}
	return cut_spaces(text, size, at, skip(text, size, at, SPACE));
}

/* The same whatever the case; U+017F folds to 's'. */
static size_t contraction_any_case(const char *text, size_t size, size_t at)
{
	char folded[4] = {'\'', 0, 0, 0};
	if (size - at >= 3 && memcmp(text + at + 1, "\xc5\xbf", 2) == 0) return 3;
	for (size_t i = 1; i < 3 && at + i < size; i++) {
		const char c = text[at + i];
		folded[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return contraction(folded, size - at < 3 ? size - at : 3, 0);
}

static size_t skip_newlines(const char *text, size_t size, size_t at)
{
	while (at < size && (text[at] == '\n' || text[at] == '\r')) at++;
	return at;
}

size_t attend_scan_gpt4(const char *text, size_t size, size_t at, size_t max_digits)
{
	size_t length, next;
	if (text[at] == '\'') {
		const size_t n = contraction_any_case(text, size, at);
		if (n) return at + n;
	}
	const class first = class_at(text, at, &length);
	if (first == LETTER) return skip(text, size, at + length, LETTER);
	if (first == NUMBER) {
		at += length;
		for (size_t i = 1; i < max_digits && at < size && class_at(text, at, &length) == NUMBER; i++) at += length;
		return at;
	}
	const size_t second = at + length;
	if (text[at] != '\n' && text[at] != '\r' && second < size && class_at(text, second, &next) == LETTER)
		return skip(text, size, second + next, LETTER);
	if (first == OTHER) return skip_newlines(text, size, skip(text, size, second, OTHER));
	if (text[at] == ' ' && second < size && class_at(text, second, &next) == OTHER)
		return skip_newlines(text, size, skip(text, size, second + next, OTHER));
	const size_t end = skip(text, size, at, SPACE);
	for (size_t i = end; i > at; i--) /* up to the last line end of the run, if there is one */
		if (text[i - 1] == '\n' || text[i - 1] == '\r') return i;
	return cut_spaces(text, size, at, end);
}

size_t attend_scan_word(attend_scanner scanner, const char *text, size_t size, size_t at)
{
	if (scanner == ATTEND_SCAN_GPT2) return attend_scan_gpt2(text, size, at);
	return attend_scan_gpt4(text, size, at, scanner == ATTEND_SCAN_GPT4 ? 3 : 1);
}

/* ---- 64 bytes at once ---- */

/* Kinds of the bytes of text[at, size), of at most 64; behind the end stands white space. *count: how many. */
static inline attend_byte_masks block_at(const char *text, size_t size, size_t at, size_t *count)
{
	if (size - at >= 64) {
		*count = 64;
		return attend_byte_masks64(text + at);
	}
	attend_byte_masks m;
	const size_t n = *count = size - at;
	if (size >= 64) {
		m = attend_byte_masks64(text + size - 64);
		const size_t before = 64 - n;
		m = (attend_byte_masks){m.letters >> before, m.digits >> before, m.white >> before,
		                        m.blanks >> before,  m.quotes >> before, m.high >> before};
	} else {
		char copy[64] = {0};
		memcpy(copy, text + at, n);
		m = attend_byte_masks64(copy);
	}
	m.white |= UINT64_MAX << n;
	return m;
}

/* Bits below `n` <= 64. */
static inline uint64_t below(size_t n)
{
	return n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
}

/* A word begins where the class changes, but behind a blank, which the word takes along; of a run of white space the last
 * character is cut off if something follows it. What a byte begins depends on the one before and the one after it: so the
 * last byte of the block tells nothing, and a character that is not ASCII nothing about the byte before it. */
static uint64_t block_gpt2(const char *text, size_t size, size_t at)
{
	size_t count;
	const attend_byte_masks m = block_at(text, size, at, &count);
	const uint64_t other = ~(m.letters | m.digits | m.white | m.high);
	const uint64_t same = (m.letters & m.letters << 1) | (m.digits & m.digits << 1) | (other & other << 1);
	uint64_t starts = (~m.white & ~same & ~(m.blanks << 1)) | (m.white & ~(m.white << 1 & m.white >> 1));
	uint64_t sure = count < 64 ? below(count) : below(63);
	if (m.high) sure &= below((size_t)__builtin_ctzll(m.high)) >> 1;
	for (uint64_t quotes = m.quotes & (starts | 1) & sure; quotes; quotes &= quotes - 1) {
		const size_t i = (size_t)__builtin_ctzll(quotes);
		if (i > 60 && count == 64) {
			sure &= below(i + 1);
			break;
		}
		const size_t n = contraction(text, size, at + i);
		if (n) starts = (starts & ~(below(n) << i << 1)) | UINT64_C(1) << i << n;
	}
	starts &= sure & ~UINT64_C(1);
	return count < 64 && !m.high ? starts | UINT64_C(1) << count : starts;
}

uint64_t attend_scan_block(attend_scanner scanner, const char *text, size_t size, size_t at)
{
	if (scanner != ATTEND_SCAN_GPT2 || (signed char)text[at] < 0) return 0;
	return block_gpt2(text, size, at);
}

attend_status attend_scan(attend_scanner scanner, const char *text, uint32_t start, uint32_t end, attend_span_list *out)
{
	for (size_t at = start; at < end;) {
		const size_t next = attend_scan_word(scanner, text, end, at);
		ATTEND_TRY(attend_span_list_push(out, (uint32_t)at, (uint32_t)next));
		at = next;
	}
	return ATTEND_OK;
}
