/* attention.c: softmax(q k^T) v (Vaswani et al. 2017) over tiles of keys with a running maximum and sum (Milakov & Gimelshein
 * 2018, Dao et al. 2022), forward; attention_backward.c is its other half.
 *   m' = max(m, max_j s_j); p_j = exp(s_j - m'); sum' = sum*exp(m - m') + sum_j p_j; out' = out*exp(m - m') + sum_j p_j v_j
 *   at the end out /= sum, log_sum = m + log(sum)
 * with 2^(s log2 e) for e^s throughout, which spares the reduction by ln 2.
 * Tiles start at absolute key positions, a row's sums run over its own visible keys in rising order, and a tile in which it
 * sees nothing is an identity: so a row's bits are the same in a prefill, a chunk and a cached step. In BF16 a pair of keys
 * of which a row sees one is multiplied with the other's value taken as 0, wherever the row stands. */
#include <math.h>
#include <string.h>

#include "lib/core/half.h"
#include "lib/kernels/attention_tile.h"
#include "lib/kernels/math_portable.h"

enum {
	TILE = ATTEND_KV_TILE,
	QUERIES = 24,      /* rows that share a pass over a head's tiles */
	VALUE_ROWS = 6,    /* rows that share a pass over a tile's values */
	FEW_QUERIES = 6,   /* read keys and values more slowly from memory than they multiply them */
	GROUP_QUERIES = 4, /* from here on tile registers pay */
	MOST_QUERIES = ATTEND_GROUP_ROWS,
	PACKED_DIM = 256 /* up to this head dimension the queries are copied together */
};

_Static_assert((size_t)MOST_QUERIES *PACKED_DIM / 2 <= (size_t)QUERIES * PACKED_DIM, "pairs of all queries");

/* ---- A block of queries of one head ----------------------------------------------------------------------------------- */
typedef struct query_block {
	const attend_attention *a;
	const struct attend_row_table *table;
	const struct attend_attention_groups *tiles; /* to multiply on, or NULL */
	size_t h, first, rows;                       /* queries first .. first+rows-1 */
	attend_lane_range range[MOST_QUERIES];
	attend_lane_range some, all; /* keys that any row sees lie in `some`, all rows see `all` */
	float *out;                  /* of the block, or `sums` */
	size_t ldo;
	bool fresh;                   /* nothing was added to out yet, it is not cleared either */
	const attend_attention *next; /* whose head next_h comes next on this thread; or NULL */
	size_t next_h, next_tile;
	_Alignas(64) float q[QUERIES * PACKED_DIM]; /* scale * log2 e * q; BF16: in pairs, of MOST_QUERIES too */
	float max[MOST_QUERIES], factor[MOST_QUERIES], sum[MOST_QUERIES][ATTEND_SUM_LANES];
	_Alignas(64) float scores[MOST_QUERIES * TILE];
	_Alignas(64) float pairs[MOST_QUERIES * (TILE / 2)]; /* BF16: probabilities */
	_Alignas(64) float sums[MOST_QUERIES * PACKED_DIM];
} query_block;

static const float *tile_keys(const attend_attention *a, size_t h, size_t tile)
{
	return a->tiles[tile] + kv_keys(&a->kv, h);
}

static float *tile_values(const attend_attention *a, size_t h, size_t tile)
{
	return a->tiles[tile] + kv_values(&a->kv, h);
}

static bool paired(const attend_attention *a)
{
	return a->kv.type == ATTEND_KV_BF16;
}

/* How the level sums by groups, where it does. */
static const struct attend_attention_groups *groups_of(const attend_attention *a, const struct attend_row_table *table)
{
	return paired(a) ? table->groups : NULL;
}

/* Queries of a block. */
static size_t block_queries(const attend_attention *a, const struct attend_row_table *table)
{
	return groups_of(a, table) ? ATTEND_GROUP_ROWS : QUERIES;
}

/* A step of a decoder reads all keys and values once, from all over the cache: the next ones are asked for while these are
 * computed with. (Inlined by force: gcc takes a function that only asks for memory to do nothing, and drops its calls.) */
static inline __attribute__((always_inline)) void ask_lines(const float *at, size_t floats)
{
	for (size_t i = 0; i < floats; i += 16) __builtin_prefetch(at + i, 0, 2);
}

static size_t tile_count(const attend_attention *a, size_t tile)
{
	const size_t rest = a->tk - tile * TILE;
	return rest < TILE ? rest : TILE;
}

