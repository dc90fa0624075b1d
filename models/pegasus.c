/* pegasus.c: Pegasus (Zhang et al., 2019; huggingface.md 2.13).
 *
 * Against BART: pre-norm with a final layer_norm in both stacks, sinusoidal positions as Marian's, no embedding norm. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 50265),
	KEY(PAD, "pad_token_id", 0),
	KEY(EOS, "eos_token_id", 1),
	KEY(DECODER_START, "decoder_start_token_id", 0),
	END_KEYS,
};

static const attend_family_class classes[] = {
	CLASS("PegasusModel", BASE),
	CLASS("PegasusForConditionalGeneration", SEQ2SEQ),
	CLASS_AS("PegasusForCausalLM", LM, DECODER),
	END_CLASSES,
};

const attend_family attend_family_pegasus = {
	.model_type = "pegasus",
	.base_prefix = "model.",
	.shape = ATTEND_SHAPE_ENCODER_DECODER,
	.unties_stacks = true,
	.stack = {.positions = ATTEND_POSITION_SINUSOID,
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
