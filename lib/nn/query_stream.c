/* query_stream.c: two-stream attention (Yang et al. 2019, huggingface.md 2.6): g starts as mask_emb for every
 * target; in each block its queries are spread over the positions by target_mapping, attend to the content stream's
 * keys and values under the mask that does not let a token see itself, and are gathered back. */
#include "lib/nn/query_stream.h"

#include <string.h>

attend_status attend_query_stream_begin(attend_pass *pass, const attend_batch *batch)
{
	attend_session *session = pass->session;
	if (batch->targets == NULL) return ATTEND_OK;
	const attend_vector *mask = &session->network->xlnet_mask_emb;
	if (mask->data == NULL || pass->arch->relative != ATTEND_RELATIVE_XLNET ||
	    pass->arch->norm_place != ATTEND_NORM_POST)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "targets: the model has no query stream");
	if (!session->options.query_stream)
		return attend_fail(ATTEND_ERR_ARG, "targets: the session was made without a query stream");
	if (session->options.training && !session->evaluating)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "targets: the query stream has no backward");
	size_t targets = 0;
	for (size_t s = 0; s < pass->sequences; s++) {
		targets += batch->targets[s];
		if (targets > session->options.max_tokens)
			return attend_fail(ATTEND_ERR_ARG, "%zu targets: the session was made for %zu tokens", targets,
			                   session->options.max_tokens);
	}
	for (size_t i = 0; i < targets; i++)
		memcpy(session->scratch.g + i * pass->arch->hidden, mask->data, pass->arch->hidden * sizeof(float));
	pass->targets = batch->targets;
	pass->target_mapping = batch->target_mapping;
	pass->query_hidden_keys = batch->query_hidden_keys;
	pass->target_rows = targets;
	return ATTEND_OK;
}

static size_t length_of(const attend_pass *pass, size_t s)
{
	return pass->state->offsets[s + 1] - pass->state->offsets[s];
}

/* to [N,width] = mapping^T from [targets,width]; or back: to [targets,width] = mapping from [N,width]. */
static void spread(const attend_pass *pass, float *to, const float *from, size_t ld_from, size_t width, bool back)
{
	memset(to, 0, (back ? pass->target_rows : pass->rows) * width * sizeof *to);
	size_t target = 0;
	for (size_t s = 0; s < pass->sequences; s++) {
		const size_t t = length_of(pass, s), first = pass->state->offsets[s];
		for (size_t m = 0; m < pass->targets[s]; m++, target++) {
			for (size_t i = 0; i < t; i++) {
				const float weight = pass->target_mapping[s][m * t + i];
				if (weight == 0.0f) continue;
				const float *x = from + (back ? first + i : target) * ld_from;
				float *y = to + (back ? target : first + i) * width;
				for (size_t k = 0; k < width; k++) y[k] += weight * x[k];
			}
		}
	}
}

attend_status attend_query_stream_block(attend_pass *pass)
{
	if (pass->targets == NULL) return ATTEND_OK;
	attend_session *session = pass->session;
	attend_scratch *scratch = &session->scratch;
	const attend_stack_arch *arch = pass->arch;
	attend_block_params *b = pass->block;
	const size_t d = arch->hidden, inner = arch->heads * arch->head_dim, ld = 3 * inner;
	const attend_observer *o = &session->observer;
	if (o->hidden && !o->hidden(o->payload, pass->stack, 1, pass->run, scratch->g, pass->target_rows, d))
		return attend_fail(ATTEND_ERR_CANCELLED, "the observer asked to stop at layer %zu", pass->layer);
	attend_block_acts acts = *pass->acts;
	attend_linear_run(session, &b->qkv, acts.qkv, ld, scratch->g, d, pass->target_rows, NULL);
	spread(pass, scratch->xl_t, acts.qkv, ld, inner, false);
	attend_xlnet_bias_forward(pass, scratch->xl_t, inner, pass->query_hidden_keys, false);
	for (size_t s = 0; s < pass->sequences; s++)
		scratch->attention[s] = attend_describe_self(pass, s, scratch->xl_q, inner, acts.ctx, NULL);
	ATTEND_TRY(attend_attention_run(pass, false, 1));
	spread(pass, acts.qkv, acts.ctx, inner, inner, true);

	attend_pass own = *pass;
	own.rows = pass->target_rows;
	own.acts = &acts;
	attend_residual_run(&own, &b->attention_out, scratch->g, acts.qkv, inner, scratch->g, ATTEND_SITE_SELF_OUTPUT,
	                    0.0f);
	attend_norm_run(arch->norm, arch->norm_eps, &b->attention_norm, scratch->g, scratch->g, own.rows, d, NULL, NULL);
	acts.ffn = (attend_sublayer){.x = scratch->g, .z = scratch->g, .y = scratch->g};
	attend_ffn_forward(&own);
	return ATTEND_OK;
}

attend_status attend_query_stream_finish(attend_pass *pass)
{
	if (pass->targets == NULL) return ATTEND_OK;
	attend_session *session = pass->session;
	const attend_observer *o = &session->observer;
	pass->state->hidden = session->scratch.g;
	pass->state->hidden_rows = pass->target_rows;
	if (o->hidden && !o->hidden(o->payload, pass->stack, 1, pass->state->runs, session->scratch.g, pass->target_rows,
	                            pass->arch->hidden))
		return attend_fail(ATTEND_ERR_CANCELLED, "the observer asked to stop at the end");
	return ATTEND_OK;
}
