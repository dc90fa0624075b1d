/* status.c: the error line of each thread, the log callback. */
#include "lib/core/status.h"

#include "lib/core/utf8.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_SIZE = 1024, DRAFT_SIZE = 4096 };

static _Thread_local char error_line[LINE_SIZE];

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static attend_log_fn log_function;
static void *log_payload;

/* Copy `text` so that it is one printable line of valid UTF-8: anything else comes from a hostile file and could forge
 * lines or move the terminal's cursor. Cut between characters. */
static void clean(char line[LINE_SIZE], const char *text)
{
	size_t left = strlen(text), used = 0;
	while (left > 0) {
		uint32_t code = 0;
		const size_t length = attend_utf8_decode(&code, text, left);
		const bool plain = length > 0 && code >= 0x20 && (code < 0x7f || code > 0x9f);
		const size_t step = length > 0 ? length : 1;
		if (used + (plain ? step : 4 * step) >= LINE_SIZE) break;
		if (plain) {
			memcpy(line + used, text, step);
			used += step;
		} else {
			for (size_t i = 0; i < step; i++, used += 4) snprintf(line + used, 5, "\\x%02x", (unsigned char)text[i]);
		}
		text += step;
		left -= step;
	}
	line[used] = 0;
}

static void format_line(char line[LINE_SIZE], const char *format, va_list arguments)
{
	char draft[DRAFT_SIZE];
	if (vsnprintf(draft, sizeof draft, format, arguments) < 0) snprintf(draft, sizeof draft, "%s", format);
	clean(line, draft);
}

attend_status attend_fail(attend_status status, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	format_line(error_line, format, arguments);
	va_end(arguments);
	return status;
}

attend_status attend_fail_in(attend_status status, const char *prefix)
{
	char line[LINE_SIZE];
	memcpy(line, error_line, sizeof line);
	return attend_fail(status, "%s: %s", prefix, line);
}

attend_status attend_fail_memory(size_t bytes, const char *what)
{
	return attend_fail(ATTEND_ERR_NOMEM, "no memory for %zu bytes (%s)", bytes, what);
}

const char *attend_error(void)
{
	return error_line;
}

const char *attend_status_name(attend_status status)
{
	switch (status) {
	case ATTEND_OK: return "ok";
	case ATTEND_ERR_ARG: return "argument";
	case ATTEND_ERR_NOMEM: return "no memory";
	case ATTEND_ERR_IO: return "input/output";
	case ATTEND_ERR_FORMAT: return "format";
	case ATTEND_ERR_UNSUPPORTED: return "unsupported";
	case ATTEND_ERR_NOTFOUND: return "not found";
	case ATTEND_ERR_DATA: return "data";
	case ATTEND_ERR_CANCELLED: return "cancelled";
	}
	return "unknown";
}

void attend_set_log(attend_log_fn fn, void *payload)
{
	pthread_mutex_lock(&log_lock);
	log_function = fn;
	log_payload = payload;
	pthread_mutex_unlock(&log_lock);
}

void attend_log(attend_log_level level, const char *format, ...)
{
	pthread_mutex_lock(&log_lock);
	const attend_log_fn fn = log_function;
	void *const payload = log_payload;
	pthread_mutex_unlock(&log_lock);
	if (!fn) return;
	char line[LINE_SIZE];
	va_list arguments;
	va_start(arguments, format);
	format_line(line, format, arguments);
	va_end(arguments);
	fn(level, line, payload);
}
