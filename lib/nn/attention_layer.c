/* attention_layer.c: the self- and cross-attention sub-layers and their mirrors.
 *
 *   f(n) = out(attention(q, k, v)), [q k v] = qkv(n)            self
 *   f(n) = out(attention(cross_q(n), cross_kv(encoder)))        cross
 *
 * One path for a whole sequence, a chunk and a step: keys and values go into tiles (of the cache, or of the session
 * for the length of one layer), queries start at the sequence's past length. */
#include <math.h>
#include <string.h>

#include "lib/nn/session_state.h"

static size_t inner_width(const attend_pass *pass)
{
	return pass->arch->heads * pass->arch->head_dim;
}

static const attend_cache_sequence *memory_of(const attend_pass *pass, size_t s)
{
	const attend_cache *cache = &pass->session->cache;
	return &cache->memories[cache->slots[pass->slots[s]].memory];
}

static size_t memory_length(const attend_pass *pass, size_t s)
{
	if (pass->slots) return memory_of(pass, s)->length;
	return pass->memory_offsets[s + 1] - pass->memory_offsets[s];
}

static size_t query_length(const attend_pass *pass, size_t s)
{
	return pass->state->offsets[s + 1] - pass->state->offsets[s];
}

/* ---- Once per run -------------------------------------------------------------------------------------------- */
static void first_pointers(const attend_pass *pass, size_t *first, bool cross)
{
	first[0] = 0;
	for (size_t s = 0; s < pass->sequences; s++) {
		const size_t keys = cross ? memory_length(pass, s) : pass->state->past[s] + query_length(pass, s);
		first[s + 1] = first[s] + attend_kv_tiles(keys);
	}
}

/* Extra masks as an additive bias, the same for all heads: [T, past + T] of 0 and -inf per sequence. */
static attend_status build_masks(attend_pass *pass)
{
	const uint8_t *const *hidden = pass->state->hidden_keys;
	pass->masks = NULL;
	if (hidden == NULL || pass->arch->relative == ATTEND_RELATIVE_XLNET) return ATTEND_OK;
	size_t total = 0;
	for (size_t s = 0; s < pass->sequences; s++)
		total += query_length(pass, s) * (pass->state->past[s] + query_length(pass, s));
	ATTEND_TRY(attend_side_need(&pass->session->masks, (total + 1) * sizeof(float), "attention masks"));
	float *m = pass->session->masks.data;
	pass->masks = m;
	for (size_t s = 0; s < pass->sequences; s++) {
		const size_t count = query_length(pass, s) * (pass->state->past[s] + query_length(pass, s));
		for (size_t i = 0; i < count; i++) *m++ = hidden[s] && hidden[s][i] ? -INFINITY : 0.0f;
	}
	return ATTEND_OK;
}

attend_status attend_attention_begin(attend_pass *pass)
{
	attend_scratch *scratch = &pass->session->scratch;
	first_pointers(pass, scratch->self_first, false);
	if (pass->arch->cross_attention) first_pointers(pass, scratch->cross_first, true);
	if (pass->slots == NULL) { /* one layer's tiles, used again by the next */
		const attend_kv_shape shape = attend_kv_of(pass->session, pass->arch);
		const size_t floats = attend_kv_tile_floats(&shape);
		for (size_t i = 0; i < scratch->self_first[pass->sequences]; i++)
			scratch->self_tiles[i] = scratch->tiles + i * floats;
		if (pass->arch->cross_attention)
			for (size_t i = 0; i < scratch->cross_first[pass->sequences]; i++)
				scratch->cross_tiles[i] = scratch->tiles + i * floats;
	}
	return build_masks(pass);
}

static void point_at_cache(const attend_pass *pass, bool cross)
{
	if (pass->slots == NULL) return;
	const attend_cache *cache = &pass->session->cache;
	attend_scratch *scratch = &pass->session->scratch;
	float **tiles = cross ? scratch->cross_tiles : scratch->self_tiles;
	const size_t *first = cross ? scratch->cross_first : scratch->self_first;
	for (size_t s = 0; s < pass->sequences; s++) {
		const attend_cache_sequence *from = cross ? memory_of(pass, s) : &cache->slots[pass->slots[s]];
		for (size_t i = first[s]; i < first[s + 1]; i++)
			tiles[i] = attend_cache_tile(cache, from->pages[i - first[s]], pass->run);
	}
}

