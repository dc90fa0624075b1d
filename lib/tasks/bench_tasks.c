/* bench_tasks.c: one repetition of each task of attend_bench. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "lib/tasks/bench.h"
#include "lib/tasks/generate.h"

/* ---- encode ---- */

/* hidden [N,D] of a ragged batch as [B,T,D] with zeros behind the rows. */
static attend_status dump_hidden(const attend_bench_run *run, const float *hidden, size_t width)
{
	const attend_bench_input *in = &run->input;
	float *padded = calloc(in->batch * in->width + 1, width * sizeof *padded);
	if (padded == NULL) return attend_fail_memory(in->batch * in->width * width * sizeof *padded, "dump");
	for (size_t b = 0; b < in->batch; b++)
		memcpy(padded + b * in->width * width, hidden + run->pipeline->offsets[b] * width,
		       in->lengths[b] * width * sizeof *padded);
	const attend_bench_tensor tensor = {.name = "last_hidden_state",
	                                    .values = padded,
	                                    .rank = 3,
	                                    .shape = {in->batch, in->width, width}};
	const attend_status status = attend_bench_write(run->options->dump_file, &tensor, 1);
	free(padded);
	return status;
}

static attend_status repeat_encode(attend_bench_run *run, double *ms, bool dump)
{
	const int stack = attend_model_text_stack(run->model);
	const float *hidden;
	attend_bench_profile_count(run->profile, true);
	const double start = attend_bench_now();
	ATTEND_TRY(attend_pipeline_run(run->pipeline, run->sequences, run->input.batch, stack, &hidden));
	*ms = attend_bench_now() - start;
	attend_bench_profile_count(run->profile, false);
	return dump ? dump_hidden(run, hidden, attend_model_stack(run->model, stack)->hidden) : ATTEND_OK;
}

/* ---- generation ---- */

/* When the first and the last new token of the whole batch came. */
typedef struct decode_clock {
	size_t waiting; /* tokens until the clock starts */
	double start;
	attend_bench_profile *profile;
} decode_clock;

static bool count_token(void *payload, size_t sequence, int32_t id)
{
	decode_clock *clock = payload;
	(void)sequence;
	(void)id;
	if (clock->waiting == 0 || --clock->waiting != 0) return true;
	attend_bench_profile_count(clock->profile, true);
	clock->start = attend_bench_now();
	return true;
}

static attend_status set_number(attend_generation *g, const char *name, size_t value)
{
	char text[32];
	(void)snprintf(text, sizeof text, "%zu", value);
	return attend_generation_set(g, name, text);
}

/* Greedy or beams, exactly new_tokens tokens, the model's end token never chosen. */
static attend_status make_settings(attend_generation **out, const attend_bench_run *run, size_t new_tokens)
{
	const attend_config *config = &run->model->checkpoint->config;
	const int32_t start = run->input.decoder_start >= 0 ? run->input.decoder_start
	                                                    : run->model->checkpoint->network.arch.decoder_start_id;
	attend_buffer eos = {0};
	attend_generation *g;
	ATTEND_TRY(attend_generation_new(&g, NULL));
	attend_buffer_text(&eos, "[");
	for (size_t i = 0; i < config->eos_count; i++)
		attend_buffer_printf(&eos, "%s%d", i == 0 ? "" : ",", config->eos[i]);
	attend_buffer_text(&eos, "]");
	attend_status status = attend_buffer_status(&eos);
	if (status == ATTEND_OK && config->eos_count != 0) status = attend_generation_set(g, "suppress_tokens", eos.data);
	if (status == ATTEND_OK) status = set_number(g, "max_new_tokens", new_tokens);
	if (status == ATTEND_OK) status = set_number(g, "num_beams", run->options->num_beams);
	if (status == ATTEND_OK && start >= 0) status = set_number(g, "decoder_start_token_id", (size_t)start);
	attend_buffer_free(&eos);
	if (status == ATTEND_OK) *out = g;
	else attend_generation_free(g);
	return status;
}

static attend_status dump_ids(const attend_bench_run *run, const attend_generated *rows, size_t new_tokens)
{
	const size_t batch = run->input.batch;
	int32_t *ids = calloc(batch * new_tokens + 1, sizeof *ids);
	if (ids == NULL) return attend_fail_memory(batch * new_tokens * sizeof *ids, "dump");
	for (size_t b = 0; b < batch; b++)
		for (size_t t = 0; t < new_tokens && rows[b].prompt_length + t < rows[b].length; t++)
			ids[b * new_tokens + t] = rows[b].ids[rows[b].prompt_length + t];
	const attend_bench_tensor tensor = {.name = "output_ids", .ids = ids, .rank = 2, .shape = {batch, new_tokens}};
	const attend_status status = attend_bench_write(run->options->dump_file, &tensor, 1);
	free(ids);
	return status;
}

