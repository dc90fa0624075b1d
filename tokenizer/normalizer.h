/* normalizer.h: running a normalizer over a text (constructors: tokenizer_internal.h). */
#ifndef ATTEND_TOKENIZER_NORMALIZER_H
#define ATTEND_TOKENIZER_NORMALIZER_H

#include "tokenizer/normalized.h"

attend_status attend_normalizer_run(const attend_normalizer *normalizer, attend_normalized *n);

/* Is it a single normal form (NFC ...), so that most texts stay as they are? */
bool attend_normalizer_is_form(const attend_normalizer *normalizer);
/* Is it certain that this text stays as it is? Only for NULL and normal forms. */
bool attend_normalizer_keeps(const attend_normalizer *normalizer, const char *text, size_t size);

/* ---- bert_normalizer.c ---- */

typedef struct attend_bert_rules {
	bool clean_text, handle_chinese_chars, strip_accents, lowercase;
} attend_bert_rules;

attend_status attend_bert_normalize(const attend_bert_rules *rules, attend_normalized *n);
/* The rules of a BertNormalizer; NULL: it is another one, or a sequence. */
const attend_bert_rules *attend_normalizer_bert_rules(const attend_normalizer *normalizer);

/* ---- precompiled.c: SentencePiece's character map ---- */

typedef struct attend_charsmap attend_charsmap;
/* Copies the blob. FORMAT: cut short, or sizes that do not fit. */
attend_status attend_charsmap_new(attend_charsmap **out, const void *blob, size_t size);
attend_status attend_charsmap_from_base64(attend_charsmap **out, const char *text, size_t size);
void attend_charsmap_free(attend_charsmap *map);
/* The `Precompiled` normalizer of the reference: by grapheme clusters, shortest prefix. */
attend_status attend_charsmap_normalize(const attend_charsmap *map, attend_normalized *n);
/* SentencePiece's own: at every place the longest match. map NULL: no replacements. */
attend_status attend_spm_normalize(const attend_charsmap *map, attend_spm_rules rules, attend_normalized *n);
/* Does the map leave printable ASCII (and blank) alone? Then ASCII text needs no work. */
bool attend_charsmap_keeps_ascii(const attend_charsmap *map);
const attend_charsmap *attend_normalizer_charsmap(const attend_normalizer *normalizer);

#endif