static inline __attribute__((always_inline)) void ask_keys(const attend_attention *a, size_t h, size_t tile)
{
	const size_t count = tile_count(a, tile);
	const float *k = tile_keys(a, h, tile);
	for (size_t d = 0; d < kv_key_rows(&a->kv); d++) ask_lines(k + d * TILE, count);
}

static inline __attribute__((always_inline)) void ask_values(const attend_attention *a, size_t h, size_t tile)
{
	ask_lines(tile_values(a, h, tile), tile_count(a, tile) * a->kv.head_dim / kv_pair(&a->kv));
}

/* Queries, scaled, of head dimensions d .. d+dims-1 into b->q. Together they lie well in the cache, where rows a power of
 * two apart would share a few sets. */
static void pack_queries(query_block *b, size_t d, size_t dims)
{
	const attend_attention *a = b->a;
	const float *q = a->q + b->first * a->ldq + b->h * a->kv.head_dim + d;
	const float scale = a->scale * MATH_LOG2_E;
	if (paired(a)) {
		b->table->round_pairs(b->q, q, a->ldq, scale, b->rows, dims);
		return;
	}
	float factors[MOST_QUERIES];
	for (size_t r = 0; r < b->rows; r++) factors[r] = scale;
	b->table->scale_rows(b->q, dims, q, a->ldq, factors, b->rows, dims);
}

/* What the blocks of a head will read, a share at a time: all of them read it, from the L2 cache. */
static void ask_head(const attend_attention *a, size_t h, size_t share, size_t shares)
{
	for (size_t tile = share; tile < attend_kv_tiles(a->tk); tile += shares) {
		ask_keys(a, h, tile);
		ask_values(a, h, tile);
	}
}

/* The newest key is not in its tile yet: reading what was just written, a word here and there, would wait for the writing. */
static bool holds_new(const attend_attention *a, size_t tile)
{
	return a->new_key && a->first_query / TILE == tile;
}

/* Scores c (+)= q k in words of the type. */
static void add_scores(const query_block *b, float *c, size_t ldc, const float *q, size_t ldq, const float *k,
                       size_t ldk, size_t rows, size_t steps, size_t n, attend_product_start start)
{
	if (paired(b->a)) b->table->product_pairs(c, ldc, q, ldq, 1, k, ldk, rows, steps, n, start, NULL);
	else b->table->product(c, ldc, q, ldq, 1, k, ldk, rows, steps, n, start, NULL);
}

/* Scores, times log2 e, of rows begin .. end-1 against the first `keys` lanes of a tile. A head that does not fit is taken in
 * parts: still one chain over its dimensions. */
static void score_tile(query_block *b, size_t tile, size_t begin, size_t end, size_t keys)
{
	const size_t dim = b->a->kv.head_dim, pair = kv_pair(&b->a->kv);
	const float *k = tile_keys(b->a, b->h, tile);
	const bool newest = holds_new(b->a, tile);
	float score = 0.0f;
	for (size_t d = 0; d < dim; d += PACKED_DIM) {
		const size_t dims = dim - d < PACKED_DIM ? dim - d : PACKED_DIM, words = (dims + pair - 1) / pair;
		if (dim > PACKED_DIM) pack_queries(b, d, dims);
		if (b->tiles) {
			b->tiles->scores(b->scores, b->q, k, begin, end, words, keys);
			return;
		}
		add_scores(b, b->scores + begin * TILE, TILE, b->q + begin * words, words, k + d / pair * TILE, TILE,
		           end - begin, words, keys, d ? ATTEND_FROM_C : ATTEND_FROM_ZERO);
		if (!newest) continue;
		const float *key = b->a->new_key + b->h * dim + d;
		float space[PACKED_DIM];
		if (paired(b->a)) b->table->round_pairs(space, key, dims, 1.0f, 1, dims);
		add_scores(b, &score, TILE, b->q, words, paired(b->a) ? space : key, 1, 1, words, 1, ATTEND_FROM_C);
	}
	if (newest) b->scores[b->a->first_query % TILE] = score;
}

