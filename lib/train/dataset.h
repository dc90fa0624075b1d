/* dataset.h: labelled texts in memory: columns found, labels numbered, bad rows named, splits drawn. */
#ifndef ATTEND_TRAIN_DATASET_H
#define ATTEND_TRAIN_DATASET_H

#include "lib/train/records.h"

typedef enum attend_label_kind {
	ATTEND_LABELS_AUTO, /* several labels in some row: multi; else single. Never regression by itself */
	ATTEND_LABELS_SINGLE,
	ATTEND_LABELS_MULTI,
	ATTEND_LABELS_REGRESSION,
	ATTEND_LABELS_NONE /* texts alone */
} attend_label_kind;

typedef struct attend_dataset_options {
	attend_data_format format;
	char delimiter;           /* 0: by the format */
	const char *encoding;     /* see textfile.h */
	int header;               /* 0: found out, 1: there is one, -1: there is none */
	const char *text_column;  /* name, or number from 1; NULL: found out (and told by attend_dataset_columns) */
	const char *pair_column;  /* NULL: none, unless a header names one (sentence2, text_pair, hypothesis ...) */
	const char *label_column; /* NULL: found out */
	attend_label_kind labels;
	const char *
		label_separator; /* between labels of one cell of a multi-label file; NULL: "," (fastText, JSON lists: theirs) */
	const char *const
		*label_names; /* the only labels that may occur, in the order of their ids (a model's id2label); or NULL */
	size_t label_count;
	bool skip_bad; /* leave bad rows out and count them; else the first one is an error */
} attend_dataset_options;

typedef struct attend_example {
	const char *text;
	size_t text_size;
	const char *pair; /* NULL: none */
	size_t pair_size;
	size_t line;           /* of the file */
	int32_t label;         /* single; -1: none */
	const int32_t *labels; /* multi: ids, rising */
	size_t label_count;
	double value; /* regression */
} attend_example;

typedef struct attend_dataset {
	char *path;
	attend_label_kind kind;
	attend_example *examples;
	size_t count;
	char **label_names; /* [label_count], by id: sorted (numbers by value), or options' order */
	size_t label_count;
	size_t skipped;      /* bad rows left out */
	char *first_problem; /* of the first skipped row, "FILE:LINE: why"; NULL: none */
	char *
		columns; /* one line for the user: what was taken for what ("text: column 1 'sentence'; label: column 2 'label'") */
	uint64_t hash; /* of texts and labels: resume checks it */
	/* storage */
	char *text;
	attend_records records;
	int32_t *multi;
} attend_dataset;

/* Read a data file. DATA names FILE:LINE of the first bad row (ragged, NUL, unlabelled, unknown label, no number ...), or says
 * what is wrong with the whole (empty, a header alone). */
attend_status attend_dataset_open(attend_dataset **out, const char *path, const attend_dataset_options *options);
void attend_dataset_free(attend_dataset *dataset);

/* Id of a label, -1: unknown. */
int32_t attend_dataset_label(const attend_dataset *dataset, const char *name, size_t size);

/* Number the labels as `names` [count] does, which has them all; labels that no example has come with it. As if the file had been read
 * with options.label_names, but a pipe can be read only once. ARG: a label is not among the names, or one stands twice in them. */
attend_status attend_dataset_renumber(attend_dataset *dataset, const char *const *names, size_t count);

/* Which examples are held out: a stratified share (single label; by order of drawing else), drawn by `seed`. held [count] is set
 * to 0 or 1; every label keeps at least one training example. Returns how many are held. */
size_t attend_dataset_split(const attend_dataset *dataset, double share, uint64_t seed, uint8_t *held);

#endif
