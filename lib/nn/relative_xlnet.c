/* relative_xlnet.c: XLNet's relative attention (Yang et al. 2019; Dai et al. 2019; huggingface.md 2.6) as an
 * additive bias.
 *
 *   s(i,j) = scale * ((q_i + r_w).k_j + (q_i + r_r).R[p] + (q_i + r_s).seg[type_i != type_j]), p = position_i - position_j
 *   R[p] = xlnet_r(PE(p)),  PE(p) = [sin(p w_t), cos(p w_t)],  w_t = 10000^(-2t/D)
 *
 * The first term goes through the common kernel with q + r_w as its query; the other two are made here, per block:
 * bd = (q + r_r) R_h^T [N,P] for one head, gathered along distances into dense [H,T,past+T] per sequence. */
#include <math.h>
#include <string.h>

#include "lib/core/threads.h"
#include "lib/nn/session_state.h"

enum { ROWS_PER_TASK = 16 };

typedef struct gather {
	const attend_pass *pass;
	const uint8_t *const *hidden_keys;
	bool content;
	size_t head;
	const float *q;
	size_t ldq;
	ptrdiff_t lowest; /* distance of column 0 of bd */
	size_t distances;
	float scale;
} gather;

static size_t length_of(const attend_pass *pass, size_t s)
{
	return pass->state->offsets[s + 1] - pass->state->offsets[s];
}

static size_t keys_of(const attend_pass *pass, size_t s)
{
	return pass->state->past[s] + length_of(pass, s);
}

static size_t dense_offset(const attend_pass *pass, size_t s)
{
	size_t at = 0;
	for (size_t i = 0; i < s; i++) at += length_of(pass, i) * keys_of(pass, i);
	return at * pass->arch->heads;
}

static ptrdiff_t position_of(const attend_pass *pass, size_t s, size_t key)
{
	return pass->state->has_columns ? pass->state->columns[pass->state->offsets[s] + key] : (ptrdiff_t)key;
}

static ptrdiff_t clamped(const attend_pass *pass, ptrdiff_t distance)
{
	const ptrdiff_t limit = (ptrdiff_t)pass->arch->clamp_len;
	if (limit <= 0) return distance;
	return distance > limit ? limit : distance < -limit ? -limit : distance;
}

/* Distances that occur in the batch: lowest .. lowest + count - 1. */
static size_t distance_range(const attend_pass *pass, ptrdiff_t *lowest)
{
	ptrdiff_t high = 0, low = 0;
	for (size_t s = 0; s < pass->sequences; s++) {
		const size_t t = length_of(pass, s), past = pass->state->past[s];
		if (t == 0) continue;
		const ptrdiff_t up = position_of(pass, s, past + t - 1) - position_of(pass, s, 0);
		const ptrdiff_t down = position_of(pass, s, past) - position_of(pass, s, past + t - 1);
		if (up > high) high = up;
		if (!pass->arch->causal && down < low) low = down;
	}
	high = clamped(pass, high);
	*lowest = clamped(pass, low);
	return (size_t)(high - *lowest + 1);
}

/* Row p + xl_span of xl_pe; made once for a session. */
static const float *position_rows(attend_scratch *scratch, size_t width, ptrdiff_t lowest)
{
	const size_t half = width / 2, span = scratch->xl_span;
	if (!scratch->xl_pe_ready) {
		for (size_t t = 0; t < half; t++) {
			const double w = pow(10000.0, -2.0 * (double)t / (double)width);
			for (size_t i = 0; i <= 2 * span; i++) {
				const double angle = (double)((float)w * (float)((ptrdiff_t)i - (ptrdiff_t)span));
				scratch->xl_pe[i * width + t] = (float)sin(angle);
				scratch->xl_pe[i * width + half + t] = (float)cos(angle);
			}
		}
		scratch->xl_pe_ready = true;
	}
	return scratch->xl_pe + (size_t)(lowest + (ptrdiff_t)span) * width;
}

static void add_vector(float *y, const float *x, size_t ldx, const float *v, size_t rows, size_t width)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t k = 0; k < width; k++) y[i * width + k] = x[i * ldx + k] + v[k];
}

static float dot(const float *a, const float *b, const float *c, size_t n) /* (a + b).c */
{
	float sum = 0.0f;
	for (size_t k = 0; k < n; k++) sum += (a[k] + b[k]) * c[k];
	return sum;
}

