/* text_task.c: masked and causal language models in the trainer. */
#include "lib/train/text_task.h"

#include <math.h>
#include <string.h>

#include "lib/train/masking.h"
#include "lib/train/sentence_pairs.h"
#include "lib/train/text_blocks.h"

/* ---- Targets ------------------------------------------------------------------------------------------------------------ */

static void mask(attend_trainer *t, const attend_examples *x, size_t example, int32_t *ids, int32_t *labels, size_t n)
{
	const attend_stack_arch *reads = &t->network->arch.encoder;
	const size_t vocab = attend_tokenizer_vocab_size(t->tokenizer);
	const attend_masking masking = {.probability = t->recipe->mlm_probability,
	                                .whole_words = t->recipe->mlm_whole_word,
	                                .mask_id = attend_tokenizer_special_id(t->tokenizer, ATTEND_TOKEN_MASK),
	                                .vocab = vocab < reads->vocab ? vocab : reads->vocab,
	                                .seed = (uint64_t)t->recipe->seed};
	attend_mask_tokens(ids, labels, x->marks + x->starts[example], n, &masking, t->mask_epoch, example);
}

static void next(attend_trainer *t, const attend_examples *x, size_t example, int32_t *ids, int32_t *labels, size_t n)
{
	(void)t, (void)x, (void)example;
	attend_next_tokens(labels, ids, n);
}

static const attend_text_task tasks[] = {
	{"mlm", "", ATTEND_HEAD_MLM, ATTEND_HEAD_MLM, false, "fill-mask", "masked language model", mask},
	{"mlm", "nsp", ATTEND_HEAD_PRETRAINING, ATTEND_HEAD_MLM, false, "fill-mask",
     "masked language model with next-sentence prediction", mask},
	{"mlm", "sop", ATTEND_HEAD_PRETRAINING, ATTEND_HEAD_MLM, false, "fill-mask",
     "masked language model with sentence-order prediction", mask},
	{"lm", "", ATTEND_HEAD_LM, ATTEND_HEAD_LM, true, "text-generation", "causal language model", next},
};

const attend_text_task *attend_text_task_find(const char *name, const char *pairs)
{
	for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
		if (strcmp(tasks[i].name, name) == 0 && strcmp(tasks[i].pairs, pairs) == 0) return &tasks[i];
	return NULL;
}

void attend_text_task_targets(attend_trainer *trainer, const attend_examples *x, const size_t *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const size_t at = trainer->batch.offsets[i], n = trainer->batch.offsets[i + 1] - at;
		trainer->text_task->target(trainer, x, members[i], trainer->batch.ids + at, trainer->labels + at, n);
	}
}

/* ---- Pairs ----------------------------------------------------------------------------------------------------------------- */

bool attend_text_task_paired(const attend_trainer *trainer)
{
	return trainer->text_task && *trainer->text_task->pairs;
}

attend_status attend_text_task_pair_loss(attend_trainer *trainer, const attend_dataset *dataset, const size_t *members,
                                         size_t count, float grad_scale, attend_loss *out)
{
	for (size_t i = 0; i < count; i++) trainer->pair_labels[i] = dataset->examples[members[i]].label;
	const attend_targets wanted = {.labels = trainer->pair_labels};
	return attend_session_loss(trainer->session, trainer->pair_head, &wanted, grad_scale, out);
}

/* ---- Data ------------------------------------------------------------------------------------------------------------------ */

enum { USUAL_LENGTH = 1024 }; /* of a block, where neither the recipe nor the model says less: as run_clm.py */

static attend_status check_model(const attend_trainer *t)
{
	const attend_arch *arch = &t->network->arch;
	const char *dir = t->recipe->model_name_or_path;
	if (arch->has_encoder && arch->has_decoder)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: task %s trains encoders and decoders, not pairs of them", dir,
		                   t->text_task->name);
	if (t->text_task->head == ATTEND_HEAD_LM &&
	    !arch->has_decoder) /* BERT's LM head over an encoder would see what it should say */
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: task lm needs a decoder, this model sees both sides", dir);
	if (arch->encoder.relative == ATTEND_RELATIVE_XLNET || arch->decoder.relative == ATTEND_RELATIVE_XLNET)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: permutation language modelling is not there", dir);
	if (t->text_task->head == ATTEND_HEAD_MLM && attend_tokenizer_special_id(t->tokenizer, ATTEND_TOKEN_MASK) < 0)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: the tokenizer has no mask token", dir);
	return ATTEND_OK;
}

