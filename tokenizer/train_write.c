/* train_write.c: a trained vocabulary as the files that transformers writes: vocab.txt or vocab.json and merges.txt,
 * tokenizer.json (huggingface.md 3.1), tokenizer_config.json. The kinds' special tokens have the first ids, so that the
 * components can be written down here as they are. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/file.h"
#include "tokenizer/train.h"

#define SPECIAL(token, id) "\"" token "\": {\"id\": \"" token "\", \"ids\": [" id "], \"tokens\": [\"" token "\"]}"
#define PUT(token, type)   "{\"SpecialToken\": {\"id\": \"" token "\", \"type_id\": " type "}}"
#define TEXT(name, type)   "{\"Sequence\": {\"id\": \"" name "\", \"type_id\": " type "}}"
#define BYTE_LEVEL(prefix, trim) \
	"{\"type\": \"ByteLevel\", \"add_prefix_space\": " prefix ", \"trim_offsets\": " trim ", \"use_regex\": true}"
#define METASPACE \
	"{\"type\": \"Metaspace\", \"replacement\": \"\u2581\", \"prepend_scheme\": \"always\", \"split\": true}"
#define BERT_NORMALIZER(lower)                                                                                       \
	"{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": null, " \
	"\"lowercase\": " lower "}"

static const struct form {
	const char *normalizer, *cased_normalizer, *pre_tokenizer, *post_processor, *decoder;
	const char *model;  /* its fields before "vocab" */
	const char *config; /* fields of tokenizer_config.json */
} forms[] = {
	[ATTEND_VOCAB_BERT] =
		{.normalizer = BERT_NORMALIZER("true"),
         .cased_normalizer = BERT_NORMALIZER("false"),
         .pre_tokenizer = "{\"type\": \"BertPreTokenizer\"}",
         .post_processor =
             "{\"type\": \"TemplateProcessing\", \"single\": [" PUT("[CLS]", "0") ", " TEXT("A", "0") ", " PUT("[SEP]", "0") "], \"pair\": [" PUT(
				 "[CLS]",
				 "0") ", " TEXT("A",
                                "0") ", " PUT("[SEP]",
                                              "0") ", " TEXT("B",
                                                             "1") ", " PUT("[SEP]",
                                                                           "1") "], \"special_tokens\": {" SPECIAL("[CLS]",
                                                                                                                   "2") ", " SPECIAL("[SEP]",
                                                                                                                                     "3") "}}",
         .decoder = "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}",
         .model = "\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", "
                  "\"max_input_chars_per_word\": 100",
         .config =
             "\"tokenizer_class\": \"BertTokenizer\",\n  \"tokenize_chinese_chars\": true,\n  \"strip_accents\": null,\n  "
             "\"unk_token\": \"[UNK]\",\n  \"sep_token\": \"[SEP]\",\n  \"pad_token\": \"[PAD]\",\n  \"cls_token\": "
             "\"[CLS]\",\n  \"mask_token\": \"[MASK]\""},
	[ATTEND_VOCAB_GPT2] =
		{.normalizer = "null",
         .pre_tokenizer = BYTE_LEVEL("false", "true"),
         .post_processor = BYTE_LEVEL("true", "false"),
         .decoder = BYTE_LEVEL("true", "true"),
         .model =
             "\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": \"\", "
             "\"end_of_word_suffix\": \"\", \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false",
         .config =
             "\"tokenizer_class\": \"GPT2Tokenizer\",\n  \"add_prefix_space\": false,\n  \"errors\": \"replace\",\n  "
             "\"unk_token\": \"<|endoftext|>\",\n  \"bos_token\": \"<|endoftext|>\",\n  \"eos_token\": \"<|endoftext|>\""},
	[ATTEND_VOCAB_ROBERTA] =
		{.normalizer = "null",
         .pre_tokenizer = BYTE_LEVEL("false", "true"),
         .post_processor = "{\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 2], \"cls\": [\"<s>\", 0], "
                           "\"trim_offsets\": true, \"add_prefix_space\": false}",
         .decoder = BYTE_LEVEL("true", "true"),
         .model =
             "\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": \"\", "
             "\"end_of_word_suffix\": \"\", \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false",
         .config =
             "\"tokenizer_class\": \"RobertaTokenizer\",\n  \"add_prefix_space\": false,\n  \"trim_offsets\": true,\n  "
             "\"errors\": \"replace\",\n  \"bos_token\": \"<s>\",\n  \"eos_token\": \"</s>\",\n  \"sep_token\": "
             "\"</s>\",\n  \"cls_token\": \"<s>\",\n  \"unk_token\": \"<unk>\",\n  \"pad_token\": \"<pad>\",\n  "
             "\"mask_token\": {\"__type\": \"AddedToken\", \"content\": \"<mask>\", \"lstrip\": true, \"normalized\": "
             "false, \"rstrip\": false, \"single_word\": false, \"special\": true}"},
	[ATTEND_VOCAB_T5] =
		{.normalizer = "null",
         .pre_tokenizer =
             "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"WhitespaceSplit\"}, " METASPACE "]}",
         .post_processor =
             "{\"type\": \"TemplateProcessing\", \"single\": [" TEXT("A", "0") ", " PUT("</s>", "0") "], \"pair\": [" TEXT(
				 "A", "0") ", " PUT("</s>",
                                    "0") ", " TEXT("B", "0") ", " PUT("</s>",
                                                                      "0") "], \"special_tokens\": {" SPECIAL("</s>",
                                                                                                              "1") "}}",
         .decoder = METASPACE,
         .model = "\"type\": \"Unigram\", \"unk_id\": 2, \"byte_fallback\": false",
         .config = "\"tokenizer_class\": \"T5Tokenizer\",\n  \"eos_token\": \"</s>\",\n  \"unk_token\": \"<unk>\",\n  "
                   "\"pad_token\": \"<pad>\""},
};