static void gather_row(const gather *g, size_t s, size_t i, float *dense)
{
	const attend_pass *pass = g->pass;
	const attend_stack_state *state = pass->state;
	const size_t past = state->past[s], keys = keys_of(pass, s), row = state->offsets[s] + i, k = pass->arch->head_dim;
	const float *bd = pass->session->scratch.xl_bd + row * g->distances;
	const uint8_t *hidden = g->hidden_keys && g->hidden_keys[s] ? g->hidden_keys[s] + i * keys : NULL;
	float segment[2] = {0.0f, 0.0f};
	if (state->has_types) {
		const size_t at = g->head * k, seg = pass->arch->heads * k;
		for (size_t n = 0; n < 2; n++)
			segment[n] = dot(g->q + row * g->ldq + at, pass->block->xlnet_r_s_bias.data + at,
			                 pass->block->xlnet_seg_embed.data + n * seg + at, k);
	}
	const ptrdiff_t here = position_of(pass, s, past + i);
	for (size_t j = 0; j < keys; j++) {
		if (hidden && hidden[j] && !(g->content && j == past + i)) {
			dense[j] = -INFINITY;
			continue;
		}
		ptrdiff_t column = clamped(pass, here - position_of(pass, s, j)) - g->lowest;
		if (column < 0) column = 0; /* beyond the diagonal of a causal stack: not seen */
		float v = bd[column];
		if (state->has_types) {
			const int32_t type = j < past ? 0 : state->types[state->offsets[s] + j - past];
			v += segment[type != state->types[row]];
		}
		dense[j] = g->scale * v;
	}
}

static void gather_task(void *arg, size_t index, unsigned worker)
{
	(void)worker;
	const gather *g = arg;
	const attend_pass *pass = g->pass;
	const size_t first = index * ROWS_PER_TASK;
	size_t last = first + ROWS_PER_TASK, s = 0;
	if (last > pass->rows) last = pass->rows;
	for (size_t row = first; row < last; row++) {
		while (pass->state->offsets[s + 1] <= row) s++;
		const size_t i = row - pass->state->offsets[s];
		float *dense = pass->session->scratch.xl_dense + dense_offset(pass, s);
		gather_row(g, s, i, dense + (g->head * length_of(pass, s) + i) * keys_of(pass, s));
	}
}

static float scale_of(const attend_pass *pass)
{
	const float factor = pass->arch->layer[pass->layer].score_factor;
	return pass->arch->score_scale * (factor != 0.0f ? factor : 1.0f);
}

void attend_xlnet_bias_forward(attend_pass *pass, const float *q, size_t ldq, const uint8_t *const *hidden_keys,
                               bool content)
{
	attend_session *session = pass->session;
	attend_scratch *scratch = &session->scratch;
	const attend_block_params *b = pass->block;
	const size_t heads = pass->arch->heads, k = pass->arch->head_dim, inner = heads * k, rows = pass->rows;
	gather g = {pass, hidden_keys, content, 0, q, ldq, 0, 0, scale_of(pass)};
	g.distances = distance_range(pass, &g.lowest);
	const float *pe = position_rows(scratch, pass->arch->hidden, g.lowest);
	attend_linear_run(session, &b->xlnet_r, scratch->xl_r, inner, pe, pass->arch->hidden, g.distances, NULL);
	add_vector(scratch->xl_q, q, ldq, b->xlnet_r_r_bias.data, rows, inner);
	scratch->xl_packed.n = g.distances;
	for (g.head = 0; g.head < heads; g.head++) {
		attend_pack(&scratch->xl_packed, 0, g.distances, scratch->xl_r + g.head * k, ATTEND_DTYPE_F32, inner, 1);
		attend_linear_forward(scratch->xl_bd, g.distances, scratch->xl_q + g.head * k, inner, rows, &scratch->xl_packed,
		                      NULL, scratch->kernel);
		attend_parallel((rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, gather_task, &g);
	}
	add_vector(scratch->xl_q, q, ldq, b->xlnet_r_w_bias.data, rows, inner);
}

void attend_xlnet_describe(const attend_pass *pass, size_t s, attend_attention *a)
{
	a->dense_bias = pass->session->scratch.xl_dense + dense_offset(pass, s);
	a->dense_ldh = a->tq * a->tk;
	a->dense_ldi = a->tk;
}

/* ---- Backward ------------------------------------------------------------------------------------------------ */
void attend_xlnet_describe_backward(const attend_pass *pass, size_t s, attend_attention_grad *g)
{
	const size_t at = dense_offset(pass, s);
	g->d_dense_bias = pass->session->scratch.xl_d_dense + at;
	memset(g->d_dense_bias, 0, g->forward.kv.heads * g->forward.tq * g->forward.tk * sizeof(float));
}

static void column_sums(attend_session *session, const attend_vector *v, const float *dy, size_t lddy, size_t rows)
{
	if (v->param == NULL || v->param->grad == NULL) return;
	const attend_linear_grad g = {
		.m = rows, .dy = dy, .lddy = lddy, .parts = {{.n = v->n, .db = v->param->grad + v->offset}}, .part_count = 1};
	attend_linear_backward(&g, session->scratch.kernel);
}

/* xl_bd [N,P] of one head: d_dense added up along distances. */
static void scatter_task(void *arg, size_t index, unsigned worker)
{
	(void)worker;
	const gather *g = arg;
	const attend_pass *pass = g->pass;
	const attend_scratch *scratch = &pass->session->scratch;
	const size_t first = index * ROWS_PER_TASK;
	size_t last = first + ROWS_PER_TASK, s = 0;
	if (last > pass->rows) last = pass->rows;
	for (size_t row = first; row < last; row++) {
		while (pass->state->offsets[s + 1] <= row) s++;
		const size_t i = row - pass->state->offsets[s], keys = keys_of(pass, s), past = pass->state->past[s];
		const float *d = scratch->xl_d_dense + dense_offset(pass, s) + (g->head * length_of(pass, s) + i) * keys;
		float *bd = scratch->xl_bd + row * g->distances;
		memset(bd, 0, g->distances * sizeof *bd);
		const ptrdiff_t here = position_of(pass, s, past + i);
		for (size_t j = 0; j < keys; j++) {
			const ptrdiff_t column = clamped(pass, here - position_of(pass, s, j)) - g->lowest;
			if (column >= 0) bd[column] += g->scale * d[j];
		}
	}
}

/* One head of the segment term: d_q part into xl_t, gradient of seg_embed. */
static void segment_task(void *arg, size_t head, unsigned worker)
{
	(void)worker;
	const gather *g = arg;
	const attend_pass *pass = g->pass;
	const attend_stack_state *state = pass->state;
	const attend_scratch *scratch = &pass->session->scratch;
	const attend_block_params *b = pass->block;
	const size_t k = pass->arch->head_dim, inner = pass->arch->heads * k, at = head * k;
	float *d_seg = b->xlnet_seg_embed.param->grad ? b->xlnet_seg_embed.param->grad + b->xlnet_seg_embed.offset : NULL;
	for (size_t s = 0; s < pass->sequences; s++) {
		const size_t keys = keys_of(pass, s), past = state->past[s];
		for (size_t i = 0; i < length_of(pass, s); i++) {
			const size_t row = state->offsets[s] + i;
			const float *d = scratch->xl_d_dense + dense_offset(pass, s) + (head * length_of(pass, s) + i) * keys;
			float e[2] = {0.0f, 0.0f};
			for (size_t j = 0; j < keys; j++) {
				const int32_t type = j < past ? 0 : state->types[state->offsets[s] + j - past];
				e[type != state->types[row]] += g->scale * d[j];
			}
			for (size_t n = 0; n < k; n++) {
				scratch->xl_t[row * inner + at + n] =
					e[0] * b->xlnet_seg_embed.data[at + n] + e[1] * b->xlnet_seg_embed.data[inner + at + n];
				if (d_seg == NULL) continue;
				const float q = g->q[row * g->ldq + at + n] + b->xlnet_r_s_bias.data[at + n];
				d_seg[at + n] += e[0] * q;
				d_seg[inner + at + n] += e[1] * q;
			}
		}
	}
}

static void add_rows(float *y, size_t ldy, const float *x, size_t rows, size_t width)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t k = 0; k < width; k++) y[i * ldy + k] += x[i * width + k];
}

