/* softmax.c: softmax and log-softmax of rows, shifted by the row's maximum so that nothing overflows. */
#include <math.h>

#include "lib/kernels/math_portable.h"
#include "lib/kernels/row_table.h"

/* Float operations that one element takes, for the split. */
enum { SOFTMAX_COST = 16 };
enum { ARGMAX_BLOCK = 512 };

static float row_max(const float *x, size_t v)
{
	float max = -INFINITY;
	for (size_t i = 0; i < v; i++) max = x[i] > max ? x[i] : max;
	return max;
}

static double row_sum_exp(const float *x, float max, size_t v)
{
	double sum = 0.0;
	for (size_t i = 0; i < v; i++) sum += (double)math_exp(x[i] - max);
	return sum;
}

static double row_sum(const float *x, size_t v)
{
	double sum = 0.0;
	for (size_t i = 0; i < v; i++) sum += (double)x[i];
	return sum;
}

static void row_exp(float *y, const float *x, float shift, float factor, size_t v)
{
	for (size_t i = 0; i < v; i++) y[i] = math_exp(x[i] - shift) * factor;
}

static void row_shift(float *y, const float *x, float shift, size_t v)
{
	for (size_t i = 0; i < v; i++) y[i] = x[i] - shift;
}

void attend_softmax_portable(struct attend_row_table *table)
{
	table->row_max = row_max;
	table->row_sum_exp = row_sum_exp;
	table->row_sum = row_sum;
	table->row_exp = row_exp;
	table->row_shift = row_shift;
}

float attend_row_max(const float *x, size_t v)
{
	return attend_row_kernels()->row_max(x, v);
}

/* The maximum of one short block after another, in vectors; then the place in the best block. */
size_t attend_row_argmax(const float *x, size_t v)
{
	const struct attend_row_table *table = attend_row_kernels();
	if (v == 0 || isnan(x[0])) return 0;
	size_t best = 0; /* first element of the best block */
	float max = x[0];
	for (size_t i = 0; i < v; i += ARGMAX_BLOCK) {
		const float m = table->row_max(x + i, v - i < ARGMAX_BLOCK ? v - i : ARGMAX_BLOCK);
		if (m > max) best = i, max = m;
	}
	while (x[best] < max || isnan(x[best])) best++;
	return best;
}

typedef struct softmax_job {
	const struct attend_row_table *table;
	float *y;
	const float *x;
	size_t v;
} softmax_job;

/* y = exp(x - max) / sum exp(x - max). The sum is taken of the values as stored, so y adds up to 1 as well as f32 can. */
static void softmax_rows(void *arg, size_t begin, size_t end)
{
	const softmax_job *j = arg;
	for (size_t r = begin; r < end; r++) {
		float *y = j->y + r * j->v;
		const float *x = j->x + r * j->v;
		const float max = j->table->row_max(x, j->v);
		j->table->row_exp(y, x, max == -INFINITY ? 0.0f : max, 1.0f, j->v);
		const double sum = j->table->row_sum(y, j->v);
		j->table->scale(y, y, sum == 0.0 ? 0.0f : (float)(1.0 / sum), j->v);
	}
}

void attend_softmax_forward(float *y, const float *x, size_t n, size_t v)
{
	softmax_job job = {attend_row_kernels(), y, x, v};
	if (v) attend_split(n, v * SOFTMAX_COST, softmax_rows, &job);
}

/* y = x - (max + log sum exp(x - max)) */
static void log_softmax_rows(void *arg, size_t begin, size_t end)
{
	const softmax_job *j = arg;
	for (size_t r = begin; r < end; r++) {
		const float *x = j->x + r * j->v;
		const float max = j->table->row_max(x, j->v);
		const double sum = j->table->row_sum_exp(x, max, j->v);
		j->table->row_shift(j->y + r * j->v, x, (float)((double)max + log(sum)), j->v);
	}
}

void attend_log_softmax_forward(float *y, const float *x, size_t n, size_t v)
{
	softmax_job job = {attend_row_kernels(), y, x, v};
	if (v) attend_split(n, v * SOFTMAX_COST, log_softmax_rows, &job);
}
