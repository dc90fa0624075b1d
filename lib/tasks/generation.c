/* generation.c: the table of HF's generation parameters (huggingface.md 4.1),
 * and values from JSON into it. */
#include "lib/tasks/generation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"

typedef enum kind {
	KIND_BOOL,
	KIND_INT,
	KIND_REAL,
	KIND_IDS,
	KIND_SEQUENCES,
	KIND_BIASES,
	KIND_STRINGS,
	KIND_EARLY,
	KIND_DECAY
} kind;

typedef struct parameter {
	const char *name;
	kind kind;
	size_t offset;
	double min, max, unset; /* range and unset value of numbers; max -1: no upper limit */
	size_t count_offset;    /* of lists */
} parameter;

#define AT(field) offsetof(attend_generation, field)
#define ID(field)                                        \
	{                                                    \
#field, KIND_INT, AT(field), 0, INT32_MAX, -1, 0 \
	}

static const parameter parameters[] = {
	{"max_length", KIND_INT, AT(max_length), 1, INT32_MAX, -1, 0},
	{"max_new_tokens", KIND_INT, AT(max_new_tokens), 1, INT32_MAX, -1, 0},
	{"min_length", KIND_INT, AT(min_length), 0, INT32_MAX, 0, 0},
	{"min_new_tokens", KIND_INT, AT(min_new_tokens), 0, INT32_MAX, -1, 0},
	{"max_time", KIND_REAL, AT(max_time), 0, -1, 0, 0},
	{"do_sample", KIND_BOOL, AT(do_sample), 0, 0, 0, 0},
	{"num_beams", KIND_INT, AT(num_beams), 1, 1024, 1, 0},
	{"num_return_sequences", KIND_INT, AT(num_return_sequences), 1, 1024, 1, 0},
	{"early_stopping", KIND_EARLY, AT(early_stopping), 0, 0, 0, 0},
	{"length_penalty", KIND_REAL, AT(length_penalty), -1e9, -1, 1, 0},
	{"temperature", KIND_REAL, AT(temperature), 0, -1, 1, 0},
	{"top_k", KIND_INT, AT(top_k), 0, INT32_MAX, 0, 0},
	{"top_p", KIND_REAL, AT(top_p), 0, 1, 1, 0},
	{"min_p", KIND_REAL, AT(min_p), 0, 1, 0, 0},
	{"typical_p", KIND_REAL, AT(typical_p), 0, 1, 1, 0},
	{"epsilon_cutoff", KIND_REAL, AT(epsilon_cutoff), 0, 1, 0, 0},
	{"eta_cutoff", KIND_REAL, AT(eta_cutoff), 0, 1, 0, 0},
	{"repetition_penalty", KIND_REAL, AT(repetition_penalty), 1e-9, -1, 1, 0},
	{"encoder_repetition_penalty", KIND_REAL, AT(encoder_repetition_penalty), 1e-9, -1, 1, 0},
	{"no_repeat_ngram_size", KIND_INT, AT(no_repeat_ngram_size), 0, INT32_MAX, 0, 0},
	{"encoder_no_repeat_ngram_size", KIND_INT, AT(encoder_no_repeat_ngram_size), 0, INT32_MAX, 0, 0},
	{"bad_words_ids", KIND_SEQUENCES, AT(bad_words_ids), 0, 0, 0, AT(bad_words_count)},
	{"sequence_bias", KIND_BIASES, AT(sequence_bias), 0, 0, 0, AT(sequence_bias_count)},
	{"suppress_tokens", KIND_IDS, AT(suppress_tokens), 0, 0, 0, 0},
	{"begin_suppress_tokens", KIND_IDS, AT(begin_suppress_tokens), 0, 0, 0, 0},
	ID(forced_bos_token_id),
	{"forced_eos_token_id", KIND_IDS, AT(forced_eos_token_id), 0, 0, 0, 0},
	{"exponential_decay_length_penalty", KIND_DECAY, AT(has_decay), 0, 0, 0, 0},
	{"renormalize_logits", KIND_BOOL, AT(renormalize_logits), 0, 0, 0, 0},
	{"remove_invalid_values", KIND_BOOL, AT(remove_invalid_values), 0, 0, 0, 0},
	{"stop_strings", KIND_STRINGS, AT(stop_strings), 0, 0, 0, AT(stop_strings_count)},
	{"eos_token_id", KIND_IDS, AT(eos_token_id), 0, 0, 0, 0},
	ID(pad_token_id),
	ID(bos_token_id),
	ID(decoder_start_token_id),
	{"seed", KIND_INT, AT(seed), 0, (double)INT32_MAX, -1, 0},
};
enum { PARAMETER_COUNT = sizeof parameters / sizeof *parameters };

