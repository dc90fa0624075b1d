/* modules.c: reads modules.json, 1_Pooling/config.json, 2_Dense/{config.json, weights} and sentence_bert_config.json
 * (sentence-transformers: Transformer.py, Pooling.py, Dense.py, Normalize.py). */
#include "lib/tasks/modules.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "loaders/shards.h"

static const char *const mode_keys[ATTEND_MODE_COUNT] = {
	[ATTEND_MODE_CLS] = "pooling_mode_cls_token",
	[ATTEND_MODE_MAX] = "pooling_mode_max_tokens",
	[ATTEND_MODE_MEAN] = "pooling_mode_mean_tokens",
	[ATTEND_MODE_MEAN_SQRT] = "pooling_mode_mean_sqrt_len_tokens",
	[ATTEND_MODE_WEIGHTED] = "pooling_mode_weightedmean_tokens",
	[ATTEND_MODE_LAST] = "pooling_mode_lasttoken",
};

/* Newer folders name one mode: "pooling_mode": "mean". */
static const char *const mode_names[ATTEND_MODE_COUNT] = {"cls",          "max",      "mean", "mean_sqrt_len_tokens",
                                                          "weightedmean", "lasttoken"};

typedef struct activation_name {
	const char *name;
	attend_activation activation;
} activation_name;

static const activation_name activations[] = {
	{"Tanh", ATTEND_ACT_TANH}, {"Identity", ATTEND_ACT_NONE},   {"ReLU", ATTEND_ACT_RELU},
	{"GELU", ATTEND_ACT_GELU}, {"Sigmoid", ATTEND_ACT_SIGMOID},
};

static attend_status read_member(attend_json **out, const char *dir, const char *folder, const char *file)
{
	char *inner = NULL, *path = NULL;
	attend_status status = attend_path_join(&inner, dir, folder);
	if (status == ATTEND_OK) status = attend_path_join(&path, inner, file);
	if (status == ATTEND_OK) status = attend_json_read(out, path);
	free(inner);
	free(path);
	return status;
}

static attend_status read_pooling(attend_module *module, const char *dir, const char *folder)
{
	attend_json *json;
	ATTEND_TRY(read_member(&json, dir, folder, "config.json"));
	attend_status status = ATTEND_OK;
	const char *name = NULL;
	bool any = false;
	for (int mode = 0; mode < ATTEND_MODE_COUNT && status == ATTEND_OK; mode++) {
		bool on = false;
		any = any || attend_json_get(json, mode_keys[mode]) != NULL;
		status = attend_json_get_bool(&on, json, mode_keys[mode]);
		if (on) module->modes |= 1u << mode;
	}
	if (status == ATTEND_OK) status = attend_json_get_string(&name, json, "pooling_mode");
	for (int mode = 0; mode < ATTEND_MODE_COUNT && name != NULL; mode++)
		if (strcmp(name, mode_names[mode]) == 0) module->modes |= 1u << mode;
	/* the class's default, where the file does not say */
	if (!any && name == NULL) module->modes = 1u << ATTEND_MODE_MEAN;
	if (status == ATTEND_OK && module->modes == 0)
		status = attend_json_fail(json, "no pooling mode that attend knows is on");
	attend_json_free(json);
	return status;
}

static attend_status read_activation(attend_activation *out, const attend_json *json)
{
	const char *name = "Tanh"; /* Dense.py's default */
	ATTEND_TRY(attend_json_get_string(&name, json, "activation_function"));
	const char *dot = strrchr(name, '.');
	const char *last = dot != NULL ? dot + 1 : name;
	for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
		if (strcmp(activations[i].name, last) != 0) continue;
		*out = activations[i].activation;
		return ATTEND_OK;
	}
	(void)attend_json_fail(attend_json_get(json, "activation_function"), "unknown activation \"%s\"", name);
	return ATTEND_ERR_UNSUPPORTED;
}

