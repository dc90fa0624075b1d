/* test_load_spm.c: the classes that stand on a SentencePiece file, and Marian: their own tokens, moved ids, templates. */
#include "tests/tokenizer/folder.h"
#include "tests/tokenizer/spm_bytes.h"

typedef enum kind { PLAIN, ALBERT, PEGASUS } kind;

/* <unk> <s> </s> ▁ a b ▁ab (: ids 0 to 7; ALBERT's and Pegasus's files begin otherwise. */
static void put_model(const test_folder *folder, const char *name, kind which)
{
	static const struct {
		const char *control[3];
		size_t before_unk;
	} heads[] = {[PLAIN] = {{"<s>", "</s>"}, 0},
	             [ALBERT] = {{"<pad>", "[CLS]", "[SEP]"}, 1},
	             [PEGASUS] = {{"<pad>", "</s>"}, 2}};
	attend_buffer bytes = {0}, part = {0};
	for (size_t i = 0; i <= 3; i++) {
		if (i == heads[which].before_unk) put_piece(&bytes, "<unk>", 0, ATTEND_SPM_UNKNOWN);
		if (i < 3 && heads[which].control[i]) put_piece(&bytes, heads[which].control[i], 0, ATTEND_SPM_CONTROL);
	}
	put_piece(&bytes, "\u2581", -2, ATTEND_SPM_NORMAL);
	put_piece(&bytes, "a", -3, ATTEND_SPM_NORMAL);
	put_piece(&bytes, "b", -3.5f, ATTEND_SPM_NORMAL);
	put_piece(&bytes, "\u2581ab", -4, ATTEND_SPM_NORMAL);
	put_piece(&bytes, "(", -1, ATTEND_SPM_USER_DEFINED);
	put_number(&part, 3, 1);
	put_number(&part, 40, heads[which].before_unk);
	put_bytes(&bytes, 2, part.data, part.size);
	folder_put_bytes(folder, name, bytes.data, bytes.size);
	attend_buffer_free(&bytes);
	attend_buffer_free(&part);
}

static void with_class(const char *class_name, const char *file, const char *more, const char *text, const char *pair,
                       const char *expected)
{
	const test_folder folder = folder_new();
	char config[256];
	snprintf(config, sizeof config, "{\"tokenizer_class\":\"%s\"%s}", class_name, more);
	folder_put(&folder, "tokenizer_config.json", config);
	const bool albert = strcmp(class_name, "AlbertTokenizer") == 0,
			   pegasus = strcmp(class_name, "PegasusTokenizer") == 0;
	put_model(&folder, file, albert ? ALBERT : pegasus ? PEGASUS : PLAIN);
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, text, pair, expected);
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

static void every_class(void **state)
{
	(void)state;
	/* user-defined pieces cut the text, and what follows them gets its own mark */
	with_class("T5Tokenizer", "spiece.model", ",\"extra_ids\":2", "ab(a<extra_id_0>", "b z",
	           "\u2581ab(6) ((7) \u2581(3) a(4) <extra_id_0>(9) </s>(2) \u2581(3) b(5) \u2581(3) z(2) </s>(2)");
	with_class("AlbertTokenizer", "spiece.model", "", "AB (\u00e1", "b",
	           "[CLS](2) \u2581ab(7) ((8) \u2581(4) a(5) [SEP](3) \u2581(4) b(6) [SEP](3)");
	with_class("XLNetTokenizer", "spiece.model", "", "ab", "B",
	           "\u2581ab(6) <sep>(8) \u2581(3) B(0) <sep>(8) <cls>(10)");
	with_class("XLMRobertaTokenizer", "sentencepiece.bpe.model", "", "ab <mask> b", "a",
	           "<s>(0) \u2581ab(7)  <mask>(9) \u2581(4) b(6) </s>(2) </s>(2) \u2581(4) a(5) </s>(2)");
	with_class("CamembertTokenizer", "sentencepiece.bpe.model", "", "ab <mask>", NULL,
	           "<s>(5) \u2581ab(10)  <mask>(12) </s>(6)");
	with_class("PegasusTokenizer", "spiece.model", ",\"offset\":4", "ab", "a", "\u2581ab(10) \u2581(7) a(8) </s>(1)");
	with_class("MT5TokenizerFast", "spiece.model", ",\"extra_ids\":0", "  ab \n", NULL, "\u2581ab(6) </s>(2)");
}

