/* schedule.c: learning-rate schedules: HF's (transformers optimization.py), torch's (StepLR, MultiStepLR, ExponentialLR, CyclicLR:
 * Smith 2017, OneCycleLR: Smith & Topin 2018) and ULMFiT's slanted triangle (Howard & Ruder 2018). */
#include "lib/train/schedule.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static const char *const names[ATTEND_SCHEDULE_KINDS] = {
	[ATTEND_SCHEDULE_CONSTANT] = "constant",
	[ATTEND_SCHEDULE_CONSTANT_WITH_WARMUP] = "constant_with_warmup",
	[ATTEND_SCHEDULE_LINEAR] = "linear",
	[ATTEND_SCHEDULE_COSINE] = "cosine",
	[ATTEND_SCHEDULE_COSINE_WITH_RESTARTS] = "cosine_with_restarts",
	[ATTEND_SCHEDULE_COSINE_WITH_MIN_LR] = "cosine_with_min_lr",
	[ATTEND_SCHEDULE_POLYNOMIAL] = "polynomial",
	[ATTEND_SCHEDULE_INVERSE_SQRT] = "inverse_sqrt",
	[ATTEND_SCHEDULE_WARMUP_STABLE_DECAY] = "warmup_stable_decay",
	[ATTEND_SCHEDULE_STEP] = "step",
	[ATTEND_SCHEDULE_MULTI_STEP] = "multi_step",
	[ATTEND_SCHEDULE_EXPONENTIAL] = "exponential",
	[ATTEND_SCHEDULE_TRIANGULAR] = "triangular",
	[ATTEND_SCHEDULE_TRIANGULAR2] = "triangular2",
	[ATTEND_SCHEDULE_EXP_RANGE] = "exp_range",
	[ATTEND_SCHEDULE_ONE_CYCLE] = "one_cycle",
	[ATTEND_SCHEDULE_SLANTED_TRIANGULAR] = "slanted_triangular",
};

/* Numbers that can be set by name, with their ranges (max -1: none). */
static const struct number {
	const char *name;
	size_t offset;
	double min, max;
} numbers[] = {
#define NUMBER(field, min, max)                            \
	{                                                      \
#field, offsetof(attend_schedule, field), min, max \
	}
	NUMBER(warmup_steps, 0, 1e15),
	NUMBER(total_steps, 0, 1e15),
	NUMBER(num_cycles, 0, 1e9),
	NUMBER(power, 0, 1e3),
	NUMBER(lr_end, 0, 1e3),
	NUMBER(timescale, 0, 1e15),
	NUMBER(min_lr_rate, 0, 1),
	NUMBER(decay_steps, 0, 1e15),
	NUMBER(step_size, 1, 1e15),
	NUMBER(gamma, 0, 1e3),
	NUMBER(base_lr, 0, 1e6),
	NUMBER(max_lr, 0, 1e6),
	NUMBER(step_size_up, 1, 1e15),
	NUMBER(step_size_down, 1, 1e15),
	NUMBER(pct_start, 0, 1),
	NUMBER(base_momentum, 0, 1),
	NUMBER(max_momentum, 0, 1),
	NUMBER(div_factor, 1e-9, 1e12),
	NUMBER(final_div_factor, 1e-9, 1e15),
	NUMBER(cut_frac, 0, 1),
	NUMBER(ratio, 1, 1e9),
	{"min_lr_ratio", offsetof(attend_schedule, min_lr_rate), 0, 1},
};

void attend_schedule_init(attend_schedule *schedule, attend_schedule_kind kind)
{
	*schedule = (attend_schedule){.kind = kind,
	                              .num_cycles = kind == ATTEND_SCHEDULE_COSINE_WITH_RESTARTS ? 1 : 0.5,
	                              .power = 1,
	                              .lr_end = 1e-7,
	                              .gamma = kind == ATTEND_SCHEDULE_EXP_RANGE ? 1 : 0.1,
	                              .step_size = 1,
	                              .step_size_up = 2000,
	                              .step_size_down = 0,
	                              .cycle_momentum = true,
	                              .pct_start = 0.3,
	                              .base_momentum = 0.85,
	                              .max_momentum = 0.95,
	                              .div_factor = 25,
	                              .final_div_factor = 1e4,
	                              .cut_frac = 0.1,
	                              .ratio = 32};
}

static bool same_name(const char *a, const char *b)
{
	while (*a && (*a == *b || (*a == '_' && *b == '-'))) a++, b++;
	return !*a && !*b;
}

