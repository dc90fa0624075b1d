/* test_train.c: trained vocabularies: merges against a plain version, folders that load, files that do not depend on the order
 * of the texts, bad input. */
#include "tests/tokenizer/folder.h"

#include <math.h>

#include "lib/core/file.h"
#include "lib/core/rng.h"
#include "tokenizer/train.h"

/* ---- merges ---- */

enum { LETTERS = 4, WORDS = 30, LENGTH = 14, MERGES = 40 };

typedef struct plain {
	int32_t symbols[WORDS][LENGTH];
	size_t lengths[WORDS];
	uint64_t counts[WORDS];
} plain;

/* The pair that occurs most, counted anew; of equals the one with the smaller ids. */
static uint64_t best_pair(const plain *p, int32_t *left, int32_t *right, int32_t bound)
{
	uint64_t best = 0;
	for (int32_t a = 0; a < bound; a++) {
		for (int32_t b = 0; b < bound; b++) {
			uint64_t count = 0;
			for (size_t w = 0; w < WORDS; w++)
				for (size_t i = 0; i + 1 < p->lengths[w]; i++)
					if (p->symbols[w][i] == a && p->symbols[w][i + 1] == b) count += p->counts[w];
			if (count <= best) continue;
			best = count;
			*left = a;
			*right = b;
		}
	}
	return best;
}

static void join(plain *p, int32_t left, int32_t right, int32_t id)
{
	for (size_t w = 0; w < WORDS; w++) {
		size_t to = 0;
		for (size_t i = 0; i < p->lengths[w]; i++) {
			const bool hit = i + 1 < p->lengths[w] && p->symbols[w][i] == left && p->symbols[w][i + 1] == right;
			p->symbols[w][to++] = hit ? id : p->symbols[w][i];
			if (hit) i++;
		}
		p->lengths[w] = to;
	}
}

static void merges_are_the_most_frequent_pairs(void **state)
{
	(void)state;
	attend_rng rng = {5, 1, 0};
	for (int round = 0; round < 20; round++) {
		static plain p;
		attend_vocab vocab = {0};
		attend_symbol_words words = {0};
		for (int32_t i = 0; i < LETTERS; i++) {
			const char letter = (char)('a' + i);
			assert_ok(attend_vocab_put(&vocab, &letter, 1, i));
		}
		for (size_t w = 0; w < WORDS; w++) {
			p.lengths[w] = 1 + attend_rng_below(&rng, LENGTH);
			p.counts[w] = 1 + attend_rng_below(&rng, 50);
			for (size_t i = 0; i < p.lengths[w]; i++) {
				p.symbols[w][i] = (int32_t)attend_rng_below(&rng, LETTERS);
				assert_ok(attend_symbol_words_push(&words, p.symbols[w][i]));
			}
			assert_ok(attend_symbol_words_end(&words, p.counts[w]));
		}
		attend_merge_pair *merges;
		size_t count;
		const attend_merge_training training = {.vocab_size = LETTERS + MERGES,
		                                        .min_frequency = 1,
		                                        .max_token_length = SIZE_MAX};
		assert_ok(attend_train_merges(&merges, &count, &vocab, &words, &training));
		for (size_t i = 0; i < count; i++) {
			/* two ways to a token share its id: only ids up to the present one are in use */
			int32_t left = -1, right = -1;
			const uint64_t best = best_pair(&p, &left, &right, (int32_t)vocab.id_bound);
			assert_true(best > 0);
			assert_int_equal(merges[i].left, left);
			assert_int_equal(merges[i].right, right);
			join(&p, left, right, merges[i].id);
		}
		assert_true(vocab.id_bound == LETTERS + MERGES);
		free(merges);
		attend_vocab_free(&vocab);
		attend_symbol_words_free(&words);
	}
}

