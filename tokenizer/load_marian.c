/* load_marian.c: Marian (opus-mt) from source.spm, vocab.json and, with separate_vocabs, target_vocab.json: the tokenizer
 * that transformers writes in Python (huggingface.md 3.13). */
#include <stdlib.h>

#include "lib/core/file.h"
#include "tokenizer/decoder.h"
#include "tokenizer/legacy.h"

static attend_status read_vocab(attend_vocab *vocab, const attend_folder *folder, const char *name)
{
	attend_json *document;
	ATTEND_TRY(attend_folder_json(&document, folder->path, name));
	if (document == NULL) return attend_fail(ATTEND_ERR_NOTFOUND, "%s: no %s", folder->path, name);
	const attend_status status = attend_vocab_from_json(vocab, document);
	attend_json_free(document);
	return status;
}

static attend_status build_model(attend_tokenizer *tokenizer, const attend_folder *folder, const attend_spm *spm)
{
	bool separate = false;
	const char *unk_token;
	attend_vocab vocab = {0}, target = {0};
	ATTEND_TRY(attend_folder_bool(&separate, folder, "separate_vocabs"));
	ATTEND_TRY(attend_folder_content(&unk_token, folder, ATTEND_TOKEN_UNK, "<unk>"));
	attend_status status = read_vocab(&vocab, folder, "vocab.json");
	if (status == ATTEND_OK && separate) status = read_vocab(&target, folder, "target_vocab.json");
	if (status == ATTEND_OK) status = attend_marian_new(&tokenizer->model, &vocab, &target, spm, unk_token);
	attend_vocab_free(&vocab);
	attend_vocab_free(&target);
	return status;
}

/* The pieces that the decoder's SentencePiece model knows: source.spm's, or target.spm's when the vocabularies differ. */
static attend_status build_decoder(attend_tokenizer *tokenizer, const attend_spm *spm)
{
	attend_vocab pieces = {0};
	attend_status status = ATTEND_OK;
	for (size_t i = 0; status == ATTEND_OK && i < spm->count; i++) {
		const attend_spm_piece *piece = &spm->pieces[i];
		if (piece->type == ATTEND_SPM_UNKNOWN) continue;
		status = attend_vocab_put(&pieces, piece->text, piece->size, piece->type == ATTEND_SPM_CONTROL ? 1 : 0);
	}
	if (status == ATTEND_OK) status = attend_decoder_marian(&tokenizer->decoder, &pieces);
	attend_vocab_free(&pieces);
	return status;
}

static attend_status read_spm(attend_spm *spm, const attend_folder *folder, const char *name)
{
	char *path;
	ATTEND_TRY(attend_path_join(&path, folder->path, name));
	const attend_status status = attend_spm_read(spm, path);
	free(path);
	return status;
}

attend_status attend_build_marian(attend_tokenizer *tokenizer, attend_folder *folder)
{
	attend_spm spm;
	bool separate = false;
	ATTEND_TRY(attend_folder_bool(&separate, folder, "separate_vocabs"));
	ATTEND_TRY(read_spm(&spm, folder, "source.spm"));
	attend_status status = build_model(tokenizer, folder, &spm);
	if (status == ATTEND_OK)
		status = attend_normalizer_spm(&tokenizer->normalizer, spm.charsmap, spm.charsmap_size,
		                               (attend_spm_rules){.add_dummy_prefix = spm.add_dummy_prefix,
		                                                  .remove_extra_whitespaces = spm.remove_extra_whitespaces,
		                                                  .escape_whitespaces = spm.escape_whitespaces});
	if (status == ATTEND_OK && separate) {
		attend_spm_free(&spm);
		status = read_spm(&spm, folder, "target.spm");
	}
	if (status == ATTEND_OK) status = build_decoder(tokenizer, &spm);
	attend_spm_free(&spm);
	tokenizer->marian_rules = true;
	return status;
}

attend_status attend_finish_marian(attend_tokenizer *tokenizer, const attend_folder *folder)
{
	const char *tokens[1];
	ATTEND_TRY(attend_folder_content(&tokens[0], folder, ATTEND_TOKEN_EOS, "</s>"));
	return attend_set_template(tokenizer, "A:0 0:0", "A:0 B:0 0:0", tokens, 1);
}
