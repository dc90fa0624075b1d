/* heads.c: pooler and heads, forward and backward.
 *
 *   logits = out(scale * norm(act(dense(pool(h))))) + bias; every part is optional
 *
 * `pool` may go through the pooler, tanh(dense(h[first])) (Devlin et al. 2019).
 *
 * Rows go through in blocks, so that the logits of a large vocabulary never need more than a block's memory in
 * training. */
#include "lib/nn/heads.h"

#include <string.h>

#include "lib/nn/head_pass.h"

int attend_head_stack(const attend_arch *arch, const attend_head_arch *head)
{
	if (!arch->has_decoder) return 0;
	return arch->has_encoder && head->on_encoder ? 0 : 1;
}

size_t attend_head_rows(const attend_head_arch *head, const attend_batch *batch)
{
	return head->pooling == ATTEND_POOL_ALL ? batch->offsets[batch->sequences] : batch->sequences;
}

static attend_status begin_common(attend_head_pass *out, attend_session *session, const attend_head_arch *arch,
                                  attend_head_params *params, bool once)
{
	attend_network *network = session->network;
	const int stack = attend_head_stack(&network->arch, arch);
	attend_stack_state *state = &session->stacks[stack];
	if (!state->ran) return attend_fail(ATTEND_ERR_ARG, "head before %s", stack == 0 ? "encode" : "decode");
	*out = (attend_head_pass){
		.session = session,
		.arch = arch,
		.params = params,
		.state = state,
		.stack = stack,
		.pooled = arch->after_pooler,
		.outputs = arch->outputs,
	};
	out->width = arch->dense ? arch->dense : out->pooled ? network->pooler.dense.out : state->width;
	if (out->outputs == 0) out->outputs = out->width;
	out->block_rows = attend_head_block_rows(session, arch);
	ATTEND_TRY(attend_head_prepare(network, params, once));
	if (out->pooled) {
		if (network->pooler.dense.out == 0) return attend_fail(ATTEND_ERR_NOTFOUND, "the checkpoint has no pooler");
		ATTEND_TRY(attend_head_prepare(network, &network->pooler, once));
	}
	return ATTEND_OK;
}

static attend_status begin(attend_head_pass *out, attend_session *session, size_t head, bool once)
{
	attend_network *network = session->network;
	if (head >= network->arch.head_count)
		return attend_fail(ATTEND_ERR_ARG, "head %zu of %zu", head, network->arch.head_count);
	const attend_head_arch *arch = &network->arch.heads[head];
	if (!network->heads[head].present)
		return attend_fail(ATTEND_ERR_NOTFOUND, "the checkpoint has no '%s' head", attend_head_kind_name(arch->kind));
	if (!attend_head_runs(session, head))
		return attend_fail(ATTEND_ERR_ARG, "the session was made without head '%s'", attend_head_kind_name(arch->kind));
	return begin_common(out, session, arch, &network->heads[head], once);
}

attend_status attend_head_begin(attend_head_pass *out, attend_session *session, size_t head)
{
	return begin(out, session, head, false);
}

/* May the session end after this run of a head? With a cache one follows every step. */
static bool runs_once(const attend_session *session)
{
	return session->cache.slot_count == 0;
}

/* ---- Pooling ------------------------------------------------------------------------------------------------- */
/* Last token of sequence s that is not `id`; SIZE_MAX: none. */
static size_t last_other(const attend_stack_state *state, size_t s, int32_t id)
{
	for (size_t i = state->offsets[s + 1]; i > state->offsets[s]; i--)
		if (state->ids[i - 1] != id) return i - 1;
	return SIZE_MAX;
}

