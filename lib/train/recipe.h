/* recipe.h: everything that decides a training run, by HF Trainer's names. One table drives the command line, --config files,
 * --dump-config and the model card. */
#ifndef ATTEND_TRAIN_RECIPE_H
#define ATTEND_TRAIN_RECIPE_H

#include "lib/attend_train.h"
#include "lib/core/buffer.h"
#include "lib/core/json.h"
#include "lib/train/dataset.h"
#include "lib/train/optimizer.h"
#include "lib/train/pooled.h"

/* Strings are owned ("" : not given). */
struct attend_recipe {
	/* data */
	char *model_name_or_path, *train_file, *validation_file, *output_dir;
	char *input_format, *delimiter, *encoding, *text_column, *text_pair_column, *label_column, *label_type,
		*label_separator;
	char *header; /* "auto", "yes", "no" */
	bool skip_bad_rows;
	double validation_split;
	char *truncate;         /* "", "left", "right" */
	int64_t max_seq_length; /* 0: the model's limit */
	int64_t window,
		stride; /* tokens; window -1: none, 0: as long as the model takes; stride -1: see attend_fitting_windows */
	char *window_pooling; /* "mean", "max" */
	char *dtype;          /* "stored", "f32", "bf16", "int8", "int4": of attend_evaluate alone; training has bf16 */
	/* task */
	char *task;           /* "sequence", "mlm", "lm" */
	char *sentence_pairs; /* "", "nsp", "sop" */
	double mlm_probability;
	bool mlm_whole_word, from_scratch;
	/* steps */
	double num_train_epochs;
	int64_t max_steps; /* -1: by epochs */
	int64_t per_device_train_batch_size, per_device_eval_batch_size, gradient_accumulation_steps;
	int64_t max_tokens_per_batch; /* 0: batches by count */
	bool group_by_length, gradient_checkpointing, bf16;
	int64_t seed;
	/* optimiser */
	char *optim, *lr_scheduler_type, *lr_scheduler_kwargs;
	double learning_rate, weight_decay, adam_beta1, adam_beta2, adam_epsilon, momentum, max_grad_norm;
	double warmup_ratio;
	int64_t warmup_steps;
	double label_smoothing_factor, layer_lr_decay, discriminative_divisor;
	bool gradual_unfreeze;
	char *freeze, *class_weights;
	double dropout; /* -1: as config.json says */
	/* evaluation and saving */
	char *eval_strategy, *save_strategy, *metric_for_best_model, *on_nan;
	int64_t eval_steps, save_steps, logging_steps, save_total_limit;
	bool load_best_model_at_end;
	int64_t early_stopping_patience; /* 0: none */
	double early_stopping_threshold;
	bool resume, overwrite_output_dir;
};

/* A parsed value; NOTFOUND without a message for an unknown name. */
attend_status attend_recipe_set_json(attend_recipe *recipe, const char *name, const attend_json *value);

/* All values as a JSON object, one member a line. `only_set`: those that differ from the defaults. */
void attend_recipe_print(attend_buffer *out, const attend_recipe *recipe, bool only_set);

/* The values that a resumed run must share with the run that it goes on with, as members of a JSON object, a comma before each:
 * all but where files are, how much memory is spent, what is logged and kept. */
void attend_recipe_print_run(attend_buffer *out, const attend_recipe *recipe);

/* A recipe of its own with the same values. */
attend_status attend_recipe_copy(attend_recipe **out, const attend_recipe *recipe);

/* Do the values go together? ARG names what does not. */
attend_status attend_recipe_check(const attend_recipe *recipe);

/* The parts that the modules below take. total_steps is known by then. */
attend_status attend_recipe_schedule(attend_schedule *out, const attend_recipe *recipe, uint64_t total_steps);
attend_status attend_recipe_optimizer(attend_optimizer_options *out, attend_grouping *grouping,
                                      const attend_recipe *recipe);
/* How logits of windows become one. */
attend_window_pooling attend_recipe_pooling(const attend_recipe *recipe);
attend_status attend_recipe_data(attend_dataset_options *out, const attend_recipe *recipe);

#endif
