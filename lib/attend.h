/* attend.h: the inference API of libattend: HuggingFace folders of the BERT, GPT and T5 families, on the CPU.
 *
 *     attend_model *model;
 *     attend_pipeline *pipeline;
 *     attend_fill_mask_result result;
 *     const attend_text text = {.text = "The cat sat on the [MASK].", .size = 26};
 *     if (attend_model_load(&model, "bert-mini", NULL) != ATTEND_OK) puts(attend_error());
 *     attend_pipeline_new(&pipeline, model);
 *     attend_fill_mask(&result, pipeline, &text, 1, NULL);
 *     printf("%s %g\n", result.masks[0].items[0].token_str, result.masks[0].items[0].score);
 *     attend_fill_mask_free(&result);
 *     attend_pipeline_free(pipeline);
 *     attend_model_free(model);
 *
 * Reading order: models, pipelines, tasks, generation, whole tensors, measuring. Status codes, the error line, logging
 * and threads are in attend_base.h, tokenizers in attend_tokenizer.h, fine-tuning in attend_train.h.
 *
 * Rules that hold everywhere:
 * - Fallible functions return attend_status; results come through a leading `out`, which is untouched on failure (plain
 *   arrays of numbers may be partly filled), and belong to the caller, who frees them with the function of the same
 *   family. A *returned* pointer is borrowed from the object that its comment names. Every `_free` takes NULL (or a
 *   zeroed struct).
 * - Texts are UTF-8 of a given size. Invalid UTF-8 is ATTEND_ERR_DATA. An empty pair is no pair.
 * - `options` may be NULL: all defaults. In an options struct, zero is the default of every field.
 * - Results of many texts stand in the order of the texts; what a text gets does not depend on the others, nor on the
 *   number of threads: the same bits. When a call with several texts fails, the message begins with "text I: " (counted
 *   from 1).
 * - A checkpoint without the head or the tokenizer that a task needs is ATTEND_ERR_UNSUPPORTED (ATTEND_ERR_NOTFOUND when
 *   the folder has no tokenizer at all); weights that are NaN or infinite are ATTEND_ERR_FORMAT where they first matter.
 * - A model is immutable and may be used by many threads at once; a pipeline belongs to one thread at a time. */
#ifndef ATTEND_H
#define ATTEND_H

#include "lib/core/attend_base.h"
#include "tokenizer/attend_tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ==== Models ====================================================================================================== */

typedef struct attend_model attend_model;

/* Type of the weights in the matrix products. Everything else (norms, softmax, residuals, outputs) is f32 always, but that with
 * bf16, int8 and int4 attention multiplies in bf16, and keeps keys and values so, where the CPU has instructions for it. */
typedef enum attend_weight_type {
	ATTEND_WEIGHTS_STORED, /* f32; of a folder that is stored in int8 or int4: that type */
	ATTEND_WEIGHTS_F32,    /* as they are, widened to f32 */
	ATTEND_WEIGHTS_BF16,   /* rounded to bf16 */
	ATTEND_WEIGHTS_INT8,   /* a scale per output column; activations are quantised per row as they come */
	ATTEND_WEIGHTS_INT4    /* a scale per 32 inputs */
} attend_weight_type;

typedef struct attend_model_options {
	attend_weight_type weights;
} attend_model_options;

/* Load a checkpoint folder: config.json, model.safetensors (or shards), the tokenizer files if there are any. The
 * weights are mapped, not read: loading takes milliseconds, and processes share the pages. A second thread of the team touches
 * pages while this one reads the tokenizer. NOTFOUND: no such folder, or
 * a file of it is missing; FORMAT: a file breaks its format; UNSUPPORTED: a model or tokenizer that attend does not
 * know, or a folder that is stored in int8 or int4 and another type asked for. */
ATTEND_API attend_status attend_model_load(attend_model **out, const char *path, const attend_model_options *options);
ATTEND_API void attend_model_free(attend_model *model);

