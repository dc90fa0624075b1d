/* safetensors.c: reader of the safetensors format (huggingface.md 1.1 to 1.3). */
#include "loaders/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "lib/core/map.h"

enum { MAX_HEADER = 100000000 };

typedef struct entry {
	char *name; /* owned */
	attend_tensor tensor;
	size_t begin, end; /* in the data area */
} entry;

struct attend_safetensors {
	attend_mapping mapping; /* data NULL: the caller's bytes */
	size_t size;
	entry *entries;
	size_t count, capacity;
	attend_map *names;
	char **metadata; /* key, value, key, value ... */
	size_t metadata_count, metadata_capacity;
};

static uint64_t read_u64(const unsigned char *p)
{
	uint64_t v = 0;
	for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
	return v;
}

static char *copy_text(const char *text, size_t size)
{
	char *copy = malloc(size + 1);
	if (copy == NULL) return NULL;
	memcpy(copy, text, size);
	copy[size] = 0;
	return copy;
}

/* The three fields of one tensor; others are ignored. */
static attend_status read_entry(entry *out, const attend_json *value)
{
	const attend_json *dtype = NULL, *shape = NULL, *offsets = NULL;
	if (attend_json_type(value) != ATTEND_JSON_OBJECT)
		return attend_json_fail(value, "expected an object {dtype, shape, data_offsets}, found %s",
		                        attend_json_type_name(value));
	for (const attend_json *field = attend_json_first(value); field != NULL; field = attend_json_next(field)) {
		const char *key = attend_json_key(field, NULL);
		const attend_json **slot = strcmp(key, "dtype") == 0          ? &dtype
		                           : strcmp(key, "shape") == 0        ? &shape
		                           : strcmp(key, "data_offsets") == 0 ? &offsets
		                                                              : NULL;
		if (slot == NULL) continue;
		if (*slot != NULL) return attend_json_fail(field, "the field is there twice");
		*slot = field;
	}
	if (dtype == NULL || shape == NULL || offsets == NULL)
		return attend_json_fail(value, "%s is missing",
		                        dtype == NULL   ? "dtype"
		                        : shape == NULL ? "shape"
		                                        : "data_offsets");
	const char *text;
	ATTEND_TRY(attend_json_as_string(&text, NULL, dtype));
	if (attend_dtype_parse(&out->tensor.dtype, text) != ATTEND_OK)
		return attend_json_fail(dtype, "unknown dtype \"%s\"", text);
	if (attend_json_type(shape) != ATTEND_JSON_ARRAY)
		return attend_json_fail(shape, "expected an array of sizes, found %s", attend_json_type_name(shape));
	const size_t rank = attend_json_count(shape);
	if (rank > ATTEND_MAX_RANK) {
		attend_json_fail(shape, "%zu dimensions, attend reads up to %d", rank, ATTEND_MAX_RANK);
		return ATTEND_ERR_UNSUPPORTED;
	}
	for (const attend_json *d = attend_json_first(shape); d != NULL; d = attend_json_next(d)) {
		int64_t n;
		ATTEND_TRY(attend_json_as_int(&n, d, 0, INT64_MAX));
		out->tensor.shape[out->tensor.rank++] = (size_t)n;
	}
	if (attend_json_type(offsets) != ATTEND_JSON_ARRAY || attend_json_count(offsets) != 2)
		return attend_json_fail(offsets, "expected [begin, end]");
	int64_t begin, end;
	const attend_json *first = attend_json_first(offsets);
	ATTEND_TRY(attend_json_as_int(&begin, first, 0, INT64_MAX));
	ATTEND_TRY(attend_json_as_int(&end, attend_json_next(first), 0, INT64_MAX));
	out->begin = (size_t)begin;
	out->end = (size_t)end;
	return ATTEND_OK;
}