static void put_token(attend_buffer *out, const attend_trained *t, int32_t id)
{
	size_t size = 0;
	const char *token = attend_vocab_token(&t->vocab, id, &size);
	attend_buffer_json_string(out, token, size);
}

static bool is_bpe(const attend_trained *t)
{
	return t->options.kind == ATTEND_VOCAB_GPT2 || t->options.kind == ATTEND_VOCAB_ROBERTA;
}

/* ---- tokenizer.json ---- */

static void put_added(attend_buffer *out, const attend_trained *t)
{
	const size_t bound = t->vocab.id_bound, sentinels = bound - t->options.extra_ids;
	attend_buffer_text(out, "  \"added_tokens\": [");
	for (size_t id = 0; id < bound; id++) {
		if (id == t->special_count) id = sentinels;
		if (id == bound) break;
		size_t size;
		const char *token = attend_vocab_token(&t->vocab, (int32_t)id, &size);
		const bool lstrip = t->options.kind == ATTEND_VOCAB_ROBERTA && strcmp(token, "<mask>") == 0;
		attend_buffer_printf(out, "%s\n    {\"id\": %zu, \"content\": ", id > 0 ? "," : "", id);
		attend_buffer_json_string(out, token, size);
		attend_buffer_printf(out,
		                     ", \"single_word\": false, \"lstrip\": %s, \"rstrip\": false, \"normalized\": false, "
		                     "\"special\": true}",
		                     lstrip ? "true" : "false");
	}
	attend_buffer_text(out, "\n  ],\n");
}

/* {"token": id, ...}, or [["piece", score], ...] when there are scores. */
static void put_vocab(attend_buffer *out, const attend_trained *t, const char *indent)
{
	const bool list = t->scores != NULL;
	attend_buffer_text(out, list ? "[" : "{");
	for (size_t id = 0; id < t->vocab.id_bound; id++) {
		attend_buffer_printf(out, "%s\n%s%s", id > 0 ? "," : "", indent, list ? "[" : "");
		put_token(out, t, (int32_t)id);
		if (list) attend_buffer_printf(out, ", %.17g]", t->scores[id]);
		else attend_buffer_printf(out, ": %zu", id);
	}
	attend_buffer_printf(out, "\n%s%s", indent + 2, list ? "]" : "}");
}

