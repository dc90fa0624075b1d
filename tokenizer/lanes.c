/* lanes.c: cutting raw text into chunks and finding their tokens by their bytes. */
#include "tokenizer/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/byte_run.h"
#include "tokenizer/chunks.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/unicode_tables.h"

/* ---- choosing ---- */

attend_lane_plan attend_lane_choose(const attend_tokenizer *t, bool bytes)
{
	attend_lane_plan plan = {.lane = ATTEND_LANE_NONE};
	const bool changes = t->normalizer && !attend_normalizer_is_form(t->normalizer);
	if ((changes && !attend_added_tokens_none(t->added, true)) || t->marian_rules) return plan;
	const attend_bert_rules *const bert = attend_normalizer_bert_rules(t->normalizer);
	const attend_charsmap *const map = attend_normalizer_charsmap(t->normalizer);
	if (bytes && !changes) {
		plan.scanner = attend_pretokenizer_scanner(t->pretokenizer, &plan.prefix_space);
		if (plan.scanner.family != ATTEND_SCAN_NONE) plan.lane = ATTEND_LANE_WORDS;
	} else if (bert && attend_pretokenizer_is_bert(t->pretokenizer)) {
		plan.lane = ATTEND_LANE_BERT;
		plan.lowercase = bert->lowercase;
		plan.splits_han = bert->handle_chinese_chars;
	} else if ((!t->normalizer || (map && attend_charsmap_keeps_ascii(map))) &&
	           attend_pretokenizer_marks_words(t->pretokenizer, plan.mark)) {
		plan.lane = ATTEND_LANE_SPACES;
	}
	return plan;
}

/* ---- WORDS ---- */

static attend_status add_raw_word(attend_chunk_batch *b, size_t start, size_t end)
{
	ATTEND_TRY(attend_chunks_flush(b));
	return attend_run_raw_word(b->run, (uint32_t)start, (uint32_t)end);
}

static attend_status run_words(const attend_run *r, size_t start, size_t end)
{
	attend_chunk_batch b;
	const char *const text = r->out->text;
	const attend_scanner *const scanner = &r->plan->scanner;
	attend_chunks_begin(&b, r);
	for (size_t at = start; at < end;) {
		uint64_t ends = attend_scan_block(scanner, text, end, at);
		if (ends) { /* plain words one behind the other */
			const size_t base = at;
			for (; ends; ends &= ends - 1) {
				const size_t next = base + (size_t)__builtin_ctzll(ends);
				attend_chunks_put(&b, at, next - at, false);
				at = next;
			}
			if (b.count >= ATTEND_CHUNK_FULL) ATTEND_TRY(attend_chunks_flush(&b));
			continue;
		}
		const size_t next = attend_scan_word(scanner, text, end, at);
		if (next - at <= ATTEND_CACHED_WORD) ATTEND_TRY(attend_chunks_add(&b, at, next - at, false));
		else ATTEND_TRY(add_raw_word(&b, at, next));
		at = next;
	}
	return attend_chunks_flush(&b);
}

/* ByteLevel's blank in front of a piece belongs to its first word, which goes the long way. *start moves behind it; it stays
 * where that word cannot be told (white space, or very long). */
static attend_status add_first_word(const attend_run *r, uint32_t *start, uint32_t end)
{
	char copy[ATTEND_CACHED_WORD + 1] = " ";
	const char *const text = r->out->text + *start;
	const size_t whole = end - *start, size = whole < ATTEND_CACHED_WORD ? whole : ATTEND_CACHED_WORD;
	size_t length;
	if (attend_is_whitespace(attend_utf8_decode(text, &length))) return ATTEND_OK;
	memcpy(copy + 1, text, size);
	const size_t valid = attend_utf8_valid_prefix(copy, size + 1);
	const size_t next = attend_scan_word(&r->plan->scanner, copy, valid, 0);
	if (next == valid && size < whole) return ATTEND_OK;
	const uint32_t from = *start;
	*start += (uint32_t)next - 1;
	return attend_run_text(r, from, *start);
}

/* ---- BERT ---- */

/* What BertNormalizer and BertPreTokenizer make of a character: a part of a word, a word of its own, a cut; ODD ones may be
 * removed, which joins what stands beside them, or change. */
typedef enum bert_kind { PART, ALONE, CUT, ODD } bert_kind;

static inline bert_kind ascii_kind(unsigned char c)
{
	const unsigned char lower = c | 0x20;
	if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')) return PART;
	if (c <= ' ') return c == ' ' || c == '\t' || c == '\n' || c == '\r' ? CUT : ODD;
	return c == 0x7f ? ODD : ALONE;
}

