/* transformer.c: the drivers: a stack forward and backward, encode, decode, and the way between encoder and decoder.
 * */
#include <string.h>

#include "lib/nn/query_stream.h"
#include "lib/nn/session_state.h"

/* ---- Which runs learn ---------------------------------------------------------------------------------------- */
static void any_learns(attend_linear *linear, void *payload)
{
	if (attend_linear_learns(linear)) *(bool *)payload = true;
}
static void any_vector_learns(attend_vector *vector, void *payload)
{
	if (vector->param->grad) *(bool *)payload = true;
}
static void any_table_learns(attend_table *table, void *payload)
{
	if (table->param && table->param->grad) *(bool *)payload = true;
}

ptrdiff_t attend_network_lowest_trainable(const attend_network *network, int stack)
{
	const attend_stack_params *params = &network->stacks[stack];
	const attend_stack_arch *arch = attend_arch_stack(&network->arch, stack);
	bool learns = false;
	attend_network_visitor visitor = {any_learns, any_vector_learns, any_table_learns, &learns};
	attend_stack_params below = *params; /* the embeddings: everything but blocks, relative bias and final norm */
	attend_head_params embeddings = {.dense = below.embedding_projection, .norm = below.embedding_norm};
	attend_head_walk(&embeddings, &visitor);
	any_table_learns(&below.word, &learns);
	any_table_learns(&below.position, &learns);
	any_table_learns(&below.type, &learns);
	if (learns) return -1;
	any_table_learns(&below.relative_bias, &learns);
	const size_t runs = attend_stack_runs(arch);
	for (size_t run = 0; run < runs; run++) {
		attend_block_walk(&params->blocks[attend_run_block(arch, run)], &visitor);
		if (learns) return (ptrdiff_t)run;
	}
	return (ptrdiff_t)runs;
}

static bool final_norm_learns(const attend_network *network, int stack)
{
	const attend_norm *norm = &network->stacks[stack].final_norm;
	return attend_arch_stack(&network->arch, stack)->final_norm &&
	       ((norm->weight.param && norm->weight.param->grad) || (norm->bias.param && norm->bias.param->grad));
}

bool attend_network_stack_learns(const attend_network *network, int stack)
{
	const size_t runs = attend_stack_runs(attend_arch_stack(&network->arch, stack));
	return attend_network_lowest_trainable(network, stack) < (ptrdiff_t)runs || final_norm_learns(network, stack);
}

static attend_pass make_pass(attend_session *session, int stack, const int *slots)
{
	attend_network *network = session->network;
	return (attend_pass){
		.session = session,
		.arch = attend_arch_stack(&network->arch, stack),
		.params = &network->stacks[stack],
		.state = &session->stacks[stack],
		.stack = stack,
		.slots = slots,
		.rows = session->stacks[stack].rows,
		.sequences = session->stacks[stack].sequences,
	};
}

static bool stack_learns(const attend_pass *pass)
{
	return pass->state->lowest < (ptrdiff_t)pass->state->runs || final_norm_learns(pass->session->network, pass->stack);
}

/* Does backward have to reach the encoder through the cross-attention of this run? */
static bool encoder_learns(const attend_pass *pass)
{
	attend_session *session = pass->session;
	const attend_stack_state *encoder = &session->stacks[0];
	if (!pass->arch->cross_attention || !pass->state->kept || !encoder->kept) return false;
	const attend_pass up = make_pass(session, 0, NULL);
	return stack_learns(&up) || (session->network->arch.bridge && attend_linear_learns(&session->network->bridge));
}

/* ---- One stack ----------------------------------------------------------------------------------------------- */
static attend_status watch(const attend_pass *pass, size_t layer, const float *x, size_t rows, int stream)
{
	const attend_observer *o = &pass->session->observer;
	if (o->hidden == NULL || o->hidden(o->payload, pass->stack, stream, layer, x, rows, pass->arch->hidden))
		return ATTEND_OK;
	return attend_fail(ATTEND_ERR_CANCELLED, "the observer asked to stop at layer %zu", layer);
}

static float *finish(attend_pass *pass, float *x)
{
	const attend_stack_arch *arch = pass->arch;
	attend_stack_state *state = pass->state;
	const size_t count = pass->rows * arch->hidden;
	float *out = state->hidden_buffer ? state->hidden_buffer : x;
	state->final_z = x;
	if (arch->final_norm)
		attend_norm_run(arch->norm, arch->norm_eps, &pass->params->final_norm, out, x, pass->rows, arch->hidden,
		                state->kept ? state->final_mean : NULL, state->kept ? state->final_rstd : NULL);
	else if (out != x) memcpy(out, x, count * sizeof(float));
	attend_site_dropout(pass->session, pass->stack, 0, ATTEND_SITE_FINAL, arch->dropout_final, out, count);
	return out;
}

