/* config_values.c: the numbers of config.json through a model's key table (huggingface.md 2.0.1): spelling, defaults, aliases,
 * ranges. Whatever is out of range is named with its JSON path; nothing is clamped. */
#include <string.h>

#include "loaders/config_internal.h"

/* Lines that every model has behind its own: the common keys, and what counts where a model has no such key. */
static const attend_family_key common[] = {
	{.key = ATTEND_KEY_DECODER_VOCAB, .otherwise = ATTEND_KEY_VOCAB, .times = 1},
	{.key = ATTEND_KEY_EMBEDDING, .otherwise = ATTEND_KEY_HIDDEN, .times = 1},
	{.key = ATTEND_KEY_DECODER_LAYERS, .otherwise = ATTEND_KEY_LAYERS, .times = 1},
	{.key = ATTEND_KEY_DECODER_HEADS, .otherwise = ATTEND_KEY_HEADS, .times = 1},
	{.key = ATTEND_KEY_DECODER_INTERMEDIATE, .otherwise = ATTEND_KEY_INTERMEDIATE, .times = 1},
	{.key = ATTEND_KEY_GROUPS, .otherwise = ATTEND_KEY_LAYERS, .times = 1},
	{.key = ATTEND_KEY_INNER_LAYERS, .value = 1},
	{.key = ATTEND_KEY_LABELS, .names = "num_labels", .value = 2},
	{.key = ATTEND_KEY_CLAMP_LEN, .value = -1},
	{.key = ATTEND_KEY_MEMORY, .value = 0},
	{.key = ATTEND_KEY_SCALE_SCORES, .value = 1},
	{.key = ATTEND_KEY_DROPOUT_QA, .otherwise = ATTEND_KEY_DROPOUT_HEAD, .times = 1},
	{.key = ATTEND_KEY_DROPOUT_CHOICE, .otherwise = ATTEND_KEY_DROPOUT_HEAD, .times = 1},
	{.key = ATTEND_KEY_IS_DECODER, .names = "is_decoder"},
	{.key = ATTEND_KEY_CROSS_ATTENTION, .names = "add_cross_attention"},
	{.key = ATTEND_KEY_ENCODER_DECODER, .names = "is_encoder_decoder"},
	{.key = ATTEND_KEY_TIE, .names = "tie_word_embeddings", .value = 1},
	{.key = ATTEND_KEY_TIE_STACKS, .names = "tie_encoder_decoder"},
	{.key = ATTEND_KEY_PAD, .names = "pad_token_id", .value = -1},
	{.key = ATTEND_KEY_BOS, .names = "bos_token_id", .value = -1},
	{.key = ATTEND_KEY_EOS, .names = "eos_token_id", .value = -1},
	{.key = ATTEND_KEY_SEP, .names = "sep_token_id", .value = -1},
	{.key = ATTEND_KEY_CLS, .names = "cls_token_id", .value = -1},
	{.key = ATTEND_KEY_DECODER_START, .names = "decoder_start_token_id", .value = -1},
	{.key = ATTEND_KEY_NONE},
};

static const attend_family_key *line_in(const attend_family_key *lines, attend_key key)
{
	for (; lines != NULL && lines->key != ATTEND_KEY_NONE; lines++)
		if (lines->key == key) return lines;
	return NULL;
}

const attend_family_key *attend_family_key_line(const attend_family *model, attend_key key)
{
	const attend_family_key *line = line_in(model->keys, key);
	if (line == NULL) line = line_in(model->shared_keys, key);
	return line != NULL ? line : line_in(common, key);
}

/* ---- Words ------------------------------------------------------------------------------------------------------------- */

typedef struct word {
	const char *text;
	int value;
} word;

static const word activations[] = {
	{"gelu", ATTEND_ACT_GELU},
	{"gelu_python", ATTEND_ACT_GELU},
	{"gelu_new", ATTEND_ACT_GELU_NEW},
	{"gelu_accurate", ATTEND_ACT_GELU_NEW},
	{"gelu_pytorch_tanh", ATTEND_ACT_GELU_NEW},
	{"gelu_python_tanh", ATTEND_ACT_GELU_NEW},
	{"gelu_fast", ATTEND_ACT_GELU_FAST},
	{"quick_gelu", ATTEND_ACT_QUICK_GELU},
	{"gelu_10", ATTEND_ACT_GELU_10},
	{"silu", ATTEND_ACT_SILU},
	{"swish", ATTEND_ACT_SILU},
	{"relu", ATTEND_ACT_RELU},
	{"relu2", ATTEND_ACT_RELU2},
	{"relu6", ATTEND_ACT_RELU6},
	{"leaky_relu", ATTEND_ACT_LEAKY_RELU},
	{"tanh", ATTEND_ACT_TANH},
	{"sigmoid", ATTEND_ACT_SIGMOID},
	{"linear", ATTEND_ACT_NONE},
	{"mish", ATTEND_ACT_MISH},
	{NULL, 0},
};
const char *attend_config_activation_name(attend_activation activation)
{
	for (const word *w = activations; w->text != NULL; w++)
		if (w->value == (int)activation) return w->text;
	return "unknown";
}

