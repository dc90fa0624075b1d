/* left.c: the rows of x as blocks in scratch: interleaved as they are, rounded to bf16, or quantised with one scale per row
 * (dynamic quantisation: the scale follows from the row alone, so a row's result does not depend on its neighbours). */
#include <math.h>
#include <string.h>

#include "lib/kernels/pack.h"

/* Inputs of a row that are encoded at a time, on the stack. */
enum { PART = 256 };

static void block_f32(const attend_left *j, float *block, const float *x, size_t rows)
{
	j->table->interleave(block, x, j->stride_row, rows, rows, j->k, 0);
	memset(block + j->k * rows, 0, (j->steps * j->kernel->unit - j->k) * rows * sizeof *block);
}

/* Blocks of a transposed operand: neighbours of the same height are read in one go. No step is padded. */
static void blocks_gather(const attend_left *j, size_t block0, size_t block1)
{
	while (block0 < block1) {
		const size_t end = block0 < j->runs.larger && j->runs.larger < block1 ? j->runs.larger : block1;
		const size_t first = attend_run_start(&j->runs, block0), rows = attend_run_start(&j->runs, end) - first;
		j->table->gather(j->blocks + first * j->k, j->x + first, j->stride_k, rows, rows / (end - block0), j->k);
		block0 = end;
	}
}

/* One scale and zero point for a row. u8: the range from least to greatest, which holds 0, on 0..255; s8: the largest
 * magnitude on 127. A row that is not finite gets a NaN scale: its outputs are NaN. Numbers too small for the reciprocal of
 * their scale count as zeros. */
static void row_scale(const attend_left *j, const float *x, float *scale, float *inverse, int32_t *zero)
{
	float least, greatest;
	*zero = 0;
	*inverse = 0.0f;
	if (!j->table->range(x, j->k, &least, &greatest)) {
		*scale = NAN;
		return;
	}
	const bool symmetric = j->kernel->form == ATTEND_BLOCK_INT4;
	*scale = symmetric ? (greatest > -least ? greatest : -least) / 127.0f : greatest / 255.0f - least / 255.0f;
	if (*scale < 0x1p-120f) {
		*scale = 0.0f;
		return;
	}
	*inverse = 1.0f / *scale;
	if (!symmetric) {
		const float z = rintf(-least * *inverse);
		*zero = z < 255.0f ? (int32_t)z : 255;
	}
}

void attend_left_lay(const attend_left *j, float *block, const float *words, size_t stride, size_t rows, size_t steps)
{
	if (!j->kernel->tiled) {
		j->table->interleave(block, words, stride, rows, rows, steps, 0);
		return;
	}
	for (size_t s = 0; s < steps; s += 16) {
		for (size_t r = 0; r < rows; r++, block += 16) memcpy(block, words + r * stride + s, 16 * sizeof *block);
	}
}

/* Four u8 a word. Inputs behind k meet zero weights. */
static void block_int8(const attend_left *j, float *block, const float *x, size_t first, size_t rows)
{
	const bool is_signed = j->kernel->form == ATTEND_BLOCK_INT8_S;
	const int32_t shift = is_signed ? 128 : 0;
	float inverse[ATTEND_GEMM_MAX_MR];
	float words[ATTEND_GEMM_MAX_MR * PART / 4];
	for (size_t r = 0; r < rows; r++) {
		row_scale(j, x + r * j->stride_row, &j->x_scale[first + r], &inverse[r], &j->zero[first + r]);
		j->zero[first + r] -= shift;
	}
	if (rows == 1 && !j->kernel->tiled) { /* its bytes as they come */
		j->table->quantize((uint8_t *)block, x, j->k, inverse[0], j->zero[first], -shift, 255 - shift);
		memset((uint8_t *)block + j->k, 0, j->steps * 4 - j->k);
		return;
	}
	if (j->table->lay_int8 && j->kernel->form == ATTEND_BLOCK_INT8 && !j->kernel->tiled) {
		j->table->lay_int8(block, x, j->stride_row, rows, j->k, inverse, j->zero + first);
		return;
	}
	for (size_t s0 = 0; s0 < j->steps; s0 += PART / 4) {
		const size_t steps = j->steps - s0 < PART / 4 ? j->steps - s0 : PART / 4;
		const size_t left = j->k > s0 * 4 ? j->k - s0 * 4 : 0, count = left < steps * 4 ? left : steps * 4;
		for (size_t r = 0; r < rows; r++) {
			uint8_t *bytes = (uint8_t *)(words + r * (PART / 4));
			j->table->quantize(bytes, x + r * j->stride_row + s0 * 4, count, inverse[r], j->zero[first + r], -shift,
			                   255 - shift);
			memset(bytes + count, 0, steps * 4 - count);
		}
		attend_left_lay(j, block + s0 * rows, words, PART / 4, rows, steps);
	}
}

