/* chunks.c: the cache of chunks, and what becomes of those that it does not know. */
#include "tokenizer/chunks.h"

#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/models.h"

enum {
	SMALL_BITS = 10, /* of the number of lines: most texts do with so few, which cost next to nothing */
	LARGE_BITS = 16,
	WAYS = ATTEND_CHUNK_WAYS,
	REACH = 4 /* lines where a chunk may lie: its own one and those behind it */
};

const unsigned char attend_chunk_masks[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                              255, 255, 255, 255, 255, 255, 255, 255};

/* ---- the cache ---- */

static attend_status allocate(attend_chunk_cache *cache, unsigned line_bits)
{
	const size_t bytes = (((size_t)1 << line_bits) + REACH - 1) * WAYS * sizeof *cache->chunks;
	attend_chunk *const chunks = attend_alloc_aligned(bytes);
	if (!chunks) return attend_fail_memory(bytes, "word cache");
	memset(chunks, 0, bytes);
	*cache = (attend_chunk_cache){.chunks = chunks, .line_bits = line_bits};
	return ATTEND_OK;
}

attend_status attend_chunk_cache_init(attend_chunk_cache *cache)
{
	return cache->chunks ? ATTEND_OK : allocate(cache, SMALL_BITS);
}

void attend_chunk_cache_free(attend_chunk_cache *cache)
{
	free(cache->chunks);
	memset(cache, 0, sizeof *cache);
}

static inline bool matches(const attend_chunk *slot, const attend_chunk_waiting *w)
{
	return ((slot->low ^ w->low) | (slot->high ^ w->high)) == 0;
}

/* The chunk's slot, or the one that it may take: the first free one in reach, else one of its own line. */
static attend_chunk *find(attend_chunk_cache *cache, const attend_chunk_waiting *w)
{
	attend_chunk *const first = &cache->chunks[(size_t)w->line * WAYS];
	for (attend_chunk *slot = first; slot < first + REACH * WAYS; slot++)
		if (slot->high == 0 || matches(slot, w)) return slot;
	return first + cache->turn++ % WAYS;
}

/* From small to large, with all that is kept. */
static attend_status enlarge(attend_chunk_cache *cache)
{
	attend_chunk_cache small = *cache;
	const size_t slots = (((size_t)1 << small.line_bits) + REACH - 1) * WAYS;
	const attend_status status = allocate(cache, LARGE_BITS);
	if (status != ATTEND_OK) {
		*cache = small;
		return status;
	}
	for (const attend_chunk *chunk = small.chunks; chunk < small.chunks + slots; chunk++) {
		if (chunk->high == 0) continue;
		const attend_chunk_waiting w = {.low = chunk->low,
		                                .high = chunk->high,
		                                .line = (uint32_t)(attend_chunk_hash(chunk->low, chunk->high) >>
		                                                   (64 - LARGE_BITS))};
		attend_chunk *const slot = find(cache, &w);
		cache->used += slot->high == 0;
		*slot = *chunk;
	}
	attend_chunk_cache_free(&small);
	return ATTEND_OK;
}

