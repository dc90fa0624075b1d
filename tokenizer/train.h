/* train.h: the parts of training a vocabulary: words counted (train_vocab.c), merges learned (train_merges.c), pieces learned
 * (train_unigram.c), files written (train_write.c). */
#ifndef ATTEND_TOKENIZER_TRAIN_H
#define ATTEND_TOKENIZER_TRAIN_H

#include "tokenizer/tokenizer_internal.h"
#include "tokenizer/vocab.h"

/* ---- words ---- */

/* Distinct words with how often they occurred. Zero-initialise. */
typedef struct attend_counted_word {
	size_t start; /* in the pool */
	uint32_t size, hash;
	uint64_t count;
} attend_counted_word;

typedef struct attend_word_counts {
	char *pool;
	size_t pool_size, pool_capacity;
	attend_counted_word *words;
	size_t count, capacity;
	uint32_t *slots; /* word + 1; 0: free */
	size_t slot_count;
} attend_word_counts;

attend_status attend_word_counts_add(attend_word_counts *counts, const char *word, size_t size, uint64_t times);
/* Forget the words that occurred less than `least` times. */
attend_status attend_word_counts_prune(attend_word_counts *counts, uint64_t least);
/* Words and pool in the order of their bytes: what is made of them must not depend on the order of the texts. */
attend_status attend_word_counts_sort(attend_word_counts *counts);
void attend_word_counts_free(attend_word_counts *counts);

/* ---- merges ---- */

typedef struct attend_merge_pair {
	int32_t left, right, id;
} attend_merge_pair;

/* Words as symbols: word w is symbols[starts[w] .. starts[w + 1] - 1] and occurs counts[w] times. Zero-initialise. */
typedef struct attend_symbol_words {
	int32_t *symbols;
	size_t symbol_count, symbol_capacity;
	size_t *starts; /* count + 1 */
	uint64_t *counts;
	size_t count, start_capacity, count_capacity;
} attend_symbol_words;

attend_status attend_symbol_words_push(attend_symbol_words *words, int32_t symbol);
/* The symbols pushed since the last end are a word. */
attend_status attend_symbol_words_end(attend_symbol_words *words, uint64_t times);
void attend_symbol_words_free(attend_symbol_words *words);

typedef struct attend_merge_training {
	size_t vocab_size;       /* stop at so many entries of the vocabulary */
	uint64_t min_frequency;  /* stop at pairs that occur less often; >= 1 */
	size_t max_token_length; /* characters; SIZE_MAX: no limit */
	size_t prefix_size;      /* of the continuing prefix that the right part loses */
	bool (*progress)(void *payload, const char *stage, size_t done, size_t total);
	void *payload;
} attend_merge_training;

/* Learn merges from words whose symbols are ids of `vocab`, which grows by the merged tokens. *merges is malloc'ed. The
 * words are changed. CANCELLED: progress said so. */
attend_status attend_train_merges(attend_merge_pair **merges, size_t *merge_count, attend_vocab *vocab,
                                  attend_symbol_words *words, const attend_merge_training *training);

/* ---- pieces ---- */

/* A piece of the words: text in their pool. */
typedef struct attend_seed {
	size_t start; /* in words->pool */
	uint32_t size;
	uint64_t count;
	double score; /* logarithm of its probability; for a seed: count * characters */
} attend_seed;

typedef struct attend_unigram_training {
	size_t piece_count;     /* how many pieces are wanted */
	size_t max_piece_chars; /* characters of a piece */
	size_t limit_alphabet;
	bool (*progress)(void *payload, const char *stage, size_t done, size_t total);
	void *payload;
} attend_unigram_training;

/* train_seed.c: substrings of the words to begin with: first the *letters most frequent characters (at most limit_alphabet), by
 * code point, then the best others by count * characters, at most a million. Words with characters that are not kept, and
 * very long ones, give nothing. malloc'ed. */
attend_status attend_find_seeds(attend_seed **out, size_t *count, size_t *letters, const attend_word_counts *words,
                                const attend_unigram_training *training);

/* Learn pieces from sorted words, best first; their scores are logarithms of probabilities. malloc'ed. */
attend_status attend_train_unigram(attend_seed **out, size_t *count, const attend_word_counts *words,
                                   const attend_unigram_training *training);

/* train_letters.c: the `limit` most frequent characters (the smaller code point of equals), by code point. malloc'ed. */
typedef struct attend_letter {
	uint32_t c;
	bool continues; /* it occurs behind the first place of a word */
	uint64_t count;
	size_t word;               /* one that has it ... */
	uint32_t at;               /* ... at this byte */
	int32_t start_id, more_id; /* for the caller; -1 */
} attend_letter;
attend_status attend_find_letters(attend_letter **out, size_t *count, const attend_word_counts *words, size_t limit);
/* The letter of a code point; NULL: not kept. */
const attend_letter *attend_letter_of(const attend_letter *letters, size_t count, uint32_t c);

/* ---- the vocabulary and its files ---- */

typedef struct attend_trained {
	attend_vocab_options options; /* defaults filled in */
	attend_vocab vocab;
	attend_merge_pair *merges;
	size_t merge_count;
	double *scores;       /* T5: of the ids */
	size_t special_count; /* special tokens have the first ids; extra ids the last ones */
} attend_trained;

/* train_make.c: learn what the options ask for from sorted words. `own`: the kind's special tokens, ends with NULL. */
attend_status attend_trained_make(attend_trained *out, const attend_word_counts *words,
                                  const attend_vocab_options *options, const char *const *own);
void attend_trained_free(attend_trained *trained);

/* train_write.c */
attend_status attend_trained_write(const attend_trained *trained, const char *folder);

#endif
