/* generate_text.c: generation with a tokenizer around it: parameters from the checkpoint, prompts in, text out as it comes,
 * stop strings (huggingface.md 4.1, 4.3, 4.5). */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/tasks/generate.h"
#include "lib/tasks/pipeline.h"

/* ---- Parameters ---------------------------------------------------------------------------------------------------- */

static attend_status load_from_model(attend_generation *generation, const attend_model *model)
{
	char *path = NULL;
	ATTEND_TRY(attend_path_join(&path, model->checkpoint->dir, "generation_config.json"));
	attend_json *document = NULL;
	attend_status status = ATTEND_OK;
	if (attend_file_exists(path)) status = attend_json_read(&document, path);
	free(path);
	if (status != ATTEND_OK) return status;
	if (document) {
		status = attend_generation_load(generation, document);
		attend_json_free(document);
		return status;
	}
	/* HF derives it from config.json: of a composite model the decoder's keys first, then its own */
	const attend_json *config = model->checkpoint->config.json;
	const attend_json *decoder = attend_json_get(config, "decoder");
	if (decoder && attend_json_type(decoder) == ATTEND_JSON_OBJECT)
		ATTEND_TRY(attend_generation_load(generation, decoder));
	return attend_generation_load(generation, config);
}

attend_status attend_generation_new(attend_generation **out, const attend_model *model)
{
	if (!out) return attend_fail(ATTEND_ERR_ARG, "attend_generation_new: out is NULL");
	attend_generation *generation = NULL;
	ATTEND_TRY(attend_generation_defaults(&generation));
	const attend_status status = model ? load_from_model(generation, model) : ATTEND_OK;
	if (status != ATTEND_OK) {
		attend_generation_free(generation);
		return status;
	}
	*out = generation;
	return ATTEND_OK;
}

/* ---- Text as it comes ------------------------------------------------------------------------------------------------ */

/* What streaming remembers of one sequence: everything said so far is a prefix of the decoded text. */
typedef struct stream {
	int32_t *ids;
	size_t count, capacity;
	size_t said; /* bytes */
} stream;

typedef struct text_run {
	const attend_model *model;
	const attend_generation *generation;
	const attend_generate_options *options;
	stream *streams; /* NULL: nobody listens */
	size_t sequences;
	attend_status failure; /* of a callback: the run is cancelled and this is what went wrong */
} text_run;

static attend_status decode(char **out, size_t *size, const text_run *t, const int32_t *ids, size_t count)
{
	return attend_tokenizer_decode(out, size, t->model->tokenizer, ids, count, !t->options->keep_special_tokens,
	                               ATTEND_CLEAN_UP_DEFAULT);
}

/* Bytes of `text` that later tokens cannot change: all but a last character that is still incomplete (U+FFFD). */
static size_t settled(const char *text, size_t size)
{
	while (size >= 3 && memcmp(text + size - 3, "\xEF\xBF\xBD", 3) == 0) size -= 3;
	return size;
}

static bool say(text_run *t, size_t sequence, int32_t id, bool last)
{
	stream *s = &t->streams[sequence];
	if (id >= 0) {
		t->failure = attend_grow(&s->ids, &s->capacity, s->count + 1, sizeof *s->ids, "streamed tokens");
		if (t->failure != ATTEND_OK) return false;
		s->ids[s->count++] = id;
	}
	char *text = NULL;
	size_t size = 0;
	t->failure = decode(&text, &size, t, s->ids, s->count);
	if (t->failure != ATTEND_OK) return false;
	const size_t end = last ? size : settled(text, size);
	bool go_on = true;
	if (end > s->said) {
		go_on = t->options->on_text(t->options->payload, sequence, text + s->said, end - s->said);
		s->said = end;
	}
	free(text);
	return go_on;
}

static bool on_token(void *payload, size_t sequence, int32_t id)
{
	return say(payload, sequence, id, false);
}

static void on_scores(void *payload, size_t sequence, size_t step, const float *scores, size_t v)
{
	const text_run *t = payload;
	t->options->on_scores(t->options->payload, sequence, step, scores, v);
}

