/* splitter.h: the ways to cut words further; each replaces words->spans. */
#ifndef ATTEND_TOKENIZER_SPLITTER_H
#define ATTEND_TOKENIZER_SPLITTER_H

#include "tokenizer/pretokenizer.h"

/* What becomes of the delimiters: tokenizers' SplitDelimiterBehavior. */
typedef enum attend_split_behavior {
	ATTEND_SPLIT_REMOVED,
	ATTEND_SPLIT_ISOLATED,
	ATTEND_SPLIT_MERGED_WITH_PREVIOUS,
	ATTEND_SPLIT_MERGED_WITH_NEXT,
	ATTEND_SPLIT_CONTIGUOUS
} attend_split_behavior;

/* words->spare becomes words->spans. */
void attend_words_swap(attend_words *words);

/* By a pattern; `invert`: what lies between the matches are the delimiters. */
attend_status attend_split_pattern(attend_words *words, const attend_pattern *pattern, attend_split_behavior behavior,
                                   bool invert);
/* Each character of a class is a delimiter. */
attend_status attend_split_chars(attend_words *words, bool (*is_delimiter)(uint32_t c), attend_split_behavior behavior);
attend_status attend_split_delimiter(attend_words *words, uint32_t delimiter); /* removed */
/* White space removed, every punctuation character alone. */
attend_status attend_split_bert(attend_words *words);
/* \w+|[^\w\s]+ kept, the rest removed. */
attend_status attend_split_words(attend_words *words);
/* A cut before every occurrence of `mark` (one character). */
attend_status attend_split_before(attend_words *words, const char *mark);
/* Between scripts (UnicodeScripts); blanks before the first character of any script are dropped. */
attend_status attend_split_scripts(attend_words *words);
/* Pieces of `length` characters. */
attend_status attend_split_fixed(attend_words *words, size_t length);

#endif
