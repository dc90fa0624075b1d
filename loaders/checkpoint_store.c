/* checkpoint_store.c: a loaded checkpoint written again in another type: plain (huggingface.md 1.4, 1.5), or as codes
 * (docs/quantisation.md). */
#include "loaders/checkpoint_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "lib/core/stored.h"
#include "lib/nn/network.h"
#include "lib/nn/network_walk.h"
#include "loaders/checkpoint_files.h"
#include "loaders/safetensors_write.h"

/* A param as the linears see it. */
typedef struct use {
	bool table, linear, in_out, wide;
	size_t in;
} use;

typedef struct store {
	const attend_checkpoint *checkpoint;
	const attend_store_options *options;
	use *uses; /* [params] */
	attend_safetensors_item *items;
	size_t count, capacity;
	void **owned; /* codes, scales and names behind the items */
	size_t owned_count, owned_capacity;
} store;

static use *use_of(store *s, const attend_param *param)
{
	return &s->uses[param - s->checkpoint->network.params];
}

static void visit_linear(attend_linear *linear, void *payload)
{
	store *s = payload;
	for (size_t i = 0; i < linear->part_count; i++) {
		use *u = use_of(s, linear->parts[i].param);
		u->linear = true;
		u->in_out = linear->parts[i].in_out;
		u->in = linear->in;
		/* these run in f32 (attend_linear_pack_type) */
		u->wide |= s->options->codes == ATTEND_PACK_INT8 && linear->in > ATTEND_INT8_MAX_INPUTS;
	}
}

static void visit_table(attend_table *table, void *payload)
{
	if (table->param != NULL) use_of(payload, table->param)->table = true;
}

/* Keep an allocation until the files are written; `block` is freed on failure. */
static attend_status keep(store *s, void *block, size_t bytes)
{
	attend_status status = block == NULL ? attend_fail_memory(bytes, "converted tensor") : ATTEND_OK;
	if (status == ATTEND_OK)
		status = attend_grow(&s->owned, &s->owned_capacity, s->owned_count + 1, sizeof *s->owned, "converted tensors");
	if (status == ATTEND_OK) s->owned[s->owned_count++] = block;
	else free(block);
	return status;
}

static attend_status add(store *s, const char *name, const attend_tensor *tensor, attend_dtype dtype)
{
	ATTEND_TRY(attend_grow(&s->items, &s->capacity, s->count + 1, sizeof *s->items, "list of tensors"));
	s->items[s->count] = (attend_safetensors_item){.name = name, .tensor = *tensor, .data_dtype = tensor->dtype};
	s->items[s->count++].tensor.dtype = dtype;
	return ATTEND_OK;
}

/* ---- Codes ---------------------------------------------------------------------------------------------------------------- */

static attend_status quantize(void *codes, void *scales, const attend_param *p, const use *u, attend_packed *packed)
{
	const size_t bytes = attend_pack_bytes(packed->type, packed->n, packed->k);
	packed->data = attend_alloc_aligned(bytes);
	if (packed->data == NULL) return attend_fail_memory(bytes, p->name);
	attend_pack(packed, 0, packed->n, p->stored.data, p->stored.dtype, u->in_out ? 1 : packed->k,
	            u->in_out ? packed->n : 1);
	attend_unpack_codes(codes, scales, packed, 0, packed->n);
	free(packed->data);
	return ATTEND_OK;
}

static attend_status add_codes(store *s, const char *name, const attend_param *p, const use *u)
{
	const attend_pack_type type = s->options->codes;
	const bool int8 = type == ATTEND_PACK_INT8;
	attend_packed packed = {.type = type, .n = u->in ? p->count / u->in : 0, .k = u->in};
	const size_t row = attend_code_row_bytes(type, packed.k), count = attend_code_row_scales(type, packed.k);
	const size_t width = int8 ? sizeof(float) : sizeof(uint16_t), room = strlen(name) + sizeof ".scale";
	size_t bad;
	if (!attend_stored_finite(p->stored.data, p->stored.dtype, p->count, &bad)) return attend_param_not_finite(p, bad);
	/* a row has no more codes than numbers, or 32: nothing overflows */
	void *codes = malloc(packed.n * row + 1);
	ATTEND_TRY(keep(s, codes, packed.n * row));
	void *scales = malloc(packed.n * count * width + 1);
	ATTEND_TRY(keep(s, scales, packed.n * count * width));
	char *scale_name = malloc(room);
	ATTEND_TRY(keep(s, scale_name, room));
	snprintf(scale_name, room, "%s.scale", name);
	ATTEND_TRY(quantize(codes, scales, p, u, &packed));
	const attend_tensor q = {int8 ? ATTEND_DTYPE_I8 : ATTEND_DTYPE_U8, 2, {packed.n, row}, codes};
	const attend_tensor f = {int8 ? ATTEND_DTYPE_F32 : ATTEND_DTYPE_BF16, int8 ? 1 : 2, {packed.n, count}, scales};
	ATTEND_TRY(add(s, name, &q, q.dtype));
	return add(s, scale_name, &f, f.dtype);
}

