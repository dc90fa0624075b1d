/* pack.c: sizes of packed matrices, and f32 operands in panels (gemm_table.h). */
#include "lib/kernels/pack.h"

#include <string.h>

#include "lib/kernels/dispatch.h"

/* Elements below which handing work to the team costs more than it saves. */
enum { ALONE = 1 << 15 };

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
	for (size_t i = 0; i < tasks; i++)
		task(arg, i, 0);
}

void attend_interleave_portable(float *dst, const float *src, size_t stride, size_t columns, size_t width, size_t k)
{
	/* Sixteen steps of k at a time: a cache line of every column is read whole. */
	for (size_t i0 = 0; i0 < k; i0 += 16) {
		const size_t i1 = i0 + 16 < k ? i0 + 16 : k;
		for (size_t j = 0; j < width; j++) {
			for (size_t i = i0; i < i1; i++)
				dst[i * width + j] = j < columns ? src[j * stride + i] : 0.0f;
		}
	}
}

void attend_interleave(float *dst, const float *src, size_t stride_out, size_t stride_in, size_t columns, size_t width, size_t k)
{
	if (stride_in == 1) {
		attend_gemm_kernels()->interleave(dst, src, stride_out, columns, width, k);
		return;
	}
	for (size_t i = 0; i < k; i++) {
		if (stride_out == 1) {
			memcpy(dst + i * width, src + i * stride_in, columns * sizeof *dst);
		} else {
			for (size_t j = 0; j < columns; j++)
				dst[i * width + j] = src[j * stride_out + i * stride_in];
		}
		memset(dst + i * width + columns, 0, (width - columns) * sizeof *dst);
	}
}

typedef struct panel_job {
	float *dst;
	const float *src;
	size_t stride_out, stride_in, n, k, nr;
} panel_job;

static void panel_task(void *arg, size_t index, unsigned worker)
{
	const panel_job *j = arg;
	const size_t n0 = index * j->nr, rest = j->n - n0;
	(void)worker;
	attend_interleave(j->dst + n0 * j->k, j->src + n0 * j->stride_out, j->stride_out, j->stride_in, rest < j->nr ? rest : j->nr,
	                  j->nr, j->k);
}

void attend_panels_fill(float *panels, const float *b, size_t stride_column, size_t stride_k, size_t n, size_t k, size_t nr)
{
	panel_job job = {panels, b, stride_column, stride_k, n, k, nr};
	attend_run_tasks((n + nr - 1) / nr, panel_task, &job, n * k);
}
