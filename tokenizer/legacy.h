/* legacy.h: how the loaders of checkpoint folders share what lies beside the vocabulary: tokenizer_config.json, config.json,
 * special_tokens_map.json, added_tokens.json (huggingface.md 3.13 and 3.14). */
#ifndef ATTEND_TOKENIZER_LEGACY_H
#define ATTEND_TOKENIZER_LEGACY_H

#include "tokenizer/models.h"
#include "tokenizer/spm.h"

typedef struct attend_family attend_family;

/* A folder's side files; NULL: not there. */
typedef struct attend_folder {
	const char *path;
	attend_json *config;         /* tokenizer_config.json */
	attend_json *model;          /* config.json */
	attend_json *special_map;    /* special_tokens_map.json, unless tokenizer_config.json has added_tokens_decoder */
	attend_json *added;          /* added_tokens.json, likewise */
	const attend_family *family; /* NULL: none is named, or one that has no rules of its own here */
	char class_name[64];         /* without "Fast"; "": none is named */
	/* What the family's build found, for the tokens that come after it. */
	attend_spm spm;     /* count 0: none */
	size_t extra_ids;   /* T5's <extra_id_0> ... */
	attend_vocab known; /* contents of the tokens added so far */
} attend_folder;

/* A named special token ("mask_token") as the files spell it, else as the class does. */
typedef struct attend_named_token {
	const char *content; /* NULL: the tokenizer has none */
	size_t size;
	bool spelled; /* an AddedToken with flags stands in a file */
	bool lstrip, rstrip, single_word, normalized;
} attend_named_token;

/* A class of transformers: its special tokens, and how it is built of the vocabulary files. */
struct attend_family {
	const char *class_name;
	const char *tokens[ATTEND_SPECIAL_TOKEN_COUNT]; /* in the enum's order; NULL: none */
	bool mask_lstrip;                               /* the mask token swallows the space before it */
	const char *model;                              /* type of the model, for tokenizer.json */
	/* From legacy files into a new tokenizer: components and model, added tokens not yet. */
	attend_status (*build)(attend_tokenizer *tokenizer, attend_folder *folder);
	/* The post-processor, after the added tokens got their ids; NULL: the one of the base class. */
	attend_status (*finish)(attend_tokenizer *tokenizer, const attend_folder *folder);
	/* NULL or: adapt the document of a tokenizer.json to the keys of tokenizer_config.json. */
	attend_status (*adapt)(attend_json *document, const attend_folder *folder);
};

/* The class of a name; of a model_type of config.json. NULL: none. */
const attend_family *attend_family_of_class(const char *class_name);
const attend_family *attend_family_of_model(const char *model_type);

/* tokenizer_config.json's keys; absent, null or no such file: *out stays. */
attend_status attend_folder_bool(bool *out, const attend_folder *folder, const char *key);
attend_status attend_folder_int(int64_t *out, const attend_folder *folder, const char *key, int64_t min, int64_t max);

attend_status attend_folder_named(attend_named_token *out, const attend_folder *folder, attend_special_token which);
/* Its content for a template; `other` when there is none. */
attend_status attend_folder_content(const char **out, const attend_folder *folder, attend_special_token which,
                                    const char *other);
/* A value that is a token: "text" or {"content": "text", "lstrip": ...}. False in *is_token for anything else. */
attend_status attend_read_token(attend_named_token *out, bool *is_token, const attend_json *value);
/* The value under `key` that counts: special_tokens_map.json's, then tokenizer_config.json's; NULL: none. */
const attend_json *attend_folder_value(const attend_folder *folder, const char *key);

/* A file of the folder: parsed; or its path, malloc'ed, NULL when there is no such file. */
attend_status attend_folder_json(attend_json **out, const char *folder, const char *name);
attend_status attend_folder_path(char **out, const char *folder, const char *name);

/* Add all tokens that the files name, as TokenizersBackend.__init__ does: added_tokens_decoder (or added_tokens.json) by id,
 * the named tokens, the additional ones (without a list of them: control and user-defined pieces of the spm, extra ids).
 * Sets tokenizer->special_ids. */
attend_status attend_folder_add_tokens(attend_tokenizer *tokenizer, attend_folder *folder);

/* Set the post-processor to templates in words like "0:0 A:0 1:0": tokens[0] with type 0, the text A with type 0, tokens[1].
 * Tokens must have ids. */
attend_status attend_set_template(attend_tokenizer *tokenizer, const char *single, const char *pair,
                                  const char *const *tokens, size_t count);

/* load_wordpiece.c: vocab.txt */
attend_status attend_build_bert(attend_tokenizer *tokenizer, attend_folder *folder);
attend_status attend_finish_bert(attend_tokenizer *tokenizer, const attend_folder *folder);
attend_status attend_finish_mpnet(attend_tokenizer *tokenizer, const attend_folder *folder);
attend_status attend_adapt_bert(attend_json *document, const attend_folder *folder);
/* load_bpe.c: vocab.json and merges.txt */
attend_status attend_build_gpt1(attend_tokenizer *tokenizer, attend_folder *folder);
attend_status attend_build_gpt2(attend_tokenizer *tokenizer, attend_folder *folder);
attend_status attend_finish_gpt2(attend_tokenizer *tokenizer, const attend_folder *folder);
attend_status attend_finish_roberta(attend_tokenizer *tokenizer, const attend_folder *folder);
attend_status attend_adapt_gpt2(attend_json *document, const attend_folder *folder);
attend_status attend_adapt_roberta(attend_json *document, const attend_folder *folder);
/* load_spm.c: spiece.model, sentencepiece.bpe.model */
attend_status attend_build_spm(attend_tokenizer *tokenizer, attend_folder *folder);
attend_status attend_finish_spm(attend_tokenizer *tokenizer, const attend_folder *folder);
/* load_marian.c: source.spm, target.spm, vocab.json */
attend_status attend_build_marian(attend_tokenizer *tokenizer, attend_folder *folder);
attend_status attend_finish_marian(attend_tokenizer *tokenizer, const attend_folder *folder);

/* marian_model.c. Takes over what `vocab` and `target` hold (target empty: one vocabulary), on failure too. */
attend_status attend_marian_new(attend_token_model **out, attend_vocab *vocab, attend_vocab *target,
                                const attend_spm *spm, const char *unk_token);

#endif
