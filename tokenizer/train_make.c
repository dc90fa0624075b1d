/* train_make.c: from counted words to a vocabulary: special tokens, then single characters, then what is learned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/train.h"

static attend_status put_next(attend_vocab *vocab, const char *token, size_t size)
{
	if (attend_vocab_find(vocab, token, size) >= 0) return ATTEND_OK;
	return attend_vocab_put(vocab, token, size, (int32_t)vocab->id_bound);
}

static attend_status put_specials(attend_trained *t, const char *const *own)
{
	for (size_t i = 0; own[i] != NULL; i++) ATTEND_TRY(put_next(&t->vocab, own[i], strlen(own[i])));
	for (size_t i = 0; i < t->options.special_count; i++)
		ATTEND_TRY(put_next(&t->vocab, t->options.special_tokens[i], strlen(t->options.special_tokens[i])));
	t->special_count = t->vocab.id_bound;
	return ATTEND_OK;
}

static attend_status learn(attend_trained *t, attend_symbol_words *words, size_t prefix_size)
{
	const attend_vocab_options *o = &t->options;
	if (t->vocab.id_bound > o->vocab_size)
		return attend_fail(ATTEND_ERR_ARG,
		                   "vocab_size %zu has no room for the %zu special tokens and single characters", o->vocab_size,
		                   t->vocab.id_bound);
	const attend_merge_training training = {.vocab_size = o->vocab_size,
	                                        .min_frequency = o->min_frequency,
	                                        .max_token_length = o->max_token_length,
	                                        .prefix_size = prefix_size,
	                                        .progress = o->progress,
	                                        .payload = o->payload};
	return attend_train_merges(&t->merges, &t->merge_count, &t->vocab, words, &training);
}

/* ---- byte-level BPE ---- */

/* All 256 bytes, in the order of the characters that stand for them. */
static attend_status make_bytes(attend_trained *t, const attend_word_counts *counts)
{
	int32_t ids[256];
	for (uint32_t c = 0; c < 0x200; c++) {
		const int byte = attend_char_to_byte(c);
		if (byte < 0) continue;
		char spelling[4];
		const size_t size = attend_utf8_encode(spelling, c);
		ATTEND_TRY(put_next(&t->vocab, spelling, size));
		ids[byte] = attend_vocab_find(&t->vocab, spelling, size);
	}
	attend_symbol_words words = {0};
	attend_status status = ATTEND_OK;
	for (size_t w = 0; status == ATTEND_OK && w < counts->count; w++) {
		const attend_counted_word *word = &counts->words[w];
		for (size_t i = 0; status == ATTEND_OK && i < word->size; i++)
			status = attend_symbol_words_push(&words, ids[(unsigned char)counts->pool[word->start + i]]);
		if (status == ATTEND_OK) status = attend_symbol_words_end(&words, word->count);
	}
	if (status == ATTEND_OK) status = learn(t, &words, 0);
	attend_symbol_words_free(&words);
	return status;
}

/* ---- WordPiece ---- */

static attend_status put_letters(attend_trained *t, attend_letter *letters, size_t count, const char *prefix)
{
	const size_t prefix_size = strlen(prefix);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < count; i++) {
			char spelling[16];
			if (round == 1 && !letters[i].continues) continue;
			memcpy(spelling, prefix, prefix_size);
			const size_t size = prefix_size + attend_utf8_encode(spelling + prefix_size, letters[i].c);
			const char *token = round == 1 ? spelling : spelling + prefix_size;
			const size_t length = round == 1 ? size : size - prefix_size;
			ATTEND_TRY(put_next(&t->vocab, token, length));
			*(round == 1 ? &letters[i].more_id : &letters[i].start_id) = attend_vocab_find(&t->vocab, token, length);
		}
	}
	return ATTEND_OK;
}

