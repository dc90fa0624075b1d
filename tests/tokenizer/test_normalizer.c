/* test_normalizer.c: each normalizer on small texts: what comes out, and which bytes of the original each byte came from. */
#include "tests/support/check.h"

#include "tests/tokenizer/random_text.h"
#include "tokenizer/normal_forms.h"
#include "tokenizer/normalizer.h"

typedef struct normal_case {
	const char *json, *in, *out;
	const char *origins; /* "start-end" of each character of `out`, in bytes of `in`; NULL: not checked */
} normal_case;

#define BERT(fields) "{\"type\":\"BertNormalizer\"" fields "}"
#define E_ACUTE      "\xc3\xa9"
#define ACUTE        "\xcc\x81"
#define DOT_BELOW    "\xcc\xa3"
#define ZHONG        "\xe4\xb8\xad"

static const normal_case CASES[] = {
	{"{\"type\":\"NFC\"}", "e" ACUTE "x", E_ACUTE "x", "0-1 3-4"},
	{"{\"type\":\"NFD\"}", E_ACUTE "x", "e" ACUTE "x", "0-2 0-2 2-3"},
	{"{\"type\":\"NFD\"}", "a" ACUTE DOT_BELOW, "a" DOT_BELOW ACUTE, "0-1 1-3 3-5"},
	{"{\"type\":\"NFC\"}", "a" ACUTE DOT_BELOW, "\xe1\xba\xa1" ACUTE, NULL},
	{"{\"type\":\"NFD\"}", "\xea\xb0\x81", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "0-3 0-3 0-3"},
	{"{\"type\":\"NFC\"}", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8z", "\xea\xb0\x81z", "0-3 9-10"},
	{"{\"type\":\"NFKC\"}", "\xef\xac\x81\xe2\x91\xa0", "fi1", "0-3 0-3 3-6"},
	{"{\"type\":\"NFKD\"}", "\xe3\x8b\xbf", "\xe3\x8b\xbf", "0-3"}, /* U+32FF is too young */
	{"{\"type\":\"Lowercase\"}",
     "A\xc4\xb0"
     "B",
     "ai\xcc\x87"
     "b",
     "0-1 1-3 1-3 3-4"},
	{"{\"type\":\"StripAccents\"}", "e" ACUTE "x", "ex", "0-1 3-4"},
	{"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", " \t a \xe3\x80\x80", "a", "3-4"},
	{"{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}", " a ", " a", "0-1 1-2"},
	{"{\"type\":\"Strip\"}", " \n", "", ""},
	{"{\"type\":\"Replace\",\"pattern\":{\"String\":\"ab\"},\"content\":\"xyz\"}", "1ab2", "1xyz2",
     "0-1 2-3 2-3 2-3 3-4"},
	{"{\"type\":\"Replace\",\"pattern\":{\"String\":\"b\"},\"content\":\"\"}", "abb", "a", "0-1"},
	{"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\A +| +\\\\z\"},\"content\":\"_\"}", "  a b ", "_a b_", NULL},
	{"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"^\"},\"content\":\"x\"}", "AB", "xAB", "0-0 0-1 1-2"},
	{"{\"type\":\"Prepend\",\"prepend\":\"__\"}", "ab", "__ab", "0-1 0-1 0-1 1-2"},
	{"{\"type\":\"Prepend\",\"prepend\":\"_\"}", "", "", ""},
	{"{\"type\":\"Nmt\"}",
     "a\x01"
     "b\tc\xe2\x80\x8b"
     "d\xc2\xad",
     "ab c d\xc2\xad", NULL},
	{"{\"type\":\"ByteLevel\"}", " " E_ACUTE, "\xc4\xa0\xc3\x83\xc2\xa9", "0-1 1-3 1-3"},
	{BERT(""), "H" E_ACUTE "llo\t" ZHONG "\xef\xbf\xbd", "hello  " ZHONG " ", "0-1 1-3 3-4 4-5 5-6 6-7 7-10 7-10 7-10"},
	{BERT(",\"lowercase\":false"), "H" E_ACUTE, "H" E_ACUTE, "0-1 1-3"},
	{BERT(",\"lowercase\":false,\"strip_accents\":true"), "H" E_ACUTE, "He", "0-1 1-3"},
	{BERT(",\"strip_accents\":false"), "\xc3\x89", E_ACUTE, "0-2"},
	{BERT(",\"clean_text\":false"), "a\x01", "a\x01", "0-1 1-2"},
	/* U+302F (class 224) stays and is ordered before U+0301 (230), which goes. */
	{BERT(""),
     "A" ACUTE "\xe3\x80\xaf"
     "b",
     "a\xe3\x80\xaf"
     "b",
     NULL},
	{"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},{\"type\":\"Lowercase\"}]}",
     "\xc3\x89X", "ex", "0-2 2-3"},
	{"{\"type\":\"Sequence\",\"normalizers\":[]}", "Ab", "Ab", "0-1 1-2"},
};

/* Places of characters as in normal_case.origins. */
static void describe(const attend_normalized *n, char *out, size_t size)
{
	size_t at = 0;
	out[0] = 0;
	for (size_t i = 0; i < n->size;) {
		const size_t length = attend_utf8_size((unsigned char)n->text[i]);
		const attend_span from = attend_normalized_origin(n, (uint32_t)i, (uint32_t)(i + length));
		at += (size_t)snprintf(out + at, size - at, "%s%u-%u", i ? " " : "", from.start, from.end);
		i += length;
	}
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		const normal_case *const c = &CASES[i];
		attend_normalizer *normalizer;
		assert_ok(attend_normalizer_from_text(&normalizer, c->json));
		for (int tracked = 0; tracked < 2; tracked++) {
			attend_normalized n = {0};
			char places[1000];
			assert_ok(attend_normalized_set(&n, c->in, strlen(c->in), 0, tracked));
			assert_ok(attend_normalizer_run(normalizer, &n));
			if (n.size != strlen(c->out) || (n.size && memcmp(n.text, c->out, n.size) != 0))
				fail_msg("%s of \"%s\": \"%.*s\"", c->json, c->in, (int)n.size, n.text);
			if (tracked && c->origins) {
				describe(&n, places, sizeof places);
				assert_string_equal(places, c->origins);
			}
			attend_normalized_free(&n);
		}
		attend_normalizer_free(normalizer);
	}
}