attend_status attend_head_pool(const attend_head_pass *pass, const size_t *given, size_t count, size_t *rows)
{
	const attend_stack_state *state = pass->state;
	const attend_arch *arch = &pass->session->network->arch;
	const bool mean = pass->arch->pooling == ATTEND_POOL_MEAN;
	if (given == NULL && count != state->sequences)
		return attend_fail(ATTEND_ERR_ARG, "%zu rows for a head over %zu sequences", count, state->sequences);
	for (size_t i = 0; i < count; i++) {
		if (given) {
			if (given[i] != SIZE_MAX && given[i] >= (mean ? state->sequences : state->hidden_rows))
				return attend_fail(ATTEND_ERR_ARG, "row %zu of %zu", given[i],
				                   mean ? state->sequences : state->hidden_rows);
			rows[i] = given[i];
			continue;
		}
		const size_t first = state->offsets[i], last = state->offsets[i + 1] - 1;
		if (state->offsets[i + 1] == first) {
			rows[i] = SIZE_MAX;
			continue;
		}
		switch (pass->arch->pooling) {
		case ATTEND_POOL_MEAN: rows[i] = i; break;
		case ATTEND_POOL_LAST: rows[i] = last; break;
		case ATTEND_POOL_LAST_REAL:
			rows[i] = arch->pad_id < 0 ? last : last_other(state, i, arch->pad_id);
			if (rows[i] == SIZE_MAX) rows[i] = first; /* nothing but pads: the reference takes position 0 */
			break;
		case ATTEND_POOL_LAST_EOS: rows[i] = last; break; /* input ids that end with eos */
		case ATTEND_POOL_ALL:
		case ATTEND_POOL_FIRST: rows[i] = first; break;
		}
	}
	return ATTEND_OK;
}

/* head_x [count,D] = the rows, or means of sequences. */
static void gather(const attend_head_pass *pass)
{
	const attend_stack_state *state = pass->state;
	const size_t d = state->width;
	for (size_t i = 0; i < pass->count; i++) {
		float *x = pass->session->scratch.head_x + i * d;
		const size_t row = pass->rows[i];
		if (row == SIZE_MAX) {
			memset(x, 0, d * sizeof *x);
		} else if (pass->arch->pooling == ATTEND_POOL_MEAN) {
			const size_t first = state->offsets[row], t = state->offsets[row + 1] - first;
			memset(x, 0, d * sizeof *x);
			for (size_t j = 0; j < t; j++)
				for (size_t k = 0; k < d; k++) x[k] += state->hidden[(first + j) * d + k];
			for (size_t k = 0; k < d; k++) x[k] /= (float)t;
		} else {
			memcpy(x, state->hidden + row * d, d * sizeof *x);
		}
	}
}

/* The mirror of gather: d_hidden += */
static void scatter(const attend_head_pass *pass, const float *dx)
{
	attend_stack_state *state = pass->state;
	const size_t d = state->width;
	for (size_t i = 0; i < pass->count; i++) {
		const float *x = dx + i * d;
		const size_t row = pass->rows[i];
		if (row == SIZE_MAX) continue;
		size_t first = row, t = 1;
		if (pass->arch->pooling == ATTEND_POOL_MEAN) {
			first = state->offsets[row];
			t = state->offsets[row + 1] - first;
		}
		for (size_t j = 0; j < t; j++)
			for (size_t k = 0; k < d; k++) state->d_hidden[(first + j) * d + k] += x[k] / (float)t;
	}
}

/* ---- A block of rows ----------------------------------------------------------------------------------------- */
const float *attend_head_vectors(attend_head_pass *pass)
{
	attend_session *session = pass->session;
	attend_scratch *scratch = &session->scratch;
	attend_network *network = session->network;
	const attend_head_arch *arch = pass->arch;
	const size_t count = pass->count;
	gather(pass);
	float *x = scratch->head_x;
	size_t width = pass->state->width;
	if (pass->pooled) {
		const attend_epilogue e = {.act = network->arch.pooler.activation, .pre_activation = scratch->head_pool_pre};
		attend_linear_run(session, &network->pooler.dense, scratch->head_pooled, network->pooler.dense.out, x, width,
		                  count, &e);
		x = scratch->head_pooled;
		width = network->pooler.dense.out;
	}
	if (arch->dense) {
		if (arch->dropout_before_dense)
			attend_site_dropout(session, pass->stack, pass->block, ATTEND_SITE_HEAD_DENSE, arch->dropout, x,
			                    count * width);
		const attend_epilogue e = {.act = arch->activation, .pre_activation = scratch->head_pre};
		attend_linear_run(session, &pass->params->dense, scratch->head_z, arch->dense, x, width, count, &e);
		x = scratch->head_z;
		width = arch->dense;
	}
	if (arch->norm) {
		const attend_stack_arch *stack = attend_arch_stack(&network->arch, pass->stack);
		attend_norm_run(stack->norm, arch->norm_eps, &pass->params->norm, scratch->head_t, x, count, width,
		                scratch->head_mean, scratch->head_rstd);
		x = scratch->head_t;
	}
	attend_site_dropout(session, pass->stack, pass->block, ATTEND_SITE_HEAD_OUT, arch->dropout, x, count * width);
	if (arch->scale != 0.0f && arch->scale != 1.0f) attend_scale(x, arch->scale, count * width);
	return x;
}

