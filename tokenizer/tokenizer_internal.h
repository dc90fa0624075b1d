/* tokenizer_internal.h: what the stages of a tokenizer promise one another.
 *
 *   text -> added tokens cut out (added_tokens.c) -> normalizer -> added tokens of normalised spelling cut out
 *        -> pre-tokenizer (words) -> model (ids) -> truncation -> post-processor;      ids -> decoder -> text
 *
 * The names of stages and types are those of huggingface/tokenizers. Components are immutable once loaded: many threads run
 * through them at once, so whatever a call changes lies in an attend_scratch. */
#ifndef ATTEND_TOKENIZER_INTERNAL_H
#define ATTEND_TOKENIZER_INTERNAL_H

#include "lib/core/buffer.h"
#include "lib/core/json.h"
#include "tokenizer/attend_tokenizer.h"
#include "tokenizer/unicode.h"

/* ---- models: wordpiece.c bpe.c unigram.c wordlevel.c ---- */

/* Tokens in a row. `spans` are kept only while `with_spans`: bytes of the text that the word lies in. Zero-initialise;
 * attend_token_list_free. */
typedef struct attend_token_list {
	int32_t *ids;
	attend_span *spans;
	size_t count, id_capacity, span_capacity;
	bool with_spans;
} attend_token_list;

attend_status attend_token_list_reserve(attend_token_list *list, size_t more); /* room for count + more */
void attend_token_list_free(attend_token_list *list);

/* Append after a reserve that covers it. */
static inline void attend_token_list_put(attend_token_list *list, int32_t id, uint32_t start, uint32_t end)
{
	list->ids[list->count] = id;
	if (list->with_spans) list->spans[list->count] = (attend_span){start, end};
	list->count++;
}

static inline attend_status attend_token_list_push(attend_token_list *list, int32_t id, uint32_t start, uint32_t end)
{
	if (list->count == list->id_capacity || (list->with_spans && list->count == list->span_capacity))
		ATTEND_TRY(attend_token_list_reserve(list, 1));
	attend_token_list_put(list, id, start, end);
	return ATTEND_OK;
}

typedef struct attend_token_model attend_token_model;

/* A model's functions. */
typedef struct attend_token_model_ops {
	const char *type; /* "WordPiece" ...: tokenizer.json's model.type */
	/* Append the tokens of one word: word[size], size >= 1, valid UTF-8 (any bytes after use_bytes). Spans are bytes within
	 * the word plus `base`. Cost must be near linear in size (words of megabytes occur). The result depends on the word
	 * alone: the driver caches it. `scratch` is what scratch_new made for this thread (NULL without scratch_new). */
	attend_status (*tokenize)(const attend_token_model *model, void *scratch, const char *word, size_t size,
	                          uint32_t base, attend_token_list *out);
	int32_t (*token_to_id)(const attend_token_model *model, const char *token, size_t size); /* -1: none */
	const char *(*id_to_token)(const attend_token_model *model, int32_t id,
	                           size_t *size);              /* NULL: none; NUL-terminated */
	size_t (*vocab_size)(const attend_token_model *model); /* entries */
	size_t (*id_bound)(const attend_token_model *model);   /* largest id + 1 */
	/* NULL or: from now on words are raw bytes, of which each stands for its character in GPT-2's byte table (the ByteLevel
	 * stage in front is skipped). Called once while loading. False: the model cannot; words stay text. */
	bool (*use_bytes)(attend_token_model *model);
	attend_status (*scratch_new)(void **out, const attend_token_model *model); /* both NULL: no scratch needed */
	void (*scratch_free)(void *scratch);
	void (*free)(attend_token_model *model);
} attend_token_model_ops;

/* First member of every model. */
struct attend_token_model {
	const attend_token_model_ops *ops;
	int32_t unk_id;   /* -1: none */
	bool surface_unk; /* the spelling of an unk token in an encoding is the text it covers (Unigram) */
};

