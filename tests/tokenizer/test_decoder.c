/* test_decoder.c: every decoder on tokens given as "a|b|c"; expectations from huggingface/tokenizers 0.23. */
#include "tests/support/check.h"

#include <time.h>

#include "tokenizer/decoder.h"

static void gives_sized(const char *json, const char *tokens, const char *expected)
{
	attend_decoder *decoder = NULL;
	attend_string_list list = {0};
	attend_buffer out = {0};
	assert_ok(attend_decoder_from_text(&decoder, json));
	for (const char *at = tokens;; at++) {
		const size_t size = strcspn(at, "|");
		assert_ok(attend_string_list_push(&list, at, size));
		at += size;
		if (*at == 0) break;
	}
	attend_buffer_text(&out, "");
	assert_ok(attend_decoder_run(decoder, &list, NULL, &out));
	assert_string_equal(out.data, expected);
	attend_buffer_free(&out);
	attend_string_list_free(&list);
	attend_decoder_free(decoder);
}

static void joined_by_spaces(void **state)
{
	(void)state;
	gives_sized("null", "a|b||c", "a b  c");
}

static void wordpiece(void **state)
{
	(void)state;
	const char *raw = "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false}";
	gives_sized(raw, "##a|##b|c|.|##d", "##ab c .d");
	gives_sized("{\"type\":\"WordPiece\"}", "hi|,|do|n't|you|'|s|!", "hi, don't you ' s!");
	gives_sized("{\"type\":\"WordPiece\"}", "a| ' |b|do not|x .",
	            "a ' b don't x."); /* the space goes to each token first */
	gives_sized("{\"type\":\"WordPiece\",\"prefix\":\"\",\"cleanup\":false}", "a|b", "ab");
}

static void bpe(void **state)
{
	(void)state;
	gives_sized("{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"}", "he|llo</w>|you</w>", "hello you");
	gives_sized("{\"type\":\"BPEDecoder\"}", "a</w>b</w>", "ab");
}

static void metaspace(void **state)
{
	(void)state;
	gives_sized("{\"type\":\"Metaspace\"}", "\u2581\u2581a|b\u2581|\u2581c", "ab  c");
	gives_sized("{\"type\":\"Metaspace\",\"prepend_scheme\":\"never\"}", "\u2581a|b", " ab");
	gives_sized("{\"type\":\"Metaspace\",\"add_prefix_space\":false}", "\u2581a|b", " ab");
	gives_sized("{\"type\":\"Metaspace\",\"prepend_scheme\":\"first\"}", "\u2581a|\u2581b", "a b");
	gives_sized("{\"type\":\"Metaspace\",\"replacement\":\"_\",\"add_prefix_space\":true,\"str_rep\":\"_\"}",
	            "_a|_b\u2581", "a b\u2581");
}

static void byte_level(void **state)
{
	(void)state;
	const char *json = "{\"type\":\"ByteLevel\"}";
	gives_sized(json, "\u0120a|\u00c3|\u00a9", " a\u00e9"); /* a character across tokens */
	gives_sized(json, "\u00c3|a", "\ufffda");               /* half of one */
	gives_sized(json, "\u00f0\u0141|x", "\ufffdx");         /* U+0141 is outside the table: the token is itself */
	gives_sized(json, "\u00e2\u0124\u00ac\u00e2\u0124", "\u20ac\ufffd");
}

static void byte_fallback(void **state)
{
	(void)state;
	const char *json = "{\"type\":\"ByteFallback\"}";
	gives_sized(json, "<0xE5>|<0x8f>|<0xab>|a", "\u53eba");
	gives_sized(json, "<0xE5>|<0x8f>|a", "\ufffd\ufffda");
	gives_sized(json, "<0x61>|<0xZZ>|<0x6>|<0x062>", "a<0xZZ><0x6><0x062>");
	gives_sized(json, "<0x+F>", "\x0f"); /* Rust's from_str_radix takes the sign */
}

