/* chunks.c: chunks into tokens: out of the cache (chunk_cache.c) by the batch, and what becomes of those that it does not know. */
#include "tokenizer/chunks.h"

#include "lib/core/arena.h"
#include "tokenizer/models.h"
#include "tokenizer/vocab.h"

enum { WAYS = ATTEND_CHUNK_WAYS };

const unsigned char attend_chunk_masks[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                              255, 255, 255, 255, 255, 255, 255, 255};

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
static void place(const char *chunk, size_t size, uint32_t shift, attend_span *spans, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		attend_span s = spans[i];
		s.start = s.start > shift ? s.start - shift : 0;
		s.end = s.end > shift ? s.end - shift : 1;
		while (s.start > 0 && !attend_utf8_is_start(chunk[s.start])) s.start--;
		while (s.end < size && !attend_utf8_is_start(chunk[s.end])) s.end++;
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

/* Append what the cache knows of a chunk that it keeps (attend_chunk_kept). */
static attend_status append_known(const attend_run *r, const attend_chunk *chunk, uint32_t at)
{
	const attend_chunk_cache *const cache = &r->scratch->chunks;
	attend_token_list *const out = &r->out->tokens;
	const bool spilled = chunk->count == ATTEND_CHUNK_SPILLED;
	const size_t count = spilled ? (size_t)chunk->ids[1] : chunk->count, from = out->count;
	const int32_t *const ids = spilled ? cache->spilled_ids + chunk->ids[0] : chunk->ids;
	const uint8_t *const places = spilled ? cache->spilled_places + chunk->ids[0] : chunk->places;
	ATTEND_TRY(attend_token_list_reserve(out, count));
	if (count) memcpy(out->ids + from, ids, count * sizeof *ids);
	out->count += count;
	if (r->tracked) {
		for (size_t i = 0; i < count; i++) out->spans[from + i] = place_at(places[i], at);
		ATTEND_TRY(attend_run_word_ids(r, from));
	}
	r->out->word_count++;
	return ATTEND_OK;
}

/* ---- chunks that are not plain ---- */

/* A stretch through all stages, with places even if only ids are wanted, so that what is kept of it has them. *one_word: it
 * became one, which lies where the stretch does. */
static attend_status run_tracked(const attend_run *r, const attend_chunk_waiting *w, bool *one_word)
{
	attend_token_list *const out = &r->out->tokens;
	const size_t from = out->count;
	const int32_t word = r->out->word_count;
	attend_run tracked = *r;
	tracked.tracked = out->with_spans = true;
	attend_status status = attend_token_list_reserve(out, 0);
	if (status == ATTEND_OK) status = attend_run_text(&tracked, w->at, w->at + w->size);
	out->with_spans = r->tracked;
	*one_word = r->out->word_count == word + 1;
	for (size_t i = from; i < out->count && status == ATTEND_OK; i++)
		if (out->spans[i].start < w->at || out->spans[i].end > w->at + w->size) *one_word = false;
	return status;
}

/* A stretch that the cache of chunks cannot hold. Of one that is more than one word only the ids are kept. */
static attend_status add_long_odd(const attend_run *r, const attend_chunk_waiting *w)
{
	attend_token_list *const out = &r->out->tokens;
	attend_word_cache *const cache = &r->scratch->odd_chunks;
	const size_t from = out->count;
	if (w->size > ATTEND_CACHED_WORD) return attend_run_text(r, w->at, w->at + w->size);
	if (!cache->slots) ATTEND_TRY(attend_word_cache_init(cache));
	const char *const chunk = r->out->text + w->at;
	const uint64_t hash = attend_hash_bytes(chunk, w->size);
	const attend_cached_word *const slot = attend_word_cache_find(cache, chunk, w->size, hash);
	if (slot->size > 0 && (!r->tracked || slot->placed)) {
		ATTEND_TRY(attend_token_list_reserve(out, slot->count));
		if (slot->count) memcpy(out->ids + from, cache->ids + slot->tokens, slot->count * sizeof *out->ids);
		out->count += slot->count;
		if (r->tracked) {
			const uint8_t(*const places)[2] = cache->spans + slot->tokens;
			for (size_t i = 0; i < slot->count; i++)
				out->spans[from + i] = (attend_span){w->at + places[i][0], w->at + places[i][1]};
			ATTEND_TRY(attend_run_word_ids(r, from));
		}
		r->out->word_count++;
		return ATTEND_OK;
	}
	if (slot->size > 0) return attend_run_text(r, w->at, w->at + w->size);
	bool one_word;
	ATTEND_TRY(run_tracked(r, w, &one_word));
	attend_word_cache_put(cache, chunk, w->size, hash, out->ids ? out->ids + from : NULL,
	                      one_word ? out->spans + from : NULL, out->count - from, w->at);
	return ATTEND_OK;
}

static attend_status add_odd(const attend_run *r, const attend_chunk_waiting *w)
{
	attend_token_list *const out = &r->out->tokens;
	const size_t from = out->count;
	if (w->size > ATTEND_CHUNK_BYTES) return add_long_odd(r, w);
	attend_chunk *const slot = attend_chunk_find(&r->scratch->chunks, w);
	if (attend_chunk_matches(slot, w))
		return attend_chunk_kept(slot) ? append_known(r, slot, w->at) : add_long_odd(r, w);
	bool one_word;
	ATTEND_TRY(run_tracked(r, w, &one_word));
	return attend_chunk_keep(&r->scratch->chunks, slot, w, out->ids ? out->ids + from : NULL,
	                         one_word ? out->spans + from : NULL, out->count - from, w->at);
}

/* ---- */

/* A plain chunk (one word) that does not lie in its own line: further on, or among the words that the cache of chunks cannot
 * hold, or new. */
static attend_status add_rare(const attend_run *r, const attend_chunk_waiting *w)
{
	if (w->odd) return add_odd(r, w);
	const attend_lane_plan *const plan = r->plan;
	const attend_token_model *const model = r->tokenizer->model;
	const char *const chunk = r->out->text + w->at;
	attend_token_list *const tokens = &r->scratch->chunk_tokens;
	char buffer[ATTEND_CACHED_WORD + 8];
	attend_chunk *slot = NULL;
	if (w->size <= ATTEND_CHUNK_BYTES) {
		slot = attend_chunk_find(&r->scratch->chunks, w);
		if (attend_chunk_matches(slot, w) && attend_chunk_kept(slot)) return append_known(r, slot, w->at);
	}
	const spelled s = spell(plan, chunk, w->size, buffer);
	tokens->count = 0;
	tokens->with_spans = true;
	if (!slot) ATTEND_TRY(attend_run_tokenize(r, s.text, s.size, 0, tokens));
	else ATTEND_TRY(model->ops->tokenize(model, r->scratch->model, s.text, s.size, 0, tokens));
	place(chunk, w->size, s.shift, tokens->spans, tokens->count);
	if (slot) ATTEND_TRY(attend_chunk_keep(&r->scratch->chunks, slot, w, tokens->ids, tokens->spans, tokens->count, 0));
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
	*known = ((first == 0) | (second == 0)) & (slot->count != ATTEND_CHUNK_SPILLED);
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
	ATTEND_TRY(attend_chunk_cache_enlarge(cache)); /* no chunk waits, which would know its line of the small one */
	b->chunks = cache->chunks;
	b->shift = 64 - cache->line_bits;
	return ATTEND_OK;
}
