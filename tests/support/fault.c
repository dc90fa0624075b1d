/* fault.c: the wrappers that ld's --wrap puts in place of the calls, and the sweep over them (the idea of dav1d's
 * tests/libfuzzer/alloc_fail.c). */
#include "tests/support/fault.h"

#include "tests/support/check.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_uint armed;
static atomic_size_t seen;
static size_t victim;
static bool rest_fails;

static bool fails(unsigned kind, int error)
{
	if ((atomic_load(&armed) & kind) == 0) return false;
	const size_t call = atomic_fetch_add(&seen, 1) + 1;
	if (victim == 0 || call < victim || (call > victim && !rest_fails)) return false;
	errno = error;
	return true;
}

#define WRAP(type, name, parameters, arguments, kind, error, failure)    \
	type __real_##name parameters;                                       \
	type __wrap_##name parameters;                                       \
	type __wrap_##name parameters                                        \
	{                                                                    \
		return fails(kind, error) ? (failure) : __real_##name arguments; \
	}

WRAP(void *, malloc, (size_t n), (n), FAULT_MEMORY, ENOMEM, NULL)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), FAULT_MEMORY, ENOMEM, NULL)
WRAP(void *, realloc, (void *p, size_t n), (p, n), FAULT_MEMORY, ENOMEM, NULL)
WRAP(void *, aligned_alloc, (size_t a, size_t n), (a, n), FAULT_MEMORY, ENOMEM, NULL)
WRAP(char *, strdup, (const char *s), (s), FAULT_MEMORY, ENOMEM, NULL)
WRAP(char *, strndup, (const char *s, size_t n), (s, n), FAULT_MEMORY, ENOMEM, NULL)
WRAP(void *, mmap, (void *p, size_t n, int protection, int flags, int fd, off_t at), (p, n, protection, flags, fd, at),
     FAULT_MAP, ENOMEM, MAP_FAILED)
WRAP(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), FAULT_READ, EIO, -1)
WRAP(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), FAULT_WRITE, ENOSPC, -1)
WRAP(int, fsync, (int fd), (fd), FAULT_WRITE, ENOSPC, -1)
WRAP(int, rename, (const char *from, const char *to), (from, to), FAULT_WRITE, ENOSPC, -1)

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
	va_end(arguments);
	const bool writes = (flags & (O_WRONLY | O_RDWR)) != 0;
	if (fails(writes ? FAULT_WRITE : FAULT_READ, writes ? ENOSPC : EIO)) return -1;
	return __real_open(path, flags, mode);
}

void fault_arm(unsigned kinds, size_t k, bool all_after)
{
	cJSON_Hooks hooks = {__wrap_malloc, free};
	cJSON_InitHooks(&hooks);
	victim = k;
	rest_fails = all_after;
	atomic_store(&seen, 0);
	atomic_store(&armed, kinds);
}

size_t fault_disarm(void)
{
	atomic_store(&armed, 0);
	return atomic_load(&seen);
}

/* Whether the k-th call was reached. */
static bool run_with_fault(unsigned kinds, size_t k, bool all_after, fault_body body, void *arg)
{
	fault_arm(kinds, k, all_after);
	const attend_status status = body(arg);
	const size_t calls = fault_disarm();
	if (status == ATTEND_OK) return calls >= k;
	if (status != ATTEND_ERR_NOMEM && status != ATTEND_ERR_IO && status != ATTEND_ERR_NOTFOUND)
		fail_msg("call %zu fails: status %d (%s)", k, status, attend_error());
	if (calls < k) fail_msg("%zu calls, none failed, but status %d (%s)", calls, status, attend_error());
	if (attend_error()[0] == 0) fail_msg("call %zu fails: no error line", k);
	const attend_status after = body(arg);
	if (after != ATTEND_OK) fail_msg("after call %zu failed: status %d (%s)", k, after, attend_error());
	return true;
}

void fault_sweep(unsigned kinds, size_t dense, fault_body body, void *arg)
{
	assert_ok(body(arg)); /* what is set up once is set up now */
	for (int all_after = 0; all_after < 2; all_after++)
		for (size_t k = 1; run_with_fault(kinds, k, all_after != 0, body, arg); k += k < dense ? 1 : k / 8 + 1)
			continue;
}
