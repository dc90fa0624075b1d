/* attend_train.h: fine-tuning: a labelled file (or plain text) in, a HuggingFace folder with a better model out.
 *
 *     attend_recipe *recipe;
 *     attend_trainer *trainer;
 *     attend_recipe_new(&recipe);
 *     attend_recipe_set(recipe, "model_name_or_path", "bert-mini");
 *     attend_recipe_set(recipe, "train_file", "reviews.tsv");
 *     attend_recipe_set(recipe, "output_dir", "out");
 *     if (attend_trainer_new(&trainer, recipe, NULL) != ATTEND_OK || attend_trainer_run(trainer) != ATTEND_OK)
 *         puts(attend_error());
 *     attend_trainer_free(trainer);
 *     attend_recipe_free(recipe);
 *
 * The rules of attend.h hold here too. A run repeats bit for bit with the same recipe and data, at any number of threads, and
 * also when it was stopped and resumed. */
#ifndef ATTEND_TRAIN_H
#define ATTEND_TRAIN_H

#include "lib/attend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ==== Recipes =========================================================================================================== */

/* Everything that decides a run, by HF Trainer's names and with its defaults. */
typedef struct attend_recipe attend_recipe;

ATTEND_API attend_status attend_recipe_new(attend_recipe **out);
ATTEND_API void attend_recipe_free(attend_recipe *recipe);

/* Set one value by name ("learning_rate"; '-' counts as '_') from JSON text; a bare word will do where a string is meant.
 * NOTFOUND: no such name; ARG: a value of the wrong kind or out of range. A failure changes nothing. */
ATTEND_API attend_status attend_recipe_set(attend_recipe *recipe, const char *name, const char *value);
/* All members of a JSON file. FORMAT, NOTFOUND name the place. */
ATTEND_API attend_status attend_recipe_load(attend_recipe *recipe, const char *path);
/* The recipe as JSON (malloc'ed, the caller frees it). */
ATTEND_API attend_status attend_recipe_dump(char **out, const attend_recipe *recipe);
/* The i-th name, NULL past the end. Static. */
ATTEND_API const char *attend_recipe_name(size_t i);

/* ==== Training ========================================================================================================== */

typedef struct attend_trainer attend_trainer;

/* What a run is going to be. Texts are borrowed from the trainer. */
typedef struct attend_train_plan {
	size_t train_examples, validation_examples;
	size_t skipped;            /* bad rows left out */
	const char *first_problem; /* of them, or NULL */
	const char *columns;       /* what was taken for what */
	size_t label_count;
	const char *const *labels;
	const size_t *label_examples;     /* [label_count] of the training set; NULL: regression */
	size_t shortest, median, longest; /* tokens of an example */
	size_t too_long;                  /* examples that were cut */
	size_t windowed, windows; /* texts that became several windows; training windows of all texts, 0: no such text */
	size_t steps, steps_per_epoch; /* of the first epoch, where a token budget makes epochs differ */
	size_t first_step;             /* > 0: resumed */
	size_t parameters, trainable_parameters;
	size_t memory_bytes;     /* at most, of the process: data, weights, gradients, optimiser, activations */
	const char *new_tensors; /* freshly made tensors, or NULL: "classifier.weight, classifier.bias" */
} attend_train_plan;

typedef struct attend_train_metrics {
	double loss, accuracy, f1_macro, f1_micro, matthews; /* NaN where they do not apply */
	double pearson, spearman, mse, mae;
	double perplexity; /* of language models: exp(loss) */
	size_t examples;
} attend_train_metrics;

/* Told after every update. */
typedef struct attend_train_progress {
	size_t step, steps;
	double epoch;
	double loss; /* of this step */
	double grad_norm, learning_rate;
	double seconds; /* since the run began or was resumed */
	size_t tokens;  /* since then */
} attend_train_progress;

/* Any may be NULL. `log`: every logging_steps; `evaluated`: after an evaluation; `saved`: a folder is complete on disk. */
typedef struct attend_train_hooks {
	void (*step)(void *payload, const attend_train_progress *progress);
	void (*evaluated)(void *payload, const attend_train_progress *progress, const attend_train_metrics *metrics);
	void (*saved)(void *payload, const char *dir);
	void *payload;
} attend_train_hooks;

/* Load model and data, check all of it, plan memory. Nothing is written yet. NOTFOUND, FORMAT, DATA, ARG name the place. The
 * recipe is copied. */
ATTEND_API attend_status attend_trainer_new(attend_trainer **out, const attend_recipe *recipe,
                                            const attend_train_hooks *hooks);
