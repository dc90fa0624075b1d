/* models.h: the vocabulary models made from data in memory, for the readers of tokenizer.json and of the legacy files. */
#ifndef ATTEND_TOKENIZER_MODELS_H
#define ATTEND_TOKENIZER_MODELS_H

#include "tokenizer/tokenizer_internal.h"
#include "tokenizer/vocab.h"

/* Each constructor takes what `vocab` (or `pieces`) holds, on failure too, and leaves it empty. */

typedef struct attend_wordpiece_config {
	const char *unk_token;                 /* "[UNK]" */
	const char *continuing_subword_prefix; /* "##" */
	size_t max_input_chars_per_word;       /* 100 */
} attend_wordpiece_config;
attend_status attend_wordpiece_new(attend_token_model **out, attend_vocab *vocab,
                                   const attend_wordpiece_config *config);

attend_status attend_wordlevel_new(attend_token_model **out, attend_vocab *vocab, const char *unk_token);

/* What is merged; the rank is the index in the list. Borrowed spellings. */
typedef struct attend_merge {
	const char *left, *right;
	size_t left_size, right_size;
} attend_merge;

typedef struct attend_bpe_config {
	const char *unk_token;                                      /* NULL: unknown characters vanish */
	const char *continuing_subword_prefix, *end_of_word_suffix; /* NULL or "": none */
	bool fuse_unk, byte_fallback, ignore_merges;
} attend_bpe_config;

/* A merge that names no token: FORMAT, with its index in *bad_merge, for the caller to say where it stands; any other failure
 * leaves SIZE_MAX there. */
attend_status attend_bpe_new(attend_token_model **out, attend_vocab *vocab, const attend_merge *merges, size_t count,
                             const attend_bpe_config *config, size_t *bad_merge);
/* Split "left right" at its only space; false when it has none or several. */
bool attend_merge_split(attend_merge *out, const char *text, size_t size);

/* A Unigram vocabulary: spellings in a vocab, whose ids are the indices of scores. Zero-initialise. */
typedef struct attend_unigram_pieces {
	attend_vocab vocab;
	double *scores;
	size_t count, capacity;
} attend_unigram_pieces;

attend_status attend_unigram_pieces_add(attend_unigram_pieces *pieces, const char *piece, size_t size, double score);
void attend_unigram_pieces_free(attend_unigram_pieces *pieces);

attend_status attend_unigram_new(attend_token_model **out, attend_unigram_pieces *pieces, int32_t unk_id,
                                 bool byte_fallback);

#endif