static attend_status read_metadata(attend_safetensors *file, const attend_json *value)
{
	if (attend_json_type(value) == ATTEND_JSON_NULL) return ATTEND_OK;
	if (attend_json_type(value) != ATTEND_JSON_OBJECT)
		return attend_json_fail(value, "expected an object of strings, found %s", attend_json_type_name(value));
	for (const attend_json *item = attend_json_first(value); item != NULL; item = attend_json_next(item)) {
		const char *text, *key;
		size_t size, key_size;
		ATTEND_TRY(attend_json_as_string(&text, &size, item));
		key = attend_json_key(item, &key_size);
		ATTEND_TRY(attend_grow(&file->metadata, &file->metadata_capacity, file->metadata_count + 2,
		                       sizeof *file->metadata, "safetensors metadata"));
		char *k = copy_text(key, key_size), *v = copy_text(text, size);
		if (k == NULL || v == NULL) {
			free(k);
			free(v);
			return attend_fail_memory(size, "safetensors metadata");
		}
		file->metadata[file->metadata_count++] = k;
		file->metadata[file->metadata_count++] = v;
	}
	return ATTEND_OK;
}

static attend_status read_header(attend_safetensors *file, const attend_json *header)
{
	if (attend_json_type(header) != ATTEND_JSON_OBJECT)
		return attend_json_fail(header, "expected an object, found %s", attend_json_type_name(header));
	bool metadata = false;
	for (const attend_json *value = attend_json_first(header); value != NULL; value = attend_json_next(value)) {
		size_t size;
		const char *name = attend_json_key(value, &size);
		if (size == 12 && memcmp(name, "__metadata__", 12) == 0) {
			if (metadata) return attend_json_fail(value, "the key is there twice");
			metadata = true;
			ATTEND_TRY(read_metadata(file, value));
			continue;
		}
		ATTEND_TRY(attend_grow(&file->entries, &file->capacity, file->count + 1, sizeof *file->entries, "tensor list"));
		entry *e = &file->entries[file->count];
		*e = (entry){0};
		ATTEND_TRY(read_entry(e, value));
		e->name = copy_text(name, size);
		if (e->name == NULL) return attend_fail_memory(size, "tensor name");
		file->count++;
	}
	return ATTEND_OK;
}