/* Keep a chunk's tokens. */
static void keep(attend_chunk_cache *cache, attend_chunk *slot, const attend_chunk_waiting *w,
                 const attend_token_list *tokens)
{
	const bool fits = tokens->count <= ATTEND_CHUNK_TOKENS;
	cache->used += slot->high == 0;
	*slot = (attend_chunk){.low = w->low, .high = w->high, .count = fits ? (uint8_t)tokens->count : ATTEND_CHUNK_LONG};
	for (size_t i = 0; fits && i < tokens->count; i++) {
		slot->ids[i] = tokens->ids[i];
		slot->places[i] = (uint8_t)(tokens->spans[i].start | tokens->spans[i].end << 4);
	}
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

static inline attend_span place_at(uint8_t place, uint32_t at)
{
	const uint64_t both = (place | (uint64_t)place << 28) & UINT64_C(0xf0000000f); /* one addition and one store */
	const uint64_t moved = both + at * UINT64_C(0x100000001);
	return (attend_span){(uint32_t)moved, (uint32_t)(moved >> 32)};
}

/* Append what the cache knows of a chunk. */
static attend_status append_known(const attend_run *r, const attend_chunk *known, uint32_t at)
{
	attend_token_list *const out = &r->out->tokens;
	const size_t from = out->count;
	ATTEND_TRY(attend_token_list_reserve(out, known->count));
	for (size_t i = 0; i < known->count; i++) {
		const attend_span span = place_at(known->places[i], at);
		attend_token_list_put(out, known->ids[i], span.start, span.end);
	}
	if (r->tracked) ATTEND_TRY(attend_run_word_ids(r, from));
	r->out->word_count++;
	return ATTEND_OK;
}

/* A plain chunk (one word) that does not lie in its own line: further on, or among the words that the cache of chunks cannot
 * hold, or new. */
static attend_status add_rare(const attend_run *r, const attend_chunk_waiting *w)
{
	const attend_lane_plan *const plan = r->plan;
	const attend_token_model *const model = r->tokenizer->model;
	const char *const chunk = r->out->text + w->at;
	attend_token_list *const tokens = &r->scratch->chunk_tokens;
	char buffer[ATTEND_CACHED_WORD + 8];
	attend_chunk *slot = NULL;
	bool is_long = w->size > ATTEND_CHUNK_BYTES;
	if (!is_long) {
		slot = find(&r->scratch->chunks, w);
		if (matches(slot, w)) {
			is_long = slot->count == ATTEND_CHUNK_LONG;
			if (!is_long) return append_known(r, slot, w->at);
		}
	}
	const spelled s = spell(plan, chunk, w->size, buffer);
	tokens->count = 0;
	tokens->with_spans = true;
	if (is_long) {
		ATTEND_TRY(attend_run_tokenize(r, s.text, s.size, 0, tokens));
	} else {
		ATTEND_TRY(model->ops->tokenize(model, r->scratch->model, s.text, s.size, 0, tokens));
	}
	place(plan, chunk, w->size, s.shift, tokens->spans, tokens->count);
	if (!is_long) keep(&r->scratch->chunks, slot, w, tokens);
	return append(r, tokens, w->at);
}

/* ---- batches ---- */

void attend_chunks_begin(attend_chunk_batch *b, const attend_run *run)
{
	const size_t size = run->out->size, known = size < 16 ? size : 16;
	b->run = run;
	b->text = run->out->text;
	b->size = size;
	b->chunks = run->scratch->chunks.chunks;
	b->shift = 64 - run->scratch->chunks.line_bits;
	b->count = 0;
	memset(b->tail, 0, sizeof b->tail);
	memcpy(b->tail + 16 - known, b->text + size - known, known);
}

/* Which of a line's two slots holds the chunk; neither gives one as well, so that nothing is decided by a branch but whether
 * there is an answer. */
static inline const attend_chunk *look(const attend_chunk *chunks, const attend_chunk_waiting *w, bool *known)
{
	const attend_chunk *const line = &chunks[(size_t)w->line * WAYS];
	const uint64_t first = (line[0].low ^ w->low) | (line[0].high ^ w->high);
	const uint64_t second = (line[1].low ^ w->low) | (line[1].high ^ w->high);
	const attend_chunk *const slot = line + (first != 0);
	*known = ((first == 0) | (second == 0)) & (slot->count != ATTEND_CHUNK_LONG);
	return slot;
}

static attend_status flush_ids(attend_chunk_batch *b)
{
	const attend_run *const r = b->run;
	const attend_chunk *const chunks = b->chunks;
	attend_token_list *const out = &r->out->tokens;
	for (size_t i = 0; i < b->count;) {
		const size_t room = (b->count - i) * ATTEND_CHUNK_TOKENS + 1; /* what follows a chunk's ids is overwritten */
		if (out->id_capacity - out->count < room) ATTEND_TRY(attend_token_list_reserve(out, room));
		int32_t *ids = out->ids + out->count;
		bool known = true;
		for (; i < b->count; i++) {
			const attend_chunk *const slot = look(chunks, &b->items[i], &known);
			if (!known) break;
			memcpy(ids, slot->ids, 16);
			ids += slot->count;
		}
		out->count = (size_t)(ids - out->ids);
		if (!known) ATTEND_TRY(add_rare(r, &b->items[i++]));
	}
	b->count = 0;
	return ATTEND_OK;
}

static attend_status flush_places(attend_chunk_batch *b)
{
	const attend_run *const r = b->run;
	const attend_chunk *const chunks = b->chunks;
	attend_token_list *const out = &r->out->tokens;
	for (size_t i = 0; i < b->count;) {
		const size_t room = (b->count - i) * ATTEND_CHUNK_TOKENS + 1;
		ATTEND_TRY(attend_token_list_reserve(out, room));
		ATTEND_TRY(attend_run_reserve_places(r, room));
		int32_t *ids = out->ids + out->count, *words = r->out->words + out->count, word = r->out->word_count;
		attend_span *spans = out->spans + out->count;
		bool known = true;
		for (; i < b->count; i++) {
			const attend_chunk_waiting *const w = &b->items[i];
			const attend_chunk *const slot = look(chunks, w, &known);
			if (!known) break;
			const int32_t same[4] = {word, word, word, word};
			memcpy(ids, slot->ids, 16);
			memcpy(words, same, sizeof same);
			for (size_t k = 0; k < ATTEND_CHUNK_TOKENS; k++) spans[k] = place_at(slot->places[k], w->at);
			ids += slot->count;
			words += slot->count;
			spans += slot->count;
			word++;
		}
		out->count = (size_t)(ids - out->ids);
		r->out->word_count = word;
		if (!known) ATTEND_TRY(add_rare(r, &b->items[i++]));
	}
	b->count = 0;
	return ATTEND_OK;
}

attend_status attend_chunks_flush(attend_chunk_batch *b)
{
	attend_chunk_cache *const cache = &b->run->scratch->chunks;
	ATTEND_TRY(b->run->tracked ? flush_places(b) : flush_ids(b));
	if (cache->line_bits == LARGE_BITS || cache->used <= (size_t)1 << cache->line_bits) return ATTEND_OK;
	ATTEND_TRY(enlarge(cache)); /* no chunk waits, which would know its line of the small one */
	b->chunks = cache->chunks;
	b->shift = 64 - cache->line_bits;
	return ATTEND_OK;
}