attend_status attend_text_task_read(attend_trainer *trainer)
{
	attend_trainer *t = trainer;
	const attend_recipe *r = t->recipe;
	const attend_arch *arch = &t->network->arch;
	const attend_stack_arch *reads = arch->has_encoder ? &arch->encoder : &arch->decoder;
	const char *encoding = *r->encoding ? r->encoding : NULL;
	ATTEND_TRY(check_model(t));
	size_t length = reads->max_positions && reads->max_positions < USUAL_LENGTH ? reads->max_positions : USUAL_LENGTH;
	if (r->max_seq_length > 0) {
		if (reads->max_positions && (size_t)r->max_seq_length > reads->max_positions)
			return attend_fail(ATTEND_ERR_ARG, "max_seq_length %zu: the model takes at most %zu tokens",
			                   (size_t)r->max_seq_length, reads->max_positions);
		length = (size_t)r->max_seq_length;
	}
	if (length < 2) return attend_fail(ATTEND_ERR_ARG, "max_seq_length: a block needs two tokens at least");
	if (attend_text_task_paired(t)) {
		const attend_pair_options pairs = {.encoding = encoding,
		                                   .tokenizer = t->tokenizer,
		                                   .length = length,
		                                   .vocab = reads->vocab,
		                                   .order = strcmp(t->text_task->pairs, "sop") == 0,
		                                   .seed = (uint64_t)r->seed};
		ATTEND_TRY(attend_sentence_pairs_read(&t->train, &t->train_examples, r->train_file, &pairs));
		if (!*r->validation_file) return ATTEND_OK;
		return attend_sentence_pairs_read(&t->validation, &t->validation_examples, r->validation_file, &pairs);
	}
	ATTEND_TRY(attend_text_blocks_read(&t->train, &t->train_examples, r->train_file, encoding, t->tokenizer, length,
	                                   reads->vocab, t->text_task->line_breaks));
	if (!*r->validation_file) return ATTEND_OK;
	return attend_text_blocks_read(&t->validation, &t->validation_examples, r->validation_file, encoding, t->tokenizer,
	                               length, reads->vocab, t->text_task->line_breaks);
}

/* ---- Evaluation ------------------------------------------------------------------------------------------------------------ */

attend_status attend_text_task_evaluate(attend_trainer *trainer, attend_train_metrics *out)
{
	attend_trainer *t = trainer;
	const attend_examples *x = t->validation ? &t->validation_examples : &t->train_examples;
	const attend_dataset *d = t->validation ? t->validation : t->train;
	double sum = 0, targets = 0, pairs = 0;
	size_t right = 0;
	t->mask_epoch = UINT64_MAX >> 40; /* the last epoch there could be */
	for (size_t at = 0, count; at < t->held_count; at += count) {
		const size_t left = t->held_count - at;
		size_t tokens = 0;
		for (count = 0; count < left && count < (size_t)t->recipe->per_device_eval_batch_size; count++) {
			tokens += attend_examples_length(x, t->held[at + count]);
			if (count && tokens > t->max_tokens) break;
		}
		attend_loss loss;
		const attend_targets wanted = {.labels = t->labels};
		ATTEND_TRY(attend_trainer_run_batch(t, x, t->held + at, count));
		ATTEND_TRY(attend_session_loss(t->session, t->head, &wanted, 0, &loss));
		sum += loss.sum;
		targets += loss.count;
		if (!attend_text_task_paired(t)) continue;
		ATTEND_TRY(attend_text_task_pair_loss(t, d, t->held + at, count, 0, &loss));
		ATTEND_TRY(attend_session_head(t->session, t->pair_head, NULL, count, t->logits));
		pairs += loss.sum;
		for (size_t i = 0; i < count; i++)
			right += (t->logits[2 * i + 1] > t->logits[2 * i]) == (t->pair_labels[i] == 1);
	}
	*out = (attend_train_metrics){sum / targets,      NAN,          NAN, NAN, NAN, NAN, NAN, NAN, NAN,
	                              exp(sum / targets), t->held_count};
	if (!attend_text_task_paired(t)) return ATTEND_OK;
	out->loss += pairs / (double)t->held_count;
	out->accuracy = (double)right / (double)t->held_count;
	return ATTEND_OK;
}
