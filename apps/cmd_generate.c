/* cmd_generate.c: `attend generate`: text or token ids in, what the model says next out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/args.h"
#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"

/* Everything behind the first block is handed to attend_generation_set by name. */
static const attend_option options[] = {
	{"prompt", 'p', ATTEND_OPTION_TEXT, "TEXT", "a prompt, instead of lines on standard input", 0, 0, true, NULL},
	{"input-ids", 0, ATTEND_OPTION_TEXT, "\"ID ...\"", "token ids of a prompt, instead of text; once per prompt", 0, 0,
     true, NULL},
	{"output-ids", 0, ATTEND_OPTION_FLAG, NULL, "print token ids instead of text", 0, 0, false, NULL},
	{"scores", 0, ATTEND_OPTION_FLAG, NULL, "with --json: beam scores, or the best scores of the first three steps", 0,
     0, false, NULL},
	{"return-full-text", 0, ATTEND_OPTION_FLAG, NULL, "print the prompt before its continuation [yes]", 0, 0, false,
     NULL},
	{"keep-special-tokens", 0, ATTEND_OPTION_FLAG, NULL, "do not leave out special tokens such as </s>", 0, 0, false,
     NULL},
	{"truncate", 0, ATTEND_OPTION_WORD, "left|right", "cut a prompt that is too long, instead of failing", 0, 0, false,
     NULL},
	{"max-new-tokens", 'n', ATTEND_OPTION_JSON, "N", "tokens to generate at most [to a total of 20 + prompt]", 0, 0,
     false, NULL},
	{"max-length", 0, ATTEND_OPTION_JSON, "N", "tokens of prompt and answer at most", 0, 0, false, NULL},
	{"min-new-tokens", 0, ATTEND_OPTION_JSON, "N", "no end before N new tokens", 0, 0, false, NULL},
	{"min-length", 0, ATTEND_OPTION_JSON, "N", "no end before N tokens, the prompt's included", 0, 0, false, NULL},
	{"max-time", 0, ATTEND_OPTION_JSON, "SECONDS", "stop after this time", 0, 0, false, NULL},
	{"do-sample", 0, ATTEND_OPTION_FLAG, NULL, "draw tokens instead of taking the most likely", 0, 0, false, NULL},
	{"temperature", 0, ATTEND_OPTION_JSON, "X", "below 1: likelier tokens; above: odder ones [1]", 0, 0, false, NULL},
	{"top-k", 0, ATTEND_OPTION_JSON, "N", "draw among the N likeliest; 0: all [50]", 0, 0, false, NULL},
	{"top-p", 0, ATTEND_OPTION_JSON, "X", "draw among the likeliest with total probability X [1]", 0, 0, false, NULL},
	{"min-p", 0, ATTEND_OPTION_JSON, "X", "leave out tokens below X times the best probability", 0, 0, false, NULL},
	{"typical-p", 0, ATTEND_OPTION_JSON, "X", "locally typical sampling with this mass [1]", 0, 0, false, NULL},
	{"epsilon-cutoff", 0, ATTEND_OPTION_JSON, "X", "leave out tokens below this probability", 0, 0, false, NULL},
	{"eta-cutoff", 0, ATTEND_OPTION_JSON, "X", "the same, lower where the choice is wide", 0, 0, false, NULL},
	{"num-beams", 0, ATTEND_OPTION_JSON, "N", "beam search with N beams [1]", 0, 0, false, NULL},
	{"num-return-sequences", 0, ATTEND_OPTION_JSON, "N", "answers per prompt [1]", 0, 0, false, NULL},
	{"length-penalty", 0, ATTEND_OPTION_JSON, "X", "beams: above 0 favours long answers [1]", 0, 0, false, NULL},
	{"early-stopping", 0, ATTEND_OPTION_JSON, "true|false|never", "beams: when to stop looking for better ones [false]",
     0, 0, false, NULL},
	{"repetition-penalty", 0, ATTEND_OPTION_JSON, "X", "above 1: repeat less [1]", 0, 0, false, NULL},
	{"encoder-repetition-penalty", 0, ATTEND_OPTION_JSON, "X", "above 1: stay closer to the input's words [1]", 0, 0,
     false, NULL},
	{"no-repeat-ngram-size", 0, ATTEND_OPTION_JSON, "N", "no N tokens twice", 0, 0, false, NULL},
	{"encoder-no-repeat-ngram-size", 0, ATTEND_OPTION_JSON, "N", "no N tokens of the input again", 0, 0, false, NULL},
	{"bad-words-ids", 0, ATTEND_OPTION_JSON, "[[ID,...],...]", "token sequences that may not come", 0, 0, false, NULL},
	{"sequence-bias", 0, ATTEND_OPTION_JSON, "[[[ID,...],X],...]", "added to the score of these sequences", 0, 0, false,
     NULL},
	{"suppress-tokens", 0, ATTEND_OPTION_JSON, "[ID,...]", "tokens that may not come", 0, 0, false, NULL},
	{"begin-suppress-tokens", 0, ATTEND_OPTION_JSON, "[ID,...]", "tokens that may not come first", 0, 0, false, NULL},
	{"forced-bos-token-id", 0, ATTEND_OPTION_JSON, "ID", "the first token", 0, 0, false, NULL},
	{"forced-eos-token-id", 0, ATTEND_OPTION_JSON, "ID", "the last token when max-length is reached", 0, 0, false,
     NULL},
	{"exponential-decay-length-penalty", 0, ATTEND_OPTION_JSON, "[START,FACTOR]",
     "the end gets likelier after START tokens", 0, 0, false, NULL},
	{"renormalize-logits", 0, ATTEND_OPTION_FLAG, NULL, "scores are log-probabilities again after all rules", 0, 0,
     false, NULL},
	{"remove-invalid-values", 0, ATTEND_OPTION_FLAG, NULL, "NaN and infinite scores become finite", 0, 0, false, NULL},
	{"stop-strings", 0, ATTEND_OPTION_JSON, "TEXT|[TEXT,...]", "stop when one of these was written", 0, 0, false, NULL},
	{"eos-token-id", 0, ATTEND_OPTION_JSON, "ID|[ID,...]", "tokens that end an answer [as the model says]", 0, 0, false,
     NULL},
	{"pad-token-id", 0, ATTEND_OPTION_JSON, "ID", "accepted for scripts: nothing is padded here", 0, 0, false, NULL},
	{"bos-token-id", 0, ATTEND_OPTION_JSON, "ID", "what an empty prompt starts from", 0, 0, false, NULL},
	{"decoder-start-token-id", 0, ATTEND_OPTION_JSON, "ID", "first token of the decoder", 0, 0, false, NULL},
	{0},
};

