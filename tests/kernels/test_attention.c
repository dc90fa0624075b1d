/* test_attention.c: attention forward at every level against double precision, and the promise of one answer: a query's bits
 * are those of a prefill, whether it comes alone, in a chunk, with neighbours, or over any number of threads. */
#include "tests/kernels/kernel_check.h"

#include "lib/core/half.h"
#include "lib/core/rng.h"
#include "lib/kernels/math_portable.h"
#include "lib/kernels/row_table.h"

enum { TILE = ATTEND_KV_TILE };

#define FOR_TYPES(type) for (attend_kv_type type = ATTEND_KV_F32; type <= ATTEND_KV_BF16; type = type + 1u)

/* A sequence with its keys in tiles whose unused part is NaN. */
typedef struct sequence {
	attend_attention a;
	guarded q, k, v, out, tile_memory;
	float **tiles;
} sequence;

static sequence sequence_make(attend_kv_type type, size_t heads, size_t dim, size_t tq, size_t tk, size_t padding)
{
	sequence s = {.a = {.kv = {heads, dim, type}, .tq = tq, .tk = tk, .scale = 1.0f / sqrtf((float)dim)}};
	const size_t width = heads * dim, ld = width + padding, floats = attend_kv_tile_floats(&s.a.kv);
	const size_t tiles = tk / TILE + 1;
	s.q = guarded_random(tq * ld, 1, -2.0f, 2.0f);
	s.k = guarded_random(tk * ld, 3, -2.0f, 2.0f);
	s.v = guarded_random(tk * ld, 5, -2.0f, 2.0f);
	s.out = guarded_random(tq * ld, 7, -2.0f, 2.0f);
	s.tile_memory = guarded_make(tiles * floats, 0);
	for (size_t i = 0; i < tiles * floats; i++) s.tile_memory.data[i] = NAN;
	s.tiles = malloc(tiles * sizeof *s.tiles);
	assert_non_null(s.tiles);
	for (size_t i = 0; i < tiles; i++) s.tiles[i] = s.tile_memory.data + i * floats;
	attend_kv_store(&s.a.kv, s.tiles, 0, tk, s.k.data, ld, s.v.data, ld);
	s.a.q = s.q.data;
	s.a.ldq = ld;
	s.a.tiles = s.tiles;
	s.a.out = s.out.data;
	s.a.ldo = ld;
	return s;
}

static void sequence_free(sequence *s)
{
	guarded_free(&s->q);
	guarded_free(&s->k);
	guarded_free(&s->v);
	guarded_free(&s->out);
	guarded_free(&s->tile_memory);
	free(s->tiles);
}

static void run(const attend_attention *a, size_t count)
{
	void *scratch = malloc(attend_attention_scratch(a, count) + 1);
	assert_non_null(scratch);
	attend_attention_forward(a, count, scratch);
	free(scratch);
}

/* ---- Inputs as the type rounds them -------------------------------------------------------------------------------------- */
static float rounded(const sequence *s, float x)
{
	return s->a.kv.type == ATTEND_KV_BF16 ? attend_bf16_f32(attend_f32_bf16(x)) : x;
}

/* ---- The definition, in double ------------------------------------------------------------------------------------------ */
static bool visible(const attend_attention *a, size_t i, size_t j)
{
	if (a->causal && j > a->first_query + i) return false;
	if (!a->windowed) return true;
	const int64_t pq = a->q_positions ? a->q_positions[i] : (int64_t)(a->first_query + i);
	const int64_t pk = a->k_positions ? a->k_positions[j] : (int64_t)j;
	return pk - pq >= -(int64_t)a->window_left && pk - pq <= (int64_t)a->window_right;
}

