/* encode.c: the public functions that encode: one text, a pair, a batch on the thread team. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/threads.h"
#include "tokenizer/encoding.h"

static const attend_encode_options DEFAULTS = {0};

/* Tokens of a text or pair, cut into windows, in the scratch. */
static attend_status prepare(const attend_tokenizer *tokenizer, attend_scratch *scratch, const attend_text *text,
                             const attend_encode_options *o)
{
	const bool pair = text->pair != NULL;
	ATTEND_TRY(attend_stages_run(tokenizer, scratch, 0, text->text, text->size, o->fields, o->split_special_tokens));
	if (pair)
		ATTEND_TRY(
			attend_stages_run(tokenizer, scratch, 1, text->pair, text->pair_size, o->fields, o->split_special_tokens));
	return attend_truncate(tokenizer, scratch, pair, o);
}

static attend_status encode(attend_encoding *out, const attend_tokenizer *tokenizer, const attend_text *text,
                            const attend_encode_options *options)
{
	const attend_encode_options *const o = options ? options : &DEFAULTS;
	attend_scratch *scratch;
	ATTEND_TRY(attend_scratch_take(&scratch, tokenizer));
	attend_status status = prepare(tokenizer, scratch, text, o);
	if (status == ATTEND_OK) status = attend_assemble(out, tokenizer, scratch, text->pair != NULL, o);
	attend_scratch_give(tokenizer, scratch);
	return status;
}

