/* recipe.c: the table of training options (names and defaults of HF's TrainingArguments). */
#include "lib/train/recipe.h"

#include <stdlib.h>
#include <string.h>

typedef enum kind { FLAG, WHOLE, REAL, TEXT } kind;

typedef struct entry {
	const char *name;
	kind kind;
	size_t offset;
	double min, max, preset;
	const char *text;  /* TEXT: the default */
	const char *words; /* TEXT: "a|b|c" when only these will do */
} entry;

#define AT(field) offsetof(attend_recipe, field)
#define FLAG_ENTRY(field, preset)                         \
	{                                                     \
#field, FLAG, AT(field), 0, 1, preset, NULL, NULL \
	}
#define WHOLE_ENTRY(field, min, max, preset)                   \
	{                                                          \
#field, WHOLE, AT(field), min, max, preset, NULL, NULL \
	}
#define REAL_ENTRY(field, min, max, preset)                   \
	{                                                         \
#field, REAL, AT(field), min, max, preset, NULL, NULL \
	}
#define TEXT_ENTRY(field, preset, words)                \
	{                                                   \
#field, TEXT, AT(field), 0, 0, 0, preset, words \
	}

static const entry entries[] = {
	TEXT_ENTRY(model_name_or_path, "", NULL),
	TEXT_ENTRY(train_file, "", NULL),
	TEXT_ENTRY(validation_file, "", NULL),
	TEXT_ENTRY(output_dir, "", NULL),
	TEXT_ENTRY(input_format, "auto", "auto|csv|tsv|jsonl|fasttext|plain|space"),
	TEXT_ENTRY(delimiter, "", NULL),
	TEXT_ENTRY(encoding, "", NULL),
	TEXT_ENTRY(text_column, "", NULL),
	TEXT_ENTRY(text_pair_column, "", NULL),
	TEXT_ENTRY(label_column, "", NULL),
	TEXT_ENTRY(label_type, "auto", "auto|single|multi|regression"),
	TEXT_ENTRY(label_separator, "", NULL),
	TEXT_ENTRY(header, "auto", "auto|yes|no"),
	FLAG_ENTRY(skip_bad_rows, 0),
	REAL_ENTRY(validation_split, 0, 0.9, 0),
	TEXT_ENTRY(truncate, "", "|left|right"),
	WHOLE_ENTRY(max_seq_length, 0, 1 << 24, 0),
	WHOLE_ENTRY(window, -1, 1 << 24, -1),
	WHOLE_ENTRY(stride, -1, 1 << 24, -1),
	TEXT_ENTRY(window_pooling, "mean", "mean|max"),
	TEXT_ENTRY(dtype, "stored", "stored|f32|bf16|int8|int4"),
	TEXT_ENTRY(task, "sequence", "sequence|mlm|lm"),
	TEXT_ENTRY(sentence_pairs, "", "|nsp|sop"),
	REAL_ENTRY(mlm_probability, 0, 1, 0.15),
	FLAG_ENTRY(mlm_whole_word, 0),
	FLAG_ENTRY(from_scratch, 0),
	REAL_ENTRY(num_train_epochs, 0, 1e6, 3),
	WHOLE_ENTRY(max_steps, -1, 1e12, -1),
	WHOLE_ENTRY(per_device_train_batch_size, 1, 65536, 8),
	WHOLE_ENTRY(per_device_eval_batch_size, 1, 65536, 8),
	WHOLE_ENTRY(gradient_accumulation_steps, 1, 65536, 1),
	WHOLE_ENTRY(max_tokens_per_batch, 0, 1 << 24, 0),
	FLAG_ENTRY(group_by_length, 0),
	FLAG_ENTRY(gradient_checkpointing, 0),
	FLAG_ENTRY(bf16, 0),
	WHOLE_ENTRY(seed, 0, 9007199254740992.0, 42),
	TEXT_ENTRY(optim, "adamw", "adamw|sgd|adafactor"),
	TEXT_ENTRY(lr_scheduler_type, "linear", NULL),
	TEXT_ENTRY(lr_scheduler_kwargs, "", NULL),
	REAL_ENTRY(learning_rate, 0, 1e3, 5e-5),
	REAL_ENTRY(weight_decay, 0, 1e3, 0),
	REAL_ENTRY(adam_beta1, 0, 1, 0.9),
	REAL_ENTRY(adam_beta2, 0, 1, 0.999),
	REAL_ENTRY(adam_epsilon, 0, 1, 1e-8),
	REAL_ENTRY(momentum, 0, 1, 0.9),
	REAL_ENTRY(max_grad_norm, 0, 1e9, 1),
	REAL_ENTRY(warmup_ratio, 0, 1, 0),
	WHOLE_ENTRY(warmup_steps, 0, 1e12, 0),
	REAL_ENTRY(label_smoothing_factor, 0, 1, 0),
	REAL_ENTRY(layer_lr_decay, 0, 1, 1),
	REAL_ENTRY(discriminative_divisor, 1, 100, 1),
	FLAG_ENTRY(gradual_unfreeze, 0),
	TEXT_ENTRY(freeze, "", NULL),
	TEXT_ENTRY(class_weights, "", NULL),
	REAL_ENTRY(dropout, -1, 0.99, -1),
	TEXT_ENTRY(eval_strategy, "epoch", "no|steps|epoch"),
	TEXT_ENTRY(save_strategy, "no", "no|steps|epoch"),
	TEXT_ENTRY(metric_for_best_model, "loss", "loss|accuracy|f1_macro|f1_micro|matthews|pearson|spearman|mse|mae"),
	TEXT_ENTRY(on_nan, "stop", "stop|skip"),
	WHOLE_ENTRY(eval_steps, 1, 1e12, 500),
	WHOLE_ENTRY(save_steps, 1, 1e12, 500),
	WHOLE_ENTRY(logging_steps, 1, 1e12, 50),
	WHOLE_ENTRY(save_total_limit, 0, 1e6, 0),
	FLAG_ENTRY(load_best_model_at_end, 0),
	WHOLE_ENTRY(early_stopping_patience, 0, 1e6, 0),
	REAL_ENTRY(early_stopping_threshold, 0, 1e6, 0),
	FLAG_ENTRY(resume, 0),
	FLAG_ENTRY(overwrite_output_dir, 0),
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static void *field(const attend_recipe *recipe, const entry *e)
{
	return (char *)(uintptr_t)recipe + e->offset;
}

static const entry *find(const char *name)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		const char *a = entries[i].name, *b = name;
		while (*a && (*a == *b || (*a == '_' && *b == '-'))) a++, b++;
		if (!*a && !*b) return &entries[i];
	}
	return NULL;
}

