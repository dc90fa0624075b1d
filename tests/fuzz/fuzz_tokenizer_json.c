/* fuzz_tokenizer_json.c: any bytes as a tokenizer.json; what loads must encode and decode. */
#include "tests/fuzz/probe_tokenizer.h"
#include "tokenizer/tokenizer_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "The caf\xc3\xa9's  [MASK]<mask> \xe4\xb8\xad\xe2\x96\x81 12345.\n</s> x\xcc\x81";
	attend_json *document;
	attend_tokenizer *tokenizer;
	if (attend_json_parse(&document, (const char *)data, size, "fuzz") != ATTEND_OK) return 0;
	if (attend_tokenizer_from_json(&tokenizer, document) == ATTEND_OK) {
		if (attend_tokenizer_finish(tokenizer) == ATTEND_OK) {
			probe_text(tokenizer, text, sizeof text - 1);
			probe_text(tokenizer, "", 0);
		}
		attend_tokenizer_free(tokenizer);
	}
	attend_json_free(document);
	return 0;
}
