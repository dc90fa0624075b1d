/* network.c: from bound tensors to handles that kernels can read: aligned f32 vectors, tables, packed matrices. */
#include "lib/nn/network.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/stored.h"
#include "lib/core/threads.h"
#include "lib/nn/network_walk.h"

/* ---- Walking ------------------------------------------------------------------------------------------------- */
static void visit_vector(attend_vector *vector, const attend_network_visitor *v)
{
	if (v->vector && vector->param) v->vector(vector, v->payload);
}

static void visit_linear(attend_linear *linear, const attend_network_visitor *v)
{
	if (linear->out == 0) return;
	for (size_t i = 0; i < linear->part_count; i++) visit_vector(&linear->bias_parts[i], v);
	if (v->linear) v->linear(linear, v->payload);
}

static void visit_norm(attend_norm *norm, const attend_network_visitor *v)
{
	visit_vector(&norm->weight, v);
	visit_vector(&norm->bias, v);
}

static void visit_table(attend_table *table, const attend_network_visitor *v)
{
	if (v->table && (table->param || table->owned)) v->table(table, v->payload);
}

void attend_block_walk(attend_block_params *b, const attend_network_visitor *v)
{
	attend_linear *const linears[] = {&b->qkv, &b->attention_out, &b->cross_q, &b->cross_kv, &b->cross_out, &b->gate,
	                                  &b->up,  &b->down,          &b->xlnet_r};
	for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) visit_linear(linears[i], v);
	visit_norm(&b->attention_norm, v);
	visit_norm(&b->cross_norm, v);
	visit_norm(&b->ffn_norm, v);
	visit_table(&b->relative_bias, v);
	visit_vector(&b->xlnet_r_w_bias, v);
	visit_vector(&b->xlnet_r_r_bias, v);
	visit_vector(&b->xlnet_r_s_bias, v);
	visit_vector(&b->xlnet_seg_embed, v);
}

static void walk_stack(attend_stack_params *s, const attend_network_visitor *v)
{
	visit_table(&s->word, v);
	visit_table(&s->position, v);
	visit_table(&s->type, v);
	visit_norm(&s->embedding_norm, v);
	visit_linear(&s->embedding_projection, v);
	visit_table(&s->relative_bias, v);
	for (size_t i = 0; i < s->block_count; i++) attend_block_walk(&s->blocks[i], v);
	visit_norm(&s->final_norm, v);
}

void attend_head_walk(attend_head_params *head, const attend_network_visitor *v)
{
	visit_linear(&head->dense, v);
	visit_norm(&head->norm, v);
	visit_linear(&head->out, v);
}

void attend_network_walk(attend_network *network, const attend_network_visitor *v)
{
	walk_stack(&network->stacks[0], v);
	walk_stack(&network->stacks[1], v);
	visit_linear(&network->bridge, v);
	attend_head_walk(&network->pooler, v);
	visit_vector(&network->xlnet_mask_emb, v);
	for (size_t i = 0; i < network->arch.head_count; i++)
		if (network->heads[i].present) attend_head_walk(&network->heads[i], v);
}

/* ---- Resolving ----------------------------------------------------------------------------------------------- */
typedef struct resolve_job {
	attend_status status;
} resolve_job;

static void resolve_vector(attend_vector *vector, void *payload)
{
	resolve_job *job = payload;
	attend_param *param = vector->param;
	const attend_tensor *t = &param->stored;
	if (param->values) {
		vector->data = param->values + vector->offset;
	} else if (t->dtype == ATTEND_DTYPE_F32 && (uintptr_t)t->data % sizeof(float) == 0) {
		vector->data = (const float *)t->data + vector->offset;
	} else {
		if (param->widened == NULL) {
			param->widened = attend_alloc_array(param->count ? param->count : 1, sizeof(float));
			if (param->widened == NULL) {
				job->status = attend_fail_memory(param->count * sizeof(float), param->name);
				return;
			}
			attend_to_f32(param->widened, t->data, t->dtype, param->count);
		}
		vector->data = param->widened + vector->offset;
	}
}

static void resolve_table(attend_table *table, void *payload)
{
	(void)payload;
	if (table->param == NULL) {
		table->data = table->owned;
		return;
	}
	table->dtype = table->param->stored.dtype;
	table->data = table->param->stored.data;
}

