/* session_plan.c: every buffer of a session, in one arena. The same code first adds up the sizes and then places the
 * buffers. */
#include <stdlib.h>
#include <string.h>

#include "lib/nn/head_pass.h"

typedef struct planner {
	attend_arena *arena; /* NULL: measuring */
	size_t total;
	bool overflow;
} planner;

static void *take(planner *p, size_t count, size_t size)
{
	size_t bytes, total;
	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 4 ||
	    __builtin_add_overflow(p->total, attend_arena_cost(bytes), &total)) {
		p->overflow = true;
		return NULL;
	}
	p->total = total;
	return p->arena ? attend_arena_take(p->arena, bytes) : NULL;
}

static float *floats(planner *p, size_t rows, size_t width)
{
	size_t count;
	if (__builtin_mul_overflow(rows, width, &count)) {
		p->overflow = true;
		return NULL;
	}
	return take(p, count, sizeof(float));
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Sizes that several stacks share. */
typedef struct widths {
	size_t hidden, inner, intermediate, embedding, tile_floats;
	bool cross, gated, xlnet, projected;
	size_t xl_span;
} widths;

static widths widest(const attend_session *session)
{
	const attend_arch *arch = &session->network->arch;
	widths w = {0};
	for (int i = 0; i < 2; i++) {
		if (i == 0 ? !arch->has_encoder : !arch->has_decoder) continue;
		const attend_stack_arch *a = attend_arch_stack(arch, i);
		const attend_kv_shape kv = attend_kv_of(session, a);
		w.hidden = larger(w.hidden, a->hidden);
		w.inner = larger(w.inner, a->heads * a->head_dim);
		w.intermediate = larger(w.intermediate, a->intermediate);
		w.embedding = larger(w.embedding, a->embedding);
		w.tile_floats = larger(w.tile_floats, attend_kv_tile_floats(&kv));
		w.cross |= a->cross_attention;
		w.gated |= a->gated;
		w.projected |= session->network->stacks[i].embedding_projection.out != 0;
		if (a->relative != ATTEND_RELATIVE_XLNET) continue;
		w.xlnet = true;
		w.xl_span = larger(session->options.max_length, session->options.cache_length);
		if (a->clamp_len > 0) w.xl_span = smaller(w.xl_span, (size_t)a->clamp_len);
	}
	return w;
}

/* ---- Stacks -------------------------------------------------------------------------------------------------- */
static void plan_sublayer(planner *p, attend_sublayer *u, size_t rows, size_t width)
{
	u->z = floats(p, rows, width);
	u->y = floats(p, rows, width);
	u->mean = floats(p, rows, 1);
	u->rstd = floats(p, rows, 1);
}

static void plan_acts(planner *p, const attend_session *session, const attend_stack_arch *a, attend_block_acts *acts)
{
	const size_t n = session->options.max_tokens, inner = a->heads * a->head_dim;
	attend_block_acts local = {0};
	plan_sublayer(p, &local.self, n, a->hidden);
	local.qkv = floats(p, n, 3 * inner);
	local.ctx = floats(p, n, inner);
	local.log_sum = floats(p, n, a->heads);
	if (a->cross_attention) {
		plan_sublayer(p, &local.cross, n, a->hidden);
		local.cross_q = floats(p, n, inner);
		local.cross_kv = floats(p, n, 2 * inner);
		local.cross_ctx = floats(p, n, inner);
		local.cross_log_sum = floats(p, n, a->heads);
	}
	plan_sublayer(p, &local.ffn, n, a->hidden);
	local.pre = floats(p, n, a->intermediate);
	if (a->gated) local.up = floats(p, n, a->intermediate);
	if (acts) *acts = local;
}

static void plan_training(planner *p, attend_session *session, int stack)
{
	const attend_stack_arch *a = attend_arch_stack(&session->network->arch, stack);
	attend_stack_state *state = &session->stacks[stack];
	const size_t n = session->options.max_tokens, runs = state->runs;
	const size_t first = state->planned_lowest < 0 ? 0 : smaller((size_t)state->planned_lowest, runs);
	if (a->embedding_norm) {
		state->embedded = floats(p, n, a->embedding);
		state->embedded_mean = floats(p, n, 1);
		state->embedded_rstd = floats(p, n, 1);
	}
	state->hidden_buffer = floats(p, n, a->hidden);
	if (state->planned_learns) state->d_hidden = floats(p, n, a->hidden);
	state->final_mean = floats(p, n, 1);
	state->final_rstd = floats(p, n, 1);
	const size_t kept = session->options.recompute ? first < runs : runs;
	attend_block_acts *acts = take(p, kept, sizeof *acts);
	float **inputs = session->options.recompute ? take(p, runs, sizeof *inputs) : NULL;
	if (session->options.recompute) {
		for (size_t run = first; run < runs; run++) {
			float *x = floats(p, n, a->hidden);
			if (inputs) inputs[run] = x;
		}
		if (kept) plan_acts(p, session, a, acts);
	} else {
		for (size_t run = first; run < runs; run++) plan_acts(p, session, a, acts ? &acts[run] : NULL);
	}
	state->acts = acts;
	state->inputs = inputs;
}

static void plan_stack(planner *p, attend_session *session, int stack)
{
	const attend_network *network = session->network;
	const attend_stack_arch *a = attend_arch_stack(&network->arch, stack);
	attend_stack_state *state = &session->stacks[stack];
	const size_t n = session->options.max_tokens, s = session->options.max_sequences;
	state->width = a->hidden;
	state->runs = attend_stack_runs(a);
	state->offsets = take(p, s + 1, sizeof *state->offsets);
	state->past = take(p, s, sizeof *state->past);
	state->ids = take(p, n, sizeof *state->ids);
	state->types = take(p, n, sizeof *state->types);
	state->positions = take(p, n, sizeof *state->positions);
	state->columns = take(p, n, sizeof *state->columns);
	state->x = floats(p, n, a->hidden);
	if (network->stacks[stack].embedding_projection.out) state->embedded_norm = floats(p, n, a->embedding);
	if (a->relative == ATTEND_RELATIVE_BUCKETS_STACK || a->relative == ATTEND_RELATIVE_BUCKETS_LAYER) {
		state->distance_span = larger(a->relative_max_distance, a->relative_buckets);
		state->distance_tables = a->relative == ATTEND_RELATIVE_BUCKETS_LAYER ? a->layers : 1;
		const size_t size = a->heads * (2 * state->distance_span + 1);
		state->distance_bias = floats(p, state->distance_tables, size);
		state->distance_rows = floats(p, a->relative_buckets, a->heads);
		if (session->options.training) state->d_distance_bias = floats(p, state->distance_tables, size);
	}
	if (session->options.training) plan_training(p, session, stack);
}

/* ---- Kernel scratch ------------------------------------------------------------------------------------------ */
typedef struct kernel_need {
	const attend_session *session;
	size_t rows, bytes;
} kernel_need;

/* Rows that a linear may see: those of a head's, a block of them at a time; none of a head that does not run. *in_head: it is
 * no part of a stack. */
static size_t rows_of(const kernel_need *need, const attend_linear *linear, bool *in_head)
{
	const attend_network *network = need->session->network;
	*in_head = true;
	for (size_t i = 0; i < network->arch.head_count; i++)
		if (linear == &network->heads[i].dense || linear == &network->heads[i].out)
			return attend_head_runs(need->session, i) ? attend_head_block_rows(need->session, &network->arch.heads[i])
			                                          : 0;
	if (linear == &network->pooler.dense) return need->session->options.max_sequences;
	*in_head = false;
	return need->rows;
}

/* Does backward go into the blocks of any stack? */
static bool blocks_learn(const attend_session *session)
{
	return session->stacks[0].planned_learns || session->stacks[1].planned_learns;
}

static void need_linear(attend_linear *linear, void *payload)
{
	kernel_need *need = payload;
	const attend_network *network = need->session->network;
	bool in_head;
	const size_t rows = rows_of(need, linear, &in_head);
	if (rows == 0) return;
	const attend_packed shape = {attend_linear_pack_type(network, linear), linear->out, linear->in, NULL};
	need->bytes = larger(need->bytes, attend_linear_scratch(&shape, rows));
	if (!need->session->options.training || !(in_head || blocks_learn(need->session))) return;
	need->bytes = larger(need->bytes, attend_linear_backward_scratch(rows, linear->out, linear->in));
}

static attend_status need_attention(kernel_need *need, const widths *w)
{
	const attend_session_options *o = &need->session->options;
	const attend_arch *arch = &need->session->network->arch;
	attend_attention_grad *all = calloc(o->max_sequences, sizeof *all);
	attend_attention *forward = calloc(o->max_sequences, sizeof *forward);
	if (all == NULL || forward == NULL) {
		free(all);
		free(forward);
		return attend_fail_memory(o->max_sequences * sizeof *all, "session plan");
	}
	for (int stack = 0; stack < 2; stack++) {
		const attend_stack_arch *a = attend_arch_stack(arch, stack);
		if (stack == 0 ? !arch->has_encoder : !arch->has_decoder) continue;
		const size_t keys = larger(o->max_length, o->cache_length);
		for (size_t s = 0; s < o->max_sequences; s++) {
			forward[s] = (attend_attention){.kv = attend_kv_of(need->session, a), .tq = o->max_length, .tk = keys};
			all[s].forward = forward[s];
		}
		need->bytes = larger(need->bytes, attend_attention_scratch(forward, o->max_sequences));
		if (o->training && blocks_learn(need->session))
			need->bytes = larger(need->bytes, attend_attention_backward_scratch(all, o->max_sequences));
		if (!w->xlnet) continue;
		const size_t distances = 2 * w->xl_span + 1;
		const attend_packed head = {ATTEND_PACK_F32, distances, a->head_dim, NULL};
		need->bytes = larger(need->bytes, attend_linear_scratch(&head, need->rows));
		if (!o->training) continue;
		need->bytes = larger(need->bytes, attend_gemm_scratch(need->rows, a->head_dim, distances));
		need->bytes = larger(need->bytes, attend_gemm_scratch(distances, a->head_dim, need->rows));
	}
	free(all);
	free(forward);
	return ATTEND_OK;
}

static attend_status plan_kernel(planner *p, attend_session *session, const widths *w)
{
	kernel_need need = {session, session->options.max_tokens, 0};
	need.rows = larger(need.rows, session->options.max_sequences);
	if (w->xlnet) need.rows = larger(need.rows, 2 * w->xl_span + 1);
	attend_network_walk(session->network, &(attend_network_visitor){.linear = need_linear, .payload = &need});
	ATTEND_TRY(need_attention(&need, w));
	session->scratch.kernel = take(p, need.bytes, 1);
	return ATTEND_OK;
}

/* ---- Shared buffers ------------------------------------------------------------------------------------------ */
static void plan_xlnet(planner *p, attend_session *session, const widths *w)
{
	attend_scratch *x = &session->scratch;
	const attend_session_options *o = &session->options;
	const attend_stack_arch *a = attend_arch_stack(&session->network->arch, session->network->arch.has_encoder ? 0 : 1);
	const size_t n = o->max_tokens, distances = 2 * w->xl_span + 1, keys = larger(o->max_length, o->cache_length);
	x->xl_span = w->xl_span;
	x->xl_pe = floats(p, distances, a->hidden);
	x->xl_r = floats(p, distances, w->inner);
	x->xl_bd = floats(p, n, distances);
	x->xl_q = floats(p, n, w->inner);
	x->xl_dense = floats(p, a->heads * n, keys);
	x->xl_packed = (attend_packed){ATTEND_PACK_F32, distances, a->head_dim, NULL};
	x->xl_packed.data = take(p, attend_pack_bytes(ATTEND_PACK_F32, distances, a->head_dim), 1);
	if (o->training || o->query_stream) x->xl_t = floats(p, n, w->inner);
	if (o->query_stream) x->g = floats(p, n, a->hidden);
	if (!o->training) return;
	x->xl_d_dense = floats(p, a->heads * n, keys);
	x->xl_d_r = floats(p, distances, w->inner);
}

static void plan_scratch(planner *p, attend_session *session, const widths *w)
{
	attend_scratch *x = &session->scratch;
	const attend_session_options *o = &session->options;
	const size_t n = o->max_tokens, s = o->max_sequences;
	x->h = floats(p, n, w->intermediate);
	x->g2 = floats(p, n, w->hidden);
	x->d_qkv = floats(p, n, 3 * w->inner);
	x->d_ctx = floats(p, n, w->inner);
	if (w->cross) x->d_kv = floats(p, n, 2 * w->inner);
	if (w->gated) x->d_up = floats(p, n, w->intermediate);
	const size_t tiles = smaller(n / ATTEND_KV_TILE + s, s * attend_kv_tiles(o->max_length)),
				 cached = s * attend_kv_tiles(o->cache_length);
	x->tiles = floats(p, tiles, w->tile_floats);
	x->self_tiles = take(p, larger(tiles, o->cache_slots ? cached : 0), sizeof(float *));
	x->self_first = take(p, s + 1, sizeof(size_t));
	if (w->cross) {
		const size_t pages = attend_kv_tiles(o->max_length);
		x->cross_tiles = take(p, larger(tiles, o->cache_slots ? s * pages : 0), sizeof(float *));
		x->cross_first = take(p, s + 1, sizeof(size_t));
	}
	x->attention = take(p, s, sizeof *x->attention);
	x->kv_rows = take(p, s, sizeof *x->kv_rows);
	if (session->network->arch.bridge) x->memory = floats(p, n, session->network->bridge.out);
	if (o->training) {
		x->g3 = floats(p, n, w->hidden); /* also where a block that keeps nothing drops out */
		if (blocks_learn(session)) {
			x->attention_grad = take(p, s, sizeof *x->attention_grad);
			x->g1 = floats(p, n, w->hidden);
			x->d_h = floats(p, n, w->intermediate);
		}
		if (w->projected) {
			x->d_embedded = floats(p, n, w->embedding);
			x->d_embedded_sum = floats(p, n, w->embedding);
		}
		if (session->network->arch.bridge) x->d_memory = floats(p, n, session->network->bridge.out);
	}
	if (w->xlnet) plan_xlnet(p, session, w);
}

size_t attend_head_block_rows(const attend_session *session, const attend_head_arch *head)
{
	enum { LOGITS = 1 << 23, LEAST = 16 };
	const attend_session_options *o = &session->options;
	size_t rows = head->pooling == ATTEND_POOL_ALL ? o->max_tokens : o->max_sequences;
	if (head->pooling == ATTEND_POOL_ALL && o->labelled_rows) rows = smaller(rows, o->labelled_rows);
	const size_t fit = head->outputs ? larger(LOGITS / head->outputs, LEAST) : rows;
	return smaller(rows, fit);
}

bool attend_head_runs(const attend_session *session, size_t head)
{
	return session->options.heads == 0 || (session->options.heads >> head & 1);
}

static void plan_heads(planner *p, attend_session *session)
{
	const attend_network *network = session->network;
	const attend_arch *arch = &network->arch;
	attend_scratch *x = &session->scratch;
	size_t rows = network->pooler.dense.out ? session->options.max_sequences : 0, logits = 0;
	size_t width = larger(arch->has_encoder ? arch->encoder.hidden : 0, arch->has_decoder ? arch->decoder.hidden : 0);
	width = larger(width, network->pooler.dense.out);
	for (size_t i = 0; i < arch->head_count; i++) {
		if (!network->heads[i].present || !attend_head_runs(session, i)) continue;
		const size_t block = attend_head_block_rows(session, &arch->heads[i]);
		rows = larger(rows, block);
		width = larger(width, arch->heads[i].dense);
		if (arch->heads[i].outputs && block <= SIZE_MAX / arch->heads[i].outputs)
			logits = larger(logits, block * arch->heads[i].outputs);
	}
	const size_t list = larger(session->options.max_tokens, session->options.max_sequences);
	x->row_list = take(p, list, sizeof *x->row_list);
	x->label_list = take(p, list, sizeof *x->label_list);
	if (network->pooler.dense.out) {
		x->head_pool_pre = floats(p, rows, network->pooler.dense.out);
		x->head_pooled = floats(p, rows, network->pooler.dense.out);
	}
	x->head_x = floats(p, rows, width);
	x->head_pre = floats(p, rows, width);
	x->head_z = floats(p, rows, width);
	x->head_t = floats(p, rows, width);
	x->head_mean = floats(p, rows, 1);
	x->head_rstd = floats(p, rows, 1);
	x->head_logits = floats(p, logits, 1);
	if (!session->options.training) return;
	x->d_head_t = floats(p, rows, width);
	x->d_head_x = floats(p, rows, width);
}

static void plan_cache(planner *p, attend_session *session)
{
	const attend_session_options *o = &session->options;
	const attend_stack_arch *a = &session->network->arch.decoder;
	attend_cache *c = &session->cache;
	if (o->cache_slots == 0) return;
	const size_t slots = o->cache_slots;
	c->layers = attend_stack_runs(a);
	c->shape = attend_kv_of(session, a);
	c->tile_floats = attend_kv_tile_floats(&c->shape);
	c->slot_count = slots;
	c->slot_pages = attend_kv_tiles(o->cache_length);
	c->memory_pages = a->cross_attention ? attend_kv_tiles(o->max_length) : 0;
	c->page_count = attend_kv_tiles(o->cache_tokens) + slots;
	if (a->cross_attention) c->page_count += attend_kv_tiles(o->memory_tokens) + slots;
	if (c->page_count > INT32_MAX) p->overflow = true;
	c->refs = take(p, c->page_count, sizeof *c->refs);
	c->free_pages = take(p, c->page_count, sizeof *c->free_pages);
	attend_cache_sequence *sequences = take(p, 3 * slots, sizeof *sequences);
	for (size_t i = 0; i < 3 * slots; i++) {
		const size_t pages = larger(c->slot_pages, c->memory_pages);
		int32_t *list = take(p, pages, sizeof *list);
		if (sequences) sequences[i] = (attend_cache_sequence){.pages = list, .memory = -1};
	}
	c->slots = sequences;
	c->memories = sequences ? sequences + slots : NULL;
	c->copies = sequences ? sequences + 2 * slots : NULL;
	session->scratch.memory_sequences = take(p, slots, sizeof(size_t));
	session->scratch.memory_numbers = take(p, slots, sizeof(int));
	size_t page;
	if (__builtin_mul_overflow(c->layers, c->tile_floats, &page)) p->overflow = true;
	else c->data = floats(p, c->page_count, page);
}

attend_status attend_session_plan(attend_session *session, bool measure, size_t *bytes)
{
	planner p = {measure ? NULL : &session->arena, 0, false};
	const attend_arch *arch = &session->network->arch;
	session->kv_type = session->options.training ? ATTEND_KV_F32 : attend_network_kv_type(session->network);
	const widths w = widest(session);
	if (arch->has_encoder) plan_stack(&p, session, 0);
	if (arch->has_decoder) plan_stack(&p, session, 1);
	plan_scratch(&p, session, &w);
	plan_heads(&p, session);
	ATTEND_TRY(plan_kernel(&p, session, &w));
	plan_cache(&p, session);
	if (p.overflow)
		return attend_fail(ATTEND_ERR_ARG, "a session of %zu tokens is too large", session->options.max_tokens);
	*bytes = p.total;
	return ATTEND_OK;
}
