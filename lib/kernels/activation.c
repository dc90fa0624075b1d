/* activation.c: y = act(x) and dx = dy * act'(x); the functions themselves are in math_portable.h and math_vector.h. */
#include "lib/kernels/math_portable.h"
#include "lib/kernels/row_table.h"

/* Float operations that one element takes, for the split. */
enum { ACTIVATION_COST = 16 };

static void activation(float *y, size_t ldy, const float *x, size_t ldx, attend_activation act, size_t rows,
                       size_t width)
{
	switch (act) {
#define LOOP(name)                                                               \
	case name:                                                                   \
		for (size_t r = 0; r < rows; r++, y += ldy, x += ldx) {                  \
			for (size_t i = 0; i < width; i++) y[i] = math_activate(x[i], name); \
		}                                                                        \
		break;
		ATTEND_EACH_ACTIVATION(LOOP)
#undef LOOP
	case ATTEND_ACT_COUNT: break;
	}
}

static void activation_dx(float *dx, const float *dy, const float *x, attend_activation act, size_t count)
{
	switch (act) {
#define LOOP(name)                                                                 \
	case name:                                                                     \
		for (size_t i = 0; i < count; i++) dx[i] = dy[i] * math_slope(x[i], name); \
		break;
		ATTEND_EACH_ACTIVATION(LOOP)
#undef LOOP
	case ATTEND_ACT_COUNT: break;
	}
}

void attend_activation_portable(struct attend_row_table *table)
{
	table->activation = activation;
	table->activation_dx = activation_dx;
}

typedef struct activation_job {
	const struct attend_row_table *table;
	float *y;
	const float *dy, *x;
	attend_activation act;
} activation_job;

static void forward_range(void *arg, size_t begin, size_t end)
{
	const activation_job *j = arg;
	j->table->activation(j->y + begin, 0, j->x + begin, 0, j->act, 1, end - begin);
}

void attend_activation_forward(float *y, const float *x, attend_activation act, size_t count)
{
	activation_job job = {attend_row_kernels(), y, NULL, x, act};
	attend_split(count, ACTIVATION_COST, forward_range, &job);
}

static void backward_range(void *arg, size_t begin, size_t end)
{
	const activation_job *j = arg;
	j->table->activation_dx(j->y + begin, j->dy + begin, j->x + begin, j->act, end - begin);
}

void attend_activation_backward(float *dx, const float *dy, const float *x, attend_activation act, size_t count)
{
	activation_job job = {attend_row_kernels(), dx, dy, x, act};
	attend_split(count, ACTIVATION_COST, backward_range, &job);
}
