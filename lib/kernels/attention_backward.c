/* attention_backward.c: the gradient of attention.c's softmax(q k^T) v, with the probabilities made again from log_sum:
 *   s, bias as in attention.c; p = exp(s - log_sum); P = dropout(p); out = P v
 *   dv_j += sum_i P_ij dout_i ; dP = dout v^T ; dp = dropout(dP) ; c_i = dout_i . out_i
 *   ds = p (dp - c) ; dbias += ds ; dq_i += scale sum_j ds_ij k_j ; dk_j += scale sum_i ds_ij q_i
 * A task is one head: it walks the sequences, tiles and queries in order, so that the sums do not depend on the team, also
 * where sequences share a bias. */
#include <math.h>
#include <string.h>

#include "lib/core/threads.h"
#include "lib/kernels/attention_tile.h"

enum { TILE = ATTEND_KV_TILE, QUERIES = 48 };

typedef struct backward_job {
	const attend_attention_grad *sequences;
	size_t count, heads, head_floats;
	const struct attend_row_table *table;
	float *scratch;
	bool serial_heads; /* heads share a gradient */
} backward_job;

/* One head's scratch: keys and values by lanes [K][TILE] each, four blocks [QUERIES][TILE], c of the longest sequence. */
static size_t head_floats(const attend_attention_grad *sequences, size_t count)
{
	size_t longest = 0, dim = 0;
	for (size_t i = 0; i < count; i++) {
		if (sequences[i].forward.tq > longest) longest = sequences[i].forward.tq;
		if (sequences[i].forward.kv.head_dim > dim) dim = sequences[i].forward.kv.head_dim;
	}
	return 2 * dim * TILE + 3 * QUERIES * TILE + ((longest + 15) & ~(size_t)15);
}

static size_t most_heads(const attend_attention_grad *sequences, size_t count)
{
	size_t heads = 0;
	for (size_t i = 0; i < count; i++)
		if (sequences[i].forward.kv.heads > heads) heads = sequences[i].forward.kv.heads;
	return heads;
}

typedef struct head_block {
	const attend_attention_grad *g;
	const struct attend_row_table *table;
	size_t h;
	float *keys, *values, *p, *dropped, *ds, *c;
} head_block;

static void add_bias_gradients(const head_block *b, size_t i, size_t base, attend_lane_range lanes, const float *ds)
{
	const attend_attention_grad *g = b->g;
	const attend_attention *a = &g->forward;
	if (g->d_dense_bias)
		b->table->add(g->d_dense_bias + b->h * a->dense_ldh + i * a->dense_ldi + base + lanes.lo, ds + lanes.lo,
		              lanes.hi - lanes.lo);
	if (!g->d_distance_bias) return;
	float *d = g->d_distance_bias + b->h * (2 * a->distance_span + 1);
	const int64_t query = a->q_positions ? (int64_t)a->q_positions[i] : (int64_t)(a->first_query + i);
	for (size_t j = lanes.lo; j < lanes.hi; j++) {
		const int64_t key = a->k_positions ? (int64_t)a->k_positions[base + j] : (int64_t)(base + j);
		d[attend_distance_index(key - query, a->distance_span)] += ds[j];
	}
}

/* Columns column .. of rows first .. of x, or of nothing. */
static void clear(float *x, size_t ldx, size_t first, size_t rows, size_t column, size_t columns)
{
	for (size_t i = first; x && i < first + rows; i++) memset(x + i * ldx + column, 0, columns * sizeof *x);
}

