/* examples.c: token ids of a whole dataset, shuffled into batches by (seed, epoch). */
#include "lib/train/examples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/rng.h"
#include "lib/train/recipe.h"

/* An example as one sequence, or as windows. */
static attend_status encode_one(attend_encoding *out, const attend_example *e, const attend_tokenizer *tokenizer,
                                const attend_fitting *fitting, bool *was_cut, const char *path)
{
	attend_encode_options options = {0};
	if (fitting->window) {
		const attend_text text = {e->text, e->text_size, e->pair, e->pair_size};
		return attend_tokenizer_encode_windows(out, tokenizer, &text, fitting->window, fitting->window_stride);
	}
	for (int pass = 0; pass < 2; pass++) {
		ATTEND_TRY(e->pair ? attend_tokenizer_encode_pair(out, tokenizer, e->text, e->text_size, e->pair, e->pair_size,
		                                                  &options)
		                   : attend_tokenizer_encode(out, tokenizer, e->text, e->text_size, &options));
		if (out->count <= fitting->limit) return ATTEND_OK;
		const size_t count = out->count;
		attend_encoding_free(out);
		if (fitting->cut < 0)
			return attend_fail(
				ATTEND_ERR_DATA,
				"%s:%zu: the text has %zu tokens, the model takes at most %zu (--truncate cuts, --window "
				"reads all of it)",
				path, e->line, count, fitting->limit);
		*was_cut = true;
		options.truncation = ATTEND_TRUNCATE_LONGEST_FIRST;
		options.truncate_left = fitting->cut == 1;
		options.max_length = fitting->limit;
	}
	return attend_fail(ATTEND_ERR_DATA, "%s:%zu: the text cannot be cut to %zu tokens", path, e->line, fitting->limit);
}

static attend_status check_ids(const attend_encoding *e, size_t vocab, const attend_dataset *d, size_t line)
{
	for (size_t i = 0; i < e->count; i++)
		if ((size_t)e->ids[i] >= vocab)
			return attend_fail(ATTEND_ERR_FORMAT, "%s:%zu: the tokenizer gives id %d, the word embedding has %zu rows",
			                   d->path, line, e->ids[i], vocab);
	return e->count ? ATTEND_OK : attend_fail(ATTEND_ERR_DATA, "%s:%zu: the text has no tokens", d->path, line);
}

attend_status attend_examples_add(attend_examples *examples, size_t *capacity, const int32_t *ids, const int32_t *types,
                                  const uint8_t *marks, size_t count)
{
	attend_examples *x = examples;
	const size_t total = x->count ? x->starts[x->count] : 0;
	ATTEND_TRY(attend_spill_append(&x->id_store, ids, count * sizeof *ids));
	if (types) ATTEND_TRY(attend_spill_append(&x->type_store, types, count * sizeof *types));
	if (marks) ATTEND_TRY(attend_spill_append(&x->mark_store, marks, count));
	ATTEND_TRY(attend_grow(&x->starts, capacity, x->count + 2, sizeof *x->starts, "examples"));
	x->starts[x->count++] = total;
	x->starts[x->count] = total + count;
	if (count > x->longest) x->longest = count;
	return ATTEND_OK;
}

attend_status attend_examples_finish(attend_examples *examples)
{
	attend_examples *x = examples;
	ATTEND_TRY(attend_spill_finish(&x->id_store));
	ATTEND_TRY(attend_spill_finish(&x->type_store));
	ATTEND_TRY(attend_spill_finish(&x->mark_store));
	x->ids = x->id_store.data;
	x->types = x->type_store.data;
	x->marks = x->mark_store.data;
	return ATTEND_OK;
}

static attend_status encode_all(attend_examples *x, const attend_dataset *d, const attend_tokenizer *tokenizer,
                                const attend_fitting *fitting, size_t vocab)
{
	size_t capacity = 0, owner_capacity = 0;
	for (size_t i = 0; i < d->count; i++) {
		attend_encoding e = {0};
		bool was_cut = false;
		attend_status status = encode_one(&e, &d->examples[i], tokenizer, fitting, &was_cut, d->path);
		if (status != ATTEND_OK && fitting->window) {
			char place[32];
			snprintf(place, sizeof place, "line %zu", d->examples[i].line);
			(void)attend_fail_in(status, place);
			return attend_fail_in(status, d->path);
		}
		ATTEND_TRY(status);
		if (x->firsts) x->firsts[i] = x->count;
		for (size_t w = 0; w <= e.overflowing_count && status == ATTEND_OK; w++) {
			const attend_encoding *part = w ? &e.overflowing[w - 1] : &e;
			status = check_ids(part, vocab, d, d->examples[i].line);
			if (status == ATTEND_OK && x->firsts)
				status = attend_grow(&x->owners, &owner_capacity, x->count + 1, sizeof *x->owners, "windows");
			if (status == ATTEND_OK && x->firsts) x->owners[x->count] = i;
			if (status == ATTEND_OK)
				status = attend_examples_add(x, &capacity, part->ids, part->type_ids, NULL, part->count);
		}
		x->too_long += was_cut;
		x->windowed += e.overflowing_count > 0;
		attend_encoding_free(&e);
		ATTEND_TRY(status);
	}
	if (x->firsts) x->firsts[d->count] = x->count;
	return attend_examples_finish(x);
}

attend_status attend_examples_encode(attend_examples *out, const attend_dataset *dataset,
                                     const attend_tokenizer *tokenizer, const attend_fitting *fitting, size_t vocab)
{
	attend_examples x = {0};
	if (fitting->window && !(x.firsts = attend_alloc_array(dataset->count + 1, sizeof *x.firsts)))
		return attend_fail_memory(dataset->count * sizeof *x.firsts, "windows");
	const attend_status status = encode_all(&x, dataset, tokenizer, fitting, vocab);
	if (status != ATTEND_OK) {
		attend_examples_free(&x);
		return status;
	}
	*out = x;
	return ATTEND_OK;
}

