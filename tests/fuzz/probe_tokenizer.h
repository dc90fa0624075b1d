/* probe_tokenizer.h: what the tokenizer targets do with a tokenizer: encode, check what an encoding promises, decode. */
#ifndef ATTEND_TESTS_PROBE_TOKENIZER_H
#define ATTEND_TESTS_PROBE_TOKENIZER_H

#include "tokenizer/attend_tokenizer.h"

#include <stdlib.h>
#include <string.h>

static void probe_check(const attend_encoding *e, const attend_tokenizer *tokenizer, size_t size)
{
	const size_t vocab = attend_tokenizer_vocab_size(tokenizer);
	for (size_t i = 0; i < e->count; i++) {
		if (e->ids[i] < 0 || (size_t)e->ids[i] >= vocab) abort();
		if (e->byte_offsets[i].start > e->byte_offsets[i].end || e->byte_offsets[i].end > size) abort();
		if (e->offsets[i].start > e->offsets[i].end || e->offsets[i].end > e->byte_offsets[i].end) abort();
		if (strnlen(e->tokens[i], e->token_sizes[i]) > e->token_sizes[i]) abort();
	}
	for (size_t i = 0; i < e->overflowing_count; i++) probe_check(&e->overflowing[i], tokenizer, size);
}

static void probe_text(const attend_tokenizer *tokenizer, const char *text, size_t size)
{
	const attend_encode_options all = {.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS};
	const attend_encode_options windows = {.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS,
	                                       .truncation = ATTEND_TRUNCATE_LONGEST_FIRST,
	                                       .max_length = 8,
	                                       .stride = 1,
	                                       .return_overflowing = true};
	attend_encoding encoding;
	if (attend_tokenizer_encode(&encoding, tokenizer, text, size, &all) == ATTEND_OK) {
		char *decoded;
		size_t length;
		probe_check(&encoding, tokenizer, size);
		for (int skip = 0; skip < 2; skip++)
			if (attend_tokenizer_decode(&decoded, &length, tokenizer, encoding.ids, encoding.count, skip != 0,
			                            ATTEND_CLEAN_UP_DEFAULT) == ATTEND_OK)
				free(decoded);
		attend_encoding_free(&encoding);
	}
	if (attend_tokenizer_encode(&encoding, tokenizer, text, size, &windows) == ATTEND_OK) {
		probe_check(&encoding, tokenizer, size);
		attend_encoding_free(&encoding);
	}
	if (attend_tokenizer_encode_pair(&encoding, tokenizer, text, size, "a pair", 6, &all) == ATTEND_OK)
		attend_encoding_free(&encoding);
}

#endif
