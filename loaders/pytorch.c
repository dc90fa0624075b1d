/* pytorch.c: torch.save's two forms (torch/serialization.py, torch/_utils.py of 2.13; caffe2/serialize/inline_container.cc).
 *
 * Zip: ROOT/data.pkl is the pickle, ROOT/data/KEY the numbers of storage KEY, ROOT/byteorder says "little".
 * Older: five pickles one after the other (magic number, 1001, facts about the machine, the object, the keys of its storages in the
 * order in which they follow), then for each storage its number of elements (i64) and its numbers. */
#include "loaders/pytorch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/map.h"
#include "loaders/pickle.h"
#include "loaders/zip.h"

/* Far above any list of tensors; a value takes a hundred times its bytes in the pickle. */
enum { MAX_PICKLE = 16 << 20, OLD_PROTOCOL = 1001 };

typedef struct entry {
	char *name; /* owned */
	attend_tensor tensor;
} entry;

struct attend_pytorch {
	attend_mapping mapping; /* data NULL: the caller's bytes */
	size_t size;
	entry *entries;
	size_t count, capacity;
	attend_map *names;
	void **copies; /* of tensors that lie crosswise */
	size_t copy_count, copy_capacity, copy_bytes;
};

/* What is needed while reading. */
typedef struct reader {
	attend_pytorch *file;
	const unsigned char *bytes;
	size_t size;
	attend_pickle pickle;
	const attend_zip *zip; /* NULL: the older form, where the storages are: */
	const char *root;      /* zip: "archive/" without what follows */
	int root_size;
	attend_map *old;              /* key -> index */
	const unsigned char **places; /* of old storages */
	size_t *counts;               /* their elements */
	size_t place_count, place_capacity, count_capacity;
} reader;

static size_t element_bytes(attend_dtype dtype)
{
	return attend_dtype_bits(dtype) / 8;
}

/* ---- Storages --------------------------------------------------------------------------------------------------------------- */

/* The bytes of a storage, all its elements inside of the file. */
static attend_status find_storage(const unsigned char **data, const reader *r, const attend_pickle_value *s)
{
	const size_t width = element_bytes(s->dtype);
	if (r->zip == NULL) {
		const int32_t i = attend_map_find(r->old, s->text, s->size);
		if (i < 0)
			return attend_fail(ATTEND_ERR_FORMAT, "storage '%.*s' is not in the file",
			                   (int)(s->size < 64 ? s->size : 64), s->text);
		if (r->counts[i] != s->count)
			return attend_fail(ATTEND_ERR_FORMAT, "storage '%.*s': expected %zu elements, found %zu", (int)s->size,
			                   s->text, s->count, r->counts[i]);
		*data = r->places[i];
		return ATTEND_OK;
	}
	char name[256];
	size_t i, size;
	const int n = snprintf(name, sizeof name, "%.*sdata/%.*s", r->root_size, r->root,
	                       (int)(s->size < 64 ? s->size : 64), s->text);
	if (n < 0 || (size_t)n >= sizeof name || s->size >= 64 || memchr(s->text, 0, s->size) != NULL ||
	    !attend_zip_find(&i, r->zip, name))
		return attend_fail(ATTEND_ERR_FORMAT, "storage '%.*s' is not in the archive",
		                   (int)(s->size < 64 ? s->size : 64), s->text);
	ATTEND_TRY(attend_zip_entry(data, &size, r->zip, i));
	if (size / width < s->count)
		return attend_fail(ATTEND_ERR_FORMAT, "storage '%s': expected %zu elements of %zu bytes, found %zu bytes", name,
		                   s->count, width, size);
	return ATTEND_OK;
}

/* ---- Tensors ---------------------------------------------------------------------------------------------------------------- */

/* Row-major? Dimensions of size 1 may have any stride. */
static bool is_contiguous(const size_t *shape, const size_t *strides, unsigned rank)
{
	size_t expected = 1;
	for (unsigned d = rank; d > 0; d--) {
		if (shape[d - 1] != 1 && strides[d - 1] != expected) return false;
		expected *= shape[d - 1]; /* the product is known not to overflow */
	}
	return true;
}