static attend_status set_text(attend_recipe *recipe, const entry *e, const char *text)
{
	char *copy = strdup(text);
	if (!copy) return attend_fail_memory(strlen(text), "recipe");
	free(*(char **)field(recipe, e));
	*(char **)field(recipe, e) = copy;
	return ATTEND_OK;
}

static attend_status preset(attend_recipe *recipe, const entry *e)
{
	switch (e->kind) {
	case FLAG: *(bool *)field(recipe, e) = e->preset > 0; break;
	case WHOLE: *(int64_t *)field(recipe, e) = (int64_t)e->preset; break;
	case REAL: *(double *)field(recipe, e) = e->preset; break;
	case TEXT: return set_text(recipe, e, e->text);
	}
	return ATTEND_OK;
}

attend_status attend_recipe_new(attend_recipe **out)
{
	attend_recipe *recipe = calloc(1, sizeof *recipe);
	attend_status status = recipe ? ATTEND_OK : attend_fail_memory(sizeof *recipe, "recipe");
	for (size_t i = 0; i < ENTRIES && status == ATTEND_OK; i++) status = preset(recipe, &entries[i]);
	if (status != ATTEND_OK) {
		attend_recipe_free(recipe);
		return status;
	}
	*out = recipe;
	return ATTEND_OK;
}

void attend_recipe_free(attend_recipe *recipe)
{
	if (!recipe) return;
	for (size_t i = 0; i < ENTRIES; i++)
		if (entries[i].kind == TEXT) free(*(char **)field(recipe, &entries[i]));
	free(recipe);
}

const char *attend_recipe_name(size_t i)
{
	return i < ENTRIES ? entries[i].name : NULL;
}

static bool is_among(const char *word, const char *words)
{
	const size_t n = strlen(word);
	for (const char *at = words;;) {
		const char *end = strchr(at, '|');
		const size_t length = end ? (size_t)(end - at) : strlen(at);
		if (length == n && memcmp(at, word, n) == 0) return true;
		if (!end) return false;
		at = end + 1;
	}
}

