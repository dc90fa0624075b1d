/* load_bpe.c: GPT-2, RoBERTa, BART and GPT-1 from vocab.json and merges.txt (huggingface.md 3.13). */
#include <stdio.h>
#include <stdlib.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "tokenizer/legacy.h"

/* merges.txt: "left right" a line; lines that start with "#version" are comments. Lines of the merges for messages. */
typedef struct merges_file {
	char *text;
	attend_merge *merges;
	size_t *lines;
	size_t count, capacity, line_capacity;
} merges_file;

static void free_merges(merges_file *file)
{
	free(file->text);
	free(file->merges);
	free(file->lines);
}

static attend_status read_merges(merges_file *file, const char *path)
{
	size_t size;
	ATTEND_TRY(attend_file_read(&file->text, &size, path, (size_t)1 << 28));
	while (size > 0 && (file->text[size - 1] == '\n' || file->text[size - 1] == '\r'))
		size--; /* empty lines at the end */
	size_t number = 1;
	for (size_t start = 0; start < size; number++) {
		const char *line = file->text + start, *newline = memchr(line, '\n', size - start);
		size_t length = newline != NULL ? (size_t)(newline - line) : size - start;
		start += length + 1;
		if (length > 0 && line[length - 1] == '\r') length--;
		if (length >= 8 && memcmp(line, "#version", 8) == 0) continue;
		ATTEND_TRY(attend_grow(&file->merges, &file->capacity, file->count + 1, sizeof *file->merges, "merges"));
		ATTEND_TRY(attend_grow(&file->lines, &file->line_capacity, file->count + 1, sizeof *file->lines, "merges"));
		if (!attend_merge_split(&file->merges[file->count], line, length))
			return attend_fail(ATTEND_ERR_FORMAT, "%s: line %zu: expected two parts and one space, found \"%.*s\"",
			                   path, number, (int)(length < 200 ? length : 200), line);
		file->lines[file->count++] = number;
	}
	return ATTEND_OK;
}

static attend_status make_model(attend_token_model **out, attend_vocab *vocab, const char *path,
                                const attend_bpe_config *config)
{
	merges_file file = {0};
	size_t bad = SIZE_MAX;
	attend_status status = read_merges(&file, path);
	if (status == ATTEND_OK) status = attend_bpe_new(out, vocab, file.merges, file.count, config, &bad);
	if (status != ATTEND_OK && bad != SIZE_MAX) {
		attend_buffer prefix = {0};
		attend_buffer_printf(&prefix, "%s: line %zu", path, file.lines[bad]);
		if (!prefix.failed) attend_fail_in(status, prefix.data);
		attend_buffer_free(&prefix);
	}
	free_merges(&file);
	return status;
}

static attend_status build_model(attend_tokenizer *tokenizer, const attend_folder *folder,
                                 const attend_bpe_config *config)
{
	attend_json *document;
	char *path = NULL;
	ATTEND_TRY(attend_folder_json(&document, folder->path, "vocab.json"));
	if (document == NULL) return attend_fail(ATTEND_ERR_NOTFOUND, "%s: no vocab.json", folder->path);
	attend_vocab vocab = {0};
	attend_status status = attend_vocab_from_json(&vocab, document);
	attend_json_free(document);
	if (status == ATTEND_OK) status = attend_path_join(&path, folder->path, "merges.txt");
	if (status == ATTEND_OK) status = make_model(&tokenizer->model, &vocab, path, config);
	attend_vocab_free(&vocab);
	free(path);
	return status;
}

attend_status attend_build_gpt1(attend_tokenizer *tokenizer, attend_folder *folder)
{
	attend_bpe_config config = {.end_of_word_suffix = "</w>"};
	ATTEND_TRY(attend_folder_content(&config.unk_token, folder, ATTEND_TOKEN_UNK, "<unk>"));
	ATTEND_TRY(build_model(tokenizer, folder, &config));
	ATTEND_TRY(attend_normalizer_from_text(&tokenizer->normalizer,
	                                       "{\"type\":\"BertNormalizer\",\"clean_text\":true,"
	                                       "\"handle_chinese_chars\":true,\"strip_accents\":null,"
	                                       "\"lowercase\":true}"));
	ATTEND_TRY(attend_pretokenizer_from_text(&tokenizer->pretokenizer, "{\"type\":\"BertPreTokenizer\"}"));
	return attend_decoder_from_text(&tokenizer->decoder, "{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"}");
}