/* Folder of a checkpoint that comes with attend ("bert-mini", "gpt2-mini", "seq2seq-mini"), malloc'ed, the caller frees
 * it. Looked for in $ATTEND_DATA, beside the program (../share/attend, models/pretrained of a build tree), in the data
 * folder of the installation. NOTFOUND names the places. */
ATTEND_API attend_status attend_bundled_model(char **out, const char *name);

/* The folder as it was given, and config.json's model_type ("bert"). Borrowed from the model. */
ATTEND_API const char *attend_model_path(const attend_model *model);
ATTEND_API const char *attend_model_type(const attend_model *model);

/* The folder's tokenizer, borrowed from the model; NULL when the folder has none (then attend_error() says what is
 * missing). */
ATTEND_API const attend_tokenizer *attend_model_tokenizer(const attend_model *model);

/* Does the checkpoint hold this head? "mlm", "lm", "seq2seq", "sequence", "token", "qa", "nsp", "multiple-choice". */
ATTEND_API bool attend_model_has_head(const attend_model *model, const char *head);

/* Tokens (special ones included) that one text may have: the least of the position table and the tokenizer's limit;
 * SIZE_MAX: no limit (T5). */
ATTEND_API size_t attend_model_max_length(const attend_model *model);
/* Width of the hidden states, and rows of the word embedding. */
ATTEND_API size_t attend_model_hidden_size(const attend_model *model);
ATTEND_API size_t attend_model_vocab_size(const attend_model *model);

/* Type of the weights in the matrix products: as asked for, or as the folder stores them (attend_convert); never STORED. */
ATTEND_API attend_weight_type attend_model_weights(const attend_model *model);

/* Labels of the classifier by config.json's id2label ("LABEL_0" ... where it has none). Borrowed from the model; NULL
 * when i is past the end. */
ATTEND_API size_t attend_model_label_count(const attend_model *model);
ATTEND_API const char *attend_model_label(const attend_model *model, size_t i);

/* ==== Pipelines =================================================================================================== */

/* A model with the memory that running it takes. Grows to the longest text that it has seen; after that a call
 * allocates nothing but its results. */
typedef struct attend_pipeline attend_pipeline;

/* The model must outlive the pipeline. NOMEM. */
ATTEND_API attend_status attend_pipeline_new(attend_pipeline **out, const attend_model *model);
ATTEND_API void attend_pipeline_free(attend_pipeline *pipeline);
ATTEND_API const attend_model *attend_pipeline_model(const attend_pipeline *pipeline);

/* What to do with a text of more tokens than the model takes. */
typedef enum attend_cut {
	ATTEND_CUT_NEVER, /* fail with ATTEND_ERR_DATA; the message has the length and the limit */
	ATTEND_CUT_LEFT,  /* drop tokens at the beginning; of a pair, of the longer text first */
	ATTEND_CUT_RIGHT  /* drop tokens at the end */
} attend_cut;

/* ==== Filling masks =============================================================================================== */

typedef struct attend_fill {
	double score;       /* probability; joint: product of the probabilities, each given the tokens before it */
	size_t token_count; /* 1; joint: one token per mask, in the order of the text */
	const int32_t *tokens;
	const char *const *token_strs; /* decoded tokens, [token_count] */
	const char *token_str;         /* the first of them */
	const char *sequence;          /* the text with the mask filled, decoded; with several masks, special tokens stay */
} attend_fill;

typedef struct attend_fill_list {
	const attend_fill *items; /* best first */
	size_t count;
} attend_fill_list;

/* One entry per mask in the order of the text, each filled on its own; joint: one entry for all masks together. */
typedef struct attend_fill_mask_result {
	const attend_fill_list *masks;
	size_t mask_count;
	bool joint;
	size_t truncated; /* tokens that were cut off */
	void *storage;
} attend_fill_mask_result;

