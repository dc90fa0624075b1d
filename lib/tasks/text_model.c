/* text_model.c: attend_model: a checkpoint with its tokenizer. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/file.h"
#include "lib/core/threads.h"
#include "lib/tasks/modules.h"
#include "lib/tasks/pipeline.h"

static attend_pack_type pack_type(attend_weight_type weights, attend_pack_type stored)
{
	static const attend_pack_type types[] = {
		[ATTEND_WEIGHTS_F32] = ATTEND_PACK_F32,
		[ATTEND_WEIGHTS_BF16] = ATTEND_PACK_BF16,
		[ATTEND_WEIGHTS_INT8] = ATTEND_PACK_INT8,
		[ATTEND_WEIGHTS_INT4] = ATTEND_PACK_INT4,
	};
	return weights == ATTEND_WEIGHTS_STORED ? stored : types[weights];
}

attend_status attend_choose_weights(attend_network *network, attend_weight_type weights)
{
	if ((unsigned)weights > ATTEND_WEIGHTS_INT4)
		return attend_fail(ATTEND_ERR_ARG, "unknown type of weights %d", (int)weights);
	return attend_network_set_type(network, pack_type(weights, network->stored_type));
}

static char *copy(const char *text)
{
	const size_t size = strlen(text) + 1;
	char *out = malloc(size);
	if (out != NULL) memcpy(out, text, size);
	else (void)attend_fail_memory(size, "model");
	return out;
}

/* A missing or unknown tokenizer is no failure of the model: the tasks that need one say what was wrong. */
static attend_status load_tokenizer(attend_model *model, const char *dir)
{
	model->tokenizer_status = attend_tokenizer_load(&model->tokenizer, dir);
	if (model->tokenizer_status == ATTEND_OK) {
		const size_t have = attend_tokenizer_vocab_size(model->tokenizer);
		const size_t rows = attend_model_vocab_size(model);
		if (have > rows)
			attend_log(ATTEND_LOG_WARNING, "%s: the tokenizer has ids up to %zu, the word embedding %zu rows", dir,
			           have - 1, rows);
		return ATTEND_OK;
	}
	if (model->tokenizer_status == ATTEND_ERR_NOMEM) return ATTEND_ERR_NOMEM;
	model->tokenizer_error = copy(attend_error());
	return model->tokenizer_error != NULL ? ATTEND_OK : ATTEND_ERR_NOMEM;
}

typedef struct tokenizer_job {
	attend_model *model;
	const char *dir;
	attend_status status;
	bool begun;
	atomic_bool done;
} tokenizer_job;

/* The calling thread reads the tokenizer, for its messages are that thread's; another one maps weights meanwhile. The team is
 * taken for as long. */
static void tokenizer_task(void *arg, size_t index, unsigned worker)
{
	tokenizer_job *job = arg;
	if (worker != 0) { /* whoever comes first to the caller's task leaves it to the caller */
		if (index == 1) attend_network_touch(&job->model->checkpoint->network, &job->done);
	} else if (!job->begun) {
		job->begun = true;
		job->status = load_tokenizer(job->model, job->dir);
		atomic_store(&job->done, true);
	}
}

static attend_status load_beside(attend_model *model, const char *dir)
{
	tokenizer_job job = {.model = model, .dir = dir};
	attend_parallel(2, tokenizer_task, &job);
	if (!job.begun) tokenizer_task(&job, 0, 0); /* the other thread was there first, for both */
	return job.status;
}

static attend_status load(attend_model *model, const char *path, const attend_model_options *options)
{
	model->path = copy(path);
	if (model->path == NULL) return ATTEND_ERR_NOMEM;
	char *located = NULL, *folder = NULL;
	attend_status status = attend_checkpoint_locate(&located, path);
	if (status == ATTEND_OK) status = attend_modules_read(&model->modules, &folder, located);
	const attend_weight_type weights = options != NULL ? options->weights : ATTEND_WEIGHTS_STORED;
	const attend_bind_options bind = {.has_head = true,
	                                  .head = ATTEND_HEAD_BASE,
	                                  .in_place = weights <= ATTEND_WEIGHTS_BF16};
	if (status == ATTEND_OK)
		status = attend_checkpoint_load(&model->checkpoint, folder != NULL ? folder : located, &bind);
	if (status == ATTEND_OK) {
		status = attend_choose_weights(&model->checkpoint->network, weights);
		if (status != ATTEND_OK) (void)attend_fail_in(status, path);
	}
	if (status == ATTEND_OK) status = load_beside(model, folder != NULL ? folder : located);
	free(folder);
	free(located);
	return status;
}