static attend_status make_sinusoids(const attend_stack_arch *arch, attend_table *table)
{
	if (arch->positions != ATTEND_POSITION_SINUSOID || table->param || table->owned) return ATTEND_OK;
	const size_t rows = arch->max_positions + arch->position_offset;
	if (arch->embedding && rows > SIZE_MAX / sizeof(float) / arch->embedding)
		return attend_fail(ATTEND_ERR_FORMAT, "position table of %zu x %zu: too large", rows, arch->embedding);
	table->owned = attend_alloc_aligned(rows * arch->embedding * sizeof(float));
	if (table->owned == NULL) return attend_fail_memory(rows * arch->embedding * sizeof(float), "position table");
	attend_sinusoid_table(table->owned, rows, arch->embedding);
	table->rows = rows;
	table->width = arch->embedding;
	table->dtype = ATTEND_DTYPE_F32;
	table->data = table->owned;
	return ATTEND_OK;
}

static void stale_linear(attend_linear *linear, void *payload)
{
	(void)payload;
	linear->placed = false;
	atomic_store_explicit(&linear->ready, false, memory_order_release);
}

attend_status attend_network_resolve(attend_network *network)
{
	resolve_job job = {ATTEND_OK};
	const attend_network_visitor visitor = {stale_linear, resolve_vector, resolve_table, &job};
	attend_network_walk(network, &visitor);
	return job.status;
}

attend_status attend_network_finish(attend_network *network)
{
	pthread_mutex_init(&network->pack_lock, NULL);
	network->finished = true;
	for (int i = 0; i < 2; i++) {
		const attend_table *position = &network->stacks[i].position;
		const bool computed = attend_arch_stack(&network->arch, i)->positions == ATTEND_POSITION_SINUSOID;
		if (computed && position->param) position->param->constant = true;
	}
	if (network->arch.has_encoder) ATTEND_TRY(make_sinusoids(&network->arch.encoder, &network->stacks[0].position));
	if (network->arch.has_decoder) ATTEND_TRY(make_sinusoids(&network->arch.decoder, &network->stacks[1].position));
	return attend_network_resolve(network);
}

/* ---- Packing ------------------------------------------------------------------------------------------------- */
attend_status attend_network_set_type(attend_network *network, attend_pack_type type)
{
	static const char *const names[] = {"f32", "bf16", "int8", "int4"};
	const attend_pack_type stored = network->stored_type;
	if (stored != ATTEND_PACK_F32 && type != stored)
		return attend_fail(ATTEND_ERR_UNSUPPORTED,
		                   "the weights are stored in %s and run in no other type: %s needs the checkpoint that they "
		                   "were made from",
		                   names[stored], names[type]);
	network->pack_type = type;
	return ATTEND_OK;
}

attend_kv_type attend_network_kv_type(const attend_network *network)
{
	return network->pack_type != ATTEND_PACK_F32 && attend_bf16_pays() ? ATTEND_KV_BF16 : ATTEND_KV_F32;
}

attend_pack_type attend_linear_pack_type(const attend_network *network, const attend_linear *linear)
{
	/* what learns is packed anew after every step: there int8 and int4 would not pay */
	if (network->trainable && network->pack_type != ATTEND_PACK_BF16) return ATTEND_PACK_F32;
	/* beyond this the 32-bit sums of int8 could overflow: no model of today has so wide a layer */
	if (network->pack_type == ATTEND_PACK_INT8 && linear->in > ATTEND_INT8_MAX_INPUTS) return ATTEND_PACK_F32;
	return network->pack_type;
}

static attend_status join_bias(attend_linear *linear)
{
	size_t present = 0;
	for (size_t i = 0; i < linear->part_count; i++) present += linear->bias_parts[i].data != NULL;
	if (present == 0) {
		linear->bias = NULL;
		return ATTEND_OK;
	}
	if (linear->part_count == 1) {
		linear->bias = linear->bias_parts[0].data;
		return ATTEND_OK;
	}
	if (linear->bias_owned == NULL) linear->bias_owned = attend_alloc_array(linear->out, sizeof(float));
	if (linear->bias_owned == NULL) return attend_fail_memory(linear->out * sizeof(float), "joined bias");
	size_t at = 0;
	for (size_t i = 0; i < linear->part_count; i++) {
		const size_t rows = linear->parts[i].rows;
		if (linear->bias_parts[i].data)
			memcpy(linear->bias_owned + at, linear->bias_parts[i].data, rows * sizeof(float));
		else memset(linear->bias_owned + at, 0, rows * sizeof(float));
		at += rows;
	}
	linear->bias = linear->bias_owned;
	return ATTEND_OK;
}

/* Packing one part in blocks of columns: each block is looked through for NaN and infinity while it is on its way through the
 * cache, so that no start-up pass over the file is needed. */