/* ---- Describing attention to the kernel ---------------------------------------------------------------------- */
static attend_attention describe(const attend_pass *pass, size_t s, const float *q, size_t ldq, float *ctx,
                                 float *log_sum)
{
	const attend_stack_arch *arch = pass->arch;
	const attend_layer_arch *layer = &arch->layer[pass->layer];
	const size_t at = pass->state->offsets[s], inner = inner_width(pass);
	return (attend_attention){
		.kv = attend_kv_of(pass->session, arch),
		.tq = query_length(pass, s),
		.scale = arch->score_scale * (layer->score_factor != 0.0f ? layer->score_factor : 1.0f),
		.q = q + at * ldq,
		.ldq = ldq,
		.out = ctx + at * inner,
		.ldo = inner,
		.log_sum = log_sum ? log_sum + at * arch->heads : NULL,
	};
}

static void describe_dropout(const attend_pass *pass, attend_attention *a, size_t s, attend_site site)
{
	if (pass->arch->dropout_attention <= 0.0f || !pass->state->dropout) return;
	a->dropout = pass->arch->dropout_attention;
	a->dropout_seed = attend_site_seed(pass->session, pass->stack, pass->run, site);
	a->dropout_stream = s;
}

attend_attention attend_describe_self(const attend_pass *pass, size_t s, const float *q, size_t ldq, float *ctx,
                                      float *log_sum)
{
	const attend_stack_arch *arch = pass->arch;
	const attend_layer_arch *layer = &arch->layer[pass->layer];
	const attend_stack_state *state = pass->state;
	const attend_scratch *scratch = &pass->session->scratch;
	attend_attention a = describe(pass, s, q, ldq, ctx, log_sum);
	a.first_query = state->past[s];
	a.tk = state->past[s] + a.tq;
	a.causal = arch->causal;
	a.windowed = layer->windowed;
	a.window_left = layer->window_left;
	a.window_right = layer->window_right;
	a.tiles = scratch->self_tiles + scratch->self_first[s];
	if (state->has_columns) a.q_positions = a.k_positions = state->columns + state->offsets[s];
	if (state->distance_bias) {
		const size_t span = state->distance_span, table = state->distance_tables > 1 ? pass->layer : 0;
		a.distance_bias = state->distance_bias + table * arch->heads * (2 * span + 1);
		a.distance_span = span;
	}
	if (pass->masks) {
		size_t before = 0;
		for (size_t i = 0; i < s; i++) before += query_length(pass, i) * (state->past[i] + query_length(pass, i));
		a.dense_bias = pass->masks + before;
		a.dense_ldi = a.tk;
	}
	if (arch->relative == ATTEND_RELATIVE_XLNET) attend_xlnet_describe(pass, s, &a);
	describe_dropout(pass, &a, s, ATTEND_SITE_SELF_PROBABILITIES);
	return a;
}

static attend_attention describe_cross(const attend_pass *pass, size_t s)
{
	const attend_block_acts *acts = pass->acts;
	const attend_scratch *scratch = &pass->session->scratch;
	attend_attention a = describe(pass, s, acts->cross_q, inner_width(pass), acts->cross_ctx, acts->cross_log_sum);
	a.tk = memory_length(pass, s);
	a.tiles = scratch->cross_tiles + scratch->cross_first[s];
	describe_dropout(pass, &a, s, ATTEND_SITE_CROSS_PROBABILITIES);
	return a;
}

/* Query row i sees the keys up to first_query + i where attention is causal. (Windows are not taken off.) */
static double visible_pairs(const attend_attention *a)
{
	if (!a->causal) return (double)a->tq * (double)a->tk;
	double pairs = 0;
	for (size_t i = 0; i < a->tq; i++) pairs += (double)(a->first_query + i < a->tk ? a->first_query + i + 1 : a->tk);
	return pairs;
}

void attend_lap_attention(const attend_pass *pass, attend_lap_kind kind, bool cross)
{
	const attend_profiler *p = pass->session->network->profiler;
	if (p == NULL) return;
	const attend_scratch *scratch = &pass->session->scratch;
	const bool backward = kind == ATTEND_LAP_ATTENTION_BACKWARD;
	attend_lap lap = {.kind = kind,
	                  .attention = true,
	                  .cross = cross,
	                  .stack = pass->stack,
	                  .block = attend_run_block(pass->arch, pass->run),
	                  .kv_type = pass->session->kv_type};
	for (size_t s = 0; s < pass->sequences && kind != ATTEND_LAP_ROWS; s++) {
		const attend_attention *a = backward ? &scratch->attention_grad[s].forward : &scratch->attention[s];
		lap.pairs += visible_pairs(a) * (double)inner_width(pass);
		lap.keys += (double)a->tk * (double)inner_width(pass);
	}
	p->lap(p->payload, &lap);
}

