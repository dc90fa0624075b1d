/* rng.h: one counter-based generator: Philox4x32-10 (Salmon et al., SC 2011). Stateless: value i of stream s under a seed
 * is a pure function, so dropout masks and samples do not depend on threads or on the order of calls. */
#ifndef ATTEND_CORE_RNG_H
#define ATTEND_CORE_RNG_H

#include <stdint.h>

/* Four 32-bit words at (seed, stream, counter). */
void attend_rng_block(uint32_t out[4], uint64_t seed, uint64_t stream, uint64_t counter);

/* A cursor over one stream, for sequential use. Value-copyable; a checkpoint stores the three numbers. */
typedef struct attend_rng {
	uint64_t seed, stream, counter; /* counter counts 32-bit words drawn */
} attend_rng;
uint32_t attend_rng_u32(attend_rng *rng);
double attend_rng_uniform(attend_rng *rng);                 /* [0, 1), 53 bits */
uint64_t attend_rng_below(attend_rng *rng, uint64_t bound); /* 0 .. bound-1 without bias; bound >= 1 */
double attend_rng_normal(attend_rng *rng);                  /* Box-Muller */

#endif