void attend_examples_free(attend_examples *examples)
{
	attend_spill_free(&examples->id_store);
	attend_spill_free(&examples->type_store);
	attend_spill_free(&examples->mark_store);
	free(examples->starts);
	free(examples->owners);
	free(examples->firsts);
	*examples = (attend_examples){0};
}

size_t attend_examples_text(const attend_examples *examples, size_t i)
{
	return examples->owners ? examples->owners[i] : i;
}

size_t attend_examples_windows(const attend_examples *examples, size_t text, size_t *first)
{
	*first = examples->firsts ? examples->firsts[text] : text;
	return examples->firsts ? examples->firsts[text + 1] - *first : 1;
}

/* ---- Fitting -------------------------------------------------------------------------------------------------------------- */

attend_status attend_fitting_windows(attend_fitting *fitting, size_t window, int64_t stride, size_t limit,
                                     const attend_tokenizer *tokenizer)
{
	if (window == 0) {
		const size_t made_for = attend_tokenizer_max_length(tokenizer);
		window = limit < made_for ? limit : made_for;
		if (window == SIZE_MAX)
			return attend_fail(ATTEND_ERR_ARG, "window: the model takes texts of any length: say how many tokens");
	}
	if (window > limit)
		return attend_fail(ATTEND_ERR_ARG, "window %zu: the model takes at most %zu tokens", window, limit);
	const size_t added = attend_tokenizer_added_count(tokenizer, true);
	if (window <= added)
		return attend_fail(ATTEND_ERR_ARG, "window %zu: leaves no room beside the special tokens", window);
	const size_t room = window - added;
	fitting->window = window;
	fitting->window_stride = stride >= 0 ? (size_t)stride : room / 2 < 128 ? room / 2 : 128;
	if (fitting->window_stride >= room)
		return attend_fail(ATTEND_ERR_ARG,
		                   "stride %zu: windows of %zu tokens cannot overlap by so many, but by %zu at most",
		                   fitting->window_stride, window, room - 1);
	return ATTEND_OK;
}

attend_status attend_fitting_read(attend_fitting *out, const attend_recipe *recipe, size_t positions,
                                  const attend_tokenizer *tokenizer)
{
	size_t limit = positions ? positions : SIZE_MAX;
	if (recipe->max_seq_length && (size_t)recipe->max_seq_length < limit) limit = (size_t)recipe->max_seq_length;
	*out = (attend_fitting){.limit = limit,
	                        .cut = strcmp(recipe->truncate, "right") == 0  ? 0
	                               : strcmp(recipe->truncate, "left") == 0 ? 1
	                                                                       : -1};
	if (recipe->window < 0) return recipe->stride < 0 ? ATTEND_OK : attend_fail(ATTEND_ERR_ARG, "stride needs window");
	if (out->cut >= 0) return attend_fail(ATTEND_ERR_ARG, "truncate and window exclude each other");
	return attend_fitting_windows(out, (size_t)recipe->window, recipe->stride, limit, tokenizer);
}

/* ---- Lengths -------------------------------------------------------------------------------------------------------------- */

size_t attend_examples_length(const attend_examples *examples, size_t i)
{
	return examples->starts[i + 1] - examples->starts[i];
}

/* ---- Order ---------------------------------------------------------------------------------------------------------------- */

static void shuffle(size_t *items, size_t n, attend_rng *rng) /* Fisher-Yates */
{
	for (size_t i = n; i > 1; i--) {
		const size_t j = (size_t)attend_rng_below(rng, i), keep = items[i - 1];
		items[i - 1] = items[j];
		items[j] = keep;
	}
}

/* Longest first, by merge sort: stable, so that the order is the same everywhere. tmp [n]. */
static void sort_by_length(size_t *items, size_t *tmp, size_t n, const attend_examples *x)
{
	if (n < 2) return;
	const size_t half = n / 2;
	sort_by_length(items, tmp, half, x);
	sort_by_length(items + half, tmp, n - half, x);
	for (size_t i = 0, a = 0, b = half; i < n; i++) {
		const bool left =
			b >= n || (a < half && attend_examples_length(x, items[a]) >= attend_examples_length(x, items[b]));
		tmp[i] = left ? items[a++] : items[b++];
	}
	memcpy(items, tmp, n * sizeof *items);
}

static size_t cut_batches(size_t *ends, const size_t *order, size_t n, const attend_examples *x,
                          const attend_batching *b)
{
	size_t batches = 0, start = 0, tokens = 0;
	for (size_t i = 0; i < n; i++) {
		const size_t length = attend_examples_length(x, order[i]);
		if (i > start && (i - start == b->batch_size || (b->max_tokens && tokens + length > b->max_tokens))) {
			ends[batches++] = i;
			start = i;
			tokens = 0;
		}
		tokens += length;
	}
	if (n) ends[batches++] = n;
	return batches;
}

size_t attend_batches_plan(size_t *order, size_t *ends, const attend_examples *examples, const size_t *members,
                           size_t n, const attend_batching *batching, uint64_t epoch)
{
	attend_rng rng = {.seed = batching->seed, .stream = 0x45504F43u + (epoch << 32)};
	memcpy(order, members, n * sizeof *order);
	shuffle(order, n, &rng);
	if (batching->by_length) { /* blocks of 50 batches, sorted within: `ends` serves as the sort's space */
		const size_t block = 50 * batching->batch_size;
		for (size_t i = 0; i < n; i += block) sort_by_length(order + i, ends, n - i < block ? n - i : block, examples);
	}
	return cut_batches(ends, order, n, examples, batching);
}
