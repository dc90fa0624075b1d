/* status.h: how the layers report failure. The lowest layer writes the line, the others pass the code on. */
#ifndef ATTEND_CORE_STATUS_H
#define ATTEND_CORE_STATUS_H

#include "lib/core/attend_base.h"

/* Set this thread's error line and return `status`. The line is cut at 1023 bytes on a UTF-8 boundary; control characters
 * from hostile input are written as \xNN, so that it stays one line. */
attend_status attend_fail(attend_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "PREFIX: " in front of the present line (a file name before what a parser of bytes said) and return `status`. */
attend_status attend_fail_in(attend_status status, const char *prefix);

/* ATTEND_ERR_NOMEM, "no memory for %zu bytes (%s)". */
attend_status attend_fail_memory(size_t bytes, const char *what);

/* Log a warning through the callback of attend_set_log. */
void attend_log(attend_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ATTEND_TRY(expression)                                        \
	do {                                                              \
		const attend_status attend_try_status = (expression);         \
		if (attend_try_status != ATTEND_OK) return attend_try_status; \
	} while (0)

#endif
