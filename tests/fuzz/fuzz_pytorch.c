/* fuzz_pytorch.c: any bytes through the reader of torch.save's files; every byte of what it accepts is read. */
#include "loaders/pytorch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	attend_pytorch *file;
	if (attend_pytorch_parse(&file, data, size, "fuzz") != ATTEND_OK) return 0;
	unsigned char seen = 0; /* every byte is read: a sanitizer sees a view that leaves the file */
	for (size_t i = 0; i < attend_pytorch_count(file); i++) {
		const attend_tensor *t = attend_pytorch_tensor(file, i);
		size_t bytes = 0, at;
		if (!attend_tensor_bytes(&bytes, t) || bytes > size) abort();
		for (size_t k = 0; k < bytes; k++) seen ^= ((const unsigned char *)t->data)[k];
		if (!attend_pytorch_find(&at, file, attend_pytorch_name(file, i)) || at != i) abort();
	}
	static volatile unsigned char sink;
	sink = seen;
	(void)sink;
	attend_pytorch_free(file);
	return 0;
}
