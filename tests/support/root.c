/* root.c: see root.h. */
#include "tests/support/root.h"

#include <stdio.h>
#include <stdlib.h>

static char root[] = "/tmp/attend-test-XXXXXX";

int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) == NULL;
}

int remove_root(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", root);
	return system(command);
}

const char *in_root(const char *name)
{
	static char path[4][512];
	static unsigned turn;
	char *out = path[turn++ % 4];
	snprintf(out, sizeof path[0], "%s/%s", root, name);
	return out;
}
