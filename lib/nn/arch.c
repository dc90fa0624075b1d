/* arch.c: words for head kinds, and the end of an attend_arch. */
#include "lib/nn/arch.h"

#include <stdlib.h>
#include <string.h>

static const char *const head_names[ATTEND_HEAD_KINDS] = {
	[ATTEND_HEAD_BASE] = "base",
	[ATTEND_HEAD_MLM] = "mlm",
	[ATTEND_HEAD_LM] = "lm",
	[ATTEND_HEAD_SEQ2SEQ] = "seq2seq",
	[ATTEND_HEAD_NSP] = "nsp",
	[ATTEND_HEAD_PRETRAINING] = "pretraining",
	[ATTEND_HEAD_SEQUENCE] = "sequence",
	[ATTEND_HEAD_TOKEN] = "token",
	[ATTEND_HEAD_QA] = "qa",
	[ATTEND_HEAD_CHOICE] = "multiple-choice",
	[ATTEND_HEAD_DISCRIMINATOR] = "discriminator",
};

const char *attend_head_kind_name(attend_head_kind kind)
{
	return (unsigned)kind < ATTEND_HEAD_KINDS ? head_names[kind] : "unknown";
}

attend_status attend_head_kind_parse(attend_head_kind *out, const char *name)
{
	for (unsigned i = 0; i < ATTEND_HEAD_KINDS; i++) {
		if (strcmp(name, head_names[i]) == 0) {
			*out = (attend_head_kind)i;
			return ATTEND_OK;
		}
	}
	return attend_fail(ATTEND_ERR_ARG,
	                   "unknown head '%s': expected base, mlm, lm, seq2seq, nsp, "
	                   "pretraining, sequence, token, qa, "
	                   "multiple-choice or discriminator",
	                   name);
}

void attend_arch_free(attend_arch *arch)
{
	if (arch == NULL) return;
	free(arch->layers);
	arch->layers = NULL;
	arch->encoder.layer = NULL;
	arch->decoder.layer = NULL;
}
