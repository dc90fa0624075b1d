/* row_avx2.c: the row operations on AVX2 and FMA. */
#if defined(__x86_64__)
#include "lib/kernels/math_avx2.h"

#define PRODUCT_COLUMNS                  2
#define PRODUCT_ADD(factor, column, sum) vf_fma(factor, column, sum)
#include "lib/kernels/attention_vector.h"
#include "lib/kernels/element_vector.h"
#include "lib/kernels/norm_vector.h"
#include "lib/kernels/product_vector.h"

void attend_row_avx2(struct attend_row_table *table)
{
	attention_table(table);
	table->product = product;
	element_table(table);
	norm_table(table);
}
#endif
