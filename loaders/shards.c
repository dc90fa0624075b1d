/* shards.c: the tensors of one or many files, safetensors or pytorch_model.bin, as one list (huggingface.md 1.5). */
#include "loaders/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "lib/core/map.h"

typedef struct shard {
	char *path;                      /* owned */
	attend_safetensors *safetensors; /* one of the two */
	attend_pytorch *pytorch;
	size_t first; /* index of its tensor 0 among all */
} shard;

struct attend_weights {
	shard *shards; /* in the order of their names */
	size_t count, capacity;
	size_t tensors;
	attend_map *names; /* only when there are several files */
};

/* ---- One file of either format --------------------------------------------------------------------------------------------- */

static bool is_pytorch(const char *path)
{
	const size_t size = strlen(path);
	return size >= 4 && strcmp(path + size - 4, ".bin") == 0;
}

static size_t shard_count(const shard *s)
{
	if (s->pytorch != NULL) return attend_pytorch_count(s->pytorch);
	return s->safetensors != NULL ? attend_safetensors_count(s->safetensors) : 0;
}

static const char *shard_name(const shard *s, size_t i)
{
	return s->pytorch != NULL ? attend_pytorch_name(s->pytorch, i) : attend_safetensors_name(s->safetensors, i);
}

static bool shard_find(size_t *out, const shard *s, const char *name)
{
	return s->pytorch != NULL ? attend_pytorch_find(out, s->pytorch, name)
	                          : attend_safetensors_find(out, s->safetensors, name);
}

/* ---- All of them ------------------------------------------------------------------------------------------------------------ */

static attend_status add_shard(attend_weights *weights, char *path)
{
	const attend_status status = attend_grow(&weights->shards, &weights->capacity, weights->count + 1,
	                                         sizeof *weights->shards, "list of shards");
	if (status != ATTEND_OK) {
		free(path);
		return status;
	}
	shard *s = &weights->shards[weights->count];
	*s = (shard){.path = path, .first = weights->tensors};
	weights->count++;
	ATTEND_TRY(is_pytorch(path) ? attend_pytorch_open(&s->pytorch, path)
	                            : attend_safetensors_open(&s->safetensors, path));
	weights->tensors += shard_count(s);
	return ATTEND_OK;
}

