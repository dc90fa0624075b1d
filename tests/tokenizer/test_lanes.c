/* test_lanes.c: the short way through the usual pipelines gives what the long way gives: ids, offsets, word ids.
 *
 * The long way is had by putting a normaliser or pre-tokenizer into a Sequence of one, which no lane knows. */
#include "tests/tokenizer/tokenizer_of.h"

#include "tests/tokenizer/random_text.h"

enum { CHARACTERS = 80, LONG = 300, TEXTS = 4000 };

#define SEQUENCE_OF(kind, part) "{\"type\":\"Sequence\",\"" kind "\":[" part "]}"
#define BERT(fields)            "{\"type\":\"BertNormalizer\"" fields "}"
#define BERT_WORDS              "{\"type\":\"BertPreTokenizer\"}"
#define GPT2(prefix)            "{\"type\":\"ByteLevel\",\"add_prefix_space\":" prefix ",\"use_regex\":true}"
#define GPT4                                                                                                                            \
	"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| " \
	"?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\"}"
#define SPLIT(regex) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\"}"
#define CJK          "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+"
#define DEEPSEEK_WORDS                                                                                                  \
	"[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|[^\\\\r\\\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}" \
	"\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define DEEPSEEK SPLIT("\\\\p{N}{1,3}") "," SPLIT(CJK) "," SPLIT(DEEPSEEK_WORDS)
#define DIGITS   "{\"type\":\"Digits\",\"individual_digits\":true}"
#define BYTES    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SPACES \
	"{\"type\":\"WhitespaceSplit\"},{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"}"

/* The model and added tokens of a bundled tokenizer under other stages. */
static attend_tokenizer *make(const char *folder, const char *normalizer, const char *pretokenizer)
{
	char path[200];
	attend_json *json;
	attend_tokenizer *t;
	snprintf(path, sizeof path, "models/pretrained/%s/tokenizer.json", folder);
	assert_ok(attend_json_read(&json, path));
	if (normalizer) assert_ok(attend_json_set(json, "normalizer", normalizer));
	assert_ok(attend_json_set(json, "pre_tokenizer", pretokenizer));
	assert_ok(attend_tokenizer_from_json(&t, json));
	attend_json_free(json);
	assert_ok(attend_tokenizer_finish(t));
	return t;
}

static void compare(const attend_tokenizer *fast, const attend_tokenizer *slow, const char *text, size_t size)
{
	const attend_encode_options o = {.fields = ATTEND_ENCODE_OFFSETS};
	const attend_text one = {text, size, NULL, 0};
	attend_encoding a, b;
	attend_ids ids;
	assert_ok(attend_tokenizer_encode(&a, fast, text, size, &o));
	assert_ok(attend_tokenizer_encode(&b, slow, text, size, &o));
	assert_ok(attend_tokenizer_encode_ids(&ids, fast, &one, 1, NULL));
	if (ids.starts[1] != b.count || memcmp(ids.ids, b.ids, b.count * sizeof *b.ids) != 0)
		fail_msg("\"%.*s\": other ids", (int)size, text);
	if (a.count != b.count || memcmp(a.ids, b.ids, b.count * sizeof *b.ids) != 0)
		fail_msg("\"%.*s\": other ids with offsets", (int)size, text);
	for (size_t i = 0; i < a.count; i++) {
		if (memcmp(&a.byte_offsets[i], &b.byte_offsets[i], sizeof *a.offsets) == 0 &&
		    memcmp(&a.offsets[i], &b.offsets[i], sizeof *a.offsets) == 0 && a.word_ids[i] == b.word_ids[i])
			continue;
		fail_msg("\"%.*s\": token %zu at %u-%u of word %d, expected %u-%u of word %d", (int)size, text, i,
		         a.byte_offsets[i].start, a.byte_offsets[i].end, a.word_ids[i], b.byte_offsets[i].start,
		         b.byte_offsets[i].end, b.word_ids[i]);
	}
	attend_ids_free(&ids);
	attend_encoding_free(&a);
	attend_encoding_free(&b);
}

