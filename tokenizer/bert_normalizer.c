/* bert_normalizer.c: BertNormalizer: clean, separate Chinese characters, strip accents (NFD, then drop Mn), lower-case.
 *
 * One pass does all four. The reference makes four passes; they differ only where canonical ordering moves marks that
 * survive the stripping, and then the passes are made one by one here too. */
#include "tokenizer/normal_forms.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/unicode_tables.h"

/* What clean_text makes of a character; UINT32_MAX: nothing. */
static uint32_t clean(uint32_t c)
{
	if (c == 0 || c == 0xfffd) return UINT32_MAX;
	const uint8_t class = attend_class_of(c);
	if (class & ATTEND_CLASS_BERT_CONTROL) return UINT32_MAX;
	return class & ATTEND_CLASS_WHITE ? ' ' : c;
}

static attend_status put_lower(const attend_bert_rules *rules, attend_normalized *n, uint32_t c, int change)
{
	if (!rules->lowercase) return attend_change_put_char(n, c, change);
	uint32_t lower[3];
	const size_t count = attend_lowercase(lower, c);
	for (size_t i = 0; i < count; i++) ATTEND_TRY(attend_change_put_char(n, lower[i], i > 0 ? 1 : change));
	return ATTEND_OK;
}

/* One character (not ASCII) through all the steps. *odd: a mark that stays: canonical ordering matters. */
static attend_status put_character(const attend_bert_rules *rules, attend_normalized *n, uint32_t c, size_t size,
                                   bool *odd)
{
	if (rules->clean_text) c = clean(c);
	if (c == UINT32_MAX) {
		attend_change_drop(n, size);
		return ATTEND_OK;
	}
	const bool chinese = rules->handle_chinese_chars && attend_is_cjk(c);
	int change = 0;
	if (chinese) {
		ATTEND_TRY(attend_change_put_char(n, ' ', 0));
		change = 1;
	}
	if (!rules->strip_accents) {
		ATTEND_TRY(put_lower(rules, n, c, change));
	} else {
		uint32_t parts[ATTEND_MAX_DECOMPOSITION];
		const size_t count = attend_decompose(parts, c, false);
		size_t kept = 0;
		for (size_t i = 0; i < count; i++) {
			const bool mark = attend_is_bert_mark(parts[i]);
			if (!mark && attend_shape_of(parts[i]) & ATTEND_SHAPE_CCC) *odd = true;
			if (mark) continue;
			ATTEND_TRY(put_lower(rules, n, parts[i], kept++ > 0 ? 1 : change));
		}
		if (kept == 0 && change == 0) attend_change_drop(n, size);
	}
	return chinese ? attend_change_put_char(n, ' ', 1) : ATTEND_OK;
}

static attend_status one_pass(const attend_bert_rules *rules, attend_normalized *n, bool *odd)
{
	ATTEND_TRY(attend_change_begin(n, 0, n->size + 16));
	for (size_t i = 0; i < n->size && !*odd;) {
		size_t run = i;
		while (run < n->size && n->text[run] >= 0x20 && n->text[run] < 0x7f) run++;
		if (run > i) { /* printable ASCII: only the case changes */
			const size_t at = n->new_size;
			ATTEND_TRY(attend_change_keep(n, n->text + i, run - i));
			if (rules->lowercase)
				for (size_t j = at; j < n->new_size; j++)
					if (n->new_text[j] >= 'A' && n->new_text[j] <= 'Z') n->new_text[j] = (char)(n->new_text[j] | 0x20);
			i = run;
			continue;
		}
		size_t size;
		const uint32_t c = attend_utf8_decode(n->text + i, &size);
		ATTEND_TRY(put_character(rules, n, c, size, odd));
		i += size;
	}
	if (!*odd) attend_change_commit(n);
	return ATTEND_OK;
}

static attend_status strip_marks(attend_normalized *n)
{
	ATTEND_TRY(attend_change_begin(n, 0, n->size));
	for (size_t i = 0; i < n->size;) {
		size_t size;
		const uint32_t c = attend_utf8_decode(n->text + i, &size);
		if (attend_is_bert_mark(c)) attend_change_drop(n, size);
		else ATTEND_TRY(attend_change_keep(n, n->text + i, size));
		i += size;
	}
	attend_change_commit(n);
	return ATTEND_OK;
}

attend_status attend_bert_normalize(const attend_bert_rules *rules, attend_normalized *n)
{
	bool odd = false;
	ATTEND_TRY(one_pass(rules, n, &odd));
	if (!odd) return ATTEND_OK;
	const attend_bert_rules first = {.clean_text = rules->clean_text,
	                                 .handle_chinese_chars = rules->handle_chinese_chars};
	const attend_bert_rules last = {.lowercase = rules->lowercase};
	odd = false;
	ATTEND_TRY(one_pass(&first, n, &odd));
	ATTEND_TRY(attend_normalize_form(n, ATTEND_NFD));
	ATTEND_TRY(strip_marks(n));
	return one_pass(&last, n, &odd);
}