static double score(const sequence *s, size_t h, size_t i, size_t j)
{
	const attend_attention *a = &s->a;
	const float scale = a->scale * MATH_LOG2_E;
	const size_t at = h * a->kv.head_dim;
	double x = 0.0;
	for (size_t d = at; d < at + a->kv.head_dim; d++)
		x += (double)rounded(s, scale * a->q[i * a->ldq + d]) * (double)rounded(s, s->k.data[j * a->ldq + d]);
	x *= (double)MATH_LN_2;
	if (a->distance_bias) {
		const int64_t span = (int64_t)a->distance_span;
		const int64_t pq = a->q_positions ? a->q_positions[i] : (int64_t)(a->first_query + i);
		const int64_t pk = a->k_positions ? a->k_positions[j] : (int64_t)j;
		int64_t distance = pk - pq;
		if (distance > span) distance = span;
		if (distance < -span) distance = -span;
		x += (double)a->distance_bias[(int64_t)h * (2 * span + 1) + span + distance];
	}
	if (a->dense_bias) x += (double)a->dense_bias[h * a->dense_ldh + i * a->dense_ldi + j];
	return visible(a, i, j) ? x : -INFINITY;
}

static bool dropped(const attend_attention *a, size_t h, size_t i, size_t j)
{
	uint32_t words[4];
	const uint64_t element = (uint64_t)(h * a->tq + i) * a->tk + j;
	attend_rng_block(words, a->dropout_seed, a->dropout_stream, element / 4);
	return (double)words[element % 4] < (double)a->dropout * 0x1p32;
}

static void check_against_double(const sequence *s)
{
	const attend_attention *a = &s->a;
	double *p = malloc((a->tk + 1) * sizeof *p);
	assert_non_null(p);
	for (size_t h = 0; h < a->kv.heads; h++) {
		for (size_t i = 0; i < a->tq; i++) {
			double max = -INFINITY, sum = 0.0;
			for (size_t j = 0; j < a->tk; j++) {
				p[j] = score(s, h, i, j);
				if (p[j] > max) max = p[j];
			}
			for (size_t j = 0; j < a->tk; j++) {
				p[j] = p[j] == -INFINITY ? 0.0 : exp(p[j] - max);
				sum += p[j];
			}
			for (size_t j = 0; j < a->tk; j++) {
				if (sum > 0.0) p[j] /= sum;
				if (a->probabilities) assert_close(a->probabilities[(h * a->tq + i) * a->tk + j], p[j], 1e-6, 4e-6);
				if (a->dropout > 0.0f) p[j] *= dropped(a, h, i, j) ? 0.0 : 1.0 / (1.0 - (double)a->dropout);
			}
			if (a->log_sum) assert_close(a->log_sum[h * a->tq + i], sum > 0.0 ? max + log(sum) : -INFINITY, 2e-6, 1e-6);
			for (size_t d = 0; d < a->kv.head_dim; d++) {
				double want = 0.0, size = 0.0;
				for (size_t j = 0; j < a->tk; j++) {
					if (p[j] <= 0.0) continue;
					const double term = p[j] * (double)rounded(s, s->v.data[j * a->ldq + h * a->kv.head_dim + d]);
					want += term;
					size += fabs(term);
				}
				/* probabilities are rounded to 8 bits */
				const double slack = a->kv.type == ATTEND_KV_BF16 ? 0x1p-8 * size : 0.0;
				assert_close(a->out[i * a->ldo + h * a->kv.head_dim + d], want, 3e-6 + slack, 3e-6);
			}
		}
	}
	free(p);
}

/* ---- Against the definition ---------------------------------------------------------------------------------------------- */
static void shapes(void **state)
{
	(void)state;
	static const size_t dims[] = {1, 3, 5, 8, 16, 17, 31, 32, 33, 64, 80, 128, 256, 300};
	static const size_t lengths[] = {1, 2, 5, 7, 23, 24, 25, 63, 64, 65, 129, 200};
	FOR_LEVELS(level)
	{
		for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
			for (size_t n = 0; n < 4; n++) {
				const size_t tq = lengths[check_below(12)], tk = lengths[check_below(12)];
				sequence s = sequence_make((attend_kv_type)check_below(2), 1 + check_below(3), dims[d], tq, tk,
				                           check_below(2) * 5);
				guarded p = guarded_make(s.a.kv.heads * tq * tk, 3), log_sum = guarded_make(s.a.kv.heads * tq, 1);
				s.a.causal = n & 1;
				s.a.first_query = s.a.causal && tk > tq ? tk - tq : 0;
				s.a.probabilities = p.data;
				s.a.log_sum = log_sum.data;
				run(&s.a, 1);
				check_against_double(&s);
				guarded_free(&p);
				guarded_free(&log_sum);
				sequence_free(&s);
			}
		}
	}
}

