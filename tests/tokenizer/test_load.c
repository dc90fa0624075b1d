/* test_load.c: tokenizers from folders with vocabulary files alone: which class, which files, which ids; bad files.
 * Expectations from transformers 5.24 on the same folders. */
#include "tests/tokenizer/folder.h"

/* ---- WordPiece ---- */

static void bert_from_vocab_txt(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n\nhello\r\n##s \t\nhallo\n[MASK]");
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "H\u00e9llos zzz", NULL, "[CLS](2) hello(5) ##s(6) [UNK](1) [SEP](3)");
	folder_gives(t, "hello", "hallo[MASK]", "[CLS](2) hello(5) [SEP](3) hallo(7) [MASK](8) [SEP](3)");
	assert_int_equal(attend_tokenizer_vocab_size(t), 9);
	assert_string_equal(attend_tokenizer_kind(t), "WordPiece");
	assert_int_equal(attend_tokenizer_special_id(t, ATTEND_TOKEN_MASK), 8);
	assert_int_equal(attend_tokenizer_special_id(t, ATTEND_TOKEN_PAD), 0);
	assert_int_equal(attend_tokenizer_special_id(t, ATTEND_TOKEN_BOS), -1);
	assert_int_equal(attend_tokenizer_added_count(t, true), 3);
	assert_true(attend_tokenizer_max_length(t) == SIZE_MAX);
	attend_tokenizer_free(t);
	folder_put(&folder, "tokenizer_config.json",
	           "{\"tokenizer_class\":\"BertTokenizerFast\",\"do_lower_case\":false,\"model_max_length\":512}");
	t = folder_load(&folder);
	folder_gives(t, "Hello hello", NULL, "[CLS](2) [UNK](1) hello(5) [SEP](3)");
	assert_int_equal(attend_tokenizer_max_length(t), 512);
	attend_tokenizer_free(t);
	folder_put(&folder, "tokenizer_config.json",
	           "{\"model_max_length\":1000000000000000019884624838656,\"cls_token\":\"hello\"}");
	t = folder_load(&folder);
	folder_gives(t, "Hallo", NULL, "hello(5) hallo(7) [SEP](3)");
	assert_true(attend_tokenizer_max_length(t) == SIZE_MAX);
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

/* A named token that the vocabulary lacks gets the next id. */
static void missing_special_tokens_are_added(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "vocab.txt", "[UNK]\na\n");
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "a [MASK]", NULL, "[CLS](4) a(1) [MASK](5) [SEP](2)");
	assert_int_equal(attend_tokenizer_vocab_size(t), 6);
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

static void added_tokens(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n");
	folder_put(&folder, "added_tokens.json", "{\"zwei\":7,\"[E]\":6}");
	folder_put(&folder, "special_tokens_map.json",
	           "{\"additional_special_tokens\":[\"[E]\"],\"mask_token\":{\"content\":"
	           "\"[MASK]\",\"lstrip\":true,\"normalized\":false}}");
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "a[E]ZWEI [MASK]", NULL, "[CLS](2) a(5) [e](6) zwei(7)  [MASK](4) [SEP](3)");
	assert_false(
		attend_tokenizer_is_special(t, 6)); /* transformers 5 overlooks that list when it reads added_tokens.json */
	assert_true(attend_tokenizer_is_special(t, 4));
	attend_tokenizer_free(t);
	/* added_tokens_decoder replaces both files */
	folder_put(&folder, "tokenizer_config.json",
	           "{\"added_tokens_decoder\":{\"6\":{\"content\":\"drei\",\"special\":true,\"normalized\":false}}}");
	t = folder_load(&folder);
	folder_gives(t, "a[E]drei", NULL, "[CLS](2) a(5) [UNK](1) [UNK](1) [UNK](1) drei(6) [SEP](3)");
	assert_true(attend_tokenizer_is_special(t, 6));
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

static void mpnet(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "vocab.txt", "<s>\n<pad>\n</s>\n[UNK]\na\n<mask>\n");
	folder_put(&folder, "config.json", "{\"model_type\":\"mpnet\"}");
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "a <mask>", "a", "<s>(0) a(4)  <mask>(5) </s>(2) </s>(2) a(4) </s>(2)");
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

/* ---- BPE ---- */

#define GPT2_VOCAB                                                                                                \
	"{\"a\":0,\"b\":1,\"\u0120\":2,\"ab\":3,\"\u0120a\":4,\"<|endoftext|>\":5,\"<s>\":6,\"</s>\":7,\"<mask>\":8," \
	"\"<pad>\":9,\"<unk>\":10}"

