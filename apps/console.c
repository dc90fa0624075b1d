/* console.c: messages of the `attend` command. */
#include "apps/console.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One write per line, so that lines of parallel processes do not mix. */
static void say(const char *prefix, const char *detail, const char *format, va_list list)
{
	char line[1400];
	int used = snprintf(line, sizeof line, "attend%s%s: ", prefix, detail);
	if (used < 0) return;
	const int more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, list);
	if (more < 0) return;
	size_t size = strlen(line);
	line[size++] = '\n';
	(void)fwrite(line, 1, size, stderr);
}

int attend_complain(int code, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	say("", "", format, list);
	va_end(list);
	return code;
}

int attend_usage(const attend_command *command, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	say(" ", command->name, format, list);
	va_end(list);
	(void)fprintf(stderr, "Try 'attend %s --help'.\n", command->name);
	return ATTEND_EXIT_USAGE;
}

int attend_exit_code(attend_status status)
{
	switch (status) {
	case ATTEND_OK: return ATTEND_EXIT_DONE;
	case ATTEND_ERR_ARG: return ATTEND_EXIT_USAGE;
	case ATTEND_ERR_IO:
	case ATTEND_ERR_NOMEM: return ATTEND_EXIT_RESOURCE;
	case ATTEND_ERR_NOTFOUND: return ATTEND_EXIT_NOT_FOUND;
	case ATTEND_ERR_FORMAT:
	case ATTEND_ERR_UNSUPPORTED: return ATTEND_EXIT_MODEL;
	case ATTEND_ERR_DATA: return ATTEND_EXIT_DATA;
	case ATTEND_ERR_CANCELLED: return ATTEND_EXIT_SOME_FAILED;
	}
	return ATTEND_EXIT_USAGE;
}

int attend_report(attend_status status)
{
	return attend_complain(attend_exit_code(status), "%s", attend_error());
}

void attend_warn(const attend_args *args, const char *format, ...)
{
	if (attend_args_flag(args, "quiet")) return;
	va_list list;
	va_start(list, format);
	say("", "", format, list);
	va_end(list);
}

void attend_note(const attend_args *args, const char *format, ...)
{
	if (attend_args_flag(args, "quiet") || !attend_args_flag(args, "verbose")) return;
	va_list list;
	va_start(list, format);
	say("", "", format, list);
	va_end(list);
}

static void from_library(attend_log_level level, const char *line, void *payload)
{
	if (level == ATTEND_LOG_WARNING) attend_warn(payload, "warning: %s", line);
	else attend_note(payload, "%s", line);
}

int attend_console_start(const attend_args *args)
{
	attend_set_log(from_library, (void *)(uintptr_t)args);
	if (!attend_args_given(args, "threads")) return -1;
	const attend_status status = attend_set_threads((int)attend_args_int(args, "threads", 0));
	return status == ATTEND_OK ? -1 : attend_report(status);
}

static double now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void attend_progress_start(attend_progress *progress, const attend_args *args, const char *what, size_t total)
{
	*progress = (attend_progress){.what = what, .total = total, .last = now()};
	progress->enabled = isatty(STDERR_FILENO) && !attend_args_flag(args, "quiet");
}

void attend_progress_step(attend_progress *progress, size_t done)
{
	if (!progress->enabled) return;
	const double t = now();
	if (t - progress->last < 0.1) return;
	progress->last = t;
	progress->shown = true;
	if (progress->total != 0)
		(void)fprintf(stderr, "\r\033[K%zu of %zu %s (%.0f %%)", done, progress->total, progress->what,
		              100.0 * (double)done / (double)progress->total);
	else (void)fprintf(stderr, "\r\033[K%zu %s", done, progress->what);
}

void attend_progress_end(attend_progress *progress)
{
	if (progress->shown) (void)fputs("\r\033[K", stderr);
	progress->shown = false;
}
