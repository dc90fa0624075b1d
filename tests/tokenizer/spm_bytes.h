/* spm_bytes.h: a SentencePiece model file written by hand, field by field. */
#ifndef ATTEND_TESTS_SPM_BYTES_H
#define ATTEND_TESTS_SPM_BYTES_H

#include "lib/core/buffer.h"
#include "tokenizer/spm.h"

#include <string.h>

static inline void put_varint(attend_buffer *out, uint64_t value)
{
	do {
		const unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		attend_buffer_append(out, &byte, 1);
		value >>= 7;
	} while (value > 0);
}

static inline void put_number(attend_buffer *out, uint32_t field, uint64_t value)
{
	put_varint(out, (uint64_t)field << 3);
	put_varint(out, value);
}

static inline void put_bytes(attend_buffer *out, uint32_t field, const void *bytes, size_t size)
{
	put_varint(out, (uint64_t)field << 3 | 2);
	put_varint(out, size);
	attend_buffer_append(out, bytes, size);
}

static inline void put_piece(attend_buffer *out, const char *text, float score, attend_spm_type type)
{
	attend_buffer piece = {0};
	put_bytes(&piece, 1, text, strlen(text));
	put_varint(&piece, 2 << 3 | 5);
	attend_buffer_append(&piece, &score, 4); /* little-endian, as everything here */
	if (type != ATTEND_SPM_NORMAL) put_number(&piece, 3, type);
	put_bytes(out, 1, piece.data, piece.size);
	attend_buffer_free(&piece);
}

#endif
