/* scan_block.c: the words of up to 64 bytes of ASCII at once: a bit a byte, so that a rule is a few operations.
 *
 * What a byte begins depends on the ones before and the one after it. So the last byte of a block tells nothing, and neither
 * does the one before a character that is not ASCII: ends are given only as far as they are sure. */
#include <string.h>

#include "tokenizer/byte_masks.h"
#include "tokenizer/scanner.h"

/* At most 64 bytes of a text, where 64 can be read. */
typedef struct window {
	const char *bytes;
	unsigned before; /* bytes in front that do not count */
	size_t count;
	char copy[64];
} window;

static inline void window_at(window *w, const char *text, size_t size, size_t at)
{
	w->count = size - at < 64 ? size - at : 64;
	w->before = 0;
	w->bytes = text + at;
	if (w->count == 64) return;
	if (size >= 64) {
		w->before = (unsigned)(64 - w->count);
		w->bytes = text + size - 64;
	} else {
		memset(w->copy, 0, sizeof w->copy);
		memcpy(w->copy, text + at, w->count);
		w->bytes = w->copy;
	}
}

/* Behind the text's end stands white space. */
static inline attend_byte_masks masks_of(const window *w)
{
	attend_byte_masks m = attend_byte_masks64(w->bytes);
	if (w->count == 64) return m;
	const unsigned n = w->before;
	m = (attend_byte_masks){m.letters >> n, m.digits >> n, m.white >> n, m.blanks >> n, m.quotes >> n, m.high >> n};
	m.white |= UINT64_MAX << w->count;
	return m;
}

static inline uint64_t bytes_in(const window *w, char low, char high)
{
	return attend_bytes64_in(w->bytes, low, high) >> w->before;
}

static inline uint64_t bit(size_t i)
{
	return UINT64_C(1) << i;
}

/* Bits below `n` <= 64. */
static inline uint64_t below(size_t n)
{
	return n < 64 ? bit(n) - 1 : UINT64_MAX;
}

static inline size_t lowest(uint64_t bits)
{
	return (size_t)__builtin_ctzll(bits);
}

/* Of the last byte, and the one before a character that is not ASCII, nothing is known but that they are there. */
static inline uint64_t sure_of(const window *w, uint64_t high)
{
	uint64_t sure = w->count < 64 ? below(w->count) : below(63);
	if (high) sure &= below(lowest(high)) >> 1;
	return sure;
}

/* The ends of words: where the next one starts, and the text's end if all is sure up to there. */
static inline uint64_t ends_of(const window *w, uint64_t starts, uint64_t sure)
{
	starts &= sure & ~UINT64_C(1);
	return w->count < 64 && sure == below(w->count) ? starts | bit(w->count) : starts;
}

/* A contraction in the last bytes of a full block cannot be told. */
static inline bool too_late(const window *w, size_t i)
{
	return i > 60 && w->count == 64;
}

/* A word begins where the class changes, but behind a blank, which the word takes along; of a run of white space the last
 * character is cut off if something follows it, which numbers that are cut out do not. */
static uint64_t block_gpt2(bool digits_alone, const char *text, size_t size, size_t at)
{
	window w;
	window_at(&w, text, size, at);
	const attend_byte_masks m = masks_of(&w);
	const uint64_t other = ~(m.letters | m.digits | m.white | m.high), cut = digits_alone ? m.digits : 0;
	const uint64_t same = (m.letters & m.letters << 1) | (m.digits & m.digits << 1) | (other & other << 1);
	uint64_t starts = (~m.white & ~same & ~(m.blanks << 1)) | (m.white & ~(m.white << 1 & (m.white | cut) >> 1)) | cut;
	uint64_t sure = sure_of(&w, m.high);
	for (uint64_t quotes = m.quotes & (starts | 1) & sure; quotes; quotes &= quotes - 1) {
		const size_t i = lowest(quotes);
		if (too_late(&w, i)) {
			sure &= below(i + 1);
			break;
		}
		const size_t n = attend_scan_contraction(text, size, at + i);
		if (n) starts = (starts & ~(below(n) << i << 1)) | bit(i + n);
	}
	return ends_of(&w, starts, sure);
}

/* ---- GPT-4 ---- */

/* Digits that begin a group of at most `most` (0: all). */
static inline uint64_t number_starts(uint64_t digits, unsigned most)
{
	uint64_t starts = digits & ~(digits << 1), whole = digits;
	if (most == 0) return starts;
	if (most == 1) return digits;
	for (unsigned i = 1; i <= most; i++) whole &= digits << i;
	while (whole) { /* as many digits stand in front of these */
		const uint64_t more = (starts << most & whole) | starts;
		if (more == starts) break;
		starts = more;
	}
	return starts;
}

