/* attention.c: softmax(q k^T) v (Vaswani et al. 2017) over tiles of keys with a running maximum and sum (Milakov & Gimelshein
 * 2018, Dao et al. 2022), forward; attention_backward.c is its other half.
 *   m' = max(m, max_j s_j); p_j = exp(s_j - m'); sum' = sum*exp(m - m') + sum_j p_j; out' = out*exp(m - m') + sum_j p_j v_j
 *   at the end out /= sum, log_sum = m + log(sum)
 * Tiles start at absolute key positions, a row's sums run over its own visible keys in rising order, and a tile in which it
 * sees nothing is an identity: so a row's bits are the same in a prefill, a chunk and a cached step. */
#include <math.h>
#include <string.h>

#include "lib/kernels/attention_tile.h"
#include "lib/kernels/math_portable.h"

enum {
	TILE = ATTEND_KV_TILE,
	QUERIES = 24,     /* rows that share a pass over a head's tiles */
	VALUE_ROWS = 6,   /* rows that share a pass over a tile's values */
	PACKED_DIM = 256  /* up to this head dimension the queries are copied together */
};

/* ---- Portable inner loops -------------------------------------------------------------------------------------------- */
static void product(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb, size_t rows,
                    size_t steps, size_t n, bool accumulate)
{
	for (size_t r = 0; r < rows; r++) {
		float *y = c + r * ldc;
		if (!accumulate) memset(y, 0, n * sizeof *y);
		for (size_t k = 0; k < steps; k++) {
			const float factor = a[r * a_row + k * a_step];
			for (size_t j = 0; j < n; j++) y[j] += factor * b[k * ldb + j];
		}
	}
}

static float attention_row(float *s, size_t lo, size_t hi, float scale, const float *bias, float *max, float *sum)
{
	float top = *max;
	for (size_t j = lo; j < hi; j++) {
		s[j] = bias ? scale * s[j] + bias[j] : scale * s[j];
		top = s[j] > top ? s[j] : top;
	}
	const float shift = top == -INFINITY ? 0.0f : top;
	const float correction = math_exp(*max - shift);
	for (size_t j = 0; j < ATTEND_SUM_LANES; j++) sum[j] *= correction;
	for (size_t j = 0; j < TILE; j++) {
		s[j] = j >= lo && j < hi ? math_exp(s[j] - shift) : 0.0f;
		sum[j % ATTEND_SUM_LANES] += s[j];
	}
	*max = top;
	return correction;
}

static void attention_probabilities(float *s, size_t lo, size_t hi, float scale, const float *bias, float log_sum)
{
	for (size_t j = 0; j < TILE; j++)
		s[j] = j >= lo && j < hi ? math_exp((bias ? scale * s[j] + bias[j] : scale * s[j]) - log_sum) : 0.0f;
}

static void transpose(float *tile, const float *x, size_t ldx, size_t count, size_t head_dim)
{
	for (size_t d = 0; d < head_dim; d++)
		for (size_t j = 0; j < count; j++) tile[d * TILE + j] = x[j * ldx + d];
}

void attend_attention_portable(struct attend_row_table *table)
{
	table->product = product;
	table->attention_row = attention_row;
	table->attention_probabilities = attention_probabilities;
	table->transpose = transpose;
}

/* ---- Tiles of keys and values ------------------------------------------------------------------------------------------- */
size_t attend_kv_tile_floats(size_t heads, size_t head_dim)
{
	return 2 * heads * head_dim * TILE;
}

typedef struct store_job {
	const struct attend_row_table *table;
	float *const *tiles;
	size_t first, t;
	const float *k, *v;
	size_t ldk, ldv, heads, head_dim;
} store_job;

/* One index is a head of a tile. */
static void store_heads(void *arg, size_t begin, size_t end)
{
	const store_job *j = arg;
	for (size_t index = begin; index < end; index++) {
		const size_t tile = j->first / TILE + index / j->heads, h = index % j->heads;
		const size_t from = tile * TILE > j->first ? tile * TILE : j->first;
		const size_t last = j->first + j->t;
		const size_t count = (last - tile * TILE < TILE ? last : (tile + 1) * TILE) - from;
		const size_t lane = from - tile * TILE, row = from - j->first;
		float *keys = j->tiles[tile] + h * j->head_dim * TILE;
		float *values = keys + j->heads * j->head_dim * TILE + lane * j->head_dim;
		j->table->transpose(keys + lane, j->k + row * j->ldk + h * j->head_dim, j->ldk, count, j->head_dim);
		const float *v = j->v + row * j->ldv + h * j->head_dim;
		for (size_t i = 0; i < count; i++) memcpy(values + i * j->head_dim, v + i * j->ldv, j->head_dim * sizeof *v);
	}
}

void attend_kv_store(float *const *tiles, size_t first, size_t t, const float *k, size_t ldk, const float *v, size_t ldv,
                     size_t heads, size_t head_dim)
{
	store_job job = {attend_row_kernels(), tiles, first, t, k, v, ldk, ldv, heads, head_dim};
	if (t == 0) return;
	const size_t touched = (first + t - 1) / TILE - first / TILE + 1;
	attend_split(touched * heads, (t / touched + 1) * head_dim * 4, store_heads, &job);
}

