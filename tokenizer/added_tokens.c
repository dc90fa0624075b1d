/* added_tokens.c: added and special tokens (tokenizers' added_vocabulary.rs; huggingface.md sections 3.1 and 3.1.1). */
#include "tokenizer/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/map.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/trie.h"

/* Patterns of one kind (normalized or not): a trie whose values are pattern numbers, and the bytes that patterns start with. */
typedef struct matcher {
	attend_trie trie;
	int32_t *ids; /* by pattern */
	size_t count;
	bool starts[256];
	int only_start; /* the one byte that all patterns start with; -1: several */
} matcher;

/* A token and how its id is spelled. */
typedef struct entry {
	attend_added_token token; /* content owned */
	char *spelling;           /* normalised content where the token is normalized; made by finish */
	size_t spelling_size;
} entry;

/* A pattern as it was added: the reference keeps the flag of the first time for special tokens. */
typedef struct pattern {
	uint32_t token; /* index in tokens */
	bool normalized;
} pattern;

struct attend_added_tokens {
	entry *tokens;
	size_t count, capacity;
	pattern *special, *classic;
	size_t special_count, special_capacity, classic_count, classic_capacity;
	attend_map *by_content;  /* content -> index in tokens */
	attend_map *special_set; /* contents of special tokens */
	int32_t max_id;          /* -1: none */
	int32_t first_id;        /* of by_id[0] */
	int32_t *by_id;          /* made by finish: index in tokens or -1 */
	matcher matchers[2];     /* [normalized] */
};

attend_status attend_added_tokens_new(attend_added_tokens **out)
{
	attend_added_tokens *a = calloc(1, sizeof *a);
	if (!a) return attend_fail_memory(sizeof *a, "added tokens");
	a->max_id = -1;
	attend_status status = attend_map_new(&a->by_content, 16);
	if (status == ATTEND_OK) status = attend_map_new(&a->special_set, 16);
	if (status != ATTEND_OK) {
		attend_added_tokens_free(a);
		return status;
	}
	*out = a;
	return ATTEND_OK;
}

static void matcher_free(matcher *m)
{
	attend_trie_free(&m->trie);
	free(m->ids);
	memset(m, 0, sizeof *m);
}

void attend_added_tokens_free(attend_added_tokens *a)
{
	if (!a) return;
	for (size_t i = 0; i < a->count; i++) {
		free((char *)a->tokens[i].token.content);
		free(a->tokens[i].spelling);
	}
	free(a->tokens);
	free(a->special);
	free(a->classic);
	free(a->by_id);
	attend_map_free(a->by_content);
	attend_map_free(a->special_set);
	matcher_free(&a->matchers[0]);
	matcher_free(&a->matchers[1]);
	free(a);
}

static bool same_flags(const attend_added_token *a, const attend_added_token *b)
{
	return a->single_word == b->single_word && a->lstrip == b->lstrip && a->rstrip == b->rstrip &&
	       a->normalized == b->normalized && a->special == b->special;
}

static attend_status push_pattern(pattern **list, size_t *count, size_t *capacity, size_t token, bool normalized)
{
	if (*count == *capacity) ATTEND_TRY(attend_grow(list, capacity, *count + 1, sizeof **list, "added tokens"));
	(*list)[(*count)++] = (pattern){(uint32_t)token, normalized};
	return ATTEND_OK;
}

/* The next free id: behind the model's and all added ones. */
static int32_t next_id(const attend_added_tokens *a, const attend_token_model *model)
{
	const size_t size = model->ops->vocab_size(model);
	return a->max_id >= 0 && (size_t)a->max_id >= size ? a->max_id + 1 : (int32_t)size;
}

