/* test_fault_core.c: memory and disk run out in lib/core. */
#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "lib/core/map.h"
#include "tests/support/check.h"
#include "tests/support/fault.h"

#include <unistd.h>

static attend_status parse_and_edit(void *arg)
{
	(void)arg;
	static const char text[] = "{\"a\": [1, 2.5, {\"b\": null}], \"c\": \"x\\u0000y\", \"d\": {}}";
	attend_json *document;
	char *printed;
	ATTEND_TRY(attend_json_parse(&document, text, sizeof text - 1, "t"));
	attend_status status = attend_json_set(document, "a", "[true, \"new\"]");
	if (status == ATTEND_OK) status = attend_json_set(document, "fresh", "1");
	if (status == ATTEND_OK) status = attend_json_print(&printed, document, 2);
	if (status == ATTEND_OK) free(printed);
	attend_json_free(document);
	return status;
}

static void test_json(void **state)
{
	(void)state;
	fault_sweep(FAULT_MEMORY, 1000, parse_and_edit, NULL);
}

static attend_status fill_map(void *arg)
{
	(void)arg;
	attend_map *map;
	ATTEND_TRY(attend_map_new(&map, 0));
	attend_status status = ATTEND_OK;
	for (int32_t i = 0; i < 500 && status == ATTEND_OK; i++) {
		char key[16];
		const size_t size = (size_t)snprintf(key, sizeof key, "%d", i);
		status = attend_map_put(map, key, size, i);
		/* What a failed put leaves behind is the map before it. */
		for (int32_t j = 0; j < (status == ATTEND_OK ? i + 1 : i); j += 37) {
			char other[16];
			const size_t length = (size_t)snprintf(other, sizeof other, "%d", j);
			assert_int_equal(attend_map_find(map, other, length), j);
		}
		if (status != ATTEND_OK) assert_int_equal(attend_map_find(map, key, size), -1);
	}
	attend_map_free(map);
	return status;
}

static void test_map(void **state)
{
	(void)state;
	fault_sweep(FAULT_MEMORY, 1000, fill_map, NULL);
}

static char path[] = "/tmp/attend-fault-XXXXXX/file";

/* Whatever fails, the file holds the old text or the new one. */
static attend_status rewrite(void *arg)
{
	size_t *const round = arg;
	char text[32], old[32], *found;
	size_t size;
	snprintf(old, sizeof old, "round %zu", *round);
	snprintf(text, sizeof text, "round %zu", ++*round);
	const attend_status status = attend_file_write(path, text, strlen(text));
	fault_disarm();
	assert_ok(attend_file_read(&found, &size, path, 0));
	if (status == ATTEND_OK) assert_string_equal(found, text);
	else if (strcmp(found, text) != 0)
		assert_string_equal(found, old); /* a folder that cannot be synced: already renamed */
	*round = strtoul(found + strlen("round "), NULL, 10);
	free(found);
	return status;
}

static void test_rewrite(void **state)
{
	(void)state;
	path[strlen("/tmp/attend-fault-XXXXXX")] = 0;
	assert_non_null(mkdtemp(path));
	path[strlen("/tmp/attend-fault-XXXXXX")] = '/';
	assert_ok(attend_file_write(path, "round 0", 7));
	size_t round = 0, calls = 0;
	for (size_t k = 1; k < 20; k++) {
		fault_arm(FAULT_WRITE | FAULT_MEMORY, k, k % 2 == 0);
		calls += rewrite(&round) == ATTEND_OK;
	}
	assert_true(calls > 0);
	unlink(path);
	path[strlen("/tmp/attend-fault-XXXXXX")] = 0;
	assert_int_equal(rmdir(path), 0); /* no temporary is left */
}

static attend_status read_and_map(void *arg)
{
	(void)arg;
	char *text;
	size_t size;
	attend_mapping mapping;
	ATTEND_TRY(attend_file_read(&text, &size, "CMakeLists.txt", 0));
	free(text);
	ATTEND_TRY(attend_file_map(&mapping, "CMakeLists.txt"));
	attend_file_unmap(&mapping);
	return ATTEND_OK;
}

static void test_read(void **state)
{
	(void)state;
	fault_sweep(FAULT_MEMORY | FAULT_READ | FAULT_MAP, 1000, read_and_map, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_json), cmocka_unit_test(test_map),
	                                   cmocka_unit_test(test_rewrite), cmocka_unit_test(test_read)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
