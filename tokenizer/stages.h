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
	bool ascii;               /* the text is: a byte is a code point */
	attend_token_list tokens; /* spans: bytes of the original; kept when offsets are wanted */
	int32_t *words;           /* by token, with the spans */
	size_t word_capacity;
	int32_t word_count;
	attend_surface *surfaces; /* in the order of tokens; kept when spellings are wanted */
	size_t surface_count, surface_capacity;
	attend_buffer surface_text;
	attend_span *chars; /* spans in code points, unless the text is ASCII; made by attend_assemble */
	size_t char_capacity;
} attend_sequence;

struct attend_lane_plan;
struct attend_chunk;

/* Chunks by their bytes (chunks.h). */
typedef struct attend_chunk_cache {
	struct attend_chunk *chunks; /* lines of two */
	unsigned line_bits;
	size_t used;          /* slots */
	int32_t *spilled_ids; /* tokens of chunks of many, with their places */
	uint8_t *spilled_places;
	size_t spilled, id_capacity, place_capacity;
	unsigned turn; /* whose turn it is to give way in a full line */
} attend_chunk_cache;

/* What one call changes; taken from the tokenizer's pool and given back. */
typedef struct attend_scratch {
	struct attend_scratch *next; /* in the pool */
	attend_sequence sequences[2];
	attend_words whole, part; /* a normalised stretch, and a piece of it between added tokens */
	attend_stretches raw, cooked, unchanged;
	attend_token_list word_tokens, chunk_tokens;
	attend_word_cache cache;      /* words as the model gets them */
	attend_word_cache odd_chunks; /* stretches of the original, ids alone; made when needed */
	attend_chunk_cache chunks;
	void *model;    /* the model's scratch */
	uint8_t *trims; /* by id: what trim_offsets takes off (encoding.c); made when needed */
	size_t trim_count;
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

/* ---- what lanes.c needs ---- */

/* One text on its way. */
typedef struct attend_run {
	const attend_tokenizer *tokenizer;
	const struct attend_lane_plan *plan;
	attend_scratch *scratch;
	attend_sequence *out;
	bool tracked, surfaces, plain_specials;
} attend_run;

/* A stretch of the original through all stages. */
attend_status attend_run_text(const attend_run *run, uint32_t start, uint32_t end);
/* A stretch of the original as one word for a model that takes raw bytes. */
attend_status attend_run_raw_word(const attend_run *run, uint32_t start, uint32_t end);
/* Append the model's tokens of a word, with spans within it plus `base`, to `out`. */
attend_status attend_run_tokenize(const attend_run *run, const char *word, size_t size, uint32_t base,
                                  attend_token_list *out);
/* Room for `more` tokens' spans and word ids. */
attend_status attend_run_reserve_places(const attend_run *run, size_t more);
/* Give the tokens from `from` on the present word index. */
attend_status attend_run_word_ids(const attend_run *run, size_t from);

#endif
