/* truncation.c: how many tokens stay, and the windows over the rest (huggingface.md section 3.9). */
#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/encoding.h"

static attend_status push_window(attend_scratch *scratch, int which, size_t start, size_t end)
{
	size_t *const count = &scratch->window_count[which];
	if (*count == scratch->window_capacity[which])
		ATTEND_TRY(attend_grow(&scratch->windows[which], &scratch->window_capacity[which], *count + 1,
		                       sizeof(attend_window), "windows"));
	scratch->windows[which][(*count)++] = (attend_window){start, end};
	return ATTEND_OK;
}

/* Windows of at most `most` tokens over a sequence of `size`, overlapping by stride; the first one stays. */
static attend_status cut(attend_scratch *scratch, int which, size_t size, size_t most, const attend_encode_options *o)
{
	if (most >= size) return push_window(scratch, which, 0, size);
	if (most == 0) {
		ATTEND_TRY(push_window(scratch, which, 0, 0));
		return o->return_overflowing ? push_window(scratch, which, 0, size) : ATTEND_OK;
	}
	if (o->stride >= most)
		return attend_fail(ATTEND_ERR_ARG,
		                   "stride %zu must be less than the %zu tokens that are left to a text by the maximal length",
		                   o->stride, most);
	const size_t step = most - o->stride;
	for (size_t done = 0;; done += step) {
		const size_t reach = size - done; /* tokens not yet passed, on the side where cutting ends */
		const size_t length = reach < most ? reach : most;
		const size_t start = o->truncate_left ? reach - length : done;
		ATTEND_TRY(push_window(scratch, which, start, start + length));
		if (length == reach || !o->return_overflowing) return ATTEND_OK;
	}
}

/* The reference's longest_first for a pair: the longer one is cut to the shorter, then both to halves. */
static void share(size_t n[2], size_t most)
{
	const bool swapped = n[0] > n[1];
	size_t small = swapped ? n[1] : n[0], large;
	if (small > most) large = small;
	else large = small > most - small ? small : most - small;
	if (small + large > most) {
		small = most / 2;
		large = small + most % 2;
	}
	n[0] = swapped ? large : small;
	n[1] = swapped ? small : large;
}

attend_status attend_truncate(const attend_tokenizer *tokenizer, attend_scratch *scratch, bool pair,
                              const attend_encode_options *o)
{
	const size_t sizes[2] = {scratch->sequences[0].tokens.count, pair ? scratch->sequences[1].tokens.count : 0};
	size_t keep[2] = {sizes[0], sizes[1]};
	scratch->window_count[0] = scratch->window_count[1] = 0;
	if (o->truncation != ATTEND_TRUNCATE_NONE) {
		const size_t added = o->no_special_tokens ? 0 : attend_postprocessor_added(tokenizer->postprocessor, pair);
		if (o->max_length < added)
			return attend_fail(ATTEND_ERR_ARG, "maximal length %zu is less than the %zu special tokens", o->max_length,
			                   added);
		const size_t most = o->max_length - added, total = sizes[0] + sizes[1];
		if (most == 0) {
			keep[0] = keep[1] = 0;
		} else if (total > most && o->truncation == ATTEND_TRUNCATE_LONGEST_FIRST) {
			if (pair) share(keep, most);
			else keep[0] = most;
		} else if (total > most) {
			const int target = o->truncation == ATTEND_TRUNCATE_ONLY_SECOND;
			if (target == 1 && !pair)
				return attend_fail(ATTEND_ERR_ARG, "truncation only_second needs a pair of texts");
			if (sizes[target] <= total - most)
				return attend_fail(ATTEND_ERR_DATA, "the %s text of %zu tokens is too short to take %zu off it",
				                   target ? "second" : "first", sizes[target], total - most);
			keep[target] = sizes[target] - (total - most);
		}
	}
	ATTEND_TRY(cut(scratch, 0, sizes[0], keep[0], o));
	return pair ? cut(scratch, 1, sizes[1], keep[1], o) : ATTEND_OK;
}