enum { PACK_COLUMNS = 64 }; /* a multiple of every level's panel width: blocks share no panel */
/* Bytes of a part that are in memory twice while it is packed, at most. */
enum { SLAB_BYTES = 4 << 20 };

typedef struct pack_job {
	const attend_packed *packed;
	const attend_tensor *tensor;
	size_t at, rows, row0; /* columns at .. at+rows-1 of the product come from outputs row0 .. of the tensor */
	size_t stride_out, stride_in;
	bool check;
	const unsigned char *scales; /* of codes; NULL: numbers */
	atomic_size_t bad;           /* an element that is not finite, or SIZE_MAX */
} pack_job;

/* The file's own codes. Those that no converter writes would overflow the kernels' sums, or make NaN. */
static void pack_codes(pack_job *job, size_t first, size_t columns)
{
	const attend_packed *packed = job->packed;
	const bool int8 = packed->type == ATTEND_PACK_INT8;
	const size_t row = job->row0 + first - job->at, width = attend_code_row_bytes(packed->type, packed->k);
	const size_t scales = attend_code_row_scales(packed->type, packed->k);
	const unsigned char *codes = (const unsigned char *)job->tensor->data + row * width;
	const unsigned char *scale = job->scales + row * scales * (int8 ? sizeof(float) : sizeof(uint16_t));
	const attend_dtype dtype = int8 ? ATTEND_DTYPE_F32 : ATTEND_DTYPE_BF16;
	const unsigned char *low = int8 && width > 0 ? memchr(codes, 0x80, columns * width) : NULL;
	size_t bad;
	if (low != NULL) atomic_store(&job->bad, row * width + (size_t)(low - codes));
	else if (!attend_stored_finite(scale, dtype, columns * scales, &bad)) atomic_store(&job->bad, row * width);
	else attend_pack_codes(packed, first, columns, codes, scale);
}

static void pack_task(void *arg, size_t index, unsigned worker)
{
	pack_job *job = arg;
	(void)worker;
	const size_t edge = (job->at / PACK_COLUMNS + index) * PACK_COLUMNS, end = job->at + job->rows;
	const size_t first = edge > job->at ? edge : job->at;
	const size_t last = edge + PACK_COLUMNS < end ? edge + PACK_COLUMNS : end;
	const size_t size = attend_dtype_bits(job->tensor->dtype) / 8, columns = last - first, k = job->packed->k;
	if (job->scales != NULL) {
		pack_codes(job, first, columns);
		return;
	}
	const size_t start = (job->row0 + first - job->at) * job->stride_out;
	const unsigned char *src = job->tensor->data;
	const bool rows = job->stride_in == 1; /* [out,in]: the block is one piece; else a piece for every input */
	for (size_t i = 0; job->check && i < (rows ? 1 : k); i++) {
		const size_t from = start + i * job->stride_in;
		size_t bad;
		if (attend_stored_finite(src + from * size, job->tensor->dtype, rows ? columns * k : columns, &bad)) continue;
		atomic_store(&job->bad, from + bad);
		break;
	}
	attend_pack(job->packed, first, columns, src + start * size, job->tensor->dtype, job->stride_out, job->stride_in);
}

static attend_status pack_part(const attend_network *network, const attend_linear *linear,
                               const attend_linear_part *part, size_t at)
{
	const attend_param *param = part->param;
	const size_t in = linear->in;
	if (part->rows == 0) return ATTEND_OK;
	pack_job job = {.packed = &linear->packed,
	                .tensor = &param->stored,
	                .row0 = part->row0,
	                .stride_out = part->in_out ? 1 : in,
	                .stride_in = part->in_out ? (in ? param->count / in : 0) : 1,
	                .check = !network->trainable,
	                .scales = param->scales};
	atomic_init(&job.bad, SIZE_MAX);
	/* The panels take the place of what they were made from, slab by slab; of a table that is looked up too, rows come back. */
	const bool give_back = network->mapped && param->values == NULL;
	const bool by_rows = param->scales != NULL || !part->in_out;
	const size_t row = param->scales != NULL ? attend_code_row_bytes(linear->packed.type, in)
	                                         : in * (attend_dtype_bits(param->stored.dtype) / 8);
	const size_t end = at + part->rows;
	size_t slab = SIZE_MAX, whole;
	if (give_back && by_rows && row > 0) slab = (SLAB_BYTES / row / PACK_COLUMNS + 1) * PACK_COLUMNS;
	for (size_t first = at; first < end; first += job.rows, job.row0 += job.rows) {
		const size_t edge = first % PACK_COLUMNS, rest = end - first;
		job.at = first;
		job.rows = rest < slab - edge ? rest : slab - edge;
		attend_parallel((first + job.rows - 1) / PACK_COLUMNS - first / PACK_COLUMNS + 1, pack_task, &job);
		const size_t bad = atomic_load(&job.bad);
		if (bad != SIZE_MAX) return attend_param_not_finite(param, bad);
		if (!give_back) continue;
		const unsigned char *stored = param->stored.data;
		if (by_rows) attend_file_give_back(stored + job.row0 * row, job.rows * row);
		else if (attend_tensor_bytes(&whole, &param->stored)) attend_file_give_back(stored, whole);
	}
	return ATTEND_OK;
}