/* out = start + p v over the one lane of a pair, half 0 or 1. */
static void add_half(query_block *b, size_t row, size_t rows, size_t pair, size_t half, const float *values,
                     attend_product_start start)
{
	enum { DIMS = 64 };
	const size_t dim = b->a->kv.head_dim, ldo = b->ldo;
	float *out = b->out + row * ldo, words[DIMS];
	for (size_t d = 0; d < dim; d += DIMS) {
		const size_t dims = dim - d < DIMS ? dim - d : DIMS;
		for (size_t i = 0; i < dims; i++)
			words[i] = attend_bits_f32(attend_f32_bits(values[pair * dim + d + i]) & (half ? 0xffff0000u : 0xffffu));
		b->table->product_pairs(out + d, ldo, b->pairs + row * (TILE / 2) + pair, TILE / 2, 1, words, DIMS, rows, 1,
		                        dims, start, b->factor + row);
	}
}

/* out = start + p v of rows `row` .. row+rows-1 over lanes lo..hi-1. */
static void add_lanes(query_block *b, size_t row, size_t rows, size_t lo, size_t hi, const float *values,
                      attend_product_start start)
{
	const size_t dim = b->a->kv.head_dim, ldo = b->ldo;
	float *out = b->out + row * ldo;
	const float *factor = b->factor + row;
	if (!paired(b->a)) {
		b->table->product(out, ldo, b->scores + row * TILE + lo, TILE, 1, values + lo * dim, dim, rows, hi - lo, dim,
		                  start, factor);
		return;
	}
	if (lo % 2 && lo < hi) {
		add_half(b, row, rows, lo / 2, 1, values, start);
		start = ATTEND_FROM_C;
		lo++;
	}
	const size_t pairs = lo < hi ? (hi - lo) / 2 : 0;
	b->table->product_pairs(out, ldo, b->pairs + row * (TILE / 2) + lo / 2, TILE / 2, 1, values + lo / 2 * dim, dim,
	                        rows, pairs, dim, start, factor);
	if (lo < hi && hi % 2) add_half(b, row, rows, hi / 2, 0, values, ATTEND_FROM_C);
}

/* out = factor*out + p v for the rows begin .. end-1. Each row's chain runs over its own lanes; what up to VALUE_ROWS rows
 * have in common is done at once, the ends by single rows. */
static void add_values(query_block *b, const attend_lane_range *lanes, size_t begin, size_t end, const float *values)
{
	const size_t pair = kv_pair(&b->a->kv);
	for (size_t r = begin, stop; r < end; r = stop) {
		stop = end - r < VALUE_ROWS ? end : r + VALUE_ROWS;
		size_t lo = 0, hi = TILE;
		for (size_t i = r; i < stop; i++) {
			if (lanes[i].lo > lo) lo = lanes[i].lo;
			if (lanes[i].hi < hi) hi = lanes[i].hi;
		}
		lo = (lo + pair - 1) / pair * pair;
		hi = hi / pair * pair;
		const bool shared = lo < hi;
		for (size_t i = r; i < stop; i++)
			add_lanes(b, i, 1, lanes[i].lo, shared ? lo : lanes[i].hi, values, ATTEND_FROM_SCALED);
		if (!shared) continue;
		add_lanes(b, r, stop - r, lo, hi, values, ATTEND_FROM_C);
		for (size_t i = r; i < stop; i++)
			if (hi < lanes[i].hi) add_lanes(b, i, 1, hi, lanes[i].hi, values, ATTEND_FROM_C);
	}
}

static void clear_out(const query_block *b)
{
	const size_t width = b->tiles ? b->ldo : b->a->kv.head_dim;
	for (size_t r = 0; r < b->rows; r++) memset(b->out + r * b->ldo, 0, width * sizeof(float));
}

/* Rows of the block that see a key of the tile lie together: begin .. end-1; they see nothing from lane `keys` on. */
static bool visible_rows(const query_block *b, size_t base, size_t count, attend_lane_range *lanes, size_t *begin,
                         size_t *end, size_t *keys)
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

/* A tile as the block's rows see it. */
typedef struct seen_tile {
	size_t tile, base, count; /* first key, keys */
	attend_lane_range lanes[MOST_QUERIES];
	attend_lane_range all;   /* that all rows see */
	bool even;               /* no row sees others */
	size_t begin, end, keys; /* rows that see any, lanes that they see none behind */
} seen_tile;

