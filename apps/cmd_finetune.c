/* cmd_finetune.c: `attend finetune`: a labelled file in, a HuggingFace folder with a better model out. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/args.h"
#include "apps/console.h"
#include "apps/output.h"
#include "apps/recipe_args.h"
#include "lib/attend_train.h"

/* fastText's short spellings are aliases. What is no option of the command itself goes to attend_recipe_set by name. */
static const attend_option options[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "checkpoint folder to start from [the bundled bert-mini]", 0, 0, false,
     NULL},
	{"train-file", 0, ATTEND_OPTION_FILE, "FILE", "labelled texts: csv, tsv, jsonl, fastText lines, plain or gz", 0, 0,
     false, "input"},
	{"task", 0, ATTEND_OPTION_WORD, "sequence|mlm|lm", "classify labelled texts, or model plain text [sequence]", 0, 0,
     false, NULL},
	{"mlm-probability", 0, ATTEND_OPTION_JSON, "X", "with mlm: share of the tokens to guess [0.15]", 0, 0, false, NULL},
	{"mlm-whole-word", 0, ATTEND_OPTION_FLAG, NULL, "with mlm: mask whole words", 0, 0, false, NULL},
	{"from-scratch", 0, ATTEND_OPTION_FLAG, NULL, "with mlm, lm: new weights; the folder needs config and tokenizer", 0,
     0, false, NULL},
	{"validation-file", 0, ATTEND_OPTION_FILE, "FILE", "labelled texts to measure on", 0, 0, false, NULL},
	{"validation-split", 0, ATTEND_OPTION_JSON, "X", "hold out this share of the training file instead", 0, 0, false,
     NULL},
	{"output-dir", 'o', ATTEND_OPTION_DIR, "DIR", "folder for the trained model", 0, 0, false, "output"},
	{"overwrite-output-dir", 0, ATTEND_OPTION_FLAG, NULL, "write into a folder that is not empty", 0, 0, false, NULL},
	{"resume", 0, ATTEND_OPTION_FLAG, NULL, "go on from the last checkpoint in the output folder", 0, 0, false, NULL},
	{"config", 0, ATTEND_OPTION_FILE, "FILE", "a recipe as JSON; options on the command line come on top", 0, 0, false,
     NULL},
	{"dump-config", 0, ATTEND_OPTION_FLAG, NULL, "print the recipe as JSON and stop", 0, 0, false, NULL},
	{"dry-run", 0, ATTEND_OPTION_FLAG, NULL, "read, check and plan everything, but do not train", 0, 0, false, NULL},
	{"label-type", 0, ATTEND_OPTION_WORD, "auto|single|multi|regression",
     "what labels are [single, or multi where rows have several]", 0, 0, false, NULL},
	{"num-train-epochs", 0, ATTEND_OPTION_JSON, "X", "passes over the data [3]", 0, 0, false, "epoch"},
	{"max-steps", 0, ATTEND_OPTION_JSON, "N", "stop after N updates, whatever the epochs", 0, 0, false, NULL},
	{"per-device-train-batch-size", 0, ATTEND_OPTION_JSON, "N", "examples of a batch [8]", 0, 0, false, "batch-size"},
	{"per-device-eval-batch-size", 0, ATTEND_OPTION_JSON, "N", "examples of a batch when measuring [8]", 0, 0, false,
     NULL},
	{"max-tokens-per-batch", 0, ATTEND_OPTION_JSON, "N", "a batch also ends before it has more tokens", 0, 0, false,
     NULL},
	{"group-by-length", 0, ATTEND_OPTION_FLAG, NULL, "texts of like length share batches", 0, 0, false, NULL},
	{"gradient-accumulation-steps", 0, ATTEND_OPTION_JSON, "N", "batches of one update [1]", 0, 0, false, NULL},
	{"gradient-checkpointing", 0, ATTEND_OPTION_FLAG, NULL,
     "less memory: run blocks again instead of keeping activations", 0, 0, false, NULL},
	{"bf16", 0, ATTEND_OPTION_FLAG, NULL, "mixed precision: products in bf16, sums and weights in f32", 0, 0, false,
     NULL},
	{"learning-rate", 0, ATTEND_OPTION_JSON, "X", "the highest rate [5e-5]", 0, 0, false, "lr"},
	{"lr-scheduler-type", 0, ATTEND_OPTION_TEXT, "NAME",
     "linear, cosine, constant, polynomial, one_cycle, ... [linear]", 0, 0, false, NULL},
	{"lr-scheduler-kwargs", 0, ATTEND_OPTION_TEXT, "JSON", "more numbers for the schedule: '{\"num_cycles\": 2}'", 0, 0,
     false, NULL},
	{"warmup-ratio", 0, ATTEND_OPTION_JSON, "X", "share of the steps in which the rate rises [0]", 0, 0, false, NULL},
	{"warmup-steps", 0, ATTEND_OPTION_JSON, "N", "steps in which the rate rises [0]", 0, 0, false, NULL},
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
     "what does not learn: N lowest layers, or names by pattern", 0, 0, false, NULL},
	{"gradual-unfreeze", 0, ATTEND_OPTION_FLAG, NULL, "the head first, one more layer with every epoch", 0, 0, false,
     NULL},
	{"layer-lr-decay", 0, ATTEND_OPTION_JSON, "X", "lower layers learn slower by this factor each [1]", 0, 0, false,
     NULL},
	{"discriminative-divisor", 0, ATTEND_OPTION_JSON, "X",
     "the same as a divisor, weight decay on everything (ULMFiT: 2.6)", 0, 0, false, NULL},
	{"eval-strategy", 0, ATTEND_OPTION_WORD, "no|steps|epoch", "when to measure [epoch]", 0, 0, false, NULL},
	{"eval-steps", 0, ATTEND_OPTION_JSON, "N", "with steps: every N [500]", 0, 0, false, NULL},
	{"save-strategy", 0, ATTEND_OPTION_WORD, "no|steps|epoch", "when to write a checkpoint to resume from [no]", 0, 0,
     false, NULL},
	{"save-steps", 0, ATTEND_OPTION_JSON, "N", "with steps: every N [500]", 0, 0, false, NULL},
	{"save-total-limit", 0, ATTEND_OPTION_JSON, "N", "checkpoints to keep; 0: all [0]", 0, 0, false, NULL},
	{"logging-steps", 0, ATTEND_OPTION_JSON, "N", "a line of log every N updates [50]", 0, 0, false, NULL},
	{"metric-for-best-model", 0, ATTEND_OPTION_WORD,
     "loss|accuracy|f1_macro|f1_micro|matthews|pearson|spearman|mse|mae", "what the best model is best in [loss]", 0, 0,
     false, NULL},
	{"load-best-model-at-end", 0, ATTEND_OPTION_FLAG, NULL, "write the best model, not the last", 0, 0, false,
     "load-best"},
	{"early-stopping-patience", 0, ATTEND_OPTION_JSON, "N", "stop after N measurements without a better one", 0, 0,
     false, NULL},
	{"early-stopping-threshold", 0, ATTEND_OPTION_JSON, "X", "what counts as better [0]", 0, 0, false, NULL},
	{"on-nan", 0, ATTEND_OPTION_WORD, "stop|skip", "when loss or gradient is not finite [stop]", 0, 0, false, NULL},
	{0},
};