static void strip_and_replace(void **state)
{
	(void)state;
	gives_sized("{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":2}", "  a   |b", " a b");
	gives_sized("{\"type\":\"Strip\",\"content\":\"H\",\"start\":2,\"stop\":0}", "HHHi|HH|H", "Hi");
	gives_sized("{\"type\":\"Strip\",\"content\":\"\u2581\",\"start\":9,\"stop\":9}", "\u2581\u2581|\u2581a\u2581",
	            "a");
	gives_sized("{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"},\"content\":\" \"}", "\u2581a\u2581|b",
	            " a b");
	gives_sized("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"[0-9]+\"},\"content\":\"#\"}", "a12b3|4", "a#b##");
	gives_sized("{\"type\":\"Fuse\"}", "a|b", "ab");
}

static void ctc(void **state)
{
	(void)state;
	const char *json = "{\"type\":\"CTC\",\"pad_token\":\"<pad>\",\"word_delimiter_token\":\"|\",\"cleanup\":true}";
	gives_sized(json, "<pad>|<pad>|h|e|e|l|l|<pad>|l|o|o", "hello");
	gives_sized("{\"type\":\"CTC\",\"pad_token\":\"_\",\"word_delimiter_token\":\"-\",\"cleanup\":true}", "a|-|-|b|_|b",
	            "a bb");
	gives_sized("{\"type\":\"CTC\",\"pad_token\":\"_\",\"word_delimiter_token\":\"-\",\"cleanup\":false}", "a|-|_b",
	            "a-b");
}

static void sequence(void **state)
{
	(void)state;
	gives_sized(
		"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"},\"content\":\" \"},"
		"{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}",
		"\u2581a|<0xC3>|<0xA9>|\u2581b", "a\u00e9 b");
	gives_sized("{\"type\":\"Sequence\",\"decoders\":[]}", "a|b", "ab");
}

static void no_tokens(void **state)
{
	(void)state;
	static const char *const types[] = {"ByteLevel", "WordPiece", "BPEDecoder", "Metaspace",
	                                    "CTC",       "Strip",     "Fuse",       "ByteFallback"};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		char json[64];
		snprintf(json, sizeof json, "{\"type\":\"%s\"}", types[i]);
		attend_decoder *decoder;
		attend_string_list list = {0};
		attend_buffer out = {0};
		assert_ok(attend_decoder_from_text(&decoder, json));
		assert_ok(attend_decoder_run(decoder, &list, NULL, &out));
		assert_int_equal(out.size, 0);
		attend_buffer_free(&out);
		attend_string_list_free(&list);
		attend_decoder_free(decoder);
	}
}

static void marian(void **state)
{
	(void)state;
	attend_vocab pieces = {0};
	static const char *const known[] = {"\u2581Hello", "\u2581a", "\u2581b", "\u2581", "c"};
	for (size_t i = 0; i < 5; i++) assert_ok(attend_vocab_put(&pieces, known[i], strlen(known[i]), 0));
	assert_ok(attend_vocab_put(&pieces, "<s>", 3, 1));
	attend_decoder *decoder;
	assert_ok(attend_decoder_marian(&decoder, &pieces));
	static const struct {
		const char *tokens[8];
		bool special[8];
		size_t count;
		const char *expected;
	} cases[] = {
		{{"\u2581Hello", "</s>"}, {false, true}, 2, "Hello</s>"},
		{{"\u2581a", "</s>", "\u2581b", "</s>"}, {false, true, false, true}, 4, "a</s> b</s>"},
		{{"\u2581a", "<s>", "c"}, {false}, 3, "ac"}, /* control pieces are invisible */
		{{"</s>", "\u2581", "\u2581b"}, {true, false, false}, 3, "</s> b"},
		{{"</s>", "\u2581zz"}, {true, false}, 2, "</s>  zz"}, /* a piece of the other language keeps its space */
		{{"</s>"}, {true}, 1, "</s>"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		attend_string_list list = {0};
		attend_buffer out = {0};
		for (size_t k = 0; k < cases[i].count; k++)
			assert_ok(attend_string_list_push(&list, cases[i].tokens[k], strlen(cases[i].tokens[k])));
		assert_ok(attend_decoder_run(decoder, &list, cases[i].special, &out));
		assert_string_equal(out.data, cases[i].expected);
		attend_buffer_free(&out);
		attend_string_list_free(&list);
	}
	attend_decoder_free(decoder);
}

static void clean_up(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"Hello , world ! How 's it ? I do n't know .", "Hello, world! How's it? I don't know."},
		{"a ' b 'm c 've d 're do not", "a'b'm c've d're do not"},
		{"", ""},
		{" ", " "},
		{" .", "."},
		{"a  . b", "a . b"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		attend_buffer text = {0};
		attend_buffer_text(&text, cases[i][0]);
		attend_clean_up_text(&text);
		assert_string_equal(text.data, cases[i][1]);
		attend_buffer_free(&text);
	}
}