static void t5_defaults(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	put_model(&folder, "spiece.model", PLAIN);
	attend_tokenizer *t = folder_load(&folder); /* without any other file */
	assert_int_equal(attend_tokenizer_token_to_id(t, "<extra_id_99>", 13), 8);
	assert_int_equal(attend_tokenizer_token_to_id(t, "<extra_id_0>", 12), 107);
	assert_true(attend_tokenizer_is_special(t, 107));
	assert_true(attend_tokenizer_is_special(t, 1)); /* control pieces */
	assert_false(attend_tokenizer_is_special(t, 7));
	assert_int_equal(attend_tokenizer_special_id(t, ATTEND_TOKEN_EOS), 2);
	attend_tokenizer_free(t);
	/* a list in a file takes the place of the pieces and of the sentinels */
	folder_put(&folder, "tokenizer_config.json", "{\"extra_special_tokens\":[]}");
	t = folder_load(&folder);
	assert_false(attend_tokenizer_is_special(t, 107));
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

static void bad_models(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put_bytes(&folder, "spiece.model", "\x0a\x05\x0a", 3);
	folder_fails(&folder, ATTEND_ERR_FORMAT, "spiece.model");
	attend_buffer bytes = {0}, part = {0};
	put_piece(&bytes, "a", 0, ATTEND_SPM_NORMAL);
	put_number(&part, 3, 2);
	put_bytes(&bytes, 2, part.data, part.size);
	folder_put_bytes(&folder, "spiece.model", bytes.data, bytes.size);
	folder_fails(&folder, ATTEND_ERR_UNSUPPORTED, "type 2");
	attend_buffer_clear(&bytes);
	put_piece(&bytes, "a", 0, ATTEND_SPM_NORMAL);
	folder_put_bytes(&folder, "spiece.model", bytes.data, bytes.size);
	folder_put(&folder, "tokenizer_config.json", "{\"tokenizer_class\":\"AlbertTokenizer\"}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "unknown token's id 1");
	folder_put(&folder, "tokenizer_config.json", "{\"extra_ids\":-1}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "$.extra_ids");
	attend_buffer_clear(&bytes);
	attend_buffer_clear(&part);
	put_piece(&bytes, "a", 0, ATTEND_SPM_NORMAL);
	put_bytes(&part, 2, "\xff\xff\xff\x7f", 4); /* a charsmap larger than itself */
	put_bytes(&bytes, 3, part.data, part.size);
	folder_put_bytes(&folder, "spiece.model", bytes.data, bytes.size);
	folder_put(&folder, "tokenizer_config.json", "{}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "");
	attend_buffer_free(&bytes);
	attend_buffer_free(&part);
	folder_remove(&folder);
}

static void marian(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	put_model(&folder, "source.spm", PLAIN);
	put_model(&folder, "target.spm", PLAIN);
	folder_put(&folder, "vocab.json",
	           "{\"</s>\":0,\"<unk>\":1,\"\u2581ab\":2,\"a\":3,\"\u2581\":4,\"zz\":5,\">>x<<\":6,\"<pad>\":7}");
	attend_tokenizer *t = folder_load(&folder); /* source.spm alone tells what it is */
	folder_gives(t, "ab b", NULL, "\u2581ab(2) \u2581(4) <unk>(1) </s>(0)");
	folder_gives(t, "  a  zz", "ab",
	             "\u2581(4) a(3) \u2581(4) zz(5) \u2581ab(2) </s>(0)"); /* an unknown run that vocab.json knows */
	folder_gives(t, ">>x<< ab</s>ab", NULL, ">>x<<(6) \u2581ab(2) </s>(0) \u2581ab(2) </s>(0)");
	attend_tokenizer_free(t);
	folder_put(&folder, "vocab.json", "{\"</s>\":0,\"a\":3}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "\"<unk>\"");
	folder_drop(&folder, "vocab.json");
	folder_fails(&folder, ATTEND_ERR_NOTFOUND, "vocab.json");
	folder_remove(&folder);
}

static void marian_with_two_vocabularies(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	const int32_t ids[] = {2, 0};
	char *text;
	size_t size;
	put_model(&folder, "source.spm", PLAIN);
	put_model(&folder, "target.spm", PLAIN);
	folder_put(&folder, "vocab.json", "{\"</s>\":0,\"<unk>\":1,\"\u2581ab\":2,\"<pad>\":3}");
	folder_put(&folder, "target_vocab.json", "{\"</s>\":0,\"<unk>\":1,\"\u2581\":3,\"a\":2}");
	folder_put(&folder, "tokenizer_config.json", "{\"tokenizer_class\":\"MarianTokenizer\",\"separate_vocabs\":true}");
	attend_tokenizer *t = folder_load(&folder);
	assert_int_equal(attend_tokenizer_token_to_id(t, "\u2581ab", 5), 2);
	assert_ok(attend_tokenizer_decode(&text, &size, t, ids, 2, true, ATTEND_CLEAN_UP_DEFAULT));
	assert_string_equal(text, "a");
	free(text);
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_class),
		cmocka_unit_test(t5_defaults),
		cmocka_unit_test(bad_models),
		cmocka_unit_test(marian),
		cmocka_unit_test(marian_with_two_vocabularies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