static attend_trainer *running; /* for the signal handler */
static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	if (signalled) _exit(ATTEND_EXIT_SIGNAL + number);
	signalled = number;
	if (running) attend_trainer_stop(running);
}

/* ---- What is told on stderr ----------------------------------------------------------------------------------------------- */

typedef struct view {
	const attend_args *args;
	attend_progress progress;
	bool bar, quiet;
	size_t every;
} view;

static void clear_line(const view *v)
{
	if (v->bar) fputs("\r\033[K", stderr);
}

static void on_step(void *payload, const attend_train_progress *p)
{
	view *v = payload;
	if (v->quiet) return;
	const double speed = p->seconds > 0 ? (double)p->tokens / p->seconds : 0;
	const double left = p->seconds / (double)(p->step ? p->step : 1) * (double)(p->steps - p->step);
	if (v->bar) {
		fprintf(stderr, "\r\033[K%zu/%zu  loss %.4f  %.0f tokens/s  %.0f s left", p->step, p->steps, p->loss, speed,
		        left);
		if (p->step == p->steps) fputc('\n', stderr);
		fflush(stderr);
	} else if (p->step % v->every == 0 || p->step == p->steps) {
		fprintf(stderr, "step %zu/%zu  epoch %.2f  loss %.4f  lr %.3g  %.0f tokens/s  %.0f s left\n", p->step, p->steps,
		        p->epoch, p->loss, p->learning_rate, speed, left);
	}
}

static void on_evaluated(void *payload, const attend_train_progress *p, const attend_train_metrics *m)
{
	view *v = payload;
	if (v->quiet) return;
	clear_line(v);
	fprintf(stderr, "validation at step %zu: loss %.4f", p->step, m->loss);
	if (!isnan(m->accuracy)) fprintf(stderr, "  accuracy %.4f  F1 %.4f", m->accuracy, m->f1_macro);
	if (!isnan(m->pearson)) fprintf(stderr, "  Pearson %.4f  Spearman %.4f", m->pearson, m->spearman);
	if (!isnan(m->perplexity)) fprintf(stderr, "  perplexity %.3f", m->perplexity);
	fputc('\n', stderr);
}

