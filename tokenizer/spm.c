/* spm.c: reader of the protobuf wire format (varints, 64-bit, length-delimited, 32-bit fields; unknown fields skipped), as
 * far as sentencepiece_model.proto needs: ModelProto{1: SentencePiece{1 piece, 2 score, 3 type}, 2: TrainerSpec{3
 * model_type, 35 byte_fallback, 40 unk_id, 45 unk_piece}, 3: NormalizerSpec{2 precompiled_charsmap, 3 add_dummy_prefix, 4
 * remove_extra_whitespaces, 5 escape_whitespaces}}. The bytes are hostile: every length is checked against what is left. */
#include "tokenizer/spm.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "tokenizer/unicode.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5, PIECE_LIMIT = 1 << 23 };

/* A message: bytes at .. end of a file that starts at `file`. */
typedef struct reader {
	const unsigned char *file, *at, *end;
} reader;

typedef struct field {
	uint32_t number;
	int wire;
	uint64_t value; /* of VARINT, FIXED64, FIXED32 */
	reader bytes;   /* of BYTES */
} field;

static attend_status bad(const reader *r, const char *what)
{
	return attend_fail(ATTEND_ERR_FORMAT, "SentencePiece model, byte %zu: %s", (size_t)(r->at - r->file), what);
}

static attend_status read_varint(uint64_t *out, reader *r)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (r->at == r->end) return bad(r, "the file ends within a number");
		const unsigned char byte = *r->at++;
		if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = value;
			return ATTEND_OK;
		}
	}
	return bad(r, "a number of more than ten bytes");
}

static attend_status read_fixed(uint64_t *out, reader *r, size_t size)
{
	if ((size_t)(r->end - r->at) < size) return bad(r, "the file ends within a number");
	*out = 0;
	for (size_t i = 0; i < size; i++) *out |= (uint64_t)r->at[i] << (8 * i);
	r->at += size;
	return ATTEND_OK;
}

static attend_status read_field(field *out, reader *r)
{
	uint64_t tag, size;
	ATTEND_TRY(read_varint(&tag, r));
	*out = (field){.number = (uint32_t)(tag >> 3), .wire = (int)(tag & 7)};
	if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return bad(r, "not a field number: is this a SentencePiece model?");
	switch (out->wire) {
	case VARINT: return read_varint(&out->value, r);
	case FIXED64: return read_fixed(&out->value, r, 8);
	case FIXED32: return read_fixed(&out->value, r, 4);
	case BYTES:
		ATTEND_TRY(read_varint(&size, r));
		if (size > (uint64_t)(r->end - r->at)) return bad(r, "a field reaches beyond the end");
		out->bytes = (reader){r->file, r->at, r->at + size};
		r->at += size;
		return ATTEND_OK;
	default: return bad(r, "unknown wire type: is this a SentencePiece model?");
	}
}

static attend_status expect(const field *f, int wire, const reader *r)
{
	return f->wire == wire ? ATTEND_OK : bad(r, "a known field with an unexpected wire type");
}

static attend_status read_text(const char **out, size_t *size, const field *f)
{
	ATTEND_TRY(expect(f, BYTES, &f->bytes));
	*out = (const char *)f->bytes.at;
	*size = (size_t)(f->bytes.end - f->bytes.at);
	if (attend_utf8_valid_prefix(*out, *size) != *size) return bad(&f->bytes, "a string that is not UTF-8");
	return ATTEND_OK;
}

static attend_status read_piece(attend_spm *spm, reader r)
{
	attend_spm_piece piece = {"", 0, 0, ATTEND_SPM_NORMAL};
	while (r.at < r.end) {
		field f;
		ATTEND_TRY(read_field(&f, &r));
		if (f.number == 1) {
			ATTEND_TRY(read_text(&piece.text, &piece.size, &f));
		} else if (f.number == 2) {
			ATTEND_TRY(expect(&f, FIXED32, &r));
			const uint32_t bits = (uint32_t)f.value;
			memcpy(&piece.score, &bits, sizeof bits);
			if (piece.score != piece.score) return bad(&r, "a score that is no number");
		} else if (f.number == 3) {
			ATTEND_TRY(expect(&f, VARINT, &r));
			if (f.value < ATTEND_SPM_NORMAL || f.value > ATTEND_SPM_BYTE) return bad(&r, "an unknown type of piece");
			piece.type = (attend_spm_type)f.value;
		}
	}
	if (spm->count >= PIECE_LIMIT) return bad(&r, "more than 2^23 pieces");
	ATTEND_TRY(attend_grow(&spm->pieces, &spm->capacity, spm->count + 1, sizeof *spm->pieces, "pieces"));
	spm->pieces[spm->count++] = piece;
	return ATTEND_OK;
}

