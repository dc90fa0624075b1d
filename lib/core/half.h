/* half.h: f16 and bf16 to f32 and back, in portable C (IEEE 754-2008 binary16; bf16 is f32's upper half). */
#ifndef ATTEND_CORE_HALF_H
#define ATTEND_CORE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float attend_bits_f32(uint32_t bits)
{
	float f;
	memcpy(&f, &bits, sizeof f);
	return f;
}

static inline uint32_t attend_f32_bits(float f)
{
	uint32_t bits;
	memcpy(&bits, &f, sizeof bits);
	return bits;
}

static inline float attend_bf16_f32(uint16_t h)
{
	return attend_bits_f32((uint32_t)h << 16);
}

/* Round to nearest, ties to even; a NaN stays a (quiet) NaN. */
static inline uint16_t attend_f32_bf16(float f)
{
	const uint32_t bits = attend_f32_bits(f);
	if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u);
	return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/* Without branches, so that a loop over it becomes vectors. Subnormals: with the exponent of the smallest normal number put
 * in, the value is off by exactly that number. */
static inline float attend_f16_f32(uint16_t h)
{
	const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
	const uint32_t magnitude = (uint32_t)(h & 0x7fffu) << 13;
	const uint32_t finite = magnitude + (112u << 23), special = magnitude + (224u << 23);
	const uint32_t subnormal = attend_f32_bits(attend_bits_f32(magnitude + (113u << 23)) - 0x1p-14f);
	const uint32_t is_subnormal = 0u - (uint32_t)(magnitude < 0x00800000u);
	const uint32_t is_special = 0u - (uint32_t)(magnitude >= 0x0f800000u);
	return attend_bits_f32(sign | (subnormal & is_subnormal) | (special & is_special) |
	                       (finite & ~is_subnormal & ~is_special));
}

/* Round to nearest, ties to even; overflow gives infinity. */
static inline uint16_t attend_f32_f16(float f)
{
	const uint32_t bits = attend_f32_bits(f);
	const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
	const uint32_t magnitude = bits & 0x7fffffffu;
	if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
	if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u);
	if (magnitude < 0x38800000u) { /* subnormal: adding 0.5 puts the wanted bits at the bottom, rounded by the FPU */
		const float shifted = attend_bits_f32(magnitude) + 0.5f;
		return (uint16_t)(sign | (attend_f32_bits(shifted) - 0x3f000000u));
	}
	return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13));
}

#endif
