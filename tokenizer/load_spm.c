/* load_spm.c: T5, ALBERT, XLNet, CamemBERT, XLM-R and Pegasus from a SentencePiece file, as transformers 5.24 builds them
 * (huggingface.md 3.13): each class puts its own tokens around the file's pieces, and so moves their ids. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/core/file.h"
#include "tokenizer/legacy.h"

typedef struct spm_class {
	const char *name;
	const char *file; /* where the class looks first */
	attend_status (*pieces)(attend_unigram_pieces *out, int32_t *unk_id, attend_folder *folder);
	bool quotes;               /* `` and '' become " */
	bool always_strip_accents; /* XLNet ignores keep_accents */
	bool lower;                /* default of do_lower_case */
	bool prefix_key;           /* add_prefix_space false is obeyed */
	const char *single, *pair; /* template of tokens[0], tokens[1] */
	attend_special_token tokens[2];
	size_t token_count;
} spm_class;

/* ---- vocabularies ---- */

static attend_status add_piece(attend_unigram_pieces *out, const char *piece, double score)
{
	return attend_unigram_pieces_add(out, piece, strlen(piece), score);
}

static attend_status add_named(attend_unigram_pieces *out, const attend_folder *folder, attend_special_token which,
                               const char *other)
{
	const char *content;
	ATTEND_TRY(attend_folder_content(&content, folder, which, other));
	return add_piece(out, content, 0);
}

/* The file's pieces from `first` on. */
static attend_status add_file(attend_unigram_pieces *out, const attend_spm *spm, size_t first)
{
	for (size_t i = first; i < spm->count; i++)
		ATTEND_TRY(
			attend_unigram_pieces_add(out, spm->pieces[i].text, spm->pieces[i].size, (double)spm->pieces[i].score));
	return ATTEND_OK;
}

/* <extra_id_0> has the highest id. */
static attend_status t5_pieces(attend_unigram_pieces *out, int32_t *unk_id, attend_folder *folder)
{
	int64_t extra_ids = 100;
	ATTEND_TRY(attend_folder_int(&extra_ids, folder, "extra_ids", 0, 1 << 20));
	ATTEND_TRY(add_file(out, &folder->spm, 0));
	for (int64_t i = extra_ids; i-- > 0;) {
		char piece[40];
		snprintf(piece, sizeof piece, "<extra_id_%d>", (int)i);
		ATTEND_TRY(add_piece(out, piece, 0));
	}
	folder->extra_ids = (size_t)extra_ids;
	*unk_id = 2;
	return ATTEND_OK;
}

static attend_status albert_pieces(attend_unigram_pieces *out, int32_t *unk_id, attend_folder *folder)
{
	*unk_id = 1;
	return add_file(out, &folder->spm, 0);
}

static attend_status xlnet_pieces(attend_unigram_pieces *out, int32_t *unk_id, attend_folder *folder)
{
	*unk_id = folder->spm.unk_id;
	return add_file(out, &folder->spm, 0);
}

static attend_status camembert_pieces(attend_unigram_pieces *out, int32_t *unk_id, attend_folder *folder)
{
	ATTEND_TRY(add_piece(out, "<s>NOTUSED", 0));
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_PAD, "<pad>"));
	ATTEND_TRY(add_piece(out, "</s>NOTUSED", 0));
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_UNK, "<unk>"));
	ATTEND_TRY(add_piece(out, "<unk>NOTUSED", -100));
	ATTEND_TRY(add_file(out, &folder->spm, 1));
	*unk_id = 3;
	return add_named(out, folder, ATTEND_TOKEN_MASK, "<mask>");
}

static attend_status xlmr_pieces(attend_unigram_pieces *out, int32_t *unk_id, attend_folder *folder)
{
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_BOS, "<s>"));
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_PAD, "<pad>"));
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_EOS, "</s>"));
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_UNK, "<unk>"));
	ATTEND_TRY(add_file(out, &folder->spm, 3));
	*unk_id = 3;
	return add_named(out, folder, ATTEND_TOKEN_MASK, "<mask>");
}

