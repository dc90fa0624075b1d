/* ner.c: HF's token-classification pipeline (huggingface.md section 5.3; transformers 5.24 pipelines/token_classification.py):
 * tokens with their probabilities -> words (first, average, max) -> groups of one type. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/tasks/pipeline.h"
#include "lib/tasks/rank.h"
#include "lib/tasks/token_text.h"

/* A token, or a word made of tokens, before grouping. */
typedef struct piece {
	const char *word; /* in the bag */
	size_t word_size;
	float *scores; /* [labels] probabilities of the token; NULL: of a word */
	size_t label;
	float score;
	size_t index, start, end, byte_start, byte_end;
	bool subword;
} piece;

typedef struct ner_job {
	attend_pipeline *pipeline;
	const attend_tokenizer *tokenizer;
	const attend_ner_options *options;
	attend_aggregation aggregation;
	size_t head, labels;
	bool word_aware; /* the vocabulary marks continuations (##), so subwords are told by it */
	attend_bag *bag; /* of the result that is being made */
} ner_job;

typedef struct entity_list {
	attend_entity *items;
	size_t count, capacity;
} entity_list;

static bool ignored(const ner_job *job, const char *label)
{
	const attend_ner_options *o = job->options;
	if (o == NULL || o->ignore == NULL) return strcmp(label, "O") == 0;
	for (size_t i = 0; i < o->ignore_count; i++)
		if (strcmp(label, o->ignore[i]) == 0) return true;
	return false;
}

static attend_status add_entity(entity_list *list, const ner_job *job, const attend_entity *entity)
{
	if (ignored(job, entity->label)) return ATTEND_OK;
	ATTEND_TRY(attend_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "entities"));
	list->items[list->count++] = *entity;
	return ATTEND_OK;
}

/* ---- tokens ---- */

static size_t characters(const char *text, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < size; i++) n += ((unsigned char)text[i] & 0xc0u) != 0x80u;
	return n;
}

/* Where the vocabulary does not tell: inside a word when the character before it and the one it starts with are no space. */
static bool inside_word(const attend_text *text, size_t byte)
{
	return byte > 0 && text->text[byte - 1] != ' ' && (byte >= text->size || text->text[byte] != ' ');
}

static attend_status read_token(piece *out, const ner_job *job, const attend_encoding *e, size_t i,
                                const attend_text *text, float *scores)
{
	const attend_span bytes = e->byte_offsets[i];
	const char *word = attend_tokenizer_id_to_token(job->tokenizer, e->ids[i], &out->word_size);
	const char *surface = text->text + bytes.start;
	if (word == NULL) word = "";
	out->subword = job->word_aware ? characters(word, out->word_size) != e->offsets[i].end - e->offsets[i].start
	                               : inside_word(text, bytes.start);
	if (e->ids[i] == attend_tokenizer_special_id(job->tokenizer, ATTEND_TOKEN_UNK)) {
		word = surface;
		out->word_size = bytes.end - bytes.start;
		out->subword = false;
	}
	out->word = attend_bag_text(job->bag, word, out->word_size);
	if (out->word == NULL) return ATTEND_ERR_NOMEM;
	attend_rank_softmax(scores, scores, job->labels);
	out->scores = scores;
	(void)attend_rank_top(&out->label, 1, scores, job->labels);
	out->score = scores[out->label];
	out->index = i;
	out->start = e->offsets[i].start;
	out->end = e->offsets[i].end;
	out->byte_start = bytes.start;
	out->byte_end = bytes.end;
	return ATTEND_OK;
}

/* ---- words ---- */