attend_status attend_recipe_set_json(attend_recipe *recipe, const char *name, const attend_json *value)
{
	const entry *e = find(name);
	if (!e) return ATTEND_ERR_NOTFOUND;
	if (attend_json_type(value) == ATTEND_JSON_NULL) return preset(recipe, e);
	switch (e->kind) {
	case FLAG: return attend_json_as_bool(field(recipe, e), value);
	case WHOLE: return attend_json_as_int(field(recipe, e), value, (int64_t)e->min, (int64_t)e->max);
	case REAL: {
		double number = 0;
		ATTEND_TRY(attend_json_as_double(&number, value));
		if (!(number >= e->min && number <= e->max))
			return attend_json_fail(value, "expected a number from %g to %g, found %g", e->min, e->max, number);
		*(double *)field(recipe, e) = number;
		return ATTEND_OK;
	}
	case TEXT: break;
	}
	const char *text = NULL;
	char *printed = NULL;
	if (attend_json_type(value) !=
	    ATTEND_JSON_STRING) { /* a number, or an object of scheduler arguments, as its text */
		ATTEND_TRY(attend_json_print(&printed, value, 0));
		text = printed;
	} else {
		ATTEND_TRY(attend_json_as_string(&text, NULL, value));
	}
	const attend_status status = e->words && !is_among(text, e->words)
	                                 ? attend_json_fail(value, "expected one of %s, found \"%s\"", e->words, text)
	                                 : set_text(recipe, e, text);
	free(printed);
	return status;
}

attend_status attend_recipe_set(attend_recipe *recipe, const char *name, const char *value)
{
	if (!recipe || !name || !value) return attend_fail(ATTEND_ERR_ARG, "recipe: NULL argument");
	const entry *e = find(name);
	if (!e) return attend_fail(ATTEND_ERR_NOTFOUND, "no training option is called '%s'", name);
	attend_buffer text = {0};
	if (e->kind == TEXT) attend_buffer_json_string(&text, value, strlen(value));
	else attend_buffer_text(&text, value);
	attend_status status = attend_buffer_status(&text);
	attend_json *document = NULL;
	if (status == ATTEND_OK) status = attend_json_parse(&document, text.data, text.size, e->name);
	if (status == ATTEND_OK) status = attend_recipe_set_json(recipe, name, document);
	else if (status == ATTEND_ERR_FORMAT)
		(void)attend_fail(status, "%s: expected %s, found \"%s\"", e->name,
		                  e->kind == FLAG ? "true or false" : "a number", value);
	attend_json_free(document);
	attend_buffer_free(&text);
	return status == ATTEND_ERR_FORMAT ? ATTEND_ERR_ARG : status;
}

attend_status attend_recipe_load(attend_recipe *recipe, const char *path)
{
	attend_json *document = NULL;
	ATTEND_TRY(attend_json_read(&document, path));
	attend_status status = ATTEND_OK;
	if (attend_json_type(document) != ATTEND_JSON_OBJECT)
		status = attend_json_fail(document, "expected an object, found %s", attend_json_type_name(document));
	for (const attend_json *m = attend_json_first(document); m && status == ATTEND_OK; m = attend_json_next(m)) {
		status = attend_recipe_set_json(recipe, attend_json_key(m, NULL), m);
		if (status == ATTEND_ERR_NOTFOUND) status = attend_json_fail(m, "no training option has this name");
	}
	attend_json_free(document);
	return status;
}

static bool is_preset(const attend_recipe *recipe, const entry *e)
{
	switch (e->kind) {
	case FLAG: return *(bool *)field(recipe, e) == (e->preset > 0);
	case WHOLE: return *(int64_t *)field(recipe, e) == (int64_t)e->preset;
	case REAL: return !(*(double *)field(recipe, e) < e->preset) && !(*(double *)field(recipe, e) > e->preset);
	case TEXT: break;
	}
	return strcmp(*(char **)field(recipe, e), e->text) == 0;
}

static void print_entry(attend_buffer *out, const attend_recipe *recipe, const entry *e)
{
	attend_buffer_printf(out, "\"%s\": ", e->name);
	switch (e->kind) {
	case FLAG: attend_buffer_text(out, *(bool *)field(recipe, e) ? "true" : "false"); break;
	case WHOLE: attend_buffer_printf(out, "%lld", (long long)*(int64_t *)field(recipe, e)); break;
	case REAL: attend_buffer_printf(out, "%.12g", *(double *)field(recipe, e)); break;
	case TEXT: {
		const char *text = *(char **)field(recipe, e);
		attend_buffer_json_string(out, text, strlen(text));
		break;
	}
	}
}

