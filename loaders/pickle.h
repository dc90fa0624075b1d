/* pickle.h: what torch.save pickles, read without running anything (Python's pickletools.py, protocol 2).
 *
 * A pickle is a program for a stack machine that can call any function of Python. This machine knows the opcodes that torch
 * writes and these names alone: torch._utils._rebuild_tensor_v2 and _rebuild_parameter, collections.OrderedDict, torch's
 * storage classes. They make plain values; any other name is refused by its name. */
#ifndef ATTEND_LOADERS_PICKLE_H
#define ATTEND_LOADERS_PICKLE_H

#include "lib/core/tensor.h"

typedef enum attend_pickle_kind {
	ATTEND_PICKLE_OTHER, /* None, a float, a name ... */
	ATTEND_PICKLE_BOOL,
	ATTEND_PICKLE_INT,
	ATTEND_PICKLE_TEXT,
	ATTEND_PICKLE_TUPLE,
	ATTEND_PICKLE_LIST, /* items are linked, as a dictionary's */
	ATTEND_PICKLE_DICT,
	ATTEND_PICKLE_NAME,
	ATTEND_PICKLE_STORAGE,
	ATTEND_PICKLE_TENSOR
} attend_pickle_kind;

/* Values are numbered from 0. */
typedef struct attend_pickle_value {
	attend_pickle_kind kind;
	int64_t number;     /* BOOL, INT; NAME: which */
	const char *text;   /* TEXT, and the key of a STORAGE: `size` bytes of the pickle */
	size_t size, first; /* TUPLE: of attend_pickle.children; LIST, DICT: first item + 1, 0: none */
	size_t last;
	attend_dtype dtype;     /* STORAGE */
	size_t count;           /* STORAGE: elements */
	size_t storage, offset; /* TENSOR: value of its storage, first element in it */
	unsigned rank;          /* TENSOR */
	size_t shape_at;        /* TENSOR: of attend_pickle.sizes: shape [rank], then strides [rank] */
} attend_pickle_value;

typedef struct attend_pickle_item {
	size_t key, value, next; /* next + 1; LIST: key is not set */
} attend_pickle_item;

typedef struct attend_pickle {
	attend_pickle_value *values;
	attend_pickle_item *items;
	size_t *children, *sizes;
	size_t value_count, item_count, child_count, size_count;
	size_t value_capacity, item_capacity, child_capacity, size_capacity;
	size_t root; /* the value that the pickle makes */
} attend_pickle;

/* Read one pickle from the front of bytes; *used: how long it was. Texts point into the bytes. FORMAT: not a pickle, or a broken
 * one; UNSUPPORTED: an opcode or a name that has no place in a file of weights. Free with attend_pickle_free, also on failure. */
attend_status attend_pickle_read(attend_pickle *out, size_t *used, const unsigned char *bytes, size_t size);
void attend_pickle_free(attend_pickle *pickle);

#endif
