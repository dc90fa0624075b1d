/* bench_io.c: inputs and dumps of attend_bench, by the contract of the benchmark (bench/README.md of the reference data). */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/rng.h"
#include "lib/tasks/bench.h"
#include "loaders/safetensors.h"
#include "loaders/safetensors_write.h"

static attend_status make_table(attend_bench_input *out, size_t batch, size_t width)
{
	if (width != 0 && batch > SIZE_MAX / width) return attend_fail_memory(SIZE_MAX, "ids");
	out->batch = batch;
	out->width = width;
	out->ids = attend_alloc_array(batch * width, sizeof *out->ids);
	out->lengths = attend_alloc_array(batch, sizeof *out->lengths);
	if (out->ids == NULL || out->lengths == NULL) return attend_fail_memory(batch * width * sizeof *out->ids, "ids");
	return ATTEND_OK;
}

/* Ids spread over the vocabulary, its first thousand (special tokens, rare bytes) left out where it is large. */
static attend_status draw_ids(attend_bench_input *out, const attend_bench_options *o, const attend_model *model)
{
	const size_t vocab = attend_model_vocab_size(model), low = vocab > 4000 ? 1000 : 0;
	size_t width = o->lengths != NULL ? 1 : o->tokens;
	for (size_t i = 0; o->lengths != NULL && i < o->batch; i++) width = o->lengths[i] > width ? o->lengths[i] : width;
	ATTEND_TRY(make_table(out, o->batch, width));
	attend_rng rng = {.seed = 7};
	for (size_t i = 0; i < o->batch; i++) {
		out->lengths[i] = o->lengths != NULL ? o->lengths[i] : width;
		out->total += out->lengths[i];
		for (size_t t = 0; t < width; t++)
			out->ids[i * width + t] = (int32_t)(low + attend_rng_below(&rng, vocab - low));
	}
	return ATTEND_OK;
}

/* An I64 tensor [B,T] ([B] when width is NULL); *out NULL when it is absent and optional. */
static attend_status find_table(const attend_tensor **out, const attend_safetensors *file, const char *name,
                                size_t rank, bool optional)
{
	size_t i;
	char found[128];
	*out = NULL;
	if (!attend_safetensors_find(&i, file, name))
		return optional ? ATTEND_OK : attend_fail(ATTEND_ERR_DATA, "tensor '%s' is missing", name);
	const attend_tensor *t = attend_safetensors_tensor(file, i);
	if (t->dtype != ATTEND_DTYPE_I64 || t->rank != rank || t->shape[0] == 0)
		return attend_fail(ATTEND_ERR_DATA, "'%s' is %s, expected I64 of rank %zu", name,
		                   attend_tensor_describe(found, sizeof found, t), rank);
	*out = t;
	return ATTEND_OK;
}

static int64_t element(const attend_tensor *t, size_t i)
{
	int64_t value;
	memcpy(&value, (const char *)t->data + i * sizeof value, sizeof value);
	return value;
}

static attend_status copy_rows(attend_bench_input *out, const attend_tensor *ids, const attend_tensor *mask)
{
	for (size_t b = 0; b < out->batch; b++) {
		size_t length = out->width;
		for (size_t t = 0; t < out->width; t++) {
			const size_t at = b * out->width + t;
			const int64_t id = element(ids, at), real = mask != NULL ? element(mask, at) : 1;
			if (id < 0 || id > INT32_MAX)
				return attend_fail(ATTEND_ERR_DATA, "input_ids[%zu,%zu] is %lld", b, t, (long long)id);
			if (real == 0 && t < length) length = t;
			if (real != 0 && t > length)
				return attend_fail(ATTEND_ERR_DATA, "attention_mask row %zu has a hole: expected ones, then zeros", b);
			out->ids[at] = (int32_t)id;
		}
		out->lengths[b] = length;
		out->total += length;
	}
	return ATTEND_OK;
}

