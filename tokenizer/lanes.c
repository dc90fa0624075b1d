/* lanes.c: cutting raw text into chunks and finding their tokens by their bytes. */
#include "tokenizer/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/byte_run.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/vocab.h"

enum {
	BUCKETS = 1 << 15,
	WAYS = 4,  /* chunks in a bucket: two cache lines */
	BATCH = 16 /* chunks whose lines are fetched before the first of them is looked at */
};

/* ---- choosing ---- */

attend_lane_plan attend_lane_choose(const attend_tokenizer *t, bool bytes)
{
	attend_lane_plan plan = {ATTEND_LANE_NONE, ATTEND_SCAN_NONE, false, false, ""};
	const bool changes = t->normalizer && !attend_normalizer_is_form(t->normalizer);
	if ((changes && !attend_added_tokens_none(t->added, true)) || t->marian_rules) return plan;
	const attend_bert_rules *const bert = attend_normalizer_bert_rules(t->normalizer);
	const attend_charsmap *const map = attend_normalizer_charsmap(t->normalizer);
	if (bytes && !changes) {
		plan.scanner = attend_pretokenizer_scanner(t->pretokenizer, &plan.prefix_space);
		if (plan.scanner != ATTEND_SCAN_NONE) plan.lane = ATTEND_LANE_WORDS;
	} else if (bert && attend_pretokenizer_is_bert(t->pretokenizer)) {
		plan.lane = ATTEND_LANE_BERT;
		plan.lowercase = bert->lowercase;
	} else if ((!t->normalizer || (map && attend_charsmap_keeps_ascii(map))) &&
	           attend_pretokenizer_marks_words(t->pretokenizer, plan.mark)) {
		plan.lane = ATTEND_LANE_SPACES;
	}
	return plan;
}

/* ---- the cache ---- */

static attend_status cache_init(attend_chunk_cache *cache, bool spans)
{
	if (!cache->memory) {
		cache->memory =
			calloc((BUCKETS + 1) * WAYS, sizeof *cache->chunks); /* fresh pages are zero and cost nothing yet */
		if (!cache->memory) return attend_fail_memory(BUCKETS * WAYS * sizeof *cache->chunks, "word cache");
		const uintptr_t bucket = WAYS * sizeof *cache->chunks;
		cache->chunks = (attend_chunk *)(((uintptr_t)cache->memory + bucket - 1) / bucket * bucket);
	}
	if (spans && !cache->spans) {
		cache->spans = calloc(BUCKETS * WAYS, sizeof *cache->spans);
		if (!cache->spans) return attend_fail_memory(BUCKETS * WAYS * sizeof *cache->spans, "word cache");
	}
	return ATTEND_OK;
}

void attend_chunk_cache_free(attend_chunk_cache *cache)
{
	free(cache->memory);
	free(cache->spans);
	memset(cache, 0, sizeof *cache);
}

typedef struct key {
	uint64_t low, high;
} key;

/* The first `size` <= 15 bytes at `text`, of which 16 can be read if `readable`. */
static inline key make_key(const char *text, size_t size, bool readable)
{
	key k = {0, 0};
	if (readable) {
		memcpy(&k.low, text, 8);
		memcpy(&k.high, text + 8, 8);
		if (size < 8) {
			k.low &= (UINT64_C(1) << 8 * size) - 1;
			k.high = 0;
		} else {
			k.high &= (UINT64_C(1) << 8 * (size - 8)) - 1;
		}
	} else {
		unsigned char bytes[16] = {0};
		memcpy(bytes, text, size);
		memcpy(&k.low, bytes, 8);
		memcpy(&k.high, bytes + 8, 8);
	}
	k.high |= (uint64_t)size << 56; /* (a big-endian machine puts it elsewhere in the word: still one key a chunk) */
	return k;
}

/* Index of a bucket's first chunk. */
static inline size_t bucket_of(key k)
{
	const uint64_t h = k.low * UINT64_C(0x9e3779b97f4a7c15) + k.high * UINT64_C(0x9fb21c651e98df25);
	return (size_t)(h >> 49) * WAYS;
}

/* ---- the long way for one chunk ---- */

/* What the model is given for a plain chunk, and where it differs from the chunk. */
typedef struct spelled {
	const char *text;
	size_t size;
	uint32_t shift; /* bytes in front that the chunk does not have */
} spelled;

