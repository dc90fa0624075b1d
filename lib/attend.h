/* attend.h: the inference API of libattend. */
#ifndef ATTEND_H
#define ATTEND_H

#include "lib/core/attend_base.h"
#include "tokenizer/attend_tokenizer.h"

#endif
