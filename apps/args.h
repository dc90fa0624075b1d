/* args.h: one table of options per command drives parsing, --help, the man page and shell completion. */
#ifndef ATTEND_APPS_ARGS_H
#define ATTEND_APPS_ARGS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes of every command; `attend --help` and the man page print this list. */
enum {
	ATTEND_EXIT_DONE = 0,
	ATTEND_EXIT_SOME_FAILED = 1, /* some records failed, the others are on stdout */
	ATTEND_EXIT_USAGE = 2,
	ATTEND_EXIT_NOT_FOUND = 3, /* model or file not found */
	ATTEND_EXIT_MODEL = 4,     /* bad model or tokenizer */
	ATTEND_EXIT_DATA = 5,      /* bad data */
	ATTEND_EXIT_RESOURCE = 6,  /* out of memory or disk */
	ATTEND_EXIT_SIGNAL = 128   /* + number of the signal */
};

typedef enum attend_option_kind {
	ATTEND_OPTION_FLAG,  /* --name, --no-name, --name=true|false; takes no word of its own */
	ATTEND_OPTION_INT,   /* a whole number in [min, max] */
	ATTEND_OPTION_MAYBE, /* the same, but the number may be missing: then 0. `value` is "[N]" */
	ATTEND_OPTION_REAL,  /* a finite number in [min, max] */
	ATTEND_OPTION_WORD,  /* one of the words that `value` lists: "left|right" */
	ATTEND_OPTION_TEXT,  /* any text */
	ATTEND_OPTION_FILE,  /* completed as a file name */
	ATTEND_OPTION_DIR,   /* completed as a folder name */
	ATTEND_OPTION_JSON   /* text that a library call parses: "[[3,4],[5]]", "None", "2.5" */
} attend_option_kind;

/* One option. A table ends with an entry whose name is NULL. */
typedef struct attend_option {
	const char *name; /* "top-k" for --top-k */
	char letter;      /* 'k' for -k; 0: none */
	attend_option_kind kind;
	const char *value; /* how --help calls the value ("N", "DIR"); the words of a WORD; NULL for a FLAG */
	const char *help;  /* one sentence without full stop; the default at its end in brackets */
	double min, max;   /* INT and REAL: limits, inclusive; 0 and 0: none */
	bool repeats;      /* may be given several times; otherwise the last one counts */
	const char *alias; /* another long spelling, also accepted with one dash (fastText's -lr); NULL: none */
} attend_option;

typedef struct attend_args attend_args;

typedef struct attend_command {
	const char *name;     /* "fill-mask" */
	const char *summary;  /* for the list in `attend --help`: no full stop */
	const char *operands; /* what follows the options: "[TEXT ...]"; NULL: nothing may follow */
	const char *details;  /* paragraphs of --help and the man page; NULL: none. Lines of at most 79 columns */
	const char *example;  /* one or more lines that can be pasted into a shell */
	const attend_option *const *groups;  /* shared tables, ends with NULL; may be NULL itself */
	const attend_option *options;        /* the command's own; may be NULL */
	int (*run)(const attend_args *args); /* returns an exit code */
} attend_command;

/* Shared tables to put into `groups`. attend_options_common belongs to every command without being listed. */
extern const attend_option attend_options_common[]; /* -q -v -t --threads -h --help --version */
extern const attend_option attend_options_model[];  /* -m --model DIR, --dtype */
extern const attend_option attend_options_input[];  /* --input-file, --input-format, --on-error */
extern const attend_option attend_options_format[]; /* --json --jsonl --tsv */
extern const attend_option attend_options_seed[];   /* -s --seed */

/* Parse the words after the command's name. Returns -1 and the parsed words in *out (free with attend_args_free), or an
 * exit code when all is said: help was asked for, or a word is wrong (one line on stderr, nearest option suggested). */
int attend_args_parse(attend_args **out, const attend_command *command, int argc, char *const argv[]);
void attend_args_free(attend_args *args);

const attend_command *attend_args_command(const attend_args *args);

/* Values by the option's long name, which must be in the command's tables (asserted). Texts are borrowed from argv. */
bool attend_args_given(const attend_args *args, const char *name);
bool attend_args_flag(const attend_args *args, const char *name); /* false unless given */
bool attend_args_flag_or(const attend_args *args, const char *name, bool otherwise);
int64_t attend_args_int(const attend_args *args, const char *name, int64_t otherwise);
double attend_args_real(const attend_args *args, const char *name, double otherwise);
const char *attend_args_text(const attend_args *args, const char *name, const char *otherwise);
int attend_args_word(const attend_args *args, const char *name, int otherwise); /* index in "a|b|c" */

/* Every time that a repeated option was given, in order: NULL when i is past the end. */
const char *attend_args_nth(const attend_args *args, const char *name, size_t i);

/* Everything that was given, in the order of the command line, for commands that hand options on by name: false when i
 * is past the end. A flag's text is "true" or "false". */
bool attend_args_each(const attend_args *args, size_t i, const attend_option **option, const char **text);

/* What followed the options. */
size_t attend_args_operand_count(const attend_args *args);
const char *attend_args_operand(const attend_args *args, size_t i);

/* Walk over all options of a command, own ones first, then groups, then the common ones; NULL past the end. */
const attend_option *attend_command_option(const attend_command *command, size_t i);

/* The entry nearest in spelling to `word` among names[count], NULL when nothing is near. */
const char *attend_nearest(const char *word, const char *const *names, size_t count);

#endif
