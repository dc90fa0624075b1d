/* zip.c: end of central directory, its zip64 form, central headers, local headers (APPNOTE 4.3.7, 4.3.12, 4.3.14 to 16, 4.5.3). */
#include "loaders/zip.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/map.h"

enum {
	END_BYTES = 22,
	LOCATOR_BYTES = 20,
	END64_BYTES = 56,
	CENTRAL_BYTES = 46,
	LOCAL_BYTES = 30,
	MAX_COMMENT = 65535
};

typedef struct zip_entry {
	char *name;                    /* owned */
	uint64_t header, stored, size; /* place of the local header; bytes in the file and unpacked */
	unsigned flags, method;
} zip_entry;

struct attend_zip {
	const unsigned char *bytes;
	size_t size;
	zip_entry *entries;
	size_t count, capacity;
	attend_map *names;
};

static uint64_t read_number(const unsigned char *p, unsigned bytes)
{
	uint64_t v = 0;
	while (bytes > 0) v = v << 8 | p[--bytes];
	return v;
}

static bool has_mark(const unsigned char *p, unsigned a, unsigned b)
{
	return p[0] == 'P' && p[1] == 'K' && p[2] == a && p[3] == b;
}

typedef struct directory {
	uint64_t count, size, offset;
} directory;

/* Values of the zip64 record behind the locator, which stands right before the end record. */
static attend_status read_end64(directory *d, const attend_zip *zip, size_t end)
{
	if (end < LOCATOR_BYTES || !has_mark(zip->bytes + end - LOCATOR_BYTES, 6, 7)) return ATTEND_OK;
	const uint64_t at = read_number(zip->bytes + end - LOCATOR_BYTES + 8, 8);
	if (zip->size < END64_BYTES || at > zip->size - END64_BYTES || !has_mark(zip->bytes + at, 6, 6))
		return attend_fail(ATTEND_ERR_FORMAT, "the zip64 end record is not at %llu, where its locator says",
		                   (unsigned long long)at);
	const unsigned char *p = zip->bytes + at;
	*d = (directory){read_number(p + 32, 8), read_number(p + 40, 8), read_number(p + 48, 8)};
	return ATTEND_OK;
}

static attend_status find_directory(directory *d, const attend_zip *zip)
{
	for (size_t back = END_BYTES; back <= zip->size && back <= END_BYTES + MAX_COMMENT; back++) {
		const size_t end = zip->size - back;
		const unsigned char *p = zip->bytes + end;
		if (!has_mark(p, 5, 6) || read_number(p + 20, 2) != back - END_BYTES) continue;
		*d = (directory){read_number(p + 10, 2), read_number(p + 12, 4), read_number(p + 16, 4)};
		ATTEND_TRY(read_end64(d, zip, end));
		if (d->offset > zip->size || d->size > zip->size - d->offset)
			return attend_fail(ATTEND_ERR_FORMAT, "the zip directory of %llu bytes at %llu leaves the file",
			                   (unsigned long long)d->size, (unsigned long long)d->offset);
		return ATTEND_OK;
	}
	return attend_fail(ATTEND_ERR_FORMAT, "no end of a zip directory (the file is cut short, or no zip archive)");
}

/* zip64 extra field: the numbers whose 32-bit places are all ones, in this order. */
static attend_status read_extra(zip_entry *e, const unsigned char *extra, size_t size)
{
	uint64_t *const wide[] = {&e->size, &e->stored, &e->header};
	for (size_t at = 0; at + 4 <= size;) {
		const size_t id = (size_t)read_number(extra + at, 2), length = (size_t)read_number(extra + at + 2, 2);
		const unsigned char *p = extra + at + 4;
		size_t left = length;
		if (length > size - at - 4) break;
		for (size_t i = 0; id == 1 && i < 3; i++) {
			if (*wide[i] != 0xffffffffu) continue;
			if (left < 8)
				return attend_fail(ATTEND_ERR_FORMAT, "zip entry '%s': its zip64 field is too short", e->name);
			*wide[i] = read_number(p, 8);
			p += 8;
			left -= 8;
		}
		at += 4 + length;
	}
	return ATTEND_OK;
}

