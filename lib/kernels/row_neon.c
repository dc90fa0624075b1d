/* row_neon.c: the row operations on AArch64 Advanced SIMD. */
#if defined(__aarch64__)
#include "lib/kernels/math_neon.h"

#define PRODUCT_COLUMNS                  4
#define PRODUCT_ADD(factor, column, sum) vf_fma(factor, column, sum)
#include "lib/kernels/attention_vector.h"
#include "lib/kernels/element_vector.h"
#include "lib/kernels/norm_vector.h"
#include "lib/kernels/product_vector.h"

void attend_row_neon(struct attend_row_table *table)
{
	attention_table(table);
	table->product = product;
	element_table(table);
	norm_table(table);
}
#endif