/* Whether any row sees any of it. */
static bool look_at_tile(seen_tile *t, const query_block *b, size_t tile)
{
	t->tile = tile;
	t->base = tile * TILE;
	t->count = tile_count(b->a, tile);
	t->all = tile_range(b->all, t->base, t->count);
	t->begin = 0;
	t->end = b->rows;
	const attend_lane_range some = tile_range(b->some, t->base, t->count);
	t->keys = some.hi;
	t->even = some.lo == t->all.lo && some.hi == t->all.hi;
	if (!t->even) return visible_rows(b, t->base, t->count, t->lanes, &t->begin, &t->end, &t->keys);
	for (size_t r = 0; r < b->rows; r++) t->lanes[r] = t->all;
	return true;
}

/* out = start + p v where the level sums by groups. */
static void add_grouped(query_block *b, const struct attend_attention_groups *groups, const seen_tile *t,
                        const float *values, attend_product_start start)
{
	const size_t dim = b->a->kv.head_dim, ldo = b->ldo;
	if (b->tiles) {
		b->tiles->values(b->out, b->pairs, values, dim, t->begin, t->end, t->lanes, t->even, start, b->factor);
		return;
	}
	for (size_t r = t->begin; r < t->end; r++)
		groups->value_row(b->out + r * ldo, b->pairs + r * (TILE / 2), t->lanes[r], values, dim, dim, start,
		                  b->factor[r]);
}

/* Scores become probabilities, not yet divided by their sums. */
static void soften_seen(query_block *b, const seen_tile *t)
{
	const attend_attention *a = b->a;
	const size_t begin = t->begin, end = t->end;
	const bool whole = t->even && t->all.lo == 0 && t->all.hi == TILE;
	float *scores = b->scores + begin * TILE, *max = b->max + begin, *factor = b->factor + begin;
	float *pairs = paired(a) ? b->pairs + begin * (TILE / 2) : NULL;
	const attend_lane_range *ranges = whole ? NULL : t->lanes + begin;
	if (attention_has_bias(a)) {
		const float *bias[MOST_QUERIES];
		float space[MOST_QUERIES][TILE];
		for (size_t r = begin; r < end; r++)
			bias[r] = attend_attention_bias(a, b->h, b->first + r, t->base, t->lanes[r].lo, t->lanes[r].hi, space[r]);
		b->table->attention_rows(scores, pairs, end - begin, ranges, bias + begin, max, factor, b->sum + begin);
	} else {
		b->table->attention_rows(scores, pairs, end - begin, ranges, NULL, max, factor, b->sum + begin);
	}
	if (a->dropout > 0.0f)
		for (size_t r = begin; r < end; r++)
			attend_attention_dropout(a, b->table, b->h, b->first + r, t->base, t->lanes[r].hi, b->scores + r * TILE);
}

/* The values of what soften_seen was called for last. */
static void add_seen(query_block *b, const seen_tile *t)
{
	const attend_attention *a = b->a;
	const float *values = tile_values(a, b->h, t->tile);
	const attend_product_start start = t->even && b->fresh ? ATTEND_FROM_ZERO : ATTEND_FROM_SCALED;
	const struct attend_attention_groups *groups = groups_of(a, b->table);
	if (!t->even && b->fresh) clear_out(b);
	if (groups) add_grouped(b, groups, t, values, start);
	else if (t->even) add_lanes(b, 0, b->rows, t->all.lo, t->all.hi, values, start);
	else add_values(b, t->lanes, t->begin, t->end, values);
	b->fresh = false;
}

static void attend_to_tiles(query_block *b)
{
	const bool few = b->rows <= FEW_QUERIES;
	for (size_t tile = b->some.lo / TILE; tile * TILE < b->some.hi; tile++) {
		seen_tile t;
		if (!look_at_tile(&t, b, tile)) continue;
		if (few) ask_values(b->a, b->h, tile);
		score_tile(b, tile, t.begin, t.end, t.keys);
		if (few && t.base + TILE < b->some.hi) ask_keys(b->a, b->h, tile + 1);
		else if (few && b->next) ask_keys(b->next, b->next_h, b->next_tile);
		soften_seen(b, &t);
		add_seen(b, &t);
	}
}

/* Tile registers answer late: a tile's values are added behind the next one's scores, while vectors compute its softmax. */
static void attend_on_registers(query_block *b)
{
	seen_tile seen[2], *before = NULL;
	size_t turn = 0;
	b->tiles->enter();
	for (size_t tile = b->some.lo / TILE; tile * TILE < b->some.hi; tile++) {
		seen_tile *t = &seen[turn];
		if (!look_at_tile(t, b, tile)) continue;
		score_tile(b, tile, t->begin, t->end, t->keys);
		if (before) add_seen(b, before);
		soften_seen(b, t);
		before = t;
		turn = 1 - turn;
	}
	if (before) add_seen(b, before);
	b->tiles->leave();
}

