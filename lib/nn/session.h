/* session.h: running a network. A session belongs to one thread and holds all memory of a run in one arena, planned when it
 * is made: a steady step allocates nothing.
 *
 * A batch is ragged: the tokens of S sequences in a row, no padding. What a sequence gets does not depend on its neighbours,
 * on the number of threads, or on whether it came whole, in chunks or token by token through the cache: the same bits.
 *
 *   encoder          attend_session_encode, then a head
 *   decoder          attend_session_decode (slots NULL: whole sequences; else: appended to cached sequences), then a head
 *   encoder-decoder  encode, (slots_open,) decode, then a head
 *   training         options.training; encode / decode, attend_session_loss (heads.h), attend_session_backward */
#ifndef ATTEND_NN_SESSION_H
#define ATTEND_NN_SESSION_H

#include "lib/nn/network.h"

typedef struct attend_session attend_session;

typedef struct attend_batch {
	size_t sequences;      /* S */
	const size_t *offsets; /* [S+1], offsets[0] is 0; N = offsets[S]. An empty sequence is fine */
	const int32_t *ids;    /* [N] */
	const int32_t *types;  /* [N] token type ids, or NULL: zeros (GPT-2, XLNet: none, which is not the same as zeros) */
	const int32_t
		*positions; /* [N] for position tables and rotary, or NULL: the index in the sequence, or from the ids */
	const int32_t *columns; /* [N] for distances (relative bias, windows), rising in a sequence, or NULL: the index */
	/* Extra masks, or NULL: hidden_keys[s] is NULL or [T, past + T]: 1 = query i does not see key j. In
	 * training they must stay until backward has run. */
	const uint8_t *const *hidden_keys;
	/* XLNet's query stream, or NULL: target_mapping[s] is [targets[s], T]; the result then has sum(targets) rows. The
	 * stream's own mask is query_hidden_keys[s] (the content stream always sees itself, the query stream need not). */
	const size_t *targets;
	const float *const *target_mapping;
	const uint8_t *const *query_hidden_keys;
} attend_batch;

/* Zero-initialise, set what is needed. */
typedef struct attend_session_options {
	size_t max_tokens;    /* N of one encode or decode call, >= 1 */
	size_t max_sequences; /* S of one call, >= 1 */
	size_t max_length;    /* longest sequence of one call, and the widest span of columns; 0: max_tokens */
	size_t cache_slots;   /* cached sequences at a time (beams count); 0: no cache */
	size_t cache_length;  /* longest cached sequence, in tokens */
	size_t cache_tokens;  /* of all slots together; 0: cache_slots * cache_length */
	size_t memory_tokens; /* encoder tokens kept for cross-attention by all slots together; 0: max_tokens */
	bool training;        /* keep what backward needs */
	bool recompute;       /* gradient checkpointing: keep each block's input only, run the block again in backward */
	bool query_stream;    /* batches may carry XLNet targets */
	/* A batch has about as many rows with a label: a head of every row takes more in further blocks; 0: any. */
	size_t labelled_rows;
	unsigned heads; /* bit i: head i may run; 0: every one of the checkpoint */
} attend_session_options;

/* Bytes that a session with these options reserves (cache included). ARG: nonsense or overflow. */
attend_status attend_session_measure(size_t *out, const attend_network *network, const attend_session_options *options);

/* The network must outlive the session. NOMEM, ARG. attend_session_free(NULL) is fine. */
attend_status attend_session_new(attend_session **out, attend_network *network, const attend_session_options *options);
void attend_session_free(attend_session *session);
attend_network *attend_session_network(const attend_session *session);

/* Run the encoder. *hidden [N,D] (after the final norm; with targets: [sum(targets), D]) is borrowed until the next encode.
 * DATA names the sequence: an id, type or position out of range, a sequence longer than the model takes. ARG: batch larger
 * than planned, no encoder. CANCELLED: the observer said so. */
attend_status attend_session_encode(attend_session *session, const attend_batch *batch, const float **hidden);

/* Run the decoder; *hidden [N,D] is borrowed until the next decode. slots NULL: whole sequences, nothing kept;
 * cross-attention of sequence s reads sequence s of the last encode. slots [S] (distinct): the batch holds the next tokens
 * of these cached sequences, one (a step) or many (prefill, chunk); they are appended. Failure leaves the cache as it was. */
attend_status attend_session_decode(attend_session *session, const attend_batch *batch, const int *slots,
                                    const float **hidden);

/* ---- Cache --------------------------------------------------------------------------------------------------- */

/* Open `count` empty sequences. With cross-attention slot i reads sequence encoder_sequences[i] of the last encode (NULL: i);
 * keys and values of each distinct one are computed here, once for all layers, and shared. NOMEM: the planned cache is full;
 * then none is opened. */
attend_status attend_session_slots_open(attend_session *session, size_t count, const size_t *encoder_sequences,
                                        int *slots);
void attend_session_slot_free(attend_session *session, int slot);
/* A copy that shares all tiles; the last, partly filled one is copied when one of the sharers writes to it. */
attend_status attend_session_slot_fork(attend_session *session, int slot, int *out);
/* slots[i] becomes a copy of what slots[sources[i]] was, for i < count at once (beam search). Slot numbers stay. */
attend_status attend_session_slots_reorder(attend_session *session, size_t count, const int *slots,
                                           const size_t *sources);
/* Forget all but the first `length` tokens. */
void attend_session_slot_truncate(attend_session *session, int slot, size_t length);
size_t attend_session_slot_length(const attend_session *session, int slot);

/* ---- Watching ------------------------------------------------------------------------------------------------ */

/* Called during encode and decode; return false to cancel. Pointers are valid during the call only. Any may be NULL. */
typedef struct attend_observer {
	/* What enters layer `layer`; layer == layers: what leaves the stack, after the final norm. x [rows, D]. `stream`: 0, or 1
	 * for XLNet's query stream. */
	bool (*hidden)(void *payload, int stack, int stream, size_t layer, const float *x, size_t rows, size_t width);
	/* Probabilities [heads, tq, tk] of one sequence. Watching them costs a pass and memory (allocated on demand). */
	bool (*attention)(void *payload, int stack, int stream, size_t layer, bool cross, size_t sequence, const float *p,
	                  size_t heads, size_t tq, size_t tk);
	void *payload;
} attend_observer;
void attend_session_set_observer(attend_session *session, const attend_observer *observer); /* NULL: none; copied */

/* ---- Training ------------------------------------------------------------------------------------------------ */

/* Dropout of the next forward: on with the rates of the arch, masks a pure function of (seed, step, place). Off is the
 * state of a new session. `step` must differ from micro-batch to micro-batch. */
void attend_session_set_dropout(attend_session *session, bool on, uint64_t seed, uint64_t step);

/* Run the forward without keeping anything for backward (evaluation inside training). Off is the state of a new session. */
void attend_session_set_evaluating(attend_session *session, bool on);

/* From the gradients of hidden states that attend_session_loss left (heads.h) through the stacks into the parameters'
 * gradients (+=). Once per forward. Stops at the lowest trainable block; frozen parameters cost nothing. ARG: nothing to
 * go back through. Same bits at any number of threads. */
attend_status attend_session_backward(attend_session *session);

/* Take `count` rows [count, D] for the hidden states of `count` sequences of one token each, as if a run of the stack had given
 * them: heads and losses then read them. For tuning a head on features that were computed once; the gradient ends at the
 * head. ARG: more rows than max_tokens or max_sequences. */
attend_status attend_session_set_hidden(attend_session *session, int stack, const float *hidden, size_t count);

#endif
