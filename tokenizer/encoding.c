/* encoding.c: windows of tokens with the post-processor's template around them, and where each token lies in its text. */
#include "tokenizer/encoding.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

/* The template for one text or two; a post-processor without any puts B behind A. */
static const attend_template *template_of(const attend_tokenizer *tokenizer, bool pair)
{
	static attend_template_piece plain[2] = {{.kind = ATTEND_PIECE_A, .type_id = 0},
	                                         {.kind = ATTEND_PIECE_B, .type_id = 1}};
	static const attend_template single = {plain, 1}, both = {plain, 2};
	const attend_template *const own = pair ? &tokenizer->postprocessor->pair : &tokenizer->postprocessor->single;
	if (own->count > 0) return own;
	return pair ? &both : &single;
}

/* Tokens of a piece; *window gets them if they are a text's. */
static size_t piece_count(const attend_scratch *scratch, const attend_template_piece *piece, const size_t which[2],
                          bool specials, attend_window *window)
{
	if (piece->kind == ATTEND_PIECE_SPECIAL) return specials ? piece->count : 0;
	const int side = piece->kind == ATTEND_PIECE_B;
	*window = scratch->windows[side][which[side]];
	return window->end - window->start;
}

size_t attend_assemble_count(const attend_tokenizer *tokenizer, const attend_scratch *scratch, bool pair,
                             const size_t which[2], bool specials)
{
	const attend_template *const template = template_of(tokenizer, pair);
	size_t count = 0;
	attend_window window;
	for (size_t i = 0; i < template->count; i++)
		count += piece_count(scratch, &template->pieces[i], which, specials, &window);
	return count;
}

void attend_assemble_ids(const attend_tokenizer *tokenizer, const attend_scratch *scratch, bool pair,
                         const size_t which[2], bool specials, int32_t *ids)
{
	const attend_template *const template = template_of(tokenizer, pair);
	for (size_t i = 0; i < template->count; i++) {
		const attend_template_piece *const piece = &template->pieces[i];
		attend_window window = {0, 0};
		const size_t count = piece_count(scratch, piece, which, specials, &window);
		const int32_t *const from = piece->kind == ATTEND_PIECE_SPECIAL
		                                ? piece->ids
		                                : scratch->sequences[piece->kind == ATTEND_PIECE_B].tokens.ids + window.start;
		if (count) memcpy(ids, from, count * sizeof *ids);
		ids += count;
	}
}

/* ---- offsets ---- */

/* How far ASCII is looked for at a time: not to the end of the text, as tokens may go back and forth. */
enum { LOOK_AHEAD = 256 };

/* A place in a text, in bytes and characters; moved back and forth, so that rising offsets cost one walk. */
typedef struct cursor {
	const char *text;
	size_t size, byte;
	uint32_t character;
} cursor;

static uint32_t characters_before(cursor *c, size_t byte)
{
	while (c->byte < byte && c->byte < c->size) c->character += attend_utf8_is_start(c->text[c->byte++]);
	while (c->byte > byte) c->character -= attend_utf8_is_start(c->text[--c->byte]);
	return c->character;
}

