/* ids_file.c: ids of many texts as bytes: NumPy's format 1.0 (numpy/lib/format.py), and a format of our own that says where a text
 * begins. Both are little-endian, as every CPU is that this library is built for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "tokenizer/attend_tokenizer.h"

/* Magic, version 1.0, length of what follows; a Python literal padded with blanks to a multiple of 64 bytes in all. */
static void npy_header(attend_buffer *out, size_t count)
{
	char text[128];
	memset(text, ' ', sizeof text);
	memcpy(text, "\x93NUMPY\x01\x00\x76\x00", 10); /* 118 bytes */
	const int n =
		snprintf(text + 10, sizeof text - 10, "{'descr': '<i4', 'fortran_order': False, 'shape': (%zu,), }", count);
	text[10 + n] = ' ';
	text[sizeof text - 1] = '\n';
	attend_buffer_append(out, text, sizeof text);
}

static void bin_header(attend_buffer *out, const attend_ids *ids)
{
	const uint64_t count = ids->count;
	attend_buffer_append(out, "attnids1", 8);
	attend_buffer_append(out, &count, sizeof count);
	for (size_t i = 0; i <= ids->count; i++) {
		const uint64_t start = ids->starts != NULL ? ids->starts[i] : 0;
		attend_buffer_append(out, &start, sizeof start);
	}
}

/* Room for `count` elements where `used` are; arrays grow to powers of two. */
static attend_status grow(void **array, size_t used, size_t count, size_t size)
{
	size_t capacity = 1;
	while (capacity < used) capacity *= 2;
	if (*array != NULL && count <= capacity) return ATTEND_OK;
	while (capacity < count && capacity <= SIZE_MAX / 2) capacity *= 2;
	void *grown = capacity >= count && capacity <= SIZE_MAX / size ? realloc(*array, capacity * size) : NULL;
	if (grown == NULL) return attend_fail_memory(count * size, "token ids");
	*array = grown;
	return ATTEND_OK;
}

attend_status attend_ids_append(attend_ids *to, const attend_ids *more)
{
	const size_t used = to->starts != NULL ? to->count + 1 : 0, n = used != 0 ? to->starts[to->count] : 0;
	const size_t added = more->starts[more->count];
	void *ids = to->ids, *starts = to->starts;
	ATTEND_TRY(grow(&ids, n, n + added, sizeof *to->ids));
	to->ids = ids;
	ATTEND_TRY(grow(&starts, used, to->count + more->count + 1, sizeof *to->starts));
	to->starts = starts;
	if (added != 0) memcpy(to->ids + n, more->ids, added * sizeof *to->ids);
	for (size_t i = 0; i <= more->count; i++) to->starts[to->count + i] = n + more->starts[i];
	to->count += more->count;
	return ATTEND_OK;
}

static size_t total(const attend_ids *ids)
{
	return ids->starts != NULL ? ids->starts[ids->count] : 0;
}

static attend_status header(attend_buffer *out, const attend_ids *ids, attend_ids_format format)
{
	if (format == ATTEND_IDS_NPY) npy_header(out, total(ids));
	else bin_header(out, ids);
	return attend_buffer_status(out);
}

attend_status attend_ids_pack(char **out, size_t *size, const attend_ids *ids, attend_ids_format format)
{
	attend_buffer bytes = {0};
	attend_status status = header(&bytes, ids, format);
	attend_buffer_append(&bytes, ids->ids, total(ids) * sizeof *ids->ids);
	if (status == ATTEND_OK) status = attend_buffer_status(&bytes);
	if (status != ATTEND_OK) {
		attend_buffer_free(&bytes);
		return status;
	}
	*out = bytes.data;
	*size = bytes.size;
	return ATTEND_OK;
}

attend_status attend_ids_write(const char *path, const attend_ids *ids, attend_ids_format format)
{
	attend_buffer head = {0};
	attend_writer *writer = NULL;
	attend_status status = header(&head, ids, format);
	if (status == ATTEND_OK) status = attend_writer_open(&writer, path);
	if (status == ATTEND_OK) {
		status = attend_writer_write(writer, head.data, head.size);
		if (status == ATTEND_OK) status = attend_writer_write(writer, ids->ids, total(ids) * sizeof *ids->ids);
		if (status == ATTEND_OK) status = attend_writer_commit(writer);
		else attend_writer_abort(writer);
	}
	attend_buffer_free(&head);
	return status;
}
