/* normal_forms.c: UAX 15 over the tables of unicode_tables.c.
 *
 * A decomposed character's first part replaces it and the rest is new; canonical ordering moves the parts with these
 * accounts; a composition adds them up and counts one less (it swallows a character). */
#include "tokenizer/normal_forms.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "tokenizer/unicode_tables.h"

enum {
	HANGUL_S = 0xac00,
	HANGUL_L = 0x1100,
	HANGUL_V = 0x1161,
	HANGUL_T = 0x11a7,
	HANGUL_LS = 19,
	HANGUL_VS = 21,
	HANGUL_TS = 28,
	HANGUL_SS = HANGUL_LS * HANGUL_VS * HANGUL_TS
};

size_t attend_decompose(uint32_t out[ATTEND_MAX_DECOMPOSITION], uint32_t c, bool compatibility)
{
	out[0] = c;
	if (!(attend_shape_of(c) & (compatibility ? ATTEND_SHAPE_NFKD : ATTEND_SHAPE_NFD))) return 1;
	if (c >= HANGUL_S && c < HANGUL_S + HANGUL_SS) {
		const uint32_t s = c - HANGUL_S;
		out[0] = HANGUL_L + s / (HANGUL_VS * HANGUL_TS);
		out[1] = HANGUL_V + s % (HANGUL_VS * HANGUL_TS) / HANGUL_TS;
		out[2] = HANGUL_T + s % HANGUL_TS;
		return s % HANGUL_TS ? 3 : 2;
	}
	size_t low = 0, high = attend_unicode_decomposition_count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (attend_unicode_decompositions[middle].code < c) low = middle + 1;
		else high = middle;
	}
	const attend_unicode_decomposition *d = &attend_unicode_decompositions[low];
	const bool second = compatibility && d->compatibility > 0;
	const size_t count = second ? d->compatibility : d->canonical;
	memcpy(out, attend_unicode_pool + d->offset + (second ? d->canonical : 0), count * sizeof *out);
	return count;
}

/* Primary composite of a pair, 0 if there is none. */
static uint32_t compose(uint32_t first, uint32_t second)
{
	if (!(attend_shape_of(second) & ATTEND_SHAPE_SECOND)) return 0;
	if (first - HANGUL_L < HANGUL_LS) {
		if (second - HANGUL_V >= HANGUL_VS) return 0;
		return HANGUL_S + ((first - HANGUL_L) * HANGUL_VS + (second - HANGUL_V)) * HANGUL_TS;
	}
	if (first - HANGUL_S < HANGUL_SS && (first - HANGUL_S) % HANGUL_TS == 0 && second - (HANGUL_T + 1) < HANGUL_TS - 1)
		return first + (second - HANGUL_T);
	const uint64_t key = (uint64_t)first << 32 | second;
	size_t low = 0, high = attend_unicode_pair_count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		const attend_unicode_pair *p = &attend_unicode_pairs[middle];
		if (((uint64_t)p->first << 32 | p->second) < key) low = middle + 1;
		else high = middle;
	}
	if (low == attend_unicode_pair_count) return 0;
	const attend_unicode_pair *p = &attend_unicode_pairs[low];
	return p->first == first && p->second == second ? p->composed : 0;
}

/* A character on its way, with its account. */
typedef struct part {
	uint32_t c;
	int change;
	uint32_t rank; /* combining class */
} part;

typedef struct parts {
	part *items;
	size_t count, capacity;
} parts;

static attend_status parts_push(parts *list, uint32_t c, int change, uint32_t rank)
{
	if (list->count == list->capacity)
		ATTEND_TRY(attend_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "combining marks"));
	list->items[list->count++] = (part){c, change, rank};
	return ATTEND_OK;
}

/* Stable sort of marks by combining class: counting, so that a megabyte of marks costs what it should. */
static attend_status sort_marks(part *items, size_t count, parts *spare)
{
	if (count < 24) {
		for (size_t i = 1; i < count; i++) {
			const part p = items[i];
			size_t j = i;
			for (; j > 0 && items[j - 1].rank > p.rank; j--) items[j] = items[j - 1];
			items[j] = p;
		}
		return ATTEND_OK;
	}
	if (count > spare->capacity)
		ATTEND_TRY(attend_grow(&spare->items, &spare->capacity, count, sizeof *spare->items, "combining marks"));
	size_t starts[257] = {0};
	for (size_t i = 0; i < count; i++) starts[items[i].rank + 1]++;
	for (size_t i = 1; i < 257; i++) starts[i] += starts[i - 1];
	for (size_t i = 0; i < count; i++) spare->items[starts[items[i].rank]++] = items[i];
	memcpy(items, spare->items, count * sizeof *items);
	return ATTEND_OK;
}

