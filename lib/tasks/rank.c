/* rank.c: softmax in f64 sums, and the k largest by a heap. */
#include "lib/tasks/rank.h"

#include <math.h>

void attend_rank_softmax(float *out, const float *x, size_t n)
{
	float max = -INFINITY;
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		if (x[i] > max) max = x[i];
	for (size_t i = 0; i < n; i++) sum += exp((double)x[i] - (double)max);
	for (size_t i = 0; i < n; i++) out[i] = (float)(exp((double)x[i] - (double)max) / sum);
}

/* Does a stand before b? */
static bool before(const float *x, size_t a, size_t b)
{
	const bool nan_a = isnan(x[a]), nan_b = isnan(x[b]);
	if (nan_a != nan_b) return nan_b;
	if (!nan_a && x[a] != x[b]) return x[a] > x[b];
	return a < b;
}

/* Heap with the last in order at heap[0]. */
static void sink(size_t *heap, size_t n, size_t i, const float *x)
{
	for (;;) {
		size_t last = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
			if (before(x, heap[last], heap[child])) last = child;
		if (last == i) return;
		const size_t swap = heap[i];
		heap[i] = heap[last];
		heap[last] = swap;
		i = last;
	}
}

size_t attend_rank_top(size_t *top, size_t k, const float *x, size_t n)
{
	if (k > n) k = n;
	if (k == 0) return 0;
	for (size_t i = 0; i < k; i++) top[i] = i;
	for (size_t i = k / 2; i-- > 0;) sink(top, k, i, x);
	for (size_t i = k; i < n; i++) {
		if (!before(x, i, top[0])) continue;
		top[0] = i;
		sink(top, k, 0, x);
	}
	for (size_t end = k; end > 1; end--) {
		const size_t worst = top[0];
		top[0] = top[end - 1];
		top[end - 1] = worst;
		sink(top, end - 1, 0, x);
	}
	return k;
}