static spelled spell(const attend_lane_plan *plan, const char *chunk, size_t size, char *buffer)
{
	if (plan->lane == ATTEND_LANE_WORDS) return (spelled){chunk, size, 0};
	if (plan->lane == ATTEND_LANE_SPACES) {
		const size_t mark = strlen(plan->mark);
		memcpy(buffer, plan->mark, mark);
		memcpy(buffer + mark, chunk, size);
		return (spelled){buffer, size + mark, (uint32_t)mark};
	}
	for (size_t i = 0; i < size; i++)
		buffer[i] = plan->lowercase && chunk[i] >= 'A' && chunk[i] <= 'Z' ? (char)(chunk[i] | 0x20) : chunk[i];
	return (spelled){buffer, size, 0};
}

/* The places of tokens in the chunk, from places in what the model was given. The mark shares the place of the first
 * character, and so does every byte of a character. */
static void place(const attend_lane_plan *plan, const char *chunk, size_t size, uint32_t shift, attend_span *spans,
                  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		attend_span s = spans[i];
		s.start = s.start > shift ? s.start - shift : 0;
		s.end = s.end > shift ? s.end - shift : 1;
		if (plan->lane != ATTEND_LANE_BERT) {
			while (s.start > 0 && !attend_utf8_is_start(chunk[s.start])) s.start--;
			while (s.end < size && !attend_utf8_is_start(chunk[s.end])) s.end++;
		}
		spans[i] = s;
	}
}

/* Append the tokens of one word, placed within the chunk, to the sequence. */
static attend_status append(const attend_run *r, const attend_token_list *tokens, uint32_t at)
{
	attend_token_list *const out = &r->out->tokens;
	const size_t from = out->count;
	ATTEND_TRY(attend_token_list_reserve(out, tokens->count));
	for (size_t i = 0; i < tokens->count; i++)
		attend_token_list_put(out, tokens->ids[i], tokens->spans[i].start + at, tokens->spans[i].end + at);
	if (r->tracked) ATTEND_TRY(attend_run_word_ids(r, from));
	r->out->word_count++;
	return ATTEND_OK;
}

/* ---- plain chunks, by batches ---- */

/* A chunk on its way: found in the text, not yet in the cache. */
typedef struct waiting {
	key k;
	size_t bucket; /* index of its first chunk */
	uint32_t at, size;
} waiting;

typedef struct batch {
	const attend_run *run;
	const char *text;
	const attend_chunk *chunks;
	size_t count;
	waiting items[BATCH];
} batch;

/* Is the slot taken by another chunk? */
static bool is_other(const attend_chunk *slot, key k)
{
	return slot->high && (slot->low != k.low || slot->high != k.high);
}

/* Keep a chunk's tokens. */
static void keep(const attend_run *r, const waiting *w, const attend_token_list *tokens)
{
	attend_chunk_cache *const cache = &r->scratch->chunks;
	const bool fits = tokens->count <= ATTEND_CHUNK_TOKENS;
	size_t index = w->bucket;
	for (int i = 0; i < WAYS && is_other(&cache->chunks[index], w->k); i++) index++;
	if (index == w->bucket + WAYS) index = w->bucket + cache->turn++ % WAYS; /* full: each in its turn gives way */
	attend_chunk *const slot = &cache->chunks[index];
	*slot =
		(attend_chunk){.low = w->k.low, .high = w->k.high, .count = fits ? (uint8_t)tokens->count : ATTEND_CHUNK_LONG};
	slot->has_spans = cache->spans != NULL;
	for (size_t i = 0; fits && i < tokens->count; i++) {
		slot->ids[i] = tokens->ids[i];
		if (!cache->spans) continue;
		cache->spans[index][i][0] = (uint8_t)tokens->spans[i].start;
		cache->spans[index][i][1] = (uint8_t)tokens->spans[i].end;
	}
}

/* A plain chunk (one word) through the model, or what is kept of those that do not fit the cache of chunks. */
static attend_status add_unknown(const attend_run *r, const waiting *w)
{
	const attend_lane_plan *const plan = r->plan;
	const attend_token_model *const model = r->tokenizer->model;
	const char *const chunk = r->out->text + w->at;
	const attend_chunk *const slot = &r->scratch->chunks.chunks[w->bucket];
	attend_token_list *const tokens = &r->scratch->chunk_tokens;
	char buffer[ATTEND_CACHED_WORD + 8];
	const spelled s = spell(plan, chunk, w->size, buffer);
	tokens->count = 0;
	tokens->with_spans = true;
	bool is_long = w->size > ATTEND_CHUNK_BYTES;
	for (int i = 0; i < WAYS && !is_long; i++)
		is_long = slot[i].low == w->k.low && slot[i].high == w->k.high && slot[i].count == ATTEND_CHUNK_LONG;
	if (is_long) {
		ATTEND_TRY(attend_run_tokenize(r, s.text, s.size, 0, tokens));
	} else {
		ATTEND_TRY(model->ops->tokenize(model, r->scratch->model, s.text, s.size, 0, tokens));
	}
	place(plan, chunk, w->size, s.shift, tokens->spans, tokens->count);
	if (!is_long) keep(r, w, tokens);
	return append(r, tokens, w->at);
}