/* Queries first .. first+rows-1 against keys base .. base+count-1. */
static void backward_block(const head_block *b, size_t first, size_t rows, size_t base, size_t count)
{
	const attend_attention_grad *g = b->g;
	const attend_attention *a = &g->forward;
	const size_t dim = a->kv.head_dim, column = b->h * dim;
	attend_lane_range lanes[QUERIES];
	bool any = false;
	for (size_t r = 0; r < rows; r++) {
		lanes[r] = tile_range(attention_range(a, first + r), base, count);
		if (a->log_sum[b->h * a->tq + first + r] == -INFINITY || lanes[r].lo > lanes[r].hi) lanes[r].hi = lanes[r].lo;
		any = any || lanes[r].lo < lanes[r].hi;
	}
	/* The first tile of keys makes dq, the first block of queries dk and dv. */
	const bool makes_dq = g->overwrite && base == 0, makes_dkv = g->overwrite && first == 0;
	if (!any) {
		if (makes_dq) clear(g->dq, g->lddq, first, rows, column, dim);
		if (makes_dkv) clear(g->dk, g->lddk, base, count, column, dim);
		if (makes_dkv) clear(g->dv, g->lddv, base, count, column, dim);
		return;
	}

	const float *q = a->q + first * a->ldq + column, *dout = g->dout + first * g->lddo + column;
	b->table->product(b->p, TILE, q, a->ldq, 1, b->keys, TILE, rows, dim, count, ATTEND_FROM_ZERO, NULL);
	b->table->product(b->ds, TILE, dout, g->lddo, 1, b->values, TILE, rows, dim, count, ATTEND_FROM_ZERO, NULL);
	for (size_t r = 0; r < rows; r++) {
		const size_t i = first + r;
		float *p = b->p + r * TILE, *dropped = b->dropped + r * TILE, *ds = b->ds + r * TILE;
		float space[TILE];
		const float *bias =
			lanes[r].lo < lanes[r].hi ? attend_attention_bias(a, b->h, i, base, lanes[r].lo, lanes[r].hi, space) : NULL;
		b->table->attention_probabilities(p, lanes[r].lo, lanes[r].hi, a->scale, bias, a->log_sum[b->h * a->tq + i]);
		if (a->dropout > 0.0f) { /* dropped is the mask first */
			for (size_t lane = 0; lane < count; lane++) dropped[lane] = 1.0f;
			attend_attention_dropout(a, b->table, b->h, i, base, count, dropped);
			b->table->multiply(ds, ds, dropped, count);
			b->table->multiply(dropped, dropped, p, count);
		}
		b->table->row_shift(ds, ds, b->c[i], count);
		b->table->multiply(ds, ds, p, count);
		if (lanes[r].lo < lanes[r].hi) add_bias_gradients(b, i, base, lanes[r], ds);
		b->table->scale(ds, ds, a->scale, count);
	}
	if (g->dv)
		b->table->product(g->dv + base * g->lddv + column, g->lddv, a->dropout > 0.0f ? b->dropped : b->p, 1, TILE,
		                  dout, g->lddo, count, rows, dim, makes_dkv ? ATTEND_FROM_ZERO : ATTEND_FROM_C, NULL);
	if (g->dq)
		b->table->product(g->dq + first * g->lddq + column, g->lddq, b->ds, TILE, 1, g->k + base * g->ldk + column,
		                  g->ldk, rows, count, dim, makes_dq ? ATTEND_FROM_ZERO : ATTEND_FROM_C, NULL);
	if (g->dk)
		b->table->product(g->dk + base * g->lddk + column, g->lddk, b->ds, 1, TILE, q, a->ldq, count, rows, dim,
		                  makes_dkv ? ATTEND_FROM_ZERO : ATTEND_FROM_C, NULL);
}

static float dot(const struct attend_row_table *table, const float *x, const float *y, size_t dim)
{
	float products[TILE];
	double sum = 0.0;
	for (size_t d = 0; d < dim; d += TILE) {
		const size_t count = dim - d < TILE ? dim - d : TILE;
		table->multiply(products, x + d, y + d, count);
		sum += table->row_sum(products, count);
	}
	return (float)sum;
}

static void backward_head(const backward_job *j, size_t h)
{
	float *scratch = j->scratch + (j->serial_heads ? 0 : h) * j->head_floats;
	for (size_t s = 0; s < j->count; s++) {
		const attend_attention_grad *g = &j->sequences[s];
		const attend_attention *a = &g->forward;
		const size_t dim = a->kv.head_dim;
		if (h >= a->kv.heads) continue;
		if (g->overwrite && a->tk == 0) clear(g->dq, g->lddq, 0, a->tq, h * dim, dim);
		if (g->overwrite && a->tq == 0) clear(g->dk, g->lddk, 0, a->tk, h * dim, dim);
		if (g->overwrite && a->tq == 0) clear(g->dv, g->lddv, 0, a->tk, h * dim, dim);
		head_block b = {.g = g, .table = j->table, .h = h};
		b.keys = scratch;
		b.values = b.keys + dim * TILE;
		b.p = b.values + dim * TILE;
		b.dropped = b.p + QUERIES * TILE;
		b.ds = b.dropped + QUERIES * TILE;
		b.c = b.ds + QUERIES * TILE;
		for (size_t i = 0; i < a->tq; i++)
			b.c[i] = dot(j->table, g->dout + i * g->lddo + h * dim, a->out + i * a->ldo + h * dim, dim);
		for (size_t base = 0; base < a->tk; base += TILE) {
			const size_t count = a->tk - base < TILE ? a->tk - base : TILE;
			j->table->transpose(b.keys, g->k + base * g->ldk + h * dim, g->ldk, count, dim);
			j->table->transpose(b.values, g->v + base * g->ldv + h * dim, g->ldv, count, dim);
			for (size_t first = 0; first < a->tq; first += QUERIES)
				backward_block(&b, first, a->tq - first < QUERIES ? a->tq - first : QUERIES, base, count);
		}
	}
}

static void backward_task(void *arg, size_t index, unsigned worker)
{
	(void)worker;
	const backward_job *j = arg;
	if (!j->serial_heads) {
		backward_head(j, index);
		return;
	}
	for (size_t h = 0; h < j->heads; h++) backward_head(j, h);
}

size_t attend_attention_backward_scratch(const attend_attention_grad *sequences, size_t count)
{
	return most_heads(sequences, count) * head_floats(sequences, count) * sizeof(float);
}

void attend_attention_backward(const attend_attention_grad *sequences, size_t count, void *scratch)
{
	backward_job job = {.sequences = sequences, .count = count, .table = attend_row_kernels(), .scratch = scratch};
	job.heads = most_heads(sequences, count);
	job.head_floats = head_floats(sequences, count);
	for (size_t i = 0; i < count; i++) {
		const attend_attention *a = &sequences[i].forward;
		if (sequences[i].d_dense_bias && a->kv.heads > 1 && a->dense_ldh == 0) job.serial_heads = true;
	}
	attend_parallel(job.serial_heads ? (job.heads ? 1 : 0) : job.heads, backward_task, &job);
}
