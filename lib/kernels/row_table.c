/* row_table.c: the row-operation tables, one per level: portable loops everywhere, overridden by what the level has. */
#include "lib/kernels/row_table.h"

#include <pthread.h>

enum { LEVELS = ATTEND_ISA_NEONDOT + 1 };

static struct attend_row_table tables[LEVELS]; /* constant once filled */
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void fill_portable(struct attend_row_table *table)
{
	attend_attention_portable(table);
	attend_norm_portable(table);
	attend_activation_portable(table);
	attend_elementwise_portable(table);
	attend_dropout_portable(table);
	attend_softmax_portable(table);
	attend_rotary_portable(table);
	attend_optimizer_portable(table);
}

static void fill_tables(void)
{
	for (size_t level = 0; level < LEVELS; level++) {
		struct attend_row_table *table = &tables[level];
		if (!attend_cpu_supports((attend_isa_level)level))
			continue; /* the filling functions, too, are in that level's code */
		fill_portable(table);
#if defined(__x86_64__)
		if (level >= ATTEND_ISA_AVX512) attend_row_avx512(table);
		else if (level >= ATTEND_ISA_AVX2) attend_row_avx2(table);
		if (level >= ATTEND_ISA_AVX512BF16) attend_row_avx512bf16(table);
		if (level >= ATTEND_ISA_AMX) attend_row_amx(table);
#elif defined(__aarch64__)
		if (level >= ATTEND_ISA_NEON) attend_row_neon(table);
#endif
	}
}

static const struct attend_row_table *table_of(attend_isa_level level)
{
	pthread_once(&filled, fill_tables);
	return &tables[level];
}

const struct attend_row_table *attend_row_kernels(void)
{
	return table_of(attend_kernels_level());
}

const struct attend_row_table *attend_row_kernels_at(attend_isa_level level)
{
	return attend_cpu_supports(level) ? table_of(level) : NULL;
}
