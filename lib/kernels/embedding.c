/* embedding.c: table rows by id, their gradient, and the fixed sinusoids of Vaswani et al. 2017 (section 3.5). */
#include <math.h>

#include "lib/kernels/row_table.h"

/* Elements of a row widened at a time. */
enum { WIDEN = 256 };
/* Columns that one task of the gradient takes: it walks all tokens in order, so the team does not change the sums. */
enum { DX_COLUMNS = 64 };

typedef struct embedding_job {
	const struct attend_row_table *table;
	float *y;
	const unsigned char *rows; /* bytes: may be unaligned */
	attend_dtype dtype;
	const float *dy;
	const int32_t *ids;
	size_t n, d;
	float scale;
	bool accumulate;
	int32_t skip_id;
} embedding_job;

static void forward_rows(void *arg, size_t begin, size_t end)
{
	const embedding_job *j = arg;
	const size_t size = attend_dtype_bits(j->dtype) / 8;
	float wide[WIDEN];
	for (size_t i = begin; i < end; i++) {
		const unsigned char *row = j->rows + (size_t)j->ids[i] * j->d * size;
		for (size_t c = 0; c < j->d; c += WIDEN) {
			const size_t count = j->d - c < WIDEN ? j->d - c : WIDEN;
			float *y = j->y + i * j->d + c;
			attend_to_f32(wide, row + c * size, j->dtype, count);
			if (j->accumulate) j->table->add_scaled(y, wide, j->scale, count);
			else j->table->scale(y, wide, j->scale, count);
		}
	}
}

void attend_embedding_forward(float *y, const void *table, attend_dtype dtype, const int32_t *ids, size_t n, size_t d,
                              float scale, bool accumulate)
{
	embedding_job job = {.table = attend_row_kernels(),
	                     .y = y,
	                     .rows = table,
	                     .dtype = dtype,
	                     .ids = ids,
	                     .n = n,
	                     .d = d,
	                     .scale = scale,
	                     .accumulate = accumulate};
	if (d) attend_split(n, 4 * d, forward_rows, &job);
}

static void backward_columns(void *arg, size_t begin, size_t end)
{
	const embedding_job *j = arg;
	const size_t first = begin * DX_COLUMNS;
	const size_t last = end * DX_COLUMNS < j->d ? end * DX_COLUMNS : j->d;
	for (size_t i = 0; i < j->n; i++) {
		const int32_t id = j->ids[i];
		if (j->skip_id >= 0 && id == j->skip_id) continue;
		j->table->add_scaled(j->y + (size_t)id * j->d + first, j->dy + i * j->d + first, j->scale, last - first);
	}
}

void attend_embedding_backward(float *dtable, const float *dy, const int32_t *ids, size_t n, size_t d, float scale,
                               int32_t skip_id)
{
	embedding_job job = {.table = attend_row_kernels(),
	                     .y = dtable,
	                     .dy = dy,
	                     .ids = ids,
	                     .n = n,
	                     .d = d,
	                     .scale = scale,
	                     .skip_id = skip_id};
	attend_split((d + DX_COLUMNS - 1) / DX_COLUMNS, 2 * n * DX_COLUMNS, backward_columns, &job);
}

/* table(p, i) = sin(p / 10000^(2i/d)) for i < ceil(d/2), cos(p / 10000^(2(i-ceil(d/2))/d)) behind them. */
void attend_sinusoid_table(float *table, size_t rows, size_t d)
{
	const size_t half = (d + 1) / 2;
	for (size_t i = 0; i < half; i++) {
		const double divisor = pow(10000.0, 2.0 * (double)i / (double)d);
		for (size_t p = 0; p < rows; p++) {
			const double angle = (double)p / divisor;
			table[p * d + i] = (float)sin(angle);
			if (half + i < d) table[p * d + half + i] = (float)cos(angle);
		}
	}
}
