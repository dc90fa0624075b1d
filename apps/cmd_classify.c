/* cmd_classify.c: `attend classify`. */
#include <string.h>

#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"
#include "apps/recipe_args.h"
#include "apps/stream.h"
#include "lib/attend_train.h"

static const attend_option options[] = {
	{"top-k", 'k', ATTEND_OPTION_INT, "N", "labels to print, best first; 0: all [1]", 0, 1e6, false, NULL},
	{"threshold", 0, ATTEND_OPTION_REAL, "P", "leave out labels with a score below P", 0, 0, false, NULL},
	{"function", 0, ATTEND_OPTION_WORD, "softmax|sigmoid|none", "logits to scores [as config.json says]", 0, 0, false,
     NULL},
	{"temperature", 0, ATTEND_OPTION_REAL, "T", "divide the logits by T first [1]", 1e-6, 1e6, false, NULL},
	{"temperature-scale", 0, ATTEND_OPTION_FILE, "FILE",
     "the temperature that fits a labelled file best (told on stderr)", 0, 0, false, NULL},
	{"text-pair", 0, ATTEND_OPTION_TEXT, "TEXT", "the second text of a pair", 0, 0, false, NULL},
	{"pairs", 0, ATTEND_OPTION_FLAG, NULL, "a line holds two texts with a tab between them", 0, 0, false, NULL},
	ATTEND_OPTION_TRUNCATE,
	ATTEND_OPTIONS_WINDOW,
	{0},
};

static const attend_option *const groups[] = {attend_options_model, attend_options_input, attend_options_format, NULL};

typedef struct classify_run {
	const attend_args *args;
	attend_pipeline *pipeline;
	attend_classify_options options;
	size_t printed;
	size_t windowed, windows; /* texts that ran in several, and how many they were */
} classify_run;

static void print_labels_json(const attend_classification *result)
{
	attend_output_text("[");
	for (size_t i = 0; i < result->count; i++) {
		attend_output_text(i == 0 ? "{\"label\": " : ", {\"label\": ");
		attend_output_json_text(result->labels[i].label);
		attend_output_text(", \"score\": ");
		attend_output_json_f32(result->labels[i].score);
		attend_output_text("}");
	}
	attend_output_text("]");
}

static void print_jsonl(const attend_args *args, const attend_classification *result, const attend_record *record)
{
	attend_output_printf("{\"line\": %zu, \"text\": ", record->number);
	attend_output_json_string(record->fields[0], record->sizes[0]);
	if (record->fields[1] != NULL) {
		attend_output_text(", \"text_pair\": ");
		attend_output_json_string(record->fields[1], record->sizes[1]);
	}
	attend_output_printf(", \"truncated_tokens\": %zu", result->truncated);
	if (attend_args_given(args, "window")) attend_output_printf(", \"windows\": %zu", result->windows);
	attend_output_text(", \"labels\": ");
	print_labels_json(result);
	attend_output_text("}\n");
}

static void print_result(classify_run *run, const attend_classification *result, const attend_record *record)
{
	const bool tsv = attend_args_flag(run->args, "tsv");
	attend_tell_truncated(run->args, record->number, result->truncated);
	if (result->windows > 1) {
		run->windowed++;
		run->windows += result->windows;
	}
	if (attend_args_flag(run->args, "jsonl")) print_jsonl(run->args, result, record);
	else if (attend_args_flag(run->args, "json")) {
		print_labels_json(result);
		attend_output_text("\n");
	} else {
		if (tsv && run->printed == 0) attend_output_text("line\trank\tlabel\tscore\n");
		for (size_t i = 0; i < result->count; i++) {
			const attend_label_score *label = &result->labels[i];
			if (!tsv) {
				attend_output_printf("%s%s %.4f", i == 0 ? "" : "  ", label->label, (double)label->score);
				continue;
			}
			attend_output_printf("%zu\t%zu\t", record->number, i + 1);
			attend_output_cell(label->label, strlen(label->label));
			attend_output_text("\t");
			attend_output_json_f32(label->score);
			attend_output_text("\n");
		}
		if (!tsv) attend_output_text("\n");
	}
	run->printed++;
}

static attend_status run_records(void *payload, const attend_record *records, const attend_text *texts, size_t count)
{
	classify_run *run = payload;
	attend_classification results[ATTEND_RECORD_GROUP];
	const attend_status status = attend_classify(results, run->pipeline, texts, count, &run->options);
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		print_result(run, &results[i], &records[i]);
		attend_classification_free(&results[i]);
	}
	return status;
}