static void check(const char *folder, const char *normalizer, const char *other_normalizer, const char *pretokenizer,
                  const char *other_pretokenizer)
{
	static const char *const texts[] = {"Hello world",
	                                    " two  blanks ",
	                                    "The quick brown foxes' well-known jumps, 1234567 times!",
	                                    "<|endoftext|> a <pad>b",
	                                    "supercalifragilisticexpialidocious antidisestablishmentarianism",
	                                    "caf\xc3\xa9 na\xc3\xafve x\xcc\x81 \xcc\x81y !\xcc\x81",
	                                    "a\001b \x7f c\td\ne\rf",
	                                    "\xc2\xadstart",
	                                    "\xef\xac\x81rst \xe2\x85\xa7",
	                                    "",
	                                    " ",
	                                    "\n\nx",
	                                    "\xe3\x80\x80 \xe3\x80\x80z",
	                                    "don't I'LL",
	                                    "\xe4\xb8\xad\xe6\x96\x87 text",
	                                    "a \xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd!",
	                                    "x\xe2\x80\x8by"};
	attend_tokenizer *const fast = make(folder, normalizer, pretokenizer);
	attend_tokenizer *const slow = make(folder, other_normalizer, other_pretokenizer);
	char text[LONG * 4];
	attend_rng rng = {.seed = 23};
	for (int pass = 0; pass < 2; pass++) /* the second one out of the caches */
		for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) compare(fast, slow, texts[i], strlen(texts[i]));
	for (size_t i = 0; i < TEXTS; i++) {
		size_t size = random_text(&rng, text, attend_rng_below(&rng, i % 8 < 2 ? LONG : CHARACTERS));
		if (i % 2 == 0) /* mostly ASCII: the lanes' own ground */
			for (size_t k = 0; k < size; k++)
				if ((unsigned char)text[k] >= 0x80 || attend_rng_below(&rng, 6) == 0)
					text[k] = "etaoin shrdlu.,ETA 0'"[(unsigned char)text[k] % 21];
		compare(fast, slow, text, size);
	}
	attend_tokenizer_free(fast);
	attend_tokenizer_free(slow);
}

#define REMOVED(regex) \
	"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Removed\",\"invert\":true}"

/* A byte of a character that BERT's words keep apart is placed on all of it. */
static void test_bytes_of_characters(void **state)
{
	(void)state;
	attend_tokenizer *const t = tokenizer_of("{\"normalizer\":" BERT(
		"") ",\"pre_tokenizer\":" BERT_WORDS
	        ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"merges\":[],\"vocab\":{\"9\":0,\"<0xE2>\":1,"
	        "\"<0x80>\":2,\"<0x98>\":3,\"<0xE4>\":4,\"<0xB8>\":5,\"<0xAD>\":6}}}");
	check_encoding(t, "\xe2\x80\x98\x39\xe4\xb8\xad", NULL, NULL,
	               "<0xE2>[0-3]/0 <0x80>[0-3]/0 <0x98>[0-3]/0 9[3-4]/1 <0xE4>[4-7]/2 <0xB8>[4-7]/2 <0xAD>[4-7]/2");
	attend_tokenizer_free(t);
}

/* Several splits that remove what they do not match are not those that isolate what they match. */
static void test_removed(void **state)
{
	(void)state;
	attend_tokenizer *const t =
		make("gpt2-mini", NULL,
	         SEQUENCE_OF("pretokenizers",
	                     REMOVED("\\\\p{N}{1,3}") "," REMOVED(CJK) "," REMOVED(DEEPSEEK_WORDS) "," BYTES));
	const attend_text text = {.text = "123", .size = 3};
	attend_ids ids;
	assert_ok(attend_tokenizer_encode_ids(&ids, t, &text, 1, NULL));
	assert_int_equal(ids.starts[1], 0);
	attend_ids_free(&ids);
	attend_tokenizer_free(t);
}

