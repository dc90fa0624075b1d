/* cmd_next_sentence.c: `attend next-sentence`. */
#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"
#include "apps/stream.h"

static const attend_option options[] = {
	ATTEND_OPTION_TRUNCATE,
	{0},
};

static const attend_option *const groups[] = {attend_options_model, attend_options_input, attend_options_format, NULL};

typedef struct next_run {
	const attend_args *args;
	attend_pipeline *pipeline;
	attend_cut cut;
	size_t printed;
} next_run;

static attend_status run_records(void *payload, const attend_record *records, const attend_text *texts, size_t count)
{
	next_run *run = payload;
	float p[ATTEND_RECORD_GROUP];
	const bool jsonl = attend_args_flag(run->args, "jsonl"), tsv = attend_args_flag(run->args, "tsv");
	const attend_status status = attend_next_sentence(p, run->pipeline, texts, count, run->cut);
	if (status != ATTEND_OK) return status;
	for (size_t i = 0; i < count; i++, run->printed++) {
		if (tsv && run->printed == 0) attend_output_text("line\tscore\n");
		if (tsv) attend_output_printf("%zu\t", records[i].number);
		if (jsonl) attend_output_printf("{\"line\": %zu, \"score\": ", records[i].number);
		attend_output_json_f32(p[i]);
		attend_output_text(jsonl ? "}\n" : "\n");
	}
	return ATTEND_OK;
}

static int run(const attend_args *args)
{
	attend_opened opened = {0};
	next_run job = {.args = args, .cut = attend_cut_of(args)};
	const size_t words = attend_args_operand_count(args);
	if (words != 0 && words != 2)
		return attend_usage(attend_args_command(args), "expected two texts, found %zu", words);
	int code = attend_open_model(&opened, args, NULL);
	if (code >= 0) return code;
	job.pipeline = opened.pipeline;
	const attend_record_job records = {.names = {"text", "text_pair"},
	                                   .second_needed = true,
	                                   .tabs = true,
	                                   .given = {attend_args_operand(args, 0), attend_args_operand(args, 1)},
	                                   .run = run_records,
	                                   .payload = &job};
	code = attend_records_run(args, &records);
	attend_opened_free(&opened);
	return code;
}

const attend_command attend_command_next_sentence = {
	.name = "next-sentence",
	.summary = "tell how likely one text follows another, by a next-sentence head",
	.operands = "[TEXT TEXT]",
	.details = "Prints a probability. Without texts, lines are read from standard input: text,\n"
			   "tab, text; JSON lines have \"text\" and \"text_pair\".",
	.example = "attend next-sentence -m bert-base-uncased \"The cat sat down.\" \"Then it slept.\"",
	.groups = groups,
	.options = options,
	.run = run,
};
