/* threads.h: the one team. A team of our own (pthreads) because libgomp fixes its spinning before main starts: workers
 * spin for some tens of microseconds after a job, then sleep on a futex, so a busy neighbour costs little. Where the team has a
 * thread for every CPU, workers keep off the caller's. */
#ifndef ATTEND_CORE_THREADS_H
#define ATTEND_CORE_THREADS_H

#include "lib/core/status.h"

/* Equals: for (size_t i = 0; i < tasks; i++) task(arg, i, worker); in any order, on up to attend_threads() workers, the
 * caller being worker 0. `worker` < attend_threads() picks scratch. Worker w takes the w-th of equal ranges of neighbouring
 * tasks, then what is left of the others'. A nested call, or a call while another thread holds the team, runs serially on the
 * caller as worker 0 of its own: scratch is per call, never global. Cannot fail: if threads cannot be started the caller does
 * all the work. */
typedef void (*attend_task)(void *arg, size_t index, unsigned worker);
void attend_parallel(size_t tasks, attend_task task, void *arg);

/* The same for tasks of equal work that use much of what their share's core has in its cache: a worker helps another that is
 * far behind or stands still, and leaves it the last of its tasks else. A help costs more than it takes: what was read from
 * another core's cache is slow for that one to write the next time. */
void attend_parallel_apart(size_t tasks, attend_task task, void *arg);

/* The same with ATTEND_OWN_BYTES of memory for each worker, 64-byte aligned, not cleared: begin(arg, own) comes before its first
 * task. What many would read and one could make had better be made by each where that is quick: a line that another core has
 * read is slow to write, and slow to read where another core has written it. */
enum { ATTEND_OWN_BYTES = 96 << 10 };
typedef void (*attend_own_task)(void *arg, size_t index, void *own);
void attend_parallel_own(size_t tasks, void (*begin)(void *arg, void *own), attend_own_task task, void *arg);

/* Whether the calling thread runs one of several tasks of an attend_parallel, whatever the number of threads. */
bool attend_in_parallel(void);

/* One turn, counted from 0, of waiting for what another worker is about to finish: a pause, in the long run the CPU. */
void attend_pause(unsigned turn);

/* CPUs this process may use: affinity mask, cut by the cgroup's CPU quota (v1 and v2; 1.5 CPUs count as 2),
 * at least 1. */
int attend_available_cpus(void);

#endif
