/* cross_entropy.c: the loss of rows of logits against labels, with label smoothing (Szegedy et al. 2016, section 7) and class
 * weights as PyTorch's cross_entropy has them:
 *   logp = x - max - log sum exp(x - max)
 *   loss_sum = sum_rows (1-e) w(label) (-logp(label)) + e/V sum_c w(c) (-logp(c)),  weight_sum = sum_rows w(label)
 *   d loss_sum / d x_c = A softmax_c - (1-e) w(label) [c = label] - e/V w(c),  A = (1-e) w(label) + e/V sum_c w(c) */
#include <math.h>
#include <string.h>

#include "lib/core/threads.h"
#include "lib/kernels/row_table.h"

enum { CE_COST = 16 };
/* The batch is cut into parts that follow from n alone; their sums are added in order. */
enum { CE_PARTS = 64 };

typedef struct ce_job {
	const struct attend_row_table *table;
	const attend_cross_entropy *ce;
	size_t part;
	double class_weight_sum;
	double loss[CE_PARTS], weight[CE_PARTS];
	size_t kept[CE_PARTS];
	float *dlogits;
	float dloss;
} ce_job;

static double label_weight(const attend_cross_entropy *ce, int32_t label)
{
	return ce->class_weights ? (double)ce->class_weights[label] : 1.0;
}

static double class_weight_sum(const attend_cross_entropy *ce)
{
	if (!ce->class_weights) return (double)ce->v;
	double sum = 0.0;
	for (size_t c = 0; c < ce->v; c++) sum += (double)ce->class_weights[c];
	return sum;
}

/* sum_c w(c) x_c */
static double weighted_sum(const ce_job *j, const float *x)
{
	const attend_cross_entropy *ce = j->ce;
	if (!ce->class_weights) return j->table->row_sum(x, ce->v);
	double sum = 0.0;
	for (size_t c = 0; c < ce->v; c++) sum += (double)ce->class_weights[c] * (double)x[c];
	return sum;
}

static void forward_part(void *arg, size_t index, unsigned worker)
{
	ce_job *j = arg;
	const attend_cross_entropy *ce = j->ce;
	const size_t begin = index * j->part;
	const size_t end = ce->n - begin < j->part ? ce->n : begin + j->part;
	const double e = (double)ce->smoothing;
	double loss = 0.0, weight = 0.0;
	size_t kept = 0;
	(void)worker;
	for (size_t r = begin; r < end; r++) {
		const int32_t label = ce->labels[r];
		if (label == ce->ignore) continue;
		const float *x = ce->logits + r * ce->v;
		const float max = j->table->row_max(x, ce->v);
		const double log_sum = (double)max + log(j->table->row_sum_exp(x, max, ce->v));
		const double w = label_weight(ce, label);
		loss += (1.0 - e) * w * (log_sum - (double)x[label]);
		if (e != 0.0) loss += e / (double)ce->v * (log_sum * j->class_weight_sum - weighted_sum(j, x));
		weight += w;
		kept++;
	}
	j->loss[index] = loss;
	j->weight[index] = weight;
	j->kept[index] = kept;
}

void attend_cross_entropy_forward(attend_cross_entropy *ce)
{
	ce->loss_sum = ce->weight_sum = 0.0;
	ce->kept = 0;
	if (ce->n == 0 || ce->v == 0) return;
	ce_job job = {.table = attend_row_kernels(), .ce = ce, .part = (ce->n - 1) / CE_PARTS + 1};
	job.class_weight_sum = class_weight_sum(ce);
	const size_t parts = (ce->n + job.part - 1) / job.part;
	attend_parallel(parts, forward_part, &job);
	for (size_t i = 0; i < parts; i++) {
		ce->loss_sum += job.loss[i];
		ce->weight_sum += job.weight[i];
		ce->kept += job.kept[i];
	}
}

static void backward_rows(void *arg, size_t begin, size_t end)
{
	const ce_job *j = arg;
	const attend_cross_entropy *ce = j->ce;
	const size_t v = ce->v;
	const double e = (double)ce->smoothing, dloss = (double)j->dloss;
	for (size_t r = begin; r < end; r++) {
		const int32_t label = ce->labels[r];
		float *dx = j->dlogits + r * v;
		if (label == ce->ignore) {
			memset(dx, 0, v * sizeof *dx);
			continue;
		}
		const float *x = ce->logits + r * v;
		const float max = j->table->row_max(x, v);
		const double sum = j->table->row_sum_exp(x, max, v);
		const double w = label_weight(ce, label);
		const double a = (1.0 - e) * w + e / (double)v * j->class_weight_sum;
		j->table->row_exp(dx, x, max, (float)(dloss * a / sum), v);
		if (e != 0.0) {
			if (ce->class_weights) j->table->add_scaled(dx, ce->class_weights, (float)(-dloss * e / (double)v), v);
			else j->table->row_shift(dx, dx, (float)(dloss * e / (double)v), v);
		}
		dx[label] -= (float)(dloss * (1.0 - e) * w);
	}
}

void attend_cross_entropy_backward(float *dlogits, const attend_cross_entropy *ce, float dloss)
{
	if (ce->v == 0 || !dlogits) return;
	ce_job job = {.table = attend_row_kernels(), .ce = ce, .dlogits = dlogits, .dloss = dloss};
	job.class_weight_sum = class_weight_sum(ce);
	attend_split(ce->n, ce->v * CE_COST, backward_rows, &job);
}
