/* test_cpu.c: levels against what /proc/cpuinfo says, ATTEND_ISA in children. */
#include "lib/core/cpu.h"
#include "lib/core/file.h"
#include "tests/support/check.h"

#include <sys/wait.h>
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

static void count_warning(attend_log_level level, const char *line, void *payload)
{
	(void)line;
	*(int *)payload += level == ATTEND_LOG_WARNING;
}

/* The answer to ATTEND_ISA of a child that asks for the first time: the level and the number of warnings. */
static void ask(char line[64], const char *value)
{
	int ends[2], status = 1;
	assert_int_equal(pipe(ends), 0);
	const pid_t child = fork();
	if (child == 0) {
		int warnings = 0;
		setenv("ATTEND_ISA", value, 1);
		attend_set_log(count_warning, &warnings);
		const char *const isa = attend_isa();
		const int length = snprintf(line, 64, "%s %d", isa, warnings);
		_exit(write(ends[1], line, (size_t)length) != length);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	const ssize_t length = read(ends[0], line, 63);
	assert_true(length > 0);
	line[length] = 0;
	close(ends[0]);
	close(ends[1]);
}

/* Runs first: this process has not asked yet. */
static void test_environment(void **state)
{
	(void)state;
	char line[64], best[64], *end;
	ask(line, "portable");
	assert_string_equal(line, "portable 0");
	ask(best, "");
	end = strchr(best, ' ');
	assert_non_null(end);
	assert_string_equal(end, " 0");
	end[1] = '1';
	ask(line, "nonsense");
	assert_string_equal(line, best);
#if defined(__x86_64__)
	ask(line, "neon");
	assert_string_equal(line, best);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_environment), cmocka_unit_test(test_levels),
	                                   cmocka_unit_test(test_cpuinfo)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
