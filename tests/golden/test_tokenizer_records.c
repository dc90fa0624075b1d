/* test_tokenizer_records.c: every record of the tokenizer cases: ids, tokens, offsets, decoded text as the reference gave
 * them. A case is a folder with a tokenizer's files and records.jsonl (format: ../shared/tokenizers/README.md). Those in
 * tests/golden/tokenizer are a part of the whole set, which is run from ../shared (or $ATTEND_SHARED) when it is there.
 * ctest-timeout: 600 */
#include "tests/support/check.h"

#include <dirent.h>
#include <unistd.h>

#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "tokenizer/attend_tokenizer.h"

enum { PATH = 600, SHOWN = 12 };

typedef struct tally {
	size_t records, failed, shown;
} tally;

/* ---- one record ---- */

typedef struct record {
	const char *name; /* of the case */
	size_t line;
	const attend_json *json;
	const char *bad; /* the first field that differs */
} record;

static void differs(record *r, const char *field)
{
	if (!r->bad) r->bad = field;
}

static bool text_is(const attend_json *value, const char *text, size_t size)
{
	const char *expected;
	size_t expected_size;
	return attend_json_as_string(&expected, &expected_size, value) == ATTEND_OK && expected_size == size &&
	       memcmp(expected, text, size) == 0;
}

static bool number_is(const attend_json *value, int64_t number)
{
	int64_t expected;
	if (attend_json_type(value) == ATTEND_JSON_NULL) return number == -1; /* a word id that is none */
	return attend_json_as_int(&expected, value, INT32_MIN, UINT32_MAX) == ATTEND_OK && expected == number;
}

static bool span_is(const attend_json *value, attend_span span)
{
	const attend_json *start = attend_json_first(value);
	return attend_json_count(value) == 2 && number_is(start, span.start) &&
	       number_is(attend_json_next(start), span.end);
}

static bool item_is(const attend_json *value, const char *field, const attend_encoding *e, size_t i)
{
	if (strcmp(field, "ids") == 0) return number_is(value, e->ids[i]);
	if (strcmp(field, "type_ids") == 0) return number_is(value, e->type_ids[i]);
	if (strcmp(field, "special_tokens_mask") == 0) return number_is(value, e->special_tokens_mask[i]);
	if (strcmp(field, "word_ids") == 0) return number_is(value, e->word_ids[i]);
	if (strcmp(field, "offsets") == 0) return span_is(value, e->offsets[i]);
	if (strcmp(field, "byte_offsets") == 0) return span_is(value, e->byte_offsets[i]);
	return text_is(value, e->tokens[i], e->token_sizes[i]);
}

static void check_encoding(record *r, const attend_json *expected, const attend_encoding *e)
{
	static const char *const fields[] = {"ids",          "tokens",   "type_ids",           "offsets",
	                                     "byte_offsets", "word_ids", "special_tokens_mask"};
	for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
		const attend_json *list = attend_json_get(expected, fields[f]);
		if (!list) continue;
		if (attend_json_count(list) != e->count) differs(r, fields[f]);
		size_t i = 0;
		for (const attend_json *item = attend_json_first(list); item && !r->bad; item = attend_json_next(item), i++)
			if (!item_is(item, fields[f], e, i)) differs(r, fields[f]);
	}
	const attend_json *list = attend_json_get(expected, "overflowing");
	if (!list || r->bad) return;
	if (attend_json_count(list) != e->overflowing_count) differs(r, "overflowing");
	size_t i = 0;
	for (const attend_json *item = attend_json_first(list); item && !r->bad; item = attend_json_next(item), i++)
		check_encoding(r, item, &e->overflowing[i]);
}

static attend_encode_options read_options(const attend_json *json)
{
	static const char *const names[] = {"", "longest_first", "only_first", "only_second"};
	attend_encode_options o = {.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS};
	int64_t max_length = -1, stride = 0;
	const char *truncation = "longest_first", *side = "right";
	assert_ok(attend_json_get_bool(&o.no_special_tokens, json, "no_special_tokens"));
	assert_ok(attend_json_get_bool(&o.return_overflowing, json, "return_overflowing"));
	assert_ok(attend_json_get_int(&max_length, json, "max_length", 0, INT32_MAX));
	assert_ok(attend_json_get_int(&stride, json, "stride", 0, INT32_MAX));
	assert_ok(attend_json_get_string(&truncation, json, "truncation"));
	assert_ok(attend_json_get_string(&side, json, "truncation_side"));
	for (int i = 1; i < 4 && max_length >= 0; i++)
		if (strcmp(truncation, names[i]) == 0) o.truncation = (attend_truncation)i;
	o.max_length = max_length >= 0 ? (size_t)max_length : 0;
	o.stride = (size_t)stride;
	o.truncate_left = strcmp(side, "left") == 0;
	return o;
}

static void check_encode(record *r, const attend_tokenizer *tokenizer)
{
	const char *text, *pair = NULL;
	size_t size, pair_size = 0;
	const attend_encode_options o = read_options(attend_json_get(r->json, "options"));
	const attend_json *second = attend_json_get(r->json, "text_pair");
	attend_encoding e;
	assert_ok(attend_json_as_string(&text, &size, attend_json_get(r->json, "text")));
	if (second) assert_ok(attend_json_as_string(&pair, &pair_size, second));
	const attend_status status = pair ? attend_tokenizer_encode_pair(&e, tokenizer, text, size, pair, pair_size, &o)
	                                  : attend_tokenizer_encode(&e, tokenizer, text, size, &o);
	if (status != ATTEND_OK) {
		differs(r, attend_error());
		return;
	}
	check_encoding(r, r->json, &e);
	attend_encoding_free(&e);
}

