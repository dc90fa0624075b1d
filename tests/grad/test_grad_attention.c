/* test_grad_attention.c: dq, dk, dv and the gradients of both biases, with masks, windows, dropout and several sequences. */
#include "tests/grad/grad_check.h"

#include "lib/core/rng.h"

typedef struct problem {
	attend_attention a;
	size_t width;
	double *q, *k, *v, *distances, *dense, *weights; /* loss = sum weights . out */
} problem;

static double loss(void *arg)
{
	const problem *p = arg;
	const attend_attention *a = &p->a;
	double total = 0.0, *s = malloc((a->tk + 1) * sizeof *s);
	assert_non_null(s);
	for (size_t h = 0; h < a->kv.heads; h++) {
		for (size_t i = 0; i < a->tq; i++) {
			double max = -INFINITY, sum = 0.0;
			for (size_t j = 0; j < a->tk; j++) {
				const int64_t distance = (int64_t)j - (int64_t)(a->first_query + i), span = (int64_t)a->distance_span;
				double x = 0.0;
				for (size_t d = 0; d < a->kv.head_dim; d++)
					x += p->q[i * p->width + h * a->kv.head_dim + d] * p->k[j * p->width + h * a->kv.head_dim + d];
				x *= (double)a->scale;
				if (p->distances) {
					const int64_t clamped = distance > span ? span : distance < -span ? -span : distance;
					x += p->distances[(int64_t)h * (2 * span + 1) + span + clamped];
				}
				if (p->dense) x += p->dense[(h * a->tq + i) * a->tk + j];
				if (a->causal && distance > 0) x = -INFINITY;
				if (a->windowed && (distance < -(int64_t)a->window_left || distance > (int64_t)a->window_right))
					x = -INFINITY;
				s[j] = x;
				max = fmax(max, x);
			}
			if (max == -INFINITY) continue;
			for (size_t j = 0; j < a->tk; j++) sum += s[j] = exp(s[j] - max);
			for (size_t j = 0; j < a->tk; j++) {
				double mass = s[j] / sum;
				if (a->dropout > 0.0f) {
					uint32_t words[4];
					const uint64_t element = (uint64_t)(h * a->tq + i) * a->tk + j;
					attend_rng_block(words, a->dropout_seed, a->dropout_stream, element / 4);
					mass *= (double)words[element % 4] < (double)a->dropout * 0x1p32 ? 0.0
					                                                                 : 1.0 / (1.0 - (double)a->dropout);
				}
				for (size_t d = 0; d < a->kv.head_dim; d++) {
					const size_t at = h * a->kv.head_dim + d;
					total += p->weights[i * p->width + at] * mass * p->v[j * p->width + at];
				}
			}
		}
	}
	free(s);
	return total;
}

