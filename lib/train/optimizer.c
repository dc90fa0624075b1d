/* optimizer.c: AdamW (Loshchilov & Hutter 2019), SGD with momentum (torch.optim.SGD), Adafactor (Shazeer & Stern 2018, as
 * transformers' Adafactor), after clipping by the global norm (Pascanu et al. 2013, torch's max/(norm + 1e-6)). */
#include "lib/train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

struct attend_optimizer {
	attend_network *network;
	attend_optimizer_options o;
	attend_param_group *groups;
	size_t group_count;
	attend_param **members; /* behind groups[].params */
	uint64_t *steps;        /* [param_count] updates that each has had */
	/* [param_count]: rows of a table that have had a gradient. The other rows have moments of zero, and most rows of a
	 * vocabulary stay so. NULL: any may have had one */
	uint8_t **moved;
	double *lr;  /* [groups] */
	size_t live; /* deepest live group */
	/* Adafactor: of the parameter at hand */
	float *direction; /* [direction_count] */
	double *columns;  /* [column_count] sums of a matrix's columns */
	size_t direction_count, column_count;
};

static const char *const kind_names[] = {"adamw", "sgd", "adafactor"};

attend_status attend_optimizer_kind_parse(attend_optimizer_kind *out, const char *name)
{
	for (int i = 0; i < 3; i++) {
		if (strcmp(name, kind_names[i]) != 0) continue;
		*out = (attend_optimizer_kind)i;
		return ATTEND_OK;
	}
	return attend_fail(ATTEND_ERR_ARG, "no optimiser is called '%s': there are adamw, sgd, adafactor", name);
}

const char *attend_optimizer_kind_name(attend_optimizer_kind kind)
{
	return kind_names[kind];
}

void attend_optimizer_defaults(attend_optimizer_options *options, attend_optimizer_kind kind)
{
	*options = (attend_optimizer_options){.kind = kind,
	                                      .beta1 = kind == ATTEND_OPTIMIZER_ADAFACTOR ? -1 : 0.9,
	                                      .beta2 = 0.999,
	                                      .epsilon = 1e-8,
	                                      .momentum = 0.9,
	                                      .eps1 = 1e-30,
	                                      .eps2 = 1e-3,
	                                      .clip_threshold = 1,
	                                      .decay_rate = -0.8,
	                                      .max_grad_norm = 1};
}

attend_status attend_optimizer_read(attend_optimizer_options *out, const attend_json *object)
{
	attend_optimizer_options o;
	const char *name = "adamw";
	attend_optimizer_kind kind = ATTEND_OPTIMIZER_ADAMW;
	ATTEND_TRY(attend_json_get_string(&name, object, "name"));
	ATTEND_TRY(attend_optimizer_kind_parse(&kind, name));
	attend_optimizer_defaults(&o, kind);
	const struct {
		const char *name;
		double *number;
		bool *flag;
	} fields[] = {{"beta1", &o.beta1, NULL},
	              {"beta2", &o.beta2, NULL},
	              {"epsilon", &o.epsilon, NULL},
	              {"momentum", &o.momentum, NULL},
	              {"nesterov", NULL, &o.nesterov},
	              {"eps1", &o.eps1, NULL},
	              {"eps2", &o.eps2, NULL},
	              {"clip_threshold", &o.clip_threshold, NULL},
	              {"decay_rate", &o.decay_rate, NULL},
	              {"scale_parameter", NULL, &o.scale_parameter},
	              {"relative_step", NULL, &o.relative_step},
	              {"warmup_init", NULL, &o.warmup_init}};
	enum { FIELDS = sizeof fields / sizeof *fields };
	for (const attend_json *m = attend_json_first(object); m; m = attend_json_next(m)) {
		const char *key = attend_json_key(m, NULL);
		if (strcmp(key, "name") == 0 || attend_json_type(m) == ATTEND_JSON_NULL) continue;
		size_t i = 0;
		while (i < FIELDS && strcmp(fields[i].name, key) != 0) i++;
		if (i == FIELDS) return attend_json_fail(m, "no optimiser has this parameter");
		ATTEND_TRY(fields[i].flag ? attend_json_as_bool(fields[i].flag, m)
		                          : attend_json_as_double(fields[i].number, m));
	}
	*out = o;
	return ATTEND_OK;
}

/* ---- Groups ---------------------------------------------------------------------------------------------------------------- */