static attend_status stack_forward(attend_pass *pass)
{
	attend_session *session = pass->session;
	const attend_stack_arch *arch = pass->arch;
	attend_stack_state *state = pass->state;
	const bool recompute = session->options.recompute;
	state->dropout = session->dropout && !session->evaluating && session->options.training;
	state->kept = session->options.training && !session->evaluating && pass->slots == NULL;
	state->lowest = (ptrdiff_t)state->runs;
	if (state->kept) state->lowest = attend_network_lowest_trainable(session->network, pass->stack);
	const bool through = encoder_learns(pass);
	if (state->lowest > 0 && through) state->lowest = 0;
	if (state->kept && state->lowest < state->planned_lowest)
		return attend_fail(ATTEND_ERR_ARG, "the session was made for backward down to block %td, not %td",
		                   state->planned_lowest, state->lowest);
	state->learns = state->kept && (through || stack_learns(pass));
	if (state->learns && !state->planned_learns)
		return attend_fail(ATTEND_ERR_ARG, "the session was made for a stack that does not learn");
	pass->keep = state->kept && state->lowest < 0;
	attend_lap_plain(session, ATTEND_LAP_OUTSIDE);
	attend_embeddings_forward(pass);
	attend_lap_plain(session, ATTEND_LAP_EMBEDDING);
	attend_distance_bias_prepare(pass);
	ATTEND_TRY(attend_attention_begin(pass));
	float *x = state->x;
	for (size_t run = 0; run < state->runs; run++) {
		attend_pass_layer(pass, run);
		ATTEND_TRY(watch(pass, run, x, pass->rows, 0));
		pass->keep = state->kept && (ptrdiff_t)run >= state->lowest && !recompute;
		pass->acts = pass->keep ? &state->acts[run] : &state->plain;
		if (recompute && state->kept && (ptrdiff_t)run >= state->lowest)
			memcpy(state->inputs[run], x, pass->rows * arch->hidden * sizeof(float));
		ATTEND_TRY(attend_block_forward(pass, x));
		x = pass->acts->ffn.y;
		ATTEND_TRY(attend_query_stream_block(pass));
		if (!state->kept) attend_block_leave(pass->block);
	}
	ATTEND_TRY(attend_network_verify(session->network));
	state->hidden = finish(pass, x);
	state->hidden_rows = pass->rows;
	ATTEND_TRY(watch(pass, state->runs, state->hidden, state->hidden_rows, 0));
	ATTEND_TRY(attend_query_stream_finish(pass));
	attend_lap_plain(session, ATTEND_LAP_ROWS);
	if (state->learns) memset(state->d_hidden, 0, pass->rows * arch->hidden * sizeof(float));
	state->ran = true;
	return ATTEND_OK;
}

/* ---- Encoder to decoder -------------------------------------------------------------------------------------- */
const float *attend_memory_states(attend_session *session, size_t *width)
{
	attend_network *network = session->network;
	const attend_stack_state *encoder = &session->stacks[0];
	*width = encoder->width;
	if (!network->arch.bridge) return encoder->hidden;
	*width = network->bridge.out;
	attend_linear_run(session, &network->bridge, session->scratch.memory, network->bridge.out, encoder->hidden,
	                  encoder->width, encoder->hidden_rows, NULL);
	return session->scratch.memory;
}

static attend_status join_encoder(attend_pass *pass)
{
	attend_session *session = pass->session;
	const attend_stack_state *encoder = &session->stacks[0];
	if (!pass->arch->cross_attention) return ATTEND_OK;
	if (!session->network->arch.has_encoder)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "a decoder with cross-attention, but no encoder");
	if (pass->slots) return ATTEND_OK; /* each slot has its memory */
	if (!encoder->ran) return attend_fail(ATTEND_ERR_ARG, "decode before encode");
	if (encoder->sequences != pass->sequences)
		return attend_fail(ATTEND_ERR_ARG, "decoder batch of %zu sequences for %zu encoder sequences", pass->sequences,
		                   encoder->sequences);
	pass->memory = attend_memory_states(session, &pass->memory_width);
	pass->memory_rows = encoder->hidden_rows;
	pass->memory_offsets = encoder->offsets;
	return ATTEND_OK;
}

attend_status attend_session_encode(attend_session *session, const attend_batch *batch, const float **hidden)
{
	if (!session->network->arch.has_encoder) return attend_fail(ATTEND_ERR_ARG, "encode: the model has no encoder");
	session->stacks[1].ran = session->stacks[1].kept = false;
	ATTEND_TRY(attend_embeddings_check(session, 0, batch, NULL));
	ATTEND_TRY(attend_stack_prepare(session->network, 0, true));
	attend_pass pass = make_pass(session, 0, NULL);
	ATTEND_TRY(attend_query_stream_begin(&pass, batch));
	ATTEND_TRY(stack_forward(&pass));
	if (hidden) *hidden = session->stacks[0].hidden;
	return ATTEND_OK;
}