/* ---- A block of queries of one head ----------------------------------------------------------------------------------- */
typedef struct query_block {
	const attend_attention *a;
	const struct attend_row_table *table;
	size_t h, first, rows; /* queries first .. first+rows-1 */
	const float *q;
	size_t ldq;
	float *out;
	key_range range[QUERIES];
	float max[QUERIES], sum[QUERIES][ATTEND_SUM_LANES];
	float scores[QUERIES * TILE];
} query_block;

static const float *tile_keys(const attend_attention *a, size_t h, size_t tile)
{
	return a->tiles[tile] + h * a->head_dim * TILE;
}

static const float *tile_values(const attend_attention *a, size_t h, size_t tile)
{
	return tile_keys(a, a->heads + h, tile);
}

/* out += p v for the rows begin .. end-1. Each row's chain runs over its own lanes lo..hi-1; what they have in common is done
 * for up to VALUE_ROWS rows at a time, the ends by single rows. */
static void add_values(query_block *b, const key_range *lanes, size_t begin, size_t end, const float *values)
{
	const size_t dim = b->a->head_dim;
	for (size_t r = begin; r < end; r += VALUE_ROWS) {
		const size_t stop = end - r < VALUE_ROWS ? end : r + VALUE_ROWS;
		size_t lo = 0, hi = TILE;
		for (size_t i = r; i < stop; i++) {
			if (lanes[i].lo > lo) lo = lanes[i].lo;
			if (lanes[i].hi < hi) hi = lanes[i].hi;
		}
		const bool shared = lo < hi;
		for (size_t i = r; i < stop; i++) {
			const size_t head_end = shared ? lo : lanes[i].hi;
			if (lanes[i].lo < head_end)
				b->table->product(b->out + i * b->a->ldo, b->a->ldo, b->scores + i * TILE + lanes[i].lo, TILE, 1,
				                  values + lanes[i].lo * dim, dim, 1, head_end - lanes[i].lo, dim, true);
		}
		if (!shared) continue;
		b->table->product(b->out + r * b->a->ldo, b->a->ldo, b->scores + r * TILE + lo, TILE, 1, values + lo * dim, dim,
		                  stop - r, hi - lo, dim, true);
		for (size_t i = r; i < stop; i++)
			if (hi < lanes[i].hi)
				b->table->product(b->out + i * b->a->ldo, b->a->ldo, b->scores + i * TILE + hi, TILE, 1, values + hi * dim,
				                  dim, 1, lanes[i].hi - hi, dim, true);
	}
}

/* Rows of the block that see a key of the tile lie together: begin .. end-1. */
static bool visible_rows(const query_block *b, size_t base, size_t count, key_range *lanes, size_t *begin, size_t *end,
                         size_t *keys)
{
	*begin = b->rows;
	*end = *keys = 0;
	for (size_t r = 0; r < b->rows; r++) {
		lanes[r] = tile_range(b->range[r], base, count);
		if (lanes[r].lo >= lanes[r].hi) continue;
		if (*begin == b->rows) *begin = r;
		*end = r + 1;
		if (lanes[r].hi > *keys) *keys = lanes[r].hi;
	}
	return *begin < *end;
}

static void attend_to_tile(query_block *b, size_t tile)
{
	const attend_attention *a = b->a;
	const size_t base = tile * TILE;
	const size_t count = a->tk - base < TILE ? a->tk - base : TILE;
	key_range lanes[QUERIES];
	size_t begin, end, keys;
	float space[TILE];
	if (!visible_rows(b, base, count, lanes, &begin, &end, &keys)) return;
	b->table->product(b->scores + begin * TILE, TILE, b->q + begin * b->ldq, b->ldq, 1, tile_keys(a, b->h, tile), TILE,
	                  end - begin, a->head_dim, keys, false);
	for (size_t r = begin; r < end; r++) {
		float *s = b->scores + r * TILE;
		const size_t i = b->first + r;
		const float *bias = attend_attention_bias(a, b->h, i, base, lanes[r].lo, lanes[r].hi, space);
		const float correction = b->table->attention_row(s, lanes[r].lo, lanes[r].hi, a->scale, bias, &b->max[r], b->sum[r]);
		if (correction != 1.0f) b->table->scale(b->out + r * a->ldo, b->out + r * a->ldo, correction, a->head_dim);
		if (a->dropout > 0.0f) attend_attention_dropout(a, b->table, b->h, i, base, lanes[r].hi, s);
	}
	add_values(b, lanes, begin, end, tile_values(a, b->h, tile));
}

static float log_of_sum(float max, float sum)
{
	return sum == 0.0f ? -INFINITY : max + logf(sum);
}