/* The number of a parameter's group before empty ones are dropped: depth and decay in the order of the rule. */
static size_t slot_of(const attend_optimizer *o, const attend_grouping *g, const attend_param *param)
{
	const size_t depth = attend_param_depth(o->network, param), no_decay = attend_param_no_decay(param);
	switch (g->rule) {
	case ATTEND_GROUPS_SINGLE: return 0;
	case ATTEND_GROUPS_NO_DECAY: return no_decay;
	case ATTEND_GROUPS_LAYERWISE_DECAY: return 2 * depth + no_decay;
	case ATTEND_GROUPS_DISCRIMINATIVE: break;
	}
	return depth;
}

static attend_param_group group_of(const attend_grouping *g, size_t slot)
{
	switch (g->rule) {
	case ATTEND_GROUPS_SINGLE: break;
	case ATTEND_GROUPS_NO_DECAY: return (attend_param_group){.lr = g->lr, .weight_decay = slot ? 0 : g->weight_decay};
	case ATTEND_GROUPS_LAYERWISE_DECAY:
		return (attend_param_group){.lr = g->lr * pow(g->factor, (double)(slot / 2)),
		                            .weight_decay = slot % 2 ? 0 : g->weight_decay,
		                            .depth = slot / 2};
	case ATTEND_GROUPS_DISCRIMINATIVE:
		return (attend_param_group){.lr = g->lr / pow(g->factor, (double)slot),
		                            .weight_decay = g->weight_decay,
		                            .depth = slot};
	}
	return (attend_param_group){.lr = g->lr, .weight_decay = g->weight_decay};
}

attend_status attend_optimizer_new(attend_optimizer **out, attend_network *network,
                                   const attend_optimizer_options *options, const attend_grouping *grouping)
{
	attend_optimizer *o = calloc(1, sizeof *o);
	if (!o) return attend_fail_memory(sizeof *o, "optimiser");
	o->network = network;
	o->o = *options;
	o->live = SIZE_MAX;
	const size_t slots = 2 * (network->stacks[0].block_count + network->stacks[1].block_count + 2);
	o->groups = calloc(slots, sizeof *o->groups);
	o->lr = calloc(slots, sizeof *o->lr);
	o->members = attend_alloc_array(network->param_count + 1, sizeof *o->members);
	o->steps = calloc(network->param_count + 1, sizeof *o->steps);
	o->moved = calloc(network->param_count + 1, sizeof *o->moved);
	if (!o->groups || !o->lr || !o->members || !o->steps || !o->moved) {
		attend_optimizer_free(o);
		return attend_fail_memory(network->param_count * sizeof *o->members, "optimiser");
	}
	size_t filled = 0;
	for (size_t slot = 0; slot < slots; slot++) {
		attend_param_group group = group_of(grouping, slot);
		group.params = o->members + filled;
		for (size_t i = 0; i < network->param_count; i++) {
			attend_param *param = &network->params[i];
			if (!param->values || param->constant || slot_of(o, grouping, param) != slot) continue;
			o->members[filled++] = param;
			group.count++;
		}
		if (group.count) o->groups[o->group_count++] = group;
	}
	*out = o;
	return ATTEND_OK;
}

void attend_optimizer_free(attend_optimizer *optimizer)
{
	if (!optimizer) return;
	for (size_t i = 0; optimizer->network && i < optimizer->network->param_count; i++) {
		attend_param *param = &optimizer->network->params[i];
		for (int m = 0; m < 2; m++) {
			free(param->moments[m]);
			param->moments[m] = NULL;
		}
		if (optimizer->moved) free(optimizer->moved[i]);
	}
	free(optimizer->groups);
	free(optimizer->lr);
	free(optimizer->members);
	free(optimizer->steps);
	free(optimizer->moved);
	free(optimizer->direction);
	free(optimizer->columns);
	free(optimizer);
}

size_t attend_optimizer_group_count(const attend_optimizer *optimizer)
{
	return optimizer->group_count;
}

const attend_param_group *attend_optimizer_group(const attend_optimizer *optimizer, size_t i)
{
	return &optimizer->groups[i];
}

void attend_optimizer_set_live(attend_optimizer *optimizer, size_t depth)
{
	optimizer->live = depth;
}

/* ---- Adafactor ----------------------------------------------------------------------------------------------------------------- */

/* Factored over the last two axes: `batch` matrices [rows, columns]; rows 0: a vector. */
typedef struct factors {
	size_t batch, rows, columns;
} factors;

