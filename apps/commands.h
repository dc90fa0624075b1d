/* commands.h: every subcommand, in the order of `attend --help`. A new one adds a line here and defines
 * `const attend_command attend_command_NAME` in apps/cmd_NAME.c. */
#ifndef ATTEND_APPS_COMMANDS_H
#define ATTEND_APPS_COMMANDS_H

#include "apps/args.h"

/* clang-format off */
#define ATTEND_COMMANDS(X) \
	X(fill_mask) \
	X(generate) \
	X(classify) \
	X(ner) \
	X(qa) \
	X(next_sentence) \
	X(embed) \
	X(perplexity) \
	X(forward) \
	X(inspect) \
	X(convert) \
	X(quality) \
	X(tokenize) \
	X(detokenize) \
	X(train_tokenizer) \
	X(finetune) \
	X(lr_find) \
	X(evaluate) \
	X(compare) \
	X(train_trace) \
	X(bench) \
	X(completion)
/* clang-format on */

#define ATTEND_DECLARE_COMMAND(name) extern const attend_command attend_command_##name;
ATTEND_COMMANDS(ATTEND_DECLARE_COMMAND)

/* The table; the i-th entry, NULL past the end. */
const attend_command *attend_command_at(size_t i);
const attend_command *attend_command_find(const char *name);

#endif
