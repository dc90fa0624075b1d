/* unigram.c: the Unigram model (Kudo 2018; huggingface/tokenizers models/unigram/model.rs): the segmentation of a word whose
 * pieces have the largest sum of scores, by Viterbi over the bytes. Pieces come from one walk of a trie a position.
 *
 * The reference's rules for what is equal or unknown: sums are float64 from left to right and a path is replaced by a
 * strictly better one only; a character that is no piece by itself costs the least score minus 10; unknown characters in a
 * row are one token. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/models.h"

typedef struct unigram {
	attend_token_model base;
	attend_unigram_pieces pieces;
	attend_trie trie; /* values: ids */
	double unk_score;
	bool byte_fallback;
	int32_t fallback_ids[256]; /* of "<0xXX>" */
} unigram;

/* The best way to reach a byte. */
typedef struct node {
	double score;
	uint32_t start; /* of the last piece; UINT32_MAX: not reached */
	int32_t id;
} node;

typedef struct piece {
	uint32_t start, end;
	int32_t id;
} piece;

typedef struct unigram_scratch {
	node *nodes;
	size_t node_capacity;
	piece *pieces; /* the answer, last piece first; unknown ones in a row are one */
	size_t piece_capacity;
} unigram_scratch;

static const unigram *self(const attend_token_model *model)
{
	return (const unigram *)model;
}

static inline void relax(node *to, double score, uint32_t start, int32_t id)
{
	if (to->start == UINT32_MAX || score > to->score) *to = (node){score, start, id};
}

/* Fill nodes[0 .. size]. */
static attend_status search(const unigram *model, node *nodes, const char *word, uint32_t size)
{
	for (uint32_t i = 0; i <= size; i++) nodes[i].start = UINT32_MAX;
	nodes[0].score = 0;
	for (uint32_t at = 0; at < size;) {
		const uint32_t length = (uint32_t)attend_utf8_size((unsigned char)word[at]);
		const double here = nodes[at].score;
		uint32_t base = model->trie.root;
		int32_t id;
		bool single = false;
		for (uint32_t i = at; i < size && attend_trie_step(&model->trie, &base, (unsigned char)word[i], &id); i++) {
			if (id < 0) continue;
			relax(&nodes[i + 1], model->pieces.scores[id] + here, at, id);
			if (i + 1 - at == length) single = true;
		}
		if (!single) {
			if (model->base.unk_id < 0)
				return attend_fail(ATTEND_ERR_FORMAT,
				                   "a character is not in the vocabulary, which has no unknown token");
			relax(&nodes[at + length], model->unk_score + here, at, model->base.unk_id);
		}
		at += length;
	}
	return ATTEND_OK;
}

/* A run of unknown pieces: the token that it happens to spell, its bytes, or the unknown token. */
static attend_status emit_unknown(const unigram *model, const char *text, uint32_t size, uint32_t start,
                                  attend_token_list *out)
{
	const int32_t id = attend_vocab_find(&model->pieces.vocab, text, size);
	if (id < 0 && model->byte_fallback) {
		bool all = true;
		for (uint32_t i = 0; i < size && all; i++) all = model->fallback_ids[(unsigned char)text[i]] >= 0;
		for (uint32_t i = 0; i < size && all; i++)
			ATTEND_TRY(attend_token_list_push(out, model->fallback_ids[(unsigned char)text[i]], start, start + size));
		if (all) return ATTEND_OK;
	}
	return attend_token_list_push(out, id >= 0 ? id : model->base.unk_id, start, start + size);
}

static attend_status tokenize(const attend_token_model *base_model, void *scratch_memory, const char *word, size_t size,
                              uint32_t base, attend_token_list *out)
{
	const unigram *model = self(base_model);
	unigram_scratch *scratch = scratch_memory;
	ATTEND_TRY(attend_grow(&scratch->nodes, &scratch->node_capacity, size + 1, sizeof *scratch->nodes, "a word"));
	ATTEND_TRY(attend_grow(&scratch->pieces, &scratch->piece_capacity, size, sizeof *scratch->pieces, "a word"));
	node *nodes = scratch->nodes;
	ATTEND_TRY(search(model, nodes, word, (uint32_t)size));
	size_t count = 0;
	bool open = false; /* the last piece put is unknown: one more in front of it joins it */
	for (uint32_t end = (uint32_t)size; end > 0; end = nodes[end].start) {
		const bool unknown = nodes[end].id == model->base.unk_id;
		if (unknown && open) scratch->pieces[count - 1].start = nodes[end].start;
		else scratch->pieces[count++] = (piece){nodes[end].start, end, nodes[end].id};
		open = unknown;
	}
	ATTEND_TRY(attend_token_list_reserve(out, count));
	for (size_t i = count; i-- > 0;) {
		const piece p = scratch->pieces[i];
		if (p.id == model->base.unk_id)
			ATTEND_TRY(emit_unknown(model, word + p.start, p.end - p.start, base + p.start, out));
		else ATTEND_TRY(attend_token_list_push(out, p.id, base + p.start, base + p.end));
	}
	return ATTEND_OK;
}

static int32_t token_to_id(const attend_token_model *model, const char *token, size_t size)
{
	return attend_vocab_find(&self(model)->pieces.vocab, token, size);
}

static const char *id_to_token(const attend_token_model *model, int32_t id, size_t *size)
{
	return attend_vocab_token(&self(model)->pieces.vocab, id, size);
}

