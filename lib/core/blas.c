/* blas.c: the one place that sees cblas: loads OpenBLAS with the right core for this CPU and calls sgemm.
 *
 * OpenBLAS picks its core by CPU model. Version 0.3.21 takes models newer than itself for Prescott (SSE3): a fifth of the
 * speed or less (OpenBLAS issue 4267). A wrong OPENBLAS_CORETYPE in the environment does the same. So the variable is set
 * from CPUID's feature bits around dlopen, and put back. */
#include "lib/core/blas.h"

#include "lib/core/cpu.h"
#include "lib/core/threads.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef ATTEND_OPENBLAS_LIBRARY
#include <cblas.h>

static struct {
	__typeof__(&cblas_sgemm) sgemm;
	__typeof__(&openblas_set_num_threads) set_threads;
	bool ready;
	char info[256];
} blas;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *best_core(void)
{
	if (attend_cpu_supports(ATTEND_ISA_AVX512)) return "SKYLAKEX";
	if (attend_cpu_supports(ATTEND_ISA_AVX2)) return "HASWELL";
	return NULL; /* older and other CPUs are known to every OpenBLAS */
}

/* Set a variable for the time of loading; returns what restore_variable needs. */
static char *set_variable(const char *name, const char *value, bool replace)
{
	const char *const present = getenv(name);
	char *const old = present ? strdup(present) : NULL;
	setenv(name, value, replace);
	return old;
}

static void restore_variable(const char *name, char *old)
{
	if (old) setenv(name, old, 1);
	else unsetenv(name);
	free(old);
}

static void *load_library(void)
{
	const char *const core = best_core();
	/* libgomp's workers would spin for long after each product and steal the CPU from the team. */
	char *const old_spin = set_variable("GOMP_SPINCOUNT", "10000", false);
	char *const old_core = core ? set_variable("OPENBLAS_CORETYPE", core, true) : NULL;
	void *library = dlopen(ATTEND_OPENBLAS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library) library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	if (core) restore_variable("OPENBLAS_CORETYPE", old_core);
	restore_variable("GOMP_SPINCOUNT", old_spin);
	return library;
}

/* POSIX guarantees what ISO C leaves open: a data pointer from dlsym holds a function. */
static bool find(void *library, const char *name, void *function_pointer)
{
	void *const address = dlsym(library, name);
	memcpy(function_pointer, &address, sizeof address);
	return address != NULL;
}

static void init(void)
{
	__typeof__(&openblas_get_corename) core_name = NULL;
	__typeof__(&openblas_get_config) config = NULL;
	__typeof__(&openblas_get_parallel) parallel = NULL;
	void *const library = load_library();
	if (!library) {
		const char *const reason = dlerror();
		snprintf(blas.info, sizeof blas.info, "none (%s)", reason ? reason : "cannot be loaded");
		return;
	}
	if (!find(library, "cblas_sgemm", &blas.sgemm) || !find(library, "openblas_set_num_threads", &blas.set_threads) ||
	    !find(library, "openblas_get_corename", &core_name) || !find(library, "openblas_get_config", &config) ||
	    !find(library, "openblas_get_parallel", &parallel)) {
		snprintf(blas.info, sizeof blas.info, "none (%s lacks a function)", ATTEND_OPENBLAS_LIBRARY);
		return; /* stays loaded: its threads may be running */
	}
	static const char *const modes[] = {"no threads", "pthreads", "OpenMP"};
	const int mode = parallel();
	snprintf(blas.info, sizeof blas.info, "%s, core %s, %s", config(), core_name(),
	         mode >= 0 && mode < 3 ? modes[mode] : "unknown threading");
	blas.ready = true;
}

bool attend_blas_available(void)
{
	if (attend_in_parallel()) return false;
	pthread_once(&once, init);
	return blas.ready;
}

const char *attend_blas_info(void)
{
	pthread_once(&once, init);
	return blas.info;
}

bool attend_blas_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                      size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	if (m > INT_MAX || n > INT_MAX || k > INT_MAX || lda > INT_MAX || ldb > INT_MAX || ldc > INT_MAX) return false;
	if (!attend_blas_available()) return false;
	static atomic_int threads;
	const int wanted = attend_threads();
	if (atomic_exchange(&threads, wanted) != wanted) blas.set_threads(wanted);
	blas.sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m,
	           (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
	return true;
}

#else /* built without OpenBLAS (cross builds of the kernels' tests) */

bool attend_blas_available(void)
{
	return false;
}

const char *attend_blas_info(void)
{
	return "none (built without)";
}

bool attend_blas_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                      size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	(void)transpose_a, (void)transpose_b, (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)lda, (void)b,
		(void)ldb;
	(void)beta, (void)c, (void)ldc;
	return false;
}
#endif
