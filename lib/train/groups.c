/* groups.c: which parameters share a learning rate and weight decay: HF Trainer's no-decay rule (trainer_pt_utils
 * get_parameter_names), ELECTRA's layer-wise decay (Clark et al. 2020), ULMFiT's discriminative rates (Howard & Ruder 2018). */
#include <ctype.h>
#include <string.h>

#include "lib/train/optimizer.h"

/* One path element of a tensor's name, in lower case. */
static bool norm_element(const char *element)
{
	const size_t n = strlen(element);
	return strcmp(element, "norm") == 0 || (n >= 5 && strcmp(element + n - 5, "_norm") == 0);
}

static bool norm_role(attend_role role)
{
	switch (role) {
	case ATTEND_ROLE_EMBEDDING_NORM_W:
	case ATTEND_ROLE_FINAL_NORM_W:
	case ATTEND_ROLE_ATTENTION_NORM_W:
	case ATTEND_ROLE_CROSS_NORM_W:
	case ATTEND_ROLE_FFN_NORM_W:
	case ATTEND_ROLE_HEAD_NORM_W: return true;
	default: return false;
	}
}

bool attend_param_no_decay(const attend_param *param)
{
	if (norm_role(param->role)) return true;
	char lower[512];
	size_t n = 0;
	for (const char *c = param->name; *c && n + 1 < sizeof lower; c++) lower[n++] = (char)tolower((unsigned char)*c);
	lower[n] = '\0';
	if (strstr(lower, "bias") || strstr(lower, "layernorm") || strstr(lower, "rmsnorm")) return true;
	for (char *element = lower; element;) {
		char *dot = strchr(element, '.');
		if (dot) *dot = '\0';
		if (norm_element(element)) return true;
		element = dot ? dot + 1 : NULL;
	}
	return false;
}

size_t attend_param_depth(const attend_network *network, const attend_param *param)
{
	const size_t decoder = network->stacks[1].block_count, encoder = network->stacks[0].block_count;
	const size_t layers = decoder + encoder;
	if (param->block >= 0) {
		const size_t top = param->stack == 1 ? decoder : layers; /* the decoder stands nearer to the loss */
		return top - (size_t)param->block;
	}
	switch (param->role) {
	case ATTEND_ROLE_WORD_EMBEDDING:
	case ATTEND_ROLE_POSITION_EMBEDDING:
	case ATTEND_ROLE_TYPE_EMBEDDING:
	case ATTEND_ROLE_EMBEDDING_NORM_W:
	case ATTEND_ROLE_EMBEDDING_NORM_B:
	case ATTEND_ROLE_EMBEDDING_PROJECTION_W:
	case ATTEND_ROLE_EMBEDDING_PROJECTION_B: return layers + 1;
	case ATTEND_ROLE_RELATIVE_BIAS: return param->stack == 1 ? decoder : layers; /* T5 keeps it in layer 0 */
	default: return 0;
	}
}

attend_status attend_grouping_read(attend_grouping *out, const attend_json *object)
{
	static const char *const rules[] = {"single", "no_decay", "layerwise_decay", "discriminative"};
	attend_grouping grouping = {.rule = ATTEND_GROUPS_NO_DECAY, .lr = 5e-5, .factor = 1};
	const char *rule = "no_decay";
	ATTEND_TRY(attend_json_get_string(&rule, object, "rule"));
	bool known = false;
	for (int i = 0; i < 4; i++) {
		if (strcmp(rule, rules[i]) != 0) continue;
		grouping.rule = (attend_grouping_rule)i;
		known = true;
	}
	if (!known) return attend_json_fail(object, "no grouping rule is called \"%s\"", rule);
	ATTEND_TRY(attend_json_get_double(&grouping.lr, object, "lr"));
	ATTEND_TRY(attend_json_get_double(&grouping.weight_decay, object, "weight_decay"));
	ATTEND_TRY(attend_json_get_double(&grouping.factor, object,
	                                  grouping.rule == ATTEND_GROUPS_DISCRIMINATIVE ? "divisor" : "factor"));
	*out = grouping;
	return ATTEND_OK;
}