static factors factors_of(const attend_param *param)
{
	const attend_tensor *t = &param->stored;
	if (t->rank < 2 || param->count == 0) return (factors){1, 0, param->count};
	const size_t rows = t->shape[t->rank - 2], columns = t->shape[t->rank - 1];
	return (factors){param->count / (rows * columns), rows, columns};
}

static double mean_square(const float *x, size_t count)
{
	return count ? attend_sum_squares(x, count) / (double)count : 0;
}

/* Row means R [batch, rows] and column means C [batch, columns] of g^2 + eps1, as running averages. `sums` [columns] is scratch. */
static void update_factors(float *state, const float *g, factors f, double beta2, double eps1, double scale,
                           double *sums)
{
	float *r = state, *c = state + f.batch * f.rows;
	for (size_t b = 0; b < f.batch; b++) {
		const float *matrix = g + b * f.rows * f.columns;
		memset(sums, 0, f.columns * sizeof *sums);
		for (size_t i = 0; i < f.rows; i++) {
			double sum = 0;
			for (size_t j = 0; j < f.columns; j++) {
				const double x = scale * (double)matrix[i * f.columns + j], square = x * x + eps1;
				sum += square;
				sums[j] += square;
			}
			float *at = &r[b * f.rows + i];
			*at = (float)(beta2 * (double)*at + (1 - beta2) * sum / (double)f.columns);
		}
		for (size_t j = 0; j < f.columns; j++) {
			float *at = &c[b * f.columns + j];
			*at = (float)(beta2 * (double)*at + (1 - beta2) * sums[j] / (double)f.rows);
		}
	}
}

/* u = g / sqrt of the second moment that the state stands for. */
static void divide_by_root(float *u, const float *g, const float *state, factors f, double scale)
{
	if (f.rows == 0) {
		for (size_t i = 0; i < f.columns; i++) u[i] = (float)(scale * (double)g[i] / sqrt((double)state[i]));
		return;
	}
	const float *r = state, *c = state + f.batch * f.rows;
	for (size_t b = 0; b < f.batch; b++) {
		double mean = 0;
		for (size_t i = 0; i < f.rows; i++) mean += (double)r[b * f.rows + i];
		mean /= (double)f.rows;
		for (size_t i = 0; i < f.rows; i++) {
			const double row = 1 / sqrt((double)r[b * f.rows + i] / mean);
			const size_t at = (b * f.rows + i) * f.columns;
			for (size_t j = 0; j < f.columns; j++)
				u[at + j] = (float)(scale * (double)g[at + j] * row / sqrt((double)c[b * f.columns + j]));
		}
	}
}

/* moments[0]: R and C (or V); moments[1]: the average of u when there is a beta1. */
static void adafactor(const attend_optimizer *optimizer, attend_param *param, double lr, double weight_decay,
                      uint64_t t, double scale)
{
	const attend_optimizer_options *o = &optimizer->o;
	const factors f = factors_of(param);
	const double beta2 = 1 - pow((double)t, o->decay_rate);
	float *state = param->moments[0], *u = optimizer->direction, *average = param->moments[1], *w = param->values;
	if (f.rows) update_factors(state, param->grad, f, beta2, o->eps1, scale, optimizer->columns);
	else
		for (size_t i = 0; i < f.columns; i++) {
			const double g = scale * (double)param->grad[i];
			state[i] = (float)(beta2 * (double)state[i] + (1 - beta2) * (g * g + o->eps1));
		}
	divide_by_root(u, param->grad, state, f, scale);
	if (o->relative_step) lr = fmin(o->warmup_init ? 1e-6 * (double)t : 1e-2, 1 / sqrt((double)t));
	if (o->scale_parameter) lr *= fmax(o->eps2, sqrt(mean_square(w, param->count)));
	const double factor = lr / fmax(1, sqrt(mean_square(u, param->count)) / o->clip_threshold);
	for (size_t i = 0; i < param->count; i++) {
		double step = factor * (double)u[i];
		if (average) step = average[i] = (float)(o->beta1 * (double)average[i] + (1 - o->beta1) * step);
		w[i] = (float)((double)w[i] - weight_decay * lr * (double)w[i] - step);
	}
}

/* ---- Step -------------------------------------------------------------------------------------------------------------------------- */