static void gpt2(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "vocab.json", GPT2_VOCAB);
	folder_put(&folder, "merges.txt", "#version: 0.2\na b\n\u0120 a\n\n");
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "ab a<|endoftext|>b", "a", "ab(3) \u0120a(4) <|endoftext|>(5) b(1) a(0)");
	assert_int_equal(attend_tokenizer_special_id(t, ATTEND_TOKEN_EOS), 5);
	attend_tokenizer_free(t);
	folder_put(&folder, "tokenizer_config.json",
	           "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,\"add_prefix_space\":true}");
	t = folder_load(&folder);
	folder_gives(t, "a", "b", "<|endoftext|>(5) \u0120a(4) <|endoftext|>(5) \u0120(2) b(1)");
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

static void roberta(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "vocab.json", GPT2_VOCAB);
	folder_put(&folder, "merges.txt", "a b\r\n\u0120 a\r\n");
	folder_put(&folder, "config.json", "{\"model_type\":\"bart\"}");
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "ab <mask>a", "b", "<s>(6) ab(3)  <mask>(8) a(0) </s>(7) </s>(7) b(1) </s>(7)");
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

static void gpt1(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "vocab.json", "{\"a\":0,\"b\":1,\"a</w>\":2,\"b</w>\":3,\"ab</w>\":4,\"<unk>\":5}");
	folder_put(&folder, "merges.txt", "#version: 0.2\na b</w>\n");
	folder_put(&folder, "tokenizer_config.json", "{\"tokenizer_class\":\"OpenAIGPTTokenizer\"}");
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "AB a,", NULL, "ab</w>(4) a</w>(2) <unk>(5)");
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

/* ---- which class ---- */

static void classes_and_files(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_fails(&folder, ATTEND_ERR_NOTFOUND, "no tokenizer: neither");
	folder_put(&folder, "config.json", "{\"model_type\":\"bert\"}");
	folder_fails(&folder, ATTEND_ERR_NOTFOUND, "vocab.txt");
	folder_put(&folder, "config.json", "{\"model_type\":\"gpt2\"}");
	folder_fails(&folder, ATTEND_ERR_NOTFOUND, "vocab.json");
	folder_put(&folder, "config.json", "{\"model_type\":\"t5\"}");
	folder_fails(&folder, ATTEND_ERR_NOTFOUND, "spiece.model");
	folder_put(&folder, "config.json", "{\"model_type\":\"marian\"}");
	folder_fails(&folder, ATTEND_ERR_NOTFOUND, "source.spm");
	folder_put(&folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n");
	folder_put(&folder, "tokenizer_config.json", "{\"tokenizer_class\":\"ByT5Tokenizer\"}");
	folder_fails(&folder, ATTEND_ERR_UNSUPPORTED, "ByT5Tokenizer");
	folder_put(&folder, "tokenizer_config.json",
	           "{\"tokenizer_class\":\"DistilBertTokenizerFast\"}"); /* before config.json */
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "a", NULL, "[CLS](2) a(5) [SEP](3)");
	attend_tokenizer_free(t);
	folder_put(&folder, "tokenizer_config.json", "{}");
	folder_put(&folder, "config.json", "{\"model_type\":\"something-new\"}"); /* the files decide */
	t = folder_load(&folder);
	folder_gives(t, "a", NULL, "[CLS](2) a(5) [SEP](3)");
	attend_tokenizer_free(t);
	folder_remove(&folder);
	attend_tokenizer *none = NULL;
	assert_fails(ATTEND_ERR_NOTFOUND, "/nowhere/at/all", attend_tokenizer_load(&none, "/nowhere/at/all"));
	assert_fails(ATTEND_ERR_ARG, "NULL", attend_tokenizer_load(&none, NULL));
}

/* ---- tokenizer.json and the class's keys ---- */

#define CASED_JSON                                                                                                                  \
	"{\"version\":\"1.0\",\"added_tokens\":[],\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":false},"                    \
	"\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":null,\"decoder\":null,\"model\":{\"type\":\"WordPiece\"," \
	"\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"A\":1,\"a\":2,\"[CLS]\":3,\"[SEP]\":4,\"[PAD]\":5,\"[MASK]\":6}}}"

