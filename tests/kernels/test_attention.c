/* test_attention.c: attention forward at every level against double precision, and the promise of one answer: a query's bits
 * are those of a prefill, whether it comes alone, in a chunk, with neighbours, or over any number of threads. */
#include "tests/kernels/kernel_check.h"

#include "lib/core/rng.h"

enum { TILE = ATTEND_KV_TILE };

/* A sequence with its keys in tiles whose unused part is NaN. */
typedef struct sequence {
	attend_attention a;
	guarded q, k, v, out, tile_memory;
	float **tiles;
} sequence;

static sequence sequence_make(size_t heads, size_t dim, size_t tq, size_t tk, size_t padding)
{
	sequence s = {.a = {.heads = heads, .head_dim = dim, .tq = tq, .tk = tk, .scale = 1.0f / sqrtf((float)dim)}};
	const size_t width = heads * dim, ld = width + padding, floats = attend_kv_tile_floats(heads, dim);
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
	attend_kv_store(s.tiles, 0, tk, s.k.data, ld, s.v.data, ld, heads, dim);
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
	double x = 0.0;
	for (size_t d = 0; d < a->head_dim; d++)
		x += (double)a->q[i * a->ldq + h * a->head_dim + d] * (double)s->k.data[j * a->ldq + h * a->head_dim + d];
	x *= (double)a->scale;
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
	for (size_t h = 0; h < a->heads; h++) {
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
			for (size_t d = 0; d < a->head_dim; d++) {
				double want = 0.0;
				for (size_t j = 0; j < a->tk; j++)
					if (p[j] > 0.0) want += p[j] * (double)s->v.data[j * a->ldq + h * a->head_dim + d];
				assert_close(a->out[i * a->ldo + h * a->head_dim + d], want, 3e-6, 3e-6);
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
				sequence s = sequence_make(1 + check_below(3), dims[d], tq, tk, check_below(2) * 5);
				guarded p = guarded_make(s.a.heads * tq * tk, 3), log_sum = guarded_make(s.a.heads * tq, 1);
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
	{
		sequence s = sequence_make(2, 5, 7, 0, 0); /* no key: zeros */
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
			sequence s = sequence_make(heads, 12, tq, tk, 0);
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
	{
		sequence s = sequence_make(1, 8, 30, 200, 0);
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
	FOR_LEVELS(level)
	{
		sequence s = sequence_make(1, 8, 70, 70, 0);
		s.a.causal = true;
		sequence clean = sequence_make(1, 8, 70, 70, 0);
		clean.a.causal = true;
		memcpy(clean.q.data, s.q.data, s.q.count * sizeof(float));
		clean.a.tiles = s.a.tiles;
		run(&clean.a, 1);
		s.q.data[3 * 8 + 2] = NAN;       /* query 3: this row alone */
		s.tiles[0][5 * TILE + 40] = NAN; /* key 40: the rows that see it */
		run(&s.a, 1);
		for (size_t i = 0; i < 70; i++)
			for (size_t d = 0; d < 8; d++) {
				if (i == 3 || i >= 40) assert_true(isnan(s.out.data[i * 8 + d]));
				else assert_same_bits(s.out.data + i * 8 + d, clean.out.data + i * 8 + d, 1);
			}
		s.tiles[0][5 * TILE + 40] = 1.0f;
		s.q.data[3 * 8 + 2] = 1.0f;
		s.tiles[0][8 * TILE + 50 * 8] = INFINITY; /* value 50: unseen rows keep clean */
		run(&s.a, 1);
		for (size_t i = 0; i < 70; i++) assert_true(isinf(s.out.data[i * 8]) == (i >= 50));
		sequence_free(&s);
		sequence_free(&clean);
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
	{
		for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
			const size_t heads = 2, dim = dims[d], t = 197, width = heads * dim;
			sequence s = sequence_make(heads, dim, t, t, 0);
			s.a.causal = true;
			if (d & 1) {
				s.a.windowed = true;
				s.a.window_left = 70;
				s.a.window_right = 0;
			}
			run(&s.a, 1);
			for (size_t c = 0; c < sizeof steps / sizeof *steps; c++) {
				sequence part = sequence_make(heads, dim, t, t, 0);
				const size_t floats = attend_kv_tile_floats(heads, dim);
				for (size_t i = 0; i < (t / TILE + 1) * floats; i++) part.tile_memory.data[i] = NAN;
				for (size_t first = 0; first < t; first += steps[c]) {
					const size_t n = t - first < steps[c] ? t - first : steps[c];
					attend_attention a = s.a;
					const float *k = s.k.data + first * width, *v = s.v.data + first * width;
					if (n == 1 && first % 4 != 0) {
						a.new_key = k;
						a.new_value = v;
					} else {
						attend_kv_store(part.tiles, first, n, k, width, v, width, heads, dim);
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
	{
		sequence s[COUNT];
		attend_attention batch[COUNT];
		guarded alone[COUNT];
		attend_set_threads(1);
		for (size_t i = 0; i < COUNT; i++) {
			s[i] = sequence_make(3, 20, lengths[i], lengths[i] + i % 2 * 40, 4);
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

static void store_keeps_neighbours(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (size_t dim = 1; dim < 40; dim += 3) {
			const size_t heads = 2, width = heads * dim, t = 150;
			sequence s = sequence_make(heads, dim, 1, t, 3);
			guarded before = guarded_copy(&s.tile_memory, 0);
			for (size_t first = 0; first < t; first += 37) { /* the same again, piece by piece */
				const size_t n = t - first < 37 ? t - first : 37;
				attend_kv_store(s.tiles, first, n, s.k.data + first * (width + 3), width + 3,
				                s.v.data + first * (width + 3), width + 3, heads, dim);
				assert_same_bits(s.tile_memory.data, before.data, before.count);
			}
			for (size_t p = 0; p < t; p++)
				for (size_t h = 0; h < heads; h++)
					for (size_t d = 0; d < dim; d++) {
						const float *tile = s.tiles[p / TILE];
						const float k = s.k.data[p * (width + 3) + h * dim + d],
									v = s.v.data[p * (width + 3) + h * dim + d];
						assert_true(tile[(h * dim + d) * TILE + p % TILE] == k);
						assert_true(tile[heads * dim * TILE + (h * TILE + p % TILE) * dim + d] == v);
					}
			guarded_free(&before);
			sequence_free(&s);
		}
	}
}

static void copy_takes_what_is_filled(void **state)
{
	(void)state;
	static const size_t fills[] = {0, 1, 15, 16, 17, 40, TILE - 1, TILE};
	const size_t heads = 3, dim = 5, tiles = 2, half = heads * dim * TILE;
	guarded from = guarded_random(tiles * 2 * half, 3, -1, 1);
	for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
		guarded to = guarded_make(tiles * 2 * half, 4);
		memset(to.data, 0, tiles * 2 * half * sizeof(float));
		attend_kv_copy(to.data, from.data, tiles, fills[i], heads, dim);
		for (size_t n = 0; n < tiles * heads * dim * fills[i]; n++) {
			const size_t p = n % fills[i], d = n / fills[i] % dim, h = n / fills[i] / dim % heads;
			const size_t tile = n / fills[i] / dim / heads * 2 * half;
			const size_t k = tile + (h * dim + d) * TILE + p, v = tile + half + (h * TILE + p) * dim + d;
			assert_true(to.data[k] == from.data[k] && to.data[v] == from.data[v]);
		}
		guarded_free(&to);
	}
	guarded_free(&from);
}

/* ---- --bench ----------------------------------------------------------------------------------------------------------------- */
static void bench(size_t heads, size_t dim, size_t tq, size_t tk, bool causal)
{
	sequence s = sequence_make(heads, dim, tq, tk, 0);
	void *scratch = malloc(attend_attention_scratch(&s.a, 1));
	assert_non_null(scratch);
	s.a.causal = causal;
	s.a.first_query = tk - tq;
	FOR_LEVELS(level)
	{
		if (level == ATTEND_ISA_AVX512VNNI || level == ATTEND_ISA_AVX512BF16 || level == ATTEND_ISA_AMX ||
		    level == ATTEND_ISA_AVXVNNI)
			continue;
		for (int threads = 1; threads <= 2; threads++) {
			attend_set_threads(threads);
			BENCH_BEST(best, attend_attention_forward(&s.a, 1, scratch));
			const double keys = causal ? ((double)tk + (double)(tk - tq)) / 2.0 : (double)tk;
			printf("%-9s %d threads: heads %zu dim %zu, %zu x %zu%s: %.1f us, %.1f GFLOP/s, %.1f GB/s\n",
			       attend_isa_level_name(level), threads, heads, dim, tq, tk, causal ? " causal" : "", best * 1e6,
			       4e-9 * (double)(heads * dim * tq) * keys / best, 8e-9 * (double)(heads * dim * tk) / best);
		}
	}
	BENCH_BEST(store, attend_kv_store(s.tiles, 0, tk, s.k.data, s.a.ldq, s.v.data, s.a.ldq, heads, dim));
	printf("store %zu keys: %.1f us\n", tk, store * 1e6);
	free(scratch);
	sequence_free(&s);
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
