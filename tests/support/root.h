/* root.h: a temporary folder for a whole test program. */
#ifndef ATTEND_TESTS_ROOT_H
#define ATTEND_TESTS_ROOT_H

/* For cmocka_run_group_tests: make the folder, remove it with all that is in it. */
int make_root(void **state);
int remove_root(void **state);

/* The path of `name` in it; valid until the fourth call after. */
const char *in_root(const char *name);

#endif
