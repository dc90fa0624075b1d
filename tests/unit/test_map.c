/* test_map.c: against a plain array of keys. */
#include "lib/core/map.h"
#include "tests/support/check.h"

static size_t make_key(char key[32], int i)
{
	return (size_t)snprintf(key, 32, "%.*s%d", i % 20, "####################", i);
}

static void test_many(void **state)
{
	(void)state;
	enum { COUNT = 20000 };
	attend_map *map;
	char key[32];
	assert_ok(attend_map_new(&map, 10));
	for (int i = 0; i < COUNT; i++) assert_ok(attend_map_put(map, key, make_key(key, i), i));
	assert_int_equal(attend_map_size(map), COUNT);
	for (int i = 0; i < COUNT; i++) {
		const size_t length = make_key(key, i);
		assert_int_equal(attend_map_find(map, key, length), i);
		assert_int_equal(attend_map_find(map, key, length - 1) == i, 0);
		size_t size;
		int32_t value;
		assert_memory_equal(attend_map_key(map, (size_t)i, &size, &value), key, length + 1);
		assert_int_equal(size, length);
		assert_int_equal(value, i);
	}
	assert_int_equal(attend_map_find(map, "absent", 6), -1);
	assert_ok(attend_map_put(map, "0", 1, 77));
	assert_int_equal(attend_map_size(map), COUNT);
	assert_int_equal(attend_map_find(map, "0", 1), 77);
	attend_map_free(map);
	attend_map_free(NULL);
}

static void test_bytes(void **state)
{
	(void)state;
	attend_map *map;
	assert_ok(attend_map_new(&map, 0));
	assert_int_equal(attend_map_find(map, "", 0), -1);
	assert_ok(attend_map_put(map, "", 0, 1));
	assert_ok(attend_map_put(map, "\0", 1, 2));
	assert_ok(attend_map_put(map, "\0\0", 2, 3));
	char text[40];
	for (int i = 0; i < 40; i++) text[i] = (char)i;
	for (size_t n = 3; n < 40; n++) assert_ok(attend_map_put(map, text, n, (int32_t)n + 1));
	assert_int_equal(attend_map_find(map, "", 0), 1);
	assert_int_equal(attend_map_find(map, "\0", 1), 2);
	assert_int_equal(attend_map_find(map, "\0\0", 2), 3);
	for (size_t n = 3; n < 40; n++) assert_int_equal(attend_map_find(map, text, n), n + 1);
	attend_map_free(map);
	assert_fails(ATTEND_ERR_NOMEM, "map", attend_map_new(&map, SIZE_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_many), cmocka_unit_test(test_bytes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
