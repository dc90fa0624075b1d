/* trainer.h: what the parts of a training run share: trainer.c (set-up), trainer_step.c (updates, evaluation), trainer_save.c
 * (checkpoints, resume, results). */
#ifndef ATTEND_TRAIN_TRAINER_H
#define ATTEND_TRAIN_TRAINER_H

#include <stdatomic.h>

#include "lib/attend_train.h"
#include "lib/nn/heads.h"
#include "lib/train/example_batch.h"
#include "lib/train/features.h"
#include "lib/train/metrics.h"
#include "lib/train/optimizer.h"
#include "lib/train/recipe.h"
#include "loaders/checkpoint.h"

/* One line of the log, as HF's trainer_state.json has it. NaN: not part of this line. */
typedef struct attend_log_entry {
	size_t step;
	double epoch;
	double loss, grad_norm, learning_rate; /* training */
	bool evaluated;
	attend_train_metrics metrics;
} attend_log_entry;

/* Where a run stands: what a checkpoint must hold besides weights and moments. Everything else is a pure function of the
 * recipe and the step. */
typedef struct attend_train_state {
	size_t step;                  /* updates done */
	double loss_sum, tokens_seen; /* since the last log line */
	size_t loss_count;
	double best_metric;
	size_t best_step;       /* 0: none yet */
	size_t bad_evaluations; /* in a row, for early stopping */
	attend_log_entry *log;
	size_t log_count, log_capacity;
} attend_train_state;

struct attend_trainer {
	attend_recipe *recipe;
	const struct attend_text_task *text_task; /* text_task.h; NULL: a labelled file */
	uint64_t mask_epoch;                      /* decides with seed and example about masks */
	attend_train_hooks hooks;
	bool writes;                        /* false: only steps are wanted; there is no output folder */
	attend_dataset *train, *validation; /* validation NULL: none, or a part of `train` */
	attend_examples train_examples, validation_examples;
	size_t *members, member_count; /* training sequences: indices into train_examples */
	size_t *held, held_count;      /* validation texts of `train` or `validation` */
	size_t text_count;             /* training texts: fewer than sequences where long ones became windows */
	attend_tokenizer *tokenizer;
	attend_checkpoint *checkpoint;
	attend_network *network;
	size_t head, outputs;
	size_t pair_head; /* of sentence pairs; else as head */
	bool regression, multi;
	attend_optimizer *optimizer;
	attend_optimizer_options optimizer_options;
	attend_grouping grouping;
	attend_schedule schedule;
	attend_batching batching;
	attend_session *session;
	size_t live_depth; /* of gradual unfreezing; SIZE_MAX: all */
	float *class_weights;
	/* one batch */
	size_t max_sequences, max_tokens, max_length;
	size_t state_bytes; /* of the optimiser, for all that learns at once */
	size_t data_bytes;  /* of the process before weights, gradients, optimiser and activations came */
	attend_example_batch batch;
	bool uses_features;
	attend_features features[2]; /* of train_examples, of validation_examples */
	int32_t *labels;
	int32_t *pair_labels; /* [max_sequences] of sentence pairs */
	float *values, *logits;
	/* the present epoch */
	size_t *order, *ends, batch_count;
	size_t *epoch_ends; /* [epoch_count] updates at the end of each; NULL: all have plan.steps_per_epoch */
	size_t epoch_count;
	uint64_t epoch;
	bool epoch_planned;
	attend_train_plan plan;
	size_t *label_examples;
	char *new_tensors;
	attend_train_state state;
	double started; /* seconds, monotonic */
	size_t run_tokens;
	atomic_int stop;
	/* event_log.h */
	char *events_path;
	attend_buffer events; /* all of the file */
	bool events_behind;   /* the file lacks something of it */
};

double attend_train_clock(void);

/* trainer.c: attend_trainer_new, also for runs that write nothing. */
attend_status attend_trainer_make(attend_trainer **out, const attend_recipe *recipe, const attend_train_hooks *hooks,
                                  bool writes);

/* trainer.c: the epoch of update `step` (from 0), and how many updates of it come before. */
size_t attend_trainer_epoch(const attend_trainer *trainer, size_t step, size_t *within);
/* Epochs that `done` updates make. */
double attend_trainer_epochs(const attend_trainer *trainer, size_t done);

/* trainer_step.c */
attend_status attend_trainer_prepare(
	attend_trainer *trainer); /* training form, session, for the epoch that comes next */
attend_status attend_trainer_log(attend_trainer *trainer, const attend_log_entry *entry);
attend_status attend_trainer_run_batch(attend_trainer *trainer, const attend_examples *x, const size_t *members,
                                       size_t count); /* forward */
double attend_train_metric(const attend_train_metrics *metrics, const char *name);
bool attend_train_metric_rises(const char *name); /* larger is better */

/* trainer_save.c */
attend_status attend_trainer_check_output(const attend_trainer *trainer); /* before anything is read; makes nothing */
attend_status attend_trainer_open_output(const attend_trainer *trainer);  /* makes the folder */
attend_status attend_trainer_check_disk(const attend_trainer *trainer);   /* IO: too little is free */
attend_status attend_trainer_checkpoint(attend_trainer *trainer);         /* output_dir/checkpoint-STEP */
attend_status attend_trainer_find_checkpoint(char **out, const char *output_dir,
                                             size_t *step); /* newest complete one; NULL: none */
attend_status attend_trainer_resume(attend_trainer *trainer, const char *dir);
attend_status attend_trainer_load_best(attend_trainer *trainer);
attend_status attend_trainer_finish(attend_trainer *trainer); /* output_dir itself, results */

#endif
