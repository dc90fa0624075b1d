/* bench_limits.c: what the machine can do at most with the team of threads at hand: multiply-adds in registers, and reading
 * memory. The best of several short tries, because others may run too. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/threads.h"
#include "lib/kernels/probe.h"
#include "lib/kernels/row_table.h"
#include "lib/tasks/bench.h"

enum { TRIES = 8 };
static const double TRY_MS = 4;

typedef struct probe_job {
	attend_pack_type type;
	const struct attend_row_table *table;
	size_t rounds;
	const float *memory;
	size_t part; /* floats of a task */
} probe_job;

static void compute(void *arg, size_t index, unsigned worker)
{
	const probe_job *job = arg;
	(void)index;
	(void)worker;
	(void)attend_probe(job->type, job->rounds);
}

static void read_part(void *arg, size_t index, unsigned worker)
{
	const probe_job *job = arg;
	(void)worker;
	volatile float keep = job->table->row_max(job->memory + index * job->part, job->part);
	(void)keep;
}

static double best_ms(size_t tasks, attend_task task, probe_job *job)
{
	double best = 0;
	for (int i = 0; i < TRIES; i++) {
		const double start = attend_bench_now();
		attend_parallel(tasks, task, job);
		const double ms = attend_bench_now() - start;
		if (best <= 0 || ms < best) best = ms;
	}
	return best;
}

double attend_bench_peak(attend_pack_type type)
{
	const size_t threads = (size_t)attend_threads();
	probe_job job = {.type = type, .rounds = 1000};
	for (double ms = 0; ms < TRY_MS; job.rounds *= 2) { /* on one thread, until it takes long enough */
		const double start = attend_bench_now();
		(void)attend_probe(type, job.rounds);
		ms = attend_bench_now() - start;
	}
	const double operations = attend_probe(type, job.rounds) * (double)threads;
	return 1e-6 * operations / best_ms(threads, compute, &job);
}

/* The widest loads that the CPU has, whatever level is in use. */
static const struct attend_row_table *widest(void)
{
	for (int level = ATTEND_ISA_NEONDOT; level > ATTEND_ISA_PORTABLE; level--)
		if (attend_cpu_supports((attend_isa_level)level)) return attend_row_kernels_at((attend_isa_level)level);
	return attend_row_kernels();
}

attend_status attend_bench_bandwidth(double *out, size_t bytes)
{
	enum { PARTS = 16 };
	const size_t floats = bytes / sizeof(float) / PARTS * PARTS;
	float *memory = attend_alloc_array(floats, sizeof *memory);
	if (memory == NULL) return attend_fail_memory(floats * sizeof *memory, "measuring the memory");
	memset(memory, 0, floats * sizeof *memory);
	probe_job job = {.table = widest(), .memory = memory, .part = floats / PARTS};
	*out = 1e-6 * (double)(floats * sizeof *memory) / best_ms(PARTS, read_part, &job);
	free(memory);
	return ATTEND_OK;
}
