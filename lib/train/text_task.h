/* text_task.h: training on plain text: what "mlm" and "lm" do differently from a labelled file. */
#ifndef ATTEND_TRAIN_TEXT_TASK_H
#define ATTEND_TRAIN_TEXT_TASK_H

#include "lib/train/trainer.h"

typedef struct attend_text_task {
	const char *name, *pairs; /* of the recipe's `task` and `sentence_pairs` */
	attend_head_kind head;    /* what is loaded and saved */
	attend_head_kind
		words;        /* whose loss and perplexity is that of the words; NSP learns beside it where there are pairs */
	bool line_breaks; /* see attend_text_blocks_read */
	const char *pipeline; /* of the hub, for the model card */
	const char *title;
	/* Labels of `n` tokens from `start` of x on, into ids and labels [n]; ids hold the tokens. */
	void (*target)(attend_trainer *trainer, const attend_examples *x, size_t example, int32_t *ids, int32_t *labels,
	               size_t n);
} attend_text_task;

/* NULL: a labelled file. Static. */
const attend_text_task *attend_text_task_find(const char *name, const char *pairs);

/* Read the recipe's files into the trainer's datasets and examples; model and tokenizer are there. ARG, UNSUPPORTED: the model cannot
 * learn this. */
attend_status attend_text_task_read(attend_trainer *trainer);

/* Targets of a batch that lies in trainer->ids. */
void attend_text_task_targets(attend_trainer *trainer, const attend_examples *x, const size_t *members, size_t count);

/* Are there pairs of segments, and a loss of the head that says how they stand to one another? */
bool attend_text_task_paired(const attend_trainer *trainer);
/* That loss for the batch that has just run, with its gradient: see attend_session_loss. */
attend_status attend_text_task_pair_loss(attend_trainer *trainer, const attend_dataset *dataset, const size_t *members,
                                         size_t count, float grad_scale, attend_loss *out);

/* Loss and perplexity over all held-out targets (with pairs: loss as the reference adds it, and how many pairs were told right); masks are
 * those of every other evaluation. */
attend_status attend_text_task_evaluate(attend_trainer *trainer, attend_train_metrics *out);

#endif
