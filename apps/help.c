/* help.c: `attend --help`, `attend COMMAND --help`, `attend --version` and the man page, all from the command table. */
#include "apps/help.h"

#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/output.h"
#include "lib/attend.h"

typedef struct exit_text {
	const char *code, *meaning;
} exit_text;

static const exit_text exit_texts[] = {
	{"0", "done"},
	{"1", "some records failed; the others are on stdout"},
	{"2", "wrong usage"},
	{"3", "model or file not found"},
	{"4", "bad model or tokenizer"},
	{"5", "bad data"},
	{"6", "out of memory or disk"},
	{"128+N", "ended by signal N (closed pipe: 141)"},
};

static const exit_text environment_texts[] = {
	{"ATTEND_DATA", "folder that holds the bundled checkpoints (bert-mini, gpt2-mini)"},
	{"ATTEND_ISA", "highest instruction level to use: portable, avx2, avx512 ..."},
};

void attend_help_main(void)
{
	attend_output_text(
		"usage: attend COMMAND [OPTIONS] [TEXT ...]\n\n"
		"Runs and fine-tunes BERT, GPT and T5 checkpoints from HuggingFace folders on the CPU.\n\nCommands:\n");
	for (size_t i = 0; attend_command_at(i) != NULL; i++)
		attend_output_printf("  %-16s %s\n", attend_command_at(i)->name, attend_command_at(i)->summary);
	attend_output_text("\nThe options of a command: attend COMMAND --help. Data goes to stdout, all else to stderr.\n\n"
	                   "Exit status:\n");
	for (size_t i = 0; i < sizeof exit_texts / sizeof *exit_texts; i++)
		attend_output_printf("  %-6s %s\n", exit_texts[i].code, exit_texts[i].meaning);
	attend_output_text("\nEnvironment:\n");
	for (size_t i = 0; i < sizeof environment_texts / sizeof *environment_texts; i++)
		attend_output_printf("  %-12s %s\n", environment_texts[i].code, environment_texts[i].meaning);
	attend_output_text("\nExamples:\n  attend fill-mask \"Once upon a [MASK] there was a little boy.\"\n"
	                   "  attend generate -p \"Once upon a time\" -n 40\n");
}