attend_status attend_build_gpt2(attend_tokenizer *tokenizer, attend_folder *folder)
{
	bool prefix = false;
	const attend_bpe_config config = {0};
	ATTEND_TRY(attend_folder_bool(&prefix, folder, "add_prefix_space"));
	ATTEND_TRY(build_model(tokenizer, folder, &config));
	ATTEND_TRY(attend_pretokenizer_from_text(&tokenizer->pretokenizer,
	                                         prefix ? "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"
	                                                : "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"));
	return attend_decoder_from_text(&tokenizer->decoder, "{\"type\":\"ByteLevel\"}");
}

/* The base class: begin and end tokens where the keys ask for them, and where they are named. */
attend_status attend_finish_gpt2(attend_tokenizer *tokenizer, const attend_folder *folder)
{
	bool add_bos = false, add_eos = false;
	const char *tokens[2] = {NULL, NULL};
	ATTEND_TRY(attend_folder_bool(&add_bos, folder, "add_bos_token"));
	ATTEND_TRY(attend_folder_bool(&add_eos, folder, "add_eos_token"));
	if (add_bos) ATTEND_TRY(attend_folder_content(&tokens[0], folder, ATTEND_TOKEN_BOS, NULL));
	if (add_eos) ATTEND_TRY(attend_folder_content(&tokens[1], folder, ATTEND_TOKEN_EOS, NULL));
	if (tokens[0] != NULL && tokens[1] != NULL)
		return attend_set_template(tokenizer, "0:0 A:0 1:0", "0:0 A:0 1:0 0:1 B:1 1:1", tokens, 2);
	if (tokens[0] != NULL) return attend_set_template(tokenizer, "0:0 A:0", "0:0 A:0 0:1 B:1", tokens, 1);
	if (tokens[1] != NULL) return attend_set_template(tokenizer, "A:0 0:0", "A:0 0:0 B:1 0:1", tokens + 1, 1);
	return attend_set_template(tokenizer, "A:0", "A:0 B:1", NULL, 0);
}

typedef struct roberta_keys {
	bool prefix, trim;
} roberta_keys;

static attend_status read_roberta(roberta_keys *keys, const attend_folder *folder)
{
	*keys = (roberta_keys){false, true};
	ATTEND_TRY(attend_folder_bool(&keys->prefix, folder, "add_prefix_space"));
	return attend_folder_bool(&keys->trim, folder, "trim_offsets");
}

attend_status attend_finish_roberta(attend_tokenizer *tokenizer, const attend_folder *folder)
{
	const char *tokens[2];
	roberta_keys keys;
	ATTEND_TRY(read_roberta(&keys, folder));
	ATTEND_TRY(attend_folder_content(&tokens[0], folder, ATTEND_TOKEN_CLS, "<s>"));
	ATTEND_TRY(attend_folder_content(&tokens[1], folder, ATTEND_TOKEN_SEP, "</s>"));
	ATTEND_TRY(attend_set_template(tokenizer, "0:0 A:0 1:0", "0:0 A:0 1:0 1:0 B:0 1:0", tokens, 2));
	tokenizer->postprocessor->trim_offsets = keys.trim;
	tokenizer->postprocessor->trim_prefix_space = keys.prefix;
	return ATTEND_OK;
}

static attend_status set_bool(const attend_json *document, const char *component, const char *type_wanted,
                              const char *key, bool value)
{
	attend_json *object =
		(attend_json *)(uintptr_t)attend_json_get(document, component); /* of a document that is ours */
	const char *type = NULL;
	if (object == NULL || attend_json_type(object) != ATTEND_JSON_OBJECT) return ATTEND_OK;
	ATTEND_TRY(attend_json_get_string(&type, object, "type"));
	if (type == NULL || strcmp(type, type_wanted) != 0) return ATTEND_OK;
	return attend_json_set(object, key, value ? "true" : "false");
}

attend_status attend_adapt_gpt2(attend_json *document, const attend_folder *folder)
{
	bool prefix = false;
	ATTEND_TRY(attend_folder_bool(&prefix, folder, "add_prefix_space"));
	return set_bool(document, "pre_tokenizer", "ByteLevel", "add_prefix_space", prefix);
}

attend_status attend_adapt_roberta(attend_json *document, const attend_folder *folder)
{
	roberta_keys keys;
	ATTEND_TRY(read_roberta(&keys, folder));
	ATTEND_TRY(attend_adapt_gpt2(document, folder));
	ATTEND_TRY(set_bool(document, "post_processor", "RobertaProcessing", "add_prefix_space", keys.prefix));
	return set_bool(document, "post_processor", "RobertaProcessing", "trim_offsets", keys.trim);
}