/* What HF knows and attend does not; a value other than the neutral one would
 * change the answer. */
static const struct foreign {
	const char *name;
	double neutral;
} foreigns[] = {
	{"num_beam_groups", 1}, {"diversity_penalty", 0}, {"penalty_alpha", 0},   {"guidance_scale", 1},     {"top_h", 1},
	{"dola_layers", 0},     {"constraints", 0},       {"force_words_ids", 0}, {"watermarking_config", 0}};

static void *field(attend_generation *generation, size_t offset)
{
	return (char *)generation + offset;
}

static const parameter *find(const char *name)
{
	for (size_t i = 0; i < PARAMETER_COUNT; i++) {
		const char *a = parameters[i].name, *b = name;
		while (*a && (*a == *b || (*a == '_' && *b == '-'))) a++, b++;
		if (!*a && !*b) return &parameters[i];
	}
	return NULL;
}

static void free_entries(attend_bias_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) free(entries[i].sequence.ids);
	free(entries);
}

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++) free(strings[i]);
	free(strings);
}

static void unset(attend_generation *generation, const parameter *p)
{
	void *at = field(generation, p->offset);
	size_t *count = field(generation, p->count_offset);
	switch (p->kind) {
	case KIND_BOOL:
	case KIND_DECAY: *(bool *)at = false; break;
	case KIND_INT: *(int64_t *)at = (int64_t)p->unset; break;
	case KIND_REAL: *(double *)at = p->unset; break;
	case KIND_EARLY: *(attend_early_stopping *)at = ATTEND_EARLY_STOPPING_FALSE; break;
	case KIND_IDS:
		free(((attend_id_list *)at)->ids);
		*(attend_id_list *)at = (attend_id_list){0};
		break;
	case KIND_SEQUENCES:
	case KIND_BIASES:
		free_entries(*(attend_bias_entry **)at, *count);
		*(attend_bias_entry **)at = NULL;
		*count = 0;
		break;
	case KIND_STRINGS:
		free_strings(*(char ***)at, *count);
		*(char ***)at = NULL;
		*count = 0;
		break;
	}
}

attend_status attend_generation_defaults(attend_generation **out)
{
	attend_generation *generation = calloc(1, sizeof *generation);
	if (!generation) return attend_fail_memory(sizeof *generation, "generation parameters");
	for (size_t i = 0; i < PARAMETER_COUNT; i++) unset(generation, &parameters[i]);
	generation->max_length = 20;
	generation->top_k = 50;
	*out = generation;
	return ATTEND_OK;
}

void attend_generation_free(attend_generation *generation)
{
	if (!generation) return;
	for (size_t i = 0; i < PARAMETER_COUNT; i++) unset(generation, &parameters[i]);
	free(generation);
}

const char *attend_generation_name(size_t i)
{
	return i < PARAMETER_COUNT ? parameters[i].name : NULL;
}

/* [1,2] or a single 1. */
static attend_status read_ids(attend_id_list *out, const attend_json *value)
{
	const bool single = attend_json_type(value) == ATTEND_JSON_NUMBER;
	if (!single && attend_json_type(value) != ATTEND_JSON_ARRAY)
		return attend_json_fail(value, "expected a list of token ids, found %s", attend_json_type_name(value));
	const size_t count = single ? 1 : attend_json_count(value);
	int32_t *ids = attend_alloc_array(count ? count : 1, sizeof *ids);
	if (!ids) return attend_fail_memory(count * sizeof *ids, "token ids");
	const attend_json *item = single ? value : attend_json_first(value);
	for (size_t i = 0; i < count; i++, item = attend_json_next(item)) {
		int64_t id = 0;
		const attend_status status = attend_json_as_int(&id, item, 0, INT32_MAX);
		if (status != ATTEND_OK) {
			free(ids);
			return status;
		}
		ids[i] = (int32_t)id;
	}
	*out = (attend_id_list){ids, count};
	return ATTEND_OK;
}

