/* train_vocab.c: training a vocabulary: texts are cut into words as the finished tokenizer will cut them, words are counted,
 * and merges or pieces are learned from the counts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/train.h"

enum {
	MOST_WORDS = 1 << 24, /* distinct words kept; beyond it the rarest are forgotten */
	LONG_LINE = 1 << 20   /* bytes; a longer line is cut between words */
};

struct attend_vocab_trainer {
	attend_vocab_options options;
	attend_normalizer *normalizer;
	attend_pretokenizer *pretokenizer;
	attend_words words; /* scratch */
	attend_word_counts counts;
	uint64_t pruned; /* words that occurred less often have been forgotten */
	size_t bytes;    /* counted so far */
};

/* What each kind stands for. */
static const struct kind {
	const char *normalizer, *cased_normalizer, *pretokenizer;
	const char *special_tokens[6]; /* NULL ends */
	bool bytes;                    /* words are raw bytes */
} kinds[] = {
	[ATTEND_VOCAB_BERT] = {"{\"type\":\"BertNormalizer\",\"lowercase\":true}",
                           "{\"type\":\"BertNormalizer\",\"lowercase\":false}",
                           "{\"type\":\"BertPreTokenizer\"}",
                           {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"},
                           false},
	[ATTEND_VOCAB_GPT2] = {NULL, NULL, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", {"<|endoftext|>"}, true},
	[ATTEND_VOCAB_ROBERTA] = {NULL,
                              NULL,
                              "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}",
                              {"<s>", "<pad>", "</s>", "<unk>", "<mask>"},
                              true},
	[ATTEND_VOCAB_T5] = {NULL,
                         NULL,
                         "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},"
                         "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"always\"}]}",
                         {"<pad>", "</s>", "<unk>"},
                         false},
};

/* ---- life ---- */

static size_t or_default(size_t value, size_t other)
{
	return value > 0 ? value : other;
}

static attend_status check_options(const attend_vocab_options *o)
{
	if ((unsigned)o->kind >= sizeof kinds / sizeof *kinds)
		return attend_fail(ATTEND_ERR_ARG, "unknown kind of vocabulary %d", (int)o->kind);
	if (o->vocab_size > ATTEND_TOKEN_ID_LIMIT || o->extra_ids > ATTEND_TOKEN_ID_LIMIT / 2)
		return attend_fail(ATTEND_ERR_ARG, "a vocabulary of more than %d tokens", ATTEND_TOKEN_ID_LIMIT);
	if (o->extra_ids > 0 && o->kind != ATTEND_VOCAB_T5)
		return attend_fail(ATTEND_ERR_ARG, "extra ids belong to T5 alone");
	if (o->special_count > 0 && o->special_tokens == NULL) return attend_fail(ATTEND_ERR_ARG, "special_tokens is NULL");
	for (size_t i = 0; i < o->special_count; i++) {
		const char *token = o->special_tokens[i];
		if (token == NULL || *token == 0 || strpbrk(token, "\r\n") != NULL ||
		    attend_utf8_valid_prefix(token, strlen(token)) != strlen(token))
			return attend_fail(ATTEND_ERR_ARG, "special token %zu is empty, has a line end or is no UTF-8", i);
	}
	return ATTEND_OK;
}

attend_status attend_vocab_trainer_new(attend_vocab_trainer **out, const attend_vocab_options *options)
{
	if (out == NULL || options == NULL) return attend_fail(ATTEND_ERR_ARG, "attend_vocab_trainer_new: NULL argument");
	ATTEND_TRY(check_options(options));
	attend_vocab_trainer *trainer = calloc(1, sizeof *trainer);
	if (trainer == NULL) return attend_fail_memory(sizeof *trainer, "vocabulary trainer");
	attend_vocab_options *o = &trainer->options;
	*o = *options;
	o->vocab_size = or_default(o->vocab_size, 30000);
	o->min_frequency = or_default(o->min_frequency, 2);
	o->limit_alphabet = or_default(o->limit_alphabet, 1000);
	o->max_token_length = or_default(o->max_token_length, o->kind == ATTEND_VOCAB_T5 ? 16 : SIZE_MAX);
	const struct kind *kind = &kinds[o->kind];
	const char *normalizer = o->cased ? kind->cased_normalizer : kind->normalizer;
	attend_status status = attend_pretokenizer_from_text(&trainer->pretokenizer, kind->pretokenizer);
	if (status == ATTEND_OK && normalizer != NULL)
		status = attend_normalizer_from_text(&trainer->normalizer, normalizer);
	if (status != ATTEND_OK) {
		attend_vocab_trainer_free(trainer);
		return status;
	}
	*out = trainer;
	return ATTEND_OK;
}

void attend_vocab_trainer_free(attend_vocab_trainer *trainer)
{
	if (trainer == NULL) return;
	attend_normalizer_free(trainer->normalizer);
	attend_pretokenizer_free(trainer->pretokenizer);
	attend_words_free(&trainer->words);
	attend_word_counts_free(&trainer->counts);
	free(trainer);
}

/* ---- counting ---- */

attend_status attend_vocab_trainer_add(attend_vocab_trainer *trainer, const char *text, size_t size)
{
	if (trainer == NULL || (text == NULL && size > 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_vocab_trainer_add: NULL argument");
	if (size == 0) return ATTEND_OK;
	const size_t valid = attend_utf8_valid_prefix(text, size);
	if (valid < size)
		return attend_fail(ATTEND_ERR_DATA, "text is not UTF-8: byte 0x%02x at position %zu",
		                   (unsigned char)text[valid], valid);
	attend_words *words = &trainer->words;
	ATTEND_TRY(attend_normalized_set(&words->n, text, size, 0, false));
	ATTEND_TRY(attend_normalizer_run(trainer->normalizer, &words->n));
	ATTEND_TRY(attend_pretokenizer_run(trainer->pretokenizer, words, kinds[trainer->options.kind].bytes));
	for (size_t i = 0; i < words->spans.count; i++) {
		const attend_span span = words->spans.items[i];
		ATTEND_TRY(attend_word_counts_add(&trainer->counts, words->n.text + span.start, span.end - span.start, 1));
	}
	while (trainer->counts.count > MOST_WORDS) {
		attend_log(ATTEND_LOG_WARNING, "more than %d distinct words: those seen less than %llu times are forgotten",
		           (int)MOST_WORDS, (unsigned long long)trainer->pruned + 2);
		ATTEND_TRY(attend_word_counts_prune(&trainer->counts, ++trainer->pruned + 1));
	}
	trainer->bytes += size;
	return ATTEND_OK;
}

/* Where to cut a line that is too long: behind its last space, else between characters. */
static size_t cut_of(const char *line, size_t size)
{
	for (size_t i = size; i-- > size / 2;)
		if (line[i] == ' ') return i;
	size_t cut = size - 1;
	while (cut > size - 4 && !attend_utf8_is_start(line[cut])) cut--;
	return cut;
}

typedef struct line_reader {
	FILE *file;
	char *buffer;
	size_t capacity, size, start; /* bytes start .. size - 1 are unread lines */
	bool end;
} line_reader;

/* The next line with its end; *size 0: no more. */
static attend_status next_line(const char **line, size_t *size, line_reader *r)
{
	size_t seen = r->start;
	for (;;) {
		const char *newline = seen < r->size ? memchr(r->buffer + seen, '\n', r->size - seen) : NULL;
		if (newline != NULL) *size = (size_t)(newline - r->buffer) + 1 - r->start;
		else if (r->end) *size = r->size - r->start;
		else if (r->size - r->start >= LONG_LINE) *size = cut_of(r->buffer + r->start, r->size - r->start);
		else *size = 0;
		if (*size > 0 || r->end) {
			*line = r->buffer + r->start;
			r->start += *size;
			return ATTEND_OK;
		}
		if (r->start > 0) memmove(r->buffer, r->buffer + r->start, r->size - r->start);
		r->size -= r->start;
		r->start = 0;
		seen = r->size;
		ATTEND_TRY(attend_grow(&r->buffer, &r->capacity, r->size + (1 << 16), 1, "text"));
		const size_t got = fread(r->buffer + r->size, 1, r->capacity - r->size, r->file);
		if (got == 0 && ferror(r->file)) return attend_fail(ATTEND_ERR_IO, "%s", strerror(errno));
		r->size += got;
		r->end = got == 0;
	}
}

static attend_status add_lines(attend_vocab_trainer *trainer, line_reader *r)
{
	const attend_vocab_options *o = &trainer->options;
	for (size_t number = 1, told = 0;; number++) {
		const char *line;
		size_t size;
		ATTEND_TRY(next_line(&line, &size, r));
		if (size == 0) return ATTEND_OK;
		const attend_status status = attend_vocab_trainer_add(trainer, line, size);
		if (status != ATTEND_OK) {
			char place[48];
			snprintf(place, sizeof place, "line %zu", number);
			return attend_fail_in(status, place);
		}
		if (o->progress == NULL || trainer->bytes - told < 1 << 20) continue;
		told = trainer->bytes;
		if (!o->progress(o->payload, "counting", trainer->bytes, 0))
			return attend_fail(ATTEND_ERR_CANCELLED, "training was cancelled");
	}
}

attend_status attend_vocab_trainer_add_file(attend_vocab_trainer *trainer, const char *path)
{
	if (trainer == NULL || path == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_vocab_trainer_add_file: NULL argument");
	line_reader r = {.file = fopen(path, "rb")};
	if (r.file == NULL)
		return attend_fail(errno == ENOENT ? ATTEND_ERR_NOTFOUND : ATTEND_ERR_IO, "%s: %s", path, strerror(errno));
	attend_status status = add_lines(trainer, &r);
	if (status != ATTEND_OK) attend_fail_in(status, path);
	fclose(r.file);
	free(r.buffer);
	return status;
}

/* ---- the vocabulary ---- */

attend_status attend_vocab_trainer_save(size_t *vocab_size, attend_vocab_trainer *trainer, const char *folder)
{
	if (trainer == NULL || folder == NULL)
		return attend_fail(ATTEND_ERR_ARG, "attend_vocab_trainer_save: NULL argument");
	if (trainer->counts.count == 0) return attend_fail(ATTEND_ERR_DATA, "no words to train a vocabulary on");
	const struct kind *kind = &kinds[trainer->options.kind];
	ATTEND_TRY(attend_word_counts_sort(&trainer->counts));
	attend_trained trained;
	ATTEND_TRY(attend_trained_make(&trained, &trainer->counts, &trainer->options, kind->special_tokens));
	const attend_status status = attend_trained_write(&trained, folder);
	if (status == ATTEND_OK && vocab_size != NULL) *vocab_size = trained.vocab.live;
	attend_trained_free(&trained);
	return status;
}