size_t attend_optimizer_moment_floats(const attend_optimizer *optimizer, const attend_param *param, int moment)
{
	const factors f = factors_of(param);
	switch (optimizer->o.kind) {
	case ATTEND_OPTIMIZER_ADAMW: return param->count;
	case ATTEND_OPTIMIZER_SGD: return moment == 0 && optimizer->o.momentum > 0 ? param->count : 0;
	case ATTEND_OPTIMIZER_ADAFACTOR: break;
	}
	if (moment == 0) return f.rows ? f.batch * (f.rows + f.columns) : f.columns;
	return optimizer->o.beta1 >= 0 ? param->count : 0;
}

/* What Adafactor works in for the parameters that have a gradient. */
static void scratch_counts(const attend_optimizer *o, size_t *direction, size_t *columns)
{
	*direction = *columns = 0;
	if (o->o.kind != ATTEND_OPTIMIZER_ADAFACTOR) return;
	for (size_t i = 0; i < o->network->param_count; i++) {
		const attend_param *param = &o->network->params[i];
		const factors f = factors_of(param);
		if (!param->grad) continue;
		if (param->count > *direction) *direction = param->count;
		if (f.rows && f.columns > *columns) *columns = f.columns;
	}
}

size_t attend_optimizer_scratch(const attend_optimizer *optimizer)
{
	size_t direction, columns;
	scratch_counts(optimizer, &direction, &columns);
	return direction * sizeof *optimizer->direction + columns * sizeof *optimizer->columns;
}

static attend_status make_scratch(attend_optimizer *o)
{
	size_t direction, columns;
	scratch_counts(o, &direction, &columns);
	if (direction > o->direction_count) {
		free(o->direction);
		o->direction_count = 0;
		if (direction > SIZE_MAX / sizeof(float) || !(o->direction = attend_alloc_aligned(direction * sizeof(float))))
			return attend_fail_memory(direction * sizeof(float), "optimiser");
		o->direction_count = direction;
	}
	if (columns > o->column_count) {
		free(o->columns);
		o->column_count = 0;
		if (!(o->columns = attend_alloc_array(columns, sizeof *o->columns)))
			return attend_fail_memory(columns * sizeof *o->columns, "optimiser");
		o->column_count = columns;
	}
	return ATTEND_OK;
}

static attend_status make_moments(const attend_optimizer *o, attend_param *param)
{
	for (int m = 0; m < 2; m++) {
		const size_t count = attend_optimizer_moment_floats(o, param, m);
		if (param->moments[m] || count == 0) continue;
		if (count > SIZE_MAX / sizeof(float) || !(param->moments[m] = attend_alloc_aligned(count * sizeof(float))))
			return attend_fail_memory(count * sizeof(float), "optimiser state");
		memset(param->moments[m], 0, count * sizeof(float));
		if (m > 0 || o->o.kind != ATTEND_OPTIMIZER_ADAMW || !param->row_used || !(o->o.epsilon > 0)) continue;
		uint8_t **moved = &o->moved[param - o->network->params];
		if (!(*moved = calloc(param->stored.shape[0] + 1, 1)))
			return attend_fail_memory(param->stored.shape[0], "optimiser state");
	}
	return ATTEND_OK;
}

static bool has_rows(const attend_param *param)
{
	return param->row_used && !param->dense_grad && param->stored.rank > 0 && param->stored.shape[0] > 0;
}

static double squares_of(const attend_param *param)
{
	if (!has_rows(param)) return attend_sum_squares(param->grad, param->count);
	const size_t rows = param->stored.shape[0], width = param->count / rows;
	double sum = 0;
	for (size_t r = 0; r < rows; r++)
		if (param->row_used[r]) sum += attend_sum_squares(param->grad + r * width, width);
	return sum;
}

static void forget_rows(const attend_optimizer *o, const attend_param *param)
{
	uint8_t **moved = &o->moved[param - o->network->params];
	free(*moved);
	*moved = NULL;
}

/* The moments will move in the rows that have a gradient now. */
static void mark_rows(const attend_optimizer *o, const attend_param *param)
{
	uint8_t *moved = o->moved[param - o->network->params];
	if (!moved) return;
	if (!has_rows(param)) {
		forget_rows(o, param);
		return;
	}
	for (size_t r = 0; r < param->stored.shape[0]; r++) moved[r] |= param->row_used[r];
}

