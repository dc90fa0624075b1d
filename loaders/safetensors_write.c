/* safetensors_write.c: writer of the safetensors format (huggingface.md 1.4). */
#include "loaders/safetensors_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "lib/core/half.h"

/* dtype from wide to narrow (the enum's order backwards), then name by bytes. */
static int by_rank(const void *pa, const void *pb)
{
	const attend_safetensors_item *a = *(const attend_safetensors_item *const *)pa;
	const attend_safetensors_item *b = *(const attend_safetensors_item *const *)pb;
	if (a->tensor.dtype != b->tensor.dtype) return a->tensor.dtype > b->tensor.dtype ? -1 : 1;
	return strcmp(a->name, b->name);
}

static bool is_float(attend_dtype dtype)
{
	return dtype == ATTEND_DTYPE_F32 || dtype == ATTEND_DTYPE_F16 || dtype == ATTEND_DTYPE_BF16 ||
	       dtype == ATTEND_DTYPE_F64;
}

static attend_status check_item(const attend_safetensors_item *item, size_t *bytes)
{
	char shape[128];
	const attend_dtype to = item->tensor.dtype;
	if (strcmp(item->name, "__metadata__") == 0)
		return attend_fail(ATTEND_ERR_ARG, "'__metadata__' cannot name a tensor");
	if (!attend_tensor_bytes(bytes, &item->tensor))
		return attend_fail(ATTEND_ERR_ARG, "tensor '%s': %s is too large", item->name,
		                   attend_tensor_describe(shape, sizeof shape, &item->tensor));
	if (item->data_dtype != to && !(is_float(item->data_dtype) && is_float(to)))
		return attend_fail(ATTEND_ERR_ARG, "tensor '%s': cannot write %s as %s", item->name,
		                   attend_dtype_name(item->data_dtype), attend_dtype_name(to));
	return ATTEND_OK;
}

static attend_status make_header(attend_buffer *header, const attend_safetensors_item *const *items, size_t count,
                                 const char *const *metadata)
{
	static const char *const plain[] = {"format", "pt", NULL};
	size_t offset = 0;
	attend_buffer_text(header, "{\"__metadata__\":{");
	if (metadata == NULL) metadata = plain;
	for (size_t i = 0; metadata[i] != NULL; i++) {
		if (i > 0) attend_buffer_text(header, i % 2 == 0 ? "," : ":");
		attend_buffer_json_string(header, metadata[i], strlen(metadata[i]));
	}
	attend_buffer_text(header, "}");
	for (size_t i = 0; i < count; i++) {
		size_t bytes;
		ATTEND_TRY(check_item(items[i], &bytes));
		if (i > 0 && items[i]->tensor.dtype == items[i - 1]->tensor.dtype &&
		    strcmp(items[i]->name, items[i - 1]->name) == 0)
			return attend_fail(ATTEND_ERR_ARG, "tensor '%s' is there twice", items[i]->name);
		attend_buffer_text(header, ",");
		attend_buffer_json_string(header, items[i]->name, strlen(items[i]->name));
		attend_buffer_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", attend_dtype_name(items[i]->tensor.dtype));
		for (unsigned d = 0; d < items[i]->tensor.rank; d++)
			attend_buffer_printf(header, "%s%zu", d == 0 ? "" : ",", items[i]->tensor.shape[d]);
		attend_buffer_printf(header, "],\"data_offsets\":[%zu,%zu]}", offset, offset + bytes);
		if (__builtin_add_overflow(offset, bytes, &offset))
			return attend_fail(ATTEND_ERR_ARG, "tensors are too large in all");
	}
	attend_buffer_text(header, "}");
	while (header->size % 8 != 0 && !header->failed) attend_buffer_text(header, " ");
	return attend_buffer_status(header);
}

/* Values on their way from one type to another, a piece at a time. */
static attend_status write_converted(attend_writer *writer, const attend_safetensors_item *item)
{
	enum { PIECE = 4096 };
	union {
		uint16_t half[PIECE];
		double wide[PIECE];
	} piece;
	float values[PIECE];
	const attend_dtype to = item->tensor.dtype;
	const size_t size = attend_dtype_bits(item->data_dtype) / 8;
	const unsigned char *src = item->tensor.data;
	size_t count;
	if (!attend_tensor_numel(&count, &item->tensor)) count = 0; /* checked before */
	for (size_t done = 0; done < count;) {
		const size_t n = count - done < PIECE ? count - done : PIECE;
		attend_to_f32(values, src + done * size, item->data_dtype, n);
		for (size_t i = 0; i < n; i++) {
			if (to == ATTEND_DTYPE_F64) piece.wide[i] = (double)values[i];
			else if (to == ATTEND_DTYPE_BF16) piece.half[i] = attend_f32_bf16(values[i]);
			else if (to == ATTEND_DTYPE_F16) piece.half[i] = attend_f32_f16(values[i]);
			if (to == ATTEND_DTYPE_F16 && (piece.half[i] & 0x7fffu) == 0x7c00u && !isinf(values[i]))
				return attend_fail(ATTEND_ERR_DATA, "tensor '%s': element %zu is %g: F16 ends at 65504", item->name,
				                   done + i, (double)values[i]);
		}
		const void *bytes = to == ATTEND_DTYPE_F32 ? (const void *)values : (const void *)&piece;
		ATTEND_TRY(attend_writer_write(writer, bytes, n * (attend_dtype_bits(to) / 8)));
		done += n;
	}
	return ATTEND_OK;
}

static attend_status write_all(attend_writer *writer, const attend_buffer *header,
                               const attend_safetensors_item *const *items, size_t count)
{
	unsigned char size[8];
	for (unsigned i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)header->size >> (8 * i));
	ATTEND_TRY(attend_writer_write(writer, size, sizeof size));
	ATTEND_TRY(attend_writer_write(writer, header->data, header->size));
	for (size_t i = 0; i < count; i++) {
		size_t bytes = 0;
		ATTEND_TRY(check_item(items[i], &bytes));
		if (items[i]->data_dtype != items[i]->tensor.dtype) ATTEND_TRY(write_converted(writer, items[i]));
		else if (bytes > 0) ATTEND_TRY(attend_writer_write(writer, items[i]->tensor.data, bytes));
	}
	return ATTEND_OK;
}

attend_status attend_safetensors_write(const char *path, const attend_safetensors_item *items, size_t count)
{
	return attend_safetensors_write_with(path, items, count, NULL);
}

attend_status attend_safetensors_write_with(const char *path, const attend_safetensors_item *items, size_t count,
                                            const char *const *metadata)
{
	const attend_safetensors_item **order = attend_alloc_array(count + 1, sizeof *order);
	if (order == NULL) return attend_fail_memory((count + 1) * sizeof *order, "order of tensors");
	for (size_t i = 0; i < count; i++) order[i] = &items[i];
	qsort(order, count, sizeof *order, by_rank);
	attend_buffer header = {0};
	attend_writer *writer = NULL;
	attend_status status = make_header(&header, order, count, metadata);
	if (status == ATTEND_OK) status = attend_writer_open(&writer, path);
	if (status == ATTEND_OK) {
		status = write_all(writer, &header, order, count);
		if (status == ATTEND_OK) status = attend_writer_commit(writer);
		else attend_writer_abort(writer);
	}
	attend_buffer_free(&header);
	free(order);
	return status;
}