static attend_status count_characters(attend_sequence *s)
{
	if (s->ascii) return ATTEND_OK;
	if (s->tokens.count > s->char_capacity)
		ATTEND_TRY(attend_grow(&s->chars, &s->char_capacity, s->tokens.count, sizeof *s->chars, "offsets"));
	/* Mostly a token starts where the one before ended, or behind it: then the cursors take turns and the text is walked
	 * once. Tokens that overlap let each cursor go its own way. Between `from` and `plain` all is ASCII: no need to walk. */
	cursor start = {s->text, s->size, 0, 0}, end = start;
	size_t from = 0, plain = 0;
	uint32_t more = 0; /* bytes than characters before `from` */
	bool walked = true;
	for (size_t i = 0; i < s->tokens.count; i++) {
		const attend_span span = s->tokens.spans[i];
		if (span.start >= from && span.end <= plain) {
			s->chars[i] = (attend_span){span.start - more, span.end - more};
			walked = false;
			continue;
		}
		if (!walked) {
			end.byte = s->tokens.spans[i - 1].end;
			end.character = s->chars[i - 1].end;
		}
		if (span.start >= end.byte && end.byte > start.byte) start = end;
		s->chars[i].start = characters_before(&start, span.start);
		if (span.end >= start.byte && start.byte > end.byte) end = start;
		s->chars[i].end = characters_before(&end, span.end);
		const size_t rest = s->size - end.byte;
		walked = true;
		from = end.byte;
		plain = from + attend_ascii_prefix(s->text + from, rest < LOOK_AHEAD ? rest : LOOK_AHEAD);
		more = (uint32_t)from - end.character;
	}
	return ATTEND_OK;
}

/* ---- one encoding ---- */

/* Sizes of what one encoding's block holds, then its parts. */
typedef struct block {
	unsigned char *base;
	size_t size;
} block;

static void *carve(block *b, size_t bytes)
{
	void *const part = b->base ? b->base + b->size : NULL;
	b->size += (bytes + 7) / 8 * 8;
	return part;
}

/* Lay the arrays out in the block; with base NULL only its size is found. `ascii`: one array is enough for both offsets. */
static void lay_out(attend_encoding *e, block *b, size_t count, unsigned fields, bool ascii)
{
	e->count = count;
	e->ids = carve(b, count * sizeof *e->ids);
	e->type_ids = carve(b, count * sizeof *e->type_ids);
	e->special_tokens_mask = carve(b, count);
	if (fields & ATTEND_ENCODE_OFFSETS) {
		e->offsets = carve(b, count * sizeof *e->offsets);
		e->byte_offsets = ascii ? e->offsets : carve(b, count * sizeof *e->byte_offsets);
		e->word_ids = carve(b, count * sizeof *e->word_ids);
		e->sequence_ids = carve(b, count * sizeof *e->sequence_ids);
	}
	if (fields & ATTEND_ENCODE_TOKENS) {
		e->tokens = carve(b, count * sizeof *e->tokens);
		e->token_sizes = carve(b, count * sizeof *e->token_sizes);
	}
}

/* First surface of a token >= `token`. */
static size_t first_surface(const attend_sequence *s, size_t token)
{
	size_t low = 0, high = s->surface_count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (s->surfaces[middle].token < token) low = middle + 1;
		else high = middle;
	}
	return low;
}

/* Bytes that the surfaces of a window need. */
static size_t surface_bytes(const attend_sequence *s, attend_window w)
{
	size_t bytes = 0;
	for (size_t i = first_surface(s, w.start); i < s->surface_count && s->surfaces[i].token < w.end; i++)
		bytes += (size_t)s->surfaces[i].size + 1;
	return bytes;
}

/* What a job of assembling shares. */
typedef struct job {
	const attend_tokenizer *tokenizer;
	const attend_scratch *scratch;
	const attend_template *template;
	const attend_encode_options *options;
} job;

/* Spelling of token i of a sequence; *surface is the next surface not before it. */
static const char *spelling(const job *j, const attend_sequence *s, size_t i, size_t *surface, size_t *size)
{
	while (*surface < s->surface_count && s->surfaces[*surface].token < i) (*surface)++;
	if (*surface < s->surface_count && s->surfaces[*surface].token == i) {
		*size = s->surfaces[*surface].size;
		return s->surface_text.data + s->surfaces[*surface].start;
	}
	const attend_token_model *const model = j->tokenizer->model;
	const char *const token = model->ops->id_to_token(model, s->tokens.ids[i], size);
	if (!token) *size = 0;
	return token ? token : "";
}

