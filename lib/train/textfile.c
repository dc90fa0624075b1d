/* textfile.c: gzip (RFC 1952, through zlib) and encodings: UTF-8, UTF-16 (RFC 2781), ISO 8859-1, Windows-1252 (WHATWG). */
#include "lib/train/textfile.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "lib/core/buffer.h"
#include "lib/core/file.h"

typedef enum encoding { AUTO, UTF8, UTF16, UTF16LE, UTF16BE, LATIN1, CP1252 } encoding;

static attend_status parse_encoding(encoding *out, const char *name)
{
	static const struct {
		const char *name;
		encoding encoding;
	} names[] = {{"utf-8", UTF8},        {"utf8", UTF8},           {"utf-16", UTF16},   {"utf16", UTF16},
	             {"utf-16le", UTF16LE},  {"utf-16be", UTF16BE},    {"latin-1", LATIN1}, {"latin1", LATIN1},
	             {"iso-8859-1", LATIN1}, {"windows-1252", CP1252}, {"cp1252", CP1252}};
	*out = AUTO;
	if (!name) return ATTEND_OK;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(name, names[i].name) != 0) continue;
		*out = names[i].encoding;
		return ATTEND_OK;
	}
	return attend_fail(ATTEND_ERR_ARG,
	                   "no encoding is called '%s': there are utf-8, utf-16, utf-16le, utf-16be, latin-1, windows-1252",
	                   name);
}

struct attend_textstream {
	char *path;
	int fd;
	encoding encoding;
	bool opened, begun, packed, file_ended, ended;
	z_stream unpacker;
	int unpacked; /* what inflate said last */
	size_t produced;
	unsigned char raw[1 << 16]; /* of a packed file */
	unsigned char bytes[1 << 16];
	size_t count; /* of bytes that are not decoded yet */
	size_t line;  /* of the next byte, for messages */
	attend_buffer text;
	size_t at; /* where the next line begins in text */
};

/* ---- Bytes ---------------------------------------------------------------------------------------------------------------- */

static attend_status read_file(attend_textstream *s, void *into, size_t room, size_t *got)
{
	*got = 0;
	if (!s->file_ended) ATTEND_TRY(attend_file_next(s->fd, s->path, into, room, got));
	s->file_ended |= *got == 0;
	return ATTEND_OK;
}

/* Members may follow one another. */
static attend_status unpack(attend_textstream *s, unsigned char *into, size_t room, size_t *got)
{
	z_stream *z = &s->unpacker;
	z->next_out = into;
	z->avail_out = (uInt)room;
	while (z->avail_out == room) {
		if (z->avail_in == 0) {
			size_t n;
			ATTEND_TRY(read_file(s, s->raw, sizeof s->raw, &n));
			z->next_in = s->raw;
			z->avail_in = (uInt)n;
		}
		if (z->avail_in == 0 && s->unpacked == Z_STREAM_END) break;
		if (s->unpacked == Z_STREAM_END && inflateReset(z) != Z_OK) return attend_fail_memory(1, "gzip");
		s->unpacked = inflate(z, Z_NO_FLUSH);
		if (s->unpacked == Z_BUF_ERROR && !s->file_ended) continue; /* wants more of the file */
		if (s->unpacked != Z_OK && s->unpacked != Z_STREAM_END)
			return attend_fail(ATTEND_ERR_DATA, "%s: broken gzip data after %zu bytes of text", s->path,
			                   s->produced + room - z->avail_out);
	}
	*got = room - z->avail_out;
	s->produced += *got;
	return ATTEND_OK;
}

/* Fill s->bytes up; fewer than its room only at the end. */
static attend_status fill(attend_textstream *s)
{
	while (s->count < sizeof s->bytes && !s->ended) {
		size_t got;
		ATTEND_TRY(s->packed ? unpack(s, s->bytes + s->count, sizeof s->bytes - s->count, &got)
		                     : read_file(s, s->bytes + s->count, sizeof s->bytes - s->count, &got));
		s->ended = got == 0;
		s->count += got;
	}
	return ATTEND_OK;
}