/* ---- Stop strings ------------------------------------------------------------------------------------------------------ */

/* Does a stop string overlap the last token? Decodes only as many tokens as the longest stop string can span. */
static bool on_stops(void *payload, const int32_t *ids, size_t length, size_t prompt_length)
{
	text_run *t = payload;
	size_t longest = 0;
	for (size_t i = 0; i < t->generation->stop_strings_count; i++) {
		const size_t n = strlen(t->generation->stop_strings[i]);
		longest = n > longest ? n : longest;
	}
	(void)prompt_length;
	const size_t window = length > longest + 2 ? longest + 2 : length;
	const int32_t *tail = ids + length - window;
	char *text = NULL, *before = NULL;
	size_t size = 0, before_size = 0;
	bool found = false;
	if (decode(&text, &size, t, tail, window) == ATTEND_OK &&
	    decode(&before, &before_size, t, tail, window - 1) == ATTEND_OK) {
		for (size_t i = 0; i < t->generation->stop_strings_count && !found; i++) {
			const char *stop = t->generation->stop_strings[i];
			const size_t n = strlen(stop);
			for (size_t at = before_size >= n ? before_size - n + 1 : 0; n && at + n <= size && !found; at++)
				found = memcmp(text + at, stop, n) == 0;
		}
	}
	free(text);
	free(before);
	return found;
}

/* ---- Results -------------------------------------------------------------------------------------------------------------- */

static attend_status describe(attend_generated_text *out, const text_run *t, attend_bag *bag,
                              const attend_generated *from)
{
	int32_t *ids = attend_bag_take(bag, from->length, sizeof *ids);
	if (!ids) return ATTEND_ERR_NOMEM;
	memcpy(ids, from->ids, from->length * sizeof *ids);
	*out = (attend_generated_text){.ids = ids,
	                               .count = from->length,
	                               .prompt_count = from->prompt_length,
	                               .score = from->score,
	                               .at_limit = from->at_limit};
	if (!t->model->tokenizer) return ATTEND_OK;
	char *text = NULL, *prompt = NULL;
	size_t size = 0, prompt_size = 0;
	attend_status status = decode(&text, &size, t, ids, from->length);
	if (status == ATTEND_OK) status = decode(&prompt, &prompt_size, t, ids, from->prompt_length);
	if (status == ATTEND_OK) {
		out->text = attend_bag_text(bag, text, size);
		out->text_size = size;
		if (!out->text) status = ATTEND_ERR_NOMEM;
	}
	if (status == ATTEND_OK) out->continuation = out->text + (prompt_size < size ? prompt_size : size);
	free(text);
	free(prompt);
	return status;
}

static attend_status collect(attend_generate_result *out, const text_run *t, const attend_generated *from, size_t count)
{
	attend_bag *bag = NULL;
	ATTEND_TRY(attend_bag_new(&bag));
	attend_generated_text *items = attend_bag_take(bag, count, sizeof *items);
	attend_status status = items ? ATTEND_OK : ATTEND_ERR_NOMEM;
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) status = describe(&items[i], t, bag, &from[i]);
	if (status != ATTEND_OK) {
		attend_bag_free(bag);
		return status;
	}
	*out = (attend_generate_result){.items = items, .count = count, .storage = bag};
	return ATTEND_OK;
}

void attend_generate_result_free(attend_generate_result *result)
{
	if (!result) return;
	attend_bag_free(result->storage);
	*result = (attend_generate_result){0};
}

/* ---- Entry points ------------------------------------------------------------------------------------------------------------ */