/* Index of the last element from the first; false: it overflows. */
static bool reach(size_t *out, const size_t *shape, const size_t *strides, unsigned rank)
{
	*out = 0;
	for (unsigned d = 0; d < rank; d++) {
		size_t far;
		if (__builtin_mul_overflow(shape[d] - 1, strides[d], &far) || __builtin_add_overflow(*out, far, out))
			return false;
	}
	return true;
}

/* A copy in row-major order. */
static attend_status gather(reader *r, attend_tensor *t, const unsigned char *first, const size_t *strides,
                            size_t count)
{
	attend_pytorch *f = r->file;
	const size_t width = element_bytes(t->dtype);
	/* many views of one storage could ask for any amount of memory; real ones fill the file once */
	if (count > (f->size - f->copy_bytes) / width)
		return attend_fail(ATTEND_ERR_UNSUPPORTED,
		                   "tensors that lie crosswise in shared storages are larger than the file");
	f->copy_bytes += count * width;
	unsigned char *copy = attend_alloc_aligned(count * width);
	if (copy == NULL) return attend_fail_memory(count * width, "tensor");
	const attend_status status =
		attend_grow(&f->copies, &f->copy_capacity, f->copy_count + 1, sizeof *f->copies, "tensors");
	if (status != ATTEND_OK) {
		free(copy);
		return status;
	}
	f->copies[f->copy_count++] = copy;
	size_t index[ATTEND_MAX_RANK] = {0}, at = 0;
	for (size_t i = 0; i < count; i++) {
		memcpy(copy + i * width, first + at * width, width);
		for (unsigned d = t->rank; d > 0; d--) {
			at += strides[d - 1];
			if (++index[d - 1] < t->shape[d - 1]) break;
			at -= strides[d - 1] * t->shape[d - 1];
			index[d - 1] = 0;
		}
	}
	t->data = copy;
	return ATTEND_OK;
}

static attend_status make_tensor(reader *r, attend_tensor *out, const attend_pickle_value *v)
{
	const attend_pickle_value *storage = &r->pickle.values[v->storage];
	const size_t *shape = r->pickle.sizes + v->shape_at, *strides = shape + v->rank;
	const unsigned char *data;
	size_t count, last, end;
	*out = (attend_tensor){.dtype = storage->dtype, .rank = v->rank};
	memcpy(out->shape, shape, v->rank * sizeof *shape);
	char text[128];
	attend_tensor_describe(text, sizeof text, out);
	size_t bytes;
	if (!attend_tensor_numel(&count, out) || !attend_tensor_bytes(&bytes, out))
		return attend_fail(ATTEND_ERR_FORMAT, "%s: the product of the shape overflows", text);
	ATTEND_TRY(find_storage(&data, r, storage));
	out->data = data;
	if (count == 0) return ATTEND_OK;
	if (!reach(&last, shape, strides, v->rank) || __builtin_add_overflow(last, v->offset, &end) ||
	    end >= storage->count)
		return attend_fail(ATTEND_ERR_FORMAT, "%s from element %zu on leaves its storage of %zu elements", text,
		                   v->offset, storage->count);
	out->data = data + v->offset * element_bytes(storage->dtype);
	if (is_contiguous(shape, strides, v->rank)) return ATTEND_OK;
	if (count > last + 1)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: its elements share memory (an expanded tensor)", text);
	return gather(r, out, out->data, strides, count);
}

static attend_status add_entry(reader *r, const attend_pickle_value *key, const attend_pickle_value *v)
{
	attend_pytorch *f = r->file;
	if (memchr(key->text, 0, key->size) != NULL) return attend_fail(ATTEND_ERR_FORMAT, "a tensor's name holds a NUL");
	ATTEND_TRY(attend_grow(&f->entries, &f->capacity, f->count + 1, sizeof *f->entries, "tensor list"));
	entry *e = &f->entries[f->count];
	*e = (entry){.name = malloc(key->size + 1)};
	if (e->name == NULL) return attend_fail_memory(key->size, "tensor name");
	memcpy(e->name, key->text, key->size);
	e->name[key->size] = 0;
	f->count++;
	if (attend_map_find(f->names, key->text, key->size) >= 0)
		return attend_fail(ATTEND_ERR_FORMAT, "tensor '%s' is there twice", e->name);
	ATTEND_TRY(attend_map_put(f->names, key->text, key->size, (int32_t)(f->count - 1)));
	const attend_status status = make_tensor(r, &e->tensor, v);
	if (status == ATTEND_OK) return status;
	char place[160];
	snprintf(place, sizeof place, "tensor '%.140s'", e->name);
	return attend_fail_in(status, place);
}