enum { SCORED_STEPS = 3, SCORED_IDS = 20 };

typedef struct scored {
	int32_t id;
	float score;
} scored;

/* The SCORED_IDS best finite scores of one step, and how many are finite. */
typedef struct step_scores {
	scored best[SCORED_IDS];
	size_t count, finite;
} step_scores;

typedef struct command {
	const attend_args *args;
	attend_model *model;
	attend_pipeline *pipeline;
	attend_generation *generation;
	attend_generate_options options;
	step_scores steps[SCORED_STEPS];
	size_t step_count;
	bool streaming;
} command;

static int by_score(const void *a, const void *b)
{
	const scored *x = a, *y = b;
	return x->score > y->score ? -1 : x->score < y->score ? 1 : x->id - y->id;
}

static void keep_scores(void *payload, size_t sequence, size_t step, const float *scores, size_t vocab)
{
	command *c = payload;
	if (sequence != 0 || step >= SCORED_STEPS) return;
	step_scores *s = &c->steps[step];
	*s = (step_scores){0};
	for (size_t i = 0; i < vocab; i++) {
		if (!isfinite(scores[i])) continue;
		s->finite++;
		const scored candidate = {(int32_t)i, scores[i]};
		if (s->count < SCORED_IDS) {
			s->best[s->count++] = candidate;
			if (s->count == SCORED_IDS) qsort(s->best, s->count, sizeof *s->best, by_score);
		} else if (by_score(&candidate, &s->best[SCORED_IDS - 1]) < 0) {
			size_t at = SCORED_IDS - 1;
			while (at > 0 && by_score(&candidate, &s->best[at - 1]) < 0) {
				s->best[at] = s->best[at - 1];
				at--;
			}
			s->best[at] = candidate;
		}
	}
	if (s->count < SCORED_IDS) qsort(s->best, s->count, sizeof *s->best, by_score);
	c->step_count = step + 1;
}