attend_status attend_schedule_kind_parse(attend_schedule_kind *out, const char *name)
{
	char list[512] = "";
	for (int i = 0; i < ATTEND_SCHEDULE_KINDS; i++) {
		if (same_name(names[i], name)) {
			*out = (attend_schedule_kind)i;
			return ATTEND_OK;
		}
		strcat(strcat(list, i ? ", " : ""), names[i]);
	}
	return attend_fail(ATTEND_ERR_ARG, "no schedule is called '%s': there are %s", name, list);
}

const char *attend_schedule_kind_name(attend_schedule_kind kind)
{
	return names[kind];
}

static attend_status read_milestones(attend_schedule *s, const attend_json *list)
{
	if (attend_json_type(list) != ATTEND_JSON_ARRAY || attend_json_count(list) > ATTEND_MAX_MILESTONES)
		return attend_json_fail(list, "expected a list of at most %d steps", ATTEND_MAX_MILESTONES);
	s->milestone_count = 0;
	for (const attend_json *v = attend_json_first(list); v; v = attend_json_next(v)) {
		int64_t step = 0;
		ATTEND_TRY(attend_json_as_int(&step, v, 0, INT64_MAX / 2));
		s->milestones[s->milestone_count++] = (double)step;
	}
	return ATTEND_OK;
}

static attend_status read_decay_type(attend_schedule *s, const attend_json *value)
{
	static const char *const shapes[] = {"linear", "cosine", "1-sqrt"};
	const char *word = NULL;
	ATTEND_TRY(attend_json_as_string(&word, NULL, value));
	for (int i = 0; i < 3; i++) {
		if (strcmp(word, shapes[i]) != 0) continue;
		s->decay_type = (attend_decay_shape)i;
		return ATTEND_OK;
	}
	return attend_json_fail(value, "expected linear, cosine or 1-sqrt, found \"%s\"", word);
}

static attend_status read_anneal(attend_schedule *s, const attend_json *value)
{
	const char *word = NULL;
	ATTEND_TRY(attend_json_as_string(&word, NULL, value));
	if (strcmp(word, "cos") != 0 && strcmp(word, "linear") != 0)
		return attend_json_fail(value, "expected cos or linear, found \"%s\"", word);
	s->anneal_linear = strcmp(word, "linear") == 0;
	return ATTEND_OK;
}

/* NOTFOUND without a message when the name is none. */
static attend_status set(attend_schedule *s, const char *name, const attend_json *value)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		if (!same_name(numbers[i].name, name)) continue;
		double x = 0;
		if (attend_json_type(value) == ATTEND_JSON_NULL) return ATTEND_OK;
		ATTEND_TRY(attend_json_as_double(&x, value));
		if (!(x >= numbers[i].min && x <= numbers[i].max))
			return attend_json_fail(value, "expected a number from %g to %g, found %g", numbers[i].min, numbers[i].max,
			                        x);
		*(double *)((char *)s + numbers[i].offset) = x;
		return ATTEND_OK;
	}
	if (same_name("milestones", name)) return read_milestones(s, value);
	if (same_name("decay_type", name)) return read_decay_type(s, value);
	if (same_name("anneal", name)) return read_anneal(s, value);
	if (same_name("three_phase", name)) return attend_json_as_bool(&s->three_phase, value);
	if (same_name("cycle_momentum", name)) return attend_json_as_bool(&s->cycle_momentum, value);
	return ATTEND_ERR_NOTFOUND;
}

attend_status attend_schedule_set(attend_schedule *schedule, const char *name, const char *value)
{
	attend_json *document = NULL;
	const bool word = same_name("decay_type", name) || same_name("anneal", name);
	char quoted[64];
	if (word && *value != '"' && strlen(value) < 32 && !strpbrk(value, "\\\"")) {
		strcpy(quoted, "\"");
		strcat(strcat(quoted, value), "\"");
		value = quoted;
	}
	attend_status status = attend_json_parse(&document, value, strlen(value), name);
	if (status == ATTEND_OK) status = set(schedule, name, document);
	attend_json_free(document);
	if (status == ATTEND_ERR_NOTFOUND) return attend_fail(status, "no schedule has a parameter called '%s'", name);
	return status == ATTEND_ERR_FORMAT ? ATTEND_ERR_ARG : status;
}

