/* cmd_tokenize.c: `attend tokenize`. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/output.h"
#include "apps/stream.h"

static const attend_option options[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "checkpoint folder, or a tokenizer.json", 0, 0, false, NULL},
	{"format", 0, ATTEND_OPTION_WORD, "tokens|ids|json|npy|bin",
     "a line of spellings, numbers, a JSON object per text; all ids as a binary file [tokens]", 0, 0, false, NULL},
	{"output", 'o', ATTEND_OPTION_FILE, "FILE", "npy, bin: write FILE instead of standard output", 0, 0, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "the same as --format json", 0, 0, false, NULL},
	{"special-tokens", 0, ATTEND_OPTION_FLAG, NULL, "--no-special-tokens: leave out [CLS], [SEP] and friends", 0, 0,
     false, NULL},
	{"split-special-tokens", 0, ATTEND_OPTION_FLAG, NULL, "special tokens in the text are plain text", 0, 0, false,
     NULL},
	{"max-length", 0, ATTEND_OPTION_INT, "N", "cut to N tokens, special ones included [the tokenizer's limit]", 0,
     UINT32_MAX, false, NULL},
	{"truncation", 0, ATTEND_OPTION_WORD, "longest_first|only_first|only_second",
     "which text of a pair is cut [longest_first with --max-length, else none]", 0, 0, false, NULL},
	{"truncation-side", 0, ATTEND_OPTION_WORD, "left|right", "where tokens are taken off [right]", 0, 0, false, NULL},
	{"stride", 0, ATTEND_OPTION_INT, "N", "tokens that overflowing windows overlap by [0]", 0, UINT32_MAX, false, NULL},
	{"return-overflowing", 0, ATTEND_OPTION_FLAG, NULL, "JSON: what was cut off, as a list of windows", 0, 0, false,
     NULL},
	{0},
};

static const attend_option *const groups[] = {attend_options_input, NULL};

typedef enum format { TOKENS, IDS, JSON, NPY, BIN } format;

typedef struct tokenize_run {
	const attend_tokenizer *tokenizer;
	attend_encode_options options;
	format format;
	attend_ids all; /* npy, bin: of all texts so far */
} tokenize_run;

/* A number with `before` in front of it. */
static void print_number(const char *before, int64_t value)
{
	attend_output_text(before);
	attend_output_number(value);
}

static void print_numbers(const char *name, const int32_t *values, size_t count)
{
	attend_output_text(name);
	attend_output_numbers(values, count, ',');
}

static void print_spans(const char *name, const attend_span *spans, size_t count)
{
	attend_output_text(name);
	for (size_t i = 0; i < count; i++) {
		print_number(i ? ",[" : "[", spans[i].start);
		print_number(",", spans[i].end);
		attend_output_text("]");
	}
}

static void print_json(const attend_encoding *e, bool overflowing)
{
	print_numbers("{\"ids\":[", e->ids, e->count);
	attend_output_text("],\"tokens\":[");
	for (size_t i = 0; i < e->count; i++) {
		if (i) attend_output_text(",");
		attend_output_json_string(e->tokens[i], e->token_sizes[i]);
	}
	print_numbers("],\"type_ids\":[", e->type_ids, e->count);
	print_spans("],\"offsets\":[", e->offsets, e->count);
	print_spans("],\"byte_offsets\":[", e->byte_offsets, e->count);
	attend_output_text("],\"word_ids\":[");
	for (size_t i = 0; i < e->count; i++) {
		if (e->word_ids[i] < 0) attend_output_text(i ? ",null" : "null");
		else print_number(i ? "," : "", e->word_ids[i]);
	}
	attend_output_text("],\"special_tokens_mask\":[");
	for (size_t i = 0; i < e->count; i++) print_number(i ? "," : "", e->special_tokens_mask[i]);
	attend_output_text("]");
	if (overflowing) {
		attend_output_text(",\"overflowing\":[");
		for (size_t i = 0; i < e->overflowing_count; i++) {
			if (i) attend_output_text(",");
			print_json(&e->overflowing[i], false);
		}
		attend_output_text("]");
	}
	attend_output_text("}");
}

/* Spellings between blanks. */
static void print_tokens(const attend_encoding *e)
{
	for (size_t i = 0; i < e->count; i++) {
		if (i) attend_output_text(" ");
		attend_output_cell(e->tokens[i], e->token_sizes[i]);
	}
}

static attend_status run_ids(const tokenize_run *run, const attend_text *texts, size_t count)
{
	attend_ids ids;
	const attend_status status = attend_tokenizer_encode_ids(&ids, run->tokenizer, texts, count, &run->options);
	if (status != ATTEND_OK) return status;
	for (size_t i = 0; i < count; i++) {
		attend_output_numbers(ids.ids + ids.starts[i], ids.starts[i + 1] - ids.starts[i], ' ');
		attend_output_text("\n");
	}
	attend_ids_free(&ids);
	return ATTEND_OK;
}

static attend_status collect_ids(tokenize_run *run, const attend_text *texts, size_t count)
{
	attend_ids ids;
	attend_status status = attend_tokenizer_encode_ids(&ids, run->tokenizer, texts, count, &run->options);
	if (status != ATTEND_OK) return status;
	status = attend_ids_append(&run->all, &ids);
	attend_ids_free(&ids);
	return status;
}

