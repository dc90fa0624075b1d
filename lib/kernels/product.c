/* product.c: blocks x panels over the team. A task is some blocks of rows by some panels; inside it k runs in parts of some
 * hundred steps, so that a panel's part stays in a near cache while all blocks pass over it, and the rows of the task in the L2.
 * Sums wait between parts in a tile on the stack, as f32: cutting k changes no bit. Threads never split k. */
#include <stdatomic.h>

#include "lib/core/cpu.h"
#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"
#include "lib/kernels/row_table.h"

/* Rows of a task at most: its tile is 16 KB; of one on tile registers whose threads share out the columns: what it reads weights
 * for. Tiled kernels write up to BEHIND rows more. */
enum { TASK_ROWS = 128, TILED_ROWS = 256, BEHIND = 15 };
/* Bytes of weights that a thread had better read for each row that it keeps to than leave to the others: as measured. */
enum { TILED_BYTES = 20 << 10 };
/* An expanded part of a panel at most: it shares the L1 cache with blocks. */
enum { EXPANDED_BYTES = 24 << 10 };
/* The same for a part of a panel that is laid out on the way. */
enum { LAID_BYTES = 24 << 10 };
/* Parts in one where a core reads its L2 cache as fast as it multiplies: sums are put away and fetched less often. Not for one or
 * two blocks, which take about as long as the part needs to come from memory. */
enum { L2_PARTS = 4 };
/* Nanoseconds of work for which the team is called, and that a task should take at least. */
enum { TEAM_NS = 8000, TASK_NS = 2000 };

/* Chunks that threads may share: their rows are laid out by whoever comes first. */
enum { SHARED_CHUNKS = 64 };

/* Inputs up to which the caller fills all blocks before the team is called. */
enum { FILL_ALONE = 4096 };
/* Rows up to which each worker lays out all of them for itself, where they fit. */
enum { OWN_ROWS = 16 };

/* Blocks of a transposed operand that are read in one go. */
enum { FILL_BLOCKS = 8 };

/* Blocks of a chunk that somebody lays out, and that are laid out; on a line of its own. */
typedef struct product_filling {
	_Alignas(64) atomic_size_t begun;
	atomic_size_t done;
} product_filling;

typedef struct product_job {
	const attend_product *product;
	const struct attend_gemm_table *table;
	attend_left left;
	size_t step_bytes, panel_bytes;
	size_t chunks;      /* of blocks */
	attend_runs groups; /* of panels, of each part alike */
	size_t parts;       /* that the panels fall into */
	bool by_columns;    /* chunks are the inner loop over tasks */
	bool filled;        /* all blocks are laid out */
	bool shared;        /* chunks have several tasks */
	product_filling filling[SHARED_CHUNKS];
} product_job;

/* Larger and smaller chunks alternate, so that equal numbers of chunks are equal work. */
static size_t chunk_start(const product_job *job, size_t chunk)
{
	return chunk * job->left.runs.count / job->chunks;
}

/* Where the next product has a tile of y in its blocks: the same rows are a block of that one. */
static float *laid_place(const product_job *job, size_t row, size_t rows, size_t column)
{
	const attend_product *p = job->product;
	const size_t depth = attend_type_depth(p->type);
	return p->y + row * (p->n / depth) + rows * (column / depth);
}