/* decode: the clock starts when every prompt has its first new token. */
static attend_status repeat_generate(attend_bench_run *run, double *ms, bool dump)
{
	const size_t batch = run->input.batch, new_tokens = run->options->new_tokens;
	const bool decode = run->options->task == ATTEND_BENCH_DECODE;
	decode_clock clock = {.waiting = decode ? batch : 0, .profile = run->profile};
	attend_generation *settings;
	ATTEND_TRY(make_settings(&settings, run, new_tokens));
	const int32_t **ids = attend_alloc_array(batch, sizeof *ids);
	attend_generated *rows = calloc(batch, sizeof *rows);
	attend_status status =
		ids != NULL && rows != NULL ? ATTEND_OK : attend_fail_memory(batch * sizeof *rows, "sequences");
	if (status == ATTEND_OK) {
		for (size_t b = 0; b < batch; b++) ids[b] = run->sequences[b].ids;
		const attend_generate_job job = {.network = &run->model->checkpoint->network,
		                                 .generation = settings,
		                                 .prompts = batch,
		                                 .ids = ids,
		                                 .lengths = run->input.lengths,
		                                 .hooks = {.token = decode ? count_token : NULL, .payload = &clock}};
		if (!decode) attend_bench_profile_count(run->profile, true);
		if (!decode) clock.start = attend_bench_now();
		status = attend_generate_run(rows, &job);
		*ms = attend_bench_now() - clock.start;
		attend_bench_profile_count(run->profile, false);
		if (status == ATTEND_OK && dump) status = dump_ids(run, rows, new_tokens);
		if (status == ATTEND_OK) attend_generated_free(rows, batch);
	}
	attend_generation_free(settings);
	free(ids);
	free(rows);
	return status;
}

/* The prompt alone, with its keys and values put into a cache, and the logits behind its last token. */
static attend_status repeat_prefill(attend_bench_run *run, double *ms, bool dump)
{
	attend_pipeline *p = run->pipeline;
	const size_t batch = run->input.batch;
	size_t head;
	ATTEND_TRY(attend_model_need_head(&head, run->model, ATTEND_HEAD_LM));
	const size_t vocab = run->model->checkpoint->network.arch.heads[head].outputs;
	p->planned.cache_slots = batch; /* the session is made with a cache */
	p->planned.cache_length = run->input.width;
	size_t *rows = attend_alloc_array(batch + 1, sizeof *rows);
	int *slots = attend_alloc_array(batch, sizeof *slots);
	attend_status status = rows != NULL && slots != NULL ? ATTEND_OK : attend_fail_memory(batch * sizeof *rows, "rows");
	attend_bench_profile_count(run->profile, true);
	const double start = attend_bench_now();
	if (status == ATTEND_OK) status = attend_pipeline_prefill(p, run->sequences, batch, slots);
	for (size_t b = 0; b < batch && status == ATTEND_OK; b++) rows[b] = p->offsets[b + 1] - 1;
	if (status == ATTEND_OK) status = attend_pipeline_head(p, head, rows, batch);
	*ms = attend_bench_now() - start;
	attend_bench_profile_count(run->profile, false);
	for (size_t b = 0; b < batch && status == ATTEND_OK; b++) attend_session_slot_free(p->session, slots[b]);
	if (status == ATTEND_OK && dump) {
		const attend_bench_tensor tensor = {.name = "logits", .values = p->logits, .rank = 2, .shape = {batch, vocab}};
		status = attend_bench_write(run->options->dump_file, &tensor, 1);
	}
	free(rows);
	free(slots);
	return status;
}

/* ---- cold ---- */

static attend_status fill_first_mask(attend_bench_run *run, int32_t *token, float *logit)
{
	size_t head, n = run->input.text_size;
	while (n > 0 && (run->input.text[n - 1] == '\n' || run->input.text[n - 1] == '\r')) n--;
	const attend_text text = {.text = run->input.text, .size = n};
	attend_encoded encoded;
	ATTEND_TRY(attend_model_need_head(&head, run->model, ATTEND_HEAD_MLM));
	ATTEND_TRY(attend_pipeline_encode(&encoded, run->model, &text, 1, ATTEND_CUT_NEVER,
	                                  attend_model_max_length(run->model), 0));
	const attend_encoding *e = &encoded.items[0];
	const int32_t mask = attend_tokenizer_special_id(run->model->tokenizer, ATTEND_TOKEN_MASK);
	size_t row = 0;
	while (row < e->count && e->ids[row] != mask) row++;
	attend_status status = row < e->count ? ATTEND_OK : attend_fail(ATTEND_ERR_DATA, "the text has no mask token");
	const attend_sequence sequence = {e->ids, e->type_ids, e->count};
	if (status == ATTEND_OK) status = attend_pipeline_run(run->pipeline, &sequence, 1, 0, NULL);
	if (status == ATTEND_OK) status = attend_pipeline_head(run->pipeline, head, &row, 1);
	run->input.total = run->input.width = e->count;
	attend_encoded_free(&encoded);
	if (status != ATTEND_OK) return status;
	const float *logits = run->pipeline->logits;
	size_t best = 0;
	for (size_t i = 1; i < run->model->checkpoint->network.arch.heads[head].outputs; i++)
		if (logits[i] > logits[best]) best = i;
	*token = (int32_t)best;
	*logit = logits[best];
	return ATTEND_OK;
}

