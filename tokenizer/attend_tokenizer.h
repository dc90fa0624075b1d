/* attend_tokenizer.h: text to token ids and back, as the tokenizers of HuggingFace checkpoints do it. Needs no model.
 *
 *     attend_tokenizer *tokenizer;
 *     attend_encoding encoding;
 *     if (attend_tokenizer_load(&tokenizer, "models/pretrained/bert-mini") != ATTEND_OK) puts(attend_error());
 *     attend_tokenizer_encode(&encoding, tokenizer, "Hello world", 11, NULL);
 *     ... encoding.ids[0 .. encoding.count - 1] ...
 *     attend_encoding_free(&encoding);
 *     attend_tokenizer_free(tokenizer);
 *
 * Texts are UTF-8 of a given size and may hold U+0000; at most 1 GiB each. A tokenizer is immutable after loading and may
 * be used by many threads at once. */
#ifndef ATTEND_TOKENIZER_H
#define ATTEND_TOKENIZER_H

#include "lib/core/attend_base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attend_tokenizer attend_tokenizer;

/* ---- loading ---- */

/* Load from a checkpoint folder or from one tokenizer.json. In a folder: tokenizer.json if there is one, else vocab.txt,
 * vocab.json + merges.txt, spiece.model (sentencepiece.bpe.model, source.spm ...) by the class that tokenizer_config.json or
 * config.json names; special_tokens_map.json and added_tokens.json are read too. NOTFOUND: no tokenizer there; FORMAT: a
 * file breaks its format; UNSUPPORTED: a component that attend does not know, named with its JSON path. */
ATTEND_API attend_status attend_tokenizer_load(attend_tokenizer **out, const char *path);
ATTEND_API void attend_tokenizer_free(attend_tokenizer *tokenizer); /* NULL is fine */

/* ---- vocabulary ---- */

/* One more than the largest id (added tokens included): the least number of rows that an embedding needs. */
ATTEND_API size_t attend_tokenizer_vocab_size(const attend_tokenizer *tokenizer);
/* Id of a token spelled as in the vocabulary ("##ing", "Ġthe", "<mask>"); -1: no such token. */
ATTEND_API int32_t attend_tokenizer_token_to_id(const attend_tokenizer *tokenizer, const char *token, size_t size);
/* Spelling of an id: NUL-terminated, borrowed from the tokenizer, its size in *size (may be NULL); NULL: no such id. */
ATTEND_API const char *attend_tokenizer_id_to_token(const attend_tokenizer *tokenizer, int32_t id, size_t *size);

typedef enum attend_special_token {
	ATTEND_TOKEN_UNK,
	ATTEND_TOKEN_CLS,
	ATTEND_TOKEN_SEP,
	ATTEND_TOKEN_PAD,
	ATTEND_TOKEN_MASK,
	ATTEND_TOKEN_BOS,
	ATTEND_TOKEN_EOS,
	ATTEND_SPECIAL_TOKEN_COUNT
} attend_special_token;

/* Id of a named special token, as tokenizer_config.json, special_tokens_map.json or the class says; -1: it has none. */
ATTEND_API int32_t attend_tokenizer_special_id(const attend_tokenizer *tokenizer, attend_special_token which);
/* Is this the id of a token that decoding with skip_special_tokens leaves out? */
ATTEND_API bool attend_tokenizer_is_special(const attend_tokenizer *tokenizer, int32_t id);
/* model_max_length: tokens (special ones included) that the model was made for; SIZE_MAX: no limit given. */
ATTEND_API size_t attend_tokenizer_max_length(const attend_tokenizer *tokenizer);
/* Kind of the vocabulary model: "WordPiece", "BPE", "Unigram", "WordLevel". Static text. */
ATTEND_API const char *attend_tokenizer_kind(const attend_tokenizer *tokenizer);
/* Special tokens that encoding adds to a single text (pair false) or to a pair (true). */
ATTEND_API size_t attend_tokenizer_added_count(const attend_tokenizer *tokenizer, bool pair);

/* ---- encoding ---- */

typedef struct attend_span {
	uint32_t start, end; /* end is exclusive */
} attend_span;

/* Tokens of one text or pair: parallel arrays of `count`. Arrays that were not asked for are NULL. Free with
 * attend_encoding_free. */
