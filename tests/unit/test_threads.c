/* test_threads.c: every task once, nesting, concurrent calls, changing team sizes, children of fork, the thread knob. */
#include "lib/core/affinity.h"
#include "lib/core/blas.h"
#include "lib/core/threads.h"
#include "tests/support/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct job {
	atomic_int *hits;
	atomic_uint workers; /* a bit per worker seen */
	size_t tasks;
	bool nested;
} job;

static void inner(void *arg, size_t index, unsigned worker)
{
	(void)index, (void)worker;
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void count(void *arg, size_t index, unsigned worker)
{
	job *const j = arg;
	atomic_fetch_add(&j->hits[index], 1);
	atomic_fetch_or(&j->workers, 1u << worker);
	if (!j->nested) return;
	atomic_int sum = 0;
	attend_parallel(10, inner, &sum);
	assert_int_equal(sum, 10);
	assert_int_equal(attend_in_parallel(), j->tasks > 1);
}

static void run(size_t tasks, bool nested)
{
	job j = {calloc(tasks + 1, sizeof *j.hits), 0, tasks, nested};
	attend_parallel(tasks, count, &j);
	for (size_t i = 0; i < tasks; i++) assert_int_equal(j.hits[i], 1);
	assert_int_equal(j.hits[tasks], 0);
	assert_true(j.workers < 1u << attend_threads());
	assert_false(attend_in_parallel());
	free(j.hits);
}

static void test_every_task_once(void **state)
{
	(void)state;
	for (int threads = 1; threads <= 8; threads++) {
		assert_ok(attend_set_threads(threads));
		assert_int_equal(attend_threads(), threads);
		for (size_t tasks = 0; tasks < 40; tasks++) run(tasks, tasks % 3 == 0);
		for (int i = 0; i < 200; i++) run(5, false);
	}
}

typedef struct own_job {
	atomic_int hits[40], begun, wrong; /* asserting is for the main thread */
} own_job;

static void begin_own(void *arg, void *own)
{
	own_job *const j = arg;
	atomic_fetch_add(&j->wrong, (uintptr_t)own % 64 != 0);
	memset(own, 1 + atomic_fetch_add(&j->begun, 1), ATTEND_OWN_BYTES);
}

/* What this worker's own memory was begun with, and nobody else's. */
static void count_own(void *arg, size_t index, void *own)
{
	own_job *const j = arg;
	const unsigned char *bytes = own;
	const bool own_bytes =
		bytes[0] >= 1 && bytes[0] <= atomic_load(&j->begun) && bytes[ATTEND_OWN_BYTES - 1] == bytes[0];
	atomic_fetch_add(&j->wrong, !own_bytes);
	atomic_fetch_add(&j->hits[index], 1);
}

static void test_own_memory(void **state)
{
	(void)state;
	for (int threads = 1; threads <= 8; threads++) {
		assert_ok(attend_set_threads(threads));
		for (size_t tasks = 0; tasks < 40; tasks++) {
			own_job j = {0};
			attend_parallel_own(tasks, begin_own, count_own, &j);
			for (size_t i = 0; i < 40; i++) assert_int_equal(j.hits[i], i < tasks);
			assert_int_equal(j.wrong, 0);
			assert_in_range(j.begun, tasks > 0, tasks < (size_t)threads ? tasks : (size_t)threads);
		}
	}
}

/* Workers that have gone to sleep come back. */
static void test_sleepers(void **state)
{
	(void)state;
	assert_ok(attend_set_threads(3));
	for (int i = 0; i < 20; i++) {
		nanosleep(&(struct timespec){0, 2000000}, NULL);
		run(30, false);
	}
}

static void *many_runs(void *arg)
{
	(void)arg;
	for (int i = 0; i < 300; i++) run(7, i % 2 == 0);
	return NULL;
}

static void test_concurrent_callers(void **state)
{
	(void)state;
	assert_ok(attend_set_threads(4));
	pthread_t threads[4];
	for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, many_runs, NULL), 0);
	many_runs(NULL);
	for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static void test_fork(void **state)
{
	(void)state;
	assert_ok(attend_set_threads(4));
	run(20, false);
	const pid_t child = fork();
	if (child == 0) {
		alarm(20);
		job j = {calloc(50, sizeof *j.hits), 0, 50, false};
		attend_parallel(50, count, &j);
		int bad = 0;
		for (size_t i = 0; i < 50; i++) bad += j.hits[i] != 1;
		free(j.hits);
		_exit(bad);
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	run(20, false);
}

static void test_knob(void **state)
{
	(void)state;
	assert_fails(ATTEND_ERR_ARG, "found -1", attend_set_threads(-1));
	assert_fails(ATTEND_ERR_ARG, "found 1025", attend_set_threads(1025));
	assert_ok(attend_set_threads(0));
	assert_int_equal(attend_threads(), attend_available_cpus());
	assert_true(attend_available_cpus() >= 1);
}

static void call_blas(void *arg, size_t index, unsigned worker)
{
	(void)index, (void)worker;
	const float one = 1;
	float c = 0;
	*(bool *)arg |= attend_blas_gemm(false, false, 1, 1, 1, 1, &one, 1, &one, 1, 0, &c, 1);
}

static void test_blas(void **state)
{
	(void)state;
	const float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, 2, -1, 3, 1};
	float c[4] = {100, 100, 100, 100};
	assert_ok(attend_set_threads(2));
	if (!attend_blas_available() && strcmp(attend_blas_info(), "none (built without)") == 0) skip();
	assert_true(attend_blas_available());
	assert_true(attend_blas_gemm(false, false, 2, 2, 3, 2, a, 3, b, 2, 0, c, 2)); /* 2 A B */
	assert_true(c[0] == 28 && c[1] == 2 && c[2] == 64 && c[3] == 2);
	assert_true(attend_blas_gemm(true, true, 2, 2, 3, 1, a, 2, b, 3, 1, c, 2)); /* += A^T B^T, stored [3,2] and [2,3] */
	assert_true(c[0] == 28 + 11 && c[1] == 2 + 13 && c[2] == 64 + 14 && c[3] == 2 + 16);
	assert_false(attend_blas_gemm(false, false, 1, 1, (size_t)1 << 40, 1, a, 1, b, 1, 0, c, 1));
	bool called = false;
	attend_parallel(2, call_blas, &called);
	assert_false(called);
	assert_non_null(strstr(attend_blas_info(), "OpenBLAS"));
}

