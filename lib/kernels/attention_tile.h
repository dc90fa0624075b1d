/* attention_tile.h: where things lie in a tile of keys and values, and what attention's forward and backward share: which keys
 * a query sees, biases, dropout of a tile. */
#ifndef ATTEND_KERNELS_ATTENTION_TILE_H
#define ATTEND_KERNELS_ATTENTION_TILE_H

#include "lib/kernels/row_table.h"

/* ---- Layout of a tile (kernels.h), in floats ------------------------------------------------------------------------- */
static inline size_t kv_pair(const attend_kv_shape *shape) /* numbers in a word */
{
	return shape->type == ATTEND_KV_BF16 ? 2 : 1;
}

static inline size_t kv_key_rows(const attend_kv_shape *shape)
{
	return (shape->head_dim + kv_pair(shape) - 1) / kv_pair(shape);
}

static inline size_t kv_value_rows(const attend_kv_shape *shape)
{
	return ATTEND_KV_TILE / kv_pair(shape);
}

/* Where the keys and the values of head h begin. */
static inline size_t kv_keys(const attend_kv_shape *shape, size_t h)
{
	return h * kv_key_rows(shape) * ATTEND_KV_TILE;
}

static inline size_t kv_values(const attend_kv_shape *shape, size_t h)
{
	return kv_keys(shape, shape->heads) + h * kv_value_rows(shape) * shape->head_dim;
}

/* One value row, BF16, into its half of the pairs [dim]: half 1 is the odd position. The other half stays. */
void attend_kv_store_half(float *pairs, size_t half, const float *v, size_t dim);

/* ---- What a query sees ------------------------------------------------------------------------------------------------- */
/* Key positions lo .. hi-1 that query i sees by causality and by the window over indices (a window over given positions is a
 * bias of -inf). lo >= hi: none. */
static inline attend_lane_range attention_range(const attend_attention *a, size_t i)
{
	attend_lane_range range = {0, a->tk};
	const size_t query = a->first_query + i;
	if (a->causal && query < a->tk) range.hi = query + 1;
	if (a->windowed && !a->q_positions && !a->k_positions) {
		if (query > a->window_left) range.lo = query - a->window_left;
		if (a->window_right < range.hi && query < range.hi - a->window_right) {
			const size_t hi = query + a->window_right + 1;
			if (hi < range.hi) range.hi = hi;
		}
	}
	return range;
}

/* Whether any bias, or a window over given positions, is added to the scores. */
static inline bool attention_has_bias(const attend_attention *a)
{
	return a->distance_bias || a->dense_bias || (a->windowed && (a->q_positions || a->k_positions));
}

/* Bias of head h, query i at lanes lo..hi-1 of the tile that starts at key `base`: NULL when there is none, else readable in
 * those lanes; may use `space`. */
const float *attend_attention_bias(const attend_attention *a, size_t h, size_t i, size_t base, size_t lo, size_t hi,
                                   float space[ATTEND_KV_TILE]);

/* p [TILE] *= mask/(1-p) at lanes 0..count-1 of that tile. */
void attend_attention_dropout(const attend_attention *a, const struct attend_row_table *table, size_t h, size_t i,
                              size_t base, size_t count, float *p);

/* Index of a distance in a bias of 2*span+1, clamped. */
size_t attend_distance_index(int64_t distance, size_t span);

/* Lanes of a tile's part of a range. */
static inline attend_lane_range tile_range(attend_lane_range range, size_t base, size_t count)
{
	const attend_lane_range lanes = {range.lo > base ? range.lo - base : 0, range.hi > base ? range.hi - base : 0};
	return (attend_lane_range){lanes.lo < count ? lanes.lo : count, lanes.hi < count ? lanes.hi : count};
}

#endif
