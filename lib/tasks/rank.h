/* rank.h: scores into probabilities and into orders. */
#ifndef ATTEND_TASKS_RANK_H
#define ATTEND_TASKS_RANK_H

#include "lib/core/status.h"

/* out[i] = exp(x[i] - max) / sum, sums in f64 in index order. out may be x. n 0 is fine. */
void attend_rank_softmax(float *out, const float *x, size_t n);

/* Indices of the min(k, n) largest of x[n], best first; equal ones by rising index; NaN counts as the least. Returns how
 * many. top[min(k, n)]. */
size_t attend_rank_top(size_t *top, size_t k, const float *x, size_t n);

#endif