attend_status attend_schedule_read(attend_schedule *out, const attend_json *object)
{
	const char *name = "linear";
	ATTEND_TRY(attend_json_get_string(&name, object, "name"));
	attend_schedule_kind kind;
	ATTEND_TRY(attend_schedule_kind_parse(&kind, name));
	attend_schedule schedule;
	attend_schedule_init(&schedule, kind);
	for (const attend_json *member = attend_json_first(object); member; member = attend_json_next(member)) {
		const char *key = attend_json_key(member, NULL);
		/* the ratio that warmup_steps was made from, and the group's own rate, stand beside in logs */
		if (strcmp(key, "name") == 0 || strcmp(key, "lr") == 0 || strcmp(key, "warmup_ratio") == 0) continue;
		const attend_status status = set(&schedule, key, member);
		if (status == ATTEND_ERR_NOTFOUND) return attend_json_fail(member, "no schedule has this parameter");
		if (status != ATTEND_OK) return status;
	}
	*out = schedule;
	return ATTEND_OK;
}

attend_status attend_schedule_check(const attend_schedule *schedule)
{
	const attend_schedule *s = schedule;
	if (s->kind == ATTEND_SCHEDULE_SLANTED_TRIANGULAR && floor(s->total_steps * s->cut_frac) < 1)
		return attend_fail(ATTEND_ERR_ARG, "slanted_triangular: %g of %.0f steps is less than one step of warm-up",
		                   s->cut_frac, s->total_steps);
	const bool cyclical = s->kind == ATTEND_SCHEDULE_TRIANGULAR || s->kind == ATTEND_SCHEDULE_TRIANGULAR2 ||
	                      s->kind == ATTEND_SCHEDULE_EXP_RANGE;
	if (cyclical && !(s->max_lr > s->base_lr))
		return attend_fail(ATTEND_ERR_ARG, "%s: max_lr %g must be above base_lr %g", names[s->kind], s->max_lr,
		                   s->base_lr);
	if (s->kind == ATTEND_SCHEDULE_ONE_CYCLE && s->total_steps < 1)
		return attend_fail(ATTEND_ERR_ARG, "one_cycle needs total_steps");
	return ATTEND_OK;
}

static double progress(const attend_schedule *s, double k)
{
	return (k - s->warmup_steps) / fmax(1, s->total_steps - s->warmup_steps);
}

static double warmup(const attend_schedule *s, double k)
{
	return k / fmax(1, s->warmup_steps);
}

static double cosine(const attend_schedule *s, double k)
{
	if (k < s->warmup_steps) return warmup(s, k);
	return fmax(0, 0.5 * (1 + cos(2 * PI * s->num_cycles * progress(s, k))));
}

static double polynomial(const attend_schedule *s, double lr, double k)
{
	if (k < s->warmup_steps) return warmup(s, k);
	if (k > s->total_steps) return s->lr_end / lr;
	return ((lr - s->lr_end) * pow(1 - progress(s, k), s->power) + s->lr_end) / lr;
}

static double stable_decay(const attend_schedule *s, double k)
{
	const double floor_rate = s->min_lr_rate, decay_start = s->total_steps - s->decay_steps;
	double rate = 1;
	if (k < s->warmup_steps) {
		rate = warmup(s, k);
	} else if (k >= s->total_steps) {
		return floor_rate;
	} else if (k >= decay_start) {
		const double q = (k - decay_start) / fmax(1, s->decay_steps);
		rate = s->decay_type == ATTEND_DECAY_LINEAR   ? 1 - q
		       : s->decay_type == ATTEND_DECAY_COSINE ? 0.5 * (1 + cos(PI * q))
		                                              : 1 - sqrt(q);
	} else {
		return 1;
	}
	return fmax(0, rate * (1 - floor_rate) + floor_rate);
}

static double cyclical(const attend_schedule *s, double k)
{
	const double down = s->step_size_down > 0 ? s->step_size_down : s->step_size_up;
	const double total = s->step_size_up + down, cycle = floor(1 + k / total);
	const double x = 1 + k / total - cycle, r = s->step_size_up / total;
	double scale = x <= r ? x / r : (x - 1) / (r - 1);
	if (s->kind == ATTEND_SCHEDULE_TRIANGULAR2) scale *= pow(2, -(cycle - 1));
	if (s->kind == ATTEND_SCHEDULE_EXP_RANGE) scale *= pow(s->gamma, k);
	return s->base_lr + (s->max_lr - s->base_lr) * scale;
}