/* BertNormalizer's single pass equals its steps one by one. */
static void test_bert_steps(void **state)
{
	(void)state;
	attend_normalizer *whole, *steps;
	assert_ok(attend_normalizer_from_text(&whole, BERT("")));
	assert_ok(attend_normalizer_from_text(
		&steps,
		"{\"type\":\"Sequence\",\"normalizers\":[" BERT(",\"lowercase\":false") "," BERT(
			",\"clean_text\":false,\"handle_chinese_chars\":false,\"lowercase\":false,\"strip_accents\":true") ",{\"type\":\"Lowercase\"}]}"));
	attend_rng rng = {.seed = 3};
	char text[400];
	for (int i = 0; i < 3000; i++) {
		attend_normalized a = {0}, b = {0};
		char first[4000], second[4000];
		const size_t size = random_text(&rng, text, 1 + attend_rng_below(&rng, 40));
		assert_ok(attend_normalized_set(&a, text, size, 5, true));
		assert_ok(attend_normalized_set(&b, text, size, 5, true));
		assert_ok(attend_normalizer_run(whole, &a));
		assert_ok(attend_normalizer_run(steps, &b));
		assert_int_equal(a.size, b.size);
		assert_memory_equal(a.text, b.text, a.size);
		describe(&a, first, sizeof first);
		describe(&b, second, sizeof second);
		assert_string_equal(first, second);
		attend_normalized_free(&a);
		attend_normalized_free(&b);
	}
	attend_normalizer_free(whole);
	attend_normalizer_free(steps);
}

/* Laws of UAX 15 on random text: NFC o NFD = NFC, NFD o NFC = NFD, and each form is stable. */
static void test_normal_form_laws(void **state)
{
	(void)state;
	static const attend_normal_form laws[][3] = {{ATTEND_NFD, ATTEND_NFC, ATTEND_NFC},
	                                             {ATTEND_NFC, ATTEND_NFD, ATTEND_NFD},
	                                             {ATTEND_NFKD, ATTEND_NFKC, ATTEND_NFKC},
	                                             {ATTEND_NFC, ATTEND_NFC, ATTEND_NFC},
	                                             {ATTEND_NFKC, ATTEND_NFKD, ATTEND_NFKD}};
	attend_rng rng = {.seed = 11};
	char text[400];
	for (int i = 0; i < 3000; i++) {
		const size_t size = random_text(&rng, text, 1 + attend_rng_below(&rng, 60));
		for (size_t k = 0; k < sizeof laws / sizeof laws[0]; k++) {
			attend_normalized a = {0}, b = {0};
			assert_ok(attend_normalized_set(&a, text, size, 0, i & 1));
			assert_ok(attend_normalized_set(&b, text, size, 0, false));
			assert_ok(attend_normalize_form(&a, laws[k][0]));
			assert_ok(attend_normalize_form(&a, laws[k][1]));
			assert_ok(attend_normalize_form(&b, laws[k][2]));
			assert_int_equal(a.size, b.size);
			assert_memory_equal(a.text, b.text, a.size);
			attend_normalized_free(&a);
			attend_normalized_free(&b);
		}
	}
}

static void test_bad_json(void **state)
{
	(void)state;
	attend_normalizer *n;
	assert_fails(ATTEND_ERR_UNSUPPORTED, "$.normalizers[1]: normalizer of unknown type \"Rot13\"",
	             attend_normalizer_from_text(
					 &n, "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Rot13\"}]}"));
	assert_fails(ATTEND_ERR_FORMAT, "\"type\"", attend_normalizer_from_text(&n, "{}"));
	assert_fails(ATTEND_ERR_FORMAT, "content",
	             attend_normalizer_from_text(&n, "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}}"));
	assert_fails(ATTEND_ERR_FORMAT, "regular expression",
	             attend_normalizer_from_text(&n,
	                                         "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}"));
	assert_fails(ATTEND_ERR_FORMAT, "base64",
	             attend_normalizer_from_text(&n, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"*\"}"));
	assert_fails(ATTEND_ERR_FORMAT, "cut short",
	             attend_normalizer_from_text(&n, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}"));
	assert_fails(ATTEND_ERR_FORMAT, "double array",
	             attend_normalizer_from_text(&n,
	                                         "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////wAAAAA=\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_bert_steps),
	                                   cmocka_unit_test(test_normal_form_laws), cmocka_unit_test(test_bad_json)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
