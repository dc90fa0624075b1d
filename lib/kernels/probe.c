/* probe.c: which loop shows the peak of a weight type at the current level; the portable one. */
#include "lib/kernels/probe.h"

/* A multiplication and an addition, in whatever vectors the compiler makes of it. */
static double probe_portable(size_t rounds)
{
	enum { WIDTH = 4 * PROBE_CHAINS };
	float sum[WIDTH] = {0}, x = 0.0f, y = 0.0f;
	PROBE_HOLD(x);
	PROBE_HOLD(y);
	for (size_t r = 0; r < rounds; r++)
		for (size_t i = 0; i < WIDTH; i++) sum[i] = sum[i] * x + y;
	for (size_t i = 0; i < WIDTH; i++) PROBE_HOLD(sum[i]);
	return 2.0 * WIDTH * (double)rounds;
}

#if defined(__x86_64__)
static attend_probe_loop loop_of(attend_isa_level level, attend_pack_type type)
{
	const bool bytes = type == ATTEND_PACK_INT8 || type == ATTEND_PACK_INT4;
	if (level >= ATTEND_ISA_AMX && type == ATTEND_PACK_INT8) return attend_probe_int8_amx;
	if (level >= ATTEND_ISA_AMX && type == ATTEND_PACK_INT4) return attend_probe_int4_amx;
	if (level >= ATTEND_ISA_AMX && type == ATTEND_PACK_BF16) return attend_probe_bf16_amx;
	if (level >= ATTEND_ISA_AVX512BF16 && type == ATTEND_PACK_BF16) return attend_probe_bf16_avx512bf16;
	if (level >= ATTEND_ISA_AVX512VNNI && bytes) return attend_probe_int8_avx512vnni;
	if (level >= ATTEND_ISA_AVX512) return bytes ? attend_probe_int8_avx512 : attend_probe_f32_avx512;
	if (level >= ATTEND_ISA_AVXVNNI && bytes) return attend_probe_int8_avxvnni;
	if (level >= ATTEND_ISA_AVX2) return bytes ? attend_probe_int8_avx2 : attend_probe_f32_avx2;
	return probe_portable;
}
#elif defined(__aarch64__)
static attend_probe_loop loop_of(attend_isa_level level, attend_pack_type type)
{
	const bool bytes = type == ATTEND_PACK_INT8 || type == ATTEND_PACK_INT4;
	if (level >= ATTEND_ISA_NEONDOT && bytes) return attend_probe_int8_neondot;
	return level >= ATTEND_ISA_NEON ? attend_probe_f32_neon : probe_portable;
}
#else
static attend_probe_loop loop_of(attend_isa_level level, attend_pack_type type)
{
	(void)level;
	(void)type;
	return probe_portable;
}
#endif

double attend_probe(attend_pack_type type, size_t rounds)
{
	return loop_of(attend_kernels_level(), type)(rounds);
}