attend_status attend_wordpiece_from_json(attend_token_model **out, const attend_json *model);
attend_status attend_bpe_from_json(attend_token_model **out, const attend_json *model);
attend_status attend_unigram_from_json(attend_token_model **out, const attend_json *model);
attend_status attend_wordlevel_from_json(attend_token_model **out, const attend_json *model);
/* By "type", or in its absence by the fields, tried in the order BPE, WordPiece, WordLevel, Unigram. */
attend_status attend_token_model_from_json(attend_token_model **out, const attend_json *model);

/* ---- patterns: regex.c (Oniguruma's syntax, Unicode 16 classes) ---- */

typedef struct attend_span_list {
	attend_span *items;
	size_t count, capacity;
} attend_span_list;

attend_status attend_span_list_push(attend_span_list *list, uint32_t start, uint32_t end);
void attend_span_list_free(attend_span_list *list);

/* {"String": ...} or {"Regex": ...} of Split and Replace. */
typedef struct attend_pattern attend_pattern;
attend_status attend_pattern_from_json(attend_pattern **out, const attend_json *pattern);
attend_status attend_pattern_from_string(attend_pattern **out, const char *string, size_t size);
attend_status attend_pattern_from_regex(attend_pattern **out, const char *regex, size_t size);
void attend_pattern_free(attend_pattern *pattern);
const char *attend_pattern_regex(
	const attend_pattern *pattern); /* the expression as the file spells it; NULL: a literal */
/* Clear `out` and put all matches, left to right, not overlapping; empty ones as the reference's find_iter gives them. */
attend_status attend_pattern_find(const attend_pattern *pattern, const char *text, size_t size, attend_span_list *out);

/* ---- normalizer.c, pretokenizer.c ---- */

typedef struct attend_normalizer attend_normalizer;
attend_status attend_normalizer_from_json(attend_normalizer **out, const attend_json *json); /* null: *out = NULL */
attend_status attend_normalizer_from_text(attend_normalizer **out, const char *json_text); /* for the legacy loaders */
/* Precompiled from the blob itself (not base64), copied; FORMAT when it is broken. */
attend_status attend_normalizer_precompiled(attend_normalizer **out, const void *charsmap, size_t size);
/* SentencePiece's own normaliser (longest match; huggingface.md section 3.6), for Marian. An empty charsmap is fine. */
typedef struct attend_spm_rules {
	bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
} attend_spm_rules;
attend_status attend_normalizer_spm(attend_normalizer **out, const void *charsmap, size_t size, attend_spm_rules rules);
/* Sequence of `count` normalizers (NULL ones are skipped); takes them over, also on failure. */
attend_status attend_normalizer_sequence(attend_normalizer **out, attend_normalizer **parts, size_t count);
void attend_normalizer_free(attend_normalizer *normalizer);

typedef struct attend_pretokenizer attend_pretokenizer;
attend_status attend_pretokenizer_from_json(attend_pretokenizer **out, const attend_json *json);
attend_status attend_pretokenizer_from_text(attend_pretokenizer **out, const char *json_text);
void attend_pretokenizer_free(attend_pretokenizer *pretokenizer);

/* ---- postprocessor.c: every type reduces to two templates and trimmed offsets ---- */

typedef enum attend_piece_kind { ATTEND_PIECE_A, ATTEND_PIECE_B, ATTEND_PIECE_SPECIAL } attend_piece_kind;

typedef struct attend_template_piece {
	attend_piece_kind kind;
	int32_t type_id;
	int32_t *ids;  /* SPECIAL: what it expands to, owned */
	char **tokens; /* their spellings, owned, NUL-terminated */
	size_t count;
} attend_template_piece;

typedef struct attend_template {
	attend_template_piece *pieces;
	size_t count;
} attend_template;

typedef struct attend_postprocessor {
	attend_template single, pair; /* no template: A with type 0, then B with type 1 */
	bool trim_offsets;            /* ByteLevel's and Roberta's */
	bool trim_prefix_space;       /* their add_prefix_space */
	bool retypes_overflow;        /* Roberta's: the template's type ids count in overflowing windows too, not 0 and 1 */
} attend_postprocessor;