attend_status attend_param_not_finite(const attend_param *param, size_t element)
{
	float value;
	if (param->scales != NULL)
		return attend_fail(ATTEND_ERR_FORMAT, "tensor '%s': row %zu: a code of -128, or a scale that is no number",
		                   param->name, param->stored.shape[1] ? element / param->stored.shape[1] : 0);
	const size_t size = attend_dtype_bits(param->stored.dtype) / 8;
	attend_to_f32(&value, (const unsigned char *)param->stored.data + element * size, param->stored.dtype, 1);
	return attend_fail(ATTEND_ERR_FORMAT, "tensor '%s': element %zu is %s", param->name, element,
	                   value != value ? "NaN" : "infinite");
}

/* Bytes that packing a linear takes from network->packed, 0: it has its place. */
static size_t packing_cost(const attend_network *network, const attend_linear *linear)
{
	const attend_pack_type type = attend_linear_pack_type(network, linear);
	if (linear->packed.data && linear->packed.type == type) return 0;
	return attend_arena_cost(attend_pack_bytes(type, linear->out, linear->in));
}

typedef struct cost_job {
	const attend_network *network;
	size_t sum;
} cost_job;

static void add_cost(attend_linear *linear, void *payload)
{
	cost_job *job = payload;
	const size_t cost = packing_cost(job->network, linear);
	job->sum = cost < SIZE_MAX - job->sum ? job->sum + cost : SIZE_MAX;
}

static attend_status place_packed(attend_network *network, attend_linear *linear, size_t bytes)
{
	cost_job job = {network, 0};
	attend_network_walk(network, &(attend_network_visitor){.linear = add_cost, .payload = &job});
	linear->packed.data = attend_rooms_take(&network->packed, bytes, job.sum);
	return linear->packed.data ? ATTEND_OK : attend_fail_memory(bytes, linear->parts[0].param->name);
}

static attend_status pack_linear(attend_network *network, attend_linear *linear)
{
	ATTEND_TRY(join_bias(linear));
	const attend_pack_type type = attend_linear_pack_type(network, linear);
	attend_packed *packed = &linear->packed;
	if (packed->data && packed->type != type) {
		attend_rooms_give(&network->packed, packed->data);
		packed->data = NULL;
	}
	packed->type = type;
	packed->n = linear->out;
	packed->k = linear->in;
	if (packed->data == NULL)
		ATTEND_TRY(place_packed(network, linear, attend_pack_bytes(type, linear->out, linear->in)));
	size_t at = 0;
	for (size_t i = 0; i < linear->part_count; i++) {
		ATTEND_TRY(pack_part(network, linear, &linear->parts[i], at));
		at += linear->parts[i].rows;
	}
	return ATTEND_OK;
}

static attend_status prepare(attend_network *network, attend_linear *linear, bool once)
{
	if (atomic_load_explicit(&linear->ready, memory_order_acquire)) return ATTEND_OK;
	attend_status status = ATTEND_OK;
	pthread_mutex_lock(&network->pack_lock);
	if (!atomic_load_explicit(&linear->ready, memory_order_relaxed)) {
		if (once && !linear->placed && attend_linear_find(&linear->unpacked, network, linear)) {
			linear->placed = true;
			status = join_bias(linear);
		} else {
			status = pack_linear(network, linear);
			if (status == ATTEND_OK) atomic_store_explicit(&linear->ready, true, memory_order_release);
		}
	}
	pthread_mutex_unlock(&network->pack_lock);
	return status;
}

typedef struct prepare_job {
	attend_network *network;
	bool once;
	attend_status status;
} prepare_job;

static void prepare_visit(attend_linear *linear, void *payload)
{
	prepare_job *job = payload;
	if (job->status == ATTEND_OK) job->status = prepare(job->network, linear, job->once);
}

