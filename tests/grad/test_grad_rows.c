/* test_grad_rows.c: gradients of the norms, activations, cross-entropy, and of the linear maps (rotary, embedding, dropout,
 * relative bias) by their adjoints: dy . f(x) = f'(dy) . x. */
#include "tests/grad/grad_check.h"

enum { N = 3, D = 37 };

typedef struct problem {
	double x[N * D], w[D], b[D], weights[N * D]; /* loss = sum weights . y */
	attend_activation act;
	bool rms;
	const attend_cross_entropy *ce;
} problem;

static problem problem_make(float *x, float *w, float *b, float *weights)
{
	problem p = {.act = ATTEND_ACT_NONE};
	for (size_t i = 0; i < N * D; i++) {
		p.x[i] = (double)(x[i] = check_uniform(-2.0f, 2.0f));
		p.weights[i] = (double)(weights[i] = check_uniform(-1.0f, 1.0f));
	}
	for (size_t i = 0; i < D; i++) {
		p.w[i] = (double)(w[i] = check_uniform(-2.0f, 2.0f));
		p.b[i] = (double)(b[i] = check_uniform(-2.0f, 2.0f));
	}
	return p;
}

static double norm_loss(void *arg)
{
	const problem *p = arg;
	double total = 0.0;
	for (size_t r = 0; r < N; r++) {
		const double *x = p->x + r * D;
		double mean = 0.0, squares = 0.0;
		if (!p->rms)
			for (size_t i = 0; i < D; i++) mean += x[i] / D;
		for (size_t i = 0; i < D; i++) squares += (x[i] - mean) * (x[i] - mean) / D;
		const double rstd = 1.0 / sqrt(squares + 1e-3);
		for (size_t i = 0; i < D; i++)
			total += p->weights[r * D + i] * ((x[i] - mean) * rstd * p->w[i] + (p->rms ? 0.0 : p->b[i]));
	}
	return total;
}

static void norms(void **state)
{
	(void)state;
	FOR_LEVELS(level)
	{
		for (int rms = 0; rms < 2; rms++) {
			float x[N * D], w[D], b[D], dy[N * D], y[N * D], mean[N], rstd[N], dx[N * D] = {0}, dw[D] = {0},
																					  db[D] = {0};
			static const float zeros[N * D];
			problem p = problem_make(x, w, b, dy);
			p.rms = rms;
			if (rms) {
				attend_rmsnorm_forward(y, x, w, 1e-3f, N, D, rstd);
				attend_rmsnorm_backward(dx, false, dw, dy, x, w, rstd, N, D);
			} else {
				attend_layernorm_forward(y, x, w, b, 1e-3f, N, D, mean, rstd);
				attend_layernorm_backward(dx, false, dw, db, dy, x, w, mean, rstd, N, D);
				grad_check("b", norm_loss, &p, p.b, db, zeros, D, 2e-6);
			}
			grad_check("x", norm_loss, &p, p.x, dx, zeros, N * D, 2e-6);
			grad_check("w", norm_loss, &p, p.w, dw, zeros, D, 2e-6);
		}
	}
}

static double ce_loss(void *arg)
{
	const problem *p = arg;
	const attend_cross_entropy *ce = p->ce;
	double total = 0.0;
	for (size_t r = 0; r < N; r++) {
		if (ce->labels[r] == ce->ignore) continue;
		double sum = 0.0;
		for (size_t c = 0; c < D; c++) sum += exp(p->x[r * D + c]);
		for (size_t c = 0; c < D; c++) {
			const double w = ce->class_weights ? (double)ce->class_weights[c] : 1.0, nll = log(sum) - p->x[r * D + c];
			total += w * nll *
			         ((double)ce->smoothing / D + (c == (size_t)ce->labels[r] ? 1.0 - (double)ce->smoothing : 0.0));
		}
	}
	return 1.7 * total;
}

static void cross_entropy(void **state)
{
	(void)state;
	static const int32_t labels[N] = {5, -100, 36};
	static const float zeros[N * D];
	FOR_LEVELS(level)
	{
		for (int variant = 0; variant < 4; variant++) {
			float x[N * D], w[D], b[D], dy[N * D], dx[N * D];
			problem p = problem_make(x, w, b, dy);
			for (size_t i = 0; i < D; i++) w[i] = fabsf(w[i]);
			attend_cross_entropy ce = {.logits = x,
			                           .n = N,
			                           .v = D,
			                           .labels = labels,
			                           .ignore = -100,
			                           .smoothing = variant & 1 ? 0.2f : 0.0f,
			                           .class_weights = variant & 2 ? w : NULL};
			p.ce = &ce;
			attend_cross_entropy_forward(&ce);
			assert_close(1.7 * ce.loss_sum, ce_loss(&p), 0.0, 1e-6);
			attend_cross_entropy_backward(dx, &ce, 1.7f);
			grad_check("logits", ce_loss, &p, p.x, dx, zeros, N * D, 2e-6);
		}
	}
}