/* A tensor of this shape as f32, malloc'ed; *out stays NULL when it is absent and optional. */
static attend_status read_tensor(float **out, const attend_weights *file, const char *name, size_t rows, size_t columns,
                                 bool optional)
{
	size_t i;
	if (!attend_weights_find(&i, file, name))
		return optional ? ATTEND_OK : attend_fail(ATTEND_ERR_FORMAT, "tensor '%s' is missing", name);
	const attend_tensor *t = attend_weights_tensor(file, i);
	char found[128];
	const bool floats = t->dtype == ATTEND_DTYPE_F32 || t->dtype == ATTEND_DTYPE_F16 || t->dtype == ATTEND_DTYPE_BF16 ||
	                    t->dtype == ATTEND_DTYPE_F64;
	const bool shaped = columns != 0 ? t->rank == 2 && t->shape[0] == rows && t->shape[1] == columns
	                                 : t->rank == 1 && t->shape[0] == rows;
	if (!floats || !shaped)
		return attend_fail(ATTEND_ERR_FORMAT, "'%s' is %s, expected %zu x %zu numbers", name,
		                   attend_tensor_describe(found, sizeof found, t), rows, columns != 0 ? columns : 1);
	const size_t count = rows * (columns != 0 ? columns : 1); /* checked by the reader: the bytes are in the file */
	*out = attend_alloc_array(count, sizeof **out);
	if (*out == NULL) return attend_fail_memory(count * sizeof **out, name);
	attend_to_f32(*out, t->data, t->dtype, count);
	return ATTEND_OK;
}

static attend_status read_weights(attend_module *module, const char *dir, const char *folder)
{
	char *inner = NULL;
	attend_weights *file = NULL;
	attend_status status = attend_path_join(&inner, dir, folder);
	if (status == ATTEND_OK) status = attend_weights_open(&file, inner);
	if (status == ATTEND_OK) {
		status = read_tensor(&module->weight, file, "linear.weight", module->out, module->in, false);
		if (status == ATTEND_OK) status = read_tensor(&module->bias, file, "linear.bias", module->out, 0, true);
		if (status != ATTEND_OK) status = attend_fail_in(status, inner);
	}
	attend_weights_free(file);
	free(inner);
	return status;
}

static attend_status read_dense(attend_module *module, const char *dir, const char *folder)
{
	attend_json *json;
	int64_t in = 0, out = 0;
	ATTEND_TRY(read_member(&json, dir, folder, "config.json"));
	attend_status status = attend_json_get_int(&in, json, "in_features", 1, 1 << 24);
	if (status == ATTEND_OK) status = attend_json_get_int(&out, json, "out_features", 1, 1 << 24);
	if (status == ATTEND_OK && (in == 0 || out == 0))
		status = attend_json_fail(json, "in_features and out_features are needed");
	if (status == ATTEND_OK) status = read_activation(&module->activation, json);
	attend_json_free(json);
	module->in = (size_t)in;
	module->out = (size_t)out;
	return status == ATTEND_OK ? read_weights(module, dir, folder) : status;
}

static attend_status read_module(attend_modules *modules, const char *dir, const attend_json *entry)
{
	const char *type = "", *folder = "";
	ATTEND_TRY(attend_json_get_string(&type, entry, "type"));
	ATTEND_TRY(attend_json_get_string(&folder, entry, "path"));
	const char *dot = strrchr(type, '.');
	const char *name = dot != NULL ? dot + 1 : type;
	attend_module *module = &modules->items[modules->count++];
	if (strcmp(name, "Pooling") == 0) {
		module->kind = ATTEND_MODULE_POOLING;
		return read_pooling(module, dir, folder);
	}
	if (strcmp(name, "Dense") == 0) {
		module->kind = ATTEND_MODULE_DENSE;
		return read_dense(module, dir, folder);
	}
	if (strcmp(name, "Normalize") == 0) {
		module->kind = ATTEND_MODULE_NORMALIZE;
		return ATTEND_OK;
	}
	(void)attend_json_fail(entry, "a module of type \"%s\", which attend does not know", type);
	return ATTEND_ERR_UNSUPPORTED;
}

