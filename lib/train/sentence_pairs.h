/* sentence_pairs.h: plain text as pairs of segments for next-sentence prediction (BERT) and sentence order (ALBERT). */
#ifndef ATTEND_TRAIN_SENTENCE_PAIRS_H
#define ATTEND_TRAIN_SENTENCE_PAIRS_H

#include "lib/train/examples.h"

typedef struct attend_pair_options {
	const char *encoding;
	const attend_tokenizer *tokenizer; /* with a class and a separator token */
	size_t length;                     /* tokens of a pair at most, the three special ones included; at least 5 */
	size_t vocab;
	bool
		order; /* sentence order: the second segment comes first half of the time; else a random one half of the time */
	uint64_t seed;
} attend_pair_options;

/* Read a text file (gz and encodings as attend_textfile_read) with one sentence a line and a blank line between documents, and make
 * pairs [CLS] A [SEP] B [SEP] with types 0 and 1 as create_pretraining_data.py of BERT does. *dataset: one example a pair, its label 0
 * (B follows A) or 1 (B is from elsewhere, or stands before A), its line that of A's first sentence; *examples: ids, types, marks. A pure
 * function of text, options and seed. Free both. DATA: no text, or nothing to draw other sentences from. FORMAT: an id at or above `vocab`.
 */
attend_status attend_sentence_pairs_read(attend_dataset **dataset, attend_examples *examples, const char *path,
                                         const attend_pair_options *options);

#endif
