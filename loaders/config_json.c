/* config_json.c: config.json as a whole: which model, its stacks, its labels and special tokens (huggingface.md 2.0.1, 2.14). */
#include "loaders/config_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "loaders/config_internal.h"
#include "models/registry.h"

enum { MAX_CONFIG_BYTES = 64 << 20 };

static attend_status copy_string(char **out, const char *text)
{
	char *copy = strdup(text);
	if (copy == NULL) return attend_fail_memory(strlen(text), "config.json");
	free(*out);
	*out = copy;
	return ATTEND_OK;
}

/* A member that may be absent or null. */
static attend_status read_string(char **out, const attend_json *json, const char *key)
{
	const char *text = NULL;
	ATTEND_TRY(attend_json_get_string(&text, json, key));
	return text == NULL ? ATTEND_OK : copy_string(out, text);
}

/* ---- Labels ---------------------------------------------------------------------------------------------------------- */

static void free_labels(attend_config *config)
{
	for (size_t i = 0; i < config->label_count; i++) free(config->labels[i]);
	free(config->labels);
	config->labels = NULL;
	config->label_count = 0;
}

static attend_status default_labels(attend_config *config, size_t count)
{
	config->labels = attend_alloc_array(count + 1, sizeof *config->labels);
	if (config->labels == NULL) return attend_fail_memory(count * sizeof *config->labels, "labels");
	for (; config->label_count < count; config->label_count++) {
		char name[32];
		snprintf(name, sizeof name, "LABEL_%zu", config->label_count);
		config->labels[config->label_count] = strdup(name);
		if (config->labels[config->label_count] == NULL) return attend_fail_memory(sizeof name, "labels");
	}
	return ATTEND_OK;
}

typedef struct label_row {
	int64_t id;
	const char *name;
	const attend_json *value;
} label_row;

static int by_id(const void *pa, const void *pb)
{
	const label_row *a = pa, *b = pb;
	return a->id < b->id ? -1 : a->id > b->id;
}

static attend_status read_label_row(label_row *row, const attend_json *item)
{
	size_t size;
	const char *key = attend_json_key(item, &size);
	char *end;
	row->id = strtoll(key, &end, 10);
	if (size == 0 || end != key + size || row->id < 0)
		return attend_json_fail(item, "expected a number >= 0 as the key, found \"%s\"", key);
	row->value = item;
	if (attend_json_type(item) == ATTEND_JSON_NUMBER) { /* labels that are numbers: as they are written */
		row->name = NULL;
		return ATTEND_OK;
	}
	return attend_json_as_string(&row->name, NULL, item);
}

/* The order is that of the ids; the number of labels is the number of entries. */
static attend_status read_id2label(attend_config *config, const attend_json *map)
{
	if (attend_json_type(map) != ATTEND_JSON_OBJECT)
		return attend_json_fail(map, "expected an object {\"0\": name, ...}, found %s", attend_json_type_name(map));
	const size_t count = attend_json_count(map);
	label_row *rows = attend_alloc_array(count + 1, sizeof *rows);
	config->labels = attend_alloc_array(count + 1, sizeof *config->labels);
	if (rows == NULL || config->labels == NULL) {
		free(rows);
		return attend_fail_memory(count * sizeof *rows, "labels");
	}
	attend_status status = ATTEND_OK;
	size_t n = 0;
	for (const attend_json *item = attend_json_first(map); item != NULL && status == ATTEND_OK;
	     item = attend_json_next(item))
		status = read_label_row(&rows[n++], item);
	if (status == ATTEND_OK) qsort(rows, n, sizeof *rows, by_id);
	for (size_t i = 0; i < n && status == ATTEND_OK; i++) {
		char plain[32];
		snprintf(plain, sizeof plain, "LABEL_%zu", i);
		char *printed = NULL;
		if (i > 0 && rows[i].id == rows[i - 1].id) status = attend_json_fail(rows[i].value, "the id is there twice");
		else if (rows[i].name == NULL) status = attend_json_print(&printed, rows[i].value, 0);
		else if ((printed = strdup(rows[i].name)) == NULL) status = attend_fail_memory(1, "labels");
		if (status != ATTEND_OK) break;
		config->labels[config->label_count++] = printed;
		if (strcmp(printed, plain) != 0) config->labels_named = true;
	}
	free(rows);
	return status;
}

static attend_status read_labels(attend_config *config, const attend_json *json)
{
	const attend_json *map = attend_json_get(json, "id2label");
	if (map != NULL && attend_json_type(map) != ATTEND_JSON_NULL) return read_id2label(config, map);
	return default_labels(config, (size_t)config->values[0].number[ATTEND_KEY_LABELS]);
}

int attend_config_find_label(const attend_config *config, const char *label)
{
	for (size_t i = 0; i < config->label_count; i++)
		if (strcmp(config->labels[i], label) == 0) return (int)i;
	return -1;
}

