/* optimizer.h: parameter groups and one update of all parameters: AdamW, SGD, Adafactor; clipping by the global norm. */
#ifndef ATTEND_TRAIN_OPTIMIZER_H
#define ATTEND_TRAIN_OPTIMIZER_H

#include "lib/core/json.h"
#include "lib/nn/network.h"
#include "lib/train/schedule.h"

typedef enum attend_optimizer_kind {
	ATTEND_OPTIMIZER_ADAMW,
	ATTEND_OPTIMIZER_SGD,
	ATTEND_OPTIMIZER_ADAFACTOR
} attend_optimizer_kind;
attend_status attend_optimizer_kind_parse(attend_optimizer_kind *out,
                                          const char *name); /* "adamw", "sgd", "adafactor" */
const char *attend_optimizer_kind_name(attend_optimizer_kind kind);

typedef struct attend_optimizer_options {
	attend_optimizer_kind kind;
	double beta1, beta2, epsilon; /* AdamW 0.9, 0.999, 1e-8. Adafactor: beta1 < 0: none */
	double momentum;              /* SGD */
	bool nesterov;
	double eps1, eps2, clip_threshold, decay_rate; /* Adafactor 1e-30, 1e-3, 1, -0.8 */
	bool scale_parameter, relative_step, warmup_init;
	double max_grad_norm; /* 0: no clipping */
} attend_optimizer_options;

/* Defaults of one kind; HF Trainer's for AdamW and Adafactor (scale_parameter and relative_step off). */
void attend_optimizer_defaults(attend_optimizer_options *options, attend_optimizer_kind kind);
/* {"name": "adamw", "beta1": ...} as in ../shared training traces; unknown members are FORMAT. */
attend_status attend_optimizer_read(attend_optimizer_options *out, const attend_json *object);

/* How parameters fall into groups (HF Trainer's no-decay rule; ELECTRA's layer-wise decay; ULMFiT's discriminative rates).
 * Depth: 0 = neither layer nor embedding (pooler, heads), 1 = top layer ... L = layer 0, L+1 = embeddings with their norm. An
 * encoder-decoder counts its decoder first, then its encoder. */
typedef enum attend_grouping_rule {
	ATTEND_GROUPS_SINGLE,
	ATTEND_GROUPS_NO_DECAY,
	ATTEND_GROUPS_LAYERWISE_DECAY, /* decay and no-decay per depth; lr * factor^depth */
	ATTEND_GROUPS_DISCRIMINATIVE   /* one group per depth; lr / divisor^depth, decay on all */
} attend_grouping_rule;

typedef struct attend_grouping {
	attend_grouping_rule rule;
	double lr, weight_decay;
	double factor; /* LAYERWISE_DECAY: factor; DISCRIMINATIVE: divisor */
} attend_grouping;
attend_status attend_grouping_read(attend_grouping *out, const attend_json *object);

typedef struct attend_param_group {
	double lr, weight_decay;
	size_t depth;          /* of all its parameters; 0 where the rule has no depths */
	attend_param **params; /* of the network, in its order */
	size_t count;
} attend_param_group;

typedef struct attend_optimizer attend_optimizer;

/* Group the network's parameters that have a gradient now or may get one later (in training form and no constants). The network must outlive the
 * optimiser and be in training form. Memory for a parameter's state comes with its first step. */
attend_status attend_optimizer_new(attend_optimizer **out, attend_network *network,
                                   const attend_optimizer_options *options, const attend_grouping *grouping);
void attend_optimizer_free(attend_optimizer *optimizer);
size_t attend_optimizer_group_count(const attend_optimizer *optimizer);
const attend_param_group *attend_optimizer_group(const attend_optimizer *optimizer, size_t i);

/* Does HF exempt this parameter from weight decay? LayerNorm and RMS norm weights, biases, T5's relative bias. */
bool attend_param_no_decay(const attend_param *param);
/* See attend_grouping_rule. */
size_t attend_param_depth(const attend_network *network, const attend_param *param);

/* Only groups with depth <= `depth` are live (gradual unfreezing); SIZE_MAX: all. A parameter that is not live is not
 * touched, and its step count starts when it goes live. */
void attend_optimizer_set_live(attend_optimizer *optimizer, size_t depth);

typedef struct attend_step_report {
	double grad_norm; /* before clipping, over live parameters; NaN or Inf: nothing was updated */
	const double *lr; /* [groups], what this update used; borrowed until the next step */
	double momentum;
} attend_step_report;

/* One update from the gradients, `schedule` at update k. Gradients are left as they are. A norm that is not finite updates
 * nothing and is reported; the caller decides. Steady steps allocate nothing. NOMEM: first step of a parameter. */
attend_status attend_optimizer_step(attend_optimizer *optimizer, const attend_schedule *schedule, uint64_t k,
                                    attend_step_report *report);

/* State for a checkpoint: bytes per parameter behind attend_param.moments, and the step counts. */
size_t attend_optimizer_moment_floats(const attend_optimizer *optimizer, const attend_param *param, int moment);
/* Bytes that an update of the present trainable set works in, besides moments. */
size_t attend_optimizer_scratch(const attend_optimizer *optimizer);
uint64_t attend_optimizer_steps(const attend_optimizer *optimizer, const attend_param *param);
attend_status attend_optimizer_restore(attend_optimizer *optimizer, attend_param *param, uint64_t steps,
                                       const float *moment0, const float *moment1);

#endif
