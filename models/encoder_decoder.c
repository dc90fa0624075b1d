/* encoder_decoder.c: EncoderDecoderModel, two folders in one (Rothe et al., 2019; huggingface.md 2.14).
 *
 * config.json holds two whole configs, `encoder` and `decoder`, each with a model_type of its own; tensors carry "encoder." and
 * "decoder." in front of the halves' own names. The decoder has cross-attention and its family's language model head, whose
 * loss is not shifted here. enc_to_dec_proj stands between them where their hidden sizes differ. */
#include "models/tables.h"

static const attend_family_key keys[] = {END_KEYS};

static const attend_family_name names[] = {
	PAIR(BRIDGE_W, "enc_to_dec_proj"),
	END_NAMES,
};

static const attend_family_head heads[] = {END_HEADS};

static const attend_family_class classes[] = {
	CLASS("EncoderDecoderModel", SEQ2SEQ),
	END_CLASSES,
};

const attend_family attend_family_encoder_decoder = {
	.model_type = "encoder-decoder",
	.base_prefix = "",
	.shape = ATTEND_SHAPE_COMPOSITE,
	.keys = keys,
	.names = names,
	.heads = heads,
	.classes = classes,
};