static void empty(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	FOR_TYPES(type)
	{
		sequence s = sequence_make(type, 2, 5, 7, 0, 0); /* no key: zeros */
		run(&s.a, 1);
		for (size_t i = 0; i < 70; i++) assert_true(s.out.data[i] == 0.0f);
		s.a.tq = 0;
		run(&s.a, 1);
		run(NULL, 0);
		sequence_free(&s);
	}
}

/* Windows, distances (clamped or not), dense biases, given positions, dropout: one by one and together. */
static void variants(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t bits = 0; bits < 64; bits++) {
			const size_t heads = 2, tq = 90, tk = bits & 32 ? 150 : 131, span = bits & 16 ? 20 : 200;
			sequence s =
				sequence_make(bits % 7 && bits % 11 % 2 ? ATTEND_KV_BF16 : ATTEND_KV_F32, heads, 12, tq, tk, 0);
			guarded distances = guarded_random(heads * (2 * span + 1), 1, -2.0f, 2.0f);
			guarded dense = guarded_random(heads * tq * tk, 1, -2.0f, 2.0f);
			guarded p = guarded_make(heads * tq * tk, 3), log_sum = guarded_make(heads * tq, 1);
			int32_t positions[150];
			for (size_t i = 0; i < 150; i++) positions[i] = (int32_t)(2 * i + check_below(7));
			for (size_t i = 0; i < heads * tq * tk; i++)
				if (check_below(4) == 0) dense.data[i] = -INFINITY;
			for (size_t j = 0; j < tk; j++) dense.data[5 * tk + j] = -INFINITY; /* this row sees nothing */
			s.a.first_query = bits & 32 ? 60 : 0;
			s.a.causal = bits & 1;
			s.a.windowed = bits & 2;
			s.a.window_left = 30;
			s.a.window_right = 17;
			if (bits & 4) {
				s.a.distance_bias = distances.data;
				s.a.distance_span = span;
			}
			if (bits & 8) {
				s.a.dense_bias = dense.data;
				s.a.dense_ldh = tq * tk;
				s.a.dense_ldi = tk;
			}
			if (bits % 3 == 0) s.a.q_positions = positions;
			if (bits % 5 == 0) s.a.k_positions = positions;
			if (bits % 2 == 0) s.a.probabilities = p.data;
			s.a.log_sum = log_sum.data;
			s.a.dropout = bits % 7 == 0 ? 0.25f : 0.0f;
			s.a.dropout_seed = 123456789012345u;
			s.a.dropout_stream = 77;
			run(&s.a, 1);
			check_against_double(&s);
			guarded_free(&distances);
			guarded_free(&dense);
			guarded_free(&p);
			guarded_free(&log_sum);
			sequence_free(&s);
		}
	}
}

/* Scores of +-80 and more: the running maximum must carry them. */
static void large_scores(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	FOR_TYPES(type)
	{
		sequence s = sequence_make(type, 1, 8, 30, 200, 0);
		s.a.scale = 40.0f;
		run(&s.a, 1);
		for (size_t i = 0; i < 30 * 8; i++) {
			assert_true(isfinite(s.out.data[i]));
			assert_true(fabsf(s.out.data[i]) <= 2.0001f);
		}
		sequence_free(&s);
	}
}

static void not_numbers_spread(void **state)
{
	(void)state;
	enum { T = 70, DIM = 8, QUERY = 3, KEY = 41, VALUE = 51 }; /* odd ones: their neighbours in a pair keep clean */
	FOR_LEVELS(level)
	FOR_TYPES(type)
	{
		sequence s = sequence_make(type, 1, DIM, T, T, 0);
		s.a.causal = true;
		run(&s.a, 1);
		guarded clean = guarded_copy(&s.out, 0);
		s.q.data[QUERY * DIM + 2] = NAN; /* this row alone */
		s.k.data[KEY * DIM + 5] = NAN;   /* the rows that see it */
		attend_kv_store(&s.a.kv, s.tiles, 0, T, s.k.data, DIM, s.v.data, DIM);
		run(&s.a, 1);
		for (size_t i = 0; i < T; i++)
			for (size_t d = 0; d < DIM; d++) {
				if (i == QUERY || i >= KEY) assert_true(isnan(s.out.data[i * DIM + d]));
				else assert_same_bits(s.out.data + i * DIM + d, clean.data + i * DIM + d, 1);
			}
		s.q.data[QUERY * DIM + 2] = s.k.data[KEY * DIM + 5] = 1.0f;
		s.v.data[VALUE * DIM] = INFINITY;
		attend_kv_store(&s.a.kv, s.tiles, 0, T, s.k.data, DIM, s.v.data, DIM);
		run(&s.a, 1);
		for (size_t i = 0; i < T; i++) assert_true(isinf(s.out.data[i * DIM]) == (i >= VALUE));
		guarded_free(&clean);
		sequence_free(&s);
	}
}

