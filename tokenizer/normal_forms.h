/* normal_forms.h: NFC, NFD, NFKC, NFKD (UAX 15) with the reference's account of which characters replace which. */
#ifndef ATTEND_TOKENIZER_NORMAL_FORMS_H
#define ATTEND_TOKENIZER_NORMAL_FORMS_H

#include "tokenizer/normalized.h"

typedef enum attend_normal_form { ATTEND_NFC, ATTEND_NFD, ATTEND_NFKC, ATTEND_NFKD } attend_normal_form;

/* Bring the whole text into a normal form; near linear, also for long runs of combining marks. */
attend_status attend_normalize_form(attend_normalized *n, attend_normal_form form);

/* Is it certain, without normalising, that the text is in that form already? */
bool attend_has_form(const char *text, size_t size, attend_normal_form form);

/* Full decomposition of c into out (at most 18 code points); returns how many. */
enum { ATTEND_MAX_DECOMPOSITION = 18 };
size_t attend_decompose(uint32_t out[ATTEND_MAX_DECOMPOSITION], uint32_t c, bool compatibility);

#endif
