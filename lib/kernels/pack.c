/* pack.c: sizes of packed matrices, and f32 operands in panels (gemm_table.h). */
#include "lib/kernels/pack.h"

#include <string.h>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack_int4.h"

/* Elements below which handing work to the team costs more than it saves. */
enum { ALONE = 1 << 15 };
enum { GATHER_PANELS = 4 };

size_t attend_product_bytes(size_t a, size_t b, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(a, b, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) || bytes > SIZE_MAX - 64) {
		return SIZE_MAX;
	}
	return (bytes + 63) & ~(size_t)63;
}

size_t attend_sum_bytes(size_t a, size_t b)
{
	return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

size_t attend_type_depth(attend_pack_type type)
{
	static const size_t depth[ATTEND_PACK_TYPES] = {1, 2, 4, ATTEND_INT4_GROUP};
	return depth[type];
}

size_t attend_type_steps(const struct attend_gemm_table *table, attend_pack_type type, size_t k)
{
	const size_t depth = attend_type_depth(type), multiple = table->kernel[type].multiple;
	const size_t steps = k / depth + (k % depth != 0);
	return multiple > 1 ? (steps + multiple - 1) / multiple * multiple : steps;
}

size_t attend_type_step_bytes(const struct attend_gemm_table *table, attend_pack_type type)
{
	return type == ATTEND_PACK_INT4 ? table->nr * (ATTEND_INT4_GROUP / 2 + sizeof(uint16_t)) : table->nr * 4;
}

size_t attend_type_panel_bytes(const struct attend_gemm_table *table, attend_pack_type type, size_t k)
{
	const size_t tail = type == ATTEND_PACK_INT8 ? table->nr * (sizeof(float) + sizeof(int32_t)) : 0;
	return attend_type_steps(table, type, k) * attend_type_step_bytes(table, type) + tail;
}

void attend_run_tasks(size_t tasks, attend_task task, void *arg, size_t work)
{
	if (work > ALONE) {
		attend_parallel(tasks, task, arg);
		return;
	}
	for (size_t i = 0; i < tasks; i++) task(arg, i, 0);
}

void attend_interleave_portable(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k,
                                size_t ahead)
{
	/* Sixteen steps of k at a time: a cache line of every column is read whole. */
	for (size_t i0 = 0; i0 < k; i0 += 16) {
		const size_t i1 = i0 + 16 < k ? i0 + 16 : k;
		for (size_t j = 0; j < width; j++) {
			if (ahead && j < columns) __builtin_prefetch(src + j * stride + i0 + ahead);
			for (size_t i = i0; i < i1; i++) dst[i * width + j] = j < columns ? src[j * stride + i] : 0.0f;
		}
	}
}

void attend_gather_portable(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k)
{
	for (size_t b = 0; b < columns; b += width, dst += k * width) {
		const size_t have = columns - b < width ? columns - b : width;
		for (size_t i = 0; i < k; i++) {
			memcpy(dst + i * width, src + i * stride + b, have * sizeof *dst);
			memset(dst + i * width + have, 0, (width - have) * sizeof *dst);
		}
	}
}

typedef struct panel_job {
	const struct attend_gemm_table *table;
	float *dst;
	const float *src;
	size_t stride_column, stride_k, n, k, columns;
} panel_job;

static void panel_task(void *arg, size_t index, unsigned worker)
{
	const panel_job *j = arg;
	const size_t n0 = index * j->columns, rest = j->n - n0, columns = rest < j->columns ? rest : j->columns;
	float *dst = j->dst + n0 * j->k;
	const float *src = j->src + n0 * j->stride_column;
	(void)worker;
	if (j->stride_column == 1) {
		j->table->gather(dst, src, j->stride_k, columns, j->table->nr, j->k);
	} else {
		j->table->interleave(dst, src, j->stride_column, columns, j->table->nr, j->k, 0);
	}
}

void attend_panels_fill(float *panels, const struct attend_gemm_table *table, const float *b, size_t stride_column,
                        size_t stride_k, size_t n, size_t k)
{
	/* Rows are read in long pieces where they are contiguous along n. */
	const size_t columns = stride_column == 1 ? GATHER_PANELS * table->nr : table->nr;
	panel_job job = {table, panels, b, stride_column, stride_k, n, k, columns};
	attend_run_tasks((n + columns - 1) / columns, panel_task, &job, n * k);
}

void attend_pack_int4_portable(unsigned char *step, size_t nr, size_t column, const float *w)
{
	pack_int4(step, nr, column, w);
}
