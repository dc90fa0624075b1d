/* cmd_bench.c: `attend bench`: times a task and prints one JSON object, by the contract of the reference benchmark. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"

#define TASKS "encode|prefill|decode|seq2seq|train|cold|tokenize"

static const attend_option options[] = {
	{"task", 0, ATTEND_OPTION_WORD, TASKS, "what to time [encode]", 0, 0, false, NULL},
	{"batch", 0, ATTEND_OPTION_INT, "B", "rows of random input [1]", 0, 1e6, false, NULL},
	{"tokens", 0, ATTEND_OPTION_INT, "T", "tokens of a row of random input [128]", 0, 1e6, false, NULL},
	{"lengths", 0, ATTEND_OPTION_FILE, "FILE", "a file of B numbers: lengths of the random rows", 0, 0, false, NULL},
	{"new-tokens", 'n', ATTEND_OPTION_INT, "N", "tokens to make (decode, seq2seq) [32]", 1, 1e6, false, NULL},
	{"num-beams", 0, ATTEND_OPTION_INT, "K", "beams (seq2seq) [1]", 1, 1000, false, NULL},
	{"input", 0, ATTEND_OPTION_FILE, "FILE", "safetensors with input_ids, attention_mask ...; cold: a line of text", 0,
     0, false, NULL},
	{"input-file", 'i', ATTEND_OPTION_FILE, "FILE", "text for the task tokenize", 0, 0, false, NULL},
	{"offsets", 0, ATTEND_OPTION_FLAG, NULL, "tokenize: compute offsets too", 0, 0, false, NULL},
	{"warmup", 0, ATTEND_OPTION_INT, "W", "repetitions that are not reported [1; cold: 0]", 0, 1e6, false, NULL},
	{"repeat", 0, ATTEND_OPTION_INT, "R", "repetitions that are reported [5; cold: 1]", 1, 1e6, false, NULL},
	{"profile", 0, ATTEND_OPTION_FLAG, NULL,
     "where the time goes, by layer and operation, beside the machine's limits (not cold, tokenize)", 0, 0, false,
     NULL},
	{"dump", 0, ATTEND_OPTION_FILE, "FILE", "write the outputs of the last repetition (safetensors; tokenize: text)", 0,
     0, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "print JSON", 0, 0, false, NULL},
	{0},
};

static const attend_option *const groups[] = {attend_options_model, NULL};

static const char *const task_names[] = {"encode", "prefill", "decode", "seq2seq", "train", "cold", "tokenize"};
static const char *const type_names[] = {
	[ATTEND_WEIGHTS_F32] = "f32",
	[ATTEND_WEIGHTS_BF16] = "bf16",
	[ATTEND_WEIGHTS_INT8] = "int8",
	[ATTEND_WEIGHTS_INT4] = "int4",
};

/* `count` whole numbers, malloc'ed; -1: done, else an exit code. */
static int read_lengths(size_t **out, const char *path, size_t count)
{
	FILE *file = fopen(path, "r");
	if (file == NULL) return attend_complain(ATTEND_EXIT_NOT_FOUND, "%s: %s", path, strerror(errno));
	size_t *lengths = calloc(count + 1, sizeof *lengths), n = 0;
	while (lengths != NULL && n < count && fscanf(file, "%zu", &lengths[n]) == 1 && lengths[n] <= 1000000) n++;
	(void)fclose(file);
	if (lengths != NULL && n == count) {
		*out = lengths;
		return -1;
	}
	free(lengths);
	if (lengths == NULL) return attend_complain(ATTEND_EXIT_RESOURCE, "no memory for %zu lengths", count);
	return attend_complain(ATTEND_EXIT_DATA, "%s: expected %zu lengths of at most 1000000, found %zu", path, count, n);
}

static double peak_rss_mb(void)
{
	struct rusage usage;
	return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024 : 0;
}

static void print_json_profile(const attend_bench_result *r)
{
	attend_output_printf(", \"limits\": {\"gflops_f32\": %.1f, \"gflops_dtype\": %.1f, \"read_gbytes_per_s\": %.2f}, "
	                     "\"profile\": [",
	                     r->peak_gflops, r->peak_type_gflops, r->read_gbytes_per_s);
	for (size_t i = 0; i < r->line_count; i++) {
		const attend_bench_line *l = &r->lines[i];
		attend_output_printf("%s{\"stack\": \"%s\", \"layer\": ", i == 0 ? "" : ", ", l->stack);
		if (l->layer < 0) attend_output_text("null");
		else attend_output_printf("%d", l->layer);
		attend_output_printf(
			", \"operation\": \"%s\", \"backward\": %s, \"calls\": %.2f, \"ms\": %.6f, \"gflops\": %.3f, "
			"\"gbytes_per_s\": %.3f, \"floor_ms\": %.6f}",
			l->operation, l->backward ? "true" : "false", l->calls, l->ms, l->gflops, l->gbytes_per_s, l->floor_ms);
	}
	attend_output_text("]");
}

