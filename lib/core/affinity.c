/* affinity.c: sched_getaffinity(2), sched_setaffinity(2) on masks of any size. */
#if defined(__linux__)
#define _GNU_SOURCE /* CPU_ALLOC, sched_getcpu */
#endif
#include "lib/core/affinity.h"

#include <sched.h>
#include <stddef.h>

#if defined(__linux__)
/* The calling thread's mask, to be freed with CPU_FREE; NULL: it could not be had. */
static cpu_set_t *get_mask(size_t *bytes)
{
	for (int cpus = 1024; cpus <= 1 << 18; cpus *= 4) { /* the kernel refuses a mask smaller than its own */
		cpu_set_t *const set = CPU_ALLOC((size_t)cpus);
		if (!set) return NULL;
		*bytes = CPU_ALLOC_SIZE((size_t)cpus);
		if (sched_getaffinity(0, *bytes, set) == 0 && CPU_COUNT_S(*bytes, set) > 0) return set;
		CPU_FREE(set);
	}
	return NULL;
}

int attend_affinity_count(void)
{
	size_t bytes;
	cpu_set_t *const set = get_mask(&bytes);
	const int count = set ? CPU_COUNT_S(bytes, set) : 0;
	if (set) CPU_FREE(set);
	return count;
}

int attend_affinity_current(void)
{
	return sched_getcpu();
}

bool attend_affinity_change(int enter, int leave)
{
	size_t bytes;
	cpu_set_t *const set = get_mask(&bytes);
	bool left = false;
	if (set) {
		const int most = (int)(bytes * 8);
		if (enter >= 0 && enter < most) CPU_SET_S((size_t)enter, bytes, set);
		if (leave >= 0 && leave < most && CPU_ISSET_S((size_t)leave, bytes, set) && CPU_COUNT_S(bytes, set) > 1) {
			CPU_CLR_S((size_t)leave, bytes, set);
			left = true;
		}
		left = sched_setaffinity(0, bytes, set) == 0 && left;
		CPU_FREE(set);
	}
	return left;
}
#else
int attend_affinity_count(void)
{
	return 0;
}

int attend_affinity_current(void)
{
	return -1;
}

bool attend_affinity_change(int enter, int leave)
{
	(void)enter, (void)leave;
	return false;
}
#endif
