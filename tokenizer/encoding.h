/* encoding.h: from token sequences to encodings: truncation, windows, templates, offsets. */
#ifndef ATTEND_TOKENIZER_ENCODING_H
#define ATTEND_TOKENIZER_ENCODING_H

#include "tokenizer/stages.h"

/* Tokens [start, end) of a sequence. */
typedef struct attend_window {
	size_t start, end;
} attend_window;

/* Cut scratch->sequences (two of them if `pair`) into scratch->windows as `options` ask: the first window is what stays,
 * the others are what was cut off. ARG, DATA: cannot be cut that way. */
attend_status attend_truncate(const attend_tokenizer *tokenizer, attend_scratch *scratch, bool pair,
                              const attend_encode_options *options);

/* Tokens of one window each with the template around them; ids[count] is filled, count is what attend_assemble_count says. */
size_t attend_assemble_count(const attend_tokenizer *tokenizer, const attend_scratch *scratch, bool pair,
                             const size_t which[2], bool specials);
void attend_assemble_ids(const attend_tokenizer *tokenizer, const attend_scratch *scratch, bool pair,
                         const size_t which[2], bool specials, int32_t *ids);

/* All of it into *out. */
attend_status attend_assemble(attend_encoding *out, const attend_tokenizer *tokenizer, attend_scratch *scratch,
                              bool pair, const attend_encode_options *options);

#endif