/* Behind the last line end of a run of white space begins a word. A run of which the end is not seen makes all that follows
 * unsure. `plain`: white space but line ends. */
static inline uint64_t starts_behind_lines(const window *w, uint64_t lines, uint64_t plain, uint64_t high,
                                           uint64_t *sure)
{
	uint64_t starts = 0;
	for (uint64_t left = lines & plain >> 1 & *sure; left; left &= left - 1) {
		const size_t next = lowest(left) + 1;
		const uint64_t rest = ~plain & ~below(next);
		const size_t end = rest ? lowest(rest) : 64;
		const bool seen = end < w->count ? !(high & bit(end)) : w->count < 64;
		if (!seen) {
			*sure &= below(next);
			break;
		}
		if (end >= w->count || !(lines & bit(end))) starts |= bit(next);
	}
	return starts;
}

/* 's and the like at one of `quotes` is a word, or belongs, once, to the letters before it (`behind`). Returns the starts. */
static inline uint64_t contract(const window *w, const char *text, size_t size, size_t at, uint64_t quotes, bool behind,
                                uint64_t starts, uint64_t *sure)
{
	size_t from = 0;
	for (quotes &= *sure; quotes; quotes &= quotes - 1) {
		const size_t i = lowest(quotes);
		if (behind && i == from) continue;
		if (too_late(w, i)) {
			*sure &= below(behind ? i : i + 1);
			break;
		}
		const size_t n = attend_scan_contraction_any_case(text, size, at + i);
		if (!n) continue;
		from = i + n;
		starts = (starts & ~(below(n) << i)) | bit(from) | (behind ? 0 : bit(i));
	}
	return starts;
}

static inline uint64_t block_gpt4(const attend_scanner *s, const char *text, size_t size, size_t at)
{
	window w;
	window_at(&w, text, size, at);
	const attend_byte_masks m = masks_of(&w);
	uint64_t lines = bytes_in(&w, '\n', '\n') | bytes_in(&w, '\r', '\r');
	const uint64_t other = ~(m.letters | m.digits | m.white | m.high);
	uint64_t sure = sure_of(&w, m.high);
	/* Runs of line ends behind other characters belong to these: the carry of an addition runs through them. */
	const uint64_t joined = lines & ~(lines + (lines & other << 1));
	if (s->slashes && joined) {
		const uint64_t slashes = bytes_in(&w, '/', '/') & joined << 1;
		if (slashes) sure &= below(lowest(slashes));
	}
	uint64_t cut = 0;
	if (s->cuts == ATTEND_CUTS_NUMBERS_CJK) {
		cut = m.digits;
		const uint64_t control = other & (bytes_in(&w, 0, ' ') | bytes_in(&w, 0x7f, 0x7f));
		if (control) sure &= below(lowest(control)) >> 1;
	}
	lines &= ~joined;
	const uint64_t white = m.white & ~joined, plain = white & ~lines;
	const uint64_t first_other = other & ~(other << 1) & ~(m.blanks << 1);
	const uint64_t prefix = plain | first_other; /* if a letter follows */
	uint64_t starts = (m.letters & ~(m.letters << 1) & ~(prefix << 1)) | number_starts(m.digits, s->most_numbers) |
	                  first_other | (white & ~(white << 1)) | (plain & ~((m.white | cut) >> 1));
	if (s->cased) {
		const uint64_t upper = bytes_in(&w, 'A', 'Z');
		starts |= upper & (m.letters & ~upper) << 1;
	}
	starts |= starts_behind_lines(&w, lines, plain, m.high, &sure);
	if (s->contractions == ATTEND_CONTRACTIONS_FRONT)
		starts = contract(&w, text, size, at, m.quotes & first_other & m.letters >> 1, false, starts, &sure);
	else if (s->contractions == ATTEND_CONTRACTIONS_BEHIND)
		starts = contract(&w, text, size, at, m.quotes & m.letters << 1 & m.letters >> 1, true, starts, &sure);
	return ends_of(&w, starts, sure);
}

uint64_t attend_scan_block(const attend_scanner *scanner, const char *text, size_t size, size_t at)
{
	if ((signed char)text[at] < 0 || (size - at > 1 && (signed char)text[at + 1] < 0)) return 0;
	switch (scanner->family) {
	case ATTEND_SCAN_GPT2: return block_gpt2(scanner->cuts == ATTEND_CUTS_DIGITS, text, size, at);
	case ATTEND_SCAN_GPT4: return block_gpt4(scanner, text, size, at);
	case ATTEND_SCAN_NONE: break;
	}
	return 0;
}
