/* embeddings.c: from ids to what enters the first block, and back.
 *
 *   e = scale * word[id] (+ type[tt]) (+ position[p]) (+ word[tt], GPT) ; e = norm(e) ; e = dropout(e)
 *   x = e, or projection(e)
 *
 * Positions: the index in the sequence (after what is cached), as given, or counted from the ids (RoBERTa, MPNet:
 * cumsum(id != pad) * (id != pad) + pad). */
#include <string.h>

#include "lib/core/stored.h"
#include "lib/nn/session_state.h"

/* ---- Checking and copying a batch ---------------------------------------------------------------------------- */
static attend_status check_shape(const attend_session *session, const attend_batch *batch, const char *what)
{
	const attend_session_options *o = &session->options;
	if (batch->sequences > o->max_sequences)
		return attend_fail(ATTEND_ERR_ARG, "%s of %zu sequences: the session was made for %zu", what, batch->sequences,
		                   o->max_sequences);
	if (batch->sequences == 0 || batch->offsets == NULL || batch->offsets[0] != 0)
		return attend_fail(ATTEND_ERR_ARG, "%s: no sequences, or offsets that do not start at 0", what);
	for (size_t s = 0; s < batch->sequences; s++) {
		if (batch->offsets[s + 1] < batch->offsets[s])
			return attend_fail(ATTEND_ERR_ARG, "%s: offsets fall at sequence %zu", what, s);
		if (batch->offsets[s + 1] - batch->offsets[s] > o->max_length)
			return attend_fail(ATTEND_ERR_ARG, "%s: sequence %zu has %zu tokens, the session was made for %zu", what, s,
			                   batch->offsets[s + 1] - batch->offsets[s], o->max_length);
	}
	const size_t rows = batch->offsets[batch->sequences];
	if (rows > o->max_tokens)
		return attend_fail(ATTEND_ERR_ARG, "%s of %zu tokens: the session was made for %zu", what, rows, o->max_tokens);
	if (rows && batch->ids == NULL) return attend_fail(ATTEND_ERR_ARG, "%s: no ids", what);
	return ATTEND_OK;
}

/* A row of the word table that holds NaN or infinity is a broken file: named here, before it spreads. */
static attend_status check_row(const attend_table *table, size_t row)
{
	size_t bad;
	const size_t size = attend_dtype_bits(table->dtype) / 8, first = row * table->width;
	const unsigned char *data = table->data;
	if (attend_stored_finite(data + first * size, table->dtype, table->width, &bad)) return ATTEND_OK;
	return attend_param_not_finite(table->param, first + bad);
}

/* word: NULL where the values are not to be looked at. */
static attend_status check_ids(const attend_stack_arch *arch, const attend_table *word, const attend_batch *batch,
                               size_t s)
{
	const size_t words = arch->vocab, types = arch->types_use_words ? words : arch->types;
	for (size_t i = batch->offsets[s]; i < batch->offsets[s + 1]; i++) {
		const int32_t id = batch->ids[i];
		if (id < 0 || (size_t)id >= words)
			return attend_fail(ATTEND_ERR_DATA, "sequence %zu, token %zu: id %ld is not in the vocabulary of %zu", s,
			                   i - batch->offsets[s], (long)id, words);
		if (word != NULL) ATTEND_TRY(check_row(word, (size_t)id));
		if (batch->types == NULL || types == 0) continue;
		if (batch->types[i] < 0 || (size_t)batch->types[i] >= types)
			return attend_fail(ATTEND_ERR_DATA, "sequence %zu, token %zu: token type %ld is not below %zu", s,
			                   i - batch->offsets[s], (long)batch->types[i], types);
	}
	return ATTEND_OK;
}

