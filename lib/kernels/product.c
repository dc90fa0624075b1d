/* product.c: blocks x panels over the team. A task is some blocks of rows by some panels; inside it k runs in parts of kc
 * steps, so that a panel's part stays in the L1 cache while all blocks pass over it, and the rows of the task in the L2.
 * Sums wait between parts in a tile on the stack, as f32: cutting k changes no bit. Threads never split k. */
#include "lib/core/cpu.h"
#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

/* Rows of a task at most: its tile is 16 KB. */
enum { TASK_ROWS = 128 };
/* Multiply-adds that a task should hold at least: some microseconds. */
enum { TASK_WORK = 1 << 18 };

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
	for (size_t panel = panel0; panel < panel1; panel++) {
		const size_t column = panel * table->nr;
		size_t k0 = 0;
		do {
			const size_t k = p->k - k0 < table->kc ? p->k - k0 : table->kc;
			for (size_t b = block0; b < block1; b++) {
				const size_t row = attend_block_start(&job->blocks, b);
				const size_t rows = attend_block_start(&job->blocks, b + 1) - row;
				table->f32(tile + (row - row0) * table->nr, p->blocks + row * p->k + k0 * rows,
				           p->panels + column * p->k + k0 * table->nr, rows, k, k0 != 0);
			}
			k0 += k;
		} while (k0 < p->k);
		const size_t rest = p->n - column;
		epilogue_tile(p, table, tile, row0, row1 - row0, column, rest < table->nr ? rest : table->nr);
	}
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
	const size_t work = (p->m / job.chunks.count) * table->nr * p->k + 1; /* of one panel */
	job.groups = attend_blocks_of(panels, work < TASK_WORK ? TASK_WORK / work : 1);
	attend_parallel(job.chunks.count * job.groups.count, product_task, &job);
}
