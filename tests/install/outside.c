/* outside.c: what a user's program sees of the installed library. */
#include <attend.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	printf("%s\n", attend_version());
	if (attend_set_threads(-1) != ATTEND_ERR_ARG || strlen(attend_error()) == 0) return 1;
	return strlen(attend_isa()) == 0;
}
