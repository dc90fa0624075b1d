/* load.c: a tokenizer from a checkpoint folder: which class it is, which files it has, in which order they count. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/core/file.h"
#include "tokenizer/legacy.h"

/* ---- the folder ---- */

static void close_folder(attend_folder *folder)
{
	attend_json_free(folder->config);
	attend_json_free(folder->model);
	attend_json_free(folder->special_map);
	attend_json_free(folder->added);
	attend_spm_free(&folder->spm);
	attend_vocab_free(&folder->known);
}

/* tokenizer_config.json's tokenizer_class, else config.json's, else the class of its model_type. */
static attend_status find_class(attend_folder *folder)
{
	const char *name = NULL, *model_type = NULL;
	ATTEND_TRY(attend_json_get_string(&name, folder->model, "tokenizer_class"));
	ATTEND_TRY(attend_json_get_string(&name, folder->config, "tokenizer_class"));
	ATTEND_TRY(attend_json_get_string(&model_type, folder->model, "model_type"));
	if (name != NULL) {
		size_t size = strlen(name);
		if (size > 4 && strcmp(name + size - 4, "Fast") == 0) size -= 4;
		snprintf(folder->class_name, sizeof folder->class_name, "%.*s", (int)(size < 63 ? size : 63), name);
		folder->family = attend_family_of_class(folder->class_name);
	} else if (model_type != NULL) {
		folder->family = attend_family_of_model(model_type);
	}
	return ATTEND_OK;
}

static attend_status open_folder(attend_folder *folder, const char *path)
{
	*folder = (attend_folder){.path = path};
	attend_status status = attend_folder_json(&folder->config, path, "tokenizer_config.json");
	if (status == ATTEND_OK) status = attend_folder_json(&folder->model, path, "config.json");
	if (status == ATTEND_OK && attend_json_get(folder->config, "added_tokens_decoder") == NULL) {
		status = attend_folder_json(&folder->special_map, path, "special_tokens_map.json");
		if (status == ATTEND_OK) status = attend_folder_json(&folder->added, path, "added_tokens.json");
	}
	if (status == ATTEND_OK) status = find_class(folder);
	if (status != ATTEND_OK) close_folder(folder);
	return status;
}

static attend_status has_file(bool *out, const attend_folder *folder, const char *name)
{
	char *path;
	ATTEND_TRY(attend_folder_path(&path, folder->path, name));
	*out = path != NULL;
	free(path);
	return ATTEND_OK;
}

/* ---- keys that every class has ---- */

static attend_status read_common(attend_tokenizer *tokenizer, const attend_folder *folder)
{
	const char *key = attend_json_get(folder->config, "model_max_length") != NULL ? "model_max_length" : "max_len";
	double limit = 0; /* 1e30 stands for no limit */
	ATTEND_TRY(attend_json_get_double(&limit, folder->config, key));
	if (limit >= 1 && limit < 1e18) tokenizer->max_length = (size_t)limit;
	ATTEND_TRY(attend_folder_bool(&tokenizer->clean_up, folder, "clean_up_tokenization_spaces"));
	/* transformers 5 leaves the text of BPE models alone: their spaces are part of the tokens */
	bool corrupt = false;
	ATTEND_TRY(attend_folder_bool(&corrupt, folder,
	                              "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"));
	if (strcmp(tokenizer->model->ops->type, "BPE") == 0 && !corrupt) tokenizer->clean_up = false;
	return ATTEND_OK;
}

/* Where nothing names them: the usual spellings. */
static void guess_special(attend_tokenizer *tokenizer)
{
	static const char *const usual[ATTEND_SPECIAL_TOKEN_COUNT][4] = {
		[ATTEND_TOKEN_UNK] = {"[UNK]", "<unk>"},         [ATTEND_TOKEN_CLS] = {"[CLS]", "<cls>", "<s>"},
		[ATTEND_TOKEN_SEP] = {"[SEP]", "<sep>", "</s>"}, [ATTEND_TOKEN_PAD] = {"[PAD]", "<pad>"},
		[ATTEND_TOKEN_MASK] = {"[MASK]", "<mask>"},      [ATTEND_TOKEN_BOS] = {"<s>", "<|endoftext|>"},
		[ATTEND_TOKEN_EOS] = {"</s>", "<|endoftext|>"},
	};
	if (tokenizer->special_ids[ATTEND_TOKEN_UNK] < 0)
		tokenizer->special_ids[ATTEND_TOKEN_UNK] = tokenizer->model->unk_id;
	for (int which = 0; which < ATTEND_SPECIAL_TOKEN_COUNT; which++)
		for (size_t i = 0; i < 4 && usual[which][i] != NULL && tokenizer->special_ids[which] < 0; i++)
			tokenizer->special_ids[which] =
				attend_tokenizer_token_to_id(tokenizer, usual[which][i], strlen(usual[which][i]));
}

/* ---- tokenizer.json ---- */

/* A class that is named adapts the file, if its model is the class's; other classes leave the file's word as it is.
 * *finish: the file has no post-processor, so the class gives its own. */
static attend_status adapt(attend_json *document, attend_folder *folder, bool *finish)
{
	const attend_json *model = attend_json_get(document, "model");
	const attend_json *postprocessor = attend_json_get(document, "post_processor");
	const char *type = NULL;
	ATTEND_TRY(attend_json_get_string(&type, model, "type"));
	if (folder->family == NULL || (type != NULL && strcmp(type, folder->family->model) != 0)) return ATTEND_OK;
	*finish = postprocessor == NULL || attend_json_type(postprocessor) == ATTEND_JSON_NULL;
	return folder->family->adapt != NULL ? folder->family->adapt(document, folder) : ATTEND_OK;
}

