/* completion.c: completion scripts for bash, zsh and fish, made from the command table. */
#include <string.h>

#include "apps/commands.h"
#include "apps/help.h"
#include "apps/output.h"

/* `text` with characters of `special` after a backslash and each single quote as '\''. For use inside single quotes. */
static void quoted(const char *text, const char *special)
{
	for (; *text != 0; text++) {
		if (*text == '\'') {
			attend_output_text("'\\''");
			continue;
		}
		if (strchr(special, *text) != NULL) attend_output_text("\\");
		attend_output_bytes(text, 1);
	}
}

static void words(const char *bars)
{
	for (; *bars != 0; bars++) attend_output_bytes(*bars == '|' ? " " : bars, 1);
}

static void command_names(void)
{
	for (size_t i = 0; attend_command_at(i) != NULL; i++)
		attend_output_printf("%s%s", i == 0 ? "" : " ", attend_command_at(i)->name);
}

/* ---- bash ---- */

static void bash_command(const attend_command *command)
{
	const attend_option *o;
	attend_output_printf("\t%s)\n\t\tcase $prev in\n", command->name);
	for (size_t i = 0; (o = attend_command_option(command, i)) != NULL; i++) {
		if (o->kind == ATTEND_OPTION_FLAG) continue;
		attend_output_printf("\t\t--%s", o->name);
		if (o->letter != 0) attend_output_printf(" | -%c", o->letter);
		if (o->kind == ATTEND_OPTION_WORD) {
			attend_output_text(") COMPREPLY=($(compgen -W '");
			words(o->value);
			attend_output_text("' -- \"$cur\")); return ;;\n");
		} else if (o->kind == ATTEND_OPTION_DIR)
			attend_output_text(") COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n");
		else if (o->kind == ATTEND_OPTION_FILE)
			attend_output_text(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
		else attend_output_text(") return ;;\n");
	}
	attend_output_text("\t\tesac\n\t\twords='");
	if (command->operands != NULL && strchr(command->operands, '|') != NULL && strchr(command->operands, ' ') == NULL) {
		words(command->operands);
		attend_output_text(" ");
	}
	for (size_t i = 0; (o = attend_command_option(command, i)) != NULL; i++) attend_output_printf("--%s ", o->name);
	attend_output_text("'\n\t\t;;\n");
}

static void bash(void)
{
	attend_output_text(
		"# bash completion for attend\n_attend()\n{\n\tlocal cur prev words\n\tcur=${COMP_WORDS[COMP_CWORD]}\n"
		"\tprev=${COMP_WORDS[COMP_CWORD - 1]}\n\tCOMPREPLY=()\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		"\t\tCOMPREPLY=($(compgen -W 'help --help --version ");
	command_names();
	attend_output_text("' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n\thelp) words='");
	command_names();
	attend_output_text("' ;;\n");
	for (size_t i = 0; attend_command_at(i) != NULL; i++) bash_command(attend_command_at(i));
	attend_output_text("\t*) return ;;\n\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	                   "complete -o default -F _attend attend\n");
}

/* ---- zsh ---- */

static void zsh_option(const attend_option *o, bool letter)
{
	attend_output_text(" \\\n\t\t\t'");
	if (o->repeats) attend_output_text("*");
	if (letter) attend_output_printf("-%c", o->letter);
	else attend_output_printf("--%s", o->name);
	attend_output_text("[");
	quoted(o->help, "[]:\\");
	attend_output_text("]");
	if (o->kind != ATTEND_OPTION_FLAG) {
		attend_output_text(":");
		quoted(o->kind == ATTEND_OPTION_WORD ? o->name : o->value, ":\\[]");
		if (o->kind == ATTEND_OPTION_WORD) {
			attend_output_text(":(");
			words(o->value);
			attend_output_text(")");
		} else if (o->kind == ATTEND_OPTION_DIR) attend_output_text(":_files -/");
		else if (o->kind == ATTEND_OPTION_FILE) attend_output_text(":_files");
		else attend_output_text(": ");
	}
	attend_output_text("'");
}

static void zsh(void)
{
	attend_output_text("#compdef attend\n_attend()\n{\n\tlocal -a commands\n\tcommands=(\n");
	for (size_t i = 0; attend_command_at(i) != NULL; i++) {
		attend_output_printf("\t\t'%s:", attend_command_at(i)->name);
		quoted(attend_command_at(i)->summary, ":\\");
		attend_output_text("'\n");
	}
	attend_output_text("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n"
	                   "\tlocal command=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $command in\n"
	                   "\thelp) _describe command commands ;;\n");
	for (size_t i = 0; attend_command_at(i) != NULL; i++) {
		const attend_command *command = attend_command_at(i);
		const attend_option *o;
		attend_output_printf("\t%s)\n\t\t_arguments", command->name);
		for (size_t j = 0; (o = attend_command_option(command, j)) != NULL; j++) {
			if (o->letter != 0) zsh_option(o, true);
			zsh_option(o, false);
		}
		attend_output_text("\n\t\t;;\n");
	}
	attend_output_text("\tesac\n}\n"
	                   "if [ \"$funcstack[1]\" = _attend ]; then _attend \"$@\"; else compdef _attend attend; fi\n");
}

/* ---- fish ---- */

static void fish_option(const attend_command *command, const attend_option *o)
{
	attend_output_printf("complete -c attend -n '__fish_seen_subcommand_from %s' -l %s", command->name, o->name);
	if (o->letter != 0) attend_output_printf(" -s %c", o->letter);
	if (o->kind == ATTEND_OPTION_WORD) {
		attend_output_text(" -x -a '");
		words(o->value);
		attend_output_text("'");
	} else if (o->kind == ATTEND_OPTION_DIR) attend_output_text(" -x -a '(__fish_complete_directories)'");
	else if (o->kind == ATTEND_OPTION_FILE) attend_output_text(" -r -F");
	else if (o->kind != ATTEND_OPTION_FLAG) attend_output_text(" -x");
	attend_output_text(" -d '");
	quoted(o->help, "\\");
	attend_output_text("'\n");
}

static void fish(void)
{
	attend_output_text("# fish completion for attend\ncomplete -c attend -f\n");
	for (size_t i = 0; attend_command_at(i) != NULL; i++) {
		const attend_command *command = attend_command_at(i);
		const attend_option *o;
		attend_output_printf("complete -c attend -n __fish_use_subcommand -a %s -d '", command->name);
		quoted(command->summary, "\\");
		attend_output_text("'\n");
		for (size_t j = 0; (o = attend_command_option(command, j)) != NULL; j++) fish_option(command, o);
	}
}

void attend_help_completion(const char *shell)
{
	if (strcmp(shell, "bash") == 0) bash();
	else if (strcmp(shell, "zsh") == 0) zsh();
	else fish();
}