/* One cycle runs through 2 or 3 phases; what is moved goes from values[phase] to values[phase + 1]. */
static double one_cycle(const attend_schedule *s, double k, const double values[4])
{
	const double cut = s->pct_start * s->total_steps;
	const double two[] = {cut - 1, s->total_steps - 1}, three[] = {cut - 1, 2 * cut - 2, s->total_steps - 1};
	const double *ends = s->three_phase ? three : two;
	const int phases = s->three_phase ? 3 : 2;
	if (k > ends[phases - 1]) k = ends[phases - 1];
	double start = 0;
	int phase = 0;
	while (phase < phases - 1 && k > ends[phase]) start = ends[phase++];
	const double q = ends[phase] > start ? (k - start) / (ends[phase] - start) : 1;
	const double a = values[phase], b = values[phase + 1];
	return s->anneal_linear ? a + (b - a) * q : b + (a - b) / 2 * (1 + cos(PI * q));
}

static double slanted(const attend_schedule *s, double k)
{
	const double cut = floor(s->total_steps * s->cut_frac);
	const double p = k < cut ? k / cut : 1 - (k - cut) / (cut * (1 / s->cut_frac - 1));
	return (1 + p * (s->ratio - 1)) / s->ratio;
}

double attend_schedule_lr(const attend_schedule *schedule, double lr, uint64_t step)
{
	const attend_schedule *s = schedule;
	const double k = (double)step, p = progress(s, k);
	switch (s->kind) {
	case ATTEND_SCHEDULE_CONSTANT: return lr;
	case ATTEND_SCHEDULE_CONSTANT_WITH_WARMUP: return lr * (k < s->warmup_steps ? warmup(s, k) : 1);
	case ATTEND_SCHEDULE_LINEAR:
		return lr * (k < s->warmup_steps ? warmup(s, k)
		                                 : fmax(0, (s->total_steps - k) / fmax(1, s->total_steps - s->warmup_steps)));
	case ATTEND_SCHEDULE_COSINE: return lr * cosine(s, k);
	case ATTEND_SCHEDULE_COSINE_WITH_MIN_LR:
		return lr * (k < s->warmup_steps ? warmup(s, k) : cosine(s, k) * (1 - s->min_lr_rate) + s->min_lr_rate);
	case ATTEND_SCHEDULE_COSINE_WITH_RESTARTS:
		if (k < s->warmup_steps) return lr * warmup(s, k);
		return p >= 1 ? 0 : lr * fmax(0, 0.5 * (1 + cos(PI * fmod(s->num_cycles * p, 1))));
	case ATTEND_SCHEDULE_POLYNOMIAL: return lr * polynomial(s, lr, k);
	case ATTEND_SCHEDULE_INVERSE_SQRT: {
		const double scale = s->timescale > 0 ? s->timescale : s->warmup_steps > 0 ? s->warmup_steps : 10000;
		return lr * (k < s->warmup_steps ? warmup(s, k) : 1 / sqrt((k + scale - s->warmup_steps) / scale));
	}
	case ATTEND_SCHEDULE_WARMUP_STABLE_DECAY: return lr * stable_decay(s, k);
	case ATTEND_SCHEDULE_STEP: return lr * pow(s->gamma, floor(k / s->step_size));
	case ATTEND_SCHEDULE_MULTI_STEP: {
		double passed = 0;
		for (size_t i = 0; i < s->milestone_count; i++) passed += s->milestones[i] <= k;
		return lr * pow(s->gamma, passed);
	}
	case ATTEND_SCHEDULE_EXPONENTIAL: return lr * pow(s->gamma, k);
	case ATTEND_SCHEDULE_TRIANGULAR:
	case ATTEND_SCHEDULE_TRIANGULAR2:
	case ATTEND_SCHEDULE_EXP_RANGE: return cyclical(s, k);
	case ATTEND_SCHEDULE_ONE_CYCLE: {
		const double first = lr / s->div_factor, last = first / s->final_div_factor;
		const double two[4] = {first, lr, last, last}, three[4] = {first, lr, first, last};
		return one_cycle(s, k, s->three_phase ? three : two);
	}
	case ATTEND_SCHEDULE_SLANTED_TRIANGULAR: return lr * slanted(s, k);
	case ATTEND_SCHEDULE_KINDS: break;
	}
	return lr;
}

double attend_schedule_momentum(const attend_schedule *schedule, double momentum, uint64_t k)
{
	const attend_schedule *s = schedule;
	if (s->kind != ATTEND_SCHEDULE_ONE_CYCLE || !s->cycle_momentum) return momentum;
	const double values[4] = {s->max_momentum, s->base_momentum, s->max_momentum, s->max_momentum};
	return one_cycle(s, (double)k, values);
}
