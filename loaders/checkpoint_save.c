/* checkpoint_save.c: a checkpoint back into a folder that the reference loads (huggingface.md 1.4, 2.0.1, 2.0.2). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "loaders/checkpoint.h"
#include "loaders/checkpoint_files.h"
#include "loaders/safetensors_write.h"

/* ---- config.json --------------------------------------------------------------------------------------------------------- */

static attend_status set_labels(attend_json *json, const attend_config *config)
{
	attend_buffer by_id = {0}, by_name = {0};
	for (size_t i = 0; i < config->label_count; i++) {
		const char *label = config->labels[i];
		attend_buffer_printf(&by_id, "%s\"%zu\":", i == 0 ? "{" : ",", i);
		attend_buffer_json_string(&by_id, label, strlen(label));
		attend_buffer_text(&by_name, i == 0 ? "{" : ",");
		attend_buffer_json_string(&by_name, label, strlen(label));
		attend_buffer_printf(&by_name, ":%zu", i);
	}
	attend_buffer_text(&by_id, config->label_count == 0 ? "{}" : "}");
	attend_buffer_text(&by_name, config->label_count == 0 ? "{}" : "}");
	attend_status status = attend_buffer_status(&by_id);
	if (status == ATTEND_OK) status = attend_buffer_status(&by_name);
	if (status == ATTEND_OK) status = attend_json_set(json, "id2label", by_id.data);
	if (status == ATTEND_OK) status = attend_json_set(json, "label2id", by_name.data);
	if (status == ATTEND_OK) status = attend_json_remove(json, "num_labels");
	attend_buffer_free(&by_id);
	attend_buffer_free(&by_name);
	return status;
}

static const char *problem_name(attend_problem problem)
{
	switch (problem) {
	case ATTEND_PROBLEM_REGRESSION: return "regression";
	case ATTEND_PROBLEM_SINGLE_LABEL: return "single_label_classification";
	case ATTEND_PROBLEM_MULTI_LABEL: return "multi_label_classification";
	case ATTEND_PROBLEM_AUTO: break;
	}
	return NULL;
}

/* The class to name: asked for, or the family's class of the head that is saved, or as it was. */
static const char *class_name(const attend_checkpoint *c, const attend_save_options *options)
{
	if (options->architecture != NULL) return options->architecture;
	if (options->has_head)
		for (const attend_family_class *k = c->config.family->classes; k->name != NULL; k++)
			if (k->head == options->head && k->shape == ATTEND_SHAPE_COLUMN) return k->name;
	return c->config.architecture;
}

static attend_status write_config(const attend_checkpoint *c, const char *dir, const attend_save_options *options)
{
	char *source = NULL;
	attend_json *json = NULL;
	const char *class = class_name(c, options);
	attend_status status = attend_path_join(&source, c->dir, "config.json");
	if (status == ATTEND_OK) status = attend_json_read(&json, source);
	if (status == ATTEND_OK && class != NULL) {
		attend_buffer list = {0};
		attend_buffer_text(&list, "[");
		attend_buffer_json_string(&list, class, strlen(class));
		attend_buffer_text(&list, "]");
		status = attend_buffer_status(&list);
		if (status == ATTEND_OK) status = attend_json_set(json, "architectures", list.data);
		attend_buffer_free(&list);
	}
	if (status == ATTEND_OK && c->config.labels_named) status = set_labels(json, &c->config);
	if (status == ATTEND_OK &&
	    (c->config.problem != ATTEND_PROBLEM_AUTO || attend_json_get(json, "problem_type") != NULL))
		status = attend_config_set_text(json, "problem_type", problem_name(c->config.problem));
	if (status == ATTEND_OK && !options->keep_dtype) status = attend_config_set_dtype(json, ATTEND_DTYPE_F32);
	if (status == ATTEND_OK) status = attend_config_write(json, dir);
	free(source);
	attend_json_free(json);
	return status;
}

/* ---- model.safetensors --------------------------------------------------------------------------------------------------- */

static bool is_head_role(attend_role role)
{
	return role >= ATTEND_ROLE_HEAD_DENSE_W && role <= ATTEND_ROLE_HEAD_OUT_B;
}

static bool part_of(const attend_head_params *head, const attend_param *p)
{
	const attend_linear *const linears[2] = {&head->dense, &head->out};
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < linears[i]->part_count; k++)
			if (linears[i]->parts[k].param == p || linears[i]->bias_parts[k].param == p) return true;
	return head->norm.weight.param == p || head->norm.bias.param == p;
}

/* Is the tensor of the head that is saved (or of the body)? */
static bool is_saved(const attend_checkpoint *c, const attend_param *p, const attend_save_options *options)
{
	const attend_network *n = &c->network;
	if (!options->has_head || !is_head_role(p->role)) return true;
	for (size_t i = 0; i < n->arch.head_count; i++) {
		const attend_head_kind kind = n->arch.heads[i].kind;
		const bool asked = kind == options->head || (options->head == ATTEND_HEAD_PRETRAINING &&
		                                             (kind == ATTEND_HEAD_MLM || kind == ATTEND_HEAD_NSP));
		if (asked && n->heads[i].present && part_of(&n->heads[i], p)) return true;
	}
	return false;
}

