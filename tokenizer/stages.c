/* stages.c: text -> added tokens -> normaliser -> normalised added tokens -> pre-tokenizer -> model. */
#include "tokenizer/stages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/chunks.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/vocab.h"

struct attend_stages {
	bool bytes;        /* the model does the last step's byte mapping */
	bool needs_origin; /* places in the original matter even when no offsets are wanted */
	attend_lane_plan plan;
	void (*free_model)(void *scratch);
	pthread_mutex_t mutex;
	attend_scratch *pool;
};

attend_status attend_stages_new(attend_stages **out, const attend_tokenizer *tokenizer)
{
	attend_stages *const p = calloc(1, sizeof *p);
	if (!p) return attend_fail_memory(sizeof *p, "tokenizer");
	attend_token_model *const model = tokenizer->model;
	p->bytes = attend_pretokenizer_ends_in_bytes(tokenizer->pretokenizer) && model->ops->use_bytes &&
	           model->ops->use_bytes(model);
	p->needs_origin = attend_pretokenizer_needs_origin(tokenizer->pretokenizer, tokenizer->normalizer != NULL);
	p->plan = attend_lane_choose(tokenizer, p->bytes);
	p->free_model = model->ops->scratch_free;
	pthread_mutex_init(&p->mutex, NULL);
	*out = p;
	return ATTEND_OK;
}

static void sequence_free(attend_sequence *s)
{
	attend_token_list_free(&s->tokens);
	free(s->words);
	free(s->surfaces);
	free(s->chars);
	attend_buffer_free(&s->surface_text);
}

static void scratch_free(attend_scratch *scratch, void (*free_model)(void *scratch))
{
	for (int i = 0; i < 2; i++) {
		sequence_free(&scratch->sequences[i]);
		free(scratch->windows[i]);
	}
	attend_words_free(&scratch->whole);
	attend_words_free(&scratch->part);
	attend_stretches_free(&scratch->raw);
	attend_stretches_free(&scratch->cooked);
	attend_stretches_free(&scratch->unchanged);
	attend_token_list_free(&scratch->word_tokens);
	attend_token_list_free(&scratch->chunk_tokens);
	attend_word_cache_free(&scratch->cache);
	attend_word_cache_free(&scratch->odd_chunks);
	attend_chunk_cache_free(&scratch->chunks);
	if (free_model) free_model(scratch->model);
	free(scratch->trims);
	free(scratch);
}

