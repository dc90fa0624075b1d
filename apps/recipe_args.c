/* recipe_args.c: the options that commands on training data share; a command line as a recipe. */
#include "apps/recipe_args.h"
#include "apps/open_model.h"

#include <stdlib.h>
#include <string.h>

#include "apps/console.h"

const attend_option attend_options_data[] = {
	{"input-format", 0, ATTEND_OPTION_WORD, "auto|csv|tsv|jsonl|fasttext|plain|space",
     "form of the files [by name and first line]", 0, 0, false, NULL},
	{"delimiter", 0, ATTEND_OPTION_TEXT, "C", "between columns: a character, tab or space [found out]", 0, 0, false,
     NULL},
	{"encoding", 0, ATTEND_OPTION_TEXT, "NAME", "utf-8, utf-16, latin-1, windows-1252 [utf-8, or by the mark]", 0, 0,
     false, NULL},
	{"header", 0, ATTEND_OPTION_WORD, "auto|yes|no", "is the first row a header? [found out]", 0, 0, false, NULL},
	{"text-column", 0, ATTEND_OPTION_TEXT, "NAME|N", "column of the text [found out]", 0, 0, false, NULL},
	{"text-pair-column", 0, ATTEND_OPTION_TEXT, "NAME|N", "column of the second text of a pair", 0, 0, false, NULL},
	{"label-column", 0, ATTEND_OPTION_TEXT, "NAME|N", "column of the label [found out]", 0, 0, false, NULL},
	{"label-separator", 0, ATTEND_OPTION_TEXT, "TEXT", "between the labels of one cell [,]", 0, 0, false, NULL},
	{"on-error", 0, ATTEND_OPTION_WORD, "stop|skip",
     "a bad row stops before training, or is left out and counted [stop]", 0, 0, false, NULL},
	{0},
};

const attend_option attend_options_fitting[] = {
	{"truncate", 0, ATTEND_OPTION_WORD, "left|right", "cut texts that are too long instead of stopping", 0, 0, false,
     NULL},
	ATTEND_OPTIONS_WINDOW,
	{"max-seq-length", 0, ATTEND_OPTION_JSON, "N", "tokens of a text at most [what the model takes]", 0, 0, false,
     NULL},
	{0},
};

const attend_option attend_options_task[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "checkpoint folder to start from [the bundled bert-mini]", 0, 0, false,
     NULL},
	{"train-file", 0, ATTEND_OPTION_FILE, "FILE", "labelled texts: csv, tsv, jsonl, fastText lines, plain or gz", 0, 0,
     false, "input"},
	{"task", 0, ATTEND_OPTION_WORD, "sequence|mlm|lm", "classify labelled texts, or model plain text [sequence]", 0, 0,
     false, NULL},
	{"mlm-probability", 0, ATTEND_OPTION_JSON, "X", "with mlm: share of the tokens to guess [0.15]", 0, 0, false, NULL},
	{"sentence-pairs", 0, ATTEND_OPTION_WORD, "nsp|sop",
     "with mlm: pairs of segments too: is the second the next (BERT), is the order right (ALBERT)", 0, 0, false, NULL},
	{"mlm-whole-word", 0, ATTEND_OPTION_FLAG, NULL, "with mlm: mask whole words", 0, 0, false, NULL},
	{"from-scratch", 0, ATTEND_OPTION_FLAG, NULL, "with mlm, lm: new weights; the folder needs config and tokenizer", 0,
     0, false, NULL},
	{"label-type", 0, ATTEND_OPTION_WORD, "auto|single|multi|regression",
     "what labels are [single, or multi where rows have several]", 0, 0, false, NULL},
	{"config", 0, ATTEND_OPTION_FILE, "FILE", "a recipe as JSON; options on the command line come on top", 0, 0, false,
     NULL},
	{0},
};