/* Everything behind the sum; `tile` is overwritten when there is an activation. */
static void epilogue_tile(const product_job *job, const attend_left *left, float *tile, size_t row, size_t rows,
                          const unsigned char *panel, size_t column)
{
	const attend_product *p = job->product;
	const attend_epilogue *e = &p->epilogue;
	const struct attend_gemm_table *table = job->table;
	const bool laid = p->ldy == ATTEND_LAID;
	float *y = laid ? tile : p->y + row * p->ldy + column;
	const size_t rest = p->n - column, ldy = laid ? table->nr : p->ldy;
	attend_tile_out out = {
		.tile = tile,
		.rows = rows,
		.columns = rest < table->nr ? rest : table->nr,
		.scale = e->scale,
		.bias = e->bias ? e->bias + column : NULL,
	};
	if (p->type >= ATTEND_PACK_INT8) {
		out.x_scale = left->x_scale + row;
		out.zero = left->zero + row;
	}
	if (p->type == ATTEND_PACK_INT8) {
		const unsigned char *tail = panel + left->steps * job->step_bytes;
		out.w_scale = (const float *)(const void *)tail;
		out.column_sum = (const int32_t *)(const void *)(tail + table->nr * sizeof(float));
	}
	if (e->pre_activation || e->act != ATTEND_ACT_NONE) {
		out.y = tile;
		out.ldy = table->nr;
		table->finish(&out);
		out.x_scale = NULL;
		out.scale = 1.0f;
		out.bias = NULL;
		if (e->pre_activation) {
			out.y = e->pre_activation + row * p->n + column;
			out.ldy = p->n;
			table->finish(&out);
		}
		/* Columns behind the last are zeros of the panel: what becomes of them is not stored. */
		const bool straight = e->act != ATTEND_ACT_NONE && !e->multiply && !e->residual && out.columns == table->nr;
		if (straight) {
			attend_row_kernels()->activation(y, ldy, tile, table->nr, e->act, rows, table->nr);
			if (laid) table->lay_bf16(laid_place(job, row, rows, column), tile, table->nr, rows, table->nr);
			return;
		}
		if (e->act != ATTEND_ACT_NONE)
			attend_row_kernels()->activation(tile, table->nr, tile, table->nr, e->act, rows, table->nr);
	}
	out.multiply = e->multiply ? e->multiply + row * e->ld_multiply + column : NULL;
	out.ld_multiply = e->ld_multiply;
	out.residual = e->residual ? e->residual + row * e->ld_residual + column : NULL;
	out.ld_residual = e->ld_residual;
	out.y = y;
	out.ldy = ldy;
	table->finish(&out);
	if (laid) table->lay_bf16(laid_place(job, row, rows, column), tile, table->nr, rows, table->nr);
}

/* Ask for the lines of a block's outputs, and of what is added to them, while its last sums are computed: rows of a matrix
 * lie far apart, no hardware prefetcher sees them coming. Not on tile registers, whose loads would wait behind that. */
static void ask_outputs(const product_job *job, size_t row, size_t rows, size_t column)
{
	const attend_product *p = job->product;
	const attend_epilogue *e = &p->epilogue;
	const float *more[] = {e->residual != p->y ? e->residual : NULL, e->multiply};
	const size_t ld[] = {e->ld_residual, e->ld_multiply}, nr = job->table->nr;
	if (p->ldy == ATTEND_LAID) {
		const float *laid = laid_place(job, row, rows, column);
		for (size_t j = 0; j < rows * nr / attend_type_depth(p->type); j += 16) __builtin_prefetch(laid + j, 1);
	} else {
		float *y = p->y + row * p->ldy + column;
		for (size_t r = 0; r < rows; r++, y += p->ldy) {
			for (size_t j = 0; j < nr; j += 16) __builtin_prefetch(y + j, 1);
		}
	}
	for (size_t i = 0; i < 2; i++) {
		const float *x = more[i] ? more[i] + row * ld[i] + column : NULL;
		for (size_t r = 0; x && r < rows; r++, x += ld[i]) {
			for (size_t j = 0; j < nr; j += 16) __builtin_prefetch(x + j);
		}
	}
}

/* How a part of a panel is asked for while the one before is multiplied: `near` bytes ahead (0: a part), in `streams` pieces side
 * by side, of each of which the hardware's prefetcher reads a little ahead. */
typedef struct asking {
	size_t near, streams;
	bool once; /* fewer streams rather than lines that are asked for twice */
} asking;

/* AMD's prefetchers do best with few rows when they are shown the way: asked for 384 bytes ahead, one or two rows read as fast
 * as the memory gives, where asking a whole part ahead stays a third below. One row of int4 wants a step, more rows unpack
 * longer than that looks ahead. Full blocks of bf16 want one stream, too, but further ahead. Where arithmetic takes about as
 * long as reading, more streams are needed to hide the reading: four in f32, eight in the shorter types. As measured on Zen 4. */
