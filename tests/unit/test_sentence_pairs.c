/* test_sentence_pairs.c: pairs of segments: layout, what each label means, shares, lengths, determinism, refusals. */
#include "tests/support/check.h"

#include <unistd.h>

#include "lib/train/masking.h"
#include "lib/train/sentence_pairs.h"

static attend_tokenizer *tokenizer;
static char path[] = "/tmp/attend-pairs-XXXXXX";

static void write_text(const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	(void)state;
	const int fd = mkstemp(path);
	return fd < 0 || close(fd) != 0 ||
	       attend_tokenizer_load(&tokenizer, ATTEND_SOURCE_DIR "/tests/golden/tasks/classify") != ATTEND_OK;
}

static int tear_down(void **state)
{
	(void)state;
	attend_tokenizer_free(tokenizer);
	return unlink(path);
}

/* Three documents of eight letters in the alphabet's order, two letters a sentence; a letter is a token. */
static const char letters[] = "a b\nc d\ne f\ng h\n\n\ni j\nk l\nm n\no p\n \nq r\r\ns t\nu v\nw x";

static int letter(int32_t id)
{
	const char *token = attend_tokenizer_id_to_token(tokenizer, id, NULL);
	assert_non_null(token);
	assert_true(token[0] >= 'a' && token[0] <= 'x' && !token[1]);
	return token[0] - 'a';
}

/* Checks the layout; the first and last letter of A and of B into ends. */
static size_t check_layout(const attend_examples *x, size_t i, size_t most, int ends[4])
{
	const int32_t cls = attend_tokenizer_special_id(tokenizer, ATTEND_TOKEN_CLS),
				  sep = attend_tokenizer_special_id(tokenizer, ATTEND_TOKEN_SEP);
	const size_t start = x->starts[i], n = attend_examples_length(x, i);
	const int32_t *ids = x->ids + start, *types = x->types + start;
	size_t middle = 1;
	assert_in_range(n, 5, most);
	assert_int_equal(ids[0], cls);
	assert_int_equal(ids[n - 1], sep);
	while (ids[middle] != sep) middle++;
	assert_in_range(middle, 2, n - 3); /* neither part is empty */
	for (size_t j = 0; j < n; j++) {
		const bool special = j == 0 || j == middle || j == n - 1;
		assert_int_equal(types[j], j > middle);
		assert_int_equal(x->marks[start + j] & ATTEND_MARK_SPECIAL, special ? ATTEND_MARK_SPECIAL : 0);
		if (!special && j + 1 != middle && j + 1 != n - 1) assert_int_equal(letter(ids[j + 1]), letter(ids[j]) + 1);
	}
	ends[0] = letter(ids[1]);
	ends[1] = letter(ids[middle - 1]);
	ends[2] = letter(ids[middle + 1]);
	ends[3] = letter(ids[n - 2]);
	return n;
}

static void test_labels(void **state)
{
	(void)state;
	write_text(letters);
	size_t seen[2][2] = {{0}};
	for (uint64_t seed = 0; seed < 200; seed++) {
		const bool order = seed % 2 == 1;
		const attend_pair_options o = {
			.tokenizer = tokenizer, .length = 40, .vocab = 106, .order = order, .seed = seed};
		attend_dataset *d = NULL;
		attend_examples x = {0};
		assert_ok(attend_sentence_pairs_read(&d, &x, path, &o));
		assert_int_equal(d->count, x.count);
		for (size_t i = 0; i < x.count; i++) {
			int e[4];
			const int32_t label = d->examples[i].label;
			check_layout(&x, i, 19, e); /* two documents and three special tokens */
			seen[order][label]++;
			if (label == 0) assert_int_equal(e[2], e[1] + 1);
			else if (order) assert_int_equal(e[0], e[3] + 1);
			else assert_int_not_equal(e[0] / 8, e[2] / 8);
			assert_int_equal(e[0] / 8, e[1] / 8);
			assert_int_equal(e[2] / 8, e[3] / 8);
		}
		attend_dataset_free(d);
		attend_examples_free(&x);
	}
	/* Order: one pair a document or more, half of them swapped (five standard deviations of 300 draws). */
	assert_true(seen[1][0] + seen[1][1] >= 300);
	assert_in_range(seen[1][1] * 100 / (seen[1][0] + seen[1][1]), 36, 64);
	/* Next: of chunks that could be parted half; the rests of the others come on top. */
	assert_true(seen[0][0] > 80 && seen[0][1] > seen[0][0]);
}

static void test_lengths(void **state)
{
	(void)state;
	char text[4096] = "";
	for (int d = 0; d < 20; d++)
		for (int s = 0; s < 12; s++) strcat(text, s == 11 ? "k l\n\n" : &"a b c d e f\n"[2 * (s % 3)]);
	write_text(text);
	const attend_pair_options o = {.tokenizer = tokenizer, .length = 12, .vocab = 106, .seed = 3};
	attend_dataset *d[2] = {NULL};
	attend_examples x[2] = {{0}};
	size_t full = 0;
	for (int i = 0; i < 2; i++) assert_ok(attend_sentence_pairs_read(&d[i], &x[i], path, &o));
	assert_int_equal(x[0].count, x[1].count);
	assert_memory_equal(x[0].ids, x[1].ids, x[0].starts[x[0].count] * sizeof *x[0].ids);
	for (size_t i = 0; i < x[0].count; i++) {
		assert_int_equal(d[0]->examples[i].label, d[1]->examples[i].label);
		full += attend_examples_length(&x[0], i) == 12;
		assert_in_range(attend_examples_length(&x[0], i), 5, 12);
	}
	assert_true(full * 2 > x[0].count); /* segments are filled up */
	for (int i = 0; i < 2; i++) {
		attend_dataset_free(d[i]);
		attend_examples_free(&x[i]);
	}
}

static void test_refused(void **state)
{
	(void)state;
	attend_dataset *d = NULL;
	attend_examples x = {0};
	attend_pair_options o = {.tokenizer = tokenizer, .length = 12, .vocab = 106};
	write_text("\n \n\n");
	assert_fails(ATTEND_ERR_DATA, "no text to learn from", attend_sentence_pairs_read(&d, &x, path, &o));
	write_text("a b\nc d\n");
	assert_fails(ATTEND_ERR_DATA, "one document", attend_sentence_pairs_read(&d, &x, path, &o));
	o.order = true;
	assert_ok(attend_sentence_pairs_read(&d, &x, path, &o)); /* order needs one only */
	attend_dataset_free(d);
	attend_examples_free(&x);
	o.length = 4;
	assert_fails(ATTEND_ERR_ARG, "needs 5 tokens", attend_sentence_pairs_read(&d, &x, path, &o));
	o.length = 12;
	o.vocab = 11;
	assert_fails(ATTEND_ERR_FORMAT, "the word embedding has 11 rows", attend_sentence_pairs_read(&d, &x, path, &o));
	o.vocab = 106;
	write_text("a\n\nb\n"); /* nothing that could be parted */
	assert_fails(ATTEND_ERR_DATA, "no text to learn from", attend_sentence_pairs_read(&d, &x, path, &o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels), cmocka_unit_test(test_lengths),
	                                   cmocka_unit_test(test_refused)};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