/* [step][row][9]: -8 times the sum of the group, then its 32 s8. */
static void block_int4(const attend_left *j, float *block, const float *x, size_t first, size_t rows)
{
	enum { TOGETHER = 8 };
	for (size_t r0 = 0; j->table->lay_int4 && r0 < rows; r0 += TOGETHER) {
		const size_t some = rows - r0 < TOGETHER ? rows - r0 : TOGETHER;
		const float *part = x + r0 * j->stride_row;
		float inverse[TOGETHER];
		for (size_t r = 0; r < some; r++)
			row_scale(j, part + r * j->stride_row, &j->x_scale[first + r0 + r], &inverse[r], &j->zero[first + r0 + r]);
		j->table->lay_int4(block + r0 * j->kernel->unit, part, j->stride_row, some, rows * j->kernel->unit, j->k,
		                   inverse);
	}
	if (j->table->lay_int4) return;
	for (size_t r = 0; r < rows; r++) {
		const float *row = x + r * j->stride_row;
		int8_t q[PART];
		float inverse;
		row_scale(j, row, &j->x_scale[first + r], &inverse, &j->zero[first + r]);
		for (size_t s = 0; s < j->steps; s++) {
			const size_t part = s % (PART / ATTEND_INT4_GROUP) * ATTEND_INT4_GROUP, i0 = s * ATTEND_INT4_GROUP;
			if (part == 0) {
				const size_t count = j->k - i0 < PART ? j->k - i0 : PART;
				j->table->quantize((uint8_t *)q, row + i0, count, inverse, 0, -127, 127);
				memset(q + count, 0, PART - count);
			}
			unsigned char *to = (unsigned char *)(block + (s * rows + r) * j->kernel->unit);
			int32_t sum = 0;
			for (size_t i = 0; i < ATTEND_INT4_GROUP; i++) sum += q[part + i];
			sum *= -8;
			memcpy(to, &sum, sizeof sum);
			memcpy(to + sizeof sum, q + part, ATTEND_INT4_GROUP);
		}
	}
}

void attend_left_fill(const attend_left *left, size_t block0, size_t block1)
{
	if (left->stride_k != 1) {
		(left->kernel->form == ATTEND_BLOCK_BF16 ? attend_left_pair : blocks_gather)(left, block0, block1);
		return;
	}
	for (size_t b = block0; b < block1; b++) {
		const size_t first = attend_run_start(&left->runs, b), rows = attend_run_start(&left->runs, b + 1) - first;
		float *block = left->blocks + first * left->steps * left->kernel->unit;
		const float *x = left->x + first * left->stride_row;
		switch (left->kernel->form) {
		case ATTEND_BLOCK_F32: block_f32(left, block, x, rows); break;
		case ATTEND_BLOCK_BF16: attend_left_round(left, block, x, rows); break;
		case ATTEND_BLOCK_INT8:
		case ATTEND_BLOCK_INT8_S: block_int8(left, block, x, first, rows); break;
		case ATTEND_BLOCK_INT4: block_int4(left, block, x, first, rows); break;
		}
	}
}

size_t attend_left_bytes(const struct attend_gemm_table *table, attend_pack_type type, size_t m, size_t k)
{
	const size_t words =
		attend_product_bytes(m, attend_type_steps(table, type, k), table->kernel[type].unit * sizeof(float));
	const size_t behind = table->kernel[type].tiled ? 16 * 64 : 0;
	return attend_sum_bytes(words,
	                        behind + (type >= ATTEND_PACK_INT8 ? 2 * attend_product_bytes(m, 1, sizeof(float)) : 0));
}

/* As many blocks for every thread where each keeps to its rows. */
static attend_runs blocks_of(const attend_kernel *kernel, size_t m)
{
	if (kernel->tiled) return attend_runs_whole(m, kernel->mr);
	const size_t threads = attend_product_threads(), count = m / kernel->mr + (m % kernel->mr != 0);
	return attend_runs_in(m, m / threads >= ATTEND_SHARE_ROWS ? (count + threads - 1) / threads * threads : count);
}

attend_left attend_left_plan(void *scratch, const struct attend_gemm_table *table, attend_pack_type type,
                             const float *x, size_t stride_row, size_t stride_k, size_t m, size_t k)
{
	const attend_kernel *kernel = &table->kernel[type];
	if (kernel->few && m <= kernel->few_rows) kernel = kernel->few;
	attend_left left = {
		.table = table,
		.kernel = kernel,
		.x = x,
		.stride_row = stride_row,
		.stride_k = stride_k,
		.k = k,
		.steps = attend_type_steps(table, type, k),
		.runs = blocks_of(kernel, m),
		.blocks = scratch,
	};
	if (type >= ATTEND_PACK_INT8) {
		unsigned char *at = scratch;
		const size_t each = attend_product_bytes(m, 1, sizeof(float));
		left.x_scale = (float *)(void *)at;
		left.zero = (int32_t *)(void *)(at + each);
		left.blocks = (float *)(void *)(at + 2 * each);
	}
	const bool one = m == 1 && kernel->form == ATTEND_BLOCK_F32 && stride_k == 1 && left.steps * kernel->unit == k;
	if (one || stride_row == ATTEND_LAID) {
		left.in_place = true;
		left.blocks = (float *)(uintptr_t)x; /* only read */
	}
	return left;
}
