/* config_layers.c: what differs between the layers of one stack: windows (GPT-Neo, ModernBERT), score factors (GPT-2), rotary
 * theta (ModernBERT). huggingface.md 2.7, 2.9, 2.15a. */
#include <string.h>

#include "loaders/config_internal.h"

/* "global"/"local" or "full_attention"/"sliding_attention" -> local? */
static attend_status read_kind(bool *local, const attend_json *value, const char *global_name, const char *local_name)
{
	const char *text;
	ATTEND_TRY(attend_json_as_string(&text, NULL, value));
	*local = strcmp(text, local_name) == 0;
	if (!*local && strcmp(text, global_name) != 0)
		return attend_json_fail(value, "expected \"%s\" or \"%s\", found \"%s\"", global_name, local_name, text);
	return ATTEND_OK;
}

static void set_window(attend_layer_arch *layer, bool local, size_t left, size_t right)
{
	layer->windowed = local;
	layer->window_left = local ? left : 0;
	layer->window_right = local ? right : 0;
}

/* One kind for each layer, neither more nor fewer. */
static attend_status read_list(attend_layer_arch *layer, size_t layers, const attend_json *list,
                               const char *global_name, const char *local_name, size_t left, size_t right)
{
	if (attend_json_type(list) != ATTEND_JSON_ARRAY || attend_json_count(list) != layers)
		return attend_json_fail(list, "expected an array of %zu layer types", layers);
	const attend_json *item = attend_json_first(list);
	for (size_t i = 0; i < layers; i++, item = attend_json_next(item)) {
		bool local;
		ATTEND_TRY(read_kind(&local, item, global_name, local_name));
		set_window(&layer[i], local, left, right);
	}
	return ATTEND_OK;
}

/* attention_types: [[["global", "local"], 12]]: each pattern as often as its number says. */
static attend_status expand_types(attend_layer_arch *layer, size_t layers, const attend_json *types, size_t left)
{
	size_t at = 0;
	if (attend_json_type(types) != ATTEND_JSON_ARRAY)
		return attend_json_fail(types, "expected an array of [pattern, times]");
	for (const attend_json *group = attend_json_first(types); group != NULL; group = attend_json_next(group)) {
		const attend_json *pattern = attend_json_type(group) == ATTEND_JSON_ARRAY ? attend_json_first(group) : NULL;
		const attend_json *times = pattern != NULL ? attend_json_next(pattern) : NULL;
		int64_t n;
		if (times == NULL || attend_json_type(pattern) != ATTEND_JSON_ARRAY || attend_json_next(times) != NULL)
			return attend_json_fail(group, "expected [pattern, times]");
		ATTEND_TRY(attend_json_as_int(&n, times, 0, (int64_t)layers));
		for (int64_t r = 0; r < n; r++)
			for (const attend_json *item = attend_json_first(pattern); item != NULL; item = attend_json_next(item)) {
				bool local;
				ATTEND_TRY(read_kind(&local, item, "global", "local"));
				if (at == layers) return attend_json_fail(types, "expected types for %zu layers, found more", layers);
				set_window(&layer[at++], local, left, 0);
			}
	}
	if (at != layers) return attend_json_fail(types, "expected types for %zu layers, found %zu", layers, at);
	return ATTEND_OK;
}

static attend_status gpt_neo(attend_layer_arch *layer, const attend_stack_arch *stack, const attend_key_values *values,
                             const attend_json *object)
{
	/* i - window < j <= i */
	const size_t left = (size_t)values->number[ATTEND_KEY_WINDOW] - 1;
	const attend_json *list = attend_json_get(object, "attention_layers");
	if (list != NULL && attend_json_type(list) != ATTEND_JSON_NULL)
		return read_list(layer, stack->layers, list, "global", "local", left, 0);
	list = attend_json_get(object, "attention_types");
	if (list != NULL && attend_json_type(list) != ATTEND_JSON_NULL)
		return expand_types(layer, stack->layers, list, left);
	for (size_t i = 0; i < stack->layers; i++) set_window(&layer[i], i % 2 == 1, left, 0);
	return ATTEND_OK;
}

/* rope_parameters.{full_attention,sliding_attention}.rope_theta (v5); `theta` keeps its value where it is not said. */
static attend_status read_theta(double *theta, const attend_json *object, const char *kind)
{
	const attend_json *rope = attend_json_get(attend_json_get(object, "rope_parameters"), kind);
	const char *type = "default";
	if (rope == NULL) return ATTEND_OK;
	ATTEND_TRY(attend_json_get_string(&type, rope, "rope_type"));
	if (strcmp(type, "default") != 0) {
		attend_json_fail(rope, "rope_type \"%s\" is none that attend knows", type);
		return ATTEND_ERR_UNSUPPORTED;
	}
	ATTEND_TRY(attend_json_get_double(theta, rope, "rope_theta"));
	if (!(*theta >= 1 && *theta <= 1e12))
		return attend_json_fail(rope, "expected a rope_theta in 1 .. 1e12, found %g", *theta);
	return ATTEND_OK;
}

static attend_status modernbert(attend_layer_arch *layer, const attend_stack_arch *stack,
                                const attend_key_values *values, const attend_json *object)
{
	const size_t half = (size_t)values->number[ATTEND_KEY_WINDOW] / 2;
	const size_t every = (size_t)values->number[ATTEND_KEY_FULL_EVERY];
	double full = values->number[ATTEND_KEY_ROTARY_THETA], local = values->number[ATTEND_KEY_ROTARY_THETA_LOCAL];
	const attend_json *list = attend_json_get(object, "layer_types");
	if (list != NULL && attend_json_type(list) != ATTEND_JSON_NULL)
		ATTEND_TRY(read_list(layer, stack->layers, list, "full_attention", "sliding_attention", half, half));
	else
		for (size_t i = 0; i < stack->layers; i++) set_window(&layer[i], i % every != 0, half, half);
	ATTEND_TRY(read_theta(&full, object, "full_attention"));
	ATTEND_TRY(read_theta(&local, object, "sliding_attention"));
	for (size_t i = 0; i < stack->layers; i++) layer[i].rotary_theta = (float)(layer[i].windowed ? local : full);
	layer[0].skip_attention_norm = true;
	return ATTEND_OK;
}

attend_status attend_config_layers(attend_layer_arch *layer, const attend_stack_arch *stack, const attend_family *model,
                                   const attend_key_values *values, const attend_json *object)
{
	for (size_t i = 0; i < stack->layers; i++) layer[i] = (attend_layer_arch){.score_factor = 1};
	switch (model->layers) {
	case ATTEND_LAYERS_EQUAL: break;
	case ATTEND_LAYERS_GPT2:
		if (values->number[ATTEND_KEY_SCALE_BY_LAYER] != 0)
			for (size_t i = 0; i < stack->layers; i++) layer[i].score_factor = 1.0f / (float)(i + 1);
		break;
	case ATTEND_LAYERS_GPT_NEO: return gpt_neo(layer, stack, values, object);
	case ATTEND_LAYERS_MODERNBERT: return modernbert(layer, stack, values, object);
	}
	return ATTEND_OK;
}