typedef struct attend_fill_mask_options {
	size_t top_k; /* candidates per mask; 0: 5 */
	const char *const
		*targets;        /* only these tokens compete (their scores are not renormalised); a word that is no token */
	size_t target_count; /* counts as its first token, with a warning */
	bool joint;          /* fill several masks together: beam search over the masks, left to right */
	size_t beams;        /* of joint; 0: four times top_k, at least 20 */
	attend_cut cut;
} attend_fill_mask_options;

/* The most likely tokens for each mask token, as HF's fill-mask pipeline. The head runs on the masked positions only.
 * out [count]; free each with attend_fill_mask_free. DATA: a text without a mask, or too long. */
ATTEND_API attend_status attend_fill_mask(attend_fill_mask_result *out, attend_pipeline *pipeline,
                                          const attend_text *texts, size_t count,
                                          const attend_fill_mask_options *options);
ATTEND_API void attend_fill_mask_free(attend_fill_mask_result *result);

/* ==== Classifying texts =========================================================================================== */

typedef enum attend_score_function {
	ATTEND_SCORE_DEFAULT, /* by config.json: regression: none; several labels at once, or one output: sigmoid; else softmax */
	ATTEND_SCORE_SOFTMAX,
	ATTEND_SCORE_SIGMOID,
	ATTEND_SCORE_NONE
} attend_score_function;

typedef struct attend_label_score {
	const char *label; /* borrowed from the model */
	size_t index;
	float score;
} attend_label_score;

typedef struct attend_classification {
	attend_label_score *labels; /* best first */
	size_t count;
	size_t truncated; /* tokens that were cut off */
	size_t windows;   /* in which the text ran: 1 unless it was too long */
} attend_classification;

/* How the logits of a text's windows become one. */
typedef enum attend_window_pooling { ATTEND_WINDOW_MEAN, ATTEND_WINDOW_MAX } attend_window_pooling;

typedef struct attend_classify_options {
	size_t top_k;       /* labels to give; 0: all */
	double threshold;   /* leave out labels with a score below it */
	double temperature; /* logits are divided by it first; 0: 1 */
	attend_score_function function;
	attend_cut cut;
	bool window;           /* a text that is too long runs in overlapping windows; cut must be ATTEND_CUT_NEVER */
	size_t window_length;  /* tokens, special ones included; 0: what the model takes */
	int64_t window_stride; /* tokens that windows overlap by; < 0: half of what a window holds, at most 128 */
	attend_window_pooling window_pooling;
} attend_classify_options;

/* Scores of a text or pair by the checkpoint's sequence head, as HF's text-classification pipeline. out [count]; free
 * each with attend_classification_free. DATA: too long. */
ATTEND_API attend_status attend_classify(attend_classification *out, attend_pipeline *pipeline,
                                         const attend_text *texts, size_t count,
                                         const attend_classify_options *options);
ATTEND_API void attend_classification_free(attend_classification *result);

/* Probability that `pair` follows `text`, by the next-sentence (ALBERT: sentence-order) head; out [count]. */
ATTEND_API attend_status attend_next_sentence(float *out, attend_pipeline *pipeline, const attend_text *texts,
                                              size_t count, attend_cut cut);

/* ==== Classifying tokens ========================================================================================== */

typedef enum attend_aggregation {
	ATTEND_AGGREGATE_NONE,    /* every token on its own */
	ATTEND_AGGREGATE_SIMPLE,  /* neighbours of one type are one entity */
	ATTEND_AGGREGATE_FIRST,   /* a word gets the label of its first token */
	ATTEND_AGGREGATE_AVERAGE, /* of the mean of its tokens' scores */
	ATTEND_AGGREGATE_MAX      /* of its token with the highest score */
} attend_aggregation;

typedef struct attend_entity {
	const char *label; /* "B-PER"; aggregated: "PER" */
	float score;
	size_t index; /* of the token, [CLS] counting; aggregated: of the first one */
	const char *word;
	size_t start, end; /* code points of the text, end exclusive */
	size_t byte_start, byte_end;
} attend_entity;

