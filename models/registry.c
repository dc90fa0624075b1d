/* registry.c: every family that attend knows, one line each. */
#include "models/registry.h"

#include <string.h>

#include "models/tables.h"

static const attend_family *const models[] = {
	&attend_family_bert,
	&attend_family_roberta,
	&attend_family_xlm_roberta,
	&attend_family_camembert,
	&attend_family_distilbert,
	&attend_family_albert,
	&attend_family_electra,
	&attend_family_mpnet,
	&attend_family_xlnet,
	&attend_family_modernbert,
	&attend_family_openai_gpt,
	&attend_family_gpt2,
	&attend_family_gpt_neo,
	&attend_family_t5,
	&attend_family_mt5,
	&attend_family_umt5,
	&attend_family_bart,
	&attend_family_mbart,
	&attend_family_marian,
	&attend_family_pegasus,
	&attend_family_encoder_decoder,
	NULL,
};

const attend_family *attend_family_find(const char *model_type)
{
	for (size_t i = 0; models[i] != NULL; i++)
		if (strcmp(models[i]->model_type, model_type) == 0) return models[i];
	return NULL;
}

const attend_family *attend_family_at(size_t i)
{
	return i < sizeof models / sizeof models[0] ? models[i] : NULL;
}