/* "-k, --top-k N" into buffer. */
static void option_words(char *buffer, size_t size, const attend_option *o)
{
	char letter[8] = "    ";
	if (o->letter != 0) (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
	(void)snprintf(buffer, size, "%s--%s%s%s", letter, o->name, o->value != NULL ? " " : "",
	               o->value != NULL ? o->value : "");
}

/* `text` wrapped to columns 30..99; the cursor stands in `column`. */
static void wrapped(const char *text, size_t column)
{
	const size_t left = 30, right = 99;
	if (column + 2 > left) {
		attend_output_text("\n");
		column = 0;
	}
	attend_output_printf("%*s", (int)(left - column), "");
	column = left;
	while (*text != 0) {
		const size_t word = strcspn(text, " ");
		if (column > left && column + 1 + word > right) {
			attend_output_printf("\n%*s", (int)left, "");
			column = left;
		} else if (column > left) {
			attend_output_text(" ");
			column++;
		}
		attend_output_bytes(text, word);
		column += word;
		text += word;
		text += strspn(text, " ");
	}
	attend_output_text("\n");
}

static void option_line(const attend_option *o)
{
	char words[128];
	option_words(words, sizeof words, o);
	attend_output_printf("  %s", words);
	wrapped(o->help, 2 + strlen(words));
}

static void indented(const char *text)
{
	while (*text != 0) {
		const size_t n = strcspn(text, "\n");
		attend_output_text("  ");
		attend_output_bytes(text, n);
		attend_output_text("\n");
		text += n + (text[n] == '\n');
	}
}

void attend_help_command(const attend_command *command)
{
	attend_output_printf("usage: attend %s [OPTIONS]%s%s\n\n%c%s.\n", command->name,
	                     command->operands != NULL ? " " : "", command->operands != NULL ? command->operands : "",
	                     command->summary[0] >= 'a' && command->summary[0] <= 'z' ? command->summary[0] - 32
	                                                                              : command->summary[0],
	                     command->summary + 1);
	if (command->details != NULL) attend_output_printf("\n%s\n", command->details);
	attend_output_text("\nOptions:\n");
	const attend_option *o;
	for (size_t i = 0; (o = attend_command_option(command, i)) != NULL; i++) option_line(o);
	attend_output_text("\nExample:\n");
	indented(command->example);
}

void attend_help_version(bool verbose)
{
	attend_output_printf("attend %s\n", attend_version());
	if (verbose) attend_output_text(attend_build_info());
}

/* ---- man page ---- */

/* Text for roff: backslashes, hyphens, and a dot or quote at the start of a line. */
static void roff(const char *text)
{
	bool start = true;
	for (; *text != 0; text++) {
		if (start && (*text == '.' || *text == '\'')) attend_output_text("\\&");
		if (*text == '\\') attend_output_text("\\e");
		else if (*text == '-') attend_output_text("\\-");
		else attend_output_bytes(text, 1);
		start = *text == '\n';
	}
}

static void man_option(const attend_option *o)
{
	attend_output_text(".TP\n.B ");
	if (o->letter != 0) attend_output_printf("\\-%c, ", o->letter);
	attend_output_text("\\-\\-");
	roff(o->name);
	if (o->value != NULL) {
		attend_output_text(" \\fI");
		roff(o->value);
		attend_output_text("\\fR");
	}
	attend_output_text("\n");
	roff(o->help);
	attend_output_text("\n");
}

static void man_command(const attend_command *command)
{
	attend_output_text(".SS attend ");
	roff(command->name);
	attend_output_text(" [OPTIONS] ");
	if (command->operands != NULL) roff(command->operands);
	attend_output_text("\n");
	roff(command->summary);
	attend_output_text(".\n");
	if (command->details != NULL) {
		attend_output_text(".PP\n");
		roff(command->details);
		attend_output_text("\n");
	}
	for (const attend_option *o = command->options; o != NULL && o->name != NULL; o++) man_option(o);
	for (const attend_option *const *g = command->groups; g != NULL && *g != NULL; g++)
		for (const attend_option *o = *g; o->name != NULL; o++) man_option(o);
	attend_output_text(".PP\nExample:\n.PP\n.nf\n.RS\n");
	roff(command->example);
	attend_output_text("\n.RE\n.fi\n");
}

static void man_list(const exit_text *list, size_t count)
{
	for (size_t i = 0; i < count; i++) attend_output_printf(".TP\n.B %s\n%s\n", list[i].code, list[i].meaning);
}

void attend_help_man(void)
{
	attend_output_printf(".TH ATTEND 1 \"\" \"attend %s\" \"User Commands\"\n", attend_version());
	attend_output_text(
		".SH NAME\nattend \\- run and fine\\-tune BERT, GPT and T5 checkpoints on the CPU\n"
		".SH SYNOPSIS\n.B attend\n.I COMMAND\n[OPTIONS] [TEXT ...]\n.br\n.B attend\n\\-\\-version [\\-v]\n"
		".SH DESCRIPTION\nLoads checkpoint folders as HuggingFace writes them (config.json, model.safetensors, "
		"tokenizer files). Texts are operands, or lines on standard input; results come in the same order. Data "
		"goes to standard output, everything else to standard error.\n.SH COMMON OPTIONS\n");
	for (const attend_option *o = attend_options_common; o->name != NULL; o++) man_option(o);
	attend_output_text(".SH COMMANDS\n");
	for (size_t i = 0; attend_command_at(i) != NULL; i++) man_command(attend_command_at(i));
	attend_output_text(".SH EXIT STATUS\n");
	man_list(exit_texts, sizeof exit_texts / sizeof *exit_texts);
	attend_output_text(".SH ENVIRONMENT\n");
	man_list(environment_texts, sizeof environment_texts / sizeof *environment_texts);
}
