/* event_log.c: scalars under the tags that HF's TensorBoardCallback gives them: train/loss, train/learning_rate, eval/... */
#include "lib/train/event_log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/core/file.h"
#include "lib/train/events.h"
#include "lib/train/results.h"

static double wall_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void put_entry(attend_buffer *out, double wall_time, const attend_log_entry *e)
{
	attend_scalar scalars[ATTEND_LOG_SCALARS];
	const size_t count = attend_results_scalars(scalars, e);
	attend_events_put_scalars(out, wall_time, (int64_t)e->step, scalars, count);
}

/* The log as records; where `old` has a record of the same step at the same place, its time stays. */
static void put_log(attend_buffer *out, const attend_trainer *t, const char *old, size_t size)
{
	size_t at = 0;
	double time = 0, now = wall_clock();
	int64_t step = 0;
	bool known = attend_events_next(&time, &step, old, size, &at) && step == 0;
	attend_events_put_version(out, known ? time : now);
	for (size_t i = 0; i < t->state.log_count; i++) {
		const attend_log_entry *e = &t->state.log[i];
		known = known && attend_events_next(&time, &step, old, size, &at) && step == (int64_t)e->step;
		put_entry(out, known ? time : now, e);
	}
}

attend_status attend_event_log_open(attend_trainer *trainer)
{
	attend_trainer *t = trainer;
	char *folder = NULL, *old = NULL;
	size_t size = 0;
	ATTEND_TRY(attend_path_join(&folder, t->recipe->output_dir, "runs"));
	attend_status status = attend_folder_make(folder);
	if (status == ATTEND_OK) status = attend_path_join(&t->events_path, folder, "events.out.tfevents.0.attend");
	free(folder);
	if (status == ATTEND_OK && t->plan.first_step && attend_file_exists(t->events_path))
		status = attend_file_read(&old, &size, t->events_path, 0);
	if (status == ATTEND_OK) put_log(&t->events, t, old, size);
	free(old);
	return status == ATTEND_OK ? attend_event_log_close(t) : status;
}

attend_status attend_event_log_add(attend_trainer *trainer)
{
	attend_trainer *t = trainer;
	const size_t before = t->events.size;
	put_entry(&t->events, wall_clock(), &t->state.log[t->state.log_count - 1]);
	ATTEND_TRY(attend_buffer_status(&t->events));
	if (t->events_behind) return ATTEND_OK;
	FILE *f = fopen(t->events_path, "ab");
	const size_t added = t->events.size - before;
	const bool written = f && fwrite(t->events.data + before, 1, added, f) == added;
	if ((f && fclose(f) != 0) || !written) {
		t->events_behind = true;
		attend_log(ATTEND_LOG_WARNING, "%s: cannot write; it is made whole when the run ends", t->events_path);
	}
	return ATTEND_OK;
}

attend_status attend_event_log_close(attend_trainer *trainer)
{
	ATTEND_TRY(attend_buffer_status(&trainer->events));
	return attend_file_write(trainer->events_path, trainer->events.data, trainer->events.size);
}
