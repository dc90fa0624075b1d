/* relative_bias.c: T5's position bias (Raffel et al. 2020, huggingface.md 2.10) as one row of numbers per head and
 * distance.
 *
 * Distances beyond max_distance share the last bucket of their side, so a row of 2*max_distance + 1 serves texts of
 * any length; it is made once for a session and again when the parameters have changed. */
#include <string.h>

#include "lib/nn/session_state.h"

static const attend_table *table_of(const attend_stack_params *params, const attend_stack_arch *arch, size_t table)
{
	return arch->relative == ATTEND_RELATIVE_BUCKETS_LAYER ? &params->blocks[table].relative_bias
	                                                       : &params->relative_bias;
}

/* bias[h][d + span] = table[bucket(d)][h] */
void attend_distance_bias_prepare(attend_pass *pass)
{
	const attend_stack_arch *arch = pass->arch;
	attend_stack_state *state = pass->state;
	const attend_network *network = pass->session->network;
	if (state->distance_bias == NULL || state->distance_version == network->version + 1) return;
	const size_t size = arch->heads * (2 * state->distance_span + 1);
	for (size_t t = 0; t < state->distance_tables; t++) {
		const attend_table *table = table_of(pass->params, arch, t);
		attend_to_f32(state->distance_rows, table->data, table->dtype, arch->relative_buckets * arch->heads);
		attend_relative_bias_forward(state->distance_bias + t * size, state->distance_span, state->distance_rows,
		                             arch->heads, arch->relative_bidirectional, arch->relative_buckets,
		                             arch->relative_max_distance);
	}
	state->distance_version = network->version + 1; /* 0 means never */
}

/* The layers have summed up d_distance_bias. */
void attend_distance_bias_backward(attend_pass *pass)
{
	const attend_stack_arch *arch = pass->arch;
	attend_stack_state *state = pass->state;
	if (state->d_distance_bias == NULL) return;
	const size_t size = arch->heads * (2 * state->distance_span + 1);
	for (size_t t = 0; t < state->distance_tables; t++) {
		attend_param *param = table_of(pass->params, arch, t)->param;
		if (param == NULL || param->grad == NULL) continue;
		param->dense_grad = true;
		attend_relative_bias_backward(param->grad, state->d_distance_bias + t * size, state->distance_span, arch->heads,
		                              arch->relative_bidirectional, arch->relative_buckets,
		                              arch->relative_max_distance);
	}
	memset(state->d_distance_bias, 0, state->distance_tables * size * sizeof(float));
}
