/* args.c: parsing of command lines by the tables of args.h (getopt_long's conventions; long options also with '='). */
#include "apps/args.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/console.h"
#include "apps/help.h"
#include "apps/output.h"

const attend_option attend_options_common[] = {
	{"threads", 't', ATTEND_OPTION_INT, "N", "threads to use; 0: all that affinity and cgroup allow [0]", 0, 1024,
     false, NULL},
	{"quiet", 'q', ATTEND_OPTION_FLAG, NULL, "no warnings and no progress on stderr", 0, 0, false, NULL},
	{"verbose", 'v', ATTEND_OPTION_FLAG, NULL, "tell more on stderr", 0, 0, false, NULL},
	{"help", 'h', ATTEND_OPTION_FLAG, NULL, "show this help and exit", 0, 0, false, NULL},
	{"version", 0, ATTEND_OPTION_FLAG, NULL, "show the version and exit (with -v: kernels, threads, libraries)", 0, 0,
     false, NULL},
	{0},
};

const attend_option attend_options_model[] = {
	{"model", 'm', ATTEND_OPTION_DIR, "DIR", "checkpoint folder as HuggingFace writes it", 0, 0, false, NULL},
	{"dtype", 0, ATTEND_OPTION_WORD, "f32|bf16|int8|int4",
     "type of the weights in matrix products [f32; of a folder in int8 or int4: that]", 0, 0, false, NULL},
	{0},
};

const attend_option attend_options_input[] = {
	{"input-file", 'i', ATTEND_OPTION_FILE, "FILE", "read records from FILE instead of standard input; -: stdin", 0, 0,
     false, NULL},
	{"input-format", 0, ATTEND_OPTION_WORD, "text|jsonl", "a record is a line of text, or a JSON object [text]", 0, 0,
     false, NULL},
	{"on-error", 0, ATTEND_OPTION_WORD, "skip|stop", "after a record that fails: go on (exit status 1), or stop [skip]",
     0, 0, false, NULL},
	{0},
};

const attend_option attend_options_format[] = {
	{"json", 0, ATTEND_OPTION_FLAG, NULL, "print one JSON value per record, shaped as HuggingFace's", 0, 0, false,
     NULL},
	{"jsonl", 0, ATTEND_OPTION_FLAG, NULL, "print one JSON object per record, with line number and text", 0, 0, false,
     NULL},
	{"tsv", 0, ATTEND_OPTION_FLAG, NULL, "print tab-separated columns, a header line first", 0, 0, false, NULL},
	{0},
};

const attend_option attend_options_seed[] = {
	{"seed", 's', ATTEND_OPTION_INT, "N", "seed of every random choice [0]", 0, 9007199254740992.0, false, NULL},
	{0},
};

typedef struct given {
	const attend_option *option;
	const char *text;
	int64_t integer; /* INT, the index of a WORD, 0 or 1 of a FLAG */
	double real;
} given;

struct attend_args {
	const attend_command *command;
	given *given;
	size_t given_count, given_capacity;
	const char **operands;
	size_t operand_count;
};

const attend_option *attend_command_option(const attend_command *command, size_t i)
{
	size_t seen = 0;
	for (const attend_option *o = command->options; o != NULL && o->name != NULL; o++)
		if (seen++ == i) return o;
	for (const attend_option *const *g = command->groups; g != NULL && *g != NULL; g++)
		for (const attend_option *o = *g; o->name != NULL; o++)
			if (seen++ == i) return o;
	for (const attend_option *o = attend_options_common; o->name != NULL; o++)
		if (seen++ == i) return o;
	return NULL;
}

/* ---- nearest spelling ---- */

/* Optimal string alignment distance (insert, delete, replace, swap neighbours); words longer than 63 count as far. */
static size_t distance(const char *a, const char *b)
{
	const size_t n = strlen(a), m = strlen(b);
	size_t rows[3][64];
	if (n > 63 || m > 63) return 99;
	for (size_t j = 0; j <= m; j++) rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = rows[i % 3];
		const size_t *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
			if (up[j] + 1 < best) best = up[j] + 1;
			if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			now[j] = best;
		}
	}
	return rows[n % 3][m];
}

const char *attend_nearest(const char *word, const char *const *names, size_t count)
{
	const size_t size = strlen(word);
	const char *best = NULL;
	size_t best_distance = size / 3 + 2; /* must be below: 1 for short words, more for long ones */
	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, names[i]);
		if (size >= 3 && d > 1 && strncmp(word, names[i], size) == 0) d = 1; /* the beginning of a name */
		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	return best;
}

static const char *nearest_option(const attend_command *command, const char *word)
{
	const char *names[128];
	size_t count = 0;
	const attend_option *o;
	for (size_t i = 0; (o = attend_command_option(command, i)) != NULL && count < 128; i++) names[count++] = o->name;
	return attend_nearest(word, names, count);
}

/* ---- parsing ---- */

static const attend_option *find_long(const attend_command *command, const char *name, size_t size)
{
	const attend_option *o;
	for (size_t i = 0; (o = attend_command_option(command, i)) != NULL; i++) {
		if (strlen(o->name) == size && memcmp(o->name, name, size) == 0) return o;
		if (o->alias != NULL && strlen(o->alias) == size && memcmp(o->alias, name, size) == 0) return o;
	}
	return NULL;
}

