/* test_pathological_tokenizer.c: texts that break naive tokenizers, a megabyte each, must be done in seconds (and under a
 * sanitizer or valgrind in the test's time). What is quadratic in a megabyte takes hours.
 * ctest-timeout: 300 */
#include "tests/support/check.h"

#include <time.h>

#include "lib/core/buffer.h"
#include "tests/tokenizer/tokenizer_of.h"

enum { MEGABYTE = 1 << 20, PIECES = 16 };

/* One of the pieces is repeated until a megabyte is full. */
static const char *const pieces[PIECES] = {
	"a",
	" ",
	"\n",
	"\xcc\x81",         /* combining acute: all marks of one class */
	"\xcc\x81\xcc\xa3", /* two classes: canonical ordering has to sort them */
	"e\xcc\x81",
	"\xe4\xb8\xad",                 /* one word of CJK */
	"\xea\xb0\x81",                 /* Hangul */
	"\xf0\x9f\x91\xa9\xe2\x80\x8d", /* one grapheme cluster of a megabyte */
	"!",
	"1",
	"<mask> ",
	"'s",
	"A",
	"\xe4\xb8\xad\x41", /* caseless, then upper case: o200k's words go back over it */
	"\r ",
};

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check_text(const attend_tokenizer *t, const char *name, const char *piece, const char *text, size_t size)
{
	const attend_encode_options everything = {.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS};
	attend_encoding e;
	attend_ids ids;
	char *decoded;
	size_t decoded_size;
	const attend_text one = {text, size, NULL, 0};
	const double start = seconds();
	assert_ok(attend_tokenizer_encode(&e, t, text, size, &everything));
	assert_ok(attend_tokenizer_encode_ids(&ids, t, &one, 1, NULL));
	assert_int_equal(ids.starts[1], e.count);
	assert_memory_equal(ids.ids, e.ids, e.count * sizeof *e.ids);
	assert_ok(attend_tokenizer_decode(&decoded, &decoded_size, t, e.ids, e.count, false, ATTEND_CLEAN_UP_ON));
	const double taken = seconds() - start;
	if (taken > 30) fail_msg("%s: a megabyte of \"%s\" took %.1f s", name, piece, taken);
	free(decoded);
	attend_ids_free(&ids);
	attend_encoding_free(&e);
}

static void check_all(const attend_tokenizer *t, const char *name)
{
	char *text = malloc(MEGABYTE);
	assert_non_null(text);
	for (size_t i = 0; i < PIECES; i++) {
		const size_t length = strlen(pieces[i]);
		size_t size = 0;
		for (; size + length <= MEGABYTE; size += length) memcpy(text + size, pieces[i], length);
		check_text(t, name, pieces[i], text, size);
	}
	free(text);
}

static void test_bundled(void **state)
{
	(void)state;
	static const char *const folders[] = {"models/pretrained/bert-mini", "models/pretrained/gpt2-mini",
	                                      "models/pretrained/seq2seq-mini"};
	for (size_t i = 0; i < 3; i++) {
		attend_tokenizer *t;
		assert_ok(attend_tokenizer_load(&t, folders[i]));
		check_all(t, folders[i]);
		attend_tokenizer_free(t);
	}
}

#define MODEL "\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"?\":0,\"a\":1},\"unk_token\":\"?\"}"

/* Stages that the bundled ones do not have. */
static void test_stages(void **state)
{
	(void)state;
	static const char *const jsons[] = {
		"{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+|\\\\p{L}\"},\"behavior\":"
		"\"MergedWithNext\"}," MODEL "}",
		"{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"},{\"type\":\"Replace\","
		"\"pattern\":{\"String\":\"a\"},\"content\":\"bb\"},{\"type\":\"Strip\"},{\"type\":\"Prepend\",\"prepend\":\"x\"}]},\"pre_tokenizer\":"
		"{\"type\":\"UnicodeScripts\"}," MODEL "}",
		"{\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_"
		"digits\":true},{\"type\":\"Punctuation\"},{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"first\"}]}," MODEL
		"}",
		/* o200k's words */
		"{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\""
		"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*[\\\\p{Ll}"
		"\\\\p{Lm}\\\\p{Lo}\\\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?["
		"\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]+[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*(?i:'s"
		"|'t|'re|'ve|'m|'ll|'d)?|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*["
		"\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
		"\"}},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," MODEL "}",
		"{\"added_tokens\":[{\"id\":2,\"content\":\"<mask>\",\"lstrip\":true,\"rstrip\":true},{\"id\":3,\"content\":\"aaaaaaaaaaaaaaaaaaaaaab\"},"
		"{\"id\":4,\"content\":\" \",\"lstrip\":true},{\"id\":5,\"content\":\"\\n\",\"single_word\":true}]," MODEL "}",
	};
	for (size_t i = 0; i < sizeof jsons / sizeof jsons[0]; i++) {
		attend_tokenizer *t = tokenizer_of(jsons[i]);
		check_all(t, jsons[i]);
		attend_tokenizer_free(t);
	}
}

/* A token of a blank that takes the blanks behind it: in the reference each one overlaps all that follow. */
static void test_overlapping_blanks(void **state)
{
	(void)state;
	attend_tokenizer *t = tokenizer_of(
		"{\"added_tokens\":[{\"id\":5,\"content\":\" \",\"rstrip\":true,\"normalized\":false}]," MODEL "}");
	char *text = malloc(MEGABYTE);
	assert_non_null(text);
	memset(text, ' ', MEGABYTE);
	const attend_text one = {text, MEGABYTE, NULL, 0};
	attend_ids ids;
	attend_encoding e;
	const double start = seconds();
	assert_ok(attend_tokenizer_encode_ids(&ids, t, &one, 1, NULL));
	assert_int_equal(ids.starts[1], MEGABYTE);
	attend_ids_free(&ids);
	const attend_encode_options spelled = {.fields = ATTEND_ENCODE_TOKENS};
	assert_fails(ATTEND_ERR_DATA, "spellings", attend_tokenizer_encode(&e, t, text, MEGABYTE, &spelled));
	assert_true(seconds() - start < 30);
	free(text);
	attend_tokenizer_free(t);
}

/* Many windows over a long text: they overlap by all but one token. */
static void test_windows(void **state)
{
	(void)state;
	attend_tokenizer *t = tokenizer_of("{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}," MODEL "}");
	char *text = malloc(MEGABYTE);
	assert_non_null(text);
	memset(text, ' ', MEGABYTE);
	for (size_t i = 0; i < MEGABYTE; i += 2) text[i] = 'a';
	const attend_encode_options o = {.truncation = ATTEND_TRUNCATE_ONLY_FIRST,
	                                 .max_length = 64,
	                                 .stride = 32,
	                                 .return_overflowing = true,
	                                 .fields = ATTEND_ENCODE_OFFSETS};
	attend_encoding e;
	assert_ok(attend_tokenizer_encode(&e, t, text, MEGABYTE, &o));
	assert_int_equal(e.overflowing_count, MEGABYTE / 2 / 32 - 2);
	assert_int_equal(e.overflowing[e.overflowing_count - 1].offsets[63].end, MEGABYTE - 1);
	attend_encoding_free(&e);
	free(text);
	attend_tokenizer_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bundled), cmocka_unit_test(test_stages),
	                                   cmocka_unit_test(test_overlapping_blanks), cmocka_unit_test(test_windows)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