/* ---- One answer ------------------------------------------------------------------------------------------------------------ */
/* Causal prefill of T against chunks and single steps, whose keys arrive as they go. */
static void chunks_and_steps(void **state)
{
	(void)state;
	static const size_t dims[] = {3, 16, 32, 64, 100, 128, 260};
	static const size_t steps[] = {1, 7, 24, 64, 100};
	FOR_LEVELS(level)
	FOR_TYPES(type)
	{
		for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
			const size_t heads = 2, dim = dims[d], t = 197, width = heads * dim;
			sequence s = sequence_make(type, heads, dim, t, t, 0);
			s.a.causal = true;
			if (d & 1) {
				s.a.windowed = true;
				s.a.window_left = 70;
				s.a.window_right = 0;
			}
			run(&s.a, 1);
			for (size_t c = 0; c < sizeof steps / sizeof *steps; c++) {
				sequence part = sequence_make(type, heads, dim, t, t, 0);
				const size_t floats = attend_kv_tile_floats(&part.a.kv);
				for (size_t i = 0; i < (t / TILE + 1) * floats; i++) part.tile_memory.data[i] = NAN;
				for (size_t first = 0; first < t; first += steps[c]) {
					const size_t n = t - first < steps[c] ? t - first : steps[c];
					attend_attention a = s.a;
					const float *k = s.k.data + first * width, *v = s.v.data + first * width;
					if (n == 1 && first % 4 != 0) {
						a.new_key = k;
						a.new_value = v;
					} else {
						attend_kv_store(&part.a.kv, part.tiles, first, n, k, width, v, width);
					}
					a.tiles = part.tiles;
					a.tq = n;
					a.tk = first + n;
					a.first_query = first;
					a.q = s.q.data + first * width;
					a.out = part.out.data + first * width;
					run(&a, 1);
				}
				assert_same_bits(part.out.data, s.out.data, t * width);
				sequence_free(&part);
			}
			sequence_free(&s);
		}
	}
}

/* A ragged batch against each sequence alone, over one to five threads. */
static void neighbours_and_threads(void **state)
{
	(void)state;
	static const size_t lengths[] = {1, 17, 64, 130, 3, 90, 300};
	enum { COUNT = sizeof lengths / sizeof *lengths };
	FOR_LEVELS(level)
	FOR_TYPES(type)
	{
		sequence s[COUNT];
		attend_attention batch[COUNT];
		guarded alone[COUNT];
		attend_set_threads(1);
		for (size_t i = 0; i < COUNT; i++) {
			s[i] = sequence_make(type, 3, 20, lengths[i], lengths[i] + i % 2 * 40, 4);
			run(&s[i].a, 1);
			alone[i] = guarded_copy(&s[i].out, 0);
			batch[i] = s[i].a;
		}
		for (int threads = 1; threads <= 5; threads++) {
			attend_set_threads(threads);
			for (size_t i = 0; i < COUNT; i++)
				for (size_t r = 0; r < lengths[i]; r++) memset(s[i].out.data + r * 64, 0xff, 60 * sizeof(float));
			run(batch, COUNT);
			for (size_t i = 0; i < COUNT; i++) assert_same_bits(s[i].out.data, alone[i].data, alone[i].count);
		}
		for (size_t i = 0; i < COUNT; i++) {
			sequence_free(&s[i]);
			guarded_free(&alone[i]);
		}
	}
	attend_set_threads(0);
}

