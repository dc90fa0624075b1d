/* regex_rewrite.h: Oniguruma patterns with their Unicode classes spelled out. */
#ifndef ATTEND_TOKENIZER_REGEX_REWRITE_H
#define ATTEND_TOKENIZER_REGEX_REWRITE_H

#include "lib/core/buffer.h"

/* Append `pattern` to `out` with \p{..} \P{..} \w \W \d \D of the properties that we have tables for replaced by character
 * classes of Unicode 16 ranges, so that the age of the installed Oniguruma does not show. The rest is copied. */
void attend_regex_rewrite(attend_buffer *out, const char *pattern, size_t size);

#endif