/* One entry of bad_words_ids ([3,4]) or of sequence_bias ([[3,4],-1.5]). */
static attend_status read_entry(attend_bias_entry *out, const attend_json *item, bool biased)
{
	const attend_json *sequence = item;
	double bias = -INFINITY;
	if (biased) {
		if (attend_json_type(item) != ATTEND_JSON_ARRAY || attend_json_count(item) != 2)
			return attend_json_fail(item, "expected [[token ids], bias]");
		sequence = attend_json_first(item);
		ATTEND_TRY(attend_json_as_double(&bias, attend_json_next(sequence)));
	}
	if (attend_json_type(sequence) != ATTEND_JSON_ARRAY || attend_json_count(sequence) == 0)
		return attend_json_fail(sequence, "expected a list of one or more token ids");
	ATTEND_TRY(read_ids(&out->sequence, sequence));
	out->bias = (float)bias;
	return ATTEND_OK;
}

static attend_status read_entries(attend_bias_entry **out, size_t *out_count, const attend_json *value, bool biased)
{
	if (attend_json_type(value) != ATTEND_JSON_ARRAY)
		return attend_json_fail(value, "expected a list of lists, found %s", attend_json_type_name(value));
	const size_t count = attend_json_count(value);
	attend_bias_entry *entries = calloc(count ? count : 1, sizeof *entries);
	if (!entries) return attend_fail_memory(count * sizeof *entries, "token sequences");
	const attend_json *item = attend_json_first(value);
	for (size_t i = 0; i < count; i++, item = attend_json_next(item)) {
		const attend_status status = read_entry(&entries[i], item, biased);
		if (status != ATTEND_OK) {
			free_entries(entries, i);
			return status;
		}
	}
	*out = entries;
	*out_count = count;
	return ATTEND_OK;
}

static attend_status read_strings(char ***out, size_t *out_count, const attend_json *value)
{
	const bool single = attend_json_type(value) == ATTEND_JSON_STRING;
	if (!single && attend_json_type(value) != ATTEND_JSON_ARRAY)
		return attend_json_fail(value, "expected a string or a list of strings, found %s",
		                        attend_json_type_name(value));
	const size_t count = single ? 1 : attend_json_count(value);
	char **strings = calloc(count ? count : 1, sizeof *strings);
	if (!strings) return attend_fail_memory(count * sizeof *strings, "strings");
	const attend_json *item = single ? value : attend_json_first(value);
	for (size_t i = 0; i < count; i++, item = attend_json_next(item)) {
		const char *text = NULL;
		size_t size = 0;
		attend_status status = attend_json_as_string(&text, &size, item);
		if (status == ATTEND_OK && strlen(text) != size)
			status = attend_json_fail(item, "a stop string may not hold U+0000");
		if (status == ATTEND_OK && !(strings[i] = strdup(text))) status = attend_fail_memory(size, "strings");
		if (status != ATTEND_OK) {
			free_strings(strings, i);
			return status;
		}
	}
	*out = strings;
	*out_count = count;
	return ATTEND_OK;
}

static attend_status read_real(double *out, const parameter *p, const attend_json *value)
{
	double number = 0;
	ATTEND_TRY(attend_json_as_double(&number, value));
	const bool positive = p->offset == AT(temperature) || p->offset == AT(repetition_penalty) ||
	                      p->offset == AT(encoder_repetition_penalty);
	if (number < p->min || (p->max >= 0 && number > p->max) || (positive && number <= 0)) {
		char limit[32] = "";
		if (p->max >= 0) snprintf(limit, sizeof limit, " and <= %g", p->max);
		return attend_json_fail(value, "expected a number %s %g%s, found %g",
		                        positive ? ">" : ">=", positive ? 0.0 : p->min, limit, number);
	}
	*out = number;
	return ATTEND_OK;
}

static attend_status read_early(attend_early_stopping *out, const attend_json *value)
{
	if (attend_json_type(value) == ATTEND_JSON_BOOL) {
		bool yes = false;
		ATTEND_TRY(attend_json_as_bool(&yes, value));
		*out = yes ? ATTEND_EARLY_STOPPING_TRUE : ATTEND_EARLY_STOPPING_FALSE;
		return ATTEND_OK;
	}
	const char *word = NULL;
	ATTEND_TRY(attend_json_as_string(&word, NULL, value));
	if (strcmp(word, "never") != 0)
		return attend_json_fail(value, "expected true, false or \"never\", found \"%s\"", word);
	*out = ATTEND_EARLY_STOPPING_NEVER;
	return ATTEND_OK;
}

