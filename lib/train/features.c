/* features.c: the rows that a head reads, kept between epochs. */
#include "lib/train/features.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

static size_t width_of(const attend_network *network, size_t head)
{
	const attend_arch *arch = &network->arch;
	return (attend_head_stack(arch, &arch->heads[head]) == 1 ? &arch->decoder : &arch->encoder)->hidden;
}

size_t attend_features_bytes(const attend_network *network, size_t head, size_t count)
{
	return count * (width_of(network, head) * sizeof(float) + 1);
}

attend_status attend_features_init(attend_features *features, const attend_network *network, size_t head, size_t count,
                                   size_t max_sequences)
{
	attend_features *f = features;
	const size_t width = width_of(network, head);
	*f = (attend_features){.head = head,
	                       .width = width,
	                       .stack = attend_head_stack(&network->arch, &network->arch.heads[head])};
	f->rows = attend_alloc_array(count * width + 1, sizeof *f->rows);
	f->known = calloc(count + 1, 1);
	f->batch = attend_alloc_array(max_sequences * width + 1, sizeof *f->batch);
	f->missing = attend_alloc_array(max_sequences + 1, sizeof *f->missing);
	return f->rows && f->known && f->batch && f->missing
	           ? ATTEND_OK
	           : attend_fail_memory(count * width * sizeof *f->rows, "features");
}

void attend_features_free(attend_features *features)
{
	free(features->rows);
	free(features->known);
	free(features->batch);
	free(features->missing);
	*features = (attend_features){0};
}

attend_status attend_features_run(attend_features *features, attend_example_batch *batch, attend_session *session,
                                  const attend_examples *examples, const size_t *members, size_t count)
{
	attend_features *f = features;
	size_t missing = 0;
	for (size_t i = 0; i < count; i++)
		if (!f->known[members[i]]) f->missing[missing++] = members[i];
	if (missing) {
		attend_example_batch_fill(batch, examples, f->missing, missing);
		ATTEND_TRY(attend_example_batch_run(batch, session, f->head));
		ATTEND_TRY(attend_session_pooled(session, f->head, f->batch));
		for (size_t i = 0; i < missing; i++) {
			memcpy(f->rows + f->missing[i] * f->width, f->batch + i * f->width, f->width * sizeof *f->rows);
			f->known[f->missing[i]] = 1;
		}
	}
	for (size_t i = 0; i < count; i++)
		memcpy(f->batch + i * f->width, f->rows + members[i] * f->width, f->width * sizeof *f->batch);
	return attend_session_set_hidden(session, f->stack, f->batch, count);
}
