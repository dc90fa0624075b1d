/* wordpiece.c: the WordPiece model (Devlin et al. 2018; huggingface/tokenizers models/wordpiece): the longest token that the
 * rest of the word starts with, again and again; a word that cannot be covered is one unknown token.
 *
 * The vocabulary is a byte trie. A token that continues a word is looked for below the node of the prefix ("##"), so that a
 * start costs no more than the longest match. Words are short (max_input_chars_per_word), so the total is linear. */
#include <stdlib.h>

#include "tokenizer/models.h"

typedef struct wordpiece {
	attend_token_model base;
	attend_vocab vocab;
	attend_trie trie;
	uint32_t continuing; /* base of the prefix's node */
	size_t max_chars;
} wordpiece;

static const wordpiece *self(const attend_token_model *model)
{
	return (const wordpiece *)model;
}

static attend_status unknown_word(const wordpiece *model, size_t size, uint32_t base, attend_token_list *out)
{
	if (model->base.unk_id < 0)
		return attend_fail(ATTEND_ERR_FORMAT, "a word is not in the vocabulary, and neither is the unknown token");
	return attend_token_list_push(out, model->base.unk_id, base, base + (uint32_t)size);
}

/* More than `limit` characters? Looks at no more bytes than that takes. */
static bool longer_than(const char *word, size_t size, size_t limit)
{
	if (size <= limit) return false;
	size_t chars = 0;
	for (size_t i = 0; i < size && chars <= limit; i++) chars += attend_utf8_is_start(word[i]);
	return chars > limit;
}

static attend_status tokenize(const attend_token_model *base_model, void *scratch, const char *word, size_t size,
                              uint32_t base, attend_token_list *out)
{
	(void)scratch;
	const wordpiece *model = self(base_model);
	if (longer_than(word, size, model->max_chars)) return unknown_word(model, size, base, out);
	const size_t mark = out->count;
	for (size_t start = 0; start < size;) {
		uint32_t node = start == 0 ? model->trie.root : model->continuing;
		int32_t id = -1, value;
		size_t end = start;
		for (size_t i = start; i < size && attend_trie_step(&model->trie, &node, (unsigned char)word[i], &value); i++) {
			if (value < 0) continue;
			id = value;
			end = i + 1;
		}
		if (id < 0) {
			out->count = mark;
			return unknown_word(model, size, base, out);
		}
		ATTEND_TRY(attend_token_list_push(out, id, base + (uint32_t)start, base + (uint32_t)end));
		start = end;
	}
	return ATTEND_OK;
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

static void free_model(attend_token_model *base)
{
	wordpiece *model = (wordpiece *)base;
	attend_vocab_free(&model->vocab);
	attend_trie_free(&model->trie);
	free(model);
}

static const attend_token_model_ops ops = {
	.type = "WordPiece",
	.tokenize = tokenize,
	.token_to_id = token_to_id,
	.id_to_token = id_to_token,
	.vocab_size = vocab_size,
	.id_bound = id_bound,
	.free = free_model,
};

attend_status attend_wordpiece_new(attend_token_model **out, attend_vocab *vocab, const attend_wordpiece_config *config)
{
	wordpiece *model = calloc(1, sizeof *model);
	if (model == NULL) {
		attend_vocab_free(vocab);
		return attend_fail_memory(sizeof *model, "WordPiece");
	}
	model->base.ops = &ops;
	model->vocab = *vocab;
	memset(vocab, 0, sizeof *vocab);
	model->base.unk_id = attend_vocab_find(&model->vocab, config->unk_token, strlen(config->unk_token));
	model->max_chars = config->max_input_chars_per_word;
	const attend_status status = attend_vocab_trie(&model->trie, &model->vocab);
	if (status != ATTEND_OK) {
		free_model(&model->base);
		return status;
	}
	const char *prefix = config->continuing_subword_prefix;
	model->continuing = attend_trie_walk(&model->trie, model->trie.root, prefix, strlen(prefix));
	*out = &model->base;
	return ATTEND_OK;
}

attend_status attend_wordpiece_from_json(attend_token_model **out, const attend_json *json)
{
	attend_wordpiece_config config = {"[UNK]", "##", 100};
	int64_t max_chars = 100;
	ATTEND_TRY(attend_json_get_string(&config.unk_token, json, "unk_token"));
	ATTEND_TRY(attend_json_get_string(&config.continuing_subword_prefix, json, "continuing_subword_prefix"));
	ATTEND_TRY(attend_json_get_int(&max_chars, json, "max_input_chars_per_word", 0, 1 << 30));
	config.max_input_chars_per_word = (size_t)max_chars;
	const attend_json *tokens = attend_json_get(json, "vocab");
	if (tokens == NULL) return attend_json_fail(json, "expected the member \"vocab\", found none");
	attend_vocab vocab = {0};
	const attend_status status = attend_vocab_from_json(&vocab, tokens);
	if (status != ATTEND_OK) {
		attend_vocab_free(&vocab);
		return status;
	}
	return attend_wordpiece_new(out, &vocab, &config);
}
