/* scanner.h: the well-known word patterns, scanned by hand. Each is tested equal to the regular expressions that it stands for.
 *
 * A scanner is data: what the pattern's text (scan_rules.c) says of a few questions. scanner.c answers them character by
 * character, scan_block.c for 64 bytes of ASCII at once. */
#ifndef ATTEND_TOKENIZER_SCANNER_H
#define ATTEND_TOKENIZER_SCANNER_H

#include "tokenizer/tokenizer_internal.h"

typedef enum attend_scan_family {
	ATTEND_SCAN_NONE, /* use the regular expression */
	ATTEND_SCAN_GPT2, /* a blank in front of letters, numbers and other characters */
	ATTEND_SCAN_GPT4  /* any one character in front of letters; line ends behind other characters */
} attend_scan_family;

typedef enum attend_contractions {
	ATTEND_CONTRACTIONS_NONE,
	ATTEND_CONTRACTIONS_FRONT, /* 's 't 're 've 'm 'll 'd are words */
	ATTEND_CONTRACTIONS_BEHIND /* they belong to the letters before them */
} attend_contractions;

/* What is cut out of the text before the pattern sees it: for the pattern the text ends there. */
typedef enum attend_scan_cuts {
	ATTEND_CUTS_NONE,
	ATTEND_CUTS_DIGITS,     /* the Digits pre-tokenizer: each number alone */
	ATTEND_CUTS_NUMBERS_CJK /* DeepSeek: numbers by most_numbers; Han and Kana, which the pattern sees by themselves */
} attend_scan_cuts;

/* Sets of kinds of characters have bit 1 << ATTEND_KIND_... (unicode_tables.h). GPT2 looks at `cuts` alone. */
typedef struct attend_scanner {
	attend_scan_family family;
	attend_scan_cuts cuts;
	attend_contractions contractions;
	uint16_t prefixes; /* in front of letters; never \r \n */
	uint16_t letters, others;
	uint8_t most_numbers; /* in a word; 0: all that follow one another */
	bool cased;           /* an upper-case letter behind a lower-case one begins a word */
	bool slashes;         /* among the line ends behind other characters */
	bool ascii_words;     /* ASCII punctuation and ASCII letters behind it are a word */
} attend_scanner;

/* GPT-2's pattern, which ByteLevel uses. */
extern const char attend_gpt2_pattern[];
extern const attend_scanner attend_scanner_gpt2;

/* The scanner of an expression; of family NONE: use the regular expression. */
attend_scanner attend_scanner_find(const attend_pattern *pattern);
attend_scanner attend_scanner_of_regex(const char *regex);
/* The same for three splits one after another. */
attend_scanner attend_scanner_of_splits(const attend_pattern *first, const attend_pattern *second,
                                        const attend_pattern *third);

/* End of the word that starts at text[at] (at < size, valid UTF-8). Words cover the whole text. */
size_t attend_scan_word(const attend_scanner *scanner, const char *text, size_t size, size_t at);

/* Ends of the words that follow one another from text[at] on, a word's start: bit i set: one ends at text[at + i]. Looks at the
 * next 64 bytes, ASCII alone; 0: attend_scan_word has to find this word. `text` can be read from 0 to size. */
uint64_t attend_scan_block(const attend_scanner *scanner, const char *text, size_t size, size_t at);

/* Append the words of text[start, end) to `out`, offsets relative to text. */
attend_status attend_scan(const attend_scanner *scanner, const char *text, uint32_t start, uint32_t end,
                          attend_span_list *out);

/* ---- between scanner.c and scan_block.c ---- */

/* Bytes of a contraction at text[at] == '\'', 0: none; whatever the case: U+017F folds to 's'. */
size_t attend_scan_contraction(const char *text, size_t size, size_t at);
size_t attend_scan_contraction_any_case(const char *text, size_t size, size_t at);

#endif