static bool print_text(void *payload, size_t sequence, const char *text, size_t size)
{
	(void)payload;
	(void)sequence;
	attend_output_bytes(text, size);
	attend_output_flush();
	return true;
}

/* ---- Options into parameters ----------------------------------------------------------------------------------------- */

static int set_parameters(command *c)
{
	const attend_option *option = NULL;
	const char *text = NULL;
	for (size_t i = 0; attend_args_each(c->args, i, &option, &text); i++) {
		const attend_status status = attend_generation_set(c->generation, option->name, text);
		if (status != ATTEND_OK && status != ATTEND_ERR_NOTFOUND) /* not found: the command's own */
			return attend_usage(attend_args_command(c->args), "--%s: %s", option->name, attend_error());
	}
	return ATTEND_EXIT_DONE;
}

/* ---- Printing ------------------------------------------------------------------------------------------------------------ */

static void print_ids(const attend_generated_text *g)
{
	attend_output_text("[");
	for (size_t i = 0; i < g->count; i++) attend_output_printf("%s%d", i ? ", " : "", g->ids[i]);
	attend_output_text("]");
}

static const char *shown(const command *c, const attend_generated_text *g, size_t *size)
{
	const bool full = attend_args_flag_or(c->args, "return-full-text", true);
	const char *text = full ? g->text : g->continuation;
	*size = (size_t)(g->text + g->text_size - text);
	return text;
}

static void print_scores(const command *c, const attend_generate_result *results, size_t count)
{
	if (results[0].items[0].score < 0 || results[0].items[0].score > 0) {
		attend_output_text(", \"sequences_scores\": [");
		for (size_t i = 0; i < count; i++)
			for (size_t j = 0; j < results[i].count; j++) {
				if (i || j) attend_output_text(", ");
				attend_output_json_f32(results[i].items[j].score);
			}
		attend_output_text("]");
		return;
	}
	attend_output_text(", \"processed_scores\": [");
	for (size_t s = 0; s < c->step_count; s++) {
		const step_scores *step = &c->steps[s];
		attend_output_text(s ? ", {\"ids\": [" : "{\"ids\": [");
		for (size_t i = 0; i < step->count; i++) attend_output_printf("%s%d", i ? ", " : "", step->best[i].id);
		attend_output_text("], \"values\": [");
		for (size_t i = 0; i < step->count; i++) {
			if (i) attend_output_text(", ");
			attend_output_json_f32(step->best[i].score);
		}
		attend_output_printf("], \"finite\": %zu}", step->finite);
	}
	attend_output_text("]");
}

/* The answers of one prompt, in the shape that was asked for. */
static void print_result(command *c, size_t number, const char *prompt, const attend_generate_result *r)
{
	const bool json = attend_args_flag(c->args, "json"), jsonl = attend_args_flag(c->args, "jsonl");
	const bool ids = attend_args_flag(c->args, "output-ids");
	if (c->streaming) {
		attend_output_text("\n");
		return;
	}
	if (jsonl) {
		attend_output_printf("{\"line\": %zu, \"text\": ", number);
		attend_output_json_text(prompt);
		attend_output_text(", \"generated\": ");
	}
	if (json || jsonl) attend_output_text("[");
	for (size_t i = 0; i < r->count; i++) {
		const attend_generated_text *g = &r->items[i];
		size_t size = 0;
		const char *text = g->text ? shown(c, g, &size) : "";
		if (json || jsonl) {
			attend_output_text(i ? ", {\"generated_text\": " : "{\"generated_text\": ");
			attend_output_json_string(text, size);
			if (ids) {
				attend_output_text(", \"output_ids\": ");
				print_ids(g);
			}
			if (g->score < 0 || g->score > 0) {
				attend_output_text(", \"score\": ");
				attend_output_json_f32(g->score);
			}
			attend_output_printf(", \"finish_reason\": \"%s\"", g->at_limit ? "length" : "stop");
			if (r->truncated) attend_output_printf(", \"truncated\": %zu", r->truncated);
			attend_output_text("}");
		} else if (ids) {
			for (size_t k = 0; k < g->count; k++) attend_output_printf("%s%d", k ? " " : "", g->ids[k]);
			attend_output_text("\n");
		} else if (attend_args_flag(c->args, "tsv")) {
			attend_output_cell(prompt, strlen(prompt));
			attend_output_text("\t");
			attend_output_cell(text, size);
			attend_output_text("\n");
		} else {
			attend_output_bytes(text, size);
			attend_output_text("\n");
		}
	}
	if (json) attend_output_text("]\n");
	if (jsonl) attend_output_text("]}\n");
}

