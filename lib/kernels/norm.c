/* norm.c: LayerNorm (Ba, Kiros & Hinton 2016) and RMSNorm (Zhang & Sennrich 2019), forward and backward. */
#include <math.h>
#include <string.h>

#include "lib/kernels/row_table.h"

/* Float operations that one element takes, for the split. */
enum { NORM_COST = 8 };

/* Columns that one task of the weight gradient takes: it walks all rows in order, so the team does not change the sum. */
enum { DW_COLUMNS = 64 };

/* ---- LayerNorm: xhat = (x - mean) * rstd, rstd = 1/sqrt(mean((x - mean)^2) + eps), y = xhat*w + b --------------------------- */
static void layernorm(float *y, const float *x, const float *w, const float *b, float eps, size_t d, float *mean,
                      float *rstd)
{
	double sum = 0.0, squares = 0.0;
	for (size_t i = 0; i < d; i++) sum += (double)x[i];
	const float m = (float)(sum / (double)d);
	for (size_t i = 0; i < d; i++) {
		const float c = x[i] - m;
		squares += (double)(c * c);
	}
	const float r = 1.0f / sqrtf((float)(squares / (double)d) + eps);
	for (size_t i = 0; i < d; i++) {
		const float v = (x[i] - m) * r * w[i];
		y[i] = b ? v + b[i] : v;
	}
	*mean = m;
	*rstd = r;
}

/* dx += rstd * (g - mean(g) - xhat*mean(g*xhat)), g = dy*w ; dw += dy*xhat ; db += dy */
static void layernorm_dx(float *dx, const float *dy, const float *x, const float *w, float mean, float rstd, size_t d)
{
	double sum = 0.0, product = 0.0;
	for (size_t i = 0; i < d; i++) {
		const float g = dy[i] * w[i];
		sum += (double)g;
		product += (double)(g * ((x[i] - mean) * rstd));
	}
	const float a = (float)(sum / (double)d), c = (float)(product / (double)d);
	for (size_t i = 0; i < d; i++) dx[i] += rstd * (dy[i] * w[i] - a - (x[i] - mean) * rstd * c);
}

static void norm_dw(float *dw, float *db, const float *dy, const float *x, size_t ld, const float *mean,
                    const float *rstd, size_t n, size_t width)
{
	for (size_t r = 0; r < n; r++) {
		const float m = mean ? mean[r] : 0.0f;
		if (dw)
			for (size_t i = 0; i < width; i++) dw[i] += dy[r * ld + i] * ((x[r * ld + i] - m) * rstd[r]);
		if (db)
			for (size_t i = 0; i < width; i++) db[i] += dy[r * ld + i];
	}
}

/* ---- RMSNorm: xhat = x * rstd, rstd = 1/sqrt(mean(x^2) + eps), y = xhat*w ---------------------------------------------------- */
static void rmsnorm(float *y, const float *x, const float *w, float eps, size_t d, float *rstd)
{
	double squares = 0.0;
	for (size_t i = 0; i < d; i++) squares += (double)(x[i] * x[i]);
	const float r = 1.0f / sqrtf((float)(squares / (double)d) + eps);
	for (size_t i = 0; i < d; i++) y[i] = x[i] * r * w[i];
	*rstd = r;
}

/* dx += rstd * (g - xhat*mean(g*xhat)), g = dy*w ; dw += dy*xhat */
static void rmsnorm_dx(float *dx, const float *dy, const float *x, const float *w, float rstd, size_t d)
{
	double product = 0.0;
	for (size_t i = 0; i < d; i++) product += (double)(dy[i] * w[i] * (x[i] * rstd));
	const float c = (float)(product / (double)d);
	for (size_t i = 0; i < d; i++) dx[i] += rstd * (dy[i] * w[i] - x[i] * rstd * c);
}

void attend_norm_portable(struct attend_row_table *table)
{
	table->layernorm = layernorm;
	table->layernorm_dx = layernorm_dx;
	table->norm_dw = norm_dw;
	table->rmsnorm = rmsnorm;
	table->rmsnorm_dx = rmsnorm_dx;
}

