/* bind_internal.h: what the files of the name binder share. */
#ifndef ATTEND_LOADERS_BIND_INTERNAL_H
#define ATTEND_LOADERS_BIND_INTERNAL_H

#include "lib/core/map.h"
#include "loaders/bind.h"

enum { ATTEND_NO_TENSOR = -1 };

typedef struct attend_binder {
	attend_network *network;
	attend_bind_report *report;
	const attend_config *config;
	const attend_weights *weights;
	const attend_bind_options *options;
	attend_map *names;     /* cleaned name -> index of the tensor */
	bool *used;            /* [tensors] */
	attend_param **params; /* [tensors] the param made of it, or NULL */
	size_t capacity;       /* of network->params */
	attend_head_kind wanted;
	attend_pack_type stored_type; /* INT8 or INT4: matrices of linears may be codes; F32: none is */
	/* how tensors are got now */
	bool dry;                  /* only look: nothing is made, misfits count as missing */
	bool create;               /* what is missing is made (new head) */
	size_t own;                /* counts tensors found since it was last set to zero */
	attend_name_list *missing; /* where missing names go */
	ptrdiff_t compared;        /* the tensor that was last compared with a word embedding, and the answer */
	const attend_param *compared_with;
	bool compared_same;
	uint64_t stream; /* of random numbers, one a created tensor */
} attend_binder;

/* Whose tensor is wanted. */
typedef struct attend_place {
	int stack; /* 0, 1; -1: neither */
	int block; /* -1: not in a block */
	const attend_family *model;
	const attend_key_values *values;
	const char *prefix; /* of the half of a composite */
	bool head;
} attend_place;

/* A wanted tensor: cols 0: a vector of `rows`; else rows x cols, as the file has it. */
typedef struct attend_want {
	attend_role role;
	const char *pattern; /* alternatives, separated by '|' */
	const char *suffix;  /* ".weight", ".bias" or "" */
	size_t rows, cols;
	bool loose;
	bool optional; /* absent is fine */
	bool turned;   /* a Conv1D: rows are the inputs */
} attend_want;

attend_status attend_name_list_add(attend_name_list *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void attend_name_list_free(attend_name_list *list);

/* bind_find.c: the file's names without wrappers, gamma/beta renamed. */
attend_status attend_binder_index(attend_binder *b);

/* Index of the tensor for a pattern, or ATTEND_NO_TENSOR. Other alternatives that are there too are copies of it: they count
 * as used. */
ptrdiff_t attend_binder_find(attend_binder *b, const attend_place *place, const char *pattern, const char *suffix);

/* The param for a tensor of the file: made on first use, shape checked on every use. *out NULL: it is missing (and on the list) or
 * optional and absent. FORMAT: shape or dtype does not fit. */
attend_status attend_binder_get(attend_binder *b, attend_param **out, const attend_place *place,
                                const attend_want *want);
attend_status attend_binder_take(attend_binder *b, attend_param **out, const attend_place *place,
                                 const attend_want *want, size_t tensor);

/* FORMAT: the param holds NaN or infinity. For vectors and the smaller tables; lib/nn looks at the rest when it is used. */
attend_status attend_binder_finite(const attend_binder *b, const attend_param *p);

/* A whole param as a vector, looked through. */
attend_status attend_binder_vector(attend_binder *b, attend_vector *out, const attend_place *place,
                                   const attend_want *want);

/* bind_stack.c */
const attend_family_name *attend_family_line(const attend_place *place, attend_role role, bool *bias);
attend_status attend_binder_stack(attend_binder *b, int stack);
attend_status attend_binder_bridge(attend_binder *b);
attend_status attend_binder_pooler(attend_binder *b, bool wanted);

/* bind_heads.c: every head that the file has; the wanted one also when parts are missing (they go to report->missing_head). */
attend_status attend_binder_heads(attend_binder *b);

#endif
