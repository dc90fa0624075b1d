/* splitter.c: cutting words into smaller ones, as NormalizedString::split of the reference does. */
#include "tokenizer/splitter.h"

#include <string.h>

void attend_words_swap(attend_words *words)
{
	const attend_span_list old = words->spans;
	words->spans = words->spare;
	words->spare = old;
}

/* Put a word unless it is empty. */
static attend_status put(attend_words *words, size_t start, size_t end)
{
	return start < end ? attend_span_list_push(&words->spare, (uint32_t)start, (uint32_t)end) : ATTEND_OK;
}

/* A word under construction out of consecutive pieces, matches and what lies between them. */
typedef struct joiner {
	attend_words *words;
	attend_split_behavior behavior;
	bool open, previous; /* a word is being built; the piece before was a match */
	size_t start, end;
} joiner;

static attend_status join_close(joiner *j)
{
	const bool open = j->open;
	j->open = false;
	return open ? put(j->words, j->start, j->end) : ATTEND_OK;
}

/* Does this piece go on the word under construction? MergedWithNext is told backwards in the reference: a match opens a
 * word that takes the next piece, unless that is a match itself. */
static bool joins(const joiner *j, bool match)
{
	if (!j->open) return false;
	switch (j->behavior) {
	case ATTEND_SPLIT_CONTIGUOUS: return match == j->previous;
	case ATTEND_SPLIT_MERGED_WITH_PREVIOUS: return match && !j->previous;
	case ATTEND_SPLIT_MERGED_WITH_NEXT: return !match && j->previous;
	case ATTEND_SPLIT_REMOVED:
	case ATTEND_SPLIT_ISOLATED: break;
	}
	return false;
}

static attend_status join(joiner *j, size_t start, size_t end, bool match)
{
	if (joins(j, match)) {
		j->end = end;
	} else {
		ATTEND_TRY(join_close(j));
		j->start = start;
		j->end = end;
		j->open = j->behavior != ATTEND_SPLIT_REMOVED || !match;
	}
	j->previous = match;
	return ATTEND_OK;
}

attend_status attend_split_pattern(attend_words *words, const attend_pattern *pattern, attend_split_behavior behavior,
                                   bool invert)
{
	words->spare.count = 0;
	for (size_t i = 0; i < words->spans.count; i++) {
		const attend_span word = words->spans.items[i];
		joiner j = {.words = words, .behavior = behavior};
		size_t at = word.start;
		ATTEND_TRY(attend_pattern_find(pattern, words->n.text + word.start, word.end - word.start, &words->matches));
		for (size_t k = 0; k < words->matches.count; k++) {
			const size_t start = word.start + words->matches.items[k].start,
						 end = word.start + words->matches.items[k].end;
			if (start > at) ATTEND_TRY(join(&j, at, start, invert));
			ATTEND_TRY(join(&j, start, end, !invert));
			at = end;
		}
		if (at < word.end) ATTEND_TRY(join(&j, at, word.end, invert));
		ATTEND_TRY(join_close(&j));
	}
	attend_words_swap(words);
	return ATTEND_OK;
}

static attend_status split_word(attend_words *words, attend_span word, bool (*is_delimiter)(uint32_t c),
                                uint32_t delimiter, attend_split_behavior behavior)
{
	const char *const text = words->n.text;
	joiner j = {.words = words, .behavior = behavior};
	size_t at = word.start;
	for (size_t i = word.start; i < word.end;) {
		size_t size;
		const uint32_t c = attend_utf8_decode(text + i, &size);
		if (is_delimiter ? is_delimiter(c) : c == delimiter) {
			if (i > at) ATTEND_TRY(join(&j, at, i, false));
			ATTEND_TRY(join(&j, i, i + size, true));
			at = i + size;
		}
		i += size;
	}
	if (at < word.end) ATTEND_TRY(join(&j, at, word.end, false));
	return join_close(&j);
}

attend_status attend_split_chars(attend_words *words, bool (*is_delimiter)(uint32_t c), attend_split_behavior behavior)
{
	words->spare.count = 0;
	for (size_t i = 0; i < words->spans.count; i++)
		ATTEND_TRY(split_word(words, words->spans.items[i], is_delimiter, 0, behavior));
	attend_words_swap(words);
	return ATTEND_OK;
}

