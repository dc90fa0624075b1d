/* row_avx512.c: the row operations on AVX-512 (F, BW, DQ, VL). */
#if defined(__x86_64__)
#include "lib/kernels/math_avx512.h"

#include "lib/kernels/gelu_avx512.h"

#define PRODUCT_COLUMNS                  4
#define PRODUCT_ADD(factor, column, sum) vf_fma(factor, column, sum)
#include "lib/kernels/attention_vector.h"
#include "lib/kernels/element_vector.h"
#include "lib/kernels/norm_vector.h"
#include "lib/kernels/product_vector.h"

void attend_row_avx512(struct attend_row_table *table)
{
	attention_table(table);
	table->product = product;
	element_table(table);
	norm_table(table);
}
#endif
