/* safetensors_write.c: writer of the safetensors format (huggingface.md 1.4). */
#include "loaders/safetensors_write.h"

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

static attend_status check_item(const attend_safetensors_item *item, size_t *bytes)
{
	char shape[128];
	const attend_dtype to = item->tensor.dtype;
	if (strcmp(item->name, "__metadata__") == 0)
		return attend_fail(ATTEND_ERR_ARG, "'__metadata__' cannot name a tensor");
	if (!attend_tensor_bytes(bytes, &item->tensor))
		return attend_fail(ATTEND_ERR_ARG, "tensor '%s': %s is too large", item->name,
		                   attend_tensor_describe(shape, sizeof shape, &item->tensor));
	if (item->data_dtype != to && !(item->data_dtype == ATTEND_DTYPE_F32 &&
	                                (to == ATTEND_DTYPE_F16 || to == ATTEND_DTYPE_BF16 || to == ATTEND_DTYPE_F64)))
		return attend_fail(ATTEND_ERR_ARG, "tensor '%s': cannot write %s as %s", item->name,
		                   attend_dtype_name(item->data_dtype), attend_dtype_name(to));
	return ATTEND_OK;
}

static attend_status make_header(attend_buffer *header, const attend_safetensors_item *const *items, size_t count)
{
	size_t offset = 0;
	attend_buffer_text(header, "{\"__metadata__\":{\"format\":\"pt\"}");
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

/* Values on their way from f32 to another type, a piece at a time. */
static attend_status write_converted(attend_writer *writer, const attend_safetensors_item *item)
{
	enum { PIECE = 4096 };
	union {
		uint16_t half[PIECE];
		double wide[PIECE];
	} piece;
	size_t left;
	if (!attend_tensor_numel(&left, &item->tensor)) left = 0; /* checked before */
	const float *src = item->tensor.data;
	while (left > 0) {
		const size_t n = left < PIECE ? left : PIECE;
		for (size_t i = 0; i < n; i++) {
			if (item->tensor.dtype == ATTEND_DTYPE_F64) piece.wide[i] = (double)src[i];
			else if (item->tensor.dtype == ATTEND_DTYPE_F16) piece.half[i] = attend_f32_f16(src[i]);
			else piece.half[i] = attend_f32_bf16(src[i]);
		}
		ATTEND_TRY(attend_writer_write(writer, &piece, n * (attend_dtype_bits(item->tensor.dtype) / 8)));
		src += n;
		left -= n;
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
	const attend_safetensors_item **order = attend_alloc_array(count + 1, sizeof *order);
	if (order == NULL) return attend_fail_memory((count + 1) * sizeof *order, "order of tensors");
	for (size_t i = 0; i < count; i++) order[i] = &items[i];
	qsort(order, count, sizeof *order, by_rank);
	attend_buffer header = {0};
	attend_writer *writer = NULL;
	attend_status status = make_header(&header, order, count);
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
