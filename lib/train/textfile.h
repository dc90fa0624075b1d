/* textfile.h: a text file as UTF-8, whatever it was packed and encoded as: in memory, or line by line. */
#ifndef ATTEND_TRAIN_TEXTFILE_H
#define ATTEND_TRAIN_TEXTFILE_H

#include "lib/core/status.h"

/* Read `path`, unpack it when it begins with gzip's magic number, and turn it into UTF-8 without a byte-order mark. `encoding`:
 * NULL (a byte-order mark decides between UTF-8, UTF-16LE, UTF-16BE; without one UTF-8), "utf-8", "utf-16", "utf-16le",
 * "utf-16be", "latin-1" (iso-8859-1), "windows-1252" (cp1252). *out is malloc'ed with a NUL behind *size bytes; the caller
 * frees it. NOTFOUND, IO; ARG: unknown encoding; DATA: broken gzip, or "FILE:LINE: ..." for bytes that are not in the encoding. */
attend_status attend_textfile_read(char **out, size_t *size, const char *path, const char *encoding);

/* The same in pieces: memory is that of the longest line. */
typedef struct attend_textstream attend_textstream;
attend_status attend_textstream_open(attend_textstream **out, const char *path, const char *encoding);
/* The next line with its newline, which the last one may lack; *size 0 at the end. Borrowed until the next call. */
attend_status attend_textstream_line(attend_textstream *stream, const char **line, size_t *size);
void attend_textstream_close(attend_textstream *stream);

#endif
