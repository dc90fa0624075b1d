/* relative.c: T5's relative position buckets (Raffel et al. 2020, section 2.1) and the bias table over distances, forward and
 * backward. */
#include <math.h>

#include "lib/kernels/row_table.h"

/* Half of the buckets hold one distance each, the other half grow logarithmically up to max_distance; both directions share
 * the buckets when bidirectional (a key to the right lies in the upper half), else keys to the right fall in bucket 0. */
size_t attend_relative_bucket(int64_t distance, bool bidirectional, size_t buckets, size_t max_distance)
{
	size_t first = 0;
	uint64_t n = 0;
	if (bidirectional) {
		buckets /= 2;
		if (distance > 0) first = buckets;
		n = distance < 0 ? (uint64_t)0 - (uint64_t)distance : (uint64_t)distance;
	} else if (distance < 0) {
		n = (uint64_t)0 - (uint64_t)distance;
	}
	if (buckets == 0) return first;
	const size_t exact = buckets / 2;
	if (n < exact) return first + (size_t)n;
	if (exact == 0 || max_distance <= exact) return first + buckets - 1;
	/* f32 like the reference, which decides on the exact powers */
	const float ratio = logf((float)n / (float)exact) / (float)log((double)max_distance / (double)exact);
	const float step = ratio * (float)(buckets - exact);
	const size_t bucket = step < (float)buckets ? exact + (size_t)step : buckets - 1;
	return first + (bucket < buckets ? bucket : buckets - 1);
}

void attend_relative_bias_forward(float *distance_bias, size_t span, const float *table, size_t heads,
                                  bool bidirectional, size_t buckets, size_t max_distance)
{
	const size_t width = 2 * span + 1;
	for (size_t i = 0; i < width; i++) {
		const size_t bucket = attend_relative_bucket((int64_t)i - (int64_t)span, bidirectional, buckets, max_distance);
		for (size_t h = 0; h < heads; h++) distance_bias[h * width + i] = table[bucket * heads + h];
	}
}

void attend_relative_bias_backward(float *dtable, const float *d_distance_bias, size_t span, size_t heads,
                                   bool bidirectional, size_t buckets, size_t max_distance)
{
	const size_t width = 2 * span + 1;
	for (size_t i = 0; i < width; i++) {
		const size_t bucket = attend_relative_bucket((int64_t)i - (int64_t)span, bidirectional, buckets, max_distance);
		for (size_t h = 0; h < heads; h++) dtable[bucket * heads + h] += d_distance_bias[h * width + i];
	}
}