static void test_bert(void **state)
{
	(void)state;
	check("bert-mini", BERT(""), SEQUENCE_OF("normalizers", BERT("")), BERT_WORDS, BERT_WORDS);
	check("bert-mini", BERT(",\"lowercase\":false"), SEQUENCE_OF("normalizers", BERT(",\"lowercase\":false")),
	      BERT_WORDS, BERT_WORDS);
	check("bert-mini", BERT(",\"clean_text\":false,\"strip_accents\":false"),
	      SEQUENCE_OF("normalizers", BERT(",\"clean_text\":false,\"strip_accents\":false")), BERT_WORDS, BERT_WORDS);
}

static void test_words(void **state)
{
	(void)state;
	check("gpt2-mini", "null", "null", GPT2("false"), SEQUENCE_OF("pretokenizers", GPT2("false")));
	check("gpt2-mini", "null", "null", GPT2("true"), SEQUENCE_OF("pretokenizers", GPT2("true")));
	check("gpt2-mini", "{\"type\":\"NFC\"}", "{\"type\":\"NFC\"}", SEQUENCE_OF("pretokenizers", GPT4 "," BYTES),
	      SEQUENCE_OF("pretokenizers", SEQUENCE_OF("pretokenizers", GPT4) "," BYTES));
	check("gpt2-mini", "null", "null", SEQUENCE_OF("pretokenizers", DEEPSEEK "," BYTES),
	      SEQUENCE_OF("pretokenizers", SEQUENCE_OF("pretokenizers", DEEPSEEK) "," BYTES));
	check("gpt2-mini", "null", "null", SEQUENCE_OF("pretokenizers", DIGITS "," GPT2("false")),
	      SEQUENCE_OF("pretokenizers", SEQUENCE_OF("pretokenizers", DIGITS) "," GPT2("false")));
}

static void test_spaces(void **state)
{
	(void)state;
	check("seq2seq-mini", "null", "null", SEQUENCE_OF("pretokenizers", SPACES),
	      SEQUENCE_OF("pretokenizers", SEQUENCE_OF("pretokenizers", SPACES)));
	static const char *const files[] = {"tests/golden/tokenizer/norm_precompiled_small/tokenizer.json",
	                                    "../shared/data/tok_t5/tokenizer.json"};
	for (size_t i = 0; i < 2; i++) {
		attend_json *json;
		char *normalizer;
		const attend_status status = attend_json_read(&json, files[i]);
		if (i > 0 && status == ATTEND_ERR_NOTFOUND) continue; /* T5's own map is there with the reference data only */
		assert_ok(status);
		assert_ok(attend_json_print(&normalizer, attend_json_get(json, "normalizer"), 0));
		assert_non_null(strstr(normalizer, "Precompiled"));
		check("seq2seq-mini", normalizer, normalizer, SEQUENCE_OF("pretokenizers", SPACES),
		      SEQUENCE_OF("pretokenizers", SEQUENCE_OF("pretokenizers", SPACES)));
		free(normalizer);
		attend_json_free(json);
	}
}

/* Trimmed offsets, which are kept by id, against the untrimmed ones without the blanks that tokens are spelled with; the
 * same whether spellings are asked for or not. */