static const word activations_gpt1[] = {{"relu", ATTEND_ACT_RELU},
                                        {"silu", ATTEND_ACT_SILU},
                                        {"swish", ATTEND_ACT_SILU},
                                        {"gelu", ATTEND_ACT_GELU_NEW},
                                        {NULL, 0}};
static const word directions[] = {{"bi", 0}, {"uni", 1}, {NULL, 0}};
static const word poolings[] = {{"cls", ATTEND_POOL_FIRST},
                                {"first", ATTEND_POOL_FIRST},
                                {"last", ATTEND_POOL_LAST},
                                {"cls_index", ATTEND_POOL_LAST}, /* without cls_index: the last token */
                                {"mean", ATTEND_POOL_MEAN},
                                {NULL, 0}};

static attend_status read_word(int *out, const word *words, const attend_json *value, const char *what)
{
	const char *text;
	ATTEND_TRY(attend_json_as_string(&text, NULL, value));
	for (; words->text != NULL; words++)
		if (strcmp(words->text, text) == 0) {
			*out = words->value;
			return ATTEND_OK;
		}
	attend_json_fail(value, "\"%s\" is no %s that attend knows", text, what);
	return ATTEND_ERR_UNSUPPORTED;
}

/* T5's feed_forward_proj: "relu", "gated-gelu" (which means gelu_new), "gated-silu". */
static attend_status read_t5_activation(attend_key_values *out, const attend_json *value)
{
	const char *text;
	ATTEND_TRY(attend_json_as_string(&text, NULL, value));
	const bool gated = strncmp(text, "gated-", 6) == 0;
	const char *name = gated ? text + 6 : text;
	int activation = 0;
	const word *w = activations;
	while (w->text != NULL && strcmp(w->text, name) != 0) w++;
	if (w->text == NULL) {
		attend_json_fail(value, "expected an activation or \"gated-\" and an activation, found \"%s\"", text);
		return ATTEND_ERR_UNSUPPORTED;
	}
	activation = gated && strcmp(name, "gelu") == 0 ? ATTEND_ACT_GELU_NEW : w->value;
	out->number[ATTEND_KEY_ACTIVATION] = activation;
	out->number[ATTEND_KEY_GATED] = gated;
	out->given[ATTEND_KEY_ACTIVATION] = out->given[ATTEND_KEY_GATED] = true;
	return ATTEND_OK;
}

/* ---- Numbers ------------------------------------------------------------------------------------------------------------- */

static void int_range(attend_key key, int64_t *min, int64_t *max)
{
	*min = 1;
	*max = INT32_MAX;
	switch (key) {
	case ATTEND_KEY_HIDDEN:
	case ATTEND_KEY_EMBEDDING:
	case ATTEND_KEY_HEADS:
	case ATTEND_KEY_DECODER_HEADS:
	case ATTEND_KEY_HEAD_DIM:
	case ATTEND_KEY_INTERMEDIATE:
	case ATTEND_KEY_DECODER_INTERMEDIATE: *max = ATTEND_MAX_WIDTH; break;
	case ATTEND_KEY_LAYERS:
	case ATTEND_KEY_DECODER_LAYERS:
	case ATTEND_KEY_GROUPS:
	case ATTEND_KEY_INNER_LAYERS: *max = ATTEND_MAX_LAYERS; break;
	case ATTEND_KEY_BUCKETS: *min = 2, *max = ATTEND_MAX_WIDTH; break;
	case ATTEND_KEY_LABELS: *min = 0, *max = ATTEND_MAX_LABELS; break;
	case ATTEND_KEY_TYPES:
	case ATTEND_KEY_MEMORY: *min = 0; break;
	case ATTEND_KEY_CLAMP_LEN: *min = -1; break;
	default: break;
	}
}

static attend_status read_id(double *out, const attend_json *value)
{
	int64_t id;
	/* a list: its first; config_json.c reads the rest */
	if (attend_json_type(value) == ATTEND_JSON_ARRAY) {
		if (attend_json_first(value) == NULL) return ATTEND_OK;
		value = attend_json_first(value);
	}
	ATTEND_TRY(attend_json_as_int(&id, value, -1, INT32_MAX));
	*out = (double)id;
	return ATTEND_OK;
}

static attend_status read_real(double *out, const attend_json *value, double min, double max)
{
	double number;
	ATTEND_TRY(attend_json_as_double(&number, value));
	if (!(number >= min && number <= max))
		return attend_json_fail(value, "expected a number in %g .. %g, found %g", min, max, number);
	*out = number;
	return ATTEND_OK;
}

