/* apart.h: a piece of a test in a process of its own, whose peak of memory the kernel counts. */
#ifndef ATTEND_TESTS_APART_H
#define ATTEND_TESTS_APART_H

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/check.h"

/* Sanitizers put their own pages beside every byte. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PEAK_COUNTS_OTHERWISE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define PEAK_COUNTS_OTHERWISE 1
#endif
#endif

/* Bytes that this process has had in memory at most. */
static inline size_t peak_bytes(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return (size_t)used.ru_maxrss * 1024;
}

/* Runs piece(payload, out) in a child and brings its *out [size bytes] here; the test fails, with `name`, where it failed. */
static inline void run_apart(const char *name, attend_status (*piece)(const void *payload, void *out),
                             const void *payload, void *out, size_t size)
{
	char error[256] = "";
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (piece(payload, out) != ATTEND_OK) snprintf(error, sizeof error, "%s", attend_error());
		const bool sent =
			write(ends[1], error, sizeof error) == (ssize_t)sizeof error && write(ends[1], out, size) == (ssize_t)size;
		_exit(sent ? 0 : 1);
	}
	close(ends[1]);
	const bool got =
		read(ends[0], error, sizeof error) == (ssize_t)sizeof error && read(ends[0], out, size) == (ssize_t)size;
	close(ends[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!got || status != 0) fail_msg("%s: the process ended with %d", name, status);
	if (*error) fail_msg("%s: %s", name, error);
}

#endif