typedef struct attend_entities {
	const attend_entity *items; /* in the order of the text */
	size_t count;
	size_t truncated;
	void *storage;
} attend_entities;

typedef struct attend_ner_options {
	attend_aggregation aggregation;
	const char *const *ignore; /* labels to leave out; NULL: "O" alone */
	size_t ignore_count;
	size_t stride; /* > 0: a text that is too long runs in windows that overlap by so many tokens (needs aggregation) */
	attend_cut cut;
} attend_ner_options;

/* Labels of tokens or words, as HF's token-classification pipeline. out [count]; free each with attend_entities_free. */
ATTEND_API attend_status attend_ner(attend_entities *out, attend_pipeline *pipeline, const attend_text *texts,
                                    size_t count, const attend_ner_options *options);
ATTEND_API void attend_entities_free(attend_entities *result);

/* ==== Answering questions ========================================================================================= */

typedef struct attend_answer {
	double score;
	size_t start, end;  /* code points of the context, end exclusive */
	const char *answer; /* "" : the context has none */
} attend_answer;

typedef struct attend_answers {
	const attend_answer *items; /* best first */
	size_t count;
	void *storage;
} attend_answers;

typedef struct attend_qa_options {
	size_t top_k;          /* 0: 1 */
	size_t doc_stride;     /* tokens that windows of a long context overlap by; 0: min(max_seq_len / 2, 128) */
	size_t max_answer_len; /* tokens; 0: 15 */
	size_t max_seq_len;    /* tokens of a window, question included; 0: min(the model's limit, 384) */
	bool handle_impossible_answer;
	bool keep_token_bounds; /* do not widen answers to whole words */
} attend_qa_options;

/* Answers as spans of the context, as HF's question-answering pipeline. Each text is the question, its pair the
 * context. A long context runs in windows. An answer found twice counts once, with the sum of the scores. out [count];
 * free each with attend_answers_free. DATA: the question leaves no room for the context. */
ATTEND_API attend_status attend_answer_question(attend_answers *out, attend_pipeline *pipeline,
                                                const attend_text *texts, size_t count,
                                                const attend_qa_options *options);
ATTEND_API void attend_answers_free(attend_answers *result);

/* ==== Embedding texts ============================================================================================= */

typedef enum attend_embed_pooling {
	ATTEND_EMBED_DEFAULT, /* as the folder's 1_Pooling says; else mean */
	ATTEND_EMBED_MEAN,
	ATTEND_EMBED_CLS,
	ATTEND_EMBED_LAST,
	ATTEND_EMBED_MAX,
	ATTEND_EMBED_MEAN_SQRT, /* sum divided by the square root of the length */
	ATTEND_EMBED_WEIGHTED   /* mean weighted by position 1, 2, ... */
} attend_embed_pooling;

typedef enum attend_normalize {
	ATTEND_NORMALIZE_DEFAULT, /* as the folder's modules.json says; else not */
	ATTEND_NORMALIZE_OFF,
	ATTEND_NORMALIZE_L2
} attend_normalize;

typedef struct attend_embed_options {
	attend_embed_pooling pooling;
	attend_normalize normalize;
	attend_cut
		cut; /* NEVER: a sentence-transformers folder still cuts on the right at its max_seq_length, as its maker does */
	size_t *truncated; /* [count] or NULL: tokens that were cut off each text */
} attend_embed_options;

/* Width of what attend_embed gives with these options. */
ATTEND_API attend_status attend_embed_width(size_t *out, const attend_pipeline *pipeline,
                                            const attend_embed_options *options);

/* One vector per text: the last hidden states (of the encoder, where there are two stacks) pooled over all tokens,
 * special ones included; sentence-transformers folders run all their modules. out [count, width], the caller's. */
ATTEND_API attend_status attend_embed(float *out, attend_pipeline *pipeline, const attend_text *texts, size_t count,
                                      const attend_embed_options *options);

/* ==== Perplexity ================================================================================================== */

