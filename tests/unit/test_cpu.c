/* test_cpu.c: levels against what /proc/cpuinfo says, ATTEND_ISA in a process of its own. */
#include "lib/core/cpu.h"
#include "lib/core/file.h"
#include "tests/support/check.h"

#include <unistd.h>

static void test_levels(void **state)
{
	(void)state;
	assert_true(attend_cpu_supports(ATTEND_ISA_PORTABLE));
	assert_true(attend_cpu_supports(attend_cpu_isa()));
	assert_false(attend_cpu_supports((attend_isa_level)99));
	for (int level = ATTEND_ISA_PORTABLE; level <= ATTEND_ISA_NEONDOT; level++) {
		attend_isa_level parsed;
		assert_ok(attend_isa_level_parse(&parsed, attend_isa_level_name((attend_isa_level)level)));
		assert_int_equal(parsed, level);
	}
	attend_isa_level parsed;
	assert_fails(ATTEND_ERR_ARG, "\"sse9\"", attend_isa_level_parse(&parsed, "sse9"));
	assert_in_range(attend_cpu_l1(), 4 << 10, 1 << 20);
	assert_in_range(attend_cpu_l2(), 64 << 10, 1 << 28);
}

/* The kernel's list of flags is an independent reading of the same CPUID. */
static void test_cpuinfo(void **state)
{
	(void)state;
	char *text;
	size_t size;
	assert_ok(attend_file_read(&text, &size, "/proc/cpuinfo", 0));
	static const struct {
		attend_isa_level level;
		const char *flag;
	} flags[] = {{ATTEND_ISA_AVX2, " avx2 "},
	             {ATTEND_ISA_AVX512, " avx512bw "},
	             {ATTEND_ISA_AVX512VNNI, " avx512_vnni "},
	             {ATTEND_ISA_AVX512BF16, " avx512_bf16 "}};
	if (strstr(text, "\nflags"))
		for (size_t i = 0; i < 4; i++)
			if (!strstr(text, flags[i].flag)) assert_false(attend_cpu_supports(flags[i].level));
	free(text);
}

/* A child's answer to ATTEND_ISA: the level and the number of warnings. */
static void ask(char line[64], const char *program, const char *value)
{
	char command[512];
	snprintf(command, sizeof command, "ATTEND_ISA=%s '%s' --print", value, program);
	FILE *const pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, 64, pipe));
	assert_int_equal(pclose(pipe), 0);
}

static const char *program;

static void test_environment(void **state)
{
	(void)state;
	char line[64], best[64], *end;
	ask(line, program, "portable");
	assert_string_equal(line, "portable 0\n");
	ask(best, program, "");
	end = strchr(best, ' ');
	assert_non_null(end);
	assert_string_equal(end, " 0\n");
	end[1] = '1';
	ask(line, program, "nonsense");
	assert_string_equal(line, best);
#if defined(__x86_64__)
	ask(line, program, "neon");
	assert_string_equal(line, best);
#endif
}

static void count_warning(attend_log_level level, const char *line, void *payload)
{
	(void)line;
	*(int *)payload += level == ATTEND_LOG_WARNING;
}

int main(int argc, char **argv)
{
	if (argc > 1) { /* the child of test_environment */
		int warnings = 0;
		attend_set_log(count_warning, &warnings);
		const char *const isa = attend_isa();
		printf("%s %d\n", isa, warnings);
		return 0;
	}
	unsetenv("ATTEND_ISA");
	program = argv[0];
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels), cmocka_unit_test(test_cpuinfo),
	                                   cmocka_unit_test(test_environment)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
