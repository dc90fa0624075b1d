/* text_blocks.h: plain text as blocks of tokens, as the reference's run_mlm.py and run_clm.py pack it. */
#ifndef ATTEND_TRAIN_TEXT_BLOCKS_H
#define ATTEND_TRAIN_TEXT_BLOCKS_H

#include "lib/train/examples.h"

/* Read a text file (gz and encodings as attend_textfile_read), tokenise it line by line with the tokenizer's special tokens, join all
 * lines and cut the stream into blocks of `length` tokens. `line_breaks`: a line keeps its newline (run_clm.py), and empty
 * lines count; else it loses it and empty lines are left out (run_mlm.py). The reference drops what is left after the last full
 * block; here it is a shorter block, unless it has nothing to learn from (one token, or special ones alone).
 * *dataset: one example a block, its line that of the block's first token, its hash that of the text; *examples: the ids with
 * their marks. Free both. DATA: no text, bytes that are no text. FORMAT: an id at or above `vocab`. */
attend_status attend_text_blocks_read(attend_dataset **dataset, attend_examples *examples, const char *path,
                                      const char *encoding, const attend_tokenizer *tokenizer, size_t length,
                                      size_t vocab, bool line_breaks);

#endif
