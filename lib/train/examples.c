/* examples.c: token ids of a whole dataset, shuffled into batches by (seed, epoch). */
#include "lib/train/examples.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/rng.h"

static attend_status encode_one(attend_encoding *out, const attend_example *e, const attend_tokenizer *tokenizer,
                                size_t limit, int cut, bool *was_cut, const char *path)
{
	attend_encode_options options = {0};
	for (int pass = 0; pass < 2; pass++) {
		ATTEND_TRY(e->pair ? attend_tokenizer_encode_pair(out, tokenizer, e->text, e->text_size, e->pair, e->pair_size,
		                                                  &options)
		                   : attend_tokenizer_encode(out, tokenizer, e->text, e->text_size, &options));
		if (out->count <= limit) return ATTEND_OK;
		const size_t count = out->count;
		if (cut < 0) {
			attend_encoding_free(out);
			return attend_fail(ATTEND_ERR_DATA,
			                   "%s:%zu: the text has %zu tokens, the model takes at most %zu (--truncate cuts)", path,
			                   e->line, count, limit);
		}
		attend_encoding_free(out);
		*was_cut = true;
		options.truncation = ATTEND_TRUNCATE_LONGEST_FIRST;
		options.truncate_left = cut == 1;
		options.max_length = limit;
	}
	return attend_fail(ATTEND_ERR_DATA, "%s:%zu: the text cannot be cut to %zu tokens", path, e->line, limit);
}

static attend_status check_ids(const attend_encoding *e, size_t vocab, const attend_dataset *d, size_t line)
{
	for (size_t i = 0; i < e->count; i++)
		if ((size_t)e->ids[i] >= vocab)
			return attend_fail(ATTEND_ERR_FORMAT, "%s:%zu: the tokenizer gives id %d, the word embedding has %zu rows",
			                   d->path, line, e->ids[i], vocab);
	return e->count ? ATTEND_OK : attend_fail(ATTEND_ERR_DATA, "%s:%zu: the text has no tokens", d->path, line);
}

static attend_status encode_all(attend_examples *x, const attend_dataset *d, const attend_tokenizer *tokenizer,
                                size_t limit, int cut, size_t vocab)
{
	size_t id_capacity = 0, type_capacity = 0, total = 0;
	for (size_t i = 0; i < d->count; i++) {
		attend_encoding e = {0};
		bool was_cut = false;
		ATTEND_TRY(encode_one(&e, &d->examples[i], tokenizer, limit, cut, &was_cut, d->path));
		attend_status status = check_ids(&e, vocab, d, d->examples[i].line);
		if (status == ATTEND_OK)
			status = attend_grow(&x->ids, &id_capacity, total + e.count, sizeof *x->ids, "token ids");
		if (status == ATTEND_OK)
			status = attend_grow(&x->types, &type_capacity, total + e.count, sizeof *x->types, "token types");
		if (status == ATTEND_OK) {
			memcpy(x->ids + total, e.ids, e.count * sizeof *x->ids);
			memcpy(x->types + total, e.type_ids, e.count * sizeof *x->types);
			x->starts[i] = total;
			total += e.count;
			x->longest = e.count > x->longest ? e.count : x->longest;
			x->too_long += was_cut;
			x->count++;
		}
		attend_encoding_free(&e);
		ATTEND_TRY(status);
	}
	x->starts[x->count] = total;
	return ATTEND_OK;
}

attend_status attend_examples_encode(attend_examples *out, const attend_dataset *dataset,
                                     const attend_tokenizer *tokenizer, size_t limit, int cut, size_t vocab)
{
	attend_examples x = {.starts = attend_alloc_array(dataset->count + 1, sizeof(size_t))};
	if (!x.starts) return attend_fail_memory(dataset->count * sizeof(size_t), "examples");
	const attend_status status = encode_all(&x, dataset, tokenizer, limit, cut, vocab);
	if (status != ATTEND_OK) {
		attend_examples_free(&x);
		return status;
	}
	*out = x;
	return ATTEND_OK;
}

void attend_examples_free(attend_examples *examples)
{
	free(examples->starts);
	free(examples->ids);
	free(examples->types);
	free(examples->marks);
	*examples = (attend_examples){0};
}

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