/* The number that the tile keeps at word `word`; half 1 is a pair's high one. */
static float kept(const sequence *s, const float *tile, size_t word, size_t half)
{
	if (s->a.kv.type == ATTEND_KV_F32) return tile[word];
	const uint32_t bits = attend_f32_bits(tile[word]);
	return attend_bits_f32(half ? bits & 0xffff0000u : bits << 16);
}

static void store_keeps_neighbours(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	FOR_TYPES(type)
	{
		for (size_t dim = 1; dim < 80; dim += dim < 40 ? 3 : 13) {
			const size_t heads = 2, width = heads * dim, t = 150, pair = type == ATTEND_KV_BF16 ? 2 : 1;
			const size_t key_rows = (dim + pair - 1) / pair;
			sequence s = sequence_make(type, heads, dim, 1, t, 3);
			guarded before = guarded_copy(&s.tile_memory, 0);
			for (size_t first = 0; first < t; first += 37) { /* the same again, piece by piece */
				const size_t n = t - first < 37 ? t - first : 37;
				attend_kv_store(&s.a.kv, s.tiles, first, n, s.k.data + first * (width + 3), width + 3,
				                s.v.data + first * (width + 3), width + 3);
				assert_same_bits(s.tile_memory.data, before.data, before.count);
			}
			for (size_t p = 0; p < t; p++)
				for (size_t h = 0; h < heads; h++)
					for (size_t d = 0; d < dim; d++) {
						const float *tile = s.tiles[p / TILE], *values = tile + heads * key_rows * TILE;
						const size_t at = p * (width + 3) + h * dim + d, lane = p % TILE;
						const size_t key = (h * key_rows + d / pair) * TILE + lane;
						assert_true(kept(&s, tile, key, d % pair) == rounded(&s, s.k.data[at]));
						const size_t value = (h * (TILE / pair) + lane / pair) * dim + d;
						assert_true(kept(&s, values, value, lane % pair) == rounded(&s, s.v.data[at]));
					}
			guarded_free(&before);
			sequence_free(&s);
		}
	}
}

/* Two tiles of a sequence of which `fill` positions each are copied answer as the whole ones do, over those positions. */
static void copy_takes_what_is_filled(void **state)
{
	(void)state;
	static const size_t fills[] = {0, 1, 15, 16, 17, 40, TILE - 1, TILE};
	FOR_TYPES(type)
	{
		for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
			sequence s = sequence_make(type, 3, 5, 4, TILE, 0);
			const size_t floats = attend_kv_tile_floats(&s.a.kv);
			guarded from = guarded_random(2 * floats, 3, -1, 1), to = guarded_make(2 * floats, 4);
			memset(to.data, 0xff, 2 * floats * sizeof(float));
			attend_kv_copy(&s.a.kv, to.data, from.data, 2, fills[i]);
			s.a.tk = fills[i];
			for (size_t tile = 0; tile < 2; tile++) {
				s.tiles[0] = from.data + tile * floats;
				run(&s.a, 1);
				guarded whole = guarded_copy(&s.out, 0);
				s.tiles[0] = to.data + tile * floats;
				run(&s.a, 1);
				assert_same_bits(s.out.data, whole.data, whole.count);
				guarded_free(&whole);
			}
			guarded_free(&from);
			guarded_free(&to);
			sequence_free(&s);
		}
	}
}