/* A file of the index's own folder. */
static bool plain_name(const char *name, size_t size)
{
	return size > 0 && strlen(name) == size && strchr(name, '/') == NULL && strchr(name, '\\') == NULL &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Shard numbers by file name, in the order in which the index first names them. */
static attend_status open_shards(attend_weights *weights, attend_map *files, const attend_json *map, const char *dir)
{
	for (const attend_json *item = attend_json_first(map); item != NULL; item = attend_json_next(item)) {
		const char *name;
		size_t size;
		ATTEND_TRY(attend_json_as_string(&name, &size, item));
		if (!plain_name(name, size))
			return attend_json_fail(item, "expected a file name without a path, found \"%s\"", name);
		if (attend_map_find(files, name, size) >= 0) continue;
		char *path;
		ATTEND_TRY(attend_path_join(&path, dir, name));
		if (!attend_file_exists(path)) {
			free(path);
			return attend_json_fail(item, "the shard '%s' is missing", name);
		}
		ATTEND_TRY(attend_map_put(files, name, size, (int32_t)weights->count));
		ATTEND_TRY(add_shard(weights, path));
	}
	return ATTEND_OK;
}

/* Every tensor that the index names is in the shard that it says, and the shards hold no others. */
static attend_status check_index(attend_weights *weights, const attend_map *files, const attend_json *map)
{
	ATTEND_TRY(attend_map_new(&weights->names, weights->tensors));
	for (const attend_json *item = attend_json_first(map); item != NULL; item = attend_json_next(item)) {
		const char *file, *name;
		size_t size, name_size, at;
		ATTEND_TRY(attend_json_as_string(&file, &size, item));
		name = attend_json_key(item, &name_size);
		const int32_t n = attend_map_find(files, file, size);
		if (n < 0) return attend_json_fail(item, "the key is there twice");
		const shard *s = &weights->shards[n];
		if (!shard_find(&at, s, name)) {
			for (size_t k = 0; k < weights->count; k++)
				if (shard_find(&at, &weights->shards[k], name))
					return attend_json_fail(item, "tensor '%s' is not in '%s' but in '%s'", name, file,
					                        weights->shards[k].path);
			return attend_json_fail(item, "tensor '%s' is not in '%s'", name, file);
		}
		if (attend_map_find(weights->names, name, name_size) >= 0)
			return attend_json_fail(item, "the key is there twice");
		ATTEND_TRY(attend_map_put(weights->names, name, name_size, (int32_t)(s->first + at)));
	}
	if (attend_map_size(weights->names) == weights->tensors) return ATTEND_OK;
	for (size_t k = 0; k < weights->count; k++) {
		const shard *s = &weights->shards[k];
		for (size_t i = 0; i < shard_count(s); i++) {
			const char *name = shard_name(s, i);
			if (attend_map_find(weights->names, name, strlen(name)) != (int32_t)(s->first + i))
				return attend_json_fail(map, "tensor '%s' of '%s' is not listed for this file", name, s->path);
		}
	}
	return ATTEND_OK;
}

static attend_status open_index(attend_weights *weights, const char *index, const char *dir)
{
	attend_json *json;
	attend_map *files = NULL;
	ATTEND_TRY(attend_json_read(&json, index));
	const attend_json *map = attend_json_get(json, "weight_map");
	attend_status status;
	if (map == NULL || attend_json_type(map) != ATTEND_JSON_OBJECT)
		status = attend_json_fail(map != NULL ? map : json, "expected an object 'weight_map' of file names");
	else status = attend_map_new(&files, 16);
	if (status == ATTEND_OK) status = open_shards(weights, files, map, dir);
	if (status == ATTEND_OK) status = check_index(weights, files, map);
	attend_map_free(files);
	attend_json_free(json);
	return status;
}

static attend_status nothing_there(const char *dir)
{
	static const char *const others[] = {"tf_model.h5", "flax_model.msgpack", "model.ckpt.index", NULL};
	for (size_t i = 0; others[i] != NULL; i++) {
		char *path;
		ATTEND_TRY(attend_path_join(&path, dir, others[i]));
		const bool there = attend_file_exists(path);
		free(path);
		if (there)
			return attend_fail(
				ATTEND_ERR_NOTFOUND,
				"%s: expected model.safetensors or pytorch_model.bin, found only %s: convert it to safetensors first",
				dir, others[i]);
	}
	return attend_fail(ATTEND_ERR_NOTFOUND,
	                   "%s: expected model.safetensors or pytorch_model.bin, or the index of one, found neither", dir);
}

/* One file, or an index and its shards; *found: there was one of them. */
static attend_status open_named(attend_weights *weights, const char *dir, const char *file, bool *found)
{
	char *single = NULL, *index = NULL, name[64];
	attend_status status = attend_path_join(&single, dir, file);
	snprintf(name, sizeof name, "%s.index.json", file);
	if (status == ATTEND_OK) status = attend_path_join(&index, dir, name);
	*found = status == ATTEND_OK && (attend_file_exists(single) || attend_file_exists(index));
	if (*found && attend_file_exists(single)) {
		status = add_shard(weights, single);
		single = NULL;
	} else if (*found) {
		status = open_index(weights, index, dir);
	}
	free(single);
	free(index);
	return status;
}

attend_status attend_weights_open(attend_weights **out, const char *dir)
{
	static const char *const files[] = {"model.safetensors", "attend.safetensors", "pytorch_model.bin"};
	attend_weights *weights = calloc(1, sizeof *weights);
	if (weights == NULL) return attend_fail_memory(sizeof *weights, dir);
	attend_status status = ATTEND_OK;
	bool found = false;
	for (size_t i = 0; i < 3 && status == ATTEND_OK && !found; i++) status = open_named(weights, dir, files[i], &found);
	if (status == ATTEND_OK && !found) status = nothing_there(dir);
	if (status == ATTEND_OK) *out = weights;
	else attend_weights_free(weights);
	return status;
}

attend_status attend_weights_open_file(attend_weights **out, const char *path)
{
	attend_weights *weights = calloc(1, sizeof *weights);
	char *copy = strdup(path);
	if (weights == NULL || copy == NULL) {
		free(weights);
		free(copy);
		return attend_fail_memory(sizeof *weights, path);
	}
	const attend_status status = add_shard(weights, copy);
	if (status == ATTEND_OK) *out = weights;
	else attend_weights_free(weights);
	return status;
}

attend_status attend_weights_none(attend_weights **out)
{
	if ((*out = calloc(1, sizeof **out)) == NULL) return attend_fail_memory(sizeof **out, "weights");
	return ATTEND_OK;
}

void attend_weights_release(const attend_weights *weights)
{
	for (size_t i = 0; i < weights->count; i++)
		if (weights->shards[i].safetensors) attend_safetensors_release(weights->shards[i].safetensors);
}

void attend_weights_large_pages(const attend_weights *weights)
{
	for (size_t i = 0; i < weights->count; i++)
		if (weights->shards[i].safetensors) attend_safetensors_large_pages(weights->shards[i].safetensors);
}

void attend_weights_free(attend_weights *weights)
{
	if (weights == NULL) return;
	for (size_t i = 0; i < weights->count; i++) {
		attend_safetensors_free(weights->shards[i].safetensors);
		attend_pytorch_free(weights->shards[i].pytorch);
		free(weights->shards[i].path);
	}
	free(weights->shards);
	attend_map_free(weights->names);
	free(weights);
}

size_t attend_weights_count(const attend_weights *weights)
{
	return weights->tensors;
}

static const shard *shard_of(const attend_weights *weights, size_t i)
{
	size_t k = weights->count - 1;
	while (weights->shards[k].first > i) k--;
	return &weights->shards[k];
}

const char *attend_weights_name(const attend_weights *weights, size_t i)
{
	const shard *s = shard_of(weights, i);
	return shard_name(s, i - s->first);
}

const attend_tensor *attend_weights_tensor(const attend_weights *weights, size_t i)
{
	const shard *s = shard_of(weights, i);
	return s->pytorch != NULL ? attend_pytorch_tensor(s->pytorch, i - s->first)
	                          : attend_safetensors_tensor(s->safetensors, i - s->first);
}

const char *attend_weights_file(const attend_weights *weights, size_t i)
{
	return shard_of(weights, i)->path;
}

bool attend_weights_find(size_t *out, const attend_weights *weights, const char *name)
{
	if (weights->names == NULL) return weights->count > 0 && shard_find(out, &weights->shards[0], name);
	const int32_t i = attend_map_find(weights->names, name, strlen(name));
	if (i < 0) return false;
	*out = (size_t)i;
	return true;
}

const char *attend_weights_metadata(const attend_weights *weights, const char *key)
{
	for (size_t k = 0; k < weights->count; k++) {
		if (weights->shards[k].safetensors == NULL) continue;
		const char *value = attend_safetensors_metadata(weights->shards[k].safetensors, key);
		if (value != NULL) return value;
	}
	return NULL;
}

bool attend_weights_mapped(const attend_weights *weights)
{
	for (size_t k = 0; k < weights->count; k++)
		if (weights->shards[k].pytorch != NULL && !attend_pytorch_mapped(weights->shards[k].pytorch)) return false;
	return true;
}

size_t attend_weights_file_count(const attend_weights *weights)
{
	return weights->count;
}

size_t attend_weights_file_bytes(const attend_weights *weights)
{
	size_t sum = 0;
	for (size_t k = 0; k < weights->count; k++) {
		const shard *s = &weights->shards[k];
		sum +=
			s->pytorch != NULL ? attend_pytorch_file_bytes(s->pytorch) : attend_safetensors_file_bytes(s->safetensors);
	}
	return sum;
}