static void limits_of_merging(void **state)
{
	(void)state;
	for (int which = 0; which < 3; which++) {
		attend_vocab vocab = {0};
		attend_symbol_words words = {0};
		assert_ok(attend_vocab_put(&vocab, "a", 1, 0));
		for (int i = 0; i < 16; i++) assert_ok(attend_symbol_words_push(&words, 0));
		assert_ok(attend_symbol_words_end(&words, 3));
		attend_merge_pair *merges;
		size_t count;
		const attend_merge_training training = {.vocab_size = which == 0 ? 3 : 100,
		                                        .min_frequency = which == 1 ? 10 : 1,
		                                        .max_token_length = which == 2 ? 4 : SIZE_MAX};
		assert_ok(attend_train_merges(&merges, &count, &vocab, &words, &training));
		/* a a (15 pairs of 3), aa aa (7 of 3), aaaa aaaa (3 of 3) ... */
		assert_int_equal(count, 2);
		free(merges);
		attend_vocab_free(&vocab);
		attend_symbol_words_free(&words);
	}
}

/* ---- folders ---- */

static const char *const corpus[] = {
	"The cat sat on the mat. The cat ate the rat, and the rat sat on the hat.\n",
	"A caf\u00e9 that sells caf\u00e9 au lait to the cat: 10 times, 100 times, 1000 times!\n",
	"\u4e2d\u6587 and \u4e2d\u6587; the hat of the cat is on the mat of the rat.\n",
	"Don't tell the cat that the rat's hat isn't the cat's hat.\n",
};
enum { LINES = sizeof corpus / sizeof *corpus };

static size_t train_folder(const test_folder *folder, const attend_vocab_options *options, bool backwards)
{
	attend_vocab_trainer *trainer;
	size_t size = 0;
	assert_ok(attend_vocab_trainer_new(&trainer, options));
	for (size_t i = 0; i < LINES; i++) {
		const char *line = corpus[backwards ? LINES - 1 - i : i];
		assert_ok(attend_vocab_trainer_add(trainer, line, strlen(line)));
	}
	assert_ok(attend_vocab_trainer_save(&size, trainer, folder->path));
	attend_vocab_trainer_free(trainer);
	return size;
}

static const char *const files[] = {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt"};

static char *read_from(const test_folder *folder, const char *name)
{
	char path[512], *text = NULL;
	size_t size;
	snprintf(path, sizeof path, "%s/%s", folder->path, name);
	if (attend_file_exists(path)) assert_ok(attend_file_read(&text, &size, path, 0));
	return text;
}

static void the_order_of_texts_is_no_matter(void **state)
{
	(void)state;
	for (int kind = ATTEND_VOCAB_BERT; kind <= ATTEND_VOCAB_T5; kind++) {
		const attend_vocab_options options = {.kind = (attend_vocab_kind)kind,
		                                      .vocab_size =
		                                          kind == ATTEND_VOCAB_BERT || kind == ATTEND_VOCAB_T5 ? 110 : 300};
		const test_folder a = folder_new(), b = folder_new();
		train_folder(&a, &options, false);
		train_folder(&b, &options, true);
		size_t written = 0;
		for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
			char *one = read_from(&a, files[f]), *two = read_from(&b, files[f]);
			assert_true((one == NULL) == (two == NULL));
			if (one) assert_string_equal(one, two);
			written += one != NULL;
			free(one);
			free(two);
		}
		assert_int_equal(written, kind == ATTEND_VOCAB_T5 ? 2 : kind == ATTEND_VOCAB_BERT ? 3 : 4);
		folder_remove(&a);
		folder_remove(&b);
	}
}

static void round_trip(const attend_tokenizer *t, const char *text, const char *expected)
{
	attend_encoding e;
	char *back;
	size_t size;
	assert_ok(attend_tokenizer_encode(&e, t, text, strlen(text), NULL));
	for (size_t i = 0; i < e.count; i++) assert_in_range(e.ids[i], 0, attend_tokenizer_vocab_size(t) - 1);
	assert_ok(attend_tokenizer_decode(&back, &size, t, e.ids, e.count, true, ATTEND_CLEAN_UP_OFF));
	assert_string_equal(back, expected);
	free(back);
	attend_encoding_free(&e);
}

