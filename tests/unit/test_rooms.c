/* test_rooms.c: blocks share a room, which goes with its last one; too small a guess, and too large a one. */
#include "lib/core/rooms.h"
#include "tests/support/check.h"

static void test_share(void **state)
{
	(void)state;
	attend_rooms rooms = {0};
	const size_t expected = attend_arena_cost(100) + 2 * attend_arena_cost(1);
	unsigned char *const a = attend_rooms_take(&rooms, 100, expected);
	unsigned char *const b = attend_rooms_take(&rooms, 1, expected);
	unsigned char *const c = attend_rooms_take(&rooms, 0, 0);
	assert_true(a && b && c);
	assert_int_equal((uintptr_t)a % 64 + (uintptr_t)b % 64, 0);
	assert_true(b == a + attend_arena_cost(100));
	assert_true(c == b + attend_arena_cost(1));
	memset(a, 1, 100);
	*b = 2;
	assert_int_equal(a[99], 1);
	attend_rooms_give(&rooms, a);
	attend_rooms_give(&rooms, NULL);
	attend_rooms_give(&rooms, c);
	assert_non_null(rooms.last);
	attend_rooms_give(&rooms, b);
	assert_null(rooms.last);
}

static void test_next_room(void **state)
{
	(void)state;
	attend_rooms rooms = {0};
	unsigned char *const a = attend_rooms_take(&rooms, 100, 0); /* a room of its own */
	struct attend_room *const first = rooms.last;
	unsigned char *const b = attend_rooms_take(&rooms, 1000, 4096), *const c = attend_rooms_take(&rooms, 1000, 4096);
	assert_true(a && b && c && rooms.last != first);
	attend_rooms_give(&rooms, a); /* not the last room */
	memset(c, 1, 1000);
	attend_rooms_give(&rooms, c);
	attend_rooms_give(&rooms, b);
	assert_null(rooms.last);
	attend_rooms_give(&rooms, b); /* nobody's */
}

static void test_limits(void **state)
{
	(void)state;
	attend_rooms rooms = {0};
	assert_null(attend_rooms_take(&rooms, SIZE_MAX, SIZE_MAX));
	void *const block = attend_rooms_take(&rooms, 10, SIZE_MAX); /* the guess is too much: what is asked for is there */
	assert_non_null(block);
	attend_rooms_give(&rooms, block);
	assert_null(rooms.last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_next_room),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