ATTEND_API void attend_trainer_free(attend_trainer *trainer);
ATTEND_API const attend_train_plan *attend_trainer_plan(const attend_trainer *trainer);

/* Train to the end and write output_dir. CANCELLED: attend_trainer_stop was called; the state was saved, `resume` goes on. IO:
 * disk full or not writable: the last complete checkpoint is untouched. DATA: the loss is not finite. */
ATTEND_API attend_status attend_trainer_run(attend_trainer *trainer);

/* Ask a running trainer to save and stop after the present step. Async-signal-safe. */
ATTEND_API void attend_trainer_stop(attend_trainer *trainer);

/* One update, for programs that loop themselves; *done when the last one is behind. */
ATTEND_API attend_status attend_trainer_step(attend_trainer *trainer, attend_train_progress *progress, bool *done);
ATTEND_API attend_status attend_trainer_evaluate(attend_trainer *trainer, attend_train_metrics *out);
/* Write the model as it is: a plain HuggingFace folder. */
ATTEND_API attend_status attend_trainer_save(attend_trainer *trainer, const char *dir);

/* ==== Learning rate range test ========================================================================================== */

/* A sweep of rates, one update each (Smith, arXiv:1506.01186; rising exponentially as in fastai). */
typedef struct attend_lr_sweep {
	size_t count;
	double *rates, *losses; /* [count] of each update, before it */
	double *smoothed;       /* [count] losses, exponentially averaged (0.98, corrected for the start) */
	bool diverged;     /* the sweep ended early: the smoothed loss passed four times its minimum, or was not finite */
	double steepest;   /* rate at which the smoothed loss falls fastest per decade; NaN: it never fell */
	double minimum;    /* rate of the smallest smoothed loss; NaN likewise */
	double suggestion; /* the smaller of `steepest` and `minimum` / 10; NaN likewise */
} attend_lr_sweep;

typedef struct attend_lr_find_options {
	double first, last; /* rates, 0 < first < last */
	size_t steps;       /* updates, >= 10 */
} attend_lr_find_options;
#define ATTEND_LR_FIND_OPTIONS_INIT \
	{                               \
		1e-7, 10, 100               \
	}

/* Train by the recipe, but at rising rates, on all of its training file; nothing is written and no model is left (what the
 * recipe says of steps, rates, evaluation and output does not count). hooks->step is told of every update; NULL: nobody. Free
 * with attend_lr_sweep_free. ARG: options out of range; and everything that attend_trainer_new finds wrong. */
ATTEND_API attend_status attend_lr_find(attend_lr_sweep *out, const attend_recipe *recipe,
                                        const attend_lr_find_options *options, const attend_train_hooks *hooks);
ATTEND_API void attend_lr_sweep_free(attend_lr_sweep *sweep);
/* "learning_rate,loss,smoothed_loss" and a line per update; a picture (SVG) with the suggestion. IO, NOTFOUND. */
ATTEND_API attend_status attend_lr_sweep_write_csv(const attend_lr_sweep *sweep, const char *path);
ATTEND_API attend_status attend_lr_sweep_write_svg(const attend_lr_sweep *sweep, const char *path);

/* ==== Evaluating ======================================================================================================== */

typedef struct attend_label_report {
	const char *label;
	double precision, recall, f1;
	size_t support; /* examples with this label */
} attend_label_report;

/* An example that the model got wrong (regression: far off), the worst first. */
typedef struct attend_mistake {
	const char *text, *pair; /* pair NULL: none */
	size_t line;             /* of the file */
	int label, predicted;    /* single label: indices into labels; else -1 */
	double expected, found;  /* regression: the values; else: probabilities of the right and of the predicted label */
} attend_mistake;

typedef struct attend_evaluation {
	attend_train_metrics metrics;
	bool regression, multi_label;
	size_t label_count;
	const attend_label_report *labels;
	const uint64_t *confusion; /* [label_count, label_count] (label, prediction); NULL: not single-label */
	const attend_mistake *mistakes;
	size_t mistake_count;
	size_t skipped, too_long; /* bad rows left out; texts that were cut */
	size_t windowed, windows; /* texts that ran in several windows; windows of all texts, 0: no such text */
	const char *columns;
	void *storage;
} attend_evaluation;

/* Measure a classifier on a labelled file. The recipe says how to read the file (validation_file, dtype, columns, encoding, truncate,
 * per_device_eval_batch_size); `mistakes`: how many of the worst errors to keep. ARG: the checkpoint has no sequence head. DATA:
 * a label that the model does not know, and everything that is wrong with the file. Free with attend_evaluation_free. */
