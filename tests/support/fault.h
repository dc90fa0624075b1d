/* fault.h: lets the k-th call of a kind fail. Programs under tests/fault/ are linked so that these calls of the library and of
 * cJSON go through fault.c: malloc, calloc, realloc, aligned_alloc, strdup, strndup; mmap; open, read; write, fsync, rename. */
#ifndef ATTEND_TESTS_FAULT_H
#define ATTEND_TESTS_FAULT_H

#include "lib/core/status.h"

typedef enum fault_kind {
	FAULT_MEMORY = 1, /* ENOMEM */
	FAULT_MAP = 2,    /* mmap: ENOMEM */
	FAULT_READ = 4,   /* open for reading, read: EIO */
	FAULT_WRITE = 8   /* open for writing, write, fsync, rename: ENOSPC */
} fault_kind;

/* From now on count calls of `kinds`; the k-th (from 1) fails, and with `all_after` every later one too. k 0: only count. */
void fault_arm(unsigned kinds, size_t k, bool all_after);
/* Stop, and give the number of calls counted. */
size_t fault_disarm(void);

/* Run `body` with the 1st, 2nd, ... call failing, alone and then together with all later ones, until a run meets no failure.
 * Where there are many calls the steps grow by an eighth after `dense` calls. A run may succeed (a failure that was worked
 * around) or fail; when it fails the status must be one of NOMEM, IO and NOTFOUND and the error line not empty. After a failed
 * run body runs once without faults and must succeed: nothing was left broken. Fails the cmocka test otherwise. Leaks and
 * wild accesses are for the sanitizers and valgrind to see. */
typedef attend_status (*fault_body)(void *arg);
void fault_sweep(unsigned kinds, size_t dense, fault_body body, void *arg);

#endif