typedef struct attend_perplexity_options {
	size_t max_length; /* tokens of a window; 0: the model's limit (1024 where it has none) */
	size_t stride;     /* tokens that a window moves by; 0: min(512, max_length) */
	/* Called after each window with the tokens done and their total; false cancels. May be NULL. */
	bool (*progress)(void *payload, size_t done, size_t total);
	void *payload;
} attend_perplexity_options;

typedef struct attend_perplexity_result {
	double perplexity; /* exp(mean) with the weighting of HF's documentation: a window counts its new tokens less one */
	double mean;       /* the mean negative log-likelihood behind it, in nats */
	double nll;        /* exact sum over all predicted tokens, in nats */
	size_t predicted;  /* their number */
	size_t tokens;     /* of the text */
	size_t windows;
} attend_perplexity_result;

/* Perplexity of one long text under a causal language model, by HF's sliding window. DATA: fewer than two tokens. */
ATTEND_API attend_status attend_perplexity(attend_perplexity_result *out, attend_pipeline *pipeline, const char *text,
                                           size_t size, const attend_perplexity_options *options);

/* ==== Generation ================================================================================================== */

/* How to generate: HF's parameters by name. */
typedef struct attend_generation attend_generation;

/* HF's defaults, then what the model's generation_config.json says (where there is none: the generation keys of its
 * config.json). model NULL: the defaults alone. FORMAT, UNSUPPORTED: the file says what attend cannot do, by its JSON
 * path. */
ATTEND_API attend_status attend_generation_new(attend_generation **out, const attend_model *model);
ATTEND_API void attend_generation_free(attend_generation *generation);

/* Set one parameter by HF's name ("no_repeat_ngram_size"; '-' counts as '_') from a JSON value as text: "3", "true",
 * "[[3,4],[5]]". "null" and "None" give it its unset state; a bare word will do where a string is meant. NOTFOUND: no
 * such parameter; ARG: a value of the wrong kind or out of range. A failure changes nothing. */
ATTEND_API attend_status attend_generation_set(attend_generation *generation, const char *name, const char *value);

/* The i-th parameter's name, NULL past the end. Static. */
ATTEND_API const char *attend_generation_name(size_t i);

typedef struct attend_generated_text {
	const int32_t *ids; /* decoder-only: prompt, then new tokens; encoder-decoder: the start token, then new tokens */
	size_t count, prompt_count;
	const char *text; /* all of it decoded; NULL when the folder has no tokenizer */
	size_t text_size;
	const char *continuation; /* `text` behind the prompt (encoder-decoder: `text`) */
	float score;              /* beams: sum of log-probabilities / length^length_penalty; else 0 */
	bool at_limit;            /* stopped by max_length or the model's positions, not by an end token or stop string */
} attend_generated_text;

typedef struct attend_generate_result {
	const attend_generated_text *items; /* num_return_sequences, with beams best first */
	size_t count;
	size_t truncated; /* tokens of the prompt that were cut off */
	void *storage;
} attend_generate_result;

/* Callbacks run on the calling thread; `sequence` counts over all texts, num_return_sequences each. Neither is called
 * with beams. */
typedef struct attend_generate_options {
	attend_cut cut; /* a prompt longer than the model takes */
	bool keep_special_tokens;
	/* New text as it comes, whole characters only; false cancels (ATTEND_ERR_CANCELLED). */
	bool (*on_text)(void *payload, size_t sequence, const char *text, size_t size);
	/* Processed scores [vocab] that the token of `step` was chosen from; -inf: forbidden. */
	void (*on_scores)(void *payload, size_t sequence, size_t step, const float *scores, size_t vocab);
	void *payload;
} attend_generate_options;

/* Continue texts (decoder-only) or turn them into others (encoder-decoder). generation NULL: as attend_generation_new.
 * out [count]; free each with attend_generate_result_free. ARG: parameters that do not go together, a checkpoint
 * without a language-model head; DATA: a prompt too long, or empty where the model has no start token. */
