/* mbart.c: mBART, mBART-50 (Liu et al., 2020; huggingface.md 2.13).
 *
 * Against BART: pre-norm with a final layer_norm in both stacks; decoder inputs from labels are the labels turned round: the last
 * token that is not pad (the language code) goes to the front; decoder_start_token_id may be null. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 50265),
	KEY(PAD, "pad_token_id", 1),
	KEY(BOS, "bos_token_id", 0),
	KEY(EOS, "eos_token_id", 2),
	END_KEYS,
};

static const attend_family_class classes[] = {
	CLASS("MBartModel", BASE),
	CLASS("MBartForConditionalGeneration", SEQ2SEQ),
	CLASS("MBartForSequenceClassification", SEQUENCE),
	CLASS("MBartForQuestionAnswering", QA),
	CLASS_AS("MBartForCausalLM", LM, DECODER),
	END_CLASSES,
};

const attend_family attend_family_mbart = {
	.model_type = "mbart",
	.base_prefix = "model.",
	.shape = ATTEND_SHAPE_ENCODER_DECODER,
	.unties_stacks = true,
	.shift = ATTEND_SHIFT_LANGUAGE,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .position_offset = 2,
              .embedding_norm = true,
              .pad_row_frozen = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_PRE,
              .final_norm = true},
	.keys = keys,
	.shared_keys = attend_keys_bart,
	.names = attend_names_bart,
	.heads = attend_heads_bart,
	.classes = classes,
	.ignored = attend_ignored_bart,
};