/* After attention's backward: d_qkv's q part holds the gradient of q + r_w, xl_d_dense the gradient of the bias. */
void attend_xlnet_bias_backward(attend_pass *pass)
{
	attend_session *session = pass->session;
	attend_scratch *scratch = &session->scratch;
	attend_block_params *b = pass->block;
	const size_t heads = pass->arch->heads, k = pass->arch->head_dim, inner = heads * k, ld = 3 * inner,
				 rows = pass->rows;
	gather g = {pass, NULL, true, 0, pass->acts->qkv, ld, 0, 0, scale_of(pass)};
	g.distances = distance_range(pass, &g.lowest);
	const float *pe = position_rows(scratch, pass->arch->hidden, g.lowest);
	column_sums(session, &b->xlnet_r_w_bias, scratch->d_qkv, ld, rows);
	add_vector(scratch->xl_q, g.q, ld, b->xlnet_r_r_bias.data, rows, inner);
	for (g.head = 0; g.head < heads; g.head++) {
		const size_t at = g.head * k;
		attend_parallel((rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, scatter_task, &g);
		attend_gemm(false, false, rows, k, g.distances, 1.0f, scratch->xl_bd, g.distances, scratch->xl_r + at, inner,
		            0.0f, scratch->xl_t + at, inner, scratch->kernel);
		attend_gemm(true, false, g.distances, k, rows, 1.0f, scratch->xl_bd, g.distances, scratch->xl_q + at, inner,
		            0.0f, scratch->xl_d_r + at, inner, scratch->kernel);
	}
	column_sums(session, &b->xlnet_r_r_bias, scratch->xl_t, inner, rows);
	add_rows(scratch->d_qkv, ld, scratch->xl_t, rows, inner);
	attend_linear_run_backward(session, &b->xlnet_r, NULL, 0, true, scratch->xl_d_r, inner, pe, pass->arch->hidden,
	                           g.distances);
	if (!pass->state->has_types) return;
	attend_parallel(heads, segment_task, &g);
	column_sums(session, &b->xlnet_r_s_bias, scratch->xl_t, inner, rows);
	add_rows(scratch->d_qkv, ld, scratch->xl_t, rows, inner);
}
