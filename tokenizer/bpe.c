/* bpe.c: the BPE model (Sennrich et al. 2016; Radford et al. 2019; huggingface/tokenizers models/bpe/model.rs): a word is
 * taken apart into characters, and pairs are merged in the order of the merges list. Dropout belongs to training: it is
 * read and has no effect here.
 *
 * After a ByteLevel stage every byte is a known character: then words come as raw bytes (use_bytes) and a table of 256 ids
 * starts the merging. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/models.h"

typedef struct bpe {
	attend_token_model base;
	attend_vocab vocab;
	attend_merge_table merges;
	char *prefix, *suffix; /* owned; "" for none */
	size_t prefix_size, suffix_size;
	bool has_unk; /* an unk_token is named; base.unk_id is -1 when the vocabulary lacks it */
	bool fuse_unk, byte_fallback, ignore_merges;
	bool bytes;                /* words are raw bytes */
	int32_t byte_ids[256];     /* of the byte's character in GPT-2's table */
	int32_t ascii_ids[128];    /* of undecorated characters */
	int32_t fallback_ids[256]; /* of "<0xXX>" */
	attend_vocab raw;          /* with `bytes` and ignore_merges: tokens as raw bytes */
} bpe;

typedef struct bpe_scratch {
	attend_merge_scratch merging;
	char *spelling; /* prefix, character, suffix */
	size_t count;
} bpe_scratch;

static const bpe *self(const attend_token_model *model)
{
	return (const bpe *)model;
}

/* ---- a word into symbols ---- */

static attend_status add(bpe_scratch *scratch, int32_t id, uint32_t size)
{
	attend_merge_scratch *merging = &scratch->merging;
	if (scratch->count >= UINT32_MAX / 4) return attend_fail(ATTEND_ERR_DATA, "a word of more than 2^30 symbols");
	ATTEND_TRY(attend_grow(&merging->symbols, &merging->symbol_capacity, scratch->count + 1, sizeof *merging->symbols,
	                       "a word"));
	merging->symbols[scratch->count++] = (attend_symbol){id, size, 0, 0};
	return ATTEND_OK;
}

/* Ids of all bytes of a spelling, if the vocabulary has them all. */
static attend_status add_bytes(const bpe *model, bpe_scratch *scratch, const char *spelling, size_t size, bool *done)
{
	*done = false;
	for (size_t i = 0; i < size; i++)
		if (model->fallback_ids[(unsigned char)spelling[i]] < 0) return ATTEND_OK;
	for (size_t i = 0; i < size; i++) ATTEND_TRY(add(scratch, model->fallback_ids[(unsigned char)spelling[i]], 1));
	*done = true;
	return ATTEND_OK;
}

/* An unknown character without unk token vanishes, its bytes too: what follows takes over its place in the offsets, as in
 * the reference. So does the order of an unknown character that waits to be fused and of bytes that come meanwhile. */
static attend_status split_text(const bpe *model, bpe_scratch *scratch, const char *word, size_t size)
{
	const bool decorated = model->prefix_size > 0 || model->suffix_size > 0;
	uint32_t unknown = 0; /* bytes of unknown characters that wait */
	for (size_t i = 0, n; i < size; i += n) {
		n = attend_utf8_size((unsigned char)word[i]);
		const char *spelling = word + i;
		size_t length = n;
		int32_t id;
		if (decorated) {
			const size_t before = i > 0 ? model->prefix_size : 0, after = i + n == size ? model->suffix_size : 0;
			memcpy(scratch->spelling, model->prefix, before);
			memcpy(scratch->spelling + before, word + i, n);
			memcpy(scratch->spelling + before + n, model->suffix, after);
			spelling = scratch->spelling;
			length = before + n + after;
			id = attend_vocab_find(&model->vocab, spelling, length);
		} else if (n == 1) {
			id = model->ascii_ids[(unsigned char)word[i] & 127];
		} else {
			id = attend_vocab_find(&model->vocab, spelling, length);
		}
		if (id >= 0) {
			if (unknown > 0) ATTEND_TRY(add(scratch, model->base.unk_id, unknown));
			unknown = 0;
			ATTEND_TRY(add(scratch, id, (uint32_t)n));
			continue;
		}
		bool done = false;
		if (model->byte_fallback) ATTEND_TRY(add_bytes(model, scratch, spelling, length, &done));
		if (done || !model->has_unk) continue;
		if (model->base.unk_id < 0)
			return attend_fail(ATTEND_ERR_FORMAT,
			                   "a character is not in the vocabulary, and neither is the unknown token");
		if (unknown > 0 && !model->fuse_unk) {
			ATTEND_TRY(add(scratch, model->base.unk_id, unknown));
			unknown = 0;
		}
		unknown += (uint32_t)n;
	}
	if (unknown > 0) ATTEND_TRY(add(scratch, model->base.unk_id, unknown));
	return ATTEND_OK;
}

