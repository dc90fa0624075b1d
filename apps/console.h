/* console.h: what the commands say on stderr, and how a library status becomes an exit code. Data never goes here. */
#ifndef ATTEND_APPS_CONSOLE_H
#define ATTEND_APPS_CONSOLE_H

#include "apps/args.h"
#include "lib/attend.h"

/* "attend: TEXT" on stderr; returns `code`. */
int attend_complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "attend COMMAND: TEXT" and where help is, on stderr; returns ATTEND_EXIT_USAGE. */
int attend_usage(const attend_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Exit code of a status; ATTEND_EXIT_DONE for ATTEND_OK. */
int attend_exit_code(attend_status status);

/* The library's error line on stderr; returns the exit code of `status`. */
int attend_report(attend_status status);

/* One line on stderr unless -q; a note unless there is no -v. */
void attend_warn(const attend_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));
void attend_note(const attend_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Take -q, -v, --threads over into the library: called by main before a command runs. */
int attend_console_start(const attend_args *args);

/* Progress: one line on stderr that overwrites itself, at most ten times a second, and only when stderr is a terminal
 * and there is no -q. `total` 0: unknown. End with attend_progress_end, which clears the line. */
typedef struct attend_progress {
	const char *what; /* "lines" */
	size_t total;
	bool shown, enabled;
	double last;
} attend_progress;
void attend_progress_start(attend_progress *progress, const attend_args *args, const char *what, size_t total);
void attend_progress_step(attend_progress *progress, size_t done);
void attend_progress_end(attend_progress *progress);

#endif