attend_status attend_config_set_labels(attend_config *config, const char *const *labels, size_t count)
{
	char **copy = attend_alloc_array(count + 1, sizeof *copy);
	if (copy == NULL) return attend_fail_memory(count * sizeof *copy, "labels");
	size_t n = 0;
	while (n < count && (copy[n] = strdup(labels[n])) != NULL) n++;
	if (n < count) {
		while (n > 0) free(copy[--n]);
		free(copy);
		return attend_fail_memory(1, "labels");
	}
	free_labels(config);
	config->labels = copy;
	config->label_count = count;
	config->labels_named = true;
	for (size_t i = 0; i < config->arch.head_count; i++) {
		attend_head_arch *head = &config->arch.heads[i];
		if (head->kind == ATTEND_HEAD_SEQUENCE || head->kind == ATTEND_HEAD_TOKEN) head->outputs = count;
	}
	return ATTEND_OK;
}

/* ---- The rest ------------------------------------------------------------------------------------------------------------ */

static attend_status read_problem(attend_config *config, const attend_json *json)
{
	static const struct {
		const char *name;
		attend_problem problem;
	} problems[] = {{"regression", ATTEND_PROBLEM_REGRESSION},
	                {"single_label_classification", ATTEND_PROBLEM_SINGLE_LABEL},
	                {"multi_label_classification", ATTEND_PROBLEM_MULTI_LABEL}};
	const char *text = NULL;
	ATTEND_TRY(attend_json_get_string(&text, json, "problem_type"));
	config->problem = ATTEND_PROBLEM_AUTO;
	if (text == NULL) return ATTEND_OK;
	for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
		if (strcmp(problems[i].name, text) == 0) {
			config->problem = problems[i].problem;
			return ATTEND_OK;
		}
	return attend_json_fail(
		attend_json_get(json, "problem_type"),
		"expected regression, single_label_classification or multi_label_classification, found \"%s\"", text);
}

static attend_status read_architecture(attend_config *config, const attend_json *json)
{
	const attend_json *list = attend_json_get(json, "architectures");
	const char *text;
	if (list == NULL || attend_json_type(list) == ATTEND_JSON_NULL) return ATTEND_OK;
	if (attend_json_type(list) != ATTEND_JSON_ARRAY)
		return attend_json_fail(list, "expected an array of class names, found %s", attend_json_type_name(list));
	if (attend_json_first(list) == NULL) return ATTEND_OK;
	ATTEND_TRY(attend_json_as_string(&text, NULL, attend_json_first(list)));
	return copy_string(&config->architecture, text);
}

/* eos_token_id: a number or a list. */
static attend_status read_eos(attend_config *config, const attend_json *json)
{
	const attend_json *value = attend_json_get(json, "eos_token_id");
	int64_t id;
	if (value != NULL && attend_json_type(value) == ATTEND_JSON_ARRAY) {
		for (const attend_json *item = attend_json_first(value); item != NULL; item = attend_json_next(item)) {
			ATTEND_TRY(attend_json_as_int(&id, item, 0, INT32_MAX));
			if (config->eos_count == ATTEND_MAX_EOS)
				return attend_json_fail(value, "more than %d end tokens", ATTEND_MAX_EOS);
			config->eos[config->eos_count++] = (int32_t)id;
		}
		return ATTEND_OK;
	}
	if (config->arch.eos_id >= 0) config->eos[config->eos_count++] = config->arch.eos_id;
	return ATTEND_OK;
}

/* Ids stand at the top; a composite without them takes its decoder's. */
static int32_t special_id(const attend_config *config, const attend_key_values *outer, attend_key key)
{
	if (outer->given[key]) return (int32_t)outer->number[key];
	if (config->family->shape == ATTEND_SHAPE_COMPOSITE) return (int32_t)config->values[1].number[key];
	return (int32_t)outer->number[key];
}

static attend_status read_ids(attend_config *config, const attend_json *json)
{
	attend_key_values outer;
	ATTEND_TRY(attend_config_values(&outer, config->family, json));
	attend_arch *arch = &config->arch;
	arch->pad_id = special_id(config, &outer, ATTEND_KEY_PAD);
	arch->bos_id = special_id(config, &outer, ATTEND_KEY_BOS);
	arch->eos_id = special_id(config, &outer, ATTEND_KEY_EOS);
	arch->decoder_start_id = special_id(config, &outer, ATTEND_KEY_DECODER_START);
	config->sep_id = special_id(config, &outer, ATTEND_KEY_SEP);
	config->cls_id = special_id(config, &outer, ATTEND_KEY_CLS);
	config->tie_stacks = outer.number[ATTEND_KEY_TIE_STACKS] != 0;
	return read_eos(config, json);
}

