/* dispatch.h: the table of inner loops, filled once at start-up for this CPU's level (DESIGN.md idea 5). kernels.h's
 * functions split work over the team and call these. A fast kernel exists only beside the portable one that tests it. */
#ifndef ATTEND_KERNELS_DISPATCH_H
#define ATTEND_KERNELS_DISPATCH_H

#include "lib/core/cpu.h"
#include "lib/kernels/kernels.h"

/* Owned by lib/kernels: add a pointer per inner loop, fill the portable one in every level first, then override. Grouped:
 * the gemm group and the row-operation group are filled by separate init functions, one source file per level and group. */
struct attend_gemm_table;
struct attend_row_table;

const struct attend_gemm_table *attend_gemm_kernels(void);
const struct attend_row_table *attend_row_kernels(void);

/* For tests: the tables of one level (NULL when the CPU lacks it or the build has none). */
const struct attend_gemm_table *attend_gemm_kernels_at(attend_isa_level level);
const struct attend_row_table *attend_row_kernels_at(attend_isa_level level);
/* The level whose tables attend_gemm_kernels() and attend_row_kernels() give: attend_cpu_isa() unless forced. */
attend_isa_level attend_kernels_level(void);
/* For tests: make the level current in this process, for both groups. Ignored when the CPU lacks it. Packed weights belong
 * to the level that packed them. */
void attend_kernels_force(attend_isa_level level);

/* The gemm group's tables, one source file per level: gemm_<level>.c. A file named *_<level>.c is compiled with that level's
 * flags and holds nothing that runs below it; on the other architecture it is empty. */
extern const struct attend_gemm_table attend_gemm_portable;
#if defined(__x86_64__)
extern const struct attend_gemm_table attend_gemm_avx2;
extern const struct attend_gemm_table attend_gemm_avxvnni;
extern const struct attend_gemm_table attend_gemm_avx512;
extern const struct attend_gemm_table attend_gemm_avx512vnni;
extern const struct attend_gemm_table attend_gemm_avx512bf16;
extern const struct attend_gemm_table attend_gemm_amx;
#elif defined(__aarch64__)
extern const struct attend_gemm_table attend_gemm_neon;
extern const struct attend_gemm_table attend_gemm_neondot;
#endif

#endif
