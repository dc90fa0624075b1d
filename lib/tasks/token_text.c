/* token_text.c: the decoder stage of a tokenizer on spelled tokens. */
#include "lib/tasks/token_text.h"

#include "tokenizer/tokenizer_internal.h"

attend_status attend_token_text(const char **out, size_t *size, const attend_tokenizer *tokenizer, attend_bag *bag,
                                const char *const *words, const size_t *sizes, size_t count)
{
	attend_string_list tokens = {0};
	attend_buffer text = {0};
	attend_status status = ATTEND_OK;
	for (size_t i = 0; i < count && status == ATTEND_OK; i++)
		status = attend_string_list_push(&tokens, words[i], sizes[i]);
	if (status == ATTEND_OK) status = attend_decoder_run(tokenizer->decoder, &tokens, NULL, &text);
	if (status == ATTEND_OK) status = attend_buffer_status(&text);
	if (status == ATTEND_OK) {
		*out = attend_bag_text(bag, text.data != NULL ? text.data : "", text.size);
		*size = text.size;
		if (*out == NULL) status = ATTEND_ERR_NOMEM;
	}
	attend_string_list_free(&tokens);
	attend_buffer_free(&text);
	return status;
}