const attend_option attend_options_updates[] = {
	{"per-device-train-batch-size", 0, ATTEND_OPTION_JSON, "N", "examples of a batch [8]", 0, 0, false, "batch-size"},
	{"max-tokens-per-batch", 0, ATTEND_OPTION_JSON, "N", "a batch also ends before it has more tokens", 0, 0, false,
     NULL},
	{"group-by-length", 0, ATTEND_OPTION_FLAG, NULL, "texts of like length share batches", 0, 0, false, NULL},
	{"gradient-accumulation-steps", 0, ATTEND_OPTION_JSON, "N", "batches of one update [1]", 0, 0, false, NULL},
	{"gradient-checkpointing", 0, ATTEND_OPTION_FLAG, NULL,
     "less memory: run blocks again instead of keeping activations", 0, 0, false, NULL},
	{"bf16", 0, ATTEND_OPTION_FLAG, NULL, "mixed precision: products in bf16, sums and weights in f32", 0, 0, false,
     NULL},
	{"optim", 0, ATTEND_OPTION_WORD, "adamw|sgd|adafactor", "optimiser [adamw]", 0, 0, false, NULL},
	{"weight-decay", 0, ATTEND_OPTION_JSON, "X", "on matrices, not on biases and norms [0]", 0, 0, false, NULL},
	{"adam-beta1", 0, ATTEND_OPTION_JSON, "X", "[0.9]", 0, 0, false, NULL},
	{"adam-beta2", 0, ATTEND_OPTION_JSON, "X", "[0.999]", 0, 0, false, NULL},
	{"adam-epsilon", 0, ATTEND_OPTION_JSON, "X", "[1e-8]", 0, 0, false, NULL},
	{"momentum", 0, ATTEND_OPTION_JSON, "X", "of sgd [0.9]", 0, 0, false, NULL},
	{"max-grad-norm", 0, ATTEND_OPTION_JSON, "X", "longer gradients are scaled down; 0: never [1]", 0, 0, false, NULL},
	{"label-smoothing-factor", 0, ATTEND_OPTION_JSON, "X", "share of the target spread over all labels [0]", 0, 0,
     false, NULL},
	{"class-weights", 0, ATTEND_OPTION_TEXT, "balanced|LABEL=W,...", "weights of the labels in the loss", 0, 0, false,
     NULL},
	{"dropout", 0, ATTEND_OPTION_JSON, "X", "instead of config.json's dropout probabilities", 0, 0, false, NULL},
	{"freeze", 0, ATTEND_OPTION_TEXT, "embeddings|base|N|PATTERN",
     "what does not learn: N lowest layers, names by pattern, or all but head and pooler (then computed once, without dropout)",
     0, 0, false, NULL},
	{"layer-lr-decay", 0, ATTEND_OPTION_JSON, "X", "lower layers learn slower by this factor each [1]", 0, 0, false,
     NULL},
	{"discriminative-divisor", 0, ATTEND_OPTION_JSON, "X",
     "the same as a divisor, weight decay on everything (ULMFiT: 2.6)", 0, 0, false, NULL},
	{"seed", 's', ATTEND_OPTION_INT, "N", "seed of every random choice [42]", 0, 9007199254740992.0, false, NULL},
	{0},
};

attend_status attend_recipe_take_fitting(attend_recipe *recipe, const attend_args *args)
{
	static const char *const names[] = {"dtype", "truncate", "window", "stride", "window-pooling"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *text = attend_args_text(args, names[i], NULL);
		if (text != NULL) {
			const attend_status status = attend_recipe_set(recipe, names[i], text);
			if (status != ATTEND_OK) return status;
		};
	}
	return ATTEND_OK;
}

attend_status attend_recipe_take(attend_recipe *recipe, const attend_args *args)
{
	const attend_option *option = NULL;
	const char *text = NULL;
	for (size_t i = 0; attend_args_each(args, i, &option, &text); i++) {
		const bool rows = strcmp(option->name, "on-error") == 0;
		const attend_status status =
			rows ? attend_recipe_set(recipe, "skip_bad_rows", strcmp(text, "skip") == 0 ? "true" : "false")
				 : attend_recipe_set(recipe, option->name, text);
		if (status != ATTEND_OK && status != ATTEND_ERR_NOTFOUND) return status; /* not found: the command's own */
	}
	return ATTEND_OK;
}

int attend_recipe_read(attend_recipe *recipe, const attend_args *args)
{
	const char *config = attend_args_text(args, "config", NULL);
	const char *model = attend_args_text(args, "model", NULL);
	attend_status status = config ? attend_recipe_load(recipe, config) : ATTEND_OK;
	if (status != ATTEND_OK) return attend_report(status);
	status = attend_recipe_take(recipe, args);
	if (status == ATTEND_OK && model) status = attend_recipe_set(recipe, "model_name_or_path", model);
	if (status != ATTEND_OK) return attend_usage(attend_args_command(args), "%s", attend_error());
	char *bundled = NULL;
	if (!model && !config) {
		status = attend_bundled_model(&bundled, "bert-mini");
		if (status == ATTEND_OK) status = attend_recipe_set(recipe, "model_name_or_path", bundled);
		free(bundled);
	}
	return status == ATTEND_OK ? ATTEND_EXIT_DONE : attend_report(status);
}
