/* stream.h: texts in, results out, in the same order: operands, lines of a file or of standard input, JSON lines. */
#ifndef ATTEND_APPS_STREAM_H
#define ATTEND_APPS_STREAM_H

#include "apps/args.h"
#include "lib/attend.h"

enum { ATTEND_RECORD_FIELDS = 2, ATTEND_RECORD_GROUP = 64 };

typedef struct attend_record {
	size_t number;                      /* line of the input, or place among the operands, from 1 */
	char *fields[ATTEND_RECORD_FIELDS]; /* owned; NULL: not given */
	size_t sizes[ATTEND_RECORD_FIELDS];
} attend_record;

/* What a command does with its records. */
typedef struct attend_record_job {
	const char *names[ATTEND_RECORD_FIELDS]; /* members of a JSON line; names[1] NULL: one field */
	bool second_needed;                      /* the second field must be there */
	bool tabs;                               /* a line of text holds both fields, with a tab between them */
	/* One record given by options instead of operands or input; given[0] NULL: none. */
	const char *given[ATTEND_RECORD_FIELDS];
	/* Compute and print `count` <= ATTEND_RECORD_GROUP records in order; texts[i] is record i's fields as a text and
	 * its pair. On failure nothing may have been printed; when it is a matter of the data, the records are tried again
	 * one by one. */
	attend_status (*run)(void *payload, const attend_record *records, const attend_text *texts, size_t count);
	void *payload;
} attend_record_job;

/* Run all records; returns the exit code. Records run in groups when several are there at once; as soon as the input
 * has no more for now, those that came are answered. A record that fails is told on stderr with its place, and with
 * --json or --jsonl by {"error": ...} in its place on stdout (unless it came as an operand). */
int attend_records_run(const attend_args *args, const attend_record_job *job);

#endif