attend_status attend_session_decode(attend_session *session, const attend_batch *batch, const int *slots,
                                    const float **hidden)
{
	if (!session->network->arch.has_decoder) return attend_fail(ATTEND_ERR_ARG, "decode: the model has no decoder");
	ATTEND_TRY(attend_embeddings_check(session, 1, batch, slots));
	ATTEND_TRY(attend_stack_prepare(session->network, 1, slots == NULL));
	attend_pass pass = make_pass(session, 1, slots);
	for (size_t s = 0; slots && s < batch->sequences; s++)
		ATTEND_TRY(attend_cache_reserve(&session->cache, slots[s], batch->offsets[s + 1] - batch->offsets[s]));
	ATTEND_TRY(join_encoder(&pass));
	ATTEND_TRY(attend_query_stream_begin(&pass, batch));
	ATTEND_TRY(stack_forward(&pass));
	for (size_t s = 0; slots && s < batch->sequences; s++)
		session->cache.slots[slots[s]].length += batch->offsets[s + 1] - batch->offsets[s];
	if (hidden) *hidden = session->stacks[1].hidden;
	return ATTEND_OK;
}

/* ---- Backward ------------------------------------------------------------------------------------------------ */
static attend_status stack_backward(attend_pass *pass)
{
	attend_session *session = pass->session;
	const attend_stack_arch *arch = pass->arch;
	attend_stack_state *state = pass->state;
	attend_scratch *scratch = &session->scratch;
	const size_t rows = pass->rows, count = rows * arch->hidden;
	attend_site_dropout(session, pass->stack, 0, ATTEND_SITE_FINAL, arch->dropout_final, state->d_hidden, count);
	if (arch->final_norm) {
		attend_norm_run_backward(arch->norm, &pass->params->final_norm, scratch->g1, true, state->d_hidden,
		                         state->final_z, rows, arch->hidden, state->final_mean, state->final_rstd);
	} else {
		memcpy(scratch->g1, state->d_hidden, count * sizeof(float));
	}
	const ptrdiff_t stop = state->lowest < 0 ? 0 : state->lowest;
	ATTEND_TRY(attend_attention_begin(pass));
	for (ptrdiff_t run = (ptrdiff_t)state->runs - 1; run >= stop; run--) {
		attend_pass_layer(pass, (size_t)run);
		pass->keep = true;
		pass->silent = true;
		pass->acts = session->options.recompute ? &state->acts[0] : &state->acts[run];
		if (session->options.recompute) ATTEND_TRY(attend_block_forward(pass, state->inputs[run]));
		attend_block_backward(pass, run > state->lowest);
	}
	attend_distance_bias_backward(pass);
	attend_lap_plain(session, ATTEND_LAP_ROWS);
	if (state->lowest < 0) attend_embeddings_backward(pass, scratch->g1);
	attend_lap_plain(session, ATTEND_LAP_EMBEDDING);
	return ATTEND_OK;
}

attend_status attend_session_backward(attend_session *session)
{
	attend_network *network = session->network;
	const bool has_encoder = network->arch.has_encoder;
	attend_stack_state *encoder = &session->stacks[0], *decoder = &session->stacks[1];
	const bool decoded = network->arch.has_decoder && decoder->ran && decoder->kept;
	const bool encoded = has_encoder && encoder->ran && encoder->kept;
	if (!decoded && !encoded)
		return attend_fail(ATTEND_ERR_ARG, "backward without a forward that kept its activations");
	attend_pass up = make_pass(session, 0, NULL);
	if (decoded && decoder->learns) { /* which it does where only the encoder below it learns, too */
		attend_pass pass = make_pass(session, 1, NULL);
		ATTEND_TRY(join_encoder(&pass));
		const bool want_memory = encoder_learns(&pass);
		if (want_memory) pass.d_memory = network->arch.bridge ? session->scratch.d_memory : encoder->d_hidden;
		if (want_memory && network->arch.bridge)
			memset(pass.d_memory, 0, pass.memory_rows * pass.memory_width * sizeof(float));
		ATTEND_TRY(stack_backward(&pass));
		if (want_memory && network->arch.bridge)
			attend_linear_run_backward(session, &network->bridge, encoder->learns ? encoder->d_hidden : NULL,
			                           encoder->width, false, pass.d_memory, pass.memory_width, encoder->hidden,
			                           encoder->width, encoder->hidden_rows);
	}
	if (encoded && encoder->learns) ATTEND_TRY(stack_backward(&up));
	if (decoded) decoder->kept = false;
	if (encoded) encoder->kept = false;
	attend_network_settle_grad(network);
	return ATTEND_OK;
}
