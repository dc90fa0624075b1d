/* test_arena.c: alignment, planning, rewinding, overflow. */
#include "lib/core/arena.h"
#include "tests/support/check.h"

static void test_plan(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 63, 64, 65, 1000};
	size_t plan = 0;
	for (size_t i = 0; i < 6; i++) plan += attend_arena_cost(sizes[i]);
	attend_arena arena;
	assert_ok(attend_arena_init(&arena, plan));
	unsigned char *blocks[6];
	for (size_t i = 0; i < 6; i++) {
		blocks[i] = attend_arena_take(&arena, sizes[i]);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % 64, 0);
		memset(blocks[i], (int)i, sizes[i]);
	}
	for (size_t i = 0; i < 6; i++)
		for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(blocks[i][j], i);
	assert_null(attend_arena_take(&arena, 1));
	assert_int_equal(arena.used, plan);
	attend_arena_free(&arena);
	assert_null(arena.base);
	attend_arena_free(&arena);
	attend_arena_free(NULL);
}

static void test_rewind(void **state)
{
	(void)state;
	attend_arena arena;
	assert_ok(attend_arena_init(&arena, attend_arena_cost(100) * 2));
	assert_non_null(attend_arena_take(&arena, 100));
	const size_t mark = attend_arena_mark(&arena);
	void *const second = attend_arena_take(&arena, 100);
	attend_arena_rewind(&arena, mark);
	attend_arena_rewind(&arena, arena.size); /* forward: nothing happens */
	assert_int_equal(arena.used, mark);
	assert_ptr_equal(attend_arena_take(&arena, 100), second);
	assert_int_equal(arena.peak, arena.size);
	attend_arena_free(&arena);
}

static void test_limits(void **state)
{
	(void)state;
	attend_arena arena;
	assert_ok(attend_arena_init(&arena, 0));
	assert_null(attend_arena_take(&arena, 0));
	assert_fails(ATTEND_ERR_NOMEM, "no memory", attend_arena_init(&arena, SIZE_MAX));
	assert_null(arena.base);
	assert_int_equal(attend_arena_cost(SIZE_MAX - 1), SIZE_MAX);
	assert_null(attend_alloc_array(SIZE_MAX / 2, 3));
	assert_null(attend_alloc_aligned(SIZE_MAX - 3));
	void *const nothing = attend_alloc_array(0, 8);
	assert_non_null(nothing);
	free(nothing);
	void *const aligned = attend_alloc_aligned(0);
	assert_int_equal((uintptr_t)aligned % 64, 0);
	free(aligned);
}

static void test_grow(void **state)
{
	(void)state;
	int *numbers = NULL;
	size_t capacity = 0;
	for (size_t i = 0; i < 1000; i++) {
		assert_ok(attend_grow(&numbers, &capacity, i + 1, sizeof *numbers, "numbers"));
		numbers[i] = (int)i;
	}
	assert_in_range(capacity, 1000, 1500);
	const size_t before = capacity;
	assert_fails(ATTEND_ERR_NOMEM, "numbers",
	             attend_grow(&numbers, &capacity, SIZE_MAX / 2, sizeof *numbers, "numbers"));
	assert_int_equal(capacity, before);
	for (size_t i = 0; i < 1000; i++) assert_int_equal(numbers[i], i);
	free(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan), cmocka_unit_test(test_rewind),
	                                   cmocka_unit_test(test_limits), cmocka_unit_test(test_grow)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
