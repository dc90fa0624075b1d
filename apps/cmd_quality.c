/* cmd_quality.c: `attend quality`: what a type of weights costs. */
#include <math.h>

#include "apps/args.h"
#include "apps/console.h"
#include "apps/output.h"
#include "apps/recipe_args.h"
#include "lib/attend_train.h"

static const attend_option options[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "checkpoint folder as HuggingFace writes it", 0, 0, false, NULL},
	{"dtype", 0, ATTEND_OPTION_WORD, "bf16|int8|int4", "type to compare with f32 [int8]", 0, 0, false, NULL},
	{"file", 'f', ATTEND_OPTION_FILE, "FILE", "labelled texts for a classifier: csv, tsv, jsonl, fastText lines, or gz",
     0, 0, false, "input"},
	{"text", 0, ATTEND_OPTION_FILE, "FILE", "plain text for a language model or an embedder", 0, 0, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "print one JSON object", 0, 0, false, NULL},
	{0},
};

static const char *const kinds[] = {"labels", "causal", "masked", "embedding", "answer"};
static const char *const row_names[] = {"texts", "tokens", "masked tokens", "lines", "answer tokens"};

static void json_number(const char *name, double value)
{
	if (isnan(value)) return;
	attend_output_printf(", \"%s\": ", name);
	attend_output_json_f64(value);
}

static void json_pair(const char *name, const double values[2])
{
	if (isnan(values[0])) return;
	attend_output_printf(", \"%s\": {\"f32\": ", name);
	attend_output_json_f64(values[0]);
	attend_output_printf(", \"dtype\": ");
	attend_output_json_f64(values[1]);
	attend_output_text("}");
}

static void print_json(const attend_quality_result *r, const char *dtype)
{
	attend_output_printf("{\"kind\": \"%s\", \"dtype\": \"%s\", \"rows\": %zu", kinds[r->kind], dtype, r->rows);
	json_pair("accuracy", r->accuracy);
	json_pair("loss", r->loss);
	json_pair("perplexity", r->perplexity);
	json_number("agreement", r->agreement);
	json_number("mean_cosine", r->mean_cosine);
	json_number("min_cosine", r->min_cosine);
	json_number("max_error", r->max_error);
	json_number("mean_error", r->mean_error);
	attend_output_printf(", \"truncated\": %zu}\n", r->truncated);
}

static void print_text(const attend_quality_result *r, const char *dtype)
{
	attend_output_printf("%zu %s   f32       %-9s difference\n", r->rows, row_names[r->kind], dtype);
	if (!isnan(r->accuracy[0]))
		attend_output_printf("accuracy    %8.3f%% %8.3f%% %+.3f points\n", 100 * r->accuracy[0], 100 * r->accuracy[1],
		                     100 * (r->accuracy[1] - r->accuracy[0]));
	if (!isnan(r->loss[0]))
		attend_output_printf("loss        %9.5f %9.5f %+.5f\n", r->loss[0], r->loss[1], r->loss[1] - r->loss[0]);
	if (!isnan(r->perplexity[0]))
		attend_output_printf("perplexity  %9.4f %9.4f %+.3f%%\n", r->perplexity[0], r->perplexity[1],
		                     100 * (r->perplexity[1] / r->perplexity[0] - 1));
	if (!isnan(r->agreement)) attend_output_printf("same best   %8.3f%%\n", 100 * r->agreement);
	if (!isnan(r->mean_cosine))
		attend_output_printf("cosine      mean %.6f, least %.6f\n", r->mean_cosine, r->min_cosine);
	attend_output_printf("%s error mean %.5f, largest %.5f\n", isnan(r->mean_cosine) ? "logit" : "value", r->mean_error,
	                     r->max_error);
}

static int run(const attend_args *args)
{
	static const attend_weight_type types[] = {ATTEND_WEIGHTS_BF16, ATTEND_WEIGHTS_INT8, ATTEND_WEIGHTS_INT4};
	static const char *const names[] = {"bf16", "int8", "int4"};
	const char *model = attend_args_text(args, "model", NULL), *text = attend_args_text(args, "text", NULL);
	const char *file = attend_args_text(args, "file", NULL);
	const int type = attend_args_word(args, "dtype", 1);
	if (model == NULL || (text == NULL) == (file == NULL))
		return attend_usage(attend_args_command(args), "-m DIR and either --file FILE or --text FILE are needed");
	attend_recipe *recipe = NULL;
	attend_quality_result result;
	attend_status status = file != NULL ? attend_recipe_new(&recipe) : ATTEND_OK;
	if (status == ATTEND_OK && file != NULL) status = attend_recipe_set(recipe, "validation_file", file);
	if (status == ATTEND_OK && file != NULL) status = attend_recipe_take(recipe, args);
	if (status == ATTEND_OK) status = attend_quality(&result, model, types[type], text, recipe);
	attend_recipe_free(recipe);
	if (status != ATTEND_OK) return attend_report(status);
	if (result.truncated) attend_warn(args, "%zu texts were too long and were cut", result.truncated);
	if (attend_args_flag(args, "json")) print_json(&result, names[type]);
	else print_text(&result, names[type]);
	return ATTEND_EXIT_DONE;
}

const attend_command attend_command_quality = {
	.name = "quality",
	.summary = "measure what a type of weights costs",
	.details = "The same texts run in f32 and in the other type, side by side. A classifier reads\n"
			   "labelled texts: accuracy. A language model reads plain text: perplexity, of masked\n"
			   "models that of 15 % of the tokens, masked a line at a time. An encoder-decoder reads\n"
			   "lines: perplexity of the answers that it generates in f32. Any other model turns lines\n"
			   "into vectors: the cosine between both.",
	.example = "attend quality -m reviews-model --dtype int8 --file test.tsv\n"
			   "attend quality -m gpt2 --dtype int4 --text book.txt --json",
	.groups = (const attend_option *const[]){attend_options_data, NULL},
	.options = options,
	.run = run,
};