void attend_head_logits(attend_head_pass *pass, const float *vectors, float *logits, size_t ld)
{
	if (pass->arch->outputs == 0) {
		for (size_t i = 0; i < pass->count; i++)
			memcpy(logits + i * ld, vectors + i * pass->width, pass->width * sizeof *logits);
	} else {
		attend_linear_run(pass->session, &pass->params->out, logits, ld, vectors, pass->width, pass->count, NULL);
	}
	for (size_t i = 0; i < pass->count; i++)
		if (pass->rows[i] == SIZE_MAX) memset(logits + i * ld, 0, pass->outputs * sizeof *logits);
}

static bool vector_learns(const attend_vector *v)
{
	return v->param && v->param->grad;
}

void attend_head_backward(attend_head_pass *pass, float *dlogits)
{
	attend_session *session = pass->session;
	attend_scratch *scratch = &session->scratch;
	attend_network *network = session->network;
	attend_head_params *params = pass->params;
	const attend_head_arch *arch = pass->arch;
	const size_t count = pass->count, d = pass->state->width;
	for (size_t i = 0; i < count; i++)
		if (pass->rows[i] == SIZE_MAX) memset(dlogits + i * pass->outputs, 0, pass->outputs * sizeof *dlogits);
	const bool below = pass->state->learns,
			   pooler = pass->pooled && (below || attend_linear_learns(&network->pooler.dense));
	const bool dense = below || pooler || (arch->dense && attend_linear_learns(&params->dense));
	const bool norm =
		dense || (arch->norm && (vector_learns(&params->norm.weight) || vector_learns(&params->norm.bias)));
	const float *x = arch->norm     ? scratch->head_t
	                 : arch->dense  ? scratch->head_z
	                 : pass->pooled ? scratch->head_pooled
	                                : scratch->head_x;
	float *dy = scratch->d_head_t, *spare = scratch->d_head_x;
	attend_linear_run_backward(session, &params->out, norm ? dy : NULL, pass->width, true, dlogits, pass->outputs, x,
	                           pass->width, count);
	if (!norm) return;
	if (arch->scale != 0.0f && arch->scale != 1.0f) attend_scale(dy, arch->scale, count * pass->width);
	attend_site_dropout(session, pass->stack, pass->block, ATTEND_SITE_HEAD_OUT, arch->dropout, dy,
	                    count * pass->width);
	if (arch->norm) {
		const attend_stack_arch *stack = attend_arch_stack(&network->arch, pass->stack);
		attend_norm_run_backward(stack->norm, &params->norm, spare, true, dy,
		                         arch->dense ? scratch->head_z : scratch->head_x, count, pass->width,
		                         scratch->head_mean, scratch->head_rstd);
		float *swap = dy;
		dy = spare;
		spare = swap;
	}
	if (!dense) return;
	if (arch->dense) {
		const size_t width = params->dense.in;
		attend_activation_backward(dy, dy, scratch->head_pre, arch->activation, count * arch->dense);
		attend_linear_run_backward(session, &params->dense, below || pooler ? spare : NULL, width, true, dy,
		                           arch->dense, pass->pooled ? scratch->head_pooled : scratch->head_x, width, count);
		if (!below && !pooler) return;
		float *swap = dy;
		dy = spare;
		spare = swap;
		if (arch->dropout_before_dense)
			attend_site_dropout(session, pass->stack, pass->block, ATTEND_SITE_HEAD_DENSE, arch->dropout, dy,
			                    count * width);
	}
	if (pass->pooled) {
		const size_t width = network->pooler.dense.out;
		attend_activation_backward(dy, dy, scratch->head_pool_pre, network->arch.pooler.activation, count * width);
		attend_linear_run_backward(session, &network->pooler.dense, below ? spare : NULL, d, true, dy, width,
		                           scratch->head_x, d, count);
		dy = spare;
	}
	if (below) scatter(pass, dy);
}

