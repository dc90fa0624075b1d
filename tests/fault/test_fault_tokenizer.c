/* test_fault_tokenizer.c: memory, reading and writing fail while tokenizers are loaded, used and trained.
 * ctest-timeout: 600 */
#include "tests/support/fault.h"
#include "tests/tokenizer/folder.h"
#include "tests/tokenizer/spm_bytes.h"

/* Load, encode, decode. */
static attend_status use(void *arg)
{
	static const char text[] = "The caf\u00e9 \u4e2d Hello</s> [MASK] x9 \U0001f600";
	attend_tokenizer *tokenizer;
	attend_encoding encoding;
	char *decoded;
	size_t size;
	ATTEND_TRY(attend_tokenizer_load(&tokenizer, arg));
	const attend_encode_options options = {.fields = ATTEND_ENCODE_OFFSETS | ATTEND_ENCODE_TOKENS,
	                                       .truncation = ATTEND_TRUNCATE_LONGEST_FIRST,
	                                       .max_length = 12,
	                                       .return_overflowing = true};
	attend_status status =
		attend_tokenizer_encode_pair(&encoding, tokenizer, text, sizeof text - 1, text, sizeof text - 1, &options);
	if (status == ATTEND_OK) {
		status =
			attend_tokenizer_decode(&decoded, &size, tokenizer, encoding.ids, encoding.count, true, ATTEND_CLEAN_UP_ON);
		if (status == ATTEND_OK) free(decoded);
		attend_encoding_free(&encoding);
	}
	attend_tokenizer_free(tokenizer);
	return status;
}

static void tokenizer_json(void **state)
{
	(void)state;
	static const char *const cases[] = {"wp_odd_prefix", "bpe_fuse_unk",  "bpe_ignore_merges", "unigram",
	                                    "post_sequence", "norm_sequence", "added_normalized",  "dec_sequence_llama"};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char path[256];
		snprintf(path, sizeof path, "%s/tests/golden/tokenizer/%s", ATTEND_SOURCE_DIR, cases[i]);
		fault_sweep(FAULT_MEMORY | FAULT_MAP | FAULT_READ, 150, use, path);
	}
}

static void put_model(const test_folder *folder, const char *name)
{
	attend_buffer bytes = {0};
	put_piece(&bytes, "<pad>", 0, ATTEND_SPM_CONTROL);
	put_piece(&bytes, "</s>", 0, ATTEND_SPM_CONTROL);
	put_piece(&bytes, "<unk>", 0, ATTEND_SPM_UNKNOWN);
	put_piece(&bytes, "\u2581", -2, ATTEND_SPM_NORMAL);
	put_piece(&bytes, "l", -3, ATTEND_SPM_NORMAL);
	put_piece(&bytes, "\u2581x", -3, ATTEND_SPM_NORMAL);
	folder_put_bytes(folder, name, bytes.data, bytes.size);
	attend_buffer_free(&bytes);
}

static void legacy_files(void **state)
{
	(void)state;
	test_folder bert = folder_new(), gpt2 = folder_new(), t5 = folder_new(), marian = folder_new();
	folder_put(&bert, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncafe\n##x\n");
	folder_put(&bert, "added_tokens.json", "{\"x9\":8}");
	folder_put(&bert, "special_tokens_map.json", "{\"mask_token\":{\"content\":\"[MASK]\",\"lstrip\":true}}");
	folder_put(&gpt2, "vocab.json", "{\"T\":0,\"h\":1,\"e\":2,\"he\":3,\"<|endoftext|>\":4}");
	folder_put(&gpt2, "merges.txt", "#version: 0.2\nh e\n");
	folder_put(&gpt2, "tokenizer_config.json",
	           "{\"add_bos_token\":true,\"added_tokens_decoder\":{\"4\":{\"content\":\"x9\"}}}");
	put_model(&t5, "spiece.model");
	folder_put(&t5, "tokenizer_config.json", "{\"tokenizer_class\":\"T5Tokenizer\",\"extra_ids\":2}");
	put_model(&marian, "source.spm");
	put_model(&marian, "target.spm");
	folder_put(&marian, "vocab.json", "{\"</s>\":0,\"<unk>\":1,\"\u2581x\":2,\"<pad>\":3}");
	test_folder *const folders[] = {&bert, &gpt2, &t5, &marian};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		fault_sweep(FAULT_MEMORY | FAULT_MAP | FAULT_READ, 150, use, folders[i]->path);
		folder_remove(folders[i]);
	}
}

static test_folder target;

static attend_status train(void *arg)
{
	static const char text[] = "the cat sat on the mat, the rat sat on the hat: the caf\u00e9\n";
	const attend_vocab_options *options = arg;
	attend_vocab_trainer *trainer;
	ATTEND_TRY(attend_vocab_trainer_new(&trainer, options));
	attend_status status = attend_vocab_trainer_add(trainer, text, sizeof text - 1);
	if (status == ATTEND_OK) status = attend_vocab_trainer_save(NULL, trainer, target.path);
	attend_vocab_trainer_free(trainer);
	return status;
}

static void training(void **state)
{
	(void)state;
	for (int kind = ATTEND_VOCAB_BERT; kind <= ATTEND_VOCAB_T5; kind++) {
		attend_vocab_options options = {.kind = (attend_vocab_kind)kind, .vocab_size = 300};
		target = folder_new();
		fault_sweep(FAULT_MEMORY | FAULT_WRITE, 100, train, &options);
		attend_tokenizer *tokenizer = folder_load(&target); /* the files are whole */
		attend_tokenizer_free(tokenizer);
		folder_remove(&target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokenizer_json),
		cmocka_unit_test(legacy_files),
		cmocka_unit_test(training),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