/* Marian's get_special_tokens_mask looks at ids, so that "</s>" in the text counts. */
static bool marks_special(const job *j, int32_t id)
{
	const attend_tokenizer *const t = j->tokenizer;
	if (j->options->no_special_tokens || id == t->special_ids[ATTEND_TOKEN_UNK]) return false;
	return attend_tokenizer_is_special(t, id);
}

static void fill_with(int32_t *values, int32_t value, size_t count)
{
	if (value == 0) memset(values, 0, count * sizeof *values);
	else
		for (size_t i = 0; i < count; i++) values[i] = value;
}

/* ---- trimmed offsets ---- */

/* Take characters off both ends, as the reference's process_offsets: never past each other. */
static void trim(const char *text, attend_span *chars, attend_span *bytes, uint32_t leading, uint32_t trailing)
{
	for (; leading > 0 && chars->start < chars->end; leading--) {
		chars->start++;
		bytes->start += (uint32_t)attend_utf8_size((unsigned char)text[bytes->start]);
	}
	if (trailing > chars->end) return;
	for (; trailing > 0 && chars->start < chars->end; trailing--) {
		chars->end--;
		do bytes->end--;
		while (!attend_utf8_is_start(text[bytes->end]));
	}
}

/* What trim_offsets takes off the front and back of a token in a byte: 1 + front + KEPT * back; 0: more, or not known yet. */
enum { KEPT = 15 };

static uint8_t find_trim(const job *j, const attend_sequence *s, size_t i, size_t *surface, uint32_t *leading,
                         uint32_t *trailing)
{
	size_t size;
	const char *const token = spelling(j, s, i, surface, &size);
	attend_postprocessor_trim(j->tokenizer->postprocessor, token, size, leading, trailing);
	return *leading < KEPT && *trailing < KEPT ? (uint8_t)(1 + *leading + KEPT * *trailing) : 0;
}

/* Trim the offsets of a window, which are at `at`. A token that has no spelling of its own in the text is trimmed by its id,
 * mostly by one blank or nothing, for which there is no branch. */
static void trim_places(const job *j, attend_encoding *e, size_t at, const attend_sequence *s, attend_window w)
{
	const attend_postprocessor *const post = j->tokenizer->postprocessor;
	const attend_scratch *const scratch = j->scratch;
	const bool same = e->byte_offsets == e->offsets;
	size_t surface = first_surface(s, w.start);
	for (size_t i = w.start; i < w.end; i++, at++) {
		attend_span apart, *const chars = &e->offsets[at], *const bytes = same ? &apart : &e->byte_offsets[at];
		const size_t id = (size_t)s->tokens.ids[i];
		const bool own = surface < s->surface_count && s->surfaces[surface].token <= i;
		uint8_t *const kept = own || id >= scratch->trim_count ? NULL : &scratch->trims[id];
		const unsigned code = kept ? *kept : 0u;
		const bool first = i == w.start || chars->start == 0;
		if (code - 1 < 2 && !first && s->size > 0) {
			const uint32_t blank = (code - 1) & (chars->start < chars->end);
			chars->start += blank;
			if (same) continue;
			const size_t place = bytes->start < s->size ? bytes->start : 0;
			bytes->start += blank * (uint32_t)attend_utf8_size((unsigned char)s->text[place]);
			continue;
		}
		uint32_t leading = (code - 1) % KEPT, trailing = (code - 1) / KEPT;
		if (code == 0) {
			const uint8_t found = find_trim(j, s, i, &surface, &leading, &trailing);
			if (kept) *kept = found;
		}
		if (first) leading = attend_postprocessor_trim_first(post, leading);
		if (same) apart = *chars;
		trim(s->text, chars, bytes, leading, trailing);
	}
}