/* The pieces' words joined as the tokenizer's decoder does it. */
static attend_status join_words(const char **out, size_t *size, const ner_job *job, const piece *pieces, size_t count)
{
	const char **words = attend_alloc_array(count, sizeof *words);
	size_t *sizes = attend_alloc_array(count, sizeof *sizes);
	attend_status status =
		words != NULL && sizes != NULL ? ATTEND_OK : attend_fail_memory(count * sizeof *words, "words");
	for (size_t i = 0; status == ATTEND_OK && i < count; i++) {
		words[i] = pieces[i].word;
		sizes[i] = pieces[i].word_size;
	}
	if (status == ATTEND_OK) status = attend_token_text(out, size, job->tokenizer, job->bag, words, sizes, count);
	free(words);
	free(sizes);
	return status;
}

static attend_status make_word(piece *out, const ner_job *job, const piece *tokens, size_t count)
{
	piece word = {.index = tokens[0].index,
	              .label = tokens[0].label,
	              .score = tokens[0].score,
	              .start = tokens[0].start,
	              .byte_start = tokens[0].byte_start,
	              .end = tokens[count - 1].end,
	              .byte_end = tokens[count - 1].byte_end};
	if (job->aggregation == ATTEND_AGGREGATE_MAX)
		for (size_t i = 1; i < count; i++)
			if (tokens[i].score > word.score) {
				word.label = tokens[i].label;
				word.score = tokens[i].score;
			}
	if (job->aggregation == ATTEND_AGGREGATE_AVERAGE) {
		word.score = -1;
		for (size_t label = 0; label < job->labels; label++) {
			double sum = 0;
			for (size_t i = 0; i < count; i++) sum += (double)tokens[i].scores[label];
			const float mean = (float)(sum / (double)count);
			if (mean > word.score) {
				word.score = mean;
				word.label = label;
			}
		}
	}
	ATTEND_TRY(join_words(&word.word, &word.word_size, job, tokens, count));
	*out = word;
	return ATTEND_OK;
}

/* pieces[*count] tokens become words, in place. */
static attend_status make_words(piece *pieces, size_t *count, const ner_job *job)
{
	size_t words = 0;
	for (size_t first = 0, n; first < *count; first += n) {
		for (n = 1; first + n < *count && pieces[first + n].subword;) n++;
		piece word;
		ATTEND_TRY(make_word(&word, job, pieces + first, n));
		pieces[words++] = word;
	}
	*count = words;
	return ATTEND_OK;
}

/* ---- groups ---- */

/* "B-PER" -> 'B', "PER"; "PER" -> 'I', "PER". */
static char tag_of(const char *label, const char **tag)
{
	const bool marked = (label[0] == 'B' || label[0] == 'I') && label[1] == '-';
	*tag = marked ? label + 2 : label;
	return marked ? label[0] : 'I';
}

static attend_status add_group(entity_list *list, const ner_job *job, const piece *pieces, size_t count)
{
	const char *label = attend_model_label(job->pipeline->model, pieces[0].label);
	const char *dash = strchr(label, '-');
	double sum = 0;
	size_t size;
	for (size_t i = 0; i < count; i++) sum += (double)pieces[i].score;
	attend_entity entity = {.label = dash != NULL ? dash + 1 : label,
	                        .score = (float)(sum / (double)count),
	                        .index = pieces[0].index,
	                        .start = pieces[0].start,
	                        .end = pieces[count - 1].end,
	                        .byte_start = pieces[0].byte_start,
	                        .byte_end = pieces[count - 1].byte_end};
	if (ignored(job, entity.label)) return ATTEND_OK;
	ATTEND_TRY(join_words(&entity.word, &size, job, pieces, count));
	return add_entity(list, job, &entity);
}

static attend_status add_groups(entity_list *list, const ner_job *job, const piece *pieces, size_t count)
{
	const attend_model *model = job->pipeline->model;
	for (size_t first = 0, n; first < count; first += n) {
		const char *tag, *next_tag;
		(void)tag_of(attend_model_label(model, pieces[first].label), &tag);
		for (n = 1; first + n < count; n++)
			if (tag_of(attend_model_label(model, pieces[first + n].label), &next_tag) == 'B' ||
			    strcmp(tag, next_tag) != 0)
				break;
		ATTEND_TRY(add_group(list, job, pieces + first, n));
	}
	return ATTEND_OK;
}

