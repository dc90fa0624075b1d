/* decoder.h: the parts of a decoder: decoder.c reads and runs them, decoder_steps.c holds what each does. */
#ifndef ATTEND_TOKENIZER_DECODER_H
#define ATTEND_TOKENIZER_DECODER_H

#include "tokenizer/tokenizer_internal.h"
#include "tokenizer/vocab.h"

typedef enum attend_decoder_kind {
	ATTEND_DECODER_BYTE_LEVEL,
	ATTEND_DECODER_WORDPIECE,
	ATTEND_DECODER_BPE,
	ATTEND_DECODER_METASPACE,
	ATTEND_DECODER_CTC,
	ATTEND_DECODER_REPLACE,
	ATTEND_DECODER_STRIP,
	ATTEND_DECODER_FUSE,
	ATTEND_DECODER_BYTE_FALLBACK,
	ATTEND_DECODER_MARIAN
} attend_decoder_kind;

/* One step: strings to strings. Text fields are owned. */
typedef struct attend_decoder_step {
	attend_decoder_kind kind;
	char *text; /* WordPiece: prefix; BPE: suffix; CTC: pad token; Replace: content */
	size_t text_size;
	char *delimiter; /* CTC: word_delimiter_token */
	size_t delimiter_size;
	attend_pattern *pattern; /* Replace */
	uint32_t character;      /* Metaspace: replacement; Strip: content */
	size_t start, stop;      /* Strip: how many characters at most */
	bool cleanup;            /* WordPiece, CTC */
	bool drop_first;         /* Metaspace: the replacement vanishes in the first token */
	attend_vocab pieces;     /* Marian: the pieces that source.spm knows; id 1 marks control ones, id 0 the others */
} attend_decoder_step;

struct attend_decoder {
	attend_decoder_step *steps;
	size_t count, capacity;
};

/* Run one step on `in`; `out` is cleared first. `special` as in attend_decoder_run. */
attend_status attend_decoder_step_run(const attend_decoder_step *step, const attend_string_list *in,
                                      const bool *special, attend_string_list *out);

/* The i-th string of a list. */
static inline const char *attend_string_at(const attend_string_list *list, size_t i, size_t *size)
{
	const size_t start = i > 0 ? list->ends[i - 1] : 0;
	*size = list->ends[i] - start;
	return list->text.data != NULL ? list->text.data + start : "";
}

/* MarianTokenizer's convert_tokens_to_string; takes over what `pieces` holds. */
attend_status attend_decoder_marian(attend_decoder **out, attend_vocab *pieces);

#endif
