/* example_batch.c: examples side by side, without padding, through the stacks below a head. */
#include "lib/train/example_batch.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

attend_status attend_example_batch_init(attend_example_batch *batch, size_t max_sequences, size_t max_tokens)
{
	batch->ids = attend_alloc_array(max_tokens + 1, sizeof *batch->ids);
	batch->types = attend_alloc_array(max_tokens + 1, sizeof *batch->types);
	batch->decoder_ids = attend_alloc_array(max_tokens + 1, sizeof *batch->decoder_ids);
	batch->offsets = attend_alloc_array(max_sequences + 1, sizeof *batch->offsets);
	if (batch->ids && batch->types && batch->decoder_ids && batch->offsets) return ATTEND_OK;
	return attend_fail_memory(max_tokens * 3 * sizeof *batch->ids, "batch");
}

void attend_example_batch_free(attend_example_batch *batch)
{
	free(batch->ids);
	free(batch->types);
	free(batch->decoder_ids);
	free(batch->offsets);
	*batch = (attend_example_batch){0};
}

size_t attend_example_batch_fill(attend_example_batch *batch, const attend_examples *examples, const size_t *members,
                                 size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		const size_t start = examples->starts[members[i]], length = attend_examples_length(examples, members[i]);
		batch->offsets[i] = n;
		memcpy(batch->ids + n, examples->ids + start, length * sizeof *batch->ids);
		if (examples->types) memcpy(batch->types + n, examples->types + start, length * sizeof *batch->types);
		else memset(batch->types + n, 0, length * sizeof *batch->types);
		n += length;
	}
	batch->offsets[count] = n;
	batch->count = count;
	return n;
}

static void shift_right(attend_example_batch *batch, int32_t start)
{
	for (size_t i = 0; i < batch->count; i++)
		for (size_t j = batch->offsets[i]; j < batch->offsets[i + 1]; j++)
			batch->decoder_ids[j] = j == batch->offsets[i] ? start : batch->ids[j - 1];
}

attend_status attend_example_batch_run(attend_example_batch *batch, attend_session *session, size_t head)
{
	const attend_arch *arch = &attend_session_network(session)->arch;
	const attend_stack_arch *reads = arch->has_encoder ? &arch->encoder : &arch->decoder;
	const bool typed = (reads->types > 0 && !reads->types_use_words) || reads->relative == ATTEND_RELATIVE_XLNET;
	const bool decodes = !arch->has_encoder || attend_head_stack(arch, &arch->heads[head]) == 1;
	attend_batch ragged = {.sequences = batch->count,
	                       .offsets = batch->offsets,
	                       .ids = batch->ids,
	                       .types = typed ? batch->types : NULL};
	const float *hidden = NULL;
	if (arch->has_encoder) ATTEND_TRY(attend_session_encode(session, &ragged, &hidden));
	if (!decodes) return ATTEND_OK;
	if (arch->has_encoder) {
		shift_right(batch, arch->decoder_start_id);
		ragged.ids = batch->decoder_ids;
		ragged.types = NULL;
	}
	return attend_session_decode(session, &ragged, NULL, &hidden);
}
