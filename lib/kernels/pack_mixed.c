/* pack_mixed.c: f32 operands of mixed-precision products (Micikevicius et al. 2018: bf16 factors, f32 sums) as bf16 blocks
 * and panels: pairs of inputs in 32-bit words. For levels whose bf16 kernels take bf16 blocks. */
#include <string.h>

#include "lib/kernels/pack.h"

/* Inputs that are rounded at a time, on the stack; columns of a transposed operand that are read in one go. */
enum { PART = 256, COLUMNS = 128 };
/* Steps ahead whose rows are asked for: they lie far apart, no hardware prefetcher sees them coming. */
enum { AHEAD = 6 };

static void ask(const float *x, size_t count)
{
	for (size_t j = 0; j < count; j += 16) __builtin_prefetch(x + j);
}

/* words [rows][PART/2], from s0 on: rows of inputs that are contiguous, rounded. Inputs behind k are zeros. */
static void round_rows(const struct attend_gemm_table *table, float *words, const float *x, size_t stride, size_t rows,
                       size_t s0, size_t steps, size_t k)
{
	const size_t left = k > s0 * 2 ? k - s0 * 2 : 0, count = left < steps * 2 ? left : steps * 2;
	for (size_t r = 0; r < rows; r++) {
		uint16_t halves[PART];
		if (r + 1 < rows) ask(x + (r + 1) * stride + s0 * 2, count);
		table->round_bf16(halves, x + r * stride + s0 * 2, count);
		memset(halves + count, 0, (steps * 2 - count) * sizeof *halves);
		memcpy(words + r * (PART / 2), halves, steps * 2 * sizeof *halves);
	}
}

/* words [columns]: the pair of inputs 2*step and 2*step+1, whose rows are contiguous along the columns. */
static void pair_rows(const struct attend_gemm_table *table, float *words, const float *x, size_t stride, size_t step,
                      size_t columns, size_t k)
{
	static const float zeros[COLUMNS];
	const size_t i = step * 2;
	if (i >= k) {
		memset(words, 0, columns * sizeof *words);
		return;
	}
	if (i + 2 * AHEAD + 1 < k) {
		ask(x + (i + 2 * AHEAD) * stride, columns);
		ask(x + (i + 2 * AHEAD + 1) * stride, columns);
	}
	table->pair_bf16(words, x + i * stride, i + 1 < k ? x + (i + 1) * stride : zeros, columns);
}

void attend_left_round(const attend_left *left, float *block, const float *x, size_t rows)
{
	const size_t all = left->steps * left->kernel->unit;
	if (rows == 1 && !left->kernel->tiled) { /* its halves as they come */
		left->table->round_bf16((uint16_t *)block, x, left->k);
		memset((uint16_t *)block + left->k, 0, all * sizeof *block - left->k * sizeof(uint16_t));
		return;
	}
	if (left->table->lay_bf16 && left->kernel == &left->table->kernel[ATTEND_PACK_BF16]) {
		left->table->lay_bf16(block, x, left->stride_row, rows, left->k);
		return;
	}
	float words[ATTEND_GEMM_MAX_MR * PART / 2];
	for (size_t s0 = 0; s0 < all; s0 += PART / 2) {
		const size_t steps = all - s0 < PART / 2 ? all - s0 : PART / 2;
		round_rows(left->table, words, x, left->stride_row, rows, s0, steps, left->k);
		attend_left_lay(left, block + s0 * rows, words, PART / 2, rows, steps);
	}
}

void attend_left_pair(const attend_left *left, size_t block0, size_t block1)
{
	const size_t each = COLUMNS / left->kernel->mr;
	_Alignas(64) float words[16 * COLUMNS];
	for (; block0 < block1; block0 += each) {
		const size_t end = block1 - block0 < each ? block1 : block0 + each;
		const size_t first = attend_run_start(&left->runs, block0),
					 columns = attend_run_start(&left->runs, end) - first;
		for (size_t s0 = 0; s0 < left->steps; s0 += 16) {
			const size_t steps = left->steps - s0 < 16 ? left->steps - s0 : 16;
			for (size_t s = 0; s < steps; s++)
				pair_rows(left->table, words + s * COLUMNS, left->x + first, left->stride_k, s0 + s, columns, left->k);
			for (size_t b = block0; b < end; b++) {
				const size_t row = attend_run_start(&left->runs, b), rows = attend_run_start(&left->runs, b + 1) - row;
				const float *from = words + (row - first);
				float *to = left->blocks + row * left->steps + s0 * rows;
				if (left->kernel->tiled) {
					left->table->interleave(to, from, COLUMNS, 16, 16, rows, 0);
				} else {
					left->table->gather(to, from, COLUMNS, rows, rows, steps);
				}
			}
		}
	}
}

typedef struct panel_job {
	const struct attend_gemm_table *table;
	float *panels;
	const float *b;
	size_t stride_column, stride_k, n, k, columns;
	size_t steps;        /* that k fills, padded ones among them */
	size_t panel_floats; /* from one panel's to the next one's */
} panel_job;

static void panel_task(void *arg, size_t index, unsigned worker)
{
	const panel_job *j = arg;
	const size_t nr = j->table->nr, n0 = index * j->columns, rest = j->n - n0;
	const size_t columns = rest < j->columns ? rest : j->columns;
	const float *b = j->b + n0 * j->stride_column;
	float *panel = j->panels + n0 / nr * j->panel_floats;
	(void)worker;
	if (j->stride_k == 1) {
		const size_t own = (j->k + 1) / 2;
		j->table->panel_bf16(panel, b, j->stride_column, columns, j->k, 0);
		memset(panel + own * nr, 0, (j->steps - own) * nr * sizeof *panel);
		return;
	}
	for (size_t s = 0; s < j->steps; s++) {
		_Alignas(64) float words[COLUMNS];
		pair_rows(j->table, words, b, j->stride_k, s, columns, j->k);
		for (size_t c = 0; c < columns; c += nr) {
			float *to = panel + c / nr * j->panel_floats + s * nr;
			const size_t have = columns - c < nr ? columns - c : nr;
			memcpy(to, words + c, have * sizeof *to);
			if (have < nr) memset(to + have, 0, (nr - have) * sizeof *to);
		}
	}
}

void attend_panels_round(float *panels, const struct attend_gemm_table *table, const float *b, size_t stride_column,
                         size_t stride_k, size_t n, size_t k, size_t first, size_t steps)
{
	const size_t columns = stride_k == 1 ? table->nr : COLUMNS / table->nr * table->nr;
	panel_job job = {
		.table = table,
		.panels = panels + first * table->nr,
		.b = b,
		.stride_column = stride_column,
		.stride_k = stride_k,
		.n = n,
		.k = k,
		.columns = columns,
		.steps = attend_type_steps(table, ATTEND_PACK_BF16, k),
		.panel_floats = steps * table->nr,
	};
	attend_run_tasks((n + columns - 1) / columns, panel_task, &job, n * k);
}