static attend_status read_decay(attend_generation *generation, const attend_json *value)
{
	if (attend_json_type(value) != ATTEND_JSON_ARRAY || attend_json_count(value) != 2)
		return attend_json_fail(value, "expected [start, factor]");
	const attend_json *start = attend_json_first(value);
	ATTEND_TRY(attend_json_as_int(&generation->decay_start, start, 0, INT32_MAX));
	ATTEND_TRY(attend_json_as_double(&generation->decay_factor, attend_json_next(start)));
	generation->has_decay = true;
	return ATTEND_OK;
}

/* The new value is read beside the old one, so that a failure changes nothing.
 */
static attend_status set(attend_generation *generation, const parameter *p, const attend_json *value)
{
	void *at = field(generation, p->offset);
	size_t *count_at = field(generation, p->count_offset);
	if (attend_json_type(value) == ATTEND_JSON_NULL) {
		unset(generation, p);
		if (p->offset == AT(max_length)) generation->max_length_is_set = false, generation->max_length = 20;
		return ATTEND_OK;
	}
	switch (p->kind) {
	case KIND_BOOL: return attend_json_as_bool(at, value);
	case KIND_INT: ATTEND_TRY(attend_json_as_int(at, value, (int64_t)p->min, (int64_t)p->max)); break;
	case KIND_REAL: return read_real(at, p, value);
	case KIND_EARLY: return read_early(at, value);
	case KIND_DECAY: return read_decay(generation, value);
	case KIND_IDS: {
		attend_id_list list;
		ATTEND_TRY(read_ids(&list, value));
		unset(generation, p);
		*(attend_id_list *)at = list;
		break;
	}
	case KIND_SEQUENCES:
	case KIND_BIASES: {
		attend_bias_entry *entries = NULL;
		size_t count = 0;
		ATTEND_TRY(read_entries(&entries, &count, value, p->kind == KIND_BIASES));
		unset(generation, p);
		*(attend_bias_entry **)at = entries;
		*count_at = count;
		break;
	}
	case KIND_STRINGS: {
		char **strings = NULL;
		size_t count = 0;
		ATTEND_TRY(read_strings(&strings, &count, value));
		unset(generation, p);
		*(char ***)at = strings;
		*count_at = count;
		break;
	}
	}
	if (p->offset == AT(max_length)) generation->max_length_is_set = true;
	return ATTEND_OK;
}

attend_status attend_generation_set_json(attend_generation *generation, const char *name, const attend_json *value)
{
	const parameter *p = find(name);
	return p ? set(generation, p, value) : ATTEND_ERR_NOTFOUND;
}

attend_status attend_generation_set(attend_generation *generation, const char *name, const char *value)
{
	if (!generation || !name || !value) return attend_fail(ATTEND_ERR_ARG, "generation parameter: NULL argument");
	const parameter *p = find(name);
	if (!p) return attend_fail(ATTEND_ERR_NOTFOUND, "no generation parameter is called '%s'", name);
	attend_buffer text = {0};
	const bool quoted = *value == '"' || *value == '[' || *value == '{';
	const bool word = strcmp(value, "true") == 0 || strcmp(value, "false") == 0 || strcmp(value, "null") == 0;
	if (strcmp(value, "None") == 0) attend_buffer_text(&text, "null");
	else if (p->kind == KIND_STRINGS ? !quoted : (p->kind == KIND_EARLY && !word && !quoted))
		attend_buffer_json_string(&text, value, strlen(value));
	else attend_buffer_text(&text, value);
	attend_status status = attend_buffer_status(&text);
	attend_json *document = NULL;
	if (status == ATTEND_OK) status = attend_json_parse(&document, text.data, text.size, p->name);
	if (status == ATTEND_OK) status = set(generation, p, document);
	attend_json_free(document);
	attend_buffer_free(&text);
	return status == ATTEND_ERR_FORMAT ? ATTEND_ERR_ARG : status;
}

static attend_status refuse_foreign(const attend_json *member, const char *name)
{
	for (size_t i = 0; i < sizeof foreigns / sizeof *foreigns; i++) {
		if (strcmp(name, foreigns[i].name) != 0) continue;
		const attend_json_kind type = attend_json_type(member);
		double number = foreigns[i].neutral;
		if (type == ATTEND_JSON_NULL) return ATTEND_OK;
		if (type == ATTEND_JSON_NUMBER) ATTEND_TRY(attend_json_as_double(&number, member));
		if (type != ATTEND_JSON_NUMBER || (number > foreigns[i].neutral || number < foreigns[i].neutral)) {
			attend_json_fail(member, "attend cannot generate with %s", name);
			return ATTEND_ERR_UNSUPPORTED;
		}
	}
	return ATTEND_OK;
}