static void check_decode(record *r, const attend_tokenizer *tokenizer, const char *field, bool skip)
{
	const attend_json *expected = attend_json_get(r->json, field), *list = attend_json_get(r->json, "ids");
	if (!expected) return;
	int32_t *ids = malloc((attend_json_count(list) + 1) * sizeof *ids);
	assert_non_null(ids);
	size_t count = 0, size;
	char *text;
	for (const attend_json *item = attend_json_first(list); item; item = attend_json_next(item)) {
		int64_t id;
		assert_ok(attend_json_as_int(&id, item, 0, INT32_MAX));
		ids[count++] = (int32_t)id;
	}
	assert_ok(attend_tokenizer_decode(&text, &size, tokenizer, ids, count, skip, ATTEND_CLEAN_UP_DEFAULT));
	if (!text_is(expected, text, size)) differs(r, field);
	free(text);
	free(ids);
}

/* ---- a case ---- */

static void check_records(const char *name, const char *path, const attend_tokenizer *tokenizer, tally *t)
{
	char *text;
	size_t size, line = 0;
	assert_ok(attend_file_read(&text, &size, path, 0));
	for (size_t start = 0; start < size;) {
		const char *newline = memchr(text + start, '\n', size - start);
		const size_t end = newline ? (size_t)(newline - text) : size;
		attend_json *json;
		assert_ok(attend_json_parse(&json, text + start, end - start, path));
		record r = {name, ++line, json, NULL};
		if (attend_json_get(json, "text")) check_encode(&r, tokenizer);
		check_decode(&r, tokenizer, "decoded", false);
		check_decode(&r, tokenizer, "decoded_skip_special", true);
		t->records++;
		t->failed += r.bad != NULL;
		if (r.bad && t->shown++ < SHOWN) print_error("%s, record %zu: %s differs\n", name, line, r.bad);
		attend_json_free(json);
		start = end + 1;
	}
	free(text);
}

static void link_file(const char *folder, const char *name, const char *to, const char *as)
{
	char from[2 * PATH], target[2 * PATH];
	snprintf(from, sizeof from, "%s/%s", folder, name);
	snprintf(target, sizeof target, "%s/%s", to, as);
	if (!attend_file_exists(from)) return;
	unlink(target);
	assert_int_equal(symlink(from, target), 0);
}

static void link_all(const char *folder, const char *to)
{
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "records.jsonl") != 0 &&
		    strcmp(entry->d_name, "source.txt") != 0)
			link_file(folder, entry->d_name, to, entry->d_name);
	closedir(dir);
}

/* source.txt: the folder under shared/ that the files come from; further lines: `name` or `name new-name`. */
static void link_source(const char *source, const char *shared, const char *to)
{
	char *text, folder[PATH], *rest = NULL;
	size_t size, names = 0;
	assert_ok(attend_file_read(&text, &size, source, 0));
	const char *base = strtok_r(text, "\n", &rest);
	assert_non_null(base);
	snprintf(folder, sizeof folder, "%s/%s", shared, base);
	for (char *line; (line = strtok_r(NULL, "\n", &rest));) {
		char *space = strchr(line, ' ');
		if (*line == 0) continue;
		if (space) *space = 0;
		link_file(folder, line, to, space ? space + 1 : line);
		names++;
	}
	if (names == 0) link_all(folder, to);
	free(text);
}

static void remove_folder(const char *path)
{
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir));) {
		char file[2 * PATH];
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.') unlink(file);
	}
	closedir(dir);
	rmdir(path);
}

static void check_case(const char *cases, const char *name, const char *shared, tally *t)
{
	char folder[PATH], records[2 * PATH], source[2 * PATH], model[] = "/tmp/attend-records-XXXXXX";
	snprintf(folder, sizeof folder, "%s/%s", cases, name);
	snprintf(records, sizeof records, "%s/records.jsonl", folder);
	snprintf(source, sizeof source, "%s/source.txt", folder);
	if (!attend_file_exists(records)) return;
	assert_non_null(mkdtemp(model));
	if (attend_file_exists(source)) link_source(source, shared, model);
	link_all(folder, model);
	attend_tokenizer *tokenizer;
	if (attend_tokenizer_load(&tokenizer, model) == ATTEND_OK) {
		check_records(name, records, tokenizer, t);
		attend_tokenizer_free(tokenizer);
	} else {
		print_error("%s: %s\n", name, attend_error());
		t->failed++;
	}
	remove_folder(model);
}

static void check_cases(const char *cases, const char *shared)
{
	struct dirent **entries;
	tally t = {0};
	const int count = scandir(cases, &entries, NULL, alphasort);
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.') check_case(cases, entries[i]->d_name, shared, &t);
		free(entries[i]);
	}
	free(entries);
	print_message("%s: %zu records, %zu failed\n", cases, t.records, t.failed);
	assert_true(t.records > 0);
	assert_int_equal(t.failed, 0);
}

static void own_cases(void **state)
{
	(void)state;
	check_cases(ATTEND_SOURCE_DIR "/tests/golden/tokenizer", "");
}

static void shared_cases(void **state)
{
	(void)state;
	char cases[PATH];
	const char *shared = getenv("ATTEND_SHARED");
	if (!shared) shared = ATTEND_SOURCE_DIR "/../shared";
	snprintf(cases, sizeof cases, "%s/tokenizers", shared);
	if (!attend_folder_exists(cases)) skip();
	check_cases(cases, shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(own_cases), cmocka_unit_test(shared_cases)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
