/* windows.c: a text that is too long as overlapping windows (huggingface.md section 3.9, return_overflowing_tokens). */
#include "tokenizer/attend_tokenizer.h"
#include "tokenizer/tokenizer_internal.h"

static attend_status encode(attend_encoding *out, const attend_tokenizer *tokenizer, const attend_text *text,
                            const attend_encode_options *options)
{
	if (text->pair == NULL) return attend_tokenizer_encode(out, tokenizer, text->text, text->size, options);
	return attend_tokenizer_encode_pair(out, tokenizer, text->text, text->size, text->pair, text->pair_size, options);
}

/* Which text of a pair the windows slide over: the longer one. */
static attend_truncation slides(const attend_encoding *whole)
{
	size_t counts[2] = {0, 0};
	for (size_t i = 0; i < whole->count; i++)
		if (whole->sequence_ids[i] >= 0) counts[whole->sequence_ids[i] == 1]++;
	return counts[1] > counts[0] ? ATTEND_TRUNCATE_ONLY_SECOND : ATTEND_TRUNCATE_ONLY_FIRST;
}

attend_status attend_tokenizer_encode_windows(attend_encoding *out, const attend_tokenizer *tokenizer,
                                              const attend_text *text, size_t length, size_t stride)
{
	if (out == NULL || tokenizer == NULL || text == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_tokenizer_encode_windows: a NULL argument");
	attend_encode_options options = {.fields = text->pair != NULL ? ATTEND_ENCODE_OFFSETS : 0};
	attend_encoding whole = {0};
	ATTEND_TRY(encode(&whole, tokenizer, text, &options));
	if (whole.count <= length) {
		*out = whole;
		return ATTEND_OK;
	}
	options.truncation = text->pair != NULL ? slides(&whole) : ATTEND_TRUNCATE_ONLY_FIRST;
	options.max_length = length;
	options.stride = stride;
	options.return_overflowing = true;
	options.fields = 0;
	attend_encoding_free(&whole);
	return encode(out, tokenizer, text, &options);
}