/* A second pass over the keys, made only when somebody asked to see them. */
static void write_probabilities(query_block *b, const float *log_sums)
{
	const attend_attention *a = b->a;
	float space[TILE];
	for (size_t base = 0; base < a->tk; base += TILE) {
		const size_t count = a->tk - base < TILE ? a->tk - base : TILE;
		b->table->product(b->scores, TILE, b->q, b->ldq, 1, tile_keys(a, b->h, base / TILE), TILE, b->rows, a->head_dim, count,
		                  false);
		for (size_t r = 0; r < b->rows; r++) {
			const size_t i = b->first + r;
			key_range lanes = tile_range(b->range[r], base, count);
			if (log_sums[r] == -INFINITY) lanes.hi = lanes.lo;
			const float *bias = lanes.lo < lanes.hi ? attend_attention_bias(a, b->h, i, base, lanes.lo, lanes.hi, space) : NULL;
			b->table->attention_probabilities(b->scores + r * TILE, lanes.lo, lanes.hi, a->scale, bias, log_sums[r]);
			memcpy(a->probabilities + (b->h * a->tq + i) * a->tk + base, b->scores + r * TILE, count * sizeof(float));
		}
	}
}

static void forward_block(const attend_attention *a, const struct attend_row_table *table, size_t h, size_t first)
{
	query_block b = {.a = a, .table = table, .h = h, .first = first};
	float packed[QUERIES * PACKED_DIM];
	b.rows = a->tq - first < QUERIES ? a->tq - first : QUERIES;
	b.q = a->q + first * a->ldq + h * a->head_dim;
	b.ldq = a->ldq;
	b.out = a->out + first * a->ldo + h * a->head_dim;
	if (b.rows > 1 && a->head_dim <= PACKED_DIM) { /* rows a power of two apart would share a few cache sets */
		for (size_t r = 0; r < b.rows; r++)
			memcpy(packed + r * a->head_dim, b.q + r * b.ldq, a->head_dim * sizeof *packed);
		b.q = packed;
		b.ldq = a->head_dim;
	}
	size_t lo = a->tk, hi = 0;
	for (size_t r = 0; r < b.rows; r++) {
		b.range[r] = attend_attention_range(a, first + r);
		b.max[r] = -INFINITY;
		memset(b.out + r * a->ldo, 0, a->head_dim * sizeof(float));
		if (b.range[r].lo >= b.range[r].hi) continue;
		if (b.range[r].lo < lo) lo = b.range[r].lo;
		if (b.range[r].hi > hi) hi = b.range[r].hi;
	}
	for (size_t tile = lo / TILE; tile * TILE < hi; tile++) attend_to_tile(&b, tile);

	float log_sums[QUERIES];
	for (size_t r = 0; r < b.rows; r++) {
		float sum = 0.0f;
		for (size_t j = 0; j < ATTEND_SUM_LANES; j++) sum += b.sum[r][j];
		table->scale(b.out + r * a->ldo, b.out + r * a->ldo, sum == 0.0f ? 0.0f : 1.0f / sum, a->head_dim);
		log_sums[r] = log_of_sum(b.max[r], sum);
	}
	if (a->log_sum) memcpy(a->log_sum + h * a->tq + first, log_sums, b.rows * sizeof *log_sums);
	if (a->probabilities) write_probabilities(&b, log_sums);
}

/* ---- Over the team -------------------------------------------------------------------------------------------------- */
typedef struct forward_job {
	const attend_attention *sequences;
	size_t count;
	const size_t *first_block; /* [count+1]: blocks of the sequences before */
	const struct attend_row_table *table;
} forward_job;

static size_t head_blocks(const attend_attention *a)
{
	return (a->tq + QUERIES - 1) / QUERIES;
}

static void forward_blocks(void *arg, size_t begin, size_t end)
{
	const forward_job *j = arg;
	size_t low = 0, high = j->count;
	while (high - low > 1) { /* the last sequence that starts at or before `begin` */
		const size_t middle = low + (high - low) / 2;
		if (j->first_block[middle] <= begin)
			low = middle;
		else
			high = middle;
	}
	for (size_t block = begin; block < end; block++) {
		while (block >= j->first_block[low + 1]) low++;
		const attend_attention *a = &j->sequences[low];
		const size_t index = block - j->first_block[low];
		forward_block(a, j->table, index / head_blocks(a), index % head_blocks(a) * QUERIES);
	}
}

size_t attend_attention_scratch(const attend_attention *sequences, size_t count)
{
	(void)sequences;
	return (count + 1) * sizeof(size_t);
}

void attend_attention_forward(const attend_attention *sequences, size_t count, void *scratch)
{
	size_t *first_block = scratch;
	size_t blocks = 0, work = 0;
	for (size_t i = 0; i < count; i++) {
		const attend_attention *a = &sequences[i];
		first_block[i] = blocks;
		blocks += a->heads * head_blocks(a);
		work += a->heads * a->tq * (a->tk + 1) * a->head_dim / 8;
	}
	if (blocks == 0) return;
	first_block[count] = blocks;
	forward_job job = {sequences, count, first_block, attend_row_kernels()};
	attend_split(blocks, work / blocks + 1, forward_blocks, &job);
}
