/* sentence_pairs.c: sentences to pairs of segments: Devlin et al. 2018, "BERT", A.2, as create_pretraining_data.py draws them (one
 * pass; what is masked is drawn anew in every epoch); Lan et al. 2019, "ALBERT", 3.1. */
#include "lib/train/sentence_pairs.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/core/rng.h"
#include "lib/train/masking.h"
#include "lib/train/textfile.h"

enum { STREAM = 0x50414952 };          /* "PAIR": keeps these draws apart from those of masks, batches and dropout */
static const double short_share = 0.1; /* of the pairs are made for a shorter length: what fine-tuning will see */

typedef struct sentence {
	size_t start, end; /* tokens */
	size_t line;
} sentence;

/* Tokens first .. end-1 of the text. */
typedef struct segment {
	size_t first, end;
} segment;

typedef struct pairer {
	const attend_pair_options *o;
	attend_dataset *d;
	attend_examples *x;
	attend_spill ids, marks, sentences; /* of the whole text */
	size_t tokens, sentence_count;
	size_t *documents; /* [document_count + 1] first sentence of each */
	size_t document_count, document_capacity;
	int32_t cls, sep;
	attend_rng rng;
	/* one pair */
	int32_t *pair_ids, *pair_types; /* [length] */
	uint8_t *pair_marks;
	size_t start_capacity, example_capacity, ones, unpaired;
} pairer;

/* ---- Text to sentences ---------------------------------------------------------------------------------------------------- */

static attend_status end_document(pairer *p)
{
	if (p->document_count && p->documents[p->document_count] == p->sentence_count) return ATTEND_OK; /* empty */
	if (p->sentence_count == 0) return ATTEND_OK;
	ATTEND_TRY(
		attend_grow(&p->documents, &p->document_capacity, p->document_count + 2, sizeof *p->documents, "documents"));
	if (p->document_count == 0) p->documents[0] = 0;
	p->documents[++p->document_count] = p->sentence_count;
	return ATTEND_OK;
}

static attend_status add_sentence(pairer *p, const attend_encoding *e, size_t line)
{
	const sentence s = {p->tokens, p->tokens + e->count, line};
	if (e->count == 0) return ATTEND_OK;
	for (size_t i = 0; i < e->count; i++) {
		const bool goes_on = i > 0 && e->word_ids[i] >= 0 && e->word_ids[i] == e->word_ids[i - 1];
		const uint8_t mark = goes_on ? ATTEND_MARK_CONTINUES : 0;
		if (e->ids[i] < 0 || (size_t)e->ids[i] >= p->o->vocab)
			return attend_fail(ATTEND_ERR_FORMAT, "%s:%zu: the tokenizer gives id %d, the word embedding has %zu rows",
			                   p->d->path, line, e->ids[i], p->o->vocab);
		ATTEND_TRY(attend_spill_append(&p->marks, &mark, 1));
	}
	ATTEND_TRY(attend_spill_append(&p->ids, e->ids, e->count * sizeof *e->ids));
	ATTEND_TRY(attend_spill_append(&p->sentences, &s, sizeof s));
	p->tokens += e->count;
	p->sentence_count++;
	return ATTEND_OK;
}

static attend_status read_lines(pairer *p, attend_textstream *stream)
{
	const attend_encode_options options = {.no_special_tokens = true, .fields = ATTEND_ENCODE_OFFSETS};
	p->d->hash = 0xcbf29ce484222325u; /* FNV-1a */
	for (size_t line = 1;; line++) {
		const char *text = NULL;
		size_t size = 0, blank = 0;
		ATTEND_TRY(attend_textstream_line(stream, &text, &size));
		if (size == 0) return end_document(p);
		for (size_t i = 0; i < size; i++) p->d->hash = (p->d->hash ^ (unsigned char)text[i]) * 0x100000001b3u;
		while (blank < size &&
		       (text[blank] == ' ' || text[blank] == '\t' || text[blank] == '\r' || text[blank] == '\n'))
			blank++;
		while (size && (text[size - 1] == '\n' || text[size - 1] == '\r')) size--;
		if (blank >= size) {
			ATTEND_TRY(end_document(p));
			continue;
		}
		attend_encoding e = {0};
		attend_status status = attend_tokenizer_encode(&e, p->o->tokenizer, text, size, &options);
		if (status == ATTEND_OK) status = add_sentence(p, &e, line);
		attend_encoding_free(&e);
		ATTEND_TRY(status);
	}
}

