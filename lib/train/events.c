/* events.c: an event file is a row of records
 *
 *     u64 length | u32 masked CRC-32C of the length | payload | u32 masked CRC-32C of the payload      (little endian)
 *
 * each payload an Event: wall_time = 1 (double), step = 2 (int64), file_version = 3 (string), summary = 5 (Summary);
 * Summary: value = 1, repeated { tag = 1 (string), simple_value = 2 (float) }. */
#include "lib/train/events.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 }; /* wire types */

/* ---- CRC-32C: reflected polynomial 0x82f63b78, four bits at a time -------------------------------------------------------- */

uint32_t attend_crc32c(const void *bytes, size_t size)
{
	static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	                                   0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	                                   0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
	const unsigned char *at = bytes;
	uint32_t crc = ~0u;
	for (size_t i = 0; i < size; i++) {
		crc ^= at[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

uint32_t attend_crc32c_masked(const void *bytes, size_t size)
{
	const uint32_t crc = attend_crc32c(bytes, size);
	return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------------- */

static void put_fixed(attend_buffer *out, uint64_t value, size_t bytes)
{
	unsigned char raw[8];
	for (size_t i = 0; i < bytes; i++) raw[i] = (unsigned char)(value >> 8 * i);
	attend_buffer_append(out, raw, bytes);
}

static void put_varint(attend_buffer *out, uint64_t value)
{
	for (; value >= 128; value >>= 7) put_fixed(out, value | 128, 1);
	put_fixed(out, value, 1);
}

static void put_key(attend_buffer *out, unsigned field, unsigned type)
{
	put_varint(out, field << 3 | type);
}

static void put_bytes(attend_buffer *out, unsigned field, const void *bytes, size_t size)
{
	put_key(out, field, BYTES);
	put_varint(out, size);
	attend_buffer_append(out, bytes, size);
}

static void put_wall_time(attend_buffer *out, double wall_time)
{
	uint64_t bits;
	memcpy(&bits, &wall_time, sizeof bits);
	put_key(out, 1, FIXED64);
	put_fixed(out, bits, 8);
}

/* Frames the payload, and frees it. */
static void put_record(attend_buffer *out, attend_buffer *payload)
{
	unsigned char length[8];
	for (size_t i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)payload->size >> 8 * i);
	out->failed |= payload->failed;
	attend_buffer_append(out, length, 8);
	put_fixed(out, attend_crc32c_masked(length, 8), 4);
	attend_buffer_append(out, payload->data, payload->size);
	put_fixed(out, attend_crc32c_masked(payload->data, payload->size), 4);
	attend_buffer_free(payload);
}

void attend_events_put_version(attend_buffer *out, double wall_time)
{
	static const char version[] = "brain.Event:2";
	attend_buffer event = {0};
	put_wall_time(&event, wall_time);
	put_bytes(&event, 3, version, sizeof version - 1);
	put_record(out, &event);
}

void attend_events_put_scalars(attend_buffer *out, double wall_time, int64_t step, const attend_scalar *scalars,
                               size_t count)
{
	attend_buffer event = {0}, summary = {0}, value = {0};
	for (size_t i = 0; i < count; i++) {
		uint32_t bits;
		memcpy(&bits, &scalars[i].value, sizeof bits);
		attend_buffer_clear(&value);
		put_bytes(&value, 1, scalars[i].tag, strlen(scalars[i].tag));
		put_key(&value, 2, FIXED32);
		put_fixed(&value, bits, 4);
		put_bytes(&summary, 1, value.data, value.size);
	}
	put_wall_time(&event, wall_time);
	put_key(&event, 2, VARINT);
	put_varint(&event, (uint64_t)step);
	put_bytes(&event, 5, summary.data, summary.size);
	event.failed |= summary.failed | value.failed;
	put_record(out, &event);
	attend_buffer_free(&summary);
	attend_buffer_free(&value);
}

/* ---- Reading back ------------------------------------------------------------------------------------------------------------ */

static uint64_t fixed_at(const char *bytes, size_t count)
{
	uint64_t value = 0;
	for (size_t i = 0; i < count; i++) value |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
	return value;
}

static bool varint_at(uint64_t *out, const char *bytes, size_t size, size_t *at)
{
	*out = 0;
	for (unsigned shift = 0; *at < size && shift < 64; shift += 7) {
		const unsigned char byte = (unsigned char)bytes[(*at)++];
		*out |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) return true;
	}
	return false;
}

static bool parse_event(double *wall_time, int64_t *step, const char *bytes, size_t size)
{
	*wall_time = 0;
	*step = 0;
	for (size_t at = 0; at < size;) {
		uint64_t key, value;
		if (!varint_at(&key, bytes, size, &at)) return false;
		const unsigned type = key & 7;
		if (type == VARINT || type == BYTES) {
			if (!varint_at(&value, bytes, size, &at)) return false;
			if (type == VARINT && key >> 3 == 2) *step = (int64_t)value;
			if (type == BYTES && value > size - at) return false;
			if (type == BYTES) at += value;
		} else if (type == FIXED64 || type == FIXED32) {
			const size_t width = type == FIXED64 ? 8 : 4;
			if (size - at < width) return false;
			value = fixed_at(bytes + at, width);
			if (key >> 3 == 1 && type == FIXED64) memcpy(wall_time, &value, sizeof value);
			at += width;
		} else {
			return false;
		}
	}
	return true;
}

bool attend_events_next(double *wall_time, int64_t *step, const char *bytes, size_t size, size_t *at)
{
	if (*at > size || size - *at < 16) return false;
	const char *record = bytes + *at;
	const uint64_t length = fixed_at(record, 8);
	if (length > size - *at - 16) return false;
	if (fixed_at(record + 8, 4) != attend_crc32c_masked(record, 8)) return false;
	if (fixed_at(record + 12 + length, 4) != attend_crc32c_masked(record + 12, length)) return false;
	if (!parse_event(wall_time, step, record + 12, length)) return false;
	*at += length + 16;
	return true;
}
