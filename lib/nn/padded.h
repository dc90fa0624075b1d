/* padded.h: the reference's padded inputs, by its names (input_ids, attention_mask, labels ...), as ragged batches, and what
 * becomes of them: run, loss, rows back to columns. What `attend forward` and the training traces stand on.
 *
 * A grid is one padded rectangle [rows, columns]; its real tokens, row after row, are the ragged batch. Positions and
 * distances are counted in columns of the rectangle unless position_ids say otherwise; positions that are counted from the
 * ids are counted over the whole row, pads included. */
#ifndef ATTEND_NN_PADDED_H
#define ATTEND_NN_PADDED_H

#include "lib/nn/heads.h"

/* Look up an input by name; NULL: not given. Views stay valid while the padded inputs live. */
typedef const attend_tensor *(*attend_find_tensor)(void *payload, const char *name);

typedef struct attend_grid {
	size_t rows, columns;
	int32_t *ids;       /* [rows*columns] as given */
	uint8_t *real;      /* [rows*columns] 1: a token, 0: padding */
	size_t *token_of;   /* [rows*columns] its index in the ragged batch; SIZE_MAX: padding */
	size_t *cell_of;    /* [N] the other way round */
	attend_batch batch; /* the ragged form: */
	size_t *offsets;
	int32_t *ragged_ids, *types, *positions, *columns_of;
	uint8_t *hidden_keys, *query_hidden_keys;
	const uint8_t **hidden_list, **query_hidden_list;
	float *mapping; /* XLNet's target_mapping without its padding columns */
	const float **mapping_list;
	size_t *targets;
	size_t target_columns; /* 0: no query stream */
} attend_grid;

typedef struct attend_padded {
	const attend_arch *arch;
	attend_head_kind kind; /* as asked for */
	int head, second;      /* indices into arch.heads; -1: none. second: the sentence head of pre-training */
	size_t batch, choices; /* rows of a grid are batch * choices; choices 1 but for multiple choice */
	bool runs_encoder, runs_decoder;
	attend_grid grids[2]; /* 0 encoder, 1 decoder */
	/* what the head says something about: grids[stack] */
	int stack;
	size_t *pool_rows; /* [rows] for heads that pool at an eos, or NULL */
	attend_targets targets, second_targets;
	bool has_labels;
	int32_t *labels, *second_labels;
	float *values, *class_weights;
} attend_padded;

/* Read and check the inputs for one head. DATA names the input and what is wrong with it; ARG: the architecture has no such
 * head. `problem` is config.json's problem_type. Free with attend_padded_free, also after failure. */
attend_status attend_padded_read(attend_padded *out, const attend_arch *arch, attend_head_kind kind,
                                 attend_problem problem, attend_find_tensor find, void *payload);
void attend_padded_free(attend_padded *padded);

/* Raise the sizes of `options` to what these inputs need. */
void attend_padded_plan(const attend_padded *padded, attend_session_options *options);

/* Encode, decode: what the head needs. */
attend_status attend_padded_run(const attend_padded *padded, attend_session *session);

/* Loss of the head (both heads of pre-training: their sum) after a run; ARG: no labels. In a training session also its
 * gradient times grad_scale (attend_session_loss). */
attend_status attend_padded_loss(const attend_padded *padded, attend_session *session, float grad_scale,
                                 attend_loss *out);

/* ---- for reading inputs elsewhere ---- */

/* `count` elements of an input as int32 or f32, malloc'ed. DATA: not a number type, not this many elements, out of range. */
attend_status attend_read_ints(int32_t **out, const attend_tensor *tensor, const char *name, size_t count);
attend_status attend_read_floats(float **out, const attend_tensor *tensor, const char *name, size_t count);

/* labels -> decoder inputs: shifted right by the architecture's rule; `ids` and `out` [rows*columns]. */
attend_status attend_shift_right(int32_t *out, const attend_arch *arch, const int32_t *ids, size_t rows,
                                 size_t columns);

/* Inside lib/nn: the labels (padded_targets.c). */
attend_status attend_padded_targets(attend_padded *padded, attend_problem problem, attend_find_tensor find,
                                    void *payload);

#endif