static attend_status begin(attend_textstream *s)
{
	s->begun = true;
	ATTEND_TRY(fill(s));
	if (s->count >= 2 && s->bytes[0] == 0x1F && s->bytes[1] == 0x8B) {
		memcpy(s->raw, s->bytes, s->count); /* of the same size */
		s->unpacker.next_in = s->raw;
		s->unpacker.avail_in = (uInt)s->count;
		if (inflateInit2(&s->unpacker, 15 + 16) != Z_OK) return attend_fail_memory(s->count, "gzip");
		s->packed = true;
		s->ended = false;
		s->count = 0;
		ATTEND_TRY(fill(s));
	}
	const unsigned char *b = s->bytes;
	const bool mark8 = s->count >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF;
	const bool le = s->count >= 2 && b[0] == 0xFF && b[1] == 0xFE, be = s->count >= 2 && b[0] == 0xFE && b[1] == 0xFF;
	if (s->encoding == AUTO) s->encoding = le ? UTF16LE : be ? UTF16BE : UTF8;
	if (s->encoding == UTF16) s->encoding = be ? UTF16BE : UTF16LE;
	if ((s->encoding == UTF16LE && be) || (s->encoding == UTF16BE && le))
		return attend_fail(ATTEND_ERR_DATA, "%s: the byte-order mark is that of %s", s->path,
		                   be ? "utf-16be" : "utf-16le");
	const bool mark16 = s->encoding == UTF16LE || s->encoding == UTF16BE ? le || be : false;
	const size_t skip = mark16 ? 2 : s->encoding == UTF8 && mark8 ? 3 : 0;
	s->count -= skip;
	memmove(s->bytes, s->bytes + skip, s->count);
	return ATTEND_OK;
}

/* ---- Characters ----------------------------------------------------------------------------------------------------------- */

/* Bytes of the well-formed UTF-8 sequence at s (Unicode table 3-7), 0 when it is none. */
static size_t utf8_sequence(const unsigned char *s, size_t left)
{
	const unsigned char a = s[0];
	const size_t n = a < 0x80                ? 1
	                 : a >= 0xC2 && a < 0xE0 ? 2
	                 : a >= 0xE0 && a < 0xF0 ? 3
	                 : a >= 0xF0 && a < 0xF5 ? 4
	                                         : 0;
	if (n == 0 || n > left) return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xC0) != 0x80) return 0;
	if ((a == 0xE0 && s[1] < 0xA0) || (a == 0xED && s[1] >= 0xA0) || (a == 0xF0 && s[1] < 0x90) ||
	    (a == 0xF4 && s[1] >= 0x90))
		return 0;
	return n;
}

static void append_code(attend_buffer *out, uint32_t c)
{
	char s[4];
	size_t n = 0;
	if (c < 0x80) {
		s[n++] = (char)c;
	} else if (c < 0x800) {
		s[n++] = (char)(0xC0 | c >> 6);
		s[n++] = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		s[n++] = (char)(0xE0 | c >> 12);
		s[n++] = (char)(0x80 | (c >> 6 & 63));
		s[n++] = (char)(0x80 | (c & 63));
	} else {
		s[n++] = (char)(0xF0 | c >> 18);
		s[n++] = (char)(0x80 | (c >> 12 & 63));
		s[n++] = (char)(0x80 | (c >> 6 & 63));
		s[n++] = (char)(0x80 | (c & 63));
	}
	attend_buffer_append(out, s, n);
}

/* Each takes a character (UTF-8: up to the next newline) off s->bytes[at ..]: *used 0 when more bytes are needed. */
static attend_status take_utf8(attend_textstream *s, size_t at, size_t *used)
{
	size_t run = 0, n;
	bool newline = false;
	while (!newline && at + run < s->count && (n = utf8_sequence(s->bytes + at + run, s->count - at - run)) > 0) {
		newline = s->bytes[at + run] == '\n';
		run += n;
	}
	if (run == 0 && (s->ended || s->count - at >= 4))
		return attend_fail(ATTEND_ERR_DATA, "%s:%zu: byte 0x%02x is not UTF-8 (see --encoding)", s->path, s->line,
		                   (unsigned)s->bytes[at]);
	attend_buffer_append(&s->text, s->bytes + at, run);
	*used = run;
	return ATTEND_OK;
}

static attend_status take_utf16(attend_textstream *s, size_t at, size_t *used)
{
	const unsigned char *b = s->bytes + at;
	const size_t left = s->count - at;
	const bool little = s->encoding == UTF16LE;
	*used = 0;
	if (left < 4 && !s->ended) return ATTEND_OK;
	if (left < 2) return attend_fail(ATTEND_ERR_DATA, "%s:%zu: not UTF-16: an odd byte at the end", s->path, s->line);
	const uint32_t c = (uint32_t)(b[little] << 8 | b[!little]);
	const uint32_t low = left >= 4 ? (uint32_t)(b[2 + little] << 8 | b[2 + !little]) : 0;
	const bool pair = c >= 0xD800 && c < 0xDC00 && low >= 0xDC00 && low < 0xE000;
	if (!pair && c >= 0xD800 && c <= 0xDFFF)
		return attend_fail(ATTEND_ERR_DATA, "%s:%zu: not UTF-16: half of a surrogate pair", s->path, s->line);
	append_code(&s->text, pair ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : c);
	*used = pair ? 4 : 2;
	return ATTEND_OK;
}

