/* registry.h: the list of model families. */
#ifndef ATTEND_MODELS_REGISTRY_H
#define ATTEND_MODELS_REGISTRY_H

#include "models/model.h"

/* The table for a config.json's model_type; NULL: none. */
const attend_family *attend_family_find(const char *model_type);

/* All of them, in the order of models/registry.c; NULL behind the last. */
const attend_family *attend_family_at(size_t i);

#endif
