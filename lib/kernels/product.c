/* product.c: blocks x panels over the team. A task is some blocks of rows by some panels; inside it k runs in parts of some
 * hundred steps, so that a panel's part stays in the L1 cache while all blocks pass over it, and the rows of the task in the L2.
 * Sums wait between parts in a tile on the stack, as f32: cutting k changes no bit. Threads never split k. */
#include "lib/core/cpu.h"
#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"
#include "lib/kernels/row_table.h"

/* Rows of a task at most: its tile is 16 KB. */
enum { TASK_ROWS = 128 };
/* Nanoseconds that a task should take at least, and tasks of each thread at most: more balance better, fewer let a thread
 * read on where it is. */
enum { TASK_NS = 8000, TASKS_PER_THREAD = 6 };

typedef struct product_job {
	const attend_product *product;
	const struct attend_gemm_table *table;
	const attend_kernel *kernel;
	size_t steps, step_bytes, panel_bytes;
	attend_runs blocks; /* of rows */
	attend_runs chunks; /* of blocks */
	attend_runs groups; /* of panels */
} product_job;

/* Everything behind the sum; `tile` is overwritten when there is an activation. */
static void epilogue_tile(const attend_product *p, const struct attend_gemm_table *table, float *tile, size_t row, size_t rows,
                          size_t column, size_t columns)
{
	const attend_epilogue *e = &p->epilogue;
	attend_tile_out out = {
		.tile = tile,
		.rows = rows,
		.columns = columns,
		.scale = e->scale,
		.bias = e->bias ? e->bias + column : NULL,
	};
	if (e->pre_activation || e->act != ATTEND_ACT_NONE) {
		out.y = tile;
		out.ldy = table->nr;
		table->finish(&out);
		if (e->pre_activation) {
			out.scale = 1.0f;
			out.bias = NULL;
			out.y = e->pre_activation + row * p->n + column;
			out.ldy = p->n;
			table->finish(&out);
		}
		/* Columns behind the last are zeros of the panel: what becomes of them is not stored. */
		if (e->act != ATTEND_ACT_NONE) attend_row_kernels()->activation(tile, tile, e->act, rows * table->nr);
		out.scale = 1.0f;
		out.bias = NULL;
	}
	out.multiply = e->multiply ? e->multiply + row * e->ld_multiply + column : NULL;
	out.ld_multiply = e->ld_multiply;
	out.residual = e->residual ? e->residual + row * e->ld_residual + column : NULL;
	out.ld_residual = e->ld_residual;
	out.y = p->y + row * p->ldy + column;
	out.ldy = p->ldy;
	table->finish(&out);
}

static void product_task(void *arg, size_t index, unsigned worker)
{
	const product_job *job = arg;
	const attend_product *p = job->product;
	const struct attend_gemm_table *table = job->table;
	const attend_kernel *kernel = job->kernel;
	const size_t nr = table->nr, chunk = index / job->groups.count, group = index % job->groups.count;
	const size_t block0 = attend_run_start(&job->chunks, chunk), block1 = attend_run_start(&job->chunks, chunk + 1);
	const size_t panel0 = attend_run_start(&job->groups, group), panel1 = attend_run_start(&job->groups, group + 1);
	const size_t row0 = attend_run_start(&job->blocks, block0), row1 = attend_run_start(&job->blocks, block1);
	/* Panels lie one behind the other, so what follows a part in memory is the next part: each block asks for its share. */
	const size_t step_lines = (4 * job->step_bytes + 63) / 64, lines = (step_lines + block1 - block0 - 1) / (block1 - block0);
	_Alignas(64) float tile[TASK_ROWS * ATTEND_GEMM_MAX_NR];
	(void)worker;
	for (size_t index_panel = panel0; index_panel < panel1; index_panel++) {
		const unsigned char *panel = p->panels + index_panel * job->panel_bytes;
		size_t s0 = 0;
		do {
			const size_t steps = job->steps - s0 < kernel->part ? job->steps - s0 : kernel->part;
			const unsigned char *part = panel + s0 * job->step_bytes;
			attend_ahead ahead = {part + steps * job->step_bytes, lines};
			for (size_t b = block0; b < block1; b++) {
				const size_t row = attend_run_start(&job->blocks, b), rows = attend_run_start(&job->blocks, b + 1) - row;
				kernel->tile(tile + (row - row0) * nr, p->left.blocks + (row * job->steps + s0 * rows) * kernel->unit, part, rows,
				             steps, s0 != 0, ahead);
				ahead.at += steps / 4 * lines * 64;
			}
			s0 += steps;
		} while (s0 < job->steps);
		const size_t column = index_panel * nr, rest = p->n - column;
		if (p->type >= ATTEND_PACK_INT8) {
			const unsigned char *tail = panel + job->steps * job->step_bytes;
			const bool exact = p->type == ATTEND_PACK_INT8;
			table->dequantize(tile, row1 - row0, p->left.x_scale + row0, p->left.zero + row0,
			                  exact ? (const float *)(const void *)tail : NULL,
			                  (const int32_t *)(const void *)(tail + nr * sizeof(float)));
		}
		epilogue_tile(p, table, tile, row0, row1 - row0, column, rest < nr ? rest : nr);
	}
}

/* About how many nanoseconds one panel takes: arithmetic, or reading it from memory. */
static size_t panel_cost(size_t rows, size_t panel_bytes)
{
	return panel_bytes * (rows < 16 ? 16 : rows) / 256;
}

/* Into how many groups the panels are cut: a multiple of the team where there is work for it. */
static size_t groups_of(size_t panels, size_t cost, size_t chunks)
{
	const size_t threads = (size_t)attend_threads(), total = panels * cost * chunks;
	size_t each = total / (threads * TASK_NS);
	if (each > TASKS_PER_THREAD) each = TASKS_PER_THREAD;
	size_t groups = each == 0 ? 1 + total / TASK_NS : (each * threads + chunks - 1) / chunks;
	if (groups > threads && chunks == 1) groups = groups / threads * threads;
	return groups < panels ? groups : panels;
}

void attend_product_run(const attend_product *p)
{
	if (p->m == 0 || p->n == 0) return;
	const struct attend_gemm_table *table = attend_gemm_kernels();
	product_job job = {
		.product = p,
		.table = table,
		.kernel = &table->kernel[p->type],
		.steps = attend_type_steps(table, p->type, p->k),
		.step_bytes = attend_type_step_bytes(table, p->type),
		.panel_bytes = attend_type_panel_bytes(table, p->type, p->k),
	};
	job.blocks = attend_runs_of(p->m, job.kernel->mr);
	/* Rows whose inputs fill half of the L2 cache. */
	size_t rows = attend_cpu_l2() / 2 / ((job.steps + 1) * job.kernel->unit * sizeof(float));
	if (rows > TASK_ROWS) rows = TASK_ROWS;
	job.chunks = attend_runs_of(job.blocks.count, rows > job.kernel->mr ? rows / job.kernel->mr : 1);
	const size_t panels = p->n / table->nr + (p->n % table->nr != 0);
	job.groups = attend_runs_in(panels, groups_of(panels, panel_cost(p->m / job.chunks.count, job.panel_bytes), job.chunks.count));
	attend_parallel(job.chunks.count * job.groups.count, product_task, &job);
}
