/* row_table.c: the row-operation tables, one per level: portable loops everywhere, overridden by what the level has. */
#include "lib/kernels/row_table.h"

#include <pthread.h>

static struct attend_row_table portable;
static pthread_once_t filled = PTHREAD_ONCE_INIT; /* the tables are constant after it */

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
	fill_portable(&portable);
}

static const struct attend_row_table *table_of(attend_isa_level level)
{
	pthread_once(&filled, fill_tables);
	(void)level;
	return &portable;
}

const struct attend_row_table *attend_row_kernels(void)
{
	return table_of(attend_kernels_level());
}

const struct attend_row_table *attend_row_kernels_at(attend_isa_level level)
{
	return attend_cpu_supports(level) ? table_of(level) : NULL;
}