/* Files from before model_type: the family that has the class architectures[0]. */
static const attend_family *family_of_class(const attend_json *json)
{
	const attend_json *first = attend_json_first(attend_json_get(json, "architectures"));
	const char *name;
	if (first == NULL || attend_json_type(first) != ATTEND_JSON_STRING ||
	    attend_json_as_string(&name, NULL, first) != ATTEND_OK)
		return NULL;
	for (size_t i = 0; attend_family_at(i) != NULL; i++)
		for (const attend_family_class *c = attend_family_at(i)->classes; c->name != NULL; c++)
			if (strcmp(c->name, name) == 0) return attend_family_at(i);
	return NULL;
}

static attend_status read_model(const attend_family **out, const attend_json *json)
{
	const attend_json *value = attend_json_get(json, "model_type");
	const char *type;
	if (attend_json_type(json) != ATTEND_JSON_OBJECT)
		return attend_json_fail(json, "expected an object, found %s", attend_json_type_name(json));
	if (value == NULL) {
		*out = family_of_class(json);
		return *out != NULL ? ATTEND_OK : attend_json_fail(json, "model_type is missing");
	}
	ATTEND_TRY(attend_json_as_string(&type, NULL, value));
	*out = attend_family_find(type);
	if (*out == NULL) {
		attend_json_fail(value, "attend has no model of type \"%s\"", type);
		return ATTEND_ERR_UNSUPPORTED;
	}
	return ATTEND_OK;
}

/* A composite's two halves: their objects, tables and prefixes. */
static attend_status read_halves(attend_config *config, const attend_json *halves[2], const attend_json *json)
{
	static const char *const names[2] = {"encoder", "decoder"};
	static const char *const prefixes[2] = {"encoder.", "decoder."};
	for (int i = 0; i < 2; i++) {
		halves[i] = attend_json_get(json, names[i]);
		if (halves[i] == NULL) return attend_json_fail(json, "%s is missing", names[i]);
		ATTEND_TRY(read_model(&config->model[i], halves[i]));
		const attend_family_shape shape = config->model[i]->shape;
		if (shape != ATTEND_SHAPE_COLUMN && !(i == 1 && shape == ATTEND_SHAPE_DECODER)) {
			attend_json_fail(halves[i], "\"%s\" as the %s of an encoder-decoder is not supported",
			                 config->model[i]->model_type, names[i]);
			return ATTEND_ERR_UNSUPPORTED;
		}
		config->prefix[i] = prefixes[i];
	}
	return ATTEND_OK;
}

static attend_status read_config(attend_config *config, const attend_json *json)
{
	const attend_json *halves[2] = {json, json};
	ATTEND_TRY(read_model(&config->family, json));
	config->model[0] = config->model[1] = config->family;
	config->prefix[0] = config->prefix[1] = "";
	if (config->family->shape == ATTEND_SHAPE_COMPOSITE) ATTEND_TRY(read_halves(config, halves, json));
	for (int i = 0; i < 2; i++) ATTEND_TRY(attend_config_values(&config->values[i], config->model[i], halves[i]));
	ATTEND_TRY(copy_string(&config->model_type, config->family->model_type));
	ATTEND_TRY(read_architecture(config, json));
	ATTEND_TRY(read_labels(config, json));
	ATTEND_TRY(read_problem(config, json));
	ATTEND_TRY(attend_config_arch(config, halves));
	ATTEND_TRY(read_ids(config, json));
	ATTEND_TRY(read_string(&config->dtype, json, "dtype"));
	if (config->dtype == NULL) ATTEND_TRY(read_string(&config->dtype, json, "torch_dtype"));
	ATTEND_TRY(read_string(&config->tokenizer_class, json, "tokenizer_class"));
	config->init_range = config->values[config->arch.has_decoder ? 1 : 0].number[ATTEND_KEY_INIT_RANGE];
	return ATTEND_OK;
}

attend_status attend_config_parse(attend_config *out, const char *text, size_t size, const char *name)
{
	attend_config config = {0};
	ATTEND_TRY(attend_json_parse(&config.json, text, size, name));
	const attend_status status = read_config(&config, config.json);
	if (status != ATTEND_OK) {
		attend_config_free(&config);
		return status;
	}
	*out = config;
	return ATTEND_OK;
}

attend_status attend_config_read(attend_config *out, const char *path)
{
	char *text;
	size_t size;
	ATTEND_TRY(attend_file_read(&text, &size, path, MAX_CONFIG_BYTES));
	const attend_status status = attend_config_parse(out, text, size, path);
	free(text);
	return status;
}

void attend_config_free(attend_config *config)
{
	attend_arch_free(&config->arch);
	free_labels(config);
	free(config->model_type);
	free(config->architecture);
	free(config->dtype);
	free(config->tokenizer_class);
	attend_json_free(config->json);
	*config = (attend_config){0};
}
