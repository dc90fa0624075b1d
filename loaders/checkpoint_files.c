/* checkpoint_files.c: see checkpoint_files.h; names as in huggingface.md 1.5 and 3. */
#include "loaders/checkpoint_files.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/buffer.h"
#include "lib/core/file.h"

attend_status attend_config_set_text(attend_json *json, const char *key, const char *text)
{
	attend_buffer buffer = {0};
	if (text == NULL) attend_buffer_text(&buffer, "null");
	else attend_buffer_json_string(&buffer, text, strlen(text));
	attend_status status = attend_buffer_status(&buffer);
	if (status == ATTEND_OK) status = attend_json_set(json, key, buffer.data);
	attend_buffer_free(&buffer);
	return status;
}

attend_status attend_config_set_dtype(attend_json *json, attend_dtype dtype)
{
	const char *name = dtype == ATTEND_DTYPE_F16 ? "float16" : dtype == ATTEND_DTYPE_BF16 ? "bfloat16" : "float32";
	if (attend_json_get(json, "dtype") != NULL) ATTEND_TRY(attend_config_set_text(json, "dtype", name));
	if (attend_json_get(json, "torch_dtype") == NULL && attend_json_get(json, "dtype") != NULL) return ATTEND_OK;
	return attend_config_set_text(json, "torch_dtype", name);
}

attend_status attend_config_write(const attend_json *json, const char *dir)
{
	char *path = NULL, *text = NULL;
	attend_buffer out = {0};
	attend_status status = attend_path_join(&path, dir, "config.json");
	if (status == ATTEND_OK) status = attend_json_print(&text, json, 2);
	if (status == ATTEND_OK) {
		attend_buffer_printf(&out, "%s\n", text);
		status = attend_buffer_status(&out);
	}
	if (status == ATTEND_OK) status = attend_file_write(path, out.data, out.size);
	attend_buffer_free(&out);
	free(text);
	free(path);
	return status;
}

static const char *const companions[] = {
	"tokenizer.json",
	"tokenizer_config.json",
	"special_tokens_map.json",
	"added_tokens.json",
	"vocab.txt",
	"vocab.json",
	"merges.txt",
	"spiece.model",
	"sentencepiece.bpe.model",
	"tokenizer.model",
	"source.spm",
	"target.spm",
	"generation_config.json",
	"chat_template.jinja",
	NULL,
};

attend_status attend_copy_file(const char *from, const char *to, const char *name)
{
	char *source = NULL, *target = NULL;
	attend_mapping bytes = {0};
	attend_status status = attend_path_join(&source, from, name);
	if (status == ATTEND_OK) status = attend_path_join(&target, to, name);
	if (status == ATTEND_OK && attend_file_exists(source)) {
		status = attend_file_map(&bytes, source);
		if (status == ATTEND_OK) status = attend_file_write(target, bytes.data, bytes.size);
		attend_file_unmap(&bytes);
	}
	free(source);
	free(target);
	return status;
}

attend_status attend_checkpoint_copy_files(const char *from, const char *to)
{
	for (size_t i = 0; companions[i] != NULL; i++) ATTEND_TRY(attend_copy_file(from, to, companions[i]));
	return ATTEND_OK;
}