/* One row of the table. */
static void print_line(const char *stack, const char *name, const attend_bench_line *l, double total)
{
	attend_output_printf("%-8s %-28s %8.1f %10.3f %6.1f", stack, name, l->calls, l->ms, 100 * l->ms / total);
	if (l->floor_ms > 0)
		attend_output_printf(" %9.1f %8.1f %7.0f", l->gflops, l->gbytes_per_s, 100 * l->floor_ms / l->ms);
	attend_output_text("\n");
}

/* Sum of the lines that agree with `like` in stack and, unless like->operation is NULL, in operation; else in layer. */
static attend_bench_line sum_lines(const attend_bench_result *r, const attend_bench_line *like)
{
	attend_bench_line sum = *like;
	double flops = 0, bytes = 0;
	sum.calls = sum.ms = sum.floor_ms = 0;
	for (size_t i = 0; i < r->line_count; i++) {
		const attend_bench_line *l = &r->lines[i];
		if (strcmp(l->stack, like->stack) != 0) continue;
		if (like->operation == NULL ? l->layer != like->layer
		                            : l->backward != like->backward || strcmp(l->operation, like->operation) != 0)
			continue;
		sum.calls += l->calls;
		sum.ms += l->ms;
		sum.floor_ms += l->floor_ms;
		flops += l->gflops * l->ms;
		bytes += l->gbytes_per_s * l->ms;
	}
	sum.gflops = sum.ms > 0 ? flops / sum.ms : 0;
	sum.gbytes_per_s = sum.ms > 0 ? bytes / sum.ms : 0;
	return sum;
}

/* Is line i the first of its operation (or of its layer)? */
static bool first_of(const attend_bench_result *r, size_t i, bool by_layer)
{
	const attend_bench_line *l = &r->lines[i];
	for (size_t k = 0; k < i; k++) {
		const attend_bench_line *o = &r->lines[k];
		if (strcmp(o->stack, l->stack) == 0 &&
		    (by_layer ? o->layer == l->layer : o->backward == l->backward && strcmp(o->operation, l->operation) == 0))
			return false;
	}
	return true;
}

static void print_profile(const attend_bench_result *r)
{
	double total = 1e-9;
	char name[48];
	for (size_t i = 0; i < r->line_count; i++) total += r->lines[i].ms;
	attend_output_printf("limits: %.1f GFLOP/s in f32, %.1f with these weights, reading %.1f GB/s\n\n", r->peak_gflops,
	                     r->peak_type_gflops, r->read_gbytes_per_s);
	attend_output_printf("%-8s %-28s %8s %10s %6s %9s %8s %7s\n", "stack", "operation", "calls", "ms", "time%",
	                     "GFLOP/s", "GB/s", "limit%");
	for (int by_layer = 0; by_layer < 2; by_layer++) {
		if (by_layer) attend_output_text("\n");
		for (size_t i = 0; i < r->line_count; i++) {
			attend_bench_line like = r->lines[i];
			if (!first_of(r, i, by_layer != 0) || (by_layer && like.layer < 0)) continue;
			if (by_layer) like.operation = NULL;
			const attend_bench_line sum = sum_lines(r, &like);
			if (by_layer) (void)snprintf(name, sizeof name, "layer %d", like.layer);
			else (void)snprintf(name, sizeof name, "%s%s", like.operation, like.backward ? " (backward)" : "");
			print_line(like.stack[0] != 0 ? like.stack : "-", name, &sum, total);
		}
	}
}

