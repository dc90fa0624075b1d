/* kv_tile.c: keys and values in tiles: their layout (kernels.h), storing rows in them, copying what is filled. */
#include <string.h>

#include "lib/core/half.h"
#include "lib/kernels/attention_tile.h"

enum { TILE = ATTEND_KV_TILE };

size_t attend_kv_tile_floats(const attend_kv_shape *shape)
{
	return shape->heads * (kv_key_rows(shape) * TILE + kv_value_rows(shape) * shape->head_dim);
}

/* ---- Storing ------------------------------------------------------------------------------------------------------- */
typedef struct store_job {
	const struct attend_row_table *table;
	const attend_kv_shape *shape;
	const attend_kv_rows *sequences;
	size_t ldk, ldv;
} store_job;

/* Pairs of head dimensions to lanes, a few at a time. */
static void store_key_pairs(const struct attend_row_table *table, float *keys, const float *k, size_t ldk, size_t count,
                            size_t dim)
{
	enum { DIMS = 64 };
	float words[TILE * (DIMS / 2)];
	for (size_t d = 0; d < dim; d += DIMS) {
		const size_t dims = dim - d < DIMS ? dim - d : DIMS, each = (dims + 1) / 2;
		table->round_pairs(words, k + d, ldk, 1.0f, count, dims);
		table->transpose(keys + d / 2 * TILE, words, each, count, each);
	}
}

/* A value whose neighbour in the pair is there already, or not yet. */
void attend_kv_store_half(float *pairs, size_t half, const float *v, size_t dim)
{
	const uint32_t kept = half ? 0xffffu : 0xffff0000u;
	for (size_t d = 0; d < dim; d++)
		pairs[d] = attend_bits_f32((attend_f32_bits(pairs[d]) & kept) | (uint32_t)attend_f32_bf16(v[d]) << 16 * half);
}

static void store_value_pairs(const struct attend_row_table *table, float *values, size_t lane, const float *v,
                              size_t ldv, size_t count, size_t dim)
{
	size_t i = 0;
	if (lane % 2) {
		attend_kv_store_half(values + lane / 2 * dim, 1, v, dim);
		i = 1;
	}
	for (; i + 2 <= count; i += 2)
		table->weave_pairs(values + (lane + i) / 2 * dim, v + i * ldv, v + (i + 1) * ldv, dim);
	if (i < count) attend_kv_store_half(values + (lane + i) / 2 * dim, 0, v + i * ldv, dim);
}

static void store_head(const store_job *j, const attend_kv_rows *s, size_t h)
{
	const attend_kv_shape *shape = j->shape;
	const size_t last = s->first + s->t, dim = shape->head_dim;
	for (size_t at = s->first, end; at < last; at = end) {
		const size_t tile = at / TILE, lane = at % TILE, row = at - s->first;
		end = last - tile * TILE < TILE ? last : (tile + 1) * TILE;
		float *keys = s->tiles[tile] + kv_keys(shape, h) + lane, *values = s->tiles[tile] + kv_values(shape, h);
		const float *k = s->k + row * j->ldk + h * dim, *v = s->v + row * j->ldv + h * dim;
		if (shape->type == ATTEND_KV_BF16) {
			store_key_pairs(j->table, keys, k, j->ldk, end - at, dim);
			store_value_pairs(j->table, values, lane, v, j->ldv, end - at, dim);
			continue;
		}
		j->table->transpose(keys, k, j->ldk, end - at, dim);
		for (size_t i = 0; i < end - at; i++) memcpy(values + (lane + i) * dim, v + i * j->ldv, dim * sizeof *v);
	}
}

/* One index is a head of a sequence, as attention takes them. */
static void store_heads(void *arg, size_t begin, size_t end)
{
	const store_job *j = arg;
	const size_t heads = j->shape->heads;
	for (size_t index = begin; index < end; index++) store_head(j, &j->sequences[index / heads], index % heads);
}

void attend_kv_store_all(const attend_kv_shape *shape, const attend_kv_rows *sequences, size_t count, size_t ldk,
                         size_t ldv)
{
	store_job job = {attend_row_kernels(), shape, sequences, ldk, ldv};
	size_t rows = 0;
	for (size_t s = 0; s < count; s++) rows += sequences[s].t;
	if (rows) attend_split(count * shape->heads, (rows / count + 1) * shape->head_dim * 4, store_heads, &job);
}

void attend_kv_store(const attend_kv_shape *shape, float *const *tiles, size_t first, size_t t, const float *k,
                     size_t ldk, const float *v, size_t ldv)
{
	const attend_kv_rows rows = {tiles, first, t, k, v};
	attend_kv_store_all(shape, &rows, 1, ldk, ldv);
}

/* ---- Copying ------------------------------------------------------------------------------------------------------- */
typedef struct copy_job {
	const attend_kv_shape *shape;
	float *to;
	const float *from;
	size_t filled;
} copy_job;

/* One index is a head of a tile: of every row of keys the filled lines, of values the filled rows. */
static void copy_heads(void *arg, size_t begin, size_t end)
{
	const copy_job *j = arg;
	const attend_kv_shape *shape = j->shape;
	const size_t lanes = (j->filled + 15) / 16 * 16, floats = attend_kv_tile_floats(shape);
	const size_t pair = kv_pair(shape), values = (j->filled + pair - 1) / pair * shape->head_dim;
	for (size_t index = begin; index < end; index++) {
		const size_t tile = index / shape->heads * floats, h = index % shape->heads;
		size_t at = tile + kv_keys(shape, h);
		for (size_t d = 0; d < kv_key_rows(shape); d++, at += TILE)
			memcpy(j->to + at, j->from + at, lanes * sizeof(float));
		at = tile + kv_values(shape, h);
		memcpy(j->to + at, j->from + at, values * sizeof(float));
	}
}

void attend_kv_copy(const attend_kv_shape *shape, float *to, const float *from, size_t tiles, size_t filled)
{
	copy_job job = {shape, to, from, filled};
	if (filled != 0) attend_split(tiles * shape->heads, (filled + 16) * shape->head_dim, copy_heads, &job);
}
