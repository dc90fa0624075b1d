/* output.h: data on stdout. A write that fails ends the process: with 128+SIGPIPE, silently, when the reader is gone,
 * else with one line on stderr and ATTEND_EXIT_RESOURCE. So commands need not check. */
#ifndef ATTEND_APPS_OUTPUT_H
#define ATTEND_APPS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void attend_output_bytes(const void *bytes, size_t size);
void attend_output_text(const char *text);
/* A number in decimals; numbers with `separator` between them. */
void attend_output_number(int64_t value);
void attend_output_numbers(const int32_t *values, size_t count, char separator);
void attend_output_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* JSON values. Strings are UTF-8 of a given size; what JSON must not hold raw is escaped, invalid bytes become U+FFFD.
 * Numbers: the shortest decimal that reads back as the same float; null for NaN and infinities. */
void attend_output_json_string(const char *text, size_t size);
void attend_output_json_text(const char *text); /* NUL-terminated */
void attend_output_json_f32(float value);
void attend_output_json_f64(double value);

/* A cell of --tsv: tabs, newlines, carriage returns and backslashes are written as \t \n \r \\. */
void attend_output_cell(const char *text, size_t size);

/* Hand what was said so far to the reader. */
void attend_output_flush(void);

/* Flush and close stdout: the last thing a command does; returns ATTEND_EXIT_DONE (or ends the process as above). */
int attend_output_close(void);

#endif