static attend_status repeat_cold(attend_bench_run *run, double *ms, bool dump)
{
	const attend_model_options options = {.weights = run->options->weights};
	int32_t token = 0;
	float logit = 0;
	attend_pipeline_free(run->pipeline);
	attend_model_free(run->model);
	run->pipeline = NULL;
	run->model = NULL;
	const double start = attend_bench_now();
	ATTEND_TRY(attend_model_load(&run->model, run->options->model, &options));
	run->load_ms = attend_bench_now() - start;
	ATTEND_TRY(attend_pipeline_new(&run->pipeline, run->model));
	ATTEND_TRY(fill_first_mask(run, &token, &logit));
	*ms = attend_bench_now() - start;
	if (!dump) return ATTEND_OK;
	const attend_bench_tensor tensors[] = {{.name = "output_ids", .ids = &token, .rank = 1, .shape = {1}},
	                                       {.name = "score", .values = &logit, .rank = 1, .shape = {1}}};
	return attend_bench_write(run->options->dump_file, tensors, 2);
}

/* ---- tokenize ---- */

static void print_ids(attend_buffer *out, const int32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) attend_buffer_printf(out, "%s%d", i == 0 ? "" : " ", ids[i]);
	attend_buffer_text(out, "\n");
}

static attend_status repeat_ids(attend_bench_run *run, double *ms, attend_buffer *text)
{
	attend_ids ids;
	const double start = attend_bench_now();
	ATTEND_TRY(attend_tokenizer_encode_ids(&ids, run->tokenizer, run->lines, run->line_count, NULL));
	*ms = attend_bench_now() - start;
	run->input.total = ids.starts[ids.count];
	for (size_t i = 0; text != NULL && i < ids.count; i++)
		print_ids(text, ids.ids + ids.starts[i], ids.starts[i + 1] - ids.starts[i]);
	attend_ids_free(&ids);
	return ATTEND_OK;
}

static attend_status repeat_encodings(attend_bench_run *run, double *ms, attend_buffer *text)
{
	const attend_encode_options options = {.fields = ATTEND_ENCODE_OFFSETS};
	attend_encoding *encodings = attend_alloc_array(run->line_count, sizeof *encodings);
	if (encodings == NULL) return attend_fail_memory(run->line_count * sizeof *encodings, "encodings");
	const double start = attend_bench_now();
	const attend_status status =
		attend_tokenizer_encode_batch(encodings, run->tokenizer, run->lines, run->line_count, &options);
	*ms = attend_bench_now() - start;
	run->input.total = 0;
	for (size_t i = 0; i < run->line_count && status == ATTEND_OK; i++) {
		run->input.total += encodings[i].count;
		if (text != NULL) print_ids(text, encodings[i].ids, encodings[i].count);
		attend_encoding_free(&encodings[i]);
	}
	free(encodings);
	return status;
}

static attend_status repeat_tokenize(attend_bench_run *run, double *ms, bool dump)
{
	attend_buffer text = {0};
	attend_status status = run->options->offsets ? repeat_encodings(run, ms, dump ? &text : NULL)
	                                             : repeat_ids(run, ms, dump ? &text : NULL);
	if (status == ATTEND_OK) status = attend_buffer_status(&text);
	if (status == ATTEND_OK && dump) status = attend_file_write(run->options->dump_file, text.data, text.size);
	attend_buffer_free(&text);
	return status;
}

attend_status attend_bench_repeat(attend_bench_run *run, double *ms, bool dump)
{
	*ms = 0;
	switch (run->options->task) {
	case ATTEND_BENCH_ENCODE: return repeat_encode(run, ms, dump);
	case ATTEND_BENCH_PREFILL: return repeat_prefill(run, ms, dump);
	case ATTEND_BENCH_DECODE:
	case ATTEND_BENCH_SEQ2SEQ: return repeat_generate(run, ms, dump);
	case ATTEND_BENCH_COLD: return repeat_cold(run, ms, dump);
	case ATTEND_BENCH_TOKENIZE: return repeat_tokenize(run, ms, dump);
	case ATTEND_BENCH_TRAIN: return attend_bench_train_step(run, ms, dump);
	}
	return attend_fail(ATTEND_ERR_ARG, "attend_bench: unknown task %d", (int)run->options->task);
}