static const attend_option *find_alias(const attend_command *command, const char *name)
{
	const attend_option *o;
	for (size_t i = 0; (o = attend_command_option(command, i)) != NULL; i++)
		if (o->alias != NULL && strcmp(o->alias, name) == 0) return o;
	return NULL;
}

static const attend_option *find_letter(const attend_command *command, char letter)
{
	const attend_option *o;
	for (size_t i = 0; (o = attend_command_option(command, i)) != NULL; i++)
		if (o->letter == letter) return o;
	return NULL;
}

/* Index of `text` in "a|b|c"; -1: not there. */
static int word_index(const char *words, const char *text)
{
	const size_t size = strlen(text);
	int index = 0;
	for (const char *w = words;; index++) {
		const size_t n = strcspn(w, "|");
		if (n == size && memcmp(w, text, n) == 0) return index;
		if (w[n] == 0) return -1;
		w += n + 1;
	}
}

static int put(attend_args *args, const attend_option *o, const char *text)
{
	given g = {.option = o, .text = text};
	char *end = NULL;
	const bool limited = o->min != 0 || o->max != 0;
	errno = 0;
	switch (o->kind) {
	case ATTEND_OPTION_FLAG:
		g.integer = word_index("false|true", text);
		if (g.integer < 0)
			return attend_usage(args->command, "--%s: expected true or false, found \"%s\"", o->name, text);
		break;
	case ATTEND_OPTION_INT:
	case ATTEND_OPTION_MAYBE:
		g.integer = strtoll(text, &end, 10);
		g.real = (double)g.integer;
		if (end == text || *end != 0 || errno != 0)
			return attend_usage(args->command, "--%s: expected a whole number, found \"%s\"", o->name, text);
		if (limited && (g.real < o->min || g.real > o->max))
			return attend_usage(args->command, "--%s: expected %.0f to %.0f, found %s", o->name, o->min, o->max, text);
		break;
	case ATTEND_OPTION_REAL:
		g.real = strtod(text, &end);
		if (end == text || *end != 0 || !isfinite(g.real))
			return attend_usage(args->command, "--%s: expected a number, found \"%s\"", o->name, text);
		if (limited && (g.real < o->min || g.real > o->max))
			return attend_usage(args->command, "--%s: expected %g to %g, found %s", o->name, o->min, o->max, text);
		break;
	case ATTEND_OPTION_WORD:
		g.integer = word_index(o->value, text);
		if (g.integer < 0)
			return attend_usage(args->command, "--%s: expected %s, found \"%s\"", o->name, o->value, text);
		break;
	case ATTEND_OPTION_TEXT:
	case ATTEND_OPTION_FILE:
	case ATTEND_OPTION_DIR:
	case ATTEND_OPTION_JSON: break;
	}
	if (args->given_count == args->given_capacity) {
		const size_t capacity = args->given_capacity * 2 + 16;
		given *grown = realloc(args->given, capacity * sizeof *grown);
		if (grown == NULL) return attend_complain(ATTEND_EXIT_RESOURCE, "no memory for the command line");
		args->given = grown;
		args->given_capacity = capacity;
	}
	args->given[args->given_count++] = g;
	return -1;
}

static bool is_whole_number(const char *word)
{
	return *word != 0 && strspn(word, "0123456789") == strlen(word);
}

/* argv[i] is "--name", "--name=value" or "--no-name". *i moves past a value of its own. */
static int parse_long(attend_args *args, const char *word, int argc, char *const argv[], int *i)
{
	const char *equals = strchr(word, '=');
	const size_t size = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const attend_option *o = find_long(args->command, word, size);
	if (o == NULL && equals == NULL && strncmp(word, "no-", 3) == 0) {
		o = find_long(args->command, word + 3, size - 3);
		if (o != NULL && o->kind == ATTEND_OPTION_FLAG) return put(args, o, "false");
		o = NULL;
	}
	if (o == NULL) {
		char name[64];
		(void)snprintf(name, sizeof name, "%.*s", (int)(size < 63 ? size : 63), word);
		const char *near = nearest_option(args->command, name);
		if (near == NULL) return attend_usage(args->command, "unknown option --%s", name);
		return attend_usage(args->command, "unknown option --%s; did you mean --%s?", name, near);
	}
	if (equals != NULL) return put(args, o, equals + 1);
	if (o->kind == ATTEND_OPTION_FLAG) return put(args, o, "true");
	if (o->kind == ATTEND_OPTION_MAYBE && (*i + 1 >= argc || !is_whole_number(argv[*i + 1]))) return put(args, o, "0");
	if (*i + 1 >= argc) return attend_usage(args->command, "--%s needs a value (%s)", o->name, o->value);
	*i += 1;
	return put(args, o, argv[*i]);
}