/* ---- Sentences to pairs --------------------------------------------------------------------------------------------------- */

static const sentence *sentence_at(const pairer *p, size_t i)
{
	return (const sentence *)p->sentences.data + i;
}

/* The longer one loses tokens, at its beginning or end by chance. */
static void truncate_pair(pairer *p, segment *a, segment *b, size_t most)
{
	while (a->end - a->first + b->end - b->first > most) {
		segment *longer = a->end - a->first > b->end - b->first ? a : b;
		if (attend_rng_uniform(&p->rng) < 0.5) longer->first++;
		else longer->end--;
	}
}

static void lay_out(pairer *p, size_t *n, const segment *s, int32_t type)
{
	const size_t count = s->end - s->first;
	memcpy(p->pair_ids + *n, (const int32_t *)p->ids.data + s->first, count * sizeof *p->pair_ids);
	memcpy(p->pair_marks + *n, (const uint8_t *)p->marks.data + s->first, count);
	for (size_t i = 0; i < count; i++) p->pair_types[*n + i] = type;
	*n += count;
}

static void put_special(pairer *p, size_t *n, int32_t id, int32_t type)
{
	p->pair_ids[*n] = id;
	p->pair_types[*n] = type;
	p->pair_marks[(*n)++] = ATTEND_MARK_SPECIAL;
}

static attend_status emit(pairer *p, segment a, segment b, int32_t label, size_t line)
{
	attend_dataset *d = p->d;
	size_t n = 0;
	truncate_pair(p, &a, &b, p->o->length - 3);
	put_special(p, &n, p->cls, 0);
	lay_out(p, &n, &a, 0);
	put_special(p, &n, p->sep, 0);
	lay_out(p, &n, &b, 1);
	put_special(p, &n, p->sep, 1);
	ATTEND_TRY(attend_examples_add(p->x, &p->start_capacity, p->pair_ids, p->pair_types, p->pair_marks, n));
	ATTEND_TRY(attend_grow(&d->examples, &p->example_capacity, d->count + 1, sizeof *d->examples, "pairs"));
	d->examples[d->count++] = (attend_example){.text = "", .line = line, .label = label};
	p->ones += label == 1;
	return ATTEND_OK;
}

/* Sentences of another document, from a random one on, until there are `wanted` tokens. */
static segment random_segment(pairer *p, size_t document, size_t wanted)
{
	size_t other = (size_t)attend_rng_below(&p->rng, p->document_count - 1);
	other += other >= document;
	const size_t first = p->documents[other], end = p->documents[other + 1];
	size_t at = first + (size_t)attend_rng_below(&p->rng, end - first);
	segment s = {sentence_at(p, at)->start, sentence_at(p, at)->end};
	while (s.end - s.first < wanted && ++at < end) s.end = sentence_at(p, at)->end;
	return s;
}

static size_t draw_target(pairer *p)
{
	const size_t most = p->o->length - 3;
	if (attend_rng_uniform(&p->rng) >= short_share) return most;
	return 2 + (size_t)attend_rng_below(&p->rng, most - 1);
}

/* One pair from sentences first .. last of a document; *used: how many of them it took, the others are gone through again. */
static attend_status make_pair(pairer *p, size_t document, size_t first, size_t last, size_t target, size_t *used)
{
	const size_t n = last - first + 1, a_count = n >= 2 ? 1 + (size_t)attend_rng_below(&p->rng, n - 1) : 1;
	segment a = {sentence_at(p, first)->start, sentence_at(p, first + a_count - 1)->end};
	segment b = {a.end, sentence_at(p, last)->end};
	const size_t a_size = a.end - a.first, line = sentence_at(p, first)->line;
	*used = n;
	if (!p->o->order) {
		if (n > 1 && attend_rng_uniform(&p->rng) >= 0.5) return emit(p, a, b, 0, line);
		*used = a_count;
		return emit(p, a, random_segment(p, document, target > a_size ? target - a_size : 0), 1, line);
	}
	if (n == 1) { /* order needs two parts of one text: a sentence that stands alone is parted */
		if (a_size < 2) {
			p->unpaired++;
			return ATTEND_OK;
		}
		b.first = a.end = a.first + 1 + (size_t)attend_rng_below(&p->rng, a_size - 1);
	}
	const bool swapped = attend_rng_uniform(&p->rng) < 0.5;
	return swapped ? emit(p, b, a, 1, line) : emit(p, a, b, 0, line);
}

