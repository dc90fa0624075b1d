/* help.h: texts made from the command table. All go to stdout. */
#ifndef ATTEND_APPS_HELP_H
#define ATTEND_APPS_HELP_H

#include "apps/args.h"

void attend_help_main(void);                             /* `attend --help` */
void attend_help_command(const attend_command *command); /* `attend COMMAND --help` */
void attend_help_version(bool verbose);                  /* `attend --version`; verbose: and attend_build_info */
void attend_help_man(void);                              /* attend.1 in man(7) macros */
void attend_help_completion(const char *shell);          /* bash, zsh or fish */

#endif