static void check(size_t heads, size_t dim, size_t tq, size_t tk, unsigned bits)
{
	enum { SPAN = 4, DISTANCES = 2 * SPAN + 1 };
	const size_t width = heads * dim, dense_count = heads * tq * tk;
	guarded q = guarded_random(tq * width, 1, -1.5f, 1.5f), k = guarded_random(tk * width, 2, -1.5f, 1.5f);
	guarded v = guarded_random(tk * width, 3, -1.5f, 1.5f), out = guarded_make(tq * width, 4);
	guarded weights = guarded_random(tq * width, 5, -1.0f, 1.0f), log_sum = guarded_make(heads * tq, 6);
	guarded distances = guarded_random(heads * DISTANCES, 7, -1.0f, 1.0f),
			dense = guarded_random(dense_count, 8, -1.0f, 1.0f);
	guarded dq = guarded_random(tq * width, 1, -1.0f, 1.0f), dk = guarded_random(tk * width, 2, -1.0f, 1.0f);
	guarded dv = guarded_random(tk * width, 3, -1.0f, 1.0f), ddist = guarded_random(heads * DISTANCES, 4, -1.0f, 1.0f);
	guarded ddense = guarded_random(dense_count, 5, -1.0f, 1.0f);
	guarded dq0 = guarded_copy(&dq, 0), dk0 = guarded_copy(&dk, 0), dv0 = guarded_copy(&dv, 0),
			ddist0 = guarded_copy(&ddist, 0);
	guarded ddense0 = guarded_copy(&ddense, 0);
	const size_t floats = attend_kv_tile_floats(&(attend_kv_shape){heads, dim, ATTEND_KV_F32}),
				 tile_count = tk / ATTEND_KV_TILE + 1;
	float *memory = malloc(tile_count * floats * sizeof *memory), *tiles[8];
	assert_non_null(memory);
	for (size_t i = 0; i < tile_count * floats; i++) memory[i] = NAN;
	for (size_t i = 0; i < tile_count; i++) tiles[i] = memory + i * floats;
	attend_kv_store(&(attend_kv_shape){heads, dim, ATTEND_KV_F32}, tiles, 0, tk, k.data, width, v.data, width);

	attend_attention_grad g = {.forward = {.kv = {heads, dim, ATTEND_KV_F32}, .tq = tq, .tk = tk, .scale = 0.6f}};
	attend_attention *a = &g.forward;
	a->causal = bits & 1;
	a->first_query = bits & 1 && tk > tq ? tk - tq : 0;
	a->windowed = bits & 2;
	a->window_left = 3;
	a->window_right = 2;
	a->distance_bias = bits & 4 ? distances.data : NULL;
	a->distance_span = SPAN;
	a->dense_bias = bits & 8 ? dense.data : NULL;
	a->dense_ldh = tq * tk;
	a->dense_ldi = tk;
	if (bits & 8)
		for (size_t j = 0; j < tk; j++) dense.data[tk * (tq / 2) + j] = -INFINITY; /* a row that sees nothing */
	a->dropout = bits & 16 ? 0.3f : 0.0f;
	a->dropout_seed = 99;
	a->dropout_stream = 3;
	a->q = q.data;
	a->ldq = a->ldo = width;
	a->tiles = tiles;
	a->out = out.data;
	a->log_sum = log_sum.data;
	g.k = k.data;
	g.v = v.data;
	g.dout = weights.data;
	g.ldk = g.ldv = g.lddo = g.lddq = g.lddk = g.lddv = width;
	g.dq = dq.data;
	g.dk = dk.data;
	g.dv = dv.data;
	g.d_distance_bias = bits & 4 ? ddist.data : NULL;
	g.d_dense_bias = bits & 8 ? ddense.data : NULL;
	void *scratch = malloc(attend_attention_scratch(a, 1) + attend_attention_backward_scratch(&g, 1) + 64);
	assert_non_null(scratch);
	attend_attention_forward(a, 1, scratch);
	attend_attention_backward(&g, 1, scratch);

	problem p = {*a,
	             width,
	             grad_widen(q.data, q.count),
	             grad_widen(k.data, k.count),
	             grad_widen(v.data, v.count),
	             NULL,
	             NULL,
	             grad_widen(weights.data, weights.count)};
	if (bits & 4) p.distances = grad_widen(distances.data, distances.count);
	if (bits & 8) p.dense = grad_widen(dense.data, dense.count);
	grad_check("q", loss, &p, p.q, dq.data, dq0.data, q.count, 3e-6);
	grad_check("k", loss, &p, p.k, dk.data, dk0.data, k.count, 3e-6);
	grad_check("v", loss, &p, p.v, dv.data, dv0.data, v.count, 3e-6);
	/* One element collects a clamped side of the whole matrix: thousands of terms. */
	if (bits & 4) grad_check("distance", loss, &p, p.distances, ddist.data, ddist0.data, distances.count, 1e-5);
	if (bits & 8 && tk < 20) {
		for (size_t j = 0; j < tk; j++) { /* -inf has no difference; its gradient is 0 */
			assert_true(ddense.data[tk * (tq / 2) + j] == ddense0.data[tk * (tq / 2) + j]);
			p.dense[tk * (tq / 2) + j] = 0.0;
			ddense.data[tk * (tq / 2) + j] = ddense0.data[tk * (tq / 2) + j];
		}
		for (size_t at = 0; at < dense_count; at++) {
			if (at / tk == tq / 2) continue;
			grad_check("dense", loss, &p, p.dense + at, ddense.data + at, ddense0.data + at, 1, 2e-3);
		}
	}
	double *wide[] = {p.q, p.k, p.v, p.distances, p.dense, p.weights};
	for (size_t i = 0; i < 6; i++) free(wide[i]);
	guarded *all[] = {&q,  &k,  &v,     &out,    &weights, &log_sum, &distances, &dense,  &dq,
	                  &dk, &dv, &ddist, &ddense, &dq0,     &dk0,     &dv0,       &ddist0, &ddense0};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
	free(memory);
	free(scratch);
}

