/* spm.h: a SentencePiece model file (sentencepiece_model.proto): pieces, and how text is normalised before they apply. */
#ifndef ATTEND_TOKENIZER_SPM_H
#define ATTEND_TOKENIZER_SPM_H

#include "lib/core/status.h"

typedef enum attend_spm_type {
	ATTEND_SPM_NORMAL = 1,
	ATTEND_SPM_UNKNOWN = 2,
	ATTEND_SPM_CONTROL = 3,
	ATTEND_SPM_USER_DEFINED = 4,
	ATTEND_SPM_UNUSED = 5,
	ATTEND_SPM_BYTE = 6
} attend_spm_type;

typedef struct attend_spm_piece {
	const char *text; /* valid UTF-8, not NUL-terminated */
	size_t size;
	float score;
	attend_spm_type type;
} attend_spm_piece;

typedef enum attend_spm_model_type {
	ATTEND_SPM_UNIGRAM = 1,
	ATTEND_SPM_BPE = 2,
	ATTEND_SPM_WORD = 3,
	ATTEND_SPM_CHAR = 4
} attend_spm_model_type;

/* Spellings and the charsmap lie in `data`, which the struct owns. */
typedef struct attend_spm {
	char *data;
	attend_spm_piece *pieces;
	size_t count, capacity;
	attend_spm_model_type model_type;
	int32_t unk_id;
	bool byte_fallback;
	const char *unk_piece; /* spelling of the unknown piece */
	size_t unk_piece_size;
	const char *charsmap; /* precompiled_charsmap; size 0: none */
	size_t charsmap_size;
	bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
} attend_spm;

/* Read a model from memory; takes over `data` (malloc'ed, size bytes), on failure too. FORMAT: broken protobuf (byte named),
 * a piece that is no UTF-8, ids out of range. */
attend_status attend_spm_parse(attend_spm *out, char *data, size_t size);
/* From a file; the message names it. */
attend_status attend_spm_read(attend_spm *out, const char *path);
void attend_spm_free(attend_spm *spm);

#endif
