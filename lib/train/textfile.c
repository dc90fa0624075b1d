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

static attend_status unpack(char **bytes, size_t *size, const char *path)
{
	z_stream stream = {.next_in = (Bytef *)*bytes};
	if (inflateInit2(&stream, 15 + 16) != Z_OK) return attend_fail_memory(*size, "gzip");
	attend_buffer plain = {0};
	size_t left = *size;
	int state = Z_OK;
	while (!plain.failed) {
		char chunk[1 << 16];
		const size_t piece = left > 1u << 30 ? 1u << 30 : left;
		if (stream.avail_in == 0) {
			stream.avail_in = (uInt)piece;
			left -= piece;
		}
		stream.next_out = (Bytef *)chunk;
		stream.avail_out = sizeof chunk;
		state = inflate(&stream, Z_NO_FLUSH);
		attend_buffer_append(&plain, chunk, sizeof chunk - stream.avail_out);
		if (state == Z_STREAM_END) {
			if (stream.avail_in == 0 && left == 0) break;
			if (inflateReset(&stream) != Z_OK) break; /* members may follow one another */
		} else if (state != Z_OK || (stream.avail_in == 0 && left == 0 && stream.avail_out != 0)) {
			break;
		}
	}
	inflateEnd(&stream);
	attend_status status = attend_buffer_status(&plain);
	if (status == ATTEND_OK && state != Z_STREAM_END)
		status = attend_fail(ATTEND_ERR_DATA, "%s: broken gzip data after %zu bytes of text", path, plain.size);
	if (status != ATTEND_OK) {
		attend_buffer_free(&plain);
		return status;
	}
	if (!plain.data) attend_buffer_append(&plain, "", 0);
	free(*bytes);
	*bytes = plain.data ? plain.data : calloc(1, 1);
	*size = plain.size;
	return *bytes ? ATTEND_OK : attend_fail_memory(1, "gzip");
}

static size_t line_at(const char *bytes, size_t at)
{
	size_t line = 1;
	for (size_t i = 0; i < at; i++) line += bytes[i] == '\n';
	return line;
}

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

static attend_status check_utf8(const char *bytes, size_t size, const char *path)
{
	for (size_t i = 0; i < size;) {
		const size_t n = utf8_sequence((const unsigned char *)bytes + i, size - i);
		if (n == 0)
			return attend_fail(ATTEND_ERR_DATA, "%s:%zu: byte 0x%02x is not UTF-8 (see --encoding)", path,
			                   line_at(bytes, i), (unsigned)(unsigned char)bytes[i]);
		i += n;
	}
	return ATTEND_OK;
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

static attend_status from_utf16(attend_buffer *out, const unsigned char *s, size_t size, bool little, const char *path)
{
	size_t line = 1;
	for (size_t i = 0; i < size; i += 2) {
		const bool whole = i + 1 < size;
		const uint32_t c = whole ? (uint32_t)(s[i + !!little] << 8 | s[i + !little]) : 0xDC00;
		const bool pair = c >= 0xD800 && c < 0xDC00 && i + 3 < size;
		const uint32_t low = pair ? (uint32_t)(s[i + 2 + !!little] << 8 | s[i + 2 + !little]) : 0;
		if (c < 0xD800 || c > 0xDFFF) {
			append_code(out, c);
		} else if (pair && low >= 0xDC00 && low < 0xE000) {
			append_code(out, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
			i += 2;
		} else {
			return attend_fail(ATTEND_ERR_DATA, "%s:%zu: not UTF-16: %s", path, line,
			                   whole ? "half of a surrogate pair" : "an odd byte at the end");
		}
		line += c == '\n';
	}
	return ATTEND_OK;
}

/* Windows-1252's own range 0x80 .. 0x9F; 0: not assigned. */
static const uint16_t cp1252[32] = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                    0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                    0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

static attend_status from_bytes(attend_buffer *out, const unsigned char *s, size_t size, bool windows, const char *path)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t c = s[i];
		if (windows && c >= 0x80 && c < 0xA0 && !(c = cp1252[c - 0x80]))
			return attend_fail(ATTEND_ERR_DATA, "%s:%zu: byte 0x%02x is not in windows-1252", path,
			                   line_at((const char *)s, i), (unsigned)s[i]);
		append_code(out, c);
	}
	return ATTEND_OK;
}

attend_status attend_textfile_read(char **out, size_t *out_size, const char *path, const char *name)
{
	encoding encoding;
	ATTEND_TRY(parse_encoding(&encoding, name));
	char *bytes = NULL;
	size_t size = 0;
	ATTEND_TRY(attend_file_read(&bytes, &size, path, 0));
	if (size >= 2 && (unsigned char)bytes[0] == 0x1F && (unsigned char)bytes[1] == 0x8B) {
		const attend_status status = unpack(&bytes, &size, path);
		if (status != ATTEND_OK) {
			free(bytes);
			return status;
		}
	}
	const unsigned char *s = (const unsigned char *)bytes;
	const bool mark8 = size >= 3 && s[0] == 0xEF && s[1] == 0xBB && s[2] == 0xBF;
	const bool mark_le = size >= 2 && s[0] == 0xFF && s[1] == 0xFE, mark_be = size >= 2 && s[0] == 0xFE && s[1] == 0xFF;
	if (encoding == AUTO) encoding = mark_le ? UTF16LE : mark_be ? UTF16BE : UTF8;
	if (encoding == UTF16) encoding = mark_be ? UTF16BE : UTF16LE;
	const bool utf16 = encoding == UTF16LE || encoding == UTF16BE;
	const size_t skip = utf16 && (mark_le || mark_be) ? 2 : encoding == UTF8 && mark8 ? 3 : 0;
	attend_status status;
	if (encoding == UTF8) {
		memmove(bytes, bytes + skip, size - skip + 1);
		size -= skip;
		status = check_utf8(bytes, size, path);
	} else {
		attend_buffer text = {0};
		attend_buffer_append(&text, "", 0);
		status = utf16 ? from_utf16(&text, s + skip, size - skip, encoding == UTF16LE, path)
		               : from_bytes(&text, s, size, encoding == CP1252, path);
		if (status == ATTEND_OK) status = attend_buffer_status(&text);
		free(bytes);
		bytes = text.data;
		size = text.size;
	}
	if (status != ATTEND_OK) {
		free(bytes);
		return status;
	}
	*out = bytes;
	*out_size = size;
	return ATTEND_OK;
}
