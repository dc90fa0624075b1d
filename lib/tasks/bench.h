/* bench.h: what the parts of attend_bench share: bench.c (the clock and the figures), bench_io.c (inputs, dumps),
 * bench_tasks.c (the tasks), bench_work.c (what a task must compute and read). */
#ifndef ATTEND_TASKS_BENCH_H
#define ATTEND_TASKS_BENCH_H

#include "lib/tasks/pipeline.h"

/* Token ids of a batch as a padded table, as the input file has it. */
typedef struct attend_bench_input {
	size_t batch, width;   /* B, T: the longest row */
	int32_t *ids;          /* [B,T]; what lies behind a row's length is not looked at */
	size_t *lengths;       /* [B] */
	size_t total;          /* sum of the lengths */
	int32_t decoder_start; /* from decoder_input_ids, or -1 */
	int32_t *labels;       /* [B] or NULL */
	char *text;            /* cold, tokenize; NUL-terminated */
	size_t text_size;
} attend_bench_input;

/* Read options->input_file, or draw ids. `model` is NULL for tokenize. */
attend_status attend_bench_read(attend_bench_input *out, const attend_bench_options *options,
                                const attend_model *model);
void attend_bench_input_free(attend_bench_input *input);

/* One tensor of a dump: `name` as f32 or, ids, as I64. Exactly one of values and ids is given. */
typedef struct attend_bench_tensor {
	const char *name;
	const float *values;
	const int32_t *ids;
	size_t rank, shape[3];
} attend_bench_tensor;
attend_status attend_bench_write(const char *path, const attend_bench_tensor *tensors, size_t count);

/* What the machine does at most, on all threads: GFLOP/s of products of this type's weights, GB/s of reading `bytes`. */
double attend_bench_peak(attend_pack_type type);
attend_status attend_bench_bandwidth(double *out, size_t bytes);

/* bench_profile.c: a profiler on the network until it is freed; it measures the machine's limits first. */
typedef struct attend_bench_profile attend_bench_profile;
attend_status attend_bench_profile_new(attend_bench_profile **out, attend_network *network);
void attend_bench_profile_free(attend_bench_profile *profile);
/* Begin or end counting; what lies between the last lap and the end is "outside". NULL is fine. */
void attend_bench_profile_count(attend_bench_profile *profile, bool on);
attend_status attend_bench_profile_result(attend_bench_result *result, const attend_bench_profile *profile);

/* What the task train keeps between its steps: bench_train.c. */
typedef struct attend_bench_training attend_bench_training;

/* A task at work. */
typedef struct attend_bench_run {
	const attend_bench_options *options;
	attend_bench_input input;
	attend_model *model;
	attend_pipeline *pipeline;
	attend_tokenizer *tokenizer; /* tokenize */
	attend_sequence *sequences;  /* [B] rows of the input */
	attend_text *lines;          /* tokenize */
	size_t line_count;
	attend_bench_training *training;
	attend_bench_profile *profile; /* or NULL */
	double load_ms;
} attend_bench_run;

/* One repetition; *ms gets its time. `dump`: write the outputs too (outside of the time). */
attend_status attend_bench_repeat(attend_bench_run *run, double *ms, bool dump);

/* Put the run's model into training form and compute the loss before any step; one step. ATTEND_BENCH_TRAIN only. */
attend_status attend_bench_training_new(attend_bench_training **out, const attend_bench_run *run);
attend_status attend_bench_train_step(attend_bench_run *run, double *ms, bool dump);
void attend_bench_training_free(attend_bench_training *training);

/* Floating-point operations and bytes of one repetition, as bench/rows.py of the benchmark counts them: weights and
 * cache once per pass; and the tokens that it stands for. */
typedef struct attend_bench_work {
	double flops, bytes, tokens;
} attend_bench_work;
attend_bench_work attend_bench_count(const attend_bench_run *run);

double attend_bench_now(void); /* ms */

#endif