static void every_variant(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (unsigned bits = 0; bits < 32; bits++) {
			check(2, 3, 7, 9, bits);
			check(1, 5, 1, 6, bits);
		}
	}
}

static void several_tiles(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		check(1, 2, 70, 70, 1);
		check(1, 2, 51, 131, 4 | 16);
	}
}

/* The same bits whatever the team, also where sequences share a bias gradient and heads a dense one. */
static void teams(void **state)
{
	(void)state;
	enum { HEADS = 5, DIM = 9, WIDTH = HEADS * DIM, LONGEST = 150, COUNT = 4, SPAN = 30 };
	static const size_t lengths[COUNT] = {150, 64, 1, 77};
	FOR_LEVELS(level)
	{
		guarded x = guarded_random(4 * LONGEST * WIDTH, 0, -1.0f, 1.0f), out = guarded_make(COUNT * LONGEST * WIDTH, 0);
		guarded sums = guarded_make(COUNT * HEADS * LONGEST, 0),
				dense = guarded_random(LONGEST * LONGEST, 0, -1.0f, 1.0f);
		guarded first = {0};
		const size_t floats = attend_kv_tile_floats(&(attend_kv_shape){HEADS, DIM, ATTEND_KV_F32}),
					 size = LONGEST * WIDTH;
		float *memory = malloc(3 * floats * sizeof *memory), *tiles[3] = {memory, memory + floats, memory + 2 * floats};
		assert_non_null(memory);
		attend_kv_store(&(attend_kv_shape){HEADS, DIM, ATTEND_KV_F32}, tiles, 0, LONGEST, x.data + size, WIDTH,
		                x.data + 2 * size, WIDTH);
		for (int threads = 1; threads < 5; threads++) {
			guarded d = guarded_make(3 * COUNT * size + HEADS * (2 * SPAN + 1) + LONGEST * LONGEST, 0);
			memset(d.data, 0, d.count * sizeof(float));
			attend_attention_grad g[COUNT];
			for (size_t i = 0; i < COUNT; i++) {
				g[i] = (attend_attention_grad){
					.forward = {.kv = {HEADS, DIM, ATTEND_KV_F32}, .tq = lengths[i], .tk = lengths[i], .scale = 1.0f}};
				attend_attention *a = &g[i].forward;
				a->q = x.data;
				a->ldq = a->ldo = WIDTH;
				a->tiles = tiles;
				a->out = out.data + i * size;
				a->log_sum = sums.data + i * HEADS * LONGEST;
				a->dense_bias = dense.data;
				a->dense_ldi = LONGEST;
				g[i].k = x.data + size;
				g[i].v = x.data + 2 * size;
				g[i].dout = x.data + 3 * size;
				g[i].ldk = g[i].ldv = g[i].lddo = g[i].lddq = g[i].lddk = g[i].lddv = WIDTH;
				g[i].dq = d.data + 3 * i * size;
				g[i].dk = d.data + (3 * i + 1) * size;
				g[i].dv = d.data + (3 * i + 2) * size;
				g[i].overwrite = threads % 2 == 0; /* NaN, then */
				for (size_t part = 0; part < 3 && g[i].overwrite; part++)
					memset(d.data + (3 * i + part) * size, 0xff, lengths[i] * WIDTH * sizeof(float));
				g[i].d_distance_bias = d.data + 3 * COUNT * size;
				a->distance_span = SPAN;
				g[i].d_dense_bias = d.data + 3 * COUNT * size + HEADS * (2 * SPAN + 1);
			}
			attend_set_threads(threads);
			void *scratch = malloc(attend_attention_backward_scratch(g, COUNT) + 4096);
			assert_non_null(scratch);
			for (size_t i = 0; i < COUNT; i++) attend_attention_forward(&g[i].forward, 1, scratch);
			attend_attention_backward(g, COUNT, scratch);
			free(scratch);
			if (threads == 1) first = d;
			else {
				assert_same_bits(d.data, first.data, d.count);
				guarded_free(&d);
			}
		}
		attend_set_threads(0);
		guarded *all[] = {&x, &out, &sums, &dense, &first};
		for (size_t i = 0; i < 5; i++) guarded_free(all[i]);
		free(memory);
	}
}

