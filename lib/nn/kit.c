/* kit.c: linear, norm and dropout on handles, each with its mirror: what the layers of a block are written in. */
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/core/rng.h"
#include "lib/nn/session_state.h"

static attend_pack_type type_of(const attend_linear *w)
{
	return atomic_load_explicit(&w->ready, memory_order_acquire) ? w->packed.type : w->unpacked.type;
}

/* y = epilogue(x W^T + b) */
static void linear_run(attend_session *session, const attend_linear *w, float *y, size_t ldy, const float *x,
                       size_t ldx, size_t rows, const attend_epilogue *epilogue, void *scratch)
{
	attend_epilogue e = epilogue ? *epilogue : (attend_epilogue){0};
	e.bias = w->bias;
	attend_lap_linear(session, ATTEND_LAP_ROWS, w, rows);
	if (atomic_load_explicit(&w->ready, memory_order_acquire))
		attend_linear_forward(y, ldy, x, ldx, rows, &w->packed, &e, scratch);
	else attend_linear_forward_unpacked(y, ldy, x, ldx, rows, &w->unpacked, &e, scratch);
	attend_lap_linear(session, ATTEND_LAP_LINEAR, w, rows);
}

void attend_linear_run(attend_session *session, const attend_linear *w, float *y, size_t ldy, const float *x,
                       size_t ldx, size_t rows, const attend_epilogue *epilogue)
{
	linear_run(session, w, y, ldy, x, ldx, rows, epilogue, session->scratch.kernel);
}

void attend_pass_linear(const attend_pass *pass, const attend_linear *w, float *y, size_t ldy, const float *x,
                        size_t ldx, const attend_epilogue *epilogue)
{
	void *scratch = pass->kernel ? pass->kernel : pass->session->scratch.kernel;
	linear_run(pass->session, w, y, ldy, x, ldx, pass->rows, epilogue, scratch);
}

size_t attend_linear_run_scratch(const attend_linear *w, size_t rows)
{
	const attend_packed packed = {.type = type_of(w), .n = w->out, .k = w->in};
	return attend_linear_scratch(&packed, rows);
}

size_t attend_linear_run_stretch(const attend_linear *w)
{
	return attend_linear_stretch(type_of(w));
}

bool attend_linear_lays_for(const attend_linear *w, const attend_linear *next, size_t rows)
{
	return type_of(w) == type_of(next) && w->out == next->in && attend_linear_lays(type_of(w), w->out, rows);
}

/* dx (+)= dy W ; dW += dy^T x ; db += column sums of dy; part by part. Mixed precision: from the f32 values, rounded as
 * forward rounded them. */
void attend_linear_run_backward(attend_session *session, attend_linear *w, float *dx, size_t lddx, bool overwrite,
                                const float *dy, size_t lddy, const float *x, size_t ldx, size_t rows)
{
	attend_lap_linear(session, ATTEND_LAP_ROWS, w, rows);
	attend_linear_grad g = {
		.m = rows,
		.k = w->in,
		.dy = dy,
		.lddy = lddy,
		.x = x,
		.ldx = ldx,
		.dx = dx,
		.lddx = lddx,
		.overwrite_dx = overwrite,
		.bf16 = w->packed.type == ATTEND_PACK_BF16,
		.part_count = w->part_count,
	};
	for (size_t i = 0; i < w->part_count; i++) {
		const attend_linear_part *part = &w->parts[i];
		const attend_vector *bias = &w->bias_parts[i];
		const size_t first = part->in_out ? 0 : part->row0 * w->in;
		g.parts[i] = (struct attend_linear_grad_part){
			.n = part->rows,
			.w = part->param->values + first,
			.in_out = part->in_out,
			.dw = part->param->grad ? part->param->grad + first : NULL,
			.overwrite_dw = part->param->stale_grad,
			.db = bias->param && bias->param->grad ? bias->param->grad + bias->offset : NULL,
		};
		if (part->param->grad) {
			part->param->dense_grad = true;
			part->param->stale_grad = false;
		}
	}
	attend_linear_backward(&g, session->scratch.kernel);
	attend_lap_linear(session, ATTEND_LAP_LINEAR_BACKWARD, w, rows);
}

bool attend_linear_learns(const attend_linear *w)
{
	for (size_t i = 0; i < w->part_count; i++)
		if (w->parts[i].param->grad || (w->bias_parts[i].param && w->bias_parts[i].param->grad)) return true;
	return false;
}

void attend_norm_run(attend_norm_kind kind, float eps, const attend_norm *norm, float *y, const float *x, size_t rows,
                     size_t width, float *mean, float *rstd)
{
	if (kind == ATTEND_NORM_RMS) attend_rmsnorm_forward(y, x, norm->weight.data, eps, rows, width, rstd);
	else attend_layernorm_forward(y, x, norm->weight.data, norm->bias.data, eps, rows, width, mean, rstd);
}

static float *gradient_of(const attend_vector *vector)
{
	return vector->param && vector->param->grad ? vector->param->grad + vector->offset : NULL;
}

void attend_norm_run_backward(attend_norm_kind kind, const attend_norm *norm, float *dx, bool overwrite,
                              const float *dy, const float *x, size_t rows, size_t width, const float *mean,
                              const float *rstd)
{
	float *dw = gradient_of(&norm->weight), *db = gradient_of(&norm->bias);
	if (dx == NULL && dw == NULL && db == NULL) return;
	if (kind == ATTEND_NORM_RMS)
		attend_rmsnorm_backward(dx, overwrite, dw, dy, x, norm->weight.data, rstd, rows, width);
	else attend_layernorm_backward(dx, overwrite, dw, db, dy, x, norm->weight.data, mean, rstd, rows, width);
}

uint64_t attend_site_seed(const attend_session *session, int stack, size_t run, attend_site site)
{
	uint32_t words[4];
	attend_rng_block(words, session->seed, session->step,
	                 (uint64_t)run << 16 | (uint64_t)(unsigned)stack << 8 | (uint64_t)(unsigned)site);
	return (uint64_t)words[1] << 32 | words[0];
}

void attend_site_dropout(const attend_session *session, int stack, size_t run, attend_site site, float p, float *x,
                         size_t count)
{
	if (p <= 0.0f || !session->stacks[stack].dropout) return;
	attend_dropout_forward(x, x, p, attend_site_seed(session, stack, run, site), 0, count);
}

attend_status attend_side_need(attend_side *side, size_t bytes, const char *what)
{
	if (bytes <= side->bytes) return ATTEND_OK;
	void *data = attend_alloc_aligned(bytes);
	if (data == NULL) return attend_fail_memory(bytes, what);
	free(side->data);
	side->data = data;
	side->bytes = bytes;
	return ATTEND_OK;
}
