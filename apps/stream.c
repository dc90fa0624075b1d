/* stream.c: reads records as they come and hands them to a command in groups. */
#include "apps/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/console.h"
#include "apps/output.h"

enum { GROUP_BYTES = 1 << 18, READ_BYTES = 1 << 16 };

/* Where records come from. */
typedef struct source {
	const attend_args *args;
	const attend_record_job *job;
	const char *name; /* "stdin" or the file's */
	int fd;           /* -1: operands */
	char *bytes;      /* bytes[at..size) were read and not yet used */
	size_t at, size, capacity;
	size_t scanned; /* up to where no newline was found */
	bool end, jsonl;
	size_t number;  /* records taken so far */
	char bad[1100]; /* why record `number` could not be read; told behind the records before it. "": it could */
} source;

static void record_free(attend_record *record)
{
	for (int i = 0; i < ATTEND_RECORD_FIELDS; i++) free(record->fields[i]);
	*record = (attend_record){0};
}

static int no_memory(void)
{
	return attend_complain(ATTEND_EXIT_RESOURCE, "no memory for the input");
}

/* -1: done; else an exit code. */
static int set_field(attend_record *record, int i, const char *text, size_t size)
{
	record->fields[i] = malloc(size + 1);
	if (record->fields[i] == NULL) return no_memory();
	memcpy(record->fields[i], text, size);
	record->fields[i][size] = 0;
	record->sizes[i] = size;
	return -1;
}

/* ---- lines ---- */

static int open_source(source *s)
{
	const char *path = attend_args_text(s->args, "input-file", "-");
	if (attend_args_operand_count(s->args) != 0 || s->job->given[0] != NULL) {
		if (attend_args_given(s->args, "input-file"))
			return attend_usage(attend_args_command(s->args), "texts are given twice: as words and by --input-file");
		s->fd = -1;
		return -1;
	}
	s->name = strcmp(path, "-") == 0 ? "stdin" : path;
	s->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0) return attend_complain(ATTEND_EXIT_NOT_FOUND, "%s: %s", path, strerror(errno));
	if (isatty(s->fd) && !attend_args_flag(s->args, "quiet"))
		(void)fputs("Reading texts from the terminal, one a line; Ctrl-D ends.\n", stderr);
	return -1;
}

/* Read once more; -1: done (or end of input). */
static int read_more(source *s)
{
	if (s->at > 0 && s->at == s->size) s->at = s->size = s->scanned = 0;
	if (s->capacity - s->size < READ_BYTES) {
		if (s->size > s->at) memmove(s->bytes, s->bytes + s->at, s->size - s->at);
		s->size -= s->at;
		s->scanned -= s->at;
		s->at = 0;
		if (s->capacity - s->size < READ_BYTES) {
			const size_t capacity = s->capacity * 2 + 2 * READ_BYTES;
			char *grown = realloc(s->bytes, capacity);
			if (grown == NULL) return no_memory();
			s->bytes = grown;
			s->capacity = capacity;
		}
	}
	ssize_t n;
	do n = read(s->fd, s->bytes + s->size, s->capacity - s->size);
	while (n < 0 && errno == EINTR);
	if (n < 0) return attend_complain(ATTEND_EXIT_NOT_FOUND, "%s: %s", s->name, strerror(errno));
	if (n == 0) s->end = true;
	s->size += (size_t)n;
	return -1;
}

static bool input_waits(const source *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	return poll(&p, 1, 0) != 0;
}

/* A whole line (without its end) at *line; false: none is there yet. */
static bool take_line(source *s, const char **line, size_t *size)
{
	if (s->bytes == NULL) return false;
	const char *newline = memchr(s->bytes + s->scanned, '\n', s->size - s->scanned);
	if (newline == NULL && !(s->end && s->at < s->size)) {
		s->scanned = s->size;
		return false;
	}
	const size_t stop = newline != NULL ? (size_t)(newline - s->bytes) : s->size;
	*line = s->bytes + s->at;
	*size = stop - s->at;
	if (*size > 0 && (*line)[*size - 1] == '\r') --*size;
	s->at = s->scanned = newline != NULL ? stop + 1 : stop;
	return true;
}

/* ---- records ---- */

/* Tell of a record that failed; the library's error line says why. */
static void tell(const source *s, size_t number, const char *why)
{
	if (s->fd >= 0) (void)attend_complain(0, "%s:%zu: %s", s->name, number, why);
	else if (attend_args_operand_count(s->args) > 1) (void)attend_complain(0, "text %zu: %s", number, why);
	else (void)attend_complain(0, "%s", why);
	const bool jsonl = attend_args_flag(s->args, "jsonl");
	if (s->fd < 0 || !(jsonl || attend_args_flag(s->args, "json"))) return;
	attend_output_text("{");
	if (jsonl) attend_output_printf("\"line\": %zu, ", number);
	attend_output_text("\"error\": ");
	attend_output_json_text(why);
	attend_output_text("}\n");
}

/* Members of a JSON line. ATTEND_OK, or the failure of this record; *code >= 0 stops everything. */
static attend_status read_members(attend_record *record, const source *s, const char *line, size_t size, int *code)
{
	for (int i = 0; i < ATTEND_RECORD_FIELDS && s->job->names[i] != NULL; i++) {
		const attend_status status =
			attend_json_member(&record->fields[i], &record->sizes[i], line, size, s->job->names[i], "JSON");
		if (status == ATTEND_ERR_NOTFOUND && i == 1 && !s->job->second_needed) continue;
		if (status == ATTEND_ERR_NOMEM) *code = attend_report(status);
		if (status != ATTEND_OK) return status;
	}
	return ATTEND_OK;
}