/* ---- Public calls -------------------------------------------------------------------------------------------- */
static attend_status run_rows(attend_head_pass *pass, const size_t *rows, size_t count, float *logits)
{
	attend_scratch *scratch = &pass->session->scratch;
	const bool pooled = pass->arch->pooling != ATTEND_POOL_ALL;
	if (pooled && count > pass->session->options.max_tokens && count > pass->session->options.max_sequences)
		return attend_fail(ATTEND_ERR_ARG, "%zu rows: the session was made for %zu", count,
		                   pass->session->options.max_tokens);
	if (pooled) {
		ATTEND_TRY(attend_head_pool(pass, rows, count, scratch->row_list));
		rows = scratch->row_list;
	}
	for (size_t first = 0; first < count; first += pass->count) {
		pass->count = count - first < pass->block_rows ? count - first : pass->block_rows;
		if (pooled) {
			pass->rows = rows + first;
		} else { /* every row, or those asked for */
			for (size_t i = 0; i < pass->count; i++) {
				const size_t row = rows ? rows[first + i] : first + i;
				if (row >= pass->state->hidden_rows)
					return attend_fail(ATTEND_ERR_ARG, "row %zu of %zu", row, pass->state->hidden_rows);
				scratch->row_list[i] = row;
			}
			pass->rows = scratch->row_list;
		}
		const float *vectors = attend_head_vectors(pass);
		attend_head_logits(pass, vectors, logits + first * pass->outputs, pass->outputs);
		pass->block++;
	}
	return attend_network_verify(pass->session->network);
}

attend_status attend_session_head(attend_session *session, size_t head, const size_t *rows, size_t count, float *logits)
{
	attend_head_pass pass;
	attend_lap_plain(session, ATTEND_LAP_OUTSIDE);
	ATTEND_TRY(begin(&pass, session, head, runs_once(session)));
	return run_rows(&pass, rows, count, logits);
}

attend_status attend_session_pooled(attend_session *session, size_t head, float *out)
{
	attend_head_pass pass;
	ATTEND_TRY(attend_head_begin(&pass, session, head));
	const size_t count = pass.state->sequences, d = pass.state->width;
	size_t *rows = session->scratch.row_list;
	if (pass.arch->pooling == ATTEND_POOL_ALL)
		return attend_fail(ATTEND_ERR_ARG, "'%s' reads every row", attend_head_kind_name(pass.arch->kind));
	ATTEND_TRY(attend_head_pool(&pass, NULL, count, rows));
	for (size_t first = 0; first < count; first += pass.count) {
		pass.count = count - first < pass.block_rows ? count - first : pass.block_rows;
		pass.rows = rows + first;
		gather(&pass);
		memcpy(out + first * d, session->scratch.head_x, pass.count * d * sizeof *out);
	}
	return ATTEND_OK;
}

attend_status attend_session_pooler(attend_session *session, float *out)
{
	attend_network *network = session->network;
	if (network->pooler.dense.out == 0) return attend_fail(ATTEND_ERR_NOTFOUND, "the checkpoint has no pooler");
	attend_head_arch first = {.pooling = ATTEND_POOL_FIRST, .after_pooler = true};
	attend_head_params nothing = {0};
	attend_head_pass pass;
	ATTEND_TRY(begin_common(&pass, session, &first, &nothing, runs_once(session)));
	return run_rows(&pass, NULL, pass.state->sequences, out);
}