static attend_status add_tokens(entity_list *list, const ner_job *job, const piece *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const piece *p = &pieces[i];
		const attend_entity entity = {attend_model_label(job->pipeline->model, p->label),
		                              p->score,
		                              p->index,
		                              p->word,
		                              p->start,
		                              p->end,
		                              p->byte_start,
		                              p->byte_end};
		ATTEND_TRY(add_entity(list, job, &entity));
	}
	return ATTEND_OK;
}

/* ---- one window, one text ---- */

static attend_status add_window(entity_list *list, const ner_job *job, const attend_encoding *e,
                                const attend_text *text)
{
	const attend_sequence sequence = {e->ids, e->type_ids, e->count};
	const attend_arch *arch = &job->pipeline->model->checkpoint->network.arch;
	ATTEND_TRY(
		attend_pipeline_run(job->pipeline, &sequence, 1, attend_head_stack(arch, &arch->heads[job->head]), NULL));
	ATTEND_TRY(attend_pipeline_head(job->pipeline, job->head, NULL, e->count));
	piece *pieces = attend_alloc_array(e->count, sizeof *pieces);
	if (pieces == NULL) return attend_fail_memory(e->count * sizeof *pieces, "tokens");
	attend_status status = ATTEND_OK;
	size_t count = 0;
	for (size_t i = 0; i < e->count && status == ATTEND_OK; i++) {
		if (e->special_tokens_mask[i]) continue;
		pieces[count] = (piece){0};
		status = read_token(&pieces[count++], job, e, i, text, job->pipeline->logits + i * job->labels);
	}
	if (status == ATTEND_OK && job->aggregation > ATTEND_AGGREGATE_SIMPLE) status = make_words(pieces, &count, job);
	if (status == ATTEND_OK)
		status = job->aggregation == ATTEND_AGGREGATE_NONE ? add_tokens(list, job, pieces, count)
		                                                   : add_groups(list, job, pieces, count);
	free(pieces);
	return status;
}

/* A stable sort by start: windows give rising runs, so insertion is near linear. */
static void sort_by_start(attend_entity *items, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const attend_entity item = items[i];
		size_t at = i;
		for (; at > 0 && items[at - 1].start > item.start; at--) items[at] = items[at - 1];
		items[at] = item;
	}
}

/* Entities of overlapping windows: of two that overlap the longer one stays, of equally long ones the surer one. */
static void resolve_overlaps(entity_list *list)
{
	size_t kept = 0;
	sort_by_start(list->items, list->count);
	for (size_t i = 0; i < list->count; i++) {
		const attend_entity *entity = &list->items[i];
		attend_entity *previous = kept > 0 ? &list->items[kept - 1] : NULL;
		if (previous == NULL || entity->start >= previous->end || entity->start < previous->start) {
			list->items[kept++] = *entity;
			continue;
		}
		const size_t length = entity->end - entity->start, before = previous->end - previous->start;
		if (length > before || (length == before && entity->score > previous->score)) *previous = *entity;
	}
	list->count = kept;
}

/* A text of more tokens than fit runs in windows. */
static attend_status encode_windows(attend_encoding *out, const ner_job *job, const attend_text *text, size_t limit,
                                    size_t stride)
{
	const attend_encode_options options = {.truncation = ATTEND_TRUNCATE_LONGEST_FIRST,
	                                       .max_length = limit,
	                                       .stride = stride,
	                                       .return_overflowing = true,
	                                       .fields = ATTEND_ENCODE_OFFSETS};
	return attend_tokenizer_encode(out, job->tokenizer, text->text, text->size, &options);
}

