/* attention_portable.c: attention's inner loops (row_table.h) in plain C: what every level has until it has its own. */
#include <math.h>
#include <string.h>

#include "lib/core/half.h"
#include "lib/kernels/attention_tile.h"
#include "lib/kernels/math_portable.h"

enum { TILE = ATTEND_KV_TILE };

/* y = start, from which a row of a product goes on. */
static void start_row(float *y, size_t n, attend_product_start start, float factor)
{
	if (start == ATTEND_FROM_ZERO) memset(y, 0, n * sizeof *y);
	for (size_t j = 0; start == ATTEND_FROM_SCALED && j < n; j++) y[j] *= factor;
}

static void product(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
                    size_t rows, size_t steps, size_t n, attend_product_start start, const float *factors)
{
	for (size_t r = 0; r < rows; r++) {
		float *y = c + r * ldc;
		start_row(y, n, start, start == ATTEND_FROM_SCALED ? factors[r] : 1.0f);
		for (size_t k = 0; k < steps; k++) {
			const float factor = a[r * a_row + k * a_step];
			for (size_t j = 0; j < n; j++) y[j] += factor * b[k * ldb + j];
		}
	}
}

/* The second factor of a word counts first, as in vdpbf16ps. */
static void product_pairs(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
                          size_t rows, size_t steps, size_t n, attend_product_start start, const float *factors)
{
	for (size_t r = 0; r < rows; r++) {
		float *y = c + r * ldc;
		start_row(y, n, start, start == ATTEND_FROM_SCALED ? factors[r] : 1.0f);
		for (size_t k = 0; k < steps; k++) {
			const uint32_t x = attend_f32_bits(a[r * a_row + k * a_step]);
			for (size_t j = 0; j < n; j++) {
				const uint32_t w = attend_f32_bits(b[k * ldb + j]);
				y[j] += attend_bits_f32(x & 0xffff0000u) * attend_bits_f32(w & 0xffff0000u);
				y[j] += attend_bits_f32(x << 16) * attend_bits_f32(w << 16);
			}
		}
	}
}

static float pair_of(float even, float odd)
{
	return attend_bits_f32((uint32_t)attend_f32_bf16(odd) << 16 | attend_f32_bf16(even));
}

static void round_pairs(float *words, const float *x, size_t ldx, float factor, size_t rows, size_t count)
{
	for (size_t r = 0; r < rows; r++, x += ldx)
		for (size_t i = 0; i < count; i += 2)
			*words++ = pair_of(factor * x[i], i + 1 < count ? factor * x[i + 1] : 0.0f);
}

static void weave_pairs(float *words, const float *even, const float *odd, size_t count)
{
	for (size_t i = 0; i < count; i++) words[i] = pair_of(even[i], odd[i]);
}

static void attention_rows(float *s, float *pairs, size_t rows, const attend_lane_range *ranges,
                           const float *const *bias, float *max, float *factor, float (*sum)[ATTEND_SUM_LANES])
{
	for (size_t r = 0; r < rows; r++, s += TILE) {
		const attend_lane_range range = ranges ? ranges[r] : (attend_lane_range){0, TILE};
		float top = max[r];
		for (size_t j = range.lo; j < range.hi; j++) {
			if (bias && bias[r]) s[j] += bias[r][j] * MATH_LOG2_E;
			top = s[j] > top ? s[j] : top;
		}
		const float shift = top == -INFINITY ? 0.0f : top;
		factor[r] = top == max[r] ? 1.0f : math_exp2(max[r] - shift);
		max[r] = top;
		for (size_t j = 0; j < ATTEND_SUM_LANES; j++) sum[r][j] *= factor[r];
		for (size_t j = range.lo; j < range.hi; j++) {
			s[j] = math_exp2(s[j] - shift);
			sum[r][j % ATTEND_SUM_LANES] += s[j];
		}
		if (pairs == NULL) continue;
		for (size_t j = 0; j < TILE; j++)
			if (j < range.lo || j >= range.hi) s[j] = 0.0f;
		round_pairs(pairs + r * (TILE / 2), s, TILE, 1.0f, 1, TILE);
	}
}

static void attention_probabilities(float *s, size_t lo, size_t hi, float scale, const float *bias, float log_sum)
{
	for (size_t j = 0; j < TILE; j++)
		s[j] = j >= lo && j < hi ? math_exp((bias ? scale * s[j] + bias[j] : scale * s[j]) - log_sum) : 0.0f;
}

static void transpose(float *tile, const float *x, size_t ldx, size_t count, size_t head_dim)
{
	for (size_t d = 0; d < head_dim; d++)
		for (size_t j = 0; j < count; j++) tile[d * TILE + j] = x[j * ldx + d];
}

void attend_attention_portable(struct attend_row_table *table)
{
	table->product = product;
	table->product_pairs = product_pairs;
	table->round_pairs = round_pairs;
	table->weave_pairs = weave_pairs;
	table->attention_rows = attention_rows;
	table->attention_probabilities = attention_probabilities;
	table->transpose = transpose;
}
