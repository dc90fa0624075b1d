/* marian.c: Marian, the opus-mt translators (Junczys-Dowmunt et al., 2018; huggingface.md 2.12).
 *
 * Against BART: sinusoidal positions (sines, then cosines; no offset), which newer files leave out; no embedding norm;
 * encoder and decoder may have vocabularies of their own (share_encoder_decoder_embeddings false, decoder_vocab_size).
 * Pitfalls: the decoder starts with pad; final_logits_bias and bad_words_ids keep pad from being generated. */
#include "models/tables.h"

static const attend_family_key keys[] = {
	KEY(VOCAB, "vocab_size", 58101),
	KEY_OR(DECODER_VOCAB, "decoder_vocab_size", VOCAB, 1),
	KEY(SHARE_EMBEDDING, "share_encoder_decoder_embeddings", 1),
	KEY(PAD, "pad_token_id", 58100),
	KEY(EOS, "eos_token_id", 0),
	KEY(DECODER_START, "decoder_start_token_id", 58100),
	END_KEYS,
};

static const attend_family_class classes[] = {
	CLASS("MarianModel", BASE),
	CLASS("MarianMTModel", SEQ2SEQ),
	CLASS_AS("MarianForCausalLM", LM, DECODER),
	END_CLASSES,
};

const attend_family attend_family_marian = {
	.model_type = "marian",
	.base_prefix = "model.",
	.shape = ATTEND_SHAPE_ENCODER_DECODER,
	.unties_stacks = true,
	.stack = {.positions = ATTEND_POSITION_SINUSOID,
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