attend_status attend_model_load(attend_model **out, const char *path, const attend_model_options *options)
{
	if (out == NULL || path == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_model_load: out and path must not be NULL");
	attend_model *model = calloc(1, sizeof *model);
	if (model == NULL) return attend_fail_memory(sizeof *model, "model");
	const attend_status status = load(model, path, options);
	if (status == ATTEND_OK) *out = model;
	else attend_model_free(model);
	return status;
}

void attend_model_free(attend_model *model)
{
	if (model == NULL) return;
	attend_tokenizer_free(model->tokenizer);
	attend_checkpoint_free(model->checkpoint);
	attend_modules_free(model->modules);
	free(model->tokenizer_error);
	free(model->path);
	free(model);
}

const char *attend_model_path(const attend_model *model)
{
	return model->path;
}

const char *attend_model_type(const attend_model *model)
{
	return model->checkpoint->config.model_type;
}

const attend_tokenizer *attend_model_tokenizer(const attend_model *model)
{
	if (model->tokenizer == NULL) (void)attend_fail(model->tokenizer_status, "%s", model->tokenizer_error);
	return model->tokenizer;
}

attend_status attend_model_need_tokenizer(const attend_tokenizer **out, const attend_model *model)
{
	*out = attend_model_tokenizer(model);
	return *out != NULL ? ATTEND_OK : model->tokenizer_status;
}

/* Index of a head whose tensors were all in the file; -1: none. An LM head on a stack that sees the future is none: it would
 * predict what it reads (BERT's MLM tensors serve both heads). */
static int find_head(const attend_model *model, attend_head_kind kind)
{
	const attend_network *network = &model->checkpoint->network;
	if (kind == ATTEND_HEAD_LM && (network->arch.has_encoder || !network->arch.decoder.causal)) return -1;
	const int head = attend_network_find_head(network, kind);
	return head >= 0 && network->heads[head].present ? head : -1;
}

bool attend_model_has_head(const attend_model *model, const char *head)
{
	for (int kind = 0; kind < ATTEND_HEAD_KINDS; kind++)
		if (strcmp(attend_head_kind_name((attend_head_kind)kind), head) == 0)
			return find_head(model, (attend_head_kind)kind) >= 0;
	return false;
}

attend_status attend_model_need_head(size_t *out, const attend_model *model, attend_head_kind kind)
{
	const int head = find_head(model, kind);
	if (head >= 0) {
		*out = (size_t)head;
		return ATTEND_OK;
	}
	const attend_network *network = &model->checkpoint->network;
	char present[256] = "";
	size_t used = 0;
	for (size_t i = 0; i < network->arch.head_count; i++) {
		if (find_head(model, network->arch.heads[i].kind) < 0) continue;
		const int n = snprintf(present + used, sizeof present - used, "%s%s", used == 0 ? "" : ", ",
		                       attend_head_kind_name(network->arch.heads[i].kind));
		if (n > 0 && (size_t)n < sizeof present - used) used += (size_t)n;
	}
	return attend_fail(ATTEND_ERR_UNSUPPORTED,
	                   "%s: a %s checkpoint without the %s head that this needs; heads found: %s", model->path,
	                   attend_model_type(model), attend_head_kind_name(kind), used == 0 ? "none" : present);
}

int attend_model_text_stack(const attend_model *model)
{
	return model->checkpoint->network.arch.has_encoder ? 0 : 1;
}

const attend_stack_arch *attend_model_stack(const attend_model *model, int stack)
{
	const attend_arch *arch = &model->checkpoint->network.arch;
	return stack == 0 ? &arch->encoder : &arch->decoder;
}

size_t attend_model_max_length(const attend_model *model)
{
	const size_t positions = attend_model_stack(model, attend_model_text_stack(model))->max_positions;
	const size_t tokenizer = model->tokenizer != NULL ? attend_tokenizer_max_length(model->tokenizer) : SIZE_MAX;
	return positions != 0 && positions < tokenizer ? positions : tokenizer;
}

size_t attend_model_hidden_size(const attend_model *model)
{
	return attend_model_stack(model, attend_model_text_stack(model))->hidden;
}

size_t attend_model_vocab_size(const attend_model *model)
{
	return attend_model_stack(model, attend_model_text_stack(model))->vocab;
}

attend_weight_type attend_model_weights(const attend_model *model)
{
	attend_weight_type weights = ATTEND_WEIGHTS_F32;
	while (pack_type(weights, ATTEND_PACK_F32) != model->checkpoint->network.pack_type) weights++;
	return weights;
}

size_t attend_model_label_count(const attend_model *model)
{
	return model->checkpoint->config.label_count;
}

const char *attend_model_label(const attend_model *model, size_t i)
{
	const attend_config *config = &model->checkpoint->config;
	return i < config->label_count ? config->labels[i] : NULL;
}
