/* test_status.c: the error line: one line, printable, cut between characters, a line per thread. */
#include "lib/core/status.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_message(void **state)
{
	(void)state;
	assert_int_equal(attend_fail(ATTEND_ERR_FORMAT, "%s: expected %d", "a.json", 3), ATTEND_ERR_FORMAT);
	assert_string_equal(attend_error(), "a.json: expected 3");
	assert_int_equal(attend_fail_in(ATTEND_ERR_FORMAT, "folder"), ATTEND_ERR_FORMAT);
	assert_string_equal(attend_error(), "folder: a.json: expected 3");
	attend_fail(ATTEND_ERR_IO, "again: %s", attend_error()); /* its own line as an argument */
	assert_string_equal(attend_error(), "again: folder: a.json: expected 3");
	assert_int_equal(attend_fail_memory(12, "map"), ATTEND_ERR_NOMEM);
	assert_string_equal(attend_error(), "no memory for 12 bytes (map)");
}

static void test_hostile_bytes(void **state)
{
	(void)state;
	attend_fail(ATTEND_ERR_DATA, "a\nb\x1b[31m\x7f\xff\xc2\x9b \xe2\x82\xac \xed\xa0\x80");
	assert_string_equal(attend_error(), "a\\x0ab\\x1b[31m\\x7f\\xff\\xc2\\x9b \xe2\x82\xac \\xed\\xa0\\x80");
}

static void test_cut(void **state)
{
	(void)state;
	char text[3001];
	for (size_t i = 0; i < 3000; i += 3) memcpy(text + i, "\xe2\x82\xac", 3);
	text[3000] = 0;
	attend_fail(ATTEND_ERR_DATA, "x%s", text);
	assert_int_equal(strlen(attend_error()), 1 + 1022 / 3 * 3);
	assert_memory_equal(attend_error() + strlen(attend_error()) - 3, "\xe2\x82\xac", 3);
	memset(text, 'a', 3000);
	attend_fail(ATTEND_ERR_DATA, "%s", text);
	assert_int_equal(strlen(attend_error()), 1023);
	memset(text, 1, 3000);
	attend_fail(ATTEND_ERR_DATA, "%s", text);
	assert_int_equal(strlen(attend_error()), 1023 / 4 * 4);
}

static void *other_thread(void *seen)
{
	*(bool *)seen = attend_error()[0] == 0;
	attend_fail(ATTEND_ERR_ARG, "other");
	return NULL;
}

static void test_thread_local(void **state)
{
	(void)state;
	pthread_t thread;
	bool empty = false;
	attend_fail(ATTEND_ERR_ARG, "mine");
	assert_int_equal(pthread_create(&thread, NULL, other_thread, &empty), 0);
	pthread_join(thread, NULL);
	assert_true(empty);
	assert_string_equal(attend_error(), "mine");
}

static char logged[128];

static void log_line(attend_log_level level, const char *line, void *payload)
{
	snprintf(logged, sizeof logged, "%d %s %s", (int)level, line, (const char *)payload);
}

static void test_log(void **state)
{
	(void)state;
	char payload[] = "p";
	attend_log(ATTEND_LOG_WARNING, "nobody listens");
	attend_set_log(log_line, payload);
	attend_log(ATTEND_LOG_WARNING, "a %d\n", 1);
	assert_string_equal(logged, "2 a 1\\x0a p");
	attend_set_log(NULL, NULL);
	attend_log(ATTEND_LOG_INFO, "nobody listens");
	assert_string_equal(logged, "2 a 1\\x0a p");
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(attend_status_name(ATTEND_OK), "ok");
	assert_string_equal(attend_status_name(ATTEND_ERR_CANCELLED), "cancelled");
	assert_string_equal(attend_status_name((attend_status)7), "unknown");
	assert_true(strchr(attend_version(), '.') != NULL);
	assert_non_null(strstr(attend_build_info(), "kernels: "));
	assert_ptr_equal(attend_build_info(), attend_build_info());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),      cmocka_unit_test(test_hostile_bytes), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_thread_local), cmocka_unit_test(test_log),           cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