attend_status attend_tokenizer_encode(attend_encoding *out, const attend_tokenizer *tokenizer, const char *text,
                                      size_t size, const attend_encode_options *options)
{
	if (!out || !tokenizer || (!text && size > 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_tokenizer_encode: NULL argument");
	const attend_text one = {text ? text : "", size, NULL, 0};
	return encode(out, tokenizer, &one, options);
}

attend_status attend_tokenizer_encode_pair(attend_encoding *out, const attend_tokenizer *tokenizer, const char *text,
                                           size_t size, const char *pair, size_t pair_size,
                                           const attend_encode_options *options)
{
	if (!out || !tokenizer || (!text && size > 0) || (!pair && pair_size > 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_tokenizer_encode_pair: NULL argument");
	const attend_text two = {text ? text : "", size, pair ? pair : "", pair_size};
	return encode(out, tokenizer, &two, options);
}

/* ---- batches ---- */

/* A contiguous part of a batch, and what went wrong in it. */
typedef struct share {
	size_t start, end;
	attend_status status;
	size_t failed; /* index of the text */
	char message[512];
	int32_t *ids; /* encode_ids: of this share */
	size_t id_count, id_capacity;
} share;

typedef struct batch {
	const attend_tokenizer *tokenizer;
	const attend_text *texts;
	const attend_encode_options *options;
	attend_encoding *encodings; /* encode_batch */
	size_t *sizes;              /* encode_ids: tokens of each text */
	share *shares;
} batch;

static attend_status append_ids(const batch *b, share *s, attend_scratch *scratch, size_t i)
{
	const bool pair = b->texts[i].pair != NULL, specials = !b->options->no_special_tokens;
	const size_t which[2] = {0, 0};
	ATTEND_TRY(prepare(b->tokenizer, scratch, &b->texts[i], b->options));
	const size_t count = attend_assemble_count(b->tokenizer, scratch, pair, which, specials);
	if (s->id_capacity - s->id_count < count)
		ATTEND_TRY(attend_grow(&s->ids, &s->id_capacity, s->id_count + count, sizeof *s->ids, "ids"));
	attend_assemble_ids(b->tokenizer, scratch, pair, which, specials, s->ids + s->id_count);
	s->id_count += count;
	b->sizes[i] = count;
	return ATTEND_OK;
}

/* About as much room as a share's ids need: large blocks lie in large pages, which costs less than to grow page by page. */
enum { BYTES_PER_TOKEN = 4 };

static void reserve_ids(const batch *b, share *s)
{
	size_t bytes = 0;
	for (size_t i = s->start; i < s->end; i++) bytes += b->texts[i].size + b->texts[i].pair_size;
	const size_t count = bytes / BYTES_PER_TOKEN + 2 * (s->end - s->start);
	if (count > SIZE_MAX / sizeof *s->ids) return;
	s->ids = attend_alloc_aligned(count * sizeof *s->ids); /* without it ids grow as they come */
	if (s->ids) s->id_capacity = count;
}

static void run_share(void *arg, size_t index, unsigned worker)
{
	const batch *const b = arg;
	share *const s = &b->shares[index];
	attend_scratch *scratch = NULL;
	(void)worker;
	s->failed = s->start;
	s->status = attend_scratch_take(&scratch, b->tokenizer);
	if (!b->encodings) reserve_ids(b, s);
	for (size_t i = s->start; i < s->end && s->status == ATTEND_OK; i++) {
		s->failed = i;
		if (!b->encodings) {
			s->status = append_ids(b, s, scratch, i);
			continue;
		}
		s->status = prepare(b->tokenizer, scratch, &b->texts[i], b->options);
		if (s->status == ATTEND_OK)
			s->status = attend_assemble(&b->encodings[i], b->tokenizer, scratch, b->texts[i].pair != NULL, b->options);
	}
	if (s->status != ATTEND_OK) strncpy(s->message, attend_error(), sizeof s->message - 1);
	if (scratch) attend_scratch_give(b->tokenizer, scratch);
}

/* Cut the batch into shares of similar bytes; returns how many. */
static size_t plan_shares(share *shares, size_t most, const attend_text *texts, size_t count)
{
	size_t total = 0, n = 0, bytes = 0;
	for (size_t i = 0; i < count; i++) total += texts[i].size + texts[i].pair_size + 16;
	const size_t aim = total / most + 1;
	for (size_t i = 0, start = 0; i < count; i++) {
		bytes += texts[i].size + texts[i].pair_size + 16;
		if (bytes < aim && i + 1 < count) continue;
		shares[n++] = (share){.start = start, .end = i + 1};
		start = i + 1;
		bytes = 0;
	}
	return n;
}

/* Run all shares; the first failure (by index) becomes this thread's error. */
static attend_status run_batch(batch *b, size_t count, size_t *share_count)
{
	const size_t team = (size_t)attend_threads();
	const size_t most = team > 1 ? team * 8 : 1;
	b->shares = attend_alloc_array(most + 1, sizeof *b->shares);
	if (!b->shares) return attend_fail_memory(most, "batch");
	*share_count = plan_shares(b->shares, most, b->texts, count);
	attend_parallel(*share_count, run_share, b);
	for (size_t i = 0; i < *share_count; i++)
		if (b->shares[i].status != ATTEND_OK)
			return count == 1
			           ? attend_fail(b->shares[i].status, "%s", b->shares[i].message)
			           : attend_fail(b->shares[i].status, "text %zu: %s", b->shares[i].failed, b->shares[i].message);
	return ATTEND_OK;
}

attend_status attend_tokenizer_encode_batch(attend_encoding *out, const attend_tokenizer *tokenizer,
                                            const attend_text *texts, size_t count,
                                            const attend_encode_options *options)
{
	if (!tokenizer || (count > 0 && (!out || !texts)))
		return attend_fail(ATTEND_ERR_ARG, "attend_tokenizer_encode_batch: NULL argument");
	if (count == 0) return ATTEND_OK;
	memset(out, 0, count * sizeof *out);
	batch b = {tokenizer, texts, options ? options : &DEFAULTS, out, NULL, NULL};
	size_t shares = 0;
	const attend_status status = run_batch(&b, count, &shares);
	free(b.shares);
	for (size_t i = 0; status != ATTEND_OK && i < count; i++) attend_encoding_free(&out[i]);
	return status;
}

/* Where the ids of shares go. */
typedef struct joint {
	const share *shares;
	int32_t *ids;
} joint;

static void copy_share(void *arg, size_t index, unsigned worker)
{
	const joint *const j = arg;
	const share *const s = &j->shares[index];
	size_t at = 0;
	(void)worker;
	for (size_t i = 0; i < index; i++) at += j->shares[i].id_count;
	if (s->id_count) memcpy(j->ids + at, s->ids, s->id_count * sizeof *s->ids);
}

/* Put the shares' ids behind one another. */
static attend_status join_shares(attend_ids *out, const batch *b, size_t shares, size_t count)
{
	size_t total = 0;
	for (size_t i = 0; i < shares; i++) total += b->shares[i].id_count;
	int32_t *ids = NULL;
	if (shares == 1 && total > 0) {
		ids = b->shares[0].ids;
		b->shares[0].ids = NULL;
	} else {
		ids = attend_alloc_array(total + 1, sizeof *ids);
		if (!ids) return attend_fail_memory(total, "ids");
		attend_parallel(shares, copy_share, &(joint){b->shares, ids});
	}
	size_t at = 0; /* sizes become starts */
	for (size_t i = 0; i < count; i++) {
		const size_t size = b->sizes[i];
		b->sizes[i] = at;
		at += size;
	}
	b->sizes[count] = at;
	*out = (attend_ids){ids, b->sizes, count};
	return ATTEND_OK;
}

attend_status attend_tokenizer_encode_ids(attend_ids *out, const attend_tokenizer *tokenizer, const attend_text *texts,
                                          size_t count, const attend_encode_options *options)
{
	if (!out || !tokenizer || (count > 0 && !texts))
		return attend_fail(ATTEND_ERR_ARG, "attend_tokenizer_encode_ids: NULL argument");
	attend_encode_options o = options ? *options : DEFAULTS;
	o.fields = 0;
	o.return_overflowing = false;
	size_t *const sizes = attend_alloc_array(count + 1, sizeof *sizes);
	if (!sizes) return attend_fail_memory(count, "ids");
	sizes[0] = 0;
	batch b = {tokenizer, texts, &o, NULL, sizes, NULL};
	size_t shares = 0;
	attend_status status = run_batch(&b, count, &shares);
	if (status == ATTEND_OK) status = join_shares(out, &b, shares, count);
	for (size_t i = 0; i < shares; i++) free(b.shares[i].ids);
	free(b.shares);
	if (status != ATTEND_OK) free(sizes);
	return status;
}

void attend_ids_free(attend_ids *ids)
{
	if (!ids) return;
	free(ids->ids);
	free(ids->starts);
	memset(ids, 0, sizeof *ids);
}
