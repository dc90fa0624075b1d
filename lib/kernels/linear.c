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

enum { BIAS_COLUMNS = 64 };

/* db += column sums of dy, rows rising. */
static void bias_task(void *arg, size_t index, unsigned worker)
{
	const attend_linear_grad *g = arg;
	const size_t j0 = index * BIAS_COLUMNS, rest = g->n - j0, columns = rest < BIAS_COLUMNS ? rest : BIAS_COLUMNS;
	float sum[BIAS_COLUMNS] = {0};
	(void)worker;
	attend_row_kernels()->add_rows(sum, g->dy + j0, g->lddy, g->m, columns);
	for (size_t j = 0; j < columns; j++) g->db[j0 + j] += sum[j];
}

void attend_linear_backward(const attend_linear_grad *g, void *scratch)
{
	void (*const gemm)(bool, bool, size_t, size_t, size_t, float, const float *, size_t, const float *, size_t, float,
	                   float *, size_t, void *) = g->bf16 ? attend_gemm_bf16 : attend_gemm;
	const float keep = g->overwrite_dw ? 0.0f : 1.0f;
	if (g->dx) {
		gemm(false, g->in_out, g->m, g->k, g->n, 1.0f, g->dy, g->lddy, g->w, g->in_out ? g->n : g->k,
		     g->overwrite_dx ? 0.0f : 1.0f, g->dx, g->lddx, scratch);
	}
	if (g->dw && !g->in_out) {
		gemm(true, false, g->n, g->k, g->m, 1.0f, g->dy, g->lddy, g->x, g->ldx, keep, g->dw, g->k, scratch);
	} else if (g->dw) {
		gemm(true, false, g->k, g->n, g->m, 1.0f, g->x, g->ldx, g->dy, g->lddy, keep, g->dw, g->n, scratch);
	}
	if (g->db) attend_parallel((g->n + BIAS_COLUMNS - 1) / BIAS_COLUMNS, bias_task, (void *)(uintptr_t)g);
}