ATTEND_API attend_status attend_generate(attend_generate_result *out, attend_pipeline *pipeline,
                                         const attend_text *texts, size_t count, const attend_generation *generation,
                                         const attend_generate_options *options);
/* The same from token ids: ids[i] has lengths[i]. Needs no tokenizer. */
ATTEND_API attend_status attend_generate_ids(attend_generate_result *out, attend_pipeline *pipeline,
                                             const int32_t *const *ids, const size_t *lengths, size_t count,
                                             const attend_generation *generation,
                                             const attend_generate_options *options);
ATTEND_API void attend_generate_result_free(attend_generate_result *result);

/* ==== Whole tensors =============================================================================================== */

typedef struct attend_forward_options {
	const char *
		head; /* "mlm", "pretraining", "nsp", "sequence", "token", "qa", "multiple-choice", "lm", "seq2seq", "base"; NULL:
	                       as config.json's architectures[0] says */
	attend_weight_type weights;
	bool hidden_states; /* hidden_states.N: what enters layer N; the last one is the result */
	bool attentions;    /* attentions.N: probabilities [batch, heads, queries, keys] */
	bool gradients;     /* grad.NAME of every parameter, in f32; needs labels; dropout is off */
} attend_forward_options;

/* For who tokenises elsewhere: read padded inputs (input_ids, attention_mask, token_type_ids, position_ids,
 * decoder_input_ids, labels ... as the reference's forward() names them) from a safetensors file and write the outputs
 * under the reference's names (logits, loss, last_hidden_state ...) to another. What stands at a padded position is
 * zero. Without position_ids a token's position is its column. `__metadata__.freeze`: comma-separated prefixes of
 * parameters that get no gradient. DATA names the input that is wrong; nothing is written then. */
ATTEND_API attend_status attend_forward_file(const char *path, const char *in, const char *out,
                                             const attend_forward_options *options);

/* ==== Inspecting folders ========================================================================================== */

/* What a checkpoint folder holds: architecture, heads, tokenizer, sizes, a table of all tensors, and what keeps it from
 * running if anything does (an unknown model type, missing tensors): a page to read, or one JSON object. *out is
 * malloc'ed; the caller frees it. NOTFOUND: no folder, no config.json. FORMAT: config.json or the weights are broken. */
ATTEND_API attend_status attend_inspect(char **out, const char *path, bool json);

/* ==== Converting folders ========================================================================================== */

/* How numbers are stored. */
typedef enum attend_store_type {
	ATTEND_STORE_KEEP, /* every tensor in its own type */
	ATTEND_STORE_F32,
	ATTEND_STORE_F16,
	ATTEND_STORE_BF16,
	ATTEND_STORE_INT8, /* matrices of the products as ATTEND_WEIGHTS_INT8 makes them, all else as it is */
	ATTEND_STORE_INT4
} attend_store_type;

typedef struct attend_convert_options {
	attend_store_type type;
	size_t max_shard_bytes; /* of tensors in one file; 0: one file */
} attend_convert_options;

/* Write the checkpoint `path` into a new folder `out` in another type, with config.json, tokenizer and the modules of a
 * sentence-transformers folder. The first four types make a plain HuggingFace folder. Folders in int8 and int4 are attend's
 * alone: attend_model_load runs them in this type without being asked, with the bits that it gives when it quantises while
 * loading. `out` appears whole or not at all. ARG: `out` is there and not empty; DATA: a number beyond F16's range;
 * UNSUPPORTED: `path` is in int8 or int4 itself; else the codes of attend_model_load, IO. */
ATTEND_API attend_status attend_convert(const char *path, const char *out, const attend_convert_options *options);

/* ==== Measuring =================================================================================================== */

