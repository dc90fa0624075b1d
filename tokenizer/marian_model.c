/* marian_model.c: the vocabulary of Marian (opus-mt): native SentencePiece cuts the text, vocab.json gives the ids.
 *
 * SentencePiece's Unigram (unigram_model.cc, EncodeOptimized) differs from the one of huggingface/tokenizers: path scores
 * are float32, the trie holds neither control nor unknown nor byte pieces, unused ones are skipped, user-defined ones always
 * win, and the penalty of the unknown counts from the least score of the normal pieces. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/legacy.h"

typedef struct marian {
	attend_token_model base;
	attend_vocab vocab, target; /* vocab.json; target_vocab.json or empty: then one vocabulary serves both */
	attend_trie trie;           /* values: pieces */
	int32_t *ids;               /* of the pieces, in vocab */
	float *bonus;               /* score of a piece, or of a byte of a user-defined one */
	bool *user_defined;
	float unk_score;
	bool byte_fallback;
	int32_t byte_ids[256];
} marian;

typedef struct node {
	float score;
	uint32_t start; /* UINT32_MAX: not reached */
	int32_t piece;  /* -1: unknown */
} node;

typedef struct marian_scratch {
	node *nodes;
	size_t node_capacity;
	node *path; /* last piece first; `start` and, in `score`'s place, nothing */
	size_t path_capacity;
} marian_scratch;

static const marian *self(const attend_token_model *model)
{
	return (const marian *)model;
}

static void search(const marian *model, node *nodes, const char *word, uint32_t size)
{
	for (uint32_t i = 0; i <= size; i++) nodes[i] = (node){0, UINT32_MAX, -1};
	for (uint32_t at = 0; at < size;) {
		const uint32_t length = (uint32_t)attend_utf8_size((unsigned char)word[at]);
		const float here = nodes[at].score;
		uint32_t base = model->trie.root;
		int32_t piece;
		bool single = false;
		for (uint32_t i = at; i < size && attend_trie_step(&model->trie, &base, (unsigned char)word[i], &piece); i++) {
			if (piece < 0) continue;
			const float n = (float)(i + 1 - at);
			const float score =
				(model->user_defined[piece] ? n * model->bonus[piece] - 0.1f : model->bonus[piece]) + here;
			node *to = &nodes[i + 1];
			if (to->start == UINT32_MAX || score > to->score) *to = (node){score, at, piece};
			if (i + 1 - at == length) single = true;
		}
		if (!single) {
			node *to = &nodes[at + length];
			const float score = model->unk_score + here;
			if (to->start == UINT32_MAX || score > to->score) *to = (node){score, at, -1};
		}
		at += length;
	}
}

/* A run of unknown characters: its bytes, the token that it happens to spell, or the unknown token. */
static attend_status emit_unknown(const marian *model, const char *text, uint32_t size, uint32_t start,
                                  attend_token_list *out)
{
	if (model->byte_fallback) {
		for (uint32_t i = 0; i < size; i++)
			ATTEND_TRY(attend_token_list_push(out, model->byte_ids[(unsigned char)text[i]], start, start + size));
		return ATTEND_OK;
	}
	const int32_t id = attend_vocab_find(&model->vocab, text, size);
	return attend_token_list_push(out, id >= 0 ? id : model->base.unk_id, start, start + size);
}

static attend_status tokenize(const attend_token_model *base_model, void *scratch_memory, const char *word, size_t size,
                              uint32_t base, attend_token_list *out)
{
	const marian *model = self(base_model);
	marian_scratch *scratch = scratch_memory;
	ATTEND_TRY(attend_grow(&scratch->nodes, &scratch->node_capacity, size + 1, sizeof *scratch->nodes, "a word"));
	ATTEND_TRY(attend_grow(&scratch->path, &scratch->path_capacity, size, sizeof *scratch->path, "a word"));
	search(model, scratch->nodes, word, (uint32_t)size);
	size_t count = 0;
	for (uint32_t end = (uint32_t)size; end > 0; end = scratch->nodes[end].start) {
		const node *n = &scratch->nodes[end];
		if (n->piece < 0 && count > 0 && scratch->path[count - 1].piece < 0)
			scratch->path[count - 1].start = n->start; /* unknown ones in a row are one */
		else scratch->path[count++] = *n;
	}
	for (size_t i = count; i-- > 0;) {
		const node *n = &scratch->path[i];
		const uint32_t start = n->start, end = i > 0 ? scratch->path[i - 1].start : (uint32_t)size;
		if (n->piece < 0) ATTEND_TRY(emit_unknown(model, word + start, end - start, base + start, out));
		else ATTEND_TRY(attend_token_list_push(out, model->ids[n->piece], base + start, base + end));
	}
	return ATTEND_OK;
}

static int32_t token_to_id(const attend_token_model *model, const char *token, size_t size)
{
	return attend_vocab_find(&self(model)->vocab, token, size);
}