static attend_status pair_document(pairer *p, size_t document)
{
	const size_t end = p->documents[document + 1];
	size_t target = draw_target(p);
	for (size_t first = p->documents[document], last = first; first < end; last++) {
		if (last + 1 < end && sentence_at(p, last)->end - sentence_at(p, first)->start < target) continue;
		size_t used = 0;
		ATTEND_TRY(make_pair(p, document, first, last, target, &used));
		first += used;
		last = first - 1;
	}
	return ATTEND_OK;
}

/* ---- The whole ------------------------------------------------------------------------------------------------------------ */

static attend_status describe(pairer *p)
{
	attend_buffer line = {0};
	const size_t disk = p->ids.on_disk + p->marks.on_disk + p->sentences.on_disk + p->x->id_store.on_disk +
	                    p->x->type_store.on_disk + p->x->mark_store.on_disk;
	attend_buffer_printf(&line, "text: %zu documents, %zu sentences, %zu tokens; %zu pairs, %zu of them %s",
	                     p->document_count, p->sentence_count, p->tokens, p->d->count, p->ones,
	                     p->o->order ? "in the wrong order" : "with a random second part");
	if (p->unpaired) attend_buffer_printf(&line, "; %zu documents of one token left out", p->unpaired);
	if (disk) attend_buffer_printf(&line, "; %.0f MB in temporary files", (double)disk / 1e6);
	p->d->columns = line.data;
	return attend_buffer_status(&line);
}

static attend_status read_all(pairer *p, const char *path)
{
	const attend_pair_options *o = p->o;
	attend_textstream *stream = NULL;
	p->cls = attend_tokenizer_special_id(o->tokenizer, ATTEND_TOKEN_CLS);
	p->sep = attend_tokenizer_special_id(o->tokenizer, ATTEND_TOKEN_SEP);
	if (p->cls < 0 || p->sep < 0)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "sentence pairs need a tokenizer with class and separator tokens");
	if (o->length < 5)
		return attend_fail(ATTEND_ERR_ARG, "max_seq_length %zu: a pair needs 5 tokens at least", o->length);
	p->pair_ids = attend_alloc_array(o->length, sizeof *p->pair_ids);
	p->pair_types = attend_alloc_array(o->length, sizeof *p->pair_types);
	p->pair_marks = attend_alloc_array(o->length, 1);
	p->d->path = strdup(path);
	if (!p->pair_ids || !p->pair_types || !p->pair_marks || !p->d->path) return attend_fail_memory(o->length, "pairs");
	ATTEND_TRY(attend_textstream_open(&stream, path, o->encoding));
	attend_status status = read_lines(p, stream);
	attend_textstream_close(stream);
	ATTEND_TRY(status);
	if (p->document_count == 0) return attend_fail(ATTEND_ERR_DATA, "%s: no text to learn from", path);
	if (!o->order && p->document_count < 2)
		return attend_fail(ATTEND_ERR_DATA,
		                   "%s: one document: a random next sentence needs two (blank lines divide them)", path);
	ATTEND_TRY(attend_spill_finish(&p->ids));
	ATTEND_TRY(attend_spill_finish(&p->marks));
	ATTEND_TRY(attend_spill_finish(&p->sentences));
	for (size_t i = 0; i < p->document_count; i++) ATTEND_TRY(pair_document(p, i));
	if (p->d->count == 0) return attend_fail(ATTEND_ERR_DATA, "%s: no text to learn from", path);
	ATTEND_TRY(attend_examples_finish(p->x));
	return describe(p);
}

attend_status attend_sentence_pairs_read(attend_dataset **dataset, attend_examples *examples, const char *path,
                                         const attend_pair_options *options)
{
	attend_examples x = {0};
	pairer p = {.o = options,
	            .d = calloc(1, sizeof(attend_dataset)),
	            .x = &x,
	            .rng = {.seed = options->seed, .stream = STREAM}};
	if (!p.d) return attend_fail_memory(sizeof *p.d, "pairs");
	p.d->kind = ATTEND_LABELS_NONE;
	const attend_status status = read_all(&p, path);
	attend_spill_free(&p.ids);
	attend_spill_free(&p.marks);
	attend_spill_free(&p.sentences);
	void *const owned[] = {p.documents, p.pair_ids, p.pair_types, p.pair_marks};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
	if (status != ATTEND_OK) {
		attend_dataset_free(p.d);
		attend_examples_free(&x);
		return status;
	}
	*dataset = p.d;
	*examples = x;
	return ATTEND_OK;
}
