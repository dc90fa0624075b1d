/* cmd_perplexity.c: `attend perplexity`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"

static const attend_option options[] = {
	{"max-length", 0, ATTEND_OPTION_INT, "N", "tokens of a window [what the model takes]", 2, 1e9, false, NULL},
	{"stride", 0, ATTEND_OPTION_INT, "N", "tokens that a window moves by [512, or the window]", 1, 1e9, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "print one JSON object per text", 0, 0, false, NULL},
	{"jsonl", 0, ATTEND_OPTION_FLAG, NULL, "the same", 0, 0, false, NULL},
	{"tsv", 0, ATTEND_OPTION_FLAG, NULL, "print tab-separated columns, a header line first", 0, 0, false, NULL},
	{0},
};

static const attend_option *const groups[] = {attend_options_model, NULL};

/* All of a stream, malloc'ed; NULL: an exit code is in *code. */
static char *read_all(FILE *file, const char *name, size_t *size, int *code)
{
	size_t capacity = 0;
	char *text = NULL;
	for (*size = 0;;) {
		if (*size == capacity) {
			char *grown = realloc(text, capacity = capacity * 2 + 65536);
			if (grown == NULL) {
				free(text);
				*code = attend_complain(ATTEND_EXIT_RESOURCE, "no memory for %s", name);
				return NULL;
			}
			text = grown;
		}
		const size_t n = fread(text + *size, 1, capacity - *size, file);
		*size += n;
		if (n != 0) continue;
		if (!ferror(file)) return text;
		*code = attend_complain(ATTEND_EXIT_NOT_FOUND, "%s: %s", name, strerror(errno));
		free(text);
		return NULL;
	}
}

static bool progress(void *payload, size_t done, size_t total)
{
	attend_progress *p = payload;
	p->total = total;
	attend_progress_step(p, done);
	return true;
}

static void print(const attend_args *args, const char *name, const attend_perplexity_result *r, bool first)
{
	if (attend_args_flag(args, "json") || attend_args_flag(args, "jsonl")) {
		attend_output_text("{\"file\": ");
		attend_output_json_text(name);
		attend_output_text(", \"perplexity\": ");
		attend_output_json_f64(r->perplexity);
		attend_output_text(", \"mean_nll\": ");
		attend_output_json_f64(r->mean);
		attend_output_text(", \"sum_nll\": ");
		attend_output_json_f64(r->nll);
		attend_output_printf(", \"tokens\": %zu, \"predicted\": %zu, \"windows\": %zu}\n", r->tokens, r->predicted,
		                     r->windows);
	} else if (attend_args_flag(args, "tsv")) {
		if (first) attend_output_text("file\tperplexity\tmean_nll\ttokens\tpredicted\twindows\n");
		attend_output_cell(name, strlen(name));
		attend_output_printf("\t%.6f\t%.6f\t%zu\t%zu\t%zu\n", r->perplexity, r->mean, r->tokens, r->predicted,
		                     r->windows);
	} else
		attend_output_printf("%s: perplexity %.4f (%.4f nats per token, %zu tokens, %zu windows)\n", name,
		                     r->perplexity, r->mean, r->tokens, r->windows);
}

/* One file ("-": stdin); the exit code. */
static int measure(const attend_args *args, attend_pipeline *pipeline, const char *path, bool first)
{
	const bool input = strcmp(path, "-") == 0;
	const char *name = input ? "stdin" : path;
	FILE *file = input ? stdin : fopen(path, "rb");
	if (file == NULL) return attend_complain(ATTEND_EXIT_NOT_FOUND, "%s: %s", path, strerror(errno));
	size_t size;
	int code = ATTEND_EXIT_DONE;
	char *text = read_all(file, name, &size, &code);
	if (!input) (void)fclose(file);
	if (text == NULL) return code;
	attend_progress shown;
	attend_progress_start(&shown, args, "tokens", 0);
	const attend_perplexity_options o = {.max_length = (size_t)attend_args_int(args, "max-length", 0),
	                                     .stride = (size_t)attend_args_int(args, "stride", 0),
	                                     .progress = progress,
	                                     .payload = &shown};
	attend_perplexity_result result;
	const attend_status status = attend_perplexity(&result, pipeline, text, size, &o);
	attend_progress_end(&shown);
	free(text);
	if (status != ATTEND_OK) return attend_complain(attend_exit_code(status), "%s: %s", name, attend_error());
	print(args, name, &result, first);
	attend_output_flush();
	return ATTEND_EXIT_DONE;
}

static int run(const attend_args *args)
{
	attend_opened opened = {0};
	const size_t count = attend_args_operand_count(args);
	size_t failed = 0;
	int code = attend_open_model(&opened, args, "gpt2-mini");
	if (code >= 0) return code;
	for (size_t i = 0; i < count || (i == 0 && count == 0); i++) {
		const int one = measure(args, opened.pipeline, count == 0 ? "-" : attend_args_operand(args, i), i == failed);
		code = one;
		if (one == ATTEND_EXIT_DONE) continue;
		failed++;
		if (one != ATTEND_EXIT_DATA && one != ATTEND_EXIT_NOT_FOUND) break;
	}
	attend_opened_free(&opened);
	if (failed == 0) return ATTEND_EXIT_DONE;
	return failed < count && (code == ATTEND_EXIT_DONE || code == ATTEND_EXIT_DATA || code == ATTEND_EXIT_NOT_FOUND)
	           ? ATTEND_EXIT_SOME_FAILED
	           : code;
}

const attend_command attend_command_perplexity = {
	.name = "perplexity",
	.summary = "measure how well a causal language model predicts a text",
	.operands = "[FILE ...]",
	.details = "The whole file is one text; windows slide over it as in HuggingFace's\n"
			   "documentation of perplexity. Without files, standard input is read. Without -m\n"
			   "the bundled gpt2-mini is used.",
	.example = "attend perplexity --stride 128 book.txt",
	.groups = groups,
	.options = options,
	.run = run,
};