/* Append what the cache knows of a chunk. */
static inline attend_status add_known(const attend_run *r, const attend_chunk *known, uint32_t at)
{
	attend_token_list *const out = &r->out->tokens;
	if (out->id_capacity - out->count < 4) ATTEND_TRY(attend_token_list_reserve(out, 4));
	memcpy(out->ids + out->count, known->ids, 16); /* what follows the ids is overwritten by the next ones */
	if (r->tracked) {
		const attend_chunk_cache *const cache = &r->scratch->chunks;
		const uint8_t(*const spans)[2] = cache->spans[known - cache->chunks];
		if (out->span_capacity - out->count < 4 || r->out->word_capacity - out->count < 4)
			ATTEND_TRY(attend_run_reserve_places(r, 4));
		for (size_t i = 0; i < ATTEND_CHUNK_TOKENS; i++) {
			out->spans[out->count + i] = (attend_span){at + spans[i][0], at + spans[i][1]};
			r->out->words[out->count + i] = r->out->word_count;
		}
		r->out->word_count++;
	}
	out->count += known->count;
	return ATTEND_OK;
}

static inline bool matches(const attend_chunk *slot, key k)
{
	return slot->low == k.low && slot->high == k.high;
}

static attend_status flush(batch *b)
{
	const attend_run *const r = b->run;
	for (size_t i = 0; i < b->count; i++) {
		const waiting *const w = &b->items[i];
		const attend_chunk *slot = &b->chunks[w->bucket];
		slot += !matches(slot, w->k);
		if (!matches(slot, w->k)) slot += matches(slot + 1, w->k) ? 1 : 2;
		const bool known = matches(slot, w->k) && slot->count != ATTEND_CHUNK_LONG && (!r->tracked || slot->has_spans);
		if (known) ATTEND_TRY(add_known(r, slot, w->at));
		else ATTEND_TRY(add_unknown(r, w));
	}
	b->count = 0;
	return ATTEND_OK;
}

/* One word of plain bytes. `readable`: 16 bytes can be read at it. */
static inline attend_status add_plain(batch *b, const char *chunk, size_t size, bool readable)
{
	waiting *const w = &b->items[b->count++];
	w->at = (uint32_t)(chunk - b->text);
	w->size = (uint32_t)size;
	if (size > ATTEND_CHUNK_BYTES) {
		w->k = (key){0, UINT64_C(255) << 56}; /* no chunk in the cache has it */
		w->bucket = 0;
	} else {
		w->k = make_key(chunk, size, readable);
		w->bucket = bucket_of(w->k);
		__builtin_prefetch(&b->chunks[w->bucket]);
		__builtin_prefetch(&b->chunks[w->bucket + WAYS / 2]);
	}
	return b->count == BATCH ? flush(b) : ATTEND_OK;
}

/* A chunk that is not plain: the stages do it all, once; what they made of it is kept when only ids are asked for. */
static attend_status add_odd(batch *b, size_t start, size_t end)
{
	const attend_run *const r = b->run;
	ATTEND_TRY(flush(b));
	attend_token_list *const out = &r->out->tokens;
	attend_word_cache *const cache = &r->scratch->odd_chunks;
	const size_t size = end - start, from = out->count;
	if (r->tracked || size > ATTEND_CACHED_WORD) return attend_run_text(r, (uint32_t)start, (uint32_t)end);
	if (!cache->slots) ATTEND_TRY(attend_word_cache_init(cache));
	const char *const chunk = r->out->text + start;
	const uint64_t hash = attend_hash_bytes(chunk, size);
	const attend_cached_word *const slot = attend_word_cache_find(cache, chunk, size, hash);
	if (slot->size > 0) {
		if (slot->count == 0) return ATTEND_OK;
		ATTEND_TRY(attend_token_list_reserve(out, slot->count));
		memcpy(out->ids + out->count, cache->ids + slot->tokens, slot->count * sizeof *out->ids);
		out->count += slot->count;
		return ATTEND_OK;
	}
	ATTEND_TRY(attend_run_text(r, (uint32_t)start, (uint32_t)end));
	attend_word_cache_put(cache, chunk, size, hash, out->ids ? out->ids + from : NULL, NULL, out->count - from, 0);
	return ATTEND_OK;
}