static attend_status read_trainer(attend_spm *spm, reader r)
{
	while (r.at < r.end) {
		field f;
		ATTEND_TRY(read_field(&f, &r));
		if (f.number == 45) ATTEND_TRY(read_text(&spm->unk_piece, &spm->unk_piece_size, &f));
		if (f.number != 3 && f.number != 35 && f.number != 40) continue;
		ATTEND_TRY(expect(&f, VARINT, &r));
		if (f.number == 3) {
			if (f.value < ATTEND_SPM_UNIGRAM || f.value > ATTEND_SPM_CHAR) return bad(&r, "an unknown model type");
			spm->model_type = (attend_spm_model_type)f.value;
		} else if (f.number == 35) {
			spm->byte_fallback = f.value != 0;
		} else {
			if (f.value >= PIECE_LIMIT) return bad(&r, "unk_id is out of range");
			spm->unk_id = (int32_t)f.value;
		}
	}
	return ATTEND_OK;
}

static attend_status read_normalizer(attend_spm *spm, reader r)
{
	while (r.at < r.end) {
		field f;
		ATTEND_TRY(read_field(&f, &r));
		if (f.number == 2) {
			ATTEND_TRY(expect(&f, BYTES, &r));
			spm->charsmap = (const char *)f.bytes.at;
			spm->charsmap_size = (size_t)(f.bytes.end - f.bytes.at);
		} else if (f.number >= 3 && f.number <= 5) {
			ATTEND_TRY(expect(&f, VARINT, &r));
			if (f.number == 3) spm->add_dummy_prefix = f.value != 0;
			if (f.number == 4) spm->remove_extra_whitespaces = f.value != 0;
			if (f.number == 5) spm->escape_whitespaces = f.value != 0;
		}
	}
	return ATTEND_OK;
}

static attend_status read_model(attend_spm *spm, reader r)
{
	while (r.at < r.end) {
		field f;
		ATTEND_TRY(read_field(&f, &r));
		if (f.number < 1 || f.number > 3) continue;
		ATTEND_TRY(expect(&f, BYTES, &r));
		if (f.number == 1) ATTEND_TRY(read_piece(spm, f.bytes));
		if (f.number == 2) ATTEND_TRY(read_trainer(spm, f.bytes));
		if (f.number == 3) ATTEND_TRY(read_normalizer(spm, f.bytes));
	}
	if (spm->count == 0) return attend_fail(ATTEND_ERR_FORMAT, "SentencePiece model without pieces");
	return ATTEND_OK;
}

attend_status attend_spm_parse(attend_spm *out, char *data, size_t size)
{
	*out = (attend_spm){
		.data = data,
		.model_type = ATTEND_SPM_UNIGRAM,
		.unk_piece = "<unk>",
		.unk_piece_size = 5,
		.charsmap = "",
		.add_dummy_prefix = true,
		.remove_extra_whitespaces = true,
		.escape_whitespaces = true,
	};
	const unsigned char *bytes = (const unsigned char *)data;
	const attend_status status = read_model(out, (reader){bytes, bytes, bytes + size});
	if (status != ATTEND_OK) attend_spm_free(out);
	return status;
}

attend_status attend_spm_read(attend_spm *out, const char *path)
{
	char *data;
	size_t size;
	ATTEND_TRY(attend_file_read(&data, &size, path, (size_t)1 << 28));
	const attend_status status = attend_spm_parse(out, data, size);
	return status == ATTEND_OK ? status : attend_fail_in(status, path);
}

void attend_spm_free(attend_spm *spm)
{
	free(spm->data);
	free(spm->pieces);
	*spm = (attend_spm){0};
}
