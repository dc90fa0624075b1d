/* tensor.c: the dtype table (names and widths of the safetensors format) and conversion to f32. */
#include "lib/core/tensor.h"

#include "lib/core/half.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned bits;
} dtypes[ATTEND_DTYPE_COUNT] = {
	[ATTEND_DTYPE_BOOL] = {"BOOL", 8},
	[ATTEND_DTYPE_F4] = {"F4", 4},
	[ATTEND_DTYPE_F6_E2M3] = {"F6_E2M3", 6},
	[ATTEND_DTYPE_F6_E3M2] = {"F6_E3M2", 6},
	[ATTEND_DTYPE_U8] = {"U8", 8},
	[ATTEND_DTYPE_I8] = {"I8", 8},
	[ATTEND_DTYPE_F8_E5M2] = {"F8_E5M2", 8},
	[ATTEND_DTYPE_F8_E4M3] = {"F8_E4M3", 8},
	[ATTEND_DTYPE_F8_E8M0] = {"F8_E8M0", 8},
	[ATTEND_DTYPE_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8},
	[ATTEND_DTYPE_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8},
	[ATTEND_DTYPE_I16] = {"I16", 16},
	[ATTEND_DTYPE_U16] = {"U16", 16},
	[ATTEND_DTYPE_F16] = {"F16", 16},
	[ATTEND_DTYPE_BF16] = {"BF16", 16},
	[ATTEND_DTYPE_I32] = {"I32", 32},
	[ATTEND_DTYPE_U32] = {"U32", 32},
	[ATTEND_DTYPE_F32] = {"F32", 32},
	[ATTEND_DTYPE_C64] = {"C64", 64},
	[ATTEND_DTYPE_F64] = {"F64", 64},
	[ATTEND_DTYPE_I64] = {"I64", 64},
	[ATTEND_DTYPE_U64] = {"U64", 64},
};

static bool known(attend_dtype dtype)
{
	return (unsigned)dtype < ATTEND_DTYPE_COUNT;
}

const char *attend_dtype_name(attend_dtype dtype)
{
	return known(dtype) ? dtypes[dtype].name : "unknown";
}

unsigned attend_dtype_bits(attend_dtype dtype)
{
	return known(dtype) ? dtypes[dtype].bits : 0;
}

attend_status attend_dtype_parse(attend_dtype *out, const char *name)
{
	for (unsigned i = 0; i < ATTEND_DTYPE_COUNT; i++)
		if (strcmp(dtypes[i].name, name) == 0) {
			*out = (attend_dtype)i;
			return ATTEND_OK;
		}
	return attend_fail(ATTEND_ERR_FORMAT, "unknown dtype \"%.40s\"", name);
}

bool attend_tensor_numel(size_t *out, const attend_tensor *tensor)
{
	size_t count = 1;
	bool empty = false, overflow = false; /* a zero anywhere makes the product zero, however large the others are */
	for (unsigned i = 0; i < tensor->rank; i++) {
		const size_t extent = tensor->shape[i];
		if (extent == 0) {
			empty = true;
		} else if (count > SIZE_MAX / extent) {
			overflow = true;
		} else {
			count *= extent;
		}
	}
	if (overflow && !empty) return false;
	*out = empty ? 0 : count;
	return true;
}

bool attend_tensor_bytes(size_t *out, const attend_tensor *tensor)
{
	size_t count;
	if (!attend_tensor_numel(&count, tensor)) return false;
	const size_t bits = attend_dtype_bits(tensor->dtype);
	if (bits == 0) return false;
	if (bits % 8 == 0) {
		if (count > SIZE_MAX / (bits / 8)) return false;
		*out = count * (bits / 8);
		return true;
	}
	if (count > SIZE_MAX / bits || count * bits % 8 != 0) return false;
	*out = count * bits / 8;
	return true;
}

const char *attend_tensor_describe(char *buffer, size_t size, const attend_tensor *tensor)
{
	if (size == 0) return buffer;
	size_t used = 0;
	int wrote = snprintf(buffer, size, "%s[", attend_dtype_name(tensor->dtype));
	if (wrote > 0) used = (size_t)wrote;
	for (unsigned i = 0; i < tensor->rank && used < size; i++) {
		wrote = snprintf(buffer + used, size - used, i ? ",%zu" : "%zu", tensor->shape[i]);
		if (wrote > 0) used += (size_t)wrote;
	}
	if (used < size) snprintf(buffer + used, size - used, "]");
	return buffer;
}

void attend_to_f32(float *dst, const void *src, attend_dtype dtype, size_t count)
{
	const unsigned char *bytes = src;
	if (count == 0) return;
	switch (dtype) {
	case ATTEND_DTYPE_F32: memcpy(dst, bytes, count * sizeof *dst); break;
	case ATTEND_DTYPE_BF16:
		for (size_t i = 0; i < count; i++) {
			uint16_t h;
			memcpy(&h, bytes + 2 * i, sizeof h);
			dst[i] = attend_bf16_f32(h);
		}
		break;
	case ATTEND_DTYPE_F16:
		for (size_t i = 0; i < count; i++) {
			uint16_t h;
			memcpy(&h, bytes + 2 * i, sizeof h);
			dst[i] = attend_f16_f32(h);
		}
		break;
	case ATTEND_DTYPE_F64:
		for (size_t i = 0; i < count; i++) {
			double d;
			memcpy(&d, bytes + 8 * i, sizeof d);
			dst[i] = (float)d;
		}
		break;
	default: memset(dst, 0, count * sizeof *dst); /* outside the contract; defined all the same */
	}
}
