/* optimizer_step.c: AdamW (Loshchilov & Hutter 2019, algorithm 2) and SGD with momentum (as torch.optim.SGD), each one pass over
 * a parameter:
 *   AdamW: g *= grad_scale; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 *          w -= lr*weight_decay*w; w -= lr * (m/c1) / (sqrt(v/c2) + eps)
 *   SGD:   g = g*grad_scale + weight_decay*w; buf = first ? g : momentum*buf + (1-dampening) g;
 *          w -= lr * (nesterov ? g + momentum*buf : buf);  without momentum: w -= lr*g */
#include <math.h>

#include "lib/kernels/row_table.h"

/* Memory-bound: as much time as this many operations in cache. */
enum { UPDATE_COST = 8 };

static void adamw(float *w, float *m, float *v, const float *g, size_t count, const attend_adamw *o)
{
	const float scale = (float)o->grad_scale, eps = (float)o->eps;
	const float beta1 = (float)o->beta1, rest1 = (float)(1.0 - o->beta1);
	const float beta2 = (float)o->beta2, rest2 = (float)(1.0 - o->beta2);
	const float decay = (float)(1.0 - o->lr * o->weight_decay);
	const float step = (float)(o->lr / o->bias_correction1);
	const float root = (float)(1.0 / sqrt(o->bias_correction2));
	for (size_t i = 0; i < count; i++) {
		const float gradient = g[i] * scale;
		m[i] = beta1 * m[i] + rest1 * gradient;
		v[i] = beta2 * v[i] + rest2 * gradient * gradient;
		w[i] = w[i] * decay - step * (m[i] / (sqrtf(v[i]) * root + eps));
	}
}

static void sgd(float *w, float *momentum, const float *g, size_t count, const attend_sgd *o)
{
	const float scale = (float)o->grad_scale, decay = (float)o->weight_decay, lr = (float)o->lr;
	const float keep = (float)o->momentum, rest = (float)(1.0 - o->dampening);
	for (size_t i = 0; i < count; i++) {
		float gradient = g[i] * scale + decay * w[i];
		if (momentum) {
			momentum[i] = o->first ? gradient : keep * momentum[i] + rest * gradient;
			gradient = o->nesterov ? gradient + keep * momentum[i] : momentum[i];
		}
		w[i] -= lr * gradient;
	}
}

void attend_optimizer_portable(struct attend_row_table *table)
{
	table->adamw = adamw;
	table->sgd = sgd;
}

typedef struct update_job {
	const struct attend_row_table *table;
	float *w, *m, *v;
	const float *g;
	const attend_adamw *adamw;
	const attend_sgd *sgd;
	const uint8_t *moved;
	size_t width;
} update_job;

static void adamw_range(void *arg, size_t begin, size_t end)
{
	const update_job *j = arg;
	j->table->adamw(j->w + begin, j->m + begin, j->v + begin, j->g + begin, end - begin, j->adamw);
}

void attend_adamw_update(float *w, float *m, float *v, const float *g, size_t count, const attend_adamw *o)
{
	update_job job = {.table = attend_row_kernels(), .w = w, .m = m, .v = v, .g = g, .adamw = o};
	attend_split(count, UPDATE_COST, adamw_range, &job);
}

static void adamw_rows(void *arg, size_t begin, size_t end)
{
	const update_job *j = arg;
	const float decay = (float)(1.0 - j->adamw->lr * j->adamw->weight_decay);
	for (size_t row = begin, next; row < end; row = next) {
		for (next = row + 1; next < end && !j->moved[next] == !j->moved[row];) next++;
		if (j->moved[row]) adamw_range(arg, row * j->width, next * j->width);
		else if (decay != 1.0f)
			j->table->scale(j->w + row * j->width, j->w + row * j->width, decay, (next - row) * j->width);
	}
}

void attend_adamw_update_rows(float *w, float *m, float *v, const float *g, const uint8_t *moved, size_t rows,
                              size_t width, const attend_adamw *o)
{
	update_job job = {
		.table = attend_row_kernels(), .w = w, .m = m, .v = v, .g = g, .adamw = o, .moved = moved, .width = width};
	attend_split(rows, UPDATE_COST * width, adamw_rows, &job);
}

static void sgd_range(void *arg, size_t begin, size_t end)
{
	const update_job *j = arg;
	j->table->sgd(j->w + begin, j->m ? j->m + begin : NULL, j->g + begin, end - begin, j->sgd);
}

void attend_sgd_update(float *w, float *momentum, const float *g, size_t count, const attend_sgd *o)
{
	update_job job = {.table = attend_row_kernels(), .w = w, .m = momentum, .g = g, .sgd = o};
	attend_split(count, UPDATE_COST, sgd_range, &job);
}
