/* token_text.h: transformers' convert_tokens_to_string. */
#ifndef ATTEND_TASKS_TOKEN_TEXT_H
#define ATTEND_TASKS_TOKEN_TEXT_H

#include "lib/tasks/bag.h"
#include "tokenizer/attend_tokenizer.h"

/* Spelled tokens (words[i] of sizes[i] bytes) joined by the tokenizer's decoder, without clean-up; in the bag, NUL-terminated. */
attend_status attend_token_text(const char **out, size_t *size, const attend_tokenizer *tokenizer, attend_bag *bag,
                                const char *const *words, const size_t *sizes, size_t count);

#endif