/* Windows-1252's own range 0x80 .. 0x9F; 0: not assigned. */
static const uint16_t cp1252[32] = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                    0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                    0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

static attend_status take_byte(attend_textstream *s, size_t at, size_t *used)
{
	uint32_t c = s->bytes[at];
	if (s->encoding == CP1252 && c >= 0x80 && c < 0xA0 && !(c = cp1252[c - 0x80]))
		return attend_fail(ATTEND_ERR_DATA, "%s:%zu: byte 0x%02x is not in windows-1252", s->path, s->line,
		                   (unsigned)s->bytes[at]);
	append_code(&s->text, c);
	*used = 1;
	return ATTEND_OK;
}

/* Append the next piece of the file to s->text. */
static attend_status decode(attend_textstream *s)
{
	ATTEND_TRY(s->begun ? fill(s) : begin(s));
	size_t at = 0;
	for (size_t used = 0; at < s->count; at += used) {
		switch (s->encoding) {
		case UTF8: ATTEND_TRY(take_utf8(s, at, &used)); break;
		case UTF16LE:
		case UTF16BE: ATTEND_TRY(take_utf16(s, at, &used)); break;
		default: ATTEND_TRY(take_byte(s, at, &used)); break;
		}
		if (used == 0) break;
		s->line += s->text.size && s->text.data[s->text.size - 1] == '\n';
	}
	memmove(s->bytes, s->bytes + at, s->count - at);
	s->count -= at;
	return attend_buffer_status(&s->text);
}

/* ---- The stream ----------------------------------------------------------------------------------------------------------- */

attend_status attend_textstream_open(attend_textstream **out, const char *path, const char *encoding)
{
	attend_textstream *s = calloc(1, sizeof *s);
	attend_status status = s ? ATTEND_OK : attend_fail_memory(sizeof *s, "text");
	if (status == ATTEND_OK) status = parse_encoding(&s->encoding, encoding);
	if (status == ATTEND_OK && !(s->path = strdup(path))) status = attend_fail_memory(strlen(path), "text");
	if (status == ATTEND_OK) status = attend_file_open(&s->fd, path);
	if (status != ATTEND_OK) {
		attend_textstream_close(s);
		return status;
	}
	s->opened = true;
	s->line = 1;
	*out = s;
	return ATTEND_OK;
}

void attend_textstream_close(attend_textstream *stream)
{
	if (!stream) return;
	if (stream->packed) inflateEnd(&stream->unpacker);
	if (stream->opened) attend_file_close(stream->fd);
	attend_buffer_free(&stream->text);
	free(stream->path);
	free(stream);
}

static bool is_done(const attend_textstream *s)
{
	return s->begun && s->ended && s->count == 0;
}

attend_status attend_textstream_line(attend_textstream *stream, const char **line, size_t *size)
{
	attend_textstream *s = stream;
	for (size_t looked = s->at;;) {
		const char *newline = s->text.size > looked ? memchr(s->text.data + looked, '\n', s->text.size - looked) : NULL;
		if (newline || is_done(s)) {
			*line = s->text.data ? s->text.data + s->at : "";
			*size = newline ? (size_t)(newline + 1 - *line) : s->text.size - s->at;
			s->at += *size;
			return ATTEND_OK;
		}
		if (s->at) { /* lines that were handed out make room */
			memmove(s->text.data, s->text.data + s->at, s->text.size - s->at);
			s->text.size -= s->at;
			s->at = 0;
		}
		looked = s->text.size;
		ATTEND_TRY(decode(s));
	}
}

attend_status attend_textfile_read(char **out, size_t *out_size, const char *path, const char *encoding)
{
	attend_textstream *s = NULL;
	ATTEND_TRY(attend_textstream_open(&s, path, encoding));
	attend_status status = ATTEND_OK;
	attend_buffer_append(&s->text, "", 0);
	while (status == ATTEND_OK && !is_done(s)) status = decode(s);
	if (status == ATTEND_OK) {
		*out = s->text.data;
		*out_size = s->text.size;
		s->text = (attend_buffer){0};
	}
	attend_textstream_close(s);
	return status;
}