/* --temperature-scale: measure the file, take its best temperature. -1: done, else an exit code. */
static int fit_temperature(classify_run *job)
{
	const attend_args *args = job->args;
	const char *const file = attend_args_text(args, "temperature-scale", NULL),
					  *model = attend_args_text(args, "model", NULL);
	if (file == NULL) return -1;
	if (attend_args_given(args, "temperature"))
		return attend_usage(attend_args_command(args), "--temperature and --temperature-scale exclude each other");
	if (attend_args_word(args, "function", 0) != 0)
		return attend_usage(attend_args_command(args), "--temperature-scale needs the softmax function");
	attend_recipe *recipe = NULL;
	attend_evaluation e = {0};
	attend_calibration before, after;
	attend_status status = attend_recipe_new(&recipe);
	if (status == ATTEND_OK) status = attend_recipe_set(recipe, "validation_file", file);
	if (status == ATTEND_OK) status = attend_recipe_set(recipe, "per_device_eval_batch_size", "32");
	if (status == ATTEND_OK) status = attend_recipe_take_fitting(recipe, args);
	if (status == ATTEND_OK) status = attend_evaluate(&e, model, recipe, 0);
	if (status == ATTEND_OK) status = attend_evaluation_fit_temperature(&job->options.temperature, &e);
	if (status == ATTEND_OK) status = attend_evaluation_calibration(&before, &e, 1);
	if (status == ATTEND_OK) status = attend_evaluation_calibration(&after, &e, job->options.temperature);
	if (status == ATTEND_OK)
		attend_warn(args, "temperature %.6g, fitted on %zu texts: negative log-likelihood %.4f, before %.4f",
		            job->options.temperature, e.metrics.examples, after.nll, before.nll);
	attend_evaluation_free(&e);
	attend_recipe_free(recipe);
	return status == ATTEND_OK ? -1 : attend_report(status);
}

static int run(const attend_args *args)
{
	static const attend_score_function functions[] = {ATTEND_SCORE_SOFTMAX, ATTEND_SCORE_SIGMOID, ATTEND_SCORE_NONE};
	attend_opened opened = {0};
	classify_run job = {.args = args};
	job.options = (attend_classify_options){.top_k = (size_t)attend_args_int(args, "top-k", 1),
	                                        .threshold = attend_args_real(args, "threshold", 0),
	                                        .temperature = attend_args_real(args, "temperature", 0),
	                                        .cut = attend_cut_of(args)};
	job.options.window = attend_args_given(args, "window");
	job.options.window_length = (size_t)attend_args_int(args, "window", 0);
	job.options.window_stride = attend_args_int(args, "stride", -1);
	job.options.window_pooling = (attend_window_pooling)attend_args_word(args, "window-pooling", 0);
	if (job.options.window && attend_args_given(args, "truncate"))
		return attend_usage(attend_args_command(args), "--window and --truncate exclude each other");
	if (!job.options.window && attend_args_given(args, "stride"))
		return attend_usage(attend_args_command(args), "--stride needs --window");
	if (attend_args_given(args, "function")) job.options.function = functions[attend_args_word(args, "function", 0)];
	const char *pair = attend_args_text(args, "text-pair", NULL);
	if (pair != NULL && attend_args_operand_count(args) != 1)
		return attend_usage(attend_args_command(args), "--text-pair goes with exactly one text");
	int code = attend_open_model(&opened, args, NULL);
	if (code >= 0) return code;
	job.pipeline = opened.pipeline;
	code = fit_temperature(&job);
	if (code >= 0) {
		attend_opened_free(&opened);
		return code;
	}
	const attend_record_job records = {.names = {"text", "text_pair"},
	                                   .tabs = attend_args_flag(args, "pairs"),
	                                   .given = {pair != NULL ? attend_args_operand(args, 0) : NULL, pair},
	                                   .run = run_records,
	                                   .payload = &job};
	code = attend_records_run(args, &records);
	if (job.windowed)
		attend_warn(args, "%zu long text%s ran in %zu windows, logits pooled by %s", job.windowed,
		            job.windowed == 1 ? "" : "s", job.windows,
		            job.options.window_pooling == ATTEND_WINDOW_MAX ? "maximum" : "mean");
	attend_opened_free(&opened);
	return code;
}

const attend_command attend_command_classify = {
	.name = "classify",
	.summary = "label texts with a checkpoint that carries a sequence classifier",
	.operands = "[TEXT ...]",
	.details = "Prints the best label of each text and its score. Without texts, lines are read\n"
			   "from standard input; JSON lines have \"text\" and, for pairs, \"text_pair\".\n"
			   "--temperature-scale divides logits by the one number that makes the labels of\n"
			   "FILE (csv, tsv, jsonl, fastText lines) most probable, so that a score of 0.8 is\n"
			   "right in 8 of 10 cases; --temperature takes a number that was fitted before.",
	.example = "attend classify -m my-sentiment-model --top-k 0 \"A film that one remembers.\"",
	.groups = groups,
	.options = options,
	.run = run,
};
