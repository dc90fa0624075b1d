/* config_internal.h: what the files of the config.json reader share. */
#ifndef ATTEND_LOADERS_CONFIG_INTERNAL_H
#define ATTEND_LOADERS_CONFIG_INTERNAL_H

#include "loaders/config_json.h"

/* The largest sizes that are read: far above any model of these families, far below what overflows. */
enum { ATTEND_MAX_WIDTH = 1 << 20, ATTEND_MAX_LAYERS = 1024, ATTEND_MAX_LABELS = 1 << 20 };

/* config_values.c: every key of `model` from the object, defaults filled in. FORMAT, UNSUPPORTED. */
attend_status attend_config_values(attend_key_values *out, const attend_family *model, const attend_json *object);

/* The line of a model's table for a key; NULL: the model has none. */
const attend_family_key *attend_family_key_line(const attend_family *model, attend_key key);

/* Where a key stands in the object, for messages; the object itself where it does not say. */
const attend_json *attend_config_place(const attend_family *model, attend_key key, const attend_json *object);

/* config_arch.c: config->arch from model[], values[] and the sub-objects json[] (for what differs between layers). */
attend_status attend_config_arch(attend_config *config, const attend_json *const json[2]);

/* config_layers.c: fill layer[0 .. stack->layers-1] by the model's rule. */
attend_status attend_config_layers(attend_layer_arch *layer, const attend_stack_arch *stack, const attend_family *model,
                                   const attend_key_values *values, const attend_json *object);

#endif