/* ---- WORDS ---- */

static attend_status add_raw_word(batch *b, size_t start, size_t end)
{
	ATTEND_TRY(flush(b));
	return attend_run_raw_word(b->run, (uint32_t)start, (uint32_t)end);
}

static attend_status run_words(const attend_run *r, size_t start, size_t end)
{
	batch b = {.run = r, .text = r->out->text, .chunks = r->scratch->chunks.chunks};
	const char *const text = r->out->text;
	const attend_scanner scanner = r->plan->scanner;
	for (size_t at = start; at < end;) {
		const bool readable = end - at > 16; /* 16 bytes, also one further on */
		size_t next = at;
		if (readable) { /* a blank or none, then ASCII letters: most words of most texts */
			const size_t first = at + (text[at] == ' ');
			const size_t letters = attend_letters16(text + first);
			if (letters > 0 && letters < 16 && (signed char)text[first + letters] >= 0) next = first + letters;
		}
		if (next == at) next = attend_scan_word(scanner, text, end, at);
		if (next - at <= ATTEND_CACHED_WORD) ATTEND_TRY(add_plain(&b, text + at, next - at, readable));
		else ATTEND_TRY(add_raw_word(&b, at, next));
		at = next;
	}
	return flush(&b);
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
	const size_t next = attend_scan_word(r->plan->scanner, copy, valid, 0);
	if (next == valid && size < whole) return ATTEND_OK;
	const uint32_t from = *start;
	*start += (uint32_t)next - 1;
	return attend_run_text(r, from, *start);
}

/* ---- BERT ---- */

/* What BertNormalizer and BertPreTokenizer make of ASCII: a part of a word, a word of its own, a cut; ODD ones are removed,
 * which joins what stands beside them, or are not ASCII. */
typedef enum ascii { PART, ALONE, CUT, ODD } ascii;

static inline ascii ascii_kind(char byte)
{
	const unsigned char c = (unsigned char)byte, lower = c | 0x20;
	if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')) return PART;
	if (c <= ' ') return c == ' ' || c == '\t' || c == '\n' || c == '\r' ? CUT : ODD;
	return c >= 0x7f ? ODD : ALONE;
}

static attend_status run_bert(const attend_run *r, size_t start, size_t end)
{
	batch b = {.run = r, .text = r->out->text, .chunks = r->scratch->chunks.chunks};
	const char *const text = r->out->text;
	for (size_t at = start; at < end;) {
		const bool readable = end - at > 16;
		const ascii kind = ascii_kind(text[at]);
		size_t next = at + 1;
		if (kind == CUT) {
			at++;
			continue;
		}
		if (kind == PART) {
			next = readable ? at + attend_alnums16(text + at) : at;
			while ((next == at || next - at >= 16 || !readable) && next < end && ascii_kind(text[next]) == PART) next++;
		}
		/* A character behind a word may be an accent on it; punctuation stands alone whatever follows. */
		if (kind == ALONE ||
		    (kind == PART && (next == end || ascii_kind(text[next]) != ODD) && next - at <= ATTEND_CACHED_WORD)) {
			ATTEND_TRY(add_plain(&b, text + at, next - at, readable));
		} else {
			while (next < end && ascii_kind(text[next]) != CUT) next++;
			ATTEND_TRY(add_odd(&b, at, next));
		}
		at = next;
	}
	return flush(&b);
}

/* ---- SPACES ---- */

static inline bool is_plain(char byte)
{
	return byte >= ' ' && byte < 0x7f;
}

static attend_status run_spaces(const attend_run *r, size_t start, size_t end)
{
	batch b = {.run = r, .text = r->out->text, .chunks = r->scratch->chunks.chunks};
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
			ATTEND_TRY(add_plain(&b, text + at, next - at, readable));
		} else {
			/* Up to a blank that no mark can be joined to; the blank before a mark comes along (one grapheme cluster). */
			for (next = at + 1; next < end; next++)
				if (text[next] == ' ' && (next + 1 == end || is_plain(text[next + 1]))) break;
			ATTEND_TRY(add_odd(&b, at, next));
		}
		at = next;
	}
	return flush(&b);
}

attend_status attend_lane_run(const attend_run *r, uint32_t start, uint32_t end, bool *done)
{
	const char *const text = r->out->text;
	*done = false;
	ATTEND_TRY(cache_init(&r->scratch->chunks, r->tracked));
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