static const char *id_to_token(const attend_token_model *model, int32_t id, size_t *size)
{
	const marian *m = self(model);
	return attend_vocab_token(m->target.count > 0 ? &m->target : &m->vocab, id, size);
}

static size_t vocab_size(const attend_token_model *model)
{
	return self(model)->vocab.live;
}

static size_t id_bound(const attend_token_model *model)
{
	const marian *m = self(model);
	return m->vocab.id_bound > m->target.id_bound ? m->vocab.id_bound : m->target.id_bound;
}

static void scratch_free(void *memory)
{
	marian_scratch *scratch = memory;
	if (scratch == NULL) return;
	free(scratch->nodes);
	free(scratch->path);
	free(scratch);
}

static attend_status scratch_new(void **out, const attend_token_model *model)
{
	(void)model;
	marian_scratch *scratch = calloc(1, sizeof *scratch);
	if (scratch == NULL) return attend_fail_memory(sizeof *scratch, "Marian");
	*out = scratch;
	return ATTEND_OK;
}

static void free_model(attend_token_model *base)
{
	marian *model = (marian *)base;
	attend_vocab_free(&model->vocab);
	attend_vocab_free(&model->target);
	attend_trie_free(&model->trie);
	free(model->ids);
	free(model->bonus);
	free(model->user_defined);
	free(model);
}

static const attend_token_model_ops ops = {
	.type = "Unigram",
	.tokenize = tokenize,
	.token_to_id = token_to_id,
	.id_to_token = id_to_token,
	.vocab_size = vocab_size,
	.id_bound = id_bound,
	.scratch_new = scratch_new,
	.scratch_free = scratch_free,
	.free = free_model,
};

static bool in_trie(attend_spm_type type)
{
	return type == ATTEND_SPM_NORMAL || type == ATTEND_SPM_USER_DEFINED;
}

static attend_status fill(marian *model, const attend_spm *spm)
{
	model->ids = attend_alloc_array(spm->count, sizeof *model->ids);
	model->bonus = attend_alloc_array(spm->count, sizeof *model->bonus);
	model->user_defined = calloc(spm->count, sizeof *model->user_defined);
	attend_trie_key *keys = attend_alloc_array(spm->count, sizeof *keys);
	if (model->ids == NULL || model->bonus == NULL || model->user_defined == NULL || keys == NULL) {
		free(keys);
		return attend_fail_memory(spm->count * sizeof *keys, "Marian");
	}
	float least = HUGE_VALF, most = -HUGE_VALF;
	for (size_t i = 0; i < spm->count; i++) {
		if (spm->pieces[i].type != ATTEND_SPM_NORMAL) continue;
		least = fminf(least, spm->pieces[i].score);
		most = fmaxf(most, spm->pieces[i].score);
	}
	model->unk_score = least - 10.0f;
	size_t count = 0;
	for (size_t i = 0; i < spm->count; i++) {
		const attend_spm_piece *piece = &spm->pieces[i];
		const int32_t id = attend_vocab_find(&model->vocab, piece->text, piece->size);
		model->ids[i] = id >= 0 ? id : model->base.unk_id;
		model->user_defined[i] = piece->type == ATTEND_SPM_USER_DEFINED;
		model->bonus[i] = model->user_defined[i] ? most : piece->score;
		if (in_trie(piece->type)) keys[count++] = (attend_trie_key){piece->text, (uint32_t)piece->size, (int32_t)i};
	}
	const attend_status status = attend_trie_build(&model->trie, keys, count);
	free(keys);
	model->byte_fallback = spm->byte_fallback;
	for (unsigned byte = 0; byte < 256; byte++) {
		char spelling[8];
		snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
		const int32_t id = attend_vocab_find(&model->vocab, spelling, 6);
		model->byte_ids[byte] = id >= 0 ? id : model->base.unk_id;
	}
	return status;
}

attend_status attend_marian_new(attend_token_model **out, attend_vocab *vocab, attend_vocab *target,
                                const attend_spm *spm, const char *unk_token)
{
	marian *model = calloc(1, sizeof *model);
	if (model == NULL) {
		attend_vocab_free(vocab);
		attend_vocab_free(target);
		return attend_fail_memory(sizeof *model, "Marian");
	}
	model->base.ops = &ops;
	model->vocab = *vocab;
	model->target = *target;
	*vocab = *target = (attend_vocab){0};
	model->base.unk_id = attend_vocab_find(&model->vocab, unk_token, strlen(unk_token));
	attend_status status = ATTEND_OK;
	if (model->base.unk_id < 0)
		status = attend_fail(ATTEND_ERR_FORMAT, "vocab.json: the unknown token \"%s\" is not in it", unk_token);
	else if (spm->model_type != ATTEND_SPM_UNIGRAM)
		status = attend_fail(ATTEND_ERR_UNSUPPORTED, "source.spm: model type %d, expected 1 (unigram)",
		                     (int)spm->model_type);
	else status = fill(model, spm);
	if (status != ATTEND_OK) {
		free_model(&model->base);
		return status;
	}
	*out = &model->base;
	return ATTEND_OK;
}
