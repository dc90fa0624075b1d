/* cpu.h: which instructions may run here. */
#ifndef ATTEND_CORE_CPU_H
#define ATTEND_CORE_CPU_H

#include "lib/core/status.h"

/* Levels in rising order; each x86 level contains the ones below it. */
typedef enum attend_isa_level {
	ATTEND_ISA_PORTABLE,
	ATTEND_ISA_AVX2,    /* AVX2 + FMA + F16C */
	ATTEND_ISA_AVXVNNI, /* + AVX-VNNI (256 bit) */
	ATTEND_ISA_AVX512,  /* F, BW, DQ, VL, CD */
	ATTEND_ISA_AVX512VNNI,
	ATTEND_ISA_AVX512BF16, /* not chosen by itself on Intel's CPUs: there it is slower than widening */
	ATTEND_ISA_AMX,        /* + AMX-TILE, AMX-BF16, AMX-INT8 */
	ATTEND_ISA_NEON,
	ATTEND_ISA_NEONDOT
} attend_isa_level;

/* Best level of this CPU (CPUID and XGETBV; getauxval on Arm), or the lower one that ATTEND_ISA=name asks for. A name above
 * the CPU's level, or unknown, is refused with a warning through the log and the CPU's level stands. Constant after the
 * first call. */
attend_isa_level attend_cpu_isa(void);
const char *attend_isa_level_name(attend_isa_level level); /* "avx512vnni" */
attend_status attend_isa_level_parse(attend_isa_level *out, const char *name);
bool attend_cpu_supports(attend_isa_level level);
/* One of AMD's: its prefetchers like other patterns than Intel's. */
bool attend_cpu_amd(void);

/* Bytes of data cache of one core; plausible defaults where the system does not tell. */
size_t attend_cpu_l1(void);
size_t attend_cpu_l2(void);

#endif
