/* test_postprocessor.c: every post-processor as the templates it comes down to, and trimmed offsets. */
#include "tests/support/check.h"

#include "tokenizer/tokenizer_internal.h"

static attend_postprocessor *processor_of(const char *json)
{
	attend_postprocessor *p = NULL;
	assert_ok(attend_postprocessor_from_text(&p, json));
	return p;
}

/* "[CLS]:0 A:0 [SEP]:0", the ids of specials in brackets after them. */
static void template_is(const attend_template *template, const char *expected)
{
	attend_buffer text = {0};
	attend_buffer_text(&text, "");
	for (size_t i = 0; i < template->count; i++) {
		const attend_template_piece *piece = &template->pieces[i];
		if (piece->kind != ATTEND_PIECE_SPECIAL)
			attend_buffer_printf(&text, "%s%s:%d", i ? " " : "", piece->kind == ATTEND_PIECE_A ? "A" : "B",
			                     piece->type_id);
		for (size_t k = 0; k < piece->count; k++)
			attend_buffer_printf(&text, "%s%s(%d):%d", i || k ? " " : "", piece->tokens[k], piece->ids[k],
			                     piece->type_id);
	}
	assert_string_equal(text.data, expected);
	attend_buffer_free(&text);
}

static void check(const char *json, const char *single, const char *pair, size_t added, size_t added_pair)
{
	attend_postprocessor *p = processor_of(json);
	template_is(&p->single, single);
	template_is(&p->pair, pair);
	assert_int_equal(attend_postprocessor_added(p, false), added);
	assert_int_equal(attend_postprocessor_added(p, true), added_pair);
	attend_postprocessor_free(p);
}

static void every_type(void **state)
{
	(void)state;
	check("null", "A:0", "A:0 B:1", 0, 0);
	check("{\"type\":\"ByteLevel\"}", "A:0", "A:0 B:1", 0, 0);
	check("{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\",1]}", "[CLS](1):0 A:0 [SEP](2):0",
	      "[CLS](1):0 A:0 [SEP](2):0 B:1 [SEP](2):1", 2, 3);
	check("{\"type\":\"RobertaProcessing\",\"sep\":[\"</s>\",2],\"cls\":[\"<s>\",0]}", "<s>(0):0 A:0 </s>(2):0",
	      "<s>(0):0 A:0 </s>(2):0 </s>(2):0 B:0 </s>(2):0", 2, 4);
	check(
		"{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"X\",\"type_id\":2}},{\"Sequence\":{\"id\":\"A\","
		"\"type_id\":3}}],\"pair\":[{\"Sequence\":{\"id\":\"B\",\"type_id\":1}},{\"SpecialToken\":{\"id\":\"X\",\"type_id\":4}},"
		"{\"Sequence\":{\"id\":\"A\",\"type_id\":5}}],\"special_tokens\":{\"X\":{\"id\":\"X\",\"ids\":[7,8],\"tokens\":[\"x\","
		"\"y\"]}}}",
		"x(7):2 y(8):2 A:3", "B:1 x(7):4 y(8):4 A:5", 2, 2);
}