/* sentence_bert_config.json lies in the Transformer's folder; it may be absent. */
static attend_status read_limits(attend_modules *modules, const char *folder)
{
	char *path;
	ATTEND_TRY(attend_path_join(&path, folder, "sentence_bert_config.json"));
	attend_json *json = NULL;
	const bool there = attend_file_exists(path);
	attend_status status = there ? attend_json_read(&json, path) : ATTEND_OK;
	free(path);
	if (!there || status != ATTEND_OK) return status;
	int64_t length = 0;
	status = attend_json_get_int(&length, json, "max_seq_length", 0, 1 << 30);
	if (status == ATTEND_OK) status = attend_json_get_bool(&modules->lower_case, json, "do_lower_case");
	modules->max_length = (size_t)length;
	attend_json_free(json);
	return status;
}

static attend_status read_all(attend_modules *modules, char **folder, const char *dir, const attend_json *list)
{
	const char *path = "";
	const attend_json *first = attend_json_first(list);
	if (attend_json_type(list) != ATTEND_JSON_ARRAY || first == NULL)
		return attend_json_fail(list, "expected a list of modules");
	ATTEND_TRY(attend_json_get_string(&path, first, "path"));
	if (*path != 0) ATTEND_TRY(attend_path_join(folder, dir, path));
	ATTEND_TRY(read_limits(modules, *folder != NULL ? *folder : dir));
	modules->items = calloc(attend_json_count(list), sizeof *modules->items);
	if (modules->items == NULL) return attend_fail_memory(attend_json_count(list) * sizeof *modules->items, "modules");
	for (const attend_json *entry = attend_json_next(first); entry != NULL; entry = attend_json_next(entry))
		ATTEND_TRY(read_module(modules, dir, entry));
	for (size_t i = 0; i < modules->count; i++)
		if ((modules->items[i].kind == ATTEND_MODULE_POOLING) != (i == 0))
			return attend_json_fail(list, "expected one Pooling, right behind the Transformer");
	return ATTEND_OK;
}

/* Keep the error for the task that needs the modules. */
static attend_status keep_error(attend_modules *modules, attend_status status)
{
	if (status == ATTEND_OK || status == ATTEND_ERR_NOMEM) return status;
	const char *line = attend_error();
	modules->status = status;
	modules->error = malloc(strlen(line) + 1);
	if (modules->error == NULL) return attend_fail_memory(strlen(line) + 1, "modules");
	memcpy(modules->error, line, strlen(line) + 1);
	return ATTEND_OK;
}

attend_status attend_modules_read(attend_modules **out, char **folder, const char *dir)
{
	char *path;
	*out = NULL;
	*folder = NULL;
	ATTEND_TRY(attend_path_join(&path, dir, "modules.json"));
	const bool there = attend_file_exists(path);
	attend_modules *modules = there ? calloc(1, sizeof *modules) : NULL;
	attend_json *list = NULL;
	attend_status status = there && modules == NULL ? attend_fail_memory(sizeof *modules, "modules") : ATTEND_OK;
	if (modules != NULL) {
		status = attend_json_read(&list, path);
		if (status == ATTEND_OK) status = read_all(modules, folder, dir, list);
		status = keep_error(modules, status);
	}
	attend_json_free(list);
	free(path);
	if (status == ATTEND_OK) *out = modules;
	else {
		attend_modules_free(modules);
		free(*folder);
		*folder = NULL;
	}
	return status;
}

void attend_modules_free(attend_modules *modules)
{
	if (modules == NULL) return;
	for (size_t i = 0; i < modules->count; i++) {
		free(modules->items[i].weight);
		free(modules->items[i].bias);
	}
	free(modules->items);
	free(modules->error);
	free(modules);
}