ATTEND_API attend_status attend_evaluate(attend_evaluation *out, const char *model, const attend_recipe *recipe,
                                         size_t mistakes);
/* How far the probabilities of an evaluation are from the truth when its logits are divided by `temperature` (> 0): the expected
 * calibration error over 15 bins of confidence and the mean negative log-likelihood. UNSUPPORTED: not one label a text. */
typedef struct attend_calibration {
	double temperature, ece, nll;
} attend_calibration;
ATTEND_API attend_status attend_evaluation_calibration(attend_calibration *out, const attend_evaluation *evaluation,
                                                       double temperature);
/* The temperature with the least negative log-likelihood on an evaluation's file, for attend_classify_options (Guo et al. 2017).
 * DATA: there is none, because every text is classified right, or because labels and logits have nothing to do with one another. */
ATTEND_API attend_status attend_evaluation_fit_temperature(double *out, const attend_evaluation *evaluation);
ATTEND_API void attend_evaluation_free(attend_evaluation *evaluation);

/* ==== Comparing runs =================================================================================================== */

typedef struct attend_run_curve {
	size_t count;
	double *steps, *values; /* [count] */
} attend_run_curve;

/* What an output folder of attend or of HF's Trainer tells of its run. */
typedef struct attend_run {
	const char *dir; /* as given */
	attend_run_curve training_loss, validation_loss;
	size_t
		number_count; /* steps done, then the numbers of all_results.json; without one, those of the last evaluation */
	char **names;
	double *values;
	void *storage;
} attend_run;

/* The log is that of trainer_state.json; of a run that has not ended, that of its newest checkpoint. NOTFOUND: no such folder,
 * or not that of a run; FORMAT names the place. Free with attend_run_free. */
ATTEND_API attend_status attend_run_read(attend_run *out, const char *dir);
ATTEND_API void attend_run_free(attend_run *run);
/* The loss curves of all runs in one picture (SVG). IO, NOTFOUND. */
ATTEND_API attend_status attend_runs_write_svg(const attend_run *runs, size_t count, const char *path);

/* For tests against other trainers: run exactly the batches of a safetensors file (step.N.INPUT, or step.N.micro.M.INPUT)
 * under the recipe in a JSON file's `run` (optimizer, scheduler, grouping, accumulation, clipping, label smoothing,
 * unfreezing), dropout off. Writes out_dir: the checkpoint in f32, and trace.json with the parameter groups, and each step's
 * loss, learning rates and gradient norm. DATA, FORMAT name the place; ARG: a recipe that cannot run. */
ATTEND_API attend_status attend_train_trace(const char *model, const char *batches, const char *recipe,
                                            const char *out_dir);

/* ==== What a type of weights costs ====================================================================================== */

typedef enum attend_quality_kind {
	ATTEND_QUALITY_LABELS,    /* rows are texts, logits those of their classes */
	ATTEND_QUALITY_CAUSAL,    /* rows are tokens, predicted from those before them in windows side by side */
	ATTEND_QUALITY_MASKED,    /* rows are masked tokens: 15 % of each line, the same in every run */
	ATTEND_QUALITY_EMBEDDING, /* rows are lines: their vectors */
	ATTEND_QUALITY_ANSWER     /* rows are tokens of what the f32 model makes of each line */
} attend_quality_kind;

/* [2]: in f32, and in the other type. NaN where it does not apply. */
typedef struct attend_quality_result {
	attend_quality_kind kind;
	size_t rows;
	double accuracy[2]; /* share of rows whose best class or token is the right one */
	double loss[2];     /* mean over rows */
	double perplexity[2];
	double agreement;             /* share of rows in which both have the same best */
	double max_error, mean_error; /* |difference| of single logits, or of numbers of the vectors */
	double mean_cosine, min_cosine;
	size_t truncated; /* texts that were cut */
} attend_quality_result;

/* Run the same texts through a model in f32 and in `weights` (another type). Either a plain text: a causal or masked language
 * model predicts its tokens, an encoder-decoder those of the answer that its f32 side generates to each line (as
 * generation_config.json says, but never sampled), another model turns its lines into vectors; or a recipe with validation_file
 * and how to read it: labelled texts for the sequence head. Texts that are too long are cut on the right. ARG; DATA: nothing to predict;
 * UNSUPPORTED: a folder that is itself in int8 or int4. */
ATTEND_API attend_status attend_quality(attend_quality_result *out, const char *model, attend_weight_type weights,
                                        const char *text_file, const attend_recipe *recipe);

#ifdef __cplusplus
}
#endif
#endif