/* Run scratch.attention[0..S-1]; let the observer see the probabilities. */
attend_status attend_attention_run(attend_pass *pass, bool cross, int stream)
{
	attend_session *session = pass->session;
	attend_attention *a = session->scratch.attention;
	const attend_observer *o = &session->observer;
	const bool watched = o->attention && !pass->silent;
	if (watched) {
		size_t total = 0;
		for (size_t s = 0; s < pass->sequences; s++) total += a[s].kv.heads * a[s].tq * a[s].tk;
		ATTEND_TRY(attend_side_need(&session->probabilities, (total + 1) * sizeof(float), "attention maps"));
		float *p = session->probabilities.data;
		for (size_t s = 0; s < pass->sequences; s++) {
			a[s].probabilities = p;
			p += a[s].kv.heads * a[s].tq * a[s].tk;
		}
	}
	attend_lap_attention(pass, ATTEND_LAP_ROWS, cross);
	attend_attention_forward(a, pass->sequences, session->scratch.kernel);
	attend_lap_attention(pass, ATTEND_LAP_ATTENTION, cross);
	for (size_t s = 0; watched && s < pass->sequences; s++) {
		if (!o->attention(o->payload, pass->stack, stream, pass->run, cross, s, a[s].probabilities, a[s].kv.heads,
		                  a[s].tq, a[s].tk))
			return attend_fail(ATTEND_ERR_CANCELLED, "the observer asked to stop at layer %zu", pass->layer);
	}
	return ATTEND_OK;
}

/* ---- Self-attention ------------------------------------------------------------------------------------------ */
static void rotate(const attend_pass *pass, float *qkv, bool backward)
{
	const attend_stack_arch *arch = pass->arch;
	if (arch->positions != ATTEND_POSITION_ROTARY) return;
	const float theta = arch->layer[pass->layer].rotary_theta;
	const size_t inner = inner_width(pass), ld = 3 * inner;
	for (size_t part = 0; part < 2; part++) {
		float *x = qkv + part * inner;
		if (backward)
			attend_rotary_backward(x, ld, pass->rows, arch->heads, arch->head_dim, pass->state->positions, theta);
		else attend_rotary_forward(x, ld, pass->rows, arch->heads, arch->head_dim, pass->state->positions, theta);
	}
}

/* With fewer sequences than threads, a thread takes some heads, else some sequences; not where steps are as short as when
 * generating. */
static bool shared_by_heads(const attend_pass *pass)
{
	enum { ROWS = 16 };
	return pass->sequences < (size_t)attend_threads() && pass->rows >= ROWS;
}

static bool normed(const attend_pass *pass)
{
	return pass->arch->norm_place == ATTEND_NORM_PRE && !pass->arch->layer[pass->layer].skip_attention_norm;
}

/* One new token of a cached sequence: attention stores its key and value on the way. */
static bool is_step(const attend_pass *pass, size_t s)
{
	return pass->slots != NULL && pass->arch->relative != ATTEND_RELATIVE_XLNET && query_length(pass, s) == 1;
}

attend_status attend_self_forward(attend_pass *pass)
{
	const attend_stack_arch *arch = pass->arch;
	attend_session *session = pass->session;
	attend_block_params *b = pass->block;
	attend_block_acts *acts = pass->acts;
	attend_sublayer *u = &acts->self;
	const bool pre = arch->norm_place == ATTEND_NORM_PRE, relative = arch->relative == ATTEND_RELATIVE_XLNET;
	const size_t d = arch->hidden, inner = inner_width(pass), ld = 3 * inner, rows = pass->rows;
	const float *n = u->x;
	if (normed(pass)) {
		attend_norm_run(arch->norm, arch->norm_eps, &b->attention_norm, u->z, u->x, rows, d, u->mean, u->rstd);
		n = u->z;
	}
	const attend_epilogue plain = {.parts = shared_by_heads(pass) ? 3 : 1};
	attend_linear_run(session, &b->qkv, acts->qkv, ld, n, d, rows, &plain);
	rotate(pass, acts->qkv, false);
	point_at_cache(pass, false);
	const attend_scratch *scratch = &session->scratch;
	for (size_t s = 0; s < pass->sequences; s++) {
		const float *row = acts->qkv + pass->state->offsets[s] * ld;
		scratch->kv_rows[s] =
			(attend_kv_rows){scratch->self_tiles + scratch->self_first[s], pass->state->past[s],
		                     is_step(pass, s) ? 0 : query_length(pass, s), row + inner, row + 2 * inner};
	}
	const attend_kv_shape shape = attend_kv_of(session, arch);
	attend_kv_store_all(&shape, scratch->kv_rows, pass->sequences, ld, ld);
	if (relative) attend_xlnet_bias_forward(pass, acts->qkv, ld, pass->state->hidden_keys, true);
	for (size_t s = 0; s < pass->sequences; s++) {
		attend_attention *a = &scratch->attention[s];
		*a = attend_describe_self(pass, s, relative ? scratch->xl_q : acts->qkv, relative ? inner : ld, acts->ctx,
		                          acts->log_sum);
		if (!is_step(pass, s)) continue;
		a->new_key = acts->qkv + pass->state->offsets[s] * ld + inner;
		a->new_value = a->new_key + inner;
	}
	ATTEND_TRY(attend_attention_run(pass, false, 0));
	attend_residual_run(pass, &b->attention_out, pre ? u->y : u->z, acts->ctx, inner, u->x, ATTEND_SITE_SELF_OUTPUT,
	                    arch->no_attention_output_dropout ? 0.0f : arch->dropout_hidden);
	if (!pre) attend_norm_run(arch->norm, arch->norm_eps, &b->attention_norm, u->y, u->z, rows, d, u->mean, u->rstd);
	return ATTEND_OK;
}

