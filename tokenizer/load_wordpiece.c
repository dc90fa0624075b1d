/* load_wordpiece.c: BERT and its kin from vocab.txt (one token a line, its id is the line's number), as transformers builds
 * them: BertNormalizer, BertPreTokenizer, WordPiece (huggingface.md 3.13). */
#include <stdlib.h>

#include "lib/core/file.h"
#include "tokenizer/legacy.h"

/* Size of a line without the white space at its end, which the library trims. */
static size_t trimmed(const char *line, size_t size)
{
	while (size > 0) {
		size_t at = size - 1, n;
		while (at > 0 && !attend_utf8_is_start(line[at])) at--;
		if (!attend_is_whitespace(attend_utf8_decode(line + at, &n))) break;
		size = at;
	}
	return size;
}

static attend_status read_lines(attend_vocab *vocab, const char *text, size_t size)
{
	if (attend_utf8_valid_prefix(text, size) != size)
		return attend_fail(ATTEND_ERR_FORMAT, "byte %zu is not UTF-8", attend_utf8_valid_prefix(text, size));
	int32_t id = 0;
	for (size_t start = 0; start < size; id++) {
		const char *newline = memchr(text + start, '\n', size - start);
		const size_t end = newline != NULL ? (size_t)(newline - text) : size;
		ATTEND_TRY(attend_vocab_put(vocab, text + start, trimmed(text + start, end - start), id));
		start = end + 1;
	}
	return id > 0 ? ATTEND_OK : attend_fail(ATTEND_ERR_FORMAT, "no tokens");
}

static attend_status read_vocab(attend_vocab *vocab, const attend_folder *folder)
{
	char *path, *text;
	size_t size;
	ATTEND_TRY(attend_path_join(&path, folder->path, "vocab.txt"));
	attend_status status = attend_file_read(&text, &size, path, (size_t)1 << 28);
	if (status == ATTEND_OK) {
		status = read_lines(vocab, text, size);
		if (status != ATTEND_OK) attend_fail_in(status, path);
		free(text);
	}
	free(path);
	return status;
}

typedef struct bert_keys {
	bool lower, chinese;
	const char *accents; /* JSON text */
} bert_keys;

static attend_status read_keys(bert_keys *keys, const attend_folder *folder)
{
	bool accents = false;
	*keys = (bert_keys){true, true, "null"};
	ATTEND_TRY(attend_folder_bool(&keys->lower, folder, "do_lower_case"));
	ATTEND_TRY(attend_folder_bool(&keys->chinese, folder, "tokenize_chinese_chars"));
	ATTEND_TRY(attend_folder_bool(&accents, folder, "strip_accents"));
	const attend_json *value = attend_json_get(folder->config, "strip_accents");
	if (value != NULL && attend_json_type(value) == ATTEND_JSON_BOOL) keys->accents = accents ? "true" : "false";
	return ATTEND_OK;
}

attend_status attend_build_bert(attend_tokenizer *tokenizer, attend_folder *folder)
{
	bert_keys keys;
	attend_wordpiece_config config = {NULL, "##", 100};
	ATTEND_TRY(read_keys(&keys, folder));
	ATTEND_TRY(attend_folder_content(&config.unk_token, folder, ATTEND_TOKEN_UNK, "[UNK]"));
	attend_vocab vocab = {0};
	attend_status status = read_vocab(&vocab, folder);
	if (status == ATTEND_OK) status = attend_wordpiece_new(&tokenizer->model, &vocab, &config);
	attend_vocab_free(&vocab);
	if (status != ATTEND_OK) return status;
	attend_buffer text = {0};
	attend_buffer_printf(&text,
	                     "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%s,"
	                     "\"strip_accents\":%s,\"lowercase\":%s}",
	                     keys.chinese ? "true" : "false", keys.accents, keys.lower ? "true" : "false");
	status = attend_buffer_status(&text);
	if (status == ATTEND_OK) status = attend_normalizer_from_text(&tokenizer->normalizer, text.data);
	attend_buffer_free(&text);
	ATTEND_TRY(status);
	ATTEND_TRY(attend_pretokenizer_from_text(&tokenizer->pretokenizer, "{\"type\":\"BertPreTokenizer\"}"));
	return attend_decoder_from_text(&tokenizer->decoder, "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}");
}

attend_status attend_finish_bert(attend_tokenizer *tokenizer, const attend_folder *folder)
{
	const char *tokens[2];
	ATTEND_TRY(attend_folder_content(&tokens[0], folder, ATTEND_TOKEN_CLS, "[CLS]"));
	ATTEND_TRY(attend_folder_content(&tokens[1], folder, ATTEND_TOKEN_SEP, "[SEP]"));
	return attend_set_template(tokenizer, "0:0 A:0 1:0", "0:0 A:0 1:0 B:1 1:1", tokens, 2);
}

/* RobertaProcessing, whose type ids are all 0; its trimming finds no spaces in the tokens of a WordPiece model. */
attend_status attend_finish_mpnet(attend_tokenizer *tokenizer, const attend_folder *folder)
{
	const char *tokens[2];
	ATTEND_TRY(attend_folder_content(&tokens[0], folder, ATTEND_TOKEN_CLS, "<s>"));
	ATTEND_TRY(attend_folder_content(&tokens[1], folder, ATTEND_TOKEN_SEP, "</s>"));
	return attend_set_template(tokenizer, "0:0 A:0 1:0", "0:0 A:0 1:0 1:0 B:0 1:0", tokens, 2);
}

/* The class's arguments win over the normaliser of a tokenizer.json, also where they are defaults. */
attend_status attend_adapt_bert(attend_json *document, const attend_folder *folder)
{
	attend_json *normalizer =
		(attend_json *)(uintptr_t)attend_json_get(document, "normalizer"); /* of a document that is ours */
	const char *type = NULL;
	if (normalizer == NULL || attend_json_type(normalizer) != ATTEND_JSON_OBJECT) return ATTEND_OK;
	ATTEND_TRY(attend_json_get_string(&type, normalizer, "type"));
	if (type == NULL || strcmp(type, "BertNormalizer") != 0) return ATTEND_OK;
	bert_keys keys;
	ATTEND_TRY(read_keys(&keys, folder));
	ATTEND_TRY(attend_json_set(normalizer, "lowercase", keys.lower ? "true" : "false"));
	ATTEND_TRY(attend_json_set(normalizer, "handle_chinese_chars", keys.chinese ? "true" : "false"));
	return attend_json_set(normalizer, "strip_accents", keys.accents);
}
