/* schedule.h: learning rate (and momentum) as a function of the update's number. */
#ifndef ATTEND_TRAIN_SCHEDULE_H
#define ATTEND_TRAIN_SCHEDULE_H

#include "lib/core/json.h"
#include "lib/core/status.h"

typedef enum attend_schedule_kind {
	ATTEND_SCHEDULE_CONSTANT,
	ATTEND_SCHEDULE_CONSTANT_WITH_WARMUP,
	ATTEND_SCHEDULE_LINEAR,
	ATTEND_SCHEDULE_COSINE,
	ATTEND_SCHEDULE_COSINE_WITH_RESTARTS,
	ATTEND_SCHEDULE_COSINE_WITH_MIN_LR,
	ATTEND_SCHEDULE_POLYNOMIAL,
	ATTEND_SCHEDULE_INVERSE_SQRT,
	ATTEND_SCHEDULE_WARMUP_STABLE_DECAY,
	ATTEND_SCHEDULE_STEP,
	ATTEND_SCHEDULE_MULTI_STEP,
	ATTEND_SCHEDULE_EXPONENTIAL,
	ATTEND_SCHEDULE_TRIANGULAR,
	ATTEND_SCHEDULE_TRIANGULAR2,
	ATTEND_SCHEDULE_EXP_RANGE,
	ATTEND_SCHEDULE_ONE_CYCLE,
	ATTEND_SCHEDULE_SLANTED_TRIANGULAR,
	ATTEND_SCHEDULE_KINDS
} attend_schedule_kind;

typedef enum attend_decay_shape { ATTEND_DECAY_LINEAR, ATTEND_DECAY_COSINE, ATTEND_DECAY_1_SQRT } attend_decay_shape;

enum { ATTEND_MAX_MILESTONES = 32 };

/* Numbers of all kinds, by the names of HF's and torch's arguments. attend_schedule_init gives their defaults. */
typedef struct attend_schedule {
	attend_schedule_kind kind;
	double warmup_steps, total_steps; /* whole numbers */
	double num_cycles;                /* cosine 0.5, with restarts 1 */
	double power, lr_end;             /* polynomial */
	double timescale;                 /* inverse_sqrt; 0: warm-up steps, or 10000 */
	double min_lr_rate;               /* cosine_with_min_lr, warmup_stable_decay: floor as a share of lr */
	double decay_steps;
	attend_decay_shape decay_type;
	double step_size, gamma;
	double milestones[ATTEND_MAX_MILESTONES];
	size_t milestone_count;
	double base_lr, max_lr, step_size_up, step_size_down; /* cyclical: absolute rates */
	bool anneal_linear, three_phase, cycle_momentum;      /* one_cycle; lr is the maximum */
	double pct_start, base_momentum, max_momentum, div_factor, final_div_factor;
	double cut_frac, ratio; /* slanted_triangular */
} attend_schedule;

/* Defaults of one kind. */
void attend_schedule_init(attend_schedule *schedule, attend_schedule_kind kind);

/* "linear", "cosine_with_restarts" ... ('-' counts as '_'). ARG names the ones that there are. */
attend_status attend_schedule_kind_parse(attend_schedule_kind *out, const char *name);
const char *attend_schedule_kind_name(attend_schedule_kind kind);

/* {"name": "linear", "warmup_steps": 3, ...}; unknown members are FORMAT. */
attend_status attend_schedule_read(attend_schedule *out, const attend_json *object);
/* One number by name, from JSON text; NOTFOUND, ARG. */
attend_status attend_schedule_set(attend_schedule *schedule, const char *name, const char *value);
/* Can it run at all (total_steps known where needed, step_size > 0, cut of slanted_triangular >= 1 ...)? ARG says why not. */
attend_status attend_schedule_check(const attend_schedule *schedule);

/* Rate of update k (from 0) for a group whose own rate is `lr`; pure. One cycle is constant after its last step. */
double attend_schedule_lr(const attend_schedule *schedule, double lr, uint64_t k);
/* Momentum (Adam's beta1) of update k: `momentum`, unless one_cycle moves it. */
double attend_schedule_momentum(const attend_schedule *schedule, double momentum, uint64_t k);

#endif