/* A thread for every CPU: workers leave the caller's to it. */
static void note_affinity(void *arg, size_t index, unsigned worker)
{
	atomic_int *const cpus = arg;
	(void)index;
	if (worker > 0) atomic_store(cpus, attend_affinity_count());
	const struct timespec nap = {.tv_nsec = 200000};
	nanosleep(&nap, NULL); /* so that every thread gets a task */
}

static void test_workers_keep_off(void **state)
{
	(void)state;
	const int cpus = attend_affinity_count();
	assert_ok(attend_set_threads(0));
	if (cpus < 2 || attend_threads() != cpus) skip();
	atomic_int seen = 0;
	for (int i = 0; i < 1000 && atomic_load(&seen) != cpus - 1; i++)
		attend_parallel(4 * (size_t)cpus, note_affinity, &seen);
	assert_int_equal(atomic_load(&seen), cpus - 1);
	assert_int_equal(attend_affinity_count(), cpus); /* the caller stays free */
}

static void test_affinity(void **state)
{
	(void)state;
	const int cpus = attend_affinity_count(), cpu = attend_affinity_current();
	if (cpus == 0) skip(); /* the system does not tell */
	assert_false(attend_affinity_change(-1, -1));
	assert_int_equal(attend_affinity_count(), cpus);
	const bool left = attend_affinity_change(-1, cpu);
	assert_int_equal(left, cpus > 1); /* never the last one */
	assert_int_equal(attend_affinity_count(), cpus > 1 ? cpus - 1 : 1);
	assert_false(left && attend_affinity_change(-1, cpu)); /* not in it any more */
	assert_false(attend_affinity_change(cpu, -1));
	assert_int_equal(attend_affinity_count(), cpus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_task_once),
	                                   cmocka_unit_test(test_own_memory),
	                                   cmocka_unit_test(test_workers_keep_off),
	                                   cmocka_unit_test(test_affinity),
	                                   cmocka_unit_test(test_sleepers),
	                                   cmocka_unit_test(test_concurrent_callers),
	                                   cmocka_unit_test(test_fork),
	                                   cmocka_unit_test(test_knob),
	                                   cmocka_unit_test(test_blas)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
