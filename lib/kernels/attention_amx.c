/* attention_amx.c: attention's products of bf16 pairs on tile registers, and in vectors with the same bits. tdpbf16ps (Intel SDM
 * vol. 2) takes groups of 16 words, 32 numbers: from zero the even products and the odd ones in a chain of fused multiply-adds
 * each, then both chains added to each other and to the sum; subnormals count as zeros. Groups begin at multiples of 16 from the
 * start of a head's dimensions, of a tile's positions. A product that is 0 changes no chain, so a row may take whole groups with
 * probabilities of 0 where it sees nothing: unless what it does not see is infinite or NaN, which is looked for afterwards.
 *
 * vdpbf16ps has half of the FMA units' arithmetic on the CPUs that have tile registers (measured: Sapphire Rapids and later). */
#include <string.h>

#include "lib/kernels/attention_tile.h"
#include "lib/kernels/math_avx512.h"
#include "lib/kernels/tile_registers.h"

enum { TILE = ATTEND_KV_TILE, GROUP = 16, ROWS = 32, COLUMNS = 64 };
enum { SUBNORMALS_ARE_ZEROS = 0x8040 };

/* ---- In vectors -------------------------------------------------------------------------------------------------------- */
/* Words from .. to-1 of a row times columns of a matrix, both counted from the start of a group. */
typedef struct chains {
	float *c;
	const float *a;
	size_t a_step;
	const float *b;
	size_t ldb, from, to;
	uint32_t first, last; /* bits of the first and the last word of b that count */
	attend_product_start start;
	float factor;
} chains;

/* `vectors` of columns, a constant where it is called; m: lanes of the last one. */
static inline __attribute__((always_inline)) void run_chains(const chains *p, const size_t vectors, vm m)
{
	enum { MOST = COLUMNS / LANES };
	const __m512i high = _mm512_set1_epi32((int)0xffff0000u);
	vf sum[MOST];
#pragma GCC unroll 4
	for (size_t v = 0; v < vectors; v++) {
		sum[v] = p->start == ATTEND_FROM_ZERO ? vf_zero()
		                                      : vf_load_where(v + 1 < vectors ? vm_first(LANES) : m, p->c + v * LANES);
		if (p->start == ATTEND_FROM_SCALED) sum[v] = vf_mul(vf_set(p->factor), sum[v]);
	}
	for (size_t k = p->from, end; k < p->to; k = end) {
		vf even[MOST], odd[MOST];
#pragma GCC unroll 4
		for (size_t v = 0; v < vectors; v++) even[v] = odd[v] = vf_zero();
		end = (k / GROUP + 1) * GROUP;
		if (end > p->to) end = p->to;
		for (; k < end; k++) {
			uint32_t bits = 0xffffffffu;
			if (k == p->from) bits &= p->first;
			if (k + 1 == p->to) bits &= p->last;
			const __m512i mask = _mm512_set1_epi32((int)bits), a = _mm512_castps_si512(vf_set(p->a[k * p->a_step]));
			const vf a_even = _mm512_castsi512_ps(_mm512_slli_epi32(a, 16)),
					 a_odd = _mm512_castsi512_ps(_mm512_and_si512(a, high));
#pragma GCC unroll 4
			for (size_t v = 0; v < vectors; v++) {
				const float *at = p->b + k * p->ldb + v * LANES;
				const __m512i b =
					_mm512_and_si512(_mm512_castps_si512(v + 1 < vectors ? vf_load(at) : vf_load_where(m, at)), mask);
				even[v] = vf_fma(a_even, _mm512_castsi512_ps(_mm512_slli_epi32(b, 16)), even[v]);
				odd[v] = vf_fma(a_odd, _mm512_castsi512_ps(_mm512_and_si512(b, high)), odd[v]);
			}
		}
#pragma GCC unroll 4
		for (size_t v = 0; v < vectors; v++) sum[v] = vf_add(sum[v], vf_add(even[v], odd[v]));
	}
#pragma GCC unroll 4
	for (size_t v = 0; v < vectors; v++)
		vf_store_where(v + 1 < vectors ? vm_first(LANES) : m, p->c + v * LANES, sum[v]);
}