/* A word with a character that is not kept will be an unknown word: nothing is learned from it. */
static attend_status push_word(attend_symbol_words *words, const char *text, const attend_counted_word *word,
                               const attend_letter *letters, size_t count)
{
	const size_t mark = words->symbol_count;
	for (size_t i = 0, n; i < word->size; i += n) {
		const attend_letter *found = attend_letter_of(letters, count, attend_utf8_decode(text + i, &n));
		if (found == NULL) {
			words->symbol_count = mark;
			return ATTEND_OK;
		}
		ATTEND_TRY(attend_symbol_words_push(words, i > 0 ? found->more_id : found->start_id));
	}
	return attend_symbol_words_end(words, word->count);
}

static attend_status make_wordpiece(attend_trained *t, const attend_word_counts *counts)
{
	static const char prefix[] = "##";
	attend_letter *letters;
	size_t letter_count = 0;
	attend_symbol_words words = {0};
	ATTEND_TRY(attend_find_letters(&letters, &letter_count, counts, t->options.limit_alphabet));
	attend_status status = put_letters(t, letters, letter_count, prefix);
	for (size_t w = 0; status == ATTEND_OK && w < counts->count; w++)
		status = push_word(&words, counts->pool + counts->words[w].start, &counts->words[w], letters, letter_count);
	if (status == ATTEND_OK) status = learn(t, &words, sizeof prefix - 1);
	attend_symbol_words_free(&words);
	free(letters);
	return status;
}

/* ---- Unigram ---- */

static attend_status make_unigram(attend_trained *t, const attend_word_counts *counts)
{
	const attend_vocab_options *o = &t->options;
	if (t->special_count >= o->vocab_size)
		return attend_fail(ATTEND_ERR_ARG, "vocab_size %zu has no room for pieces", o->vocab_size);
	const attend_unigram_training training = {.piece_count = o->vocab_size - t->special_count,
	                                          .max_piece_chars = o->max_token_length,
	                                          .limit_alphabet = o->limit_alphabet,
	                                          .progress = o->progress,
	                                          .payload = o->payload};
	attend_seed *pieces;
	size_t count;
	ATTEND_TRY(attend_train_unigram(&pieces, &count, counts, &training));
	attend_status status = ATTEND_OK;
	t->scores = calloc(t->special_count + count + o->extra_ids, sizeof *t->scores);
	if (t->scores == NULL) status = attend_fail_memory(count * sizeof *t->scores, "pieces");
	for (size_t i = 0; status == ATTEND_OK && i < count; i++) {
		const char *text = counts->pool + pieces[i].start;
		if (attend_vocab_find(&t->vocab, text, pieces[i].size) >= 0) continue; /* spelled like a special token */
		t->scores[t->vocab.id_bound] = pieces[i].score;
		status = put_next(&t->vocab, text, pieces[i].size);
	}
	for (size_t i = o->extra_ids; status == ATTEND_OK && i-- > 0;) {
		char token[40];
		const int size = snprintf(token, sizeof token, "<extra_id_%zu>", i);
		status = put_next(&t->vocab, token, (size_t)size);
	}
	free(pieces);
	return status;
}

attend_status attend_trained_make(attend_trained *out, const attend_word_counts *words,
                                  const attend_vocab_options *options, const char *const *own)
{
	*out = (attend_trained){.options = *options};
	attend_status status = put_specials(out, own);
	if (status == ATTEND_OK) {
		switch (options->kind) {
		case ATTEND_VOCAB_BERT: status = make_wordpiece(out, words); break;
		case ATTEND_VOCAB_T5: status = make_unigram(out, words); break;
		default: status = make_bytes(out, words); break;
		}
	}
	if (status != ATTEND_OK) attend_trained_free(out);
	return status;
}

void attend_trained_free(attend_trained *trained)
{
	attend_vocab_free(&trained->vocab);
	free(trained->merges);
	free(trained->scores);
	trained->merges = NULL;
	trained->scores = NULL;
}