/* Positions of sequence s into out. */
static attend_status place(const attend_stack_arch *arch, const attend_table *table, const attend_batch *batch,
                           size_t s, size_t past, int32_t *out)
{
	const size_t first = batch->offsets[s], count = batch->offsets[s + 1] - first;
	const bool from_ids = arch->position_source == ATTEND_POSITION_FROM_IDS;
	const bool lookup = arch->positions == ATTEND_POSITION_LEARNED || arch->positions == ATTEND_POSITION_SINUSOID;
	int64_t running = (int64_t)past;
	for (size_t i = 0; i < count; i++) {
		int64_t p = (int64_t)(past + i);
		if (batch->positions) {
			p = batch->positions[first + i];
		} else if (from_ids) {
			const bool real = batch->ids[first + i] != arch->pad_id;
			running += real;
			p = (real ? running : 0) + arch->pad_id;
		}
		if (lookup) {
			const int64_t row = p + (int64_t)arch->position_offset;
			if (p < 0 || (uint64_t)row >= table->rows) {
				if (batch->positions)
					return attend_fail(ATTEND_ERR_DATA, "sequence %zu, token %zu: position %lld is not below %zu", s, i,
					                   (long long)p, table->rows - arch->position_offset);
				return attend_fail(ATTEND_ERR_DATA, "sequence %zu has %zu tokens: the model takes at most %zu", s,
				                   past + count, arch->max_positions ? arch->max_positions : table->rows);
			}
			p = row;
		} else if (p > INT32_MAX || p < INT32_MIN) {
			return attend_fail(ATTEND_ERR_DATA, "sequence %zu, token %zu: position %lld", s, i, (long long)p);
		}
		out[first + i] = (int32_t)p;
	}
	return ATTEND_OK;
}

attend_status attend_embeddings_check(attend_session *session, int stack, const attend_batch *batch, const int *slots)
{
	const attend_stack_arch *arch = attend_arch_stack(&session->network->arch, stack);
	const attend_stack_params *params = &session->network->stacks[stack];
	attend_stack_state *state = &session->stacks[stack];
	const char *what = stack == 0 ? "encoder batch" : "decoder batch";
	state->ran = false;
	ATTEND_TRY(check_shape(session, batch, what));
	if (slots && batch->columns) return attend_fail(ATTEND_ERR_ARG, "%s: columns with cached sequences", what);
	const size_t sequences = batch->sequences, rows = batch->offsets[sequences];
	for (size_t s = 0; s < sequences; s++) {
		size_t past = 0;
		if (slots) {
			const int slot = slots[s];
			const attend_cache *cache = &session->cache;
			if (slot < 0 || (size_t)slot >= cache->slot_count || !cache->slots[slot].open)
				return attend_fail(ATTEND_ERR_ARG, "%s: cache slot %d is not open", what, slot);
			past = cache->slots[slot].length;
			const size_t length = past + batch->offsets[s + 1] - batch->offsets[s];
			if (length > session->options.cache_length)
				return attend_fail(ATTEND_ERR_ARG, "%s: sequence %zu grows to %zu tokens, the cache was made for %zu",
				                   what, s, length, session->options.cache_length);
		}
		state->past[s] = past;
		ATTEND_TRY(check_ids(arch, session->network->trainable ? NULL : &params->word, batch, s));
		ATTEND_TRY(place(arch, &params->position, batch, s, past, state->positions));
	}
	state->sequences = sequences;
	state->rows = rows;
	memcpy(state->offsets, batch->offsets, (sequences + 1) * sizeof *state->offsets);
	if (rows) memcpy(state->ids, batch->ids, rows * sizeof *state->ids);
	state->has_types = batch->types != NULL;
	if (rows && batch->types) memcpy(state->types, batch->types, rows * sizeof *state->types);
	else memset(state->types, 0, rows * sizeof *state->types);
	state->has_columns = batch->columns != NULL;
	for (size_t s = 0; batch->columns && s < sequences; s++) {
		const size_t first = batch->offsets[s], last = batch->offsets[s + 1];
		for (size_t i = first + 1; i < last; i++)
			if (batch->columns[i] <= batch->columns[i - 1] || batch->columns[first] < 0)
				return attend_fail(ATTEND_ERR_ARG, "%s: columns of sequence %zu do not rise", what, s);
		if (last > first && (size_t)(batch->columns[last - 1] - batch->columns[first]) >= session->options.max_length)
			return attend_fail(ATTEND_ERR_ARG, "%s: columns of sequence %zu span more than %zu", what, s,
			                   session->options.max_length);
	}
	if (rows && batch->columns) memcpy(state->columns, batch->columns, rows * sizeof *state->columns);
	state->hidden_keys = batch->hidden_keys;
	return ATTEND_OK;
}

