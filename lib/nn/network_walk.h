/* network_walk.h: every handle of a network, once each: for packing, measuring, re-pointing and freeing. Inside
 * lib/nn. */
#ifndef ATTEND_NN_NETWORK_WALK_H
#define ATTEND_NN_NETWORK_WALK_H

#include "lib/nn/network.h"

typedef struct attend_network_visitor {
	void (*linear)(attend_linear *linear, void *payload); /* present linears only; any may be NULL */
	void (*vector)(attend_vector *vector, void *payload);
	void (*table)(attend_table *table, void *payload);
	void *payload;
} attend_network_visitor;

/* Linears' bias parts are visited as vectors before their linear. */
void attend_network_walk(attend_network *network, const attend_network_visitor *visitor);
void attend_block_walk(attend_block_params *block, const attend_network_visitor *visitor);

/* Present parts of heads `head` only. */
void attend_head_walk(attend_head_params *head, const attend_network_visitor *visitor);

/* Point every handle at what its parameter holds now. NOMEM. */
attend_status attend_network_resolve(attend_network *network);

/* The form that a linear is packed in: the network's, f32 while it learns or where int8 would overflow. */
attend_pack_type attend_linear_pack_type(const attend_network *network, const attend_linear *linear);

/* Where the parts of a linear lie; false: they cannot be multiplied there. */
bool attend_linear_find(attend_unpacked *out, attend_network *network, const attend_linear *linear);
/* A block that several layers share is used again within a run. */
bool attend_stack_shares_blocks(const attend_network *network, int stack);
/* After a block has run: where its matrices lie in a wider type than they run in, their pages are given back, so that the memory
 * of a run is that of the type it runs in. */
void attend_block_leave(attend_block_params *block);

/* Pack what these cover and is not packed yet; with `once`, for a session that may end after this run, what was not used before
 * is left where it lies: laying it out on the way costs a run a few milliseconds, packing costs memory and more time than
 * the run itself. */
attend_status attend_stack_prepare(attend_network *network, int stack, bool once);
attend_status attend_head_prepare(attend_network *network, attend_head_params *head, bool once);

#endif
