/* buffer.h: bytes that grow: text to be printed, JSON to be written. */
#ifndef ATTEND_CORE_BUFFER_H
#define ATTEND_CORE_BUFFER_H

#include "lib/core/status.h"

/* Zero-initialise; free with attend_buffer_free. Once memory ran out `failed` stays set and appends do nothing, so a
 * writer checks once, at its end, with attend_buffer_status. */
typedef struct attend_buffer {
	char *data; /* always NUL-terminated after the first append; `size` does not count it */
	size_t size, capacity;
	bool failed;
} attend_buffer;

void attend_buffer_free(attend_buffer *buffer);
void attend_buffer_clear(attend_buffer *buffer);
void attend_buffer_append(attend_buffer *buffer, const void *bytes, size_t size);
void attend_buffer_text(attend_buffer *buffer, const char *text);
void attend_buffer_printf(attend_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes: `size` bytes of UTF-8; control characters, '"' and '\\' escaped, the rest raw. */
void attend_buffer_json_string(attend_buffer *buffer, const char *text, size_t size);
/* A JSON number: the shortest decimal that reads back as the same f32; null for NaN and infinities. */
void attend_buffer_json_f32(attend_buffer *buffer, float value);
attend_status attend_buffer_status(const attend_buffer *buffer);

#endif
