/* cmd_fill_mask.c: `attend fill-mask`. */
#include <string.h>

#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"
#include "apps/stream.h"
#include "apps/word_list.h"

static const attend_option options[] = {
	{"prompt", 'p', ATTEND_OPTION_TEXT, "TEXT", "a text, as another way to give one", 0, 0, false, NULL},
	{"top-k", 'k', ATTEND_OPTION_INT, "N", "candidates for each mask [5]", 1, 1e6, false, NULL},
	{"targets", 0, ATTEND_OPTION_TEXT, "WORD,WORD", "only these tokens compete; also [\"WORD\", ...], may be repeated",
     0, 0, true, NULL},
	{"joint", 0, ATTEND_OPTION_FLAG, NULL, "fill several masks together, by a beam search over them", 0, 0, false,
     NULL},
	{"num-beams", 0, ATTEND_OPTION_INT, "N", "beams of --joint [4 x top-k, at least 20]", 1, 1e6, false, NULL},
	ATTEND_OPTION_TRUNCATE,
	{0},
};

static const attend_option *const groups[] = {attend_options_model, attend_options_input, attend_options_format, NULL};

typedef struct fill_run {
	const attend_args *args;
	attend_pipeline *pipeline;
	attend_fill_mask_options options;
	attend_word_list targets;
	size_t printed; /* texts */
} fill_run;

static void print_fill_json(const attend_fill *fill, bool joint, const size_t *truncated)
{
	attend_output_text("{\"score\": ");
	if (joint) attend_output_json_f64(fill->score);
	else attend_output_json_f32((float)fill->score);
	attend_output_text(joint ? ", \"tokens\": [" : ", \"token\": ");
	for (size_t i = 0; i < fill->token_count; i++) attend_output_printf("%s%d", i == 0 ? "" : ", ", fill->tokens[i]);
	attend_output_text(joint ? "], \"token_strs\": [" : ", \"token_str\": ");
	for (size_t i = 0; i < fill->token_count; i++) {
		if (i > 0) attend_output_text(", ");
		attend_output_json_text(fill->token_strs[i]);
	}
	attend_output_text(joint ? "], \"sequence\": " : ", \"sequence\": ");
	attend_output_json_text(fill->sequence);
	if (truncated != NULL) attend_output_printf(", \"truncated_tokens\": %zu", *truncated);
	attend_output_text("}");
}

/* HF's shape: a list for one mask (or joint), a list of lists for several. */
static void print_json(const attend_fill_mask_result *result, const size_t *truncated)
{
	if (result->mask_count != 1) attend_output_text("[");
	for (size_t m = 0; m < result->mask_count; m++) {
		attend_output_text(m == 0 ? "[" : ", [");
		for (size_t i = 0; i < result->masks[m].count; i++) {
			if (i > 0) attend_output_text(", ");
			print_fill_json(&result->masks[m].items[i], result->joint, truncated);
		}
		attend_output_text("]");
	}
	if (result->mask_count != 1) attend_output_text("]");
}

static void print_jsonl(const attend_fill_mask_result *result, const attend_record *record)
{
	attend_output_printf("{\"line\": %zu, \"text\": ", record->number);
	attend_output_json_string(record->fields[0], record->sizes[0]);
	attend_output_printf(", \"truncated_tokens\": %zu, \"results\": ", result->truncated);
	print_json(result, NULL);
	attend_output_text("}\n");
}

static void print_tsv(const attend_fill_mask_result *result, const attend_record *record, bool header)
{
	if (header) attend_output_text("line\tmask\trank\tscore\ttoken\ttoken_str\tsequence\n");
	for (size_t m = 0; m < result->mask_count; m++)
		for (size_t i = 0; i < result->masks[m].count; i++) {
			const attend_fill *fill = &result->masks[m].items[i];
			attend_output_printf("%zu\t%zu\t%zu\t", record->number, m + 1, i + 1);
			attend_output_json_f64(result->joint ? fill->score : (double)(float)fill->score);
			attend_output_text("\t");
			for (size_t t = 0; t < fill->token_count; t++)
				attend_output_printf("%s%d", t == 0 ? "" : " ", fill->tokens[t]);
			attend_output_text("\t");
			for (size_t t = 0; t < fill->token_count; t++) {
				if (t > 0) attend_output_text(" ");
				attend_output_cell(fill->token_strs[t], strlen(fill->token_strs[t]));
			}
			attend_output_text("\t");
			attend_output_cell(fill->sequence, strlen(fill->sequence));
			attend_output_text("\n");
		}
}

static void print_text(const attend_fill_mask_result *result, bool first)
{
	if (!first) attend_output_text("\n");
	for (size_t m = 0; m < result->mask_count; m++) {
		if (result->mask_count > 1) attend_output_printf("mask %zu\n", m + 1);
		for (size_t i = 0; i < result->masks[m].count; i++)
			attend_output_printf("%.4f  %s\n", result->masks[m].items[i].score, result->masks[m].items[i].sequence);
	}
}

static void print_result(fill_run *run, const attend_fill_mask_result *result, const attend_record *record)
{
	attend_tell_truncated(run->args, record->number, result->truncated);
	if (attend_args_flag(run->args, "jsonl")) print_jsonl(result, record);
	else if (attend_args_flag(run->args, "json")) {
		print_json(result, attend_args_given(run->args, "truncate") ? &result->truncated : NULL);
		attend_output_text("\n");
	} else if (attend_args_flag(run->args, "tsv")) print_tsv(result, record, run->printed == 0);
	else print_text(result, run->printed == 0);
	run->printed++;
}

static attend_status run_records(void *payload, const attend_record *records, const attend_text *texts, size_t count)
{
	fill_run *run = payload;
	attend_fill_mask_result results[ATTEND_RECORD_GROUP];
	const attend_status status = attend_fill_mask(results, run->pipeline, texts, count, &run->options);
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		print_result(run, &results[i], &records[i]);
		attend_fill_mask_free(&results[i]);
	}
	return status;
}

static int run(const attend_args *args)
{
	attend_opened opened = {0};
	fill_run job = {.args = args};
	job.options = (attend_fill_mask_options){.top_k = (size_t)attend_args_int(args, "top-k", 0),
	                                         .joint = attend_args_flag(args, "joint"),
	                                         .beams = (size_t)attend_args_int(args, "num-beams", 0),
	                                         .cut = attend_cut_of(args)};
	int code = attend_word_list_read(&job.targets, args, "targets");
	job.options.targets = (const char *const *)job.targets.items;
	job.options.target_count = job.targets.count;
	if (code < 0) code = attend_open_model(&opened, args, "bert-mini");
	if (code < 0) {
		job.pipeline = opened.pipeline;
		const attend_record_job records = {.names = {"text"},
		                                   .given = {attend_args_text(args, "prompt", NULL)},
		                                   .run = run_records,
		                                   .payload = &job};
		code = attend_records_run(args, &records);
	}
	attend_word_list_free(&job.targets);
	attend_opened_free(&opened);
	return code;
}

const attend_command attend_command_fill_mask = {
	.name = "fill-mask",
	.summary = "fill the masked words of texts",
	.operands = "[TEXT ...]",
	.details = "Each text holds the mask token of the model ([MASK] for BERT, <mask> for RoBERTa).\n"
			   "Without texts, lines are read from standard input. Without -m the bundled\n"
			   "bert-mini is used. A text that is longer than the model takes is an error,\n"
			   "unless --truncate is given.",
	.example = "attend fill-mask --top-k 3 \"Once upon a [MASK] there was a little boy.\"",
	.groups = groups,
	.options = options,
	.run = run,
};
