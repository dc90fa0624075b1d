/* masking.c: targets of language models: masked (Devlin et al. 2018, "BERT", 3.1, as DataCollatorForLanguageModeling draws them:
 * every token by itself) and causal. */
#include "lib/train/masking.h"

#include "lib/core/rng.h"

enum { STREAM = 0x4D41534B }; /* "MASK": keeps these draws apart from those of batches and dropout */

static size_t unit_end(const uint8_t *marks, size_t n, size_t at, bool whole_words)
{
	size_t end = at + 1;
	while (whole_words && end < n && (marks[end] & ATTEND_MARK_CONTINUES)) end++;
	return end;
}

static void mask_unit(int32_t *ids, int32_t *labels, size_t at, size_t end, const attend_masking *m, attend_rng *rng)
{
	for (; at < end; at++) {
		const double fate = attend_rng_uniform(rng);
		labels[at] = ids[at];
		if (fate < 0.8) ids[at] = m->mask_id;
		else if (fate < 0.9) ids[at] = (int32_t)attend_rng_below(rng, m->vocab);
	}
}

void attend_mask_tokens(int32_t *ids, int32_t *labels, const uint8_t *marks, size_t n, const attend_masking *masking,
                        uint64_t epoch, uint64_t example)
{
	attend_rng rng = {.seed = masking->seed ^ (uint64_t)STREAM << 32, .stream = epoch << 40 ^ example};
	size_t units = 0, chosen = 0;
	for (size_t i = 0; i < n; i++) labels[i] = ATTEND_LABEL_IGNORED;
	for (size_t at = 0, end; at < n; at = end) {
		end = unit_end(marks, n, at, masking->whole_words);
		if (marks[at] & ATTEND_MARK_SPECIAL) continue;
		units++;
		if (attend_rng_uniform(&rng) >= masking->probability) continue;
		mask_unit(ids, labels, at, end, masking, &rng);
		chosen++;
	}
	if (chosen || !units) return;
	size_t left = (size_t)attend_rng_below(&rng, units);
	for (size_t at = 0, end; at < n; at = end) {
		end = unit_end(marks, n, at, masking->whole_words);
		if ((marks[at] & ATTEND_MARK_SPECIAL) || left-- > 0) continue;
		mask_unit(ids, labels, at, end, masking, &rng);
		return;
	}
}

void attend_next_tokens(int32_t *labels, const int32_t *ids, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) labels[i] = ids[i + 1];
	if (n) labels[n - 1] = ATTEND_LABEL_IGNORED;
}