static attend_status split_bytes(const bpe *model, bpe_scratch *scratch, const char *word, size_t size)
{
	attend_merge_scratch *merging = &scratch->merging;
	ATTEND_TRY(attend_grow(&merging->symbols, &merging->symbol_capacity, size, sizeof *merging->symbols, "a word"));
	for (size_t i = 0; i < size; i++)
		merging->symbols[i] = (attend_symbol){model->byte_ids[(unsigned char)word[i]], 1, 0, 0};
	scratch->count = size;
	return ATTEND_OK;
}

static attend_status tokenize(const attend_token_model *base_model, void *scratch_memory, const char *word, size_t size,
                              uint32_t base, attend_token_list *out)
{
	const bpe *model = self(base_model);
	bpe_scratch *scratch = scratch_memory;
	if (model->ignore_merges) {
		const int32_t id = attend_vocab_find(model->bytes ? &model->raw : &model->vocab, word, size);
		if (id >= 0) return attend_token_list_push(out, id, base, base + (uint32_t)size);
	}
	scratch->count = 0;
	ATTEND_TRY(model->bytes ? split_bytes(model, scratch, word, size) : split_text(model, scratch, word, size));
	ATTEND_TRY(attend_merge_symbols(&model->merges, &scratch->merging, &scratch->count));
	ATTEND_TRY(attend_token_list_reserve(out, scratch->count));
	uint32_t start = 0;
	for (size_t i = 0; i < scratch->count; i++) {
		const attend_symbol *symbol = &scratch->merging.symbols[i];
		uint32_t end = start + symbol->size;
		if (end > size) end = (uint32_t)size; /* bytes of a prefix or suffix count in the reference's offsets */
		attend_token_list_put(out, symbol->id, base + start, base + end);
		start = end;
	}
	return ATTEND_OK;
}

/* ---- the other functions of a model ---- */

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

/* Tokens as the bytes that their characters stand for, for ignore_merges. */
static attend_status make_raw(bpe *model)
{
	char *bytes = NULL;
	size_t capacity = 0;
	attend_status status = ATTEND_OK;
	for (size_t e = 0; status == ATTEND_OK && e < model->vocab.count; e++) {
		const attend_vocab_entry *entry = &model->vocab.entries[e];
		const char *token = model->vocab.pool + entry->start;
		if (attend_vocab_find(&model->vocab, token, entry->size) != entry->id) continue; /* replaced */
		if ((status = attend_grow(&bytes, &capacity, (size_t)entry->size + 1, 1, "vocabulary")) != ATTEND_OK) break;
		size_t count = 0;
		bool known = entry->size > 0;
		for (size_t i = 0, n; known && i < entry->size; i += n) {
			const int byte = attend_char_to_byte(attend_utf8_decode(token + i, &n));
			known = byte >= 0;
			if (known) bytes[count++] = (char)byte;
		}
		if (known) status = attend_vocab_put(&model->raw, bytes, count, entry->id);
	}
	free(bytes);
	return status;
}

static bool use_bytes(attend_token_model *base)
{
	bpe *model = (bpe *)base;
	if (model->prefix_size > 0 || model->suffix_size > 0) return false;
	for (int byte = 0; byte < 256; byte++) {
		char spelling[4];
		const size_t size = attend_utf8_encode(spelling, attend_byte_to_char((unsigned char)byte));
		model->byte_ids[byte] = attend_vocab_find(&model->vocab, spelling, size);
		if (model->byte_ids[byte] < 0) return false;
	}
	if (model->ignore_merges && make_raw(model) != ATTEND_OK) {
		attend_vocab_free(&model->raw);
		return false;
	}
	model->bytes = true;
	return true;
}

static void scratch_free(void *memory)
{
	bpe_scratch *scratch = memory;
	if (scratch == NULL) return;
	attend_merge_scratch_free(&scratch->merging);
	free(scratch->spelling);
	free(scratch);
}

static attend_status scratch_new(void **out, const attend_token_model *model)
{
	bpe_scratch *scratch = calloc(1, sizeof *scratch);
	const size_t size = self(model)->prefix_size + 4 + self(model)->suffix_size;
	if (scratch != NULL) scratch->spelling = malloc(size);
	if (scratch == NULL || scratch->spelling == NULL) {
		scratch_free(scratch);
		return attend_fail_memory(size, "BPE");
	}
	*out = scratch;
	return ATTEND_OK;
}

static void free_model(attend_token_model *base)
{
	bpe *model = (bpe *)base;
	attend_vocab_free(&model->vocab);
	attend_vocab_free(&model->raw);
	attend_merge_table_free(&model->merges);
	free(model->prefix);
	free(model->suffix);
	free(model);
}