/* A tied word embedding that the source file had only under the output matrix' name: the body's name for it, or NULL. */
static const char *word_name(const attend_checkpoint *c, const attend_param *p)
{
	const attend_family *family = c->config.family;
	if (p->role != ATTEND_ROLE_WORD_EMBEDDING) return NULL;
	for (const attend_family_head *h = family->heads; h->kind != ATTEND_HEAD_BASE; h++) {
		const size_t size = strlen(h->out);
		if (!h->tied || strncmp(p->name, h->out, size) != 0 || strcmp(p->name + size, ".weight") != 0) continue;
		for (int shared = 0; shared < 2; shared++)
			for (const attend_family_name *n = shared ? family->shared_names : family->names;
			     n != NULL && n->role != ATTEND_ROLE_NONE; n++)
				if (n->role == ATTEND_ROLE_WORD_EMBEDDING) return n->pattern;
	}
	return NULL;
}

/* The name that the class of the saved folder has for it: v4 declares a file corrupt that mixes names with and without the base
 * prefix. malloc'ed. */
static attend_status saved_name(char **out, const attend_checkpoint *c, const attend_param *p,
                                const attend_save_options *options)
{
	const attend_family *family = c->config.family;
	const char *prefix = family->base_prefix;
	const attend_head_kind head = options->has_head ? options->head : c->network.arch.default_head;
	const bool bare = head == ATTEND_HEAD_BASE || (family->bare_heads >> head & 1u) != 0;
	const size_t size = strlen(prefix);
	const char *word = word_name(c, p), *name = p->name;
	char *copy;
	if (is_head_role(p->role) || family->shape == ATTEND_SHAPE_COMPOSITE) {
		prefix = "";
	} else {
		if (strncmp(name, prefix, size) == 0) name += size;
		if (bare) prefix = "";
	}
	const size_t room = strlen(prefix) + strlen(word != NULL ? word : name) + sizeof ".weight";
	copy = malloc(room);
	if (copy == NULL) return attend_fail_memory(room, "tensor name");
	if (word != NULL) snprintf(copy, room, "%s%.*s.weight", prefix, (int)strcspn(word, "|"), word);
	else snprintf(copy, room, "%s%s", prefix, name);
	*out = copy;
	return ATTEND_OK;
}

/* Type in the source file, by the index of its tensor; created tensors are F32. */
static attend_dtype source_dtype(const attend_checkpoint *c, const attend_param *p)
{
	size_t i;
	return attend_weights_find(&i, c->weights, p->name) ? attend_weights_tensor(c->weights, i)->dtype
	                                                    : ATTEND_DTYPE_F32;
}

static attend_status write_weights(const attend_checkpoint *c, const char *dir, const attend_save_options *options)
{
	const attend_network *n = &c->network;
	char *path = NULL;
	size_t count = 0;
	float **widened = calloc(n->param_count + 1, sizeof *widened);
	attend_safetensors_item *items = calloc(n->param_count + 1, sizeof *items);
	attend_status status = ATTEND_OK;
	if (items == NULL || widened == NULL)
		status = attend_fail_memory(n->param_count * sizeof *items, "list of tensors");
	for (size_t i = 0; i < n->param_count && status == ATTEND_OK; i++) {
		const attend_param *p = &n->params[i];
		if (!is_saved(c, p, options)) continue;
		char *name = NULL;
		status = saved_name(&name, c, p, options);
		if (status != ATTEND_OK) break;
		attend_safetensors_item *item = &items[count++];
		item->name = name;
		item->tensor = p->stored;
		item->data_dtype = p->stored.dtype;
		if (p->values != NULL) {
			item->tensor.data = p->values;
			item->data_dtype = ATTEND_DTYPE_F32;
		}
		item->tensor.dtype = options->keep_dtype ? source_dtype(c, p) : ATTEND_DTYPE_F32;
		if (item->data_dtype == item->tensor.dtype || item->data_dtype == ATTEND_DTYPE_F32) continue;
		/* not trained, and stored in another type than F32 */
		widened[i] = attend_alloc_array(p->count ? p->count : 1, sizeof(float));
		if (widened[i] == NULL) {
			status = attend_fail_memory(p->count * sizeof(float), p->name);
			break;
		}
		attend_to_f32(widened[i], p->stored.data, p->stored.dtype, p->count);
		item->tensor.data = widened[i];
		item->data_dtype = ATTEND_DTYPE_F32;
	}
	if (status == ATTEND_OK) status = attend_path_join(&path, dir, "model.safetensors");
	if (status == ATTEND_OK) status = attend_safetensors_write(path, items, count);
	for (size_t i = 0; widened != NULL && i < n->param_count; i++) free(widened[i]);
	for (size_t i = 0; i < count; i++) free((char *)(uintptr_t)items[i].name);
	free(widened);
	free(items);
	free(path);
	return status;
}

/* ---- The folder -------------------------------------------------------------------------------------------------------------- */

static bool same_folder(const char *a, const char *b)
{
	struct stat sa, sb;
	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

attend_status attend_checkpoint_save(const attend_checkpoint *c, const char *dir, const attend_save_options *options)
{
	static const attend_save_options defaults = {0};
	if (options == NULL) options = &defaults;
	if (c->network.stored_type != ATTEND_PACK_F32)
		return attend_fail(ATTEND_ERR_UNSUPPORTED,
		                   "%s: its weights are int8 or int4 codes, which are saved in no other type", c->dir);
	ATTEND_TRY(attend_folder_make(dir));
	if (!same_folder(c->dir, dir)) ATTEND_TRY(attend_checkpoint_copy_files(c->dir, dir));
	ATTEND_TRY(write_config(c, dir, options));
	return write_weights(c, dir, options);
}