/* What was collected, whole. */
static int write_ids(const tokenize_run *run, const char *path)
{
	const attend_ids_format format = run->format == NPY ? ATTEND_IDS_NPY : ATTEND_IDS_BIN;
	if (path != NULL) {
		const attend_status status = attend_ids_write(path, &run->all, format);
		return status == ATTEND_OK ? ATTEND_EXIT_DONE : attend_report(status);
	}
	char *bytes;
	size_t size;
	const attend_status status = attend_ids_pack(&bytes, &size, &run->all, format);
	if (status != ATTEND_OK) return attend_report(status);
	attend_output_bytes(bytes, size);
	free(bytes);
	return ATTEND_EXIT_DONE;
}

static attend_status run_records(void *payload, const attend_record *records, const attend_text *texts, size_t count)
{
	tokenize_run *const run = payload;
	attend_encoding encodings[ATTEND_RECORD_GROUP];
	(void)records;
	if (run->format == IDS) return run_ids(run, texts, count);
	if (run->format == NPY || run->format == BIN) return collect_ids(run, texts, count);
	const attend_status status = attend_tokenizer_encode_batch(encodings, run->tokenizer, texts, count, &run->options);
	if (status != ATTEND_OK) return status;
	for (size_t i = 0; i < count; i++) {
		if (run->format == JSON) print_json(&encodings[i], run->options.return_overflowing);
		else print_tokens(&encodings[i]);
		attend_output_text("\n");
		attend_encoding_free(&encodings[i]);
	}
	return ATTEND_OK;
}

/* Truncation as the options say: a length alone means longest_first, a strategy alone the tokenizer's own length. */
static void set_truncation(attend_encode_options *o, const attend_args *args, const attend_tokenizer *tokenizer)
{
	const bool strategy = attend_args_given(args, "truncation"), length = attend_args_given(args, "max-length");
	const size_t limit = attend_tokenizer_max_length(tokenizer);
	o->max_length = length ? (size_t)attend_args_int(args, "max-length", 0) : limit;
	o->stride = (size_t)attend_args_int(args, "stride", 0);
	o->truncate_left = attend_args_word(args, "truncation-side", 1) == 0;
	if (!strategy && !length) return;
	if (o->max_length == SIZE_MAX) {
		attend_warn(args, "the tokenizer has no maximal length: nothing is cut without --max-length");
		return;
	}
	o->truncation = (attend_truncation)(ATTEND_TRUNCATE_LONGEST_FIRST + attend_args_word(args, "truncation", 0));
}

static int run(const attend_args *args)
{
	tokenize_run run = {.format =
	                        attend_args_flag(args, "json") ? JSON : (format)attend_args_word(args, "format", TOKENS)};
	const char *const model = attend_args_text(args, "model", NULL);
	if (model == NULL) return attend_usage(attend_args_command(args), "-m DIR is needed");
	run.options.no_special_tokens = !attend_args_flag_or(args, "special-tokens", true);
	run.options.split_special_tokens = attend_args_flag(args, "split-special-tokens");
	run.options.return_overflowing = attend_args_flag(args, "return-overflowing");
	if (run.options.return_overflowing && run.format != JSON)
		return attend_usage(attend_args_command(args), "--return-overflowing needs --json");
	const bool binary = run.format == NPY || run.format == BIN;
	if (attend_args_given(args, "output") && !binary)
		return attend_usage(attend_args_command(args), "--output needs --format npy or bin");
	run.options.fields = run.format == JSON ? ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS : ATTEND_ENCODE_TOKENS;
	attend_tokenizer *tokenizer;
	const attend_status status = attend_tokenizer_load(&tokenizer, model);
	if (status != ATTEND_OK) return attend_report(status);
	run.tokenizer = tokenizer;
	set_truncation(&run.options, args, tokenizer);
	const attend_record_job job = {.names = {"text", "text_pair"}, .run = run_records, .payload = &run};
	int code = attend_records_run(args, &job);
	if (binary && code == ATTEND_EXIT_DONE) code = write_ids(&run, attend_args_text(args, "output", NULL));
	else if (binary) (void)attend_complain(code, "nothing was written: a binary file holds all texts or is not made");
	attend_ids_free(&run.all);
	attend_tokenizer_free(tokenizer);
	return code;
}

const attend_command attend_command_tokenize = {
	.name = "tokenize",
	.summary = "turn texts into tokens",
	.operands = "[TEXT ...]",
	.details = "One line per text: the tokens' spellings, their ids, or with --json an object of\n"
			   "ids, tokens, type_ids, offsets (code points), byte_offsets, word_ids and\n"
			   "special_tokens_mask. JSON lines may hold a \"text_pair\" beside \"text\".\n"
			   "npy: one NumPy array int32 of all ids. bin, little-endian: \"attnids1\", u64 count,\n"
			   "u64 starts[count + 1], i32 ids[starts[count]]: text i has ids[starts[i]..starts[i+1]).\n"
			   "Both are written when every text was read, and not at all when one failed.",
	.example = "attend tokenize -m bert-base-uncased --json \"Hello world\"",
	.groups = groups,
	.options = options,
	.run = run,
};