static asking asking_amd(attend_pack_type type, size_t m, size_t step_bytes)
{
	enum { NEAR_ROWS = 6, NEAR_BYTES = 384, BLOCK_ROWS = 14, BLOCK_BYTES = 8192 };
	if (type == ATTEND_PACK_INT4 && m == 1) return (asking){.near = step_bytes, .streams = 1};
	if (type != ATTEND_PACK_INT4 && m <= NEAR_ROWS) return (asking){.near = NEAR_BYTES, .streams = 1};
	if (type == ATTEND_PACK_BF16 && m <= BLOCK_ROWS) return (asking){.near = BLOCK_BYTES, .streams = 1};
	if (m <= 2) return (asking){.streams = 1};
	if (m <= NEAR_ROWS || m > 32) return (asking){.streams = 2};
	return (asking){.streams = type == ATTEND_PACK_F32 ? 4 : 8};
}

/* Intel's want to be asked a whole part ahead, less is up to a quarter slower; and for four streams, but in int4, whose parts are
 * short: against two, bf16 and int8 gain 2 to 5 % with few rows and 8 % with 128 on tiles; eight are slower. Loads of tiles have no
 * time for lines that are asked for twice; f32, which computes longer, is 3 % faster with them. As measured on a Xeon with AMX;
 * whoever else makes CPUs gets the same. */
static asking asking_intel(attend_pack_type type, size_t m)
{
	if (type == ATTEND_PACK_INT4) return (asking){.streams = m == 1 ? 1 : 2, .once = true};
	if (type == ATTEND_PACK_F32) return (asking){.streams = m > 64 ? 2 : 4};
	return (asking){.streams = 4, .once = true};
}

static asking asking_of(const product_job *job)
{
	const attend_product *p = job->product;
	return attend_cpu_amd() ? asking_amd(p->type, p->m, job->step_bytes) : asking_intel(p->type, p->m);
}

/* A weight that is NaN or infinite makes each sum that it enters so (0 times infinity is NaN): one row of sums tells. */
static bool is_finite(const float *sums, size_t count)
{
	float zero = 0.0f;
	for (size_t j = 0; j < count; j++) zero += sums[j] * 0.0f;
	return zero == 0.0f;
}

/* Lay out the blocks of a chunk, together with whoever else needs them. */
static void fill_chunk(product_job *job, size_t chunk, size_t block0, size_t block1)
{
	const attend_left *left = &job->left;
	if (job->filled) return;
	if (!job->shared) {
		attend_left_fill(left, block0, block1);
		return;
	}
	product_filling *f = &job->filling[chunk];
	const size_t count = block1 - block0, each = left->stride_k == 1 ? 1 : FILL_BLOCKS;
	size_t done = atomic_load_explicit(&f->done, memory_order_acquire);
	while (done < count) {
		const size_t begun = atomic_fetch_add_explicit(&f->begun, each, memory_order_relaxed);
		if (begun >= count) break;
		const size_t end = count - begun < each ? count : begun + each;
		attend_left_fill(left, block0 + begun, block0 + end);
		done = atomic_fetch_add_explicit(&f->done, end - begun, memory_order_acq_rel) + end - begun;
	}
	for (unsigned turn = 0; done < count; turn++) {
		attend_pause(turn);
		done = atomic_load_explicit(&f->done, memory_order_acquire);
	}
}