bool attend_stack_shares_blocks(const attend_network *network, int stack)
{
	const attend_stack_arch *arch = attend_arch_stack(&network->arch, stack);
	return network->stacks[stack].block_count < arch->layers * arch->inner_layers;
}

attend_status attend_stack_prepare(attend_network *network, int stack, bool once)
{
	prepare_job job = {network, once && !attend_stack_shares_blocks(network, stack), ATTEND_OK};
	const attend_network_visitor visitor = {.linear = prepare_visit, .payload = &job};
	walk_stack(&network->stacks[stack], &visitor);
	if (stack == 1) visit_linear(&network->bridge, &visitor);
	return job.status;
}

attend_status attend_head_prepare(attend_network *network, attend_head_params *head, bool once)
{
	prepare_job job = {network, once, ATTEND_OK};
	attend_head_walk(head, &(attend_network_visitor){.linear = prepare_visit, .payload = &job});
	return job.status;
}

attend_status attend_network_prepare(attend_network *network, attend_head_kind kind)
{
	if (kind == ATTEND_HEAD_KINDS) {
		prepare_job job = {network, false, ATTEND_OK};
		attend_network_walk(network, &(attend_network_visitor){.linear = prepare_visit, .payload = &job});
		return job.status;
	}
	const int head = attend_network_find_head(network, kind);
	for (int stack = 0; stack < 2; stack++) ATTEND_TRY(attend_stack_prepare(network, stack, false));
	if (head < 0 || !network->heads[head].present) return ATTEND_OK;
	if (network->arch.heads[head].after_pooler) ATTEND_TRY(attend_head_prepare(network, &network->pooler, false));
	return attend_head_prepare(network, &network->heads[head], false);
}

/* ---- Measuring and freeing ----------------------------------------------------------------------------------- */
typedef struct measure_job {
	const attend_network *network;
	attend_network_memory *out;
} measure_job;

static void measure_linear(attend_linear *linear, void *payload)
{
	measure_job *job = payload;
	const attend_network *n = job->network;
	const size_t bytes = attend_pack_bytes(attend_linear_pack_type(n, linear), linear->out, linear->in);
	job->out->packed += bytes;
	for (size_t i = 0; i < n->arch.head_count; i++)
		if (linear == &n->heads[i].dense || linear == &n->heads[i].out) job->out->packed_heads[i] += bytes;
}

void attend_network_measure(attend_network_memory *out, const attend_network *network)
{
	*out = (attend_network_memory){0};
	measure_job job = {network, out};
	/* the walk changes nothing here, but visitors may */
	attend_network_walk((attend_network *)(uintptr_t)network,
	                    &(attend_network_visitor){.linear = measure_linear, .payload = &job});
	for (size_t i = 0; i < network->param_count; i++) {
		const attend_param *param = &network->params[i];
		out->parameters += param->count;
		size_t bytes;
		if (param->values == NULL && attend_tensor_bytes(&bytes, &param->stored)) out->stored += bytes;
		if (param->values != NULL) out->training += param->count * sizeof(float) * (param->grad ? 2 : 1);
	}
}

int attend_network_find_head(const attend_network *network, attend_head_kind kind)
{
	for (size_t i = 0; i < network->arch.head_count; i++)
		if (network->arch.heads[i].kind == kind) return (int)i;
	return -1;
}

static void free_linear(attend_linear *linear, void *payload)
{
	attend_network *network = payload;
	attend_rooms_give(&network->packed, linear->packed.data);
	free(linear->bias_owned);
	linear->packed.data = NULL;
	linear->bias_owned = NULL;
}

static void free_table(attend_table *table, void *payload)
{
	(void)payload;
	free(table->owned);
	table->owned = NULL;
}

void attend_network_free(attend_network *network)
{
	if (network == NULL) return;
	attend_network_walk(network,
	                    &(attend_network_visitor){.linear = free_linear, .table = free_table, .payload = network});
	for (size_t i = 0; i < network->param_count; i++) {
		attend_param *param = &network->params[i];
		free(param->name);
		free(param->widened);
		free(param->values);
		free(param->grad);
		free(param->moments[0]);
		free(param->moments[1]);
		free(param->row_used);
	}
	free(network->params);
	free(network->stacks[0].blocks);
	free(network->stacks[1].blocks);
	if (network->finished) pthread_mutex_destroy(&network->pack_lock);
	attend_arch_free(&network->arch);
	memset(network, 0, sizeof *network);
}
