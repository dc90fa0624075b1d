/* bpe_json.c: a BPE model from tokenizer.json: merges as "left right" (before tokenizers 0.20) or as ["left", "right"]. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/core/arena.h"
#include "tokenizer/models.h"

static attend_status read_pair(attend_merge *out, const attend_json *item)
{
	const attend_json *left = attend_json_first(item);
	const attend_json *right = left != NULL ? attend_json_next(left) : NULL;
	if (right == NULL || attend_json_next(right) != NULL)
		return attend_json_fail(item, "expected a merge of two strings, found %zu", attend_json_count(item));
	ATTEND_TRY(attend_json_as_string(&out->left, &out->left_size, left));
	return attend_json_as_string(&out->right, &out->right_size, right);
}

/* Merges with their JSON values beside them, for messages. */
typedef struct merge_list {
	attend_merge *merges;
	const attend_json **items;
	size_t count;
} merge_list;

static void free_list(merge_list *list)
{
	free(list->merges);
	free(list->items);
}

static attend_status read_merges(merge_list *list, const attend_json *json)
{
	const bool empty =
		attend_json_type(json) == ATTEND_JSON_OBJECT && attend_json_count(json) == 0; /* some files: {} */
	if (attend_json_type(json) != ATTEND_JSON_ARRAY && !empty)
		return attend_json_fail(json, "expected an array of merges, found %s", attend_json_type_name(json));
	const size_t count = attend_json_count(json);
	list->merges = attend_alloc_array(count + 1, sizeof *list->merges);
	list->items = attend_alloc_array(count + 1, sizeof *list->items);
	if (list->merges == NULL || list->items == NULL) return attend_fail_memory(count * sizeof *list->merges, "merges");
	for (const attend_json *item = attend_json_first(json); item != NULL; item = attend_json_next(item)) {
		attend_merge *merge = &list->merges[list->count];
		if (attend_json_type(item) == ATTEND_JSON_ARRAY) {
			ATTEND_TRY(read_pair(merge, item));
		} else {
			const char *text;
			size_t size;
			ATTEND_TRY(attend_json_as_string(&text, &size, item));
			if (size >= 8 && memcmp(text, "#version", 8) == 0) continue;
			if (!attend_merge_split(merge, text, size))
				return attend_json_fail(item, "expected a merge of two parts and one space, found \"%s\"", text);
		}
		list->items[list->count++] = item;
	}
	return ATTEND_OK;
}

static attend_status read_config(attend_bpe_config *config, const attend_json *json)
{
	double dropout = 0;
	ATTEND_TRY(attend_json_get_double(&dropout, json, "dropout"));
	if (!(dropout >= 0 && dropout <= 1))
		return attend_json_fail(attend_json_get(json, "dropout"), "expected a probability, found %g", dropout);
	ATTEND_TRY(attend_json_get_string(&config->unk_token, json, "unk_token"));
	ATTEND_TRY(attend_json_get_string(&config->continuing_subword_prefix, json, "continuing_subword_prefix"));
	ATTEND_TRY(attend_json_get_string(&config->end_of_word_suffix, json, "end_of_word_suffix"));
	ATTEND_TRY(attend_json_get_bool(&config->fuse_unk, json, "fuse_unk"));
	ATTEND_TRY(attend_json_get_bool(&config->byte_fallback, json, "byte_fallback"));
	return attend_json_get_bool(&config->ignore_merges, json, "ignore_merges");
}

attend_status attend_bpe_from_json(attend_token_model **out, const attend_json *json)
{
	attend_bpe_config config = {0};
	ATTEND_TRY(read_config(&config, json));
	const attend_json *tokens = attend_json_get(json, "vocab"), *merges = attend_json_get(json, "merges");
	if (tokens == NULL || merges == NULL)
		return attend_json_fail(json, "expected the member \"%s\", found none", tokens == NULL ? "vocab" : "merges");
	attend_vocab vocab = {0};
	merge_list list = {0};
	attend_status status = attend_vocab_from_json(&vocab, tokens);
	if (status == ATTEND_OK) status = read_merges(&list, merges);
	if (status == ATTEND_OK) {
		size_t bad;
		status = attend_bpe_new(out, &vocab, list.merges, list.count, &config, &bad);
		if (status != ATTEND_OK && bad != SIZE_MAX) {
			char reason[512];
			snprintf(reason, sizeof reason, "%s", attend_error());
			attend_json_fail(list.items[bad], "%s", reason);
		}
	}
	attend_vocab_free(&vocab);
	free_list(&list);
	return status;
}