static attend_status note_added(attend_folder *folder, const attend_json *document)
{
	const attend_json *list = attend_json_get(document, "added_tokens");
	for (const attend_json *item = list != NULL ? attend_json_first(list) : NULL; item != NULL;
	     item = attend_json_next(item)) {
		attend_named_token token;
		bool is_token;
		ATTEND_TRY(attend_read_token(&token, &is_token, item));
		if (is_token) ATTEND_TRY(attend_vocab_put(&folder->known, token.content, token.size, 0));
	}
	return ATTEND_OK;
}

static attend_status load_json(attend_tokenizer **out, attend_folder *folder, const char *path)
{
	attend_json *document;
	ATTEND_TRY(attend_json_read(&document, path));
	attend_tokenizer *tokenizer = NULL;
	bool finish = false;
	attend_status status = adapt(document, folder, &finish);
	if (status == ATTEND_OK) status = attend_tokenizer_from_json(&tokenizer, document);
	if (status == ATTEND_OK) status = note_added(folder, document);
	attend_json_free(document);
	const bool named = folder->family != NULL || folder->config != NULL;
	if (status == ATTEND_OK && named) status = attend_folder_add_tokens(tokenizer, folder);
	if (status == ATTEND_OK && finish) status = folder->family->finish(tokenizer, folder);
	if (status == ATTEND_OK && !named) guess_special(tokenizer);
	if (status == ATTEND_OK) status = read_common(tokenizer, folder);
	if (status == ATTEND_OK) status = attend_tokenizer_finish(tokenizer);
	if (status != ATTEND_OK) {
		attend_tokenizer_free(tokenizer);
		return status;
	}
	*out = tokenizer;
	return ATTEND_OK;
}

/* ---- the older files ---- */

static attend_status family_by_files(attend_folder *folder)
{
	static const struct {
		const char *file, *class_name;
	} kinds[] = {
		{"vocab.txt", "BertTokenizer"},
		{"source.spm", "MarianTokenizer"},
		{"merges.txt", "GPT2Tokenizer"},
		{"spiece.model", "T5Tokenizer"},
		{"sentencepiece.bpe.model", "XLMRobertaTokenizer"},
	};
	bool found = false;
	for (size_t i = 0; !found && i < sizeof kinds / sizeof *kinds; i++) {
		ATTEND_TRY(has_file(&found, folder, kinds[i].file));
		if (found) folder->family = attend_family_of_class(kinds[i].class_name);
	}
	if (!found)
		return attend_fail(ATTEND_ERR_NOTFOUND,
		                   "%s: no tokenizer: neither tokenizer.json, vocab.txt, vocab.json with merges.txt, "
		                   "spiece.model, sentencepiece.bpe.model nor source.spm",
		                   folder->path);
	return ATTEND_OK;
}

static attend_status load_legacy(attend_tokenizer **out, attend_folder *folder)
{
	if (folder->family == NULL) {
		static const char *const neutral[] = {"", "PreTrainedTokenizer", "TokenizersBackend"};
		bool known = false;
		for (size_t i = 0; i < sizeof neutral / sizeof *neutral; i++)
			known = known || strcmp(folder->class_name, neutral[i]) == 0;
		if (!known)
			return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: the tokenizer class \"%s\" without a tokenizer.json",
			                   folder->path, folder->class_name);
		ATTEND_TRY(family_by_files(folder));
	}
	attend_tokenizer *tokenizer;
	ATTEND_TRY(attend_tokenizer_new(&tokenizer));
	attend_status status = folder->family->build(tokenizer, folder);
	if (status == ATTEND_OK) status = attend_folder_add_tokens(tokenizer, folder);
	if (status == ATTEND_OK) status = folder->family->finish(tokenizer, folder);
	if (status == ATTEND_OK) status = read_common(tokenizer, folder);
	if (status == ATTEND_OK) status = attend_tokenizer_finish(tokenizer);
	if (status != ATTEND_OK) {
		attend_tokenizer_free(tokenizer);
		return status;
	}
	*out = tokenizer;
	return ATTEND_OK;
}

attend_status attend_tokenizer_load(attend_tokenizer **out, const char *path)
{
	if (out == NULL || path == NULL) return attend_fail(ATTEND_ERR_ARG, "attend_tokenizer_load: NULL");
	attend_folder folder = {.path = path};
	if (attend_file_exists(path)) {
		const attend_status status = load_json(out, &folder, path);
		close_folder(&folder);
		return status;
	}
	if (!attend_folder_exists(path))
		return attend_fail(ATTEND_ERR_NOTFOUND, "%s: no such folder or tokenizer.json", path);
	ATTEND_TRY(open_folder(&folder, path));
	char *json = NULL;
	attend_status status = attend_folder_path(&json, path, "tokenizer.json");
	bool marian = false; /* a tokenizer of its own, which no tokenizer.json describes */
	if (status == ATTEND_OK && folder.family != NULL && strcmp(folder.family->class_name, "MarianTokenizer") == 0)
		status = has_file(&marian, &folder, "source.spm");
	if (status == ATTEND_OK)
		status = json != NULL && !marian ? load_json(out, &folder, json) : load_legacy(out, &folder);
	free(json);
	close_folder(&folder);
	return status;
}