static attend_status read_value(attend_key_values *out, attend_key key, const attend_json *value)
{
	double *number = &out->number[key];
	int64_t integer, min, max;
	int choice = 0;
	bool flag;
	switch (key) {
	case ATTEND_KEY_ACTIVATION:
	case ATTEND_KEY_HEAD_ACTIVATION:
		ATTEND_TRY(read_word(&choice, activations, value, "activation"));
		*number = choice;
		return ATTEND_OK;
	case ATTEND_KEY_ACTIVATION_GPT1:
		ATTEND_TRY(read_word(&choice, activations_gpt1, value, "activation"));
		out->number[ATTEND_KEY_ACTIVATION] = choice;
		out->given[ATTEND_KEY_ACTIVATION] = true;
		return ATTEND_OK;
	case ATTEND_KEY_ACTIVATION_T5: return read_t5_activation(out, value);
	case ATTEND_KEY_ATTENTION_DIRECTION:
		ATTEND_TRY(read_word(&choice, directions, value, "attention type"));
		out->number[ATTEND_KEY_CAUSAL] = choice;
		out->given[ATTEND_KEY_CAUSAL] = true;
		return ATTEND_OK;
	case ATTEND_KEY_HEAD_POOLING:
		ATTEND_TRY(read_word(&choice, poolings, value, "pooling"));
		*number = choice;
		return ATTEND_OK;
	case ATTEND_KEY_NORM_EPS: return read_real(number, value, 0, 1);
	case ATTEND_KEY_INIT_RANGE: return read_real(number, value, 0, 1000);
	case ATTEND_KEY_ROTARY_THETA:
	case ATTEND_KEY_ROTARY_THETA_LOCAL: return read_real(number, value, 1, 1e12);
	case ATTEND_KEY_DROPOUT_EMBEDDING:
	case ATTEND_KEY_DROPOUT_HIDDEN:
	case ATTEND_KEY_DROPOUT_ATTENTION:
	case ATTEND_KEY_DROPOUT_ACTIVATION:
	case ATTEND_KEY_DROPOUT_FINAL:
	case ATTEND_KEY_DROPOUT_HEAD:
	case ATTEND_KEY_DROPOUT_QA:
	case ATTEND_KEY_DROPOUT_CHOICE: return read_real(number, value, 0, 1);
	case ATTEND_KEY_PAD:
	case ATTEND_KEY_BOS:
	case ATTEND_KEY_EOS:
	case ATTEND_KEY_SEP:
	case ATTEND_KEY_CLS:
	case ATTEND_KEY_DECODER_START: return read_id(number, value);
	default: break;
	}
	if (key >= ATTEND_KEY_GATED && key <= ATTEND_KEY_OUTPUT_BIAS) {
		ATTEND_TRY(attend_json_as_bool(&flag, value));
		*number = flag;
		return ATTEND_OK;
	}
	int_range(key, &min, &max);
	ATTEND_TRY(attend_json_as_int(&integer, value, min, max));
	*number = (double)integer;
	return ATTEND_OK;
}

/* The first spelling that is there and not null. */
static const attend_json *find_spelling(const attend_json *object, const char *names)
{
	char name[64];
	while (names != NULL && *names != 0) {
		const size_t size = strcspn(names, "|");
		if (size < sizeof name) {
			memcpy(name, names, size);
			name[size] = 0;
			const attend_json *value = attend_json_get(object, name);
			if (value != NULL && attend_json_type(value) != ATTEND_JSON_NULL) return value;
		}
		names += size + (names[size] == '|');
	}
	return NULL;
}

const attend_json *attend_config_place(const attend_family *model, attend_key key, const attend_json *object)
{
	const attend_family_key *line = attend_family_key_line(model, key);
	const attend_json *value = line == NULL ? NULL : find_spelling(object, line->names);
	return value != NULL ? value : object;
}

/* Chains of `otherwise` are short and have no loops: the tables are ours. */
static double resolve(attend_key_values *out, const attend_family *model, attend_key key)
{
	if (out->given[key]) return out->number[key];
	const attend_family_key *line = attend_family_key_line(model, key);
	if (line == NULL) return 0;
	return line->otherwise != ATTEND_KEY_NONE ? line->times * resolve(out, model, line->otherwise) : line->value;
}

attend_status attend_config_values(attend_key_values *out, const attend_family *model, const attend_json *object)
{
	*out = (attend_key_values){{0}, {0}};
	for (int k = ATTEND_KEY_NONE + 1; k < ATTEND_KEY_COUNT; k++) {
		const attend_family_key *line = attend_family_key_line(model, (attend_key)k);
		const attend_json *value = line == NULL ? NULL : find_spelling(object, line->names);
		if (value == NULL) continue;
		ATTEND_TRY(read_value(out, (attend_key)k, value));
		out->given[k] = true;
	}
	for (int k = ATTEND_KEY_NONE + 1; k < ATTEND_KEY_COUNT; k++)
		if (!out->given[k]) out->number[k] = resolve(out, model, (attend_key)k);
	if (model->unties_stacks && out->number[ATTEND_KEY_TIE] == 0) out->number[ATTEND_KEY_SHARE_EMBEDDING] = 0;
	/* the activation's own spellings stand for the plain key */
	if (!out->given[ATTEND_KEY_ACTIVATION]) {
		const attend_key own[] = {ATTEND_KEY_ACTIVATION_GPT1, ATTEND_KEY_ACTIVATION_T5};
		for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
			if (attend_family_key_line(model, own[i]) != NULL) out->number[ATTEND_KEY_ACTIVATION] = out->number[own[i]];
	}
	return ATTEND_OK;
}