void attend_recipe_print(attend_buffer *out, const attend_recipe *recipe, bool only_set)
{
	bool first = true;
	attend_buffer_text(out, "{");
	for (size_t i = 0; i < ENTRIES; i++) {
		if (only_set && is_preset(recipe, &entries[i])) continue;
		attend_buffer_text(out, first ? "\n  " : ",\n  ");
		first = false;
		print_entry(out, recipe, &entries[i]);
	}
	attend_buffer_text(out, "\n}\n");
}

void attend_recipe_print_run(attend_buffer *out, const attend_recipe *recipe)
{
	/* Where things are (the data has hashes), how much memory is spent, what is told and kept. */
	static const char *const beside =
		"model_name_or_path|train_file|validation_file|output_dir|dtype|per_device_eval_batch_size|"
		"gradient_checkpointing|save_strategy|save_steps|save_total_limit|logging_steps|on_nan|"
		"load_best_model_at_end|resume|overwrite_output_dir";
	for (size_t i = 0; i < ENTRIES; i++) {
		if (is_among(entries[i].name, beside)) continue;
		attend_buffer_text(out, ", ");
		print_entry(out, recipe, &entries[i]);
	}
}

attend_status attend_recipe_dump(char **out, const attend_recipe *recipe)
{
	attend_buffer text = {0};
	attend_recipe_print(&text, recipe, false);
	ATTEND_TRY(attend_buffer_status(&text));
	*out = text.data;
	return ATTEND_OK;
}

attend_status attend_recipe_copy(attend_recipe **out, const attend_recipe *recipe)
{
	attend_recipe *copy = NULL;
	ATTEND_TRY(attend_recipe_new(&copy));
	for (size_t i = 0; i < ENTRIES; i++) {
		const entry *e = &entries[i];
		attend_status status = ATTEND_OK;
		switch (e->kind) {
		case FLAG: *(bool *)field(copy, e) = *(bool *)field(recipe, e); break;
		case WHOLE: *(int64_t *)field(copy, e) = *(int64_t *)field(recipe, e); break;
		case REAL: *(double *)field(copy, e) = *(double *)field(recipe, e); break;
		case TEXT: status = set_text(copy, e, *(char **)field(recipe, e)); break;
		}
		if (status != ATTEND_OK) {
			attend_recipe_free(copy);
			return status;
		}
	}
	*out = copy;
	return ATTEND_OK;
}

attend_status attend_recipe_check(const attend_recipe *recipe)
{
	const attend_recipe *r = recipe;
	if (!*r->train_file) return attend_fail(ATTEND_ERR_ARG, "no training file (train_file)");
	if (*r->validation_file && r->validation_split > 0)
		return attend_fail(ATTEND_ERR_ARG, "validation_file and validation_split exclude each other");
	const bool plain = strcmp(r->task, "sequence") != 0;
	if (r->from_scratch && !plain) return attend_fail(ATTEND_ERR_ARG, "from_scratch needs task mlm or lm");
	if (plain && strcmp(r->metric_for_best_model, "loss") != 0)
		return attend_fail(ATTEND_ERR_ARG, "metric_for_best_model: task %s has its loss, not %s", r->task,
		                   r->metric_for_best_model);
	if (*r->sentence_pairs && strcmp(r->task, "mlm") != 0)
		return attend_fail(ATTEND_ERR_ARG, "sentence_pairs needs task mlm");
	if (*r->sentence_pairs && r->validation_split > 0) /* sentences of held-out pairs would stand in others too */
		return attend_fail(ATTEND_ERR_ARG, "sentence_pairs needs a validation_file, a share cannot be held out");
	if (plain && r->window >= 0) return attend_fail(ATTEND_ERR_ARG, "window: task %s packs its text anyway", r->task);
	if (plain && *r->class_weights) return attend_fail(ATTEND_ERR_ARG, "class_weights: task %s has no labels", r->task);
	const bool validates = *r->validation_file || r->validation_split > 0;
	if (!validates && (r->load_best_model_at_end || r->early_stopping_patience > 0))
		return attend_fail(ATTEND_ERR_ARG, "load_best_model_at_end and early_stopping_patience need validation data");
	if (r->load_best_model_at_end && strcmp(r->save_strategy, r->eval_strategy) != 0 &&
	    strcmp(r->save_strategy, "no") != 0)
		return attend_fail(ATTEND_ERR_ARG, "load_best_model_at_end: save_strategy %s must be the eval_strategy %s",
		                   r->save_strategy, r->eval_strategy);
	if (r->layer_lr_decay < 1 && r->discriminative_divisor > 1)
		return attend_fail(ATTEND_ERR_ARG, "layer_lr_decay and discriminative_divisor exclude each other");
	if (strlen(r->delimiter) > 1 && strcmp(r->delimiter, "\\t") != 0 && strcmp(r->delimiter, "tab") != 0 &&
	    strcmp(r->delimiter, "space") != 0)
		return attend_fail(ATTEND_ERR_ARG, "delimiter: expected one character, tab or space, found \"%s\"",
		                   r->delimiter);
	return ATTEND_OK;
}