/* ---- Runs ------------------------------------------------------------------------------------------------------------------ */

static int run_text(command *c, size_t number, const char *prompt)
{
	const attend_text text = {.text = prompt, .size = strlen(prompt)};
	attend_generate_result result = {0};
	if (c->streaming && attend_args_flag_or(c->args, "return-full-text", true) &&
	    !attend_model_has_head(c->model, "seq2seq")) {
		attend_output_text(prompt);
		attend_output_flush();
	}
	const attend_status status = attend_generate(&result, c->pipeline, &text, 1, c->generation, &c->options);
	if (status != ATTEND_OK) {
		if (c->streaming) attend_output_text("\n");
		return attend_report(status);
	}
	if (result.truncated) attend_warn(c->args, "prompt %zu: %zu tokens were cut off", number, result.truncated);
	print_result(c, number, prompt, &result);
	attend_generate_result_free(&result);
	return ATTEND_EXIT_DONE;
}

/* A record that fails leaves the others: exit status 1 at the end when there were several. */
static int run_texts(command *c)
{
	size_t number = 0, failed = 0;
	int code = ATTEND_EXIT_DONE;
	const char *prompt = attend_args_nth(c->args, "prompt", 0);
	if (prompt || attend_args_operand_count(c->args)) {
		for (size_t i = 0; (prompt = attend_args_nth(c->args, "prompt", i)); i++)
			if ((code = run_text(c, ++number, prompt)) != ATTEND_EXIT_DONE) failed++;
		for (size_t i = 0; (prompt = attend_args_operand(c->args, i)); i++)
			if ((code = run_text(c, ++number, prompt)) != ATTEND_EXIT_DONE) failed++;
	} else {
		char *line = NULL;
		size_t capacity = 0;
		ssize_t size;
		while ((size = getline(&line, &capacity, stdin)) > 0) {
			if (line[size - 1] == '\n') line[--size] = '\0';
			number++;
			if (strlen(line) != (size_t)size) {
				code = attend_complain(ATTEND_EXIT_DATA, "stdin:%zu: a NUL byte in the text", number);
				failed++;
				continue;
			}
			const int line_code = run_text(c, number, line);
			if (line_code != ATTEND_EXIT_DONE) {
				code = line_code;
				failed++;
			}
		}
		free(line);
	}
	if (number == 0) return attend_complain(ATTEND_EXIT_DATA, "no prompt: give -p TEXT, or lines on standard input");
	if (!failed) return ATTEND_EXIT_DONE;
	return failed == number ? code : ATTEND_EXIT_SOME_FAILED;
}

/* "1 2 3" -> ids, malloc'ed; NULL when a word is no token id. */
static int32_t *parse_ids(const char *text, size_t *count)
{
	int32_t *ids = malloc((strlen(text) / 2 + 1) * sizeof *ids);
	*count = 0;
	while (ids) {
		char *end = NULL;
		while (*text == ' ' || *text == ',') text++;
		if (!*text) return ids;
		const long id = strtol(text, &end, 10);
		if (end == text || id < 0 || id > INT32_MAX || (*end && *end != ' ' && *end != ',')) break;
		ids[(*count)++] = (int32_t)id;
		text = end;
	}
	free(ids);
	return NULL;
}

