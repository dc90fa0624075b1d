/* columns.h: which column of a data file is the text, its pair, the label. */
#ifndef ATTEND_TRAIN_COLUMNS_H
#define ATTEND_TRAIN_COLUMNS_H

#include "lib/train/dataset.h"

typedef struct attend_columns {
	size_t text, pair, label; /* indices; SIZE_MAX: none */
	size_t width;             /* fields a row must have; 0: not fixed (JSONL) */
	bool header;              /* the first record is one */
} attend_columns;

/* Members to ask of JSON objects: names[3] for text, pair, label (NULL: none) after looking at the first object's keys. */
attend_status attend_columns_json(const char *names[3], const char *path, const char *text, size_t size,
                                  const attend_dataset_options *options, char storage[3][64]);

/* Decide for split records. `note` gets the line for the user, malloc'ed. ARG: a named column is not there. */
attend_status attend_columns_find(attend_columns *out, char **note, const char *path, const attend_records *records,
                                  const attend_dataset_options *options);

#endif
