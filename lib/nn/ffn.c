/* ffn.c: the feed-forward sub-layer and its mirror.
 *
 *   plain   f(n) = down(act(up n))              (Vaswani et al. 2017)
 *   gated   f(n) = down(act(gate n) * (up n))   (Shazeer 2020)
 *
 * The activation's output is not kept: backward makes it again from the value before activation. */
#include <stdatomic.h>

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
		attend_linear_run(pass->session, &b->up, acts->up, f, n, d, pass->rows, NULL);
		e.multiply = acts->up;
		e.ld_multiply = f;
		attend_linear_run(pass->session, &b->gate, h, ldh, n, d, pass->rows, &e);
	} else {
		attend_linear_run(pass->session, &b->up, h, ldh, n, d, pass->rows, &e);
	}
}

/* Bytes of the weights, 0: not packed yet. */
static size_t packed_bytes(const attend_linear *w)
{
	if (!atomic_load_explicit(&w->ready, memory_order_acquire)) return 0;
	return attend_pack_bytes(w->packed.type, w->packed.n, w->packed.k);
}

/* Rows whose intermediate values stay in the caches between the two products, where nobody asks for them afterwards and the
 * weights, which each stretch of rows reads again, stay there too. */
static size_t rows_at_once(const attend_pass *pass)
{
	enum { ROWS_OF_THREAD = 128, WEIGHT_BYTES = 6 << 20 };
	const size_t most = ROWS_OF_THREAD * (size_t)attend_threads(), rows = pass->rows;
	if (pass->keep || pass->state->dropout || rows < 2 * most) return rows;
	const size_t up = packed_bytes(&pass->block->up), down = packed_bytes(&pass->block->down);
	if (up == 0 || down == 0 || up + down > WEIGHT_BYTES) return rows;
	const size_t stretches = (rows + most - 1) / most;
	return (rows + stretches - 1) / stretches;
}

void attend_ffn_forward(attend_pass *pass)
{
	const attend_stack_arch *arch = pass->arch;
	attend_block_params *b = pass->block;
	attend_sublayer *s = &pass->acts->ffn;
	attend_session *session = pass->session;
	const bool pre = arch->norm_place == ATTEND_NORM_PRE;
	const size_t d = arch->hidden, f = arch->intermediate, rows = pass->rows;
	const float *n = s->x;
	if (pre) {
		attend_norm_run(kind(pass), arch->norm_eps, &b->ffn_norm, s->z, s->x, rows, d, s->mean, s->rstd);
		n = s->z;
	}
	float *h = session->scratch.h, *sum = pre ? s->y : s->z;
	const size_t most = rows_at_once(pass);
	for (size_t at = 0; at < rows; at += most) {
		attend_pass part = *pass;
		part.rows = rows - at < most ? rows - at : most;
		const bool laid = !pass->keep && !pass->state->dropout &&
		                  attend_linear_lays_for(arch->gated ? &b->gate : &b->up, &b->down, part.rows);
		const size_t ldh = laid ? ATTEND_LAID : f;
		activate(&part, h, ldh, n + at * d);
		attend_site_dropout(session, pass->stack, pass->run, ATTEND_SITE_ACTIVATION, arch->dropout_activation, h,
		                    part.rows * f);
		attend_residual_run(&part, &b->down, sum + at * d, h, ldh, s->x + at * d, ATTEND_SITE_FFN_OUTPUT,
		                    arch->no_ffn_output_dropout ? 0.0f : arch->dropout_hidden);
	}
	if (!pre) attend_norm_run(kind(pass), arch->norm_eps, &b->ffn_norm, s->y, s->z, rows, d, s->mean, s->rstd);
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