/* Offsets, words and sequence of a window, which goes to `at`. */
static void fill_places(const job *j, attend_encoding *e, size_t at, int side, attend_window w)
{
	const attend_sequence *const s = &j->scratch->sequences[side];
	const size_t count = w.end - w.start;
	if (count == 0) return;
	memcpy(e->offsets + at, (s->ascii ? s->tokens.spans : s->chars) + w.start, count * sizeof *e->offsets);
	if (e->byte_offsets != e->offsets)
		memcpy(e->byte_offsets + at, s->tokens.spans + w.start, count * sizeof *e->byte_offsets);
	memcpy(e->word_ids + at, s->words + w.start, count * sizeof *e->word_ids);
	fill_with(e->sequence_ids + at, side, count);
	if (j->tokenizer->postprocessor->trim_offsets) trim_places(j, e, at, s, w);
}

static void fill_spellings(const job *j, attend_encoding *e, size_t at, const attend_sequence *s, attend_window w,
                           char **pool)
{
	size_t surface = first_surface(s, w.start), size;
	for (size_t i = w.start; i < w.end; i++, at++) {
		const char *token = spelling(j, s, i, &surface, &size);
		if (surface < s->surface_count && s->surfaces[surface].token == i) {
			memcpy(*pool, token, size + 1);
			token = *pool;
			*pool += size + 1;
		}
		e->tokens[at] = token;
		e->token_sizes[at] = (uint32_t)size;
	}
}

/* `overflow`: the window is not its text's first one. The reference's templates set the types of first windows only. */
static void fill_text(const job *j, attend_encoding *e, size_t at, const attend_template_piece *piece, attend_window w,
                      bool overflow, char **pool)
{
	const int side = piece->kind == ATTEND_PIECE_B;
	const attend_sequence *const s = &j->scratch->sequences[side];
	const bool retyped = !overflow || (j->tokenizer->postprocessor->retypes_overflow && !j->options->no_special_tokens);
	const int32_t type_id = retyped ? piece->type_id : side;
	const size_t count = w.end - w.start;
	if (count) memcpy(e->ids + at, s->tokens.ids + w.start, count * sizeof *e->ids);
	fill_with(e->type_ids + at, type_id, count);
	memset(e->special_tokens_mask + at, 0, count);
	for (size_t i = at; j->tokenizer->marian_rules && i < at + count; i++)
		e->special_tokens_mask[i] = marks_special(j, e->ids[i]);
	if (e->offsets) fill_places(j, e, at, side, w);
	if (e->tokens) fill_spellings(j, e, at, s, w, pool);
}

static void fill_special(attend_encoding *e, size_t at, const attend_template_piece *piece)
{
	for (size_t i = 0; i < piece->count; i++, at++) {
		e->ids[at] = piece->ids[i];
		e->type_ids[at] = piece->type_id;
		e->special_tokens_mask[at] = 1;
		if (e->offsets) {
			e->offsets[at] = e->byte_offsets[at] = (attend_span){0, 0};
			e->word_ids[at] = e->sequence_ids[at] = -1;
		}
		if (e->tokens) {
			e->tokens[at] = piece->tokens[i];
			e->token_sizes[at] = (uint32_t)strlen(piece->tokens[i]);
		}
	}
}