attend_status attend_split_delimiter(attend_words *words, uint32_t delimiter)
{
	words->spare.count = 0;
	for (size_t i = 0; i < words->spans.count; i++)
		ATTEND_TRY(split_word(words, words->spans.items[i], NULL, delimiter, ATTEND_SPLIT_REMOVED));
	attend_words_swap(words);
	return ATTEND_OK;
}

attend_status attend_split_bert(attend_words *words)
{
	const char *const text = words->n.text;
	words->spare.count = 0;
	for (size_t k = 0; k < words->spans.count; k++) {
		const attend_span word = words->spans.items[k];
		size_t at = word.start;
		for (size_t i = word.start; i < word.end;) {
			size_t size;
			const uint32_t c = attend_utf8_decode(text + i, &size);
			const bool space = attend_is_whitespace(c);
			if (space || attend_is_bert_punctuation(c)) {
				ATTEND_TRY(put(words, at, i));
				at = space ? i + size : i;
				if (!space) ATTEND_TRY(put(words, at, at + size));
				at = i + size;
			}
			i += size;
		}
		ATTEND_TRY(put(words, at, word.end));
	}
	attend_words_swap(words);
	return ATTEND_OK;
}

attend_status attend_split_words(attend_words *words)
{
	enum { NONE, WORD, OTHER };
	const char *const text = words->n.text;
	words->spare.count = 0;
	for (size_t k = 0; k < words->spans.count; k++) {
		const attend_span word = words->spans.items[k];
		size_t at = word.start;
		int current = NONE;
		for (size_t i = word.start; i < word.end;) {
			size_t size;
			const uint32_t c = attend_utf8_decode(text + i, &size);
			const int kind = attend_is_word(c) ? WORD : attend_is_whitespace(c) ? NONE : OTHER;
			if (kind != current) {
				if (current != NONE) ATTEND_TRY(put(words, at, i));
				at = i;
				current = kind;
			}
			i += size;
		}
		if (current != NONE) ATTEND_TRY(put(words, at, word.end));
	}
	attend_words_swap(words);
	return ATTEND_OK;
}

attend_status attend_split_before(attend_words *words, const char *mark)
{
	const size_t length = strlen(mark);
	const char *const text = words->n.text;
	words->spare.count = 0;
	for (size_t k = 0; k < words->spans.count; k++) {
		const attend_span word = words->spans.items[k];
		size_t at = word.start;
		for (size_t i = word.start; i + length <= word.end; i++) {
			const char *const hit = memchr(text + i, mark[0], word.end - i);
			if (!hit) break;
			i = (size_t)(hit - text);
			if (i + length > word.end || memcmp(hit, mark, length) != 0) continue;
			ATTEND_TRY(put(words, at, i));
			at = i;
		}
		ATTEND_TRY(put(words, at, word.end));
	}
	attend_words_swap(words);
	return ATTEND_OK;
}

attend_status attend_split_scripts(attend_words *words)
{
	words->spare.count = 0;
	for (size_t k = 0; k < words->spans.count; k++) {
		const attend_span word = words->spans.items[k];
		size_t at = word.end;
		uint8_t last = 0;
		for (size_t i = word.start; i < word.end;) {
			size_t size;
			const uint8_t script = attend_script(attend_utf8_decode(words->n.text + i, &size));
			if (script != 0 && script != last) {
				ATTEND_TRY(put(words, at, i));
				at = i;
				last = script;
			}
			i += size;
		}
		ATTEND_TRY(put(words, at, word.end));
	}
	attend_words_swap(words);
	return ATTEND_OK;
}

attend_status attend_split_fixed(attend_words *words, size_t length)
{
	words->spare.count = 0;
	for (size_t k = 0; k < words->spans.count; k++) {
		const attend_span word = words->spans.items[k];
		size_t at = word.start, count = 0;
		for (size_t i = word.start; i < word.end;) {
			i += attend_utf8_size((unsigned char)words->n.text[i]);
			if (++count < length) continue;
			ATTEND_TRY(put(words, at, i));
			at = i;
			count = 0;
		}
		ATTEND_TRY(put(words, at, word.end));
	}
	attend_words_swap(words);
	return ATTEND_OK;
}