static void self_inner_backward(attend_pass *pass, float *dn, bool overwrite, const float *df, const float *n)
{
	const attend_stack_arch *arch = pass->arch;
	attend_session *session = pass->session;
	attend_block_params *b = pass->block;
	attend_block_acts *acts = pass->acts;
	attend_scratch *scratch = &session->scratch;
	const bool relative = arch->relative == ATTEND_RELATIVE_XLNET;
	const size_t d = arch->hidden, inner = inner_width(pass), ld = 3 * inner, rows = pass->rows;
	attend_linear_run_backward(session, &b->attention_out, scratch->d_ctx, inner, true, df, d, acts->ctx, inner, rows);
	if (dn == NULL && !attend_linear_learns(&b->qkv) && !relative && pass->state->d_distance_bias == NULL) return;
	if (relative) attend_xlnet_bias_forward(pass, acts->qkv, ld, pass->state->hidden_keys, true);
	for (size_t s = 0; s < pass->sequences; s++) {
		const size_t at = pass->state->offsets[s];
		attend_attention_grad *g = &scratch->attention_grad[s];
		*g = (attend_attention_grad){
			.forward = attend_describe_self(pass, s, relative ? scratch->xl_q : acts->qkv, relative ? inner : ld,
		                                    acts->ctx, acts->log_sum),
			.k = acts->qkv + at * ld + inner,
			.ldk = ld,
			.v = acts->qkv + at * ld + 2 * inner,
			.ldv = ld,
			.dout = scratch->d_ctx + at * inner,
			.lddo = inner,
			.dq = scratch->d_qkv + at * ld,
			.lddq = ld,
			.dk = scratch->d_qkv + at * ld + inner,
			.lddk = ld,
			.dv = scratch->d_qkv + at * ld + 2 * inner,
			.lddv = ld,
			.overwrite = true,
		};
		if (pass->state->d_distance_bias)
			g->d_distance_bias = pass->state->d_distance_bias + (g->forward.distance_bias - pass->state->distance_bias);
		if (relative) attend_xlnet_describe_backward(pass, s, g);
	}
	attend_lap_attention(pass, ATTEND_LAP_ROWS, false);
	attend_attention_backward(scratch->attention_grad, pass->sequences, scratch->kernel);
	attend_lap_attention(pass, ATTEND_LAP_ATTENTION_BACKWARD, false);
	if (relative) attend_xlnet_bias_backward(pass);
	rotate(pass, scratch->d_qkv, true);
	attend_linear_run_backward(session, &b->qkv, dn, d, overwrite, scratch->d_qkv, ld, n, d, rows);
}

void attend_self_backward(attend_pass *pass, bool want_dx)
{
	const attend_stack_arch *arch = pass->arch;
	const float p = arch->no_attention_output_dropout ? 0.0f : arch->dropout_hidden;
	const bool skip = arch->norm_place == ATTEND_NORM_PRE && arch->layer[pass->layer].skip_attention_norm;
	const attend_sublayer_backward mirror = {
		&pass->block->attention_norm, &pass->acts->self, self_inner_backward, ATTEND_SITE_SELF_OUTPUT, p, skip};
	attend_sublayer_run_backward(pass, &mirror, want_dx);
}

