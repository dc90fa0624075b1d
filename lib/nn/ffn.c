/* ffn.c: the feed-forward sub-layer and its mirror.
 *
 *   plain   f(n) = down(act(up n))              (Vaswani et al. 2017)
 *   gated   f(n) = down(act(gate n) * (up n))   (Shazeer 2020)
 *
 * The activation's output is not kept: backward makes it again from the value before activation. */
#include "lib/core/threads.h"
#include "lib/nn/session_state.h"

static attend_norm_kind kind(const attend_pass *pass)
{
	return pass->arch->norm;
}

/* h [N,F], or laid out for the next product, = act(...) of this run, from x = n. */
static void activate(const attend_pass *pass, float *h, size_t ldh, const float *n)
{
	const attend_stack_arch *arch = pass->arch;
	const size_t f = arch->intermediate, d = arch->hidden;
	const attend_block_params *b = pass->block;
	attend_block_acts *acts = pass->acts;
	attend_epilogue e = {.act = arch->activation, .pre_activation = pass->keep ? acts->pre : NULL};
	if (arch->gated) {
		attend_pass_linear(pass, &b->up, acts->up, f, n, d, NULL);
		e.multiply = acts->up;
		e.ld_multiply = f;
		attend_pass_linear(pass, &b->gate, h, ldh, n, d, &e);
	} else {
		attend_pass_linear(pass, &b->up, h, ldh, n, d, &e);
	}
}

/* The sub-layer for pass->rows rows from row `at` on. */
static void forward_rows(attend_pass *pass, size_t at, float *h)
{
	const attend_stack_arch *arch = pass->arch;
	attend_block_params *b = pass->block;
	attend_sublayer *s = &pass->acts->ffn;
	const bool pre = arch->norm_place == ATTEND_NORM_PRE,
			   dropout = pass->state->dropout && arch->dropout_activation > 0.0f;
	const size_t d = arch->hidden, f = arch->intermediate, rows = pass->rows;
	const float *x = s->x + at * d, *n = x;
	float *y = s->y + at * d, *z = s->z + at * d, *mean = s->mean ? s->mean + at : NULL,
		  *rstd = s->rstd ? s->rstd + at : NULL, *sum = pre ? y : z;
	if (pre) {
		attend_norm_run(kind(pass), arch->norm_eps, &b->ffn_norm, z, x, rows, d, mean, rstd);
		n = z;
	}
	const bool laid = !dropout && attend_linear_lays_for(arch->gated ? &b->gate : &b->up, &b->down, rows);
	const size_t ldh = laid ? ATTEND_LAID : f;
	activate(pass, h, ldh, n);
	attend_site_dropout(pass->session, pass->stack, pass->run, ATTEND_SITE_ACTIVATION, arch->dropout_activation, h,
	                    rows * f);
	attend_residual_run(pass, &b->down, sum, h, ldh, x, ATTEND_SITE_FFN_OUTPUT,
	                    arch->no_ffn_output_dropout ? 0.0f : arch->dropout_hidden);
	if (!pre) attend_norm_run(kind(pass), arch->norm_eps, &b->ffn_norm, y, z, rows, d, mean, rstd);
}

/* Many rows of which nothing is kept go through the sub-layer by stretches, each on one thread from the norm to the last sum: what
 * stands between the products stays in that core's cache, and nobody waits for anybody. */
typedef struct stretches {
	const attend_pass *pass;
	size_t count;
	size_t most;    /* rows of a stretch */
	size_t scratch; /* bytes of a thread */
} stretches;

static bool by_stretches(const attend_pass *pass, stretches *s)
{
	enum { ROWS = 256 }; /* of a thread at least: the last stretch may be waited for */
	const size_t threads = (size_t)attend_threads(), rows = pass->rows;
	const attend_block_params *b = pass->block;
	/* A profiler sees one operation after the other. */
	if (pass->keep || pass->state->dropout || pass->session->network->profiler) return false;
	if (rows < ROWS * threads) return false;
	const size_t each = attend_linear_run_stretch(&b->up) * threads, count = (rows + each - 1) / each * threads,
				 most = (rows + count - 1) / count;
	const size_t up = attend_linear_run_scratch(&b->up, most), down = attend_linear_run_scratch(&b->down, most);
	*s = (stretches){pass, count, most, up > down ? up : down};
	return true;
}

static void stretch(void *arg, size_t index, unsigned worker)
{
	const stretches *s = arg;
	const size_t f = s->pass->arch->intermediate, at = index * s->pass->rows / s->count;
	attend_pass part = *s->pass;
	attend_block_acts acts = *part.acts;
	unsigned char *scratch = part.session->scratch.kernel;
	part.acts = &acts;
	part.rows = (index + 1) * s->pass->rows / s->count - at;
	part.kernel = scratch + worker * s->scratch;
	if (acts.up) acts.up += worker * s->most * f;
	forward_rows(&part, at, part.session->scratch.h + worker * s->most * f);
}

void attend_ffn_forward(attend_pass *pass)
{
	stretches s;
	if (by_stretches(pass, &s)) attend_parallel_apart(s.count, stretch, &s);
	else forward_rows(pass, 0, pass->session->scratch.h);
}

/* dn (+)= gradient of n through f, df [N,D] being the gradient of f's output. dn NULL: not wanted. */
static void inner_backward(attend_pass *pass, float *dn, bool overwrite, const float *df, const float *n)
{
	const attend_stack_arch *arch = pass->arch;
	attend_block_params *b = pass->block;
	attend_block_acts *acts = pass->acts;
	attend_session *session = pass->session;
	attend_scratch *scratch = &session->scratch;
	const size_t d = arch->hidden, f = arch->intermediate, rows = pass->rows, count = rows * f;
	float *h = scratch->h, *dh = scratch->d_h;
	attend_activation_forward(h, acts->pre, arch->activation, count);
	if (arch->gated) attend_multiply(h, h, acts->up, count);
	attend_site_dropout(session, pass->stack, pass->run, ATTEND_SITE_ACTIVATION, arch->dropout_activation, h, count);
	attend_linear_run_backward(session, &b->down, dh, f, true, df, d, h, f, rows);
	attend_site_dropout(session, pass->stack, pass->run, ATTEND_SITE_ACTIVATION, arch->dropout_activation, dh, count);
	if (arch->gated) {
		float *dup = scratch->d_up;
		attend_activation_forward(h, acts->pre, arch->activation, count);
		attend_multiply(dup, dh, h, count);
		attend_multiply(dh, dh, acts->up, count);
		attend_activation_backward(dh, dh, acts->pre, arch->activation, count);
		attend_linear_run_backward(session, &b->gate, dn, d, overwrite, dh, f, n, d, rows);
		attend_linear_run_backward(session, &b->up, dn, d, false, dup, f, n, d, rows);
	} else {
		attend_activation_backward(dh, dh, acts->pre, arch->activation, count);
		attend_linear_run_backward(session, &b->up, dn, d, overwrite, dh, f, n, d, rows);
	}
}

void attend_ffn_backward(attend_pass *pass, bool want_dx)
{
	const attend_stack_arch *arch = pass->arch;
	attend_sublayer *s = &pass->acts->ffn;
	const float p = arch->no_ffn_output_dropout ? 0.0f : arch->dropout_hidden;
	const attend_sublayer_backward mirror = {&pass->block->ffn_norm, s, inner_backward,
	                                         ATTEND_SITE_FFN_OUTPUT, p, false};
	attend_sublayer_run_backward(pass, &mirror, want_dx);
}
