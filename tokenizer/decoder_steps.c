/* decoder_steps.c: what each decoder of huggingface/tokenizers does to the strings, and the clean-up of English spacing. */
#include <stdlib.h>

#include "tokenizer/decoder.h"

/* ---- helpers ---- */

/* Append `text` with every `from` replaced by `to`, left to right. */
static void append_replaced(attend_buffer *out, const char *text, size_t size, const char *from, size_t from_size,
                            const char *to, size_t to_size)
{
	size_t start = 0;
	if (from_size > 0) {
		for (size_t i = 0; i + from_size <= size;) {
			const char *hit = memchr(text + i, from[0], size - from_size - i + 1);
			if (hit == NULL) break;
			i = (size_t)(hit - text);
			if (memcmp(hit, from, from_size) != 0) {
				i++;
				continue;
			}
			attend_buffer_append(out, text + start, i - start);
			attend_buffer_append(out, to, to_size);
			start = i += from_size;
		}
	}
	attend_buffer_append(out, text + start, size - start);
}

typedef struct replacement {
	const char *from, *to;
} replacement;

static const replacement library_rules[] = {
	{" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
	{" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

static const replacement transformers_rules[] = {
	{" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
	{" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

/* Apply rules one after the other to all of `text`, with `spare` as the other buffer. */
static void clean_up(attend_buffer *text, attend_buffer *spare, const replacement *rules, size_t count)
{
	for (size_t i = 0; i < count && text->size > 1 && !text->failed; i++) {
		const char *hit = text->data;
		const size_t from = strlen(rules[i].from);
		bool found = false;
		/* most rules do not apply: look first */
		while (!found && (hit = memchr(hit, ' ', text->size - (size_t)(hit - text->data))) != NULL) {
			found = text->size - (size_t)(hit - text->data) >= from && memcmp(hit, rules[i].from, from) == 0;
			hit++;
		}
		if (!found) continue;
		attend_buffer_clear(spare);
		append_replaced(spare, text->data, text->size, rules[i].from, from, rules[i].to, strlen(rules[i].to));
		const attend_buffer swap = *text;
		*text = *spare;
		*spare = swap;
	}
}

void attend_clean_up_text(attend_buffer *text)
{
	attend_buffer spare = {0};
	clean_up(text, &spare, transformers_rules, sizeof transformers_rules / sizeof *transformers_rules);
	attend_buffer_free(&spare);
}

/* ---- the decoders that work on each token alone: append to `out` ---- */

/* Buffers for the clean-up. */
typedef struct spares {
	attend_buffer a, b;
} spares;

static void append_cleaned(attend_buffer *out, spares *s)
{
	clean_up(&s->a, &s->b, library_rules, sizeof library_rules / sizeof *library_rules);
	attend_buffer_append(out, s->a.data, s->a.size);
	out->failed = out->failed || s->a.failed || s->b.failed;
}

static void wordpiece(const attend_decoder_step *step, attend_buffer *out, const char *token, size_t size, bool first,
                      spares *s)
{
	attend_buffer *to = step->cleanup ? &s->a : out;
	if (step->cleanup) attend_buffer_clear(&s->a);
	if (!first) {
		if (size >= step->text_size && memcmp(token, step->text, step->text_size) == 0) {
			token += step->text_size;
			size -= step->text_size;
		} else {
			attend_buffer_append(to, " ", 1);
		}
	}
	attend_buffer_append(to, token, size);
	if (step->cleanup) append_cleaned(out, s);
}

static void metaspace(const attend_decoder_step *step, attend_buffer *out, const char *token, size_t size, bool first)
{
	char mark[4];
	const size_t mark_size = attend_utf8_encode(mark, step->character);
	append_replaced(out, token, size, mark, mark_size, " ", first && step->drop_first ? 0 : 1);
}

/* Up to `start` characters equal to the given one at the front, up to `stop` at the end. */
static void strip(const attend_decoder_step *step, attend_buffer *out, const char *token, size_t size)
{
	char mark[4];
	const size_t mark_size = attend_utf8_encode(mark, step->character);
	size_t from = 0, to = size;
	for (size_t i = 0; i < step->start && size - from >= mark_size && memcmp(token + from, mark, mark_size) == 0; i++)
		from += mark_size;
	for (size_t i = 0; i < step->stop && to - from >= mark_size && memcmp(token + to - mark_size, mark, mark_size) == 0;
	     i++)
		to -= mark_size;
	attend_buffer_append(out, token + from, to - from);
}

static attend_status replace(const attend_decoder_step *step, attend_buffer *out, const char *token, size_t size,
                             attend_span_list *matches)
{
	if (size == 0) return ATTEND_OK;
	ATTEND_TRY(attend_pattern_find(step->pattern, token, size, matches));
	size_t start = 0;
	for (size_t i = 0; i < matches->count; i++) {
		attend_buffer_append(out, token + start, matches->items[i].start - start);
		attend_buffer_append(out, step->text, step->text_size);
		start = matches->items[i].end;
	}
	attend_buffer_append(out, token + start, size - start);
	return ATTEND_OK;
}

static attend_status run_each(const attend_decoder_step *step, const attend_string_list *in, attend_string_list *out)
{
	spares s = {0};
	attend_span_list matches = {0};
	attend_status status = ATTEND_OK;
	for (size_t i = 0; status == ATTEND_OK && i < in->count; i++) {
		size_t size;
		const char *token = attend_string_at(in, i, &size);
		attend_buffer *to = &out->text;
		switch (step->kind) {
		case ATTEND_DECODER_WORDPIECE: wordpiece(step, to, token, size, i == 0, &s); break;
		case ATTEND_DECODER_BPE:
			append_replaced(to, token, size, step->text, step->text_size, " ", i + 1 == in->count ? 0 : 1);
			break;
		case ATTEND_DECODER_METASPACE: metaspace(step, to, token, size, i == 0); break;
		case ATTEND_DECODER_STRIP: strip(step, to, token, size); break;
		default: status = replace(step, to, token, size, &matches); break;
		}
		if (status == ATTEND_OK) status = attend_string_list_push(out, NULL, 0); /* ends what was appended */
	}
	attend_buffer_free(&s.a);
	attend_buffer_free(&s.b);
	attend_span_list_free(&matches);
	return status;
}

/* ---- the others ---- */

/* The bytes of all tokens together; a token with a character outside the byte table is itself. */
static attend_status byte_level(const attend_string_list *in, attend_string_list *out)
{
	attend_buffer bytes = {0};
	for (size_t i = 0; i < in->count; i++) {
		size_t size;
		const char *token = attend_string_at(in, i, &size);
		const size_t mark = bytes.size;
		for (size_t at = 0, n; at < size; at += n) {
			const int byte = attend_char_to_byte(attend_utf8_decode(token + at, &n));
			const char c = (char)byte;
			if (byte >= 0) {
				attend_buffer_append(&bytes, &c, 1);
				continue;
			}
			if (!bytes.failed) bytes.size = mark;
			attend_buffer_append(&bytes, token, size);
			break;
		}
	}
	if (bytes.size > 0) attend_utf8_append_lossy(&out->text, bytes.data, bytes.size);
	const attend_status status = attend_buffer_status(&bytes);
	attend_buffer_free(&bytes);
	return status == ATTEND_OK ? attend_string_list_push(out, NULL, 0) : status;
}

/* Equal tokens in a row count once; padding goes; what is empty then is no token any more. */
static attend_status ctc(const attend_decoder_step *step, const attend_string_list *in, attend_string_list *out)
{
	spares s = {0};
	attend_buffer cleaned = {0};
	attend_status status = ATTEND_OK;
	const char *last = NULL;
	size_t last_size = 0;
	for (size_t i = 0; status == ATTEND_OK && i < in->count; i++) {
		size_t size;
		const char *token = attend_string_at(in, i, &size);
		if (last != NULL && size == last_size && memcmp(token, last, size) == 0) continue;
		last = token;
		last_size = size;
		const size_t mark = out->text.size;
		attend_buffer_clear(&s.a);
		append_replaced(&s.a, token, size, step->text, step->text_size, "", 0);
		if (step->cleanup) {
			attend_buffer_clear(&cleaned);
			append_cleaned(&cleaned, &s);
			append_replaced(&out->text, cleaned.data, cleaned.size, step->delimiter, step->delimiter_size, " ", 1);
		} else {
			attend_buffer_append(&out->text, s.a.data, s.a.size);
		}
		out->text.failed = out->text.failed || s.a.failed || cleaned.failed;
		if (out->text.size > mark || out->text.failed) status = attend_string_list_push(out, NULL, 0);
	}
	attend_buffer_free(&s.a);
	attend_buffer_free(&s.b);
	attend_buffer_free(&cleaned);
	return status;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

/* Byte of "<0xXX>"; -1: another token. A '+' in front of one digit counts too, as in Rust's from_str_radix. */
static int byte_of_token(const char *token, size_t size)
{
	if (size != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>') return -1;
	const int high = token[3] == '+' ? 0 : hex_digit(token[3]), low = hex_digit(token[4]);
	return high >= 0 && low >= 0 ? high * 16 + low : -1;
}

/* A run of byte tokens is one string if it is UTF-8, otherwise a U+FFFD for each of them. */
static attend_status flush_bytes(attend_buffer *bytes, attend_string_list *out)
{
	if (bytes->failed) return attend_buffer_status(bytes);
	if (bytes->size == 0) return ATTEND_OK;
	attend_status status = ATTEND_OK;
	if (attend_utf8_valid_prefix(bytes->data, bytes->size) == bytes->size)
		status = attend_string_list_push(out, bytes->data, bytes->size);
	else
		for (size_t i = 0; status == ATTEND_OK && i < bytes->size; i++)
			status = attend_string_list_push(out, "\ufffd", 3);
	attend_buffer_clear(bytes);
	return status;
}

static attend_status byte_fallback(const attend_string_list *in, attend_string_list *out)
{
	attend_buffer bytes = {0};
	attend_status status = ATTEND_OK;
	for (size_t i = 0; status == ATTEND_OK && i < in->count; i++) {
		size_t size;
		const char *token = attend_string_at(in, i, &size);
		const int byte = byte_of_token(token, size);
		const char c = (char)byte;
		if (byte >= 0) {
			attend_buffer_append(&bytes, &c, 1);
			continue;
		}
		status = flush_bytes(&bytes, out);
		if (status == ATTEND_OK) status = attend_string_list_push(out, token, size);
	}
	if (status == ATTEND_OK) status = flush_bytes(&bytes, out);
	attend_buffer_free(&bytes);
	return status;
}

static const char space_mark[] = "\u2581";

/* SentencePiece's decoding of a run of pieces: control pieces are invisible, and while there is no text yet a piece loses
 * its leading space mark. Pieces that source.spm does not know stay as they are (their marks become spaces all the same). */
static void marian_piece(const attend_decoder_step *step, attend_buffer *out, const char *piece, size_t size,
                         bool start)
{
	const int32_t kind = attend_vocab_find(&step->pieces, piece, size);
	if (kind == 1) return;
	if (kind == 0 && start && size >= 3 && memcmp(piece, space_mark, 3) == 0) {
		piece += 3;
		size -= 3;
	}
	append_replaced(out, piece, size, space_mark, 3, " ", 1);
}

/* Python's str.strip(). */
static attend_status push_stripped(attend_string_list *out, const char *text, size_t size)
{
	size_t from = 0, n;
	while (from < size) {
		const uint32_t c = attend_utf8_decode(text + from, &n);
		if (!attend_is_whitespace(c) && (c < 0x1c || c > 0x1f)) break;
		from += n;
	}
	while (size > from) {
		size_t at = size - 1;
		while (at > from && !attend_utf8_is_start(text[at])) at--;
		const uint32_t c = attend_utf8_decode(text + at, &n);
		if (!attend_is_whitespace(c) && (c < 0x1c || c > 0x1f)) break;
		size = at;
	}
	return attend_string_list_push(out, text + from, size - from);
}

/* A special token stands right behind the text and is followed by a space. */
static attend_status marian(const attend_decoder_step *step, const attend_string_list *in, const bool *special,
                            attend_string_list *out)
{
	attend_buffer text = {0};
	size_t run = 0; /* where the present run's text starts */
	for (size_t i = 0; i < in->count; i++) {
		size_t size;
		const char *token = attend_string_at(in, i, &size);
		if (special == NULL || !special[i]) {
			marian_piece(step, &text, token, size, text.size == run);
			continue;
		}
		append_replaced(&text, token, size, space_mark, 3, " ", 1);
		attend_buffer_append(&text, " ", 1);
		run = text.size;
	}
	attend_status status = attend_buffer_status(&text);
	if (status == ATTEND_OK) status = push_stripped(out, text.data != NULL ? text.data : "", text.size);
	attend_buffer_free(&text);
	return status;
}

attend_status attend_decoder_step_run(const attend_decoder_step *step, const attend_string_list *in,
                                      const bool *special, attend_string_list *out)
{
	attend_string_list_clear(out);
	switch (step->kind) {
	case ATTEND_DECODER_BYTE_LEVEL: return byte_level(in, out);
	case ATTEND_DECODER_FUSE: return attend_string_list_push(out, in->text.data, in->text.size);
	case ATTEND_DECODER_CTC: return ctc(step, in, out);
	case ATTEND_DECODER_BYTE_FALLBACK: return byte_fallback(in, out);
	case ATTEND_DECODER_MARIAN: return marian(step, in, special, out);
	default: return run_each(step, in, out);
	}
}