static void update(const attend_optimizer *o, attend_param *param, double lr, double weight_decay, uint64_t t,
                   double momentum, double scale)
{
	switch (o->o.kind) {
	case ATTEND_OPTIMIZER_ADAMW: {
		const attend_adamw adamw = {.lr = (float)lr,
		                            .beta1 = (float)momentum,
		                            .beta2 = (float)o->o.beta2,
		                            .eps = (float)o->o.epsilon,
		                            .weight_decay = (float)weight_decay,
		                            .grad_scale = (float)scale,
		                            .bias_correction1 = (float)(1 - pow(momentum, (double)t)),
		                            .bias_correction2 = (float)(1 - pow(o->o.beta2, (double)t))};
		mark_rows(o, param);
		const uint8_t *moved = o->moved[param - o->network->params];
		const size_t rows = moved ? param->stored.shape[0] : 0;
		if (moved)
			attend_adamw_update_rows(param->values, param->moments[0], param->moments[1], param->grad, moved, rows,
			                         param->count / rows, &adamw);
		else
			attend_adamw_update(param->values, param->moments[0], param->moments[1], param->grad, param->count, &adamw);
		return;
	}
	case ATTEND_OPTIMIZER_SGD: {
		const attend_sgd sgd = {.lr = (float)lr,
		                        .momentum = (float)momentum,
		                        .weight_decay = (float)weight_decay,
		                        .grad_scale = (float)scale,
		                        .nesterov = o->o.nesterov,
		                        .first = t == 1};
		attend_sgd_update(param->values, param->moments[0], param->grad, param->count, &sgd);
		return;
	}
	case ATTEND_OPTIMIZER_ADAFACTOR: adafactor(o, param, lr, weight_decay, t, scale); return;
	}
}

static bool live(const attend_optimizer *o, const attend_param_group *group, const attend_param *param)
{
	return group->depth <= o->live && param->grad;
}

attend_status attend_optimizer_step(attend_optimizer *optimizer, const attend_schedule *schedule, uint64_t k,
                                    attend_step_report *report)
{
	attend_optimizer *o = optimizer;
	double squares = 0;
	attend_network_settle_grad(o->network);
	ATTEND_TRY(make_scratch(o));
	for (size_t i = 0; i < o->group_count; i++) {
		const attend_param_group *group = &o->groups[i];
		for (size_t j = 0; j < group->count; j++) {
			if (!live(o, group, group->params[j])) continue;
			ATTEND_TRY(make_moments(o, group->params[j]));
			squares += squares_of(group->params[j]);
		}
	}
	const double base = o->o.kind == ATTEND_OPTIMIZER_SGD ? o->o.momentum : o->o.beta1;
	report->grad_norm = sqrt(squares);
	report->momentum = attend_schedule_momentum(schedule, base, k);
	report->lr = o->lr;
	const double scale = o->o.max_grad_norm > 0 ? fmin(1, o->o.max_grad_norm / (report->grad_norm + 1e-6)) : 1;
	for (size_t i = 0; i < o->group_count; i++) {
		const attend_param_group *group = &o->groups[i];
		o->lr[i] = attend_schedule_lr(schedule, group->lr, k);
		for (size_t j = 0; isfinite(report->grad_norm) && j < group->count; j++) {
			attend_param *param = group->params[j];
			if (!live(o, group, param)) continue;
			const uint64_t t = ++o->steps[param - o->network->params];
			update(o, param, o->lr[i], group->weight_decay, t, report->momentum, scale);
			if (o->o.kind == ATTEND_OPTIMIZER_ADAFACTOR && o->o.relative_step)
				o->lr[i] = fmin(o->o.warmup_init ? 1e-6 * (double)t : 1e-2, 1 / sqrt((double)t));
		}
	}
	return ATTEND_OK;
}

uint64_t attend_optimizer_steps(const attend_optimizer *optimizer, const attend_param *param)
{
	return optimizer->steps[param - optimizer->network->params];
}

attend_status attend_optimizer_restore(attend_optimizer *optimizer, attend_param *param, uint64_t steps,
                                       const float *moment0, const float *moment1)
{
	const float *moments[2] = {moment0, moment1};
	ATTEND_TRY(make_moments(optimizer, param));
	forget_rows(optimizer, param);
	for (int m = 0; m < 2; m++)
		if (moments[m] && param->moments[m])
			memcpy(param->moments[m], moments[m], attend_optimizer_moment_floats(optimizer, param, m) * sizeof(float));
	optimizer->steps[param - optimizer->network->params] = steps;
	return ATTEND_OK;
}