typedef struct attend_encoding {
	size_t count;
	int32_t *ids;
	int32_t *type_ids;            /* 0 first text, 1 second (or what the template says) */
	uint8_t *special_tokens_mask; /* 1: added by the post-processor (Marian: any special token but unk) */
	attend_span *offsets;         /* code points of the original text; {0,0} where special_tokens_mask is 1 */
	attend_span *byte_offsets;    /* the same in bytes; of ASCII text the same array */
	int32_t *word_ids;            /* index of the pre-token (added tokens count) in its text; -1 for added specials */
	int32_t *sequence_ids;        /* 0: of the first text, 1: of the second, -1: special */
	const char **tokens; /* spelling: as in the vocabulary, of added tokens as found in the text; NUL-terminated,
	                                 borrowed from the tokenizer or the encoding; lengths in token_sizes */
	uint32_t *token_sizes;
	struct attend_encoding *overflowing; /* windows that truncation cut off, in the reference's order */
	size_t overflowing_count;
	void *storage;
} attend_encoding;

typedef enum attend_truncation {
	ATTEND_TRUNCATE_NONE,
	ATTEND_TRUNCATE_LONGEST_FIRST,
	ATTEND_TRUNCATE_ONLY_FIRST,
	ATTEND_TRUNCATE_ONLY_SECOND
} attend_truncation;

/* What to compute beside ids, type_ids and special_tokens_mask. */
enum {
	ATTEND_ENCODE_OFFSETS = 1, /* offsets, byte_offsets, word_ids, sequence_ids */
	ATTEND_ENCODE_TOKENS = 2   /* tokens, token_sizes */
};

typedef struct attend_encode_options {
	bool no_special_tokens;    /* leave out [CLS] and friends */
	bool truncate_left;        /* cut at the beginning */
	bool return_overflowing;   /* keep what was cut, as windows that overlap by `stride` tokens */
	bool split_special_tokens; /* special tokens in the text are plain text */
	attend_truncation truncation;
	size_t max_length; /* special tokens count; used with truncation only */
	size_t stride;     /* < max_length - special tokens */
	unsigned fields;   /* ATTEND_ENCODE_... */
} attend_encode_options;

/* Tokenise one text. `options` may be NULL: special tokens, no truncation, ids alone. ATTEND_ERR_DATA: invalid UTF-8 (byte
 * position named) or a text that cannot be truncated as asked; ATTEND_ERR_ARG: options that exclude each other. */
ATTEND_API attend_status attend_tokenizer_encode(attend_encoding *out, const attend_tokenizer *tokenizer,
                                                 const char *text, size_t size, const attend_encode_options *options);
/* Tokenise a pair; offsets restart in the second text. */
ATTEND_API attend_status attend_tokenizer_encode_pair(attend_encoding *out, const attend_tokenizer *tokenizer,
                                                      const char *text, size_t size, const char *pair, size_t pair_size,
                                                      const attend_encode_options *options);
ATTEND_API void attend_encoding_free(attend_encoding *encoding); /* leaves it zeroed; a zeroed one is fine */

/* A text of a batch; pair NULL: none. */
typedef struct attend_text {
	const char *text;
	size_t size;
	const char *pair;
	size_t pair_size;
} attend_text;

/* Tokenise `count` texts on the thread team. out[count]; on failure nothing is left to free and the message names the
 * first failing index (where there are several). */
ATTEND_API attend_status attend_tokenizer_encode_batch(attend_encoding *out, const attend_tokenizer *tokenizer,
                                                       const attend_text *texts, size_t count,
                                                       const attend_encode_options *options);

/* Tokenise a text or pair of any length: what has more than `length` tokens (special ones included) becomes windows of that many
 * that overlap by `stride` tokens, the first one *out, the others out->overflowing. Of a pair the longer text slides, the other one
 * stands whole in every window. DATA: it leaves no room. ARG: stride is not below what the special tokens leave of length. */
ATTEND_API attend_status attend_tokenizer_encode_windows(attend_encoding *out, const attend_tokenizer *tokenizer,
                                                         const attend_text *text, size_t length, size_t stride);

/* Ids of many texts in one ragged array: text i has ids[starts[i] .. starts[i + 1] - 1]. The fastest way. */
typedef struct attend_ids {
	int32_t *ids;   /* never NULL */
	size_t *starts; /* count + 1 */
	size_t count;
} attend_ids;

ATTEND_API attend_status attend_tokenizer_encode_ids(attend_ids *out, const attend_tokenizer *tokenizer,
                                                     const attend_text *texts, size_t count,
                                                     const attend_encode_options *options);
ATTEND_API void attend_ids_free(attend_ids *ids);

/* Put the texts of `more` behind those of `to`, which is zero-initialised or comes from this function. NOMEM leaves it as it was. */
ATTEND_API attend_status attend_ids_append(attend_ids *to, const attend_ids *more);

/* As bytes, little-endian:
 *   NPY  NumPy's file format: one array int32 [N] of all ids, text after text, without what tells the texts apart
 *   BIN  "attnids1" · u64 count · u64 starts[count + 1] · i32 ids[starts[count]] */
