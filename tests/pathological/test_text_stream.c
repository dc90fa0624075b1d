/* ctest-timeout: 300 */
/* test_text_stream.c: a text of 60 MB becomes blocks while the process may own 96 MB of memory, and the file that holds the tokens
 * goes where TMPDIR says; a spill gives back what was put in, in memory and on disk. */
#include "tests/support/check.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/core/file.h"
#include "lib/core/rng.h"
#include "lib/train/text_blocks.h"
#include "tokenizer/attend_tokenizer.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { TEXT_BYTES = 60 << 20, LIMIT = 96 << 20 };
static char folder[] = "/tmp/attend-stream-XXXXXX", path[64];

static int make_text(void **state)
{
	(void)state;
	static const char *const words[] = {"the", "little", "girl", "saw", "a", "dog", "and", "ran", "home", "quickly"};
	attend_rng rng = {.seed = 11, .stream = 0};
	if (!mkdtemp(folder)) return 1;
	snprintf(path, sizeof path, "%s/text", folder);
	FILE *f = fopen(path, "w");
	if (!f) return 1;
	for (size_t bytes = 0; bytes < TEXT_BYTES;) {
		const size_t n = 5 + (size_t)attend_rng_below(&rng, 20);
		for (size_t i = 0; i < n; i++)
			bytes += (size_t)fprintf(f, "%s%c", words[attend_rng_below(&rng, 10)], i + 1 < n ? ' ' : '\n');
	}
	return fclose(f) != 0;
}

static int remove_text(void **state)
{
	(void)state;
	return unlink(path) != 0 || rmdir(folder) != 0;
}

/* In the child: 0, or what went wrong. */
static int read_within_limit(void)
{
	const struct rlimit limit = {LIMIT, LIMIT};
	attend_tokenizer *tokenizer = NULL;
	attend_dataset *d = NULL;
	attend_examples x = {0};
	if (attend_tokenizer_load(&tokenizer, ATTEND_SOURCE_DIR "/models/pretrained/bert-mini") != ATTEND_OK) return 1;
	if (!SANITIZED && setrlimit(RLIMIT_DATA, &limit) != 0) return 2;
	if (attend_text_blocks_read(&d, &x, path, NULL, tokenizer, 128, 30522, false) != ATTEND_OK) {
		fprintf(stderr, "%s\n", attend_error());
		return 3;
	}
	size_t tokens = 0;
	for (size_t i = 0; i < x.count; i++)
		for (size_t j = x.starts[i]; j < x.starts[i + 1]; j++) tokens += x.ids[j] >= 0;
	if (x.id_store.on_disk != 4 * tokens) return 4;
	attend_dataset_free(d);
	attend_examples_free(&x);
	attend_tokenizer_free(tokenizer);
	return 0;
}

static void test_memory(void **state)
{
	(void)state;
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) _exit(read_within_limit());
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_no_room(void **state)
{
	(void)state;
	const char *const old = getenv("TMPDIR");
	char *const kept = old ? strdup(old) : NULL;
	attend_tokenizer *tokenizer = NULL;
	attend_dataset *d = NULL;
	attend_examples x = {0};
	assert_int_equal(attend_tokenizer_load(&tokenizer, ATTEND_SOURCE_DIR "/models/pretrained/bert-mini"), ATTEND_OK);
	setenv("TMPDIR", "/no/such/folder", 1);
	assert_int_equal(attend_text_blocks_read(&d, &x, path, NULL, tokenizer, 128, 30522, false), ATTEND_ERR_IO);
	assert_non_null(strstr(attend_error(), "/no/such/folder"));
	if (kept) setenv("TMPDIR", kept, 1);
	else unsetenv("TMPDIR");
	free(kept);
	attend_tokenizer_free(tokenizer);
}

static void test_spill(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1000, 16 << 20, (16 << 20) + 1, 40 << 20};
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		attend_spill spill = {0};
		unsigned char piece[1000];
		size_t done = 0;
		for (size_t n; done < sizes[s]; done += n) {
			n = sizes[s] - done < sizeof piece ? sizes[s] - done : sizeof piece;
			for (size_t i = 0; i < n; i++) piece[i] = (unsigned char)((done + i) * 31 >> 3);
			assert_int_equal(attend_spill_append(&spill, piece, n), ATTEND_OK);
		}
		assert_int_equal(attend_spill_finish(&spill), ATTEND_OK);
		assert_int_equal(spill.size, sizes[s]);
		assert_int_equal(spill.on_disk, sizes[s] > 16 << 20 ? sizes[s] : 0);
		for (size_t i = 0; i < sizes[s]; i += 7)
			if (((const unsigned char *)spill.data)[i] != (unsigned char)(i * 31 >> 3)) fail_msg("byte %zu", i);
		attend_spill_free(&spill);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_no_room),
	                                   cmocka_unit_test(test_spill)};
	return cmocka_run_group_tests(tests, make_text, remove_text);
}
