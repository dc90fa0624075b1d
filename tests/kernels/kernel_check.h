/* kernel_check.h: what the kernel tests share: every level of this CPU, arrays between guards, random numbers, comparisons,
 * and the clock of `--bench`. */
#ifndef ATTEND_TESTS_KERNEL_CHECK_H
#define ATTEND_TESTS_KERNEL_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"

/* for (each level that this CPU runs), made current in turn. */
#define FOR_LEVELS(level)                                                                               \
	for (attend_isa_level level = ATTEND_ISA_PORTABLE; level <= ATTEND_ISA_NEONDOT; level = level + 1u) \
		if (attend_cpu_supports(level) && (attend_kernels_force(level), true))

/* ---- Random numbers: xorshift, the same in every run ---------------------------------------------------------------- */
static uint64_t check_state = 88172645463325252u;

static inline uint32_t check_u32(void)
{
	check_state ^= check_state << 13;
	check_state ^= check_state >> 7;
	check_state ^= check_state << 17;
	return (uint32_t)(check_state >> 32);
}

static inline float check_uniform(float low, float high)
{
	return low + (high - low) * ((float)(check_u32() >> 8) * 0x1p-24f);
}

static inline size_t check_below(size_t n)
{
	return check_u32() % n;
}

/* ---- Arrays between guards ------------------------------------------------------------------------------------------- */
enum { GUARD = 32, GUARD_WORD = 0x7fa5a5a5 }; /* a signalling NaN: reading it shows, too */

typedef struct guarded {
	float *block, *data;
	size_t count;
} guarded;

static inline void guard_fill(float *p)
{
	const uint32_t word = GUARD_WORD;
	for (size_t i = 0; i < GUARD; i++) memcpy(p + i, &word, sizeof word);
}

/* `shift` floats off a 64-byte boundary. */
static inline guarded guarded_make(size_t count, size_t shift)
{
	guarded g = {NULL, NULL, count};
	g.block = aligned_alloc(64, (count + 2 * GUARD + 32) * sizeof(float) / 64 * 64 + 64);
	assert_non_null(g.block);
	g.data = g.block + GUARD + shift % 16;
	guard_fill(g.data - GUARD);
	guard_fill(g.data + count);
	return g;
}

static inline guarded guarded_random(size_t count, size_t shift, float low, float high)
{
	const guarded g = guarded_make(count, shift);
	for (size_t i = 0; i < count; i++) g.data[i] = check_uniform(low, high);
	return g;
}

static inline guarded guarded_copy(const guarded *from, size_t shift)
{
	const guarded g = guarded_make(from->count, shift);
	if (from->count) memcpy(g.data, from->data, from->count * sizeof(float));
	return g;
}

static inline void guarded_check(const guarded *g)
{
	const uint32_t word = GUARD_WORD;
	for (size_t i = 0; i < GUARD; i++) {
		assert_memory_equal(g->data - GUARD + i, &word, sizeof word);
		assert_memory_equal(g->data + g->count + i, &word, sizeof word);
	}
}

static inline void guarded_free(guarded *g)
{
	guarded_check(g);
	free(g->block);
	*g = (guarded){NULL, NULL, 0};
}

/* ---- Comparisons ------------------------------------------------------------------------------------------------------ */
static inline bool check_close(double got, double want, double absolute, double relative)
{
	if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
	if (isinf(want) || isinf(got)) return want == got;
	return fabs(got - want) <= absolute + relative * fabs(want);
}

#define assert_close(got, want, absolute, relative)                               \
	do {                                                                          \
		const double close_got = (double)(got), close_want = (double)(want);      \
		if (!check_close(close_got, close_want, absolute, relative))              \
			fail_msg("%s: got %.9g, want %.9g (%s)", #got, close_got, close_want, \
			         attend_isa_level_name(attend_kernels_level()));              \
	} while (0)

/* Equal bits; any NaN equals any NaN. */
static inline void assert_same_bits(const float *a, const float *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (isnan(a[i]) && isnan(b[i])) continue;
		if (memcmp(a + i, b + i, sizeof *a) != 0)
			fail_msg("element %zu: %.9g and %.9g differ (%s)", i, (double)a[i], (double)b[i],
			         attend_isa_level_name(attend_kernels_level()));
	}
}

/* ---- --bench ------------------------------------------------------------------------------------------------------------ */
static inline double check_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Best time in seconds of repeated runs of `statement` for about a quarter of a second. */
#define BENCH_BEST(best, statement)                                           \
	double best = 1e30;                                                       \
	for (double bench_end = check_now() + 0.25;;) {                           \
		const double bench_start = check_now();                               \
		statement;                                                            \
		const double bench_stop = check_now();                                \
		if (bench_stop - bench_start < best) best = bench_stop - bench_start; \
		if (bench_stop > bench_end) break;                                    \
	}

static inline bool bench_asked(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "--bench") == 0;
}

#endif
