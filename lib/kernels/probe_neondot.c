/* probe_neondot.c: sdot. */
#include <arm_neon.h>

#include "lib/kernels/probe.h"

static inline int32x4_t step(int32x4_t sum, int32x4_t x, int32x4_t y)
{
	return vdotq_s32(sum, vreinterpretq_s8_s32(x), vreinterpretq_s8_s32(y));
}

PROBE_LOOP(attend_probe_int8_neondot, int32x4_t, vdupq_n_s32(0), int32x4_t, vdupq_n_s32(0), step, 16)
