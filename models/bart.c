/* bart.c: BART, DistilBART (Lewis et al., 2019; huggingface.md 2.11).
 *
 * Against BERT: encoder-decoder with one word table, learned positions with two unused rows in front, embedding norm, post-norm
 * throughout, no token types, no pooler; logits = hidden x embedding + final_logits_bias [1, V].
 * Pitfalls: eps is fixed at 1e-5; normalize_before, add_final_layer_norm and their kin in old configs have no effect; the FFN's
 * norm is called final_layer_norm; BartForCausalLM's loss is not shifted and has no final_logits_bias. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 50265),
	KEY(LABELS, "num_labels", 3),
	KEY(PAD, "pad_token_id", 1),
	KEY(BOS, "bos_token_id", 0),
	KEY(EOS, "eos_token_id", 2),
	KEY(DECODER_START, "decoder_start_token_id", 2),
	END_KEYS,
};

static const attend_family_class classes[] = {
	CLASS("BartModel", BASE),
	CLASS("BartForConditionalGeneration", SEQ2SEQ),
	CLASS("BartForSequenceClassification", SEQUENCE),
	CLASS("BartForQuestionAnswering", QA),
	CLASS_AS("BartForCausalLM", LM, DECODER),
	END_CLASSES,
};

const attend_family attend_family_bart = {
	.model_type = "bart",
	.base_prefix = "model.",
	.shape = ATTEND_SHAPE_ENCODER_DECODER,
	.unties_stacks = true,
	.stack = {.positions = ATTEND_POSITION_LEARNED,
              .position_offset = 2,
              .embedding_norm = true,
              .pad_row_frozen = true,
              .norm = ATTEND_NORM_LAYER,
              .norm_place = ATTEND_NORM_POST},
	.keys = keys,
	.shared_keys = attend_keys_bart,
	.names = attend_names_bart,
	.heads = attend_heads_bart,
	.classes = classes,
	.ignored = attend_ignored_bart,
};