static void bench(void)
{
	enum { HEADS = 12, DIM = 64, WIDTH = HEADS * DIM, T = 128, COUNT = 8 };
	const size_t size = T * WIDTH, floats = attend_kv_tile_floats(&(attend_kv_shape){HEADS, DIM, ATTEND_KV_F32});
	guarded x = guarded_random(4 * size, 0, -1.0f, 1.0f), out = guarded_make(COUNT * size, 0),
			sums = guarded_make(COUNT * HEADS * T, 0);
	guarded d = guarded_make(3 * COUNT * size, 0), memory = guarded_make(2 * floats, 0);
	float *tiles[2] = {memory.data, memory.data + floats};
	attend_attention_grad g[COUNT];
	attend_attention a[COUNT];
	memset(d.data, 0, d.count * sizeof(float));
	attend_kv_store(&(attend_kv_shape){HEADS, DIM, ATTEND_KV_F32}, tiles, 0, T, x.data + size, WIDTH, x.data + 2 * size,
	                WIDTH);
	for (size_t i = 0; i < COUNT; i++) {
		a[i] = (attend_attention){.kv = {HEADS, DIM, ATTEND_KV_F32},
		                          .tq = T,
		                          .tk = T,
		                          .scale = 0.125f,
		                          .q = x.data,
		                          .ldq = WIDTH,
		                          .tiles = tiles,
		                          .out = out.data + i * size,
		                          .ldo = WIDTH,
		                          .log_sum = sums.data + i * HEADS * T};
		g[i] = (attend_attention_grad){.forward = a[i],
		                               .k = x.data + size,
		                               .v = x.data + 2 * size,
		                               .dout = x.data + 3 * size,
		                               .ldk = WIDTH,
		                               .ldv = WIDTH,
		                               .lddo = WIDTH,
		                               .lddq = WIDTH,
		                               .lddk = WIDTH,
		                               .lddv = WIDTH,
		                               .dq = d.data + 3 * i * size,
		                               .dk = d.data + (3 * i + 1) * size,
		                               .dv = d.data + (3 * i + 2) * size};
	}
	void *scratch = malloc(attend_attention_backward_scratch(g, COUNT) + 4096);
	assert_non_null(scratch);
	for (int dropped = 0; dropped < 2; dropped++) {
		for (int threads = 1; threads < 3; threads++) {
			attend_set_threads(threads);
			FOR_LEVELS(level)
			{
				BENCH_BEST(forward, attend_attention_forward(a, COUNT, scratch));
				BENCH_BEST(backward, attend_attention_backward(g, COUNT, scratch));
				printf(
					"%-10s %d threads, 8 x 128 x 12 x 64%s: forward %.2f ms (%.0f GFLOP/s), backward %.2f ms (%.0f GFLOP/s)\n",
					attend_isa_level_name(level), threads, dropped ? " with dropout" : "", forward * 1e3,
					4e-9 * COUNT * T * T * WIDTH / forward, backward * 1e3, 10e-9 * COUNT * T * T * WIDTH / backward);
			}
		}
		for (size_t i = 0; i < COUNT; i++) a[i].dropout = g[i].forward.dropout = 0.1f;
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_variant),
		cmocka_unit_test(several_tiles),
		cmocka_unit_test(teams),
	};
	if (bench_asked(argc, argv)) {
		bench();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