/* One task. `own`: the left operand as this worker has laid it out, or NULL. */
static void run_task(product_job *job, size_t index, const attend_left *own)
{
	const attend_left *left = own ? own : &job->left;
	const size_t nr = job->table->nr, groups = job->groups.count * job->parts;
	const size_t chunk = job->by_columns ? index % job->chunks : index / groups;
	const size_t place = job->by_columns ? index / job->chunks : index % groups;
	const size_t group = place / job->parts, panels_before = place % job->parts * job->groups.m;
	const size_t block0 = chunk_start(job, chunk), block1 = chunk_start(job, chunk + 1);
	const size_t panel0 = panels_before + attend_run_start(&job->groups, group),
				 panel1 = panels_before + attend_run_start(&job->groups, group + 1);
	const size_t row0 = attend_run_start(&left->runs, block0);
	const asking asking = asking_of(job);
	const attend_kernel *kernel = left->kernel;
	/* Panels lie one behind the other, so what follows a part in memory is the next part: each block asks for its share. */
	const size_t blocks = block1 - block0, all_lines = (4 * job->step_bytes + 63) / 64;
	size_t streams = asking.streams;
	while (asking.once && streams > 1 && blocks * streams > all_lines) streams /= 2;
	const size_t sharers = blocks * streams, lines = (all_lines + sharers - 1) / sharers;
	const bool expand = kernel->expand_from && blocks >= kernel->expand_from;
	const size_t factor = expand ? kernel->factor : 1;
	_Alignas(64) float tile[(TILED_ROWS + BEHIND) * ATTEND_GEMM_MAX_NR];
	_Alignas(64) unsigned char expanded[EXPANDED_BYTES], laid[LAID_BYTES];
	const attend_unpacked *unpacked = job->product->unpacked;
	const size_t laid_steps = LAID_BYTES / job->step_bytes;
	/* On tile registers putting sums away takes as long as some steps. */
	size_t most = kernel->tiled && left->steps <= kernel->part + kernel->part / 2 ? left->steps : kernel->part;
	if (unpacked) most = most < laid_steps ? most : laid_steps;
	else if (!expand && blocks > 2 && attend_cpu_amd()) most *= L2_PARTS;
	if (!own) fill_chunk(job, chunk, block0, block1);
	if (kernel->enter) kernel->enter();
	for (size_t i = panel0; i < panel1; i++) {
		const unsigned char *panel = unpacked ? NULL : job->product->panels + i * job->panel_bytes;
		size_t s0 = 0;
		do {
			const size_t steps = left->steps - s0 < most ? left->steps - s0 : most;
			const unsigned char *part = unpacked ? laid : panel + s0 * job->step_bytes;
			if (unpacked) attend_unpacked_lay(laid, unpacked, i, s0, steps);
			attend_ahead ahead = {
				.at = part + (asking.near ? asking.near : steps * job->step_bytes),
				.lines = (uint16_t)(unpacked ? 0 : (lines + factor - 1) / factor),
				.streams = (uint16_t)streams,
				.apart = (uint32_t)((steps * job->step_bytes / streams + 63) / 64 * 64),
			};
			if (expand) {
				kernel->expand(expanded, part, steps);
				part = expanded;
			}
			for (size_t b = block0; b < block1; b++) {
				const size_t row = attend_run_start(&left->runs, b), rows = attend_run_start(&left->runs, b + 1) - row;
				const float *block = left->blocks + (row * left->steps + s0 * rows) * kernel->unit;
				float *sums = tile + (row - row0) * nr;
				const bool last = s0 + steps == left->steps;
				if (last && !kernel->tiled) ask_outputs(job, row, rows, i * nr);
				(expand ? kernel->expanded : kernel->tile)(sums, block, part, rows, steps * factor, s0 != 0, ahead);
				if (last && unpacked && b == block0 && !is_finite(sums, nr)) atomic_store(unpacked->broken, true);
				if (last) epilogue_tile(job, left, sums, row, rows, panel, i * nr);
				ahead.at += steps * factor / 4 * ahead.lines * 64;
			}
			s0 += steps;
		} while (s0 < left->steps);
	}
	if (kernel->leave) kernel->leave();
}

static void product_task(void *arg, size_t index, unsigned worker)
{
	(void)worker;
	run_task(arg, index, NULL);
}

/* A worker's own left operand, with its blocks behind it. */
typedef struct own_left {
	attend_left left;
	_Alignas(64) unsigned char blocks[];
} own_left;

static bool can_own(const product_job *job, size_t tasks)
{
	const attend_product *p = job->product;
	return tasks > 1 && !job->left.in_place && p->stride_k == 1 && p->m <= OWN_ROWS &&
	       attend_left_bytes(job->table, p->type, p->m, p->k) <= ATTEND_OWN_BYTES - sizeof(own_left);
}

