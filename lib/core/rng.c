/* rng.c: Philox4x32-10, "Parallel random numbers: as easy as 1, 2, 3" (Salmon et al., SC 2011), section 4.3.
 * Key: the seed. Counter: the block number in the low, the stream in the high half. */
#include "lib/core/rng.h"

#include <math.h>

void attend_rng_block(uint32_t out[4], uint64_t seed, uint64_t stream, uint64_t counter)
{
	uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
	uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
	uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
	for (int round = 0; round < 10; round++) {
		const uint64_t p0 = (uint64_t)0xd2511f53u * c0, p1 = (uint64_t)0xcd9e8d57u * c2;
		const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c0 = n0;
		c1 = (uint32_t)p1;
		c2 = n2;
		c3 = (uint32_t)p0;
		k0 += 0x9e3779b9u;
		k1 += 0xbb67ae85u;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

uint32_t attend_rng_u32(attend_rng *rng)
{
	uint32_t block[4];
	attend_rng_block(block, rng->seed, rng->stream, rng->counter / 4);
	return block[rng->counter++ % 4];
}

static uint64_t draw_u64(attend_rng *rng)
{
	const uint64_t high = attend_rng_u32(rng);
	return high << 32 | attend_rng_u32(rng);
}

double attend_rng_uniform(attend_rng *rng)
{
	return (double)(draw_u64(rng) >> 11) * 0x1p-53;
}

uint64_t attend_rng_below(attend_rng *rng, uint64_t bound)
{
	if (bound <= 1) return 0;
	const uint64_t rest = (0 - bound) % bound; /* 2^64 mod bound: the values that would favour small results */
	for (;;) {
		const uint64_t value = draw_u64(rng);
		if (value >= rest) return value % bound;
	}
}

double attend_rng_normal(attend_rng *rng)
{
	const double u = 1.0 - attend_rng_uniform(rng); /* (0, 1]: its logarithm exists */
	const double angle = 6.283185307179586476925 * attend_rng_uniform(rng);
	return sqrt(-2.0 * log(u)) * cos(angle);
}
