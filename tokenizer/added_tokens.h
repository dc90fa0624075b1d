/* added_tokens.h: tokens beside the model's vocabulary, found in the text before the model sees it. */
#ifndef ATTEND_TOKENIZER_ADDED_TOKENS_H
#define ATTEND_TOKENIZER_ADDED_TOKENS_H

#include "tokenizer/normalized.h"

attend_status attend_added_tokens_new(attend_added_tokens **out);
attend_status attend_added_tokens_add(attend_added_tokens *added, const attend_token_model *model,
                                      attend_added_token *token);
/* Build the search tables; `normalizer` spells the patterns of normalized tokens. */
attend_status attend_added_tokens_finish(attend_added_tokens *added, const attend_normalizer *normalizer);

int32_t attend_added_tokens_find(const attend_added_tokens *added, const char *token, size_t size); /* -1: none */
/* Spelling of the token with this id, NUL-terminated; NULL: none. That of a normalized token is its normalised content, as in
 * the reference. After finish. */
const char *attend_added_tokens_spelling(const attend_added_tokens *added, int32_t id, size_t *size);
bool attend_added_tokens_is_special(const attend_added_tokens *added, const char *token, size_t size);
size_t attend_added_tokens_id_bound(const attend_added_tokens *added); /* largest id + 1 */

/* A stretch of text: an added token (id >= 0) or what lies between (id -1). */
typedef struct attend_stretch {
	int32_t id;
	uint32_t start, end;
} attend_stretch;

typedef struct attend_stretches {
	attend_stretch *items;
	size_t count, capacity;
} attend_stretches;

void attend_stretches_free(attend_stretches *list);

/* Cut text into stretches (none for an empty text): leftmost longest, by the tokens whose `normalized` flag is as given.
 * `plain_specials`: special tokens are no tokens. */
attend_status attend_added_tokens_cut(const attend_added_tokens *added, const char *text, size_t size, bool normalized,
                                      bool plain_specials, attend_stretches *out);
/* Can no token with this flag occur in any text? */
bool attend_added_tokens_none(const attend_added_tokens *added, bool normalized);

#endif
