/* stages.h: one text through all stages up to the model, and the memory that it needs. */
#ifndef ATTEND_TOKENIZER_STAGES_H
#define ATTEND_TOKENIZER_STAGES_H

#include "tokenizer/added_tokens.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/word_cache.h"

/* Token whose spelling is the text that it covers. */
typedef struct attend_surface {
	uint32_t token;       /* index in the sequence */
	uint32_t start, size; /* in surface_text */
} attend_surface;

/* The tokens of one text, before truncation. */
typedef struct attend_sequence {
	const char *text;
	size_t size;
	attend_token_list tokens; /* spans: bytes of the original; kept when offsets are wanted */
	int32_t *words;           /* by token, with the spans */
	size_t word_capacity;
	int32_t word_count;
	attend_surface *surfaces; /* in the order of tokens; kept when spellings are wanted */
	size_t surface_count, surface_capacity;
	attend_buffer surface_text;
	attend_span *chars; /* spans in code points; made by attend_assemble */
	size_t char_capacity;
} attend_sequence;

/* What one call changes; taken from the tokenizer's pool and given back. */
typedef struct attend_scratch {
	struct attend_scratch *next; /* in the pool */
	attend_sequence sequences[2];
	attend_words whole, part; /* a normalised stretch, and a piece of it between added tokens */
	attend_stretches raw, cooked;
	attend_token_list word_tokens;
	attend_word_cache cache;
	void *model; /* the model's scratch */
	struct attend_window *windows[2];
	size_t window_count[2], window_capacity[2];
} attend_scratch;

/* Plans made by attend_tokenizer_finish, and the pool of scratches. */
typedef struct attend_stages attend_stages;

/* Asks the model to take raw bytes where the pre-tokenizer allows it. */
attend_status attend_stages_new(attend_stages **out, const attend_tokenizer *tokenizer);
void attend_stages_free(attend_stages *stages);

attend_status attend_scratch_take(attend_scratch **out, const attend_tokenizer *tokenizer);
void attend_scratch_give(const attend_tokenizer *tokenizer, attend_scratch *scratch);

/* Tokenise text into scratch->sequences[which]; `fields` and `plain_specials` as in attend_encode_options. */
attend_status attend_stages_run(const attend_tokenizer *tokenizer, attend_scratch *scratch, unsigned which,
                                const char *text, size_t size, unsigned fields, bool plain_specials);

#endif
