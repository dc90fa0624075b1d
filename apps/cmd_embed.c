/* cmd_embed.c: `attend embed`. */
#include <stdlib.h>

#include "apps/console.h"
#include "apps/open_model.h"
#include "apps/output.h"
#include "apps/stream.h"

static const attend_option options[] = {
	{"pooling", 0, ATTEND_OPTION_WORD, "mean|cls|last|max|mean-sqrt|weighted",
     "one vector of many [as the folder says, else mean]", 0, 0, false, NULL},
	{"normalize", 0, ATTEND_OPTION_FLAG, NULL,
     "scale vectors to length 1; --no-normalize: never [as the folder says, else not]", 0, 0, false, NULL},
	ATTEND_OPTION_TRUNCATE,
	{0},
};

static const attend_option *const groups[] = {attend_options_model, attend_options_input, attend_options_format, NULL};

typedef struct embed_run {
	const attend_args *args;
	attend_pipeline *pipeline;
	attend_embed_options options;
	size_t width;
	float *vectors; /* [ATTEND_RECORD_GROUP,width] */
} embed_run;

static void print_vector(const float *v, size_t n, const char *between)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0) attend_output_text(between);
		attend_output_json_f32(v[i]);
	}
}

static attend_status run_records(void *payload, const attend_record *records, const attend_text *texts, size_t count)
{
	embed_run *run = payload;
	size_t truncated[ATTEND_RECORD_GROUP];
	const bool jsonl = attend_args_flag(run->args, "jsonl"), json = attend_args_flag(run->args, "json");
	run->options.truncated = truncated;
	const attend_status status = attend_embed(run->vectors, run->pipeline, texts, count, &run->options);
	for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
		const float *v = run->vectors + i * run->width;
		attend_tell_truncated(run->args, records[i].number, truncated[i]);
		if (jsonl) {
			attend_output_printf("{\"line\": %zu, \"text\": ", records[i].number);
			attend_output_json_string(records[i].fields[0], records[i].sizes[0]);
			attend_output_printf(", \"truncated_tokens\": %zu, \"embedding\": ", truncated[i]);
		}
		if (json || jsonl) attend_output_text("[");
		print_vector(v, run->width, json || jsonl ? ", " : attend_args_flag(run->args, "tsv") ? "\t" : " ");
		attend_output_text(jsonl ? "]}\n" : json ? "]\n" : "\n");
	}
	return status;
}

static int run(const attend_args *args)
{
	static const attend_embed_pooling poolings[] = {ATTEND_EMBED_MEAN, ATTEND_EMBED_CLS,       ATTEND_EMBED_LAST,
	                                                ATTEND_EMBED_MAX,  ATTEND_EMBED_MEAN_SQRT, ATTEND_EMBED_WEIGHTED};
	attend_opened opened = {0};
	embed_run job = {.args = args, .options = {.cut = attend_cut_of(args)}};
	if (attend_args_given(args, "pooling")) job.options.pooling = poolings[attend_args_word(args, "pooling", 0)];
	if (attend_args_given(args, "normalize"))
		job.options.normalize = attend_args_flag(args, "normalize") ? ATTEND_NORMALIZE_L2 : ATTEND_NORMALIZE_OFF;
	int code = attend_open_model(&opened, args, NULL);
	if (code >= 0) return code;
	job.pipeline = opened.pipeline;
	const attend_status status = attend_embed_width(&job.width, opened.pipeline, &job.options);
	if (status != ATTEND_OK) code = attend_report(status);
	if (code < 0 && (job.vectors = calloc(ATTEND_RECORD_GROUP * job.width + 1, sizeof *job.vectors)) == NULL)
		code = attend_complain(ATTEND_EXIT_RESOURCE, "no memory for the vectors");
	const attend_record_job records = {.names = {"text"}, .run = run_records, .payload = &job};
	if (code < 0) code = attend_records_run(args, &records);
	free(job.vectors);
	attend_opened_free(&opened);
	return code;
}

const attend_command attend_command_embed = {
	.name = "embed",
	.summary = "turn texts into vectors",
	.operands = "[TEXT ...]",
	.details = "Prints one line of numbers per text: the last hidden states, pooled. Folders of\n"
			   "sentence-transformers (modules.json) run all their modules, and cut texts at\n"
			   "their max_seq_length, which is told on stderr.",
	.example = "attend embed -m all-MiniLM-L6-v2 --json \"A man is playing a guitar.\"",
	.groups = groups,
	.options = options,
	.run = run,
};