/* null gives the default templates. A template that names an unknown special token, or lacks A, is an error. */
attend_status attend_postprocessor_from_json(attend_postprocessor **out, const attend_json *json);
attend_status attend_postprocessor_from_text(attend_postprocessor **out, const char *json_text);
void attend_postprocessor_free(attend_postprocessor *postprocessor);
size_t attend_postprocessor_added(const attend_postprocessor *postprocessor, bool pair);
/* How many characters trim_offsets takes off a token's front and back, by its spelling. The driver moves the offsets (never
 * past each other). */
void attend_postprocessor_trim(const attend_postprocessor *postprocessor, const char *token, size_t size,
                               uint32_t *leading, uint32_t *trailing);
/* How many of them at the front, of a token at index 0 of its window or of offset 0. */
uint32_t attend_postprocessor_trim_first(const attend_postprocessor *postprocessor, uint32_t leading);

/* ---- decoder.c ---- */

/* Strings in a row in one buffer: the i-th ends at ends[i]. Zero-initialise. */
typedef struct attend_string_list {
	attend_buffer text;
	size_t *ends;
	size_t count, capacity;
} attend_string_list;

attend_status attend_string_list_push(attend_string_list *list, const char *text, size_t size);
void attend_string_list_clear(attend_string_list *list);
void attend_string_list_free(attend_string_list *list);

typedef struct attend_decoder attend_decoder;
attend_status attend_decoder_from_json(attend_decoder **out, const attend_json *json); /* null: *out = NULL */
attend_status attend_decoder_from_text(attend_decoder **out, const char *json_text);
void attend_decoder_free(attend_decoder *decoder);
/* Tokens to text, appended to `out`. `special[i]` (may be NULL) tells which tokens are special (Marian asks). NULL decoder:
 * joined by ' '. `tokens` is consumed (its content is undefined afterwards). */
attend_status attend_decoder_run(const attend_decoder *decoder, attend_string_list *tokens, const bool *special,
                                 attend_buffer *out);
/* transformers' clean_up_tokenization on the whole text, in place. */
void attend_clean_up_text(attend_buffer *text);

/* ---- added_tokens.c ---- */

typedef struct attend_added_token {
	const char *content; /* `size` bytes */
	size_t size;
	bool single_word, lstrip, rstrip, normalized, special;
	int32_t id; /* out */
} attend_added_token;

typedef struct attend_added_tokens attend_added_tokens;
void attend_added_tokens_free(attend_added_tokens *added);

/* ---- the tokenizer: tokenizer.c encode.c stages.c lanes.c truncation.c encoding.c ---- */

struct attend_tokenizer {
	attend_normalizer *normalizer;     /* NULL: none */
	attend_pretokenizer *pretokenizer; /* NULL: none, the whole piece is one word */
	attend_token_model *model;
	attend_postprocessor *postprocessor;
	attend_decoder *decoder; /* NULL: joined by ' ' */
	attend_added_tokens *added;
	int32_t special_ids[ATTEND_SPECIAL_TOKEN_COUNT]; /* -1: none */
	size_t max_length;                               /* SIZE_MAX: not given */
	bool clean_up;                                   /* clean_up_tokenization_spaces */
	/* Marian's rules: text that starts with ">>" yields its part up to the first "<<" as one token; special tokens of the text,
	 * but the unknown one, are marked in special_tokens_mask. */
	bool marian_rules;
	struct attend_stages *stages; /* stages.c: plans and scratch pool, made by attend_tokenizer_finish */
};

/* An empty tokenizer: special ids -1, max_length SIZE_MAX. */
attend_status attend_tokenizer_new(attend_tokenizer **out);
/* All of tokenizer.json: five components and added_tokens. Not finished: loaders may still add and change. `document` is
 * the parsed file (loaders may edit it first). */
attend_status attend_tokenizer_from_json(attend_tokenizer **out, const attend_json *document);
/* Add a token (added_vocabulary.rs): a content that the model has gets the model's id, one that was added before keeps its
 * id and takes the new flags, else the next free id. Empty content is ignored (id -1). The model must be set. */
attend_status attend_tokenizer_add_token(attend_tokenizer *tokenizer, attend_added_token *token);
/* Build what encoding needs. The last step of a loader. */
attend_status attend_tokenizer_finish(attend_tokenizer *tokenizer);

/* load.c, by tokenizer_config.json's class: the legacy files. attend_tokenizer_load is there too. */

#endif
