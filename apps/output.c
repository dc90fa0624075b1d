/* output.c: stdout of the commands, JSON text by RFC 8259. */
#include "apps/output.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/args.h"
#include "apps/console.h"

static void give_up(int error)
{
	if (error == EPIPE) _exit(ATTEND_EXIT_SIGNAL + SIGPIPE);
	_exit(attend_complain(ATTEND_EXIT_RESOURCE, "cannot write standard output: %s", strerror(error)));
}

void attend_output_bytes(const void *bytes, size_t size)
{
	if (size != 0 && fwrite(bytes, 1, size, stdout) != size) give_up(errno);
}

void attend_output_text(const char *text)
{
	attend_output_bytes(text, strlen(text));
}

enum { MOST_DIGITS = 20 }; /* of a 64-bit number, its sign included */

/* The decimal spelling at `out`, at most MOST_DIGITS bytes; returns its end. */
static char *spell_number(char *out, int64_t value)
{
	uint64_t rest = value < 0 ? 0u - (uint64_t)value : (uint64_t)value, power = 10;
	size_t size = 1;
	if (value < 0) *out++ = '-';
	for (; size < MOST_DIGITS - 1 && rest >= power; size++) power *= 10;
	for (size_t i = size; i-- > 0; rest /= 10) out[i] = (char)('0' + rest % 10);
	return out + size;
}

void attend_output_number(int64_t value)
{
	char text[MOST_DIGITS];
	attend_output_bytes(text, (size_t)(spell_number(text, value) - text));
}

void attend_output_numbers(const int32_t *values, size_t count, char separator)
{
	char text[4096], *end = text; /* one write for many: a call costs more than a number */
	for (size_t i = 0; i < count; i++) {
		if (end > text + sizeof text - MOST_DIGITS - 1) {
			attend_output_bytes(text, (size_t)(end - text));
			end = text;
		}
		if (i > 0) *end++ = separator;
		end = spell_number(end, values[i]);
	}
	attend_output_bytes(text, (size_t)(end - text));
}

void attend_output_printf(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	const int n = vfprintf(stdout, format, list);
	va_end(list);
	if (n < 0) give_up(errno);
}

/* Bytes of the well-formed UTF-8 sequence at text[0..size), 0 when it is none (Unicode table 3-7). */
static size_t utf8_length(const unsigned char *text, size_t size)
{
	const unsigned char a = text[0];
	if (a < 0x80) return 1;
	const size_t n = a >= 0xf0 ? 4 : a >= 0xe0 ? 3 : 2;
	if (a < 0xc2 || a > 0xf4 || n > size) return 0;
	const unsigned char low = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80;
	const unsigned char high = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
	if (text[1] < low || text[1] > high) return 0;
	for (size_t i = 2; i < n; i++)
		if ((text[i] & 0xc0) != 0x80) return 0;
	return n;
}

void attend_output_json_string(const char *text, size_t size)
{
	const unsigned char *t = (const unsigned char *)text;
	size_t plain = 0; /* t[plain..i) can be written as it is */
	attend_output_bytes("\"", 1);
	for (size_t i = 0; i < size;) {
		const size_t n = utf8_length(t + i, size - i);
		if (n != 0 && t[i] >= 0x20 && t[i] != '"' && t[i] != '\\' && t[i] != 0x7f) {
			i += n;
			continue;
		}
		attend_output_bytes(t + plain, i - plain);
		if (n == 0) attend_output_text("\xef\xbf\xbd");
		else if (t[i] == '"' || t[i] == '\\') attend_output_printf("\\%c", t[i]);
		else if (t[i] == '\n') attend_output_text("\\n");
		else if (t[i] == '\t') attend_output_text("\\t");
		else if (t[i] == '\r') attend_output_text("\\r");
		else attend_output_printf("\\u%04x", t[i]);
		plain = ++i;
	}
	attend_output_bytes(t + plain, size - plain);
	attend_output_bytes("\"", 1);
}

void attend_output_json_text(const char *text)
{
	attend_output_json_string(text, strlen(text));
}

void attend_output_json_f32(float value)
{
	char text[32];
	if (!isfinite(value)) {
		attend_output_text("null");
		return;
	}
	for (int digits = 6; digits <= 9; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, (double)value);
		if (strtof(text, NULL) == value) break;
	}
	attend_output_text(text);
}

void attend_output_json_f64(double value)
{
	char text[32];
	if (!isfinite(value)) {
		attend_output_text("null");
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value) break;
	}
	attend_output_text(text);
}

void attend_output_cell(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		switch (text[i]) {
		case '\t': attend_output_text("\\t"); break;
		case '\n': attend_output_text("\\n"); break;
		case '\r': attend_output_text("\\r"); break;
		case '\\': attend_output_text("\\\\"); break;
		default: attend_output_bytes(text + i, 1);
		}
	}
}

void attend_output_flush(void)
{
	if (fflush(stdout) != 0) give_up(errno);
}

int attend_output_close(void)
{
	attend_output_flush();
	if (fclose(stdout) != 0) give_up(errno);
	return ATTEND_EXIT_DONE;
}
