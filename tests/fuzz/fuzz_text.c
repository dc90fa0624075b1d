/* fuzz_text.c: any bytes as text, through the tokenizers of the bundled checkpoints (or of ATTEND_DATA's). */
#include "tests/fuzz/probe_tokenizer.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static attend_tokenizer *tokenizers[3];

static void load(void)
{
	static const char *const names[] = {"bert-mini", "gpt2-mini", "seq2seq-mini"};
	for (size_t i = 0; i < 3; i++) {
		char path[1024];
		snprintf(path, sizeof path, "%s/models/pretrained/%s", ATTEND_SOURCE_DIR, names[i]);
		if (attend_tokenizer_load(&tokenizers[i], path) != ATTEND_OK) {
			fprintf(stderr, "%s\n", attend_error());
			abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!tokenizers[0]) load();
	for (size_t i = 0; i < 3; i++) probe_text(tokenizers[i], (const char *)data, size);

	/* Byte-level BPE loses nothing: what it encodes decodes to the same bytes. */
	attend_encoding encoding;
	const attend_encode_options plain = {.no_special_tokens = true};
	if (attend_tokenizer_encode(&encoding, tokenizers[1], (const char *)data, size, &plain) != ATTEND_OK) return 0;
	char *decoded;
	size_t length;
	if (attend_tokenizer_decode(&decoded, &length, tokenizers[1], encoding.ids, encoding.count, false,
	                            ATTEND_CLEAN_UP_OFF) != ATTEND_OK ||
	    length != size || memcmp(decoded, data, size) != 0)
		abort();
	free(decoded);
	attend_encoding_free(&encoding);
	return 0;
}
