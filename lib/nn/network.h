/* network.h: what can be done to a loaded network besides running it: packing, training form, memory.
 *
 * A network is filled by loaders/ (arch.h, params.h) and then shared by any number of sessions (session.h). */
#ifndef ATTEND_NN_NETWORK_H
#define ATTEND_NN_NETWORK_H

#include <stdatomic.h>

#include "lib/nn/params.h"

/* Once after loading, when params, handles and arch are filled (`network` zero-initialised before): resolve the vectors' and
 * tables' data, compute sinusoids, make the lock. Frees nothing on failure: attend_network_free does. NOMEM. */
attend_status attend_network_finish(attend_network *network);

/* Pack the linears of the stacks and of one head (ATTEND_HEAD_BASE: none, ATTEND_HEAD_KINDS: all), if that has not happened
 * yet: takes the network's lock, so any thread may call it. NOMEM leaves the linear as it was. Sessions do this by themselves
 * when they use a linear again. */
attend_status attend_network_prepare(attend_network *network, attend_head_kind kind);

/* Map the encoder's matrices that its first run multiplies where they lie, in the order of that run, until all are or *enough is
 * set by another thread; no more than their packed form would take. Mapping a page takes about as long as reading it: this is for
 * a core that has nothing else to do. */
void attend_network_touch(attend_network *network, const atomic_bool *enough);

/* Choose the type of the linears. UNSUPPORTED: a checkpoint that is stored in int8 or int4 (network->stored_type) runs in that
 * type alone. */
attend_status attend_network_set_type(attend_network *network, attend_pack_type type);
/* What sessions keep keys and values as, but for those that train, whose backward takes f32: where products of weights are not in
 * f32, those of attention are in bf16, if the CPU multiplies it. */
attend_kv_type attend_network_kv_type(const attend_network *network);

/* FORMAT: "tensor 'NAME': element 17 is NaN" (or infinite). Matrices are looked through while they are packed or multiplied where
 * they lie, rows of the word embedding when they are looked up, everything else when it is loaded. A trainable network is not. */
attend_status attend_param_not_finite(const attend_param *param, size_t element);
/* After a run: the first matrix of those that lie unpacked with such an element, if a product of theirs was not finite. */
attend_status attend_network_verify(attend_network *network);

/* ---- Training form ------------------------------------------------------------------------------------------- */

/* Does this parameter learn? `payload` is the caller's. */
typedef bool (*attend_param_predicate)(const attend_param *param, void *payload);

/* Give the network its own f32 values (every parameter; `stored` then views them) and gradients (zero) to those that the
 * predicate picks (NULL: all). May be called again with another predicate (gradual unfreezing): values stay, gradients of
 * newly frozen parameters go, new ones come zeroed. The network must not be running meanwhile, and sessions made for
 * backward must be made anew. NOMEM: the network still runs, its trainable set is undefined. */
attend_status attend_network_make_trainable(attend_network *network, attend_param_predicate trainable, void *payload);

/* All gradients to zero. Embedding tables whose gradient only has a few rows (params.h, row_used) pay for these rows; matrices
 * of linears are only marked, for the first product that goes backward overwrites them: clearing and adding would read and
 * write them twice. attend_session_backward and the optimiser settle those that no product reached; who reads gradients
 * without either does so himself. */
void attend_network_zero_grad(attend_network *network);
void attend_network_settle_grad(attend_network *network);
void attend_param_settle_grad(attend_param *param);

/* The values have changed (an optimiser's step): packed and joined forms are made again at their next use. */
void attend_network_refresh(attend_network *network);

/* Lowest block of a stack (0 encoder, 1 decoder) to which backward has to go: 0 .. block_count-1; -1: down to the
 * embeddings; block_count: nothing in this stack learns. */
ptrdiff_t attend_network_lowest_trainable(const attend_network *network, int stack);
/* Does anything in a stack learn, its final norm included? */
bool attend_network_stack_learns(const attend_network *network, int stack);

/* ---- Memory -------------------------------------------------------------------------------------------------- */
typedef struct attend_network_memory {
	size_t parameters;                     /* elements, tied tensors once */
	size_t stored;                         /* bytes in the mapped files */
	size_t packed;                         /* bytes once every linear is packed as pack_type says */
	size_t packed_heads[ATTEND_MAX_HEADS]; /* those of them that are a head's */
	size_t training; /* f32 values and gradients of the present trainable set (0 before make_trainable) */
} attend_network_memory;
void attend_network_measure(attend_network_memory *out, const attend_network *network);

/* The head of this kind, or -1. */
int attend_network_find_head(const attend_network *network, attend_head_kind kind);

#endif
