/* lanes.h: the short way through the stages for the pipelines that most checkpoints have.
 *
 * In these the text falls into chunks that do not know of one another (words of a scanner, stretches between blanks), so a
 * chunk's tokens can be kept under its raw bytes, and a chunk that was seen before needs no normalising, no copying and no
 * model. What is not plain (mostly: not ASCII) goes the long way, chunk by chunk. Tested equal to the long way. */
#ifndef ATTEND_TOKENIZER_LANES_H
#define ATTEND_TOKENIZER_LANES_H

#include "tokenizer/scanner.h"
#include "tokenizer/stages.h"

typedef enum attend_lane {
	ATTEND_LANE_NONE,
	ATTEND_LANE_WORDS, /* a scanner's words, as raw bytes: GPT-2, Llama 3, Qwen, DeepSeek */
	ATTEND_LANE_BERT,  /* BertNormalizer and BertPreTokenizer */
	ATTEND_LANE_SPACES /* Precompiled, then WhitespaceSplit and Metaspace: T5, XLM-R, ALBERT */
} attend_lane;

typedef struct attend_lane_plan {
	attend_lane lane;
	attend_scanner scanner; /* WORDS */
	bool prefix_space;      /* WORDS: ByteLevel's add_prefix_space */
	bool lowercase;         /* BERT */
	bool splits_han;        /* BERT: handle_chinese_chars */
	char mark[5];           /* SPACES: what Metaspace puts in front of a word */
} attend_lane_plan;

/* `bytes`: the model takes raw bytes. */
attend_lane_plan attend_lane_choose(const attend_tokenizer *tokenizer, bool bytes);

/* [start, end) of the original; *done false: this piece has to go the long way. */
attend_status attend_lane_run(const attend_run *run, uint32_t start, uint32_t end, bool *done);

#endif
