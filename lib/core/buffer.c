/* buffer.c: bytes that grow; JSON strings and numbers written into them. */
#include "lib/core/buffer.h"

#include "lib/core/arena.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void attend_buffer_free(attend_buffer *buffer)
{
	if (!buffer) return;
	free(buffer->data);
	*buffer = (attend_buffer){0};
}

void attend_buffer_clear(attend_buffer *buffer)
{
	buffer->size = 0;
	buffer->failed = false;
	if (buffer->data) buffer->data[0] = 0;
}

/* Room for `more` bytes and the NUL. */
static bool reserve(attend_buffer *buffer, size_t more)
{
	if (buffer->failed) return false;
	if (more >= SIZE_MAX - buffer->size ||
	    attend_grow(&buffer->data, &buffer->capacity, buffer->size + more + 1, 1, "text buffer") != ATTEND_OK)
		buffer->failed = true;
	return !buffer->failed;
}

void attend_buffer_append(attend_buffer *buffer, const void *bytes, size_t size)
{
	if (!reserve(buffer, size)) return;
	if (size) memcpy(buffer->data + buffer->size, bytes, size);
	buffer->size += size;
	buffer->data[buffer->size] = 0;
}

void attend_buffer_text(attend_buffer *buffer, const char *text)
{
	attend_buffer_append(buffer, text, strlen(text));
}

void attend_buffer_printf(attend_buffer *buffer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	const int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0) {
		buffer->failed = true;
		return;
	}
	if (!reserve(buffer, (size_t)length)) return;
	va_start(arguments, format);
	vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->size += (size_t)length;
}

void attend_buffer_json_string(attend_buffer *buffer, const char *text, size_t size)
{
	attend_buffer_append(buffer, "\"", 1);
	size_t start = 0;
	for (size_t i = 0; i < size; i++) {
		const unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c != '"' && c != '\\') continue;
		attend_buffer_append(buffer, text + start, i - start);
		start = i + 1;
		switch (c) {
		case '"': attend_buffer_text(buffer, "\\\""); break;
		case '\\': attend_buffer_text(buffer, "\\\\"); break;
		case '\b': attend_buffer_text(buffer, "\\b"); break;
		case '\f': attend_buffer_text(buffer, "\\f"); break;
		case '\n': attend_buffer_text(buffer, "\\n"); break;
		case '\r': attend_buffer_text(buffer, "\\r"); break;
		case '\t': attend_buffer_text(buffer, "\\t"); break;
		default: attend_buffer_printf(buffer, "\\u%04x", c);
		}
	}
	if (start < size) attend_buffer_append(buffer, text + start, size - start);
	attend_buffer_append(buffer, "\"", 1);
}

void attend_buffer_json_f32(attend_buffer *buffer, float value)
{
	if (!isfinite(value)) {
		attend_buffer_text(buffer, "null");
		return;
	}
	char text[64];
	/* Nine digits always read back (IEEE 754-2008 section 5.12.2); up to six can be told from one try, as %g drops zeros,
	 * where f32 has the precision. */
	for (int digits = fabsf(value) < FLT_MIN ? 1 : 6; digits <= 9; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, (double)value);
		if (strtof(text, NULL) == value) break;
	}
	for (char *c = text; *c; c++) /* the program's locale may write a comma */
		if (*c != '-' && *c != '+' && *c != 'e' && (*c < '0' || *c > '9')) *c = '.';
	attend_buffer_text(buffer, text);
}

attend_status attend_buffer_status(const attend_buffer *buffer)
{
	return buffer->failed ? attend_fail_memory(buffer->size, "text buffer") : ATTEND_OK;
}