/* ---- Products of pairs ------------------------------------------------------------------------------------------------------- */
/* Each level's against the portable ones: within the rounding of f32 sums; the same words. */
static void pairs_against_portable(void **state)
{
	(void)state;
	const struct attend_row_table *slow = attend_row_kernels_at(ATTEND_ISA_PORTABLE);
	FOR_LEVELS(level)
	{
		const struct attend_row_table *fast = attend_row_kernels();
		for (size_t round = 0; round < 200; round++) {
			const size_t rows = check_below(27), steps = check_below(70), n = check_below(140);
			const size_t lda = steps + check_below(3), ldb = n + check_below(3), ldc = n + check_below(3);
			guarded x = guarded_random(2 * rows * lda, 0, -2, 2), y = guarded_random(2 * steps * ldb, 0, -2, 2);
			guarded a = guarded_make(rows * lda, 1), b = guarded_make(steps * ldb, 5),
					factors = guarded_random(rows, 3, 0, 1);
			guarded c = guarded_random(rows * ldc, 2, -1, 1), want = guarded_copy(&c, 7),
					again = guarded_make(b.count, 9);
			slow->round_pairs(a.data, x.data, 2 * lda, 0.3f, rows, 2 * lda);
			slow->weave_pairs(b.data, y.data, y.data + b.count, b.count);
			const attend_product_start start = (attend_product_start)check_below(3);
			slow->product_pairs(want.data, ldc, a.data, lda, 1, b.data, ldb, rows, steps, n, start, factors.data);
			fast->product_pairs(c.data, ldc, a.data, lda, 1, b.data, ldb, rows, steps, n, start, factors.data);
			for (size_t i = 0; i < c.count; i++) assert_close(c.data[i], (double)want.data[i], 1e-6, 2e-4);
			fast->weave_pairs(again.data, y.data, y.data + b.count, b.count);
			assert_same_bits(again.data, b.data, b.count);
			guarded odd = guarded_make(rows * lda, 1), other = guarded_make(rows * lda, 6);
			for (size_t count = 2 * lda > 3 ? 2 * lda - 3 : 0; count <= 2 * lda; count++) {
				slow->round_pairs(odd.data, x.data, 2 * lda, 0.3f, rows, count);
				fast->round_pairs(other.data, x.data, 2 * lda, 0.3f, rows, count);
				assert_same_bits(other.data, odd.data, rows * ((count + 1) / 2));
			}
			guarded *const all[] = {&x, &y, &a, &b, &factors, &c, &want, &again, &odd, &other};
			for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
		}
	}
}

/* ---- --bench ----------------------------------------------------------------------------------------------------------------- */
static void bench(size_t heads, size_t dim, size_t tq, size_t tk, bool causal)
{
	FOR_LEVELS(level)
	FOR_TYPES(type)
	{
		if (level == ATTEND_ISA_AVX512VNNI || level == ATTEND_ISA_AVXVNNI) continue;
		if (type == ATTEND_KV_BF16 && !attend_bf16_pays()) continue;
		sequence s = sequence_make(type, heads, dim, tq, tk, 0);
		void *scratch = malloc(attend_attention_scratch(&s.a, 1));
		assert_non_null(scratch);
		s.a.causal = causal;
		s.a.first_query = tk - tq;
		for (int threads = 1; threads <= 2; threads++) {
			attend_set_threads(threads);
			BENCH_BEST(best, attend_attention_forward(&s.a, 1, scratch));
			const double keys = causal ? ((double)tk + (double)(tk - tq)) / 2.0 : (double)tk;
			printf("%-10s %s %d threads: heads %zu dim %zu, %zu x %zu%s: %.1f us, %.1f GFLOP/s, %.1f GB/s\n",
			       attend_isa_level_name(level), type == ATTEND_KV_BF16 ? "bf16" : "f32 ", threads, heads, dim, tq, tk,
			       causal ? " causal" : "", best * 1e6, 4e-9 * (double)(heads * dim * tq) * keys / best,
			       8e-9 * (double)(heads * dim * tk) / (double)(type + 1u) / best);
		}
		attend_set_threads(1);
		BENCH_BEST(store, attend_kv_store(&s.a.kv, s.tiles, 0, tk, s.k.data, s.a.ldq, s.v.data, s.a.ldq));
		printf("store %zu keys: %.1f us\n", tk, store * 1e6);
		free(scratch);
		sequence_free(&s);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(empty),
		cmocka_unit_test(variants),
		cmocka_unit_test(large_scores),
		cmocka_unit_test(not_numbers_spread),
		cmocka_unit_test(chunks_and_steps),
		cmocka_unit_test(neighbours_and_threads),
		cmocka_unit_test(store_keeps_neighbours),
		cmocka_unit_test(copy_takes_what_is_filled),
		cmocka_unit_test(pairs_against_portable),
	};
	if (bench_asked(argc, argv)) {
		bench(12, 64, 16, 16, false);
		bench(12, 64, 128, 128, false);
		bench(12, 64, 512, 512, false);
		bench(12, 64, 512, 512, true);
		bench(12, 32, 128, 128, false);
		bench(12, 64, 1, 900, false);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
