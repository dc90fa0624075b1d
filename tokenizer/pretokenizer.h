/* pretokenizer.h: cutting a normalised text into words (constructors: tokenizer_internal.h). */
#ifndef ATTEND_TOKENIZER_PRETOKENIZER_H
#define ATTEND_TOKENIZER_PRETOKENIZER_H

#include "tokenizer/normalized.h"
#include "tokenizer/scanner.h"

/* A text and its words: spans of n.text in order, none of them empty. Zero-initialise; attend_words_free. */
typedef struct attend_words {
	attend_normalized n;
	attend_span_list spans;
	attend_span_list spare, matches; /* scratch of the splitters */
} attend_words;

void attend_words_free(attend_words *words);

/* Cut words->n.text (all of it) into words->spans. Steps such as Metaspace rewrite the text. `skip_bytes`: leave out the
 * mapping of a final ByteLevel; the words are raw bytes then. */
attend_status attend_pretokenizer_run(const attend_pretokenizer *pretokenizer, attend_words *words, bool skip_bytes);

/* Is ByteLevel the last step, so that a model that takes raw bytes can do its mapping? */
bool attend_pretokenizer_ends_in_bytes(const attend_pretokenizer *pretokenizer);
/* Does the outcome depend on where a word began in the original (Metaspace's prepend_scheme "first"), after changes that make
 * that unknown unless places are tracked? `changed`: the normaliser may have made some. */
bool attend_pretokenizer_needs_origin(const attend_pretokenizer *pretokenizer, bool changed);

/* ---- which of the usual ones it is, for lanes.c ---- */

/* ByteLevel with its expression (behind Digits that stand alone, too), or splits by a scanner's expressions and ByteLevel
 * without: the scanner, else one of family NONE. */
attend_scanner attend_pretokenizer_scanner(const attend_pretokenizer *pretokenizer, bool *prefix_space);
bool attend_pretokenizer_is_bert(const attend_pretokenizer *pretokenizer);
/* [WhitespaceSplit, Metaspace always] with a mark that is not ASCII: true, and the mark. */
bool attend_pretokenizer_marks_words(const attend_pretokenizer *pretokenizer, char mark[5]);

#endif
