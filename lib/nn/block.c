/* block.c: one block: self-attention, cross-attention where the stack has it, feed-forward; and its mirror.
 *
 *   post-norm  x = norm(x + f(x))   (Vaswani et al. 2017)
 *   pre-norm   x = x + f(norm(x))   (Radford et al. 2019)
 *
 * Dropout stands on f's output before the sum. */
#include "lib/nn/session_state.h"

void attend_residual_run(attend_pass *pass, const attend_linear *w, float *y, const float *x, size_t ldx,
                         const float *residual, attend_site site, float p)
{
	attend_session *session = pass->session;
	const size_t d = pass->arch->hidden, count = pass->rows * d;
	if (p <= 0.0f || !pass->state->dropout) {
		const attend_epilogue e = {.residual = residual, .ld_residual = d};
		attend_pass_linear(pass, w, y, d, x, ldx, &e);
		return;
	}
	float *f = y == residual ? session->scratch.g3 : y;
	attend_linear_run(session, w, f, d, x, ldx, pass->rows, NULL);
	attend_dropout_add(y, f, residual, p, attend_site_seed(session, pass->stack, pass->run, site), 0, count);
}

void attend_sublayer_run_backward(attend_pass *pass, const attend_sublayer_backward *m, bool want_dx)
{
	const attend_stack_arch *arch = pass->arch;
	attend_scratch *scratch = &pass->session->scratch;
	const size_t d = arch->hidden, rows = pass->rows, count = rows * d;
	const bool pre = arch->norm_place == ATTEND_NORM_PRE;
	const attend_sublayer *u = m->acts;
	if (!pre) {
		attend_norm_run_backward(arch->norm, m->norm, scratch->g2, true, scratch->g1, u->z, rows, d, u->mean, u->rstd);
		float *swap = scratch->g1;
		scratch->g1 = scratch->g2;
		scratch->g2 = swap;
	}
	const float *df = scratch->g1;
	if (m->dropout > 0.0f && pass->state->dropout) {
		const uint64_t seed = attend_site_seed(pass->session, pass->stack, pass->run, m->site);
		attend_dropout_forward(scratch->g3, scratch->g1, m->dropout, seed, 0, count);
		df = scratch->g3;
	}
	if (pre && !m->skip_norm) {
		m->inner(pass, scratch->g2, true, df, u->z);
		attend_norm_run_backward(arch->norm, m->norm, want_dx ? scratch->g1 : NULL, false, scratch->g2, u->x, rows, d,
		                         u->mean, u->rstd);
	} else {
		m->inner(pass, want_dx ? scratch->g1 : NULL, false, df, u->x);
	}
}

void attend_pass_layer(attend_pass *pass, size_t run)
{
	pass->run = run;
	pass->layer = attend_run_layer(pass->arch, run);
	pass->block = &pass->params->blocks[attend_run_block(pass->arch, run)];
}

/* x becomes the input of the block at hand; the output is acts->ffn.y. A run that keeps nothing works in place. */
attend_status attend_block_forward(attend_pass *pass, float *x)
{
	attend_block_acts *acts = pass->acts;
	attend_sublayer *const subs[] = {&acts->self, pass->arch->cross_attention ? &acts->cross : NULL, &acts->ffn};
	for (size_t i = 0; i < 3; i++) {
		attend_sublayer *u = subs[i];
		if (u == NULL) continue;
		u->x = x;
		if (!pass->keep) {
			u->y = x;
			if (pass->arch->norm_place == ATTEND_NORM_POST) u->z = x;
		}
		x = u->y;
	}
	ATTEND_TRY(attend_self_forward(pass));
	if (pass->arch->cross_attention) ATTEND_TRY(attend_cross_forward(pass));
	attend_ffn_forward(pass);
	return ATTEND_OK;
}

/* scratch.g1: in, gradient of the output; out, of the input (undefined unless want_dx). */
void attend_block_backward(attend_pass *pass, bool want_dx)
{
	attend_ffn_backward(pass, true);
	if (pass->arch->cross_attention) attend_cross_backward(pass, true);
	attend_self_backward(pass, want_dx);
}