static void keys_beside_tokenizer_json(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "tokenizer.json", CASED_JSON);
	attend_tokenizer *t = folder_load(&folder); /* alone: as it says */
	folder_gives(t, "A a [MASK]", NULL,
	             "A(1) a(2) [UNK](0) [UNK](0) [UNK](0)"); /* nothing made [MASK] an added token */
	assert_int_equal(attend_tokenizer_special_id(t, ATTEND_TOKEN_MASK), 6);
	attend_tokenizer_free(t);
	folder_put(&folder, "tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false}");
	t = folder_load(&folder);
	folder_gives(t, "A a [MASK]", NULL, "[CLS](3) A(1) a(2) [MASK](6) [SEP](4)");
	attend_tokenizer_free(t);
	folder_put(&folder, "tokenizer_config.json",
	           "{\"tokenizer_class\":\"BertTokenizer\"}"); /* lower case is the default */
	t = folder_load(&folder);
	folder_gives(t, "A a", NULL, "[CLS](3) a(2) a(2) [SEP](4)");
	attend_tokenizer_free(t);
	folder_put(&folder, "tokenizer_config.json",
	           "{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"do_lower_case\":true,\"mask_token\":\"[MASK]\"}");
	t = folder_load(&folder); /* no class of its own: the file's word counts */
	folder_gives(t, "A a [MASK]", NULL, "A(1) a(2) [MASK](6)");
	assert_int_equal(attend_tokenizer_special_id(t, ATTEND_TOKEN_CLS), -1);
	attend_tokenizer_free(t);
	folder_put(&folder, "tokenizer_config.json",
	           "{\"tokenizer_class\":\"GPT2Tokenizer\"}"); /* another model: left alone */
	t = folder_load(&folder);
	folder_gives(t, "A a", NULL, "A(1) a(2)");
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

static void one_file(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	char path[128];
	snprintf(path, sizeof path, "%s/tokenizer.json", folder.path);
	folder_put(&folder, "tokenizer.json", CASED_JSON);
	attend_tokenizer *t = NULL;
	assert_ok(attend_tokenizer_load(&t, path));
	folder_gives(t, "A", NULL, "A(1)");
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

static void clean_up_key(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	const int32_t ids[] = {5, 6};
	char *text;
	size_t size;
	folder_put(&folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ndo\nn't\n");
	for (int on = 0; on < 2; on++) {
		folder_put(&folder, "tokenizer_config.json",
		           on ? "{\"clean_up_tokenization_spaces\":true}" : "{\"clean_up_tokenization_spaces\":false}");
		attend_tokenizer *t = folder_load(&folder);
		assert_ok(attend_tokenizer_decode(&text, &size, t, ids, 2, false, ATTEND_CLEAN_UP_DEFAULT));
		assert_string_equal(text, "don't"); /* the decoder cleans anyway */
		free(text);
		attend_tokenizer_free(t);
	}
	folder_remove(&folder);
}

/* ---- bad files ---- */

static void bad_files(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	folder_put(&folder, "vocab.txt", "");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "vocab.txt");
	folder_put(&folder, "vocab.txt", "[UNK]\na\xff\n");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "byte 7");
	folder_put(&folder, "vocab.txt", "[UNK]\na\n");
	folder_put(&folder, "tokenizer_config.json", "[]");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "tokenizer_config.json");
	folder_put(&folder, "tokenizer_config.json", "{\"do_lower_case\":\"yes\"}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "$.do_lower_case");
	folder_put(&folder, "tokenizer_config.json", "{\"mask_token\":7}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "$.mask_token");
	folder_put(&folder, "tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"a\"}}}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "$.added_tokens_decoder.x");
	folder_put(&folder, "tokenizer_config.json", "{\"added_tokens_decoder\":{\"1\":7}}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "added_tokens_decoder");
	folder_put(&folder, "tokenizer_config.json", "{\"cls_token\":null}");
	folder_put(&folder, "added_tokens.json", "{\"a\":-1}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "added_tokens.json");
	folder_drop(&folder, "added_tokens.json");
	folder_put(&folder, "config.json", "{\"model_type\":\"bert\"");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "config.json");
	folder_drop(&folder, "config.json");
	folder_drop(&folder, "vocab.txt");
	folder_put(&folder, "tokenizer_config.json", "{\"tokenizer_class\":\"GPT2Tokenizer\"}");
	folder_put(&folder, "vocab.json", GPT2_VOCAB);
	folder_fails(&folder, ATTEND_ERR_NOTFOUND, "merges.txt");
	folder_put(&folder, "merges.txt", "#version: 0.2\na b\na c\n");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "merges.txt: line 3: the merge's right part \"c\"");
	folder_put(&folder, "merges.txt", "#version: 0.2\nab\n");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "merges.txt: line 2");
	folder_put(&folder, "merges.txt", "a b\n\na b\n");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "merges.txt: line 2");
	folder_put(&folder, "vocab.json", "{\"a\":1,\"b\":99999999}");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "$.b");
	folder_put(&folder, "vocab.json", "[\"a\"]");
	folder_fails(&folder, ATTEND_ERR_FORMAT, "vocab.json");
	folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bert_from_vocab_txt),
		cmocka_unit_test(missing_special_tokens_are_added),
		cmocka_unit_test(added_tokens),
		cmocka_unit_test(mpnet),
		cmocka_unit_test(gpt2),
		cmocka_unit_test(roberta),
		cmocka_unit_test(gpt1),
		cmocka_unit_test(classes_and_files),
		cmocka_unit_test(keys_beside_tokenizer_json),
		cmocka_unit_test(one_file),
		cmocka_unit_test(clean_up_key),
		cmocka_unit_test(bad_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