attend_status attend_generation_load(attend_generation *generation, const attend_json *object)
{
	if (attend_json_type(object) != ATTEND_JSON_OBJECT)
		return attend_json_fail(object, "expected an object, found %s", attend_json_type_name(object));
	for (const attend_json *member = attend_json_first(object); member; member = attend_json_next(member)) {
		const char *name = attend_json_key(member, NULL);
		const parameter *p = find(name);
		ATTEND_TRY(refuse_foreign(member, name));
		/* null in a file means "not said", which leaves the default (top_k stays
     * 50) */
		if (p && attend_json_type(member) != ATTEND_JSON_NULL && p->offset != AT(seed))
			ATTEND_TRY(set(generation, p, member));
	}
	return ATTEND_OK;
}

static attend_status copy_ids(attend_id_list *list)
{
	if (!list->count) {
		list->ids = NULL;
		return ATTEND_OK;
	}
	int32_t *ids = attend_alloc_array(list->count, sizeof *ids);
	if (ids) memcpy(ids, list->ids, list->count * sizeof *ids);
	list->ids = ids;
	if (ids) return ATTEND_OK;
	list->count = 0;
	return attend_fail_memory(sizeof *ids, "token ids");
}

static attend_status copy_field(attend_generation *to, const parameter *p)
{
	void *at = field(to, p->offset);
	size_t *count = field(to, p->count_offset);
	if (p->kind == KIND_IDS) return copy_ids(at);
	if (p->kind != KIND_SEQUENCES && p->kind != KIND_BIASES && p->kind != KIND_STRINGS) return ATTEND_OK;
	const size_t size = p->kind == KIND_STRINGS ? sizeof(char *) : sizeof(attend_bias_entry);
	const void *from = *(void **)at;
	const size_t n = *count;
	*(void **)at = NULL;
	*count = 0;
	if (!n) return ATTEND_OK;
	void *list = calloc(n, size);
	if (!list) return attend_fail_memory(n * size, "generation parameters");
	*(void **)at = list;
	for (; *count < n; ++*count) {
		if (p->kind == KIND_STRINGS) {
			if (!(((char **)list)[*count] = strdup(((char *const *)from)[*count])))
				return attend_fail_memory(1, "generation parameters");
		} else {
			attend_bias_entry *entry = &((attend_bias_entry *)list)[*count];
			*entry = ((const attend_bias_entry *)from)[*count];
			ATTEND_TRY(copy_ids(&entry->sequence));
		}
	}
	return ATTEND_OK;
}

attend_status attend_generation_copy(attend_generation **out, const attend_generation *generation)
{
	attend_generation *copy = malloc(sizeof *copy);
	if (!copy) return attend_fail_memory(sizeof *copy, "generation parameters");
	*copy = *generation;
	attend_status status = ATTEND_OK;
	for (size_t i = 0; i < PARAMETER_COUNT; i++) { /* after a failure the rest must still be made its own: emptied */
		if (status == ATTEND_OK) {
			status = copy_field(copy, &parameters[i]);
		} else if (parameters[i].kind == KIND_IDS) {
			*(attend_id_list *)field(copy, parameters[i].offset) = (attend_id_list){0};
		} else if (parameters[i].count_offset) {
			*(void **)field(copy, parameters[i].offset) = NULL;
			*(size_t *)field(copy, parameters[i].count_offset) = 0;
		}
	}
	if (status != ATTEND_OK) {
		attend_generation_free(copy);
		return status;
	}
	*out = copy;
	return ATTEND_OK;
}

attend_status attend_generation_check(const attend_generation *generation)
{
	const attend_generation *g = generation;
	if (g->num_beams > 1 && g->num_return_sequences > g->num_beams)
		return attend_fail(ATTEND_ERR_ARG, "num_return_sequences %lld is more than num_beams %lld",
		                   (long long)g->num_return_sequences, (long long)g->num_beams);
	if (g->num_beams == 1 && !g->do_sample && g->num_return_sequences > 1)
		return attend_fail(ATTEND_ERR_ARG,
		                   "greedy decoding gives one sequence: "
		                   "num_return_sequences %lld wants do_sample or num_beams",
		                   (long long)g->num_return_sequences);
	return ATTEND_OK;
}