static double act_loss(void *arg)
{
	const problem *p = arg;
	double total = 0.0;
	for (size_t i = 0; i < N * D; i++) {
		const double x = p->x[i], s = 1.0 / (1.0 + exp(-x));
		double y = x;
		switch (p->act) {
		case ATTEND_ACT_GELU: y = 0.5 * x * (1.0 + erf(x * 0.70710678118654752440)); break;
		case ATTEND_ACT_GELU_NEW:
			y = 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
			break;
		case ATTEND_ACT_SILU: y = x * s; break;
		case ATTEND_ACT_TANH: y = tanh(x); break;
		case ATTEND_ACT_SIGMOID: y = s; break;
		case ATTEND_ACT_QUICK_GELU: y = x / (1.0 + exp(-1.702 * x)); break;
		case ATTEND_ACT_MISH: y = x * tanh(log1p(exp(x))); break;
		default: break;
		}
		total += p->weights[i] * y;
	}
	return total;
}

static void activations(void **state)
{
	(void)state;
	static const attend_activation smooth[] = {ATTEND_ACT_NONE,       ATTEND_ACT_GELU, ATTEND_ACT_GELU_NEW,
	                                           ATTEND_ACT_SILU,       ATTEND_ACT_TANH, ATTEND_ACT_SIGMOID,
	                                           ATTEND_ACT_QUICK_GELU, ATTEND_ACT_MISH};
	static const float zeros[N * D];
	FOR_LEVELS(level)
	{
		for (size_t k = 0; k < sizeof smooth / sizeof *smooth; k++) {
			float x[N * D], w[D], b[D], dy[N * D], dx[N * D];
			problem p = problem_make(x, w, b, dy);
			p.act = smooth[k];
			attend_activation_backward(dx, dy, x, p.act, N * D);
			grad_check("x", act_loss, &p, p.x, dx, zeros, N * D, 2e-6);
		}
	}
}

static double dot(const float *a, const float *b, size_t count)
{
	double sum = 0.0;
	for (size_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
	return sum;
}

static void adjoints(void **state)
{
	(void)state;
	enum { ROWS = 11, TOKENS = 19, DIM = 24, COUNT = TOKENS * DIM };
	FOR_LEVELS(level)
	{
		float x[COUNT], y[COUNT], dy[COUNT], dx[COUNT], table[ROWS * DIM], dtable[ROWS * DIM] = {0};
		int32_t ids[TOKENS];
		for (size_t i = 0; i < COUNT; i++) {
			x[i] = y[i] = check_uniform(-1.0f, 1.0f);
			dy[i] = dx[i] = check_uniform(-1.0f, 1.0f);
		}
		for (size_t i = 0; i < TOKENS; i++) ids[i] = (int32_t)check_below(ROWS);
		attend_rotary_forward(y, DIM, TOKENS, 3, DIM / 3, ids, 100.0f);
		attend_rotary_backward(dx, DIM, TOKENS, 3, DIM / 3, ids, 100.0f);
		assert_close(dot(dy, y, COUNT), dot(dx, x, COUNT), 1e-5, 1e-6);

		attend_dropout_forward(y, x, 0.4f, 1, 2, COUNT);
		attend_dropout_forward(dx, dy, 0.4f, 1, 2, COUNT);
		assert_close(dot(dy, y, COUNT), dot(dx, x, COUNT), 1e-5, 1e-6);

		for (size_t i = 0; i < ROWS * DIM; i++) table[i] = check_uniform(-1.0f, 1.0f);
		attend_embedding_forward(y, table, ATTEND_DTYPE_F32, ids, TOKENS, DIM, 1.3f, false);
		attend_embedding_backward(dtable, dy, ids, TOKENS, DIM, 1.3f, -1);
		assert_close(dot(dy, y, COUNT), dot(dtable, table, ROWS * DIM), 1e-5, 1e-6);

		enum { HEADS = 3, SPAN = 40, WIDTH = HEADS * (2 * SPAN + 1) };
		float bias[WIDTH], dbias[WIDTH], buckets[32 * HEADS], dbuckets[32 * HEADS] = {0};
		for (size_t i = 0; i < 32 * HEADS; i++) buckets[i] = check_uniform(-1.0f, 1.0f);
		for (size_t i = 0; i < WIDTH; i++) dbias[i] = check_uniform(-1.0f, 1.0f);
		attend_relative_bias_forward(bias, SPAN, buckets, HEADS, true, 32, 128);
		attend_relative_bias_backward(dbuckets, dbias, SPAN, HEADS, true, 32, 128);
		assert_close(dot(dbias, bias, WIDTH), dot(dbuckets, buckets, 32 * HEADS), 1e-5, 1e-6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(norms),
		cmocka_unit_test(cross_entropy),
		cmocka_unit_test(activations),
		cmocka_unit_test(adjoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
