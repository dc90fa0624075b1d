/* test_probe.c: the loops that show a CPU's peak run at every level and count what they do. */
#include "lib/kernels/probe.h"
#include "tests/kernels/kernel_check.h"

static void counts(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		const double f32 = attend_probe(ATTEND_PACK_F32, 100);
		for (int type = 0; type < ATTEND_PACK_TYPES; type++) {
			const double operations = attend_probe((attend_pack_type)type, 100);
			assert_true(attend_probe((attend_pack_type)type, 0) == 0);
			assert_true(attend_probe((attend_pack_type)type, 300) == 3 * operations);
			assert_true(operations >= f32); /* narrower types have more lanes */
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(counts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
