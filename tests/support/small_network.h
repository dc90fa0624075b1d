/* small_network.h: networks of random weights made from an attend_arch, without files: for tests of lib/nn. */
#ifndef ATTEND_TESTS_SMALL_NETWORK_H
#define ATTEND_TESTS_SMALL_NETWORK_H

#include "lib/nn/heads.h"
#include "lib/nn/session.h"

/* Between them they use every axis of arch.h. */
typedef enum small_shape {
	SMALL_BERT,   /* post-norm encoder, types, pooler; MLM tied, NSP, sequence, token, QA, choice heads */
	SMALL_ALBERT, /* groups with inner layers, factorised embedding */
	SMALL_MPNET,  /* positions from ids, relative bias of the stack */
	SMALL_MODERN, /* pre-norm, rotary, windows, gated, first norm left out, mean pooling */
	SMALL_XLNET,  /* relative terms, segments, query stream */
	SMALL_GPT2,   /* pre-norm decoder, Conv1D, types in the word table, windowed layer, scores by layer, LM tied */
	SMALL_T5,   /* RMS, gated, relative bias of the stack, unequal head width, cross-attention, tied and scaled head */
	SMALL_UMT5, /* relative bias of each layer, untied head, sequence head at eos */
	SMALL_BART, /* post-norm encoder-decoder, positions with offset, embedding norms */
	SMALL_BRIDGE, /* encoder and decoder of unequal width, bridge, sinusoids */
	SMALL_SHAPES
} small_shape;

typedef struct small_network {
	attend_network network;
	float *data; /* what the parameters view until they are trainable */
} small_network;

/* Dropout rates are 0; set them in network.arch. The same seed gives the same numbers. */
void small_network_make(small_network *out, small_shape shape, uint64_t seed);
/* The same with every width `times` as large. */
void small_network_make_wide(small_network *out, small_shape shape, uint64_t seed, size_t times);
void small_network_free(small_network *small);
const char *small_shape_name(small_shape shape);

/* Ragged batch of `sequences` random sequences, lengths from `lengths`; ids avoid pad. */
typedef struct small_batch {
	attend_batch batch;
	size_t offsets[17];
	int32_t ids[640], types[640];
} small_batch;
void small_batch_make(small_batch *out, const attend_stack_arch *arch, const size_t *lengths, size_t sequences,
                      uint64_t seed);

#endif