static attend_status label_text(entity_list *list, size_t *truncated, ner_job *job, const attend_text *text)
{
	const attend_ner_options *o = job->options;
	const size_t limit = attend_model_max_length(job->pipeline->model);
	attend_encoded whole;
	const bool windows = o != NULL && o->stride != 0;
	ATTEND_TRY(attend_pipeline_encode(&whole, job->pipeline->model, text, 1,
	                                  windows || o == NULL ? ATTEND_CUT_NEVER : o->cut, windows ? SIZE_MAX : limit,
	                                  ATTEND_ENCODE_OFFSETS));
	*truncated = whole.truncated[0];
	attend_status status;
	if (whole.items[0].count <= limit) status = add_window(list, job, &whole.items[0], text);
	else {
		attend_encoding parts;
		status = encode_windows(&parts, job, text, limit, o != NULL ? o->stride : 0);
		if (status == ATTEND_OK) {
			status = add_window(list, job, &parts, text);
			for (size_t i = 0; i < parts.overflowing_count && status == ATTEND_OK; i++)
				status = add_window(list, job, &parts.overflowing[i], text);
			attend_encoding_free(&parts);
			resolve_overlaps(list);
		}
	}
	attend_encoded_free(&whole);
	return status;
}

static attend_status make_result(attend_entities *out, ner_job *job, const attend_text *text)
{
	entity_list list = {0};
	size_t truncated = 0;
	ATTEND_TRY(attend_bag_new(&job->bag));
	attend_status status = label_text(&list, &truncated, job, text);
	attend_entity *items = status == ATTEND_OK ? attend_bag_take(job->bag, list.count, sizeof *items) : NULL;
	if (status == ATTEND_OK && items == NULL) status = ATTEND_ERR_NOMEM;
	if (status == ATTEND_OK) {
		if (list.count != 0) memcpy(items, list.items, list.count * sizeof *items);
		*out = (attend_entities){.items = items, .count = list.count, .truncated = truncated, .storage = job->bag};
	} else attend_bag_free(job->bag);
	free(list.items);
	return status;
}

attend_status attend_ner(attend_entities *out, attend_pipeline *pipeline, const attend_text *texts, size_t count,
                         const attend_ner_options *options)
{
	if (out == NULL || pipeline == NULL || (texts == NULL && count != 0))
		return attend_fail(ATTEND_ERR_ARG, "attend_ner: out, pipeline and texts must not be NULL");
	ner_job job = {.pipeline = pipeline,
	               .options = options,
	               .aggregation = options != NULL ? options->aggregation : ATTEND_AGGREGATE_NONE};
	if (options != NULL && options->stride != 0 && job.aggregation == ATTEND_AGGREGATE_NONE)
		return attend_fail(ATTEND_ERR_ARG, "a stride needs an aggregation: tokens alone cannot be joined over windows");
	ATTEND_TRY(attend_model_need_tokenizer(&job.tokenizer, pipeline->model));
	ATTEND_TRY(attend_model_need_head(&job.head, pipeline->model, ATTEND_HEAD_TOKEN));
	job.labels = pipeline->model->checkpoint->network.arch.heads[job.head].outputs;
	if (job.labels > attend_model_label_count(pipeline->model))
		return attend_fail(ATTEND_ERR_FORMAT, "%s: the token head has %zu outputs, id2label %zu labels",
		                   attend_model_path(pipeline->model), job.labels, attend_model_label_count(pipeline->model));
	job.word_aware = strcmp(attend_tokenizer_kind(job.tokenizer), "WordPiece") == 0;
	for (size_t i = 0; i < count; i++) {
		attend_status status = texts[i].pair != NULL ? attend_fail(ATTEND_ERR_ARG, "pairs have no entities")
		                                             : make_result(&out[i], &job, &texts[i]);
		if (status == ATTEND_OK) continue;
		for (size_t j = 0; j < i; j++) attend_entities_free(&out[j]);
		return attend_fail_at(status, i, count);
	}
	return ATTEND_OK;
}

void attend_entities_free(attend_entities *result)
{
	if (result == NULL) return;
	attend_bag_free(result->storage);
	*result = (attend_entities){0};
}