#define TEMPLATE                                                                                                                \
	"{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":6}},{\"SpecialToken\":{\"id\":\"X\"," \
	"\"type_id\":2}}],\"pair\":[{\"Sequence\":{\"id\":\"B\",\"type_id\":1}},{\"Sequence\":{\"id\":\"A\",\"type_id\":5}}],"      \
	"\"special_tokens\":{\"X\":{\"id\":\"X\",\"ids\":[7],\"tokens\":[\"x\"]}}}"

static void sequences(void **state)
{
	(void)state;
	check("{\"type\":\"Sequence\",\"processors\":[]}", "A:0", "A:0 B:1", 0, 0);
	check("{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\",\"trim_offsets\":false}," TEMPLATE "]}",
	      "A:6 x(7):2", "B:1 A:5", 1, 0);
	/* what an earlier one put around a text belongs to the text for a later one */
	check(
		"{\"type\":\"Sequence\",\"processors\":[{\"type\":\"BertProcessing\",\"sep\":[\"S\",2],\"cls\":[\"C\",1]}," TEMPLATE
		"]}",
		"C(1):6 A:6 S(2):6 x(7):2", "B:1 S(2):1 C(1):5 A:5 S(2):5", 3, 3);
	attend_postprocessor *p;
	assert_fails(ATTEND_ERR_UNSUPPORTED, "$.processors[1]",
	             attend_postprocessor_from_text(&p,
	                                            "{\"type\":\"Sequence\",\"processors\":[" TEMPLATE "," TEMPLATE "]}"));
}

static void bad_files(void **state)
{
	(void)state;
	attend_postprocessor *p;
	static const struct {
		attend_status status;
		const char *part, *json;
	} cases[] = {
		{ATTEND_ERR_UNSUPPORTED, "\"Nope\"", "{\"type\":\"Nope\"}"},
		{ATTEND_ERR_FORMAT, "\"type\"", "{}"},
		{ATTEND_ERR_FORMAT, "\"sep\"", "{\"type\":\"BertProcessing\",\"cls\":[\"a\",1]}"},
		{ATTEND_ERR_FORMAT, "[token, id]", "{\"type\":\"BertProcessing\",\"sep\":[\"a\"],\"cls\":[\"a\",1]}"},
		{ATTEND_ERR_FORMAT, "$.cls[1]", "{\"type\":\"BertProcessing\",\"sep\":[\"a\",1],\"cls\":[\"a\",-1]}"},
		{ATTEND_ERR_FORMAT, "special_tokens",
	     "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"X\"}}],\"pair\":[],\"special_tokens\":{}}"},
		{ATTEND_ERR_FORMAT, "lacks A",
	     "{\"type\":\"TemplateProcessing\",\"single\":[],\"pair\":[],\"special_tokens\":{}}"},
		{ATTEND_ERR_FORMAT, "uses B",
	     "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}],\"pair\":[],\"special_tokens\":{}}"},
		{ATTEND_ERR_FORMAT, "\"C\"",
	     "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"C\"}}],\"pair\":[],\"special_tokens\":{}}"},
		{ATTEND_ERR_FORMAT, "\"pair\"", "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\"}}]}"},
		{ATTEND_ERR_FORMAT, "equal length",
	     "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"X\"}}],\"pair\":[],"
	     "\"special_tokens\":{\"X\":{\"ids\":[1],\"tokens\":[]}}}"},
		{ATTEND_ERR_FORMAT, "processors", "{\"type\":\"Sequence\"}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_fails(cases[i].status, cases[i].part, attend_postprocessor_from_text(&p, cases[i].json));
}

static void trims(const char *json, const char *token, bool first, uint32_t leading, uint32_t trailing)
{
	attend_postprocessor *p = processor_of(json);
	uint32_t front, back;
	attend_postprocessor_trim(p, token, strlen(token), &front, &back);
	if (first) front = attend_postprocessor_trim_first(p, front);
	assert_int_equal(front, leading);
	assert_int_equal(back, trailing);
	attend_postprocessor_free(p);
}

static void trimming(void **state)
{
	(void)state;
	const char *prefix = "{\"type\":\"ByteLevel\",\"trim_offsets\":true,\"add_prefix_space\":true}";
	const char *plain = "{\"type\":\"ByteLevel\",\"trim_offsets\":true,\"add_prefix_space\":false}";
	const char *off = "{\"type\":\"ByteLevel\",\"trim_offsets\":false}";
	trims(prefix, "\u0120a", false, 1, 0);
	trims(prefix, "\u0120a", true, 0, 0); /* the space that was put in front */
	trims(prefix, "\u0120\u0120a\u0120", true, 2, 1);
	trims(plain, "\u0120a", true, 1, 0);
	trims(plain, " \u3000\u0120", false, 3, 3);
	trims(plain, "a", false, 0, 0);
	trims(plain, "", false, 0, 0);
	trims(off, "\u0120a\u0120", false, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type),
		cmocka_unit_test(sequences),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(trimming),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