/* All columns of one row. */
static inline void run_row(chains p, size_t n)
{
	for (size_t j = 0; j < n; j += COLUMNS, p.c += COLUMNS, p.b += COLUMNS) {
		const size_t width = n - j < COLUMNS ? n - j : COLUMNS, vectors = (width + LANES - 1) / LANES;
		const vm m = vm_first(width - (vectors - 1) * LANES);
		switch (vectors) {
		case 1: run_chains(&p, 1, m); break;
		case 2: run_chains(&p, 2, m); break;
		case 3: run_chains(&p, 3, m); break;
		default: run_chains(&p, 4, m); break;
		}
	}
}

/* Not inlined: nothing of it moves across the switch of the rounding of subnormals. */
__attribute__((noinline)) static void run_rows(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step,
                                               const float *b, size_t ldb, size_t rows, size_t steps, size_t n,
                                               attend_product_start start, const float *factors)
{
	for (size_t r = 0; r < rows; r++)
		run_row((chains){.c = c + r * ldc,
		                 .a = a + r * a_row,
		                 .a_step = a_step,
		                 .b = b,
		                 .ldb = ldb,
		                 .to = steps,
		                 .first = 0xffffffffu,
		                 .last = 0xffffffffu,
		                 .start = start,
		                 .factor = start == ATTEND_FROM_SCALED ? factors[r] : 1.0f},
		        n);
}

static void product_pairs(float *c, size_t ldc, const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
                          size_t rows, size_t steps, size_t n, attend_product_start start, const float *factors)
{
	const unsigned control = _mm_getcsr();
	_mm_setcsr(control | SUBNORMALS_ARE_ZEROS);
	run_rows(c, ldc, a, a_row, a_step, b, ldb, rows, steps, n, start, factors);
	_mm_setcsr(control);
}

/* out = start + p v of one row over its own lanes; of a pair of which it sees one the other's value is taken as 0. */
__attribute__((noinline)) static void run_value_row(float *out, const float *pairs, attend_lane_range lanes,
                                                    const float *values, size_t ldv, size_t columns,
                                                    attend_product_start start, float factor)
{
	run_row((chains){.c = out,
	                 .a = pairs,
	                 .a_step = 1,
	                 .b = values,
	                 .ldb = ldv,
	                 .from = lanes.lo / 2,
	                 .to = (lanes.hi + 1) / 2,
	                 .first = lanes.lo % 2 ? 0xffff0000u : 0xffffffffu,
	                 .last = lanes.hi % 2 ? 0xffffu : 0xffffffffu,
	                 .start = start,
	                 .factor = factor},
	        columns);
}

static void value_row(float *out, const float *pairs, attend_lane_range lanes, const float *values, size_t ldv,
                      size_t columns, attend_product_start start, float factor)
{
	const unsigned control = _mm_getcsr();
	_mm_setcsr(control | SUBNORMALS_ARE_ZEROS);
	run_value_row(out, pairs, lanes, values, ldv, columns, start, factor);
	_mm_setcsr(control);
}

/* ---- On tile registers ---------------------------------------------------------------------------------------------------- */
/* A group of words of both sides; rows of a lie a_row apart, the 16 of b b_row. */
typedef struct group {
	const float *a, *b;
	size_t a_row, b_row;
} group;

enum { GROUPS = 8, FLOAT = sizeof(float) };