/* The pickle's object: a dictionary from names to tensors. */
static attend_status read_dictionary(reader *r)
{
	const attend_pickle *p = &r->pickle;
	const attend_pickle_value *root = &p->values[p->root];
	ATTEND_TRY(attend_map_new(&r->file->names, 64));
	if (root->kind != ATTEND_PICKLE_DICT)
		return attend_fail(ATTEND_ERR_UNSUPPORTED,
		                   "expected a dictionary of tensors (a state_dict), found another object");
	for (size_t i = root->first; i != 0; i = p->items[i - 1].next) {
		const attend_pickle_value *key = &p->values[p->items[i - 1].key], *value = &p->values[p->items[i - 1].value];
		if (key->kind == ATTEND_PICKLE_TEXT && value->kind == ATTEND_PICKLE_TENSOR) {
			ATTEND_TRY(add_entry(r, key, value));
			continue;
		}
		return attend_fail(ATTEND_ERR_UNSUPPORTED,
		                   "expected a dictionary of tensors (a state_dict), found '%.*s' in it",
		                   key->kind == ATTEND_PICKLE_TEXT ? (int)(key->size < 100 ? key->size : 100) : 1,
		                   key->kind == ATTEND_PICKLE_TEXT ? key->text : "?");
	}
	return ATTEND_OK;
}

/* ---- Zip ----------------------------------------------------------------------------------------------------------------------- */

static attend_status check_order(const reader *r)
{
	char name[256];
	const unsigned char *data;
	size_t i, size;
	const int n = snprintf(name, sizeof name, "%.*sbyteorder", r->root_size, r->root);
	if (n < 0 || (size_t)n >= sizeof name || !attend_zip_find(&i, r->zip, name)) return ATTEND_OK; /* torch < 2.1 */
	ATTEND_TRY(attend_zip_entry(&data, &size, r->zip, i));
	if (size == 6 && memcmp(data, "little", 6) == 0) return ATTEND_OK;
	return attend_fail(ATTEND_ERR_UNSUPPORTED, "numbers in byte order '%.*s', attend reads 'little'",
	                   (int)(size < 16 ? size : 16), (const char *)data);
}

static attend_status read_zip(reader *r)
{
	static const char pickle[] = "data.pkl";
	size_t found = SIZE_MAX, used, size;
	const unsigned char *data;
	for (size_t i = 0; i < attend_zip_count(r->zip); i++) {
		const char *name = attend_zip_name(r->zip, i), *slash = strrchr(name, '/');
		if (strcmp(slash != NULL ? slash + 1 : name, pickle) != 0) continue;
		if (found != SIZE_MAX) return attend_fail(ATTEND_ERR_FORMAT, "the archive holds two files %s", pickle);
		found = i;
	}
	if (found == SIZE_MAX)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "a zip archive without %s: not written by torch.save", pickle);
	r->root = attend_zip_name(r->zip, found);
	const size_t root = strlen(r->root) - (sizeof pickle - 1);
	if (root > 128) return attend_fail(ATTEND_ERR_UNSUPPORTED, "the archive's folder has a name of %zu bytes", root);
	r->root_size = (int)root;
	ATTEND_TRY(check_order(r));
	ATTEND_TRY(attend_zip_entry(&data, &size, r->zip, found));
	if (size > MAX_PICKLE)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "a pickle of %zu bytes, attend reads up to %d", size, MAX_PICKLE);
	ATTEND_TRY(attend_pickle_read(&r->pickle, &used, data, size));
	return read_dictionary(r);
}

/* ---- The older form ------------------------------------------------------------------------------------------------------------ */

static bool is_text(const attend_pickle_value *v, const char *text)
{
	return v->kind == ATTEND_PICKLE_TEXT && v->size == strlen(text) && memcmp(v->text, text, v->size) == 0;
}

