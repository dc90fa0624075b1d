/* elementwise.c: sums, products and scans of plain arrays. */
#include <math.h>
#include <stdatomic.h>

#include "lib/core/threads.h"
#include "lib/kernels/row_table.h"

static void add(float *y, const float *x, size_t count)
{
	for (size_t i = 0; i < count; i++) y[i] += x[i];
}

static void add_scaled(float *y, const float *x, float factor, size_t count)
{
	for (size_t i = 0; i < count; i++) y[i] += factor * x[i];
}

static void add_rows(float *y, const float *x, size_t ld, size_t n, size_t width)
{
	for (size_t r = 0; r < n; r++)
		for (size_t j = 0; j < width; j++) y[j] += x[r * ld + j];
}

static void scale(float *y, const float *x, float factor, size_t count)
{
	for (size_t i = 0; i < count; i++) y[i] = factor * x[i];
}

static void scale_rows(float *y, size_t ldy, const float *x, size_t ldx, const float *factors, size_t rows,
                       size_t width)
{
	for (size_t r = 0; r < rows; r++) scale(y + r * ldy, x + r * ldx, factors[r], width);
}

static void multiply(float *y, const float *a, const float *b, size_t count)
{
	for (size_t i = 0; i < count; i++) y[i] = a[i] * b[i];
}

static double sum_squares(const float *x, size_t count)
{
	double sum = 0.0;
	for (size_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
	return sum;
}

static bool all_finite(const float *x, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!isfinite(x[i])) return false;
	return true;
}

void attend_elementwise_portable(struct attend_row_table *table)
{
	table->add = add;
	table->add_scaled = add_scaled;
	table->add_rows = add_rows;
	table->scale = scale;
	table->scale_rows = scale_rows;
	table->multiply = multiply;
	table->sum_squares = sum_squares;
	table->all_finite = all_finite;
}

/* ---- Over the team ------------------------------------------------------------------------------------------------- */
typedef struct element_job {
	const struct attend_row_table *table;
	float *y;
	const float *a, *b;
	float factor;
} element_job;

static void add_range(void *arg, size_t begin, size_t end)
{
	const element_job *j = arg;
	j->table->add(j->y + begin, j->a + begin, end - begin);
}

void attend_add(float *y, const float *x, size_t count)
{
	element_job job = {attend_row_kernels(), y, x, NULL, 0.0f};
	attend_split(count, 1, add_range, &job);
}

static void scale_range(void *arg, size_t begin, size_t end)
{
	const element_job *j = arg;
	j->table->scale(j->y + begin, j->y + begin, j->factor, end - begin);
}

void attend_scale(float *y, float factor, size_t count)
{
	element_job job = {attend_row_kernels(), y, NULL, NULL, factor};
	attend_split(count, 1, scale_range, &job);
}

static void multiply_range(void *arg, size_t begin, size_t end)
{
	const element_job *j = arg;
	j->table->multiply(j->y + begin, j->a + begin, j->b + begin, end - begin);
}

void attend_multiply(float *y, const float *a, const float *b, size_t count)
{
	element_job job = {attend_row_kernels(), y, a, b, 0.0f};
	attend_split(count, 1, multiply_range, &job);
}

/* The array is cut into a number of parts that follows from its length alone; their sums are added in order. */
enum { SUM_PARTS = 64, SUM_PART_MIN = 4096 };

typedef struct sum_job {
	const struct attend_row_table *table;
	const float *x;
	size_t count, part;
	double sums[SUM_PARTS];
} sum_job;

static void sum_part(void *arg, size_t index, unsigned worker)
{
	sum_job *j = arg;
	const size_t begin = index * j->part;
	const size_t rest = j->count - begin;
	(void)worker;
	j->sums[index] = j->table->sum_squares(j->x + begin, rest < j->part ? rest : j->part);
}

double attend_sum_squares(const float *x, size_t count)
{
	if (count == 0) return 0.0;
	sum_job job = {.table = attend_row_kernels(), .x = x, .count = count, .part = (count - 1) / SUM_PARTS + 1};
	if (job.part < SUM_PART_MIN) job.part = SUM_PART_MIN;
	const size_t parts = (count + job.part - 1) / job.part;
	attend_parallel(parts, sum_part, &job);
	double sum = 0.0;
	for (size_t i = 0; i < parts; i++) sum += job.sums[i];
	return sum;
}

typedef struct finite_job {
	const struct attend_row_table *table;
	const float *x;
	atomic_bool found;
} finite_job;

static void finite_range(void *arg, size_t begin, size_t end)
{
	finite_job *j = arg;
	if (atomic_load_explicit(&j->found, memory_order_relaxed)) return;
	if (!j->table->all_finite(j->x + begin, end - begin)) atomic_store_explicit(&j->found, true, memory_order_relaxed);
}

bool attend_all_finite(const float *x, size_t count)
{
	finite_job job = {.table = attend_row_kernels(), .x = x};
	atomic_init(&job.found, false);
	attend_split(count, 1, finite_range, &job);
	return !atomic_load(&job.found);
}