static const attend_token_model_ops ops = {
	.type = "BPE",
	.tokenize = tokenize,
	.token_to_id = token_to_id,
	.id_to_token = id_to_token,
	.vocab_size = vocab_size,
	.id_bound = id_bound,
	.use_bytes = use_bytes,
	.scratch_new = scratch_new,
	.scratch_free = scratch_free,
	.free = free_model,
};

/* ---- making one ---- */

/* "ab" of "a" and "b", or of "a" and "##b": the part that continues loses its prefix. */
static attend_status read_merge(bpe *model, const attend_merge *merge, uint32_t rank)
{
	const int32_t left = attend_vocab_find(&model->vocab, merge->left, merge->left_size);
	const int32_t right = attend_vocab_find(&model->vocab, merge->right, merge->right_size);
	if (left < 0 || right < 0) {
		const bool bad_left = left < 0;
		return attend_fail(ATTEND_ERR_FORMAT, "the merge's %s part \"%.*s\" is not in the vocabulary",
		                   bad_left ? "left" : "right", (int)(bad_left ? merge->left_size : merge->right_size),
		                   bad_left ? merge->left : merge->right);
	}
	if (merge->right_size < model->prefix_size)
		return attend_fail(ATTEND_ERR_FORMAT, "the merge's right part \"%.*s\" lacks the prefix \"%s\"",
		                   (int)merge->right_size, merge->right, model->prefix);
	const size_t rest = merge->right_size - model->prefix_size, size = merge->left_size + rest;
	char small[256], *token = size <= sizeof small ? small : malloc(size);
	if (token == NULL) return attend_fail_memory(size, "merges");
	memcpy(token, merge->left, merge->left_size);
	memcpy(token + merge->left_size, merge->right + model->prefix_size, rest);
	const int32_t id = attend_vocab_find(&model->vocab, token, size);
	attend_status status = ATTEND_OK;
	if (id < 0)
		status = attend_fail(ATTEND_ERR_FORMAT, "the merged token \"%.*s\" is not in the vocabulary", (int)size, token);
	else attend_merge_table_put(&model->merges, left, right, rank, id);
	if (token != small) free(token);
	return status;
}

static attend_status fill(bpe *model, const attend_merge *merges, size_t count, const attend_bpe_config *config,
                          size_t *bad_merge)
{
	model->prefix = strdup(config->continuing_subword_prefix != NULL ? config->continuing_subword_prefix : "");
	model->suffix = strdup(config->end_of_word_suffix != NULL ? config->end_of_word_suffix : "");
	if (model->prefix == NULL || model->suffix == NULL) return attend_fail_memory(1, "BPE");
	model->prefix_size = strlen(model->prefix);
	model->suffix_size = strlen(model->suffix);
	model->has_unk = config->unk_token != NULL;
	model->base.unk_id =
		model->has_unk ? attend_vocab_find(&model->vocab, config->unk_token, strlen(config->unk_token)) : -1;
	model->fuse_unk = config->fuse_unk;
	model->byte_fallback = config->byte_fallback;
	model->ignore_merges = config->ignore_merges;
	for (int c = 0; c < 128; c++) {
		const char byte = (char)c;
		model->ascii_ids[c] = attend_vocab_find(&model->vocab, &byte, 1);
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		char spelling[8];
		snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
		model->fallback_ids[byte] = attend_vocab_find(&model->vocab, spelling, 6);
	}
	if (count > UINT32_MAX - 1) return attend_fail(ATTEND_ERR_UNSUPPORTED, "%zu merges are more than 2^32", count);
	ATTEND_TRY(attend_merge_table_init(&model->merges, count));
	for (size_t i = 0; i < count; i++) {
		const attend_status status = read_merge(model, &merges[i], (uint32_t)i);
		if (status == ATTEND_ERR_FORMAT) *bad_merge = i;
		ATTEND_TRY(status);
	}
	return ATTEND_OK;
}

attend_status attend_bpe_new(attend_token_model **out, attend_vocab *vocab, const attend_merge *merges, size_t count,
                             const attend_bpe_config *config, size_t *bad_merge)
{
	*bad_merge = SIZE_MAX;
	bpe *model = calloc(1, sizeof *model);
	if (model == NULL) {
		attend_vocab_free(vocab);
		return attend_fail_memory(sizeof *model, "BPE");
	}
	model->base.ops = &ops;
	model->vocab = *vocab;
	memset(vocab, 0, sizeof *vocab);
	const attend_status status = fill(model, merges, count, config, bad_merge);
	if (status != ATTEND_OK) {
		free_model(&model->base);
		return status;
	}
	*out = &model->base;
	return ATTEND_OK;
}

bool attend_merge_split(attend_merge *out, const char *text, size_t size)
{
	const char *space = memchr(text, ' ', size);
	if (space == NULL) return false;
	const size_t left = (size_t)(space - text);
	if (memchr(space + 1, ' ', size - left - 1) != NULL) return false;
	*out = (attend_merge){text, space + 1, left, size - left - 1};
	return true;
}
