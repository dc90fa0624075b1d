/* scanner.c: the scanners of word patterns (scan_rules.c), one character after another.
 *
 * Every character is of one kind, and some alternative takes each of them, so the words cover the text and one forward scan
 * with a look at the next character finds them. */
#include "tokenizer/scanner.h"

#include <string.h>

#include "tokenizer/unicode_tables.h"

#define SET(kind) (1u << ATTEND_KIND_##kind)
enum {
	LETTERS = SET(UPPER) | SET(LOWER) | SET(CASELESS),
	END = ATTEND_KIND_WHITE + 1, /* the pattern sees no character here */
	UPPERS = SET(UPPER) | SET(CASELESS) | SET(MARK),
	LOWERS = SET(LOWER) | SET(CASELESS) | SET(MARK)
};

/* A text that a pattern walks through. */
typedef struct walk {
	const attend_scanner *scanner;
	const char *text;
	size_t size;
	int part; /* of the text, where the scanner cuts some out */
} walk;

/* Which part a character is of: those beside each other do not see one another. */
static int part_of(attend_scan_cuts cuts, uint32_t c)
{
	if (cuts == ATTEND_CUTS_DIGITS) return attend_is_numeric(c);
	if (attend_kind_of(c) == ATTEND_KIND_NUMBER) return 1;
	return (c >= 0x4e00 && c <= 0x9fa5) || (c >= 0x3040 && c <= 0x30ff) ? 2 : 0;
}

/* Kind of the character at `at`, and its bytes; END behind the last one. */
static inline unsigned kind_at(const walk *w, size_t at, size_t *length)
{
	if (at >= w->size) return END;
	const unsigned char byte = (unsigned char)w->text[at];
	*length = 1;
	const uint32_t c = byte < 0x80 ? byte : attend_utf8_decode(w->text + at, length);
	if (w->scanner->cuts != ATTEND_CUTS_NONE && part_of(w->scanner->cuts, c) != w->part) return END;
	return attend_kind_of(c);
}

/* A set that contains END would run on for ever. */
static inline bool in(unsigned set, unsigned kind)
{
	return set >> kind & 1;
}

/* End of the run of a set's characters that starts at `at`. */
static size_t skip(const walk *w, size_t at, unsigned set)
{
	size_t length = 0;
	while (in(set, kind_at(w, at, &length))) at += length;
	return at;
}

static inline bool is_newline(char byte)
{
	return byte == '\n' || byte == '\r';
}

