/* network_training.c: a network's values and gradients of its own, and what an update makes stale. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/threads.h"
#include "lib/nn/network.h"
#include "lib/nn/network_walk.h"

static void mark_table(attend_table *table, void *payload)
{
	attend_status *status = payload;
	attend_param *param = table->param;
	if (param == NULL || param->row_used || param->stored.rank == 0) return;
	param->row_used = calloc(param->stored.shape[0] ? param->stored.shape[0] : 1, 1);
	if (param->row_used == NULL) *status = attend_fail_memory(param->stored.shape[0], "rows used");
}

attend_status attend_network_make_trainable(attend_network *network, attend_param_predicate trainable, void *payload)
{
	if (network->stored_type != ATTEND_PACK_F32)
		return attend_fail(
			ATTEND_ERR_UNSUPPORTED,
			"weights stored in int8 or int4 cannot learn: train the checkpoint that they were made from");
	for (size_t i = 0; i < network->param_count; i++) {
		attend_param *param = &network->params[i];
		const size_t bytes = param->count * sizeof(float);
		if (param->values == NULL) {
			param->values = attend_alloc_aligned(bytes);
			if (param->values == NULL) return attend_fail_memory(bytes, param->name);
			attend_to_f32(param->values, param->stored.data, param->stored.dtype, param->count);
			param->stored.data = param->values;
			param->stored.dtype = ATTEND_DTYPE_F32;
			free(param->widened);
			param->widened = NULL;
		}
		param->trainable = !param->constant && (trainable == NULL || trainable(param, payload));
		if (!param->trainable) {
			free(param->grad);
			param->grad = NULL;
			param->stale_grad = false;
		} else if (param->grad == NULL) {
			param->grad = attend_alloc_aligned(bytes);
			if (param->grad == NULL) return attend_fail_memory(bytes, param->name);
			memset(param->grad, 0, bytes);
			param->dense_grad = param->stale_grad = false;
		}
	}
	network->trainable = true;
	network->version++;
	attend_status status = ATTEND_OK;
	attend_network_walk(network, &(attend_network_visitor){.table = mark_table, .payload = &status});
	ATTEND_TRY(status);
	return attend_network_resolve(network);
}

typedef struct zero_job {
	float *data;
	size_t count;
} zero_job;
enum { ZERO_CHUNK = 1 << 18 };

static void zero_task(void *arg, size_t index, unsigned worker)
{
	(void)worker;
	const zero_job *job = arg;
	const size_t at = index * ZERO_CHUNK, rest = job->count - at;
	memset(job->data + at, 0, (rest < ZERO_CHUNK ? rest : ZERO_CHUNK) * sizeof(float));
}

static void clear(float *data, size_t count)
{
	zero_job job = {data, count};
	attend_parallel((count + ZERO_CHUNK - 1) / ZERO_CHUNK, zero_task, &job);
}

/* Parameters that one product overwrites as a whole. */
static void mark_stale(attend_linear *linear, void *payload)
{
	(void)payload;
	for (size_t i = 0; i < linear->part_count; i++) {
		attend_param *param = linear->parts[i].param;
		param->stale_grad = param->grad != NULL && linear->parts[i].rows * linear->in == param->count;
	}
}

void attend_network_zero_grad(attend_network *network)
{
	for (size_t i = 0; i < network->param_count; i++) network->params[i].dense_grad |= network->params[i].stale_grad;
	attend_network_walk(network, &(attend_network_visitor){.linear = mark_stale});
	for (size_t i = 0; i < network->param_count; i++) {
		attend_param *param = &network->params[i];
		if (param->grad == NULL) continue;
		if (param->row_used && !param->dense_grad) {
			const size_t rows = param->stored.shape[0], width = rows ? param->count / rows : 0;
			for (size_t r = 0; r < rows; r++)
				if (param->row_used[r]) memset(param->grad + r * width, 0, width * sizeof(float));
			param->stale_grad = false;
		} else if (!param->stale_grad) {
			clear(param->grad, param->count);
		}
		if (param->row_used) memset(param->row_used, 0, param->stored.shape[0]);
		param->dense_grad = false;
	}
}

void attend_param_settle_grad(attend_param *param)
{
	if (!param->stale_grad) return;
	clear(param->grad, param->count);
	param->stale_grad = false;
}

void attend_network_settle_grad(attend_network *network)
{
	for (size_t i = 0; i < network->param_count; i++) attend_param_settle_grad(&network->params[i]);
}

static void refresh_linear(attend_linear *linear, void *payload)
{
	(void)payload;
	for (size_t i = 0; i < linear->part_count; i++) {
		const attend_param *bias = linear->bias_parts[i].param;
		if (linear->parts[i].param->grad || (bias && bias->grad))
			atomic_store_explicit(&linear->ready, false, memory_order_release);
	}
}

void attend_network_refresh(attend_network *network)
{
	network->version++;
	attend_network_walk(network, &(attend_network_visitor){.linear = refresh_linear});
}