/* What compose_run keeps between characters: a starter that may still combine, and the marks that did not. */
typedef struct composer {
	attend_normalized *n;
	bool has_starter, has_class;
	part starter;
	uint32_t last_class;
	parts marks;
} composer;

static attend_status flush_marks(composer *k)
{
	for (size_t i = 0; i < k->marks.count; i++)
		ATTEND_TRY(attend_change_put_char(k->n, k->marks.items[i].c, k->marks.items[i].change));
	k->marks.count = 0;
	k->has_class = false;
	return ATTEND_OK;
}

static attend_status flush_starter(composer *k)
{
	if (k->has_starter) ATTEND_TRY(attend_change_put_char(k->n, k->starter.c, k->starter.change));
	k->has_starter = false;
	return flush_marks(k);
}

static attend_status compose_put(composer *k, const part *p)
{
	if (!k->has_starter) {
		if (p->rank != 0) return attend_change_put_char(k->n, p->c, p->change);
		k->starter = *p;
		k->has_starter = true;
		return ATTEND_OK;
	}
	if (!k->has_class || k->last_class < p->rank) {
		const uint32_t composed = compose(k->starter.c, p->c);
		if (composed) {
			k->starter.c = composed;
			k->starter.change += p->change - 1;
			return ATTEND_OK;
		}
	}
	if (p->rank == 0) {
		ATTEND_TRY(flush_starter(k));
		k->starter = *p;
		k->has_starter = true;
		return ATTEND_OK;
	}
	k->last_class = p->rank;
	k->has_class = true;
	return parts_push(&k->marks, p->c, p->change, p->rank);
}

/* Everything up to (not including) a starter is in order: pass it on. */
static attend_status flush_run(parts *run, parts *spare, composer *k, attend_normalized *n)
{
	ATTEND_TRY(sort_marks(run->items, run->count, spare));
	for (size_t i = 0; i < run->count; i++) {
		if (k) ATTEND_TRY(compose_put(k, &run->items[i]));
		else ATTEND_TRY(attend_change_put_char(n, run->items[i].c, run->items[i].change));
	}
	run->count = 0;
	return ATTEND_OK;
}

static attend_status normalize(attend_normalized *n, bool compatibility, composer *k, parts *run, parts *spare)
{
	ATTEND_TRY(attend_change_begin(n, 0, n->size + 16));
	for (size_t i = 0; i < n->size;) {
		size_t size, count;
		uint32_t all[ATTEND_MAX_DECOMPOSITION];
		const uint32_t c = attend_utf8_decode(n->text + i, &size);
		i += size;
		count = attend_decompose(all, c, compatibility);
		for (size_t j = 0; j < count; j++) {
			const part p = {all[j], j > 0, attend_combining_class(all[j])};
			if (p.rank != 0) {
				ATTEND_TRY(parts_push(run, p.c, p.change, p.rank));
				continue;
			}
			ATTEND_TRY(flush_run(run, spare, k, n));
			if (k) ATTEND_TRY(compose_put(k, &p));
			else ATTEND_TRY(attend_change_put_char(n, p.c, p.change));
		}
	}
	ATTEND_TRY(flush_run(run, spare, k, n));
	if (k) ATTEND_TRY(flush_starter(k));
	attend_change_commit(n);
	return ATTEND_OK;
}

bool attend_has_form(const char *text, size_t size, attend_normal_form form)
{
	static const uint8_t wanted[] = {
		[ATTEND_NFC] = ATTEND_SHAPE_NFD | ATTEND_SHAPE_CCC | ATTEND_SHAPE_SECOND,
		[ATTEND_NFD] = ATTEND_SHAPE_NFD | ATTEND_SHAPE_CCC,
		[ATTEND_NFKC] = ATTEND_SHAPE_NFKD | ATTEND_SHAPE_CCC | ATTEND_SHAPE_SECOND,
		[ATTEND_NFKD] = ATTEND_SHAPE_NFKD | ATTEND_SHAPE_CCC,
	};
	for (size_t i = 0; i < size;) {
		if ((unsigned char)text[i] < 0x80) {
			i++;
			continue;
		}
		size_t length;
		if (attend_shape_of(attend_utf8_decode(text + i, &length)) & wanted[form]) return false;
		i += length;
	}
	return true;
}

attend_status attend_normalize_form(attend_normalized *n, attend_normal_form form)
{
	if (attend_has_form(n->text, n->size, form)) return ATTEND_OK;
	composer k = {.n = n};
	parts run = {0}, spare = {0};
	const bool composed = form == ATTEND_NFC || form == ATTEND_NFKC;
	const attend_status status =
		normalize(n, form == ATTEND_NFKC || form == ATTEND_NFKD, composed ? &k : NULL, &run, &spare);
	free(k.marks.items);
	free(run.items);
	free(spare.items);
	return status;
}