static void on_saved(void *payload, const char *dir)
{
	view *v = payload;
	if (v->quiet) return;
	clear_line(v);
	fprintf(stderr, "saved %s\n", dir);
}

static void tell_plan(const attend_args *args, const attend_train_plan *p)
{
	if (attend_args_flag(args, "quiet")) return;
	fprintf(stderr, "%s\n", p->columns);
	if (p->skipped) fprintf(stderr, "%zu bad rows are left out, the first: %s\n", p->skipped, p->first_problem);
	fprintf(stderr, "%zu training and %zu validation examples; tokens: %zu to %zu, median %zu\n", p->train_examples,
	        p->validation_examples, p->shortest, p->longest, p->median);
	if (p->too_long) fprintf(stderr, "%zu texts are too long and are cut\n", p->too_long);
	for (size_t i = 0; i < p->label_count && i < 20; i++)
		fprintf(stderr, "  %s: %zu\n", p->labels[i], p->label_examples[i]);
	if (p->label_count > 20) fprintf(stderr, "  ... %zu labels in all\n", p->label_count);
	if (p->new_tensors) fprintf(stderr, "new and untrained: %s\n", p->new_tensors);
	fprintf(stderr, "%zu of %zu parameters learn; %zu steps (%zu an epoch); about %.0f MB of memory\n",
	        p->trainable_parameters, p->parameters, p->steps, p->steps_per_epoch, (double)p->memory_bytes / 1e6);
	if (p->first_step) fprintf(stderr, "resumed after step %zu\n", p->first_step);
}

/* ---- The recipe -------------------------------------------------------------------------------------------------------------- */

static int read_recipe(attend_recipe *recipe, const attend_args *args)
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

static int train(const attend_args *args, attend_recipe *recipe)
{
	view v = {.args = args, .quiet = attend_args_flag(args, "quiet"), .every = 50};
	v.bar = !v.quiet && isatty(STDERR_FILENO);
	const attend_train_hooks hooks = {.step = on_step, .evaluated = on_evaluated, .saved = on_saved, .payload = &v};
	attend_trainer *trainer = NULL;
	attend_status status = attend_trainer_new(&trainer, recipe, &hooks);
	if (status != ATTEND_OK) return attend_report(status);
	tell_plan(args, attend_trainer_plan(trainer));
	if (!attend_args_flag(args, "dry-run")) {
		const struct sigaction action = {.sa_handler = on_signal};
		running = trainer;
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		status = attend_trainer_run(trainer);
		running = NULL;
	}
	attend_trainer_free(trainer);
	if (status == ATTEND_OK) return ATTEND_EXIT_DONE;
	const int code = attend_report(status);
	return signalled && status == ATTEND_ERR_CANCELLED ? ATTEND_EXIT_SIGNAL + (int)signalled : code;
}

static int run(const attend_args *args)
{
	attend_recipe *recipe = NULL;
	const attend_status status = attend_recipe_new(&recipe);
	if (status != ATTEND_OK) return attend_report(status);
	int code = read_recipe(recipe, args);
	if (code == ATTEND_EXIT_DONE && attend_args_flag(args, "dump-config")) {
		char *text = NULL;
		if (attend_recipe_dump(&text, recipe) == ATTEND_OK) attend_output_text(text);
		free(text);
	} else if (code == ATTEND_EXIT_DONE) {
		code = train(args, recipe);
	}
	attend_recipe_free(recipe);
	return code;
}

const attend_command attend_command_finetune = {
	.name = "finetune",
	.summary = "train a classifier from labelled texts, or a language model from plain text",
	.details = "Writes a plain HuggingFace folder: weights, config.json, tokenizer, a model card,\n"
			   "trainer_state.json, log.jsonl, all_results.json and loss.svg. Names and defaults\n"
			   "are those of HF's Trainer; fastText's -input -output -lr -epoch work too. The same\n"
			   "recipe and data give the same bits, also with --resume.",
	.example = "attend finetune --train-file reviews.tsv --validation-split 0.1 -o reviews-model --lr 3e-4\n"
			   "attend classify -m reviews-model \"A wonderful film.\"",
	.groups = (const attend_option *const[]){attend_options_data, attend_options_seed, NULL},
	.options = options,
	.run = run,
};
