/* scanner.h: the well-known word patterns, scanned by hand. Each is tested equal to the regular expression that it stands for. */
#ifndef ATTEND_TOKENIZER_SCANNER_H
#define ATTEND_TOKENIZER_SCANNER_H

#include "tokenizer/tokenizer_internal.h"

typedef enum attend_scanner {
	ATTEND_SCAN_NONE,
	ATTEND_SCAN_GPT2,
	ATTEND_SCAN_GPT4, /* \p{N}{1,3}: cl100k as tokenizer.json files spell it, Llama 3 */
	ATTEND_SCAN_QWEN2 /* \p{N} */
} attend_scanner;

/* GPT-2's pattern, which ByteLevel uses. */
extern const char attend_gpt2_pattern[];
/* The scanner of a pattern's expression; NONE: use the regular expression. */
attend_scanner attend_scanner_find(const attend_pattern *pattern);
const char *attend_scanner_pattern(attend_scanner scanner);

/* End of the word that starts at text[at] (at < size, valid UTF-8). Words cover the whole text. */
size_t attend_scan_gpt2(const char *text, size_t size, size_t at);
size_t attend_scan_gpt4(const char *text, size_t size, size_t at, size_t max_digits);

/* The same for any scanner but NONE. */
size_t attend_scan_word(attend_scanner scanner, const char *text, size_t size, size_t at);

/* Ends of the words that follow one another from text[at] on, a word's start: bit i set: one ends at text[at + i]. Looks at the
 * next 64 bytes, ASCII alone; 0: attend_scan_word has to find this word. `text` can be read from 0 to size. */
uint64_t attend_scan_block(attend_scanner scanner, const char *text, size_t size, size_t at);

/* Append the words of text[start, end) to `out`, offsets relative to text. */
attend_status attend_scan(attend_scanner scanner, const char *text, uint32_t start, uint32_t end,
                          attend_span_list *out);

#endif