/* ---- Choosing ------------------------------------------------------------------------------------------------------------- */

static bool listed(const attend_name_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0) return true;
	return false;
}

static bool same_view(const attend_tensor *a, const attend_tensor *b)
{
	return a->data == b->data && a->dtype == b->dtype && a->rank == b->rank &&
	       memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

/* The param that was made of tensor i; *shared: of another name for the same memory. */
static const attend_param *param_of(const attend_checkpoint *c, size_t i, bool *shared)
{
	const attend_tensor *t = attend_weights_tensor(c->weights, i);
	const attend_param *found = NULL;
	size_t count;
	*shared = false;
	if (!attend_tensor_numel(&count, t) || count == 0) return NULL;
	for (size_t k = 0; k < c->network.param_count; k++) {
		const attend_param *p = &c->network.params[k];
		if (!same_view(&p->stored, t)) continue;
		found = p;
		/* wrappers' names are cleaned, gamma and beta renamed: the end is the same, or the name of a vector */
		const size_t a = strlen(attend_weights_name(c->weights, i)), b = strlen(p->name);
		if (t->rank == 1 || (a >= b && strcmp(attend_weights_name(c->weights, i) + a - b, p->name) == 0)) {
			*shared = false;
			return p;
		}
		*shared = true;
	}
	return found;
}

static bool is_float(attend_dtype dtype)
{
	return dtype == ATTEND_DTYPE_F32 || dtype == ATTEND_DTYPE_F16 || dtype == ATTEND_DTYPE_BF16 ||
	       dtype == ATTEND_DTYPE_F64;
}

static attend_status add_tensor(store *s, size_t i)
{
	const attend_checkpoint *c = s->checkpoint;
	const attend_tensor *t = attend_weights_tensor(c->weights, i);
	const char *name = attend_weights_name(c->weights, i);
	bool shared;
	if (listed(&c->report.ignored, name)) return ATTEND_OK;
	const attend_param *p = param_of(c, i, &shared);
	/* a second name that the binder has taken for a copy: the architecture ties it to the first */
	bool tied = true;
	ATTEND_TRY(attend_json_get_bool(&tied, c->config.json, "tie_word_embeddings"));
	if (shared && tied && !listed(&c->report.unused, name)) return ATTEND_OK;
	const use *u = p != NULL && !shared ? &s->uses[p - c->network.params] : NULL;
	if (s->options->codes != ATTEND_PACK_F32 && u != NULL && u->linear && !u->table && !u->wide && is_float(t->dtype))
		return add_codes(s, name, p, u);
	const bool converted = is_float(t->dtype) && s->options->dtype != ATTEND_DTYPE_COUNT;
	return add(s, name, t, converted ? s->options->dtype : t->dtype);
}

/* ---- Writing -------------------------------------------------------------------------------------------------------------- */

/* Codes do not go under the name that other programs look for: some would take them for weights. */
static const char *stem(const store *s)
{
	return s->options->codes != ATTEND_PACK_F32 ? "attend" : "model";
}

static attend_status write_file(const store *s, const char *dir, const char *name, size_t first, size_t count)
{
	const char *const codes[] = {"format", "attend", ATTEND_STORED_TYPE_KEY,
	                             s->options->codes == ATTEND_PACK_INT8 ? "int8" : "int4", NULL};
	char *path;
	ATTEND_TRY(attend_path_join(&path, dir, name));
	const attend_status status = attend_safetensors_write_with(path, s->items + first, count,
	                                                           s->options->codes != ATTEND_PACK_F32 ? codes : NULL);
	free(path);
	return status;
}

/* Where the shard that begins at item `first` ends; *bytes of tensors in it. At least one tensor. */
static size_t shard_end(const store *s, size_t first, size_t *bytes)
{
	*bytes = 0;
	for (size_t i = first; i < s->count; i++) {
		size_t size = 0;
		if (!attend_tensor_bytes(&size, &s->items[i].tensor)) size = SIZE_MAX / 2; /* the writer refuses it */
		if (i > first && (size > s->options->max_shard_bytes || *bytes > s->options->max_shard_bytes - size)) return i;
		*bytes += size;
	}
	return s->count;
}

static attend_status write_shards(const store *s, const char *dir, size_t shards)
{
	attend_buffer index = {0};
	size_t total = 0, bytes;
	for (size_t first = 0; first < s->count; first = shard_end(s, first, &bytes), total += bytes) (void)first;
	attend_buffer_printf(&index, "{\n  \"metadata\": {\n    \"total_size\": %zu\n  },\n  \"weight_map\": {", total);
	attend_status status = ATTEND_OK;
	for (size_t first = 0, n = 1; first < s->count && status == ATTEND_OK; n++) {
		const size_t end = shard_end(s, first, &bytes);
		char name[64];
		snprintf(name, sizeof name, "%s-%05zu-of-%05zu.safetensors", stem(s), n, shards);
		status = write_file(s, dir, name, first, end - first);
		for (size_t i = first; i < end; i++) {
			attend_buffer_text(&index, i == 0 ? "\n    " : ",\n    ");
			attend_buffer_json_string(&index, s->items[i].name, strlen(s->items[i].name));
			attend_buffer_printf(&index, ": \"%s\"", name);
		}
		first = end;
	}
	attend_buffer_text(&index, "\n  }\n}\n");
	char *path = NULL;
	if (status == ATTEND_OK) status = attend_buffer_status(&index);
	char name[64];
	snprintf(name, sizeof name, "%s.safetensors.index.json", stem(s));
	if (status == ATTEND_OK) status = attend_path_join(&path, dir, name);
	if (status == ATTEND_OK) status = attend_file_write(path, index.data, index.size);
	free(path);
	attend_buffer_free(&index);
	return status;
}

static attend_status write_weights(const store *s, const char *dir)
{
	size_t shards = 0, bytes;
	if (s->options->max_shard_bytes != 0)
		for (size_t first = 0; first < s->count; first = shard_end(s, first, &bytes)) shards++;
	char name[64];
	snprintf(name, sizeof name, "%s.safetensors", stem(s));
	return shards > 1 ? write_shards(s, dir, shards) : write_file(s, dir, name, 0, s->count);
}

static attend_status write_config(const attend_checkpoint *c, const char *dir, const attend_store_options *options)
{
	char *path;
	attend_json *json;
	ATTEND_TRY(attend_path_join(&path, c->dir, "config.json"));
	attend_status status = attend_json_read(&json, path);
	free(path);
	ATTEND_TRY(status);
	if (options->dtype != ATTEND_DTYPE_COUNT) status = attend_config_set_dtype(json, options->dtype);
	if (options->codes != ATTEND_PACK_F32)
		status = attend_json_set(json, "quantization_config",
		                         options->codes == ATTEND_PACK_INT8
		                             ? "{\"quant_method\": \"attend\", \"bits\": 8}"
		                             : "{\"quant_method\": \"attend\", \"bits\": 4, \"group_size\": 32}");
	if (status == ATTEND_OK) status = attend_config_write(json, dir);
	attend_json_free(json);
	return status;
}

attend_status attend_checkpoint_store(const attend_checkpoint *c, const char *dir, const attend_store_options *options)
{
	store s = {.checkpoint = c, .options = options};
	const attend_network *network = &c->network;
	if (network->stored_type != ATTEND_PACK_F32)
		return attend_fail(
			ATTEND_ERR_UNSUPPORTED,
			"%s: its weights are int8 or int4 codes already: convert the folder that they were made from", c->dir);
	s.uses = calloc(network->param_count + 1, sizeof *s.uses);
	attend_status status =
		s.uses == NULL ? attend_fail_memory(network->param_count * sizeof *s.uses, "list of tensors") : ATTEND_OK;
	if (status == ATTEND_OK) {
		/* the walk changes nothing here, but visitors may */
		attend_network_walk((attend_network *)(uintptr_t)network,
		                    &(attend_network_visitor){.linear = visit_linear, .table = visit_table, .payload = &s});
		status = attend_checkpoint_copy_files(c->dir, dir);
	}
	if (status == ATTEND_OK) status = write_config(c, dir, options);
	for (size_t i = 0; i < attend_weights_count(c->weights) && status == ATTEND_OK; i++) status = add_tensor(&s, i);
	if (status == ATTEND_OK) status = write_weights(&s, dir);
	for (size_t i = 0; i < s.owned_count; i++) free(s.owned[i]);
	free(s.owned);
	free(s.items);
	free(s.uses);
	return status;
}
