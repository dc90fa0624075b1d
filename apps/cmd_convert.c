/* cmd_convert.c: `attend convert`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/console.h"
#include "lib/attend.h"

static const attend_option options[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "checkpoint folder as HuggingFace writes it", 0, 0, false, NULL},
	{"output", 'o', ATTEND_OPTION_DIR, "DIR", "the new folder; if it is there it must be empty", 0, 0, false, NULL},
	{"dtype", 0, ATTEND_OPTION_WORD, "keep|f32|f16|bf16|int8|int4", "type to store the weights in [keep]", 0, 0, false,
     NULL},
	{"max-shard-size", 0, ATTEND_OPTION_TEXT, "SIZE",
     "begin another file before one exceeds SIZE: 5GB, 200MB, 1GiB, or bytes [one file]", 0, 0, false, NULL},
	{0},
};

/* "200MB" in bytes, as HuggingFace counts: KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024. 0: it is no size. */
static size_t parse_size(const char *text)
{
	static const struct {
		const char *unit;
		size_t bytes;
	} units[] = {
		{"", 1},       {"KB", 1000},     {"MB", 1000000},     {"GB", 1000000000},
		{"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824},
	};
	char *end;
	if (*text < '0' || *text > '9') return 0;
	errno = 0;
	const unsigned long long number = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(end, units[i].unit) == 0 && errno == 0 && number <= SIZE_MAX / units[i].bytes)
			return (size_t)number * units[i].bytes;
	return 0;
}

static int run(const attend_args *args)
{
	static const attend_store_type types[] = {ATTEND_STORE_KEEP, ATTEND_STORE_F32,  ATTEND_STORE_F16,
	                                          ATTEND_STORE_BF16, ATTEND_STORE_INT8, ATTEND_STORE_INT4};
	const char *model = attend_args_text(args, "model", NULL), *out = attend_args_text(args, "output", NULL);
	const char *shard = attend_args_text(args, "max-shard-size", NULL);
	if (model == NULL || out == NULL) return attend_usage(attend_args_command(args), "-m DIR and -o DIR are needed");
	const attend_convert_options o = {.type = types[attend_args_word(args, "dtype", 0)],
	                                  .max_shard_bytes = shard != NULL ? parse_size(shard) : 0};
	if (shard != NULL && o.max_shard_bytes == 0)
		return attend_usage(attend_args_command(args), "--max-shard-size: expected a size like 5GB, found '%s'", shard);
	const attend_status status = attend_convert(model, out, &o);
	return status == ATTEND_OK ? ATTEND_EXIT_DONE : attend_report(status);
}

const attend_command attend_command_convert = {
	.name = "convert",
	.summary = "store a checkpoint in another type",
	.details = "f32, f16 and bf16 give a plain HuggingFace folder; keep only joins or splits its\n"
			   "files. int8 and int4 give a folder for attend alone, a half to a quarter as\n"
			   "large, that answers exactly as the first folder does with --dtype int8 or int4\n"
			   "and loads faster. The tokenizer and sentence-transformers' modules come along.",
	.example = "attend convert -m bert-base-uncased -o bert-base-int8 --dtype int8",
	.options = options,
	.run = run,
};
