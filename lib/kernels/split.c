/* split.c: ranges of independent work over the team. */
#include "lib/core/threads.h"
#include "lib/kernels/row_table.h"

/* A spinning team takes about a microsecond to share out; an operation is some tenth of a nanosecond and more. */
enum { TASK_COST = 1 << 13 };
/* Tasks per thread: more balances uneven work, fewer saves claims. */
enum { TASKS_PER_THREAD = 32 };

typedef struct split {
	attend_range range;
	void *arg;
	size_t count, grain;
} split;

static void run_task(void *arg, size_t index, unsigned worker)
{
	const split *s = arg;
	const size_t begin = index * s->grain;
	const size_t rest = s->count - begin;
	(void)worker;
	s->range(s->arg, begin, begin + (rest < s->grain ? rest : s->grain));
}

void attend_split(size_t count, size_t cost, attend_range range, void *arg)
{
	if (count == 0) return;
	size_t grain = cost >= TASK_COST ? 1 : TASK_COST / (cost ? cost : 1);
	const size_t even = count / ((size_t)attend_threads() * TASKS_PER_THREAD) + 1;
	if (grain < even) grain = even;
	if (grain >= count) {
		range(arg, 0, count);
		return;
	}
	const size_t tasks = (count + grain - 1) / grain;
	grain = (count + tasks - 1) / tasks;               /* no short last one */
	if (cost < 64) grain = (grain + 63) & ~(size_t)63; /* of elements: whole cache lines, whole Philox blocks */
	split s = {range, arg, count, grain};
	attend_parallel((count + grain - 1) / grain, run_task, &s);
}