static size_t vocab_size(const attend_token_model *model)
{
	return self(model)->pieces.count;
}

static void scratch_free(void *memory)
{
	unigram_scratch *scratch = memory;
	if (scratch == NULL) return;
	free(scratch->nodes);
	free(scratch->pieces);
	free(scratch);
}

static attend_status scratch_new(void **out, const attend_token_model *model)
{
	(void)model;
	unigram_scratch *scratch = calloc(1, sizeof *scratch);
	if (scratch == NULL) return attend_fail_memory(sizeof *scratch, "Unigram");
	*out = scratch;
	return ATTEND_OK;
}

static void free_model(attend_token_model *base)
{
	unigram *model = (unigram *)base;
	attend_unigram_pieces_free(&model->pieces);
	attend_trie_free(&model->trie);
	free(model);
}

static const attend_token_model_ops ops = {
	.type = "Unigram",
	.tokenize = tokenize,
	.token_to_id = token_to_id,
	.id_to_token = id_to_token,
	.vocab_size = vocab_size,
	.id_bound = vocab_size,
	.scratch_new = scratch_new,
	.scratch_free = scratch_free,
	.free = free_model,
};

/* ---- making one ---- */

attend_status attend_unigram_pieces_add(attend_unigram_pieces *pieces, const char *piece, size_t size, double score)
{
	ATTEND_TRY(
		attend_grow(&pieces->scores, &pieces->capacity, pieces->count + 1, sizeof *pieces->scores, "vocabulary"));
	ATTEND_TRY(attend_vocab_append(&pieces->vocab, piece, size));
	pieces->scores[pieces->count++] = score;
	return ATTEND_OK;
}

void attend_unigram_pieces_free(attend_unigram_pieces *pieces)
{
	attend_vocab_free(&pieces->vocab);
	free(pieces->scores);
	*pieces = (attend_unigram_pieces){0};
}

attend_status attend_unigram_new(attend_token_model **out, attend_unigram_pieces *pieces, int32_t unk_id,
                                 bool byte_fallback)
{
	unigram *model = calloc(1, sizeof *model);
	if (model == NULL) {
		attend_unigram_pieces_free(pieces);
		return attend_fail_memory(sizeof *model, "Unigram");
	}
	model->base.ops = &ops;
	model->base.unk_id = unk_id;
	model->base.surface_unk = true;
	model->pieces = *pieces;
	*pieces = (attend_unigram_pieces){0};
	model->byte_fallback = byte_fallback;
	attend_status status = ATTEND_OK;
	if (unk_id >= 0 && (size_t)unk_id >= model->pieces.count)
		status = attend_fail(ATTEND_ERR_FORMAT, "the unknown token's id %d is not below the vocabulary's size %zu",
		                     unk_id, model->pieces.count);
	for (unsigned byte = 0; byte < 256; byte++) {
		char spelling[8];
		snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
		model->fallback_ids[byte] = attend_vocab_find(&model->pieces.vocab, spelling, 6);
	}
	double least = HUGE_VAL;
	for (size_t i = 0; i < model->pieces.count; i++)
		if (model->pieces.scores[i] < least) least = model->pieces.scores[i];
	model->unk_score = least - 10.0;
	if (status == ATTEND_OK) status = attend_vocab_trie(&model->trie, &model->pieces.vocab);
	if (status != ATTEND_OK) {
		free_model(&model->base);
		return status;
	}
	*out = &model->base;
	return ATTEND_OK;
}

/* [["piece", score], ...] */
static attend_status read_pieces(attend_unigram_pieces *pieces, const attend_json *vocab)
{
	if (attend_json_type(vocab) != ATTEND_JSON_ARRAY)
		return attend_json_fail(vocab, "expected an array of [piece, score], found %s", attend_json_type_name(vocab));
	for (const attend_json *item = attend_json_first(vocab); item != NULL; item = attend_json_next(item)) {
		const attend_json *piece = attend_json_first(item);
		const attend_json *score = piece != NULL ? attend_json_next(piece) : NULL;
		if (attend_json_type(item) != ATTEND_JSON_ARRAY || score == NULL || attend_json_next(score) != NULL)
			return attend_json_fail(item, "expected [piece, score]");
		const char *text;
		size_t size;
		double value;
		ATTEND_TRY(attend_json_as_string(&text, &size, piece));
		ATTEND_TRY(attend_json_as_serde_double(&value, score));
		ATTEND_TRY(attend_unigram_pieces_add(pieces, text, size, value));
	}
	return ATTEND_OK;
}

attend_status attend_unigram_from_json(attend_token_model **out, const attend_json *json)
{
	const attend_json *vocab = attend_json_get(json, "vocab");
	if (vocab == NULL) return attend_json_fail(json, "expected the member \"vocab\", found none");
	bool byte_fallback = false;
	int64_t unk_id = -1;
	ATTEND_TRY(attend_json_get_bool(&byte_fallback, json, "byte_fallback"));
	const int64_t count = (int64_t)attend_json_count(vocab);
	ATTEND_TRY(attend_json_get_int(&unk_id, json, "unk_id", 0, count > 0 ? count - 1 : 0));
	attend_unigram_pieces pieces = {0};
	const attend_status status = read_pieces(&pieces, vocab);
	if (status != ATTEND_OK) {
		attend_unigram_pieces_free(&pieces);
		return status;
	}
	return attend_unigram_new(out, &pieces, (int32_t)unk_id, byte_fallback);
}