static attend_status new_token(attend_added_tokens *a, const attend_token_model *model, const attend_added_token *token,
                               size_t *index)
{
	int32_t id = model->ops->token_to_id(model, token->content, token->size);
	if (id < 0) id = next_id(a, model);
	if (a->count == a->capacity)
		ATTEND_TRY(attend_grow(&a->tokens, &a->capacity, a->count + 1, sizeof *a->tokens, "added tokens"));
	char *content = malloc(token->size + 1);
	if (!content) return attend_fail_memory(token->size, "added tokens");
	memcpy(content, token->content, token->size);
	content[token->size] = 0;
	const attend_status status = attend_map_put(a->by_content, content, token->size, (int32_t)a->count);
	if (status != ATTEND_OK) {
		free(content);
		return status;
	}
	a->tokens[a->count] = (entry){.token = *token};
	a->tokens[a->count].token.content = content;
	a->tokens[a->count].token.id = id;
	if (id > a->max_id) a->max_id = id;
	*index = a->count++;
	return ATTEND_OK;
}

attend_status attend_added_tokens_add(attend_added_tokens *a, const attend_token_model *model,
                                      attend_added_token *token)
{
	token->id = -1;
	if (token->size == 0) return ATTEND_OK;
	const int32_t known = attend_map_find(a->by_content, token->content, token->size);
	size_t index = (size_t)known;
	if (known < 0) ATTEND_TRY(new_token(a, model, token, &index));
	attend_added_token *const own = &a->tokens[index].token;
	token->id = own->id;
	const bool was_special = attend_added_tokens_is_special(a, token->content, token->size);
	if (token->special && !was_special) {
		ATTEND_TRY(attend_map_put(a->special_set, token->content, token->size, 0));
		ATTEND_TRY(push_pattern(&a->special, &a->special_count, &a->special_capacity, index, token->normalized));
	}
	if (known >= 0 && same_flags(own, token)) return ATTEND_OK;
	if (!token->special && !was_special)
		ATTEND_TRY(push_pattern(&a->classic, &a->classic_count, &a->classic_capacity, index, token->normalized));
	own->single_word = token->single_word;
	own->lstrip = token->lstrip;
	own->rstrip = token->rstrip;
	own->normalized = token->normalized;
	own->special = token->special;
	return ATTEND_OK;
}

/* ---- search tables ---- */

/* Normalise (if `normalized`) the content of a token; malloc'ed. */
static attend_status spell(char **out, size_t *size, const attend_added_token *token, bool normalized,
                           const attend_normalizer *normalizer)
{
	attend_normalized n = {0};
	attend_status status = attend_normalized_set(&n, token->content, token->size, 0, false);
	if (status == ATTEND_OK && normalized) status = attend_normalizer_run(normalizer, &n);
	char *const copy = status == ATTEND_OK ? malloc(n.size + 1) : NULL;
	if (copy) {
		memcpy(copy, n.text, n.size);
		copy[n.size] = 0;
		*out = copy;
		*size = n.size;
	} else if (status == ATTEND_OK) {
		status = attend_fail_memory(n.size, "added tokens");
	}
	attend_normalized_free(&n);
	return status;
}

/* The patterns of one kind while their matcher is built. */
typedef struct spellings {
	attend_trie_key *keys;
	char **owned;
	size_t count;
} spellings;

static attend_status add_spelling(const attend_added_tokens *a, const pattern *p, const attend_normalizer *normalizer,
                                  spellings *s, matcher *m)
{
	const attend_added_token *const token = &a->tokens[p->token].token;
	char *text;
	size_t size;
	ATTEND_TRY(spell(&text, &size, token, p->normalized, normalizer));
	s->owned[s->count] = text;
	s->keys[s->count] = (attend_trie_key){text, (uint32_t)size, 0};
	m->ids[s->count++] = token->id;
	if (size > 0) m->starts[(unsigned char)text[0]] = true;
	return ATTEND_OK;
}

