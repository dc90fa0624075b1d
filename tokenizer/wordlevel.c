/* wordlevel.c: the WordLevel model (huggingface/tokenizers models/wordlevel): a word is a token or the unknown token. */
#include <stdlib.h>

#include "tokenizer/models.h"

typedef struct wordlevel {
	attend_token_model base;
	attend_vocab vocab;
} wordlevel;

static const wordlevel *self(const attend_token_model *model)
{
	return (const wordlevel *)model;
}

static attend_status tokenize(const attend_token_model *model, void *scratch, const char *word, size_t size,
                              uint32_t base, attend_token_list *out)
{
	(void)scratch;
	int32_t id = attend_vocab_find(&self(model)->vocab, word, size);
	if (id < 0) id = model->unk_id;
	if (id < 0)
		return attend_fail(ATTEND_ERR_FORMAT, "a word is not in the vocabulary, and neither is the unknown token");
	return attend_token_list_push(out, id, base, base + (uint32_t)size);
}

static int32_t token_to_id(const attend_token_model *model, const char *token, size_t size)
{
	return attend_vocab_find(&self(model)->vocab, token, size);
}

static const char *id_to_token(const attend_token_model *model, int32_t id, size_t *size)
{
	return attend_vocab_token(&self(model)->vocab, id, size);
}

static size_t vocab_size(const attend_token_model *model)
{
	return self(model)->vocab.live;
}

static size_t id_bound(const attend_token_model *model)
{
	return self(model)->vocab.id_bound;
}

static void free_model(attend_token_model *model)
{
	attend_vocab_free(&((wordlevel *)model)->vocab);
	free(model);
}

static const attend_token_model_ops ops = {
	.type = "WordLevel",
	.tokenize = tokenize,
	.token_to_id = token_to_id,
	.id_to_token = id_to_token,
	.vocab_size = vocab_size,
	.id_bound = id_bound,
	.free = free_model,
};

attend_status attend_wordlevel_new(attend_token_model **out, attend_vocab *vocab, const char *unk_token)
{
	wordlevel *model = calloc(1, sizeof *model);
	if (model == NULL) {
		attend_vocab_free(vocab);
		return attend_fail_memory(sizeof *model, "WordLevel");
	}
	model->base.ops = &ops;
	model->vocab = *vocab;
	memset(vocab, 0, sizeof *vocab);
	model->base.unk_id = attend_vocab_find(&model->vocab, unk_token, strlen(unk_token));
	*out = &model->base;
	return ATTEND_OK;
}

attend_status attend_wordlevel_from_json(attend_token_model **out, const attend_json *json)
{
	const char *unk_token = "<unk>";
	ATTEND_TRY(attend_json_get_string(&unk_token, json, "unk_token"));
	const attend_json *tokens = attend_json_get(json, "vocab");
	if (tokens == NULL) return attend_json_fail(json, "expected the member \"vocab\", found none");
	attend_vocab vocab = {0};
	const attend_status status = attend_vocab_from_json(&vocab, tokens);
	if (status != ATTEND_OK) {
		attend_vocab_free(&vocab);
		return status;
	}
	return attend_wordlevel_new(out, &vocab, unk_token);
}