void attend_stages_free(attend_stages *p)
{
	if (!p) return;
	while (p->pool) {
		attend_scratch *const scratch = p->pool;
		p->pool = scratch->next;
		scratch_free(scratch, p->free_model);
	}
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

attend_status attend_scratch_take(attend_scratch **out, const attend_tokenizer *tokenizer)
{
	attend_stages *const p = tokenizer->stages;
	pthread_mutex_lock(&p->mutex);
	attend_scratch *scratch = p->pool;
	if (scratch) p->pool = scratch->next;
	pthread_mutex_unlock(&p->mutex);
	if (!scratch) {
		scratch = calloc(1, sizeof *scratch);
		if (!scratch) return attend_fail_memory(sizeof *scratch, "tokenizer");
		const attend_token_model_ops *const ops = tokenizer->model->ops;
		attend_status status = attend_word_cache_init(&scratch->cache);
		if (status == ATTEND_OK && ops->scratch_new) status = ops->scratch_new(&scratch->model, tokenizer->model);
		if (status != ATTEND_OK) {
			scratch_free(scratch, NULL);
			return status;
		}
	}
	*out = scratch;
	return ATTEND_OK;
}

void attend_scratch_give(const attend_tokenizer *tokenizer, attend_scratch *scratch)
{
	attend_stages *const p = tokenizer->stages;
	pthread_mutex_lock(&p->mutex);
	scratch->next = p->pool;
	p->pool = scratch;
	pthread_mutex_unlock(&p->mutex);
}

/* ---- one text ---- */

static attend_status add_surface(attend_sequence *s, size_t token, const char *text, size_t size)
{
	/* Added tokens of blanks can overlap (rstrip) and spell the same text again and again. */
	if (s->surface_text.size + size > 64 * s->size + (1u << 20))
		return attend_fail(ATTEND_ERR_DATA, "spellings of overlapping added tokens: more than 64 times the text");
	if (s->surface_count == s->surface_capacity)
		ATTEND_TRY(
			attend_grow(&s->surfaces, &s->surface_capacity, s->surface_count + 1, sizeof *s->surfaces, "spellings"));
	s->surfaces[s->surface_count++] = (attend_surface){(uint32_t)token, (uint32_t)s->surface_text.size, (uint32_t)size};
	attend_buffer_append(&s->surface_text, text, size);
	attend_buffer_append(&s->surface_text, "", 1);
	return attend_buffer_status(&s->surface_text);
}

attend_status attend_run_reserve_places(const attend_run *r, size_t more)
{
	attend_sequence *const s = r->out;
	const size_t need = s->tokens.count + more;
	if (need > s->tokens.span_capacity) ATTEND_TRY(attend_token_list_reserve(&s->tokens, more));
	if (need > s->word_capacity)
		ATTEND_TRY(attend_grow(&s->words, &s->word_capacity, need, sizeof *s->words, "word ids"));
	return ATTEND_OK;
}

attend_status attend_run_word_ids(const attend_run *r, size_t from)
{
	attend_sequence *const s = r->out;
	ATTEND_TRY(attend_run_reserve_places(r, 0));
	for (size_t i = from; i < s->tokens.count; i++) s->words[i] = s->word_count;
	return ATTEND_OK;
}

/* One added token, spelled text[size], at [start, end) of the original. */
static attend_status add_token(const attend_run *r, int32_t id, attend_span place, const char *text, size_t size)
{
	attend_sequence *const s = r->out;
	if (r->surfaces) ATTEND_TRY(add_surface(s, s->tokens.count, text, size));
	ATTEND_TRY(attend_token_list_push(&s->tokens, id, place.start, place.end));
	if (r->tracked) ATTEND_TRY(attend_run_word_ids(r, s->tokens.count - 1));
	s->word_count++;
	return ATTEND_OK;
}

attend_status attend_run_tokenize(const attend_run *r, const char *word, size_t size, uint32_t base,
                                  attend_token_list *out)
{
	const attend_token_model *const model = r->tokenizer->model;
	attend_token_list *const fresh = &r->scratch->word_tokens;
	attend_word_cache *const cache = &r->scratch->cache;
	if (size > ATTEND_CACHED_WORD) return model->ops->tokenize(model, r->scratch->model, word, size, base, out);
	const uint64_t hash = attend_hash_bytes(word, size);
	const attend_cached_word *slot = attend_word_cache_find(cache, word, size, hash);
	if (slot->size == 0) {
		fresh->count = 0;
		fresh->with_spans = true;
		ATTEND_TRY(model->ops->tokenize(model, r->scratch->model, word, size, base, fresh));
		attend_word_cache_put(cache, word, size, hash, fresh->ids, fresh->spans, fresh->count, base);
		ATTEND_TRY(attend_token_list_reserve(out, fresh->count));
		for (size_t i = 0; i < fresh->count; i++)
			attend_token_list_put(out, fresh->ids[i], fresh->spans[i].start, fresh->spans[i].end);
		return ATTEND_OK;
	}
	ATTEND_TRY(attend_token_list_reserve(out, slot->count));
	for (size_t i = slot->tokens; i < (size_t)slot->tokens + slot->count; i++)
		attend_token_list_put(out, cache->ids[i], base + cache->spans[i][0], base + cache->spans[i][1]);
	return ATTEND_OK;
}

static attend_status add_word(const attend_run *r, const attend_normalized *n, attend_span word)
{
	attend_sequence *const s = r->out;
	const attend_token_model *const model = r->tokenizer->model;
	const size_t from = s->tokens.count;
	ATTEND_TRY(attend_run_tokenize(r, n->text + word.start, word.end - word.start, word.start, &s->tokens));
	if (r->tracked) {
		for (size_t i = from; i < s->tokens.count; i++) {
			attend_span *const span = &s->tokens.spans[i];
			if (r->surfaces && model->surface_unk && s->tokens.ids[i] == model->unk_id)
				ATTEND_TRY(add_surface(s, i, n->text + span->start, span->end - span->start));
			*span = attend_normalized_origin(n, span->start, span->end);
		}
		ATTEND_TRY(attend_run_word_ids(r, from));
	}
	s->word_count++;
	return ATTEND_OK;
}

static attend_status add_words(const attend_run *r, attend_words *words)
{
	ATTEND_TRY(attend_pretokenizer_run(r->tokenizer->pretokenizer, words, r->tokenizer->stages->bytes));
	for (size_t i = 0; i < words->spans.count; i++) ATTEND_TRY(add_word(r, &words->n, words->spans.items[i]));
	return ATTEND_OK;
}

attend_status attend_run_raw_word(const attend_run *r, uint32_t start, uint32_t end)
{
	const attend_normalized n = {.text = (char *)(uintptr_t)r->out->text, /* only read */
	                             .size = r->out->size,
	                             .tracked = r->tracked,
	                             .identity = true};
	return add_word(r, &n, (attend_span){start, end});
}

attend_status attend_run_text(const attend_run *r, uint32_t start, uint32_t end)
{
	const attend_tokenizer *const t = r->tokenizer;
	attend_words *const whole = &r->scratch->whole, *const part = &r->scratch->part;
	attend_stretches *const cooked = &r->scratch->cooked;
	attend_normalized *const n = &whole->n;
	ATTEND_TRY(attend_normalized_set(n, r->out->text + start, end - start, start, r->tracked));
	ATTEND_TRY(attend_normalizer_run(t->normalizer, n));
	if (attend_added_tokens_none(t->added, true)) return add_words(r, whole);
	ATTEND_TRY(attend_added_tokens_cut(t->added, n->text, n->size, true, r->plain_specials, cooked));
	if (cooked->count == 1 && cooked->items[0].id < 0) return add_words(r, whole);
	for (size_t i = 0; i < cooked->count; i++) {
		const attend_stretch s = cooked->items[i];
		if (s.id >= 0) {
			const attend_span place = attend_normalized_origin(n, s.start, s.end);
			ATTEND_TRY(add_token(r, s.id, place, n->text + s.start, s.end - s.start));
		} else {
			ATTEND_TRY(attend_normalized_slice(&part->n, n, s.start, s.end));
			ATTEND_TRY(add_words(r, part));
		}
	}
	return ATTEND_OK;
}

/* Marian: ">>code<<" at the beginning of a stretch is one token; *start moves behind it. */
static attend_status add_language_code(const attend_run *r, uint32_t *start, uint32_t end)
{
	const char *const text = r->out->text + *start;
	const size_t size = end - *start;
	if (size < 4 || memcmp(text, ">>", 2) != 0) return ATTEND_OK;
	for (size_t i = 2; i + 2 <= size; i++) {
		if (text[i] != '<' || text[i + 1] != '<') continue;
		size_t length = i + 2;
		int32_t id = attend_tokenizer_token_to_id(r->tokenizer, text, length);
		if (id < 0) id = r->tokenizer->special_ids[ATTEND_TOKEN_UNK];
		if (id < 0)
			return attend_fail(ATTEND_ERR_DATA, "language code \"%.*s\" is no token", (int)(length < 40 ? length : 40),
			                   text);
		const attend_span place = {*start, *start + (uint32_t)length};
		*start = place.end;
		const char *const token = attend_tokenizer_id_to_token(r->tokenizer, id, &length);
		return add_token(r, id, place, token, length);
	}
	return ATTEND_OK;
}

/* Text without added tokens, the short way if there is one. Spellings of unknown tokens are cut out of the normalised text,
 * which only the long way has. */
static attend_status add_bare_text(const attend_run *r, uint32_t start, uint32_t end)
{
	bool done = false;
	if (r->plan->lane != ATTEND_LANE_NONE && !(r->surfaces && r->tokenizer->model->surface_unk))
		ATTEND_TRY(attend_lane_run(r, start, end, &done));
	return done ? ATTEND_OK : attend_run_text(r, start, end);
}

/* A stretch of the original between added tokens of raw spelling. Those of normalised spelling are found here if the
 * normaliser has nothing to do, so that the short way can be gone between them. */
static attend_status add_text(const attend_run *r, uint32_t start, uint32_t end)
{
	const attend_tokenizer *const t = r->tokenizer;
	const char *const text = r->out->text + start;
	attend_stretches *const list = &r->scratch->unchanged;
	if (r->plan->lane == ATTEND_LANE_NONE || attend_added_tokens_none(t->added, true) ||
	    !attend_normalizer_keeps(t->normalizer, text, end - start))
		return add_bare_text(r, start, end);
	ATTEND_TRY(attend_added_tokens_cut(t->added, text, end - start, true, r->plain_specials, list));
	for (size_t i = 0; i < list->count; i++) {
		const attend_stretch s = {list->items[i].id, start + list->items[i].start, start + list->items[i].end};
		if (s.id >= 0)
			ATTEND_TRY(add_token(r, s.id, (attend_span){s.start, s.end}, r->out->text + s.start, s.end - s.start));
		else ATTEND_TRY(add_bare_text(r, s.start, s.end));
	}
	return ATTEND_OK;
}

attend_status attend_stages_run(const attend_tokenizer *t, attend_scratch *scratch, unsigned which, const char *text,
                                size_t size, unsigned fields, bool plain_specials)
{
	attend_sequence *const s = &scratch->sequences[which];
	attend_stretches *const raw = &scratch->raw;
	s->text = text;
	s->size = size;
	s->tokens.count = s->surface_count = 0;
	s->word_count = 0;
	attend_buffer_clear(&s->surface_text);
	/* Blanks that an added token of the text took along are trimmed off its offsets, too. */
	const bool surfaces =
		fields & ATTEND_ENCODE_TOKENS || (fields & ATTEND_ENCODE_OFFSETS && t->postprocessor->trim_offsets);
	const attend_run r = {.tokenizer = t,
	                      .plan = &t->stages->plan,
	                      .scratch = scratch,
	                      .out = s,
	                      .tracked = fields != 0 || t->stages->needs_origin,
	                      .surfaces = surfaces,
	                      .plain_specials = plain_specials};
	s->tokens.with_spans = r.tracked;
	if (size > ATTEND_MAX_TEXT)
		return attend_fail(ATTEND_ERR_DATA, "text of %zu bytes: at most %d are allowed", size, ATTEND_MAX_TEXT);
	const size_t plain = attend_ascii_prefix(text, size);
	const size_t valid = plain + attend_utf8_valid_prefix(text + plain, size - plain);
	s->ascii = plain == size;
	if (valid < size)
		return attend_fail(ATTEND_ERR_DATA, "text is not UTF-8: byte 0x%02x at position %zu",
		                   (unsigned char)text[valid], valid);
	ATTEND_TRY(attend_added_tokens_cut(t->added, text, size, false, plain_specials, raw));
	for (size_t i = 0; i < raw->count; i++) {
		attend_stretch x = raw->items[i];
		if (x.id >= 0) {
			ATTEND_TRY(add_token(&r, x.id, (attend_span){x.start, x.end}, text + x.start, x.end - x.start));
			continue;
		}
		if (t->marian_rules) ATTEND_TRY(add_language_code(&r, &x.start, x.end));
		if (x.start < x.end) ATTEND_TRY(add_text(&r, x.start, x.end));
	}
	return ATTEND_OK;
}