static void print_json(const attend_bench_options *o, const attend_bench_result *r)
{
	attend_output_printf(
		"{\"engine\": \"attend\", \"version\": \"%s\", \"isa\": \"%s\", \"task\": \"%s\", \"dtype\": \"%s\", "
		"\"threads\": %d, \"batch\": %zu, \"tokens\": %zu, \"times_ms\": [",
		attend_version(), attend_isa(), task_names[o->task], type_names[r->weights], attend_threads(), r->batch,
		r->tokens);
	for (size_t i = 0; i < r->count; i++) attend_output_printf("%s%.6f", i == 0 ? "" : ", ", r->times_ms[i]);
	attend_output_printf(
		"], \"min_ms\": %.6f, \"median_ms\": %.6f, \"p95_ms\": %.6f, \"tokens_per_s\": %.2f, \"gflops\": %.3f, "
		"\"gbytes_per_s\": %.3f, \"load_ms\": %.3f, \"peak_rss_mb\": %.1f",
		r->min_ms, r->median_ms, r->p95_ms, r->tokens_per_s, r->gflops, r->gbytes_per_s, r->load_ms, peak_rss_mb());
	if (o->task == ATTEND_BENCH_TOKENIZE) attend_output_printf(", \"megabytes\": %.6f", r->megabytes);
	if (r->lines != NULL) print_json_profile(r);
	attend_output_text("}\n");
}

static void print_text(const attend_bench_options *o, const attend_bench_result *r)
{
	attend_output_printf("%s %s, %zu x %zu, %d threads, %s: min %.3f ms, median %.3f ms, p95 %.3f ms\n",
	                     task_names[o->task], type_names[r->weights], r->batch, r->tokens, attend_threads(),
	                     attend_isa(), r->min_ms, r->median_ms, r->p95_ms);
	attend_output_printf("%.1f tokens/s, %.1f GFLOP/s, %.1f GB/s, loading %.1f ms, peak memory %.0f MB",
	                     r->tokens_per_s, r->gflops, r->gbytes_per_s, r->load_ms, peak_rss_mb());
	if (o->task == ATTEND_BENCH_TOKENIZE) attend_output_printf(", %.1f MB/s", r->megabytes / (1e-3 * r->median_ms));
	attend_output_text("\n");
	if (r->lines != NULL) print_profile(r);
}

static int run(const attend_args *args)
{
	const attend_command *command = attend_args_command(args);
	size_t *lengths = NULL;
	attend_bench_options o = {.task = (attend_bench_task)attend_args_word(args, "task", 0),
	                          .model = attend_args_text(args, "model", NULL),
	                          .weights = attend_weights_of(args),
	                          .batch = (size_t)attend_args_int(args, "batch", 1),
	                          .tokens = (size_t)attend_args_int(args, "tokens", 0),
	                          .new_tokens = (size_t)attend_args_int(args, "new-tokens", 0),
	                          .num_beams = (size_t)attend_args_int(args, "num-beams", 0),
	                          .input_file = attend_args_text(args, "input", attend_args_text(args, "input-file", NULL)),
	                          .dump_file = attend_args_text(args, "dump", NULL),
	                          .repeat = (size_t)attend_args_int(args, "repeat", 0),
	                          .offsets = attend_args_flag(args, "offsets"),
	                          .profile = attend_args_flag(args, "profile")};
	/* Of a cold start the process itself is timed: it does the task once. */
	o.warmup = (size_t)attend_args_int(args, "warmup", o.task == ATTEND_BENCH_COLD ? 0 : 1);
	if (o.model == NULL) return attend_usage(command, "no model: give a checkpoint folder with -m");
	const bool text = o.task == ATTEND_BENCH_COLD || o.task == ATTEND_BENCH_TOKENIZE;
	if (text && o.profile) return attend_usage(command, "--profile: cold and tokenize have none");
	if (o.task == ATTEND_BENCH_TOKENIZE && o.weights != ATTEND_WEIGHTS_STORED)
		return attend_usage(command, "--dtype: tokenize multiplies nothing");
	if (text && o.input_file == NULL) return attend_usage(command, "this task needs a text file: --input");
	const char *lengths_file = attend_args_text(args, "lengths", NULL);
	int code = lengths_file != NULL ? read_lengths(&lengths, lengths_file, o.batch) : -1;
	if (code >= 0) return code;
	o.lengths = lengths;
	attend_bench_result result;
	const attend_status status = attend_bench(&result, &o);
	free(lengths);
	if (status != ATTEND_OK) return attend_report(status);
	if (attend_args_flag(args, "json")) print_json(&o, &result);
	else print_text(&o, &result);
	attend_bench_free(&result);
	return ATTEND_EXIT_DONE;
}

const attend_command attend_command_bench = {
	.name = "bench",
	.summary = "time a task on a checkpoint",
	.details = "Times from ids in memory to outputs in memory; loading, packing and quantising are\n"
			   "told apart. decode does not count the prompt. Nothing else should run meanwhile.",
	.example = "attend bench -m bert-base-uncased --task encode --batch 8 --tokens 128 --json",
	.groups = groups,
	.options = options,
	.run = run,
};
