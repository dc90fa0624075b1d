/* bench.c: attend_bench: loads, repeats, sorts the times. */
#include "lib/tasks/bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/core/arena.h"

double attend_bench_now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static attend_status load_model(attend_bench_run *run)
{
	const attend_bench_options *o = run->options;
	const attend_model_options options = {.weights = o->weights};
	const double start = attend_bench_now();
	ATTEND_TRY(attend_model_load(&run->model, o->model, &options));
	const attend_head_kind head = o->task == ATTEND_BENCH_SEQ2SEQ  ? ATTEND_HEAD_SEQ2SEQ
	                              : o->task == ATTEND_BENCH_ENCODE ? ATTEND_HEAD_BASE
	                                                               : ATTEND_HEAD_LM;
	if (o->task != ATTEND_BENCH_TRAIN) ATTEND_TRY(attend_network_prepare(&run->model->checkpoint->network, head));
	run->load_ms = attend_bench_now() - start;
	return attend_pipeline_new(&run->pipeline, run->model);
}

static attend_status load_tokenizer(attend_bench_run *run)
{
	const double start = attend_bench_now();
	ATTEND_TRY(attend_tokenizer_load(&run->tokenizer, run->options->model));
	run->load_ms = attend_bench_now() - start;
	return ATTEND_OK;
}

/* Lines of the text, without what follows the last newline when that is empty. */
static attend_status split_lines(attend_bench_run *run)
{
	const char *text = run->input.text, *end = text + run->input.text_size;
	size_t capacity = 0;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline != NULL ? newline : end;
		ATTEND_TRY(attend_grow(&run->lines, &capacity, run->line_count + 1, sizeof *run->lines, "lines"));
		run->lines[run->line_count++] = (attend_text){.text = text, .size = (size_t)(stop - text)};
		text = stop + 1;
	}
	return ATTEND_OK;
}

static attend_status start(attend_bench_run *run)
{
	const attend_bench_task task = run->options->task;
	if (task == ATTEND_BENCH_TOKENIZE) {
		ATTEND_TRY(load_tokenizer(run));
		ATTEND_TRY(attend_bench_read(&run->input, run->options, NULL));
		return split_lines(run);
	}
	if (task == ATTEND_BENCH_COLD) return attend_bench_read(&run->input, run->options, NULL);
	ATTEND_TRY(load_model(run));
	ATTEND_TRY(attend_bench_read(&run->input, run->options, run->model));
	run->sequences = attend_alloc_array(run->input.batch, sizeof *run->sequences);
	if (run->sequences == NULL) return attend_fail_memory(run->input.batch * sizeof *run->sequences, "sequences");
	for (size_t i = 0; i < run->input.batch; i++)
		run->sequences[i] =
			(attend_sequence){.ids = run->input.ids + i * run->input.width, .count = run->input.lengths[i]};
	return run->options->task == ATTEND_BENCH_TRAIN ? attend_bench_training_new(&run->training, run) : ATTEND_OK;
}

static int rising(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static attend_status figures(attend_bench_result *result, const attend_bench_run *run)
{
	double *sorted = attend_alloc_array(result->count, sizeof *sorted);
	if (sorted == NULL) return attend_fail_memory(result->count * sizeof *sorted, "times");
	memcpy(sorted, result->times_ms, result->count * sizeof *sorted);
	qsort(sorted, result->count, sizeof *sorted, rising);
	const size_t n = result->count;
	result->min_ms = sorted[0];
	result->median_ms = n % 2 == 1 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
	result->p95_ms = sorted[(n * 95 + 99) / 100 - 1];
	free(sorted);
	const attend_bench_work work = attend_bench_count(run);
	const double seconds = 1e-3 * result->median_ms;
	result->tokens_per_s = work.tokens / seconds;
	result->gflops = 1e-9 * work.flops / seconds;
	result->gbytes_per_s = 1e-9 * work.bytes / seconds;
	result->batch = run->input.batch;
	result->tokens = run->input.width;
	result->load_ms = run->load_ms;
	result->weights = run->model != NULL ? attend_model_weights(run->model) : ATTEND_WEIGHTS_F32;
	result->megabytes = run->options->task == ATTEND_BENCH_TOKENIZE ? 1e-6 * (double)run->input.text_size : 0;
	return ATTEND_OK;
}

static attend_status repeat(attend_bench_result *result, attend_bench_run *run)
{
	const attend_bench_options *o = run->options;
	double ms;
	for (size_t i = 0; i < o->warmup; i++) ATTEND_TRY(attend_bench_repeat(run, &ms, false));
	if (o->profile) ATTEND_TRY(attend_bench_profile_new(&run->profile, &run->model->checkpoint->network));
	for (size_t i = 0; i < result->count; i++)
		ATTEND_TRY(attend_bench_repeat(run, &result->times_ms[i], o->dump_file != NULL && i + 1 == result->count));
	ATTEND_TRY(figures(result, run));
	return run->profile != NULL ? attend_bench_profile_result(result, run->profile) : ATTEND_OK;
}

static void stop(attend_bench_run *run)
{
	attend_bench_profile_free(run->profile);
	attend_bench_training_free(run->training);
	attend_pipeline_free(run->pipeline);
	attend_model_free(run->model);
	attend_tokenizer_free(run->tokenizer);
	attend_bench_input_free(&run->input);
	free(run->sequences);
	free(run->lines);
}

attend_status attend_bench(attend_bench_result *out, const attend_bench_options *options)
{
	if (out == NULL || options == NULL || options->model == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_bench: out, options and options->model must not be NULL");
	attend_bench_options o = *options;
	if (o.batch == 0) o.batch = 1;
	if (o.tokens == 0) o.tokens = 128;
	if (o.new_tokens == 0) o.new_tokens = 32;
	if (o.num_beams == 0) o.num_beams = 1;
	if (o.repeat == 0) o.repeat = o.task == ATTEND_BENCH_COLD ? 1 : 5;
	if (o.profile && (o.task == ATTEND_BENCH_COLD || o.task == ATTEND_BENCH_TOKENIZE))
		return attend_fail(ATTEND_ERR_ARG, "attend_bench: cold and tokenize have no profile");
	attend_bench_run run = {.options = &o};
	attend_bench_result result = {.count = o.repeat};
	result.times_ms = attend_alloc_array(o.repeat, sizeof *result.times_ms);
	attend_status status =
		result.times_ms != NULL ? start(&run) : attend_fail_memory(o.repeat * sizeof *result.times_ms, "times");
	if (status == ATTEND_OK) status = repeat(&result, &run);
	stop(&run);
	if (status == ATTEND_OK) *out = result;
	else attend_bench_free(&result);
	return status;
}

void attend_bench_free(attend_bench_result *result)
{
	if (result == NULL) return;
	free(result->times_ms);
	free(result->lines);
	*result = (attend_bench_result){0};
}
