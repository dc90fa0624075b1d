/* dropout.c: inverted dropout (Srivastava et al. 2014) with masks from a counter, lib/core/rng.h. The mask is a function of
 * (seed, stream, element), so nothing is stored and backward is forward on dy. */
#include "lib/core/rng.h"
#include "lib/kernels/row_table.h"

/* Ten Philox rounds for four elements. */
enum { DROPOUT_COST = 16 };

static void dropout(float *y, const float *x, uint64_t threshold, float factor, uint64_t seed, uint64_t stream,
                    uint64_t first, size_t count)
{
	uint32_t words[4];
	for (size_t i = 0; i < count; i++) {
		const uint64_t element = first + i;
		if (i == 0 || element % 4 == 0) attend_rng_block(words, seed, stream, element / 4);
		y[i] = words[element % 4] >= threshold ? x[i] * factor : 0.0f;
	}
}

void attend_dropout_portable(struct attend_row_table *table)
{
	table->dropout = dropout;
}

typedef struct dropout_job {
	const struct attend_row_table *table;
	float *y;
	const float *x;
	uint64_t threshold, seed, stream;
	float factor;
	float *sum; /* attend_dropout_add's y */
	const float *residual;
} dropout_job;

static void dropout_range(void *arg, size_t begin, size_t end)
{
	const dropout_job *j = arg;
	j->table->dropout(j->y + begin, j->x + begin, j->threshold, j->factor, j->seed, j->stream, begin, end - begin);
}

static dropout_job job_of(float *y, const float *x, float p, uint64_t seed, uint64_t stream)
{
	return (dropout_job){.table = attend_row_kernels(),
	                     .y = y,
	                     .x = x,
	                     .threshold = attend_dropout_threshold(p),
	                     .seed = seed,
	                     .stream = stream,
	                     .factor = attend_dropout_factor(p)};
}

void attend_dropout_forward(float *y, const float *x, float p, uint64_t seed, uint64_t stream, size_t count)
{
	dropout_job job = job_of(y, x, p, seed, stream);
	attend_split(count, DROPOUT_COST, dropout_range, &job);
}

static void dropout_add_range(void *arg, size_t begin, size_t end)
{
	enum { PART = 4096 }; /* stays in the L1 cache between both loops */
	const dropout_job *j = arg;
	for (size_t at = begin; at < end; at += PART) {
		const size_t part = end - at < PART ? end : at + PART;
		dropout_range(arg, at, part);
		j->table->add(j->sum + at, (j->sum == j->y ? j->residual : j->y) + at, part - at);
	}
}

void attend_dropout_add(float *y, float *x, const float *residual, float p, uint64_t seed, uint64_t stream,
                        size_t count)
{
	dropout_job job = job_of(x, x, p, seed, stream);
	job.sum = y;
	job.residual = residual;
	attend_split(count, DROPOUT_COST, dropout_add_range, &job);
}