static attend_status run_ids(attend_generate_result *out, text_run *t, const int32_t *const *ids, const size_t *lengths,
                             size_t count)
{
	const attend_generation *g = t->generation;
	const size_t returned = (size_t)g->num_return_sequences;
	const bool beams = g->num_beams > 1;
	if (g->stop_strings_count && !t->model->tokenizer)
		return attend_fail(ATTEND_ERR_ARG, "stop_strings need a tokenizer, which %s has not", t->model->path);
	t->sequences = count * returned;
	attend_generated *sequences = calloc(t->sequences + 1, sizeof *sequences);
	const bool listens = t->options->on_text && !beams && t->model->tokenizer;
	if (listens) t->streams = calloc(t->sequences + 1, sizeof *t->streams);
	attend_status status = sequences && (t->streams || !listens)
	                           ? ATTEND_OK
	                           : attend_fail_memory(t->sequences * sizeof *sequences, "generated texts");
	const attend_generate_job job = {.network = &t->model->checkpoint->network,
	                                 .generation = g,
	                                 .prompts = count,
	                                 .ids = ids,
	                                 .lengths = lengths,
	                                 .hooks = {.token = t->streams ? on_token : NULL,
	                                           .scores = t->options->on_scores && !beams ? on_scores : NULL,
	                                           .stops = g->stop_strings_count ? on_stops : NULL,
	                                           .payload = t}};
	if (status == ATTEND_OK) status = attend_generate_run(sequences, &job);
	for (size_t i = 0; status == ATTEND_OK && t->streams && i < t->sequences; i++)
		if (!say(t, i, -1, true)) status = ATTEND_ERR_CANCELLED;
	if (t->failure != ATTEND_OK) status = t->failure;
	size_t done = 0;
	for (; status == ATTEND_OK && done < count; done++) {
		status = collect(&out[done], t, sequences + done * returned, returned);
		if (status != ATTEND_OK) break;
	}
	for (size_t i = 0; status != ATTEND_OK && i < done; i++) attend_generate_result_free(&out[i]);
	for (size_t i = 0; t->streams && i < t->sequences; i++) free(t->streams[i].ids);
	free(t->streams);
	if (sequences) attend_generated_free(sequences, t->sequences);
	free(sequences);
	return status;
}

attend_status attend_generate_ids(attend_generate_result *out, attend_pipeline *pipeline, const int32_t *const *ids,
                                  const size_t *lengths, size_t count, const attend_generation *generation,
                                  const attend_generate_options *options)
{
	static const attend_generate_options none = {0};
	if (!out || !pipeline || (count && (!ids || !lengths)))
		return attend_fail(ATTEND_ERR_ARG, "attend_generate_ids: a NULL argument");
	attend_generation *own = NULL;
	if (!generation) ATTEND_TRY(attend_generation_new(&own, pipeline->model));
	text_run t = {.model = pipeline->model,
	              .generation = generation ? generation : own,
	              .options = options ? options : &none};
	const attend_status status = run_ids(out, &t, ids, lengths, count);
	attend_generation_free(own);
	return status;
}

attend_status attend_generate(attend_generate_result *out, attend_pipeline *pipeline, const attend_text *texts,
                              size_t count, const attend_generation *generation, const attend_generate_options *options)
{
	static const attend_generate_options none = {0};
	if (!out || !pipeline || (count && !texts)) return attend_fail(ATTEND_ERR_ARG, "attend_generate: a NULL argument");
	if (!options) options = &none;
	attend_encoded encoded;
	ATTEND_TRY(attend_pipeline_encode(&encoded, pipeline->model, texts, count, options->cut,
	                                  attend_model_max_length(pipeline->model), 0));
	const int32_t **ids = calloc(count + 1, sizeof *ids);
	size_t *lengths = calloc(count + 1, sizeof *lengths);
	const attend_arch *arch = &pipeline->model->checkpoint->network.arch;
	attend_status status = ids && lengths ? ATTEND_OK : attend_fail_memory(count * sizeof *ids, "prompts");
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		ids[i] = encoded.items[i].ids;
		lengths[i] = encoded.items[i].count;
		if (lengths[i] == 0 && !arch->has_encoder && arch->bos_id >= 0) { /* an empty prompt starts from bos */
			ids[i] = &arch->bos_id;
			lengths[i] = 1;
		}
	}
	if (status == ATTEND_OK) status = attend_generate_ids(out, pipeline, ids, lengths, count, generation, options);
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) out[i].truncated = encoded.truncated[i];
	free(ids);
	free(lengths);
	attend_encoded_free(&encoded);
	return status;
}