static attend_status read_tensors(attend_bench_input *out, const attend_safetensors *file)
{
	const attend_tensor *ids, *mask, *start, *labels;
	ATTEND_TRY(find_table(&ids, file, "input_ids", 2, false));
	ATTEND_TRY(find_table(&mask, file, "attention_mask", 2, true));
	ATTEND_TRY(find_table(&start, file, "decoder_input_ids", 2, true));
	ATTEND_TRY(find_table(&labels, file, "labels", 1, true));
	if (mask != NULL && (mask->shape[0] != ids->shape[0] || mask->shape[1] != ids->shape[1]))
		return attend_fail(ATTEND_ERR_DATA, "attention_mask and input_ids differ in shape");
	ATTEND_TRY(make_table(out, ids->shape[0], ids->shape[1]));
	ATTEND_TRY(copy_rows(out, ids, mask));
	if (start != NULL && start->shape[1] != 0 && element(start, 0) >= 0 && element(start, 0) <= INT32_MAX)
		out->decoder_start = (int32_t)element(start, 0);
	if (labels == NULL) return ATTEND_OK;
	if (labels->shape[0] != out->batch)
		return attend_fail(ATTEND_ERR_DATA, "%zu labels for %zu rows", labels->shape[0], out->batch);
	out->labels = attend_alloc_array(out->batch, sizeof *out->labels);
	if (out->labels == NULL) return attend_fail_memory(out->batch * sizeof *out->labels, "labels");
	for (size_t b = 0; b < out->batch; b++) {
		if (element(labels, b) < 0 || element(labels, b) > INT32_MAX)
			return attend_fail(ATTEND_ERR_DATA, "labels[%zu] is %lld", b, (long long)element(labels, b));
		out->labels[b] = (int32_t)element(labels, b);
	}
	return ATTEND_OK;
}

attend_status attend_bench_read(attend_bench_input *out, const attend_bench_options *o, const attend_model *model)
{
	attend_safetensors *file;
	out->decoder_start = -1;
	if (model == NULL) {
		if (o->input_file == NULL) return attend_fail(ATTEND_ERR_ARG, "this task needs a text file as input");
		out->batch = out->width = 1;
		return attend_file_read(&out->text, &out->text_size, o->input_file, 0);
	}
	if (o->input_file == NULL) return draw_ids(out, o, model);
	attend_status status = attend_safetensors_open(&file, o->input_file);
	if (status != ATTEND_OK) return status == ATTEND_ERR_FORMAT ? ATTEND_ERR_DATA : status;
	status = read_tensors(out, file);
	attend_safetensors_free(file);
	return status == ATTEND_OK ? ATTEND_OK : attend_fail_in(status, o->input_file);
}

void attend_bench_input_free(attend_bench_input *input)
{
	free(input->ids);
	free(input->lengths);
	free(input->labels);
	free(input->text);
	*input = (attend_bench_input){0};
}

/* ---- dumps ---- */

static size_t elements(const attend_bench_tensor *t)
{
	size_t n = 1;
	for (size_t i = 0; i < t->rank; i++) n *= t->shape[i];
	return n;
}

attend_status attend_bench_write(const char *path, const attend_bench_tensor *tensors, size_t count)
{
	attend_safetensors_item items[4];
	int64_t *wide[4] = {0};
	attend_status status = count <= 4 ? ATTEND_OK : attend_fail(ATTEND_ERR_ARG, "a dump of more than 4 tensors");
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		const attend_bench_tensor *t = &tensors[i];
		const attend_dtype dtype = t->ids != NULL ? ATTEND_DTYPE_I64 : ATTEND_DTYPE_F32;
		items[i] = (attend_safetensors_item){.name = t->name, .data_dtype = dtype};
		items[i].tensor = (attend_tensor){.dtype = dtype, .rank = (unsigned)t->rank, .data = t->values};
		memcpy(items[i].tensor.shape, t->shape, sizeof t->shape);
		if (t->ids == NULL) continue;
		wide[i] = attend_alloc_array(elements(t), sizeof *wide[i]);
		if (wide[i] == NULL) status = attend_fail_memory(elements(t) * sizeof *wide[i], "dump");
		for (size_t j = 0; status == ATTEND_OK && j < elements(t); j++) wide[i][j] = t->ids[j];
		items[i].tensor.data = wide[i];
	}
	if (status == ATTEND_OK) status = attend_safetensors_write(path, items, count);
	for (size_t i = 0; i < 4; i++) free(wide[i]);
	return status;
}
