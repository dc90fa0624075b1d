/* pack.c: operands of a product into blocks and panels (gemm_table.h). */
#include "lib/kernels/pack.h"

#include <string.h>

#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"

/* Elements below which handing work to the team costs more than it saves. */
enum { ALONE = 1 << 15 };

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

typedef struct pack_job {
	float *dst;
	const float *src;
	size_t stride_out, stride_in, count, k, width;
	attend_blocks blocks;
} pack_job;

static void block_task(void *arg, size_t index, unsigned worker)
{
	const pack_job *j = arg;
	const size_t r0 = attend_block_start(&j->blocks, index);
	const size_t rows = attend_block_start(&j->blocks, index + 1) - r0;
	(void)worker;
	attend_interleave(j->dst + r0 * j->k, j->src + r0 * j->stride_out, j->stride_out, j->stride_in, rows, rows, j->k);
}

static void panel_task(void *arg, size_t index, unsigned worker)
{
	const pack_job *j = arg;
	const size_t n0 = index * j->width;
	const size_t rest = j->count - n0;
	(void)worker;
	attend_interleave(j->dst + n0 * j->k, j->src + n0 * j->stride_out, j->stride_out, j->stride_in,
	                  rest < j->width ? rest : j->width, j->width, j->k);
}

static void run(size_t tasks, attend_task task, pack_job *job)
{
	if (job->count * job->k > ALONE) {
		attend_parallel(tasks, task, job);
		return;
	}
	for (size_t i = 0; i < tasks; i++)
		task(job, i, 0);
}

void attend_pack_blocks(float *blocks, const float *a, size_t stride_row, size_t stride_k, size_t m, size_t k, size_t most)
{
	pack_job job = {blocks, a, stride_row, stride_k, m, k, most, attend_blocks_of(m, most)};
	run(job.blocks.count, block_task, &job);
}

void attend_pack_panels(float *panels, const float *b, size_t stride_column, size_t stride_k, size_t n, size_t k, size_t nr)
{
	pack_job job = {.dst = panels, .src = b, .stride_out = stride_column, .stride_in = stride_k, .count = n, .k = k, .width = nr};
	run((n + nr - 1) / nr, panel_task, &job);
}
