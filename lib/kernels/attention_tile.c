/* attention_tile.c: additive biases and dropout of one query row against one tile of keys. */
#include "lib/kernels/attention_tile.h"

#include <math.h>

size_t attend_distance_index(int64_t distance, size_t span)
{
	if (distance < 0) {
		const uint64_t left = (uint64_t)0 - (uint64_t)distance;
		return left < span ? span - (size_t)left : 0;
	}
	return (uint64_t)distance < span ? span + (size_t)distance : 2 * span;
}

static bool outside_window(const attend_attention *a, int64_t distance)
{
	if (distance < 0) return (uint64_t)0 - (uint64_t)distance > a->window_left;
	return (uint64_t)distance > a->window_right;
}

const float *attend_attention_bias(const attend_attention *a, size_t h, size_t i, size_t base, size_t lo, size_t hi,
                                   float space[ATTEND_KV_TILE])
{
	const bool positions = a->q_positions || a->k_positions;
	const bool window = a->windowed && positions;
	const float *dense = a->dense_bias ? a->dense_bias + h * a->dense_ldh + i * a->dense_ldi + base : NULL;
	if (!a->distance_bias && !window) return dense;

	const int64_t query = a->q_positions ? (int64_t)a->q_positions[i] : (int64_t)(a->first_query + i);
	const float *distances = a->distance_bias ? a->distance_bias + h * (2 * a->distance_span + 1) : NULL;
	if (!positions && !dense) { /* neighbours in the table, unless the ends clamp */
		const int64_t start = (int64_t)base - query + (int64_t)a->distance_span;
		if (start >= 0 && (uint64_t)start + hi <= 2 * (uint64_t)a->distance_span + 1) return distances + start;
	}
	for (size_t j = lo; j < hi; j++) {
		const int64_t key = a->k_positions ? (int64_t)a->k_positions[base + j] : (int64_t)(base + j);
		float bias = distances ? distances[attend_distance_index(key - query, a->distance_span)] : 0.0f;
		if (window && outside_window(a, key - query)) bias = -INFINITY;
		space[j] = dense ? bias + dense[j] : bias;
	}
	return space;
}

void attend_attention_dropout(const attend_attention *a, const struct attend_row_table *table, size_t h, size_t i,
                              size_t base, size_t count, float *p)
{
	const uint64_t first = (uint64_t)(h * a->tq + i) * a->tk + base;
	table->dropout(p, p, attend_dropout_threshold(a->dropout), attend_dropout_factor(a->dropout), a->dropout_seed,
	               a->dropout_stream, first, count);
}