static void begin_own(void *arg, void *own)
{
	const attend_product *p = ((const product_job *)arg)->product;
	own_left *o = own;
	o->left = attend_left_plan(o->blocks, ((const product_job *)arg)->table, p->type, p->x, p->stride_row, p->stride_k,
	                           p->m, p->k);
	attend_left_fill(&o->left, 0, o->left.runs.count);
}

static void own_task(void *arg, size_t index, void *own)
{
	run_task(arg, index, &((const own_left *)own)->left);
}

/* About how many nanoseconds one panel takes: arithmetic, or reading it from memory. */
static size_t panel_cost(size_t rows, size_t panel_bytes, size_t rate)
{
	enum { READ_RATE = 16 };
	const size_t arithmetic = panel_bytes * rows / rate, reading = panel_bytes / READ_RATE;
	return arithmetic > reading ? arithmetic : reading;
}

/* Cut the product into chunks of blocks and groups of panels. */
static void share(product_job *job)
{
	const attend_product *p = job->product;
	attend_left *left = &job->left;
	const size_t threads = attend_product_threads(), mr = left->kernel->mr, nr = job->table->nr;
	const size_t panels = p->n / nr + (p->n % nr != 0), parts = p->epilogue.parts;
	/* On tile registers a thread that kept to few rows would wait for weights rather than multiply. */
	const size_t even_rows = p->m / threads;
	const bool by_rows = even_rows >= ATTEND_SHARE_ROWS &&
	                     (!left->kernel->tiled || panels * job->panel_bytes / TILED_BYTES <= even_rows);
	/* Rows whose inputs fill half of the L2 cache. */
	size_t rows = attend_cpu_l2() / 2 / ((left->steps + 1) * left->kernel->unit * sizeof(float));
	const size_t most = left->kernel->tiled && !by_rows ? TILED_ROWS : TASK_ROWS;
	if (rows > most) rows = most;
	job->chunks = attend_runs_of(left->runs.count, rows > mr ? rows / mr : 1).count;
	const bool alone = panels * panel_cost(p->m, job->panel_bytes, left->kernel->rate) < TEAM_NS;
	job->by_columns =
		!alone && job->chunks <= SHARED_CHUNKS && parts > 1 && p->n % (parts * nr) == 0 && panels / parts >= threads;
	job->parts = job->by_columns ? parts : 1;
	const size_t even = (job->chunks + threads - 1) / threads * threads;
	if (!job->by_columns && by_rows && even <= left->runs.count && p->m / even >= ATTEND_SHARE_ROWS) job->chunks = even;
	const size_t cost = panel_cost(p->m / job->chunks, job->panel_bytes, left->kernel->rate);
	size_t groups = attend_runs_of(panels / job->parts, 1 + TASK_NS / (cost + 1)).count;
	if (job->by_columns) groups = groups > threads ? groups / threads * threads : threads;
	if (alone || threads == 1 || job->chunks > SHARED_CHUNKS) groups = 1;
	job->groups = attend_runs_in(panels / job->parts, groups);
	job->shared = groups * job->parts > 1;
	for (size_t c = 0; c < job->chunks && job->shared; c++) {
		atomic_init(&job->filling[c].begun, 0);
		atomic_init(&job->filling[c].done, 0);
	}
}

void attend_product_run(const attend_product *p)
{
	if (p->m == 0 || p->n == 0) return;
	const struct attend_gemm_table *table = attend_gemm_kernels();
	product_job job; /* not cleared: most of it is room for shared chunks */
	job.product = p;
	job.table = table;
	job.left = attend_left_plan(p->scratch, table, p->type, p->x, p->stride_row, p->stride_k, p->m, p->k);
	job.step_bytes = attend_type_step_bytes(table, p->type);
	job.panel_bytes = attend_type_panel_bytes(table, p->type, p->k);
	share(&job);
	const size_t tasks = job.chunks * job.groups.count * job.parts;
	if (can_own(&job, tasks)) {
		attend_parallel_own(tasks, begin_own, own_task, &job);
		return;
	}
	job.filled = job.left.in_place || p->m * p->k < FILL_ALONE;
	if (job.filled && !job.left.in_place) attend_left_fill(&job.left, 0, job.left.runs.count);
	attend_parallel_apart(tasks, product_task, &job);
}
