/* cmd_detokenize.c: `attend detokenize`. */
#include <stdint.h>
#include <stdlib.h>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/output.h"
#include "apps/stream.h"

static const attend_option options[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "checkpoint folder, or a tokenizer.json", 0, 0, false, NULL},
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "records are JSON objects {\"ids\": [...]}, answers {\"text\": ...}", 0, 0,
     false, NULL},
	{"skip-special-tokens", 0, ATTEND_OPTION_FLAG, NULL, "leave out [CLS], </s> and other special tokens", 0, 0, false,
     NULL},
	{"clean-up", 0, ATTEND_OPTION_FLAG, NULL, "take blanks before punctuation away [as the checkpoint says]", 0, 0,
     false, NULL},
	{0},
};

static const attend_option *const groups[] = {attend_options_input, NULL};

typedef struct detokenize_run {
	const attend_tokenizer *tokenizer;
	bool json, skip;
	attend_clean_up clean_up;
} detokenize_run;

/* Ids of a record: numbers between blanks, an array, or an object that holds one. */
static attend_status read_ids(int32_t **ids, size_t *count, const char *text, size_t size)
{
	char *member;
	size_t member_size;
	if (size == 0 || text[0] != '{') return attend_ids_parse(ids, count, text, size);
	attend_status status = attend_json_member(&member, &member_size, text, size, "ids", "record");
	if (status == ATTEND_ERR_NOTFOUND) return attend_ids_parse(ids, count, text, size); /* says what was expected */
	if (status != ATTEND_OK) return status;
	status = attend_ids_parse(ids, count, member, member_size);
	free(member);
	return status;
}

static attend_status run_one(const detokenize_run *run, const attend_text *record)
{
	int32_t *ids;
	size_t count, size;
	char *text;
	attend_status status = read_ids(&ids, &count, record->text, record->size);
	if (status != ATTEND_OK) return status;
	status = attend_tokenizer_decode(&text, &size, run->tokenizer, ids, count, run->skip, run->clean_up);
	free(ids);
	if (status != ATTEND_OK) return status;
	if (run->json) {
		attend_output_text("{\"text\":");
		attend_output_json_string(text, size);
		attend_output_text("}\n");
	} else {
		attend_output_bytes(text, size);
		attend_output_text("\n");
	}
	free(text);
	return ATTEND_OK;
}

/* Nothing of a group may be printed when one of it fails: all but the last are tried first. */
static attend_status run_records(void *payload, const attend_record *records, const attend_text *texts, size_t count)
{
	const detokenize_run *const run = payload;
	(void)records;
	for (size_t i = 0; i < count && count > 1; i++) {
		int32_t *ids;
		size_t unused;
		const attend_status status = read_ids(&ids, &unused, texts[i].text, texts[i].size);
		if (status != ATTEND_OK) return status;
		free(ids);
	}
	for (size_t i = 0; i < count; i++) {
		const attend_status status = run_one(run, &texts[i]);
		if (status != ATTEND_OK) return status;
	}
	return ATTEND_OK;
}

static int run(const attend_args *args)
{
	const char *const model = attend_args_text(args, "model", NULL);
	if (model == NULL) return attend_usage(attend_args_command(args), "-m DIR is needed");
	attend_tokenizer *tokenizer;
	const attend_status status = attend_tokenizer_load(&tokenizer, model);
	if (status != ATTEND_OK) return attend_report(status);
	detokenize_run run = {tokenizer, attend_args_flag(args, "json"), attend_args_flag(args, "skip-special-tokens"),
	                      ATTEND_CLEAN_UP_DEFAULT};
	if (attend_args_given(args, "clean-up"))
		run.clean_up = attend_args_flag(args, "clean-up") ? ATTEND_CLEAN_UP_ON : ATTEND_CLEAN_UP_OFF;
	const attend_record_job job = {.names = {"ids"}, .run = run_records, .payload = &run};
	const int code = attend_records_run(args, &job);
	attend_tokenizer_free(tokenizer);
	return code;
}

const attend_command attend_command_detokenize = {
	.name = "detokenize",
	.summary = "turn token ids back into text",
	.operands = "[IDS ...]",
	.details = "A record is a line of ids between blanks, a JSON array, or an object with an\n"
			   "array \"ids\". Ids that no token has are passed over.",
	.example = "echo 101 7592 2088 102 | attend detokenize -m bert-base-uncased --skip-special-tokens",
	.groups = groups,
	.options = options,
	.run = run,
};
