/* text_blocks.c: lines to tokens to blocks. */
#include "lib/train/text_blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/train/masking.h"
#include "lib/train/textfile.h"

typedef struct packer {
	attend_dataset *dataset;
	attend_examples *x;
	size_t length, vocab;
	bool line_breaks;
	size_t tokens, id_capacity, type_capacity, mark_capacity;
	size_t *lines; /* line of each token */
	size_t line_capacity;
} packer;

static attend_status append(packer *p, const attend_encoding *e, size_t line)
{
	attend_examples *x = p->x;
	const size_t total = p->tokens + e->count;
	ATTEND_TRY(attend_grow(&x->ids, &p->id_capacity, total, sizeof *x->ids, "token ids"));
	ATTEND_TRY(attend_grow(&x->types, &p->type_capacity, total, sizeof *x->types, "token types"));
	ATTEND_TRY(attend_grow(&x->marks, &p->mark_capacity, total, sizeof *x->marks, "token marks"));
	ATTEND_TRY(attend_grow(&p->lines, &p->line_capacity, total, sizeof *p->lines, "token lines"));
	for (size_t i = 0; i < e->count; i++) {
		const bool special = e->special_tokens_mask[i] != 0;
		const bool goes_on = !special && i > 0 && !e->special_tokens_mask[i - 1] && e->word_ids[i] >= 0 &&
		                     e->word_ids[i] == e->word_ids[i - 1];
		if (e->ids[i] < 0 || (size_t)e->ids[i] >= p->vocab)
			return attend_fail(ATTEND_ERR_FORMAT, "%s:%zu: the tokenizer gives id %d, the word embedding has %zu rows",
			                   p->dataset->path, line, e->ids[i], p->vocab);
		x->ids[p->tokens] = e->ids[i];
		x->types[p->tokens] = 0; /* one text, wherever its template would put it */
		x->marks[p->tokens] = (uint8_t)((special ? ATTEND_MARK_SPECIAL : 0) | (goes_on ? ATTEND_MARK_CONTINUES : 0));
		p->lines[p->tokens++] = line;
	}
	return ATTEND_OK;
}

static bool is_blank(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n') return false;
	return true;
}

static attend_status tokenise(packer *p, const attend_tokenizer *tokenizer, const char *text, size_t size)
{
	const attend_encode_options options = {.fields = ATTEND_ENCODE_OFFSETS};
	size_t line = 1;
	for (size_t at = 0; at < size; line++) {
		const char *newline = memchr(text + at, '\n', size - at);
		const size_t whole = newline ? (size_t)(newline - text) - at + 1 : size - at;
		size_t used = whole;
		if (!p->line_breaks)
			while (used && (text[at + used - 1] == '\n' || text[at + used - 1] == '\r')) used--;
		if (p->line_breaks || !is_blank(text + at, used)) {
			attend_encoding e = {0};
			attend_status status = attend_tokenizer_encode(&e, tokenizer, text + at, used, &options);
			if (status == ATTEND_OK) status = append(p, &e, line);
			attend_encoding_free(&e);
			ATTEND_TRY(status);
		}
		at += whole;
	}
	return ATTEND_OK;
}

static bool teaches(const packer *p, size_t start, size_t end)
{
	size_t plain = 0;
	for (size_t i = start; i < end; i++) plain += !(p->x->marks[i] & ATTEND_MARK_SPECIAL);
	return end - start > 1 && plain > 0;
}

static attend_status cut(packer *p)
{
	attend_dataset *d = p->dataset;
	const size_t blocks = p->tokens / p->length + 1;
	p->x->starts = attend_alloc_array(blocks + 1, sizeof *p->x->starts);
	d->examples = calloc(blocks, sizeof *d->examples);
	if (!p->x->starts || !d->examples) return attend_fail_memory(blocks * sizeof *d->examples, "blocks");
	size_t start = 0;
	for (size_t end; start < p->tokens; start = end) {
		end = p->tokens - start < p->length ? p->tokens : start + p->length;
		if (!teaches(p, start, end)) { /* full of special tokens (no real text is), or a rest that is too short */
			if (end == p->tokens) break;
			return attend_fail(ATTEND_ERR_DATA, "%s:%zu: a block of special tokens alone", d->path, p->lines[start]);
		}
		d->examples[d->count] = (attend_example){.text = "", .line = p->lines[start], .label = -1};
		p->x->starts[d->count++] = start;
		if (end - start > p->x->longest) p->x->longest = end - start;
	}
	p->x->starts[d->count] = start;
	p->x->count = d->count;
	if (d->count == 0) return attend_fail(ATTEND_ERR_DATA, "%s: no text to learn from", d->path);
	return ATTEND_OK;
}

static uint64_t hash_text(const char *text, size_t size) /* FNV-1a */
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
	return h;
}

static attend_status describe(const packer *p)
{
	char line[96];
	snprintf(line, sizeof line, "text: %zu tokens in blocks of %zu", p->tokens, p->length);
	p->dataset->columns = strdup(line);
	return p->dataset->columns ? ATTEND_OK : attend_fail_memory(sizeof line, "blocks");
}

static attend_status read_all(packer *p, const char *path, const char *encoding, const attend_tokenizer *tokenizer)
{
	char *text = NULL;
	size_t size = 0;
	if (!(p->dataset->path = strdup(path))) return attend_fail_memory(strlen(path), "path");
	ATTEND_TRY(attend_textfile_read(&text, &size, path, encoding));
	p->dataset->hash = hash_text(text, size);
	attend_status status = tokenise(p, tokenizer, text, size);
	free(text);
	if (status == ATTEND_OK) status = cut(p);
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
	free(p.lines);
	if (status != ATTEND_OK) {
		attend_dataset_free(p.dataset);
		attend_examples_free(&x);
		return status;
	}
	*dataset = p.dataset;
	*examples = x;
	return ATTEND_OK;
}