static attend_status build(attend_added_tokens *a, const attend_normalizer *normalizer, bool normalized, spellings *s,
                           matcher *m)
{
	for (size_t i = 0; i < a->special_count; i++)
		if (a->special[i].normalized == normalized) ATTEND_TRY(add_spelling(a, &a->special[i], normalizer, s, m));
	for (size_t i = 0; i < a->classic_count; i++)
		if (a->classic[i].normalized == normalized) ATTEND_TRY(add_spelling(a, &a->classic[i], normalizer, s, m));
	/* Of equal spellings the first one counts; the trie keeps the largest value. */
	for (size_t i = 0; i < s->count; i++) s->keys[i].value = (int32_t)(s->count - 1 - i);
	m->count = s->count;
	m->only_start = -1;
	for (int byte = 0, kinds = 0; byte < 256; byte++)
		if (m->starts[byte]) m->only_start = kinds++ ? -1 : byte;
	return s->count ? attend_trie_build(&m->trie, s->keys, s->count) : ATTEND_OK;
}

static attend_status build_matcher(attend_added_tokens *a, const attend_normalizer *normalizer, bool normalized)
{
	const size_t most = a->special_count + a->classic_count;
	matcher *m = &a->matchers[normalized];
	matcher_free(m);
	spellings s = {.keys = attend_alloc_array(most + 1, sizeof *s.keys),
	               .owned = attend_alloc_array(most + 1, sizeof *s.owned)};
	m->ids = attend_alloc_array(most + 1, sizeof *m->ids);
	attend_status status = s.keys && s.owned && m->ids ? ATTEND_OK : attend_fail_memory(most, "added tokens");
	if (status == ATTEND_OK) status = build(a, normalizer, normalized, &s, m);
	for (size_t i = 0; i < s.count; i++) free(s.owned[i]);
	free(s.keys);
	free(s.owned);
	return status;
}

/* The table from ids to entries. */
static attend_status build_by_id(attend_added_tokens *a)
{
	free(a->by_id);
	a->first_id = a->max_id + 1;
	for (size_t i = 0; i < a->count; i++)
		if (a->tokens[i].token.id < a->first_id) a->first_id = a->tokens[i].token.id;
	const size_t span = (size_t)(a->max_id + 1 - a->first_id);
	a->by_id = attend_alloc_array(span + 1, sizeof *a->by_id);
	if (!a->by_id) return attend_fail_memory(span, "added tokens");
	for (size_t i = 0; i < span; i++) a->by_id[i] = -1;
	for (size_t i = 0; i < a->count; i++) a->by_id[a->tokens[i].token.id - a->first_id] = (int32_t)i;
	return ATTEND_OK;
}

attend_status attend_added_tokens_finish(attend_added_tokens *a, const attend_normalizer *normalizer)
{
	ATTEND_TRY(build_by_id(a));
	for (size_t i = 0; i < a->count; i++) {
		entry *const e = &a->tokens[i];
		free(e->spelling);
		e->spelling = NULL;
		ATTEND_TRY(spell(&e->spelling, &e->spelling_size, &e->token, e->token.normalized, normalizer));
	}
	ATTEND_TRY(build_matcher(a, normalizer, false));
	return build_matcher(a, normalizer, true);
}

/* ---- looking up ---- */

int32_t attend_added_tokens_find(const attend_added_tokens *a, const char *token, size_t size)
{
	const int32_t index = attend_map_find(a->by_content, token, size);
	return index < 0 ? -1 : a->tokens[index].token.id;
}

static const entry *find_entry(const attend_added_tokens *a, int32_t id)
{
	if (!a->by_id || id < a->first_id || id > a->max_id) return NULL;
	const int32_t index = a->by_id[id - a->first_id];
	return index < 0 ? NULL : &a->tokens[index];
}

const char *attend_added_tokens_spelling(const attend_added_tokens *a, int32_t id, size_t *size)
{
	const entry *const e = find_entry(a, id);
	if (!e) return NULL;
	*size = e->spelling_size;
	return e->spelling;
}

bool attend_added_tokens_is_special(const attend_added_tokens *a, const char *token, size_t size)
{
	return attend_map_find(a->special_set, token, size) >= 0;
}

size_t attend_added_tokens_id_bound(const attend_added_tokens *a)
{
	return (size_t)(a->max_id + 1);
}