/* ---- Over the team ------------------------------------------------------------------------------------------------------------ */
typedef struct norm_job {
	const struct attend_row_table *table;
	float *y, *mean, *rstd;
	const float *x, *w, *b;
	float eps;
	size_t d;
} norm_job;

static void layernorm_rows(void *arg, size_t begin, size_t end)
{
	const norm_job *j = arg;
	for (size_t r = begin; r < end; r++) {
		float mean, rstd;
		j->table->layernorm(j->y + r * j->d, j->x + r * j->d, j->w, j->b, j->eps, j->d, &mean, &rstd);
		if (j->mean) j->mean[r] = mean;
		if (j->rstd) j->rstd[r] = rstd;
	}
}

void attend_layernorm_forward(float *y, const float *x, const float *w, const float *b, float eps, size_t n, size_t d,
                              float *mean, float *rstd)
{
	norm_job job = {attend_row_kernels(), y, mean, rstd, x, w, b, eps, d};
	if (d) attend_split(n, NORM_COST * d, layernorm_rows, &job);
}

static void rmsnorm_rows(void *arg, size_t begin, size_t end)
{
	const norm_job *j = arg;
	for (size_t r = begin; r < end; r++) {
		float rstd;
		j->table->rmsnorm(j->y + r * j->d, j->x + r * j->d, j->w, j->eps, j->d, &rstd);
		if (j->rstd) j->rstd[r] = rstd;
	}
}

void attend_rmsnorm_forward(float *y, const float *x, const float *w, float eps, size_t n, size_t d, float *rstd)
{
	norm_job job = {attend_row_kernels(), y, NULL, rstd, x, w, NULL, eps, d};
	if (d) attend_split(n, NORM_COST * d, rmsnorm_rows, &job);
}

typedef struct norm_grad_job {
	const struct attend_row_table *table;
	float *dx, *dw, *db;
	const float *dy, *x, *w, *mean, *rstd; /* mean NULL: RMSNorm */
	size_t n, d;
	bool overwrite;
} norm_grad_job;

static void norm_dx_rows(void *arg, size_t begin, size_t end)
{
	const norm_grad_job *j = arg;
	for (size_t r = begin; r < end; r++) {
		const size_t at = r * j->d;
		if (j->overwrite) memset(j->dx + at, 0, j->d * sizeof *j->dx);
		if (j->mean) j->table->layernorm_dx(j->dx + at, j->dy + at, j->x + at, j->w, j->mean[r], j->rstd[r], j->d);
		else j->table->rmsnorm_dx(j->dx + at, j->dy + at, j->x + at, j->w, j->rstd[r], j->d);
	}
}

static void norm_dw_columns(void *arg, size_t begin, size_t end)
{
	const norm_grad_job *j = arg;
	for (size_t block = begin; block < end; block++) {
		const size_t c = block * DW_COLUMNS;
		const size_t width = j->d - c < DW_COLUMNS ? j->d - c : DW_COLUMNS;
		j->table->norm_dw(j->dw ? j->dw + c : NULL, j->db ? j->db + c : NULL, j->dy + c, j->x + c, j->d, j->mean,
		                  j->rstd, j->n, width);
	}
}

static void norm_backward(norm_grad_job *job)
{
	if (job->d == 0) return;
	if (job->dw || job->db)
		attend_split((job->d + DW_COLUMNS - 1) / DW_COLUMNS, 2 * job->n * DW_COLUMNS, norm_dw_columns, job);
	if (job->dx) attend_split(job->n, 2 * job->d, norm_dx_rows, job);
}

void attend_layernorm_backward(float *dx, bool overwrite, float *dw, float *db, const float *dy, const float *x,
                               const float *w, const float *mean, const float *rstd, size_t n, size_t d)
{
	norm_grad_job job = {attend_row_kernels(), dx, dw, db, dy, x, w, mean, rstd, n, d, overwrite};
	norm_backward(&job);
}

void attend_rmsnorm_backward(float *dx, bool overwrite, float *dw, const float *dy, const float *x, const float *w,
                             const float *rstd, size_t n, size_t d)
{
	norm_grad_job job = {attend_row_kernels(), dx, dw, NULL, dy, x, w, NULL, rstd, n, d, overwrite};
	norm_backward(&job);
}