/* A megabyte of what each decoder looks for. */
static void long_texts_end_in_time(void **state)
{
	(void)state;
	static const char *const jsons[] = {
		"{\"type\":\"WordPiece\"}",
		"{\"type\":\"BPEDecoder\",\"suffix\":\"..\"}",
		"{\"type\":\"Metaspace\",\"replacement\":\" \"}",
		"{\"type\":\"CTC\",\"pad_token\":\" .\"}",
		"{\"type\":\"Strip\",\"content\":\" \",\"start\":9999999}",
		"{\"type\":\"ByteLevel\"}",
	};
	const size_t size = (size_t)1 << 20;
	char *token = malloc(size);
	assert_non_null(token);
	for (size_t i = 0; i < size; i++) token[i] = i % 2 ? '.' : ' ';
	const clock_t start = clock();
	for (size_t i = 0; i < sizeof jsons / sizeof *jsons; i++) {
		attend_decoder *decoder;
		attend_string_list list = {0};
		attend_buffer out = {0};
		assert_ok(attend_decoder_from_text(&decoder, jsons[i]));
		assert_ok(attend_string_list_push(&list, token, size));
		assert_ok(attend_decoder_run(decoder, &list, NULL, &out));
		attend_buffer_free(&out);
		attend_string_list_free(&list);
		attend_decoder_free(decoder);
	}
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20);
	free(token);
}

static void bad_files(void **state)
{
	(void)state;
	attend_decoder *decoder;
	static const struct {
		attend_status status;
		const char *part, *json;
	} cases[] = {
		{ATTEND_ERR_UNSUPPORTED, "\"Nope\"", "{\"type\":\"Nope\"}"},
		{ATTEND_ERR_UNSUPPORTED, "$.decoders[1].type",
	     "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"X\"}]}"},
		{ATTEND_ERR_FORMAT, "\"type\"", "{}"},
		{ATTEND_ERR_FORMAT, "decoders", "{\"type\":\"Sequence\",\"decoders\":1}"},
		{ATTEND_ERR_FORMAT, "one character", "{\"type\":\"Metaspace\",\"replacement\":\"ab\"}"},
		{ATTEND_ERR_FORMAT, "one character", "{\"type\":\"Strip\",\"content\":\"\"}"},
		{ATTEND_ERR_FORMAT, "$.start", "{\"type\":\"Strip\",\"start\":-1}"},
		{ATTEND_ERR_FORMAT, "sometimes", "{\"type\":\"Metaspace\",\"prepend_scheme\":\"sometimes\"}"},
		{ATTEND_ERR_FORMAT, "contradicts",
	     "{\"type\":\"Metaspace\",\"prepend_scheme\":\"first\",\"add_prefix_space\":false}"},
		{ATTEND_ERR_FORMAT, "pattern", "{\"type\":\"Replace\",\"content\":\"\"}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_fails(cases[i].status, cases[i].part, attend_decoder_from_text(&decoder, cases[i].json));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined_by_spaces),
		cmocka_unit_test(wordpiece),
		cmocka_unit_test(bpe),
		cmocka_unit_test(metaspace),
		cmocka_unit_test(byte_level),
		cmocka_unit_test(byte_fallback),
		cmocka_unit_test(strip_and_replace),
		cmocka_unit_test(ctc),
		cmocka_unit_test(sequence),
		cmocka_unit_test(no_tokens),
		cmocka_unit_test(marian),
		cmocka_unit_test(clean_up),
		cmocka_unit_test(long_texts_end_in_time),
		cmocka_unit_test(bad_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