size_t attend_scan_contraction(const char *text, size_t size, size_t at)
{
	if (size - at < 2) return 0;
	const char a = text[at + 1];
	if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
	if (size - at < 3) return 0;
	const char b = text[at + 2];
	return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

size_t attend_scan_contraction_any_case(const char *text, size_t size, size_t at)
{
	char folded[4] = {'\'', 0, 0, 0};
	if (size - at >= 3 && memcmp(text + at + 1, "\xc5\xbf", 2) == 0) return 3;
	for (size_t i = 1; i < 3 && at + i < size; i++) {
		const char c = text[at + i];
		folded[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return attend_scan_contraction(folded, size - at < 3 ? size - at : 3, 0);
}

/* A run of white space from `at` to `end` is cut before its last character if something follows it. */
static size_t cut_white(const walk *w, size_t at, size_t end)
{
	size_t length;
	if (kind_at(w, end, &length) == END) return end;
	size_t last = end - 1;
	while (!attend_utf8_is_start(w->text[last])) last--;
	return last > at ? last : end;
}

/* ---- GPT-2 ---- */

/* The kinds that its words are made of. */
static unsigned set_of(unsigned kind)
{
	if (in(LETTERS, kind)) return LETTERS;
	if (kind == ATTEND_KIND_NUMBER) return SET(NUMBER);
	return SET(CONTROL) | SET(MARK) | SET(PUNCTUATION) | SET(SYMBOL);
}

static size_t scan_gpt2(const walk *w, size_t at)
{
	size_t length = 0;
	const char *const text = w->text;
	if (text[at] == '\'') {
		const size_t n = attend_scan_contraction(text, w->size, at);
		if (n) return at + n;
	}
	unsigned kind = kind_at(w, at, &length);
	if (w->part) return at + length;
	if (kind != ATTEND_KIND_WHITE) return skip(w, at + length, set_of(kind));
	if (text[at] == ' ') {
		kind = kind_at(w, at + 1, &length);
		if (kind != ATTEND_KIND_WHITE && kind != END) return skip(w, at + 1 + length, set_of(kind));
	}
	return cut_white(w, at, skip(w, at, SET(WHITE)));
}

/* ---- GPT-4 ---- */

/* UPPER*LOWER+ from `at` on, where caseless letters and marks are both: the longest run of upper case, from which the last
 * one that is lower case as well is given back if need be. `at`: no such word. */
static size_t lower_word_end(const walk *w, size_t at)
{
	size_t upper_end = at, length = 0, both_end = at;
	for (unsigned kind; in(UPPERS, kind = kind_at(w, upper_end, &length));) {
		upper_end += length;
		if (in(LOWERS, kind)) both_end = upper_end;
	}
	const size_t end = skip(w, upper_end, LOWERS);
	return end > upper_end ? end : both_end;
}

/* UPPER+LOWER* */
static size_t upper_word_end(const walk *w, size_t at)
{
	const size_t end = skip(w, at, UPPERS);
	return end > at ? skip(w, end, LOWERS) : at;
}

static size_t letters_end(const walk *w, size_t at)
{
	return skip(w, at, w->scanner->letters);
}

/* Letters with or without a character in front, from `at` on; `at`: there are none. The alternatives' order counts: marks may
 * stand in front and be letters. */
static size_t scan_letters(const walk *w, size_t at, unsigned kind, size_t second)
{
	const bool prefix = in(w->scanner->prefixes, kind) && !is_newline(w->text[at]);
	const bool letter = in(w->scanner->letters, kind);
	size_t end = at;
	if (!w->scanner->cased) {
		end = prefix ? letters_end(w, second) : second;
		if (end > second) return end;
		return letter ? letters_end(w, second) : at;
	}
	if (prefix && (end = lower_word_end(w, second)) > second) return end;
	if (letter && (end = lower_word_end(w, at)) > at) return end;
	if (prefix && (end = upper_word_end(w, second)) > second) return end;
	return letter ? upper_word_end(w, at) : at;
}

/* What no alternative takes (DeepSeek's control characters that stand before no letter) is a word together. */
static size_t skip_unmatched(const walk *w, size_t at)
{
	size_t length = 0, next = 0;
	while (kind_at(w, at, &length) == ATTEND_KIND_CONTROL && !in(w->scanner->letters, kind_at(w, at + length, &next)))
		at += length;
	return at;
}

static size_t scan_gpt4(const walk *w, size_t at)
{
	const attend_scanner *const s = w->scanner;
	const char *const text = w->text;
	size_t length = 0, next = 0, n;
	if (text[at] == '\'' && s->contractions == ATTEND_CONTRACTIONS_FRONT &&
	    (n = attend_scan_contraction_any_case(text, w->size, at)) > 0)
		return at + n;
	const unsigned kind = kind_at(w, at, &length);
	if (kind == ATTEND_KIND_NUMBER) {
		for (unsigned i = 1; i != s->most_numbers; i++) {
			at += length;
			if (kind_at(w, at, &length) != ATTEND_KIND_NUMBER) return at;
		}
		return at + length;
	}
	const size_t second = at + length;
	if (s->ascii_words && kind != ATTEND_KIND_CONTROL && in(s->others, kind) && (signed char)text[at] >= 0) {
		size_t end = second;
		while (end < w->size && ((unsigned char)text[end] | 0x20) - (unsigned)'a' < 26u) end++;
		if (end > second) return end;
	}
	size_t end = scan_letters(w, at, kind, second);
	if (end > at) {
		n = s->contractions == ATTEND_CONTRACTIONS_BEHIND && end < w->size && text[end] == '\''
		        ? attend_scan_contraction_any_case(text, w->size, end)
		        : 0;
		return end + n;
	}
	if (in(s->others, kind) || (text[at] == ' ' && in(s->others, kind_at(w, second, &next)))) {
		end = skip(w, second, s->others);
		if (w->part) return end; /* line ends are of part 0 */
		while (end < w->size && (is_newline(text[end]) || (s->slashes && text[end] == '/'))) end++;
		return end;
	}
	if (kind != ATTEND_KIND_WHITE) return skip_unmatched(w, at);
	end = skip(w, at, SET(WHITE));
	for (size_t i = end; i > at; i--) /* up to the last line end of the run, if there is one */
		if (is_newline(text[i - 1])) return i;
	return cut_white(w, at, end);
}

/* ---- */

size_t attend_scan_word(const attend_scanner *scanner, const char *text, size_t size, size_t at)
{
	walk w = {scanner, text, size, 0};
	size_t length;
	if (scanner->cuts != ATTEND_CUTS_NONE) w.part = part_of(scanner->cuts, attend_utf8_decode(text + at, &length));
	return scanner->family == ATTEND_SCAN_GPT2 ? scan_gpt2(&w, at) : scan_gpt4(&w, at);
}

attend_status attend_scan(const attend_scanner *scanner, const char *text, uint32_t start, uint32_t end,
                          attend_span_list *out)
{
	for (size_t at = start; at < end;) {
		const size_t next = attend_scan_word(scanner, text, end, at);
		ATTEND_TRY(attend_span_list_push(out, (uint32_t)at, (uint32_t)next));
		at = next;
	}
	return ATTEND_OK;
}