typedef enum attend_bench_task {
	ATTEND_BENCH_ENCODE,  /* hidden states of all tokens */
	ATTEND_BENCH_PREFILL, /* logits of the last token, cache filled */
	ATTEND_BENCH_DECODE,  /* greedy decoding behind a prompt; the clock starts after the first new token */
	ATTEND_BENCH_SEQ2SEQ, /* encoder and decoder, greedy or beams */
	ATTEND_BENCH_TRAIN,   /* forward, backward, clipping and AdamW of a sequence classifier */
	ATTEND_BENCH_COLD,    /* load, tokenise, fill one mask */
	ATTEND_BENCH_TOKENIZE /* lines of a file to ids */
} attend_bench_task;

typedef struct attend_bench_options {
	attend_bench_task task;
	const char *model; /* folder */
	attend_weight_type weights;
	size_t batch, tokens;  /* of random inputs; 0: 1 and 128 */
	size_t new_tokens;     /* decode and seq2seq: tokens to make; the end token is suppressed; 0: 32 */
	size_t num_beams;      /* seq2seq; 0: 1 */
	const size_t *lengths; /* [batch] lengths of random inputs, or NULL: all `tokens` */
	const char
		*input_file; /* or NULL. safetensors: input_ids and attention_mask I64 [B,T], decoder_input_ids, labels; cold: a
	                             text of one line with one mask; tokenize: a text, needed */
	const char *dump_file; /* or NULL: outputs of the last repetition, as safetensors (tokenize: ids as text lines) */
	size_t warmup, repeat; /* repetitions before the ones that count; how many count (0: 5; cold: 1) */
	bool offsets;          /* tokenize: offsets too */
	bool profile;          /* not for cold and tokenize: where the time goes; costs a little time itself */
} attend_bench_options;

/* One operation of one layer, per repetition: a line of the profile. */
typedef struct attend_bench_line {
	const char *stack;     /* "encoder", "decoder", or "" */
	int layer;             /* block of the stack; -1: none */
	const char *operation; /* "query_key_value", "attention", "ffn_up" ...; "outside": between the network's calls */
	bool backward;
	double calls, ms;
	double gflops, gbytes_per_s; /* achieved; of products and attention, else 0 */
	double floor_ms; /* what peak and bandwidth allow: the larger of operations / peak and bytes / bandwidth */
} attend_bench_line;

typedef struct attend_bench_result {
	double *times_ms; /* [count] */
	size_t count;
	double min_ms, median_ms, p95_ms;
	size_t batch, tokens; /* as run: the longest row */
	double tokens_per_s;  /* by the median; real tokens read (encode, prefill, train) or written (decode, seq2seq) */
	double gflops, gbytes_per_s; /* by the median: products and attention; weights and cache that must be read */
	double load_ms;              /* loading and packing or quantising all weights (cold, tokenize: loading) */
	double megabytes;            /* tokenize: of text */
	attend_weight_type weights;  /* that ran; never STORED */
	/* With `profile`; lines is NULL without. What the machine did at most, measured before: multiply-adds in registers with
	 * f32 and with the weights' type, reading as many bytes as the weights have. */
	attend_bench_line *lines;
	size_t line_count;
	double peak_gflops, peak_type_gflops, read_gbytes_per_s;
} attend_bench_result;

/* Time a task on a checkpoint, from ids in memory to outputs in memory. Free with attend_bench_free. */
ATTEND_API attend_status attend_bench(attend_bench_result *out, const attend_bench_options *options);
ATTEND_API void attend_bench_free(attend_bench_result *result);

/* ==== Small services for programs ================================================================================= */

/* Member `key` of one JSON object of `size` bytes: a string is decoded, any other value is given as its JSON text.
 * *value is malloc'ed with a NUL after *value_size bytes; the caller frees it. NOTFOUND (no message): the object has no
 * such member, or null. DATA: no JSON object; the message begins with `name` ("stdin:12"). */
ATTEND_API attend_status attend_json_member(char **value, size_t *value_size, const char *object, size_t size,
                                            const char *key, const char *name);

#ifdef __cplusplus
}
#endif
#endif
