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

/* fastText's short spellings are aliases. What is no option of the command itself goes to attend_recipe_set by name. More
 * options: recipe_args.c. */
static const attend_option options[] = {
	{"validation-file", 0, ATTEND_OPTION_FILE, "FILE", "labelled texts to measure on", 0, 0, false, NULL},
	{"validation-split", 0, ATTEND_OPTION_JSON, "X", "hold out this share of the training file instead", 0, 0, false,
     NULL},
	{"output-dir", 'o', ATTEND_OPTION_DIR, "DIR", "folder for the trained model", 0, 0, false, "output"},
	{"overwrite-output-dir", 0, ATTEND_OPTION_FLAG, NULL, "write into a folder that is not empty", 0, 0, false, NULL},
	{"resume", 0, ATTEND_OPTION_FLAG, NULL, "go on from the last checkpoint in the output folder", 0, 0, false, NULL},
	{"dump-config", 0, ATTEND_OPTION_FLAG, NULL, "print the recipe as JSON and stop", 0, 0, false, NULL},
	{"dry-run", 0, ATTEND_OPTION_FLAG, NULL, "read, check and plan everything, but do not train", 0, 0, false, NULL},
	{"num-train-epochs", 0, ATTEND_OPTION_JSON, "X", "passes over the data [3]", 0, 0, false, "epoch"},
	{"max-steps", 0, ATTEND_OPTION_JSON, "N", "stop after N updates, whatever the epochs", 0, 0, false, NULL},
	{"per-device-eval-batch-size", 0, ATTEND_OPTION_JSON, "N", "examples of a batch when measuring [8]", 0, 0, false,
     NULL},
	{"learning-rate", 0, ATTEND_OPTION_JSON, "X", "the highest rate [5e-5]", 0, 0, false, "lr"},
	{"lr-scheduler-type", 0, ATTEND_OPTION_TEXT, "NAME",
     "linear, cosine, constant, polynomial, one_cycle, ... [linear]", 0, 0, false, NULL},
	{"lr-scheduler-kwargs", 0, ATTEND_OPTION_TEXT, "JSON", "more numbers for the schedule: '{\"num_cycles\": 2}'", 0, 0,
     false, NULL},
	{"warmup-ratio", 0, ATTEND_OPTION_JSON, "X", "share of the steps in which the rate rises [0]", 0, 0, false, NULL},
	{"warmup-steps", 0, ATTEND_OPTION_JSON, "N", "steps in which the rate rises [0]", 0, 0, false, NULL},
	{"gradual-unfreeze", 0, ATTEND_OPTION_FLAG, NULL, "the head first, one more layer with every epoch", 0, 0, false,
     NULL},
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
	size_t before; /* steps that were done when this process began, plus one; 0: not known yet */
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
	if (v->before == 0) v->before = p->step;
	const double left = p->seconds / (double)(p->step - v->before + 1) * (double)(p->steps - p->step);
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
	if (!isnan(m->accuracy)) fprintf(stderr, "  accuracy %.4f", m->accuracy);
	if (!isnan(m->f1_macro)) fprintf(stderr, "  F1 %.4f", m->f1_macro);
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
	if (p->windowed)
		fprintf(stderr,
		        "%zu texts are too long and are read in windows; %zu windows to train on, each with its text's label\n",
		        p->windowed, p->windows);
	for (size_t i = 0; i < p->label_count && i < 20; i++)
		fprintf(stderr, "  %s: %zu\n", p->labels[i], p->label_examples[i]);
	if (p->label_count > 20) fprintf(stderr, "  ... %zu labels in all\n", p->label_count);
	if (p->new_tensors) fprintf(stderr, "new and untrained: %s\n", p->new_tensors);
	fprintf(stderr, "%zu of %zu parameters learn; %zu steps (%zu an epoch); about %.0f MB of memory\n",
	        p->trainable_parameters, p->parameters, p->steps, p->steps_per_epoch, (double)p->memory_bytes / 1e6);
	if (p->first_step) fprintf(stderr, "resumed after step %zu\n", p->first_step);
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
	int code = attend_recipe_read(recipe, args);
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
			   "trainer_state.json, log.jsonl, all_results.json, loss.svg, and runs/ for TensorBoard.\n"
			   "Names and defaults are those of HF's Trainer; fastText's -input -output -lr -epoch\n"
			   "work too. The same recipe and data give the same bits, also with --resume.",
	.example = "attend finetune --train-file reviews.tsv --validation-split 0.1 -o reviews-model --lr 3e-4\n"
			   "attend classify -m reviews-model \"A wonderful film.\"",
	.groups = (const attend_option *const[]){attend_options_task, attend_options_data, attend_options_fitting,
                                             attend_options_updates, NULL},
	.options = options,
	.run = run,
};