typedef enum attend_ids_format { ATTEND_IDS_NPY, ATTEND_IDS_BIN } attend_ids_format;

/* *out is malloc'ed, the caller frees it. */
ATTEND_API attend_status attend_ids_pack(char **out, size_t *size, const attend_ids *ids, attend_ids_format format);
/* The same into a file, whole or not at all. */
ATTEND_API attend_status attend_ids_write(const char *path, const attend_ids *ids, attend_ids_format format);

/* ---- decoding ---- */

/* Read ids: numbers between blanks, or a JSON array of numbers. *out is malloc'ed. DATA: anything else. */
ATTEND_API attend_status attend_ids_parse(int32_t **out, size_t *count, const char *text, size_t size);

typedef enum attend_clean_up { ATTEND_CLEAN_UP_DEFAULT, ATTEND_CLEAN_UP_OFF, ATTEND_CLEAN_UP_ON } attend_clean_up;

/* Text of ids: malloc'ed with a NUL after *size bytes, the caller frees it. Ids without a token are dropped. clean_up
 * DEFAULT: as clean_up_tokenization_spaces of the checkpoint says. */
ATTEND_API attend_status attend_tokenizer_decode(char **out, size_t *size, const attend_tokenizer *tokenizer,
                                                 const int32_t *ids, size_t count, bool skip_special_tokens,
                                                 attend_clean_up clean_up);

/* ---- training a vocabulary ---- */

/* Named after the models that made them known: what decides about special tokens and the files that are written. */
typedef enum attend_vocab_kind {
	ATTEND_VOCAB_BERT,    /* WordPiece: [PAD] [UNK] [CLS] [SEP] [MASK]; vocab.txt, tokenizer.json */
	ATTEND_VOCAB_GPT2,    /* byte-level BPE: <|endoftext|>; vocab.json, merges.txt, tokenizer.json */
	ATTEND_VOCAB_ROBERTA, /* the same: <s> <pad> </s> <unk> <mask> */
	ATTEND_VOCAB_T5       /* Unigram: <pad> </s> <unk>; tokenizer.json */
} attend_vocab_kind;

/* Zero means the default everywhere. */
typedef struct attend_vocab_options {
	attend_vocab_kind kind;
	size_t vocab_size;                 /* tokens in all, special ones included [30000] */
	size_t min_frequency;              /* pairs and pieces that occur less often are not merged [2] */
	size_t limit_alphabet;             /* BERT, T5: the most frequent characters that are kept [1000] */
	size_t max_token_length;           /* characters (GPT-2: bytes) of a token [no limit; T5: 16] */
	size_t model_max_length;           /* for tokenizer_config.json [none] */
	size_t extra_ids;                  /* T5: sentinels <extra_id_0> ... on top of vocab_size [none] */
	bool cased;                        /* BERT: keep upper case and accents [lower case] */
	const char *const *special_tokens; /* further ones behind the kind's own, borrowed while the trainer lives */
	size_t special_count;
	/* NULL, or told what is done ("counting", bytes; "training", tokens) of `total` (0: unknown); false cancels. */
	bool (*progress)(void *payload, const char *stage, size_t done, size_t total);
	void *payload;
} attend_vocab_options;

typedef struct attend_vocab_trainer attend_vocab_trainer;

/* Counts words of texts, then makes a vocabulary. Memory grows with the number of distinct words, not with the text.
 * Deterministic: the same texts in any order give the same files; ties go to the smaller token ids. ATTEND_ERR_ARG: a
 * vocab_size too small for the special tokens and single characters shows when saving, other options here. */
ATTEND_API attend_status attend_vocab_trainer_new(attend_vocab_trainer **out, const attend_vocab_options *options);
ATTEND_API void attend_vocab_trainer_free(attend_vocab_trainer *trainer); /* NULL is fine */
/* Count the words of a text. DATA: no UTF-8. */
ATTEND_API attend_status attend_vocab_trainer_add(attend_vocab_trainer *trainer, const char *text, size_t size);
/* Count the words of a text file of any size, line by line (a line's end belongs to it). */
ATTEND_API attend_status attend_vocab_trainer_add_file(attend_vocab_trainer *trainer, const char *path);
/* Make the vocabulary and write the tokenizer's files into `folder` (made if it is not there), each whole or not at all.
 * *vocab_size (may be NULL): the tokens that it got, fewer than asked for when the text has no more. DATA: no words. */
ATTEND_API attend_status attend_vocab_trainer_save(size_t *vocab_size, attend_vocab_trainer *trainer,
                                                   const char *folder);

#ifdef __cplusplus
}
#endif
#endif