/* to [16 or 32 rows, 32 columns] = from + a b over `count` groups; from NULL: zeros. */
static inline __attribute__((always_inline)) void multiply(float *to, size_t ldto, const float *from, size_t ldfrom,
                                                           const group *groups, size_t count, const bool two)
{
	if (from) {
		_tile_loadd(0, from, ldfrom * FLOAT);
		_tile_loadd(1, from + GROUP, ldfrom * FLOAT);
		if (two) {
			_tile_loadd(2, from + GROUP * ldfrom, ldfrom * FLOAT);
			_tile_loadd(3, from + GROUP * ldfrom + GROUP, ldfrom * FLOAT);
		}
	} else {
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
	}
	for (const group *g = groups; g < groups + count; g++) {
		_tile_loadd(4, g->a, g->a_row * FLOAT);
		_tile_loadd(6, g->b, g->b_row * FLOAT);
		_tile_dpbf16ps(0, 4, 6);
		_tile_loadd(7, g->b + GROUP, g->b_row * FLOAT);
		_tile_dpbf16ps(1, 4, 7);
		if (two) {
			_tile_loadd(5, g->a + GROUP * g->a_row, g->a_row * FLOAT);
			_tile_dpbf16ps(2, 5, 6);
			_tile_dpbf16ps(3, 5, 7);
		}
	}
	_tile_stored(0, to, ldto * FLOAT);
	_tile_stored(1, to + GROUP, ldto * FLOAT);
	if (two) {
		_tile_stored(2, to + GROUP * ldto, ldto * FLOAT);
		_tile_stored(3, to + GROUP * ldto + GROUP, ldto * FLOAT);
	}
}

static void multiply_columns(float *to, size_t ldto, const float *from, size_t ldfrom, group *groups, size_t count,
                             size_t columns, bool two)
{
	for (size_t j = 0; j < columns; j += 2 * GROUP) {
		const float *start = from ? from + j : NULL;
		if (two) multiply(to + j, ldto, start, ldfrom, groups, count, true);
		else multiply(to + j, ldto, start, ldfrom, groups, count, false);
		for (size_t g = 0; g < count; g++) groups[g].b += 2 * GROUP;
	}
}

/* to [rows_to][width] = x [rows, columns], of whose last row the bits of `last` count, and zeros; width: whole vectors. */
static void pad(float *to, size_t rows_to, size_t width, const float *x, size_t ldx, size_t rows, size_t columns,
                uint32_t last)
{
	for (size_t r = 0; r < rows_to; r++)
		for (size_t j = 0; j < width; j += LANES) {
			const size_t part = r >= rows || columns <= j ? 0 : columns - j < LANES ? columns - j : LANES;
			const __m512i words = _mm512_castps_si512(vf_load_where(vm_first(part), x + r * ldx + j));
			const __m512i mask = _mm512_set1_epi32(r + 1 == rows ? (int)last : -1);
			vf_store(to + r * width + j, _mm512_castsi512_ps(_mm512_and_si512(words, mask)));
		}
}

static void scores(float *s, const float *q, const float *keys, size_t begin, size_t end, size_t words, size_t lanes)
{
	const size_t first = begin / GROUP * GROUP, whole = words / GROUP, rest = words % GROUP;
	const bool two = end - first > GROUP;
	float q_rest[ROWS * GROUP], keys_rest[GROUP * TILE];
	group groups[GROUPS];
	for (size_t g = 0; g < whole; g++)
		groups[g] = (group){q + first * words + g * GROUP, keys + g * GROUP * TILE, words, TILE};
	if (rest) {
		pad(q_rest, ROWS, GROUP, q + first * words + whole * GROUP, words, end - first, rest, 0xffffffffu);
		pad(keys_rest, GROUP, TILE, keys + whole * GROUP * TILE, TILE, rest, lanes, 0xffffffffu);
		groups[whole] = (group){q_rest, keys_rest, GROUP, TILE};
	}
	s += first * TILE;
	multiply_columns(s, TILE, NULL, 0, groups, whole + (rest != 0), lanes, two);
}

/* sums *= factors, in whole vectors. */
static void scale_sums(float *sums, size_t ld, size_t begin, size_t end, const float *factors)
{
	for (size_t r = begin; r < end; r++) {
		if (factors[r] == 1.0f) continue;
		for (size_t j = 0; j < ld; j += LANES)
			vf_store(sums + r * ld + j, vf_mul(vf_set(factors[r]), vf_load(sums + r * ld + j)));
	}
}