/* Han, which gets blanks around it, and punctuation, if they stay what they are. */
static bert_kind wide_kind(const attend_lane_plan *plan, uint32_t c)
{
	const bool alone = (plan->splits_han && attend_is_cjk(c)) || attend_is_bert_punctuation(c);
	const uint8_t changes = ATTEND_SHAPE_NFD | ATTEND_SHAPE_CCC | ATTEND_SHAPE_LOWER;
	return alone && !(attend_shape_of(c) & changes) && !attend_is_bert_control(c) ? ALONE : ODD;
}

/* *size: its bytes. */
static inline bert_kind kind_at(const attend_lane_plan *plan, const char *text, size_t *size)
{
	const unsigned char byte = (unsigned char)*text;
	*size = 1;
	return byte < 0x80 ? ascii_kind(byte) : wide_kind(plan, attend_utf8_decode(text, size));
}

static attend_status run_bert(const attend_run *r, size_t start, size_t end)
{
	attend_chunk_batch b;
	attend_chunks_begin(&b, r);
	const char *const text = r->out->text;
	for (size_t at = start, size; at < end;) {
		const bool readable = end - at > 16;
		bert_kind kind = kind_at(r->plan, text + at, &size);
		size_t next = at + size;
		if (kind == CUT) {
			at = next;
			continue;
		}
		if (kind == PART) {
			next = readable ? at + attend_alnums16(text + at) : at;
			while ((next == at || next - at >= 16 || !readable) && next < end &&
			       ascii_kind((unsigned char)text[next]) == PART)
				next++;
			/* A character behind a word may be an accent on it; punctuation stands alone whatever follows. */
			if (next < end && kind_at(r->plan, text + next, &size) == ODD) kind = ODD;
		}
		if (kind == ALONE || (kind == PART && next - at <= ATTEND_CACHED_WORD)) {
			ATTEND_TRY(attend_chunks_add(&b, at, next - at, false));
		} else {
			for (; next < end; next += size) {
				kind = kind_at(r->plan, text + next, &size);
				if (kind == CUT || kind == ALONE) break;
			}
			ATTEND_TRY(attend_chunks_add(&b, at, next - at, true));
		}
		at = next;
	}
	return attend_chunks_flush(&b);
}

/* ---- SPACES ---- */

static inline bool is_plain(char byte)
{
	return byte >= ' ' && byte < 0x7f;
}

static attend_status run_spaces(const attend_run *r, size_t start, size_t end)
{
	attend_chunk_batch b;
	attend_chunks_begin(&b, r);
	const char *const text = r->out->text;
	for (size_t at = start; at < end;) {
		const bool readable = end - at > 16;
		size_t next = at;
		if (text[at] == ' ' && (at + 1 == end || is_plain(text[at + 1]))) {
			at++;
			continue;
		}
		if (text[at] != ' ') {
			next = readable ? at + attend_graphs16(text + at) : at;
			while ((next - at >= 16 || !readable) && next < end && is_plain(text[next]) && text[next] != ' ') next++;
		}
		if (next > at && (next == end || text[next] == ' ') && next - at <= ATTEND_CACHED_WORD) {
			ATTEND_TRY(attend_chunks_add(&b, at, next - at, false));
		} else {
			/* Up to a blank that no mark can be joined to; the blank before a mark comes along (one grapheme cluster). */
			for (next = at + 1; next < end; next++)
				if (text[next] == ' ' && (next + 1 == end || is_plain(text[next + 1]))) break;
			ATTEND_TRY(attend_chunks_add(&b, at, next - at, true));
		}
		at = next;
	}
	return attend_chunks_flush(&b);
}

attend_status attend_lane_run(const attend_run *r, uint32_t start, uint32_t end, bool *done)
{
	const char *const text = r->out->text;
	*done = false;
	ATTEND_TRY(attend_chunk_cache_init(&r->scratch->chunks));
	switch (r->plan->lane) {
	case ATTEND_LANE_NONE: return ATTEND_OK;
	case ATTEND_LANE_WORDS:
		if (!attend_normalizer_keeps(r->tokenizer->normalizer, text + start, end - start)) return ATTEND_OK;
		if (r->plan->prefix_space && text[start] != ' ') {
			const uint32_t first = start;
			ATTEND_TRY(add_first_word(r, &start, end));
			if (start == first) return ATTEND_OK;
		}
		*done = true;
		return run_words(r, start, end);
	case ATTEND_LANE_BERT: *done = true; return run_bert(r, start, end);
	case ATTEND_LANE_SPACES:
		/* A text whose first character the map removes has all its places moved (precompiled.c). */
		if (r->tracked && !is_plain(text[start])) return ATTEND_OK;
		*done = true;
		return run_spaces(r, start, end);
	}
	return ATTEND_OK;
}