static void compare_trimmed(const attend_tokenizer *trims, const attend_tokenizer *plain, const char *text, size_t size)
{
	const attend_encode_options offsets = {.fields = ATTEND_ENCODE_OFFSETS};
	const attend_encode_options both = {.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS};
	attend_encoding a, b, c;
	assert_ok(attend_tokenizer_encode(&a, trims, text, size, &offsets));
	assert_ok(attend_tokenizer_encode(&b, trims, text, size, &both));
	assert_ok(attend_tokenizer_encode(&c, plain, text, size, &both));
	assert_int_equal(a.count, c.count);
	for (size_t i = 0; i < a.count; i++) {
		uint32_t leading, trailing;
		attend_span chars = c.offsets[i], bytes = c.byte_offsets[i];
		attend_postprocessor_trim(trims->postprocessor, c.tokens[i], c.token_sizes[i], &leading, &trailing);
		if (i == 0 || chars.start == 0) leading = attend_postprocessor_trim_first(trims->postprocessor, leading);
		for (; leading > 0 && chars.start < chars.end; leading--, chars.start++)
			bytes.start += (uint32_t)attend_utf8_size((unsigned char)text[bytes.start]);
		for (; trailing > 0 && chars.start < chars.end; trailing--, chars.end--) do
				bytes.end--;
			while (!attend_utf8_is_start(text[bytes.end]));
		assert_memory_equal(&a.offsets[i], &chars, sizeof chars);
		assert_memory_equal(&a.byte_offsets[i], &bytes, sizeof bytes);
		assert_memory_equal(&b.offsets[i], &chars, sizeof chars);
		assert_memory_equal(&b.byte_offsets[i], &bytes, sizeof bytes);
	}
	attend_encoding_free(&a);
	attend_encoding_free(&b);
	attend_encoding_free(&c);
}

static void test_trimmed(void **state)
{
	(void)state;
	static const char added[] =
		"[{\"id\":0,\"content\":\"<mask>\",\"lstrip\":true,\"normalized\":false,\"special\":true}]";
	attend_tokenizer *t[4];
	for (int i = 0; i < 4; i++) { /* with a blank in front or not, trimmed or not */
		char post[120];
		attend_json *json;
		assert_ok(attend_json_read(&json, "models/pretrained/gpt2-mini/tokenizer.json"));
		snprintf(post, sizeof post, "{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"trim_offsets\":%s}",
		         i < 2 ? "true" : "false", i % 2 ? "true" : "false");
		assert_ok(attend_json_set(json, "post_processor", post));
		assert_ok(attend_json_set(json, "added_tokens", added));
		assert_ok(attend_json_set(json, "pre_tokenizer", i < 2 ? GPT2("true") : GPT2("false")));
		assert_ok(attend_tokenizer_from_json(&t[i], json));
		attend_json_free(json);
		assert_ok(attend_tokenizer_finish(t[i]));
	}
	char text[LONG * 8];
	attend_rng rng = {.seed = 29};
	for (size_t i = 0; i < TEXTS; i++) {
		size_t size = random_text(&rng, text, attend_rng_below(&rng, CHARACTERS));
		for (size_t k = 0; i % 2 == 0 && k < size; k++)
			if ((unsigned char)text[k] >= 0x80 || attend_rng_below(&rng, 2) == 0)
				text[k] = "etaoin   '"[attend_rng_below(&rng, 10)];
		if (i % 3 == 0) {
			memcpy(text + size, "  <mask> a", 10);
			size += 10;
		}
		compare_trimmed(t[1], t[0], text, size);
		compare_trimmed(t[3], t[2], text, size);
	}
	for (int i = 0; i < 4; i++) attend_tokenizer_free(t[i]);
}

/* More distinct words than the caches hold: what gives way is found anew. */
static void test_full_caches(void **state)
{
	(void)state;
	attend_tokenizer *const fast = make("gpt2-mini", "null", GPT2("false"));
	attend_tokenizer *const slow = make("gpt2-mini", "null", SEQUENCE_OF("pretokenizers", GPT2("false")));
	static char text[1 << 21];
	size_t size = 0;
	for (unsigned i = 0; i < 150000; i++)
		size += (size_t)sprintf(text + size, " w%c%c%c", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676 % 26);
	for (unsigned i = 0; i < 60000; i++) size += (size_t)sprintf(text + size, " %u!%u", i, i * 7919);
	for (int pass = 0; pass < 2; pass++) compare(fast, slow, text, size);
	attend_tokenizer_free(fast);
	attend_tokenizer_free(slow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bert),        cmocka_unit_test(test_words),
	                                   cmocka_unit_test(test_spaces),      cmocka_unit_test(test_trimmed),
	                                   cmocka_unit_test(test_full_caches), cmocka_unit_test(test_bytes_of_characters),
	                                   cmocka_unit_test(test_removed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