/* Make a record of a line. False: it failed, and s->bad says why. */
static bool read_line(attend_record *record, source *s, const char *line, size_t size, int *code)
{
	if (s->jsonl) {
		const attend_status status = read_members(record, s, line, size, code);
		if (status == ATTEND_OK || *code >= 0) return status == ATTEND_OK;
		const char *name = s->job->names[record->fields[0] == NULL ? 0 : 1];
		if (status == ATTEND_ERR_NOTFOUND) (void)snprintf(s->bad, sizeof s->bad, "the object has no \"%s\"", name);
		else (void)snprintf(s->bad, sizeof s->bad, "%s", attend_error());
		return false;
	}
	const char *tab = s->job->tabs ? memchr(line, '\t', size) : NULL;
	if (s->job->tabs && tab == NULL) {
		(void)snprintf(s->bad, sizeof s->bad, "expected two texts with a tab between them, found no tab");
		return false;
	}
	const size_t first = tab != NULL ? (size_t)(tab - line) : size;
	*code = set_field(record, 0, line, first);
	if (*code < 0 && tab != NULL) *code = set_field(record, 1, tab + 1, size - first - 1);
	return *code < 0;
}

/* The next operand, or the record that options give. False: no more. */
static bool next_operand(attend_record *record, source *s, int *code)
{
	const char *const *given = s->job->given;
	const char *text = given[0] != NULL ? given[0] : attend_args_operand(s->args, s->number);
	if (text == NULL || (given[0] != NULL && s->number > 0)) return false;
	record->number = ++s->number;
	*code = set_field(record, 0, text, strlen(text));
	const char *second = given[1];
	if (*code < 0 && second != NULL) *code = set_field(record, 1, second, strlen(second));
	return *code < 0;
}

/* Fill `group` with what is there now, at least one record unless the input ends; it also ends before a record that cannot be
 * read. */
static int next_group(source *s, attend_record *group, size_t *count)
{
	size_t bytes = 0;
	int code = -1;
	for (*count = 0; *count < ATTEND_RECORD_GROUP && bytes < GROUP_BYTES;) {
		attend_record *record = &group[*count];
		const char *line;
		size_t size;
		*record = (attend_record){0};
		if (s->fd < 0) {
			if (!next_operand(record, s, &code)) return code;
		} else if (!take_line(s, &line, &size)) {
			if (s->end || (*count > 0 && !input_waits(s))) return code;
			if ((code = read_more(s)) >= 0) return code;
			continue;
		} else {
			record->number = ++s->number;
			if (!read_line(record, s, line, size, &code)) {
				record_free(record);
				return code;
			}
		}
		bytes += record->sizes[0] + record->sizes[1];
		++*count;
	}
	return code;
}

/* Run the records of a group; each alone when together they fail. */
static int run_group(const source *s, const attend_record *group, size_t count, size_t *failed)
{
	attend_text texts[ATTEND_RECORD_GROUP] = {0};
	for (size_t i = 0; i < count; i++)
		texts[i] = (attend_text){group[i].fields[0], group[i].sizes[0], group[i].fields[1], group[i].sizes[1]};
	attend_status status = s->job->run(s->job->payload, group, texts, count);
	if (status == ATTEND_OK) return -1;
	if (count == 1) {
		if (status != ATTEND_ERR_DATA) return attend_report(status);
		tell(s, group[0].number, attend_error());
		++*failed;
		return -1;
	}
	if (status != ATTEND_ERR_DATA && status != ATTEND_ERR_NOMEM) return attend_report(status);
	for (size_t i = 0; i < count; i++) {
		const size_t before = *failed;
		const int code = run_group(s, &group[i], 1, failed);
		if (code >= 0) return code;
		if (*failed > before && attend_args_word(s->args, "on-error", 0) == 1) return ATTEND_EXIT_DATA;
	}
	return -1;
}

static int run_source(source *s)
{
	attend_record group[ATTEND_RECORD_GROUP];
	size_t done = 0, failed = 0, count;
	const bool stop = attend_args_word(s->args, "on-error", 0) == 1;
	int code = open_source(s);
	while (code < 0) {
		const size_t failed_before = failed, number_before = s->number;
		s->bad[0] = 0;
		code = next_group(s, group, &count);
		if (code < 0 && count > 0) code = run_group(s, group, count, &failed);
		if (code < 0 && s->bad[0] != 0 && !(stop && failed > failed_before)) {
			tell(s, s->number, s->bad);
			failed++;
		}
		for (size_t i = 0; i < count; i++) record_free(&group[i]);
		done += s->number - number_before;
		if (code < 0 && stop && failed > failed_before) code = ATTEND_EXIT_DATA;
		if (code < 0 && s->number == number_before) break;
		attend_output_flush();
	}
	if (code >= 0) return code;
	if (failed == 0) return ATTEND_EXIT_DONE;
	if (done > 1) attend_warn(s->args, "%zu of %zu records failed", failed, done);
	return failed == done ? ATTEND_EXIT_DATA : ATTEND_EXIT_SOME_FAILED;
}

int attend_records_run(const attend_args *args, const attend_record_job *job)
{
	source s = {.args = args, .job = job, .fd = -1, .jsonl = attend_args_word(args, "input-format", 0) == 1};
	const int code = run_source(&s);
	if (s.fd > STDIN_FILENO) (void)close(s.fd);
	free(s.bytes);
	return code;
}
