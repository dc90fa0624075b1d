/* linear.c: y = epilogue(x W^T) on weights packed once into panels, and its backward. */
#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"
#include "lib/kernels/row_table.h"

size_t attend_linear_scratch(const attend_packed *w, size_t m)
{
	return attend_left_bytes(attend_gemm_kernels(), w->type, m, w->k);
}

bool attend_linear_lays(attend_pack_type type, size_t n, size_t m)
{
	enum { ROWS = 32 }; /* fewer take as long one way as the other */
	const struct attend_gemm_table *table = attend_gemm_kernels();
	return type == ATTEND_PACK_BF16 && table->lay_bf16 && n % table->nr == 0 && m >= ROWS;
}

size_t attend_linear_stretch(attend_pack_type type)
{
	return attend_gemm_kernels()->kernel[type].tiled ? 128 : 64;
}

/* The weights are in `product`: all else of y = epilogue(x W^T). */
static void run(attend_product *product, float *y, size_t ldy, const float *x, size_t ldx, size_t m,
                const attend_epilogue *epilogue, void *scratch)
{
	product->y = y;
	product->ldy = ldy;
	product->m = m;
	product->x = x;
	product->stride_row = ldx;
	product->stride_k = 1;
	product->scratch = scratch;
	if (epilogue) product->epilogue = *epilogue;
	if (product->epilogue.scale == 0.0f) product->epilogue.scale = 1.0f;
	attend_product_run(product);
}

void attend_linear_forward(float *y, size_t ldy, const float *x, size_t ldx, size_t m, const attend_packed *w,
                           const attend_epilogue *epilogue, void *scratch)
{
	attend_product product = {.type = w->type, .n = w->n, .k = w->k, .panels = w->data};
	run(&product, y, ldy, x, ldx, m, epilogue, scratch);
}

void attend_linear_forward_unpacked(float *y, size_t ldy, const float *x, size_t ldx, size_t m,
                                    const attend_unpacked *w, const attend_epilogue *epilogue, void *scratch)
{
	attend_product product = {.type = w->type, .n = w->n, .k = w->k, .unpacked = w};
	run(&product, y, ldy, x, ldx, m, epilogue, scratch);
}

size_t attend_linear_backward_scratch(size_t m, size_t n, size_t k)
{
	/* dx; dw in either layout: panels are padded to whole ones */
	const size_t dx = attend_gemm_scratch(m, k, n), dw = attend_gemm_scratch(n, k, m),
				 dw_in_out = attend_gemm_scratch(k, n, m);
	const size_t most = dw > dw_in_out ? dw : dw_in_out;
	return dx > most ? dx : most;
}

/* dx of all parts in one product, where each part's inputs are whole steps of it; else false. */
static bool dx_at_once(const attend_linear_grad *g, void *scratch)
{
	enum { WHOLE = 32 }; /* inputs: steps are padded to sixteen pairs at most */
	const struct attend_gemm_table *table = attend_gemm_kernels();
	size_t n = 0, first = 0;
	for (size_t i = 0; i < g->part_count; n += g->parts[i++].n)
		if (g->parts[i].n % WHOLE != 0 || g->parts[i].in_out) return false;
	if (!g->bf16 || !attend_bf16_pays() || g->part_count < 2) return false;
	float *panels = (float *)(void *)((unsigned char *)scratch + attend_left_bytes(table, ATTEND_PACK_BF16, g->m, n));
	for (size_t i = 0; i < g->part_count; first += g->parts[i++].n / 2)
		attend_panels_round(panels, table, g->parts[i].w, 1, g->k, g->k, g->parts[i].n, first, n / 2);
	attend_product product = {.type = ATTEND_PACK_BF16, .n = g->k, .k = n, .panels = (const unsigned char *)panels};
	const attend_epilogue e = {.residual = g->overwrite_dx ? NULL : g->dx, .ld_residual = g->lddx};
	run(&product, g->dx, g->lddx, g->dy, g->lddy, g->m, &e, scratch);
	return true;
}

static void dx_by_parts(const attend_linear_grad *g, void *scratch)
{
	const float *dy = g->dy;
	for (size_t i = 0; i < g->part_count; dy += g->parts[i++].n) {
		const struct attend_linear_grad_part *part = &g->parts[i];
		const attend_gemm_left left = {g->m, dy, g->overwrite_dx && i == 0 ? 0.0f : 1.0f, g->dx};
		attend_gemm_shared(g->bf16, false, part->in_out, &left, 1, g->k, part->n, g->lddy, part->w,
		                   part->in_out ? part->n : g->k, g->lddx, scratch);
	}
}

static void dw_of_parts(const attend_linear_grad *g, void *scratch)
{
	attend_gemm_left lefts[3];
	size_t count = 0;
	const float *dy = g->dy;
	for (size_t i = 0; i < g->part_count; dy += g->parts[i++].n) {
		const struct attend_linear_grad_part *part = &g->parts[i];
		const float keep = part->overwrite_dw ? 0.0f : 1.0f;
		if (part->dw && part->in_out) {
			const attend_gemm_left x = {g->k, g->x, keep, part->dw};
			attend_gemm_shared(g->bf16, true, false, &x, 1, part->n, g->m, g->ldx, dy, g->lddy, part->n, scratch);
		} else if (part->dw) {
			lefts[count++] = (attend_gemm_left){part->n, dy, keep, part->dw};
		}
	}
	if (count) attend_gemm_shared(g->bf16, true, false, lefts, count, g->k, g->m, g->lddy, g->x, g->ldx, g->k, scratch);
}

enum { BIAS_COLUMNS = 64 };

typedef struct bias_job {
	const attend_linear_grad *g;
	const float *dy;
	size_t n;
	float *db;
} bias_job;

/* db += column sums of dy, rows rising. */
static void bias_task(void *arg, size_t index, unsigned worker)
{
	const bias_job *job = arg;
	const size_t j0 = index * BIAS_COLUMNS, rest = job->n - j0, columns = rest < BIAS_COLUMNS ? rest : BIAS_COLUMNS;
	float sum[BIAS_COLUMNS] = {0};
	(void)worker;
	attend_row_kernels()->add_rows(sum, job->dy + j0, job->g->lddy, job->g->m, columns);
	for (size_t j = 0; j < columns; j++) job->db[j0 + j] += sum[j];
}

void attend_linear_backward(const attend_linear_grad *g, void *scratch)
{
	if (g->dx && !dx_at_once(g, scratch)) dx_by_parts(g, scratch);
	dw_of_parts(g, scratch);
	const float *dy = g->dy;
	for (size_t i = 0; i < g->part_count; dy += g->parts[i++].n) {
		bias_job job = {g, dy, g->parts[i].n, g->parts[i].db};
		if (job.db) attend_parallel((job.n + BIAS_COLUMNS - 1) / BIAS_COLUMNS, bias_task, &job);
	}
}