/* {"protocol_version": 1001, "little_endian": True, "type_sizes": {...}} */
static attend_status check_machine(const attend_pickle *p)
{
	const attend_pickle_value *root = &p->values[p->root];
	for (size_t i = root->kind == ATTEND_PICKLE_DICT ? root->first : 0; i != 0; i = p->items[i - 1].next) {
		const attend_pickle_value *value = &p->values[p->items[i - 1].value];
		if (!is_text(&p->values[p->items[i - 1].key], "little_endian") || value->kind != ATTEND_PICKLE_BOOL) continue;
		return value->number
		           ? ATTEND_OK
		           : attend_fail(ATTEND_ERR_UNSUPPORTED, "big-endian numbers, attend reads little-endian ones");
	}
	return attend_fail(ATTEND_ERR_FORMAT, "the file does not say which byte order it has");
}

static attend_status next_pickle(attend_pickle *out, const reader *r, size_t *at)
{
	size_t used;
	const size_t left = r->size - *at;
	ATTEND_TRY(attend_pickle_read(out, &used, r->bytes + *at, left < MAX_PICKLE ? left : MAX_PICKLE));
	*at += used;
	return ATTEND_OK;
}

/* Type of the storage with this key, from the object's pickle. */
static const attend_pickle_value *storage_of(const attend_pickle *p, const attend_map *by_key,
                                             const attend_pickle_value *key)
{
	const int32_t i = key->kind == ATTEND_PICKLE_TEXT ? attend_map_find(by_key, key->text, key->size) : -1;
	return i < 0 ? NULL : &p->values[i];
}

/* The storages follow in the order of `keys`. */
static attend_status place_storages(reader *r, const attend_pickle *keys, const attend_map *by_key, size_t at)
{
	const attend_pickle_value *list = &keys->values[keys->root];
	if (list->kind != ATTEND_PICKLE_LIST) return attend_fail(ATTEND_ERR_FORMAT, "expected a list of storages");
	for (size_t i = list->first; i != 0; i = keys->items[i - 1].next) {
		const attend_pickle_value *key = &keys->values[keys->items[i - 1].value];
		const attend_pickle_value *s = storage_of(&r->pickle, by_key, key);
		uint64_t count = 0;
		if (s == NULL) return attend_fail(ATTEND_ERR_FORMAT, "the list names a storage that no tensor has");
		if (r->size - at < 8) return attend_fail(ATTEND_ERR_FORMAT, "the file is cut short before its storages end");
		for (unsigned k = 8; k > 0; k--) count = count << 8 | r->bytes[at + k - 1];
		at += 8;
		if (count > (r->size - at) / element_bytes(s->dtype))
			return attend_fail(ATTEND_ERR_FORMAT, "a storage of %llu elements leaves the file (it is cut short)",
			                   (unsigned long long)count);
		ATTEND_TRY(attend_grow(&r->places, &r->place_capacity, r->place_count + 1, sizeof *r->places, "storages"));
		ATTEND_TRY(attend_grow(&r->counts, &r->count_capacity, r->place_count + 1, sizeof *r->counts, "storages"));
		r->places[r->place_count] = r->bytes + at;
		r->counts[r->place_count] = (size_t)count;
		ATTEND_TRY(attend_map_put(r->old, key->text, key->size, (int32_t)r->place_count));
		r->place_count++;
		at += (size_t)count * element_bytes(s->dtype);
	}
	return ATTEND_OK;
}

/* One key, one type: else bytes would be read as what they are not. */
static attend_status index_storages(const reader *r, attend_map *by_key)
{
	for (size_t i = 0; i < r->pickle.value_count; i++) {
		const attend_pickle_value *s = &r->pickle.values[i];
		if (s->kind != ATTEND_PICKLE_STORAGE) continue;
		const int32_t other = attend_map_find(by_key, s->text, s->size);
		if (other < 0) ATTEND_TRY(attend_map_put(by_key, s->text, s->size, (int32_t)i));
		else if (r->pickle.values[other].dtype != s->dtype)
			return attend_fail(ATTEND_ERR_FORMAT, "a storage has two types");
	}
	return ATTEND_OK;
}

