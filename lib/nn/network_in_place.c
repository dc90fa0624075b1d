/* network_in_place.c: matrices that run where the file keeps them, without a packed form: finding them, mapping them beforehand,
 * giving them back, looking for what is not finite when a product of theirs was not. */
#include <stdatomic.h>

#include "lib/core/file.h"
#include "lib/core/stored.h"
#include "lib/nn/network_walk.h"

bool attend_linear_find(attend_unpacked *out, attend_network *network, const attend_linear *linear)
{
	attend_unpacked u = {.type = attend_linear_pack_type(network, linear),
	                     .n = linear->out,
	                     .k = linear->in,
	                     .part_count = linear->part_count,
	                     .broken = &network->broken};
	if (!network->mapped || network->trainable) return false;
	for (size_t i = 0; i < linear->part_count; i++) {
		const attend_linear_part *part = &linear->parts[i];
		const attend_tensor *stored = &part->param->stored;
		if (part->param->scales != NULL) return false;
		const size_t first = part->in_out ? 0 : part->row0 * linear->in * (attend_dtype_bits(stored->dtype) / 8);
		u.parts[i].n = part->rows;
		u.parts[i].src = (const unsigned char *)stored->data + first;
		u.parts[i].dtype = stored->dtype;
		u.parts[i].stride_out = part->in_out ? 1 : linear->in;
		u.parts[i].stride_in = part->in_out && linear->in ? part->param->count / linear->in : 1;
	}
	*out = u;
	return attend_unpacked_fits(&u);
}

static size_t part_bytes(const attend_unpacked *u, size_t i)
{
	return u->parts[i].n * u->k * (attend_dtype_bits(u->parts[i].dtype) / 8);
}

/* ---- Around a run -------------------------------------------------------------------------------------------- */
typedef struct touch_job {
	attend_network *network;
	const atomic_bool *enough;
	size_t left; /* bytes that may still be mapped */
} touch_job;

static void add_packed(attend_linear *linear, void *payload)
{
	touch_job *job = payload;
	job->left += attend_pack_bytes(attend_linear_pack_type(job->network, linear), linear->out, linear->in);
}

static void touch_visit(attend_linear *linear, void *payload)
{
	touch_job *job = payload;
	attend_unpacked u;
	if (!attend_linear_find(&u, job->network, linear)) return;
	for (size_t i = 0; i < u.part_count; i++) {
		const size_t bytes = part_bytes(&u, i);
		if (bytes > job->left) job->left = 0;
		if (job->left == 0) return;
		job->left -= bytes;
		attend_file_touch(u.parts[i].src, bytes, job->enough);
	}
}

void attend_network_touch(attend_network *network, const atomic_bool *enough)
{
	touch_job job = {network, enough, 0};
	const attend_stack_params *stack = &network->stacks[0];
	if (attend_stack_shares_blocks(network, 0)) return;
	for (size_t i = 0; i < stack->block_count; i++)
		attend_block_walk(&stack->blocks[i], &(attend_network_visitor){.linear = add_packed, .payload = &job});
	for (size_t i = 0; i < stack->block_count; i++)
		attend_block_walk(&stack->blocks[i], &(attend_network_visitor){.linear = touch_visit, .payload = &job});
}

static void leave_visit(attend_linear *linear, void *payload)
{
	const attend_unpacked *u = &linear->unpacked;
	(void)payload;
	if (!linear->placed || atomic_load_explicit(&linear->ready, memory_order_relaxed)) return;
	const size_t width = u->type == ATTEND_PACK_F32 ? 4 : 2;
	for (size_t i = 0; i < u->part_count; i++)
		if (attend_dtype_bits(u->parts[i].dtype) / 8 > width) attend_file_give_back(u->parts[i].src, part_bytes(u, i));
}

void attend_block_leave(attend_block_params *block)
{
	attend_block_walk(block, &(attend_network_visitor){.linear = leave_visit});
}

/* ---- What is not finite -------------------------------------------------------------------------------------- */
static void verify_visit(attend_linear *linear, void *payload)
{
	attend_status *status = payload;
	for (size_t i = 0; linear->placed && i < linear->part_count && *status == ATTEND_OK; i++) {
		const attend_linear_part *part = &linear->parts[i];
		const size_t first = part->in_out ? 0 : part->row0 * linear->in;
		const size_t count = part->in_out ? part->param->count : part->rows * linear->in;
		size_t bad;
		if (!attend_stored_finite(linear->unpacked.parts[i].src, part->param->stored.dtype, count, &bad))
			*status = attend_param_not_finite(part->param, first + bad);
	}
}

attend_status attend_network_verify(attend_network *network)
{
	attend_status status = ATTEND_OK;
	if (!atomic_load_explicit(&network->broken, memory_order_relaxed)) return status;
	atomic_store(&network->broken, false); /* unless a matrix is found, the inputs were to blame */
	pthread_mutex_lock(&network->pack_lock);
	attend_network_walk(network, &(attend_network_visitor){.linear = verify_visit, .payload = &status});
	if (status != ATTEND_OK) atomic_store(&network->broken, true);
	pthread_mutex_unlock(&network->pack_lock);
	return status;
}