static bool all_finite(const float *x, size_t rows, size_t columns)
{
	vf zeros = vf_zero();
	for (size_t r = 0; r < rows; r++)
		for (size_t j = 0; j < columns; j += LANES) zeros = vf_fma(vf_load(x + r * COLUMNS + j), vf_zero(), zeros);
	return _mm512_cmp_ps_mask(zeros, vf_zero(), _CMP_EQ_OQ) == 0xffff;
}

/* Up to COLUMNS columns. */
static void value_columns(float *sums, size_t ld, const float *pairs, const float *v, size_t ldv, size_t columns,
                          size_t begin, size_t end, const attend_lane_range *lanes, attend_lane_range some, bool alike,
                          bool add)
{
	enum { NUMBERS = 2 * GROUP };
	_Alignas(64) float padded[TILE / 2 * COLUMNS], results[ROWS * COLUMNS];
	const size_t first = begin / GROUP * GROUP;
	group groups[TILE / NUMBERS];
	size_t count = 0;
	for (size_t lane = some.lo / NUMBERS * NUMBERS; lane < some.hi; lane += NUMBERS, count++) {
		const float *b = v + lane / 2 * ldv, *p = pairs + first * (TILE / 2) + lane / 2;
		const size_t seen = some.hi - lane;
		groups[count] = (group){p, b, TILE / 2, ldv};
		if (seen >= NUMBERS && columns % (2 * GROUP) == 0) continue;
		float *copy = padded + count * GROUP * COLUMNS;
		const size_t rows = seen < NUMBERS ? (seen + 1) / 2 : GROUP;
		pad(copy, GROUP, COLUMNS, b, ldv, rows, columns, seen < NUMBERS && seen % 2 ? 0xffffu : 0xffffffffu);
		groups[count].b = copy;
		groups[count].b_row = COLUMNS;
	}
	const bool two = end - first > GROUP;
	float *from = add ? sums + first * ld : NULL;
	if (alike) {
		multiply_columns(sums + first * ld, ld, from, ld, groups, count, columns, two);
		return;
	}
	multiply_columns(results, COLUMNS, from, ld, groups, count, columns, two);
	const float *mine = results + (begin - first) * COLUMNS;
	const bool finite = all_finite(mine, end - begin, columns);
	for (size_t r = begin; r < end; r++) {
		if (finite) memcpy(sums + r * ld, mine + (r - begin) * COLUMNS, columns * FLOAT);
		else
			value_row(sums + r * ld, pairs + r * (TILE / 2), lanes[r], v, ldv, columns,
			          add ? ATTEND_FROM_C : ATTEND_FROM_ZERO, 1.0f);
	}
}

static void values(float *sums, const float *pairs, const float *v, size_t dim, size_t begin, size_t end,
                   const attend_lane_range *lanes, bool even, attend_product_start start, const float *factors)
{
	const size_t ld = attend_group_columns(dim);
	attend_lane_range some = lanes[begin];
	for (size_t r = begin + 1; r < end && !even; r++) {
		if (lanes[r].lo < some.lo) some.lo = lanes[r].lo;
		if (lanes[r].hi > some.hi) some.hi = lanes[r].hi;
	}
	const bool alike = even && some.lo % (2 * GROUP) == 0; /* no row is multiplied with what it does not see */
	const bool add = start == ATTEND_FROM_SCALED;
	if (add) scale_sums(sums, ld, begin, end, factors);
	for (size_t d = 0; d < dim; d += COLUMNS)
		value_columns(sums + d, ld, pairs, v + d, dim, dim - d < COLUMNS ? dim - d : COLUMNS, begin, end, lanes, some,
		              alike, add);
}

static const struct attend_attention_groups groups_amx = {
	.enter = tiles_enter,
	.leave = tiles_leave,
	.scores = scores,
	.values = values,
	.value_row = value_row,
};

void attend_row_amx(struct attend_row_table *table)
{
	table->product_pairs = product_pairs;
	table->groups = &groups_amx;
}
