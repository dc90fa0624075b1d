/* fuzz_safetensors.c: any bytes as a .safetensors file; what opens gives tensors that lie inside the file. */
#include "loaders/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	attend_safetensors *file;
	if (attend_safetensors_parse(&file, data, size, "fuzz") != ATTEND_OK) return 0;
	for (size_t i = 0; i < attend_safetensors_count(file); i++) {
		const attend_tensor *const tensor = attend_safetensors_tensor(file, i);
		const char *const name = attend_safetensors_name(file, i);
		size_t bytes, found;
		if (!attend_tensor_bytes(&bytes, tensor) || bytes > size) abort();
		if (bytes && ((const uint8_t *)tensor->data < data || (const uint8_t *)tensor->data + bytes > data + size))
			abort();
		/* A name that holds a NUL cannot be asked for. */
		if (attend_safetensors_find(&found, file, name) && found != i &&
		    strcmp(attend_safetensors_name(file, found), name) != 0)
			abort();
	}
	(void)attend_safetensors_metadata(file, "format");
	attend_safetensors_free(file);
	return 0;
}
