/* fuzz_safetensors.c: any bytes through the safetensors reader; every byte of what it accepts is read. */
#include "loaders/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	attend_safetensors *file;
	if (attend_safetensors_parse(&file, data, size, "fuzz") != ATTEND_OK) return 0;
	size_t sum = 0;
	unsigned char seen = 0; /* every byte is read: a sanitizer sees a view that leaves the file */
	for (size_t i = 0; i < attend_safetensors_count(file); i++) {
		const attend_tensor *t = attend_safetensors_tensor(file, i);
		size_t bytes = 0, at;
		if (attend_dtype_bits(t->dtype) % 8 == 0 && !attend_tensor_bytes(&bytes, t)) abort();
		for (size_t k = 0; k < bytes; k++) seen ^= ((const unsigned char *)t->data)[k];
		sum += bytes;
		if (!attend_safetensors_find(&at, file, attend_safetensors_name(file, i)) || at != i) abort();
	}
	static volatile unsigned char sink;
	sink = seen;
	(void)sink;
	if (sum > size) abort();
	attend_safetensors_free(file);
	return 0;
}