static attend_status put_tokenizer(attend_buffer *out, const attend_trained *t)
{
	const struct form *form = &forms[t->options.kind];
	const char *normalizer = t->options.cased && form->cased_normalizer ? form->cased_normalizer : form->normalizer;
	attend_buffer_text(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n");
	put_added(out, t);
	attend_buffer_printf(
		out, "  \"normalizer\": %s,\n  \"pre_tokenizer\": %s,\n  \"post_processor\": %s,\n  \"decoder\": %s,\n",
		normalizer, form->pre_tokenizer, form->post_processor, form->decoder);
	attend_buffer_printf(out, "  \"model\": {%s, \"vocab\": ", form->model);
	put_vocab(out, t, "      ");
	if (is_bpe(t)) {
		attend_buffer_text(out, ", \"merges\": [");
		for (size_t i = 0; i < t->merge_count; i++) {
			attend_buffer_text(out, i > 0 ? ",\n      [" : "\n      [");
			put_token(out, t, t->merges[i].left);
			attend_buffer_text(out, ", ");
			put_token(out, t, t->merges[i].right);
			attend_buffer_text(out, "]");
		}
		attend_buffer_text(out, "\n    ]");
	}
	attend_buffer_text(out, "}\n}\n");
	return attend_buffer_status(out);
}

/* ---- the other files ---- */

static attend_status put_vocab_txt(attend_buffer *out, const attend_trained *t)
{
	for (size_t id = 0; id < t->vocab.id_bound; id++) {
		size_t size;
		const char *token = attend_vocab_token(&t->vocab, (int32_t)id, &size);
		attend_buffer_append(out, token, size);
		attend_buffer_text(out, "\n");
	}
	return attend_buffer_status(out);
}

static attend_status put_vocab_json(attend_buffer *out, const attend_trained *t)
{
	put_vocab(out, t, "  ");
	attend_buffer_text(out, "\n");
	return attend_buffer_status(out);
}

static attend_status put_merges(attend_buffer *out, const attend_trained *t)
{
	attend_buffer_text(out, "#version: 0.2\n");
	for (size_t i = 0; i < t->merge_count; i++) {
		size_t left, right;
		const char *a = attend_vocab_token(&t->vocab, t->merges[i].left, &left);
		const char *b = attend_vocab_token(&t->vocab, t->merges[i].right, &right);
		attend_buffer_append(out, a, left);
		attend_buffer_text(out, " ");
		attend_buffer_append(out, b, right);
		attend_buffer_text(out, "\n");
	}
	return attend_buffer_status(out);
}

static attend_status put_config(attend_buffer *out, const attend_trained *t)
{
	const attend_vocab_options *o = &t->options;
	attend_buffer_printf(out, "{\n  %s", forms[o->kind].config);
	if (o->kind == ATTEND_VOCAB_BERT)
		attend_buffer_printf(out, ",\n  \"do_lower_case\": %s", o->cased ? "false" : "true");
	if (o->kind == ATTEND_VOCAB_T5) attend_buffer_printf(out, ",\n  \"extra_ids\": %zu", o->extra_ids);
	if (o->special_count > 0) {
		attend_buffer_text(out, ",\n  \"additional_special_tokens\": [");
		for (size_t i = 0; i < o->special_count; i++) {
			if (i > 0) attend_buffer_text(out, ", ");
			attend_buffer_json_string(out, o->special_tokens[i], strlen(o->special_tokens[i]));
		}
		attend_buffer_text(out, "]");
	}
	if (o->model_max_length > 0) attend_buffer_printf(out, ",\n  \"model_max_length\": %zu", o->model_max_length);
	attend_buffer_text(out, "\n}\n");
	return attend_buffer_status(out);
}

static attend_status write_file(const attend_trained *t, const char *folder, const char *name,
                                attend_status (*put)(attend_buffer *out, const attend_trained *t))
{
	attend_buffer out = {0};
	char *path = NULL;
	attend_status status = put(&out, t);
	if (status == ATTEND_OK) status = attend_path_join(&path, folder, name);
	if (status == ATTEND_OK) status = attend_file_write(path, out.data, out.size);
	free(path);
	attend_buffer_free(&out);
	return status;
}

attend_status attend_trained_write(const attend_trained *trained, const char *folder)
{
	ATTEND_TRY(attend_folder_make(folder));
	if (trained->options.kind == ATTEND_VOCAB_BERT) ATTEND_TRY(write_file(trained, folder, "vocab.txt", put_vocab_txt));
	if (is_bpe(trained)) {
		ATTEND_TRY(write_file(trained, folder, "vocab.json", put_vocab_json));
		ATTEND_TRY(write_file(trained, folder, "merges.txt", put_merges));
	}
	ATTEND_TRY(write_file(trained, folder, "tokenizer_config.json", put_config));
	return write_file(trained, folder, "tokenizer.json", put_tokenizer);
}
