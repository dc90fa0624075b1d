/* probe_neon.c: fmla. */
#include <arm_neon.h>

#include "lib/kernels/probe.h"

PROBE_LOOP(attend_probe_f32_neon, float32x4_t, vdupq_n_f32(0.0f), float32x4_t, vdupq_n_f32(0.0f), vfmaq_f32, 4)
