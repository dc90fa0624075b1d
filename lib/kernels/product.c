/* product.c: blocks x panels over the team. A task is some blocks of rows by some panels; inside it k runs in parts of kc
 * steps, so that a panel's part stays in the L1 cache while all blocks pass over it, and the rows of the task in the L2.
 * Sums wait between parts in a tile on the stack, as f32: cutting k changes no bit. Threads never split k. */
#include "lib/core/cpu.h"
#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

/* Rows of a task at most: its tile is 16 KB. */
enum { TASK_ROWS = 128 };
/* Nanoseconds that a task should take at least, and tasks of each thread at most: more balance better, fewer let a thread
 * read on where it is. */
enum { TASK_NS = 8000, TASKS_PER_THREAD = 6 };

typedef struct product_job {
	const attend_product *product;
	const struct attend_gemm_table *table;
	attend_blocks blocks; /* of rows */
	attend_blocks chunks; /* of blocks */
	attend_blocks groups; /* of panels */
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
		if (e->act != ATTEND_ACT_NONE) attend_activation_forward(tile, tile, e->act, rows * table->nr);
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
	const size_t chunk = index / job->groups.count, group = index % job->groups.count;
	const size_t block0 = attend_block_start(&job->chunks, chunk), block1 = attend_block_start(&job->chunks, chunk + 1);
	const size_t panel0 = attend_block_start(&job->groups, group), panel1 = attend_block_start(&job->groups, group + 1);
	const size_t row0 = attend_block_start(&job->blocks, block0), row1 = attend_block_start(&job->blocks, block1);
	_Alignas(64) float tile[TASK_ROWS * ATTEND_GEMM_MAX_NR];
	(void)worker;
	/* Panels lie one behind the other, so what follows the part in memory is the next part: each block asks for its share. */
	const size_t lines = (8 * table->nr / 32 + block1 - block0 - 1) / (block1 - block0);
	for (size_t panel = panel0; panel < panel1; panel++) {
		const size_t column = panel * table->nr;
		size_t k0 = 0;
		do {
			const size_t k = p->k - k0 < table->kc ? p->k - k0 : table->kc;
			for (size_t b = block0; b < block1; b++) {
				const size_t row = attend_block_start(&job->blocks, b);
				const size_t rows = attend_block_start(&job->blocks, b + 1) - row;
				const float *part = p->panels + column * p->k + k0 * table->nr;
				const attend_ahead ahead = {(const unsigned char *)(part + k * table->nr) + (b - block0) * (k / 4) * lines * 64,
				                            lines};
				table->f32(tile + (row - row0) * table->nr, p->blocks + row * p->k + k0 * rows, part, rows, k, k0 != 0, ahead);
			}
			k0 += k;
		} while (k0 < p->k);
		const size_t rest = p->n - column;
		epilogue_tile(p, table, tile, row0, row1 - row0, column, rest < table->nr ? rest : table->nr);
	}
}

/* About how long one panel takes: arithmetic, or reading it from memory. */
static size_t panel_cost(size_t rows, size_t k, size_t nr)
{
	const size_t arithmetic = rows * k * nr / 100, reading = k * nr * sizeof(float) / 12;
	return arithmetic > reading ? arithmetic : reading;
}

/* Into how many groups the panels are cut: a multiple of the team where there is work for it. */
static size_t groups_of(size_t panels, size_t cost, size_t chunks)
{
	const size_t threads = (size_t)attend_threads();
	size_t each = panels * cost * chunks / (threads * TASK_NS);
	if (each > TASKS_PER_THREAD) each = TASKS_PER_THREAD;
	size_t groups = each == 0 ? 1 + panels * cost * chunks / TASK_NS : (each * threads + chunks - 1) / chunks;
	if (groups > threads && chunks == 1) groups = groups / threads * threads;
	return groups < panels ? groups : panels;
}

void attend_product_run(const attend_product *p)
{
	if (p->m == 0 || p->n == 0) return;
	const struct attend_gemm_table *table = attend_gemm_kernels();
	product_job job = {.product = p, .table = table};
	job.blocks = attend_blocks_of(p->m, table->mr);
	/* Rows whose inputs fill half of the L2 cache. */
	size_t rows = attend_cpu_l2() / 2 / ((p->k + 1) * sizeof(float));
	if (rows > TASK_ROWS) rows = TASK_ROWS;
	job.chunks = attend_blocks_of(job.blocks.count, rows > table->mr ? rows / table->mr : 1);
	const size_t panels = (p->n + table->nr - 1) / table->nr;
	job.groups = attend_cut(panels, groups_of(panels, panel_cost(p->m / job.chunks.count, p->k, table->nr), job.chunks.count));
	attend_parallel(job.chunks.count * job.groups.count, product_task, &job);
}