static attend_status fill(const job *j, attend_encoding *out, bool pair, const size_t which[2])
{
	const bool specials = !j->options->no_special_tokens;
	const unsigned fields = j->options->fields;
	const bool ascii = j->scratch->sequences[0].ascii && (!pair || j->scratch->sequences[1].ascii);
	const size_t count = attend_assemble_count(j->tokenizer, j->scratch, pair, which, specials);
	attend_encoding e = {0};
	block b = {0};
	size_t pool_size = 0;
	lay_out(&e, &b, count, fields, ascii);
	for (size_t i = 0; fields & ATTEND_ENCODE_TOKENS && i < j->template->count; i++) {
		const attend_template_piece *const piece = &j->template->pieces[i];
		attend_window window;
		if (piece->kind == ATTEND_PIECE_SPECIAL) continue;
		piece_count(j->scratch, piece, which, specials, &window);
		pool_size += surface_bytes(&j->scratch->sequences[piece->kind == ATTEND_PIECE_B], window);
	}
	carve(&b, pool_size);
	b.base = malloc(b.size + 1);
	if (!b.base) return attend_fail_memory(b.size, "encoding");
	e.storage = b.base;
	b.size = 0;
	lay_out(&e, &b, count, fields, ascii);
	char *pool = carve(&b, pool_size);
	for (size_t i = 0, at = 0; i < j->template->count; i++) {
		const attend_template_piece *const piece = &j->template->pieces[i];
		attend_window window = {0, 0};
		const size_t size = piece_count(j->scratch, piece, which, specials, &window);
		if (piece->kind != ATTEND_PIECE_SPECIAL)
			fill_text(j, &e, at, piece, window, which[piece->kind == ATTEND_PIECE_B] > 0, &pool);
		else if (specials) fill_special(&e, at, piece);
		at += size;
	}
	*out = e;
	return ATTEND_OK;
}

/* ---- windows ---- */

/* All combinations of windows but the main one, in the order that merging the reference's encodings gives: the text that
 * comes first in the template moves slowest. */
static attend_status fill_overflowing(const job *j, attend_encoding *out, bool pair)
{
	const size_t *const counts = j->scratch->window_count;
	int slow = 0;
	for (size_t i = j->template->count; i-- > 0;)
		if (j->template->pieces[i].kind != ATTEND_PIECE_SPECIAL) slow = j->template->pieces[i].kind == ATTEND_PIECE_B;
	const size_t slow_count = counts[slow], fast_count = pair ? counts[!slow] : 1;
	if (slow_count * fast_count == 1) return ATTEND_OK;
	out->overflowing = attend_alloc_array(slow_count * fast_count - 1, sizeof *out->overflowing);
	if (!out->overflowing) return attend_fail_memory(slow_count * fast_count, "overflowing windows");
	for (size_t i = 1; i <= slow_count; i++) { /* the overflowing ones first, the main window last */
		for (size_t k = i == slow_count; k < fast_count; k++) {
			size_t which[2] = {0, 0};
			which[slow] = i % slow_count;
			which[!slow] = k;
			ATTEND_TRY(fill(j, &out->overflowing[out->overflowing_count], pair, which));
			out->overflowing_count++;
		}
	}
	return ATTEND_OK;
}

attend_status attend_assemble(attend_encoding *out, const attend_tokenizer *tokenizer, attend_scratch *scratch,
                              bool pair, const attend_encode_options *options)
{
	const job j = {tokenizer, scratch, template_of(tokenizer, pair), options};
	const size_t first[2] = {0, 0};
	attend_encoding e = {0};
	for (int i = 0; options->fields & ATTEND_ENCODE_OFFSETS && i <= pair; i++)
		ATTEND_TRY(count_characters(&scratch->sequences[i]));
	if (options->fields & ATTEND_ENCODE_OFFSETS && tokenizer->postprocessor->trim_offsets && !scratch->trims) {
		const size_t count = tokenizer->model->ops->id_bound(tokenizer->model);
		scratch->trims = calloc(count + 1, 1);
		if (!scratch->trims) return attend_fail_memory(count, "trimmed offsets");
		scratch->trim_count = count;
	}
	attend_status status = fill(&j, &e, pair, first);
	if (status == ATTEND_OK && options->return_overflowing) status = fill_overflowing(&j, &e, pair);
	if (status != ATTEND_OK) {
		attend_encoding_free(&e);
		return status;
	}
	*out = e;
	return ATTEND_OK;
}

void attend_encoding_free(attend_encoding *encoding)
{
	if (!encoding) return;
	for (size_t i = 0; i < encoding->overflowing_count; i++) attend_encoding_free(&encoding->overflowing[i]);
	free(encoding->overflowing);
	free(encoding->storage);
	memset(encoding, 0, sizeof *encoding);
}
