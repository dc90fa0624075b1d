/* inspect.c: look at a folder without running it: `attend inspect`. Works as far as the folder goes: what keeps it from running
 * is part of the answer. */
#include "lib/tasks/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "lib/attend.h"
#include "lib/core/file.h"
#include "lib/tasks/modules.h"

static attend_status keep(char **out, const char *text)
{
	if (*out != NULL) return ATTEND_OK; /* the first reason stands */
	*out = strdup(text);
	return *out != NULL ? ATTEND_OK : attend_fail_memory(strlen(text), "inspection");
}

static bool listed(const attend_name_list *list, const char *name)
{
	const size_t size = strlen(name);
	for (size_t i = 0; i < list->count; i++) /* a misfit stands there with "(found ..." behind */
		if (strncmp(list->items[i], name, size) == 0 && (list->items[i][size] == 0 || list->items[i][size] == ' '))
			return true;
	return false;
}

const char *attend_inspection_use(const attend_inspection *x, const char *name)
{
	if (!x->bound || listed(&x->report.unused, name)) return "unused";
	return listed(&x->report.ignored, name) ? "ignored" : "used";
}

static attend_status has_file(bool *out, const char *dir, const char *name)
{
	char *path;
	ATTEND_TRY(attend_path_join(&path, dir, name));
	*out = attend_file_exists(path);
	free(path);
	return ATTEND_OK;
}

/* config.json: broken is an error, unknown is an answer. */
static attend_status look_at_config(attend_inspection *x)
{
	char *path;
	bool there;
	ATTEND_TRY(has_file(&there, x->dir, "config.json"));
	if (!there) return attend_fail(ATTEND_ERR_NOTFOUND, "%s: no config.json in this folder", x->dir);
	ATTEND_TRY(attend_path_join(&path, x->dir, "config.json"));
	attend_status status = attend_config_read(&x->config, path);
	x->has_config = status == ATTEND_OK;
	if (status == ATTEND_ERR_UNSUPPORTED) {
		attend_json *json;
		const char *type = NULL;
		status = keep(&x->problem, attend_error());
		if (status == ATTEND_OK) status = attend_json_read(&json, path);
		if (status == ATTEND_OK) {
			status = attend_json_get_string(&type, json, "model_type");
			if (status == ATTEND_OK && type != NULL) status = keep(&x->model_type, type);
			attend_json_free(json);
		}
	} else if (status == ATTEND_OK) {
		status = keep(&x->model_type, x->config.model_type);
	}
	free(path);
	return status;
}

static attend_status plan_session(attend_inspection *x)
{
	const attend_arch *arch = &x->network.arch;
	size_t tokens = 512;
	if (arch->has_encoder && arch->encoder.max_positions != 0 && arch->encoder.max_positions < tokens)
		tokens = arch->encoder.max_positions;
	if (arch->has_decoder && arch->decoder.max_positions != 0 && arch->decoder.max_positions < tokens)
		tokens = arch->decoder.max_positions;
	const attend_session_options options = {.max_tokens = tokens,
	                                        .max_sequences = 1,
	                                        .cache_slots = arch->has_decoder ? 1 : 0,
	                                        .cache_length = arch->has_decoder ? tokens : 0};
	ATTEND_TRY(attend_session_measure(&x->session_bytes, &x->network, &options));
	x->session_tokens = tokens;
	return ATTEND_OK;
}

/* Memory of the body and the default head: others cost nothing until they are used. */
static void measure(attend_inspection *x)
{
	attend_network *n = &x->network;
	bool present[ATTEND_MAX_HEADS];
	for (size_t i = 0; i < n->arch.head_count; i++) {
		const attend_head_kind kind = n->arch.heads[i].kind, wanted = n->arch.default_head;
		present[i] = n->heads[i].present;
		if (kind != wanted &&
		    !(wanted == ATTEND_HEAD_PRETRAINING && (kind == ATTEND_HEAD_MLM || kind == ATTEND_HEAD_NSP)))
			n->heads[i].present = false;
	}
	attend_network_measure(&x->memory, n);
	for (size_t i = 0; i < n->arch.head_count; i++) n->heads[i].present = present[i];
}

/* Weights: a broken file is an error, none at all is an answer. */
static attend_status look_at_weights(attend_inspection *x)
{
	attend_status status = attend_weights_open(&x->weights, x->dir);
	if (status == ATTEND_ERR_NOTFOUND) return keep(&x->problem, attend_error());
	ATTEND_TRY(status);
	if (!x->has_config) return ATTEND_OK;
	const attend_bind_options options = {.lenient = true};
	ATTEND_TRY(attend_bind(&x->network, &x->report, &x->config, x->weights, &options));
	x->bound = true;
	if (x->report.missing.count > 0) return keep(&x->problem, "tensors are missing");
	measure(x);
	return plan_session(x);
}

static attend_status look_at_tokenizer(attend_inspection *x)
{
	const attend_status status = attend_tokenizer_load(&x->tokenizer, x->dir);
	if (status == ATTEND_OK || status == ATTEND_ERR_NOMEM) return status;
	return keep(&x->tokenizer_problem, attend_error());
}

static attend_status look(attend_inspection *x)
{
	attend_modules *modules = NULL;
	char *folder = NULL;
	ATTEND_TRY(attend_checkpoint_locate(&x->dir, x->path));
	ATTEND_TRY(attend_modules_read(&modules, &folder, x->dir));
	x->has_modules = modules != NULL;
	attend_modules_free(modules);
	if (folder != NULL) {
		free(x->dir);
		x->dir = folder;
	}
	ATTEND_TRY(look_at_config(x));
	ATTEND_TRY(look_at_weights(x));
	ATTEND_TRY(look_at_tokenizer(x));
	return has_file(&x->has_generation_config, x->dir, "generation_config.json");
}

attend_status attend_inspect(char **out, const char *path, bool json)
{
	if (out == NULL || path == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_inspect: out and path must not be NULL");
	attend_inspection x = {.path = path};
	attend_buffer text = {0};
	attend_status status = look(&x);
	if (status == ATTEND_OK) {
		if (json) attend_inspection_json(&text, &x);
		else attend_inspection_text(&text, &x);
		status = attend_buffer_status(&text);
	}
	attend_network_free(&x.network);
	attend_config_free(&x.config);
	attend_bind_report_free(&x.report);
	attend_weights_free(x.weights);
	attend_tokenizer_free(x.tokenizer);
	free(x.tokenizer_problem);
	free(x.problem);
	free(x.model_type);
	free(x.dir);
	if (status == ATTEND_OK) *out = text.data;
	else attend_buffer_free(&text);
	return status;
}
