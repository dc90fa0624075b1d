/* cmd_qa.c: `attend qa`. */
#include <string.h>

#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"
#include "apps/stream.h"

static const attend_option options[] = {
	{"question", 0, ATTEND_OPTION_TEXT, "TEXT", "the question", 0, 0, false, NULL},
	{"context", 0, ATTEND_OPTION_TEXT, "TEXT", "the text that holds the answer", 0, 0, false, NULL},
	{"top-k", 'k', ATTEND_OPTION_INT, "N", "answers to print [1]", 1, 1e6, false, NULL},
	{"doc-stride", 0, ATTEND_OPTION_INT, "N", "tokens that windows of a long context overlap by [128]", 1, 1e6, false,
     NULL},
	{"max-answer-len", 0, ATTEND_OPTION_INT, "N", "longest answer in tokens [15]", 1, 1e6, false, NULL},
	{"max-seq-len", 0, ATTEND_OPTION_INT, "N", "tokens of a window, question included [384]", 4, 1e6, false, NULL},
	{"handle-impossible-answer", 0, ATTEND_OPTION_FLAG, NULL, "the empty answer competes too", 0, 0, false, NULL},
	{"align-to-words", 0, ATTEND_OPTION_FLAG, NULL, "widen answers to whole words [true]", 0, 0, false, NULL},
	{0},
};

static const attend_option *const groups[] = {attend_options_model, attend_options_input, attend_options_format, NULL};

typedef struct qa_run {
	const attend_args *args;
	attend_pipeline *pipeline;
	attend_qa_options options;
	size_t printed;
} qa_run;

static void print_answer_json(const attend_answer *a)
{
	attend_output_text("{\"score\": ");
	attend_output_json_f64(a->score);
	attend_output_printf(", \"start\": %zu, \"end\": %zu, \"answer\": ", a->start, a->end);
	attend_output_json_text(a->answer);
	attend_output_text("}");
}

/* HF's shape: an object for one answer, else a list. */
static void print_json(const attend_answers *result)
{
	if (result->count != 1) attend_output_text("[");
	for (size_t i = 0; i < result->count; i++) {
		if (i > 0) attend_output_text(", ");
		print_answer_json(&result->items[i]);
	}
	if (result->count != 1) attend_output_text("]");
}

static void print_result(qa_run *run, const attend_answers *result, const attend_record *record)
{
	const bool tsv = attend_args_flag(run->args, "tsv");
	if (attend_args_flag(run->args, "jsonl")) {
		attend_output_printf("{\"line\": %zu, \"question\": ", record->number);
		attend_output_json_string(record->fields[0], record->sizes[0]);
		attend_output_text(", \"answers\": [");
		for (size_t i = 0; i < result->count; i++) {
			if (i > 0) attend_output_text(", ");
			print_answer_json(&result->items[i]);
		}
		attend_output_text("]}\n");
	} else if (attend_args_flag(run->args, "json")) {
		print_json(result);
		attend_output_text("\n");
	} else {
		if (tsv && run->printed == 0) attend_output_text("line\trank\tscore\tstart\tend\tanswer\n");
		if (!tsv && run->printed > 0 && run->options.top_k > 1) attend_output_text("\n");
		for (size_t i = 0; i < result->count; i++) {
			const attend_answer *a = &result->items[i];
			if (tsv) {
				attend_output_printf("%zu\t%zu\t", record->number, i + 1);
				attend_output_json_f64(a->score);
				attend_output_printf("\t%zu\t%zu\t", a->start, a->end);
				attend_output_cell(a->answer, strlen(a->answer));
				attend_output_text("\n");
			} else attend_output_printf("%.4f  %s\n", a->score, a->answer);
		}
	}
	run->printed++;
}

static attend_status run_records(void *payload, const attend_record *records, const attend_text *texts, size_t count)
{
	qa_run *run = payload;
	attend_answers results[ATTEND_RECORD_GROUP];
	const attend_status status = attend_answer_question(results, run->pipeline, texts, count, &run->options);
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		print_result(run, &results[i], &records[i]);
		attend_answers_free(&results[i]);
	}
	return status;
}

static int run(const attend_args *args)
{
	attend_opened opened = {0};
	qa_run job = {.args = args};
	job.options = (attend_qa_options){.top_k = (size_t)attend_args_int(args, "top-k", 0),
	                                  .doc_stride = (size_t)attend_args_int(args, "doc-stride", 0),
	                                  .max_answer_len = (size_t)attend_args_int(args, "max-answer-len", 0),
	                                  .max_seq_len = (size_t)attend_args_int(args, "max-seq-len", 0),
	                                  .handle_impossible_answer = attend_args_flag(args, "handle-impossible-answer"),
	                                  .keep_token_bounds = !attend_args_flag_or(args, "align-to-words", true)};
	const char *question = attend_args_text(args, "question", NULL), *context = attend_args_text(args, "context", NULL);
	if ((question == NULL) != (context == NULL))
		return attend_usage(attend_args_command(args), "--question and --context go together");
	int code = attend_open_model(&opened, args, NULL);
	if (code >= 0) return code;
	job.pipeline = opened.pipeline;
	const attend_record_job records = {.names = {"question", "context"},
	                                   .second_needed = true,
	                                   .tabs = true,
	                                   .given = {question, context},
	                                   .run = run_records,
	                                   .payload = &job};
	code = attend_records_run(args, &records);
	attend_opened_free(&opened);
	return code;
}

const attend_command attend_command_qa = {
	.name = "qa",
	.summary = "answer questions from a text with a checkpoint that carries a QA head",
	.details = "Give --question and --context, or lines on standard input: question, tab,\n"
			   "context; JSON lines have \"question\" and \"context\". Long contexts run in\n"
			   "overlapping windows.",
	.example = "attend qa -m my-qa-model --question \"Where is Ada?\" --context \"Ada lives in London.\"",
	.groups = groups,
	.options = options,
	.run = run,
};
