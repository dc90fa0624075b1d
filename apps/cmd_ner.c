/* cmd_ner.c: `attend ner`. */
#include <string.h>

#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"
#include "apps/stream.h"
#include "apps/word_list.h"

static const attend_option options[] = {
	{"aggregation-strategy", 0, ATTEND_OPTION_WORD, "none|simple|first|average|max",
     "how tokens become entities [none]", 0, 0, false, "aggregation"},
	{"ignore-labels", 0, ATTEND_OPTION_TEXT, "LABEL,LABEL", "labels to leave out; may be repeated [O]", 0, 0, true,
     NULL},
	{"stride", 0, ATTEND_OPTION_INT, "N", "run long texts in windows that overlap by N tokens", 1, 1e6, false, NULL},
	ATTEND_OPTION_TRUNCATE,
	{0},
};

static const attend_option *const groups[] = {attend_options_model, attend_options_input, attend_options_format, NULL};

typedef struct ner_run {
	const attend_args *args;
	attend_pipeline *pipeline;
	attend_ner_options options;
	attend_word_list ignored;
	size_t printed;
} ner_run;

static void print_entities_json(const attend_entities *result, bool grouped)
{
	attend_output_text("[");
	for (size_t i = 0; i < result->count; i++) {
		const attend_entity *e = &result->items[i];
		attend_output_printf("%s{\"%s\": ", i == 0 ? "" : ", ", grouped ? "entity_group" : "entity");
		attend_output_json_text(e->label);
		attend_output_text(", \"score\": ");
		attend_output_json_f32(e->score);
		if (!grouped) attend_output_printf(", \"index\": %zu", e->index);
		attend_output_text(", \"word\": ");
		attend_output_json_text(e->word);
		attend_output_printf(", \"start\": %zu, \"end\": %zu}", e->start, e->end);
	}
	attend_output_text("]");
}

static void print_result(ner_run *run, const attend_entities *result, const attend_record *record)
{
	const bool grouped = run->options.aggregation != ATTEND_AGGREGATE_NONE, tsv = attend_args_flag(run->args, "tsv");
	attend_tell_truncated(run->args, record->number, result->truncated);
	if (attend_args_flag(run->args, "jsonl")) {
		attend_output_printf("{\"line\": %zu, \"text\": ", record->number);
		attend_output_json_string(record->fields[0], record->sizes[0]);
		attend_output_printf(", \"truncated_tokens\": %zu, \"entities\": ", result->truncated);
		print_entities_json(result, grouped);
		attend_output_text("}\n");
	} else if (attend_args_flag(run->args, "json")) {
		print_entities_json(result, grouped);
		attend_output_text("\n");
	} else {
		if (tsv && run->printed == 0) attend_output_text("line\tlabel\tscore\tword\tstart\tend\n");
		if (!tsv && run->printed > 0) attend_output_text("\n");
		for (size_t i = 0; i < result->count; i++) {
			const attend_entity *e = &result->items[i];
			if (tsv) {
				attend_output_printf("%zu\t%s\t", record->number, e->label);
				attend_output_json_f32(e->score);
				attend_output_text("\t");
				attend_output_cell(e->word, strlen(e->word));
				attend_output_printf("\t%zu\t%zu\n", e->start, e->end);
			} else
				attend_output_printf("%s %.4f  %s  %zu-%zu\n", e->label, (double)e->score, e->word, e->start, e->end);
		}
	}
	run->printed++;
}

static attend_status run_records(void *payload, const attend_record *records, const attend_text *texts, size_t count)
{
	ner_run *run = payload;
	attend_entities results[ATTEND_RECORD_GROUP];
	const attend_status status = attend_ner(results, run->pipeline, texts, count, &run->options);
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		print_result(run, &results[i], &records[i]);
		attend_entities_free(&results[i]);
	}
	return status;
}

static int run(const attend_args *args)
{
	attend_opened opened = {0};
	ner_run job = {.args = args};
	job.options =
		(attend_ner_options){.aggregation = (attend_aggregation)attend_args_word(args, "aggregation-strategy", 0),
	                         .stride = (size_t)attend_args_int(args, "stride", 0),
	                         .cut = attend_cut_of(args)};
	int code = attend_word_list_read(&job.ignored, args, "ignore-labels");
	job.options.ignore = (const char *const *)job.ignored.items;
	job.options.ignore_count = job.ignored.count;
	if (code < 0) code = attend_open_model(&opened, args, NULL);
	if (code < 0) {
		job.pipeline = opened.pipeline;
		const attend_record_job records = {.names = {"text"}, .run = run_records, .payload = &job};
		code = attend_records_run(args, &records);
	}
	attend_word_list_free(&job.ignored);
	attend_opened_free(&opened);
	return code;
}

const attend_command attend_command_ner = {
	.name = "ner",
	.summary = "find entities with a checkpoint that carries a token classifier",
	.operands = "[TEXT ...]",
	.details = "Offsets count characters of the text. Without texts, lines are read from\n"
			   "standard input.",
	.example = "attend ner -m my-ner-model --aggregation-strategy simple \"Ada Lovelace lived in London.\"",
	.groups = groups,
	.options = options,
	.run = run,
};