/* argv[i] is "-k", "-k5", "-qv", or a one-dash alias. */
static int parse_short(attend_args *args, int argc, char *const argv[], int *i)
{
	const char *word = argv[*i] + 1;
	if (word[1] != 0 && find_alias(args->command, word) != NULL) return parse_long(args, word, argc, argv, i);
	for (; *word != 0; word++) {
		const attend_option *o = find_letter(args->command, *word);
		if (o == NULL) {
			const char *near = strlen(argv[*i]) > 3 ? nearest_option(args->command, argv[*i] + 1) : NULL;
			if (near != NULL)
				return attend_usage(args->command, "unknown option %s; did you mean --%s?", argv[*i], near);
			return attend_usage(args->command, "unknown option -%c", *word);
		}
		if (o->kind != ATTEND_OPTION_FLAG) {
			if (word[1] != 0) return put(args, o, word + 1);
			if (*i + 1 >= argc) return attend_usage(args->command, "-%c needs a value (%s)", *word, o->value);
			*i += 1;
			return put(args, o, argv[*i]);
		}
		const int code = put(args, o, "true");
		if (code >= 0) return code;
	}
	return -1;
}

/* "-5" and "-.5" are operands, not options. */
static bool looks_like_option(const char *word)
{
	return word[0] == '-' && word[1] != 0 && !(word[1] >= '0' && word[1] <= '9') && word[1] != '.';
}

static int parse_words(attend_args *args, int argc, char *const argv[])
{
	bool options = true;
	for (int i = 0; i < argc; i++) {
		int code = -1;
		if (options && strcmp(argv[i], "--") == 0) options = false;
		else if (options && strncmp(argv[i], "--", 2) == 0) code = parse_long(args, argv[i] + 2, argc, argv, &i);
		else if (options && looks_like_option(argv[i])) code = parse_short(args, argc, argv, &i);
		else if (args->command->operands == NULL) code = attend_usage(args->command, "unexpected \"%s\"", argv[i]);
		else args->operands[args->operand_count++] = argv[i];
		if (code >= 0) return code;
	}
	return -1;
}

int attend_args_parse(attend_args **out, const attend_command *command, int argc, char *const argv[])
{
	attend_args *args = calloc(1, sizeof *args);
	if (args != NULL) {
		args->command = command;
		args->operands = calloc((size_t)argc + 1, sizeof *args->operands);
	}
	if (args == NULL || args->operands == NULL) {
		attend_args_free(args);
		return attend_complain(ATTEND_EXIT_RESOURCE, "no memory for the command line");
	}
	int code = parse_words(args, argc, argv);
	if (code < 0 && attend_args_flag(args, "help")) {
		attend_help_command(command);
		code = attend_output_close();
	} else if (code < 0 && attend_args_flag(args, "version")) {
		attend_help_version(attend_args_flag(args, "verbose"));
		code = attend_output_close();
	}
	if (code >= 0) attend_args_free(args);
	else *out = args;
	return code;
}

void attend_args_free(attend_args *args)
{
	if (args == NULL) return;
	free(args->given);
	free(args->operands);
	free(args);
}

/* ---- values ---- */

const attend_command *attend_args_command(const attend_args *args)
{
	return args->command;
}

/* What shared code asks for and this command lacks was not given. */
static const given *last(const attend_args *args, const char *name)
{
	for (size_t i = args->given_count; i-- > 0;)
		if (strcmp(args->given[i].option->name, name) == 0) return &args->given[i];
	return NULL;
}

bool attend_args_given(const attend_args *args, const char *name)
{
	return last(args, name) != NULL;
}

bool attend_args_flag_or(const attend_args *args, const char *name, bool otherwise)
{
	const given *g = last(args, name);
	return g != NULL ? g->integer != 0 : otherwise;
}

bool attend_args_flag(const attend_args *args, const char *name)
{
	return attend_args_flag_or(args, name, false);
}

int64_t attend_args_int(const attend_args *args, const char *name, int64_t otherwise)
{
	const given *g = last(args, name);
	return g != NULL ? g->integer : otherwise;
}

double attend_args_real(const attend_args *args, const char *name, double otherwise)
{
	const given *g = last(args, name);
	return g != NULL ? g->real : otherwise;
}

const char *attend_args_text(const attend_args *args, const char *name, const char *otherwise)
{
	const given *g = last(args, name);
	return g != NULL ? g->text : otherwise;
}

int attend_args_word(const attend_args *args, const char *name, int otherwise)
{
	const given *g = last(args, name);
	return g != NULL ? (int)g->integer : otherwise;
}

const char *attend_args_nth(const attend_args *args, const char *name, size_t i)
{
	for (size_t j = 0; j < args->given_count; j++)
		if (strcmp(args->given[j].option->name, name) == 0 && i-- == 0) return args->given[j].text;
	return NULL;
}

bool attend_args_each(const attend_args *args, size_t i, const attend_option **option, const char **text)
{
	if (i >= args->given_count) return false;
	*option = args->given[i].option;
	*text = args->given[i].text;
	return true;
}

size_t attend_args_operand_count(const attend_args *args)
{
	return args->operand_count;
}

const char *attend_args_operand(const attend_args *args, size_t i)
{
	return i < args->operand_count ? args->operands[i] : NULL;
}