/* ---- Cross-attention ----------------------------------------------------------------------------------------- */
attend_status attend_cross_forward(attend_pass *pass)
{
	const attend_stack_arch *arch = pass->arch;
	attend_session *session = pass->session;
	attend_block_params *b = pass->block;
	attend_block_acts *acts = pass->acts;
	attend_sublayer *u = &acts->cross;
	attend_scratch *scratch = &session->scratch;
	const bool pre = arch->norm_place == ATTEND_NORM_PRE;
	const size_t d = arch->hidden, inner = inner_width(pass), ld = 2 * inner, rows = pass->rows;
	const float *n = u->x;
	if (pre) {
		attend_norm_run(arch->norm, arch->norm_eps, &b->cross_norm, u->z, u->x, rows, d, u->mean, u->rstd);
		n = u->z;
	}
	attend_linear_run(session, &b->cross_q, acts->cross_q, inner, n, d, rows, NULL);
	point_at_cache(pass, true);
	if (pass->slots == NULL) {
		attend_linear_run(session, &b->cross_kv, acts->cross_kv, ld, pass->memory, pass->memory_width,
		                  pass->memory_rows, NULL);
		for (size_t s = 0; s < pass->sequences; s++) {
			const float *row = acts->cross_kv + pass->memory_offsets[s] * ld;
			scratch->kv_rows[s] = (attend_kv_rows){scratch->cross_tiles + scratch->cross_first[s], 0,
			                                       memory_length(pass, s), row, row + inner};
		}
		const attend_kv_shape shape = attend_kv_of(session, arch);
		attend_kv_store_all(&shape, scratch->kv_rows, pass->sequences, ld, ld);
	}
	for (size_t s = 0; s < pass->sequences; s++) scratch->attention[s] = describe_cross(pass, s);
	ATTEND_TRY(attend_attention_run(pass, true, 0));
	attend_residual_run(pass, &b->cross_out, pre ? u->y : u->z, acts->cross_ctx, inner, u->x, ATTEND_SITE_CROSS_OUTPUT,
	                    arch->no_attention_output_dropout ? 0.0f : arch->dropout_hidden);
	if (!pre) attend_norm_run(arch->norm, arch->norm_eps, &b->cross_norm, u->y, u->z, rows, d, u->mean, u->rstd);
	return ATTEND_OK;
}

static void cross_inner_backward(attend_pass *pass, float *dn, bool overwrite, const float *df, const float *n)
{
	const attend_stack_arch *arch = pass->arch;
	attend_session *session = pass->session;
	attend_block_params *b = pass->block;
	attend_block_acts *acts = pass->acts;
	attend_scratch *scratch = &session->scratch;
	const size_t d = arch->hidden, inner = inner_width(pass), ld = 2 * inner, rows = pass->rows;
	float *dq = scratch->d_qkv;
	attend_linear_run_backward(session, &b->cross_out, scratch->d_ctx, inner, true, df, d, acts->cross_ctx, inner,
	                           rows);
	memset(dq, 0, rows * inner * sizeof(float));
	memset(scratch->d_kv, 0, pass->memory_rows * ld * sizeof(float));
	for (size_t s = 0; s < pass->sequences; s++) {
		const size_t at = pass->state->offsets[s], key = pass->memory_offsets[s];
		scratch->attention_grad[s] = (attend_attention_grad){
			.forward = describe_cross(pass, s),
			.k = acts->cross_kv + key * ld,
			.ldk = ld,
			.v = acts->cross_kv + key * ld + inner,
			.ldv = ld,
			.dout = scratch->d_ctx + at * inner,
			.lddo = inner,
			.dq = dq + at * inner,
			.lddq = inner,
			.dk = scratch->d_kv + key * ld,
			.lddk = ld,
			.dv = scratch->d_kv + key * ld + inner,
			.lddv = ld,
		};
	}
	attend_lap_attention(pass, ATTEND_LAP_ROWS, true);
	attend_attention_backward(scratch->attention_grad, pass->sequences, scratch->kernel);
	attend_lap_attention(pass, ATTEND_LAP_ATTENTION_BACKWARD, true);
	attend_linear_run_backward(session, &b->cross_q, dn, d, overwrite, dq, inner, n, d, rows);
	attend_linear_run_backward(session, &b->cross_kv, pass->d_memory, pass->memory_width, false, scratch->d_kv, ld,
	                           pass->memory, pass->memory_width, pass->memory_rows);
}

void attend_cross_backward(attend_pass *pass, bool want_dx)
{
	const float p = pass->arch->no_attention_output_dropout ? 0.0f : pass->arch->dropout_hidden;
	const attend_sublayer_backward mirror = {
		&pass->block->cross_norm, &pass->acts->cross, cross_inner_backward, ATTEND_SITE_CROSS_OUTPUT, p, false};
	attend_sublayer_run_backward(pass, &mirror, want_dx);
}