bool attend_added_tokens_none(const attend_added_tokens *a, bool normalized)
{
	return a->matchers[normalized].count == 0;
}

/* ---- cutting ---- */

void attend_stretches_free(attend_stretches *list)
{
	free(list->items);
	memset(list, 0, sizeof *list);
}

static attend_status push_stretch(attend_stretches *list, int32_t id, size_t start, size_t end)
{
	if (list->count == list->capacity)
		ATTEND_TRY(
			attend_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "stretches of text"));
	list->items[list->count++] = (attend_stretch){id, (uint32_t)start, (uint32_t)end};
	return ATTEND_OK;
}

/* Size of the longest pattern at text[at], 0: none; *id gets its token. */
static size_t longest(const matcher *m, const char *text, size_t size, size_t at, int32_t *id)
{
	uint32_t base = m->trie.root;
	size_t found = 0;
	for (size_t i = at; i < size; i++) {
		int32_t value;
		if (!attend_trie_step(&m->trie, &base, (unsigned char)text[i], &value)) break;
		if (value < 0) continue;
		found = i + 1 - at;
		*id = m->ids[m->count - 1 - (size_t)value];
	}
	return found;
}

/* The next place from `at` on where a pattern may start; size: none. */
static size_t next_start(const matcher *m, const char *text, size_t size, size_t at)
{
	if (m->only_start >= 0) {
		const char *const hit = memchr(text + at, m->only_start, size - at);
		return hit ? (size_t)(hit - text) : size;
	}
	while (at < size && !m->starts[(unsigned char)text[at]]) at++;
	return at;
}

/* Start of the character that ends at `at`. */
static size_t step_back(const char *text, size_t at)
{
	do at--;
	while (at > 0 && !attend_utf8_is_start(text[at]));
	return at;
}

static bool is_part_of_word(const char *text, size_t size, size_t start, size_t end)
{
	size_t length;
	if (start > 0 && attend_is_word(attend_utf8_decode(text + step_back(text, start), &length))) return true;
	return end < size && attend_is_word(attend_utf8_decode(text + end, &length));
}

static size_t strip_left(const char *text, size_t start, size_t limit)
{
	size_t length;
	while (start > limit) {
		const size_t before = step_back(text, start);
		if (!attend_is_whitespace(attend_utf8_decode(text + before, &length))) break;
		start = before;
	}
	return start;
}

static size_t strip_right(const char *text, size_t size, size_t end)
{
	size_t length;
	while (end < size && attend_is_whitespace(attend_utf8_decode(text + end, &length))) end += length;
	return end;
}

attend_status attend_added_tokens_cut(const attend_added_tokens *a, const char *text, size_t size, bool normalized,
                                      bool plain_specials, attend_stretches *out)
{
	const matcher *m = &a->matchers[normalized];
	out->count = 0;
	size_t done = 0;      /* all before is in stretches */
	size_t blank_end = 0; /* where the last token's blanks ended */
	for (size_t at = 0; m->count > 0 && at < size;) {
		int32_t id = -1;
		at = next_start(m, text, size, at);
		if (at == size) break;
		const size_t length = longest(m, text, size, at, &id);
		if (length == 0) {
			at++;
			continue;
		}
		const attend_added_token *const token = &find_entry(a, id)->token;
		size_t start = at, end = at + length;
		at = end;
		if (plain_specials && attend_added_tokens_is_special(a, token->content, token->size)) continue;
		if (token->single_word && is_part_of_word(text, size, start, end)) continue;
		/* A token of blanks may begin among those that the one before took: it overlaps, as in the reference. */
		if (token->lstrip) start = start > done ? strip_left(text, start, done) : done;
		if (token->rstrip) end = blank_end = strip_right(text, size, end > blank_end ? end : blank_end);
		if (start >= end) continue;
		if (done < start) ATTEND_TRY(push_stretch(out, -1, done, start));
		ATTEND_TRY(push_stretch(out, id, start, end));
		done = end;
	}
	return done < size ? push_stretch(out, -1, done, size) : ATTEND_OK;
}
