/* linear.c: y = epilogue(x W^T) on weights packed once into panels, and its backward. */
#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

static size_t round_up(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

/* SIZE_MAX when the product overflows: no allocation of that succeeds. */
static size_t floats(size_t a, size_t b)
{
	size_t bytes;
	if (__builtin_mul_overflow(a, b, &bytes) || __builtin_mul_overflow(bytes, sizeof(float), &bytes) || bytes > SIZE_MAX - 64) {
		return SIZE_MAX;
	}
	return round_up(bytes);
}

size_t attend_pack_bytes(attend_pack_type type, size_t n, size_t k)
{
	const size_t nr = attend_gemm_kernels()->nr;
	(void)type;
	return floats(n / nr * nr + (n % nr ? nr : 0), k);
}

typedef struct pack_job {
	float *panels;
	size_t k, n, nr, n0, n1; /* columns n0 .. n1-1 of n */
	const unsigned char *src;
	attend_dtype dtype;
	size_t element, stride_out, stride_in;
} pack_job;

enum { PACK_STEPS = 64 };

/* One panel, or the part of it that this call fills: PACK_STEPS inputs of each column become f32, then are interleaved. */
static void pack_task(void *arg, size_t index, unsigned worker)
{
	const pack_job *j = arg;
	const size_t panel = j->n0 / j->nr + index;
	const size_t begin = panel * j->nr > j->n0 ? panel * j->nr : j->n0;
	const size_t limit = (panel + 1) * j->nr < j->n1 ? (panel + 1) * j->nr : j->n1;
	const size_t columns = limit - begin, offset = begin - panel * j->nr;
	const size_t width = limit == j->n ? j->nr - offset : columns; /* the last column brings the zeros behind it */
	float *dst = j->panels + panel * j->nr * j->k + offset;
	float part[ATTEND_GEMM_MAX_NR * PACK_STEPS];
	(void)worker;
	for (size_t i0 = 0; i0 < j->k; i0 += PACK_STEPS) {
		const size_t steps = j->k - i0 < PACK_STEPS ? j->k - i0 : PACK_STEPS;
		for (size_t c = 0; c < columns; c++) {
			const unsigned char *src = j->src + ((begin - j->n0 + c) * j->stride_out + i0 * j->stride_in) * j->element;
			if (j->stride_in == 1) {
				attend_to_f32(part + c * PACK_STEPS, src, j->dtype, steps);
			} else {
				for (size_t i = 0; i < steps; i++)
					attend_to_f32(part + c * PACK_STEPS + i, src + i * j->stride_in * j->element, j->dtype, 1);
			}
		}
		for (size_t i = 0; i < steps; i++) {
			float *row = dst + (i0 + i) * j->nr;
			for (size_t c = 0; c < columns; c++)
				row[c] = part[c * PACK_STEPS + i];
			for (size_t c = columns; c < width; c++)
				row[c] = 0.0f;
		}
	}
}

void attend_pack(const attend_packed *packed, size_t n0, size_t n, const void *src, attend_dtype dtype, size_t stride_out,
                 size_t stride_in)
{
	if (n == 0 || packed->k == 0) return;
	const size_t nr = attend_gemm_kernels()->nr;
	pack_job job = {packed->data, packed->k, packed->n, nr, n0, n0 + n, src, dtype, attend_dtype_bits(dtype) / 8, stride_out,
	                stride_in};
	attend_parallel((n0 + n - 1) / nr - n0 / nr + 1, pack_task, &job);
}

size_t attend_linear_scratch(const attend_packed *w, size_t m)
{
	return floats(m, w->k);
}

void attend_linear_forward(float *y, size_t ldy, const float *x, size_t ldx, size_t m, const attend_packed *w,
                           const attend_epilogue *epilogue, void *scratch)
{
	attend_product product = {.y = y, .ldy = ldy, .m = m, .n = w->n, .k = w->k, .blocks = x, .panels = w->data};
	if (epilogue) product.epilogue = *epilogue;
	if (product.epilogue.scale == 0.0f) product.epilogue.scale = 1.0f;
	if (m > 1) { /* one row is its own block */
		attend_pack_blocks(scratch, x, ldx, 1, m, w->k, attend_gemm_kernels()->mr);
		product.blocks = scratch;
	}
	attend_product_run(&product);
}

size_t attend_linear_backward_scratch(size_t m, size_t n, size_t k)
{
	const size_t dx = attend_gemm_scratch(m, k, n), dw = attend_gemm_scratch(n, k, m);
	return dx > dw ? dx : dw;
}

enum { BIAS_COLUMNS = 64 };

/* db += column sums of dy, rows rising. */
static void bias_task(void *arg, size_t index, unsigned worker)
{
	const attend_linear_grad *g = arg;
	const size_t j0 = index * BIAS_COLUMNS, rest = g->n - j0, columns = rest < BIAS_COLUMNS ? rest : BIAS_COLUMNS;
	float sum[BIAS_COLUMNS] = {0};
	(void)worker;
	for (size_t i = 0; i < g->m; i++) {
		const float *dy = g->dy + i * g->lddy + j0;
		for (size_t j = 0; j < columns; j++)
			sum[j] += dy[j];
	}
	for (size_t j = 0; j < columns; j++)
		g->db[j0 + j] += sum[j];
}

void attend_linear_backward(const attend_linear_grad *g, void *scratch)
{
	if (g->dx) {
		attend_gemm(false, g->in_out, g->m, g->k, g->n, 1.0f, g->dy, g->lddy, g->w, g->in_out ? g->n : g->k,
		            g->overwrite_dx ? 0.0f : 1.0f, g->dx, g->lddx, scratch);
	}
	if (g->dw && !g->in_out) {
		attend_gemm(true, false, g->n, g->k, g->m, 1.0f, g->dy, g->lddy, g->x, g->ldx, 1.0f, g->dw, g->k, scratch);
	} else if (g->dw) {
		attend_gemm(true, false, g->k, g->n, g->m, 1.0f, g->x, g->ldx, g->dy, g->lddy, 1.0f, g->dw, g->n, scratch);
	}
	if (g->db) attend_parallel((g->n + BIAS_COLUMNS - 1) / BIAS_COLUMNS, bias_task, (void *)(uintptr_t)g);
}