static void folders_load_and_read_back(void **state)
{
	(void)state;
	static const struct {
		attend_vocab_options options;
		const char *text, *expected;
	} cases[] = {
		{{.kind = ATTEND_VOCAB_BERT, .vocab_size = 120}, "The CAF\u00c9 of the rat", "the cafe of the rat"},
		{{.kind = ATTEND_VOCAB_BERT, .vocab_size = 120, .cased = true},
	     "The caf\u00e9 of the rat",
	     "The caf\u00e9 of the rat"},
		{{.kind = ATTEND_VOCAB_GPT2, .vocab_size = 290},
	     "any \t bytes:\n\u0915\u093f \U0001f600",
	     "any \t bytes:\n\u0915\u093f \U0001f600"},
		{{.kind = ATTEND_VOCAB_ROBERTA, .vocab_size = 290}, "the cat\u00e9", "the cat\u00e9"},
		{{.kind = ATTEND_VOCAB_T5, .vocab_size = 90, .extra_ids = 3},
	     "the rat  sat on the cat's hat",
	     "the rat sat on the cat's hat"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const test_folder folder = folder_new();
		const size_t size = train_folder(&folder, &cases[i].options, false);
		assert_in_range(size, 50, cases[i].options.vocab_size + cases[i].options.extra_ids);
		attend_tokenizer *t = folder_load(&folder);
		assert_int_equal(attend_tokenizer_vocab_size(t), size);
		round_trip(t, cases[i].text, cases[i].expected);
		attend_tokenizer_free(t);
		/* the older files alone say the same */
		attend_tokenizer *old = NULL;
		folder_drop(&folder, "tokenizer.json");
		if (cases[i].options.kind != ATTEND_VOCAB_T5) {
			old = folder_load(&folder);
			assert_int_equal(attend_tokenizer_vocab_size(old), size);
			round_trip(old, cases[i].text, cases[i].expected);
		}
		attend_tokenizer_free(old);
		folder_remove(&folder);
	}
}

static void frequent_words_become_tokens(void **state)
{
	(void)state;
	static const char *const spelled[] = {"the", "\u0120the", "\u0120the", "\u2581the"};
	for (int kind = ATTEND_VOCAB_BERT; kind <= ATTEND_VOCAB_T5; kind++) {
		const attend_vocab_options options = {.kind = (attend_vocab_kind)kind,
		                                      .vocab_size =
		                                          kind == ATTEND_VOCAB_BERT || kind == ATTEND_VOCAB_T5 ? 120 : 300};
		const test_folder folder = folder_new();
		train_folder(&folder, &options, false);
		attend_tokenizer *t = folder_load(&folder);
		assert_int_not_equal(attend_tokenizer_token_to_id(t, spelled[kind], strlen(spelled[kind])), -1);
		attend_tokenizer_free(t);
		folder_remove(&folder);
	}
}

static void special_tokens(void **state)
{
	(void)state;
	static const char *const special[] = {"<ent>", "[MASK]"}; /* one more, and one that is there */
	const test_folder folder = folder_new();
	const attend_vocab_options options = {.kind = ATTEND_VOCAB_BERT,
	                                      .vocab_size = 120,
	                                      .special_tokens = special,
	                                      .special_count = 2,
	                                      .model_max_length = 77};
	train_folder(&folder, &options, false);
	attend_tokenizer *t = folder_load(&folder);
	assert_int_equal(attend_tokenizer_token_to_id(t, "<ent>", 5), 5);
	assert_true(attend_tokenizer_is_special(t, 5));
	assert_int_equal(attend_tokenizer_special_id(t, ATTEND_TOKEN_MASK), 4);
	assert_int_equal(attend_tokenizer_max_length(t), 77);
	attend_tokenizer_free(t);
	folder_remove(&folder);
}

/* What is learned is a probability: the scores of all pieces sum to one (Bayesian EM: a little less). */
static void unigram_scores(void **state)
{
	(void)state;
	attend_word_counts words = {0};
	for (int i = 0; i < 200; i++) {
		char word[32];
		const int size =
			snprintf(word, sizeof word, "\u2581%s%s", i % 3 ? "over" : "under", i % 5 ? "going" : "taking");
		assert_ok(attend_word_counts_add(&words, word, (size_t)size, (uint64_t)(1 + i % 7)));
	}
	assert_ok(attend_word_counts_sort(&words));
	assert_int_equal(words.count, 4);
	const attend_unigram_training training = {.piece_count = 24, .max_piece_chars = 16, .limit_alphabet = 100};
	attend_seed *pieces;
	size_t count;
	assert_ok(attend_train_unigram(&pieces, &count, &words, &training));
	assert_in_range(count, 12, 24);
	double sum = 0;
	for (size_t i = 0; i < count; i++) {
		assert_true(pieces[i].score < 0);
		if (i > 0) assert_true(pieces[i].score <= pieces[i - 1].score);
		sum += exp(pieces[i].score);
	}
	assert_true(sum > 0.5 && sum <= 1.001);
	free(pieces);
	attend_word_counts_free(&words);
}

static void counting_words(void **state)
{
	(void)state;
	attend_word_counts counts = {0};
	for (int i = 0; i < 9000; i++) {
		char word[16];
		const int size = snprintf(word, sizeof word, "w%d", i % 3000);
		assert_ok(attend_word_counts_add(&counts, word, (size_t)size, (uint64_t)(i % 3000 < 10 ? 5 : 1)));
	}
	assert_int_equal(counts.count, 3000);
	assert_ok(attend_word_counts_prune(&counts, 4));
	assert_int_equal(counts.count, 10);
	assert_ok(attend_word_counts_add(&counts, "w3", 2, 1));
	assert_ok(attend_word_counts_sort(&counts));
	assert_int_equal(counts.count, 10);
	assert_int_equal(counts.words[3].count, 16);
	assert_memory_equal(counts.pool + counts.words[3].start, "w3", 2);
	attend_word_counts_free(&counts);
}

/* ---- files and bad input ---- */

static void files_of_any_shape(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	const size_t size = (size_t)3 << 20; /* one line of three megabytes */
	char *text = malloc(size + 1), path[128];
	assert_non_null(text);
	for (size_t i = 0; i < size; i++) text[i] = "the rat "[i % 8];
	text[size] = 0;
	snprintf(path, sizeof path, "%s/corpus.txt", folder.path);
	folder_put(&folder, "corpus.txt", text);
	const attend_vocab_options options = {.kind = ATTEND_VOCAB_GPT2, .vocab_size = 1000};
	attend_vocab_trainer *trainer;
	assert_ok(attend_vocab_trainer_new(&trainer, &options));
	assert_ok(attend_vocab_trainer_add_file(trainer, path));
	folder_put(&folder, "corpus.txt", ""); /* an empty file adds nothing */
	assert_ok(attend_vocab_trainer_add_file(trainer, path));
	size_t made;
	assert_ok(attend_vocab_trainer_save(&made, trainer, folder.path));
	assert_in_range(made, 258, 266); /* the text has no more: "the", " rat", " the" and their parts */
	attend_tokenizer *t = folder_load(&folder);
	folder_gives(t, "the rat the", NULL, "the(260) \u0120rat(261) \u0120the(262)");
	attend_tokenizer_free(t);
	attend_vocab_trainer_free(trainer);
	free(text);
	folder_remove(&folder);
}

static bool never(void *payload, const char *stage, size_t done, size_t total)
{
	(void)payload, (void)stage, (void)done, (void)total;
	return false;
}

static void bad_input(void **state)
{
	(void)state;
	const test_folder folder = folder_new();
	attend_vocab_trainer *trainer;
	char path[128];
	attend_vocab_options options = {.kind = (attend_vocab_kind)9};
	assert_fails(ATTEND_ERR_ARG, "kind", attend_vocab_trainer_new(&trainer, &options));
	options = (attend_vocab_options){.kind = ATTEND_VOCAB_GPT2, .extra_ids = 2};
	assert_fails(ATTEND_ERR_ARG, "T5", attend_vocab_trainer_new(&trainer, &options));
	const char *special = "a\nb";
	options = (attend_vocab_options){.special_tokens = &special, .special_count = 1};
	assert_fails(ATTEND_ERR_ARG, "special token 0", attend_vocab_trainer_new(&trainer, &options));
	options = (attend_vocab_options){.vocab_size = (size_t)1 << 40};
	assert_fails(ATTEND_ERR_ARG, "vocabulary of more", attend_vocab_trainer_new(&trainer, &options));

	options = (attend_vocab_options){.kind = ATTEND_VOCAB_GPT2, .vocab_size = 100};
	assert_ok(attend_vocab_trainer_new(&trainer, &options));
	assert_fails(ATTEND_ERR_DATA, "no words", attend_vocab_trainer_save(NULL, trainer, folder.path));
	assert_fails(ATTEND_ERR_DATA, "position 1", attend_vocab_trainer_add(trainer, "a\xff", 2));
	assert_fails(ATTEND_ERR_NOTFOUND, "/nowhere", attend_vocab_trainer_add_file(trainer, "/nowhere"));
	folder_put(&folder, "bad.txt", "good\nbad \xc3\n");
	snprintf(path, sizeof path, "%s/bad.txt", folder.path);
	assert_fails(ATTEND_ERR_DATA, "bad.txt: line 2: text is not UTF-8", attend_vocab_trainer_add_file(trainer, path));
	assert_fails(ATTEND_ERR_IO, folder.path, attend_vocab_trainer_add_file(trainer, folder.path)); /* a folder */
	assert_ok(attend_vocab_trainer_add(trainer, "some words", 10));
	assert_fails(ATTEND_ERR_ARG, "no room", attend_vocab_trainer_save(NULL, trainer, folder.path));
	attend_vocab_trainer_free(trainer);

	options = (attend_vocab_options){.kind = ATTEND_VOCAB_T5, .vocab_size = 6};
	assert_ok(attend_vocab_trainer_new(&trainer, &options));
	assert_ok(attend_vocab_trainer_add(trainer, "some words", 10));
	assert_fails(ATTEND_ERR_ARG, "no room", attend_vocab_trainer_save(NULL, trainer, folder.path));
	attend_vocab_trainer_free(trainer);

	options = (attend_vocab_options){.kind = ATTEND_VOCAB_T5, .vocab_size = 60, .progress = never};
	assert_ok(attend_vocab_trainer_new(&trainer, &options));
	assert_ok(attend_vocab_trainer_add(trainer, "some words", 10));
	assert_fails(ATTEND_ERR_CANCELLED, "cancelled", attend_vocab_trainer_save(NULL, trainer, folder.path));
	options.progress = NULL;
	attend_vocab_trainer_free(trainer);

	options = (attend_vocab_options){.kind = ATTEND_VOCAB_BERT, .vocab_size = 60};
	assert_ok(attend_vocab_trainer_new(&trainer, &options));
	assert_ok(attend_vocab_trainer_add(trainer, "some words", 10));
	assert_fails(ATTEND_ERR_NOTFOUND, "/nowhere/at/all", attend_vocab_trainer_save(NULL, trainer, "/nowhere/at/all"));
	attend_vocab_trainer_free(trainer);
	folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merges_are_the_most_frequent_pairs),
		cmocka_unit_test(limits_of_merging),
		cmocka_unit_test(the_order_of_texts_is_no_matter),
		cmocka_unit_test(folders_load_and_read_back),
		cmocka_unit_test(frequent_words_become_tokens),
		cmocka_unit_test(special_tokens),
		cmocka_unit_test(unigram_scores),
		cmocka_unit_test(counting_words),
		cmocka_unit_test(files_of_any_shape),
		cmocka_unit_test(bad_input),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
