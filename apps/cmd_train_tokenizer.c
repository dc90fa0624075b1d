/* cmd_train_tokenizer.c: `attend train-tokenizer`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/output.h"

enum { MOST_SPECIAL = 1000 };

static const attend_option options[] = {
	{"output", 'o', ATTEND_OPTION_DIR, "DIR", "folder that the files are written to", 0, 0, false, NULL},
	{"type", 0, ATTEND_OPTION_WORD, "bert|gpt2|roberta|t5",
     "WordPiece, byte-level BPE (two sets of special tokens), Unigram [bert]", 0, 0, false, NULL},
	{"vocab-size", 0, ATTEND_OPTION_INT, "N", "tokens in all, special ones included [30000]", 1, 8e6, false, NULL},
	{"min-frequency", 0, ATTEND_OPTION_INT, "N", "do not merge pairs that occur less often [2]", 1, 1e18, false, NULL},
	{"limit-alphabet", 0, ATTEND_OPTION_INT, "N", "bert, t5: keep the N most frequent characters [1000]", 1, 1114112,
     false, NULL},
	{"max-token-length", 0, ATTEND_OPTION_INT, "N", "characters (gpt2, roberta: bytes) of a token [no limit; t5: 16]",
     1, 1e6, false, NULL},
	{"cased", 0, ATTEND_OPTION_FLAG, NULL, "bert: keep upper case and accents", 0, 0, false, NULL},
	{"special-token", 0, ATTEND_OPTION_TEXT, "TOKEN", "one more special token", 0, 0, true, NULL},
	{"extra-ids", 0, ATTEND_OPTION_INT, "N", "t5: sentinels <extra_id_0> ... on top of the size [0]", 0, 100000, false,
     NULL},
	{"model-max-length", 0, ATTEND_OPTION_INT, "N", "tokens that the model takes, for tokenizer_config.json", 1, 1e9,
     false, NULL},
	{0},
};

typedef struct shown {
	attend_progress progress;
	const attend_args *args;
	const char *stage;
} shown;

static bool step(void *payload, const char *stage, size_t done, size_t total)
{
	shown *s = payload;
	if (s->stage == NULL || strcmp(s->stage, stage) != 0) {
		if (s->stage != NULL) attend_progress_end(&s->progress);
		attend_progress_start(&s->progress, s->args, strcmp(stage, "counting") == 0 ? "bytes" : "tokens", total);
		s->stage = stage;
	}
	s->progress.total = total;
	attend_progress_step(&s->progress, done);
	return true;
}

static attend_status train(size_t *made, const attend_args *args, const attend_vocab_options *o)
{
	attend_vocab_trainer *trainer;
	attend_status status = attend_vocab_trainer_new(&trainer, o);
	if (status != ATTEND_OK) return status;
	const size_t count = attend_args_operand_count(args);
	for (size_t i = 0; status == ATTEND_OK && i < (count > 0 ? count : 1); i++) {
		const char *path = count > 0 ? attend_args_operand(args, i) : "-";
		status = attend_vocab_trainer_add_file(trainer, strcmp(path, "-") == 0 ? "/dev/stdin" : path);
	}
	if (status == ATTEND_OK) status = attend_vocab_trainer_save(made, trainer, attend_args_text(args, "output", NULL));
	attend_vocab_trainer_free(trainer);
	return status;
}

static int run(const attend_args *args)
{
	const char *special[MOST_SPECIAL];
	size_t special_count = 0, made = 0;
	const char *folder = attend_args_text(args, "output", NULL);
	if (folder == NULL) return attend_usage(attend_args_command(args), "no folder to write to: --output DIR");
	for (const char *token; (token = attend_args_nth(args, "special-token", special_count)) != NULL; special_count++) {
		if (special_count == MOST_SPECIAL)
			return attend_usage(attend_args_command(args), "more than %d special tokens", MOST_SPECIAL);
		special[special_count] = token;
	}
	shown s = {.args = args};
	const attend_vocab_options o = {
		.kind = (attend_vocab_kind)attend_args_word(args, "type", ATTEND_VOCAB_BERT),
		.vocab_size = (size_t)attend_args_int(args, "vocab-size", 0),
		.min_frequency = (size_t)attend_args_int(args, "min-frequency", 0),
		.limit_alphabet = (size_t)attend_args_int(args, "limit-alphabet", 0),
		.max_token_length = (size_t)attend_args_int(args, "max-token-length", 0),
		.model_max_length = (size_t)attend_args_int(args, "model-max-length", 0),
		.extra_ids = (size_t)attend_args_int(args, "extra-ids", 0),
		.cased = attend_args_flag(args, "cased"),
		.special_tokens = special,
		.special_count = special_count,
		.progress = step,
		.payload = &s,
	};
	const attend_status status = train(&made, args, &o);
	if (s.stage != NULL) attend_progress_end(&s.progress);
	if (status == ATTEND_ERR_ARG) return attend_usage(attend_args_command(args), "%s", attend_error());
	if (status != ATTEND_OK) return attend_report(status);
	const size_t wanted = (o.vocab_size > 0 ? o.vocab_size : 30000) + o.extra_ids;
	if (made < wanted) attend_warn(args, "warning: the text gave %zu tokens, %zu were asked for", made, wanted);
	attend_output_printf("%s: %zu tokens\n", folder, made);
	return ATTEND_EXIT_DONE;
}

const attend_command attend_command_train_tokenizer = {
	.name = "train-tokenizer",
	.summary = "make a tokenizer's vocabulary from text",
	.operands = "[FILE ...]",
	.details = "Text files of any size, UTF-8; without files, or for '-', standard input. Each line\n"
			   "is a text. The folder gets tokenizer.json and tokenizer_config.json, and\n"
			   "vocab.txt (bert) or vocab.json and merges.txt (gpt2, roberta), which transformers\n"
			   "loads too. The same text gives the same files.",
	.example = "attend train-tokenizer --type gpt2 --vocab-size 8000 -o my-tokenizer corpus.txt",
	.options = options,
	.run = run,
};