/* max counts in powers of two. */
static float log_of_sum(float max, float sum)
{
	return sum == 0.0f ? -INFINITY : max * MATH_LN_2 + logf(sum);
}

/* A second pass over the keys, made only when somebody asked to see them. */
static void write_probabilities(query_block *b, const float *log_sums)
{
	const attend_attention *a = b->a;
	float space[TILE];
	if (b->tiles) b->tiles->enter();
	for (size_t base = 0; base < a->tk; base += TILE) {
		const size_t count = a->tk - base < TILE ? a->tk - base : TILE;
		score_tile(b, base / TILE, 0, b->rows, count);
		for (size_t r = 0; r < b->rows; r++) {
			const size_t i = b->first + r;
			attend_lane_range lanes = tile_range(b->range[r], base, count);
			if (log_sums[r] == -INFINITY) lanes.hi = lanes.lo;
			const float *bias =
				lanes.lo < lanes.hi ? attend_attention_bias(a, b->h, i, base, lanes.lo, lanes.hi, space) : NULL;
			b->table->attention_probabilities(b->scores + r * TILE, lanes.lo, lanes.hi, MATH_LN_2, bias, log_sums[r]);
			memcpy(a->probabilities + (b->h * a->tq + i) * a->tk + base, b->scores + r * TILE, count * sizeof(float));
		}
	}
	if (b->tiles) b->tiles->leave();
}

static float *block_out(const query_block *b)
{
	return b->a->out + b->first * b->a->ldo + b->h * b->a->kv.head_dim;
}

/* Everything but the large arrays, whose clearing would cost more than a short sequence's softmax. */
static void start_block(query_block *b, const attend_attention *a, const struct attend_row_table *table, size_t h,
                        size_t first)
{
	b->a = a;
	b->table = table;
	b->h = h;
	b->first = first;
	b->rows = a->tq - first < block_queries(a, table) ? a->tq - first : block_queries(a, table);
	b->tiles = b->rows >= GROUP_QUERIES && a->kv.head_dim <= PACKED_DIM ? groups_of(a, table) : NULL;
	b->out = b->tiles ? b->sums : block_out(b);
	b->ldo = b->tiles ? attend_group_columns(a->kv.head_dim) : a->ldo;
	b->fresh = true;
	b->next = NULL;
	b->some = (attend_lane_range){a->tk, 0};
	b->all = (attend_lane_range){0, a->tk};
	const bool alike = !a->causal && !a->windowed;
	for (size_t r = 0; r < b->rows; r++) {
		b->range[r] = (attend_lane_range){0, a->tk};
		b->max[r] = -INFINITY;
		memset(b->sum[r], 0, sizeof b->sum[r]);
	}
	if (alike && a->tk) b->some = b->all;
	for (size_t r = 0; r < b->rows && !alike; r++) {
		const attend_lane_range range = b->range[r] = attention_range(a, first + r);
		if (range.lo > b->all.lo) b->all.lo = range.lo;
		if (range.hi < b->all.hi) b->all.hi = range.hi;
		if (range.lo >= range.hi) continue;
		if (range.lo < b->some.lo) b->some.lo = range.lo;
		if (range.hi > b->some.hi) b->some.hi = range.hi;
	}
	if (a->kv.head_dim <= PACKED_DIM) pack_queries(b, 0, a->kv.head_dim);
}

/* A single query's own position, one head: its value before the tiles are read (whole vectors are read from where whole
 * vectors were written without waiting), its key after. */
static void store_new_value(const attend_attention *a, const struct attend_row_table *table, size_t h)
{
	const size_t lane = a->first_query % TILE, dim = a->kv.head_dim;
	const float *v = a->new_value + h * dim;
	float *values = tile_values(a, h, a->first_query / TILE) + lane / kv_pair(&a->kv) * dim;
	if (paired(a)) attend_kv_store_half(values, lane % 2, v, dim);
	else table->scale(values, v, 1.0f, dim);
}

