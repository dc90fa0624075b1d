/* blas.h: OpenBLAS, loaded when it is first needed. It is not linked: its and libgomp's start-up would be paid by every
 * run of the command, and it reads OPENBLAS_CORETYPE while it is being loaded, so this is the one way to make an older
 * OpenBLAS run its best core on a CPU that it does not know. Loading changes two variables of the environment for a moment,
 * which must not meet a getenv in another thread: a host that runs many threads and trains on the portable level calls
 * attend_build_info() first. */
#ifndef ATTEND_CORE_BLAS_H
#define ATTEND_CORE_BLAS_H

#include "lib/core/status.h"

/* Whether OpenBLAS is there; loads it. False also inside a task of attend_parallel: its threads would fight the team's. */
bool attend_blas_available(void);

/* cblas_sgemm, row-major: C [m,n] = alpha op(A) op(B) + beta C; op transposes the stored matrix when its flag is set; beta 0
 * does not read C. Uses attend_threads() threads. False when nothing was computed: attend_blas_available() is false, or a
 * size does not fit BLAS' int. Gives no promise on bits across thread counts and builds. */
bool attend_blas_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha, const float *a,
                      size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);

/* "OpenBLAS 0.3.21 ... core SkylakeX" or "none (reason)"; loads it. Static text. */
const char *attend_blas_info(void);

#endif