static attend_status read_old(reader *r)
{
	size_t at = 0;
	attend_status status = ATTEND_OK;
	for (int i = 0; i < 3 && status == ATTEND_OK; i++) {
		attend_pickle p;
		status = next_pickle(&p, r, &at);
		const attend_pickle_value *v = status == ATTEND_OK ? &p.values[p.root] : NULL;
		if (v != NULL && i < 2 && (v->kind != ATTEND_PICKLE_INT || (i == 1 && v->number != OLD_PROTOCOL)))
			status = attend_fail(ATTEND_ERR_UNSUPPORTED, "neither a zip archive nor torch's older form");
		if (v != NULL && status == ATTEND_OK && i == 2) status = check_machine(&p);
		attend_pickle_free(&p);
	}
	ATTEND_TRY(status);
	ATTEND_TRY(next_pickle(&r->pickle, r, &at));
	attend_pickle keys;
	attend_map *by_key = NULL;
	status = next_pickle(&keys, r, &at);
	if (status == ATTEND_OK) status = attend_map_new(&r->old, 64);
	if (status == ATTEND_OK) status = attend_map_new(&by_key, 64);
	if (status == ATTEND_OK) status = index_storages(r, by_key);
	if (status == ATTEND_OK) status = place_storages(r, &keys, by_key, at);
	if (status == ATTEND_OK) status = read_dictionary(r);
	attend_map_free(by_key);
	attend_pickle_free(&keys);
	return status;
}

/* ---- The file ------------------------------------------------------------------------------------------------------------------- */

static attend_status read_bytes(attend_pytorch *file, const unsigned char *bytes, size_t size)
{
	reader r = {.file = file, .bytes = bytes, .size = size};
	attend_zip *zip = NULL;
	const bool archive = size >= 4 && memcmp(bytes, "PK", 2) == 0;
	attend_status status = ATTEND_OK;
	if (!archive && (size < 2 || bytes[0] != 0x80))
		status = attend_fail(ATTEND_ERR_FORMAT, "neither a zip archive nor a pickle: not written by torch.save");
	if (status == ATTEND_OK && archive) status = attend_zip_parse(&zip, bytes, size);
	r.zip = zip;
	if (status == ATTEND_OK) status = archive ? read_zip(&r) : read_old(&r);
	attend_pickle_free(&r.pickle);
	attend_map_free(r.old);
	free(r.places);
	free(r.counts);
	attend_zip_free(zip);
	return status;
}

attend_status attend_pytorch_parse(attend_pytorch **out, const unsigned char *bytes, size_t size, const char *name)
{
	attend_pytorch *file = calloc(1, sizeof *file);
	if (file == NULL) return attend_fail_memory(sizeof *file, name);
	file->size = size;
	const attend_status status = read_bytes(file, bytes, size);
	if (status != ATTEND_OK) {
		attend_pytorch_free(file);
		return attend_fail_in(status, name);
	}
	*out = file;
	return ATTEND_OK;
}

attend_status attend_pytorch_open(attend_pytorch **out, const char *path)
{
	attend_mapping mapping;
	ATTEND_TRY(attend_file_map(&mapping, path));
	const attend_status status = attend_pytorch_parse(out, mapping.data, mapping.size, path);
	if (status == ATTEND_OK) (*out)->mapping = mapping;
	else attend_file_unmap(&mapping);
	return status;
}

void attend_pytorch_free(attend_pytorch *file)
{
	if (file == NULL) return;
	for (size_t i = 0; i < file->count; i++) free(file->entries[i].name);
	for (size_t i = 0; i < file->copy_count; i++) free(file->copies[i]);
	free(file->copies);
	free(file->entries);
	attend_map_free(file->names);
	attend_file_unmap(&file->mapping);
	free(file);
}

size_t attend_pytorch_count(const attend_pytorch *file)
{
	return file->count;
}

const char *attend_pytorch_name(const attend_pytorch *file, size_t i)
{
	return file->entries[i].name;
}

const attend_tensor *attend_pytorch_tensor(const attend_pytorch *file, size_t i)
{
	return &file->entries[i].tensor;
}

bool attend_pytorch_find(size_t *out, const attend_pytorch *file, const char *name)
{
	const int32_t i = attend_map_find(file->names, name, strlen(name));
	if (i < 0) return false;
	*out = (size_t)i;
	return true;
}

bool attend_pytorch_mapped(const attend_pytorch *file)
{
	return file->copy_count == 0;
}

size_t attend_pytorch_file_bytes(const attend_pytorch *file)
{
	return file->size;
}