/* ---- Forward and backward ------------------------------------------------------------------------------------ */
static bool has_position_table(const attend_stack_arch *arch)
{
	return arch->positions == ATTEND_POSITION_LEARNED || arch->positions == ATTEND_POSITION_SINUSOID;
}

static bool is_projected(const attend_stack_params *params)
{
	return params->embedding_projection.out != 0;
}

void attend_embeddings_forward(attend_pass *pass)
{
	const attend_stack_arch *arch = pass->arch;
	const attend_stack_params *params = pass->params;
	attend_stack_state *state = pass->state;
	const size_t rows = pass->rows, width = arch->embedding;
	float *e = pass->keep && arch->embedding_norm ? state->embedded
	           : is_projected(params)             ? state->embedded_norm
	                                              : state->x;
	attend_embedding_forward(e, params->word.data, params->word.dtype, state->ids, rows, width, arch->embedding_scale,
	                         false);
	if (arch->types)
		attend_embedding_forward(e, params->type.data, params->type.dtype, state->types, rows, width, 1.0f, true);
	if (has_position_table(arch))
		attend_embedding_forward(e, params->position.data, params->position.dtype, state->positions, rows, width, 1.0f,
		                         true);
	if (arch->types_use_words && state->has_types)
		attend_embedding_forward(e, params->word.data, params->word.dtype, state->types, rows, width, 1.0f, true);
	float *out = is_projected(params) ? state->embedded_norm : state->x;
	if (arch->embedding_norm)
		attend_norm_run(arch->norm, arch->norm_eps, &params->embedding_norm, out, e, rows, width,
		                pass->keep ? state->embedded_mean : NULL, pass->keep ? state->embedded_rstd : NULL);
	attend_site_dropout(pass->session, pass->stack, 0, ATTEND_SITE_EMBEDDING, arch->dropout_embedding, out,
	                    rows * width);
	if (is_projected(params))
		attend_linear_run(pass->session, &params->embedding_projection, state->x, arch->hidden, out, width, rows, NULL);
}

static void table_backward(attend_table *table, const float *dy, const int32_t *ids, size_t rows, size_t width,
                           float scale, int32_t skip)
{
	attend_param *param = table->param;
	if (param == NULL || param->grad == NULL) return;
	attend_param_settle_grad(param);
	attend_embedding_backward(param->grad, dy, ids, rows, width, scale, skip);
	for (size_t i = 0; i < rows; i++)
		if (ids[i] != skip) param->row_used[ids[i]] = 1;
}

/* dx [N,D], gradient of what entered the first block; destroyed. */
void attend_embeddings_backward(attend_pass *pass, float *dx)
{
	const attend_stack_arch *arch = pass->arch;
	attend_stack_params *params = pass->params;
	attend_stack_state *state = pass->state;
	const size_t rows = pass->rows, width = arch->embedding;
	attend_scratch *scratch = &pass->session->scratch;
	float *de = dx, *spare = scratch->g2;
	if (is_projected(params)) {
		attend_linear_run_backward(pass->session, &params->embedding_projection, scratch->d_embedded, width, true, dx,
		                           arch->hidden, state->embedded_norm, width, rows);
		de = scratch->d_embedded;
		spare = scratch->d_embedded_sum;
	}
	attend_site_dropout(pass->session, pass->stack, 0, ATTEND_SITE_EMBEDDING, arch->dropout_embedding, de,
	                    rows * width);
	if (arch->embedding_norm) {
		attend_norm_run_backward(arch->norm, &params->embedding_norm, spare, true, de, state->embedded, rows, width,
		                         state->embedded_mean, state->embedded_rstd);
		de = spare;
	}
	const int32_t skip = arch->pad_row_frozen ? arch->pad_id : -1;
	table_backward(&params->word, de, state->ids, rows, width, arch->embedding_scale, skip);
	if (arch->types) table_backward(&params->type, de, state->types, rows, width, 1.0f, -1);
	if (has_position_table(arch)) {
		const bool padded = arch->position_source == ATTEND_POSITION_FROM_IDS && arch->pad_row_frozen;
		table_backward(&params->position, de, state->positions, rows, width, 1.0f, padded ? arch->pad_id : -1);
	}
	if (arch->types_use_words && state->has_types)
		table_backward(&params->word, de, state->types, rows, width, 1.0f, skip);
}
