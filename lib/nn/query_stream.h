/* query_stream.h: XLNet's second stream (target_mapping), beside the content stream of a run. Inside lib/nn. */
#ifndef ATTEND_NN_QUERY_STREAM_H
#define ATTEND_NN_QUERY_STREAM_H

#include "lib/nn/session_state.h"

/* No-ops for batches without targets. begin: g = mask_emb for every target. block: after the content stream went
 * through a block, while its keys and values are in the tiles. finish: g becomes what the heads read. */
attend_status attend_query_stream_begin(attend_pass *pass, const attend_batch *batch);
attend_status attend_query_stream_block(attend_pass *pass);
attend_status attend_query_stream_finish(attend_pass *pass);

#endif