attend_status attend_recipe_schedule(attend_schedule *out, const attend_recipe *recipe, uint64_t total_steps)
{
	attend_schedule_kind kind = ATTEND_SCHEDULE_LINEAR;
	ATTEND_TRY(attend_schedule_kind_parse(&kind, recipe->lr_scheduler_type));
	attend_schedule_init(out, kind);
	out->total_steps = (double)total_steps;
	const double share = recipe->warmup_ratio * (double)total_steps;
	out->warmup_steps = recipe->warmup_steps > 0 ? (double)recipe->warmup_steps
	                                             : (double)(int64_t)share + (share > (double)(int64_t)share);
	if (*recipe->lr_scheduler_kwargs) {
		attend_json *document = NULL;
		ATTEND_TRY(attend_json_parse(&document, recipe->lr_scheduler_kwargs, strlen(recipe->lr_scheduler_kwargs),
		                             "lr_scheduler_kwargs"));
		attend_status status = ATTEND_OK;
		for (const attend_json *m = attend_json_first(document); m && status == ATTEND_OK; m = attend_json_next(m)) {
			char *text = NULL;
			status = attend_json_print(&text, m, 0);
			if (status == ATTEND_OK) status = attend_schedule_set(out, attend_json_key(m, NULL), text);
			free(text);
		}
		attend_json_free(document);
		ATTEND_TRY(status);
	}
	return attend_schedule_check(out);
}

attend_status attend_recipe_optimizer(attend_optimizer_options *out, attend_grouping *grouping,
                                      const attend_recipe *recipe)
{
	attend_optimizer_kind kind = ATTEND_OPTIMIZER_ADAMW;
	ATTEND_TRY(attend_optimizer_kind_parse(&kind, recipe->optim));
	attend_optimizer_defaults(out, kind);
	if (kind == ATTEND_OPTIMIZER_ADAMW) out->beta1 = recipe->adam_beta1;
	out->beta2 = recipe->adam_beta2;
	out->epsilon = recipe->adam_epsilon;
	out->momentum = recipe->momentum;
	out->max_grad_norm = recipe->max_grad_norm;
	*grouping = (attend_grouping){.rule = ATTEND_GROUPS_NO_DECAY,
	                              .lr = recipe->learning_rate,
	                              .weight_decay = recipe->weight_decay,
	                              .factor = 1};
	if (recipe->layer_lr_decay < 1 || recipe->gradual_unfreeze) {
		grouping->rule = ATTEND_GROUPS_LAYERWISE_DECAY;
		grouping->factor = recipe->layer_lr_decay;
	}
	if (recipe->discriminative_divisor > 1) {
		grouping->rule = ATTEND_GROUPS_DISCRIMINATIVE;
		grouping->factor = recipe->discriminative_divisor;
	}
	return ATTEND_OK;
}

attend_window_pooling attend_recipe_pooling(const attend_recipe *recipe)
{
	return strcmp(recipe->window_pooling, "max") == 0 ? ATTEND_WINDOW_MAX : ATTEND_WINDOW_MEAN;
}

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

attend_status attend_recipe_data(attend_dataset_options *out, const attend_recipe *recipe)
{
	static const char *const kinds[] = {"auto", "single", "multi", "regression"};
	*out = (attend_dataset_options){.encoding = or_null(recipe->encoding),
	                                .text_column = or_null(recipe->text_column),
	                                .pair_column = or_null(recipe->text_pair_column),
	                                .label_column = or_null(recipe->label_column),
	                                .label_separator = or_null(recipe->label_separator),
	                                .header = strcmp(recipe->header, "yes") == 0  ? 1
	                                          : strcmp(recipe->header, "no") == 0 ? -1
	                                                                              : 0,
	                                .skip_bad = recipe->skip_bad_rows};
	for (int i = 0; i < 4; i++)
		if (strcmp(recipe->label_type, kinds[i]) == 0) out->labels = (attend_label_kind)i;
	const char *d = recipe->delimiter;
	out->delimiter = strcmp(d, "tab") == 0 || strcmp(d, "\\t") == 0 ? '\t' : strcmp(d, "space") == 0 ? ' ' : *d;
	return attend_data_format_parse(&out->format, recipe->input_format);
}