static void store_new_key(const attend_attention *a, const struct attend_row_table *table, size_t h)
{
	const size_t dim = a->kv.head_dim, pair = kv_pair(&a->kv);
	float *keys = a->tiles[a->first_query / TILE] + kv_keys(&a->kv, h) + a->first_query % TILE;
	for (size_t d = 0; d < dim; d += PACKED_DIM) {
		const size_t dims = dim - d < PACKED_DIM ? dim - d : PACKED_DIM;
		const float *key = a->new_key + h * dim + d;
		float space[PACKED_DIM];
		if (paired(a)) {
			table->round_pairs(space, key, dims, 1.0f, 1, dims);
			key = space;
		}
		for (size_t i = 0; i < (dims + pair - 1) / pair; i++) keys[(d / pair + i) * TILE] = key[i];
	}
}

/* next: the sequence whose head next_h this thread attends to afterwards, or NULL. */
/* The lanes of a running sum, in an order of its own. */
static float sum_of_lanes(const float lanes[ATTEND_SUM_LANES])
{
	typedef float quarter __attribute__((vector_size(16)));
	quarter q[4];
	memcpy(q, lanes, sizeof q);
	q[0] = (q[0] + q[1]) + (q[2] + q[3]);
	return (q[0][0] + q[0][1]) + (q[0][2] + q[0][3]);
}

static void forward_block(const attend_attention *a, const struct attend_row_table *table, size_t h, size_t first,
                          const attend_attention *next, size_t next_h)
{
	query_block b;
	start_block(&b, a, table, h, first);
	if (next) {
		const size_t lo = attention_range(next, 0).lo;
		b.next = lo < next->tk ? next : NULL;
		b.next_h = next_h;
		b.next_tile = lo / TILE;
	}
	if (a->new_key) store_new_value(a, table, h);
	if (b.tiles) attend_on_registers(&b);
	else attend_to_tiles(&b);
	if (b.fresh) clear_out(&b);
	if (a->new_key) store_new_key(a, table, h);

	const bool logs = a->log_sum || a->probabilities;
	float log_sums[MOST_QUERIES], inverse[MOST_QUERIES];
	for (size_t r = 0; r < b.rows; r++) {
		const float sum = sum_of_lanes(b.sum[r]);
		inverse[r] = sum == 0.0f ? 0.0f : 1.0f / sum;
		if (logs) log_sums[r] = log_of_sum(b.max[r], sum);
	}
	table->scale_rows(block_out(&b), a->ldo, b.out, b.ldo, inverse, b.rows, a->kv.head_dim);
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

static size_t head_blocks(const attend_attention *a, const struct attend_row_table *table)
{
	const size_t queries = block_queries(a, table);
	return (a->tq + queries - 1) / queries;
}

static void forward_blocks(void *arg, size_t begin, size_t end)
{
	const forward_job *j = arg;
	size_t low = 0, high = j->count;
	while (high - low > 1) { /* the last sequence that starts at or before `begin` */
		const size_t middle = low + (high - low) / 2;
		if (j->first_block[middle] <= begin) low = middle;
		else high = middle;
	}
	for (size_t block = begin; block < end; block++) {
		while (block >= j->first_block[low + 1]) low++;
		const attend_attention *a = &j->sequences[low], *next = NULL;
		const size_t index = block - j->first_block[low], blocks = head_blocks(a, j->table), h = index / blocks;
		size_t next_h = index + 1; /* one block of queries a head: blocks are heads */
		if (block + 1 < end && a->tq <= FEW_QUERIES) {
			next = next_h < a->kv.heads ? a : a + 1;
			if (next != a) next_h = 0;
		}
		if (groups_of(a, j->table) && a->tq > FEW_QUERIES) {
			if (h + 1 < a->kv.heads) ask_head(a, h + 1, index % blocks, blocks);
			else if (low + 1 < j->count) ask_head(a + 1, 0, index % blocks, blocks);
		}
		forward_block(a, j->table, h, index % blocks * block_queries(a, j->table), next, next_h);
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
	const struct attend_row_table *table = attend_row_kernels();
	size_t blocks = 0, work = 0;
	for (size_t i = 0; i < count; i++) {
		const attend_attention *a = &sequences[i];
		first_block[i] = blocks;
		blocks += a->kv.heads * head_blocks(a, table);
		work += a->kv.heads * a->tq * (a->tk + 1) * a->kv.head_dim / 8;
	}
	if (blocks == 0) return;
	first_block[count] = blocks;
	forward_job job = {sequences, count, first_block, table};
	attend_split(blocks, work / blocks + 1, forward_blocks, &job);
}