static int run_ids(command *c)
{
	size_t count = 0;
	while (attend_args_nth(c->args, "input-ids", count)) count++;
	int32_t **ids = calloc(count, sizeof *ids);
	size_t *lengths = calloc(count, sizeof *lengths);
	attend_generate_result *results = calloc(count, sizeof *results);
	int code = ids && lengths && results ? ATTEND_EXIT_DONE : attend_complain(ATTEND_EXIT_RESOURCE, "no memory");
	for (size_t i = 0; i < count && code == ATTEND_EXIT_DONE; i++) {
		ids[i] = parse_ids(attend_args_nth(c->args, "input-ids", i), &lengths[i]);
		if (!ids[i])
			code = attend_usage(attend_args_command(c->args), "--input-ids: expected token ids, found \"%s\"",
			                    attend_args_nth(c->args, "input-ids", i));
	}
	if (code == ATTEND_EXIT_DONE) {
		const attend_status status = attend_generate_ids(results, c->pipeline, (const int32_t *const *)ids, lengths,
		                                                 count, c->generation, &c->options);
		if (status != ATTEND_OK) code = attend_report(status);
	}
	if (code == ATTEND_EXIT_DONE) {
		const bool json = attend_args_flag(c->args, "json");
		if (json) attend_output_text("{\"output_ids\": [");
		for (size_t i = 0; i < count; i++) {
			for (size_t j = 0; json && j < results[i].count; j++) {
				if (i || j) attend_output_text(", ");
				print_ids(&results[i].items[j]);
			}
			if (!json) print_result(c, i + 1, attend_args_nth(c->args, "input-ids", i), &results[i]);
		}
		if (json) {
			attend_output_text("]");
			if (attend_args_flag(c->args, "scores")) print_scores(c, results, count);
			attend_output_text("}\n");
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (results) attend_generate_result_free(&results[i]);
		if (ids) free(ids[i]);
	}
	free(results);
	free(lengths);
	free(ids);
	return code;
}

/* -1, or an exit code. */
static int open_model(command *c)
{
	attend_opened opened = {0};
	const int code = attend_open_model(&opened, c->args, "gpt2-mini");
	if (code >= 0) return code;
	c->model = opened.model;
	c->pipeline = opened.pipeline;
	const attend_status status = attend_generation_new(&c->generation, c->model);
	return status == ATTEND_OK ? -1 : attend_report(status);
}

static int run(const attend_args *args)
{
	command c = {.args = args};
	const bool ids = attend_args_given(args, "input-ids");
	int code = open_model(&c);
	if (code < 0) code = set_parameters(&c);
	if (code == ATTEND_EXIT_DONE) {
		const bool shaped = attend_args_flag(args, "json") || attend_args_flag(args, "jsonl") ||
		                    attend_args_flag(args, "tsv") || attend_args_flag(args, "output-ids");
		c.options.payload = &c;
		c.options.keep_special_tokens = attend_args_flag(args, "keep-special-tokens");
		c.options.cut = (attend_cut)(attend_args_word(args, "truncate", -1) + 1);
		if (attend_args_flag(args, "scores")) c.options.on_scores = keep_scores;
		c.streaming = !ids && !shaped && isatty(STDOUT_FILENO) && !attend_args_given(args, "num-return-sequences") &&
		              !attend_args_given(args, "num-beams");
		if (c.streaming) c.options.on_text = print_text;
		code = ids ? run_ids(&c) : run_texts(&c);
	}
	attend_generation_free(c.generation);
	attend_pipeline_free(c.pipeline);
	attend_model_free(c.model);
	return code;
}

const attend_command attend_command_generate = {
	.name = "generate",
	.summary = "continue a text (GPT), or turn a text into another (T5)",
	.operands = "[TEXT ...]",
	.details = "Prompts are -p TEXT, operands, or lines on standard input; answers come in the\n"
			   "same order. generation_config.json of the checkpoint is obeyed, options override\n"
			   "it; None switches a value of it off. Without -m the bundled gpt2-mini writes.",
	.example = "attend generate -p \"Once upon a time\" -n 40\n"
			   "attend generate -m t5-small \"translate English to German: Good morning.\" --num-beams 4",
	.groups = (const attend_option *const[]){attend_options_model, attend_options_format, attend_options_seed, NULL},
	.options = options,
	.run = run,
};
