/* version.c: what this build is and what it runs on. */
#include "lib/core/blas.h"
#include "lib/core/cpu.h"
#include "lib/core/threads.h"

#include <pthread.h>
#include <stdio.h>

#ifndef ATTEND_VERSION
#define ATTEND_VERSION "unknown" /* set by the build */
#endif

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char *attend_version(void)
{
	return ATTEND_VERSION;
}

const char *attend_isa(void)
{
	return attend_isa_level_name(attend_cpu_isa());
}

static char info[1536];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_info(void)
{
	char levels[160];
	size_t used = 0;
	for (int level = ATTEND_ISA_PORTABLE; level <= ATTEND_ISA_NEONDOT; level++) {
		if (!attend_cpu_supports((attend_isa_level)level)) continue;
		const int wrote = snprintf(levels + used, sizeof levels - used, "%s%s", used ? " " : "",
		                           attend_isa_level_name((attend_isa_level)level));
		if (wrote > 0 && (size_t)wrote < sizeof levels - used) used += (size_t)wrote;
	}
	snprintf(info, sizeof info,
	         "version: %s\n"
	         "compiler: %s\n"
	         "kernels: %s\n"
	         "cpu levels: %s\n"
	         "cache: L1d %zu KiB, L2 %zu KiB\n"
	         "cpus: %d (affinity and cgroup quota)\n"
	         "threads: %d\n"
	         "blas: %s (large products of backward passes, on CPUs without a vector kernel here)\n",
	         ATTEND_VERSION, COMPILER, attend_isa(), levels, attend_cpu_l1() >> 10, attend_cpu_l2() >> 10,
	         attend_available_cpus(), attend_threads(), attend_blas_info());
}

const char *attend_build_info(void)
{
	pthread_once(&once, fill_info);
	return info;
}