/* One central header at *at. */
static attend_status read_central(attend_zip *zip, uint64_t *at, uint64_t end)
{
	const unsigned char *p = zip->bytes + *at;
	if (end - *at < CENTRAL_BYTES || !has_mark(p, 1, 2))
		return attend_fail(ATTEND_ERR_FORMAT, "zip directory: no entry %zu at %llu", zip->count,
		                   (unsigned long long)*at);
	const size_t name = (size_t)read_number(p + 28, 2), extra = (size_t)read_number(p + 30, 2);
	const size_t whole = CENTRAL_BYTES + name + extra + (size_t)read_number(p + 32, 2);
	if (whole > end - *at)
		return attend_fail(ATTEND_ERR_FORMAT, "zip directory: entry %zu leaves the directory", zip->count);
	ATTEND_TRY(attend_grow(&zip->entries, &zip->capacity, zip->count + 1, sizeof *zip->entries, "zip directory"));
	zip_entry *e = &zip->entries[zip->count];
	*e = (zip_entry){.header = read_number(p + 42, 4),
	                 .stored = read_number(p + 20, 4),
	                 .size = read_number(p + 24, 4),
	                 .flags = (unsigned)read_number(p + 8, 2),
	                 .method = (unsigned)read_number(p + 10, 2)};
	e->name = malloc(name + 1);
	if (e->name == NULL) return attend_fail_memory(name + 1, "zip directory");
	memcpy(e->name, p + CENTRAL_BYTES, name);
	e->name[name] = 0;
	zip->count++;
	ATTEND_TRY(read_extra(e, p + CENTRAL_BYTES + name, extra));
	if (attend_map_find(zip->names, e->name, strlen(e->name)) >= 0)
		return attend_fail(ATTEND_ERR_FORMAT, "zip entry '%s' is there twice", e->name);
	*at += whole;
	return attend_map_put(zip->names, e->name, strlen(e->name), (int32_t)(zip->count - 1));
}

static attend_status read_directory(attend_zip *zip)
{
	directory d = {0, 0, 0};
	ATTEND_TRY(find_directory(&d, zip));
	ATTEND_TRY(attend_map_new(&zip->names, 64));
	if (d.count > d.size / CENTRAL_BYTES || d.count > INT32_MAX)
		return attend_fail(ATTEND_ERR_FORMAT, "zip directory: %llu entries do not fit into its %llu bytes",
		                   (unsigned long long)d.count, (unsigned long long)d.size);
	uint64_t at = d.offset;
	for (uint64_t i = 0; i < d.count; i++) ATTEND_TRY(read_central(zip, &at, d.offset + d.size));
	return ATTEND_OK;
}

attend_status attend_zip_parse(attend_zip **out, const unsigned char *bytes, size_t size)
{
	attend_zip *zip = calloc(1, sizeof *zip);
	if (zip == NULL) return attend_fail_memory(sizeof *zip, "zip directory");
	zip->bytes = bytes;
	zip->size = size;
	const attend_status status = read_directory(zip);
	if (status == ATTEND_OK) *out = zip;
	else attend_zip_free(zip);
	return status;
}

void attend_zip_free(attend_zip *zip)
{
	if (zip == NULL) return;
	for (size_t i = 0; i < zip->count; i++) free(zip->entries[i].name);
	free(zip->entries);
	attend_map_free(zip->names);
	free(zip);
}

size_t attend_zip_count(const attend_zip *zip)
{
	return zip->count;
}

const char *attend_zip_name(const attend_zip *zip, size_t i)
{
	return zip->entries[i].name;
}

attend_status attend_zip_entry(const unsigned char **data, size_t *size, const attend_zip *zip, size_t i)
{
	const zip_entry *e = &zip->entries[i];
	if (e->method != 0 || (e->flags & 1) != 0 || e->stored != e->size)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "zip entry '%s': expected bytes stored as they are, found %s",
		                   e->name, (e->flags & 1) != 0 ? "encrypted ones" : "compressed ones");
	if (zip->size < LOCAL_BYTES || e->header > zip->size - LOCAL_BYTES || !has_mark(zip->bytes + e->header, 3, 4))
		return attend_fail(ATTEND_ERR_FORMAT, "zip entry '%s': no local header at %llu", e->name,
		                   (unsigned long long)e->header);
	const unsigned char *p = zip->bytes + e->header;
	const uint64_t begin = e->header + LOCAL_BYTES + read_number(p + 26, 2) + read_number(p + 28, 2);
	if (begin > zip->size || e->size > zip->size - begin)
		return attend_fail(ATTEND_ERR_FORMAT, "zip entry '%s': its %llu bytes leave the file (it is cut short)",
		                   e->name, (unsigned long long)e->size);
	*data = zip->bytes + begin;
	*size = (size_t)e->size;
	return ATTEND_OK;
}

bool attend_zip_find(size_t *out, const attend_zip *zip, const char *name)
{
	const int32_t i = attend_map_find(zip->names, name, strlen(name));
	if (i < 0) return false;
	*out = (size_t)i;
	return true;
}
