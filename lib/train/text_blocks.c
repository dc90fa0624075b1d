/* text_blocks.c: lines to tokens to blocks, in one pass: neither text nor tokens have to fit into memory. */
#include "lib/train/text_blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/train/masking.h"
#include "lib/train/textfile.h"

typedef struct packer {
	attend_dataset *dataset;
	attend_examples *x;
	size_t length, vocab;
	bool line_breaks;
	size_t tokens;
	/* the block that is being filled */
	int32_t *ids;   /* [length] */
	uint8_t *marks; /* [length] */
	size_t filled, plain, first_line;
	size_t start_capacity, example_capacity;
} packer;

/* The block is full, or the text has ended. What teaches nothing is a rest that is too short, or full of special tokens, as no real
 * text is. */
static attend_status close_block(packer *p, bool last)
{
	attend_dataset *d = p->dataset;
	if (p->filled == 0) return ATTEND_OK;
	if (p->filled < 2 || p->plain == 0)
		return last ? ATTEND_OK
		            : attend_fail(ATTEND_ERR_DATA, "%s:%zu: a block of special tokens alone", d->path, p->first_line);
	ATTEND_TRY(attend_examples_add(p->x, &p->start_capacity, p->ids, NULL, p->marks, p->filled)); /* types: one text,
	                                                                  wherever its template would put it */
	ATTEND_TRY(attend_grow(&d->examples, &p->example_capacity, d->count + 1, sizeof *d->examples, "blocks"));
	d->examples[d->count++] = (attend_example){.text = "", .line = p->first_line, .label = -1};
	p->filled = p->plain = 0;
	return ATTEND_OK;
}

static attend_status append(packer *p, const attend_encoding *e, size_t line)
{
	for (size_t i = 0; i < e->count; i++) {
		const bool special = e->special_tokens_mask[i] != 0;
		const bool goes_on = !special && i > 0 && !e->special_tokens_mask[i - 1] && e->word_ids[i] >= 0 &&
		                     e->word_ids[i] == e->word_ids[i - 1];
		if (e->ids[i] < 0 || (size_t)e->ids[i] >= p->vocab)
			return attend_fail(ATTEND_ERR_FORMAT, "%s:%zu: the tokenizer gives id %d, the word embedding has %zu rows",
			                   p->dataset->path, line, e->ids[i], p->vocab);
		if (p->filled == p->length) ATTEND_TRY(close_block(p, false));
		if (p->filled == 0) p->first_line = line;
		p->ids[p->filled] = e->ids[i];
		p->marks[p->filled++] = (uint8_t)((special ? ATTEND_MARK_SPECIAL : 0) | (goes_on ? ATTEND_MARK_CONTINUES : 0));
		p->plain += !special;
		p->tokens++;
	}
	return ATTEND_OK;
}

static bool is_blank(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n') return false;
	return true;
}

static uint64_t hash_more(uint64_t h, const char *text, size_t size) /* FNV-1a */
{
	for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
	return h;
}

static attend_status tokenise(packer *p, const attend_tokenizer *tokenizer, attend_textstream *stream)
{
	const attend_encode_options options = {.fields = ATTEND_ENCODE_OFFSETS};
	p->dataset->hash = 0xcbf29ce484222325u;
	for (size_t line = 1;; line++) {
		const char *text = NULL;
		size_t whole = 0;
		ATTEND_TRY(attend_textstream_line(stream, &text, &whole));
		if (whole == 0) return ATTEND_OK;
		p->dataset->hash = hash_more(p->dataset->hash, text, whole);
		size_t used = whole;
		if (!p->line_breaks)
			while (used && (text[used - 1] == '\n' || text[used - 1] == '\r')) used--;
		if (!p->line_breaks && is_blank(text, used)) continue;
		attend_encoding e = {0};
		attend_status status = attend_tokenizer_encode(&e, tokenizer, text, used, &options);
		if (status == ATTEND_OK) status = append(p, &e, line);
		attend_encoding_free(&e);
		ATTEND_TRY(status);
	}
}

static attend_status describe(const packer *p)
{
	attend_buffer line = {0};
	const size_t disk = p->x->id_store.on_disk + p->x->mark_store.on_disk;
	attend_buffer_printf(&line, "text: %zu tokens in blocks of %zu", p->tokens, p->length);
	if (disk) attend_buffer_printf(&line, "; %.0f MB of them in a temporary file", (double)disk / 1e6);
	p->dataset->columns = line.data;
	return attend_buffer_status(&line);
}

static attend_status read_all(packer *p, const char *path, const char *encoding, const attend_tokenizer *tokenizer)
{
	attend_textstream *stream = NULL;
	p->ids = attend_alloc_array(p->length, sizeof *p->ids);
	p->marks = attend_alloc_array(p->length, sizeof *p->marks);
	p->dataset->path = strdup(path);
	if (!p->ids || !p->marks || !p->dataset->path) return attend_fail_memory(p->length * sizeof *p->ids, "block");
	ATTEND_TRY(attend_textstream_open(&stream, path, encoding));
	attend_status status = tokenise(p, tokenizer, stream);
	attend_textstream_close(stream);
	if (status == ATTEND_OK) status = close_block(p, true);
	if (status == ATTEND_OK) status = attend_examples_finish(p->x);
	if (status == ATTEND_OK && p->dataset->count == 0)
		status = attend_fail(ATTEND_ERR_DATA, "%s: no text to learn from", path);
	return status == ATTEND_OK ? describe(p) : status;
}

attend_status attend_text_blocks_read(attend_dataset **dataset, attend_examples *examples, const char *path,
                                      const char *encoding, const attend_tokenizer *tokenizer, size_t length,
                                      size_t vocab, bool line_breaks)
{
	attend_examples x = {0};
	packer p = {.dataset = calloc(1, sizeof(attend_dataset)),
	            .x = &x,
	            .length = length,
	            .vocab = vocab,
	            .line_breaks = line_breaks};
	if (!p.dataset) return attend_fail_memory(sizeof *p.dataset, "blocks");
	p.dataset->kind = ATTEND_LABELS_NONE;
	const attend_status status = read_all(&p, path, encoding, tokenizer);
	free(p.ids);
	free(p.marks);
	if (status != ATTEND_OK) {
		attend_dataset_free(p.dataset);
		attend_examples_free(&x);
		return status;
	}
	*dataset = p.dataset;
	*examples = x;
	return ATTEND_OK;
}
