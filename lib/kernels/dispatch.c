/* dispatch.c: which table of inner loops runs (DESIGN.md idea 5). The level is CPUID's, or what ATTEND_ISA or a test asks
 * for below it; a level without kernels of its own uses the next lower table. */
#include "lib/kernels/dispatch.h"

#include <stdatomic.h>

#include "lib/kernels/gemm_table.h"

static atomic_int current_level = -1; /* -1: not chosen yet; written once with the CPU's level, or by a test */

attend_isa_level attend_kernels_level(void)
{
	int level = atomic_load_explicit(&current_level, memory_order_relaxed);
	if (level < 0) {
		level = (int)attend_cpu_isa();
		atomic_store_explicit(&current_level, level, memory_order_relaxed);
	}
	return (attend_isa_level)level;
}

void attend_kernels_force(attend_isa_level level)
{
	if (attend_cpu_supports(level)) atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

static const struct attend_gemm_table *table_of(attend_isa_level level)
{
	switch (level) {
#if defined(__x86_64__)
	case ATTEND_ISA_AMX: return &attend_gemm_amx;
	case ATTEND_ISA_AVX512BF16: return &attend_gemm_avx512bf16;
	case ATTEND_ISA_AVX512VNNI: return &attend_gemm_avx512vnni;
	case ATTEND_ISA_AVX512: return &attend_gemm_avx512;
	case ATTEND_ISA_AVXVNNI: return &attend_gemm_avxvnni;
	case ATTEND_ISA_AVX2: return &attend_gemm_avx2;
#elif defined(__aarch64__)
	case ATTEND_ISA_NEONDOT: return &attend_gemm_neondot;
	case ATTEND_ISA_NEON: return &attend_gemm_neon;
#endif
	default: return &attend_gemm_portable;
	}
}

const struct attend_gemm_table *attend_gemm_kernels(void)
{
	return table_of(attend_kernels_level());
}

const struct attend_gemm_table *attend_gemm_kernels_at(attend_isa_level level)
{
	return attend_cpu_supports(level) ? table_of(level) : NULL;
}
