/* cmd_completion.c: `attend completion SHELL` prints a completion script made from the option tables. */
#include <string.h>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/help.h"

static int run(const attend_args *args)
{
	const char *shell = attend_args_operand(args, 0);
	if (shell == NULL || attend_args_operand_count(args) != 1 ||
	    (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0 && strcmp(shell, "fish") != 0))
		return attend_usage(attend_args_command(args), "expected one of bash, zsh, fish");
	attend_help_completion(shell);
	return ATTEND_EXIT_DONE;
}

const attend_command attend_command_completion = {
	.name = "completion",
	.summary = "print a completion script for bash, zsh or fish",
	.operands = "bash|zsh|fish",
	.details = "Add to ~/.bashrc: eval \"$(attend completion bash)\"; to ~/.zshrc after compinit:\n"
			   "eval \"$(attend completion zsh)\"; for fish write it to\n"
			   "~/.config/fish/completions/attend.fish.",
	.example = "attend completion bash > ~/.local/share/bash-completion/completions/attend",
	.run = run,
};