/* The pieces of the file move up by `offset`; sentence and word masks and 101 unknown tokens come in front of them. */
static attend_status pegasus_pieces(attend_unigram_pieces *out, int32_t *unk_id, attend_folder *folder)
{
	int64_t offset = 103;
	ATTEND_TRY(attend_folder_int(&offset, folder, "offset", 2, 1 << 20));
	attend_named_token sentence;
	bool is_token;
	ATTEND_TRY(attend_read_token(&sentence, &is_token, attend_folder_value(folder, "mask_token_sent")));
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_PAD, "<pad>"));
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_EOS, "</s>"));
	ATTEND_TRY(add_piece(out, is_token ? sentence.content : "<mask_1>", 0));
	ATTEND_TRY(add_named(out, folder, ATTEND_TOKEN_MASK, "<mask_2>"));
	for (int64_t i = 2; i < offset; i++) {
		char piece[40];
		snprintf(piece, sizeof piece, "<unk_%d>", (int)i);
		ATTEND_TRY(add_piece(out, piece, -100));
	}
	*unk_id = folder->spm.unk_id + (int32_t)offset;
	return add_file(out, &folder->spm, 2);
}

static const spm_class classes[] = {
	{.name = "T5Tokenizer",
     .file = "spiece.model",
     .pieces = t5_pieces,
     .single = "A:0 0:0",
     .pair = "A:0 0:0 B:0 0:0",
     .tokens = {ATTEND_TOKEN_EOS},
     .token_count = 1},
	{.name = "AlbertTokenizer",
     .file = "spiece.model",
     .pieces = albert_pieces,
     .quotes = true,
     .lower = true,
     .prefix_key = true,
     .single = "0:0 A:0 1:0",
     .pair = "0:0 A:0 1:0 B:1 1:1",
     .tokens = {ATTEND_TOKEN_CLS, ATTEND_TOKEN_SEP},
     .token_count = 2},
	{.name = "XLNetTokenizer",
     .file = "spiece.model",
     .pieces = xlnet_pieces,
     .quotes = true,
     .always_strip_accents = true,
     .single = "A:0 0:0 1:2",
     .pair = "A:0 0:0 B:1 0:1 1:2",
     .tokens = {ATTEND_TOKEN_SEP, ATTEND_TOKEN_CLS},
     .token_count = 2},
	{.name = "CamembertTokenizer",
     .file = "sentencepiece.bpe.model",
     .pieces = camembert_pieces,
     .prefix_key = true,
     .single = "0:0 A:0 1:0",
     .pair = "0:0 A:0 1:0 1:0 B:0 1:0",
     .tokens = {ATTEND_TOKEN_BOS, ATTEND_TOKEN_EOS},
     .token_count = 2},
	{.name = "XLMRobertaTokenizer",
     .file = "sentencepiece.bpe.model",
     .pieces = xlmr_pieces,
     .prefix_key = true,
     .single = "0:0 A:0 1:0",
     .pair = "0:0 A:0 1:0 1:0 B:0 1:0",
     .tokens = {ATTEND_TOKEN_BOS, ATTEND_TOKEN_EOS},
     .token_count = 2},
	{.name = "PegasusTokenizer",
     .file = "spiece.model",
     .pieces = pegasus_pieces,
     .single = "A:0 0:0",
     .pair = "A:0 B:0 0:0",
     .tokens = {ATTEND_TOKEN_EOS},
     .token_count = 1},
};

static const spm_class *class_of(const attend_folder *folder)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (strcmp(folder->family->class_name, classes[i].name) == 0) return &classes[i];
	return NULL;
}

/* ---- components ---- */

static attend_status read_file(attend_spm *spm, const attend_folder *folder, const spm_class *class)
{
	const char *const names[] = {class->file, "spiece.model", "sentencepiece.bpe.model"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path;
		ATTEND_TRY(attend_folder_path(&path, folder->path, names[i]));
		if (path == NULL) continue;
		const attend_status status = attend_spm_read(spm, path);
		free(path);
		return status;
	}
	return attend_fail(ATTEND_ERR_NOTFOUND, "%s: no %s for a %s", folder->path, class->file, class->name);
}

