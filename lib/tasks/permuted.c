/* permuted.c: see permuted.h (transformers modeling_xlnet.py, prepare_inputs_for_generation and cache_mem). */
#include "lib/tasks/permuted.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

attend_status attend_permuted_init(attend_permuted *out, const attend_network *network, size_t rows, size_t tokens,
                                   size_t longest, size_t reach)
{
	*out = (attend_permuted){.rows = rows,
	                         .tokens = tokens,
	                         .longest = longest + 1,
	                         .memory = network->arch.decoder.memory};
	size_t cells;
	if (__builtin_mul_overflow(tokens + rows, reach + longest + 2, &cells))
		return attend_fail(ATTEND_ERR_ARG, "%zu tokens are too many for one call", tokens);
	out->mask_bytes = cells;
	out->offsets = attend_alloc_array(rows + 1, sizeof *out->offsets);
	out->targets = attend_alloc_array(rows, sizeof *out->targets);
	out->ids = attend_alloc_array(tokens + rows, sizeof *out->ids);
	out->hidden = attend_alloc_array(rows, sizeof *out->hidden);
	out->masks = attend_alloc_array(cells, 1);
	out->mappings = attend_alloc_array(rows, sizeof *out->mappings);
	out->last = attend_alloc_array(out->longest, sizeof *out->last);
	if (!out->offsets || !out->targets || !out->ids || !out->hidden || !out->masks || !out->mappings || !out->last)
		return attend_fail_memory(cells, "permutation masks");
	memset(out->last, 0, out->longest * sizeof *out->last);
	out->last[out->longest - 1] = 1.0f;
	return ATTEND_OK;
}

void attend_permuted_free(attend_permuted *p)
{
	free(p->offsets);
	free(p->targets);
	free(p->ids);
	free((void *)p->hidden);
	free(p->masks);
	free((void *)p->mappings);
	free(p->last);
	*p = (attend_permuted){0};
}

/* Nobody sees the dummy; memory is cut to its length, less the two rows that are read again. */
static uint8_t *hide(const attend_permuted *p, uint8_t *mask, size_t tokens, size_t past)
{
	const size_t kept = p->memory > 2 ? p->memory - 2 : 0;
	const size_t forgotten = p->memory && past > kept ? past - kept : 0;
	for (size_t i = 0; i < tokens; i++, mask += past + tokens) {
		memset(mask, 0, past + tokens);
		memset(mask, 1, forgotten);
		mask[past + tokens - 1] = 1;
	}
	return mask;
}

attend_status attend_permuted_decode(attend_permuted *p, attend_session *session, const int32_t *ids,
                                     const size_t *offsets, size_t count, const int *slots, const float **hidden)
{
	uint8_t *mask = p->masks;
	size_t n = 0;
	if (count > p->rows || offsets[count] > p->tokens)
		return attend_fail(ATTEND_ERR_ARG, "%zu sequences of %zu tokens: planned for %zu of %zu", count, offsets[count],
		                   p->rows, p->tokens);
	for (size_t i = 0; i < count; i++) {
		const size_t given = offsets[i + 1] - offsets[i], tokens = given + 1;
		const size_t past = attend_session_slot_length(session, slots[i]);
		if (tokens > p->longest || tokens * (past + tokens) > p->mask_bytes - (size_t)(mask - p->masks))
			return attend_fail(ATTEND_ERR_ARG, "sequence of %zu tokens behind %zu: more than planned", given, past);
		p->offsets[i] = n;
		memcpy(p->ids + n, ids + offsets[i], given * sizeof *ids);
		p->ids[n + given] = 0;
		n += tokens;
		p->targets[i] = 1;
		p->mappings[i] = p->last + (p->longest - tokens);
		p->hidden[i] = mask;
		mask = hide(p, mask, tokens, past);
	}
	p->offsets[count] = n;
	const attend_batch batch = {
		.sequences = count,
		.offsets = p->offsets,
		.ids = p->ids,
		.hidden_keys = p->hidden,
		.targets = p->targets,
		.target_mapping = p->mappings,
		.query_hidden_keys = p->hidden,
	};
	ATTEND_TRY(attend_session_decode(session, &batch, slots, hidden));
	for (size_t i = 0; i < count; i++) {
		const size_t length = attend_session_slot_length(session, slots[i]);
		attend_session_slot_truncate(session, slots[i], length - (length > 1 ? 2 : length));
	}
	return ATTEND_OK;
}
