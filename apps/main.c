/* main.c: the `attend` command: finds the subcommand and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/help.h"
#include "apps/output.h"

#define ENTRY(name) &attend_command_##name,
static const attend_command *const table[] = {ATTEND_COMMANDS(ENTRY) NULL};

const attend_command *attend_command_at(size_t i)
{
	return i < sizeof table / sizeof *table ? table[i] : NULL;
}

const attend_command *attend_command_find(const char *name)
{
	for (size_t i = 0; table[i] != NULL; i++)
		if (strcmp(table[i]->name, name) == 0) return table[i];
	return NULL;
}

static int unknown_command(const char *word)
{
	const char *names[sizeof table / sizeof *table];
	size_t count = 0;
	for (; table[count] != NULL; count++) names[count] = table[count]->name;
	const char *near = attend_nearest(word, names, count);
	const char *kind = word[0] == '-' ? "option" : "command";
	if (near != NULL && word[0] != '-')
		(void)attend_complain(ATTEND_EXIT_USAGE, "unknown %s \"%s\"; did you mean %s?", kind, word, near);
	else (void)attend_complain(ATTEND_EXIT_USAGE, "unknown %s \"%s\"", kind, word);
	(void)fputs("Try 'attend --help'.\n", stderr);
	return ATTEND_EXIT_USAGE;
}

/* Words before any subcommand: --help, --version [-v], --man. */
static int run_global(int argc, char *const argv[])
{
	bool version = false, verbose = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			attend_help_main();
			return attend_output_close();
		}
		if (strcmp(argv[i], "--man") == 0) {
			attend_help_man();
			return attend_output_close();
		}
		if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) version = true;
		else if (strcmp(argv[i], "--verbose") == 0 || strcmp(argv[i], "-v") == 0) verbose = true;
		else return unknown_command(argv[i]);
	}
	if (!version) return unknown_command(argv[1]);
	attend_help_version(verbose);
	return attend_output_close();
}

static int run_help(int argc, char *const argv[])
{
	if (argc == 0) {
		attend_help_main();
		return attend_output_close();
	}
	const attend_command *command = attend_command_find(argv[0]);
	if (command == NULL) return unknown_command(argv[0]);
	attend_help_command(command);
	return attend_output_close();
}

int main(int argc, char *argv[])
{
	(void)signal(SIGXFSZ, SIG_IGN); /* a file beyond its limit is a write that fails: told, and nothing left behind */
	if (argc < 2) {
		(void)fputs("usage: attend COMMAND [OPTIONS]\nTry 'attend --help'.\n", stderr);
		return ATTEND_EXIT_USAGE;
	}
	if (argv[1][0] == '-') return run_global(argc, argv);
	if (strcmp(argv[1], "help") == 0) return run_help(argc - 2, argv + 2);
	const attend_command *command = attend_command_find(argv[1]);
	if (command == NULL) return unknown_command(argv[1]);
	attend_args *args;
	int code = attend_args_parse(&args, command, argc - 2, argv + 2);
	if (code >= 0) return code;
	code = attend_console_start(args);
	if (code < 0) code = command->run(args);
	attend_set_log(NULL, NULL);
	attend_args_free(args);
	const int closed = attend_output_close();
	return code != ATTEND_EXIT_DONE ? code : closed;
}