static attend_status build_normalizer(attend_tokenizer *tokenizer, const attend_folder *folder, const spm_class *class)
{
	attend_normalizer *parts[3] = {NULL};
	bool keep_accents = false, lower = class->lower;
	ATTEND_TRY(attend_folder_bool(&keep_accents, folder, "keep_accents"));
	ATTEND_TRY(attend_folder_bool(&lower, folder, "do_lower_case"));
	attend_status status = ATTEND_OK;
	if (class->quotes) {
		attend_buffer text = {0};
		attend_buffer_text(&text, "{\"type\":\"Sequence\",\"normalizers\":["
		                          "{\"type\":\"Replace\",\"pattern\":{\"String\":\"``\"},\"content\":\"\\\"\"},"
		                          "{\"type\":\"Replace\",\"pattern\":{\"String\":\"''\"},\"content\":\"\\\"\"}");
		if (class->always_strip_accents || !keep_accents)
			attend_buffer_text(&text, ",{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"}");
		if (lower) attend_buffer_text(&text, ",{\"type\":\"Lowercase\"}");
		attend_buffer_text(&text, "]}");
		status = attend_buffer_status(&text);
		if (status == ATTEND_OK) status = attend_normalizer_from_text(&parts[0], text.data);
		attend_buffer_free(&text);
	}
	const attend_spm *spm = &folder->spm;
	if (status == ATTEND_OK && spm->charsmap_size > 0)
		status = attend_normalizer_precompiled(&parts[1], spm->charsmap, spm->charsmap_size);
	if (status == ATTEND_OK && class->pieces == pegasus_pieces)
		status = attend_normalizer_from_text(
			&parts[2], spm->charsmap_size > 0
						   ? "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}"
						   : "{\"type\":\"Sequence\",\"normalizers\":["
							 "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\n\"},\"content\":\" \"},"
							 "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}]}");
	if (status != ATTEND_OK) {
		for (size_t i = 0; i < 3; i++) attend_normalizer_free(parts[i]);
		return status;
	}
	if (parts[0] == NULL && parts[1] == NULL && parts[2] == NULL) return ATTEND_OK;
	return attend_normalizer_sequence(&tokenizer->normalizer, parts, 3);
}

static attend_status build_metaspace(attend_tokenizer *tokenizer, const attend_folder *folder, const spm_class *class)
{
	bool prefix = true;
	if (class->prefix_key) ATTEND_TRY(attend_folder_bool(&prefix, folder, "add_prefix_space"));
	char metaspace[128], sequence[256];
	snprintf(metaspace, sizeof metaspace,
	         "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"%s\",\"split\":true}",
	         prefix ? "always" : "never");
	snprintf(sequence, sizeof sequence, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},%s]}",
	         metaspace);
	const bool alone = class->pieces == pegasus_pieces;
	ATTEND_TRY(attend_pretokenizer_from_text(&tokenizer->pretokenizer, alone ? metaspace : sequence));
	return attend_decoder_from_text(&tokenizer->decoder, metaspace);
}

attend_status attend_build_spm(attend_tokenizer *tokenizer, attend_folder *folder)
{
	const spm_class *class = class_of(folder);
	ATTEND_TRY(read_file(&folder->spm, folder, class));
	if (folder->spm.model_type != ATTEND_SPM_UNIGRAM)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: a SentencePiece model of type %d, expected 1 (unigram)",
		                   folder->path, (int)folder->spm.model_type);
	attend_unigram_pieces pieces = {0};
	int32_t unk_id = -1;
	const attend_status status = class->pieces(&pieces, &unk_id, folder);
	if (status != ATTEND_OK) {
		attend_unigram_pieces_free(&pieces);
		return status;
	}
	ATTEND_TRY(attend_unigram_new(&tokenizer->model, &pieces, unk_id, false));
	ATTEND_TRY(build_normalizer(tokenizer, folder, class));
	return build_metaspace(tokenizer, folder, class);
}

attend_status attend_finish_spm(attend_tokenizer *tokenizer, const attend_folder *folder)
{
	const spm_class *class = class_of(folder);
	const char *tokens[2] = {NULL, NULL};
	for (size_t i = 0; i < class->token_count; i++)
		ATTEND_TRY(attend_folder_content(&tokens[i], folder, class->tokens[i], ""));
	return attend_set_template(tokenizer, class->single, class->pair, tokens, class->token_count);
}
