/* session.c: the life of a session, and its switches. */
#include "lib/nn/session.h"

#include <stdlib.h>
#include <string.h>

#include "lib/nn/session_state.h"

static attend_status complete_options(attend_session *session, const attend_session_options *options)
{
	const attend_network *network = session->network;
	attend_session_options *o = &session->options;
	*o = *options;
	if (o->max_tokens == 0 || o->max_sequences == 0)
		return attend_fail(ATTEND_ERR_ARG, "a session needs max_tokens and max_sequences of at least 1");
	if (o->max_length == 0) o->max_length = o->max_tokens;
	if (o->memory_tokens == 0) o->memory_tokens = o->max_tokens;
	if (o->cache_slots && !network->arch.has_decoder) return attend_fail(ATTEND_ERR_ARG, "a cache needs a decoder");
	if (o->cache_slots && o->cache_length == 0) return attend_fail(ATTEND_ERR_ARG, "a cache needs a cache_length");
	if (o->cache_slots == 0) o->cache_length = 0;
	if (o->cache_slots > SIZE_MAX / 4 / (o->cache_length + 1))
		return attend_fail(ATTEND_ERR_ARG, "the cache is too large");
	if (o->cache_tokens == 0) o->cache_tokens = o->cache_slots * o->cache_length;
	if (o->training && !network->trainable)
		return attend_fail(ATTEND_ERR_ARG, "a training session needs a trainable network");
	return ATTEND_OK;
}

/* How far down backward will have to go, for the present trainable set. */
static void plan_depth(attend_session *session)
{
	const attend_network *network = session->network;
	const attend_arch *arch = &network->arch;
	if (!session->options.training) return;
	for (int stack = 0; stack < 2; stack++) {
		attend_stack_state *state = &session->stacks[stack];
		if (stack == 0 ? !arch->has_encoder : !arch->has_decoder) continue;
		state->planned_lowest = attend_network_lowest_trainable(network, stack);
		state->planned_learns = attend_network_stack_learns(network, stack);
	}
	attend_stack_state *decoder = &session->stacks[1];
	if (!arch->has_encoder || !arch->has_decoder || !arch->decoder.cross_attention) return;
	if (decoder->planned_lowest > 0) decoder->planned_lowest = 0;
	decoder->planned_learns = true;
}

/* Runs that keep nothing work in the buffers that backward uses for gradients. */
static void share_buffers(attend_session *session)
{
	const attend_scratch *x = &session->scratch;
	for (int stack = 0; stack < 2; stack++) {
		session->stacks[stack].plain = (attend_block_acts){
			.self = {.z = x->g2},
			.cross = {.z = x->g2},
			.ffn = {.z = x->g2},
			.qkv = x->d_qkv,
			.ctx = x->d_ctx,
			.cross_q = x->d_qkv,
			.cross_kv = x->d_kv,
			.cross_ctx = x->d_ctx,
			.up = x->d_up,
		};
		attend_stack_state *state = &session->stacks[stack];
		if (state->d_distance_bias == NULL) continue;
		const attend_stack_arch *a = attend_arch_stack(&session->network->arch, stack);
		memset(state->d_distance_bias, 0,
		       state->distance_tables * a->heads * (2 * state->distance_span + 1) * sizeof(float));
	}
}

attend_status attend_session_measure(size_t *out, const attend_network *network, const attend_session_options *options)
{
	attend_session *session = calloc(1, sizeof *session);
	if (session == NULL) return attend_fail_memory(sizeof *session, "session");
	session->network = (attend_network *)(uintptr_t)network; /* planning reads only */
	attend_status status = complete_options(session, options);
	if (status == ATTEND_OK) {
		plan_depth(session);
		status = attend_session_plan(session, true, out);
	}
	free(session);
	return status;
}

static attend_status build(attend_session *session, const attend_session_options *options)
{
	ATTEND_TRY(complete_options(session, options));
	plan_depth(session);
	size_t bytes;
	ATTEND_TRY(attend_session_plan(session, true, &bytes));
	ATTEND_TRY(attend_arena_init(&session->arena, bytes));
	ATTEND_TRY(attend_session_plan(session, false, &bytes));
	share_buffers(session);
	if (session->cache.slot_count) attend_cache_clear(&session->cache);
	return ATTEND_OK;
}

attend_status attend_session_new(attend_session **out, attend_network *network, const attend_session_options *options)
{
	attend_session *session = calloc(1, sizeof *session);
	if (session == NULL) return attend_fail_memory(sizeof *session, "session");
	session->network = network;
	const attend_status status = build(session, options);
	if (status != ATTEND_OK) {
		attend_session_free(session);
		return status;
	}
	*out = session;
	return ATTEND_OK;
}

void attend_session_free(attend_session *session)
{
	if (session == NULL) return;
	attend_arena_free(&session->arena);
	free(session->probabilities.data);
	free(session->masks.data);
	free(session);
}

attend_network *attend_session_network(const attend_session *session)
{
	return session->network;
}

void attend_session_set_observer(attend_session *session, const attend_observer *observer)
{
	session->observer = observer ? *observer : (attend_observer){0};
}

void attend_session_set_dropout(attend_session *session, bool on, uint64_t seed, uint64_t step)
{
	session->dropout = on;
	session->seed = seed;
	session->step = step;
}

attend_status attend_session_set_hidden(attend_session *session, int stack, const float *hidden, size_t count)
{
	const attend_arch *arch = &session->network->arch;
	attend_stack_state *state = &session->stacks[stack];
	if (stack == 0 ? !arch->has_encoder : !arch->has_decoder)
		return attend_fail(ATTEND_ERR_ARG, "hidden states for a stack that the model lacks");
	if (count > session->options.max_tokens || count > session->options.max_sequences)
		return attend_fail(ATTEND_ERR_ARG, "%zu rows of hidden states: the session was made for %zu", count,
		                   session->options.max_tokens < session->options.max_sequences
		                       ? session->options.max_tokens
		                       : session->options.max_sequences);
	state->hidden = state->hidden_buffer ? state->hidden_buffer : state->x;
	memcpy(state->hidden, hidden, count * state->width * sizeof *hidden);
	state->sequences = state->rows = state->hidden_rows = count;
	for (size_t s = 0; s <= count; s++) state->offsets[s] = s;
	memset(state->ids, 0, count * sizeof *state->ids);
	state->ran = true;
	state->kept = session->options.training && !session->evaluating;
	state->dropout = session->dropout && state->kept;
	state->learns = false;
	return ATTEND_OK;
}

void attend_session_set_evaluating(attend_session *session, bool on)
{
	session->evaluating = on;
}
