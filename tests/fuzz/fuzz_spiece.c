/* fuzz_spiece.c: any bytes as a folder's spiece.model; what loads must encode and decode. */
#include "lib/core/file.h"
#include "tests/fuzz/probe_tokenizer.h"

#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/attend-fuzz-XXXXXX";
static char model[64], config[64];

static void clean(void)
{
	unlink(model);
	unlink(config);
	rmdir(folder);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *const file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char class[] = "{\"tokenizer_class\": \"T5Tokenizer\", \"extra_ids\": 3}";
	static const char text[] = "the \xc3\xa9sting  \xef\xac\x81\xe4\xb8\xad <extra_id_1></s>\n\xf0\x9f\x98\x80";
	if (model[0] == 0) {
		if (!mkdtemp(folder)) abort();
		snprintf(model, sizeof model, "%s/spiece.model", folder);
		snprintf(config, sizeof config, "%s/tokenizer_config.json", folder);
		write_file(config, class, sizeof class - 1);
		atexit(clean);
	}
	write_file(model, data, size);
	attend_tokenizer *tokenizer;
	if (attend_tokenizer_load(&tokenizer, folder) != ATTEND_OK) return 0;
	probe_text(tokenizer, text, sizeof text - 1);
	attend_tokenizer_free(tokenizer);
	return 0;
}