static int by_place(const void *pa, const void *pb)
{
	const entry *a = pa, *b = pb;
	if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
	if (a->end != b->end) return a->end < b->end ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* No holes, no overlaps, sizes that belong to the shapes, and nothing behind the last tensor. */
static attend_status check_places(const attend_safetensors *file, size_t data_size)
{
	size_t previous = 0;
	for (size_t i = 0; i < file->count; i++) {
		const entry *e = &file->entries[i];
		char shape[128];
		attend_tensor_describe(shape, sizeof shape, &e->tensor);
		if (e->begin != previous || e->end < e->begin)
			return attend_fail(ATTEND_ERR_FORMAT,
			                   "tensor '%s': expected data_offsets that begin at %zu, found [%zu, %zu] (%s)", e->name,
			                   previous, e->begin, e->end,
			                   e->end < e->begin     ? "end before begin"
			                   : e->begin < previous ? "tensors overlap"
			                                         : "there is a hole");
		size_t count, bits;
		if (!attend_tensor_numel(&count, &e->tensor) ||
		    __builtin_mul_overflow(count, (size_t)attend_dtype_bits(e->tensor.dtype), &bits))
			return attend_fail(ATTEND_ERR_FORMAT, "tensor '%s': %s: the product of the shape overflows", e->name,
			                   shape);
		if (bits % 8 != 0)
			return attend_fail(ATTEND_ERR_FORMAT, "tensor '%s': %s: not a whole number of bytes", e->name, shape);
		if (e->end - e->begin != bits / 8)
			return attend_fail(ATTEND_ERR_FORMAT,
			                   "tensor '%s': %s: expected %zu bytes, found data_offsets [%zu, %zu] of %zu bytes",
			                   e->name, shape, bits / 8, e->begin, e->end, e->end - e->begin);
		previous = e->end;
	}
	if (previous != data_size)
		return attend_fail(ATTEND_ERR_FORMAT, "expected %zu bytes of tensors by the header, found %zu (%s)", previous,
		                   data_size, previous > data_size ? "the file is cut short" : "there are trailing bytes");
	return ATTEND_OK;
}

static attend_status index_names(attend_safetensors *file)
{
	if (file->count > INT32_MAX)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%zu tensors are more than attend reads", file->count);
	ATTEND_TRY(attend_map_new(&file->names, file->count));
	for (size_t i = 0; i < file->count; i++) {
		const char *name = file->entries[i].name;
		if (attend_map_find(file->names, name, strlen(name)) >= 0)
			return attend_fail(ATTEND_ERR_FORMAT, "tensor '%s' is there twice", name);
		ATTEND_TRY(attend_map_put(file->names, name, strlen(name), (int32_t)i));
	}
	return ATTEND_OK;
}

static attend_status read_bytes(attend_safetensors *file, const unsigned char *bytes, size_t size)
{
	if (size < 8)
		return attend_fail(ATTEND_ERR_FORMAT, "expected at least 8 bytes, found %zu: not a safetensors file", size);
	const uint64_t header = read_u64(bytes);
	if (header > MAX_HEADER)
		return attend_fail(ATTEND_ERR_FORMAT, "the header says that it has %llu bytes, at most %d are allowed",
		                   (unsigned long long)header, MAX_HEADER);
	if (header > size - 8)
		return attend_fail(ATTEND_ERR_FORMAT,
		                   "the header says that it has %llu bytes, but only %zu follow (the file is cut short)",
		                   (unsigned long long)header, size - 8);
	attend_json *json;
	ATTEND_TRY(attend_json_parse(&json, (const char *)bytes + 8, (size_t)header, "header"));
	const attend_status status = read_header(file, json);
	attend_json_free(json);
	ATTEND_TRY(status);
	if (file->count > 1) qsort(file->entries, file->count, sizeof *file->entries, by_place);
	ATTEND_TRY(index_names(file));
	ATTEND_TRY(check_places(file, size - 8 - (size_t)header));
	for (size_t i = 0; i < file->count; i++)
		file->entries[i].tensor.data = bytes + 8 + (size_t)header + file->entries[i].begin;
	return ATTEND_OK;
}

attend_status attend_safetensors_parse(attend_safetensors **out, const unsigned char *bytes, size_t size,
                                       const char *name)
{
	attend_safetensors *file = calloc(1, sizeof *file);
	if (file == NULL) return attend_fail_memory(sizeof *file, name);
	file->size = size;
	attend_status status = read_bytes(file, bytes, size);
	if (status != ATTEND_OK) {
		attend_safetensors_free(file);
		return attend_fail_in(status, name);
	}
	*out = file;
	return ATTEND_OK;
}

attend_status attend_safetensors_open(attend_safetensors **out, const char *path)
{
	attend_mapping mapping;
	ATTEND_TRY(attend_file_map(&mapping, path));
	const attend_status status = attend_safetensors_parse(out, mapping.data, mapping.size, path);
	if (status == ATTEND_OK) (*out)->mapping = mapping;
	else attend_file_unmap(&mapping);
	return status;
}

void attend_safetensors_release(const attend_safetensors *file)
{
	if (file->mapping.data) attend_file_give_back(file->mapping.data, file->mapping.size);
}

void attend_safetensors_large_pages(const attend_safetensors *file)
{
	attend_file_large_pages(&file->mapping);
}

void attend_safetensors_free(attend_safetensors *file)
{
	if (file == NULL) return;
	for (size_t i = 0; i < file->count; i++) free(file->entries[i].name);
	for (size_t i = 0; i < file->metadata_count; i++) free(file->metadata[i]);
	free(file->entries);
	free(file->metadata);
	attend_map_free(file->names);
	attend_file_unmap(&file->mapping);
	free(file);
}

size_t attend_safetensors_count(const attend_safetensors *file)
{
	return file->count;
}

const char *attend_safetensors_name(const attend_safetensors *file, size_t i)
{
	return file->entries[i].name;
}

const attend_tensor *attend_safetensors_tensor(const attend_safetensors *file, size_t i)
{
	return &file->entries[i].tensor;
}

bool attend_safetensors_find(size_t *out, const attend_safetensors *file, const char *name)
{
	const int32_t i = attend_map_find(file->names, name, strlen(name));
	if (i < 0) return false;
	*out = (size_t)i;
	return true;
}

const char *attend_safetensors_metadata(const attend_safetensors *file, const char *key)
{
	for (size_t i = 0; i + 1 < file->metadata_count; i += 2)
		if (strcmp(file->metadata[i], key) == 0) return file->metadata[i + 1];
	return NULL;
}

size_t attend_safetensors_file_bytes(const attend_safetensors *file)
{
	return file->size;
}
